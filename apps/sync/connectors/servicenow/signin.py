"""Signing in: basic, API key, and OAuth with three grants."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

from apps.sync.connectors.base import SignInFailed, VendorFault
from apps.sync.connectors.http import Answer, Context, VendorHttp, redact

from .settings import ServiceNowSecrets, SignInMethod

GRANT_PATH = "/oauth_token.do"


class SignIn:
    """The headers of signed-in calls. Renewed tokens are stored before they are used (INV-36). Raises SignInFailed."""

    http: VendorHttp

    def __init__(self, context: Context, method: SignInMethod, secrets: ServiceNowSecrets) -> None:
        self._context = context
        self._method = method
        self._secrets = secrets
        self._first = asyncio.Lock()

    @property
    def uses_tokens(self) -> bool:
        return self._method.startswith("oauth")

    @property
    def user_name(self) -> str:
        """The account's user name where the secrets tell it, else empty."""
        return self._secrets.reveal("username") if self._method in ("basic", "oauth_password") else ""

    async def authorize(self) -> Mapping[str, str]:
        if self._method == "basic":
            pair = f"{self._secrets.reveal('username')}:{self._secrets.reveal('password')}"
            return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        if self._method == "api_key":
            return {"x-sn-apikey": self._secrets.reveal("api_key")}
        async with self._first:
            if not self._secrets.reveal("access_token"):
                await self.renew()
        return {"Authorization": "Bearer " + self._secrets.reveal("access_token")}

    async def renew(self) -> bool:
        """Get a new access token: by the refresh token, or else by the grant of the settings."""
        async with self._context.renewal() as stored:
            if stored.get("access_token", "") in ("", self._secrets.reveal("access_token")):
                await self._obtain()
            else:
                held = {name: stored[name] for name in ("access_token", "refresh_token") if stored.get(name)}
                self._secrets = self._secrets.replaced(**held)
        return True

    async def _obtain(self) -> None:
        refresh = self._secrets.reveal("refresh_token")
        if refresh:
            answer = await self._ask({"grant_type": "refresh_token", "refresh_token": refresh})
            if answer.status == 200:
                await self._keep(answer)
                return
        if self._method == "oauth_refresh":
            raise SignInFailed("the refresh token is expired or revoked")
        grant = {"grant_type": "client_credentials"}
        if self._method == "oauth_password":
            grant = {"grant_type": "password"} | {name: self._secrets.reveal(name) for name in ("username", "password")}
        answer = await self._ask(grant)
        if answer.status != 200:
            raise SignInFailed(f"no token was given: {redact(answer.text())}")
        await self._keep(answer)

    async def _ask(self, grant: dict[str, str]) -> Answer:
        client = {name: self._secrets.reveal(name) for name in ("client_id", "client_secret")}
        return await self.http.request(
            "POST",
            GRANT_PATH,
            data=grant | client,
            headers={"Accept": "application/json"},
            accept=frozenset({200, 400, 401, 403}),
            signed=False,
        )

    async def _keep(self, answer: Answer) -> None:
        body: Any = answer.json()
        if not isinstance(body, dict) or not body.get("access_token"):
            raise VendorFault("the token answer holds no access_token")
        renewed = {"access_token": str(body["access_token"])}
        if body.get("refresh_token"):
            renewed["refresh_token"] = str(body["refresh_token"])
        secrets = self._secrets.replaced(**renewed)
        await self._context.save_secrets(secrets.revealed())
        self._secrets = secrets
