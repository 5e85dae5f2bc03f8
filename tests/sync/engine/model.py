"""A portal in memory around the pure engine: one ticket's journal, a lane to each system, and work in three phases.

It keeps the order of the sync services (decide and commit the intent, call, settle) so that a crash can fall between
any two of them, and takes every decision from the engine's modules by name, so that a law can be tried on a broken
variant.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.sync.engine import deliver, intake, recovery, settle
from apps.sync.engine.deliver import HubComment, HubEvent
from apps.sync.engine.intake import OwnWrite, Pending
from apps.sync.engine.merge import NEVER, OPEN, Agreement, MergeBase, Verdict
from apps.sync.engine.plan import (
    AddRemoteComment,
    Conflict,
    CreateRemote,
    Delivery,
    Intake,
    Step,
    UpdateRemote,
    correlation_of,
    slot_of,
)
from apps.sync.engine.recovery import Outcome
from apps.sync.engine.rules import SyncRules, into_hub, into_system
from apps.sync.engine.snapshot import Comment, Fields, Receipt, RemoteChange, TicketSnapshot, Value

from .systems import Clock, Stale, System

PORTAL = "portal"


@dataclass(frozen=True, slots=True)
class Said:
    """A comment of the hub. ``audience``: public, chosen (then ``chosen`` names parties) or internal."""

    id: str
    body: str
    author: str
    organization: str
    audience: str
    chosen: frozenset[str] = frozenset()

    def audience_for(self, reader: str) -> str | None:
        if self.audience == "public":
            return "public"
        if self.organization == reader:
            return self.audience
        return "chosen" if reader in self.chosen else None


@dataclass(frozen=True, slots=True)
class Entry:
    seq: int
    at: datetime
    changes: Fields = field(default_factory=dict)
    said: Said | None = None
    origin: str = PORTAL
    ref: str = ""


@dataclass
class Attempt:
    """An intent: committed before the call."""

    seq: int
    slot: str
    step: Step
    correlation: str
    fields: Fields
    agreements: MergeBase
    state: str = "open"
    change_ids: tuple[str, ...] = ()
    is_seen: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    wanted: int


@dataclass(frozen=True, slots=True)
class Do:
    attempt: Attempt
    expected: str | None


@dataclass(frozen=True, slots=True)
class Recover:
    attempt: Attempt
    earlier: tuple[OwnWrite, ...]


Work = Look | Do | Recover


@dataclass
class Lane:
    """One link. ``owner`` is the organization whose system it is."""

    system: System
    rules: SyncRules
    exists: bool = False
    start_seq: int = 0
    applied_seq: int = 0
    base: dict[str, Agreement] = field(default_factory=dict)
    cursor: str | None = None
    version: str = ""
    looks_wanted: int = 0
    looks_done: int = 0
    compares: bool = False
    repair: tuple[str, ...] = ()
    attempts: list[Attempt] = field(default_factory=list)
    paired_here: set[str] = field(default_factory=set)
    paired_there: set[str] = field(default_factory=set)
    conflicts: list[Conflict] = field(default_factory=list)
    asked: list[Conflict] = field(default_factory=list)
    loose: list[settle.NotSticking] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    withheld: list[int] = field(default_factory=list)

    @property
    def owner(self) -> str:
        return self.system.name

    @property
    def open(self) -> Attempt | None:
        return next((attempt for attempt in self.attempts if attempt.state == "open"), None)

    def own_writes(self, changes: Sequence[RemoteChange] = ()) -> tuple[OwnWrite, ...]:
        marks = {mark for change in changes for mark in intake.marks_of(change)}
        return tuple(
            OwnWrite(one.correlation, one.change_ids, one.fields if isinstance(one.step, UpdateRemote) else {})
            for one in self.attempts
            if one.correlation in marks or (one.state == "applied" and not one.is_seen)
        )


class Portal:
    """The hub's ticket with its journal, and its lanes."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.fields: dict[str, Value] = {}
        self.journal: list[Entry] = []
        self.lanes: dict[str, Lane] = {}

    # --- What happens in the hub --------------------------------------------------------------------------------------

    def append(self, **entry: Any) -> Entry:
        made = Entry(seq=len(self.journal) + 1, **{"at": self.clock(), **entry})
        self.journal.append(made)
        return made

    def is_known(self, origin: str, ref: str) -> bool:
        return any((entry.origin, entry.ref) == (origin, ref) for entry in self.journal)

    def change(self, values: Fields, *, origin: str = PORTAL, ref: str = "", at: datetime | None = None) -> None:
        if ref and self.is_known(origin, ref):
            return
        changes = {name: (self.fields.get(name, ""), value) for name, value in values.items()}
        changes = {name: pair for name, pair in changes.items() if pair[0] != pair[1]}
        if changes:
            self.fields.update({name: after for name, (_before, after) in changes.items()})
            self.append(changes=changes, origin=origin, ref=ref, at=at or self.clock())

    def say(self, said: Said, *, origin: str = PORTAL, ref: str = "") -> bool:
        if ref and self.is_known(origin, ref):
            return False
        self.append(said=said, origin=origin, ref=ref)
        return True

    def open(self, fields: Fields) -> None:
        self.fields = {"kind": "incident", **fields}
        self.append(changes={name: (None, value) for name, value in fields.items() if value != ""})

    def link(self, system: System, rules: SyncRules) -> Lane:
        """A lane for a ticket that the system does not have yet."""
        lane = self.lanes[system.name] = Lane(system, rules, start_seq=len(self.journal))
        return lane

    def adopt(self, system: System, rules: SyncRules) -> Lane:
        """A lane for a ticket first seen in the system: the hub opens it as it was when it was created."""
        lane = self.lanes[system.name] = Lane(system, rules, exists=True, looks_wanted=1)
        first = intake.rewind_snapshot(system.snapshot(), system.changes(None) if system.habits.has_log else ())
        values: dict[str, Value] = {"status": "new", "assignee": "", "priority": "", "title": ""}
        for rule in rules.fields:
            if rule.comes_out and rule.system in first:
                values[rule.hub] = into_hub(rule, first[rule.system])
                lane.base[rule.key] = Agreement(values[rule.hub], first[rule.system], 1)
        self.open(values)
        lane.start_seq = lane.applied_seq = 1
        return lane

    # --- Phase one: decide, and commit the intent ---------------------------------------------------------------------

    def decide(self, lane: Lane) -> Work | None:
        if lane.open is not None:
            return Recover(lane.open, lane.own_writes())
        if lane.looks_wanted > lane.looks_done and lane.exists:
            return Look(lane.looks_wanted)
        if lane.asked:
            return None
        return self._deliver(lane)

    def _deliver(self, lane: Lane) -> Do | None:
        while (planned := self._next_delivery(lane)) is not None:
            event, delivery = planned
            done = {attempt.correlation for attempt in lane.attempts if attempt.state == "applied"}
            for step in delivery.steps:
                if correlation_of(event.mark, slot_of(step)) not in done:
                    return self.intend(lane, event.seq, step, slot_of(step))
            self.pass_over(lane, event.seq, delivery)
        return self._mend(lane)

    def _next_delivery(self, lane: Lane) -> tuple[HubEvent, Delivery] | None:
        events = self.events_after(lane, lane.applied_seq)
        if not events:
            return None
        first = events[0]
        if first.is_opening:
            fields = deliver.rewind(self.fields, self.events_after(lane, lane.start_seq))
            return first, Delivery(deliver.plan_creation(fields, lane.start_seq, lane.rules, fields, lane.base))
        run = [first]
        if not lane.rules.is_ordered and first.comment is None:
            for event in events[1:]:
                if event.comment is not None:
                    break
                run.append(event)
        event = first if lane.rules.is_ordered or first.comment is not None else deliver.coalesce(run)
        return event, deliver.plan_event(event, lane.base, lane.rules, self.fields)

    def _mend(self, lane: Lane) -> Do | None:
        keys, lane.repair = lane.repair, ()
        written: dict[str, Value] = {}
        agreements: dict[str, Agreement] = {}
        for rule in lane.rules.fields:
            if rule.key in keys and rule.goes_in:
                written[rule.system] = into_system(rule, self.fields[rule.hub]).value
                agreements[rule.key] = Agreement(self.fields[rule.hub], written[rule.system], lane.applied_seq)
        if not written:
            return None
        return self.intend(lane, lane.applied_seq, UpdateRemote(written, agreements), f"repair {lane.version}")

    def pass_over(self, lane: Lane, seq: int, delivery: Delivery) -> None:
        lane.applied_seq = seq
        lane.base |= delivery.agreements
        if delivery.withheld:
            lane.withheld.append(seq)

    def intend(self, lane: Lane, seq: int, step: Step, slot: str) -> Do:
        writes = isinstance(step, CreateRemote | UpdateRemote)
        attempt = Attempt(
            seq,
            slot,
            step,
            correlation_of(self._mark(lane, seq), slot),
            step.fields if writes else {},
            step.agreements if writes else {},
        )
        lane.attempts.append(attempt)
        return Do(attempt, lane.version or None)

    def events_after(self, lane: Lane, seq: int) -> list[HubEvent]:
        return [self._as_event(entry, lane) for entry in self.journal[seq:]]

    def _as_event(self, entry: Entry, lane: Lane) -> HubEvent:
        said, comment = entry.said, None
        if said is not None:
            paired = said.id in lane.paired_here
            audience = said.audience_for(lane.owner)
            comment = HubComment(said.id, said.body, said.author, said.organization, audience, paired)
        mark = self._mark(lane, entry.seq)
        return HubEvent(entry.seq, entry.at, entry.changes, is_opening=entry.seq == 1, comment=comment, mark=mark)

    def _mark(self, lane: Lane, seq: int) -> str:
        return f"{lane.owner}/{seq}"

    # --- Phase two: call ----------------------------------------------------------------------------------------------

    def perform(self, lane: Lane, work: Work, between: Callable[[], None] = lambda: None) -> Any:
        """The call; ``between`` happens while it is under way. Raises Stale."""
        system = lane.system
        if isinstance(work, Look):
            snapshot = system.snapshot()
            between()
            return snapshot, system.changes(lane.cursor) if system.habits.has_log else None
        if isinstance(work, Recover):
            return self.recover(lane, work)
        receipt = self._carry_out(system, work)
        between()
        return system.receipt_read_now(receipt)

    def _carry_out(self, system: System, work: Do) -> Receipt:
        step, correlation = work.attempt.step, work.attempt.correlation
        if isinstance(step, CreateRemote):
            return system.create(step.fields, correlation)
        if isinstance(step, UpdateRemote):
            return system.update(step.fields, expected=work.expected, correlation=correlation)
        assert isinstance(step, AddRemoteComment)
        return system.add_comment(step.body, step.visibility, correlation)

    def recover(self, lane: Lane, work: Recover) -> tuple[Outcome, Receipt | None]:
        """Look before repeating."""
        attempt, system = work.attempt, lane.system
        found = system.find(attempt.correlation, attempt.slot)
        if not attempt.fields or (found is None and not system.exists):
            return (Outcome.APPLIED, found) if found else (Outcome.ABSENT, None)
        if attempt.slot == "create" and found is None:
            return Outcome.ABSENT, None
        snapshot = system.snapshot()
        log = system.changes(None if attempt.slot == "create" else lane.cursor) if system.habits.has_log else ()
        if attempt.slot == "create":
            stored = recovery.stored_by(attempt.fields, intake.rewind_snapshot(snapshot, log), ())
            return Outcome.APPLIED, Receipt(snapshot.ref, snapshot.version, snapshot.ref.id, stored)
        others = intake.set_own_aside(log, work.earlier).foreign
        told = found.change_ids if found else ()
        mine = recovery.known_as_ours(others, attempt.correlation, told)
        outcome = recovery.settle_unknown_write(
            attempt.fields, snapshot.fields, others, attempt.correlation, told=told, is_found=found is not None
        )
        stored = recovery.stored_by(attempt.fields, snapshot.fields, mine)
        return outcome, Receipt(snapshot.ref, snapshot.version, snapshot.ref.id, stored, told)

    # --- Phase three: settle ------------------------------------------------------------------------------------------

    def settle(self, lane: Lane, work: Work, result: Any) -> None:
        if isinstance(work, Look):
            self._settle_look(lane, work, *result)
        elif isinstance(work, Do):
            attempt = work.attempt
            if isinstance(attempt.step, UpdateRemote) and work.expected is not None:
                attempt.is_seen = settle.leaves_no_trace(lane.base, attempt.fields, attempt.agreements, result)
            self._settle_step(lane, attempt, result)
            self._note_version(lane, work, result)
        else:
            outcome, receipt = result
            lane.looks_wanted += 1
            if outcome is Outcome.APPLIED:
                self._settle_step(lane, work.attempt, receipt)
                if work.attempt.slot == "create":
                    lane.version = receipt.version
            else:
                work.attempt.state = "absent"
                self._mend_later(lane, work.attempt)

    @staticmethod
    def _mend_later(lane: Lane, attempt: Attempt) -> None:
        if attempt.slot.startswith("repair"):
            lane.repair = tuple({*lane.repair, *attempt.agreements})

    def refuse(self, lane: Lane, work: Do) -> None:
        """A stale version: nothing was written; look first."""
        work.attempt.state = "refused"
        self._mend_later(lane, work.attempt)
        lane.looks_wanted += 1

    def _settle_step(self, lane: Lane, attempt: Attempt, receipt: Receipt) -> None:
        step = attempt.step
        if isinstance(step, CreateRemote):
            lane.exists = True
        if isinstance(step, AddRemoteComment):
            lane.paired_here.add(step.comment_id)
            lane.paired_there.add(receipt.id)
        if attempt.agreements:
            lane.base, loose = settle.settle_write(lane.base, attempt.fields, attempt.agreements, receipt)
            lane.loose += loose
        attempt.state, attempt.change_ids = "applied", receipt.change_ids

    def _note_version(self, lane: Lane, work: Do, receipt: Receipt) -> None:
        step = work.attempt.step
        is_vouched = isinstance(step, UpdateRemote) and work.expected is not None and lane.system.habits.is_atomic
        if isinstance(step, CreateRemote) or is_vouched:
            lane.version = receipt.version
        else:
            lane.looks_wanted += 1

    def _settle_look(
        self, lane: Lane, work: Look, snapshot: TicketSnapshot, changes: tuple[RemoteChange, ...] | None
    ) -> None:
        if changes is None:
            self._compare(lane, snapshot)
            self._take_comments(lane, snapshot.comments)
        else:
            self._take_changes(lane, snapshot, changes)
            if lane.compares and self._is_current(snapshot, changes):
                self._compare(lane, snapshot)
        lane.version, lane.looks_done = snapshot.version, work.wanted

    @staticmethod
    def _is_current(snapshot: TicketSnapshot, changes: Sequence[RemoteChange]) -> bool:
        last = {name: after for change in changes for name, (_before, after) in change.fields.items()}
        return all(snapshot.fields.get(name) == after for name, after in last.items())

    def _take_changes(self, lane: Lane, snapshot: TicketSnapshot, changes: Sequence[RemoteChange]) -> None:
        found = intake.set_own_aside(changes, lane.own_writes(changes))
        overtaken = intake.find_overtaken(found.entries, found.ours)
        mine = {id(change) for change in found.ours}
        left = {} if lane.cursor else intake.rewind_snapshot(snapshot, changes)
        for change in found.entries:
            if id(change) in mine:
                left |= {name: after for name, (_before, after) in change.fields.items()}
            elif change.comment is None or change.comment.id not in lane.paired_there:
                base = intake.as_we_left_it(
                    lane.base, {name: left.pop(name) for name in change.fields if name in left}, lane.rules
                )
                lost = overtaken.get(change.id, frozenset())
                self._record(
                    lane, intake.apply(change, base, self.fields, self.pending(lane), lane.rules, overtaken=lost)
                )
                lane.taken.append(change.id)
            lane.cursor = change.id
        for attempt in lane.attempts:
            attempt.is_seen = attempt.is_seen or attempt.correlation in found.spent

    def _take_comments(self, lane: Lane, comments: Sequence[Comment]) -> None:
        marks = {attempt.correlation for attempt in lane.attempts}
        for said in comments:
            if said.id not in lane.paired_there and said.correlation not in marks:
                change = RemoteChange(f"comment:{said.id}", said.at, said.author, comment=said)
                self._record(lane, intake.apply(change, {}, {}, {}, lane.rules))

    def _compare(self, lane: Lane, snapshot: TicketSnapshot) -> None:
        found, missing = intake.reconcile(snapshot, lane.base, self.fields, self.pending(lane), lane.rules)
        self._record(lane, found)
        lane.repair, lane.compares = missing, False

    def pending(self, lane: Lane) -> dict[str, Pending]:
        pending: dict[str, Pending] = {}
        for event in self.events_after(lane, max(lane.applied_seq, lane.start_seq)):
            for name, (_before, after) in event.changes.items():
                for rule in lane.rules.of_hub(name):
                    if event.seq > lane.base.get(rule.key, NEVER).seq:
                        pending[rule.key] = Pending(after, event.at)
        return pending

    def _record(self, lane: Lane, found: Intake) -> None:
        origin = lane.owner
        self.change(found.values, origin=origin, ref=f"{found.change_id}:fields", at=found.at)
        lane.base = settle.settle_intake(lane.base, found.agreements, len(self.journal))
        agreed = {key for key, one in found.agreements.items() if one.seq == OPEN}
        lane.asked = [conflict for conflict in lane.asked if conflict.key not in agreed]
        if found.comment is not None and found.audience is not None:
            said = Said(f"{origin}:{found.comment.id}", found.comment.body, found.author, origin, found.audience)
            if self.say(said, origin=origin, ref=f"{found.change_id}:comment"):
                lane.paired_here.add(said.id)
                lane.paired_there.add(found.comment.id)
        for conflict in found.conflicts:
            lane.conflicts.append(conflict)
            if conflict.verdict is Verdict.ASK:
                lane.asked = [one for one in lane.asked if one.key != conflict.key] + [conflict]

    def answer(self, lane: Lane, choice: str) -> None:
        """A person chooses which value of the oldest open conflict holds."""
        conflict = lane.asked.pop(0)
        rule = next(rule for rule in lane.rules.fields if rule.key == conflict.key)
        if choice == "system":
            value = into_hub(rule, conflict.system_value)
            self.change({rule.hub: value})
            lane.base[rule.key] = Agreement(value, conflict.system_value, len(self.journal))
        lane.looks_wanted += 1

    # --- Rest ---------------------------------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Compare every ticket as a whole."""
        for lane in self.lanes.values():
            lane.looks_wanted, lane.compares = lane.looks_wanted + 1, True

    def step(self, lane: Lane) -> bool:
        """One undisturbed round of one lane; False when it has nothing to do."""
        work = self.decide(lane)
        if work is None:
            return False
        try:
            self.settle(lane, work, self.perform(lane, work))
        except Stale:
            assert isinstance(work, Do)
            self.refuse(lane, work)
        return True

    def rest(self, most: int = 2000) -> int:
        """Run all lanes until nothing is due; how many steps that took. Fails when it does not come to rest."""
        taken = 0
        while any(self.step(lane) for lane in list(self.lanes.values())):
            taken += 1
            assert taken < most, "the portal does not come to rest"
        return taken
