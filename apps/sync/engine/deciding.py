"""The first phase of a round: decide what each claimed link does next, and commit the intents."""

import logging
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from .braking import Braked, brake, hold_for_brake, note
from .deliver import STATUS, HubEvent, coalesce, plan_creation, plan_event, plan_for_closed, plan_repair, rewind
from .grave import grave_in_system
from .holding import hold_delivery, hold_for_failure, hold_for_rules
from .intake import OwnWrite
from .merge import NEVER, MergeBase
from .plan import (
    CREATIONS,
    IN_FULL,
    AddRemoteAttachment,
    AddRemoteComment,
    CreateRemote,
    Delivery,
    FollowUp,
    Step,
    UpdateRemote,
    correlation_of,
    slot_of,
)
from .ports import DELIVERS, FileMissing, IntentRow, IntentState, LinkRow, LinkState, Store, StoreFailed
from .recovery import Failure, FailureKind
from .rules import ExpressionFailed, RuleGap, SyncRules
from .snapshot import ExternalRef
from .work import Do, Ended, Look, Recover, Work

log = logging.getLogger(__name__)
SETTLING_MARGIN = 5.0
LATE = timedelta(seconds=30)
"""A lane that is decided so much later than it was due may not have waited at all. It waits again, once."""
WAITED = "waited for once more, since the clock may have moved"
READ_AHEAD = 50
SILENT_AHEAD = 5
CATCHING_UP_DELAY = 90.0
CREATION_SECONDS = 3.0
"""How long a ticket that a system tells of may turn out to be our own creation, whose answer is not settled yet."""
LONGEST_CREATION = 15.0
"""So long it may where the answer is late; then it is read, whatever it is."""


def decide_work(
    store: Store,
    links: Sequence[LinkRow],
    rules: SyncRules,
    *,
    now: datetime,
    may_go_on: Callable[[], bool] = lambda: True,
) -> list[tuple[LinkRow, Work]]:
    """What each claimed link does next. Links with nothing to call for are settled and freed right here.

    ``may_go_on`` is asked before each: once the claim is gone, another worker may be deciding the same.
    """
    decided: list[tuple[LinkRow, Work]] = []
    idle: list[LinkRow] = []
    for link in links:
        try:
            with store.atomic():
                work = _next_work(store, link, rules, now) if may_go_on() else None
        except StoreFailed:
            # No lane is parked for that: its claim lapses, and it is decided anew.
            raise
        except Exception:
            # A fault of ours in one lane must not stop the others (INV-8); it is parked with its traceback.
            log.exception("link %s of %s could not be decided", link.pk, link.connection.name)
            fault = Failure(FailureKind.OUR_FAULT, traceback.format_exc())
            hold_for_failure(store, link, fault, now=now)
            work = None
        if work is None:
            idle.append(link)
        else:
            decided.append((link, work))
    if idle:
        store.release(*idle)
    return decided


def _next_work(store: Store, link: LinkRow, rules: SyncRules, now: datetime) -> Work | None:
    intent = store.open_intent(link)
    if intent is not None:
        return _recover(store, link, intent, now)
    if link.look_wanted > link.look_done and link.external_id and link.intake_hold is None:
        if _may_be_ours(store, link, now):
            link.due_at = now + timedelta(seconds=CREATION_SECONDS)
            store.save(link, "due_at")
            return None
        if not is_our_echo(link):
            return _look(store, link, rules)
        link.look_done = link.look_wanted
        store.save(link, "look_done")
    if link.state not in DELIVERS or link.delivery_hold is not None or link.ticket_id is None:
        return None
    if link.is_behind and link.external_id:
        # What the system got before the database was put back is not known until its ticket was read (INV-40).
        return None
    return _deliver(store, link, rules, now)


def _may_be_ours(store: Store, link: LinkRow, now: datetime) -> bool:
    """Whether a ticket that nobody has read yet may be one that we were creating when it was told of. The link that
    creates it will know; reading it would only find our own mark."""
    is_new = link.state == LinkState.SIGHTED and link.looked_at is None and not link.is_behind
    if not is_new or now - link.created_at >= timedelta(seconds=LONGEST_CREATION):
        return False
    return store.is_creating(link.connection, link.created_at)


def is_our_echo(link: LinkRow) -> bool:
    """Whether all that is to be looked at is one hint of the very version that our last write left, or our last look
    read: it was under way when the hint came."""
    is_only_one = link.look_wanted == link.hint_count and link.look_done == link.hint_count - 1
    is_read = link.state == LinkState.LINKED and not link.compare_wanted
    return is_only_one and is_read and link.hint_version != "" and link.hint_version == link.version


def _recover(store: Store, link: LinkRow, intent: IntentRow, now: datetime) -> Recover:
    is_late = now - link.due_at > LATE and intent.note != WAITED
    if intent.doubted_at is None or is_late:
        # Whoever began it kept its claim until a moment ago, and may have sent its call only then. And whoever comes
        # late may come with a clock that went forward: the system's index has not waited (INV-42, F56).
        intent.doubted_at, intent.note = now, WAITED if is_late else intent.note
        store.save_intent(intent)
    return Recover(
        link_id=str(link.pk),
        intent_id=intent.pk,
        slot=intent.slot,
        ref=None if intent.slot in CREATIONS else ref_of(link),
        correlation=intent.correlation,
        fields=intent.fields,
        since=link.change_cursor or None,
        earlier=own_writes(store, link),
        is_settled_by_now=now >= settled_at(store, link, intent),
        stepwise=frozenset(key.split("=", 1)[1] for key in intent.agreed if key.startswith(f"{STATUS}=")),
    )


def settled_at(store: Store, link: LinkRow, intent: IntentRow) -> datetime:
    """From when on not finding what was written means that it is not there (INV-15): only a search for a new ticket
    asks an index; what is on a known ticket is read from it, once a call that was cut can no longer be under way.

    Counted from the end of the call: between the note that it is about to happen and the call, minutes may lie.
    """
    lag = store.manners(link).index_lag_seconds if intent.slot in CREATIONS else 0.0
    return (intent.doubted_at or intent.created_at) + timedelta(seconds=lag + SETTLING_MARGIN)


def ref_of(link: LinkRow) -> ExternalRef:
    """The system's ticket of a link, as connectors know it."""
    return ExternalRef(link.external_id, link.key, link.url)


def own_writes(store: Store, link: LinkRow, marks: frozenset[str] = frozenset()) -> tuple[OwnWrite, ...]:
    """Our writes that may come back in the system's log: not seen yet, or named by one of ``marks`` in it."""
    return tuple(
        OwnWrite(
            one.correlation,
            tuple(one.change_ids),
            one.fields if one.state == IntentState.APPLIED and one.slot.startswith(("update", "repair")) else {},
        )
        for one in store.unseen_writes(link, marks)
    )


def _look(store: Store, link: LinkRow, rules: SyncRules) -> Look:
    return Look(
        link_id=str(link.pk),
        ref=ref_of(link),
        since=link.change_cursor or None,
        wanted=link.look_wanted,
        known_files=frozenset(store.paired_files(link)),
        takes_files=rules.attachments.outbound,
        largest_file=store.largest_attachment,
        takes_marked=link.is_behind,
    )


def _deliver(store: Store, link: LinkRow, rules: SyncRules, now: datetime) -> Do | Recover | None:
    """The next step of the lane. Entries that ask for nothing are passed over on the way."""
    while True:
        try:
            planned = _next_delivery(store, link, rules)
            if planned is None:
                # It belongs to no entry, but a copy of the database that looks for it must find it.
                mark = store.mark_for(link, link.external_id)
                mending = _mend(store, link, mark, rules, now)
                return _intend(store, link, link.applied_seq, mending, rules, now, mark=mark) if mending else None
            event, delivery = planned
            if event.is_opening and store.is_restored(link) and store.is_catching_up(link.connection):
                # It may be a copy of one of the system's own tickets that was not read again yet.
                link.due_at = now + timedelta(seconds=CATCHING_UP_DELAY)
                store.save(link, "due_at")
                return None
            steps = _open_steps(store, link, event.seq, event.mark, delivery.steps)
            _brake(store, link, steps[:1], rules, now, is_by_hand=event.is_by_hand)
        except (RuleGap, ExpressionFailed) as gap:
            hold_for_rules(store, link, gap, now=now)
            return None
        except Braked as braked:
            hold_for_brake(store, link, braked, now=now)
            return None
        if steps:
            done = [step for step in delivery.steps if step not in steps]
            is_more = _is_more(steps) or delivery.withheld or _lacking(link.base, done)
            ends = None if is_more else Ended(event.seq, delivery.agreements)
            return _intend(store, link, event.seq, steps[0], rules, now, ends, mark=event.mark)
        _pass_over(store, link, event.seq, delivery, rules, now)


def _is_more(steps: Sequence[Step]) -> bool:
    """Whether something is left to do after the first step, if that ends as it is hoped."""
    first, *rest = steps
    hoped = first.hoped if isinstance(first, CreateRemote) else {}
    return any(not (isinstance(step, UpdateRemote) and hoped and step.agreements == hoped) for step in rest)


def _brake(
    store: Store, link: LinkRow, steps: Sequence[Step], rules: SyncRules, now: datetime, *, is_by_hand: bool = False
) -> None:
    """Judge what is grave about the next step, and count it with the intent. Raises Braked."""
    for step in steps:
        if isinstance(step, UpdateRemote):
            grave = grave_in_system(step.agreements, link.base, rules, is_by_hand=is_by_hand)
            brake(store, link, grave, now=now)
            note(store, link, grave, now=now)


def _mend(store: Store, link: LinkRow, mark: str, rules: SyncRules, now: datetime) -> Step | None:
    """Write fields again that a whole-ticket comparison found missing in the system, once the lane is empty."""
    if not link.repair or not link.external_id:
        return None
    mending: Step | None = None
    # What takes nothing more is not mended either: the lane would be parked again at every sweep (T41).
    if not link.is_closed:
        has_status = any(key.startswith(f"{STATUS}=") for key in link.repair)
        view = store.view(link.ticket) if has_status else {}
        steps = plan_repair(link.repair, store.hub_fields(link), link.applied_seq, rules, view)
        mending = next(iter(_open_steps(store, link, link.applied_seq, mark, steps)), None)
        _brake(store, link, [mending] if mending else [], rules, now)
    if not isinstance(mending, AddRemoteComment):
        link.repair = []
        store.save(link, "repair")
    return mending


def _next_delivery(store: Store, link: LinkRow, rules: SyncRules) -> tuple[HubEvent, Delivery] | None:
    events = store.events_after(link, link.applied_seq, 1 if rules.is_ordered else READ_AHEAD)
    if not events:
        return None
    first = events[0]
    if first.is_opening:
        view = store.view(link.ticket)
        fields = rewind(store.hub_fields(link), store.events_after(link, link.start_seq))
        return first, Delivery(plan_creation(fields, link.start_seq, rules, {**view, **fields}, link.base))
    event = first if rules.is_ordered else _latest(events)
    # Only what is written together with a status is worked out from the whole ticket.
    view = store.view(link.ticket) if STATUS in event.changes or link.is_closed else {}
    delivery = plan_event(event, link.base, rules, view)
    if link.is_closed:
        # A follow-up is created as the ticket stands now, so what led there is not told to it once more.
        delivery = plan_for_closed(delivery, store.hub_fields(link), store.last_seq(link), rules, view)
    return event, delivery


def _latest(events: Sequence[HubEvent]) -> HubEvent:
    run: list[HubEvent] = []
    for event in events:
        if event.comment is not None or event.attachment is not None:
            break
        run.append(event)
    return coalesce(run) if run else events[0]


def _open_steps(store: Store, link: LinkRow, seq: int, mark: str, steps: Sequence[Step]) -> Sequence[Step]:
    if not steps:
        return ()
    marks = [correlation_for(store, link, step, mark) for step in steps]
    done = set(store.applied_marks(link, seq))
    whole = {one for step, one in zip(steps, marks, strict=True) if slot_of(step) == IN_FULL}
    if whole:
        told = store.unseen_writes(link, whole)
        done |= {one.correlation for one in told if one.state == IntentState.APPLIED}
    left = [step for step, mark in zip(steps, marks, strict=True) if mark not in done]
    # A follow-up is made for what is to be said in it, and not once that is there.
    return [] if all(isinstance(step, FollowUp) for step in left) else left


def correlation_for(store: Store, link: LinkRow, step: Step, mark: str = "", slot: str = "") -> str:
    """By what a step is found again that the entry with ``mark`` asks for, in its ``slot`` if that is no usual one.
    A text is told in full once on its ticket, whichever entries bring it."""
    if isinstance(step, AddRemoteComment) and step.left_over:
        mark = store.mark_for(link, f"{link.external_id}:{step.body}")
    return correlation_of(mark, slot or slot_of(step), link.connection.pk)


def _pass_over(store: Store, link: LinkRow, seq: int, delivery: Delivery, rules: SyncRules, now: datetime) -> None:
    if delivery.withheld:
        # Kept back is an end of its own, on record: nothing is dropped without a word (INV-10).
        store.add_intent(
            link,
            seq=seq,
            slot="withheld",
            correlation="",
            rules_number=rules.version,
            state=IntentState.WITHHELD,
            note=delivery.withheld,
            now=now,
        )
    link.applied_seq = seq
    changed = ["applied_seq"]
    if delivery.agreements:
        link.base = {**link.base, **delivery.agreements}
        changed.append("base")
    if lacking := _lacking(link.base, delivery.steps):
        link.repair = sorted({*link.repair, *lacking})
        changed.append("repair")
    store.save(link, *changed)


def pass_over_silent(store: Store, link: LinkRow, rules: SyncRules) -> None:
    """Pass over what the lane owes next as far as it asks for nothing: most often what was just taken in from this very
    system, or a remark of the portal's. A round for that alone would make no call. Whoever holds the link saves it."""
    if link.state not in DELIVERS or link.delivery_hold is not None or link.is_behind or not rules.is_ordered:
        return
    for event in store.events_after(link, link.applied_seq, SILENT_AHEAD):
        try:
            delivery = plan_event(event, link.base, rules, {})
        except (RuleGap, ExpressionFailed):
            return
        if event.is_opening or delivery.steps or delivery.withheld:
            return
        link.applied_seq = event.seq
        link.base = {**link.base, **delivery.agreements}


def _lacking(base: MergeBase, steps: Sequence[Step]) -> set[str]:
    """Rules whose field the steps that are done left out: by the rules of that time it did not cross (F59)."""
    writes = [step for step in steps if isinstance(step, CreateRemote | UpdateRemote)]
    return {key for step in writes for key, agreed in step.agreements.items() if base.get(key, NEVER).seq < agreed.seq}


def _intend(
    store: Store,
    link: LinkRow,
    seq: int,
    step: Step,
    rules: SyncRules,
    now: datetime,
    ends: Ended | None = None,
    *,
    mark: str,
) -> Do | Recover | None:
    upload = None
    if isinstance(step, AddRemoteAttachment):
        try:
            upload = store.upload(step.attachment_id)
        except FileMissing as missing:
            text = f"the file {missing} is missing from the portal's uploads"
            remedy = "restore the uploads folder from the backup, then retry"
            hold_delivery(store, link, "file missing", text, remedy=remedy, now=now)
            return None
    slot = slot_of(step)
    if isinstance(step, UpdateRemote) and seq <= link.applied_seq:
        # A repair belongs to no journal entry of its own; the version it mends keeps two repairs apart.
        slot = f"repair {link.version}"[:60]
    write = step if isinstance(step, CreateRemote | UpdateRemote | FollowUp) else None
    intent = store.add_intent(
        link,
        seq=seq,
        slot=slot,
        correlation=correlation_for(store, link, step, mark, slot),
        fields=dict(write.fields) if write else {},
        agreed=write.agreements if write else {},
        rules_number=rules.version,
        now=now,
    )
    if slot in CREATIONS and store.is_restored(link) and link.looked_for != intent.correlation:
        return _recover(store, link, intent, now)
    return Do(
        link_id=str(link.pk),
        intent_id=intent.pk,
        step=step,
        ref=ref_of(link) if link.external_id else None,
        correlation=intent.correlation,
        expected=link.version or None,
        upload=upload,
        ends=ends,
    )
