"""What checks of the simulated worlds see, and what they do not take for a fault."""

import pytest

from apps.sync.simulation.faults import Coverage
from apps.sync.simulation.invariants import Broken
from apps.sync.simulation.moves import perform
from apps.sync.simulation.rows import Entry
from apps.sync.simulation.values import OvertakenStaysOut
from apps.sync.simulation.words import BOT, PERSON
from apps.sync.simulation.world import START, World

from .defects import DEFECTS
from .exam import planted


def settle_late(world: World) -> None:
    """A worker reads a ticket and stands still; when it goes on, another one holds the lane."""
    world.systems["zendesk0"].open({"subject": "VPN drops"}, by=PERSON)
    perform(world, ("hear", 0, 0, 0))
    perform(world, ("begin", 0, 0, 0))
    (late,) = world.workers
    while late.waiting():
        perform(world, ("request", 0, 0, 0))
    late.frozen = True
    world.pass_time(60.0)
    perform(world, ("begin", 0, 0, 0))
    late.frozen = False
    perform(world, ("settle", 0, 0, 0))


def test_who_lost_a_lane_settles_nothing() -> None:
    world = World("claims", Coverage(), kinds=("zendesk",), is_plain=True)
    settle_late(world)
    (link,), (worker,) = world.store.links.values(), world.workers
    assert link.claimed_by == worker.errands[0].link.claimed_by
    assert link.look_done == 0


def test_it_is_noticed_when_somebody_does() -> None:
    """The row that settling reads anew names the claim that holds by now: that it is held was believed of anybody."""
    (defect,) = [one for one in DEFECTS if one.told == "a lost claim is not noticed"]
    world = World("claims", Coverage(), kinds=("zendesk",), is_plain=True)
    with planted(defect), pytest.raises(Broken, match="INV-7"):
        settle_late(world)


@pytest.mark.parametrize("by", [PERSON, BOT, "siam-1"])
def test_an_edit_that_we_replaced_is_news_only_if_it_is_a_step_of_ours(by: str) -> None:
    """A step whose worker died before it was noted counted as a person's edit."""
    world = World("steps", Coverage(), kinds=("azure_devops",), is_plain=True)
    system = world.systems["azure_devops0"]
    system.took = lambda _system, _effect: None
    there = system.open({"System.Title": "VPN drops"}, by=PERSON)
    mark = None if by in (PERSON, BOT) else by
    system.edit(there, {"System.State": "Active"}, by=by, correlation=mark)
    system.edit(there, {"System.State": "Resolved"}, by=BOT, correlation="siam-1")
    ticket = world.store.add_ticket("T1", "azure_devops0", {"kind": "incident"}, START)
    link = world.store.add_link(world.store.connections["azure_devops0"], ticket.pk, now=START)
    world.store.add_intent(link, seq=1, slot="update", correlation="siam-1", now=START)
    changes = {"status": ("new", "in_progress")}
    entry = Entry(2, START, changes, "azure_devops0", f"{there.id}:1:fields", "changed")
    check = OvertakenStaysOut(world)
    if mark is not None:
        check.journaled(ticket, entry)
    else:
        with pytest.raises(Broken, match="INV-21"):
            check.journaled(ticket, entry)


def test_what_another_ticket_wrote_replaces_nothing_of_this_one_s() -> None:
    """It was merged into a ticket that we had created and not found yet, and followed it until that was found."""
    world = World("given back", Coverage(), kinds=("azure_devops",), is_plain=True)
    system = world.systems["azure_devops0"]
    system.took = lambda _system, _effect: None
    there = system.open({"System.Title": "VPN drops"}, by=PERSON)
    system.edit(there, {"System.State": "Active"}, by=PERSON)
    system.edit(there, {"System.State": "Resolved"}, by=BOT, correlation="siam-other")
    ticket = world.store.add_ticket("T1", "azure_devops0", {"kind": "incident"}, START)
    world.store.add_link(world.store.connections["azure_devops0"], ticket.pk, now=START)
    changes = {"status": ("new", "in_progress")}
    OvertakenStaysOut(world).journaled(
        ticket, Entry(2, START, changes, "azure_devops0", f"{there.id}:1:fields", "changed")
    )
