"""Signing in to Azure DevOps: personal access tokens, Entra client credentials, Basic."""

import asyncio
import base64
from collections.abc import Mapping
from urllib.parse import quote

from apps.sync.connectors.base import ConnectorError, SignInFailed
from apps.sync.connectors.http import Context, VendorHttp

from .settings import Secrets, Settings

RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798/.default"
"""The scope that stands for Azure DevOps in Entra."""
_ANSWERED = frozenset({200, 400, 401, 403, 404})
_NO_REDIRECTS = {"X-TFS-FedAuthRedirect": "Suppress", "X-VSS-ForceMsaPassThrough": "true"}
"""Ask for 401 rather than for the way to a sign-in page."""


class SignIn:
    """The headers that sign a request, and the renewal of an Entra token, which lives for an hour."""

    def __init__(self, context: Context, settings: Settings, secrets: Secrets) -> None:
        self._context = context
        self._settings = settings
        self._secrets = secrets
        self._access_token = secrets.access_token.get_secret_value()
        self._asking = asyncio.Lock()
        self._http: VendorHttp | None = None

    @property
    def is_renewable(self) -> bool:
        return self._settings.sign_in == "entra"

    def use(self, http: VendorHttp) -> None:
        """Token requests go through ``http``, like all others."""
        self._http = http

    async def headers(self) -> Mapping[str, str]:
        """Raises SignInFailed when no token can be had."""
        if self._settings.sign_in == "pat":
            return {**_NO_REDIRECTS, "Authorization": _basic("", self._secrets.pat.get_secret_value())}
        if self._settings.sign_in == "basic":
            password = self._secrets.password.get_secret_value()
            return {**_NO_REDIRECTS, "Authorization": _basic(self._settings.user_name, password)}
        async with self._asking:
            if not self._access_token:
                await self._obtain()
        return {**_NO_REDIRECTS, "Authorization": f"Bearer {self._access_token}"}

    async def renew(self) -> bool:
        """Get a new Entra token after a 401. Raises SignInFailed when the service principal is refused."""
        async with self._asking:
            await self._obtain()
        return True

    async def _obtain(self) -> None:
        async with self._context.renewal() as stored:
            access = stored.get("access_token", "")
            if access in ("", self._access_token):
                await self._exchange()
            else:
                self._access_token = access

    async def _exchange(self) -> None:
        assert self._http is not None
        address = f"{self._settings.login_url.rstrip('/')}/{quote(self._settings.tenant_id)}/oauth2/v2.0/token"
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._secrets.client_secret.get_secret_value(),
            "scope": RESOURCE,
        }
        try:
            answer = await self._http.request("POST", address, data=form, signed=False, accept=_ANSWERED)
            tokens = answer.json()
        except ConnectorError as problem:
            # the call that needed the token was not carried out, whatever became of the token request
            problem.is_unknown = False
            raise
        token = tokens.get("access_token") if isinstance(tokens, dict) else None
        if answer.status != 200 or not token:
            raise SignInFailed(f"Entra answered {answer.status}: {answer.text()[:300]}")
        await self._context.save_secrets({**self._context.secrets, "access_token": str(token)})
        self._access_token = str(token)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
