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
from .ports import HubRefused, LinkRow, LinkState, Store
from .rules import ExpressionFailed, RuleGap, SyncRules, into_hub
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
        if looked.changes is not None:
            _take_changes(store, link, looked, rules, now)
            if link.compare_wanted and _is_current(snapshot, looked.changes):
                _compare(store, link, looked, rules, now)
        else:
            _take_state(store, link, looked, rules, now)
        link.version = snapshot.version
    except (RuleGap, ExpressionFailed, HubRefused) as refused:
        hold_for_rules(store, link, refused, now=now, is_intake=True)
    except Braked as braked:
        hold_for_brake(store, link, braked, now=now, is_intake=True)


# --- A ticket that the hub does not have yet ----------------------------------------------------------------------


def _open(store: Store, link: LinkRow, looked: Looked, rules: SyncRules, now: datetime) -> bool:
    """Open a ticket for something first seen in the system, as it was when it was created; False if it stays out."""
    snapshot = looked.snapshot
    creator = store.creator_of(link, snapshot.correlation) if snapshot.correlation is not None else None
    if creator is not None:
        # Our own creation, told by a webhook before its answer was settled: the link that creates it takes over.
        store.poke(creator, now)
        store.delete(link)
        return False
    view = {**snapshot.fields, "type": snapshot.type, "key": snapshot.ref.key}
    if not rules.creates_outbound or not rules.sends(view):
        link.state, link.version = LinkState.OUT_OF_SCOPE, snapshot.version
        return False
    if snapshot.type not in rules.kind_of_type:
        raise RuleGap("type", snapshot.type, "the rules name no kind for this type; add it under types or types_back")
    first = rewind_snapshot(snapshot, looked.changes or ())
    values: dict[str, Any] = {"kind": rules.kind_of_type[snapshot.type]}
    base: dict[str, Agreement] = {}
    for rule in rules.fields:
        if rule.system in first and rule.comes_out:
            there = first[rule.system]
            values[rule.hub] = store.as_kept(rule.hub, into_hub(rule, there)) if there not in ("", None) else ""
            base[rule.key] = Agreement(values[rule.hub], there, 1)
    given = {name: value for name, value in values.items() if value not in ("", None)}
    store.open_ticket(link, given, at=snapshot.created_at, ref=f"{link.external_id}:created")
    link.state = LinkState.LINKED
    link.start_seq = link.applied_seq = 1
    link.base = base
    link.repair = _lacking(rules, base, store.hub_fields(link))
    _take_first_words(store, link, looked, rules, now)
    return True


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
    found = set_own_aside(changes, own_writes(store, link, marks))
    overtaken = find_overtaken(changes, found.ours)
    mine = {change.id for change in found.ours}
    said, files = store.paired_comments(link), store.paired_files(link)
    # Before its first log entry the ticket was as it was created, whatever a receipt read later may have shown.
    left = {} if link.change_cursor else rewind_snapshot(looked.snapshot, changes)
    for change in changes:
        if change.id in mine:
            left |= {name: after for name, (_before, after) in change.fields.items()}
        else:
            held = link.base
            base = as_we_left_it(held, {name: left.pop(name) for name in change.fields if name in left}, rules)
            intake = apply(
                _without_copies(change, said, files),
                base,
                store.hub_fields(link),
                pending_for(store, link, rules),
                rules,
                overtaken=overtaken.get(change.id, frozenset()),
            )
            _record(store, link, intake, looked, now)
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
    """Rule key → what the system has not got yet of a field, from the part of the journal still in the lane."""
    base, pending = link.base, dict[str, Pending]()
    if store.last_seq(link) <= max(link.applied_seq, link.start_seq):
        return pending
    for event in store.events_after(link, max(link.applied_seq, link.start_seq)):
        for name, (_before, after) in event.changes.items():
            for rule in rules.of_hub(name):
                if event.seq > base.get(rule.key, NEVER).seq:
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
    marks = store.marks_among(link, {mark for mark in carried if mark})
    for change in _as_changes(snapshot, store.paired_comments(link), store.paired_files(link), marks):
        _record(store, link, apply(change, {}, {}, {}, rules), looked, now)


# --- Into the journal ---------------------------------------------------------------------------------------------


def _record(store: Store, link: LinkRow, intake: Intake, looked: Looked, now: datetime) -> None:
    """Write one intake to the journal and move the merge base with it, in the caller's transaction."""
    at = min(intake.at, now)
    ref = f"{link.external_id}:{intake.change_id}"
    intake, grave = brake_intake(store, link, intake, now=now)
    if intake.values:
        store.receive(link, intake.values, at=at, ref=f"{ref}:fields", author=intake.author)
        note(store, link, grave, now=now)
    if intake.agreements:
        agreed = {key: _as_kept(store, key, agreement) for key, agreement in intake.agreements.items()}
        link.base = settle_intake(link.base, agreed, store.last_seq(link))
        link.repair = sorted({*link.repair, *_to_mend(agreed, store.hub_fields(link))})
        _close_questions(store, link, {key for key, one in intake.agreements.items() if one.seq == OPEN}, now)
    if intake.comment is not None and intake.audience is not None:
        body = intake.comment.body if intake.comment.body.strip() else "(an empty comment)"
        made = store.comment(link, body, audience=intake.audience, at=at, ref=f"{ref}:comment", author=intake.author)
        if made is not None:
            store.pair_comment(link, made, intake.comment.id)
    if intake.attachment is not None:
        _record_attachment(store, link, intake.attachment, looked, intake, at)
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
    store: Store, link: LinkRow, file: Attachment, looked: Looked, intake: Intake, at: datetime
) -> None:
    audience = intake.audience or INTERNAL
    ref = f"{link.external_id}:{intake.change_id}:attachment"
    place = looked.files.get(file.id)
    reason = "is too large to be copied" if file.id in looked.too_large else ""
    if place is not None:
        try:
            made = store.attach(link, file, place, audience=audience, at=at, ref=ref, author=intake.author)
        except HubRefused as refused:
            reason = f"cannot be kept here ({refused})"
        else:
            if made is not None:
                store.pair_file(link, made, file.id)
    if reason:
        # An explicit placeholder: a file that does not cross must not vanish without a word.
        body = f"**{file.file_name}** ({file.size} bytes) {reason}; it stays in {link.connection.name}."
        made = store.comment(link, body, audience=audience, at=at, ref=ref, author=intake.author)
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
    lost = found.system_value if found.verdict is Verdict.TO_SYSTEM else found.hub_value
    if asks:
        text = f"{field} was changed here to {found.hub_value!r} and there to {found.system_value!r}"
        remedy = "choose which value holds"
        hold_delivery(store, link, "conflict", text, remedy=remedy, now=now, field=field, value=lost)
    else:
        text = f"{field} was changed on both sides; {lost!r} gave way and is kept in the list of conflicts."
        store.note(link, text, now=now)
