"""The poll loses nothing and repeats nothing: equal times, edits while paging, lag, zones, dying tokens."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from apps.sync.connectors.base import Changed, ChangedPage, Draft, Rejected
from apps.sync.connectors.jira.connector import JiraConnector
from apps.sync.connectors.jira.polling import minute, quoted, scope
from apps.sync.connectors.jira.settings import JiraSettings

from .jira_site import answering, run, says, site

BOTH = pytest.mark.parametrize("deployment", ["Cloud", "Server"])
STAMP = "2026-11-20T10:02:44.910+0000"


async def drain(jira: JiraConnector, cursor: str) -> tuple[list[Changed], str]:
    found: list[Changed] = []
    page = ChangedPage((), cursor, False)
    for _ in range(200):
        page = await jira.changed_since(page.cursor)
        found += page.tickets
        if page.is_last:
            return found, page.cursor
    raise AssertionError("the poll does not come to an end")


@BOTH
def test_from_now_on_tells_nothing_of_before(deployment: str) -> None:
    async def work() -> None:
        async with site(deployment) as there:
            await there.connector.create(Draft("Bug", {"summary": "Before"}), "siam-000000000001")
            first = await there.connector.changed_since(None)
            assert (first.tickets, first.is_last) == ((), True)
            assert (await drain(there.connector, first.cursor))[0] == []
            made = await there.connector.create(Draft("Bug", {"summary": "After"}), "siam-000000000002")
            found, _ = await drain(there.connector, first.cursor)
            assert [(each.ref.id, each.version) for each in found] == [(made.ref.id, made.version)]

    run(work())


@BOTH
def test_many_tickets_with_one_time_are_all_reported_once(deployment: str) -> None:
    async def work() -> None:
        async with site(deployment, page_size=4) as there:
            cursor = (await there.connector.changed_since(None)).cursor
            frozen = there.sandbox.clock()
            there.sandbox.clock = lambda: frozen
            there.sandbox.settings.burst_per_second = 0
            made = [
                await there.connector.create(Draft("Bug", {"summary": str(number)}), f"siam-0000000001{number:02d}")
                for number in range(13)
            ]
            found, cursor = await drain(there.connector, cursor)
            assert sorted(each.ref.id for each in found) == sorted(one.ref.id for one in made)
            assert (await drain(there.connector, cursor))[0] == []

    run(work())


@BOTH
def test_tickets_edited_while_paging_are_not_lost(deployment: str) -> None:
    async def work() -> None:
        async with site(deployment, page_size=4) as there:
            cursor = (await there.connector.changed_since(None)).cursor
            made = []
            for number in range(12):
                made.append(
                    await there.connector.create(Draft("Bug", {"summary": str(number)}), f"siam-0000000002{number:02d}")
                )
            page = await there.connector.changed_since(cursor)
            for one in made[:3]:
                await there.call("PUT", f"issue/{one.ref.id}", {"fields": {"summary": "moved"}})
            rest, cursor = await drain(there.connector, page.cursor)
            found = [*page.tickets, *rest]
            assert {one.ref.id for one in made} == {each.ref.id for each in found}
            latest = {each.ref.id: each.version for each in found}
            for one in made[:3]:
                assert latest[one.ref.id] == (await there.connector.fetch(one.ref)).version
            assert (await drain(there.connector, cursor))[0] == []

    run(work())


@BOTH
def test_a_pass_that_goes_over_what_was_told_before_leaves_none_of_it_out(deployment: str) -> None:
    """Rows that move meanwhile let it start again from where it was, not from the newest time ever told."""

    async def work() -> None:
        async with site(deployment, page_size=3) as there:
            at = there.sandbox.clock()
            there.sandbox.clock = lambda: at
            began, made = at, []
            for number in range(12):
                made.append(
                    await there.connector.create(Draft("Bug", {"summary": "VPN"}), f"siam-00000000{number:04d}")
                )
                newest, at = at, at + timedelta(minutes=10)
            times = {"mark": round(began.timestamp() * 1000), "high": round(newest.timestamp() * 1000)}
            page = await there.connector.changed_since(json.dumps(times))
            await there.call("PUT", f"issue/{made[0].ref.id}", {"fields": {"summary": "moved"}})
            rest, _ = await drain(there.connector, page.cursor)
            assert {one.ref.id for one in made} <= {each.ref.id for each in (*page.tickets, *rest)}

    run(work())


def test_only_tickets_of_the_wanted_types_are_reported() -> None:
    async def work() -> None:
        async with site(types=("Task",)) as there:
            cursor = (await there.connector.changed_since(None)).cursor
            fields = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "No"}
            await there.call("POST", "issue", {"fields": fields})
            made = await there.call("POST", "issue", {"fields": {**fields, "issuetype": {"name": "Task"}}})
            found, _ = await drain(there.connector, cursor)
            assert [each.ref.id for each in found] == [made["id"]]

    run(work())


def row(number: int) -> dict[str, Any]:
    return {"id": str(number), "key": f"OPS-{number}", "fields": {"updated": STAMP}}


CURSOR = json.dumps({"mark": 1763632964910, "high": 1763632964910})


def test_a_ticket_that_the_index_shows_late_is_reported_alone() -> None:
    """Ticket 1 changed before ticket 2, but the search shows it only at the second poll."""
    polls: list[str] = []

    async def search(request: web.Request) -> web.StreamResponse:
        polls.append((await request.json())["jql"])
        late = {**row(1), "fields": {"updated": "2026-11-20T10:02:40.000+0000"}}
        return web.json_response({"issues": [row(2)] if len(polls) == 1 else [late, row(2)], "isLast": True})

    async def work() -> None:
        async with answering({("POST", "/rest/api/3/search/jql"): search}, overlap_seconds=60) as jira:
            first, cursor = await drain(jira, CURSOR)
            second, _ = await drain(jira, cursor)
            assert ([each.ref.id for each in first], [each.ref.id for each in second]) == (["2"], ["1"])

    run(work())


def test_a_token_that_repeats_ends_the_pass() -> None:
    page = {"issues": [row(1)], "nextPageToken": "same", "isLast": False}

    async def work() -> None:
        async with answering({("POST", "/rest/api/3/search/jql"): says(page)}) as jira:
            found, _ = await drain(jira, CURSOR)
            assert [each.ref.id for each in found] == ["1"]

    run(work())


def test_a_dead_token_starts_the_pass_again_without_repeating() -> None:
    refused: list[str] = []

    async def search(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if asked.get("nextPageToken") == "t1" and not refused:
            refused.append("t1")
            return web.json_response(
                {"errorMessages": ["The provided next page token is invalid or expired."]}, status=400
            )
        if asked.get("nextPageToken") == "t1":
            return web.json_response({"issues": [row(2)], "isLast": True})
        return web.json_response({"issues": [row(1)], "nextPageToken": "t1", "isLast": False})

    async def work() -> None:
        async with answering({("POST", "/rest/api/3/search/jql"): search}) as jira:
            found, _ = await drain(jira, CURSOR)
            assert [each.ref.id for each in found] == ["1", "2"]

    run(work())


def test_cloud_is_asked_in_milliseconds_minus_the_overlap() -> None:
    asked: list[str] = []

    async def search(request: web.Request) -> web.StreamResponse:
        asked.append((await request.json())["jql"])
        return web.json_response({"issues": [], "isLast": True})

    async def work() -> None:
        async with answering({("POST", "/rest/api/3/search/jql"): search}, overlap_seconds=60) as jira:
            await jira.changed_since(CURSOR)

    run(work())
    assert asked == ['project = "OPS" AND updated >= 1763632904910 ORDER BY updated ASC, key ASC']


@pytest.mark.parametrize("cursor", ["", "x", "[]", "{}", '{"other": 1}'])
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    async def work() -> None:
        async with answering({}) as jira:
            with pytest.raises(Rejected):
                await jira.changed_since(cursor)

    run(work())


@pytest.mark.parametrize(
    ("moment", "zone", "text"),
    [
        (datetime(2026, 11, 20, 9, 15, 59, tzinfo=UTC), "Europe/Berlin", '"2026-11-20 10:15"'),
        (datetime(2026, 7, 1, 23, 30, tzinfo=UTC), "Asia/Kolkata", '"2026-07-02 05:00"'),
        # 00:30 and 01:30 UTC are both 02:30 in Berlin on this night: the minute asked for is before both.
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "Europe/Berlin", '"2026-10-25 01:30"'),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "Europe/Berlin", '"2026-10-25 01:30"'),
        (datetime(2026, 10, 25, 2, 0, tzinfo=UTC), "Europe/Berlin", '"2026-10-25 03:00"'),
    ],
)
def test_a_quoted_minute_is_never_later_than_the_moment(moment: datetime, zone: str, text: str) -> None:
    assert minute(moment, ZoneInfo(zone)) == text


def test_names_cannot_break_out_of_the_query() -> None:
    assert quoted('a" OR "b\\') == '"a\\" OR \\"b\\\\"'
    settings = JiraSettings(project="OPS", types=('B"ug', "Task"), jql="labels = vpn OR labels = eu")
    assert scope(settings) == ('project = "OPS" AND issuetype in ("B\\"ug", "Task") AND (labels = vpn OR labels = eu)')
