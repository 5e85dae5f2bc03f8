"""Service hooks: subscriptions, their deliveries, and what failing does to them."""

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from apps.sandbox.deliveries import Deliveries, Delivery

from .envelopes import concerns, envelope
from .instants import stamp
from .people import Person
from .store import Happening, Store

Status = Literal["enabled", "onProbation", "disabledByUser", "disabledBySystem", "disabledByInactiveIdentity"]
LIVE: tuple[Status, ...] = ("enabled", "onProbation")
MASK = "********"
SECRETS = ("basicAuthPassword", "httpHeaders")
TRANSIENT = (None, 408, 429, 502, 503, 504)
GONE = 410
AGENT = "VSServices/20.259.36402.5 (TfsJobAgent.exe)"


@dataclass(slots=True)
class Notification:
    """One event for one subscription, and how its delivery went."""

    id: int
    subscription_id: str
    event: dict[str, Any]
    at: datetime
    consumer_inputs: dict[str, str]
    attempts: int = 0
    answer: int | None = None
    completed_at: datetime | None = None
    result: Literal["pending", "succeeded", "failed"] = "pending"

    def as_json(self, subscriber: str, with_details: bool) -> dict[str, Any]:
        done = self.completed_at
        shown: dict[str, Any] = {
            "id": self.id,
            "subscriptionId": self.subscription_id,
            "subscriberId": subscriber,
            "eventId": self.event["id"],
            "status": "completed" if done else "requestInProgress",
            "result": self.result,
            "createdDate": stamp(self.at),
            "modifiedDate": stamp(done or self.at),
        }
        if with_details:
            shown["details"] = {
                "eventType": self.event["eventType"],
                "event": self.event,
                "publisherId": "tfs",
                "consumerId": "webHooks",
                "consumerActionId": "httpRequest",
                "consumerInputs": masked(self.consumer_inputs),
                "request": f"Method: POST\r\nURI: {self.consumer_inputs['url']}",
                "response": f"Status Code: {self.answer}" if done else None,
                "errorMessage": None if self.result != "failed" else f"The receiver answered {self.answer}",
                "requestAttempts": self.attempts,
                "queuedDate": stamp(self.at),
                "completedDate": stamp(done) if done else None,
            }
        return shown


@dataclass(slots=True)
class Subscription:
    id: str
    event_type: str
    publisher_inputs: dict[str, str]
    consumer_inputs: dict[str, str]
    resource_version: str
    created_by: Person
    created_at: datetime
    modified_by: Person
    modified_at: datetime
    status: Status = "enabled"
    failures: int = 0
    probation_retries: int = 0
    last_probation_at: datetime | None = None
    notifications: list[Notification] = field(default_factory=list)

    def as_json(self, store: Store) -> dict[str, Any]:
        address = f"{store.base}/_apis/hooks/subscriptions/{self.id}"
        shown = {
            "id": self.id,
            "url": address,
            "status": self.status,
            "publisherId": "tfs",
            "eventType": self.event_type,
            "subscriber": None,
            "resourceVersion": self.resource_version,
            "eventDescription": "Any work item",
            "consumerId": "webHooks",
            "consumerActionId": "httpRequest",
            "actionDescription": f"To host {self.consumer_inputs['url'].split('/')[2]}",
            "probationRetries": self.probation_retries,
            "createdBy": self.created_by.reference(store.base),
            "createdDate": stamp(self.created_at),
            "modifiedBy": self.modified_by.reference(store.base),
            "modifiedDate": stamp(self.modified_at),
            "publisherInputs": {**self.publisher_inputs, "tfsSubscriptionId": self.id},
            "consumerInputs": masked(self.consumer_inputs),
            "_links": {
                "self": {"href": address},
                "consumer": {"href": f"{store.base}/_apis/hooks/consumers/webHooks"},
                "notifications": {"href": f"{address}/notifications"},
                "publisher": {"href": f"{store.base}/_apis/hooks/publishers/tfs"},
            },
        }
        if self.last_probation_at:
            shown["lastProbationRetryDate"] = stamp(self.last_probation_at)
        return shown


def masked(inputs: Mapping[str, str]) -> dict[str, str]:
    return {name: MASK if name in SECRETS and value else value for name, value in inputs.items()}


def own_headers(inputs: Mapping[str, str]) -> dict[str, str]:
    """The headers that the subscriber ordered: Basic credentials and ``Name:Value`` lines."""
    headers: dict[str, str] = {}
    for line in inputs.get("httpHeaders", "").splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip():
            headers[name.strip()] = value.strip()
    user, password = inputs.get("basicAuthUsername", ""), inputs.get("basicAuthPassword", "")
    if user or password:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return headers


class Hooks:
    """Listens to the store and sends. There is no signature; delivery is at least once and not in order."""

    def __init__(self, store: Store, deliveries: Deliveries) -> None:
        self._store, self._deliveries = store, deliveries
        self.subscriptions: dict[str, Subscription] = {}

    def hear(self, happening: Happening) -> None:
        event_id = str(uuid.uuid4())
        for subscription in self.subscriptions.values():
            if subscription.created_by.mail in self._store.settings.departed_accounts and subscription.status in LIVE:
                subscription.status = "disabledByInactiveIdentity"
            fits = subscription.event_type == f"workitem.{happening.kind}" and subscription.status in LIVE
            if fits and concerns(happening, subscription.publisher_inputs):
                event = envelope(self._store, happening, event_id, subscription.consumer_inputs)
                self.send(subscription, {**event, "resourceVersion": subscription.resource_version})

    def send(self, subscription: Subscription, event: dict[str, Any]) -> Notification:
        number = len(subscription.notifications) + 1
        event = {"subscriptionId": subscription.id, "notificationId": number, **event}
        inputs = dict(subscription.consumer_inputs)
        notification = Notification(number, subscription.id, event, self._store.now(), inputs)
        subscription.notifications.append(notification)

        def headers(attempt: int) -> Mapping[str, str]:
            notification.attempts = attempt + 1
            return {
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": AGENT,
                "X-VSS-ActivityId": str(uuid.uuid4()),
                "X-VSS-SubscriptionId": subscription.id,
                **own_headers(inputs),
            }

        self._deliveries.send(
            Delivery(
                inputs["url"],
                json.dumps(event, ensure_ascii=False).encode(),
                headers,
                pauses=tuple(self._store.settings.retry_pauses),
                retry_on=lambda status: status in TRANSIENT,
                finished=lambda status: self._finish(subscription, notification, status),
            )
        )
        return notification

    def _finish(self, subscription: Subscription, notification: Notification, status: int | None) -> None:
        notification.answer, notification.completed_at = status, self._store.now()
        succeeded = status is not None and 200 <= status < 300
        notification.result = "succeeded" if succeeded else "failed"
        current = self.subscriptions.get(subscription.id)
        if current is None or not any(one is notification for one in current.notifications):
            return
        subscription = current
        if succeeded:
            subscription.failures = subscription.probation_retries = 0
            if subscription.status == "onProbation":
                subscription.status = "enabled"
        elif status == GONE:
            subscription.status = "disabledBySystem"
        elif subscription.status in LIVE:
            self._count_failure(subscription)

    def _count_failure(self, subscription: Subscription) -> None:
        settings = self._store.settings
        subscription.failures += 1
        if subscription.status == "onProbation":
            subscription.probation_retries += 1
            subscription.last_probation_at = self._store.now()
            if subscription.probation_retries >= settings.probation_retries:
                subscription.status = "disabledBySystem"
        elif subscription.failures >= settings.failures_until_probation:
            subscription.status = "onProbation"
