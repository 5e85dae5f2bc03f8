"""Request budgets with their headers, and the faults that can be switched on."""

import aiohttp
import pytest

from apps.sandbox.jira import seed

from .site import NOBODY, JiraSite, paragraph, play


def test_a_burst_on_one_endpoint_is_stopped_and_others_go_on():
    async def story(jira: JiraSite) -> None:
        answers = [await jira("GET", "/myself") for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        headers = answers[-1].headers
        assert headers["RateLimit-Reason"] == "jira-burst-based"
        assert (headers["Retry-After"], headers["X-RateLimit-Remaining"]) == ("1", "0")
        assert headers["X-RateLimit-Reset"] == "2026-11-20T09:16Z"
        assert (await jira("GET", "/priority")).status == 200
        jira.wait(1)
        assert (await jira("GET", "/myself")).status == 200

    play(story, burst_per_second=3)


def test_too_many_writes_stop_one_issue_and_no_other():
    async def story(jira: JiraSite) -> None:
        one, two = (await jira.create())["key"], (await jira.create())["key"]
        for number in range(20):
            path = f"/issue/{one}/properties/n"
            assert (await jira("PUT", path, number)).status in (200, 201)
        refused = await jira("PUT", f"/issue/{one}", {"fields": {"summary": "x"}})
        assert refused.status == 429
        assert refused.headers["RateLimit-Reason"] == "jira-per-issue-on-write"
        assert refused.headers["Retry-After"] == "2"
        assert (await jira("GET", f"/issue/{one}")).status == 200
        assert (await jira("PUT", f"/issue/{two}", {"fields": {"summary": "x"}})).status == 204
        jira.wait(2)
        assert (await jira("PUT", f"/issue/{one}", {"fields": {"summary": "x"}})).status == 204

    play(story)


def test_an_apps_points_run_out_for_the_hour_while_people_pay_none():
    async def story(jira: JiraSite) -> None:
        headers = {"Authorization": f"Bearer {seed.ACCESS_TOKEN}"}
        path = f"/ex/jira/{seed.CLOUD_ID}/rest/api/3/myself"
        statuses = [(await jira("GET", path, who=NOBODY, headers=headers)).status for _ in range(2)]
        jira.wait(600)
        refused = await jira("GET", path, who=NOBODY, headers=headers)
        assert [*statuses, refused.status] == [200, 200, 429]
        assert refused.headers["RateLimit-Reason"] == "jira-quota-tenant-based"
        assert refused.headers["Retry-After"] == "3000"
        assert (await jira("GET", "/myself")).status == 200

    play(story, points_per_hour=2)


def test_a_lost_response_has_taken_effect():
    async def story(jira: JiraSite) -> None:
        jira.sandbox.faults.add(kind="lost_response", times=1, method="POST", path="/issue$")
        with pytest.raises(aiohttp.ClientError):
            await jira.create("made in the dark", labels=["sync-7f1c"])
        assert await jira.found("labels = sync-7f1c") == ["OPS-1"]

    play(story)


def test_a_system_that_is_down_has_done_nothing():
    async def story(jira: JiraSite) -> None:
        jira.sandbox.faults.add(kind="down", times=1)
        with pytest.raises(aiohttp.ClientError):
            await jira.create()
        assert jira.sandbox.true_state()["tickets"] == []

    play(story)


@pytest.mark.parametrize("status", [401, 403, 404, 409, 422, 500, 503])
def test_a_switched_on_status_answers_in_the_vendors_envelope(status):
    async def story(jira: JiraSite) -> None:
        jira.sandbox.faults.add(kind="status", status=status, times=1, retry_after=7)
        answer = await jira("GET", "/myself")
        assert (answer.status, answer.headers["Retry-After"]) == (status, "7")
        assert answer.body["errorMessages"]
        assert answer.body["errors"] == {}

    play(story)


@pytest.mark.parametrize("reason", ["jira-burst-based", "jira-per-issue-on-write", "jira-quota-tenant-based"])
def test_a_switched_on_429_names_the_reason_that_was_set(reason):
    async def story(jira: JiraSite) -> None:
        jira.sandbox.faults.add(kind="status", status=429, retry_after=30, times=1)
        jira.sandbox.faults.add(kind="status", status=429, times=1)
        timed, untimed = await jira("GET", "/myself"), await jira("GET", "/myself")
        assert (timed.headers["RateLimit-Reason"], timed.headers["Retry-After"]) == (reason, "30")
        assert untimed.status == 429
        assert "Retry-After" not in untimed.headers

    play(story, fault_429_reason=reason)


def test_an_expired_token_and_a_proxys_page_come_once_and_go():
    async def story(jira: JiraSite) -> None:
        jira.sandbox.faults.add(kind="expired_token", times=1)
        jira.sandbox.faults.add(kind="html", times=1)
        expired, page, good = [await jira("GET", "/myself") for _ in range(3)]
        assert expired.status == 401
        assert expired.body["errorMessages"] == ["Client must be authenticated to access this resource."]
        assert (page.status, page.body) == (200, None)
        assert good.status == 200

    play(story)


def test_settings_are_read_and_changed_through_the_control_door():
    async def story(jira: JiraSite) -> None:
        assert (await jira("GET", "/_control/settings")).body["deployment"] == "Cloud"
        changed = await jira("PATCH", "/_control/settings", {"deployment": "Server", "index_lag_seconds": 3})
        assert (changed.status, changed.body["index_lag_seconds"]) == (200, 3.0)
        assert (await jira("GET", "/rest/api/2/serverInfo", who=NOBODY)).body["deploymentType"] == "Server"
        for wrong in ({"nonsense": 1}, {"text_limit": "9"}, {"closed_is_editable": 1}, {"deployment": "Moon"}, [1]):
            assert (await jira("PATCH", "/_control/settings", wrong)).status == 400

    play(story)


def test_a_reset_is_a_fresh_start():
    async def story(jira: JiraSite) -> None:
        first = await jira.create()
        await jira("POST", f"/issue/{first['key']}/comment", {"body": paragraph("x")})
        await jira("PATCH", "/_control/settings", {"hidden_fields": ["priority"]})
        assert (await jira("POST", "/_control/reset")).status == 204
        assert jira.sandbox.true_state() == {"system": "jira", "tickets": []}
        assert (await jira("GET", "/_control/settings")).body["hidden_fields"] == []
        assert await jira.create() == first

    play(story)
