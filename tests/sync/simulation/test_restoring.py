"""The database put back to an earlier moment in simulated worlds, and defects that must not pass there (INV-40)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from apps.sync.engine import deciding, plan, restoring, taking
from apps.sync.simulation import restoring as drill
from apps.sync.simulation.faults import Coverage
from apps.sync.simulation.invariants import Broken
from apps.sync.simulation.resting import rest
from apps.sync.simulation.world import World

POINTS = 6
MOST_POINTS = 40


def live(point: int, seed: str = "restoring") -> None:
    world_seed = f"{seed}/{point}"
    world = World(world_seed, Coverage(), is_plain=True)
    copies = drill.live_through(world, world_seed)
    rest(world)
    drill.agree_on_copies(world, copies)


def live_all() -> None:
    for point in range(MOST_POINTS):
        live(point)


@pytest.mark.parametrize("point", range(POINTS))
def test_a_restored_database_neither_doubles_nor_loses_nor_overwrites(point: int) -> None:
    live(point)


def test_a_world_goes_the_same_way_from_a_copy_put_back_at_once() -> None:
    """A backup is the whole database: nothing of it is shared with what goes on."""
    world = World("restoring/copy", Coverage(), is_plain=True)
    for ticket in ("one", "two"):
        world.store.add_ticket(ticket, "x", {"title": ticket}, world.portal_now())
    backup = drill.back_up(world)
    world.store.change("one", {"title": "changed"}, at=world.portal_now(), origin="")
    drill.put_back(world, backup)
    assert world.store.tickets["one"].fields["title"] == "one"
    assert all(one.is_restored for one in world.store.tickets.values())
    world.store.change("one", {"title": "again"}, at=world.portal_now(), origin="")
    drill.put_back(world, backup)
    assert world.store.tickets["one"].fields["title"] == "one"


# --- Planted defects --------------------------------------------------------------------------------------------------


def marks_from_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark made of what a database gives out a second time."""
    count = iter(range(10**9))

    def number(_self: Any, _origin: str, _ref: str) -> str:
        return f"51a0{next(count):016d}"

    from apps.sync.simulation.hub import MemoryHub

    monkeypatch.setattr(MemoryHub, "_mark", number)


def nobody_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The portal goes on as if nothing had happened: no look before the next write."""
    monkeypatch.setattr(drill, "declare", lambda _world: None)


def cursor_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems are asked only for what changed since the moment of the restore."""
    put_back = drill.put_back

    def skipping(world: World, backup: drill.Backup) -> None:
        present = {name: one.pulse.cursor for name, one in world.store.connections.items()}
        put_back(world, backup)
        for name, cursor in present.items():
            world.store.connections[name].pulse.cursor = cursor

    monkeypatch.setattr(drill, "put_back", skipping)


def nothing_is_tied(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the journal knows of a system's log is not looked up."""
    monkeypatch.setattr(taking, "read_past", lambda *_: restoring.Past())


def creates_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticket is created before it was looked for."""
    monkeypatch.setattr(deciding, "CREATIONS", ())


DEFECTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "marks from numbers": marks_from_numbers,
    "nobody says it": nobody_says_it,
    "the cursor stays": cursor_kept,
    "nothing is tied": nothing_is_tied,
    "creates at once": creates_at_once,
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_does_not_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    DEFECTS[name](monkeypatch)
    with pytest.raises(Broken):
        live_all()


def test_a_correlation_tells_its_entry_and_its_connection() -> None:
    one = plan.correlation_of("51a0" + "0" * 16, "create", "C1")
    assert plan.entry_of(one) == "51a0" + "0" * 16
    assert one != plan.correlation_of("51a0" + "0" * 16, "create", "C2")
    assert replace(restoring.Past(), owed={}).came_back == set()
