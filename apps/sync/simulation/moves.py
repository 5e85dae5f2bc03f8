"""Every kind of move with its share. A move is a name and three numbers; they choose among what there is at the moment,
so that a story can be told again with some of its moves left out."""

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import accidents, people
from .brittle import Killed, StoreDown
from .workers import (
    Errand,
    Poll,
    advance,
    begin_round,
    is_callable,
    poll_on,
    settle_one,
)

if TYPE_CHECKING:
    from .world import Act, Move, World

MOST_WORKERS = 4
WORKERS_A_CONNECTION = 2
POLL_SECONDS = 20.0
FUSES = (0,) * 60 + (1, 2, 3, 5, 8)
"""Statements until a worker dies or the database fails in the middle of them; mostly never."""


def _light_fuse(world: "World", bits: int, stage: str) -> None:
    """Once in a while a process dies, or a statement fails, between two statements of this move."""
    store = world.store
    fuses = FUSES if stage in ("decide", "settle") else FUSES[50:]
    store.fuse = 0 if world.is_calm or not world.rate else fuses[bits % len(fuses)] * (1 + bits % 3)
    store.breaks = Killed if bits & 512 else _failed_statement
    is_in_doubt = not world.is_calm and bool(world.rate) and stage in ("decide", "settle") and bits % 331 == 0
    store.dies_after_commit = is_in_doubt


def _failed_statement() -> StoreDown:
    return StoreDown("the connection to the database was lost")


def _put_out(world: "World", stage: str, problem: BaseException | None) -> None:
    store = world.store
    if problem is not None and not store.is_read_only:
        number = 54 if store.died_after_commit else 53 if isinstance(problem, StoreDown) else 50
        world.coverage.hit(number, stage)
    store.fuse, store.dies_after_commit, store.died_after_commit = 0, False, False


# --- Workers ----------------------------------------------------------------------------------------------------------


def begin(world: "World", a: int, b: int, _c: int) -> str | None:
    """A worker claims what is due in one connection, and decides."""
    if len(world.workers) >= MOST_WORKERS:
        return None
    connections = list(world.store.connections.values())
    for place in range(len(connections)):
        connection = connections[(a + place) % len(connections)]
        busy = sum(worker.connection is connection for worker in world.workers)
        # A system that rested is tried by one.
        most = WORKERS_A_CONNECTION if connection.pulse.resting_until is None else 1
        if busy >= most or not is_callable(world, connection):
            continue
        if next(world.store.due(connection, world.portal_now()), None) is not None:
            return _begin(world, connection.pk, b)
    return None


def _begin(world: "World", pk: str, b: int) -> str:
    connection = world.store.connections[pk]
    _light_fuse(world, b, "decide")
    try:
        worker = begin_round(world, connection, is_old=world.has_old_portal and bool(b & 4096))
    except (Killed, StoreDown) as problem:
        _put_out(world, "decide", problem)
        return f"a worker of {pk} dies deciding"
    _put_out(world, "decide", None)
    if worker is None:
        return f"a worker of {pk} has nothing to call for"
    world.workers.append(worker)
    return f"a worker of {pk} begins: {', '.join(_told(one) for one in worker.errands)}"


def _told(errand: Errand) -> str:
    work = errand.work
    what = getattr(work, "step", None)
    verb = type(what).__name__ if what is not None else type(work).__name__
    return f"{verb} for {errand.link.pk}"


def request(world: "World", a: int, b: int, c: int) -> str | None:
    """One request of one worker is answered, somehow."""
    waiting = [
        (worker, errand)
        for worker in world.workers
        if not worker.frozen
        for errand in worker.errands
        if errand.result is None
    ]
    if not waiting:
        return None
    worker, errand = waiting[a % len(waiting)]
    world.at_work = (worker, errand)
    if errand.running is None:
        advance(world, worker, errand)
        if errand.result is not None:
            return f"{_told(errand)} is not begun: {type(errand.result).__name__}"
    call = errand.call
    assert call is not None
    answer, problem = world.serve(worker.connection, call, b | (c << 16))
    advance(world, worker, errand, answer, problem)
    ended = f", and is over: {type(errand.result).__name__}" if errand.result is not None else ""
    failed = f" fails: {type(problem).__name__}" if problem is not None else " is answered"
    return f"{call.operation} of {_told(errand)} in {worker.connection.pk}{failed}{ended}"


def settle(world: "World", a: int, b: int, _c: int) -> str | None:
    """A worker whose calls are all done writes down what came of one of them."""
    done = [
        worker
        for worker in world.workers
        if not worker.frozen and all(errand.result is not None for errand in worker.errands)
    ]
    if not done:
        return None
    worker = done[a % len(done)]
    world.at_work = (worker, worker.errands[0])
    _light_fuse(world, b, "settle")
    try:
        errand = settle_one(world, worker, (b % 997) / 997)
    except (Killed, StoreDown) as problem:
        _put_out(world, "settle", problem)
        world.workers.remove(worker)
        worker.give_up()
        return f"a worker of {worker.connection.pk} dies settling"
    failed = errand.left_for_later
    _put_out(world, "settle", failed)
    if not worker.errands:
        world.workers.remove(worker)
    return f"{_told(errand)} of {worker.connection.pk} {'cannot be settled now' if failed else 'is settled'}"


# --- Polls ------------------------------------------------------------------------------------------------------------


def poll(world: "World", a: int, b: int, c: int) -> str | None:
    """A poll begins, or goes on by one request."""
    if world.polls and (a % 4 or len(world.polls) > 1):
        return _poll_on(world, world.polls[b % len(world.polls)], b, c)
    connections = list(world.store.connections.values())
    connection, now = connections[b % len(connections)], world.portal_now()
    due_at, twice = connection.pulse.poll_due_at, any(one.connection is connection for one in world.polls)
    if not is_callable(world, connection) or world.store.is_read_only:
        return None
    if due_at is not None and due_at > now and (world.is_calm or c % 8):
        return None
    if twice:
        world.coverage.hit(52, "poll")
    world.store.update(connection.pulse, poll_due_at=_later(world))
    made = Poll(connection, world.store.cursor(world.store.handed(connection)))
    world.polls.append(made)
    poll_on(world, made)
    return f"{connection.pk} is asked what changed"


def _later(world: "World") -> object:
    from datetime import timedelta

    return world.portal_now() + timedelta(seconds=POLL_SECONDS)


def _poll_on(world: "World", one: Poll, b: int, c: int) -> str:
    assert one.call is not None
    answer, problem = world.serve(one.connection, one.call, b | (c << 16))
    _light_fuse(world, c, "poll")
    goes_on, told = False, "answered" if problem is None else f"failed: {type(problem).__name__}"
    try:
        goes_on = poll_on(world, one, answer, problem)
        _put_out(world, "poll", None)
    except (Killed, StoreDown) as died:
        _put_out(world, "poll", died)
        told = "cut off"
    if not goes_on:
        world.polls.remove(one)
    return f"the poll of {one.connection.pk} is {told}"


def hear(world: "World", a: int, b: int, c: int) -> str | None:
    """A webhook comes."""
    if not world.notices:
        return None
    before = len(world.delivered)
    _light_fuse(world, c, "hear")
    told = accidents.notice_comes(world, a, b, c)
    refused = told is not None and "refused" in told
    _put_out(world, "hear", world.store.breaks() if refused and before >= 0 else None)
    return told


# --- The table --------------------------------------------------------------------------------------------------------

SHARES: tuple[tuple[int, "Act"], ...] = (
    (430, request),
    (140, settle),
    (100, begin),
    (60, poll),
    (60, hear),
    (9, people.edit_here),
    (5, people.say_here),
    (6, people.attach_here),
    (5, people.open_here),
    (16, people.share),
    (14, people.edit_there),
    (6, people.say_there),
    (3, people.attach_there),
    (5, people.open_there),
    (20, people.retry),
    (12, people.answer),
    (6, accidents.sweep),
    (14, accidents.time_goes_by),
    (5, accidents.act_as_us),
    (12, accidents.trouble_ticket),
    (6, people.import_there),
    (10, accidents.heal_ticket),
    (6, accidents.trouble_system),
    (10, accidents.trouble_notices),
    (4, accidents.kill_worker),
    (1, accidents.kill_portal),
    (3, accidents.freeze_worker),
    (4, accidents.thaw_worker),
    (3, accidents.trouble_database),
    (30, accidents.mend_database),
    (1, accidents.trouble_clock),
    (4, accidents.trouble_rules),
)
QUIET = frozenset({accidents.trouble_ticket, accidents.trouble_system, accidents.kill_worker, accidents.kill_portal,
                   accidents.freeze_worker, accidents.trouble_database, accidents.trouble_clock,
                   accidents.trouble_notices})  # fmt: skip
"""Moves that a world without faults leaves out."""

ACTS: dict[str, "Act"] = {act.__name__: act for _share, act in SHARES}
TABLE: tuple[str, ...] = tuple(act.__name__ for share, act in SHARES for _ in range(share))


def draw(dice: random.Random) -> Iterator["Move"]:
    """Moves without end."""
    size = len(TABLE)
    while True:
        bits = dice.getrandbits(64)
        yield TABLE[(bits & 0xFFFF) % size], bits >> 16 & 0xFFFF, bits >> 32 & 0xFFFF, bits >> 48


def perform(world: "World", move: "Move") -> str | None:
    """Make one move; what happened, or None if it was not possible. Raises Broken."""
    name, a, b, c = move
    act = ACTS[name]
    if not world.rate and act in QUIET:
        return None
    if world.store.is_read_only and act in NEEDS_THE_DATABASE:
        return None
    # Nobody is, until the move says who: neither the rules nor the claims of the last one at work hold for it.
    world.at_work = (None, None)
    told = act(world, a, b, c)
    if told is not None:
        world.trace.line(name, world.seconds)
        world.pass_time((c & 15) * world.pace)
    return told


NEEDS_THE_DATABASE = frozenset({
    people.edit_here, people.say_here, people.attach_here, people.open_here, people.share, people.retry, people.answer,
    accidents.sweep, accidents.trouble_rules,
})  # fmt: skip
