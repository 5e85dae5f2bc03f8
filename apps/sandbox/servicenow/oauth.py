"""The token endpoint ``/oauth_token.do``: password, refresh and client credentials grants, form-urlencoded only."""

import base64
import binascii
import secrets
from datetime import timedelta
from urllib.parse import parse_qsl

from .access import Gate, Token
from .instance import Instance, Row
from .seed import CLIENT_ID, CLIENT_SECRET
from .wire import Answer, Call, json_answer

FORM = "application/x-www-form-urlencoded"


class TokenRefusal(Exception):
    """A grant that is not given; answered with 401 and the members ``error`` and ``error_description``."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class TokenOffice:
    """Issues access and refresh tokens."""

    def __init__(self, instance: Instance, gate: Gate) -> None:
        self._instance = instance
        self._gate = gate

    def grant(self, call: Call) -> Answer:
        try:
            return json_answer(200, self._grant(call))
        except TokenRefusal as refusal:
            return json_answer(401, {"error_description": refusal.description, "error": refusal.error})

    def _grant(self, call: Call) -> dict[str, str | int]:
        if call.method != "POST" or call.content_type != FORM:
            raise TokenRefusal("invalid_request", "The request must be a form-urlencoded POST")
        form = dict(parse_qsl(call.body.decode(errors="replace"), keep_blank_values=True))
        if _client_of(call, form) != (CLIENT_ID, CLIENT_SECRET):
            raise TokenRefusal("invalid_client", "access_denied")
        kind = form.get("grant_type", "")
        if kind == "password":
            user = self._gate.check_password(form.get("username", ""), form.get("password", ""))
            return self._issue(user)
        if kind == "refresh_token":
            return self._refresh(form.get("refresh_token", ""))
        if kind == "client_credentials" and self._instance.settings.client_credentials_user:
            return self._issue(self._instance.user(self._instance.settings.client_credentials_user))
        raise TokenRefusal("unsupported_grant_type", "The grant type is not supported")

    def _refresh(self, text: str) -> dict[str, str | int]:
        token = self._gate.refresh_tokens.get(text)
        retired = self._instance.settings.tokens_retired
        if token is None or retired or token.expires_at <= self._instance.clock():
            raise TokenRefusal("invalid_grant", "access_denied")
        return self._issue(self._instance.find("sys_user", token.user_id), text)

    def _issue(self, user: Row | None, refresh: str = "") -> dict[str, str | int]:
        if user is None or user["active"] != "true" or user["locked_out"] == "true":
            raise TokenRefusal("access_denied", "access_denied")
        settings, now = self._instance.settings, self._instance.clock()
        access = secrets.token_urlsafe(64)
        self._gate.access_tokens[access] = Token(user["sys_id"], now + timedelta(seconds=settings.access_token_seconds))
        if not refresh:
            refresh = secrets.token_urlsafe(64)
            expires_at = now + timedelta(seconds=settings.refresh_token_seconds)
            self._gate.refresh_tokens[refresh] = Token(user["sys_id"], expires_at)
        return {
            "access_token": access,
            "refresh_token": refresh,
            "scope": "useraccount",
            "token_type": "Bearer",
            "expires_in": settings.access_token_seconds,
        }


def _client_of(call: Call, form: dict[str, str]) -> tuple[str, str]:
    """Client id and secret from the form, or from a Basic header, as OAuth libraries send them."""
    if "client_id" in form and "client_secret" in form:
        return form["client_id"], form["client_secret"]
    scheme, _, credentials = call.header("authorization").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        client_id, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return client_id, secret
