"""Azure DevOps' documented error answers, as failures of the shared family."""

import json
from typing import Any

import pytest

from apps.sync.connectors.azure_devops.failures import is_sign_in_page, read_refusal
from apps.sync.connectors.base import AccessRefused, ConnectorError, RateLimited, Rejected, SignInFailed, StaleVersion
from apps.sync.connectors.http import Answer

SIGN_IN = b"<html><head><title>Azure DevOps Services | Sign In</title></head><body>...</body></html>"
PROXY = b"<html><body><h1>The gateway is busy</h1></body></html>"
HTML = {"content-type": "text/html; charset=utf-8"}


def refuse(status: int, body: Any, headers: dict[str, str] | None = None) -> ConnectorError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    failure = read_refusal(Answer(status, headers or {}, raw))
    assert failure is not None
    return failure


def envelope(message: str, key: str, **more: Any) -> dict[str, Any]:
    return {
        "$id": "1",
        "innerException": None,
        "message": message,
        "typeKey": key,
        "errorCode": 0,
        "eventId": 3000,
        **more,
    }


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [(203, SIGN_IN, HTML), (302, b"", {"location": "/_signin?realm=global"}), (200, SIGN_IN, HTML)],
)
def test_the_way_to_a_sign_in_page_is_a_failed_sign_in(status: int, body: bytes, headers: dict[str, str]) -> None:
    assert isinstance(refuse(status, body, headers), SignInFailed)


def test_a_proxys_page_is_not_a_sign_in_page() -> None:
    assert not is_sign_in_page(Answer(200, HTML, PROXY))


def test_json_that_speaks_of_signing_in_is_not_a_sign_in_page() -> None:
    assert not is_sign_in_page(Answer(200, {"content-type": "application/json"}, b'{"title": "cannot sign in"}'))


def test_an_unauthorized_user_is_a_failed_sign_in() -> None:
    message = "TF400813: The user '' is not authorized to access this resource."
    assert isinstance(refuse(401, envelope(message, "UnauthorizedRequestException")), SignInFailed)


def test_the_same_text_with_403_is_access_refused() -> None:
    message = "TF400813: The user 'x' is not authorized to access this resource."
    assert isinstance(refuse(403, envelope(message, "UnauthorizedRequestException")), AccessRefused)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (412, "VS403351: Test Operation for path /rev failed, value 8 was not equal to test value 7."),
        (409, "TF26071: This work item has been changed by someone else since you opened it."),
        (400, "TF26071: This work item has been changed by someone else since you opened it."),
    ],
)
def test_a_failed_test_of_the_revision_is_a_stale_version(status: int, message: str) -> None:
    assert isinstance(refuse(status, envelope(message, "TestPatchOperationFailedException")), StaleVersion)


def test_a_rule_names_its_field_by_reference_name() -> None:
    message = "TF401320: Rule Error for field Severity. Error code: Required, HasValues, InvalidEmpty."
    properties = {
        "FieldReferenceName": "Microsoft.VSTS.Common.Severity",
        "RuleValidationErrors": [{"fieldReferenceName": "Microsoft.VSTS.Common.Severity"}],
    }
    failure = refuse(400, envelope(message, "RuleValidationException", customProperties=properties))
    assert isinstance(failure, Rejected)
    assert failure.field == "Microsoft.VSTS.Common.Severity"
    assert "TF401320" in failure.detail


def test_a_rule_that_names_its_field_in_the_list_only_is_read_too() -> None:
    properties = {"RuleValidationErrors": [{"fieldReferenceName": "System.State"}]}
    failure = refuse(400, envelope("TF401320", "RuleValidationException", customProperties=properties))
    assert isinstance(failure, Rejected)
    assert failure.field == "System.State"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (envelope("TF401324: Value for field 'System.Title' is too long.", "X"), "System.Title"),
        (envelope("TF51535: Cannot find field Custom.Offfice.", "X"), "Custom.Offfice"),
        (
            envelope("TF401347: Invalid tree name given for work item -1, field 'System.AreaPath'.", "X"),
            "System.AreaPath",
        ),
        (envelope("TF401347: Invalid tree name given for the iteration of a work item.", "X"), "System.IterationPath"),
        ({"count": 1, "value": {"Message": "VS403426: the path /fields/Custom.Site is bad."}}, "Custom.Site"),
        (envelope("something else", "X"), ""),
    ],
)
def test_a_message_names_the_field(body: dict[str, Any], field: str) -> None:
    failure = refuse(400, body)
    assert isinstance(failure, Rejected)
    assert failure.field == field


def test_a_blocked_user_waits_as_long_as_told() -> None:
    failure = refuse(429, envelope("TF400733: The request has been canceled", "X"), {"retry-after": "47"})
    assert isinstance(failure, RateLimited)
    assert failure.retry_after == 47.0


@pytest.mark.parametrize("status", [500, 502, 503])
def test_what_means_the_same_everywhere_is_left_to_the_shared_reading(status: int) -> None:
    assert read_refusal(Answer(status, {}, b'{"message": "TF10216: currently unavailable"}')) is None
