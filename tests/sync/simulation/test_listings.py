"""A listing of changes that is left in the middle of a simulated world and goes on much later (INV-3)."""

import pytest

from apps.sync.simulation.faults import Coverage
from apps.sync.simulation.invariants import Broken
from apps.sync.simulation.system import RemoteTicket
from apps.sync.simulation.words import PERSON
from apps.sync.simulation.workers import Poll, poll_on
from apps.sync.simulation.world import World

from .defects import DEFECTS
from .exam import planted

NAME = "jira0"


def open_there(world: World, *, shown_after: float = 0.0) -> RemoteTicket:
    system = world.systems[NAME]
    system.lag = lambda: shown_after
    made = system.open({"summary": "VPN drops"}, by=PERSON)
    world.pass_time(1.0)
    return made


def ask(world: World) -> Poll:
    connection = world.store.connections[NAME]
    poll = Poll(connection, world.store.cursor(connection))
    poll_on(world, poll)
    return poll


def answer(world: World, poll: Poll) -> bool:
    """Whether there is one more page."""
    assert poll.call is not None
    return poll_on(world, poll, poll.call.act())


def list_all(world: World) -> None:
    poll = ask(world)
    while answer(world, poll):
        pass


def leave_a_listing(world: World) -> RemoteTicket:
    """A ticket that the index shows behind the first page of a listing, which then goes on to its end."""
    late = open_there(world, shown_after=60.0)
    for _number in range(4):
        open_there(world)
    poll = ask(world)
    assert answer(world, poll)
    world.pass_time(3600.0)
    open_there(world)
    while answer(world, poll):
        pass
    return late


def test_the_next_listing_tells_what_the_index_showed_late() -> None:
    world = World("listings", Coverage(), kinds=("jira",), is_plain=True)
    late = leave_a_listing(world)
    assert (NAME, late.id) not in world.store.external
    list_all(world)
    assert (NAME, late.id) in world.store.external


@pytest.mark.parametrize("told", ["the cursor does not overlap", "a listing overlaps from its end on"])
def test_a_defect_of_listings_is_noticed(told: str) -> None:
    (defect,) = [one for one in DEFECTS if one.told == told]
    world = World("listings", Coverage(), kinds=("jira",), is_plain=True)
    with planted(defect), pytest.raises(Broken, match="INV-3"):
        list_for_hours(world)


def list_for_hours(world: World) -> None:
    leave_a_listing(world)
    for _hour in range(3):
        world.pass_time(3600.0)
        open_there(world)
        list_all(world)
