"""The interface to service hooks: subscriptions, their history, and test calls."""

import uuid
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from . import locations
from .calls import Answer, Call, collection
from .errors import HOOKS, Refusal, forbidden, invalid_argument
from .fields import FIELDS
from .hooks import MASK, SECRETS, Notification, Subscription
from .instants import stamp
from .people import Person
from .routes import JSON_TYPE, Route

EVENTS = {
    f"workitem.{kind}": f"Work item {kind}" for kind in ("created", "updated", "deleted", "restored", "commented")
}
DETAILS = ("", "all", "minimal", "none")
MESSAGES = ("", "all", "text", "html", "markdown", "none")
NO_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"


def _may_edit(call: Call) -> Person:
    if call.person.mail in call.store.settings.accounts_without_hooks:
        raise forbidden(call.person.name, "Edit subscriptions")
    return call.person


def _bad(text: str) -> Refusal:
    return Refusal(400, text, "SubscriptionInputException", HOOKS)


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise invalid_argument("publisherInputs and consumerInputs must be objects.")
    return {str(name): "" if text is None else str(text) for name, text in value.items()}


def _checked(call: Call, body: dict[str, Any], old: Subscription | None = None) -> Subscription:
    """A subscription from a request body. Raises the vendor's 400 for what cannot be subscribed."""
    fixed = {"publisherId": "tfs", "consumerId": "webHooks", "consumerActionId": "httpRequest"}
    for name, value in fixed.items():
        if body.get(name) != value:
            raise _bad(f"The {name} '{body.get(name)}' is not known.")
    if body.get("eventType") not in EVENTS:
        raise _bad(f"The event type '{body.get('eventType')}' is not known to the publisher tfs.")
    publisher, consumer = _texts(body.get("publisherInputs") or {}), _texts(body.get("consumerInputs") or {})
    address = urlsplit(consumer.get("url", ""))
    if address.scheme not in ("http", "https") or not address.hostname:
        raise _bad("The input url must be an absolute http or https address.")
    if consumer.get("resourceDetailsToSend", "") not in DETAILS:
        raise _bad("The input resourceDetailsToSend must be one of all, minimal, none.")
    if any(consumer.get(name, "") not in MESSAGES for name in ("messagesToSend", "detailedMessagesToSend")):
        raise _bad("The inputs about messages must be one of all, text, html, markdown, none.")
    if publisher.get("projectId"):
        call.store.project(publisher["projectId"])
    if publisher.get("changedFields") and publisher["changedFields"] not in FIELDS:
        raise _bad(f"The input changedFields names an unknown field: {publisher['changedFields']}.")
    for secret in SECRETS:
        if old and consumer.get(secret) == MASK:
            consumer[secret] = old.consumer_inputs.get(secret, "")
    publisher.pop("tfsSubscriptionId", None)
    version, now, person = str(body.get("resourceVersion") or "1.0"), call.store.now(), _may_edit(call)
    if old is None:
        identifier = str(uuid.uuid4())
        return Subscription(identifier, body["eventType"], publisher, consumer, version, person, now, person, now)
    return replace(
        old,
        event_type=body["eventType"],
        publisher_inputs=publisher,
        consumer_inputs=consumer,
        resource_version=version,
        modified_by=person,
        modified_at=now,
    )


def create(call: Call) -> Answer:
    subscription = _checked(call, call.json_object())
    call.hooks.subscriptions[subscription.id] = subscription
    return Answer(subscription.as_json(call.store))


def _find(call: Call) -> Subscription:
    found = call.hooks.subscriptions.get(call.places["id"].lower())
    if found is None:
        raise Refusal(
            404, f"The subscription {call.places['id']} does not exist.", "SubscriptionNotFoundException", HOOKS
        )
    return found


def read(call: Call) -> Answer:
    return Answer(_find(call).as_json(call.store))


def change(call: Call) -> Answer:
    """Also the way back to life: a disabled subscription that is put as enabled begins anew."""
    old, body = _find(call), call.json_object()
    new = _checked(call, body, old)
    status = body.get("status")
    if status == "enabled":
        new.status, new.failures, new.probation_retries, new.last_probation_at = "enabled", 0, 0, None
    elif status == "disabledByUser":
        new.status = "disabledByUser"
    elif status not in (None, old.status):
        raise _bad(f"The status cannot be set to '{status}'.")
    call.hooks.subscriptions[new.id] = new
    return Answer(new.as_json(call.store))


def remove(call: Call) -> Answer:
    _may_edit(call)
    del call.hooks.subscriptions[_find(call).id]
    return Answer(status=204)


def _matching(call: Call, wanted: dict[str, str]) -> list[dict[str, Any]]:
    shown = [one.as_json(call.store) for one in call.hooks.subscriptions.values()]
    return [one for one in shown if all(not value or one[name] == value for name, value in wanted.items())]


NAMES = ("publisherId", "eventType", "consumerId", "consumerActionId")


def find(call: Call) -> Answer:
    return collection(_matching(call, {name: call.query(name) for name in NAMES}))


def query(call: Call) -> Answer:
    body = call.json_object()
    found = _matching(call, {name: str(body.get(name) or "") for name in NAMES})
    groups = body.get("publisherInputFilters") or []
    try:
        conditions = [(one["inputId"], one.get("inputValue")) for group in groups for one in group["conditions"]]
    except (TypeError, KeyError, AttributeError):
        raise invalid_argument("publisherInputFilters must be a list of groups of conditions.") from None
    for name, value in conditions:
        found = [one for one in found if one["publisherInputs"].get(name) == value]
    return Answer({**body, "results": found})


def _subscriber(subscription: Subscription) -> str:
    return subscription.created_by.id


def history(call: Call) -> Answer:
    subscription = _find(call)
    wanted, most = call.query("result").casefold(), call.whole("maxResults", 100)
    kept = [one for one in reversed(subscription.notifications) if not wanted or one.result == wanted]
    return collection([one.as_json(_subscriber(subscription), with_details=False) for one in kept[:most]])


def read_notification(call: Call) -> Answer:
    subscription = _find(call)
    found = next((one for one in subscription.notifications if one.id == call.place_id("number")), None)
    if found is None:
        raise Refusal(404, "The notification does not exist.", "NotificationNotFoundException", HOOKS)
    return Answer(found.as_json(_subscriber(subscription), with_details=True))


def query_history(call: Call) -> Answer:
    body = call.json_object()
    ids = [str(one).lower() for one in body.get("subscriptionIds") or call.hooks.subscriptions]
    chosen = [call.hooks.subscriptions[one] for one in ids if one in call.hooks.subscriptions]
    most = body.get("maxResults") if isinstance(body.get("maxResults"), int) else 1000
    results = [
        notification.as_json(_subscriber(one), with_details=bool(body.get("includeDetails")))
        for one in chosen
        for notification in reversed(one.notifications)
        if body.get("resultType") in (None, notification.result)
    ]
    return Answer({**body, "results": results[:most]})


def test(call: Call) -> Answer:
    """Sends an invented event to the address in the body, or to that of an existing subscription."""
    body = call.json_object()
    details = body.get("details") or {}
    if not isinstance(details, dict):
        raise invalid_argument("details must be an object.")
    old = call.hooks.subscriptions.get(str(body.get("subscriptionId", "")).lower())
    given = {**details, "consumerInputs": _texts(details.get("consumerInputs") or (old.consumer_inputs if old else {}))}
    subscription = _checked(call, given, old)
    if old is None:
        subscription = replace(subscription, id=NO_SUBSCRIPTION)
    kind = subscription.event_type.partition(".")[2]
    event = {
        "id": str(uuid.uuid4()),
        "eventType": subscription.event_type,
        "publisherId": "tfs",
        "message": {"text": f"Bug #5 (Some great new idea!) {kind} by {call.person.name}."},
        "detailedMessage": None,
        "resource": {"id": 5, "rev": 1, "fields": {}, "url": f"{call.store.base}/_apis/wit/workItems/5"},
        "resourceVersion": subscription.resource_version,
        "resourceContainers": {"project": {"id": call.store.projects[0].id, "baseUrl": call.store.base + "/"}},
        "createdDate": stamp(call.store.now()),
    }
    sent: Notification = call.hooks.send(replace(subscription, notifications=[]), event)
    return Answer(sent.as_json(_subscriber(subscription), with_details=True))


def _event_type(call: Call, name: str) -> dict[str, Any]:
    url = f"{call.store.base}/_apis/hooks/publishers/tfs/eventTypes/{name}"
    versions = ["1.0", "1.0-preview.1", "1.0-preview.2", "5.1-preview.3"]
    return {
        "publisherId": "tfs",
        "id": name,
        "name": EVENTS[name],
        "description": f"{EVENTS[name]}.",
        "supportedResourceVersions": versions,
        "inputDescriptors": [],
        "url": url,
    }


def list_publishers(call: Call) -> Answer:
    return collection([_publisher(call)])


def _publisher(call: Call) -> dict[str, Any]:
    return {
        "id": "tfs",
        "name": "Azure DevOps Services",
        "description": "Publishes events of work items",
        "supportedEvents": [_event_type(call, name) for name in EVENTS],
        "inputDescriptors": [],
        "url": f"{call.store.base}/_apis/hooks/publishers/tfs",
    }


def read_publisher(call: Call) -> Answer:
    return Answer(_publisher(call))


def list_event_types(call: Call) -> Answer:
    return collection([_event_type(call, name) for name in EVENTS])


def list_consumers(call: Call) -> Answer:
    url = f"{call.store.base}/_apis/hooks/consumers/webHooks"
    action = {
        "consumerId": "webHooks",
        "id": "httpRequest",
        "name": "Post via HTTP",
        "description": "Posts a JSON object that represents the event to the specified URL",
        "supportedEventTypes": list(EVENTS),
        "supportedResourceVersions": {},
        "inputDescriptors": [],
        "url": f"{url}/actions/httpRequest",
    }
    described = {
        "id": "webHooks",
        "name": "Web Hooks",
        "description": "Calls an HTTP endpoint",
        "actions": [action],
        "url": url,
    }
    return collection([described])


ALL, ONE = "hooks/subscriptions", "hooks/subscriptions/{id}"
PUBLISHER = "hooks/publishers/tfs"
ROUTES = [
    Route("POST", ALL, create, locations.SUBSCRIPTIONS, "none", JSON_TYPE),
    Route("GET", ALL, find, locations.SUBSCRIPTIONS, "none"),
    Route("GET", ONE, read, locations.SUBSCRIPTIONS, "none"),
    Route("PUT", ONE, change, locations.SUBSCRIPTIONS, "none", JSON_TYPE),
    Route("DELETE", ONE, remove, locations.SUBSCRIPTIONS, "none"),
    Route("POST", "hooks/subscriptionsquery", query, locations.SUBSCRIPTIONS_QUERY, "none", JSON_TYPE),
    Route("GET", ONE + "/notifications", history, locations.NOTIFICATIONS, "none"),
    Route("GET", ONE + "/notifications/{number:int}", read_notification, locations.NOTIFICATIONS, "none"),
    Route("POST", "hooks/notificationsquery", query_history, locations.NOTIFICATIONS_QUERY, "none", JSON_TYPE),
    Route("POST", "hooks/testnotifications", test, locations.TEST_NOTIFICATIONS, "none", JSON_TYPE),
    Route("GET", "hooks/publishers", list_publishers, locations.PUBLISHERS, "none"),
    Route("GET", PUBLISHER, read_publisher, locations.PUBLISHERS, "none"),
    Route("GET", PUBLISHER + "/eventtypes", list_event_types, locations.EVENT_TYPES, "none"),
    Route("GET", "hooks/consumers", list_consumers, locations.CONSUMERS, "none"),
]
