"""The first phase of a round: decide what each claimed link does next, and commit the intents."""

import logging
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from apps.tickets.models import Attachment
from apps.tickets.selectors import read_fields
from apps.tickets.storage import place_of

from ..bases import read_base, write_base
from ..connectors.base import Upload
from ..connectors.catalog import CONNECTORS
from ..engine.deliver import HubEvent, coalesce, plan_creation, plan_event, plan_for_closed, rewind
from ..engine.merge import Agreement
from ..engine.plan import (
    AddRemoteAttachment,
    CreateRemote,
    Delivery,
    FollowUp,
    Step,
    UpdateRemote,
    correlation_of,
    slot_of,
)
from ..engine.recovery import Failure, FailureKind
from ..engine.rules import RuleGap, SyncRules, into_system
from ..engine.snapshot import ExternalRef, Value
from ..models import Intent, TicketLink
from ..rules.expressions import ExpressionFailed
from ..work import Do, Look, Recover, Work
from .claims import DELIVERS, release
from .holds import hold_delivery, hold_for_failure, hold_for_rules
from .hub import events_after, view_of
from .intake import own_writes

log = logging.getLogger(__name__)
SETTLING_MARGIN = 2.0
READ_AHEAD = 50
WRITES = (CreateRemote, UpdateRemote, FollowUp)


def decide_work(
    links: Sequence[TicketLink], rules: SyncRules, *, now: datetime, may_go_on: Callable[[], bool] = lambda: True
) -> list[tuple[TicketLink, Work]]:
    """What each claimed link does next. Links with nothing to call for are settled and freed right here.

    ``may_go_on`` is asked before each: once the claim is gone, another worker may be deciding the same.
    """
    decided: list[tuple[TicketLink, Work]] = []
    for link in links:
        try:
            with transaction.atomic():
                work = _next_work(link, rules, now) if may_go_on() else None
                if work is None:
                    release(link)
        except Exception:
            # A fault of ours in one lane must not stop the others (INV-8); it is parked with its traceback.
            log.exception("link %s of %s could not be planned", link.pk, link.connection)
            fault = Failure(FailureKind.OUR_FAULT, traceback.format_exc())
            hold_for_failure(link, fault, now=now)
            release(link)
            continue
        if work is not None:
            decided.append((link, work))
    return decided


def _next_work(link: TicketLink, rules: SyncRules, now: datetime) -> Work | None:
    intent = link.intents.filter(state=Intent.State.OPEN).first()
    if intent is not None:
        return _recover(link, intent, now)
    if link.look_wanted > link.look_done and link.external_id and link.intake_hold is None:
        return _look(link, rules)
    if link.state not in DELIVERS or link.delivery_hold is not None or link.ticket is None:
        return None
    return _deliver(link, rules, now)


def _recover(link: TicketLink, intent: Intent, now: datetime) -> Recover:
    lag = CONNECTORS[link.connection.connector].capabilities.index_lag_seconds
    return Recover(
        link_id=str(link.pk),
        intent_id=intent.pk,
        slot=intent.slot,
        ref=None if intent.slot in ("create", "follow-up") else ref_of(link),
        correlation=intent.correlation,
        fields=intent.fields,
        since=link.change_cursor or None,
        earlier=own_writes(link),
        is_settled_by_now=now >= intent.created_at + timedelta(seconds=lag + SETTLING_MARGIN),
    )


def ref_of(link: TicketLink) -> ExternalRef:
    """The system's ticket of a link, as connectors know it."""
    return ExternalRef(link.external_id, link.key, link.url)


def _look(link: TicketLink, rules: SyncRules) -> Look:
    largest = settings.SIAM_LARGEST_ATTACHMENT
    return Look(
        link_id=str(link.pk),
        ref=ref_of(link),
        since=link.change_cursor or None,
        wanted=link.look_wanted,
        known_files=frozenset(link.pairings.exclude(attachment=None).values_list("external_id", flat=True)),
        takes_files=rules.attachments.outbound,
        largest_file=largest,
    )


def _deliver(link: TicketLink, rules: SyncRules, now: datetime) -> Do | None:
    """The next step of the lane. Entries that ask for nothing are passed over on the way."""
    while True:
        try:
            planned = _next_delivery(link, rules)
            if planned is None:
                mending = _mend(link, rules)
                return _intend(link, link.applied_seq, mending, rules, now) if mending else None
        except (RuleGap, ExpressionFailed) as gap:
            hold_for_rules(link, gap, now=now)
            return None
        event, delivery = planned
        step = _first_open_step(link, event.seq, delivery.steps)
        if step is not None:
            return _intend(link, event.seq, step, rules, now)
        _pass_over(link, event.seq, delivery, rules, now)


def _mend(link: TicketLink, rules: SyncRules) -> UpdateRemote | None:
    """Write fields again that a whole-ticket comparison found missing in the system, once the lane is empty."""
    assert link.ticket is not None
    if not link.repair or not link.external_id:
        return None
    fields = read_fields(link.ticket)
    written: dict[str, Value] = {}
    agreements: dict[str, Agreement] = {}
    for rule in rules.fields:
        if rule.key in link.repair and rule.goes_in:
            here = fields.get(rule.hub, "")
            written[rule.system] = into_system(rule, here).value
            agreements[rule.key] = Agreement(here, written[rule.system], link.applied_seq)
    link.repair = []
    link.save(update_fields=["repair"])
    return UpdateRemote(written, agreements) if written else None


def _next_delivery(link: TicketLink, rules: SyncRules) -> tuple[HubEvent, Delivery] | None:
    assert link.ticket is not None
    view = view_of(link.ticket)
    events = events_after(link, link.applied_seq, 1 if rules.is_ordered else READ_AHEAD)
    if not events:
        return None
    first, base = events[0], read_base(link.merge_base)
    if first.is_opening:
        fields = rewind(read_fields(link.ticket), events_after(link, link.start_seq))
        return first, Delivery(plan_creation(fields, link.start_seq, rules, {**view, **fields}, base))
    event = first if rules.is_ordered else _latest(events)
    delivery = plan_event(event, base, rules, view)
    if link.is_closed:
        delivery = plan_for_closed(delivery, read_fields(link.ticket), event.seq, rules, view)
    return event, delivery


def _latest(events: Sequence[HubEvent]) -> HubEvent:
    run: list[HubEvent] = []
    for event in events:
        if event.comment is not None or event.attachment is not None:
            break
        run.append(event)
    return coalesce(run) if run else events[0]


def _first_open_step(link: TicketLink, seq: int, steps: Sequence[Step]) -> Step | None:
    done = set(link.intents.filter(seq=seq, state=Intent.State.APPLIED).values_list("correlation", flat=True))
    for step in steps:
        if correlation_of(str(link.pk), seq, slot_of(step)) not in done:
            return step
    return None


def _pass_over(link: TicketLink, seq: int, delivery: Delivery, rules: SyncRules, now: datetime) -> None:
    if delivery.withheld:
        # Kept back is an end of its own, on record: nothing is dropped without a word (INV-10).
        Intent.objects.create(
            link=link,
            seq=seq,
            slot="withheld",
            correlation=correlation_of(str(link.pk), seq, "withheld"),
            rules_number=rules.version,
            state=Intent.State.WITHHELD,
            note=delivery.withheld,
            created_at=now,
            settled_at=now,
        )
    base = {**read_base(link.merge_base), **delivery.agreements}
    link.applied_seq, link.merge_base = seq, write_base(base)
    link.save(update_fields=["applied_seq", "merge_base"])


def _intend(link: TicketLink, seq: int, step: Step, rules: SyncRules, now: datetime) -> Do | None:
    upload = None
    if isinstance(step, AddRemoteAttachment):
        upload = _upload(step.attachment_id)
        if not upload.path.is_file():
            text = f"the file {upload.file_name} is missing from the portal's uploads"
            hold_delivery(
                link, "file missing", text, remedy="restore the uploads folder from the backup, then retry", now=now
            )
            return None
    # A repair belongs to no journal entry of its own; the version it mends keeps two repairs apart.
    slot = slot_of(step) if seq > link.applied_seq else f"repair {link.version}"[:60]
    intent = Intent.objects.create(
        link=link,
        seq=seq,
        slot=slot,
        correlation=correlation_of(str(link.pk), seq, slot),
        fields=dict(step.fields) if isinstance(step, WRITES) else {},
        agreements=write_base(step.agreements) if isinstance(step, WRITES) else {},
        rules_number=rules.version,
        created_at=now,
    )
    return Do(
        link_id=str(link.pk),
        intent_id=intent.pk,
        step=step,
        ref=ref_of(link) if link.external_id else None,
        correlation=intent.correlation,
        expected=link.version or None,
        upload=upload,
    )


def _upload(attachment_id: str) -> Upload:
    file = Attachment.objects.get(pk=attachment_id)
    return Upload(file.file_name, file.content_type, file.size, file.sha256, place_of(file.sha256))
