"""Zendesk's webhooks: event subscriptions and trigger webhooks, both signed over time stamp and raw body."""

import base64
import binascii
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any

from apps.sync.connectors.base import NoticeHint, NoticeRefused, NoticeRequest
from apps.sync.engine.snapshot import ExternalRef

SIGNATURE = "x-zendesk-webhook-signature"
TIMESTAMP = "x-zendesk-webhook-signature-timestamp"
INVOCATION = "x-zendesk-webhook-invocation-id"
_TICKET_SUBJECT = re.compile(r"zen:ticket:(\d+)")


def read_notice(request: NoticeRequest, window_seconds: int, base_url: str) -> NoticeHint:
    """The tickets that a webhook is about.

    The signature is base64(HMAC-SHA256(secret, time stamp + body)); the time stamp must lie within the window. Raises
    NoticeRefused for anything that does not prove its origin or cannot be read.
    """
    stamp = request.headers.get(TIMESTAMP, "")
    if not is_signed(request, stamp):
        raise NoticeRefused("the signature does not match")
    if abs((request.received_at - _read_stamp(stamp)).total_seconds()) > window_seconds:
        raise NoticeRefused("the signed time stamp is outside the window")
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError) as problem:
        raise NoticeRefused("the body is not JSON") from problem
    if not isinstance(body, dict):
        raise NoticeRefused("the body is not an object")
    ids = _read_ids(body)
    refs = tuple(ExternalRef(number, key=number, url=f"{base_url}/agent/tickets/{number}") for number in ids)
    delivery = request.headers.get(INVOCATION) or str(body.get("id") or "")
    if not delivery or not (ids or "type" in body):
        raise NoticeRefused("the body names neither an event nor a ticket")
    return NoticeHint(delivery_id=delivery, refs=refs, summary=str(body.get("type") or "trigger"))


def is_signed(request: NoticeRequest, stamp: str) -> bool:
    """Whether one of the active secrets signed it; compared in constant time over the raw bytes."""
    try:
        given = base64.b64decode(request.headers.get(SIGNATURE, ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    signed = stamp.encode("utf-8", "surrogateescape") + request.body
    matches = [
        hmac.compare_digest(hmac.digest(secret.encode(), signed, hashlib.sha256), given) for secret in request.secrets
    ]
    return any(matches)


def _read_stamp(stamp: str) -> datetime:
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError as problem:
        raise NoticeRefused("the signed time stamp is not a time") from problem
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _read_ids(body: dict[str, Any]) -> tuple[str, ...]:
    """Ticket ids of an event, or of the body that an administrator wrote for a trigger. Other events name none."""
    found: list[Any] = []
    detail, event, ticket = body.get("detail"), body.get("event"), body.get("ticket")
    subject = _TICKET_SUBJECT.fullmatch(str(body.get("subject", "")))
    if subject:
        found.append(subject.group(1))
    elif str(body.get("type", "")).startswith("zen:event-type:ticket.") and isinstance(detail, dict):
        found.append(detail.get("id"))
    elif "type" not in body:
        found += [body.get("ticket_id"), ticket.get("id") if isinstance(ticket, dict) else None, body.get("id")]
    if isinstance(event, dict):
        found.append(event.get("target_ticket_id"))
    numbers = [str(number) for number in found if number not in (None, "") and str(number).isdigit()]
    return tuple(dict.fromkeys(numbers))
