"""The third phase of a round: what came of it, one link at a time, each in its own transaction."""

import logging
import random
from datetime import datetime, timedelta

from django.db import transaction

from ..bases import read_base, write_base
from ..connectors.catalog import CONNECTORS
from ..engine.plan import AddRemoteAttachment, AddRemoteComment, CreateRemote, FollowUp, UpdateRemote
from ..engine.recovery import LONGEST_DELAY, Action, Consequence, Failure, FailureKind, Outcome, decide
from ..engine.rules import SyncRules
from ..engine.settle import settle_write
from ..engine.snapshot import Receipt
from ..models import Intent, Pairing, TicketLink
from ..work import Do, Done, Failed, Look, Looked, Recover, Recovered, Result, Work
from .claims import release
from .holds import hold_delivery, hold_for_failure
from .intake import IntakeRefused, note_on_ticket, take_in
from .pulse import note_failure, note_success, put_on_hold, wait_until

log = logging.getLogger(__name__)
UNSETTLED_DELAY = 2.0


def settle(link: TicketLink, work: Work, result: Result, *, rules: SyncRules, now: datetime) -> None:
    """Write down what came of ``work``. A claim that was taken over meanwhile is left to its new holder (INV-7)."""
    with transaction.atomic():
        held = TicketLink.objects.select_for_update().filter(pk=link.pk, claimed_by=link.claimed_by).first()
        if held is None:
            return
        held.connection = link.connection
        if isinstance(result, Failed):
            _settle_failure(held, work, result.failure, now)
        elif isinstance(result, Looked) and isinstance(work, Look):
            _settle_look(held, work, result, rules, now)
        elif isinstance(result, Done) and isinstance(work, Do):
            _settle_step(held, work, result.receipt, now)
        elif isinstance(result, Recovered) and isinstance(work, Recover):
            _settle_recovery(held, work, result, now)
        release(held)


def _settle_look(link: TicketLink, work: Look, looked: Looked, rules: SyncRules, now: datetime) -> None:
    try:
        take_in(link, looked, rules, now=now)
    except IntakeRefused as refused:
        hold_for_failure(link, Failure(FailureKind.OUR_FAULT, str(refused)), now=now, is_intake=True)
        return
    finally:
        for place in looked.files.values():
            place.unlink(missing_ok=True)
    if not TicketLink.objects.filter(pk=link.pk).exists():
        return
    if link.state == TicketLink.State.DETACHED:
        # It is there again: restored, or shown to us again.
        link.state = TicketLink.State.LINKED
    if link.intake_hold is None:
        link.look_done = work.wanted
    if link.ticket is None or link.applied_seq >= link.ticket.last_seq:
        # With something still owed the count stands for that: a read that works says nothing about a write that fails.
        link.attempts = 0
    link.looked_at, link.due_at = now, now
    link.save()
    note_success(link.connection, now=now)


def _settle_step(link: TicketLink, work: Do, receipt: Receipt, now: datetime) -> None:
    intent = Intent.objects.get(pk=work.intent_id)
    step = work.step
    if isinstance(step, CreateRemote | FollowUp):
        _settle_creation(link, receipt, is_follow_up=isinstance(step, FollowUp))
    if isinstance(step, CreateRemote | UpdateRemote | FollowUp):
        _settle_fields(link, intent, receipt, now)
    if isinstance(step, AddRemoteComment) and step.comment_id:
        Pairing.objects.get_or_create(link=link, comment_id=step.comment_id, defaults={"external_id": receipt.id})
    if isinstance(step, AddRemoteAttachment):
        Pairing.objects.get_or_create(link=link, attachment_id=step.attachment_id, defaults={"external_id": receipt.id})
    _close(intent, Intent.State.APPLIED, receipt, now)
    _advance_version(link, work, receipt)
    link.attempts, link.due_at, link.last_failure = 0, now, ""
    link.save()
    note_success(link.connection, now=now)


def _settle_fields(link: TicketLink, intent: Intent, receipt: Receipt, now: datetime) -> None:
    """The new merge base; a value that did not stick holds the lane instead of being tried in a loop (INV-19)."""
    base, loose = settle_write(read_base(link.merge_base), intent.fields, read_base(intent.agreements), receipt)
    link.merge_base = write_base(base)
    for one in loose:
        what = "cut it" if one.is_cut else "put the old value back"
        text = f"{one.key.split('=', 1)[1]}: we wrote {one.wanted!r} and the system {what}: {one.found!r}"
        remedy = "change the rule in the system that does it, or the field's rule here, then resume"
        hold_delivery(link, "not sticking", text, remedy=remedy, now=now, field=one.key, value=one.wanted)


def _settle_creation(link: TicketLink, receipt: Receipt, *, is_follow_up: bool) -> None:
    # A webhook may have told of the new ticket before its answer reached us: that sighting is this link.
    TicketLink.objects.filter(connection=link.connection, external_id=receipt.ref.id, ticket=None).delete()
    if is_follow_up:
        link.former = [*link.former, {"id": link.external_id, "key": link.key, "url": link.url}]
        link.change_cursor = ""
    link.external_id, link.key, link.url = receipt.ref.id, receipt.ref.key, receipt.ref.url
    link.state, link.is_closed = TicketLink.State.LINKED, False


def _advance_version(link: TicketLink, work: Do, receipt: Receipt) -> None:
    """Take the new version over when the system itself vouched that nothing came in between; else look again.

    A comment or a write without an atomic precondition may hide a person's edit made just before it (INV-2).
    """
    is_vouched = isinstance(work.step, UpdateRemote) and work.expected is not None
    atomic = CONNECTORS[link.connection.connector].capabilities.has_atomic_precondition
    if isinstance(work.step, CreateRemote | FollowUp) or (is_vouched and atomic):
        link.version = receipt.version
    else:
        link.look_wanted += 1


def _close(intent: Intent, state: str, receipt: Receipt | None, now: datetime, note: str = "") -> None:
    intent.state, intent.settled_at, intent.note, intent.is_unknown = state, now, note, False
    if receipt is not None:
        intent.change_ids = list(receipt.change_ids)
    intent.save()


def _settle_recovery(link: TicketLink, work: Recover, recovered: Recovered, now: datetime) -> None:
    """An outcome is known now: applied counts as done, absent lets the lane plan the step again."""
    intent = Intent.objects.get(pk=work.intent_id)
    if recovered.outcome is None:
        link.due_at = now + timedelta(seconds=UNSETTLED_DELAY)
        link.save(update_fields=["due_at"])
        return
    link.due_at = now
    if recovered.outcome is Outcome.ABSENT or recovered.receipt is None:
        _close(intent, Intent.State.ABSENT, None, now)
        _mend_later(link, intent)
    else:
        _adopt(link, intent, recovered.receipt, now)
        _close(intent, Intent.State.APPLIED, recovered.receipt, now, note="found by looking")
    link.look_wanted += 1
    link.save()


def _mend_later(link: TicketLink, intent: Intent) -> None:
    """A repair stands in no journal entry: what did not come to pass is kept, or only the next sweep would see it."""
    if intent.slot.startswith("repair"):
        link.repair = sorted({*link.repair, *intent.agreements})


def _adopt(link: TicketLink, intent: Intent, receipt: Receipt, now: datetime) -> None:
    """Take over what an earlier call turned out to have left in the system."""
    if intent.slot in ("create", "follow-up"):
        _settle_creation(link, receipt, is_follow_up=intent.slot == "follow-up")
        link.version = receipt.version
    if intent.agreements:
        _settle_fields(link, intent, receipt, now)
    event = link.ticket.events.filter(seq=intent.seq).first() if link.ticket else None
    if intent.slot == "comment" and event and event.comment_id:
        Pairing.objects.get_or_create(link=link, comment_id=event.comment_id, defaults={"external_id": receipt.id})
    if intent.slot == "attachment" and event and event.attachment_id:
        Pairing.objects.get_or_create(
            link=link, attachment_id=event.attachment_id, defaults={"external_id": receipt.id}
        )


def _settle_failure(link: TicketLink, work: Work, failure: Failure, now: datetime) -> None:
    consequence = decide(failure, link.attempts, random.random())
    if isinstance(work, Do):
        intent = Intent.objects.get(pk=work.intent_id)
        if failure.is_unknown:
            intent.is_unknown, intent.note = True, failure.detail[:2000]
            intent.save()
        else:
            _close(intent, Intent.State.REFUSED, None, now, failure.detail[:2000])
            _mend_later(link, intent)
    link.attempts += 1
    link.last_failure = failure.detail[:2000]
    link.due_at = now + timedelta(seconds=consequence.delay)
    if isinstance(work, Recover) and consequence.action is Action.PARK:
        # An open intent keeps its lane busy although it is held; the outcome is asked for again, but slowly.
        link.due_at = now + timedelta(seconds=LONGEST_DELAY)
    _follow_up_failure(link, work, failure, consequence, now)
    link.save()
    if consequence.counts_against_connection:
        note_failure(link.connection, failure.detail, now=now, jitter=random.random())


def _follow_up_failure(link: TicketLink, work: Work, failure: Failure, consequence: Consequence, now: datetime) -> None:
    action = consequence.action
    is_intake = isinstance(work, Look)
    if action is Action.WAIT and failure.is_connection_wide:
        wait_until(link.connection, link.due_at, failure.detail, now=now)
        link.attempts -= 1
    elif action is Action.LOOK:
        link.look_wanted += 1
    elif action is Action.PAUSE_CONNECTION:
        put_on_hold(link.connection, failure.detail, now=now)
        link.attempts -= 1
        link.due_at = now
    elif action is Action.DETACH:
        name = link.key or link.external_id
        text = f"{name} is no longer found in {link.connection.name}: deleted there, or hidden from us."
        _detach(link, text, failure, now)
    elif action is Action.FOLLOW and failure.into is not None:
        _follow_merge(link, failure, now)
    elif action is Action.CLOSED:
        if link.is_closed:
            hold_for_failure(link, failure, now=now)
        link.is_closed = True
        link.look_wanted += 1
    elif action is Action.PARK:
        hold_for_failure(link, failure, now=now, is_intake=is_intake)


def _detach(link: TicketLink, text: str, failure: Failure, now: datetime) -> None:
    """The ticket is gone there. Nothing is deleted here; a person is told, once (design 3.2)."""
    link.look_done = link.look_wanted
    if link.state == TicketLink.State.DETACHED:
        return
    link.state = TicketLink.State.DETACHED
    # A write whose outcome is unknown can no longer be looked for; left open it would be looked for for ever.
    link.intents.filter(state=Intent.State.OPEN).update(
        state=Intent.State.ABSENT, settled_at=now, note=failure.detail[:2000]
    )
    note_on_ticket(link, text, now=now)


def _follow_merge(link: TicketLink, failure: Failure, now: datetime) -> None:
    into = failure.into
    assert into is not None
    taken = TicketLink.objects.filter(connection=link.connection, external_id=into.id).exclude(pk=link.pk).first()
    text = f"{link.key or link.external_id} was merged into {into.key or into.id} in {link.connection.name}."
    if taken is not None and taken.ticket_id is not None:
        _detach(link, text + " That one belongs to another ticket; this one no longer follows it.", failure, now)
        return
    if taken is not None:
        taken.delete()
    link.former = [*link.former, {"id": link.external_id, "key": link.key, "url": link.url}]
    link.external_id, link.key, link.url, link.change_cursor = into.id, into.key, into.url, ""
    link.look_wanted += 1
    note_on_ticket(link, text, now=now)
