"""From a system to the hub: what a change there asks for (system → hub, *outbound* for its owner)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from .merge import NEVER, OPEN, Agreement, MergeBase, Verdict, break_tie, differs, judge
from .plan import Conflict, Intake
from .rules import FieldRule, RuleGap, SyncRules, into_hub, into_system, is_excerpt
from .settle import is_left_of
from .snapshot import Attachment, Comment, Fields, RemoteChange, TicketSnapshot, Value, Visibility, reads_same

STATUS = "status"


@dataclass(frozen=True, slots=True)
class Pending:
    """A field that the hub changed and that this system has not got yet: the value it will get, and when it was set."""

    value: Value
    at: datetime


@dataclass(frozen=True, slots=True)
class OwnWrite:
    """A write of ours that may still come back in the system's change log."""

    correlation: str
    change_ids: tuple[str, ...]
    fields: Fields


def rewind_snapshot(snapshot: TicketSnapshot, changes: Sequence[RemoteChange]) -> dict[str, Value]:
    """The ticket's fields as they were when it was created, by taking its change log back."""
    then = dict(snapshot.fields)
    for change in reversed(changes):
        for name, (before, _after) in change.fields.items():
            then[name] = before
    return then


def marks_of(change: RemoteChange) -> frozenset[str]:
    """Every mark that a change carries: its own, its comment's and its attachment's."""
    parts = (change, change.comment, change.attachment)
    return frozenset(part.correlation for part in parts if part is not None and part.correlation)


@dataclass(frozen=True, slots=True)
class Sorted:
    """A change log in two: what others did, and what we did. ``entries``: both in their order; an entry that holds a
    write of ours and what the system made of it stands there as two. ``spent``: the correlations of our writes that
    have come back whole; the same values later are somebody else's. ``matched``: id of a change → the write of which
    it shows nothing but the values."""

    foreign: tuple[RemoteChange, ...]
    ours: tuple[RemoteChange, ...]
    entries: tuple[RemoteChange, ...]
    spent: frozenset[str]
    matched: Mapping[str, str] = field(default_factory=dict)


def set_own_aside(changes: Sequence[RemoteChange], own: Sequence[OwnWrite]) -> Sorted:
    """Split a change log into what is foreign and what is ours.

    Ours is what carries our mark or an id from a receipt; where a system tells neither, the values that we wrote, in
    our order. Never by the author's name: people use the bot's account and rules edit as it (F23, F24). What stands
    beside such values in one entry is the system's own doing, the time of a resolution or what a rule of its own set.
    """
    marks = {write.correlation for write in own}
    marked = {mark for change in changes for mark in marks_of(change)}
    ids = {change_id for write in own for change_id in write.change_ids}
    waiting = {
        write.correlation: dict(write.fields)
        for write in own
        if not write.change_ids and write.correlation not in marked
    }
    foreign: list[RemoteChange] = []
    ours: list[RemoteChange] = []
    entries: list[RemoteChange] = []
    spent: set[str] = set()
    by_value: dict[str, str] = {}
    last: str | None = None
    for change in changes:
        told = marks_of(change) & marks
        is_told = bool(told) or change.id in ids
        matched, written = (None, frozenset[str]()) if is_told else _match_write(change, waiting)
        if last is not None and matched != last:
            # The entries of one write stand side by side; what it changed nothing about will not come any more.
            waiting.pop(last, None)
        spent |= told | ({matched} if matched is not None else set())
        if matched is not None:
            by_value[change.id] = matched
        last = matched
        # First what is foreign: should it wait for a rule, the entry was not read yet.
        rest, mine = (None, change) if is_told else _parts(change, written)
        foreign += [rest] if rest is not None else []
        ours += [mine] if mine is not None else []
        entries += [part for part in (rest, mine) if part is not None]
    come = {change.id for change in changes}
    spent |= {write.correlation for write in own if write.change_ids and set(write.change_ids) <= come}
    return Sorted(tuple(foreign), tuple(ours), tuple(entries), frozenset(spent), by_value)


def _match_write(change: RemoteChange, waiting: Mapping[str, dict[str, Value]]) -> tuple[str | None, frozenset[str]]:
    """The write of ours that left most values of ``change`` and contradicts none of them, the oldest of several, and
    the fields with those values, which are used up."""
    if change.comment or change.attachment:
        return None, frozenset()
    matched, most = None, frozenset[str]()
    for correlation, write in waiting.items():
        common = frozenset(name for name in change.fields if name in write)
        is_ours = all(is_left_of(write[name], change.fields[name][1]) for name in common)
        if is_ours and len(common) > len(most):
            matched, most = correlation, common
    for name in most:
        del waiting[matched or ""][name]
    return matched, most


def _parts(change: RemoteChange, written: frozenset[str]) -> tuple[RemoteChange | None, RemoteChange | None]:
    """``change`` without the fields that we wrote, and those alone."""
    if not written:
        return change, None
    if written == set(change.fields):
        return None, change
    rest = {name: pair for name, pair in change.fields.items() if name not in written}
    mine = {name: pair for name, pair in change.fields.items() if name in written}
    return replace(change, fields=rest), replace(change, fields=mine)


def find_overtaken(changes: Sequence[RemoteChange], ours: Sequence[RemoteChange]) -> dict[str, frozenset[str]]:
    """Change id → fields that a write of ours replaced afterwards: a person's edit that we wrote over unseen.

    Only systems without an atomic precondition let this happen. The edit is kept as a conflict, not taken over.
    """
    mine = {id(change) for change in ours}
    replaced: set[str] = set()
    overtaken: dict[str, frozenset[str]] = {}
    for change in reversed(changes):
        if id(change) in mine:
            replaced |= set(change.fields)
        elif replaced & set(change.fields):
            overtaken[change.id] = frozenset(replaced & set(change.fields))
    return overtaken


def as_we_left_it(base: MergeBase, left: Fields, rules: SyncRules) -> dict[str, Agreement]:
    """The base with the values that our last writes put into the log, for judging a foreign change that follows them.

    A receipt that was read after the write may already show that foreign change; it is news all the same.
    """
    after = dict(base)
    for name, value in left.items():
        for rule in rules.of_system(name):
            if rule.key in after:
                after[rule.key] = replace(after[rule.key], system=value)
    return after


def apply(
    change: RemoteChange,
    base: MergeBase,
    hub: Fields,
    pending: Mapping[str, Pending],
    rules: SyncRules,
    *,
    overtaken: frozenset[str] = frozenset(),
) -> Intake:
    """What one change asks of the hub, given what was agreed, how the hub is now, and what still waits to be sent.

    Raises RuleGap for a value that the rules do not cover; the intake of this ticket then waits, in order.
    """
    values: dict[str, Value] = {}
    agreements: dict[str, Agreement] = {}
    conflicts: list[Conflict] = []
    for name, (before, after) in change.fields.items():
        for rule in rules.of_system(name):
            held = base.get(rule.key, NEVER)
            if after == held.system and not _leads_away(rule, held, before, after):
                continue
            if name in overtaken:
                lost = Conflict(rule.key, held.hub, after, held, Verdict.TO_SYSTEM, change.at, change.author)
                conflicts.append(lost)
                continue
            if is_excerpt(rule, held.hub, after):
                # Somebody touched our shortened form of a text; the full one stays (INV-27).
                agreements[rule.key] = Agreement(held.hub, after, held.seq)
                lost = Conflict(rule.key, held.hub, after, held, Verdict.TO_SYSTEM, change.at, change.author)
                conflicts.append(lost)
                continue
            waiting = pending.get(rule.key)
            if waiting is not None and into_hub(rule, after) != waiting.value:
                verdict = break_tie(rule.tiebreak, system_is_later=change.at > waiting.at)
                conflicts.append(Conflict(rule.key, waiting.value, after, held, verdict, change.at, change.author))
                if verdict is not Verdict.TO_HUB:
                    agreements[rule.key] = Agreement(held.hub, after, held.seq)
                    continue
            taken = into_hub(rule, after)
            values[rule.hub] = taken
            agreements[rule.key] = Agreement(taken, after, OPEN)
    comment, audience = _take_comment(change.comment, rules)
    return Intake(
        change_id=change.id,
        at=change.at,
        author=change.author,
        values={name: value for name, value in values.items() if hub.get(name) != value},
        agreements=agreements,
        comment=comment,
        audience=audience if comment else _audience(change.attachment, rules),
        attachment=_take_attachment(change.attachment, rules),
        conflicts=tuple(conflicts),
    )


def _is_cut_form(rule: FieldRule, full: Value, there: Value) -> bool:
    try:
        ours = into_system(rule, full).value
    except RuleGap:
        return False
    return is_left_of(ours, there) and not reads_same(ours, there)


def _leads_away(rule: FieldRule, held: Agreement, before: Value, after: Value) -> bool:
    """Whether a change leads from the value that we wrote to the one the base knows: then a late receipt told the base
    of it, and the hub has not heard of it yet."""
    try:
        ours = into_system(rule, held.hub).value
    except RuleGap:
        return False
    return reads_same(before, ours) and not reads_same(after, ours)


def reconcile(
    snapshot: TicketSnapshot, base: MergeBase, hub: Fields, pending: Mapping[str, Pending], rules: SyncRules
) -> tuple[Intake, tuple[str, ...]]:
    """Compare whole tickets: the last net under cursors and change logs, and the intake of systems without a log.

    Returns what the hub takes over, and the keys of fields that the system must get (again).
    """
    values: dict[str, Value] = {}
    agreements: dict[str, Agreement] = {}
    conflicts: list[Conflict] = []
    to_system: list[str] = []
    for rule in rules.fields:
        held = base.get(rule.key, NEVER)
        if rule.system not in snapshot.fields:
            continue
        there = snapshot.fields[rule.system]
        waiting = pending.get(rule.key)
        here = waiting.value if waiting else hub.get(rule.hub, "")
        later = waiting is None or snapshot.updated_at > waiting.at
        # Somebody may have touched our shortened form of a text, or the system may have cut the one that waits when it
        # came before: that replaces no full one, old or new (INV-27).
        is_part = is_excerpt(rule, here if held == NEVER else held.hub, there)
        is_part = is_part or (waiting is not None and _is_cut_form(rule, here, there))
        said = held.system if is_part else there
        verdict = judge(held, here, said, rule.tiebreak, system_is_later=later)
        if verdict is Verdict.AGREED and said == there:
            continue
        both = differs(here, held.hub) and differs(said, held.system)
        if both and rule.comes_out and into_hub(rule, there) == here:
            agreements[rule.key] = Agreement(here, there, OPEN)
            continue
        if both:
            conflicts.append(Conflict(rule.key, here, there, held, verdict, snapshot.updated_at))
        if verdict is Verdict.TO_HUB and rule.comes_out:
            taken = into_hub(rule, there)
            values[rule.hub], agreements[rule.key] = taken, Agreement(taken, there, OPEN)
        elif there != held.system:
            agreements[rule.key] = Agreement(held.hub, there, held.seq)
        if verdict is Verdict.TO_SYSTEM and waiting is None and rule.goes_in:
            to_system.append(rule.key)
    return (
        Intake(
            change_id=f"state:{snapshot.version}",
            at=snapshot.updated_at,
            author="",
            values={name: value for name, value in values.items() if hub.get(name) != value},
            agreements=agreements,
            conflicts=tuple(conflicts),
        ),
        tuple(to_system),
    )


def _take_comment(comment: Comment | None, rules: SyncRules) -> tuple[Comment | None, str | None]:
    if comment is None:
        return None, None
    audience = _audience(comment, rules)
    return (comment, audience) if audience else (None, None)


def _take_attachment(attachment: Attachment | None, rules: SyncRules) -> Attachment | None:
    if attachment is None or not rules.attachments.outbound:
        return None
    return attachment if _audience(attachment, rules) else None


def _audience(said: Comment | Attachment | None, rules: SyncRules) -> str | None:
    if said is None:
        return None
    talk = rules.conversation
    return talk.out_public if said.visibility is Visibility.PUBLIC else talk.out_internal
