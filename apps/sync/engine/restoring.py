"""After the database was put back to an earlier moment: finding in a system what the portal once knew (INV-40).

A link is *behind* until its ticket was read whole: what its log says is compared with the journal first, by the
marks that our writes carry, by the identity of what was once taken in, and by value where a system keeps no marks of
field writes. What is known is tied and never taken in or written a second time; what carries a mark of ours that nobody
here knows was lost with the database and comes back. Nothing is written meanwhile; where both sides differ the later
value holds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from .deciding import correlation_for
from .deliver import STATUS, HubEvent, rewind, tell_in_full
from .intake import OwnWrite, Sorted, marks_of, rewind_snapshot
from .merge import NEVER, Agreement, MergeBase
from .plan import CREATIONS, IN_FULL, PREFIX, Intake, correlation_of, entry_of
from .ports import Finding, IntentState, LinkRow, LinkState, Store
from .rules import ELLIPSIS, Direction, FieldRule, RuleGap, SyncRules, Tiebreak, Translated, into_system
from .settle import is_left_of
from .snapshot import Fields, RemoteChange, TicketSnapshot, Value, Visibility, reads_same

CONVERSATION = ("comment", "attachment")


def deciding_by(tiebreak: Tiebreak, rules: SyncRules) -> SyncRules:
    """The rules with one tiebreak for all fields. While a link is behind both sides are read as they went on: the later
    value is the one that somebody set last, and the other is kept as a conflict."""
    return replace(rules, fields=tuple(replace(rule, tiebreak=tiebreak) for rule in rules.fields))


def is_of_portal(store: Store, correlation: str | None) -> bool:
    """Whether a correlation is one that this portal made, whatever it may have forgotten of it."""
    return correlation is not None and correlation.startswith(PREFIX + store.portal_part)


# --- A ticket that the system has and the portal knows ------------------------------------------------------------


def tie_ticket(link: LinkRow, made_by: str = "") -> None:
    """Pair the link's ticket with the system's from the beginning of its journal, or from where it was followed up: the
    look that comes next finds out which entries the system has.

    ``made_by``: *create* or *follow-up* where this connection made it. Then that step is done, but what should have
    come right after a creation may be missing: the lane begins with it (INV-27).
    """
    read_whole(link)
    if made_by != "follow-up":
        link.start_seq, link.applied_seq = 1, 0 if made_by else 1


def read_whole(link: LinkRow) -> None:
    """Nothing is known of the link's ticket but which one it is, until it is read whole."""
    link.state, link.is_behind, link.compare_wanted, link.base = LinkState.LINKED, True, True, {}


def agree_anew(store: Store, link: LinkRow, snapshot: TicketSnapshot, changes: Sequence[RemoteChange] | None,
               rules: SyncRules) -> dict[str, Agreement]:  # fmt: skip
    """The merge base of a ticket just tied: which entry each field of the system's first state shows. A value that no
    entry gave it is news, or what the system made of the first one."""
    first, seq = rewind_snapshot(snapshot, changes or ()), max(link.start_seq, link.applied_seq)
    later = store.events_after(link, seq)
    then = rewind(store.hub_fields(link), later)
    said = [*snapshot.comments, *(one.comment for one in changes or () if one.comment is not None)]
    told = {one.correlation for one in said if one.correlation}

    def is_whole(rule: FieldRule, value: Value) -> bool:
        over = _translated(rule, value)
        if over is None or over.full_text is None:
            return True
        return correlation_for(store, link, tell_in_full(rule, over.full_text)) in told

    base: dict[str, Agreement] = {}
    for rule in rules.fields:
        if rule.system not in first:
            continue
        here, there = then.get(rule.hub, ""), first[rule.system]
        base[rule.key] = _first_agreement(rule, here, there, later, seq, is_whole)
        is_first = (rule.hub == STATUS and changes is not None) or there in ("", None)
        if is_first and base[rule.key].system != there and snapshot.correlation:
            # So we make every ticket; where no entry of its log says more, that is still to be written.
            base[rule.key] = Agreement("", there, seq)
    if is_follow_up(link, snapshot.correlation):
        # It was created as the ticket stood then: nothing of what led there is told to it once more.
        return {key: replace(agreed, seq=store.last_seq(link)) for key, agreed in base.items()}
    return base


def _first_agreement(
    rule: FieldRule, here: Value, there: Value, later: Sequence[HubEvent], seq: int,
    is_whole: Callable[[FieldRule, Value], bool],
) -> Agreement:  # fmt: skip
    """``is_whole``: whether the ticket has all of a value, should the field hold but a part of it."""
    wanted = _over(rule, here, there)
    if is_left_of(wanted, there) or _shows(wanted, there):
        return Agreement(here, there, seq)
    for event in reversed(later):
        if rule.goes_in and rule.hub in event.changes:
            value = event.changes[rule.hub][1]
            if _shows(_over(rule, value, None), there):
                # Unless its full text is there as well, the entry is not through (INV-27).
                return Agreement(value, there, event.seq if is_whole(rule, value) else event.seq - 1)
    if any(rule.hub in event.changes for event in later):
        # A value that was lost, and that the journal has newer ones for.
        return Agreement(here, there, seq)
    return Agreement(here, wanted, seq)


def _shows(wanted: Value, there: Value) -> bool:
    """Whether the system has a value, be it shortened elsewhere than we would shorten it now."""
    if not isinstance(wanted, str) or not isinstance(there, str):
        return reads_same(wanted, there)
    ends = [text for text in (wanted, there) if text.endswith(ELLIPSIS)]
    stems = sorted((" ".join(text.removesuffix(ELLIPSIS).split()) for text in (wanted, there)), key=len)
    return reads_same(wanted, there) or bool(ends and stems[0] and stems[1].startswith(stems[0]))


def _over(rule: FieldRule, value: Value, otherwise: Value) -> Value:
    """The value as the system would get it; ``otherwise`` where the rules do not let it go there."""
    over = _translated(rule, value)
    return otherwise if over is None else over.value


def _translated(rule: FieldRule, value: Value) -> Translated | None:
    try:
        return into_system(rule, value) if rule.goes_in else None
    except RuleGap:
        return None


# --- What the system's log and words say ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Past:
    """What the journal knows of a system's changes: entries by their marks, and what the lane may have written."""

    entries: Mapping[str, HubEvent] = field(default_factory=dict)
    owed: Mapping[str, HubEvent] = field(default_factory=dict)
    """Correlation of a field write → the entry in the lane that asks for it."""
    writes: tuple[OwnWrite, ...] = ()
    came_back: set[str] = field(default_factory=set)
    """Marks of lost entries that were met already: a write of several steps leaves its mark on each."""


def read_past(store: Store, link: LinkRow, changes: Iterable[RemoteChange], rules: SyncRules) -> Past:
    """Look up everything in ``changes`` that the journal may know, and what of the lane they may already show."""
    asked: set[str] = set()
    for change in changes:
        asked |= {entry_of(one) for one in marks_of(change)}
        asked |= {store.mark_for(link, ref_of_part(link, change, part)) for part in ("fields", *CONVERSATION)}
    owed: dict[str, HubEvent] = {}
    writes: list[OwnWrite] = []
    run: Fields = {}
    for event in store.events_after(link, link.applied_seq):
        correlation = correlation_of(event.mark, "update", link.connection.pk)
        fields = _fields_over(event, link.base, rules)
        owed[correlation] = event
        # Where only the latest state is wanted, an entry goes with those before it.
        run = fields if rules.is_ordered else {**run, **fields}
        if fields:
            writes.append(OwnWrite(correlation, (), dict(run)))
    return Past(store.entries_marked(link, asked - {""}), owed, tuple(writes))


def _fields_over(event: HubEvent, base: MergeBase, rules: SyncRules) -> Fields:
    over: dict[str, Value] = {}
    for name, (_before, after) in event.changes.items():
        for rule in rules.fields:
            # The rules may have let it go there then that keep it back now.
            if rule.hub == name and event.seq > base.get(rule.key, NEVER).seq:
                value = _over(replace(rule, direction=Direction.BOTH), after, None)
                if value is not None:
                    over[rule.system] = value
    return over


def ref_of_part(link: LinkRow, change: RemoteChange, part: str) -> str:
    """Under which reference a part of a change stands in the journal."""
    return f"{link.external_id}:{change.id}:{part}"


@dataclass(frozen=True, slots=True)
class Rest:
    """What of a change is still to be taken in."""

    change: RemoteChange
    lost: frozenset[str] = frozenset()
    """Parts that are copies of an entry which was lost with the database."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """Part → the mark of its entry, where that is not the usual one."""
    left: Fields = field(default_factory=dict)
    """Fields that one of our writes left as they are here, on their way."""


def set_known_aside(
    store: Store, link: LinkRow, change: RemoteChange, past: Past, matched: str, rules: SyncRules, *, now: datetime
) -> Rest:
    """Tie every part of ``change`` that stands in the journal to its entry; what is left is news, or was lost.

    ``matched``: the correlation of the write in the lane whose values the change shows, if it shows any.
    """
    rest, lost, marks, left = change, set[str](), dict[str, str](), dict[str, Value]()
    for part, correlation in _parts_of(change):
        mark = entry_of(correlation)
        if _is_of(link, correlation, (IN_FULL,)):
            # Text of ours about a field, not something that somebody said. Its entry may still come in.
            store.add_intent(link, seq=link.applied_seq, slot=IN_FULL, correlation=str(correlation),
                             state=IntentState.APPLIED, note="found by looking", now=now)  # fmt: skip
            rest = _without(rest, part)
            continue
        event = past.entries.get(mark)
        by_ref = past.entries.get(store.mark_for(link, ref_of_part(link, change, part)))
        if event is None and part == "fields" and matched:
            event = past.owed.get(matched)
        known = event or by_ref
        if known is not None:
            if part == "fields":
                left = _tie_fields(link, change, known, rules, is_origin=event is None)
                taken = {name for name in change.fields if _concerns(known, name, rules)}
                rest = replace(rest, fields={name: pair for name, pair in rest.fields.items() if name not in taken})
                marks[part] = store.mark_for(link, f"{ref_of_part(link, change, part)}:rest")
                if event is not None and rest.fields:
                    rest = replace(rest, fields=_untied(store, link, rest, rules, left))
                    lost.add(part)
            else:
                _tie_words(store, link, change, part, known, correlation, now=now)
                rest = _without(rest, part)
            store.add_finding(link, Finding.FOUND, _told(change, part), now=now)
        elif is_of_portal(store, correlation) and mark != store.mark_for(link, link.external_id):
            lost.add(part)
            if mark not in past.came_back:
                past.came_back.add(mark)
                marks[part] = mark
    return Rest(rest, frozenset(lost), marks, left)


def _without(change: RemoteChange, part: str) -> RemoteChange:
    return replace(change, comment=None) if part == "comment" else replace(change, attachment=None)


def _parts_of(change: RemoteChange) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    if change.fields:
        found.append(("fields", change.correlation))
    if change.comment is not None:
        found.append(("comment", change.comment.correlation))
    if change.attachment is not None:
        found.append(("attachment", change.attachment.correlation))
    return found


def _concerns(event: HubEvent, name: str, rules: SyncRules) -> bool:
    """Whether an entry can have set the system's field: what a write brings along beside it is ours as well."""
    hubs = {rule.hub for rule in rules.fields if rule.system == name}
    return not hubs or event.is_opening or bool(hubs & set(event.changes))


def _tie_fields(
    link: LinkRow, change: RemoteChange, event: HubEvent, rules: SyncRules, *, is_origin: bool
) -> dict[str, Value]:
    """Agree on what the entry and the change both say; what a later entry covers is but passed through."""
    base, left = dict(link.base), dict[str, Value]()
    for name, (_before, after) in change.fields.items():
        for rule in rules.fields:
            if rule.system != name or rule.hub not in event.changes:
                continue
            value, held = event.changes[rule.hub][1], base.get(rule.key, NEVER)
            wanted = _over(rule, value, after)
            is_there = reads_same(wanted, after)
            if event.seq < held.seq or (rule.hub == STATUS and not is_there):
                left[name] = after
                continue
            # Where the change began, the system's own words are fuller than what came back from elsewhere.
            stored = wanted if is_origin and not is_there else after
            base[rule.key] = Agreement(value, stored, event.seq)
    link.base = base
    return left


def _untied(
    store: Store, link: LinkRow, change: RemoteChange, rules: SyncRules, left: dict[str, Value]
) -> dict[str, tuple[Value, Value]]:
    """What no entry explains of a write of ours: several that were written as one carry the mark of the last."""
    fields = dict(change.fields)
    for event in reversed(store.events_after(link, link.start_seq)):
        for rule in rules.fields:
            if rule.system in fields and rule.hub in event.changes:
                value, pair = event.changes[rule.hub][1], fields[rule.system]
                if _shows(_over(replace(rule, direction=Direction.BOTH), value, None), pair[1]):
                    one = replace(change, fields={rule.system: fields.pop(rule.system)})
                    left |= _tie_fields(link, one, event, rules, is_origin=False)
    return fields


def _tie_words(
    store: Store, link: LinkRow, change: RemoteChange, part: str, event: HubEvent, correlation: str | None, *,
    now: datetime,
) -> None:  # fmt: skip
    there = change.comment.id if part == "comment" and change.comment else ""
    there = change.attachment.id if part == "attachment" and change.attachment else there
    if event.comment is not None and part == "comment":
        store.pair_comment(link, event.comment.id, there)
    elif event.attachment is not None and part == "attachment":
        store.pair_file(link, event.attachment.id, there)
    if correlation is not None and event.seq > link.applied_seq:
        # Whatever the entry asked for beside this is still to be done, this is not.
        store.add_intent(link, seq=event.seq, slot=part, correlation=correlation, state=IntentState.APPLIED,
                         note="found by looking", now=now)  # fmt: skip


def _told(change: RemoteChange, part: str) -> str:
    if part == "comment":
        return "a comment that is there already"
    if part == "attachment" and change.attachment is not None:
        return f"the file {change.attachment.file_name} that is there already"
    return f"{', '.join(sorted(change.fields))} as it stands there already"


def is_known(change: RemoteChange, past: Past) -> bool:
    """Whether a change carries the mark of an entry of the journal."""
    return any(entry_of(one) in past.entries for one in marks_of(change))


def is_owed(link: LinkRow, change: RemoteChange, past: Past, found: Sorted) -> bool:
    """Whether a change shows an entry that the lane still has before it: then it is through."""
    entries = [past.entries.get(entry_of(one)) for one in marks_of(change)]
    return found.matched.get(change.id) in past.owed or any(
        one is not None and one.seq > link.applied_seq for one in entries
    )


def creation_mark(link: LinkRow, correlation: str | None) -> str:
    """The mark of the entry for which this connection created a ticket; empty where it did not."""
    return entry_of(correlation) if _is_of(link, correlation, CREATIONS) else ""


def is_written_to(store: Store, link: LinkRow, snapshot: TicketSnapshot, changes: Iterable[RemoteChange]) -> bool:
    """Whether this connection wrote on a ticket, as marks on it tell: then the portal knew it once."""
    marks = {snapshot.correlation} | {one.correlation for one in snapshot.comments}
    marks |= {one.correlation for one in snapshot.attachments}.union(*map(marks_of, changes))
    slots = (*CREATIONS, "update", *CONVERSATION, IN_FULL)
    repair = store.mark_for(link, link.external_id)
    return any(entry_of(one) == repair or _is_of(link, one, slots) for one in marks if one)


def _is_of(link: LinkRow, correlation: str | None, slots: Iterable[str]) -> bool:
    mark = entry_of(correlation)
    return correlation in [correlation_of(mark, slot, link.connection.pk) for slot in slots]


def is_follow_up(link: LinkRow, correlation: str | None) -> bool:
    """Whether this connection made a ticket to go on with one that was closed for good."""
    return correlation == correlation_of(entry_of(correlation), "follow-up", link.connection.pk)


def narrowed(intake: Intake, lost: frozenset[str], rules: SyncRules) -> Intake:
    """For whom a comment or file is that comes back from a copy. A copy that anybody there may read can be of one that
    was for few here: then it stays with the owner of the system (INV-31)."""
    talk = rules.conversation
    is_sure = Visibility.PUBLIC not in (talk.in_chosen, talk.in_internal)
    if is_sure or not lost & set(CONVERSATION) or intake.audience is None:
        return intake
    return replace(intake, audience="internal")
