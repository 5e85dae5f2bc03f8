"""Webhooks: registering, signing, retrying, and what the bodies say."""

import base64
import hashlib
import hmac
import json
from typing import Any

from apps.sandbox.jira import seed

from .site import ELAINE, NOBODY, JiraSite, Received, paragraph, play

SECRET = "a long shared secret"
PATH = "/rest/webhooks/1.0/webhook"
EVENTS = ["jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created"]


async def register(jira: JiraSite, jql: str = "project = OPS", **more: Any) -> dict[str, Any]:
    body = {"name": "sync", "url": jira.receiver.url, "events": EVENTS, "secret": SECRET}
    answer = await jira("POST", PATH, body | {"filters": {"issue-related-events-section": jql}} | more)
    assert answer.status == 201, answer.body
    return answer.body


def told(received: Received) -> dict[str, Any]:
    return json.loads(received.raw)


def test_a_delivery_is_signed_over_its_raw_bytes_and_names_itself():
    async def story(jira: JiraSite) -> None:
        await register(jira)
        await jira.create()
        got = (await jira.delivered())[0]
        digest = hmac.new(SECRET.encode(), got.raw, hashlib.sha256).hexdigest()
        assert got.headers["x-hub-signature"] == f"sha256={digest}"
        assert got.headers["x-atlassian-webhook-identifier"]
        assert got.headers["x-atlassian-webhook-flow"] == "Primary"
        assert got.headers["user-agent"] == "Atlassian Webhook HTTP Client"
        assert "x-atlassian-webhook-retry" not in got.headers

    play(story)


def test_an_update_tells_the_change_and_writes_rich_text_as_a_string():
    async def story(jira: JiraSite) -> None:
        await register(jira)
        key = (await jira.create(description=paragraph("Client 5.1")))["key"]
        await jira.step(key, "11")
        created, updated = (told(got) for got in await jira.delivered())
        assert created["webhookEvent"] == "jira:issue_created"
        assert created["issue"]["fields"]["description"] == "Client 5.1"
        assert updated["issue_event_type_name"] == "issue_generic"
        assert updated["user"]["accountId"] == seed.SYNC_ACCOUNT
        assert updated["issue"]["fields"]["updated"] == "2026-11-20T09:15:02.123+0000"
        item = updated["changelog"]["items"][0]
        assert (item["fieldId"], item["fromString"], item["toString"]) == ("status", "To Do", "In Progress")

    play(story)


def test_a_comment_is_told_twice_as_a_comment_and_as_an_update():
    async def story(jira: JiraSite) -> None:
        await register(jira)
        key = (await jira.create())["key"]
        await jira("POST", f"/issue/{key}/comment", {"body": paragraph("Looking")})
        events = [told(got) for got in await jira.delivered()][1:]
        assert sorted(each["webhookEvent"] for each in events) == ["comment_created", "jira:issue_updated"]
        assert {each["comment"]["body"] for each in events} == {"Looking"}

    play(story)


def test_only_issues_that_pass_the_filter_and_events_that_were_chosen_are_told():
    async def story(jira: JiraSite) -> None:
        await register(jira, "project = OPS AND priority = High", events=["jira:issue_created"])
        await jira.create(project="ARCH", priority={"name": "High"})
        await jira.create()
        key = (await jira.create(priority={"name": "High"}))["key"]
        await jira.step(key, "11")
        assert [told(got)["issue"]["key"] for got in await jira.delivered()] == [key]

    play(story)


def test_a_refused_delivery_is_retried_under_the_same_identifier():
    async def story(jira: JiraSite) -> None:
        await register(jira)
        jira.receiver.answers = [503, 429]
        await jira.create()
        got = await jira.delivered()
        assert len(got) == 3
        assert len({each.headers["x-atlassian-webhook-identifier"] for each in got}) == 1
        assert len({each.raw for each in got}) == 1
        assert [each.headers.get("x-atlassian-webhook-retry") for each in got] == [None, "1", "2"]

    play(story, hook_retry_seconds=[0.0] * 5)


def test_a_delivery_is_given_up_after_five_retries_and_at_once_for_a_final_refusal():
    async def story(jira: JiraSite) -> None:
        await register(jira)
        jira.receiver.answers = [500] * 10
        await jira.create()
        assert len(await jira.delivered()) == 6
        jira.receiver.answers = [404, 200]
        await jira.create()
        assert len(await jira.delivered()) == 7

    play(story, hook_retry_seconds=[0.0] * 5)


def test_a_target_that_failed_for_half_an_hour_gets_one_attempt_per_event():
    async def story(jira: JiraSite) -> None:
        await register(jira)
        jira.receiver.answers = [500] * 20
        await jira.create()
        assert len(await jira.delivered()) == 6
        jira.wait(1800)
        await jira.create()
        assert len(await jira.delivered()) == 7
        jira.receiver.answers = []
        await jira.create()
        await jira.delivered()
        jira.receiver.answers = [500]
        await jira.create()
        assert len(await jira.delivered()) == 10

    play(story, hook_retry_seconds=[0.0] * 5)


def test_notices_can_be_lost_and_doubled():
    async def story(jira: JiraSite) -> None:
        await register(jira)
        jira.sandbox.faults.add(kind="notice_lost", times=1)
        await jira.create()
        jira.sandbox.faults.add(kind="notice_duplicated", times=1)
        await jira.create()
        got = await jira.delivered()
        assert [told(each)["issue"]["key"] for each in got] == ["OPS-2", "OPS-2"]
        assert len({each.headers["x-atlassian-webhook-identifier"] for each in got}) == 1

    play(story)


def test_webhooks_are_managed_by_administrators_and_never_show_their_secret():
    async def story(jira: JiraSite) -> None:
        made = await register(jira)
        assert made["isSigned"] is True
        assert SECRET not in json.dumps(made)
        own = made["self"].removeprefix(jira.sandbox.origin)
        assert (await jira("GET", PATH, who=ELAINE)).status == 403
        changed = await jira("PUT", own, {"events": ["jira:issue_deleted"]})
        assert (changed.body["events"], changed.body["isSigned"]) == (["jira:issue_deleted"], True)
        await jira.create()
        await jira("DELETE", "/issue/OPS-1")
        assert [told(got)["webhookEvent"] for got in await jira.delivered()] == ["jira:issue_deleted"]
        assert (await jira("DELETE", own)).status == 204
        assert (await jira("GET", own)).status == 404

    play(story)


def test_a_webhook_with_a_bad_address_event_or_filter_is_not_registered():
    async def story(jira: JiraSite) -> None:
        good = {"name": "sync", "url": jira.receiver.url, "events": EVENTS}
        section = "issue-related-events-section"
        for wrong in (
            {"url": "ftp://infinity.example"},
            {"events": ["jira:nonsense"]},
            {"events": []},
            {"name": ""},
            {"filters": {section: "bogus = 1"}},
        ):
            assert (await jira("POST", PATH, good | wrong)).status == 400
        jira.settings.https_hooks_only = True
        assert (await jira("POST", PATH, good)).status == 400
        assert (await jira("GET", PATH)).body == []

    play(story)


def test_a_webhook_without_a_body_still_signs_and_puts_the_key_into_the_address():
    async def story(jira: JiraSite) -> None:
        await register(jira, url=jira.receiver.url + "?key=${issue.key}", excludeBody=True)
        await jira.create()
        got = (await jira.delivered())[0]
        assert got.raw == b""
        digest = hmac.new(SECRET.encode(), b"", hashlib.sha256).hexdigest()
        assert got.headers["x-hub-signature"] == f"sha256={digest}"

    play(story)


APP = {"Authorization": f"Bearer {seed.ACCESS_TOKEN}"}
GATEWAY = f"/ex/jira/{seed.CLOUD_ID}/rest/api/3/webhook"


async def as_app(jira: JiraSite, method: str, path: str = "", body: Any = None) -> Any:
    return await jira(method, GATEWAY + path, body, who=NOBODY, headers=APP)


def dynamic(jira: JiraSite, **more: Any) -> dict[str, Any]:
    hook = {"events": ["jira:issue_updated"], "jqlFilter": "project = OPS"} | more
    return {"url": jira.receiver.url, "webhooks": [hook]}


def test_an_apps_webhook_carries_a_token_signed_with_the_client_secret():
    async def story(jira: JiraSite) -> None:
        made = await as_app(jira, "POST", "", dynamic(jira, fieldIdsFilter=["priority"]))
        assert made.body == {"webhookRegistrationResult": [{"createdWebhookId": 1000}]}
        key = (await jira.create())["key"]
        await jira("PUT", f"/issue/{key}", {"fields": {"summary": "unwatched"}})
        await jira("PUT", f"/issue/{key}", {"fields": {"priority": {"id": "1"}}})
        got = await jira.delivered()
        assert [told(each)["matchedWebhookIds"] for each in got] == [[1000]]
        assert "x-hub-signature" not in got[0].headers
        head, claims, signature = got[0].headers["authorization"].removeprefix("Bearer ").split(".")
        digest = hmac.new(seed.CLIENT_SECRET.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
        assert base64.urlsafe_b64decode(signature + "=") == digest

    play(story)


def test_people_cannot_register_apps_webhooks_and_apps_only_five_with_simple_filters():
    async def story(jira: JiraSite) -> None:
        assert (await jira("POST", "/webhook", dynamic(jira))).status == 403
        for jql in ("updated > 0", "labels = a", "project ~ OPS", ""):
            refused = (await as_app(jira, "POST", "", dynamic(jira, jqlFilter=jql))).body
            assert list(refused["webhookRegistrationResult"][0]) == ["errors"]
        results = [(await as_app(jira, "POST", "", dynamic(jira))).body for _ in range(6)]
        assert [next(iter(each["webhookRegistrationResult"][0])) for each in results] == ["createdWebhookId"] * 5 + [
            "errors"
        ]
        assert (await as_app(jira, "DELETE", "", {"webhookIds": [1000]})).status == 202
        assert (await as_app(jira, "GET")).body["total"] == 4

    play(story)


def test_an_apps_webhook_falls_silent_after_thirty_days_unless_refreshed():
    async def story(jira: JiraSite) -> None:
        await as_app(jira, "POST", "", dynamic(jira, events=["jira:issue_created"]))
        jira.wait(29 * 86400)
        assert (await as_app(jira, "PUT", "/refresh", {"webhookIds": [1000]})).status == 200
        jira.wait(29 * 86400)
        await jira.create()
        assert len(await jira.delivered()) == 1
        jira.wait(86400)
        await jira.create()
        assert len(await jira.delivered()) == 1

    play(story, oauth_access_seconds=1e9)


def test_what_an_app_missed_is_kept_for_three_days():
    async def story(jira: JiraSite) -> None:
        await as_app(jira, "POST", "", dynamic(jira, events=["jira:issue_created"]))
        jira.receiver.answers = [404]
        await jira.create()
        await jira.delivered()
        failed = (await as_app(jira, "GET", "/failed")).body["values"]
        assert json.loads(failed[0]["body"])["issue"]["key"] == "OPS-1"
        jira.wait(72 * 3600)
        assert (await as_app(jira, "GET", "/failed")).body["values"] == []

    play(story, oauth_access_seconds=1e9)
