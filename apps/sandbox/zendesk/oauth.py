"""``/oauth``: client credentials, authorization code with PKCE, and refresh with rotation."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from .account import Account, OAuthClient, OAuthCode, OAuthToken
from .call import Answer, Call
from .errors import INVALID_TOKEN, Json, Refusal
from .records import stamp

CODE_SECONDS = 120
ACCESS_LIMITS = (300, 172_800)
REFRESH_LIMITS = (604_800, 7_776_000)
SCOPE_KINDS = ("read", "write")
SCOPED_RESOURCES = frozenset(
    [
        "tickets",
        "users",
        "auditlogs",
        "organizations",
        "hc",
        "apps",
        "triggers",
        "automations",
        "targets",
        "webhooks",
        "macros",
        "requests",
        "satisfaction_ratings",
        "dynamic_content",
        "any_channel",
        "web_widget",
        "zis",
    ]
)


def _refuse(error: str, description: str, status: int = 400) -> Refusal:
    return Refusal(status, {"error": error, "error_description": description})


def token(account: Account, headers: Mapping[str, str], raw: bytes) -> Answer:
    """``POST /oauth/tokens``. Raises 400 or 401 in OAuth's own error words."""
    request = _read(headers, raw)
    client = account.oauth_clients.get(str(request.get("client_id")))
    if client is None or not secrets.compare_digest(client.secret, str(request.get("client_secret", ""))):
        raise _refuse("invalid_client", "Client authentication failed", 401)
    grant = request.get("grant_type")
    if grant == "client_credentials":
        return _grant(account, request, client, client.user_id, _scopes(request.get("scope", "read")), refresh=False)
    if grant == "authorization_code":
        code = _take_code(account, request, client)
        return _grant(account, request, client, code.user_id, code.scopes, refresh=True)
    if grant == "refresh_token":
        old = _take_refresh(account, request, client)
        return _grant(account, request, client, old.user_id, old.scopes, refresh=True)
    raise _refuse("unsupported_grant_type", "The authorization grant type is not supported")


def authorize(account: Account, query: Mapping[str, str]) -> Answer:
    """``GET /oauth/authorizations/new``: the consent page, already agreed to by the client's owner."""
    client = account.oauth_clients.get(query.get("client_id", ""))
    redirect = urlsplit(query.get("redirect_uri", ""))
    if client is None or query.get("response_type") != "code" or redirect.scheme not in ("https", "http"):
        raise _refuse("invalid_request", "The request is missing a parameter or has an invalid one")
    if not query["redirect_uri"].isprintable():
        raise _refuse("invalid_request", "The redirect URI is malformed")
    if redirect.scheme == "http" and redirect.hostname not in ("127.0.0.1", "localhost"):
        raise _refuse("invalid_request", "The redirect URI must use https")
    code = OAuthCode(
        code=secrets.token_hex(32),
        client_id=client.id,
        redirect_uri=query["redirect_uri"],
        scopes=_scopes(query.get("scope", "read")),
        user_id=client.user_id,
        expires_at=account.clock() + timedelta(seconds=CODE_SECONDS),
        challenge=query.get("code_challenge"),
    )
    account.oauth_codes[code.code] = code
    parts = {"code": code.code} | ({"state": query["state"]} if "state" in query else {})
    joint = "&" if redirect.query else "?"
    return Answer(302, None, {"Location": f"{code.redirect_uri}{joint}{urlencode(parts)}"})


def revoke_current(call: Call) -> Answer:
    """``DELETE /oauth/tokens/current``: the bearer token of this very request stops working."""
    access = call.headers.get("Authorization", "").partition(" ")[2].strip()
    if call.account.oauth_tokens.pop(access, None) is None:
        raise Refusal(401, INVALID_TOKEN)
    return Answer(204)


def show_current(call: Call) -> Answer:
    access = call.headers.get("Authorization", "").partition(" ")[2].strip()
    held = call.account.oauth_tokens.get(access)
    if held is None:
        raise Refusal(401, INVALID_TOKEN)
    return Answer(
        body={
            "token": {
                "token": held.access[:10],
                "scopes": sorted(held.scopes),
                "user_id": held.user_id,
                "expires_at": stamp(held.expires_at),
            }
        }
    )


def _read(headers: Mapping[str, str], raw: bytes) -> Json:
    content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    try:
        if content_type == "application/x-www-form-urlencoded":
            return dict(parse_qsl(raw.decode()))
        document = json.loads(raw) if content_type == "application/json" else None
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise _refuse("invalid_request", "The request is missing a parameter or is malformed")
    return document


def _scopes(text: Any) -> frozenset[str]:
    scopes = frozenset(str(text).split())
    for scope in scopes - {"read", "write", "impersonate"}:
        resource, _, kind = scope.partition(":")
        if resource not in SCOPED_RESOURCES or kind not in SCOPE_KINDS:
            raise _refuse("invalid_scope", "The requested scope is invalid, unknown, or malformed")
    if not scopes:
        raise _refuse("invalid_scope", "The requested scope is invalid, unknown, or malformed")
    return scopes


def _lifetime(request: Json, name: str, limits: tuple[int, int], usual: int) -> int:
    value = request.get(name, usual)
    try:
        seconds = int(value)
    except (TypeError, ValueError):
        raise _refuse("invalid_request", f"{name} must be a number of seconds") from None
    if name in request and not limits[0] < seconds < limits[1]:
        raise _refuse("invalid_request", f"{name} must be more than {limits[0]} and less than {limits[1]} seconds")
    return seconds


def _grant(
    account: Account, request: Json, client: OAuthClient, user_id: int, scopes: frozenset[str], *, refresh: bool
) -> Answer:
    access_seconds = _lifetime(request, "expires_in", ACCESS_LIMITS, account.settings.access_token_seconds)
    refresh_seconds = _lifetime(
        request, "refresh_token_expires_in", REFRESH_LIMITS, account.settings.refresh_token_seconds
    )
    now = account.clock()
    held = OAuthToken(
        secrets.token_hex(32), user_id, client.id, scopes, expires_at=now + timedelta(seconds=access_seconds)
    )
    body: Json = {
        "access_token": held.access,
        "token_type": "bearer",
        "scope": " ".join(sorted(scopes)),
        "expires_in": access_seconds,
    }
    if refresh:
        held.refresh = secrets.token_hex(32)
        held.refresh_expires_at = now + timedelta(seconds=refresh_seconds)
        body |= {"refresh_token": held.refresh, "refresh_token_expires_in": refresh_seconds}
    account.oauth_tokens[held.access] = held
    return Answer(200, body)


def _take_code(account: Account, request: Json, client: OAuthClient) -> OAuthCode:
    code = account.oauth_codes.pop(str(request.get("code")), None)
    fits = (
        code is not None
        and account.clock() < code.expires_at
        and code.client_id == client.id
        and code.redirect_uri == request.get("redirect_uri")
    )
    if code is None or not fits or not _verifies(code, request):
        raise _refuse("invalid_grant", "The authorization grant is invalid, expired, revoked or was issued elsewhere")
    return code


def _verifies(code: OAuthCode, request: Json) -> bool:
    if code.challenge is None:
        return True
    digest = hashlib.sha256(str(request.get("code_verifier", "")).encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == code.challenge


def _take_refresh(account: Account, request: Json, client: OAuthClient) -> OAuthToken:
    wanted = request.get("refresh_token")
    old = next((held for held in account.oauth_tokens.values() if wanted and held.refresh == wanted), None)
    expired = old is not None and old.refresh_expires_at is not None and account.clock() >= old.refresh_expires_at
    if old is None or old.client_id != client.id or expired:
        raise _refuse("invalid_grant", "The authorization grant is invalid, expired, revoked or was issued elsewhere")
    # rotation: the old pair stops working at once
    del account.oauth_tokens[old.access]
    return old
