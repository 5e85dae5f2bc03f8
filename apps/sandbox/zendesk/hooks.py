"""Sending webhooks: signed at each attempt, retried for some answers, paused by a circuit breaker, remembered."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta

from ..deliveries import Delivery
from .account import Account
from .errors import Json
from .records import Invocation, Webhook, stamp

# the vendor's published key for test requests of webhooks that do not exist yet; used as it is written
TEST_SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="  # noqa: S105 (published)
BREAKER_WINDOW = timedelta(minutes=5)
BREAKER_PAUSE = timedelta(seconds=5)
BREAKER_ERRORS = 1_000
BREAKER_SHARE = 0.7
BREAKER_LEAST = 20
CONTENT_TYPES = {
    "json": "application/json; charset=utf-8",
    "xml": "application/xml; charset=utf-8",
    "form_encoded": "application/x-www-form-urlencoded",
}


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Base64 of HMAC-SHA256 over the timestamp as sent, directly followed by the raw body."""
    return base64.b64encode(hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()).decode()


def is_retried(status: int | None) -> bool:
    """Conflicts, overload and connections that failed are tried again; other refusals are final."""
    return status is None or status in (409, 429, 503)


def auth_headers(values: Json) -> dict[str, str]:
    held = values.get("authentication") or {}
    data = held.get("data") or {}
    if held.get("type") == "bearer_token":
        return {"Authorization": f"Bearer {data.get('token', '')}"}
    if held.get("type") == "basic_auth":
        pair = f"{data.get('username', '')}:{data.get('password', '')}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    if held.get("type") == "api_key":
        return {str(data.get("name", "X-API-Key")): str(data.get("value", ""))}
    return {}


def signed_headers(account: Account, values: Json, secret: str, ids: Mapping[str, str], body: bytes) -> dict[str, str]:
    timestamp = stamp(account.clock())
    return {
        "Content-Type": CONTENT_TYPES[values["request_format"]],
        "User-Agent": "Zendesk Webhook",
        **{str(name): str(value) for name, value in (values.get("custom_headers") or {}).items()},
        **auth_headers(values),
        **ids,
        "X-Zendesk-Account-Id": str(account.id),
        "X-Zendesk-Webhook-Signature-Timestamp": timestamp,
        "X-Zendesk-Webhook-Signature": signature(secret, timestamp, body),
    }


def invoke(account: Account, webhook: Webhook, event_type: str, body: bytes) -> Invocation:
    """Queue one call of ``webhook``; while its circuit is open the call is only noted, and lost."""
    now = account.clock()
    invocation = Invocation(account.new_ulid(), webhook.id, event_type, now)
    account.invocations[invocation.id] = invocation
    if webhook.broken_until is not None and now < webhook.broken_until:
        invocation.status, invocation.completed_at = "circuit broken", now
        return invocation
    ids = {"X-Zendesk-Webhook-Id": webhook.id, "X-Zendesk-Webhook-Invocation-Id": invocation.id}

    def headers(attempt: int) -> dict[str, str]:
        invocation.attempts.append(
            {"id": account.new_ulid(), "invocation_id": invocation.id, "created_at": stamp(account.clock())}
        )
        return signed_headers(account, webhook.values, webhook.secret, ids, body)

    def judged(status: int | None) -> bool:
        _note(account, webhook, invocation, status)
        return is_retried(status)

    def finished(status: int | None) -> None:
        _note(account, webhook, invocation, status)
        invocation.status, invocation.completed_at = outcome(status), account.clock()

    account.deliveries.send(
        Delivery(
            url=webhook.values["endpoint"],
            body=body,
            headers=headers,
            pauses=tuple(account.settings.webhook_retry_pauses),
            retry_on=judged,
            finished=finished,
        )
    )
    return invocation


def outcome(status: int | None) -> str:
    if status is None:
        return "timeout"
    if status < 300:
        return "success"
    return "server error" if status >= 500 else "client error" if status >= 400 else "failed"


def _note(account: Account, webhook: Webhook, invocation: Invocation, status: int | None) -> None:
    """Complete the newest attempt and feed the breaker; asked twice about one attempt it counts once."""
    if not invocation.attempts or "status" in invocation.attempts[-1]:
        return
    invocation.attempts[-1] |= {"status": outcome(status), "response_code": status}
    now = account.clock()
    webhook.outcomes = [entry for entry in webhook.outcomes if entry[0] > now - BREAKER_WINDOW]
    webhook.outcomes.append((now, status is not None and status < 300))
    if account.settings.webhook_breaker and _is_failing(webhook.outcomes):
        webhook.broken_until, webhook.outcomes = now + BREAKER_PAUSE, []


def _is_failing(outcomes: list[tuple[datetime, bool]]) -> bool:
    failures = sum(1 for _at, went_well in outcomes if not went_well)
    if failures >= BREAKER_ERRORS:
        return True
    return len(outcomes) >= BREAKER_LEAST and failures / len(outcomes) >= BREAKER_SHARE
