"""The portal's processes: workers that carry out rounds, and polls. Each goes on by one request or settling a move."""

from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..engine.claims import Lease
from ..engine.deciding import decide_work
from ..engine.hearing import accept_page
from ..engine.recovery import Action, Failure, FailureKind, backoff, decide
from ..engine.rules import SyncRules
from ..engine.settling import settle
from ..engine.work import Do, Failed, Looked, Result, Work
from ..services.carrying import carry_out, read_failure
from .brittle import StoreDown
from .invariants import Broken
from .rows import SimulatedConnection, SimulatedLink
from .wire import Call

if TYPE_CHECKING:
    from .world import World

LANES_AT_ONCE = 3
FIRST_RETRY = 5.0
MOST_PAGES = 50


@dataclass(eq=False)
class Errand:
    """One lane's work under way: a coroutine that waits for the answer to ``call``."""

    link: SimulatedLink
    work: Work
    call: Call | None = None
    running: Coroutine[Any, Any, Result] | None = None
    result: Result | None = None
    left_for_later: StoreDown | None = None
    """Why it could not be settled."""


@dataclass(eq=False)
class Worker:
    """One round of one connection. ``frozen``: stopped, without knowing it."""

    connection: SimulatedConnection
    rules: SyncRules
    lease: Lease
    errands: list[Errand] = field(default_factory=list)
    frozen: bool = False

    def waiting(self) -> list[Errand]:
        return [errand for errand in self.errands if errand.result is None]

    def give_up(self) -> None:
        """The process is gone; what it awaited never comes."""
        for errand in self.errands:
            if errand.running is not None:
                errand.running.close()
            forget_files(errand.result)


@dataclass(eq=False)
class Poll:
    """One pass of asking a system for changes."""

    connection: SimulatedConnection
    cursor: str | None
    running: Coroutine[Any, Any, Any] | None = None
    call: Call | None = None
    pages: int = 0
    edits_before: int = 0


def is_callable(world: "World", connection: SimulatedConnection) -> bool:
    """Whether a worker may call the system at all at this moment."""
    if connection.state != "active":
        return False
    now, pulse = world.portal_now(), connection.pulse
    return all(until is None or until <= now for until in (pulse.resting_until, pulse.limited_until))


def begin_round(world: "World", connection: SimulatedConnection, *, is_old: bool = False) -> Worker | None:
    """Claim what is due, and decide; None when there is nothing to call for. ``is_old``: the version before does it,
    which needs another round to find that an entry is through (INV-43)."""
    store, now = world.store, world.portal_now()
    handed, is_probe = store.handed(connection), connection.pulse.resting_until is not None
    links = store.claim_probe(handed, now=now) if is_probe else store.claim(handed, now=now, most=LANES_AT_ONCE)
    if not links:
        return None
    lease = Lease(world.port, links[0].claimed_by, world.monotonic)
    rules = connection.rules
    decided = decide_work(world.port, links, rules, now=now, may_go_on=lease.keep)
    if not decided:
        return None
    worker = Worker(connection, rules, lease)
    if is_old:
        decided = [(link, replace(work, ends=None) if isinstance(work, Do) else work) for link, work in decided]
        world.coverage.hit(60, "decide")
    worker.errands = [Errand(link, work) for link, work in decided]  # type: ignore[arg-type]
    world.watch.calls_begin(connection)
    return worker


def advance(
    world: "World", worker: Worker, errand: Errand, answer: Any = None, problem: Exception | None = None
) -> None:
    """Let the coroutine run to its next request, or to its end."""
    if errand.running is None:
        if isinstance(errand.work, Do) and not worker.lease.is_held():
            lapsed = Failure(FailureKind.STALE_VERSION, "the claim on this lane has lapsed; nothing was sent")
            errand.result = Failed(lapsed)
            return
        errand.running = carry_out(world.connectors[worker.connection.pk], errand.work)
    try:
        errand.call = errand.running.send(answer) if problem is None else errand.running.throw(problem)
    except StopIteration as stop:
        errand.result = stop.value
    except Exception as failed:  # noqa: BLE001  as at a worker's edge: one ticket must not stop the others
        errand.result = Failed(read_failure(failed))
    if errand.result is not None:
        errand.call = errand.running = None


def settle_one(world: "World", worker: Worker, dice: float) -> Errand:
    """Write down what came of the first errand; one that cannot be settled is left to a later look."""
    errand, now = worker.errands.pop(0), world.portal_now()
    result = errand.result
    assert result is not None
    worker.lease.keep()
    row = world.store.links.get(errand.link.pk)
    is_held = row is not None and row.claimed_by == errand.link.claimed_by
    try:
        settle(world.port, errand.link, errand.work, result, rules=worker.rules, now=now, dice=lambda: dice)
        if is_held:
            world.watch.settled(worker.connection, errand.link, result)
    except StoreDown as problem:
        errand.left_for_later = problem
        _leave_for_later(world, errand, now)
    except Exception as fault:
        # A worker would leave it for later and log it; here it is a find.
        raise Broken(37, "other", f"{errand.link.pk} cannot be settled: {type(fault).__name__}: {fault}") from fault
    finally:
        forget_files(result)
    return errand


def _leave_for_later(world: "World", errand: Errand, now: Any) -> None:
    store, row = world.store, world.store.links.get(errand.link.pk)
    if row is None or store.is_read_only:
        return
    store.release(errand.link)
    store.update(
        row, due_at=now + timedelta(seconds=backoff(row.attempts, 0.0, FIRST_RETRY)), attempts=row.attempts + 1
    )


def forget_files(result: Result | None) -> None:
    if isinstance(result, Looked):
        for place in result.files.values():
            place.unlink(missing_ok=True)


def poll_on(world: "World", poll: Poll, answer: Any = None, problem: Exception | None = None) -> bool:
    """Let a poll run to its next request; whether there is one. Raises StoreDown."""
    if poll.running is None:
        if not poll.pages:
            world.watch.calls_begin(poll.connection)
        poll.running = world.connectors[poll.connection.pk].changed_since(poll.cursor)
    try:
        poll.call = poll.running.send(answer) if problem is None else poll.running.throw(problem)
        return True
    except StopIteration as stop:
        page = stop.value
    except Exception as failed:  # noqa: BLE001
        _note_failed_poll(world, poll.connection, read_failure(failed))
        return False
    asked = world.store.handed(poll.connection)
    accept_page(world.port, asked, page, now=world.portal_now())
    poll.pages += 1
    if page.is_last or page.cursor == poll.cursor or poll.pages >= MOST_PAGES:
        world.store.note_success(asked, now=world.portal_now())
        return False
    poll.cursor, poll.running = page.cursor, None
    return poll_on(world, poll)


def _note_failed_poll(world: "World", connection: SimulatedConnection, failure: Failure) -> None:
    store, now = world.store, world.portal_now()
    asked = store.handed(connection)
    consequence = decide(failure, connection.pulse.failures, jitter=0.5)
    if consequence.action is Action.PAUSE_CONNECTION:
        store.put_on_hold(asked, failure.detail, now=now)
    elif consequence.action is Action.WAIT:
        if failure.is_connection_wide:
            store.wait_until(asked, now + timedelta(seconds=consequence.delay), failure.detail, now=now)
    else:
        store.note_failure(asked, failure.detail, now=now, jitter=0.5)
    store.update(connection.pulse, poll_due_at=now + timedelta(seconds=consequence.delay))
    if failure.is_connection_wide:
        world.watch.asked_to_wait(connection, failure.retry_after)
