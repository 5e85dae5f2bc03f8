"""Who is calling: API tokens and app grants on Cloud, personal access tokens and passwords on Data Center."""

import base64
import binascii
import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from . import seed
from .errors import NOT_SIGNED_IN, Refusal, bad
from .state import User

if TYPE_CHECKING:
    from .site import Caller, Site

LOGIN_FAILED = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
PAT_SINCE = [8, 14]
BASIC_UNTIL = [11, 0]


class OAuthGrants:
    """App grants: an access token lives an hour, and each refresh kills the refresh token that it used."""

    def __init__(self, now: datetime) -> None:
        self.access: dict[str, datetime] = {seed.ACCESS_TOKEN: now}
        self.refresh: set[str] = {seed.REFRESH_TOKEN}
        self.codes: set[str] = {seed.AUTHORIZATION_CODE}
        self._count = 0

    def exchange(self, body: dict[str, Any], now: datetime) -> str | None:
        """Spend the code or refresh token in ``body``; returns its successor, or None when it is not good."""
        kind = body.get("grant_type")
        spent = body.get("code") if kind == "authorization_code" else body.get("refresh_token")
        held = {"authorization_code": self.codes, "refresh_token": self.refresh}.get(str(kind))
        known = body.get("client_id") == seed.CLIENT_ID and body.get("client_secret") == seed.CLIENT_SECRET
        if held is None or not known or spent not in held:
            return None
        held.discard(str(spent))
        self._count += 1
        successor = hashlib.sha256(f"{spent}:{self._count}".encode()).hexdigest()
        self.refresh.add("r" + successor)
        self.access["a" + successor] = now
        return successor


async def exchange_token(site: "Site", request: web.Request) -> web.Response:
    """``POST /oauth/token``: an access token for a code or a refresh token; 403 for one that is not good."""
    try:
        body = await request.json()
    except ValueError as problem:
        raise bad("invalid_request") from problem
    successor = site.grants.exchange(body if isinstance(body, dict) else {}, site.now())
    if successor is None:
        refusal = {"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}
        return web.json_response(refusal, status=403)
    answer = {
        "access_token": "a" + successor,
        "token_type": "Bearer",
        "expires_in": int(site.settings.oauth_access_seconds),
        "refresh_token": "r" + successor,
        "scope": "read:jira-work write:jira-work read:jira-user manage:jira-webhook offline_access",
    }
    return web.json_response(answer)


def identify(site: "Site", request: web.Request, through_gateway: bool) -> "Caller":
    """The caller of ``request``.

    A wrong API token on Cloud turns the caller into nobody without a word, as the vendor does: reads then answer
    404 or an empty list. ``wrong_basic_is_anonymous`` off answers 401 instead. Raises 401, and 403 for a captcha.
    """
    from .site import Caller

    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        return Caller()
    if scheme.lower() == "bearer":
        user = _app_user(site, credential, through_gateway) if site.settings.is_cloud else _pat_user(site, credential)
        if user is None:
            raise _unauthorized(site)
        return Caller(user, is_app=site.settings.is_cloud)
    user = _basic_user(site, credential) if scheme.lower() == "basic" and not through_gateway else None
    if user is None:
        if site.settings.is_cloud and site.settings.wrong_basic_is_anonymous and not through_gateway:
            return Caller(headers=LOGIN_FAILED)
        raise _unauthorized(site)
    return Caller(user)


def _app_user(site: "Site", token: str, through_gateway: bool) -> User | None:
    issued = site.grants.access.get(token)
    lifetime = timedelta(seconds=site.settings.oauth_access_seconds)
    if not through_gateway or issued is None or site.now() >= issued + lifetime:
        return None
    return None if token in site.settings.retired_tokens else site.store.users[seed.SYNC_ACCOUNT]


def _pat_user(site: "Site", token: str) -> User | None:
    if site.settings.version_numbers < PAT_SINCE or token in site.settings.retired_tokens:
        return None
    return next((user for user in site.store.users.values() if user.secret == token), None)


def _basic_user(site: "Site", credential: str) -> User | None:
    try:
        name, _, secret = base64.b64decode(credential, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    is_cloud = site.settings.is_cloud
    if not is_cloud and site.settings.version_numbers >= BASIC_UNTIL:
        raise Refusal(401, "Basic authentication is disabled on this instance.")
    people = site.store.users.values()
    user = next((user for user in people if name.lower() == (user.email if is_cloud else user.name)), None)
    if not is_cloud:
        _count_login(site, name, user is not None and user.secret == secret)
    if user is None or user.secret != secret or secret in site.settings.retired_tokens:
        return None
    return user


def _count_login(site: "Site", name: str, is_good: bool) -> None:
    """Data Center asks for a captcha after some failed logins, and then refuses even the right password."""
    allowed = site.settings.captcha_after_failures
    failed = site.failed_logins.get(name, 0)
    if allowed and failed >= allowed:
        reason = f"CAPTCHA_CHALLENGE; login-url={site.origin}/login.jsp"
        headers = {"X-Seraph-LoginReason": "AUTHENTICATION_DENIED", "X-Authentication-Denied-Reason": reason}
        raise Refusal(403, "Login denied", headers=headers)
    site.failed_logins[name] = 0 if is_good else failed + 1


def _unauthorized(site: "Site") -> Refusal:
    realm = 'OAuth realm="' + site.origin.replace(":", "%3A").replace("/", "%2F") + '"'
    return Refusal(401, NOT_SIGNED_IN, headers=LOGIN_FAILED | {"WWW-Authenticate": realm})
