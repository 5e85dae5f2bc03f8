"""Azure DevOps' service hooks: a secret in a header or as Basic password is all that proves them."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.sync.connectors.azure_devops.webhook import read_notice
from apps.sync.connectors.base import NoticeRefused, NoticeRequest

NOW = datetime(2026, 11, 20, 10, 2, 46, tzinfo=UTC)
HEADER = "X-Siam-Secret"
UPDATED = {
    "subscriptionId": "1f2e",
    "notificationId": 14,
    "id": "27646e0e-b520-4d2b-9411-bba7524947cd",
    "eventType": "workitem.updated",
    "publisherId": "tfs",
    "resource": {"id": 7, "workItemId": 12, "rev": 7},
}


def request(body: Any, headers: dict[str, str]) -> NoticeRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return NoticeRequest(headers, raw, NOW, ("new-secret", "old-secret"))


def read(body: Any, headers: dict[str, str] | None = None) -> list[str]:
    given = {"x-siam-secret": "new-secret"} if headers is None else headers
    return [ref.id for ref in read_notice(request(body, given), HEADER, "https://dev.azure.com/global").refs]


def basic(password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"ado:{password}".encode()).decode()}


def test_an_update_names_the_work_item_and_not_its_own_number() -> None:
    assert read(UPDATED) == ["12"]


def test_the_event_id_tells_deliveries_apart() -> None:
    hint = read_notice(request(UPDATED, {"x-siam-secret": "new-secret"}), HEADER, "https://dev.azure.com/global")
    assert hint.delivery_id == UPDATED["id"]
    assert hint.summary == "workitem.updated"


@pytest.mark.parametrize("event", ["created", "commented", "restored", "deleted"])
def test_in_other_events_the_resource_is_the_work_item(event: str) -> None:
    assert read({**UPDATED, "eventType": f"workitem.{event}", "resource": {"id": 12}}) == ["12"]


@pytest.mark.parametrize(
    ("event", "address"),
    [
        ("updated", "https://dev.azure.com/global/_apis/wit/workItems/12/updates/7"),
        ("deleted", "https://dev.azure.com/global/_apis/wit/recyclebin/12"),
    ],
)
def test_a_minimal_resource_names_the_work_item_in_its_address(event: str, address: str) -> None:
    assert read({**UPDATED, "eventType": f"workitem.{event}", "resource": {"url": address}}) == ["12"]


@pytest.mark.parametrize(
    "body", [{**UPDATED, "eventType": "build.complete", "resource": {"id": 5}}, {**UPDATED, "resource": None}]
)
def test_an_event_without_a_work_item_names_none(body: dict[str, Any]) -> None:
    assert read(body) == []


@pytest.mark.parametrize(
    "headers", [{"x-siam-secret": "old-secret"}, basic("new-secret"), {**basic("x"), "x-siam-secret": "new-secret"}]
)
def test_both_secrets_count_in_either_place(headers: dict[str, str]) -> None:
    assert read(UPDATED, headers) == ["12"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-siam-secret": ""}, {"x-siam-secret": "new-secret "}, basic("foreign"), basic(""),
     {"authorization": "Basic %%%"}, {"authorization": "Bearer new-secret"}, {"x-other": "new-secret"}],
)  # fmt: skip
def test_without_the_secret_it_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(NoticeRefused):
        read(UPDATED, headers)


def test_an_empty_secret_proves_nothing() -> None:
    with pytest.raises(NoticeRefused):
        read_notice(NoticeRequest({"x-siam-secret": ""}, json.dumps(UPDATED).encode(), NOW, ("",)), HEADER, "")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, {}, {"id": "1"}])
def test_a_body_that_is_not_an_event_is_refused(body: Any) -> None:
    with pytest.raises(NoticeRefused):
        read(body)


def test_a_header_that_is_no_text_is_refused_and_does_no_harm() -> None:
    with pytest.raises(NoticeRefused):
        read(UPDATED, {"x-siam-secret": "new\udcff"})
