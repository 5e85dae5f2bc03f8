"""Taking in what happened in a system: from a look to journal entries, in the system's own order."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from apps.ecosystem.selectors import principal_of
from apps.tickets.actor import Actor, Source
from apps.tickets.models import Ticket
from apps.tickets.selectors import read_fields
from apps.tickets.services import (
    AttachmentNotUsable,
    CommentNotUsable,
    FieldNotUsable,
    File,
    attach,
    comment,
    note,
    open_ticket,
    receive_changes,
)
from apps.tickets.services.changing import check_value
from apps.tickets.services.journal import lock
from apps.tickets.vocabulary import Audience

from ..bases import as_value, read_base, write_base
from ..engine.intake import (
    OwnWrite,
    apply,
    as_we_left_it,
    find_overtaken,
    marks_of,
    reconcile,
    rewind_snapshot,
    set_own_aside,
)
from ..engine.merge import OPEN, Agreement, Verdict
from ..engine.plan import Conflict as FoundConflict
from ..engine.plan import Intake
from ..engine.rules import RuleGap, SyncRules, into_hub
from ..engine.settle import settle_intake
from ..engine.snapshot import Attachment, RemoteChange, TicketSnapshot
from ..models import Conflict, Intent, Pairing, TicketLink
from ..rules.expressions import ExpressionFailed
from ..work import Looked
from .holds import hold_delivery, hold_for_rules
from .hub import pending_for

SEEN_AFTER = timedelta(minutes=10)


class IntakeRefused(Exception):
    """What the system answered cannot belong to this link (F7), or our own journal refused it."""


def actor_of(link: TicketLink) -> Actor:
    """The connection's machine account, acting for the connection's owner."""
    connection = link.connection
    machine = connection.machine
    return Actor(principal_of(machine), connection.organization, machine, connection.name)


def note_on_ticket(link: TicketLink, text: str, *, now: datetime) -> None:
    """Say something about the link in the ticket's journal, for all its parties."""
    if link.ticket is not None:
        note(ticket=link.ticket, text=text, actor=actor_of(link), at=now)


def take_in(link: TicketLink, looked: Looked, rules: SyncRules, *, now: datetime) -> None:
    """Bring the hub up to what a look found. Whatever the rules do not cover holds the rest, in order; the part before
    it is taken in. The caller saves the link. Raises IntakeRefused."""
    snapshot = looked.snapshot
    if snapshot.ref.id != link.external_id:
        raise IntakeRefused(f"asked for {link.external_id}, the system answered with {snapshot.ref.id}")
    link.key, link.url = snapshot.ref.key or link.key, snapshot.ref.url or link.url
    link.is_closed = snapshot.is_closed_for_good
    try:
        if link.ticket is not None:
            # What is pending and what is taken over are judged against one and the same end of the journal.
            link.ticket = lock(link.ticket)
        elif not _open(link, looked, rules, now):
            return
        if looked.changes is not None:
            _take_changes(link, looked, rules, now)
            if link.compare_wanted and _is_current(snapshot, looked.changes):
                _compare(link, looked, rules, now)
        else:
            _take_state(link, looked, rules, now)
        link.version = snapshot.version
    except (RuleGap, ExpressionFailed) as gap:
        hold_for_rules(link, gap, now=now, is_intake=True)
    except (FieldNotUsable, CommentNotUsable) as refused:
        hold_for_rules(link, refused, now=now, is_intake=True)


# --- A ticket that the hub does not have yet ----------------------------------------------------------------------


def _open(link: TicketLink, looked: Looked, rules: SyncRules, now: datetime) -> bool:
    """Open a ticket for something first seen in the system, as it was when it was created; False if it stays out."""
    snapshot = looked.snapshot
    ours = _creation_of(link, snapshot)
    if ours is not None:
        # Our own creation, told by a webhook before its answer was settled: the link that creates it takes over.
        TicketLink.objects.filter(pk=ours.link_id).update(due_at=now)
        link.delete()
        return False
    view = {**snapshot.fields, "type": snapshot.type, "key": snapshot.ref.key}
    if not rules.creates_outbound or not rules.sends(view):
        link.state, link.version = TicketLink.State.OUT_OF_SCOPE, snapshot.version
        return False
    if snapshot.type not in rules.kind_of_type:
        raise RuleGap("type", snapshot.type, "the rules name no kind for this type; add it under types or types_back")
    first = rewind_snapshot(snapshot, looked.changes or ())
    values: dict[str, Any] = {"kind": rules.kind_of_type[snapshot.type]}
    base: dict[str, Agreement] = {}
    for rule in rules.fields:
        if rule.system in first and rule.comes_out:
            there = first[rule.system]
            values[rule.hub] = check_value(rule.hub, into_hub(rule, there)) if there not in ("", None) else ""
            base[rule.key] = Agreement(values[rule.hub], there, 1)
    source = Source(str(link.connection_id), f"{link.external_id}:created", "")
    given = {name: value for name, value in values.items() if value not in ("", None)}
    link.ticket = open_ticket(values=given, actor=actor_of(link), at=snapshot.created_at, source=source)
    link.state = TicketLink.State.LINKED
    link.start_seq = link.applied_seq = 1
    link.merge_base = write_base(base)
    link.repair = _lacking(rules, base, _hub_fields(link))
    _take_first_words(link, looked, rules, now)
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


def _take_first_words(link: TicketLink, looked: Looked, rules: SyncRules, now: datetime) -> None:
    """Comments and files that came with the creation itself: they stand on the ticket but in no change log."""
    logged = looked.changes or ()
    said = {change.comment.id for change in logged if change.comment is not None}
    files = {change.attachment.id for change in logged if change.attachment is not None}
    if looked.changes is not None:
        for change in _as_changes(looked.snapshot, said, files, set()):
            _record(link, apply(change, {}, {}, {}, rules), looked, now)


def _as_changes(snapshot: TicketSnapshot, said: set[str], files: set[str], marks: set[str]) -> list[RemoteChange]:
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


def _creation_of(link: TicketLink, snapshot: TicketSnapshot) -> Intent | None:
    if snapshot.correlation is None:
        return None
    made = Intent.objects.filter(
        correlation=snapshot.correlation, slot__in=("create", "follow-up"), link__connection=link.connection
    )
    return made.exclude(link=link).order_by("-pk").first()


# --- Systems with a change log ------------------------------------------------------------------------------------


def _take_changes(link: TicketLink, looked: Looked, rules: SyncRules, now: datetime) -> None:
    changes = looked.changes or ()
    if not changes:
        return
    found = set_own_aside(changes, own_writes(link, changes))
    overtaken = find_overtaken(changes, found.ours)
    mine = {change.id for change in found.ours}
    said, files = _paired_comments(link), _paired_files(link)
    # Before its first log entry the ticket was as it was created, whatever a receipt read later may have shown.
    left = {} if link.change_cursor else rewind_snapshot(looked.snapshot, changes)
    for change in changes:
        if change.id in mine:
            left |= {name: after for name, (_before, after) in change.fields.items()}
        else:
            held = read_base(link.merge_base)
            base = as_we_left_it(held, {name: left.pop(name) for name in change.fields if name in left}, rules)
            intake = apply(
                _without_copies(change, said, files),
                base,
                _hub_fields(link),
                pending_for(link, held, rules),
                rules,
                overtaken=overtaken.get(change.id, frozenset()),
            )
            _record(link, intake, looked, now)
        link.change_cursor = change.id
    _mark_seen(link, found.spent, now)


def own_writes(link: TicketLink, changes: tuple[RemoteChange, ...] = ()) -> tuple[OwnWrite, ...]:
    """Our writes that may come back in this part of the log: not seen yet, or named by a mark in it."""
    marks = {mark for change in changes for mark in marks_of(change)}
    rows = Intent.objects.filter(link=link).filter(
        Q(correlation__in=marks) | Q(is_seen=False, state=Intent.State.APPLIED)
    )
    return tuple(
        OwnWrite(
            row.correlation,
            tuple(row.change_ids),
            {name: as_value(value) for name, value in row.fields.items()}
            if row.slot.startswith(("update", "repair"))
            else {},
        )
        for row in rows.order_by("pk")
    )


def _mark_seen(link: TicketLink, spent: frozenset[str], now: datetime) -> None:
    old = Q(settled_at__lt=now - SEEN_AFTER)
    Intent.objects.filter(link=link, is_seen=False).filter(Q(correlation__in=spent) | old).update(is_seen=True)


def _paired_comments(link: TicketLink) -> set[str]:
    return set(link.pairings.exclude(comment=None).values_list("external_id", flat=True))


def _paired_files(link: TicketLink) -> set[str]:
    return set(link.pairings.exclude(attachment=None).values_list("external_id", flat=True))


def _without_copies(change: RemoteChange, said: set[str], files: set[str]) -> RemoteChange:
    """``change`` without a comment or attachment that is already in the hub. Systems count the two apart."""
    comment_, file = change.comment, change.attachment
    return replace(
        change,
        comment=None if comment_ is not None and comment_.id in said else comment_,
        attachment=None if file is not None and file.id in files else file,
    )


def _is_current(snapshot: TicketSnapshot, changes: tuple[RemoteChange, ...]) -> bool:
    """Whether nothing happened between reading the ticket and reading its log."""
    last = {name: after for change in changes for name, (_before, after) in change.fields.items()}
    return all(snapshot.fields.get(name) == after for name, after in last.items())


def _compare(link: TicketLink, looked: Looked, rules: SyncRules, now: datetime) -> None:
    """The last net: compare the whole ticket, take over what was missed, and mend what the system lacks."""
    base = read_base(link.merge_base)
    intake, missing = reconcile(looked.snapshot, base, _hub_fields(link), pending_for(link, base, rules), rules)
    _record(link, intake, looked, now)
    link.repair = sorted({*link.repair, *missing})
    link.compare_wanted = False


# --- Systems without one ------------------------------------------------------------------------------------------


def _take_state(link: TicketLink, looked: Looked, rules: SyncRules, now: datetime) -> None:
    """Compare the whole ticket, then take in its new comments and attachments in the order of their times."""
    snapshot = looked.snapshot
    _compare(link, looked, rules, now)
    carried = [said.correlation for said in snapshot.comments] + [file.correlation for file in snapshot.attachments]
    marked = Intent.objects.filter(link=link, correlation__in=[mark for mark in carried if mark])
    marks = set(marked.values_list("correlation", flat=True))
    for change in _as_changes(snapshot, _paired_comments(link), _paired_files(link), marks):
        _record(link, apply(change, {}, {}, {}, rules), looked, now)


# --- Into the journal ---------------------------------------------------------------------------------------------


def _hub_fields(link: TicketLink) -> Mapping[str, Any]:
    assert link.ticket is not None
    link.ticket.refresh_from_db()
    return read_fields(link.ticket)


def _record(link: TicketLink, intake: Intake, looked: Looked, now: datetime) -> None:
    """Write one intake to the journal and move the merge base with it, in the caller's transaction."""
    ticket = link.ticket
    assert ticket is not None
    actor = actor_of(link)
    at = min(intake.at, now)

    def source(part: str) -> Source:
        return Source(str(link.connection_id), f"{link.external_id}:{intake.change_id}:{part}"[:200], intake.author)

    if intake.values:
        receive_changes(ticket=ticket, values=intake.values, actor=actor, at=at, source=source("fields"))
    if intake.agreements:
        agreed = {key: _as_kept(key, agreement) for key, agreement in intake.agreements.items()}
        base = settle_intake(read_base(link.merge_base), agreed, ticket.last_seq)
        link.merge_base = write_base(base)
        link.repair = sorted({*link.repair, *_to_mend(agreed, _hub_fields(link))})
        _close_questions(link, {key for key, agreement in intake.agreements.items() if agreement.seq == OPEN}, now)
    if intake.comment is not None and intake.audience is not None:
        _record_comment(link, ticket, intake, actor, at, source("comment"))
    if intake.attachment is not None:
        _record_attachment(link, ticket, intake.attachment, looked, intake, actor, at, source("attachment"))
    for conflict in intake.conflicts:
        _record_conflict(link, ticket, conflict, actor, now)


def _as_kept(key: str, agreement: Agreement) -> Agreement:
    """The agreement with the hub's value as the hub keeps it: a number from a system is text in a custom field."""
    if agreement.seq != OPEN:
        return agreement
    return replace(agreement, hub=check_value(key.split("=", 1)[0], agreement.hub))


def _to_mend(agreed: Mapping[str, Agreement], held: Mapping[str, Any]) -> set[str]:
    """Rules whose field the hub decided otherwise (its matrix makes the priority): the system gets the hub's value."""
    return {
        key
        for key, agreement in agreed.items()
        if agreement.seq == OPEN and agreement.hub != held.get(key.split("=", 1)[0], "")
    }


def _record_comment(
    link: TicketLink, ticket: Ticket, intake: Intake, actor: Actor, at: datetime, source: Source
) -> None:
    said = intake.comment
    assert said is not None and intake.audience is not None
    body = said.body if said.body.strip() else "(an empty comment)"
    made = comment(ticket=ticket, body=body, audience=intake.audience, actor=actor, at=at, source=source)
    if made is not None:
        Pairing.objects.create(link=link, comment=made, external_id=said.id)


def _record_attachment(
    link: TicketLink,
    ticket: Ticket,
    file: Attachment,
    looked: Looked,
    intake: Intake,
    actor: Actor,
    at: datetime,
    source: Source,
) -> None:
    audience = intake.audience or Audience.INTERNAL
    place = looked.files.get(file.id)
    if place is not None:
        try:
            with place.open("rb") as stream:
                kept = File(file.file_name, file.content_type, stream)
                made = attach(ticket=ticket, file=kept, audience=audience, actor=actor, at=at, source=source)
        except AttachmentNotUsable:
            place = None
        else:
            if made is not None:
                Pairing.objects.create(link=link, attachment=made, external_id=file.id)
    if place is None and file.id in looked.too_large:
        # An explicit placeholder: a file that does not cross must not vanish without a word.
        body = (
            f"**{file.file_name}** ({file.size} bytes) is too large to be copied; it stays in {link.connection.name}."
        )
        comment(ticket=ticket, body=body, audience=audience, actor=actor, at=at, source=source)


def _close_questions(link: TicketLink, keys: set[str], now: datetime) -> None:
    """Both sides agree on these fields again: what was asked about them needs no answer any more."""
    asked = Conflict.objects.filter(link=link, is_open=True)
    closed = asked.filter(rule_key__in=keys).update(is_open=False, settled_at=now)
    if closed and link.delivery_hold and link.delivery_hold["cause"] == "conflict" and not asked.exists():
        link.delivery_hold = None


def _record_conflict(link: TicketLink, ticket: Ticket, found: FoundConflict, actor: Actor, now: datetime) -> None:
    asks = found.verdict is Verdict.ASK
    if asks:
        # It takes the place of an older question about the same field that nobody has answered yet.
        _close_questions(link, {found.key}, now)
    Conflict.objects.create(
        link=link,
        rule_key=found.key,
        hub_value=found.hub_value,
        system_value=found.system_value,
        verdict=found.verdict,
        author=found.author,
        at=found.at,
        recorded_at=now,
        is_open=asks,
    )
    field = found.key.split("=", 1)[0]
    lost = found.system_value if found.verdict is Verdict.TO_SYSTEM else found.hub_value
    if asks:
        text = f"{field} was changed here to {found.hub_value!r} and there to {found.system_value!r}"
        hold_delivery(link, "conflict", text, remedy="choose which value holds", now=now, field=field, value=lost)
    else:
        text = f"{field} was changed on both sides; {lost!r} gave way and is kept in the list of conflicts."
        note(ticket=ticket, text=text, actor=actor, at=now)
