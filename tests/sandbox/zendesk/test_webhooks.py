"""Webhooks: registration, signed events, retries, duplicates, the breaker, trigger webhooks."""

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from apps.sandbox.zendesk import seed
from apps.sandbox.zendesk.hooks import TEST_SECRET

from .desk import Desk, Receiver, at_desk, receiver

Json = dict[str, Any]
ALL = [
    "created",
    "priority_changed",
    "comment_added",
    "tags_changed",
    "custom_field_changed",
    "agent_assignment_changed",
]


def with_receiver(scenario: Callable[[Desk, Receiver], Awaitable[None]]) -> Callable[[], None]:
    async def play(desk: Desk) -> None:
        held, runner = await receiver()
        try:
            await scenario(desk, held)
        finally:
            await runner.cleanup()

    play.__name__, play.__doc__ = scenario.__name__, scenario.__doc__
    return at_desk(play)


async def subscribe(desk: Desk, held: Receiver, names: list[str], **members: Any) -> Json:
    wanted = {
        "name": "sync", "endpoint": held.address, "http_method": "POST", "request_format": "json", "status": "active",
        "subscriptions": [f"zen:event-type:ticket.{name}" for name in names], **members,
    }  # fmt: skip
    reply = await desk.post("webhooks", {"webhook": wanted})
    assert reply.status == 201, reply.body
    webhook: Json = reply.body["webhook"]
    return webhook


async def secret_of(desk: Desk, webhook: Json) -> str:
    shown = (await desk.get(f"webhooks/{webhook['id']}/signing_secret")).body["signing_secret"]
    assert shown["algorithm"] == "SHA256"
    return str(shown["secret"])


def signed(secret: str, headers: dict[str, str], body: bytes) -> str:
    text = headers["x-zendesk-webhook-signature-timestamp"].encode() + body
    return base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()


@with_receiver
async def test_an_event_is_signed_over_time_and_body_and_names_its_webhook(desk: Desk, held: Receiver) -> None:
    authentication = {"type": "bearer_token", "add_position": "header", "data": {"token": "abc"}}
    webhook = await subscribe(desk, held, ["created"], authentication=authentication, custom_headers={"X-Sync": "1"})
    await desk.ticket()
    await desk.delivered()
    [(headers, body)] = held.seen
    assert headers["x-zendesk-webhook-signature"] == signed(await secret_of(desk, webhook), headers, body)
    assert headers["x-zendesk-webhook-id"] == webhook["id"]
    assert headers["x-zendesk-account-id"] == str(desk.sandbox.account.id)
    assert (headers["authorization"], headers["x-sync"]) == ("Bearer abc", "1")


@with_receiver
async def test_an_event_body_has_text_ids_and_upper_case_words(desk: Desk, held: Receiver) -> None:
    await subscribe(desk, held, ["status_changed"])
    ticket = await desk.ticket(type="incident", priority="high", external_id="jira:1")
    await desk.changed(ticket["id"], status="open")
    await desk.delivered()
    [body] = held.bodies
    detail = body["detail"]
    assert (detail["id"], detail["actor_id"]) == (str(ticket["id"]), str(seed.SYNC_ID))
    assert (detail["status"], detail["priority"], detail["type"]) == ("OPEN", "HIGH", "INCIDENT")
    assert (detail["organization_id"], detail["via"], detail["external_id"]) == (
        "",
        {"channel": "web_service"},
        "jira:1",
    )
    assert (body["subject"], body["event"]["current"], body["event"]["previous"]) == (
        f"zen:ticket:{ticket['id']}", "OPEN", "NEW",
    )  # fmt: skip


@with_receiver
async def test_one_update_becomes_several_events_of_one_sequence(desk: Desk, held: Receiver) -> None:
    ticket = await desk.ticket()
    await subscribe(desk, held, ALL)
    await desk.changed(
        ticket["id"], priority="urgent", comment={"body": "Thanks", "public": True},
        custom_fields=[{"id": seed.SITE_FIELD, "value": "berlin"}],
    )  # fmt: skip
    await desk.delivered()
    events = {kind: body["event"] for kind, body in zip(held.kinds, held.bodies, strict=True)}
    assert set(events) == {"priority_changed", "tags_changed", "custom_field_changed", "comment_added"}
    assert len({event["meta"]["sequence"]["id"] for event in events.values()}) == 1
    assert sorted(event["meta"]["sequence"]["position"] for event in events.values()) == [1, 2, 3, 4]
    assert events["tags_changed"]["tags_added"] == ["berlin"]
    about = {"id": "27642", "title": "Site", "type": "tagger"}
    assert events["custom_field_changed"]["custom_field"] == about
    assert events["comment_added"]["comment"]["author"] == {
        "id": str(seed.SYNC_ID),
        "is_staff": True,
        "name": "SIAM Sync",
    }
    assert len({body["id"] for body in held.bodies}) == 4


@with_receiver
async def test_merging_and_deleting_are_told(desk: Desk, held: Receiver) -> None:
    target, source = await desk.ticket(), await desk.ticket()
    await subscribe(desk, held, ["merged", "soft_deleted"])
    await desk.job(await desk.post(f"tickets/{target['id']}/merge", {"ids": [source["id"]]}))
    await desk.delete(f"tickets/{target['id']}")
    await desk.delivered()
    bodies = dict(zip(held.kinds, held.bodies, strict=True))
    assert bodies["merged"]["event"]["target_ticket_id"] == str(target["id"])
    assert bodies["soft_deleted"]["detail"]["status"] == "DELETED"


@with_receiver
async def test_a_conflict_is_retried_with_the_same_invocation_and_a_refusal_is_not(desk: Desk, held: Receiver) -> None:
    webhook = await subscribe(desk, held, ["created"])
    held.statuses = [409, 503, 200]
    await desk.ticket()
    await desk.delivered()
    assert len(held.seen) == 3
    assert len({headers["x-zendesk-webhook-invocation-id"] for headers, _ in held.seen}) == 1
    held.statuses = [404]
    await desk.wait(1)
    await desk.ticket()
    await desk.delivered()
    assert len(held.seen) == 4
    shown = (await desk.get(f"webhooks/{webhook['id']}/invocations")).body["invocations"]
    assert [(item["status"], item["attempts_count"]) for item in shown] == [("success", 3), ("client error", 1)]
    path = f"webhooks/{webhook['id']}/invocations/{shown[0]['id']}/attempts"
    assert [item["response_code"] for item in (await desk.get(path)).body["attempts"]] == [409, 503, 200]


@with_receiver
async def test_a_retry_is_signed_anew_at_its_own_time(desk: Desk, held: Receiver) -> None:
    webhook = await subscribe(desk, held, ["created"])
    desk.sandbox.settings.webhook_retry_pauses = [0.05]
    held.statuses = [429]
    await desk.ticket()
    while not held.seen:
        await desk.get("users/me")
    await desk.wait(30)
    await desk.delivered()
    secret = await secret_of(desk, webhook)
    stamps = [headers["x-zendesk-webhook-signature-timestamp"] for headers, _ in held.seen]
    assert stamps == ["2026-11-20T09:15:02Z", "2026-11-20T09:15:32Z"]
    assert all(headers["x-zendesk-webhook-signature"] == signed(secret, headers, body) for headers, body in held.seen)


@with_receiver
async def test_notices_can_be_lost_and_come_twice(desk: Desk, held: Receiver) -> None:
    await subscribe(desk, held, ["created"])
    desk.sandbox.faults.add(kind="notice_lost", times=1)
    await desk.ticket()
    desk.sandbox.faults.add(kind="notice_duplicated", times=1)
    kept = await desk.ticket()
    await desk.delivered()
    assert [body["detail"]["id"] for body in held.bodies] == [str(kept["id"])] * 2
    assert len({headers["x-zendesk-webhook-invocation-id"] for headers, _ in held.seen}) == 1


@with_receiver
async def test_a_failing_endpoint_opens_the_breaker_for_some_seconds(desk: Desk, held: Receiver) -> None:
    webhook = await subscribe(desk, held, ["created"])
    held.statuses = [500] * 20
    for _ in range(20):
        await desk.ticket()
    await desk.delivered()
    await desk.ticket()
    await desk.delivered()
    assert len(held.seen) == 20
    broken = await desk.get(f"webhooks/{webhook['id']}/invocations?filter[status]=circuit broken")
    assert len(broken.body["invocations"]) == 1
    await desk.wait(5)
    await desk.ticket()
    await desk.delivered()
    assert len(held.seen) == 21


@with_receiver
async def test_inactive_and_deleted_webhooks_are_silent(desk: Desk, held: Receiver) -> None:
    webhook = await subscribe(desk, held, ["created"])
    assert (
        await desk.send("PATCH", f"/api/v2/webhooks/{webhook['id']}", {"webhook": {"status": "inactive"}})
    ).status == 204
    await desk.ticket()
    await desk.send("PATCH", f"/api/v2/webhooks/{webhook['id']}", {"webhook": {"status": "active"}})
    assert (await desk.delete(f"webhooks/{webhook['id']}")).status == 204
    await desk.ticket()
    await desk.delivered()
    assert held.seen == []
    assert (await desk.get(f"webhooks/{webhook['id']}")).status == 404


@with_receiver
async def test_a_new_secret_signs_from_then_on_and_credentials_are_not_read_back(desk: Desk, held: Receiver) -> None:
    authentication = {"type": "basic_auth", "data": {"username": "u", "password": "very-secret"}}
    webhook = await subscribe(desk, held, ["created"], authentication=authentication)
    old = await secret_of(desk, webhook)
    assert (await desk.post(f"webhooks/{webhook['id']}/signing_secret")).status == 201
    await desk.ticket()
    await desk.delivered()
    [(headers, body)] = held.seen
    assert headers["x-zendesk-webhook-signature"] != signed(old, headers, body)
    assert "very-secret" not in str((await desk.get("webhooks")).body)


@with_receiver
async def test_a_test_request_is_signed_with_the_public_key_before_the_webhook_exists(
    desk: Desk, held: Receiver
) -> None:
    reply = await desk.post("webhooks/test", {"webhook": {"endpoint": held.address}})
    assert reply.body["test"]["response_code"] == 200
    [(headers, body)] = held.seen
    assert headers["x-zendesk-webhook-signature"] == signed(TEST_SECRET, headers, body)


@with_receiver
async def test_a_trigger_calls_its_webhook_with_the_admins_template(desk: Desk, held: Receiver) -> None:
    webhook = await subscribe(desk, held, [], subscriptions=["conditional_ticket_events"])
    action = {"field": "notification_webhook", "value": [webhook["id"], '{"ticket": {{ticket.id}}, "by": "trigger"}']}
    condition = {"field": "status", "operator": "value", "value": "solved"}
    trigger = {"title": "Tell the hub", "conditions": {"all": [condition]}, "actions": [action]}
    await desk.post("triggers", {"trigger": trigger})
    ticket = await desk.ticket(assignee_id=seed.AGENT_ID)
    await desk.changed(ticket["id"], status="solved")
    await desk.delivered()
    assert held.bodies == [{"ticket": ticket["id"], "by": "trigger"}]


@with_receiver
async def test_webhooks_that_make_no_sense_are_refused(desk: Desk, held: Receiver) -> None:
    event = "zen:event-type:ticket.created"
    good = {"name": "n", "endpoint": held.address, "http_method": "POST", "request_format": "json", "status": "active"}
    wrong: list[Json] = [
        {"subscriptions": ["zen:event-type:ticket.exploded"]},
        {"subscriptions": [event, "conditional_ticket_events"]},
        {"subscriptions": [event], "http_method": "GET"},
        {"endpoint": "http://sync.example/hook"},
        {"name": ""},
    ]
    for members in wrong:
        assert (await desk.post("webhooks", {"webhook": {**good, **members}})).status == 400, members
    made = await subscribe(desk, held, ["created"])
    change = {"webhook": {"subscriptions": ["conditional_ticket_events"]}}
    assert (await desk.send("PATCH", f"/api/v2/webhooks/{made['id']}", change)).status == 400
