"""Outages, lost answers, rate limits and hibernation."""

import json
from typing import Any

import aiohttp
import pytest

from .rig import INCIDENT, Caller, on_sandbox, user_id

RULES = "sys_rate_limit_rules"


async def limit(caller: Caller, name: str, **fields: Any) -> str:
    row = await caller.as_user("admin").create(RULES, name=name, resource="Table API", **fields)
    return str(row["sys_id"])


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "User Not Authenticated"),
        (403, "Operation Failed"),
        (429, "Rate limit exceeded"),
        (500, "Internal server error"),
    ],
)
def test_a_switched_on_status_has_the_vendors_envelope(status: int, message: str) -> None:
    @on_sandbox()
    async def story(caller: Caller) -> None:
        caller.sandbox.faults.add(kind="status", status=status, retry_after=30, times=1)
        refused = await caller.get(INCIDENT)
        assert (refused.status, refused.content["error"]["message"]) == (status, message)
        assert refused.content["status"] == "failure"
        assert (await caller.get(INCIDENT)).status == 200

    story()


@pytest.mark.parametrize(("given", "sent"), [(30, "30"), (0, "0"), (10**9, "1000000000"), (None, None)])
def test_retry_after_is_sent_as_told(given: float | None, sent: str | None) -> None:
    @on_sandbox()
    async def story(caller: Caller) -> None:
        caller.sandbox.faults.add(kind="status", status=429, retry_after=given)
        assert (await caller.get(INCIDENT)).headers.get("Retry-After") == sent

    story()


@on_sandbox()
async def test_an_outage_of_503_and_a_proxys_page_are_html(caller: Caller) -> None:
    caller.sandbox.faults.add(kind="status", status=503, times=1)
    down = await caller.get(INCIDENT)
    assert (down.status, down.headers["Content-Type"]) == (503, "text/html;charset=UTF-8")
    caller.sandbox.faults.add(kind="html", times=1)
    page = await caller.get(INCIDENT)
    assert (page.status, page.content) == (200, None)


@on_sandbox()
async def test_a_create_whose_answer_is_lost_is_found_by_its_correlation(caller: Caller) -> None:
    caller.sandbox.faults.add(kind="lost_response", method="POST", times=1)
    with pytest.raises(aiohttp.ClientError):
        await caller.create(correlation_id="jira:10042", correlation_display="siamportal")
    found = await caller.find("correlation_display=siamportal^correlation_id=jira:10042^ORDERBYsys_created_on")
    assert [row["number"] for row in found] == ["INC0010001"]


@on_sandbox()
async def test_a_request_that_never_arrived_leaves_nothing(caller: Caller) -> None:
    caller.sandbox.faults.add(kind="down", times=1)
    with pytest.raises(aiohttp.ClientError):
        await caller.create(correlation_id="jira:10042")
    assert await caller.find("correlation_id=jira:10042") == []


@on_sandbox()
async def test_an_expired_token_is_401(caller: Caller) -> None:
    caller.sandbox.faults.add(kind="expired_token", times=1)
    assert (await caller.get(INCIDENT)).status == 401


@pytest.mark.parametrize("status", [200, 503])
def test_a_hibernating_instance_answers_with_a_page(status: int) -> None:
    @on_sandbox(hibernating_status=status)
    async def story(caller: Caller) -> None:
        page = await caller.get(INCIDENT)
        assert (page.status, page.headers["Content-Type"]) == (status, "text/html;charset=UTF-8")

    story()


@on_sandbox(rate_limit_flush_seconds=0.0)
async def test_a_used_up_limit_is_429_until_the_hour_is_over(caller: Caller) -> None:
    rule = await limit(caller, "all", type="all", request_limit=2)
    first = await caller.get(INCIDENT)
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Rule"]) == ("2", rule)
    await caller.get(INCIDENT)
    refused = await caller.get(INCIDENT)
    assert (refused.status, refused.headers["Retry-After"]) == (429, str(44 * 60 + 58))
    assert refused.detail == "Rate limit of 2 requests per hour for Table API exceeded"
    assert int(refused.headers["X-RateLimit-Reset"]) == int(caller.clock().timestamp()) + 44 * 60 + 58
    caller.clock.advance(45 * 60)
    assert (await caller.get(INCIDENT)).status == 200


@on_sandbox()
async def test_enforcement_starts_late_because_counts_are_flushed_every_30_seconds(caller: Caller) -> None:
    await limit(caller, "all", type="all", request_limit=1)
    assert [(await caller.get(INCIDENT)).status for _ in range(3)] == [200, 200, 200]
    caller.clock.advance(30)
    assert (await caller.get(INCIDENT)).status == 429


@on_sandbox(rate_limit_flush_seconds=0.0)
async def test_a_rule_for_the_account_goes_before_roles_of_which_the_lowest_counts(caller: Caller) -> None:
    await limit(caller, "everybody", type="all", request_limit=30)
    await limit(caller, "role high", type="role", role="itil", request_limit=50)
    await limit(caller, "role low", type="role", role="itil", request_limit=40)
    await limit(caller, "john", type="user", user=user_id("john"), request_limit=70)
    assert (await caller.as_user("john").get(INCIDENT)).headers["X-RateLimit-Limit"] == "70"
    assert (await caller.get(INCIDENT)).headers["X-RateLimit-Limit"] == "40"


@on_sandbox(rate_limit_flush_seconds=0.0)
async def test_a_limit_counts_its_own_interface_only(caller: Caller) -> None:
    await limit(caller, "all", type="all", request_limit=1)
    await caller.get(INCIDENT)
    assert (await caller.get(INCIDENT)).status == 429
    assert (await caller.get("/api/now/attachment")).status == 200


@on_sandbox()
async def test_settings_are_shown_and_changed_through_the_control_door(caller: Caller) -> None:
    door = "/_control/settings"
    changed = await caller.send("PATCH", door, json={"audit_readable": False, "hidden_fields": ["incident.state"]})
    assert (changed.status, changed.content["audit_readable"]) == (200, False)
    assert caller.sandbox.settings.hidden_fields == ("incident.state",)
    policy = {"table": "incident", "condition": "state=3", "mandatory": ["hold_reason"]}
    await caller.send("PATCH", door, json={"data_policies": [policy]})
    row = await caller.create(short_description="VPN")
    assert "On hold reason" in (await caller.patch(row["sys_id"], state="3")).detail
    assert json.loads((await caller.get(door)).body)["data_policies"][0]["condition"] == "state=3"


@pytest.mark.parametrize(
    "wrong", [{"bogus": 1}, {"audit_readable": "no"}, {"data_policies": [{}]}, [], {"hidden_fields": [1]}]
)
def test_an_unknown_setting_changes_nothing(wrong: Any) -> None:
    @on_sandbox()
    async def story(caller: Caller) -> None:
        before = caller.sandbox.settings.as_json()
        body = {"mfa_users": ["john"], **wrong} if isinstance(wrong, dict) else wrong
        assert (await caller.send("PATCH", "/_control/settings", json=body)).status == 400
        assert caller.sandbox.settings.as_json() == before

    story()
