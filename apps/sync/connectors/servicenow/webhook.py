"""Signed notices from our business rule: ``business_rule.js`` beside this file, which the customer installs.

The instance has no webhooks of its own, so the contract is ours: ``X-Siam-Event-Id``, ``X-Siam-Timestamp`` (seconds
since 1970) and ``X-Siam-Signature``, the base64 of HMAC-SHA256 over timestamp, a dot and the raw body.
"""

import base64
import hashlib
import hmac
import json
from importlib.resources import files
from typing import Any

from apps.sync.connectors.base import NoticeHint, NoticeRefused, NoticeRequest
from apps.sync.engine.snapshot import ExternalRef

from .client import SYS_ID
from .settings import ServiceNowSettings


def business_rule() -> str:
    """The script of the business rule."""
    return files(__package__).joinpath("business_rule.js").read_text("utf-8")


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of ``body``, as the business rule makes it."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def read_notice(request: NoticeRequest, settings: ServiceNowSettings) -> NoticeHint:
    """Verify signature, age and table. Raises NoticeRefused for everything that is not proven."""
    timestamp = request.headers.get("x-siam-timestamp", "").strip()
    given = request.headers.get("x-siam-signature", "").strip().encode()
    signatures = [sign(secret, timestamp, request.body).encode() for secret in request.secrets if secret]
    if not any(hmac.compare_digest(given, known) for known in signatures):
        raise NoticeRefused("the signature fits none of the connection's secrets")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        raise NoticeRefused("the timestamp is not in seconds")
    if abs(request.received_at.timestamp() - int(timestamp)) > settings.notice_window_seconds:
        raise NoticeRefused("the notice is too old or from the future")
    delivery_id = request.headers.get("x-siam-event-id", "").strip()
    if not delivery_id or len(delivery_id) > 100:
        raise NoticeRefused("the notice has no usable event id")
    body = _read_body(request.body)
    sys_id, table = body.get("sys_id"), body.get("table")
    if table != settings.table or not isinstance(sys_id, str) or not SYS_ID.match(sys_id):
        raise NoticeRefused(f"the notice does not name a record of {settings.table}")
    number = body.get("number")
    summary = f"{body.get('operation', 'change')} of {number or sys_id} by {body.get('sys_updated_by', 'unknown')}"
    ref = ExternalRef(sys_id, number if isinstance(number, str) else "")
    count = body.get("sys_mod_count")
    return NoticeHint(delivery_id, (ref,), summary[:200], {sys_id: str(count)} if isinstance(count, int) else {})


def _read_body(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as problem:
        raise NoticeRefused("the notice is not JSON") from problem
    if not isinstance(body, dict):
        raise NoticeRefused("the notice is not a JSON object")
    return body
