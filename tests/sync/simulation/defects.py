"""Engines that are broken on purpose, for the exam of the harness: each must be caught (reliability 2.3)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from apps.sync.connectors.listing import Place
from apps.sync.engine import deciding, deliver, hearing, intake, merge, plan, settle, settling, taking
from apps.sync.engine.deliver import HubEvent
from apps.sync.engine.plan import AddRemoteComment, Delivery
from apps.sync.engine.ports import IntentState, LinkState
from apps.sync.engine.recovery import Action, Consequence, FailureKind, Outcome
from apps.sync.engine.rules import Translated
from apps.sync.engine.snapshot import Visibility, reads_same
from apps.sync.engine.work import Recovered
from apps.sync.services import carrying
from apps.sync.simulation import workers
from apps.sync.simulation.connector import SimulatedConnector
from apps.sync.simulation.store import MemoryStore


@dataclass(frozen=True, slots=True)
class Defect:
    """``make`` turns the sound function ``name`` of ``place`` into the broken one."""

    told: str
    place: Any
    name: str
    make: Callable[[Any], Any]


def _always(value: Any) -> Callable[[Any], Any]:
    return lambda _sound: lambda *_given, **_named: value


# --- Looking before repeating -----------------------------------------------------------------------------------------


def _without_looking(_sound: Any) -> Any:
    async def recover(_connector: Any, _work: Any) -> Recovered:
        return Recovered(Outcome.ABSENT)

    return recover


def _lost_counts_as_done(sound: Any) -> Any:
    def settle_recovery(store: Any, link: Any, work: Any, recovered: Any, rules: Any, now: Any) -> None:
        if recovered.outcome is Outcome.ABSENT:
            intent = store.intent(link, work.intent_id)
            settling._close(store, intent, IntentState.APPLIED, None, now)
            link.applied_seq = max(link.applied_seq, intent.seq)
            store.save(link)
            return
        sound(store, link, work, recovered, rules, now)

    return settle_recovery


def _at_once(sound: Any) -> Any:
    return lambda store, link, intent, now: replace(sound(store, link, intent, now), is_settled_by_now=True)


def _known_outcomes(sound: Any) -> Any:
    return lambda problem: replace(sound(problem), is_unknown=False)


# --- Order and acknowledgement ----------------------------------------------------------------------------------------


def _acknowledged_first(sound: Any) -> Any:
    def intend(store: Any, link: Any, seq: int, *rest: Any, **named: Any) -> Any:
        made = sound(store, link, seq, *rest, **named)
        if made is not None and seq > link.applied_seq:
            link.applied_seq = seq
            store.save(link, "applied_seq")
        return made

    return intend


def _newest_first(sound: Any) -> Any:
    def events_after(self: Any, link: Any, seq: int, most: int | None = None) -> list[HubEvent]:
        events = sound(self, link, seq)
        events = [events[-1], *events[:-1]] if len(events) > 1 and not events[0].is_opening else events
        return events[:most] if most else events

    return events_after


def _passing_one_too_many(sound: Any) -> Any:
    def pass_over(store: Any, link: Any, seq: int, *rest: Any) -> None:
        sound(store, link, min(seq + 1, store.last_seq(link)), *rest)

    return pass_over


def _log_backwards(sound: Any) -> Any:
    def take(store: Any, link: Any, looked: Any, rules: Any, now: Any) -> None:
        sound(store, link, replace(looked, changes=tuple(reversed(looked.changes or ()))), rules, now)

    return take


# --- Hearing ----------------------------------------------------------------------------------------------------------


def _cursor_first(_sound: Any) -> Any:
    def accept_page(store: Any, connection: Any, page: Any, *, now: Any) -> int:
        store.keep_cursor(connection, page.cursor, now=now)
        return hearing.accept_changed(store, connection, page.tickets, now=now)

    return accept_page


def _without_overlap(sound: Any) -> Any:
    def page(self: Any, cursor: str | None) -> Any:
        kept = self.capabilities
        self.capabilities = replace(kept, overlap_seconds=0.0)
        try:
            return sound(self, cursor)
        finally:
            self.capabilities = kept

    return page


def _overlap_from_the_end(sound: Any) -> Any:
    def after(self: Any, told: Any, *, is_last: bool) -> Any:
        made = sound(self, told, is_last=is_last)
        return replace(made, at=made.heard) if is_last else made

    return after


def _first_of_a_page(sound: Any) -> Any:
    return lambda store, connection, changed, *, now: sound(store, connection, list(changed)[:1], now=now)


def _forgetting_former(_sound: Any) -> Any:
    return lambda store, link, former, now: None


# --- Echoes and merging -----------------------------------------------------------------------------------------------


def _without_own(_sound: Any) -> Any:
    return lambda changes, own: intake.Sorted(tuple(changes), (), tuple(changes), frozenset())


def _all_ours(_sound: Any) -> Any:
    return lambda changes, own: intake.Sorted((), tuple(changes), tuple(changes), frozenset())


def _by_the_author(_sound: Any) -> Any:
    def set_aside(changes: Any, own: Any) -> intake.Sorted:
        ours = tuple(one for one in changes if one.author == "siam-sync")
        return intake.Sorted(tuple(one for one in changes if one not in ours), ours, tuple(changes), frozenset())

    return set_aside


def _without_pending(sound: Any) -> Any:
    return lambda change, base, hub, pending, rules, **rest: sound(change, base, hub, {}, rules, **rest)


def _without_seq(sound: Any) -> Any:
    def plan(event: Any, base: Any, rules: Any, view: Any) -> Delivery:
        return sound(event, {key: replace(one, seq=0) for key, one in base.items()}, rules, view)

    return plan


def _nobody_overtaken(_sound: Any) -> Any:
    return lambda changes, ours: {}


def _wanted_counts_as_stored(sound: Any) -> Any:
    return lambda base, written, agreed, receipt: sound(base, written, agreed, replace(receipt, stored={}))


def _never_cut(_sound: Any) -> Any:
    return lambda wanted, stored: False


def _never_an_excerpt(_sound: Any) -> Any:
    return lambda rule, full, shortened: False


def _nobody_differs(_sound: Any) -> Any:
    return lambda value, agreed: False


def _ties_for_nobody(_sound: Any) -> Any:
    return lambda tiebreak, *, system_is_later: merge.Verdict.AGREED


def _conflicts_forgotten(_sound: Any) -> Any:
    return lambda store, link, found, now: None


def _without_rewinding(_sound: Any) -> Any:
    return lambda fields, later: dict(fields)


# --- Audiences and rules ----------------------------------------------------------------------------------------------


def _everything_public(_sound: Any) -> Any:
    return lambda audience, rules: Visibility.PUBLIC


def _internal_goes_out(_sound: Any) -> Any:
    return lambda said, rules: "public" if said is not None else None


def _paired_again(sound: Any) -> Any:
    return lambda comment, rules: sound(replace(comment, is_paired=False), rules)


def _regardless_of_direction(_sound: Any) -> Any:
    return lambda rules, name: tuple(rule for rule in rules.fields if rule.hub == name)


def _silently_shortened(sound: Any) -> Any:
    def into_system(rule: Any, value: Any) -> Translated:
        made = sound(replace(rule, max_length=None), value)
        limit = rule.max_length
        return Translated(made.value[:limit]) if limit and isinstance(made.value, str) else made

    return into_system


# --- Failures and claims ----------------------------------------------------------------------------------------------


def _final(kind: FailureKind) -> Callable[[Any], Any]:
    def make(sound: Any) -> Any:
        def decide(failure: Any, attempts: int, jitter: float) -> Consequence:
            return Consequence(Action.PARK) if failure.kind is kind else sound(failure, attempts, jitter)

        return decide

    return make


def _never_parked(sound: Any) -> Any:
    def decide(failure: Any, attempts: int, jitter: float) -> Consequence:
        made = sound(failure, attempts, jitter)
        return Consequence(Action.RETRY) if made.action is Action.PARK else made

    return decide


def _gone_is_skipped(sound: Any) -> Any:
    def decide(failure: Any, attempts: int, jitter: float) -> Consequence:
        if failure.kind is FailureKind.REJECTED:
            return Consequence(Action.WAIT)
        return sound(failure, attempts, jitter)

    return decide


def _skip_on_reject(sound: Any) -> Any:
    def settle_failure(store: Any, link: Any, work: Any, failure: Any, now: Any, dice: Any) -> None:
        if failure.kind is FailureKind.REJECTED and hasattr(work, "step") and link.state == LinkState.LINKED:
            settling._close(store, store.intent(link, work.intent_id), IntentState.REFUSED, None, now)
            link.applied_seq = min(link.applied_seq + 1, store.last_seq(link))
            link.due_at = now
            store.save(link)
            return
        sound(store, link, work, failure, now, dice)

    return settle_failure


def _claims_unchecked(_sound: Any) -> Any:
    return lambda self, link: self.links[link.pk].copy() if link.pk in self.links else None


def _claims_of_others(sound: Any) -> Any:
    def due(self: Any, connection: Any, now: Any) -> Any:
        for link in self.links_of[connection.pk].values():
            link.claimed_until = None
        return sound(self, connection, now)

    return due


def _forever_held(_sound: Any) -> Any:
    return lambda self: True


def _no_sweep(sound: Any) -> Any:
    return lambda *given: None


def _intent_without_value(sound: Any) -> Any:
    def add_intent(self: Any, link: Any, **named: Any) -> Any:
        return sound(self, link, **{**named, "fields": {}})

    return add_intent


def _never_seen(_sound: Any) -> Any:
    return lambda self, link, marks, before: None


def _forgets_placeholder(sound: Any) -> Any:
    def pair(self: Any, link: Any, comment_id: Any, external_id: str) -> None:
        if external_id.rsplit("c", maxsplit=1)[-1].isdigit():
            sound(self, link, comment_id, external_id)

    return pair


def _echo_by_its_hint(_sound: Any) -> Any:
    return lambda link: link.hint_version != ""


def _echo_among_others(_sound: Any) -> Any:
    return lambda link: link.hint_version != "" and link.hint_version == link.version


def _not_given_back(_sound: Any) -> Any:
    return lambda store, follower, created, now: None


def _one_mark_for_all_steps(sound: Any) -> Any:
    return lambda mark, slot, connection_id="": sound(mark, "", connection_id)


def _nothing_noted(_sound: Any) -> Any:
    return lambda self, connection, *given, **named: None


def _length_told(sound: Any) -> Any:
    def plan_comment(comment: Any, rules: Any) -> Delivery:
        made = sound(comment, rules)
        if not made.withheld:
            return made
        text = f"A comment of {len(comment.body)} characters is not for you."
        return Delivery((AddRemoteComment(text, Visibility.PUBLIC, ""),))

    return plan_comment


def _created_anew(sound: Any) -> Any:
    def detach(store: Any, link: Any, work: Any, text: str, now: Any) -> None:
        sound(store, link, work, text, now)
        if link.ticket_id is not None:
            link.state, link.applied_seq = LinkState.CREATING, 0

    return detach


def _follow_up_told_again(sound: Any) -> Any:
    return lambda delivery, fields, seq, rules, view: sound(delivery, fields, 1, rules, view)


def _cut_is_news(_sound: Any) -> Any:
    return reads_same


def _stale_versions_final(sound: Any) -> Any:
    return _final(FailureKind.STALE_VERSION)(sound)


DEFECTS = (
    Defect("repeats without looking", carrying, "_recover", _without_looking),
    Defect("a lost call counts as done", settling, "_settle_recovery", _lost_counts_as_done),
    Defect("looks before the index can show it", deciding, "_recover", _at_once),
    Defect("an unknown outcome counts as a failure", workers, "read_failure", _known_outcomes),
    Defect("acknowledged before applied", deciding, "_intend", _acknowledged_first),
    Defect("the newest entry goes first", MemoryStore, "events_after", _newest_first),
    Defect("passes over one entry too many", deciding, "_pass_over", _passing_one_too_many),
    Defect("the log is read backwards", taking, "_take_changes", _log_backwards),
    Defect("the cursor is kept before its tickets", workers, "accept_page", _cursor_first),
    Defect("the cursor does not overlap", SimulatedConnector, "_page", _without_overlap),
    Defect("a listing overlaps from its end on", Place, "after", _overlap_from_the_end),
    Defect("only the first of a page is accepted", hearing, "accept_changed", _first_of_a_page),
    Defect("followed-up tickets are forgotten", settling, "_leave_behind", _forgetting_former),
    Defect("no echo is recognized", taking, "set_own_aside", _without_own),
    Defect("everything is taken for an echo", taking, "set_own_aside", _all_ours),
    Defect("echoes are told by their author", taking, "set_own_aside", _by_the_author),
    Defect("what is pending is not compared", taking, "apply", _without_pending),
    Defect("the seq of an agreement is ignored", deciding, "plan_event", _without_seq),
    Defect("nobody is overtaken", taking, "find_overtaken", _nobody_overtaken),
    Defect("what was wanted counts as stored", settling, "settle_write", _wanted_counts_as_stored),
    Defect("a tie is won by nobody", intake, "break_tie", _ties_for_nobody),
    Defect("conflicts are not kept", taking, "_record_conflict", _conflicts_forgotten),
    Defect("the opening is not taken back to its moment", deciding, "rewind", _without_rewinding),
    Defect("every audience is public", deliver, "_visibility", _everything_public),
    Defect("internal comments leave their system", intake, "_audience", _internal_goes_out),
    Defect("paired comments are told again", deliver, "_plan_comment", _paired_again),
    Defect("a text is shortened without a word", deliver, "into_system", _silently_shortened),
    Defect("a shortened text replaces the full one", intake, "is_excerpt", _never_an_excerpt),
    Defect("a 500 is final", settling, "decide", _final(FailureKind.VENDOR_FAULT)),
    Defect("a limit is final", settling, "decide", _final(FailureKind.RATE_LIMITED)),
    Defect("a stale version is final", settling, "decide", _stale_versions_final),
    Defect("no answer is final", settling, "decide", _final(FailureKind.UNREACHABLE)),
    Defect("nothing is ever parked", settling, "decide", _never_parked),
    Defect("a refused entry is skipped", settling, "_settle_failure", _skip_on_reject),
    Defect("a lost claim is not noticed", MemoryStore, "still_held", _claims_unchecked),
    Defect("lanes of others are claimed", MemoryStore, "due", _claims_of_others),
    Defect("whole tickets are never compared", taking, "_compare", _no_sweep),
    Defect("an intent does not record its values", MemoryStore, "add_intent", _intent_without_value),
    Defect("an echo is told by its notice alone", deciding, "is_our_echo", _echo_by_its_hint),
    Defect("an echo stands for the news beside it", deciding, "is_our_echo", _echo_among_others),
    Defect("a merge takes a ticket from its creator", settling, "_give_back", _not_given_back),
    Defect("all steps of an entry have one mark", plan, "correlation_of", _one_mark_for_all_steps),
    Defect("a wait that a system asks for is forgotten", MemoryStore, "wait_until", _nothing_noted),
    Defect("nothing opens the breaker", MemoryStore, "note_failure", _nothing_noted),
    Defect("a ticket that is gone is created anew", settling, "_detach", _created_anew),
    Defect("a follow-up is told what led to it", deciding, "plan_for_closed", _follow_up_told_again),
    Defect("a text that a system cut is news", settle, "is_left_of", _cut_is_news),
    Defect("what is kept back leaves its length", deliver, "_plan_comment", _length_told),
    Defect("placeholders go back where they came from", MemoryStore, "pair_comment", _forgets_placeholder),
)
