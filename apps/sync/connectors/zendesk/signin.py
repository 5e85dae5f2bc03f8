"""Signing in to Zendesk: OAuth client credentials, OAuth refresh tokens that rotate, and API tokens."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

from apps.sync.connectors.base import ConnectorError, SignInFailed
from apps.sync.connectors.http import Context, VendorHttp

from .settings import Secrets, Settings

GRANT_PATH = "/oauth/tokens"
_ANSWERED = frozenset({200, 201, 400, 401, 403, 404, 422})


class SignIn:
    """The headers that sign a request, and the renewal of an expired access token.

    Zendesk deletes the old refresh token when it hands out a new one, so the new pair is stored before it is used.
    """

    def __init__(self, context: Context, settings: Settings, secrets: Secrets) -> None:
        self._context = context
        self._settings = settings
        self._kept = dict(context.secrets)
        self._secrets = secrets
        self._refresh_token = secrets.refresh_token.get_secret_value()
        self._access_token = secrets.access_token.get_secret_value()
        self._asking = asyncio.Lock()
        self._http: VendorHttp | None = None

    @property
    def is_renewable(self) -> bool:
        return self._settings.sign_in != "api_token"

    def use(self, http: VendorHttp) -> None:
        """Token requests go through ``http``, like all others."""
        self._http = http

    async def headers(self) -> Mapping[str, str]:
        """Raises SignInFailed when no token can be had."""
        if not self.is_renewable:
            user = f"{self._settings.email}/token:{self._secrets.api_token.get_secret_value()}"
            return {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()}
        async with self._asking:
            if not self._access_token:
                await self._obtain()
        return {"Authorization": f"Bearer {self._access_token}"}

    async def renew(self) -> bool:
        """Get a new access token after a 401. Raises SignInFailed when the client or the refresh token is refused."""
        async with self._asking:
            await self._obtain()
        return True

    async def _obtain(self) -> None:
        async with self._context.renewal() as stored:
            access = stored.get("access_token", "")
            if access in ("", self._access_token):
                await self._exchange()
            else:
                self._kept.update(stored)
                self._access_token, self._refresh_token = access, stored.get("refresh_token", "")

    async def _exchange(self) -> None:
        assert self._http is not None
        try:
            answer = await self._http.request("POST", GRANT_PATH, json=self._form(), signed=False, accept=_ANSWERED)
            if answer.status not in (200, 201):
                raise SignInFailed(f"the token request was answered {answer.status}: {answer.text()[:300]}")
            tokens = answer.json()
        except ConnectorError as problem:
            # the call that needed the token was not carried out, whatever became of the token request
            problem.is_unknown = False
            raise
        if not isinstance(tokens, dict) or not tokens.get("access_token"):
            raise SignInFailed("the token request was answered without an access token")
        renewed = {name: str(tokens[name]) for name in ("access_token", "refresh_token") if tokens.get(name)}
        self._kept.update(renewed)
        await self._context.save_secrets(dict(self._kept))
        self._access_token = renewed["access_token"]
        self._refresh_token = renewed.get("refresh_token", self._refresh_token)

    def _form(self) -> dict[str, Any]:
        client = {
            "client_id": self._settings.client_id,
            "client_secret": self._secrets.client_secret.get_secret_value(),
        }
        if self._settings.sign_in == "refresh_token":
            return {"grant_type": "refresh_token", "refresh_token": self._refresh_token, **client}
        return {
            "grant_type": "client_credentials",
            **client,
            "scope": self._settings.scope,
            "expires_in": self._settings.token_lifetime_seconds,
        }
