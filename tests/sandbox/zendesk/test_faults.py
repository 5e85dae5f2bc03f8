"""Faults that are switched on, in the vendor's own words."""

import aiohttp
import pytest

from .desk import Desk, at_desk

NEW = {"ticket": {"subject": "VPN drops", "comment": {"body": "x"}}}


@at_desk
async def test_a_system_that_is_down_reads_nothing(desk: Desk) -> None:
    desk.sandbox.faults.add(kind="down", times=1)
    with pytest.raises(aiohttp.ClientError):
        await desk.post("tickets", NEW)
    assert desk.sandbox.true_state()["tickets"] == []


@at_desk
async def test_a_lost_response_leaves_the_ticket_and_the_key_brings_its_answer(desk: Desk) -> None:
    desk.sandbox.faults.add(kind="lost_response", times=1, method="POST")
    headers = {"Idempotency-Key": "op-1"}
    with pytest.raises(aiohttp.ClientError):
        await desk.post("tickets", NEW, headers=headers)
    reply = await desk.post("tickets", NEW, headers=headers)
    assert reply.headers["x-idempotency-lookup"] == "hit"
    assert [item["id"] for item in desk.sandbox.true_state()["tickets"]] == [str(reply.body["ticket"]["id"])]


@at_desk
async def test_a_lost_comment_is_found_again_by_its_metadata(desk: Desk) -> None:
    ticket = await desk.ticket()
    desk.sandbox.faults.add(kind="lost_response", times=1, method="PUT")
    with pytest.raises(aiohttp.ClientError):
        await desk.change(ticket["id"], comment={"body": "Once", "public": False}, metadata={"acme_op": "9a31"})
    audits = (await desk.get(f"tickets/{ticket['id']}/audits?sort=-created_at&page[size]=1")).body["audits"]
    assert audits[0]["metadata"]["custom"] == {"acme_op": "9a31"}


@at_desk
async def test_overload_says_when_to_come_back(desk: Desk) -> None:
    desk.sandbox.faults.add(kind="status", status=429, retry_after=7, times=1)
    reply = await desk.get("tickets")
    assert (reply.status, reply.headers["retry-after"], reply.body["error"]) == (429, "7", "TooManyRequests")


@at_desk
async def test_server_errors_are_not_json(desk: Desk) -> None:
    for status in (500, 503):
        desk.sandbox.faults.add(kind="status", status=status, times=1)
        reply = await desk.get("tickets")
        assert (reply.status, reply.headers["content-type"].split(";")[0]) == (status, "text/html")


@at_desk
async def test_a_proxy_page_comes_with_status_200(desk: Desk) -> None:
    desk.sandbox.faults.add(kind="html", times=1)
    reply = await desk.get("tickets")
    assert (reply.status, b"<html>" in reply.body) == (200, True)


@at_desk
async def test_an_expired_token_is_told_in_oauths_words(desk: Desk) -> None:
    desk.sandbox.faults.add(kind="expired_token", times=1)
    reply = await desk.get("users/me")
    assert (reply.status, reply.body["error"]) == (401, "invalid_token")


@at_desk
async def test_a_switched_on_conflict_is_a_database_collision(desk: Desk) -> None:
    ticket = await desk.ticket()
    desk.sandbox.faults.add(kind="status", status=409, times=1, method="PUT")
    reply = await desk.change(ticket["id"], priority="low")
    assert reply.body == {"error": "DatabaseConflict", "description": "Database collision"}
