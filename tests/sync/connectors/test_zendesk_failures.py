"""Zendesk's documented error answers, as failures of the shared family."""

import json
from typing import Any

import pytest

from apps.sync.connectors.base import (
    AccessRefused,
    ConnectorError,
    RateLimited,
    Rejected,
    StaleVersion,
    TicketClosed,
    VendorFault,
)
from apps.sync.connectors.http import Answer
from apps.sync.connectors.zendesk.failures import read_refusal


def refuse(status: int, body: Any, headers: dict[str, str] | None = None) -> ConnectorError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    failure = read_refusal(Answer(status, headers or {}, raw))
    assert failure is not None
    return failure


def validation(details: dict[str, Any]) -> dict[str, Any]:
    return {"error": "RecordInvalid", "description": "Record validation errors", "details": details}


def test_a_safe_update_that_comes_too_late_is_a_stale_version() -> None:
    assert isinstance(refuse(409, {"error": "UpdateConflict", "description": "Safe Update prevented"}), StaleVersion)


def test_a_database_collision_has_written_nothing() -> None:
    failure = refuse(409, {"error": "DatabaseConflict", "description": "Database collision"})
    assert isinstance(failure, VendorFault)
    assert not failure.is_unknown


def test_a_create_that_is_still_running_is_unknown() -> None:
    failure = refuse(409, {"error": "Conflict", "description": "a request with this key is running"})
    assert isinstance(failure, VendorFault)
    assert failure.is_unknown


def test_a_key_used_with_another_body_is_unknown_because_an_earlier_attempt_did_something() -> None:
    failure = refuse(400, {"error": "IdempotentRequestError", "description": "Request parameters don't match"})
    assert failure.is_unknown


@pytest.mark.parametrize("text", ["Status closed prevents ticket update", "Status: closed prevents ticket update"])
def test_a_write_to_a_closed_ticket_is_ticket_closed(text: str) -> None:
    assert isinstance(refuse(422, validation({"status": [{"description": text}]})), TicketClosed)


def test_a_field_required_to_solve_is_named_by_its_id_and_title() -> None:
    entry = {
        "description": "Site: is required when solving a ticket",
        "ticket_field_id": 27642,
        "ticket_field_type": "FieldTagger",
    }
    failure = refuse(422, validation({"base": [entry]}))
    assert isinstance(failure, Rejected)
    assert failure.field == "27642"
    assert "Site" in failure.detail
    assert "27642" in failure.detail


@pytest.mark.parametrize(
    ("details", "field"),
    [
        ({"base": [{"description": "Type: is required when solving a ticket", "ticket_field_id": 5,
                    "ticket_field_type": "FieldTicketType"}]}, "type"),
        ({"base": [{"description": "Assignee: is required when solving a ticket"}]}, "assignee_id"),
        ({"priority": [{"description": "Priority: P1 is not valid"}]}, "priority"),
        ({"requester": [{"description": "Requester: is suspended"}]}, "requester_id"),
        ({"base": [{"description": "Something else went wrong"}]}, ""),
    ],
)  # fmt: skip
def test_a_refused_field_is_named_as_rules_name_it(details: dict[str, Any], field: str) -> None:
    failure = refuse(422, validation(details))
    assert isinstance(failure, Rejected)
    assert failure.field == field


def test_an_error_written_as_an_object_keeps_its_message() -> None:
    failure = refuse(400, {"error": {"title": "Invalid attribute", "message": "You passed an invalid value"}})
    assert isinstance(failure, Rejected)
    assert "You passed an invalid value" in failure.detail


def test_a_missing_scope_is_access_refused() -> None:
    failure = refuse(403, {"error": "Forbidden", "description": "You do not have access to this page."})
    assert isinstance(failure, AccessRefused)


def test_an_error_in_plain_text_is_still_read() -> None:
    failure = refuse(422, b"Something is wrong")
    assert isinstance(failure, Rejected)
    assert "Something is wrong" in failure.detail


def test_the_accounts_budget_makes_the_whole_connection_wait() -> None:
    failure = refuse(429, {"error": "TooManyRequests"}, {"retry-after": "17", "x-rate-limit-remaining": "0"})
    assert isinstance(failure, RateLimited)
    assert (failure.retry_after, failure.scope) == (17.0, "connection")


def test_a_limit_met_with_budget_left_is_not_the_connections() -> None:
    failure = refuse(429, {"error": "TooManyRequests"}, {"retry-after": "17", "x-rate-limit-remaining": "300"})
    assert isinstance(failure, RateLimited)
    assert failure.scope != "connection"


@pytest.mark.parametrize("status", [401, 500, 502, 503])
def test_what_means_the_same_everywhere_is_left_to_the_shared_reading(status: int) -> None:
    assert read_refusal(Answer(status, {}, b"{}")) is None
