"""What the system in memory can do beyond the common contract: the troubles that engine tests need."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.sync.connectors.base import (
    AccessRefused,
    Connector,
    ConnectorError,
    Draft,
    RateLimited,
    Rejected,
    SignInFailed,
    StaleVersion,
    TicketGone,
    TicketMerged,
    Unreachable,
)
from apps.sync.connectors.memory import Fault, MemoryConnector, MemorySystem, Ticket, steady_clock
from apps.sync.engine.snapshot import Visibility

MARK = "siam-3f2a9c0d41b7"
DRAFT = Draft("incident", {"title": "Shop is down"})


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def run(act: Awaitable[Any]) -> Any:
    async def wait() -> Any:
        return await act

    return asyncio.run(wait())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def system(clock: Clock) -> MemorySystem:
    return MemorySystem(clock)


@pytest.fixture
def connector(system: MemorySystem) -> Connector:
    return MemoryConnector(system)


def test_an_index_that_lags_misses_what_was_just_created(
    system: MemorySystem, connector: Connector, clock: Clock
) -> None:
    system.index_lag_seconds = 30
    ref = run(connector.create(DRAFT, MARK)).ref
    assert run(connector.find(MARK)) is None
    assert run(connector.fetch(ref)).correlation == MARK
    clock.forward(30)
    assert run(connector.find(MARK)).ref == ref


def test_an_index_that_lags_delays_the_stream_and_loses_nothing(
    system: MemorySystem, connector: Connector, clock: Clock
) -> None:
    system.index_lag_seconds = 200
    cursor = run(connector.changed_since(None)).cursor
    ref = system.create("incident", DRAFT.fields, by="Elaine").ref
    clock.forward(100)
    page = run(connector.changed_since(cursor))
    assert page.tickets == ()
    clock.forward(100)
    assert [changed.ref for changed in run(connector.changed_since(page.cursor)).tickets] == [ref]


@pytest.mark.parametrize(("overlap", "is_seen"), [(60.0, True), (0.0, False)])
def test_a_row_committed_late_is_seen_thanks_to_the_overlap(
    overlap: float, is_seen: bool, system: MemorySystem, connector: Connector, clock: Clock
) -> None:
    connector.capabilities = replace(connector.capabilities, overlap_seconds=overlap)
    cursor = run(connector.changed_since(None)).cursor
    late = system.create("incident", DRAFT.fields, by="Elaine").ref
    system.hide(late, 20)
    clock.forward(10)
    young = system.create("incident", DRAFT.fields, by="Elaine").ref
    page = run(connector.changed_since(cursor))
    assert [changed.ref for changed in page.tickets] == [young]
    clock.forward(10)
    assert (late in [changed.ref for changed in run(connector.changed_since(page.cursor)).tickets]) is is_seen


def test_a_merged_ticket_names_the_one_it_went_into(system: MemorySystem, connector: Connector) -> None:
    first, second = (system.create("incident", DRAFT.fields, by="Elaine").ref for _ in range(2))
    system.merge(first, second)
    with pytest.raises(TicketMerged) as failure:
        run(connector.fetch(first))
    assert failure.value.into == second


def test_a_moved_ticket_keeps_its_id(system: MemorySystem, connector: Connector) -> None:
    ref = run(connector.create(DRAFT, MARK)).ref
    system.move(ref, "OTHER-7")
    read = run(connector.fetch(ref))
    assert (read.ref.id, read.ref.key) == (ref.id, "OTHER-7")


def test_an_owners_rule_can_take_back_what_was_written(system: MemorySystem, connector: Connector) -> None:
    def keep_low(ticket: Ticket) -> None:
        ticket.fields["priority"] = "low"

    ref = run(connector.create(DRAFT, MARK)).ref
    system.after_write = keep_low
    receipt = run(connector.update(ref, {"priority": "high"}, expected=None, correlation=MARK))
    assert receipt.stored == {"priority": "low"}


def test_a_follow_up_remembers_what_it_follows(system: MemorySystem, connector: Connector) -> None:
    ref = run(connector.create(DRAFT, MARK)).ref
    next_ref = run(connector.create(Draft("incident", DRAFT.fields, follow_up_of=ref), "siam-000000000001")).ref
    assert system.tickets[next_ref.id].follow_up_of == ref.id


def test_creating_twice_makes_two(system: MemorySystem, connector: Connector) -> None:
    """A system that swallowed the second call would hide an engine that repeats without looking."""
    run(connector.create(DRAFT, MARK))
    run(connector.create(DRAFT, MARK))
    assert len(system.tickets) == 2


@pytest.mark.parametrize(
    ("fault", "kind", "is_unknown"),
    [
        (Fault("refused"), Unreachable, False),
        (Fault("down"), Unreachable, True),
        (Fault("lost_response"), Unreachable, True),
        (Fault("forbidden"), AccessRefused, False),
        (Fault("stale"), StaleVersion, False),
        (Fault("rate_limited", retry_after=90), RateLimited, False),
        (Fault("expired_token"), SignInFailed, False),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_a_fault_is_told_as_what_it_is(
    fault: Fault, kind: type[ConnectorError], is_unknown: bool, system: MemorySystem, connector: Connector
) -> None:
    ref = system.create("incident", DRAFT.fields, by="Elaine").ref
    system.faults.add(fault)
    with pytest.raises(kind) as failure:
        run(connector.update(ref, {"priority": "high"}, expected=None, correlation=MARK))
    assert failure.value.is_unknown is is_unknown
    assert system.tickets[ref.id].fields["priority"] == ("high" if fault.kind == "lost_response" else None)
    assert fault.hits == 1


def test_a_fault_ends_after_its_times_and_spares_other_verbs(system: MemorySystem, connector: Connector) -> None:
    fault = system.faults.add(Fault("down", on="create", times=2))
    run(connector.check())
    for _ in range(2):
        with pytest.raises(Unreachable):
            run(connector.create(DRAFT, MARK))
    run(connector.create(DRAFT, MARK))
    assert fault.hits == 2


def test_a_fault_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="lost_response"):
        Fault("gremlins")


def test_a_refused_write_leaves_no_trace(system: MemorySystem, connector: Connector) -> None:
    ref = run(connector.create(DRAFT, MARK)).ref
    before = run(connector.fetch(ref))
    for fields in ({"status": "resolved"}, {"assignee": "Nobody"}, {"reporter": "Elaine"}, {"nonsense": 1}):
        with pytest.raises(Rejected):
            run(connector.update(ref, {"priority": "high", **fields}, expected=None, correlation=MARK))
    assert run(connector.fetch(ref)) == before
    assert run(connector.changes(ref, None)) == ()


def test_two_systems_with_one_history_are_equal() -> None:
    states = []
    for _ in range(2):
        system = MemorySystem(steady_clock())
        ref = system.create("incident", DRAFT.fields, by="Elaine").ref
        system.comment(ref, "Looking", Visibility.INTERNAL, by="David")
        system.edit(ref, {"status": "in progress", "labels": ("b", "a")}, by="Marco")
        states.append(system.true_state())
    assert states[0] == states[1]
    assert states[0]["tickets"][0]["fields"]["labels"] == ["a", "b"]


def test_what_is_gone_is_gone_for_everybody(system: MemorySystem, connector: Connector) -> None:
    ref = run(connector.create(DRAFT, MARK)).ref
    system.delete(ref)
    for act in (connector.fetch(ref), connector.changes(ref, None), connector.find(MARK, ref)):
        with pytest.raises(TicketGone):
            run(act)
    assert run(connector.find(MARK)) is None
