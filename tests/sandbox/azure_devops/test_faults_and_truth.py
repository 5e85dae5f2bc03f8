"""Faults as a client meets them, and the true state behind them."""

import aiohttp
import pytest

from .desk import STATE, TITLE, Desk, add, play, relate

ONE = "/_apis/wit/workitems/1?api-version=7.1"


def test_a_lost_response_hides_a_write_that_took_place() -> None:
    async def scenario(desk: Desk) -> None:
        desk.sandbox.faults.add(kind="lost_response", times=1, method="POST")
        with pytest.raises(aiohttp.ClientError):
            await desk.create(add(TITLE, "VPN"), add("System.Tags", "sync-7f1c9b"))
        assert await desk.found("[System.Tags] CONTAINS 'sync-7f1c9b' AND [System.CreatedBy] = @me") == [1]

    play(scenario)


def test_a_system_that_is_down_does_nothing() -> None:
    async def scenario(desk: Desk) -> None:
        desk.sandbox.faults.add(kind="down", times=1)
        with pytest.raises(aiohttp.ClientError):
            await desk.create()
        assert desk.sandbox.true_state()["tickets"] == []

    play(scenario)


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "TF400813"), (403, "TF400813"), (409, "TF26071"), (429, "TF400733"), (500, "TF10216"), (503, "TF10216")],
)
def test_switched_on_statuses_speak_the_words_of_the_vendor(status: int, code: str) -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        fault = {"kind": "status", "status": status, "retry_after": 7, "times": 1}
        assert (await desk.control("POST", "faults", json=fault)).status == 201
        reply = await desk.change(1, add(TITLE, "x"))
        assert (reply.status, reply.headers["Retry-After"]) == (status, "7")
        assert reply.message.startswith(code)
        assert ("X-RateLimit-Reset" in reply.headers) == (status == 429)
        assert (await desk.get(ONE)).json["rev"] == 1

    play(scenario)


def test_an_expired_token_is_401_and_a_proxy_page_is_no_json() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        desk.sandbox.faults.add(kind="expired_token", times=1)
        desk.sandbox.faults.add(kind="html", times=1)
        assert (await desk.get(ONE)).status == 401
        page = await desk.get(ONE)
        assert (page.status, page.headers["Content-Type"].split(";")[0]) == (200, "text/html")
        assert (await desk.get(ONE)).status == 200

    play(scenario)


def test_the_true_state_tells_the_whole_story_in_order() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create(add(TITLE, "VPN"))
        await desk.comment(1, "Looking")
        await desk.change(1, add(STATE, "Active"), add("System.AssignedTo", "David"))
        url = (await desk.upload("log.txt", b"hello")).json["url"]
        await desk.change(1, relate("AttachedFile", url))
        state = (await desk.control("GET", "state")).json
        assert state["system"] == "azure_devops"
        (ticket,) = state["tickets"]
        assert {"id", "key", "type", "created_at", "deleted", "fields", "comments", "attachments", "log"} == set(ticket)
        assert (ticket["fields"][STATE], ticket["fields"]["System.AssignedTo"]) == ("Active", "David")
        assert ticket["comments"][0]["text"] == "Looking"
        assert (ticket["attachments"][0]["name"], ticket["attachments"][0]["size"]) == ("log.txt", 5)
        told = [(one["field"], one["from"], one["to"]) for one in ticket["log"]]
        assert told.index(("comment", None, "81")) < told.index((STATE, "New", "Active"))
        assert told[-1] == ("attachment", None, ticket["attachments"][0]["id"])
        assert [one["at"] for one in ticket["log"]] == sorted(one["at"] for one in ticket["log"])

    play(scenario)


def test_a_reset_brings_back_the_fresh_start() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        await desk.control("PATCH", "settings", json={"tstu_limit": 1.0})
        assert (await desk.control("POST", "reset")).status == 204
        assert desk.sandbox.true_state() == {"system": "azure_devops", "tickets": []}
        assert (await desk.control("GET", "settings")).json["tstu_limit"] == 0.0
        assert (await desk.create()).json["id"] == 1

    play(scenario)
