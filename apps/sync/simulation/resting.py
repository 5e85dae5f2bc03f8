"""The end of a world: faults stop, people mend what waits for them, and everything must come to rest and agree."""

from dataclasses import replace
from datetime import timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ..engine.ports import LinkState
from ..engine.rules import RuleGap, SyncRules, TooLong, into_hub
from ..engine.snapshot import reads_same
from . import accidents, moves, people
from .invariants import Broken, carried
from .system import AUTHORS
from .words import mark_in

if TYPE_CHECKING:
    from .rows import SimulatedLink
    from .system import RemoteTicket, SimulatedSystem
    from .world import World

MOST_CYCLES = 14
MOST_MENDS = 60
MOST_STEPS = 20_000
FIRST_REST = 60.0
"""Seconds until the next sweep, doubled each time: claims and waits of a clock that jumped must lapse, too."""
SOON = 60.0
LONGEST_WAIT = 1800.0
"""So long everything may wait for systems and clocks, before it is people's turn again."""
QUIET_HOURS, SWEEPS_A_DAY = 24, 3
AT_REST = 1008 | 2
"""The third number of a move without faults: a little time passes with it."""


def rest(world: "World") -> int:
    """Bring the world to rest and check it; how many moves that took. Raises Broken."""
    _calm(world)
    taken, last, before = 0, "", (0, 0)
    for cycle in range(MOST_CYCLES):
        taken += _run_out(world)
        for _ in range(MOST_MENDS):
            was = _progress(world)
            if not _mend(world, cycle):
                break
            taken += _run_out(world)
            if was == _progress(world):
                break
        state, made = _owed(world), (world.watch.written, world.watch.entered)
        if not state and made == before and cycle > 2:
            break
        before = made
        for name in world.systems:
            accidents.sweep_connection(world, name)
        world.pass_time(FIRST_REST * 2.0 ** min(cycle, 9))
        last = state or "something is written after every sweep"
    else:
        raise Broken(45, "stuck", f"not at rest after {MOST_CYCLES} sweeps: {last}")
    agree(world)
    world.watch.at_rest()
    return taken + _quiet(world)


def _progress(world: "World") -> tuple[int, int, str]:
    return world.watch.written, world.watch.entered, _owed(world)


def _calm(world: "World") -> None:
    """Faults stop. What people alone can mend, they mend."""
    world.is_calm = True
    world.store.is_read_only, world.store.failing_renewals = False, 0
    world.set_clock(0.0)
    for worker in world.workers:
        worker.give_up()
    world.workers.clear()
    world.polls.clear()
    for system in world.systems.values():
        system.failing_until, system.is_down = None, False
        ways = tuple(system.profile.statuses)
        system.statuses = {**system.profile.statuses, "Odd": ways}
        for ticket in list(system.tickets.values()):
            ill = ticket.is_refused or ticket.is_poisoned or ticket.is_hidden or ticket.reverting
            if ill and not ticket.is_deleted:
                accidents.make_well(world, system.name, ticket.id)
    for connection in world.store.connections.values():
        people.resume(world, connection)
        people.publish(world, connection, _complete(world, connection))


def _complete(world: "World", connection: Any) -> SyncRules:
    """Rules that cover every value there is: what an owner publishes who was told of each gap."""
    plain, limit = world.plain_rules[connection.pk], world.systems[connection.pk].title_limit
    more: dict[str, dict[str, Any]] = {"title": {"max_length": limit, "too_long": TooLong.SHORTEN}}
    for one in plain.fields:
        if one.hub == "status":
            more["status"] = {"to_hub": {**(one.to_hub or {}), "Odd": "pending"}}
    fields = tuple(replace(one, **more.get(one.hub, {})) for one in plain.fields)
    return replace(plain, version=connection.rules.version + 1, fields=fields)


def _run_out(world: "World") -> int:
    """Every system is asked; then webhooks and workers, until nothing is due any more. Whoever waits a while waits for
    systems to be asked again, too."""
    steps, until = _ask_all(world), world.seconds + LONGEST_WAIT
    while steps < MOST_STEPS:
        told = None
        for act in ("settle", "request", "hear", "begin"):
            told = moves.perform(world, (act, steps, steps * 2, AT_REST))
            if told is not None:
                break
        if told is None and (world.seconds > until or not _is_due_soon(world)):
            return steps
        if told is None:
            world.pass_time(SOON / 2)
            steps += _ask_all(world)
        steps += 1
    raise Broken(45, "stuck", f"still busy after {MOST_STEPS} moves without faults")


def _is_due_soon(world: "World") -> bool:
    """Whether a lane waits for a moment that is near, as after a limit of its system."""
    now = world.portal_now()
    near = now + timedelta(seconds=SOON)
    return any(
        now < link.due_at <= near and next(world.store.due(link.connection, link.due_at), None) is not None
        for link in world.store.links.values()
    )


def _ask_all(world: "World") -> int:
    steps = 0
    for place, connection in enumerate(world.store.connections.values()):
        world.store.update(connection.pulse, poll_due_at=None)
        while steps < MOST_STEPS and moves.perform(world, ("poll", 1, place, AT_REST)) is not None:
            steps += 1
    return steps


def _mend(world: "World", cycle: int) -> bool:
    """People answer questions, retry what waits, and leave out what their systems refuse for good; whether they did."""
    store, mended = world.store, False
    for group in list(store.asked.values()):
        for conflict in list(group.values()):
            mended = True
            if not people.settle_conflict(world, conflict, "system" if cycle % 2 else "hub"):
                people.settle_conflict(world, conflict, "hub")
    for link in list(store.links.values()):
        hold = link.delivery_hold
        if hold is None and link.intake_hold is None:
            if link.due_at > world.portal_now():
                store.update(link, due_at=world.portal_now())
            continue
        mended = True
        if hold is not None and cycle > 1 and hold["cause"] in REFUSED and _leave_out(world, link, hold):
            continue
        if hold is not None and cycle > 1 and hold["cause"] == "rejected":
            people.give_in(world, link)
        people.retry_lane(world, link)
    return mended


def _leave_out(world: "World", link: "SimulatedLink", hold: Any) -> bool:
    """Leave out the entry that is refused; all that wait, where the ticket is closed for good."""
    if not people.skip(world, link):
        return False
    last = world.store.tickets[link.ticket_id].last_seq if hold["cause"] == "ticket_closed" else 0  # type: ignore[index]
    while link.applied_seq < last:
        world.store.update(link, delivery_hold=hold)
        if not people.skip(world, link):
            break
    return True


REFUSED = ("rejected", "ticket_closed", "rules")


def _owed(world: "World") -> str:
    """What still waits, in words; empty when nothing does."""
    store, owed = world.store, []
    if world.notices:
        owed.append(f"{len(world.notices)} webhooks")
    for link in store.links.values():
        if link.state == LinkState.DETACHED and link.look_wanted == link.look_done:
            continue
        waits = link.delivery_hold or link.intake_hold
        behind = link.ticket_id is not None and store.tickets[link.ticket_id].last_seq > link.applied_seq
        looks = link.look_wanted > link.look_done and link.external_id
        if (waits or behind or looks or link.pk in store.open or link.repair) and link.state != LinkState.OUT_OF_SCOPE:
            owed.append(f"{link.pk} of {link.connection.pk}: {waits or link.last_failure or 'due'}")
    return "; ".join(owed)


# --- Whether all agree ------------------------------------------------------------------------------------------------


def agree(world: "World") -> None:
    """INV-2, 13, 14, 18, 20 and 21, of the world as it lies there."""
    for name, system in world.systems.items():
        for ticket in system.tickets.values():
            if ticket.is_deleted or ticket.merged_into:
                continue
            pk = world.store.external.get((name, ticket.id))
            link = world.store.links.get(pk) if pk else None
            if link is not None and link.state == LinkState.FORMER:
                continue
            if link is None or link.ticket_id is None:
                if ticket.correlation is None:
                    raise Broken(2, "lost", f"{ticket.id} never came into the hub")
                twins = [one for one in system.tickets.values() if one.correlation == ticket.correlation]
                if len(twins) < 2 and not _is_former(world, name, ticket.id):
                    raise Broken(13, "doubled", f"{ticket.id} was created by us and belongs to nobody")
            elif link.state == LinkState.LINKED:
                _agree_on(world, system, ticket, link)


def _is_former(world: "World", name: str, ticket_id: str) -> bool:
    return any(
        former["id"] == ticket_id for link in world.store.links_of[name].values() for former in link.former
    ) or any(one.ticket_id is None for one in world.store.links_of[name].values())


def _agree_on(world: "World", system: "SimulatedSystem", ticket: "RemoteTicket", link: "SimulatedLink") -> None:
    if system.profile.capabilities.has_change_log and link.change_cursor != (ticket.log[-1].id if ticket.log else ""):
        raise Broken(2, "lost", f"{ticket.id}: the log was read to {link.change_cursor!r} of {len(ticket.log)}")
    if not link.is_closed:
        _fields_agree(world, system, ticket, link)
        _words_agree(world, system, ticket, link)
    _nothing_lost(world, system, ticket, link)


def _fields_agree(world: "World", system: "SimulatedSystem", ticket: "RemoteTicket", link: "SimulatedLink") -> None:
    """INV-20: all mapped fields mean the same on both sides."""
    fields = world.store.tickets[link.ticket_id].fields  # type: ignore[index]
    for rule in link.connection.rules.fields:
        here, there = fields.get(rule.hub, ""), ticket.fields.get(rule.system)
        try:
            means = reads_same(into_hub(rule, there), here)
        except RuleGap:
            means = False
        over = carried(rule, here, system.profile.tidy)
        if means or reads_same(over, there):
            continue
        if _is_known_difference(link, rule, here, there):
            continue
        raise Broken(20, "diverged", f"{ticket.id} of {link.pk}: {rule.hub} is {here!r} here and {there!r} there")


def _is_known_difference(link: "SimulatedLink", rule: Any, here: Any, there: Any) -> bool:
    """A person was told of it: the system did not keep the value, or an entry was left out, or the rules go one way."""
    held = link.base.get(rule.key)
    if not (rule.goes_in and rule.comes_out):
        return True
    return held is not None and held.hub == here and reads_same(held.system, there)


def _words_agree(world: "World", system: "SimulatedSystem", ticket: "RemoteTicket", link: "SimulatedLink") -> None:
    """INV-14 and INV-20 for comments and files: each once, where its audience lets it, unchanged."""
    store = world.store
    journal = store.tickets[link.ticket_id].journal  # type: ignore[index]
    here = {mark_in(one.said.body if one.said.size is None else one.said.sha256) for one in journal if one.said}
    talk = world.plain_rules[system.name].conversation
    for said in ticket.comments:
        out = talk.out_public if said.visibility == "public" else talk.out_internal
        if said.correlation is None and out and mark_in(said.body) not in here and " edited" not in said.body:
            raise Broken(2, "lost", f"{said.body!r} on {ticket.id} never came into the hub")
    for file in ticket.files:
        content = ticket.contents[file.id]
        if file.correlation is None and mark_in(content) not in here:
            placeholder = any(one.said and file.file_name in one.said.body for one in journal)
            if not placeholder:
                raise Broken(18, "lost", f"the file {content!r} on {ticket.id} never came into the hub")


def _nothing_lost(world: "World", system: "SimulatedSystem", ticket: "RemoteTicket", link: "SimulatedLink") -> None:
    """INV-21: what a person set in the system stands in the journal or in a conflict, or they set it again."""
    if not system.profile.capabilities.has_change_log:
        return
    store = world.store
    title = system.profile.fields["title"]
    rule = next((one for one in world.plain_rules[system.name].fields if one.system == title), None)
    if rule is None or link.ticket_id is None:
        return
    journal = store.tickets[link.ticket_id].journal
    known = {mark_in(pair[1]) for one in journal for name, pair in one.changes.items() if name == "title"}
    known |= {
        mark_in(value)
        for one in store.conflicts.values()
        if one.link_pk == link.pk
        for value in (one.hub_value, one.system_value)
    }
    edits = [one for one in ticket.log if title in one.fields]
    for change, following in zip_longest(edits, edits[1:]):
        mark = mark_in(change.fields[title][1])
        is_last_word = following is None or ticket.by[following.id] not in AUTHORS
        if ticket.by[change.id] in AUTHORS and mark not in known and is_last_word:
            raise Broken(21, "lost", f"{change.fields[title][1]!r}, set on {ticket.id}, is in no journal")


def _quiet(world: "World") -> int:
    """INV-24: a day of quiet writes nothing anywhere."""
    taken, writes, entries = quiet_day(world)
    if writes or entries:
        raise Broken(24, "other", f"in a day of quiet {writes} writes and {entries} entries were made")
    return taken


def quiet_day(world: "World") -> tuple[int, int, int]:
    """A day on which nobody does anything, with all polls and sweeps: its moves, writes and journal entries."""
    before, taken = (world.watch.written, world.watch.entered), 0
    for _sweep in range(SWEEPS_A_DAY):
        world.pass_time(3600.0 * QUIET_HOURS / SWEEPS_A_DAY)
        for name in world.systems:
            accidents.sweep_connection(world, name)
        taken += _run_out(world)
    return taken, world.watch.written - before[0], world.watch.entered - before[1]
