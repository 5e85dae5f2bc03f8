"""What must hold after every move, each invariant a small class with its number. Only what a move touched is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..engine.merge import NEVER
from ..engine.plan import IN_FULL, Conflict, correlation_of, entry_of
from ..engine.ports import IntentState, LinkState
from ..engine.rules import RuleGap, into_system
from ..engine.snapshot import Visibility
from .connector import read_cursor
from .profiles import as_is
from .rows import Entry, SimulatedConnection, SimulatedIntent, SimulatedLink, SimulatedTicket
from .words import PORTAL, STATUS, mark_in

if TYPE_CHECKING:
    from .system import Effect, RemoteTicket, SimulatedSystem
    from .world import World


class Broken(BaseException):
    """An invariant does not hold. Not an Exception: nothing on the way may take it for a failure of its own."""

    def __init__(self, number: int, kind: str, text: str) -> None:
        super().__init__(f"INV-{number} ({kind}): {text}")
        self.number, self.kind, self.text = number, kind, text


@dataclass(frozen=True, slots=True)
class Written:
    """A write of ours as it took effect, and the intent that announced it."""

    system: "SimulatedSystem"
    effect: "Effect"
    link: SimulatedLink
    intent: SimulatedIntent


class Invariant:
    """What one number asks for. ``kind``: what a break of it is counted as."""

    number = 0
    kind = "other"

    def __init__(self, world: "World") -> None:
        self.world = world

    def wrote(self, written: Written) -> None: ...

    def journaled(self, ticket: SimulatedTicket, entry: Entry) -> None: ...

    def saved(self, row: SimulatedLink, link: SimulatedLink, values: Mapping[str, Any]) -> None: ...

    def cursor_kept(self, connection: SimulatedConnection, cursor: str) -> None: ...

    def disagreed(self, link: SimulatedLink, found: Conflict) -> None:
        """A conflict is kept."""

    def broken(self, text: str) -> Broken:
        return Broken(self.number, self.kind, text)


class AcceptedBeforeTheCursor(Invariant):
    """INV-3: a cursor never passes a change that is not accepted."""

    number, kind = 3, "lost"

    def cursor_kept(self, connection: SimulatedConnection, cursor: str) -> None:
        world, system = self.world, self.world.systems[connection.pk]
        overlap = system.profile.capabilities.overlap_seconds
        before = read_cursor(cursor).told_until(lambda at: at - overlap)
        for ticket in system.tickets.values():
            if ticket.updated_at.timestamp() < before and not (ticket.is_hidden or ticket.is_deleted):
                pk = world.store.external.get((connection.pk, ticket.id))
                link = world.store.links.get(pk) if pk else None
                if link is not None and not self._is_accepted(system, ticket, link):
                    raise self.broken(f"the cursor of {connection.pk} passed a change of {ticket.id}")
                if link is None and not self._is_ours(connection, ticket.correlation, ticket.id):
                    raise self.broken(f"the cursor of {connection.pk} passed {ticket.id}, which nobody accepted")

    def _is_accepted(self, system: "SimulatedSystem", ticket: "RemoteTicket", link: SimulatedLink) -> bool:
        """Read, or to be read; a file may leave the version where it was."""
        is_waiting = link.look_wanted > link.look_done or link.pk in self.world.store.open
        is_followed = link.state in (LinkState.LINKED, LinkState.SIGHTED) and not ticket.merged_into
        is_late = link.intake_hold is not None or bool(ticket.unindexed) or not system.profile.files_count
        return is_waiting or is_late or not is_followed or link.version == system.version_of(ticket)

    def _is_ours(self, connection: SimulatedConnection, correlation: str | None, ticket_id: str) -> bool:
        """Made by us, or left behind for a follow-up or another ticket it was merged into."""
        store = self.world.store
        if correlation is not None and any(one.correlation == correlation for one in store.intents.values()):
            return True
        if any(entry_of(correlation) in one.marks for one in store.tickets.values()):
            return True
        links = store.links_of[connection.pk].values()
        return any(former["id"] == ticket_id for link in links for former in link.former)


class OneChangeOneEntry(Invariant):
    """INV-4: one change in a system, one entry in the journal."""

    number, kind = 4, "doubled"

    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.entered: dict[tuple[str, int], int] = {}

    def journaled(self, ticket: SimulatedTicket, entry: Entry) -> None:
        if entry.said is None:
            return
        text = entry.said.body if entry.said.size is None else entry.said.sha256
        mark = mark_in(text)
        if mark is None:
            return
        if (ticket.pk, mark) in self.entered:
            raise self.broken(f"{ticket.pk} has {text!r} twice")
        self.world.store.remember(self.entered, (ticket.pk, mark), entry.seq)


class OriginalOrder(Invariant):
    """INV-5: changes of a system enter the journal in the order of its log."""

    number, kind = 5, "reordered"

    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.last: dict[tuple[str, str, str], int] = {}

    def journaled(self, ticket: SimulatedTicket, entry: Entry) -> None:
        parts = entry.ref.split(":")
        if entry.origin == PORTAL or len(parts) != 3 or not parts[1].isdigit():
            return
        # A ticket of the system may come to belong to another one of the hub, which reads it from the start.
        key, place = (ticket.pk, entry.origin, parts[0]), int(parts[1])
        if place < self.last.get(key, 0):
            raise self.broken(f"{parts[0]}: change {place} entered the journal after {self.last[key]}")
        self.world.store.remember(self.last, key, place)


class LaneOrder(Invariant):
    """INV-6: effects at a system happen in the order of the lane, and each is what its entry says."""

    number, kind = 6, "reordered"

    def __init__(self, world: "World") -> None:
        super().__init__(world)
        self.last: dict[str, int] = {}

    def wrote(self, written: Written) -> None:
        intent = written.intent
        if intent.slot.startswith("repair"):
            return
        if intent.seq < self.last.get(intent.link_pk, 0):
            late = f"entry {intent.seq} took effect after entry {self.last[intent.link_pk]}"
            raise self.broken(f"{written.effect.ticket.id}: {late}")
        self.last[intent.link_pk] = intent.seq
        if intent.slot in ("create", "update"):
            self._check_values(written)

    def _check_values(self, written: Written) -> None:
        journal = self.world.store.tickets[written.link.ticket_id].journal  # type: ignore[index]
        for rule in self.world.watch.rules_now(written.link).fields:
            agreement = written.intent.agreed.get(rule.key)
            if agreement is None or rule.system not in written.effect.fields or rule.hub == STATUS:
                continue
            said = value_at(journal, rule.hub, agreement.seq)
            if agreement.hub != said or written.effect.fields[rule.system] != carried(rule, said, as_is):
                put = written.effect.fields[rule.system]
                raise self.broken(f"{written.effect.ticket.id}: {put!r} for entry {agreement.seq}, which says {said!r}")


class OneHand(Invariant):
    """INV-7: only who holds the claim writes the link."""

    number = 7

    def saved(self, row: SimulatedLink, link: SimulatedLink, values: Mapping[str, Any]) -> None:
        writer = self._settling(row) or link.claimed_by
        if writer and row.claimed_by != writer:
            raise self.broken(f"{row.pk} was written by {writer}, who lost it to {row.claimed_by or 'nobody'}")

    def _settling(self, row: SimulatedLink) -> str:
        """The claim of the round that is settling this link. What it writes was read anew, and names the claim that
        holds by now, whoever's that is."""
        worker, errand = self.world.at_work
        return errand.link.claimed_by if worker is not None and errand.link.pk == row.pk else ""


class NothingEndsInSilence(Invariant):
    """INV-10: an entry is passed over when it is applied, known or on record as kept back, never otherwise."""

    number, kind = 10, "lost"

    def saved(self, row: SimulatedLink, link: SimulatedLink, values: Mapping[str, Any]) -> None:
        store = self.world.store
        if link.ticket_id is None or values.get("applied_seq", 0) <= row.applied_seq or row.ticket_id is None:
            return
        journal = store.tickets[link.ticket_id].journal
        passed = range(row.applied_seq + 1, values["applied_seq"] + 1)
        kept = [store.intents[pk].state for seq in passed for pk in store.at_seq.get((link.pk, seq), ())]
        if IntentState.WITHHELD in kept:
            # Several entries that went as one are kept back as one.
            return
        for entry in journal[row.applied_seq : values["applied_seq"]]:
            if entry.seq > link.start_seq and not self._has_end(link, entry):
                what = entry.said.body if entry.said else dict(entry.changes)
                raise self.broken(f"{link.pk} of {link.connection.pk} passed entry {entry.seq} ({what}) unapplied")

    def _has_end(self, link: SimulatedLink, entry: Entry) -> bool:
        store, said = self.world.store, entry.said
        if said is not None:
            slot = "comment" if said.size is None else "attachment"
            mark = correlation_of(entry.mark, slot, link.connection.id)
            # A file that is too large for the system crosses as a comment about it.
            aside = correlation_of(entry.mark, "comment", link.connection.id)
            return said.id in store.paired[link.pk] or bool(self.world.watch.effects.keys() & {mark, aside})
        rules = link.connection.rules
        keys = [rule.key for name in entry.changes for rule in rules.of_hub(name)]
        has_all = all(link.base.get(key, NEVER).seq >= entry.seq or key in link.repair for key in keys)
        return has_all or link.connection.rules.version != self.world.watch.rules_at_work(link)


class IntentFirst(Invariant):
    """INV-12: no effect without a committed intent that is still open."""

    number = 12

    def wrote(self, written: Written) -> None:
        if written.intent.state is not IntentState.OPEN:
            raise self.broken(
                f"{written.effect.correlation} took effect although it was settled: {written.intent.state}"
            )


class OneTicket(Invariant):
    """INV-13: one ticket, and one follow-up, of one intention."""

    number, kind = 13, "doubled"

    def wrote(self, written: Written) -> None:
        effect = written.effect
        same = [one for one in written.system.tickets.values() if one.correlation == effect.correlation]
        if effect.kind == "create" and written.intent.slot == "create" and written.link.external_id:
            raise Broken(26, self.kind, f"{written.link.pk} has {written.link.external_id} and creates it anew")
        # One that somebody deleted or hid before we could look can be found by nobody, even if it comes back.
        seen = [one for one in same if not one.was_away]
        if effect.kind == "create" and len(seen) > 1:
            raise self.broken(f"{effect.ticket.id} is a second ticket for {written.link.pk}")


class OneComment(Invariant):
    """INV-14: no comment or file twice."""

    number, kind = 14, "doubled"

    def wrote(self, written: Written) -> None:
        effect = written.effect
        if effect.kind not in ("comment", "file"):
            return
        ticket_id = written.link.ticket_id
        if ticket_id is not None and written.intent.slot != IN_FULL:
            entry = self.world.store.tickets[ticket_id].journal[written.intent.seq - 1]
            if entry.said is not None and entry.origin == written.link.connection.pk:
                raise self.broken(f"{effect.ticket.id} gets its own {effect.text!r} back")
        mark = mark_in(effect.text)
        said, files = effect.ticket.comments, effect.ticket.files
        again = [one.id for part in (said, files) for one in part if one.correlation == effect.correlation]
        same = [one for one in said if mark is not None and mark_in(one.body) == mark and not _is_ours(one.body)]
        if len(again) > 1 or (effect.kind == "comment" and len(same) > 1):
            raise self.broken(f"{effect.ticket.id} has {effect.text!r} twice")


def _is_ours(body: str) -> bool:
    """Whether the text is one that the portal itself wrote about a field or a file."""
    return " in full:" in body or "see it in the portal" in body


class RulesAtSendTime(Invariant):
    """INV-29 and INV-30: only what the rules let pass lands in a system, judged by the rules when it is sent."""

    number, kind = 30, "leaked"

    def wrote(self, written: Written) -> None:
        if written.effect.kind != "fields":
            return
        rules = self.world.watch.rules_now(written.link)
        allowed = {rule.system for rule in rules.fields if rule.goes_in}
        allowed |= {one.field for group in rules.companions.values() for one in group}
        beyond = set(written.effect.fields) - allowed
        if beyond:
            raise self.broken(
                f"{', '.join(sorted(beyond))} of {written.effect.ticket.id} was written against the rules"
            )


class AudienceOnlyNarrows(Invariant):
    """INV-31: nobody reads what was not for them."""

    number, kind = 31, "leaked"

    def wrote(self, written: Written) -> None:
        effect, store = written.effect, self.world.store
        is_said = effect.kind in ("comment", "file") and written.intent.slot != IN_FULL
        if not is_said or written.link.ticket_id is None:
            return
        said = store.tickets[written.link.ticket_id].journal[written.intent.seq - 1].said
        if said is None:
            return
        audience = said.audience_for(written.link.connection.owner)
        talk = self.world.watch.rules_now(written.link).conversation
        word = {"public": talk.in_public, "chosen": talk.in_chosen, "internal": talk.in_internal}.get(audience or "")
        if word is None or (word == "internal" and effect.visibility is Visibility.PUBLIC):
            raise self.broken(f"{said.body!r} for {said.audience} got into {effect.ticket.id} as {effect.visibility}")

    def journaled(self, ticket: SimulatedTicket, entry: Entry) -> None:
        said, system = entry.said, self.world.systems.get(entry.origin)
        if said is None or said.size is not None or system is None:
            return
        comment_id = self.world.watch.internal.get((entry.origin, mark_in(said.body) or 0))
        if comment_id is not None and said.audience != self.world.plain_rules[entry.origin].conversation.out_internal:
            raise self.broken(f"the internal {said.body!r} of {entry.origin} is {said.audience} in the hub")


class RightConsequence(Invariant):
    """INV-35: a lane is parked for what waiting does not mend, and for nothing else."""

    number, kind = 35, "stuck"

    def saved(self, row: SimulatedLink, link: SimulatedLink, values: Mapping[str, Any]) -> None:
        for name in ("delivery_hold", "intake_hold"):
            hold = values.get(name)
            if hold is not None and hold != getattr(row, name) and not self._is_due(row, hold):
                raise self.broken(f"{row.pk} of {row.connection.pk} is parked for {hold['cause']}: {hold['text']}")

    def _is_due(self, row: SimulatedLink, hold: Mapping[str, Any]) -> bool:
        cause = hold["cause"]
        if cause == "our_fault":
            return (row.connection.pk, row.external_id) in self.world.watch.misled and "asked for" in hold["text"]
        if cause == "vendor_fault":
            return row.attempts >= 12
        return cause in ("rules", "not sticking", "conflict", "rejected", "access_refused", "ticket_closed", "brake")


def carried(rule: Any, value: Any, tidy: Any) -> Any:
    """The value as the system would show it; None where the rules do not cover it."""
    try:
        return tidy(into_system(rule, value).value)
    except RuleGap:
        return None


def value_at(journal: Sequence[Entry], name: str, seq: int) -> Any:
    """What stood in a field of the hub once entry ``seq`` was written."""
    return next((one.changes[name][1] for one in reversed(journal[:seq]) if name in one.changes), "")
