"""The third phase of a round: what came of it, one link at a time, each in its own transaction."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from ..crashpoints import reached
from .braking import Braked, brake_detachment, hold_for_brake
from .deciding import is_our_echo, pass_over_silent, ref_of, settled_at
from .deliver import STATUS
from .holding import hold_delivery, hold_for_failure
from .intake import as_we_left_it
from .merge import NEVER
from .plan import CREATIONS, AddRemoteAttachment, AddRemoteComment, CreateRemote, FollowUp, UpdateRemote
from .ports import Finding, IntentRow, IntentState, LinkRow, LinkState, Store
from .recovery import LONGEST_DELAY, Action, Consequence, Failure, FailureKind, Outcome, decide
from .restoring import read_whole, tie_ticket
from .rules import SyncRules, is_shortened
from .settle import leaves_no_trace, settle_write
from .snapshot import ExternalRef, Receipt
from .taking import ForeignAnswer, take_in
from .work import Do, Done, Failed, Look, Looked, Recover, Recovered, Result, Work

UNSETTLED_DELAY = 2.0
SHOWN = 2000


def settle(
    store: Store,
    link: LinkRow,
    work: Work,
    result: Result,
    *,
    rules: SyncRules,
    now: datetime,
    dice: Callable[[], float],
) -> None:
    """Write down what came of ``work``. A claim that was taken over meanwhile is left to its new holder (INV-7).

    ``dice`` yields numbers in [0, 1) that spread the delays.
    """
    with store.atomic():
        held = store.still_held(link)
        if held is None:
            return
        if isinstance(result, Failed):
            _settle_failure(store, held, work, result.failure, now, dice)
        elif isinstance(result, Looked) and isinstance(work, Look):
            _settle_look(store, held, work, result, rules, now)
        elif isinstance(result, Done) and isinstance(work, Do):
            _settle_step(store, held, work, result, rules, now)
        elif isinstance(result, Recovered) and isinstance(work, Recover):
            _settle_recovery(store, held, work, result, rules, now)
        store.save_and_release(held)
        reached("settling")


# --- Looks --------------------------------------------------------------------------------------------------------


def _settle_look(store: Store, link: LinkRow, work: Look, looked: Looked, rules: SyncRules, now: datetime) -> None:
    if work.ref.id != link.external_id:
        # The link was tied to another ticket while this one was read.
        return
    try:
        take_in(store, link, looked, rules, now=now)
    except ForeignAnswer as refused:
        hold_for_failure(store, link, Failure(FailureKind.OUR_FAULT, str(refused)), now=now, is_intake=True)
        return
    if link.state == LinkState.DETACHED:
        # It is there again: restored, or shown to us again.
        link.state = LinkState.LINKED
    if link.intake_hold is None:
        link.look_done = work.wanted
        if is_our_echo(link):
            link.look_done = link.look_wanted
    if link.ticket_id is not None and link.applied_seq < store.last_seq(link):
        pass_over_silent(store, link, rules)
    if link.ticket_id is None or link.applied_seq >= store.last_seq(link):
        # With something still owed the count stands for that: a read that works says nothing about a write that fails.
        link.attempts = 0
    link.looked_at, link.due_at = now, now
    store.note_success(link.connection, now=now)


# --- Steps --------------------------------------------------------------------------------------------------------


def _settle_step(store: Store, link: LinkRow, work: Do, done: Done, rules: SyncRules, now: datetime) -> None:
    intent = store.intent(link, work.intent_id)
    step, receipt = work.step, done.receipt
    if done.instead is not None:
        intent.fields = dict(done.instead)
    if isinstance(step, CreateRemote | FollowUp):
        _settle_creation(store, link, receipt, now, is_follow_up=isinstance(step, FollowUp))
    if isinstance(step, UpdateRemote) and work.expected is not None:
        # Compared right before the write: whoever set a value since then set it after us.
        intent.is_seen = leaves_no_trace(link.base, intent.fields, intent.agreed, receipt)
    if isinstance(step, CreateRemote | UpdateRemote | FollowUp):
        _settle_fields(store, link, intent, receipt, now)
    if isinstance(step, AddRemoteComment) and step.comment_id:
        store.pair_comment(link, step.comment_id, receipt.id)
    if isinstance(step, AddRemoteAttachment):
        store.pair_file(link, step.attachment_id, receipt.id)
    _close(store, intent, IntentState.APPLIED, receipt, now)
    is_through = not isinstance(step, CreateRemote) or _begins_as_hoped(link, step, receipt)
    if work.ends is not None and is_through and link.delivery_hold is None:
        # A lane that is held stays at the entry it is held for.
        link.applied_seq = max(link.applied_seq, work.ends.seq)
        link.base = {**link.base, **work.ends.agreements}
        if link.applied_seq < link.start_seq:
            # The ticket was created as it stood then.
            pass_over_silent(store, link, rules)
    _advance_version(store, link, work, receipt)
    if isinstance(step, CreateRemote | FollowUp) and store.is_restored(link):
        # A system that knows the key of a creation answers with what it made for it, long ago perhaps (INV-16).
        read_whole(link)
        link.look_wanted += 1
    link.attempts, link.due_at, link.last_failure = 0, now, ""
    store.note_success(link.connection, now=now)


def _begins_as_hoped(link: LinkRow, step: CreateRemote, receipt: Receipt) -> bool:
    """Whether the system began with the wanted status; then it is agreed on."""
    begins = all(receipt.stored.get(key.split("=", 1)[1]) == agreed.system for key, agreed in step.hoped.items())
    if begins:
        link.base = {**link.base, **step.hoped}
    return begins


def _settle_fields(store: Store, link: LinkRow, intent: IntentRow, receipt: Receipt, now: datetime) -> None:
    """The new merge base; a value that did not stick holds the lane instead of being tried in a loop (INV-19)."""
    link.base, loose = settle_write(link.base, intent.fields, intent.agreed, receipt)
    if intent.slot == "follow-up":
        left = (key for key, one in intent.agreed.items() if is_shortened(one.hub, one.system))
        link.repair = [*left, *(key for key in intent.agreed if key.startswith(f"{STATUS}="))]
    for one in loose:
        what = "cut it" if one.is_cut else "put the old value back"
        text = f"{one.key.split('=', 1)[1]}: we wrote {one.wanted!r} and the system {what}: {one.found!r}"
        remedy = "change the rule in the system that does it, or the field's rule here, then resume"
        hold_delivery(store, link, "not sticking", text, remedy=remedy, now=now, field=one.key, value=one.wanted)


def _settle_creation(store: Store, link: LinkRow, receipt: Receipt, now: datetime, *, is_follow_up: bool) -> None:
    # A webhook may have told of the new ticket before its answer reached us: that sighting is this link.
    sighting = store.of_external(link.connection, [receipt.ref.id]).get(receipt.ref.id)
    if sighting is not None and sighting.pk != link.pk:
        if sighting.ticket_id is None:
            _take_over(store, link, sighting)
        else:
            _give_back(store, sighting, receipt.ref, now)
    before = ref_of(link)
    link.external_id, link.key, link.url = receipt.ref.id, receipt.ref.key, receipt.ref.url
    link.state, link.is_closed, link.is_behind = LinkState.LINKED, False, False
    if is_follow_up:
        link.former = [*link.former, {"id": before.id, "key": before.key, "url": before.url}]
        # Nothing that is known of the former ticket holds for this one.
        link.base, link.repair = {}, []
        _begin_log(store, link, now)
        store.save(link, "external_id")
        _leave_behind(store, link, before, now)


def _begin_log(store: Store, link: LinkRow, now: datetime) -> None:
    """The link's ticket is another one from now on: its log is read from the start, and its entries may be called as
    those of our writes to the former one were."""
    link.change_cursor = ""
    store.mark_seen(link, {one.correlation for one in store.unseen_writes(link, ())}, now)


def _take_over(store: Store, link: LinkRow, sighting: LinkRow) -> None:
    """A sighted ticket is this link's. What was merged into it stays known: a page names that again (INV-3)."""
    link.former = [*sighting.former, *link.former]
    store.delete(sighting)


def _give_back(store: Store, follower: LinkRow, created: ExternalRef, now: datetime) -> None:
    """A ticket was merged into one that we had just created, before its creation was settled: ``follower`` took that
    one over, but it belongs to the ticket that it was created for (F18)."""
    # One that was created itself, and merged before it was found, has no ticket of its own to go back to.
    *former, own = follower.former or [{"id": "", "key": "", "url": ""}]
    text = f"{created.key or created.id} in {follower.connection.name} belongs to another ticket; "
    sighting = store.of_external(follower.connection, [own["id"]]).get(own["id"]) if own["id"] else None
    if sighting is not None:
        # Asking for changes named the old ticket again meanwhile. It is merged: nothing was read of it.
        store.delete(sighting)
    follower.former = former
    follower.external_id, follower.key, follower.url, follower.change_cursor = own["id"], own["key"], own["url"], ""
    _let_go(store, follower, text + "this one no longer follows it.", now)
    store.save(follower)


def _leave_behind(store: Store, link: LinkRow, former: ExternalRef, now: datetime) -> None:
    """Keep the closed ticket's id taken: asking for changes names it again, and it is no new ticket (INV-4)."""
    store.sight(link.connection, [former], now, due_at=now)
    left = store.of_external(link.connection, [former.id])[former.id]
    left.state, left.look_done = LinkState.FORMER, left.look_wanted
    store.save(left, "state", "look_done")


def _advance_version(store: Store, link: LinkRow, work: Do, receipt: Receipt) -> None:
    """Take the new version over when the system itself vouched that nothing came in between; else look again.

    A comment or a write without an atomic precondition may hide a person's edit made just before it (INV-2).
    """
    is_vouched = isinstance(work.step, UpdateRemote) and work.expected is not None
    is_new = isinstance(work.step, CreateRemote | FollowUp)
    if is_new or (is_vouched and store.manners(link).has_atomic_precondition):
        link.version = receipt.version
        if is_our_echo(link):
            link.look_done = link.look_wanted
    else:
        link.look_wanted += 1


def _close(
    store: Store, intent: IntentRow, state: IntentState, receipt: Receipt | None, now: datetime, note: str = ""
) -> None:
    intent.state, intent.settled_at, intent.note, intent.is_unknown = state, now, note, False
    if receipt is not None:
        intent.change_ids = list(dict.fromkeys((*intent.change_ids, *receipt.change_ids)))
    store.save_intent(intent)


# --- Outcomes that were not known -----------------------------------------------------------------------------------


def _settle_recovery(
    store: Store, link: LinkRow, work: Recover, recovered: Recovered, rules: SyncRules, now: datetime
) -> None:
    """An outcome is known now: applied counts as done, absent lets the lane plan the step again. What a write left that
    did not take effect whole is no news of the system (INV-25)."""
    intent = store.intent(link, work.intent_id)
    if recovered.outcome is None:
        # Once an answer can be had, and not in a day because the clock went back by one (F56).
        rest = (settled_at(store, link, intent) - now).total_seconds()
        link.due_at = now + timedelta(seconds=min(max(rest, UNSETTLED_DELAY), LONGEST_DELAY))
        return
    link.due_at = now
    if recovered.outcome is Outcome.ABSENT or recovered.receipt is None:
        _close(store, intent, IntentState.ABSENT, recovered.receipt, now)
        if recovered.receipt is not None:
            left = {name: value for name, value in recovered.receipt.stored.items() if name not in work.stepwise}
            link.base = as_we_left_it(link.base, left, rules)
        _mend_later(link, intent)
        link.looked_for = intent.correlation
    else:
        _lift(link)
        _adopt(store, link, intent, recovered.receipt, now)
        if intent.slot in CREATIONS and not link.is_behind:
            # The call that made it may have gone by other rules: what it wrote of other fields is no news (INV-25).
            stored = recovered.receipt.stored
            begun = {one.key: replace(NEVER, system=stored[one.system]) for one in rules.fields if one.system in stored}
            link.base = begun | link.base
        _close(store, intent, IntentState.APPLIED, recovered.receipt, now, note="found by looking")
    link.look_wanted += 1


def _lift(link: LinkRow) -> None:
    """The failure for which the lane was held turned out to be none."""
    if link.delivery_hold is not None and link.delivery_hold["cause"] in set(FailureKind):
        link.delivery_hold = None


def _mend_later(link: LinkRow, intent: IntentRow) -> None:
    """A repair stands in no journal entry: what did not come to pass is kept, or only the next sweep would see it."""
    if intent.slot.startswith("repair"):
        link.repair = sorted({*link.repair, *intent.agreed})


def _adopt(store: Store, link: LinkRow, intent: IntentRow, receipt: Receipt, now: datetime) -> None:
    """Take over what an earlier call turned out to have left in the system."""
    if intent.slot in CREATIONS:
        _settle_creation(store, link, receipt, now, is_follow_up=intent.slot == "follow-up")
        link.version = receipt.version
        if store.is_restored(link):
            tie_ticket(link, intent.slot)
            store.add_finding(link, Finding.TIED, f"{link.key or link.external_id} was made before", now=now)
            return
    if intent.agreed:
        _settle_fields(store, link, intent, receipt, now)
    if intent.slot not in ("comment", "attachment"):
        return
    (event,) = store.events_after(link, intent.seq - 1, 1)
    if intent.slot == "comment" and event.comment is not None:
        store.pair_comment(link, event.comment.id, receipt.id)
    if intent.slot == "attachment" and event.attachment is not None:
        store.pair_file(link, event.attachment.id, receipt.id)


# --- Failures -----------------------------------------------------------------------------------------------------


def _settle_failure(
    store: Store, link: LinkRow, work: Work, failure: Failure, now: datetime, dice: Callable[[], float]
) -> None:
    consequence = decide(failure, link.attempts, dice())
    if isinstance(work, Do):
        intent = store.intent(link, work.intent_id)
        if failure.is_unknown:
            intent.is_unknown, intent.doubted_at, intent.note = True, now, failure.detail[:SHOWN]
            intent.change_ids = [*intent.change_ids, *failure.change_ids]
            store.save_intent(intent)
            if consequence.action in (Action.DETACH, Action.FOLLOW, Action.CLOSED):
                # These end what the intent is about. It is looked for first, and the look meets the same again.
                consequence = replace(consequence, action=Action.RETRY)
        else:
            intent.change_ids = [*intent.change_ids, *failure.change_ids]
            _close(store, intent, IntentState.REFUSED, None, now, failure.detail[:SHOWN])
            _mend_later(link, intent)
    link.attempts += 1
    link.last_failure = failure.detail[:SHOWN]
    link.due_at = now + timedelta(seconds=consequence.delay)
    if isinstance(work, Recover) and consequence.action is Action.PARK:
        # An open intent keeps its lane busy although it is held; the outcome is asked for again, but slowly.
        link.due_at = now + timedelta(seconds=LONGEST_DELAY)
    _follow_up_failure(store, link, work, failure, consequence, now)
    if consequence.counts_against_connection:
        again = link.attempts > 1
        store.note_failure(link.connection, failure.detail, now=now, jitter=dice(), again=again)


def _follow_up_failure(
    store: Store, link: LinkRow, work: Work, failure: Failure, consequence: Consequence, now: datetime
) -> None:
    action = consequence.action
    if action is Action.WAIT and failure.is_connection_wide:
        store.wait_until(link.connection, link.due_at, failure.detail, now=now)
        link.attempts -= 1
    elif action is Action.WAIT:
        # Waiting for one's turn brings no lane nearer to being given up.
        link.attempts = max(1, link.attempts - 1)
    elif action is Action.LOOK:
        link.look_wanted += 1
    elif action is Action.PAUSE_CONNECTION:
        store.put_on_hold(link.connection, failure.detail, now=now)
        link.attempts -= 1
        link.due_at = now
    elif action is Action.DETACH:
        name = link.key or link.external_id
        text = f"{name} is no longer found in {link.connection.name}: deleted there, or hidden from us."
        _detach(store, link, work, text, now)
    elif action is Action.FOLLOW and failure.into is not None:
        _follow_merge(store, link, work, failure, now)
    elif action is Action.CLOSED:
        if link.is_closed:
            hold_for_failure(store, link, failure, now=now)
        link.is_closed = True
        link.look_wanted += 1
    elif action is Action.PARK:
        hold_for_failure(store, link, failure, now=now, is_intake=isinstance(work, Look))


def _detach(store: Store, link: LinkRow, work: Work, text: str, now: datetime) -> None:
    """The ticket is gone there. Nothing is deleted here; a person is told, once (design 3.2)."""
    if link.state != LinkState.DETACHED:
        try:
            brake_detachment(store, link, now=now)
        except Braked as braked:
            hold_for_brake(store, link, braked, now=now, is_intake=isinstance(work, Look))
            if isinstance(work, Recover):
                link.due_at = now + timedelta(seconds=LONGEST_DELAY)
            return
    _let_go(store, link, text, now)


def _let_go(store: Store, link: LinkRow, text: str, now: datetime) -> None:
    link.look_done = link.look_wanted
    if link.state == LinkState.DETACHED:
        return
    # A write whose outcome is not known stays open: should the ticket come back, it is looked for before anything else.
    link.state = LinkState.DETACHED
    store.note(link, text, now=now)


def _follow_merge(store: Store, link: LinkRow, work: Work, failure: Failure, now: datetime) -> None:
    into = failure.into
    assert into is not None
    taken = store.of_external(link.connection, [into.id]).get(into.id)
    name = link.key or link.external_id or "What was created"
    text = f"{name} was merged into {into.key or into.id} in {link.connection.name}."
    if taken is not None and taken.pk != link.pk:
        if taken.ticket_id is not None or taken.state == LinkState.FORMER:
            text += " That one belongs to another ticket; this one no longer follows it."
            _detach(store, link, work, text, now)
            return
        _take_over(store, link, taken)
    if isinstance(work, Recover) and work.slot in CREATIONS:
        # What was created was merged before it was found: there is nothing more to look for.
        intent = store.intent(link, work.intent_id)
        _adopt(store, link, intent, Receipt(into, ""), now)
        _close(store, intent, IntentState.APPLIED, None, now, note="found by looking")
    else:
        link.former = [*link.former, {"id": link.external_id, "key": link.key, "url": link.url}]
    link.external_id, link.key, link.url = into.id, into.key, into.url
    _begin_log(store, link, now)
    link.look_wanted += 1
    store.note(link, text, now=now)
