"""Gates: every call of a connection goes through one, whichever worker makes it (INV-33)."""

import asyncio
import time
from concurrent.futures import wait
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.sync import services as sync
from apps.sync.connectors.base import UNSAID, CallsSpent, RateLimited, Rejected, VendorFault
from apps.sync.connectors.catalog import CONNECTORS
from apps.sync.connectors.http import Gate
from apps.sync.engine.allowance import Limit
from apps.sync.models import Connection, ConnectionPulse, TicketLink
from apps.sync.selectors import allowance_of
from apps.sync.services import gates
from apps.sync.services.calling import begin, until_answered
from apps.sync.services.gates import CallGate, gate_for

from .stage import AT, Stage

A = "infinity-architecture"


@pytest.fixture
def admitted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The verbs that were let through, of a system of ``A`` whose calls go through the gate."""
    stage.connect(A)
    through: list[str] = []
    plain: Any = CONNECTORS[f"memory-{A}"]

    class Gated(plain):  # type: ignore[misc]
        def __init__(self, context: Any) -> None:
            super().__init__(context)
            self.gate: Gate = context.gate

        async def _call(self, verb: str, act: Any) -> Any:
            await self.gate.admit()
            through.append(verb)
            return await super()._call(verb, act)

    monkeypatch.setitem(CONNECTORS, f"memory-{A}", Gated)
    # The open connector was made before.
    Connection.objects.filter(pk=stage.connections[A].pk).update(settings={"opened": "anew"})
    return through


def ask(stage: Stage) -> None:
    """One call that is no lane's."""
    answer = begin(stage.connection(A), lambda connector: connector.changed_since(None), [])
    for _ in until_answered(stage.connection(A), answer, lambda: None):
        wait([answer])


def allow(stage: Stage, **calls: int | None) -> None:
    sync.change_connection(connection=stage.connection(A), actor=stage.actor(A), allowance=calls)


def pulse(stage: Stage) -> ConnectionPulse:
    return ConnectionPulse.objects.get(connection=stage.connections[A])


def many(stage: Stage, number: int) -> None:
    for index in range(number):
        sync.link_ticket(stage.open(A, title=f"ticket {index}"), now=stage.now)


def statements(stage: Stage) -> list[str]:
    """What one round says to the database about allowances."""
    with CaptureQueriesContext(
        database,
    ) as said:
        stage.round(A)
    return [one["sql"] for one in said if "full_at" in one["sql"] and one["sql"].startswith("UPDATE")]


def test_without_a_limit_a_round_says_nothing_about_it_to_the_database(stage: Stage, admitted: list[str]) -> None:
    many(stage, 5)
    assert statements(stage) == []
    assert admitted.count("create") == 5


def test_with_a_limit_a_round_takes_its_calls_with_one_statement(stage: Stage, admitted: list[str]) -> None:
    allow(stage, calls_per_minute=600)
    many(stage, 5)
    assert len(statements(stage)) == 1
    assert admitted.count("create") == 5


def test_a_round_takes_no_more_lanes_than_there_are_calls_for(stage: Stage, admitted: list[str]) -> None:
    allow(stage, calls_per_hour=120)
    many(stage, 12)
    assert Limit(120, 3600).burst == 20
    assert stage.round(A).worked == (20 - gates.FOR_POLLS) // gates.CALLS_A_LANE
    assert len(admitted) <= 20


def test_lanes_wait_all_at_once_for_the_release_and_then_go_on(stage: Stage, admitted: list[str]) -> None:
    allow(stage, calls_per_hour=120)
    many(stage, 30)
    while stage.round(A, minutes=0).worked:
        pass
    spent_until = pulse(stage).spent_until
    assert spent_until is not None and spent_until > stage.now
    assert str(stage.connection(A).pk) not in sync.connections_with_work(stage.now)
    assert allowance_of(stage.connection(A), now=stage.now).release_at == spent_until
    before = len(admitted)
    stage.now = spent_until
    assert str(stage.connection(A).pk) in sync.connections_with_work(stage.now)
    assert stage.round(A, minutes=0).worked
    assert len(admitted) > before


def test_rounds_leave_calls_for_asking_what_changed(stage: Stage, admitted: list[str]) -> None:
    allow(stage, calls_per_hour=120)
    many(stage, 30)
    while stage.round(A, minutes=0).worked:
        pass
    ConnectionPulse.objects.filter(connection=stage.connections[A]).update(poll_due_at=None)
    assert "create" in admitted
    sync.poll(stage.connection(A), now=stage.now)
    assert admitted[-1] == "changed_since"


def test_whoever_finds_no_call_left_gives_way_and_says_so(stage: Stage, admitted: list[str]) -> None:
    allow(stage, calls_per_hour=120)
    full = timezone.now() + 20 * Limit(120, 3600).interval
    ConnectionPulse.objects.filter(connection=stage.connections[A]).update(hour_full_at=full)
    with pytest.raises(CallsSpent, match="120 calls in any hour") as refused:
        ask(stage)
    assert refused.value.retry_after > 1
    assert admitted == []
    assert pulse(stage).spent_until is not None
    link = TicketLink.objects.filter(connection=stage.connections[A])
    assert not link.filter(attempts__gt=0).exists()


def test_a_person_is_told_at_once_that_there_are_no_calls_left(stage: Stage, admitted: list[str]) -> None:
    allow(stage, calls_per_hour=120)
    full = timezone.now() + 20 * Limit(120, 3600).interval
    ConnectionPulse.objects.filter(connection=stage.connections[A]).update(hour_full_at=full)
    with pytest.raises(CallsSpent):
        sync.check_connection(connection=stage.connection(A), actor=stage.actor(A), at=AT)
    assert admitted == []


def test_after_a_request_to_wait_nothing_more_of_the_same_round_goes_out(stage: Stage, admitted: list[str]) -> None:
    many(stage, 30)
    stage.fault(A, "rate_limited", retry_after=60.0, on="create", times=1)
    stage.round(A)
    # Those that were under way beside the first: no more than go out at once, of thirty.
    assert admitted.count("create") <= 16
    until = pulse(stage).limited_until
    assert until is not None and until > timezone.now() + timedelta(seconds=55)
    before = len(admitted)
    with pytest.raises(RateLimited):
        ask(stage)
    assert len(admitted) == before


def test_what_one_process_was_asked_holds_for_the_others(stage: Stage, admitted: list[str]) -> None:
    gate = gate_for(stage.connection(A))
    ConnectionPulse.objects.filter(connection=stage.connections[A]).update(
        limited_until=timezone.now() + timedelta(seconds=60)
    )
    gate.attend(stage.connection(A))
    with pytest.raises(RateLimited):
        asyncio.run(gate.admit())


def test_neither_a_person_nor_a_resumption_calls_before_the_system_wants_it(stage: Stage, admitted: list[str]) -> None:
    until = timezone.now() + timedelta(seconds=60)
    ConnectionPulse.objects.filter(connection=stage.connections[A]).update(limited_until=until)
    sync.pause_connection(connection=stage.connection(A), actor=stage.actor(A), at=AT)
    sync.resume_connection(connection=stage.connection(A), actor=stage.actor(A), at=AT)
    assert pulse(stage).limited_until == until
    with pytest.raises(RateLimited):
        sync.check_connection(connection=stage.connection(A), actor=stage.actor(A), at=AT)
    assert admitted == []


def test_a_short_wait_is_sat_out(stage: Stage, admitted: list[str]) -> None:
    gate = CallGate()
    gate.close(0.3, "please")
    asyncio.run(asyncio.wait_for(gate.admit(), timeout=5))


def refusal(seconds: float = UNSAID) -> RateLimited:
    return RateLimited("please", retry_after=seconds)


def test_a_system_that_does_not_say_for_how_long_is_left_alone_longer_each_time(monkeypatch: Any) -> None:
    clock = [1000.0]
    monkeypatch.setattr(gates.time, "monotonic", lambda: clock[0])
    gate, waits = CallGate(), list[float]()
    for _ in range(12):
        gate.heard(first := refusal())
        gate.heard(beside := refusal())
        # Who was refused in the same moment makes it no worse.
        assert beside.retry_after == pytest.approx(first.retry_after)
        waits.append(first.retry_after)
        clock[0] += first.retry_after
    assert waits[:4] == pytest.approx([gates.FIRST_HALT * 2**doubled for doubled in range(4)])
    assert waits[-1] == gates.LONGEST_HALT
    for _ in range(12 * gates.CALLS_OF_CALM):
        asyncio.run(gate.admit())
    gate.heard(calm := refusal())
    assert calm.retry_after == gates.FIRST_HALT


def test_a_read_is_repeated_after_the_wait_that_the_system_asked_for_if_that_is_short() -> None:
    gate = CallGate()

    async def repeated(seconds: float) -> float:
        assert await gate.may_repeat(refusal(seconds))
        before = time.monotonic()
        await gate.admit()
        return time.monotonic() - before

    assert asyncio.run(repeated(1.0)) >= 1.0
    assert not asyncio.run(gate.may_repeat(refusal(60.0)))
    assert not asyncio.run(gate.may_repeat(Rejected("no such field")))


def test_nobody_who_waits_for_a_person_repeats_anything() -> None:
    gate = CallGate(patience=0.0)
    assert not asyncio.run(gate.may_repeat(VendorFault("answered 503")))
    assert not asyncio.run(gate.may_repeat(refusal()))


def test_no_round_is_given_up_for_a_moment(stage: Stage, admitted: list[str]) -> None:
    many(stage, 1)
    asked = timezone.now()
    until = max(stage.now, asked) + timedelta(seconds=0.5)
    ConnectionPulse.objects.filter(connection=stage.connections[A]).update(limited_until=until)
    sync.run_round(stage.connection(A), now=until - timedelta(seconds=0.5))
    assert "create" in admitted
    assert timezone.now() >= asked + timedelta(seconds=0.5)


def test_what_a_system_says_of_its_limit_is_kept_and_the_lower_one_counts(stage: Stage, admitted: list[str]) -> None:
    ask(stage)
    gate_for(stage.connection(A)).learn(700, 60.0)
    ask(stage)
    assert pulse(stage).told_per_minute == 700
    allow(stage, calls_per_minute=100)
    (limit,) = allowance_of(stage.connection(A), now=timezone.now()).limits
    assert (limit.calls, limit.length, limit.is_told) == (100, "minute", False)
    allow(stage, calls_per_minute=None)
    (limit,) = allowance_of(stage.connection(A), now=timezone.now()).limits
    assert (limit.calls, limit.is_told) == (700, True)


def test_an_allowance_too_small_for_one_ticket_is_refused(stage: Stage) -> None:
    stage.connect(A)
    with pytest.raises(sync.ConnectionRefused, match="calls_per_minute: fewer than 30 calls"):
        allow(stage, calls_per_minute=3)


def test_who_set_which_allowance_stands_in_the_history(stage: Stage) -> None:
    stage.connect(A)
    allow(stage, calls_per_minute=90)
    allow(stage, calls_per_minute=None)
    kept = [one.calls_per_minute for one in stage.connection(A).history.order_by("history_id")]
    assert kept[-3:] == [None, 90, None]
