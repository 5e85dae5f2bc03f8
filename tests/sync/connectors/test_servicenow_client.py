"""What documented answers of an instance mean, replayed by a small server."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from apps.foundation.outbound import OutboundGuard
from apps.sync.connectors.base import (
    AccessRefused,
    ConnectorError,
    NoRoute,
    RateLimited,
    Rejected,
    SignInFailed,
    TicketGone,
    VendorFault,
)
from apps.sync.connectors.http import Answer, Context
from apps.sync.connectors.servicenow.client import PolicyRefused, RuleAborted, ServiceNowClient, classify
from apps.sync.connectors.servicenow.connector import ServiceNowConnector
from apps.sync.connectors.servicenow.inspection import read_version
from apps.sync.connectors.servicenow.query import Term
from apps.sync.connectors.servicenow.settings import ServiceNowSecrets, ServiceNowSettings
from apps.sync.engine.snapshot import ExternalRef

SYS_ID = "9d385017c611228701d22104cc95c371"
SECRETS = {"username": "siam.sync", "password": "secret"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refusal(status: int, message: str, detail: str | None = None, headers: dict[str, str] | None = None) -> Answer:
    body = {"error": {"message": message, "detail": detail}, "status": "failure"}
    return Answer(status, headers or {}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refusal(400, "Invalid table u_nope"), Rejected),
        (refusal(400, "Exception while reading request", "no JSON"), Rejected),
        (refusal(403, "Operation Failed", "ACL Exception Update Failed due to security constraints"), AccessRefused),
        (refusal(403, "User Not Authorized", "Failed API level ACL Validation"), AccessRefused),
        (
            refusal(
                403,
                "Operation Failed",
                "Operation against file 'incident' was aborted by Business Rule 'Stop^5f1c'. Business Rule Stack:Stop",
            ),
            RuleAborted,
        ),
        (
            refusal(
                403, "Operation Failed", "Data Policy Exception: The following fields are mandatory: Resolution code"
            ),
            PolicyRefused,
        ),
        (refusal(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval"), TicketGone),
        (refusal(404, "Requested URI does not represent any resource"), AccessRefused),
        (Answer(404, {}, b"<html>Page not found</html>"), AccessRefused),
        (refusal(413, "Request too large"), Rejected),
    ],
)
def test_a_refusal_is_classified(answer: Answer, expected: type[ConnectorError]) -> None:
    problem = classify(answer)
    assert type(problem) is expected
    assert not problem.is_unknown


@pytest.mark.parametrize("status", [401, 500, 502, 503])
def test_what_every_service_means_is_left_to_the_shared_reading(status: int) -> None:
    assert classify(refusal(status, "User Not Authenticated", "Required to provide Auth information")) is None


def test_an_unknown_table_is_named() -> None:
    problem = classify(refusal(400, "Invalid table u_nope"))
    assert isinstance(problem, Rejected)
    assert (problem.field, problem.value) == ("table", "u_nope")


def test_a_data_policy_names_all_its_labels() -> None:
    detail = "Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes"
    problem = classify(refusal(403, "Operation Failed", detail))
    assert isinstance(problem, PolicyRefused)
    assert problem.labels == ("Resolution code", "Resolution notes")


def test_a_read_only_policy_names_its_labels_too() -> None:
    detail = "Data Policy Exception: The following fields are read only: Caller"
    problem = classify(refusal(403, "Operation Failed", detail))
    assert isinstance(problem, PolicyRefused)
    assert problem.labels == ("Caller",)


def test_a_rate_limit_without_seconds_waits_until_its_reset() -> None:
    headers = {"date": "Fri, 20 Nov 2026 12:00:00 GMT", "x-ratelimit-reset": "1795177890"}
    problem = classify(refusal(429, "Rate limit exceeded", "Rate limit of 100 requests per hour exceeded", headers))
    assert isinstance(problem, RateLimited)
    assert 1 <= problem.retry_after <= 3600


@pytest.mark.parametrize("headers", [{}, {"retry-after": "9"}, {"x-ratelimit-reset": "soon", "date": "today"}])
def test_a_rate_limit_without_usable_reset_is_left_to_the_shared_reading(headers: dict[str, str]) -> None:
    assert classify(refusal(429, "Rate limit exceeded", None, headers)) is None


@pytest.mark.parametrize(
    ("properties", "version"),
    [
        ({"glide.war": "glide-zurich-07-01-2026__patch3-08-02-2026_1234.zip"}, "zurich patch3"),
        ({"glide.war": "glide-brazil-09-01-2026_1234.zip"}, "brazil"),
        ({"glide.buildname": "Xanadu"}, "Xanadu"),
        ({}, ""),
    ],
)
def test_the_release_is_read_from_its_properties(properties: dict[str, str], version: str) -> None:
    assert read_version(properties) == version


def on_server(answer: Handler, play: Callable[[Context], Awaitable[None]]) -> None:
    """Run ``play`` against a server that gives one answer to everything."""

    async def scene() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        try:
            await play(Context(f"http://127.0.0.1:{port}", {}, SECRETS, OutboundGuard([f"127.0.0.1:{port}"])))
        finally:
            await runner.cleanup()

    asyncio.run(scene())


def fixed(
    status: int = 200, body: Any = None, text: str | None = None, headers: dict[str, str] | None = None
) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        content = json.dumps(body) if text is None else text
        return web.Response(status=status, text=content, headers=headers)

    return answer


async def use(context: Context, act: Callable[[ServiceNowClient], Awaitable[Any]]) -> Any:
    client = ServiceNowClient(context, ServiceNowSettings(page_size=2), ServiceNowSecrets.model_validate(SECRETS))
    await client.http.open()
    try:
        return await act(client)
    finally:
        await client.http.close()


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(fixed(text="<html>asleep</html>"), id="page with 200"),
        pytest.param(fixed(text='{"result":{"sys_id":"9d38'), id="truncated"),
        pytest.param(fixed(203, {"result": {"sys_id": SYS_ID}}), id="203"),
        pytest.param(fixed(302, text="", headers={"Location": "/login.do"}), id="redirect to the sign-in page"),
        pytest.param(fixed(body={"error": {"message": "Transaction cancelled", "detail": None}}), id="error with 200"),
        pytest.param(
            fixed(body={"result": {"sys_id": SYS_ID}, "error": {"message": "cancelled"}}), id="result and error"
        ),
        pytest.param(fixed(body={"result": {"sys_id": "0" * 32}}), id="another record"),
        pytest.param(fixed(body={"result": []}), id="rows for a record"),
        pytest.param(fixed(body=[1]), id="no envelope"),
        pytest.param(fixed(text='{"result":{"sys_id":"x"}}{"error":"cancelled"}'), id="text after the body"),
        pytest.param(
            fixed(500, {"error": {"message": "Transaction cancelled: maximum execution time exceeded"}}), id="500"
        ),
    ],
)
def test_a_write_without_a_proper_answer_is_unknown(handler: Handler) -> None:
    async def play(context: Context) -> None:
        with pytest.raises(VendorFault) as failure:
            await use(context, lambda client: client.patch("incident", SYS_ID, {"state": "2"}, ()))
        assert failure.value.is_unknown

    on_server(handler, play)


def test_wrong_credentials_fail_to_sign_in() -> None:
    async def play(context: Context) -> None:
        with pytest.raises(SignInFailed):
            await use(context, lambda client: client.record("incident", SYS_ID))

    body = {"error": {"message": "User Not Authenticated", "detail": "Required to provide Auth information"}}
    on_server(fixed(401, body, headers={"WWW-Authenticate": 'BASIC realm="Service-now"'}), play)


def test_requests_carry_the_headers_and_the_modes_that_the_table_api_asks_for() -> None:
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return web.json_response({"result": {"sys_id": {"value": SYS_ID, "display_value": SYS_ID}}})

    async def play(context: Context) -> None:
        await use(context, lambda client: client.patch("incident", SYS_ID, {"state": "2"}, ("state",)))
        assert seen[0].path == f"/api/now/v2/table/incident/{SYS_ID}"
        assert seen[0].headers["Accept"] == "application/json"
        assert seen[0].headers["Content-Type"] == "application/json"
        assert seen[0].query["sysparm_display_value"] == "all"
        assert "sysparm_input_display_value" not in seen[0].query

    on_server(answer, play)


@pytest.mark.parametrize("announce", ["total", "link", "nothing"])
def test_all_pages_are_read_however_the_instance_announces_them(announce: str) -> None:
    rows = [{"sys_id": f"{number:032x}", "name": "incident"} for number in range(5)]

    async def answer(request: web.Request) -> web.StreamResponse:
        offset, limit = int(request.query["sysparm_offset"]), int(request.query["sysparm_limit"])
        headers = {}
        if announce == "total":
            headers["X-Total-Count"] = "5"
        if announce == "link":
            headers["Link"] = '<x>;rel="next"' if offset + limit < 5 else '<x>;rel="first"'
        return web.json_response({"result": rows[offset : offset + limit]}, headers=headers)

    async def play(context: Context) -> None:
        found = await use(context, lambda client: client.rows("t", Term("name", "=", "incident"), fields=("name",)))
        assert [row["sys_id"] for row in found] == [row["sys_id"] for row in rows]

    on_server(answer, play)


def test_references_and_odd_values_are_read_as_text() -> None:
    row = {"sys_id": SYS_ID, "caller_id": {"link": "https://x", "value": "abc"}, "n": 3, "b": True, "none": None}

    async def play(context: Context) -> None:
        (found,) = await use(context, lambda client: client.rows("t", fields=()))
        assert found == {"sys_id": SYS_ID, "caller_id": "abc", "n": "3", "b": "true", "none": ""}

    on_server(fixed(body={"result": [row]}), play)


def record(state: str, count: int) -> dict[str, Any]:
    held = {"sys_id": SYS_ID, "number": "CHG1", "state": state, "sys_mod_count": str(count), "sys_updated_on": ""}
    return {"result": {name: {"value": value, "display_value": value} for name, value in held.items()}}


def test_a_state_that_is_set_back_in_silence_is_no_success() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if "/table/u_request/" in request.path:
            return web.json_response(record("1", 4))
        return web.json_response({"result": []}, headers={"X-Total-Count": "0"})

    async def play(context: Context) -> None:
        settings = {"table": "u_request", "use_change_log": False}
        made = Context(context.base_url, settings, SECRETS, context.guard)
        async with ServiceNowConnector(made) as connector:
            with pytest.raises(NoRoute, match="set the state back"):
                await connector.update(
                    ExternalRef(SYS_ID), {"state": "2"}, expected="4", correlation="siam-000000000001"
                )

    on_server(answer, play)
