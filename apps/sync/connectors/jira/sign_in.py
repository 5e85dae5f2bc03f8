"""How a call proves who we are: Basic, personal access token, or an OAuth grant whose refresh token rotates."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

from apps.sync.connectors.base import SignInFailed
from apps.sync.connectors.http import Context, VendorHttp

from .settings import JiraSecrets


class SignIn:
    """Builds the Authorization header. A renewed OAuth token is stored durably before it is used (INV-36)."""

    def __init__(self, context: Context, secrets: JiraSecrets, token_url: str) -> None:
        self._context = context
        self._secrets = secrets
        self._token_url = token_url
        self._access = secrets.access_token.get_secret_value()
        self._refresh = secrets.refresh_token.get_secret_value()
        self._first = asyncio.Lock()
        self.http: VendorHttp | None = None

    @property
    def can_renew(self) -> bool:
        return bool(self._refresh)

    async def authorize(self) -> Mapping[str, str]:
        secrets = self._secrets
        if secrets.personal_token.get_secret_value():
            return {"Authorization": f"Bearer {secrets.personal_token.get_secret_value()}"}
        if self.can_renew:
            async with self._first:
                if not self._access:
                    await self.renew()
            return {"Authorization": f"Bearer {self._access}"}
        name = secrets.email.get_secret_value() or secrets.username.get_secret_value()
        word = secrets.api_token.get_secret_value() or secrets.password.get_secret_value()
        return {"Authorization": "Basic " + base64.b64encode(f"{name}:{word}".encode()).decode()}

    async def renew(self) -> bool:
        """Exchange the refresh token. Raises SignInFailed when the grant is gone."""
        if not self.can_renew or self.http is None:
            return False
        async with self._context.renewal() as stored:
            access = stored.get("access_token", "")
            if access in ("", self._access):
                await self._exchange(self.http)
            else:
                self._access, self._refresh = access, stored.get("refresh_token", "")
        return True

    async def _exchange(self, http: VendorHttp) -> None:
        answer = await http.request(
            "POST",
            self._token_url,
            json={
                "grant_type": "refresh_token",
                "client_id": self._secrets.client_id.get_secret_value(),
                "client_secret": self._secrets.client_secret.get_secret_value(),
                "refresh_token": self._refresh,
            },
            accept=frozenset({200, 400, 401, 403}),
            signed=False,
        )
        granted: Any = answer.json() if answer.status == 200 else None
        if not isinstance(granted, dict) or not isinstance(granted.get("access_token"), str):
            raise SignInFailed("the OAuth grant is no longer valid: connect the account again")
        access, refresh = granted["access_token"], str(granted.get("refresh_token") or self._refresh)
        await self._context.save_secrets({**self._context.secrets, "access_token": access, "refresh_token": refresh})
        self._access, self._refresh = access, refresh
