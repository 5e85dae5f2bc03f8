"""Service hooks: subscribing, envelopes, credentials, retries, and the way to being disabled."""

import asyncio
import base64
from typing import Any

import pytest

from apps.sandbox.azure_devops.seed import DAVID, DAVID_PAT, SHOP_ID

from .desk import STATE, TITLE, Desk, add, play, receiving, relate

ALL = "/_apis/hooks/subscriptions?api-version=7.1"
CREDENTIALS = {"httpHeaders": "X-Sync-Key:abc123", "basicAuthUsername": "ado", "basicAuthPassword": "secret"}


def order(url: str, event: str = "updated", filters: dict[str, str] | None = None, **inputs: str) -> dict[str, Any]:
    return {
        "publisherId": "tfs",
        "eventType": f"workitem.{event}",
        "resourceVersion": "1.0",
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "publisherInputs": {"projectId": SHOP_ID, **(filters or {})},
        "consumerInputs": {"url": url, **inputs},
    }


async def subscribe(desk: Desk, url: str, event: str = "updated", **more: Any) -> str:
    reply = await desk.send("POST", ALL, json=order(url, event, **more))
    assert reply.status == 200, reply.text
    return str(reply.json["id"])


async def status_of(desk: Desk, subscription: str) -> str:
    return str((await desk.get(f"/_apis/hooks/subscriptions/{subscription}?api-version=7.1")).json["status"])


async def settled(desk: Desk) -> None:
    for _ in range(400):
        if not desk.sandbox.deliveries.waiting:
            return
        await asyncio.sleep(0.005)
    raise AssertionError("web hooks are still waiting")


def test_an_update_is_told_with_credentials_and_both_ids() -> None:
    async def scenario(desk: Desk) -> None:
        async with receiving() as receiver:
            subscription = await subscribe(desk, receiver.address, **CREDENTIALS)
            await desk.create()
            await desk.change(1, add(STATE, "Active"), pat=DAVID_PAT)
            (event,) = await receiver.wait_for(1)
            assert (event["subscriptionId"], event["notificationId"], event["eventType"]) == (
                subscription,
                1,
                "workitem.updated",
            )
            resource = event["resource"]
            assert (resource["id"], resource["workItemId"], resource["rev"]) == (2, 1, 2)
            assert resource["revisedBy"]["id"] == DAVID.id
            assert resource["fields"][STATE] == {"oldValue": "New", "newValue": "Active"}
            assert resource["revision"]["fields"]["System.ChangedBy"] == "David <david@global.example>"
            assert event["resourceContainers"]["project"]["id"] == SHOP_ID
            sent = receiver.headers[0]
            assert sent["X-Sync-Key"] == "abc123"
            assert base64.b64decode(sent["Authorization"].removeprefix("Basic ")) == b"ado:secret"

    play(scenario)


@pytest.mark.parametrize("event", ["created", "deleted", "restored", "commented"])
def test_other_events_carry_the_work_item_itself(event: str) -> None:
    async def scenario(desk: Desk) -> None:
        async with receiving() as receiver:
            await subscribe(desk, receiver.address, event)
            await desk.create(add(TITLE, "VPN"))
            await desk.comment(1, "on it")
            await desk.send("DELETE", "/_apis/wit/workitems/1?api-version=7.1")
            await desk.send("PATCH", "/_apis/wit/recyclebin/1?api-version=7.1", json={"isDeleted": False})
            (told,) = await receiver.wait_for(1)
            await settled(desk)
            assert len(receiver.seen) == 1
            assert (told["resource"]["id"], told["resource"]["fields"][TITLE]) == (1, "VPN")
            assert ("/recyclebin/1" in told["resource"]["url"]) == (event == "deleted")
            assert (told["resource"]["fields"].get("System.History") == "on it") == (event == "commented")

    play(scenario)


def test_a_comment_is_told_twice_and_a_link_to_both_sides() -> None:
    async def scenario(desk: Desk) -> None:
        async with receiving() as receiver:
            await subscribe(desk, receiver.address, "updated")
            await subscribe(desk, receiver.address, "commented")
            await desk.create()
            await desk.create()
            await desk.comment(1, "on it")
            kinds = sorted(one["eventType"] for one in await receiver.wait_for(2))
            assert kinds == ["workitem.commented", "workitem.updated"]
            await desk.change(1, relate("System.LinkTypes.Related", f"{desk.base}/_apis/wit/workItems/2"))
            both = (await receiver.wait_for(4))[2:]
            assert sorted(one["resource"]["workItemId"] for one in both) == [1, 2]

    play(scenario)


def test_filters_decide_what_is_told() -> None:
    async def scenario(desk: Desk) -> None:
        async with receiving() as receiver:
            filters = {"workItemType": "Bug", "changedFields": STATE, "areaPath": "Shop\\Infrastructure"}
            await subscribe(desk, receiver.address, filters=filters)
            inside = [add(TITLE, "x"), add("System.AreaPath", "Shop\\Infrastructure")]
            await desk.create(*inside)
            await desk.create(*inside, kind="Task")
            await desk.create(add(TITLE, "elsewhere"))
            await desk.change(1, add(TITLE, "only the title"))
            for number in (1, 2, 3):
                await desk.change(number, add(STATE, "Active"))
            await settled(desk)
            assert [one["resource"]["workItemId"] for one in receiver.seen] == [1]

    play(scenario)


def test_minimal_and_none_send_no_content() -> None:
    async def scenario(desk: Desk) -> None:
        async with receiving() as receiver:
            none = {"messagesToSend": "none", "detailedMessagesToSend": "none"}
            await subscribe(desk, receiver.address, resourceDetailsToSend="minimal", **none)
            await desk.create()
            await desk.change(1, add(TITLE, "secret"))
            (event,) = await receiver.wait_for(1)
            assert set(event["resource"]) == {"id", "workItemId", "url"}
            assert (event["message"], event["detailedMessage"]) == (None, None)
            await subscribe(desk, receiver.address, "commented", resourceDetailsToSend="none")
            await desk.comment(1, "x")
            told = next(one for one in await receiver.wait_for(3) if one["eventType"] == "workitem.commented")
            assert told["resource"] is None

    play(scenario)


def test_secrets_come_back_masked_and_survive_a_put_with_the_mask() -> None:
    async def scenario(desk: Desk) -> None:
        async with receiving() as receiver:
            subscription = await subscribe(desk, receiver.address, **CREDENTIALS)
            path = f"/_apis/hooks/subscriptions/{subscription}?api-version=7.1"
            shown = (await desk.get(path)).json
            assert shown["consumerInputs"]["basicAuthPassword"] == "********"
            assert "abc123" not in str(shown)
            assert (await desk.send("PUT", path, json=shown)).status == 200
            await desk.create()
            await desk.change(1, add(TITLE, "again"))
            await receiver.wait_for(1)
            assert receiver.headers[0]["X-Sync-Key"] == "abc123"

    play(scenario)


def test_a_failed_delivery_is_tried_again_and_its_history_kept() -> None:
    async def scenario(desk: Desk) -> None:
        async with receiving() as receiver:
            receiver.statuses = [503]
            subscription = await subscribe(desk, receiver.address)
            await desk.create()
            await desk.change(1, add(TITLE, "again"))
            first, second = await receiver.wait_for(2)
            assert first["id"] == second["id"]
            await settled(desk)
            path = f"/_apis/hooks/subscriptions/{subscription}/notifications"
            (kept,) = (await desk.get(path + "?api-version=7.1")).json["value"]
            assert (kept["result"], kept["eventId"]) == ("succeeded", first["id"])
            one = (await desk.get(path + "/1?api-version=7.1")).json
            assert one["details"]["requestAttempts"] == 2

    play(scenario)


def test_failures_lead_over_probation_to_disabled_and_a_put_begins_anew() -> None:
    async def scenario(desk: Desk) -> None:
        async with receiving() as receiver:
            receiver.statuses = [500, 500, 500, 200, 500, 500, 500, 500]
            subscription = await subscribe(desk, receiver.address)
            await desk.create()
            seen = []
            for number in range(8):
                await desk.change(1, add(TITLE, f"change {number}"))
                await settled(desk)
                seen.append(await status_of(desk, subscription))
            assert seen == [
                *("enabled", "onProbation", "onProbation", "enabled"),
                *("enabled", "onProbation", "onProbation", "disabledBySystem"),
            ]
            await desk.change(1, add(TITLE, "nobody hears this"))
            await settled(desk)
            assert len(receiver.seen) == 8
            path = f"/_apis/hooks/subscriptions/{subscription}?api-version=7.1"
            shown = (await desk.get(path)).json
            assert shown["probationRetries"] == 2
            assert (await desk.send("PUT", path, json={**shown, "status": "enabled"})).json["status"] == "enabled"
            await desk.change(1, add(TITLE, "heard"))
            await receiver.wait_for(9)

    play(scenario, failures_until_probation=2, probation_retries=2)


def test_gone_disables_at_once() -> None:
    async def scenario(desk: Desk) -> None:
        async with receiving() as receiver:
            receiver.statuses = [410]
            subscription = await subscribe(desk, receiver.address)
            await desk.create()
            await desk.change(1, add(TITLE, "again"))
            await settled(desk)
            assert await status_of(desk, subscription) == "disabledBySystem"
            assert len(receiver.seen) == 1

    play(scenario)


def test_a_subscription_dies_with_the_account_that_made_it() -> None:
    async def scenario(desk: Desk) -> None:
        async with receiving() as receiver:
            reply = await desk.send("POST", ALL, json=order(receiver.address), pat=DAVID_PAT)
            desk.sandbox.settings.departed_accounts = [DAVID.mail]
            await desk.create()
            await desk.change(1, add(TITLE, "again"))
            await settled(desk)
            assert await status_of(desk, reply.json["id"]) == "disabledByInactiveIdentity"
            assert receiver.seen == []

    play(scenario)


@pytest.mark.parametrize(
    "wrong",
    [
        {"publisherId": "rm"},
        {"eventType": "workitem.moved"},
        {"consumerId": "slack"},
        {"consumerInputs": {"url": "not an address"}},
        {"consumerInputs": {"url": "http://127.0.0.1/x", "resourceDetailsToSend": "some"}},
        {"publisherInputs": {"changedFields": "Custom.Nothing"}},
    ],
)
def test_a_subscription_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    async def scenario(desk: Desk) -> None:
        reply = await desk.send("POST", ALL, json={**order("http://127.0.0.1/x"), **wrong})
        assert (reply.status, reply.json["typeKey"]) == (400, "SubscriptionInputException")

    play(scenario)


def test_subscriptions_are_listed_queried_deleted_and_need_a_permission() -> None:
    async def scenario(desk: Desk) -> None:
        created = await subscribe(desk, "http://127.0.0.1:9/x", "created")
        await subscribe(desk, "http://127.0.0.1:9/x", "updated")
        assert (await desk.get(ALL)).json["count"] == 2
        assert (await desk.get(ALL + "&eventType=workitem.created")).json["value"][0]["id"] == created
        query = "/_apis/hooks/subscriptionsquery?api-version=7.1"
        assert len((await desk.send("POST", query, json={"eventType": "workitem.updated"})).json["results"]) == 1
        path = f"/_apis/hooks/subscriptions/{created}?api-version=7.1"
        desk.sandbox.settings.accounts_without_hooks = [DAVID.mail]
        assert (await desk.send("DELETE", path, pat=DAVID_PAT)).status == 403
        assert (await desk.send("DELETE", path)).status == 204
        assert (await desk.get(path)).status == 404

    play(scenario)


def test_a_test_notification_is_sent_without_a_subscription() -> None:
    async def scenario(desk: Desk) -> None:
        async with receiving() as receiver:
            path = "/_apis/hooks/testnotifications?api-version=7.1"
            reply = await desk.send("POST", path, json={"details": order(receiver.address, "created", **CREDENTIALS)})
            assert reply.status == 200
            (event,) = await receiver.wait_for(1)
            assert event["subscriptionId"] == "00000000-0000-0000-0000-000000000000"
            assert receiver.headers[0]["X-Sync-Key"] == "abc123"
            assert (await desk.get(ALL)).json["count"] == 0

    play(scenario)


def test_notices_can_be_lost_and_doubled_and_writes_can_be_silent() -> None:
    async def scenario(desk: Desk) -> None:
        async with receiving() as receiver:
            await subscribe(desk, receiver.address)
            await desk.create()
            desk.sandbox.faults.add(kind="notice_lost", times=1)
            desk.sandbox.faults.add(kind="notice_duplicated", times=1)
            await desk.change(1, add(TITLE, "lost"))
            await desk.change(1, add(TITLE, "twice"))
            one, other = await receiver.wait_for(2)
            assert (one["id"], one["notificationId"]) == (other["id"], other["notificationId"]) == (one["id"], 2)
            assert (await desk.change(1, add(TITLE, "x"), query="&suppressNotifications=true")).status == 403
            desk.sandbox.settings.suppress_accounts = ["siam-sync@global.example"]
            await desk.change(1, add(TITLE, "silent"), query="&suppressNotifications=true")
            await settled(desk)
            assert len(receiver.seen) == 2

    play(scenario)
