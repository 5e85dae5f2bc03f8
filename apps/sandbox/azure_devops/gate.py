"""What every request must get past: who it is, which version it speaks, what it sends, how much it has used."""

import base64
import binascii
import re
import secrets
from collections import defaultdict, deque
from datetime import datetime, timedelta

from aiohttp import web

from .calls import Version
from .errors import COMMON, WEB_API, BindingFault, Refusal, blocked, unauthorized
from .locations import Location
from .people import Person
from .seed import CLIENT_ID, CLIENT_SECRET, SYNC, TOKENS
from .store import Store

VERSION = re.compile(r"(\d+(?:\.\d+)?)(-preview(?:\.(\d+))?)?", re.IGNORECASE)
IN_ACCEPT = re.compile(r"api-version=([^;,\s]+)", re.IGNORECASE)
READING = ("GET", "HEAD", "OPTIONS")
SIGN_IN_PAGE = (
    "<html><head><title>Azure DevOps Services | Sign In</title></head><body>Sign in to continue</body></html>"
)
NEAR = 0.8


class SignInPage(Exception):
    """Services show browsers, and what they take for browsers, the way to a sign-in page."""


class Gate:
    """Holds what outlives a request: issued bearer tokens and each identity's recent consumption."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bearers: dict[str, datetime] = {}
        self._used: dict[str, deque[datetime]] = defaultdict(deque)

    def issue_bearer(self, client_id: str, secret: str, scope: str) -> str | None:
        """A token of the directory for the sync account's application; None for wrong credentials."""
        if (client_id, secret) != (CLIENT_ID, CLIENT_SECRET) or not scope.endswith("/.default"):
            return None
        token = "eyJ0eXAiOiJKV1QifQ." + secrets.token_urlsafe(48)
        self._bearers[token] = self._store.now() + timedelta(seconds=self._store.settings.bearer_seconds)
        return token

    def person(self, request: web.Request) -> Person:
        """Who is asking. Raises Refusal(401) or SignInPage, whichever the vendor shows to this request."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        person = self._holder(scheme.casefold(), given.strip())
        if person is not None and person.mail not in self._store.settings.departed_accounts:
            return person
        wants_status = request.headers.get("X-TFS-FedAuthRedirect", "").casefold() == "suppress"
        if self._store.settings.is_server or wants_status or request.method not in ("GET", "POST"):
            refusal = unauthorized()
            refusal.headers["WWW-Authenticate"] = 'Basic realm="tfs"' if self._store.settings.is_server else "Bearer"
            raise refusal
        raise SignInPage

    def _holder(self, scheme: str, given: str) -> Person | None:
        if scheme == "bearer" and not self._store.settings.is_server:
            ends = self._bearers.get(given)
            return SYNC if ends is not None and self._store.now() < ends else None
        if scheme != "basic":
            return None
        try:
            text = base64.b64decode(given, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        token = text.partition(":")[2]
        return None if token in self._store.settings.retired_tokens else TOKENS.get(token)

    def throttle(self, person: Person) -> dict[str, str]:
        """Headers for a request that was let through. Raises the vendor's 429 when the allowance is used up."""
        settings = self._store.settings
        if settings.is_server or not settings.tstu_limit:
            return {}
        now, used = self._store.now(), self._used[person.id]
        while used and (now - used[0]).total_seconds() >= settings.tstu_window_seconds:
            used.popleft()
        spent = len(used) * settings.tstu_per_request
        if spent + settings.tstu_per_request < settings.tstu_limit * NEAR:
            used.append(now)
            return {}
        reset = (used[0] if used else now) + timedelta(seconds=settings.tstu_window_seconds)
        wait = max(1, round((reset - now).total_seconds()))
        headers = {
            "Retry-After": str(wait),
            "X-RateLimit-Resource": "Core/Usage",
            "X-RateLimit-Delay": "0.25",
            "X-RateLimit-Limit": f"{settings.tstu_limit:g}",
            "X-RateLimit-Remaining": f"{max(settings.tstu_limit - spent, 0):g}",
            "X-RateLimit-Reset": str(int(reset.timestamp())),
        }
        if spent >= settings.tstu_limit:
            raise blocked(headers)
        used.append(now)
        return headers


def asked_version(request: web.Request, location: Location | None, store: Store) -> Version:
    """The REST version of the request, checked against the resource. Raises the vendor's 400s."""
    settings = store.settings
    text = next((value for key, value in request.query.items() if key.casefold() == "api-version"), "")
    if not text and (found := IN_ACCEPT.search(request.headers.get("Accept", ""))):
        text = found[1]
    if not text:
        if request.method not in READING:
            raise _unspecified(request.method)
        # A reader without a version gets the newest released one, or the preview of what was never released.
        return Version(float(settings.released_version), settings.released_version)
    match = VERSION.fullmatch(text)
    if match is None:
        raise BindingFault(f"The api-version '{text}' is not valid.")
    number, is_preview = float(match[1]), bool(match[2])
    resource = int(match[3]) if match[3] else None
    too_new = location is not None and resource is not None and resource > location.version
    if not 1.0 <= number <= float(settings.latest_version) or too_new:
        message = (
            f"The requested REST API version of {text} is out of range for this server. The latest REST API version "
            f"this server supports is {settings.latest_version}."
        )
        raise Refusal(400, message, "VssVersionOutOfRangeException", WEB_API)
    released = 0.0 if location and location.is_preview else float(settings.released_version)
    if not is_preview and number > released and location is not None:
        message = (
            f'The requested version "{match[1]}" of the resource is under preview. The -preview flag must be supplied '
            f'in the api-version for such requests. For example: "{match[1]}-preview"'
        )
        raise Refusal(400, message, "VssInvalidPreviewVersionException", WEB_API)
    return Version(number, text, is_preview, resource)


def _unspecified(method: str) -> Refusal:
    message = (
        f'No api-version was supplied for the "{method}" request. The version must be supplied either as part of the '
        'Accept header (e.g. "application/json; api-version=1.0") or as a query parameter (e.g. "?api-version=1.0").'
    )
    return Refusal(400, message, "VssVersionNotSpecifiedException", COMMON)


def check_media_type(request: web.Request, wanted: str, body: bytes) -> None:
    """Raises the vendor's 415 when the body is declared as something that the route does not take."""
    if not wanted or (not body and wanted != "application/json-patch+json"):
        return
    if request.content_type != wanted:
        message = (
            f'The request indicated a Content-Type of "{request.content_type}" for method type "{request.method}" '
            f"which is not supported. Valid content types for this method are: {wanted}."
        )
        raise Refusal(415, message, "VssRequestContentTypeNotSupportedException", WEB_API)
