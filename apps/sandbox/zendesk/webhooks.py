"""The webhooks API: register, change, sign, test, and look back at invocations."""

import asyncio
import json
import secrets
from typing import Any
from urllib.parse import urlsplit

from ..deliveries import Delivery
from . import hooks
from .call import Answer, Call, Route
from .errors import Json, Refusal, not_found
from .events import EVENT_TYPES
from .paging import page_of
from .records import Invocation, Webhook, stamp

CONDITIONAL = "conditional_ticket_events"
MEMBERS = (
    "name", "description", "endpoint", "http_method", "request_format", "status", "subscriptions", "authentication",
    "custom_headers",
)  # fmt: skip
REQUIRED = ("name", "endpoint", "http_method", "request_format", "status")
CHOICES = {
    "http_method": ("GET", "POST", "PUT", "PATCH", "DELETE"),
    "request_format": ("json", "xml", "form_encoded"),
    "status": ("active", "inactive"),
}
AUTH_TYPES = ("basic_auth", "bearer_token", "api_key")


def refuse(field: str, message: str) -> Refusal:
    return Refusal(
        400,
        {
            "error": {"title": "Invalid webhook", "message": message},
            "errors": [{"field": field, "code": "InvalidParameter", "message": message}],
        },
    )


def webhook_json(webhook: Webhook) -> Json:
    authentication = webhook.values.get("authentication")
    if authentication:
        # credentials are never read back
        authentication = {name: value for name, value in authentication.items() if name != "data"}
    return {
        "id": webhook.id,
        "name": webhook.values["name"],
        "description": webhook.values.get("description"),
        "status": webhook.values["status"],
        "subscriptions": webhook.values["subscriptions"],
        "created_at": stamp(webhook.created_at),
        "created_by": str(webhook.created_by),
        "updated_at": stamp(webhook.updated_at),
        "updated_by": str(webhook.created_by),
        "endpoint": webhook.values["endpoint"],
        "http_method": webhook.values["http_method"],
        "request_format": webhook.values["request_format"],
        "authentication": authentication,
        "custom_headers": webhook.values.get("custom_headers"),
        "external_source": None,
        "signing_secret": None,
    }


def check_values(values: Json) -> None:
    """Raises 400 in the webhooks API's own error shape."""
    for name in REQUIRED:
        if not values.get(name):
            raise refuse(name, f"{name} is required")
    for name, choices in CHOICES.items():
        if values[name] not in choices:
            raise refuse(name, f"{name} must be one of {', '.join(choices)}")
    check_endpoint(values["endpoint"])
    authentication = values.get("authentication")
    if authentication and authentication.get("type") not in AUTH_TYPES:
        raise refuse("authentication", f"authentication type must be one of {', '.join(AUTH_TYPES)}")
    subscriptions = values["subscriptions"]
    if not isinstance(subscriptions, list):
        raise refuse("subscriptions", "subscriptions must be an array")
    unknown = [name for name in subscriptions if name not in EVENT_TYPES and name != CONDITIONAL]
    if unknown:
        raise refuse("subscriptions", f"unknown subscription {unknown[0]}")
    if CONDITIONAL in subscriptions and len(subscriptions) > 1:
        raise refuse("subscriptions", f"{CONDITIONAL} cannot be combined with event subscriptions")
    takes_events = any(name != CONDITIONAL for name in subscriptions)
    if takes_events and (values["http_method"], values["request_format"]) != ("POST", "json"):
        raise refuse("http_method", "event subscriptions need POST and json")


def check_endpoint(endpoint: Any) -> None:
    parts = urlsplit(str(endpoint))
    on_loopback = parts.hostname in ("127.0.0.1", "localhost")
    if not parts.hostname or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not on_loopback):
        raise refuse("endpoint", "endpoint must be a valid https address")


def found(call: Call) -> Webhook:
    webhook = call.account.webhooks.get(call.ids["id"])
    if webhook is None:
        raise not_found()
    return webhook


def create(call: Call) -> Answer:
    account = call.account
    data = call.wrapped("webhook")
    values: Json = {"subscriptions": [], **{name: data[name] for name in MEMBERS if name in data}}
    check_values(values)
    now = account.now()
    webhook = Webhook(account.new_ulid(), secrets.token_urlsafe(32), values, call.caller.id, now, now)
    account.webhooks[webhook.id] = webhook
    return Answer(201, {"webhook": webhook_json(webhook)})


def change(call: Call) -> Answer:
    """``PUT`` replaces, ``PATCH`` changes what is given; the kind of a webhook stays. Answers 204."""
    webhook = found(call)
    data = call.wrapped("webhook")
    if "signing_secret" in data or "external_source" in data:
        raise refuse("signing_secret", "signing_secret and external_source cannot be set")
    given = {name: data[name] for name in MEMBERS if name in data}
    base = webhook.values if call.method == "PATCH" else {"subscriptions": webhook.values["subscriptions"]}
    values = {**base, **given}
    check_values(values)
    was_conditional = CONDITIONAL in webhook.values["subscriptions"]
    if webhook.values["subscriptions"] and was_conditional != (CONDITIONAL in values["subscriptions"]):
        raise refuse("subscriptions", "the kind of a webhook cannot be changed")
    webhook.values, webhook.updated_at = values, call.account.now()
    return Answer(204)


def show(call: Call) -> Answer:
    return Answer(body={"webhook": webhook_json(found(call))})


def remove(call: Call) -> Answer:
    del call.account.webhooks[found(call).id]
    return Answer(204)


def listed(call: Call) -> Answer:
    status, part = call.query.get("filter[status]"), call.query.get("filter[name_contains]", "")
    rows = [
        webhook
        for webhook in call.account.webhooks.values()
        if status in (None, webhook.values["status"]) and part.lower() in webhook.values["name"].lower()
    ]
    return Answer(body=cursor_page(call, "webhooks", rows, webhook_json))


def cursor_page(call: Call, name: str, rows: list[Any], present: Any) -> Json:
    """Webhook lists know cursors only."""
    call.query = {"page[size]": "100", **call.query}
    return page_of(call, name, rows, key=lambda row: (row.id,), present=present)


def secret(call: Call) -> Answer:
    webhook = found(call)
    if call.method == "POST":
        webhook.secret = secrets.token_urlsafe(32)
    body = {"signing_secret": {"algorithm": "SHA256", "secret": webhook.secret}}
    return Answer(201 if call.method == "POST" else 200, body)


async def test(call: Call) -> Answer:
    """Sends at once and tells what the other side said; signed with the public test key unless the webhook exists."""
    account = call.account
    webhook = account.webhooks.get(call.query.get("webhook_id", ""))
    if webhook is None and "webhook_id" in call.query:
        raise not_found()
    given = call.wrapped("webhook")
    values: Json = {"http_method": "POST", "request_format": "json", **(webhook.values if webhook else {}), **given}
    check_endpoint(values.get("endpoint"))
    body = json.dumps(call.document().get("request", {}).get("payload", {"test": True})).encode()
    ids = {"X-Zendesk-Webhook-Id": webhook.id if webhook else "", "X-Zendesk-Webhook-Invocation-Id": account.new_ulid()}
    used = webhook.secret if webhook else hooks.TEST_SECRET
    answered: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
    account.deliveries.send(
        Delivery(
            url=values["endpoint"],
            body=body,
            headers=lambda _attempt: hooks.signed_headers(account, values, used, ids, body),
            finished=lambda status: None if answered.done() else answered.set_result(status),
        )
    )
    try:
        status = await asyncio.wait_for(answered, timeout=12)
    except TimeoutError:
        status = None
    result = {"status": hooks.outcome(status), "message": "", "response_code": status, "response_body": ""}
    return Answer(body={"test": result})


def invocation_json(item: Invocation) -> Json:
    return {
        "id": item.id,
        "webhook_id": item.webhook_id,
        "status": item.status,
        "created_at": stamp(item.created_at),
        "latest_completed_at": stamp(item.completed_at) if item.completed_at else None,
        "event_type": item.event_type,
        "attempts_count": len(item.attempts),
    }


def invocations(call: Call) -> Answer:
    webhook, status = found(call), call.query.get("filter[status]")
    rows = [
        item
        for item in call.account.invocations.values()
        if item.webhook_id == webhook.id and status in (None, item.status)
    ]
    return Answer(body=cursor_page(call, "invocations", rows, invocation_json))


def attempts(call: Call) -> Answer:
    webhook = found(call)
    item = call.account.invocations.get(call.ids["invocation_id"])
    if item is None or item.webhook_id != webhook.id:
        raise not_found()
    return Answer(body={"attempts": item.attempts})


ROUTES = [
    Route("GET", "webhooks", listed, role="admin", scope="webhooks"),
    Route("POST", "webhooks", create, role="admin", scope="webhooks"),
    Route("POST", "webhooks/test", test, role="admin", scope="webhooks"),
    Route("GET", "webhooks/{id}", show, role="admin", scope="webhooks"),
    Route("PUT", "webhooks/{id}", change, role="admin", scope="webhooks"),
    Route("PATCH", "webhooks/{id}", change, role="admin", scope="webhooks"),
    Route("DELETE", "webhooks/{id}", remove, role="admin", scope="webhooks"),
    Route("GET", "webhooks/{id}/signing_secret", secret, role="admin", scope="webhooks"),
    Route("POST", "webhooks/{id}/signing_secret", secret, role="admin", scope="webhooks"),
    Route("GET", "webhooks/{id}/invocations", invocations, role="admin", scope="webhooks"),
    Route("GET", "webhooks/{id}/invocations/{invocation_id}/attempts", attempts, role="admin", scope="webhooks"),
]
