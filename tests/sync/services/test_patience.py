"""A system that hangs, or one ticket in it, keeps no worker and no other lane (INV-8, INV-9)."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Q
from django.utils import timezone

from apps.sync import services as sync
from apps.sync.connectors.base import Unreachable
from apps.sync.connectors.catalog import CONNECTORS
from apps.sync.models import Connection, ConnectionPulse, TicketLink
from apps.sync.services import patience, polling, rounds
from apps.sync.services.calling import begin
from apps.sync.services.patience import OTHERS_TURN, carry_on
from apps.sync.store.claims import hear_journals
from apps.tickets.models import Ticket

from .stage import AT, Stage

A = "infinity-architecture"
MOMENT = 0.2


class Hanging:
    """What a system does not answer until it is released: an edit to "hangs", and what ``verbs`` names."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.verbs: set[str] = set()
        self.calls: list[str] = []

    async def hang(self) -> None:
        while not self.released.is_set():  # noqa: ASYNC110  it is set by another thread
            await asyncio.sleep(0.01)

    def connector(self, plain: Any) -> Any:
        hanging = self

        class Connector(plain):
            async def _call(self, verb: str, act: Any) -> Any:
                hanging.calls.append(verb)
                if verb in hanging.verbs:
                    await hanging.hang()
                return await super()._call(verb, act)

            async def update(self, ref: Any, fields: Any, **rest: Any) -> Any:
                if fields.get("title") == "hangs":
                    await hanging.hang()
                return await super().update(ref, fields, **rest)

        return Connector


def come(check: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20.0
    while not check() and time.monotonic() < end:
        time.sleep(0.02)
    return check()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    made = Hanging()
    yield made
    made.released.set()
    assert come(lambda: not patience._beside._works)


@pytest.fixture
def staged(stage: Stage, hanging: Hanging, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage whose workers are impatient, and whose system may hang; what it holds is committed."""
    stage.connect(A)
    monkeypatch.setitem(CONNECTORS, f"memory-{A}", hanging.connector(CONNECTORS[f"memory-{A}"]))
    # The open connector was made before.
    Connection.objects.filter(pk=stage.connections[A].pk).update(settings={"opened": "anew"})
    return stage


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "MOMENT", MOMENT)
    monkeypatch.setattr(patience, "TICK", 0.05)


def is_settled(link: TicketLink) -> bool:
    return TicketLink.objects.filter(pk=link.pk, claimed_by="", attempts=0, intents__slot="update").exists()


def work(stage: Stage) -> int:
    """A round at this very moment, as the claims go by."""
    hear_journals(Q())
    return sync.run_round(stage.connection(A)).worked


def count_calls(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[None]:
    """What grows with every call of the function ``name``."""
    calls, really = list[None](), getattr(module, name)

    def called(*given: Any) -> Any:
        calls.append(None)
        return really(*given)

    monkeypatch.setattr(module, name, called)
    return calls


def linked(stage: Stage, *titles: str) -> list[Ticket]:
    made = [stage.open(A, title=title) for title in titles]
    stage.rest()
    return made


# --- Whoever waits ----------------------------------------------------------------------------------------------------


def test_what_is_answered_at_once_is_settled_by_who_asked() -> None:
    answer: Future[int] = Future()
    answer.set_result(1)
    seen: list[threading.Thread] = []

    def work() -> patience.Waiting:
        yield answer
        seen.append(threading.current_thread())

    assert carry_on(work())
    assert seen == [threading.current_thread()]


def test_what_takes_longer_goes_on_beside_whatever_else_fails_there(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    answer: Future[int] = Future()
    through = threading.Event()

    def fails() -> patience.Waiting:
        yield answer
        raise RuntimeError("a fault of ours")

    def works() -> patience.Waiting:
        while not answer.done():
            yield answer
        through.set()

    assert not carry_on(fails())
    assert not carry_on(works())
    answer.set_result(1)
    assert through.wait(10)


def test_work_that_has_much_to_do_lets_others_go_on_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    answer: Future[int] = Future()
    went: list[str] = []
    through = threading.Event()

    def works(name: str) -> patience.Waiting:
        while not answer.done():
            yield answer
        for _ in range(3):
            went.append(name)
            yield OTHERS_TURN
        through.set()

    assert not carry_on(works("a"))
    assert not carry_on(works("b"))
    answer.set_result(1)
    assert through.wait(10)
    assert come(lambda: went == ["a", "b"] * 3)


# --- Rounds -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_ticket_that_hangs_keeps_neither_the_worker_nor_the_lane_beside_it(
    staged: Stage, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = linked(staged, "one", "two")
    impatient(monkeypatch)
    staged.edit(first, A, title="hangs")
    staged.edit(second, A, title="well")
    began = time.monotonic()
    assert work(staged) == 2
    assert time.monotonic() - began < 10
    assert come(lambda: is_settled(staged.link(A, second)))
    slow = staged.link(A, first)
    assert slow.claimed_by
    assert staged.remote(A, first).fields["title"] == "one"
    hanging.released.set()
    assert come(lambda: is_settled(staged.link(A, first)))
    assert staged.remote(A, first).fields["title"] == "hangs"


def test_a_round_settles_some_lanes_at_a_time_and_keeps_its_claims_in_between(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.connect(A)
    for title in ("one", "two", "three"):
        sync.link_ticket(stage.open(A, title=title), now=stage.now)
    yielded: list[Any] = []

    def go_on(trip: patience.Waiting) -> None:
        for awaited in trip:
            wait([awaited])
            yielded.append(awaited)

    monkeypatch.setattr(rounds, "LANES_A_TRANSACTION", 1)
    monkeypatch.setattr(rounds, "carry_on", go_on)
    kept = count_calls(monkeypatch, rounds, "keep_leases")
    assert stage.round(A).worked == 3
    assert yielded.count(OTHERS_TURN) == 2
    assert len(kept) >= 3
    assert TicketLink.objects.filter(state=TicketLink.State.LINKED).count() == 3


@pytest.mark.django_db(transaction=True)
def test_no_more_lanes_are_begun_than_a_system_that_hangs_may_have(
    staged: Stage, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = linked(staged, "one", "two", "three")
    impatient(monkeypatch)
    monkeypatch.setattr(rounds._places, "_most", 2)
    for ticket in tickets:
        staged.edit(ticket, A, title="hangs")
    assert work(staged) == 2
    assert work(staged) == 0
    hanging.released.set()
    assert come(lambda: rounds._places.free(str(staged.connections[A].pk)) == 2)
    assert work(staged)


@pytest.mark.django_db(transaction=True)
def test_a_process_too_slow_to_keep_its_claims_does_not_take_its_own_lanes_from_itself(
    staged: Stage, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ticket,) = linked(staged, "one")
    impatient(monkeypatch)
    staged.edit(ticket, A, title="hangs")
    assert work(staged) == 1
    token = staged.link(A, ticket).claimed_by
    TicketLink.objects.update(claimed_until=timezone.now() - timedelta(minutes=1))
    assert work(staged) == 0, "every call would be made again, and nothing of it settled"
    assert staged.link(A, ticket).claimed_by == token
    hanging.released.set()
    assert come(lambda: is_settled(staged.link(A, ticket)))
    assert staged.remote(A, ticket).fields["title"] == "hangs"
    assert not rounds._places.taken(str(staged.connections[A].pk))


# --- Everything else that calls ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_system_that_hangs_is_asked_for_changes_once_at_a_time(
    staged: Stage, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(staged, "one")
    impatient(monkeypatch)
    monkeypatch.setattr(polling, "SHORTEST_TURN", 0.8)
    Connection.objects.filter(pk=staged.connections[A].pk).update(poll_seconds=0)
    ConnectionPulse.objects.filter(connection=staged.connections[A]).update(poll_due_at=None)
    hanging.verbs, hanging.calls = {"changed_since"}, []
    staged.person_opens(A)
    assert sync.poll(staged.connection(A)) == 0
    for _ in range(10):
        time.sleep(0.2)
        sync.poll(staged.connection(A))
    assert hanging.calls.count("changed_since") <= 2
    hanging.released.set()
    sighted = TicketLink.objects.filter(connection=staged.connections[A], state="sighted")
    assert come(sighted.exists)


@pytest.mark.django_db(transaction=True)
def test_a_system_that_hangs_is_opened_once_for_all_who_wait(staged: Stage, hanging: Hanging) -> None:
    hanging.verbs = {"check"}
    connection = staged.connection(A)
    answers = [begin(connection, lambda connector: connector.changed_since(None), []) for _ in range(3)]
    assert come(lambda: bool(hanging.calls))
    time.sleep(0.1)
    assert hanging.calls == ["check"]
    hanging.released.set()
    wait(answers, timeout=10)
    assert hanging.calls == ["check", *["changed_since"] * 3]


def test_a_person_waits_for_a_system_for_a_while_only(
    stage: Stage, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.connect(A)
    monkeypatch.setitem(CONNECTORS, f"memory-{A}", hanging.connector(CONNECTORS[f"memory-{A}"]))
    hanging.verbs = {"check"}
    monkeypatch.setattr("apps.sync.services.connections.VISIT_SECONDS", 0.1)
    with pytest.raises(Unreachable, match="did not answer"):
        sync.check_connection(connection=stage.connection(A), actor=stage.actor(A), at=AT)
