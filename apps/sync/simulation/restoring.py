"""The portal's database put back to an earlier moment while the systems went on (F57, INV-40)."""

import copy
import random
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..engine.merge import Verdict
from ..engine.ports import LinkState
from . import moves
from .invariants import Broken, Invariant, LaneOrder, OneChangeOneEntry, OriginalOrder, Written
from .rows import SimulatedTicket
from .system import AUTHORS
from .values import NoCutText, NoWordsBack
from .words import PORTAL, mark_in

if TYPE_CHECKING:
    from .store import MemoryStore
    from .world import World

MARGIN = timedelta(minutes=5)
"""So long after the last moment the indices and exports of the systems may still tell of changes before it."""
MOVES = 1600
ROWS = (
    "connections", "links", "links_of", "external", "intents", "marks", "at_seq", "open", "unseen", "conflicts",
    "asked", "notices", "findings", "tickets", "said", "paired", "brakes", "grave",
)  # fmt: skip
REMEMBERED = (
    (OneChangeOneEntry, "entered"), (OriginalOrder, "last"), (LaneOrder, "last"), (NoWordsBack, "replaced"),
    (NoCutText, "cut"),
)  # fmt: skip
"""What invariants know of rows: it goes back with them."""


@dataclass(frozen=True, slots=True)
class Backup:
    """The database as it was at one moment."""

    rows: dict[str, Any]
    remembered: tuple[Any, ...]


def back_up(world: "World") -> Backup:
    """A copy of all rows, from between two moves."""
    known = tuple(getattr(world.watch.made[one], name) for one, name in REMEMBERED)
    rows, remembered = _copied(world.store, ({name: getattr(world.store, name) for name in ROWS}, known))
    return Backup(rows, remembered)


def _copied(store: "MemoryStore", rows: Any) -> Any:
    kept = {id(one.rules): one.rules for one in store.connections.values()}
    return copy.deepcopy(rows, kept)


def put_back(world: "World", backup: Backup) -> None:
    """Stop the portal, put the copy in place, and say so before it starts again."""
    for worker in world.workers:
        worker.give_up()
    world.workers.clear()
    world.polls.clear()
    # The machine is set up anew, and its clock is right.
    world.store.is_read_only, world.clock_error = False, 0.0
    rows, remembered = _copied(world.store, (backup.rows, backup.remembered))
    for name, held in rows.items():
        setattr(world.store, name, held)
    for (one, name), held in zip(REMEMBERED, remembered, strict=True):
        setattr(world.watch.made[one], name, held)
    # That a system asked to be left alone is forgotten, too; it says so again.
    world.watch.limited.clear()
    for notice in (*world.notices, *world.delivered):
        notice.connection = world.store.connections[notice.connection.pk]
    declare(world)


def declare(world: "World") -> None:
    """What ``manage.py restored`` does: from now on nothing is written before it was looked for."""
    store, now = world.store, world.portal_now()
    for link in store.links.values():
        if link.state == LinkState.FORMER:
            continue
        looks = link.look_wanted + bool(link.external_id)
        store.update(
            link, is_behind=True, compare_wanted=True, look_wanted=looks, hint_version="", looked_for="", attempts=0,
            due_at=now, claimed_by="", claimed_until=None,
        )  # fmt: skip
    for ticket in store.tickets.values():
        store.update(ticket, is_restored=True)
    for connection in store.connections.values():
        store.update(connection.pulse, behind_until=now + MARGIN, poll_due_at=None)


# --- What only a god can see ----------------------------------------------------------------------------------------


class OneCopy(Invariant):
    """INV-40: whatever the portal forgot, a ticket has one copy in each system, and none where it came from."""

    number, kind = 40, "doubled"

    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.first: dict[tuple[str, str], tuple[str, str]] = {}
        """(system, its ticket) → the ticket of which it is a copy."""

    def origin_of(self, ticket: SimulatedTicket) -> tuple[str, str]:
        """Where a ticket of the hub was opened first, whatever it came back from later."""
        opening = ticket.journal[0]
        if opening.origin == PORTAL:
            return PORTAL, opening.mark
        place = opening.origin, opening.ref.split(":")[0]
        return self.first.get(place, place)

    def wrote(self, written: Written) -> None:
        effect, name = written.effect, written.system.name
        if effect.kind != "create" or effect.ticket.follows or written.link.ticket_id is None:
            return
        origin = self.origin_of(self.world.store.tickets[written.link.ticket_id])
        tickets = written.system.tickets
        twins = [there for (system, there), first in self.first.items() if system == name and first == origin]
        twins += [origin[1]] if origin[0] == name else []
        # One that was gone or merged, or that another was merged into, before it was read again is known to nobody.
        merged = {one.merged_into for one in tickets.values()}
        twins = [one for one in twins if not (tickets[one].was_away or tickets[one].merged_into or one in merged)]
        seen = [one for one in twins if one != effect.ticket.id]
        self.first[name, effect.ticket.id] = origin
        if seen:
            raise self.broken(f"{effect.ticket.id} is a second {seen[0]}")


class NewerHolds(Invariant):
    """INV-40: a value that a person replaced in the system is not written there a second time."""

    number, kind = 40, "lost"

    def wrote(self, written: Written) -> None:
        effect, title = written.effect, written.system.profile.fields["title"]
        mark = mark_in(effect.fields.get(title)) if effect.kind == "fields" else None
        log = [one for one in effect.ticket.log if title in one.fields]
        if mark is None or not log:
            return
        stood = {mark_in(one.fields[title][0]) for one in log}
        is_persons = effect.ticket.by[log[-1].id] in AUTHORS
        if mark_in(log[-1].fields[title][1]) in self._gave_way(written.link.ticket_id) or self._is_touched(mark):
            # Both sides had changed it, the hub's was the later one, and a person was told; or it is another value by
            # now, though it has the number of the old one.
            return
        if mark in stood and mark != mark_in(log[-1].fields[title][1]) and is_persons:
            raise self.broken(f"{effect.fields[title]!r} replaced {log[-1].fields[title][1]!r} on {effect.ticket.id}")

    def _gave_way(self, ticket_id: str | None) -> set[int | None]:
        """Texts that are kept in the list of conflicts of a ticket, whichever system the later value came from. Which
        one that is, the clocks of two systems tell, as far apart as they are."""
        store = self.world.store
        links = {link.pk for link in store.links.values() if link.ticket_id == ticket_id}
        found = [one for one in store.conflicts.values() if one.link_pk in links]
        return {mark_in(one.hub_value if one.verdict is Verdict.TO_HUB else one.system_value) for one in found}

    def _is_touched(self, mark: int) -> bool:
        """Whether a person wrote in a shortened form of the text, in whichever system."""
        for system in self.world.systems.values():
            title = system.profile.fields["title"]
            for ticket in system.tickets.values():
                if any({mark_in(value) for value in one.fields[title]} == {mark} and ticket.by[one.id] in AUTHORS
                       for one in ticket.log if title in one.fields):  # fmt: skip
                    return True
        return False


def agree_on_copies(world: "World", copies: OneCopy) -> None:
    """One ticket of the hub for each that was opened anywhere, and no file twice."""
    origins = Counter(copies.origin_of(ticket) for ticket in world.store.tickets.values())
    for origin, number in origins.items():
        if number > 1:
            raise Broken(40, "doubled", f"the hub has {origin} {number} times")
    for system in world.systems.values():
        for ticket in system.tickets.values():
            files = Counter(mark_in(ticket.contents[file.id]) for file in ticket.files)
            twice = [mark for mark, number in files.items() if mark is not None and number > 1]
            if twice:
                raise Broken(40, "doubled", f"the file #{twice[0]}# is on {ticket.id} twice")


# --- The drill ------------------------------------------------------------------------------------------------------


def live_through(world: "World", seed: str, told: list[str] | None = None) -> OneCopy:
    """A life in which the database is put back once, at a random moment, to another one. Raises Broken."""
    dice = random.Random(f"{seed}/moves")
    copies = OneCopy(world)
    world.watch.also(copies)
    if world.is_plain:
        world.watch.also(NewerHolds(world))
    copied_at = dice.randrange(20, MOVES // 2)
    put_back_at = dice.randrange(copied_at + 1, MOVES * 3 // 4)
    backup, made = back_up(world), 0
    for move in moves.draw(dice):
        if made == copied_at:
            backup = back_up(world)
        happened = moves.perform(world, move)
        if happened is None:
            continue
        made += 1
        if told is not None:
            told.append(happened)
        if made == put_back_at:
            put_back(world, backup)
            if told is not None:
                told.append("THE DATABASE IS PUT BACK")
        if told is not None and made == copied_at:
            told.append("THE DATABASE IS COPIED")
        if made >= MOVES:
            return copies
    return copies
