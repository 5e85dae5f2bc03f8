"""Webhooks: who sent them, and which tickets they are about. Their content is never used for more than that.

Admin webhooks are signed (``X-Hub-Signature``, HMAC over the raw body). Dynamic webhooks of OAuth apps carry a JWT in
the Authorization header instead, signed with the app's client secret. There is no signed time in the first form, so
freshness comes from reading the ticket again and from the delivery id, which repeats on each retry.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from typing import Any

from apps.sync.connectors.base import NoticeHint, NoticeRefused, NoticeRequest
from apps.sync.engine.snapshot import ExternalRef

CLOCK_LEEWAY = 60.0
_DIGESTS = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
_ISSUE_PATH = re.compile(r"/issue/(\d+)(?:/|$)")
_REFUSED = "the notice does not prove that it comes from this system"


def read_notice(request: NoticeRequest, base_url: str) -> NoticeHint:
    """Verify and read one delivery. Raises NoticeRefused."""
    if not any(_is_signed(request, secret) or _has_token(request, secret) for secret in request.secrets if secret):
        raise NoticeRefused(_REFUSED)
    try:
        body: Any = json.loads(request.body)
    except (ValueError, RecursionError) as problem:
        raise NoticeRefused("the notice is not JSON") from problem
    if not isinstance(body, dict) or not isinstance(body.get("webhookEvent"), str):
        raise NoticeRefused("the notice is not one of Jira's")
    delivery = request.headers.get("x-atlassian-webhook-identifier") or hashlib.sha256(request.body).hexdigest()
    return NoticeHint(delivery, tuple(_refs(body, base_url)), body["webhookEvent"])


def _is_signed(request: NoticeRequest, secret: str) -> bool:
    method, _, given = request.headers.get("x-hub-signature", "").partition("=")
    if method.strip().lower() not in _DIGESTS:
        return False
    digest = hmac.new(secret.encode(), request.body, _DIGESTS[method.strip().lower()]).hexdigest()
    return hmac.compare_digest(digest.encode(), given.strip().lower().encode())


def _has_token(request: NoticeRequest, secret: str) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    parts = token.strip().split(".")
    if scheme.lower() not in ("bearer", "jwt") or len(parts) != 3:
        return False
    try:
        head, claims = json.loads(_decode(parts[0])), json.loads(_decode(parts[1]))
        given = _decode(parts[2])
    except (ValueError, RecursionError, binascii.Error):
        return False
    if not isinstance(head, dict) or not isinstance(claims, dict) or head.get("alg") != "HS256":
        return False
    signed = hmac.new(secret.encode(), f"{parts[0]}.{parts[1]}".encode(), hashlib.sha256).digest()
    expires, now = claims.get("exp"), request.received_at.timestamp()
    is_fresh = isinstance(expires, int | float) and now <= expires + CLOCK_LEEWAY
    return hmac.compare_digest(signed, given) and is_fresh


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _refs(body: dict[str, Any], base_url: str) -> Iterable[ExternalRef]:
    issue = body.get("issue")
    if isinstance(issue, dict) and isinstance(issue.get("id"), str | int):
        key = issue.get("key") if isinstance(issue.get("key"), str) else ""
        yield ExternalRef(str(issue["id"]), str(key), f"{base_url}/browse/{key}" if key else "")
        return
    comment, link = body.get("comment"), body.get("issueLink")
    if isinstance(comment, dict) and (found := _ISSUE_PATH.search(str(comment.get("self", "")))):
        yield ExternalRef(found[1])
    for member in ("sourceIssueId", "destinationIssueId"):
        if isinstance(link, dict) and isinstance(link.get(member), int | str):
            yield ExternalRef(str(link[member]))
