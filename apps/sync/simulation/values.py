"""Invariants about values: whose they are, that they come whole, and that they never go back where they came from."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..engine.merge import NEVER, Verdict
from ..engine.plan import Conflict
from ..engine.ports import IntentState, LinkState
from ..engine.rules import ELLIPSIS, Tiebreak, is_shortened
from .invariants import Broken, Invariant, Written, value_at
from .rows import Entry, SimulatedLink, SimulatedTicket
from .words import HANDS, PORTAL, mark_in

if TYPE_CHECKING:
    from .world import World

WORDED = ("title", "custom.site")
"""Fields of the hub whose texts are marked: it is known who wrote them first."""


class NothingUnread(Invariant):
    """INV-2: what a webhook told of is read before it counts as seen, unless all of it is our own."""

    number, kind = 2, "lost"

    def saved(self, row: SimulatedLink, link: SimulatedLink, values: Mapping[str, Any]) -> None:
        if set(values) != {"look_done"} or row.state is not LinkState.LINKED:
            return
        ticket = self.world.systems[row.connection.pk].tickets.get(row.external_id)
        if ticket is None or not row.connection.manners.has_atomic_precondition:
            return
        known = int(row.change_cursor or 0) if row.change_cursor.isdigit() or not row.change_cursor else 0
        told = ticket.log[known : self.world.watch.heard.get(row.pk, 0)]
        unread = next((one.id for one in told if ticket.by[one.id] in HANDS), None)
        if unread is not None:
            raise self.broken(f"{ticket.id}: change {unread} was told of, and counts as seen unread")


class NoCutText(Invariant):
    """INV-27: a shortened text never replaces the full one, and the full one is told beside it."""

    number, kind = 27, "lost"

    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.cut: dict[tuple[str, int], tuple[int, str]] = {}
        """(link, entry) → the rules by which a text was shortened, and the text."""

    def wrote(self, written: Written) -> None:
        intent, link = written.intent, written.link
        if intent.slot.startswith("repair"):
            self._check_repair(written)
        if intent.slot not in ("create", "update"):
            return
        rules = self.world.watch.rules_now(link)
        for rule in rules.fields:
            put = written.effect.fields.get(rule.system)
            if rule.hub == "title" and isinstance(put, str) and rule.max_length is not None:
                full = self._said(link, intent.agreed[rule.key].seq) if rule.key in intent.agreed else ""
                if len(full) > rule.max_length:
                    self.cut[link.pk, intent.seq] = (rules.version, full)

    def _check_repair(self, written: Written) -> None:
        """What is written again belongs to no entry: the whole is told before."""
        for key, agreed in written.intent.agreed.items():
            put = written.effect.fields.get(key.split("=", 1)[1])
            is_part = key.startswith("title=") and is_shortened(agreed.hub, put)
            if is_part and not self._is_told(written.link, str(agreed.hub)):
                raise self.broken(f"{written.effect.ticket.id} gets {put!r} again and is not told the whole")

    def _said(self, link: SimulatedLink, seq: int) -> str:
        return str(value_at(self.world.store.tickets[link.ticket_id].journal, "title", seq))  # type: ignore[index]

    def saved(self, row: SimulatedLink, link: SimulatedLink, values: Mapping[str, Any]) -> None:
        for seq in range(row.applied_seq + 1, values.get("applied_seq", 0) + 1):
            version, full = self.cut.get((row.pk, seq), (0, ""))
            if not full or version != self.world.watch.rules_at_work(row) or self._is_told(link, full):
                continue
            if self.world.store.tickets[link.ticket_id].is_restored:  # type: ignore[index]
                # What was written with the creation is told with the entry that it came from.
                continue
            if not _is_kept_back(self.world, row.pk, seq, seq):
                raise self.broken(f"{link.external_id} has a part of {full!r} and is not told the whole")

    def _is_told(self, link: SimulatedLink, full: str) -> bool:
        """Whether the whole was ever written beside it. Where the hub has but a part of a text that it lost with its
        database, that one is in it."""
        system, stem = self.world.systems[link.connection.pk], full.removesuffix(ELLIPSIS.strip()).strip()
        ids = {link.external_id, *(former["id"] for former in link.former)} - {""}
        said = (one.comment.body for place in ids for one in system.tickets[place].log if one.comment is not None)
        return any(" in full:" in body and stem in body for body in said)

    def journaled(self, ticket: SimulatedTicket, entry: Entry) -> None:
        before, after = entry.changes.get("title", (None, None))
        if entry.origin == PORTAL or not isinstance(before, str) or not isinstance(after, str):
            return
        stem = after.removesuffix(ELLIPSIS.strip()).strip()
        is_part = after.endswith(ELLIPSIS.strip()) or before.startswith(stem)
        if len(after) < len(before) and mark_in(before) == mark_in(after) and is_part:
            system = self.world.systems.get(entry.origin)
            if system is not None and len(before) > system.profile.title_limit and len(before.split()) > 3:
                raise self.broken(f"{ticket.pk}: {after!r} replaced {before!r}")


def _is_kept_back(world: "World", link_pk: str, first: int, last: int) -> bool:
    """Whether an entry between the two was left out for this link, on record."""
    store = world.store
    found = (pk for seq in range(first, last + 1) for pk in store.at_seq.get((link_pk, seq), ()))
    return any(store.intents[pk].state is IntentState.WITHHELD for pk in found)


def _link_of(world: "World", ticket: SimulatedTicket, entry: Entry) -> SimulatedLink | None:
    """The link by which an entry came in."""
    links = world.store.links_of[entry.origin].values()
    return next((one for one in links if one.ticket_id == ticket.pk), None)


class NoWordsBack(Invariant):
    """INV-25: what a system only shows because we wrote it there never comes back as its own."""

    number, kind = 25, "diverged"

    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.replaced: dict[tuple[str, int], tuple[str, int, str]] = {}
        """(hub ticket, entry) → the link, the entry and the text that it replaced, of which its system knew nothing."""

    def journaled(self, ticket: SimulatedTicket, entry: Entry) -> None:
        system = self.world.systems.get(entry.origin)
        if system is None or ticket.is_restored:
            # What a database put back has forgotten, only the systems can give it again (INV-40).
            return
        for name in WORDED:
            before, after = entry.changes.get(name, (None, None))
            mark, link = mark_in(after), _link_of(self.world, ticket, entry)
            if mark is not None and mark not in system.words and (link is None or not link.former):
                raise self.broken(f"{ticket.pk}: {entry.origin} hands {after!r} back, which nobody wrote there")
            unheard = mark_in(before)
            if name == "title" and link is not None and unheard is not None and unheard not in system.shown:
                said = next(one.seq for one in reversed(ticket.journal[:-1]) if name in one.changes)
                value = (link.pk, said, str(before))
                self.world.store.remember(self.replaced, (ticket.pk, entry.seq), value)

    def at_rest(self) -> None:
        """INV-21 for the hub's side: a text that was replaced before its system knew of it is kept as a conflict."""
        store = self.world.store
        for (ticket_pk, seq), (link_pk, said, text) in self.replaced.items():
            link = store.links.get(link_pk)
            if link is None or link.former or link.connection.pk in self.world.watch.tightened:
                continue
            kept = {mark_in(one.hub_value) for one in store.conflicts.values() if one.link_pk == link_pk}
            if mark_in(text) not in kept and not _is_kept_back(self.world, link_pk, said, seq):
                raise Broken(21, "lost", f"{text!r} of {ticket_pk} gave way in silence to entry {seq}")


class NothingGoesBack(Invariant):
    """INV-24: an entry never goes back to the system it came from, and one that is superseded goes nowhere."""

    number, kind = 24, "reordered"

    def wrote(self, written: Written) -> None:
        intent, link = written.intent, written.link
        if intent.slot != "update" or written.effect.kind != "fields":
            return
        journal = self.world.store.tickets[link.ticket_id].journal  # type: ignore[index]
        for key, agreement in intent.agreed.items():
            name, system = key.split("=", 1)
            entry = journal[agreement.seq - 1]
            if system not in written.effect.fields:
                continue
            if entry.origin == link.connection.pk and name in entry.changes:
                raise self.broken(f"{written.effect.ticket.id} gets its own entry {entry.seq} back")
            if link.base.get(key, NEVER).seq > agreement.seq:
                raise self.broken(f"{written.effect.ticket.id}: {name} of entry {entry.seq} is superseded, and written")


class OvertakenStaysOut(Invariant):
    """INV-21: an edit that a write of ours replaced unseen is kept as a conflict; it does not come back as news.

    A step of ours that nobody answered may: of a status on its way nobody can tell whose it is. And what another ticket
    wrote while this system's ticket was taken for its own, by a merge, is news for the one that it belongs to.
    """

    number, kind = 21, "diverged"

    def journaled(self, ticket: SimulatedTicket, entry: Entry) -> None:
        parts = entry.ref.split(":")
        system = self.world.systems.get(entry.origin)
        if ticket.is_restored or system is None or len(parts) != 3 or not parts[1].isdigit() or parts[2] != "fields":
            return
        there, names = system.tickets[parts[0]], system.profile.fields
        if there.by[parts[1]] not in HANDS:
            return
        fields = {names[name] for name in entry.changes}
        replacing = [one.id for one in there.log[int(parts[1]) :] if fields & set(one.fields)]
        link, marks = _link_of(self.world, ticket, entry), {there.by[later] for later in replacing}
        ours = {mark for mark in marks if link is not None and self.world.store.marks.get((link.pk, mark))}
        for later in replacing:
            if there.by[later] in ours:
                raise self.broken(f"{there.id}: change {parts[1]} is taken in, which our {later} had replaced")


class RightWinner(Invariant):
    """INV-22: who wins follows from the rules, never from the order in which things were heard."""

    number, kind = 22, "diverged"

    def disagreed(self, link: SimulatedLink, found: Conflict) -> None:
        rule = next(one for one in link.connection.rules.fields if one.key == found.key)
        # Of a database put back nobody knows which side's news the other has seen: the later value holds.
        if found.verdict not in WINNERS[Tiebreak.LATEST if link.is_behind else rule.tiebreak]:
            raise self.broken(f"{found.key} of {link.pk}: {found.verdict} under the rule {rule.tiebreak}")


WINNERS: Mapping[Tiebreak, frozenset[Verdict]] = {
    # A person's edit that we wrote over unseen gives way whatever the rules say: it is not there any more.
    Tiebreak.ASK: frozenset({Verdict.ASK, Verdict.TO_SYSTEM}),
    Tiebreak.HUB: frozenset({Verdict.TO_SYSTEM}),
    Tiebreak.SYSTEM: frozenset({Verdict.TO_HUB, Verdict.TO_SYSTEM}),
    Tiebreak.LATEST: frozenset({Verdict.TO_HUB, Verdict.TO_SYSTEM}),
}
