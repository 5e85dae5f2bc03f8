"""Each documented refusal of Jira becomes the failure that the engine acts on."""

from typing import Any

import pytest
from aiohttp import web

from apps.sync.connectors.base import (
    UNSAID,
    AccessRefused,
    ConnectorError,
    Draft,
    RateLimited,
    Rejected,
    SignInFailed,
    StaleVersion,
    TicketGone,
    VendorFault,
)
from apps.sync.connectors.http import Answer
from apps.sync.connectors.jira.failures import classify, known_shape
from apps.sync.engine.snapshot import ExternalRef

from .jira_site import answering, run, says

REF = ExternalRef("10042", "OPS-7")
ISSUE = "/rest/api/3/issue/10042"
STAMP = "2026-11-20T10:02:44.910+0000"
FOUND = {
    "id": "10042",
    "key": "OPS-7",
    "fields": {
        "summary": "VPN drops",
        "issuetype": {"id": "1", "name": "Bug"},
        "status": {"name": "To Do"},
        "created": STAMP,
        "updated": STAMP,
        "comment": {"comments": [], "total": 0},
    },
}


def failure(work: str, routes: dict[tuple[str, str], Any]) -> ConnectorError:
    async def attempt() -> None:
        async with answering(routes) as jira:
            if work == "fetch":
                await jira.fetch(REF)
            elif work == "create":
                await jira.create(Draft("Bug", {"summary": "VPN", "priority": "Urgent"}), "siam-3f2a9c0d41b7")
            else:
                await jira.update(REF, {"summary": "New"}, expected=None, correlation="siam-3f2a9c0d41b7")

    with pytest.raises(ConnectorError) as caught:
        run(attempt())
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"errorMessages": ["Client must be authenticated to access this resource."], "errors": {}}, SignInFailed),
        (401, {"message": "Client must be authenticated to access this resource.", "status-code": 401}, SignInFailed),
        (401, "Basic authentication with passwords is deprecated.", SignInFailed),
        (403, {"errorMessages": ["You do not have permission to see it."], "errors": {}}, AccessRefused),
        (403, "XSRF check failed", AccessRefused),
        (404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]}, TicketGone),
        (410, {"errorMessages": ["The requested API has been removed."], "errors": {}}, Rejected),
        (429, "", RateLimited),
        (500, {"errorMessages": ["Internal server error"], "errors": {}}, VendorFault),
        (200, "<html>gateway</html>", VendorFault),
        (203, "<html>sign in</html>", VendorFault),
        (200, [], VendorFault),
        (200, {"id": "10042"}, VendorFault),
        (200, {**FOUND, "id": "10043"}, VendorFault),
        (200, {**FOUND, "fields": {"updated": "yesterday", "comment": {}}}, VendorFault),
    ],
)
def test_a_read_fails_as_its_answer_says(status: int, body: Any, kind: type[ConnectorError]) -> None:
    assert type(failure("fetch", {("GET", ISSUE): says(body, status)})) is kind


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ({"errorMessages": [], "errors": {"summary": "You must specify a summary of the issue."}}, "summary", "VPN"),
        ({"errorMessages": [], "errors": {"priority": "Priority name 'Urgent' is not valid"}}, "priority", "Urgent"),
        ({"errorMessages": ["Field 'priority' is required"], "errors": {}}, "priority", "Urgent"),
        ({"errorMessages": ["Something else"], "errors": {}}, "", None),
    ],
)
def test_a_refused_create_names_field_and_value(body: Any, field: str, value: str | None) -> None:
    problem = failure("create", {("POST", "/rest/api/3/issue"): says(body, 400)})
    assert isinstance(problem, Rejected)
    assert (problem.field, problem.value, problem.is_unknown) == (field, value, False)


@pytest.mark.parametrize(
    ("status", "body", "is_unknown"),
    [(200, "<html>gateway</html>", True), (201, "{", True), (201, {}, True), (502, "bad", True), (503, "later", False)],
)
def test_a_create_without_a_proper_answer_is_unknown(status: int, body: Any, is_unknown: bool) -> None:
    problem = failure("create", {("POST", "/rest/api/3/issue"): says(body, status)})
    assert isinstance(problem, VendorFault)
    assert problem.is_unknown is is_unknown


def test_an_edit_answered_with_a_page_is_unknown() -> None:
    routes = {("GET", ISSUE): says(FOUND), ("PUT", ISSUE): says("<html>gateway</html>", 200)}
    problem = failure("update", routes)
    assert isinstance(problem, VendorFault)
    assert problem.is_unknown


def test_a_cut_connection_during_a_create_is_unknown() -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    assert failure("create", {("POST", "/rest/api/3/issue"): cut}).is_unknown


def test_a_conflicting_update_is_a_stale_version() -> None:
    routes = {("GET", ISSUE): says(FOUND), ("PUT", ISSUE): says({"errorMessages": ["conflict"]}, 409)}
    assert isinstance(failure("update", routes), StaleVersion)


@pytest.mark.parametrize(
    ("reason", "scope"),
    [
        ("jira-burst-based", "endpoint"),
        ("jira-per-issue-on-write", "ticket"),
        ("jira-quota-tenant-based", "connection"),
        ("", "connection"),
    ],
)
def test_a_limit_says_what_has_to_wait(reason: str, scope: str) -> None:
    problem = classify(Answer(429, {"retry-after": "7", "ratelimit-reason": reason}, b""))
    assert isinstance(problem, RateLimited)
    assert (problem.retry_after, problem.scope) == (7.0, scope)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset": "2026-11-20T15:00Z", "date": "Fri, 20 Nov 2026 14:59:20 GMT"}, 40.0),
        ({"x-ratelimit-reset": "2026-11-20T12:00Z", "date": "Fri, 20 Nov 2026 14:59:20 GMT"}, 1.0),
        ({"x-ratelimit-reset": "soon"}, UNSAID),
        ({"retry-after": "1000000000"}, 3600.0),
        ({}, UNSAID),
    ],
)
def test_the_wait_is_read_from_what_the_answer_has(headers: dict[str, str], seconds: float) -> None:
    problem = classify(Answer(429, headers, b""))
    assert isinstance(problem, RateLimited)
    assert problem.retry_after == seconds


def test_a_captcha_is_a_failed_sign_in_not_a_missing_right() -> None:
    answer = Answer(403, {"x-seraph-loginreason": "AUTHENTICATION_DENIED"}, b"")
    assert isinstance(classify(answer), SignInFailed)


def test_an_unknown_caller_is_not_signed_in() -> None:
    assert isinstance(failure("fetch", {("GET", "/rest/api/3/myself"): says({})}), SignInFailed)


def test_a_project_out_of_sight_names_the_setting() -> None:
    problem = failure("fetch", {("GET", "/rest/api/3/project/OPS"): says({"errorMessages": ["no"]}, 404)})
    assert isinstance(problem, Rejected)
    assert (problem.field, problem.value) == ("project", "OPS")


def test_a_strange_shape_is_the_systems_fault() -> None:
    with pytest.raises(VendorFault) as caught, known_shape():
        {}["missing"]
    assert caught.value.is_unknown
