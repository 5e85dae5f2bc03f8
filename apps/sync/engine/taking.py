"""Taking in what happened in a system: from a look to journal entries, in the system's own order."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from .braking import Braked, brake_intake, hold_for_brake, note
from .deciding import own_writes
from .holding import hold_delivery, hold_for_rules
from .intake import (
    Pending,
    apply,
    as_we_left_it,
    find_overtaken,
    marks_of,
    reconcile,
    rewind_snapshot,
    set_own_aside,
)
from .merge import NEVER, OPEN, Agreement, Verdict
from .plan import Conflict, Intake
from .ports import Finding, HubRefused, IntentState, LinkRow, LinkState, Store
from .restoring import (
    Rest,
    agree_anew,
    creation_mark,
    deciding_by,
    is_follow_up,
    is_known,
    is_of_portal,
    is_owed,
    is_written_to,
    narrowed,
    read_past,
    set_known_aside,
    tie_ticket,
)
from .rules import ExpressionFailed, RuleGap, SyncRules, Tiebreak, into_hub
from .settle import settle_intake
from .snapshot import Attachment, RemoteChange, TicketSnapshot
from .work import Looked

SEEN_AFTER = timedelta(minutes=10)
INTERNAL = "internal"


class ForeignAnswer(Exception):
    """What the system answered cannot belong to this link (F7)."""


def take_in(store: Store, link: LinkRow, looked: Looked, rules: SyncRules, *, now: datetime) -> None:
    """Bring the hub up to what a look found. Whatever the rules do not cover holds the rest, in order; the part before
    it is taken in. The caller saves the link. Raises ForeignAnswer."""
    snapshot = looked.snapshot
    if snapshot.ref.id != link.external_id:
        raise ForeignAnswer(f"asked for {link.external_id}, the system answered with {snapshot.ref.id}")
    link.key, link.url = snapshot.ref.key or link.key, snapshot.ref.url or link.url
    link.is_closed = snapshot.is_closed_for_good
    try:
        if link.ticket_id is not None:
            # What is pending and what is taken over are judged against one and the same end of the journal.
            store.lock_ticket(link)
        elif not _open(store, link, looked, rules, now):
            return
        if link.is_behind:
            rules = deciding_by(Tiebreak.LATEST, rules)
            link.base = link.base or agree_anew(store, link, snapshot, looked.changes, rules)
        if looked.changes is not None:
            _take_changes(store, link, looked, rules, now)
            if link.compare_wanted and _is_current(snapshot, looked.changes):
                _compare(store, link, looked, rules, now)
        else:
            _take_state(store, link, looked, rules, now)
        link.version = snapshot.version
        if link.is_behind and looked.changes is not None and link.compare_wanted:
            link.look_wanted += 1
        else:
            link.is_behind = False
    except (RuleGap, ExpressionFailed, HubRefused) as refused:
        hold_for_rules(store, link, refused, now=now, is_intake=True)
    except Braked as braked:
        hold_for_brake(store, link, braked, now=now, is_intake=True)


# --- A ticket that the hub does not have yet ----------------------------------------------------------------------


def _open(store: Store, link: LinkRow, looked: Looked, rules: SyncRules, now: datetime) -> bool:
    """Open a ticket for something first seen in the system, as it was when it was created; False if it stays out."""
    snapshot, ref = looked.snapshot, f"{link.external_id}:created"
    mark = creation_mark(link, snapshot.correlation)
    known = store.ticket_marked(link, {mark or store.mark_for(link, ref)})
    if known is None and is_written_to(store, link, snapshot, looked.changes or ()):
        # Hidden while everything else was read, perhaps: nobody but this connection wrote there.
        link.is_behind = True
    beside = store.link_beside(link, known) if known is not None else None
    if beside is not None and mark:
        _give_way(store, link, beside, snapshot.version, now)
        return False
    if beside is not None and not beside.external_id:
        # The ticket came back from a copy first, and was to be created where it came from.
        store.delete(beside)
        beside = None
    if known is not None and beside is None:
        store.tie(link, known, now=now)
        (opening,) = store.events_after(link, 0, 1)
        if opening.mark == mark:
            tie_ticket(link, "create")
            store.add_intent(link, seq=link.start_seq, slot="create", correlation=snapshot.correlation or "",
                             state=IntentState.APPLIED, note="found by looking", now=now)  # fmt: skip
        else:
            tie_ticket(link)
        store.add_finding(link, Finding.TIED, f"{_name(link)} is a copy of this ticket", now=now)
        return True
    view = {**snapshot.fields, "type": snapshot.type, "key": snapshot.ref.key}
    is_lost = link.is_behind and is_of_portal(store, snapshot.correlation)
    is_left_over = is_lost and is_follow_up(link, snapshot.correlation)
    if not rules.creates_outbound or not rules.sends(view) or is_left_over:
        link.state, link.version, link.is_behind = LinkState.OUT_OF_SCOPE, snapshot.version, is_lost
        if is_lost:
            store.add_finding(link, Finding.PERSON, f"{_name(link)} is a copy, and the ticket is not known", now=now)
        return False
    if snapshot.type not in rules.kind_of_type:
        raise RuleGap("type", snapshot.type, "the rules name no kind for this type; add it under types or types_back")
    if beside is not None:
        # The same ticket of the system a second time, apart again from the one into which it was merged.
        ref = f"{ref} beside {beside.external_id}"
    _open_as_created(store, link, looked, rules, ref, mark if is_lost else "")
    if is_lost:
        store.add_finding(link, Finding.TAKEN_BACK, f"the ticket {_name(link)}", now=now)
    _take_first_words(store, link, looked, rules, now)
    return True


def _give_way(store: Store, link: LinkRow, beside: LinkRow, version: str, now: datetime) -> None:
    """Our own creation is told by a webhook before its answer is settled: the link that creates it takes over."""
    if beside.external_id and link.external_id not in {beside.external_id, *(one["id"] for one in beside.former)}:
        # Created twice: the system's index lagged longer than its connector says (F2). Only a person can tell on which
        # of the two people work.
        text = f"{_name(link)} in {link.connection.name} is a second copy; nobody hears what is said there. "
        store.note(beside, f"{text}Merge it into {_name(beside)}, or close it.", now=now)
        link.state, link.version = LinkState.FORMER, version
        return
    if beside.state == LinkState.DETACHED and not beside.external_id:
        # It was gone while we looked for it, and here it is.
        beside.state = LinkState.CREATING
    # What was merged into it stays known: a page names that again (INV-3).
    beside.due_at, beside.former = now, [*link.former, *beside.former]
    # Should it have been looked for in vain, too early for the index, it is looked for again.
    beside.looked_for = ""
    store.save(beside, "state", "due_at", "former", "looked_for")
    store.delete(link)


def _name(link: LinkRow) -> str:
    return link.key or link.external_id


def _open_as_created(store: Store, link: LinkRow, looked: Looked, rules: SyncRules, ref: str, lost: str) -> None:
    """``lost``: the mark of the ticket's first entry, if the portal had it once."""
    snapshot = looked.snapshot
    first = rewind_snapshot(snapshot, looked.changes or ())
    values: dict[str, Any] = {"kind": rules.kind_of_type[snapshot.type]}
    base: dict[str, Agreement] = {}
    for rule in rules.fields:
        if rule.system in first and rule.comes_out:
            there = first[rule.system]
            values[rule.hub] = store.as_kept(rule.hub, into_hub(rule, there)) if there not in ("", None) else ""
            base[rule.key] = Agreement(values[rule.hub], there, 1)
    given = {name: value for name, value in values.items() if value not in ("", None)}
    if lost:
        given.setdefault("title", _name(link))
    store.open_ticket(link, given, at=snapshot.created_at, ref=ref, mark=lost)
    link.state = LinkState.LINKED
    link.start_seq = link.applied_seq = 1
    link.base = base
    link.repair = _lacking(rules, base, store.hub_fields(link))


def _lacking(rules: SyncRules, base: Mapping[str, Agreement], held: Mapping[str, Any]) -> list[str]:
    """Rules whose field the system must get of a ticket that came from it: inbound only, or decided by the hub."""
    return [
        rule.key
        for rule in rules.fields
        if rule.goes_in
        and held.get(rule.hub) not in ("", None)
        and (rule.key not in base or base[rule.key].hub not in ("", held[rule.hub]))
    ]


def _take_first_words(store: Store, link: LinkRow, looked: Looked, rules: SyncRules, now: datetime) -> None:
    """Comments and files that came with the creation itself: they stand on the ticket but in no change log."""
    if looked.changes is None:
        return
    said = {change.comment.id for change in looked.changes if change.comment is not None}
    files = {change.attachment.id for change in looked.changes if change.attachment is not None}
    for change in _as_changes(looked.snapshot, said, files, set()):
        _record(store, link, apply(change, {}, {}, {}, rules), looked, now)


def _as_changes(
    snapshot: TicketSnapshot, said: Collection[str], files: Collection[str], marks: Collection[str]
) -> list[RemoteChange]:
    """Comments and files of a ticket as changes in the order of their times, without those known or marked as ours."""
    news = [
        RemoteChange(f"comment:{one.id}", one.at, one.author, comment=one)
        for one in snapshot.comments
        if one.id not in said and one.correlation not in marks
    ]
    news += [
        RemoteChange(f"attachment:{one.id}", one.at, one.author, attachment=one)
        for one in snapshot.attachments
        if one.id not in files and one.correlation not in marks
    ]
    return sorted(news, key=lambda one: (one.at, one.id))


# --- Systems with a change log ------------------------------------------------------------------------------------


def _take_changes(store: Store, link: LinkRow, looked: Looked, rules: SyncRules, now: datetime) -> None:
    changes = looked.changes or ()
    if not changes:
        return
    marks = frozenset(mark for change in changes for mark in marks_of(change))
    past = read_past(store, link, changes, rules) if link.is_behind else None
    own = own_writes(store, link, marks)
    found = set_own_aside(changes, (*own, *past.writes) if past else own)
    known = [one for one in found.entries if past and is_known(one, past)]
    overtaken = find_overtaken(found.entries, [*found.ours, *known])
    ours = {id(change) for change in found.ours}
    mine = {id(change) for change in found.ours if past is None or not is_owed(link, change, past, found)}
    said, files = store.paired_comments(link), store.paired_files(link)
    # Before its first log entry the ticket was as it was created, whatever a receipt read later may have shown.
    left = {} if link.change_cursor else rewind_snapshot(looked.snapshot, changes)
    for change in found.entries:
        if id(change) in mine:
            left |= {name: after for name, (_before, after) in change.fields.items()}
        else:
            rest = Rest(change)
            if past is not None:
                matched = found.matched.get(change.id, "") if id(change) in ours else ""
                rest = set_known_aside(store, link, change, past, matched, rules, now=now)
            held, foreign = link.base, rest.change
            base = as_we_left_it(held, {name: left.pop(name) for name in foreign.fields if name in left}, rules)
            left |= rest.left
            intake = apply(
                _without_copies(foreign, said, files),
                base,
                store.hub_fields(link),
                pending_for(store, link, rules),
                deciding_by(Tiebreak.HUB, rules) if "fields" in rest.lost else rules,
                overtaken=overtaken.get(change.id, frozenset()),
            )
            _record(store, link, narrowed(intake, rest.lost, rules), looked, now, rest)
        link.change_cursor = change.id
    store.mark_seen(link, found.spent, now - SEEN_AFTER)


def _without_copies(change: RemoteChange, said: Collection[str], files: Collection[str]) -> RemoteChange:
    """``change`` without a comment or attachment that is already in the hub. Systems count the two apart."""
    comment, file = change.comment, change.attachment
    return replace(
        change,
        comment=None if comment is not None and comment.id in said else comment,
        attachment=None if file is not None and file.id in files else file,
    )


def pending_for(store: Store, link: LinkRow, rules: SyncRules) -> dict[str, Pending]:
    """Rule key → what the system has not got yet of a field, from the part of the journal still in the lane. While the
    link is behind that is told of fields, too, that the rules keep from going there: the later value holds."""
    base, pending = link.base, dict[str, Pending]()
    if store.last_seq(link) <= max(link.applied_seq, link.start_seq):
        return pending
    for event in store.events_after(link, max(link.applied_seq, link.start_seq)):
        for name, (_before, after) in event.changes.items():
            for rule in rules.fields if link.is_behind else rules.of_hub(name):
                if rule.hub == name and event.seq > base.get(rule.key, NEVER).seq:
                    pending[rule.key] = Pending(after, event.at)
    return pending


def _is_current(snapshot: TicketSnapshot, changes: tuple[RemoteChange, ...]) -> bool:
    """Whether nothing happened between reading the ticket and reading its log."""
    last = {name: after for change in changes for name, (_before, after) in change.fields.items()}
    return all(snapshot.fields.get(name) == after for name, after in last.items())


def _compare(store: Store, link: LinkRow, looked: Looked, rules: SyncRules, now: datetime) -> None:
    """The last net: compare the whole ticket, take over what was missed, and mend what the system lacks."""
    pending = pending_for(store, link, rules)
    intake, missing = reconcile(looked.snapshot, link.base, store.hub_fields(link), pending, rules)
    _record(store, link, intake, looked, now)
    link.repair = sorted({*link.repair, *missing})
    link.compare_wanted = False


# --- Systems without one ------------------------------------------------------------------------------------------


def _take_state(store: Store, link: LinkRow, looked: Looked, rules: SyncRules, now: datetime) -> None:
    """Compare the whole ticket, then take in its new comments and attachments in the order of their times."""
    snapshot = looked.snapshot
    _compare(store, link, looked, rules, now)
    carried = [said.correlation for said in snapshot.comments] + [file.correlation for file in snapshot.attachments]
    # What a link that is behind noted before a write may have come to nothing: there the journal says what is known.
    marks = () if link.is_behind else store.marks_among(link, {mark for mark in carried if mark})
    news = _as_changes(snapshot, store.paired_comments(link), store.paired_files(link), marks)
    past = read_past(store, link, news, rules) if link.is_behind else None
    for change in news:
        rest = set_known_aside(store, link, change, past, "", rules, now=now) if past else Rest(change)
        intake = narrowed(apply(rest.change, {}, {}, {}, rules), rest.lost, rules)
        _record(store, link, intake, looked, now, rest)


# --- Into the journal ---------------------------------------------------------------------------------------------


def _record(
    store: Store, link: LinkRow, intake: Intake, looked: Looked, now: datetime, rest: Rest | None = None
) -> None:
    """Write one intake to the journal and move the merge base with it, in the caller's transaction. ``rest``: what is
    special about its entries."""
    marks = rest.marks if rest else {}
    at = min(intake.at, now)
    ref = f"{link.external_id}:{intake.change_id}"
    intake, grave = brake_intake(store, link, intake, now=now)
    if intake.values:
        mark = marks.get("fields", "")
        store.receive(link, intake.values, at=at, ref=f"{ref}:fields", author=intake.author, mark=mark)
        note(store, link, grave, now=now)
    if intake.agreements:
        agreed = {key: _as_kept(store, key, agreement) for key, agreement in intake.agreements.items()}
        link.base = settle_intake(link.base, agreed, store.last_seq(link))
        link.repair = sorted({*link.repair, *_to_mend(agreed, store.hub_fields(link))})
        _close_questions(store, link, {key for key, one in intake.agreements.items() if one.seq == OPEN}, now)
    if intake.comment is not None and intake.audience is not None:
        body = intake.comment.body if intake.comment.body.strip() else "(an empty comment)"
        mark = marks.get("comment", "")
        made = store.comment(
            link, body, audience=intake.audience, at=at, ref=f"{ref}:comment", author=intake.author, mark=mark
        )
        if made is not None:
            store.pair_comment(link, made, intake.comment.id)
    if intake.attachment is not None:
        _record_attachment(store, link, intake.attachment, looked, intake, at, marks.get("attachment", ""))
    if rest and rest.lost:
        store.add_finding(link, Finding.TAKEN_BACK, f"{' and '.join(sorted(rest.lost))} of {intake.change_id}", now=now)
    for conflict in intake.conflicts:
        _record_conflict(store, link, conflict, now)


def _as_kept(store: Store, key: str, agreement: Agreement) -> Agreement:
    """The agreement with the hub's value as the hub keeps it: a number from a system is text in a custom field."""
    if agreement.seq != OPEN:
        return agreement
    return replace(agreement, hub=store.as_kept(key.split("=", 1)[0], agreement.hub))


def _to_mend(agreed: Mapping[str, Agreement], held: Mapping[str, Any]) -> set[str]:
    """Rules whose field the hub decided otherwise (its matrix makes the priority): the system gets the hub's value."""
    return {
        key
        for key, agreement in agreed.items()
        if agreement.seq == OPEN and agreement.hub != held.get(key.split("=", 1)[0], "")
    }


def _record_attachment(
    store: Store, link: LinkRow, file: Attachment, looked: Looked, intake: Intake, at: datetime, mark: str
) -> None:
    audience = intake.audience or INTERNAL
    ref = f"{link.external_id}:{intake.change_id}:attachment"
    place = looked.files.get(file.id)
    reason = "is too large to be copied" if file.id in looked.too_large else ""
    if place is not None:
        try:
            made = store.attach(link, file, place, audience=audience, at=at, ref=ref, author=intake.author, mark=mark)
        except HubRefused as refused:
            reason = f"cannot be kept here ({refused})"
        else:
            if made is not None:
                store.pair_file(link, made, file.id)
    if reason:
        # An explicit placeholder: a file that does not cross must not vanish without a word.
        body = f"**{file.file_name}** ({file.size} bytes) {reason}; it stays in {link.connection.name}."
        made = store.comment(link, body, audience=audience, at=at, ref=ref, author=intake.author, mark=mark)
        if made is not None:
            # It stands for the file: the system that has the file does not get it.
            store.pair_comment(link, made, file.id)


def _close_questions(store: Store, link: LinkRow, keys: set[str], now: datetime) -> None:
    """Both sides agree on these fields again: what was asked about them needs no answer any more."""
    none_left = store.close_questions(link, keys, now)
    if none_left and link.delivery_hold and link.delivery_hold["cause"] == "conflict":
        link.delivery_hold = None


def _record_conflict(store: Store, link: LinkRow, found: Conflict, now: datetime) -> None:
    asks = found.verdict is Verdict.ASK
    if asks:
        # It takes the place of an older question about the same field that nobody has answered yet.
        _close_questions(store, link, {found.key}, now)
    store.add_conflict(link, found, now=now, is_open=asks)
    field = found.key.split("=", 1)[0]
    if link.is_behind:
        store.add_finding(link, Finding.CONFLICT, f"{field} was changed on both sides", now=now)
    lost = found.system_value if found.verdict is Verdict.TO_SYSTEM else found.hub_value
    if asks:
        text = f"{field} was changed here to {found.hub_value!r} and there to {found.system_value!r}"
        remedy = "choose which value holds"
        hold_delivery(store, link, "conflict", text, remedy=remedy, now=now, field=field, value=lost)
    else:
        text = f"{field} was changed on both sides; {lost!r} gave way and is kept in the list of conflicts."
        store.note(link, text, now=now)
