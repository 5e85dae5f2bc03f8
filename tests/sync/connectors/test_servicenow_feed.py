"""Polling misses nothing: not at page borders, not among equal times, not when rows move while we read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.sandbox.servicenow import seed
from apps.sync.connectors.base import Changed, Rejected, VendorFault
from apps.sync.connectors.listing import Place
from apps.sync.connectors.servicenow.connector import ServiceNowConnector
from apps.sync.connectors.servicenow.feed import NOWHERE, Cursor

from .servicenow_instance import Instance, on_instance

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def stopped_clock(instance: Instance) -> Callable[[float], None]:
    """The instance's clock stands; the function moves it on by seconds."""
    at = [NOON]
    instance.sandbox.clock = lambda: at[0]

    def move(seconds: float) -> None:
        at[0] += timedelta(seconds=seconds)

    return move


async def read_on(
    connector: ServiceNowConnector, cursor: str, between: Callable[[], Any] | None = None
) -> tuple[list[Changed], str]:
    """One run: pages until the last; ``between`` is awaited after the first page."""
    found: list[Changed] = []
    for _ in range(50):
        page = await connector.changed_since(cursor)
        found += page.tickets
        cursor = page.cursor
        if page.is_last:
            return found, cursor
        if between is not None:
            await between()
            between = None
    raise AssertionError("the stream never ends")


def ids(found: list[Changed]) -> list[str]:
    return [changed.ref.id for changed in found]


async def begin(connector: ServiceNowConnector) -> str:
    page = await connector.changed_since(None)
    assert (page.tickets, page.is_last) == ((), True)
    return page.cursor


def test_from_now_on_leaves_out_what_was_before() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        move = stopped_clock(instance)
        before = await instance.report()
        move(600)
        await instance.report()
        cursor = await begin(connector)
        move(5)
        after = await instance.report()
        found, _ = await read_on(connector, cursor)
        assert after in ids(found)
        assert before not in ids(found)

    on_instance(play)


def test_a_person_s_edit_is_seen_with_the_version_of_its_snapshot() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        sys_id = await instance.report()
        cursor = await begin(connector)
        await instance.edit(sys_id, urgency="1")
        found, _ = await read_on(connector, cursor)
        snapshot = await connector.fetch(found[0].ref)
        assert (found[0].ref, found[0].version) == (snapshot.ref, snapshot.version)

    on_instance(play)


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 8, 500])
def test_many_rows_of_one_second_all_arrive(page_size: int) -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        stopped_clock(instance)
        cursor = await begin(connector)
        reported = [await instance.report() for _ in range(7)]
        found, _ = await read_on(connector, cursor)
        assert sorted(ids(found)) == sorted(reported)

    on_instance(play, settings={"page_size": page_size})


def test_a_row_that_is_edited_while_we_page_pushes_no_other_row_out() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        move = stopped_clock(instance)
        cursor = await begin(connector)
        reported = []
        for _ in range(6):
            move(1)
            reported.append(await instance.report())

        async def edit_the_first() -> None:
            move(1)
            await instance.edit(reported[0], urgency="1")

        found, _ = await read_on(connector, cursor, edit_the_first)
        assert set(ids(found)) == set(reported)
        assert Changed(found[-1].ref, "1") == found[-1]
        assert found[-1].ref.id == reported[0]

    on_instance(play, settings={"page_size": 2})


def test_a_row_committed_late_with_an_earlier_time_is_caught_by_the_overlap() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        move = stopped_clock(instance)
        cursor = await begin(connector)
        await instance.report()
        _, cursor = await read_on(connector, cursor)
        move(-50)
        late = await instance.report()
        found, _ = await read_on(connector, cursor)
        assert late in ids(found)

    on_instance(play, settings={"overlap_seconds": 60})


def test_the_overlap_is_as_wide_as_the_settings_say() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        move = stopped_clock(instance)
        old = await instance.report()
        move(11)
        new = await instance.report()
        _, cursor = await read_on(connector, await begin(connector))
        assert ids((await read_on(connector, cursor))[0]) == [new]
        assert old != new
        assert connector.capabilities.overlap_seconds == 10

    on_instance(play, settings={"overlap_seconds": 10})


def test_without_overlap_a_row_of_the_cursor_s_own_second_is_still_seen() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        stopped_clock(instance)
        await instance.report()
        _, cursor = await read_on(connector, await begin(connector))
        late = await instance.report()
        assert late in ids((await read_on(connector, cursor))[0])

    on_instance(play, settings={"overlap_seconds": 0})


def test_the_cursor_never_goes_back_when_the_newest_row_is_deleted() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        move = stopped_clock(instance)
        await instance.report()
        move(10)
        newest = await instance.report()
        _, cursor = await read_on(connector, await begin(connector))
        await instance.as_admin("DELETE", f"/api/now/v2/table/incident/{newest}")
        _, after = await read_on(connector, cursor)
        assert Cursor.read(after).of("records") == Cursor.read(cursor).of("records")

    on_instance(play)


def test_a_file_on_a_ticket_out_of_scope_is_not_told() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        cursor = await begin(connector)
        for site in ("berlin", "paris"):
            sys_id = await instance.report(u_site=site)
            await instance.call(
                "POST",
                "/api/now/attachment/file",
                params={"table_name": "incident", "table_sys_id": sys_id, "file_name": "log.txt"},
                data=b"x",
                headers={"Content-Type": "text/plain"},
            )
        assert set(ids((await read_on(connector, cursor))[0])) == {sys_id}

    on_instance(play, settings={"query": "u_site=paris"})


def test_at_rest_the_cursor_stands_still() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        await instance.report()
        _, first = await read_on(connector, await begin(connector))
        _, second = await read_on(connector, first)
        assert first == second

    on_instance(play, settings={"page_size": 1})


def test_rows_that_are_hidden_from_us_do_not_end_the_stream() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        move = stopped_clock(instance)
        cursor = await begin(connector)
        for _ in range(5):
            move(1)
            await instance.report(urgency="1")
        move(1)
        shown = await instance.report(urgency="2")
        found, _ = await read_on(connector, cursor)
        assert ids(found) == [shown]

    on_instance(play, settings={"page_size": 2}, hidden_rows={"incident": "urgency=1"})


def test_only_hidden_rows_begin_at_the_present() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        await instance.report(urgency="1")
        at = Cursor.read(await begin(connector)).of("records").at
        assert at > "2026-11"

    on_instance(play, hidden_rows={"incident": "urgency=1"})


def test_the_customer_s_query_narrows_what_is_seen() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        cursor = await begin(connector)
        await instance.report(u_site="berlin")
        paris = await instance.report(u_site="paris")
        assert ids((await read_on(connector, cursor))[0]) == [paris]

    on_instance(play, settings={"query": "u_site=paris^ORu_site=london"})


def test_a_condition_that_the_instance_ignores_does_not_widen_the_scope() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        cursor = await begin(connector)
        await instance.report(u_site="berlin")
        with pytest.raises(VendorFault, match="u_nope"):
            await connector.changed_since(cursor)

    on_instance(play, settings={"query": "u_nope=paris"})


def test_an_account_in_another_zone_is_noticed_and_not_believed() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        stopped_clock(instance)
        await instance.report()
        cursor = str(Cursor({"records": Place("2026-11-20 12:30:00", "2026-11-20 12:30:00")}))
        with pytest.raises(VendorFault, match="time zone"):
            await connector.changed_since(cursor)

    on_instance(
        play,
        secrets={"username": seed.JOHN, "password": seed.JOHN_PASSWORD},
        settings={"overlap_seconds": 0},
        plain_dates_in_user_zone=True,
    )


def test_a_new_file_is_seen_though_its_ticket_did_not_move(tmp_path: Path) -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        move = stopped_clock(instance)
        sys_id = await instance.report()
        move(600)
        cursor = await begin(connector)
        await instance.call(
            "POST",
            "/api/now/attachment/file",
            params={"table_name": "incident", "table_sys_id": sys_id, "file_name": "log.txt"},
            data=b"x",
            headers={"Content-Type": "text/plain"},
        )
        found, _ = await read_on(connector, cursor)
        by_file = [changed for changed in found if "+" in changed.version]
        assert ids(by_file) == [sys_id]
        assert by_file[0].version != (await connector.fetch(by_file[0].ref)).version

    on_instance(play)


@pytest.mark.parametrize("page_size", [1, 100])
def test_a_file_is_told_once_however_long_nothing_newer_comes(page_size: int) -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        move = stopped_clock(instance)
        tickets = [await instance.report(), await instance.report()]
        move(600)
        cursor = await begin(connector)

        async def attach(sys_id: str) -> None:
            await instance.call(
                "POST",
                "/api/now/attachment/file",
                params={"table_name": "incident", "table_sys_id": sys_id, "file_name": "log.txt"},
                data=b"x",
                headers={"Content-Type": "text/plain"},
            )

        async def told_by_files() -> list[str]:
            nonlocal cursor
            found, cursor = await read_on(connector, cursor)
            return sorted(changed.ref.id for changed in found if "+" in changed.version)

        for sys_id in tickets:
            await attach(sys_id)
            move(1)
        assert await told_by_files() == sorted(tickets)
        for _ in range(3):
            move(5)
            assert await told_by_files() == []
        await attach(tickets[0])
        assert await told_by_files() == [tickets[0]]
        assert await told_by_files() == []

    on_instance(play, settings={"page_size": page_size})


def test_a_deleted_ticket_is_told() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        sys_id = await instance.report()
        cursor = await begin(connector)
        await instance.as_admin("DELETE", f"/api/now/v2/table/incident/{sys_id}")
        found, _ = await read_on(connector, cursor)
        assert [changed.is_deleted for changed in found if changed.ref.id == sys_id] == [True]

    on_instance(play)


def test_polling_goes_on_where_files_and_deletions_may_not_be_read() -> None:
    async def play(instance: Instance, connector: ServiceNowConnector) -> None:
        cursor = await begin(connector)
        sys_id = await instance.report()
        assert ids((await read_on(connector, cursor))[0]) == [sys_id]

    on_instance(play, denied_tables=("sys_audit_delete", "sys_attachment"), deletions_readable=False)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"records":["yesterday",""]}', '{"records":[1]}', '{"records":"x"}', "7"]
)
def test_a_foreign_cursor_is_rejected(text: str) -> None:
    with pytest.raises(Rejected) as refusal:
        Cursor.read(text)
    assert refusal.value.field == "cursor"


def test_a_cursor_reads_what_it_wrote() -> None:
    records = Place("2026-11-20 12:00:00", "2026-11-20 11:00:00", "a" * 32)
    cursor = Cursor({"records": records, "files": NOWHERE})
    assert Cursor.read(str(cursor)) == cursor


def test_a_cursor_of_the_version_before_is_read() -> None:
    at = "2026-11-20 12:00:00"
    cursor = Cursor.read(f'{{"records":["{at}",""],"files":["{at}","{"a" * 32}"]}}')
    assert cursor == Cursor({"records": Place(at, at), "files": Place(at, at, "a" * 32)})
