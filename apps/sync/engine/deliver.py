"""From the journal to a system: what the next entry of a lane asks for (hub → system, *inbound* for its owner)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from .merge import NEVER, Agreement, MergeBase
from .plan import (
    IN_FULL,
    AddRemoteAttachment,
    AddRemoteComment,
    CreateRemote,
    Delivery,
    FollowUp,
    Step,
    UpdateRemote,
    slot_of,
)
from .rules import Closed, FieldRule, RuleGap, SyncRules, TextTooLong, Translated, View, into_system
from .snapshot import Fields, Value, Visibility

STATUS = "status"


@dataclass(frozen=True, slots=True)
class HubComment:
    """A comment of the hub as one organization may see it; ``audience`` is None when it may not."""

    id: str
    body: str
    author: str
    organization: str
    audience: str | None
    is_paired: bool = False


@dataclass(frozen=True, slots=True)
class HubAttachment:
    id: str
    file_name: str
    content_type: str
    size: int
    audience: str | None
    is_paired: bool = False


@dataclass(frozen=True, slots=True)
class HubEvent:
    """One journal entry as a lane reads it, or several in a row as one."""

    seq: int
    at: datetime
    changes: Mapping[str, tuple[Value, Value]]
    is_opening: bool = False
    comment: HubComment | None = None
    attachment: HubAttachment | None = None
    is_by_hand: bool = False
    """Somebody did it in the portal; nothing brought it in from another system."""
    set_by: Mapping[str, int] = field(default_factory=dict)
    """Field → the entry that set it last, where several are one: an agreement may cover some of them."""
    mark: str = ""
    """What its copies in systems are known by, for ever."""


def rewind(fields: Fields, later: Sequence[HubEvent]) -> dict[str, Value]:
    """The hub's fields as they were before ``later`` (oldest first) happened."""
    then = dict(fields)
    for event in reversed(later):
        for name, (before, _after) in event.changes.items():
            if name in then:
                then[name] = before
    return then


def plan_creation(
    fields: Fields, seq: int, rules: SyncRules, view: View, base: MergeBase | None = None
) -> tuple[Step, ...]:
    """Create the ticket as it stands at ``seq``; its status is set right after, unless ``base`` shows that the system
    began with it, or that somebody was quicker and moved it since: that is news for the hub, not to be undone.

    The status that the system chooses by itself is agreed on as no value of the hub: nobody set it there (INV-21).
    Raises RuleGap for a value that the rules do not cover.
    """
    kind = str(fields["kind"])
    if kind not in rules.type_of_kind:
        raise RuleGap("kind", kind, "the rules name no type for this kind of ticket; add it under types")
    written: dict[str, Value] = dict(rules.constants)
    agreements: dict[str, Agreement] = {}
    left_over: list[Step] = []
    status: UpdateRemote | None = None
    for rule in rules.fields:
        if not rule.goes_in or rule.hub not in fields:
            continue
        translated = into_system(rule, fields[rule.hub])
        agreement = Agreement(fields[rule.hub], translated.value, seq)
        if rule.hub == STATUS:
            agreements[rule.key] = NEVER
            if seq <= (base or {}).get(rule.key, NEVER).seq:
                continue
            status = UpdateRemote(
                _with_companions(rule, {rule.system: translated.value}, rules, view), {rule.key: agreement}
            )
        else:
            agreements[rule.key] = agreement
            if translated.value not in (None, ""):
                written[rule.system] = translated.value
        if translated.full_text is not None:
            left_over.append(tell_in_full(rule, translated.full_text))
    # What is written with a status is written even where the system begins with that status.
    hoped = status.agreements if status is not None and len(status.fields) == 1 else {}
    create = CreateRemote(rules.type_of_kind[kind], written, agreements, hoped)
    return (create, *([status] if status else []), *left_over)


def plan_event(event: HubEvent, base: MergeBase, rules: SyncRules, view: View) -> Delivery:
    """What an entry that comes after the creation asks for. Raises RuleGap."""
    if event.comment is not None:
        return _plan_comment(event.comment, rules)
    if event.attachment is not None:
        return _plan_attachment(event.attachment, rules)
    owed: list[_Owed] = []
    told: list[Step] = []
    known: dict[str, Agreement] = {}
    for name, (_before, after) in event.changes.items():
        seq = event.set_by.get(name, event.seq)
        for rule in rules.of_hub(name):
            held = base.get(rule.key, NEVER)
            if seq <= held.seq:
                continue
            one = _Owed(rule, after, seq, into_system(rule, after))
            if one.agreement.system == held.system:
                known[rule.key] = one.agreement
                if one.translated.full_text is not None:
                    # It begins like the text before it: the field shows no difference, the full text does (INV-27).
                    told.append(tell_in_full(rule, one.translated.full_text))
            else:
                owed.append(one)
    delivery = _plan_write(owed, known, rules, view)
    return replace(delivery, steps=(*told, *delivery.steps))


def plan_repair(keys: Collection[str], fields: Fields, seq: int, rules: SyncRules, view: View) -> tuple[Step, ...]:
    """Write fields again that the system lacks, as the hub has them at ``seq``. Raises RuleGap."""
    here = [(rule, fields.get(rule.hub, "")) for rule in rules.fields if rule.key in keys and rule.goes_in]
    owed = [_Owed(rule, value, seq, into_system(rule, value)) for rule, value in here]
    return _plan_write(owed, {}, rules, view).steps


@dataclass(frozen=True, slots=True)
class _Owed:
    """A value that a system must get, and the entry that set it."""

    rule: FieldRule
    value: Value
    seq: int
    translated: Translated

    @property
    def agreement(self) -> Agreement:
        return Agreement(self.value, self.translated.value, self.seq)


def _plan_write(owed: Sequence[_Owed], known: Mapping[str, Agreement], rules: SyncRules, view: View) -> Delivery:
    """All that is owed as one write, with what goes with a status."""
    written: dict[str, Value] = {}
    instead: dict[str, Value] = {}
    left_over: list[Step] = []
    for one in owed:
        rule, translated = one.rule, one.translated
        written |= _with_companions(rule, {rule.system: translated.value}, rules, view)
        if one.value in rule.otherwise:
            instead |= _with_companions(rule, {rule.system: rule.otherwise[one.value]}, rules, view)
        if translated.full_text is not None:
            left_over.append(tell_in_full(rule, translated.full_text))
    if not written:
        return Delivery(agreements=known)
    # The full text goes first: once the field is written, planning this entry again would not ask for it any more.
    # What is known is agreed with the write: a look before the entry is passed would take it for still pending.
    agreements = {**known, **{one.rule.key: one.agreement for one in owed}}
    update = UpdateRemote(written, agreements, written | instead if instead else None)
    return Delivery((*left_over, update), known)


def coalesce(events: Sequence[HubEvent]) -> HubEvent:
    """Several field changes in a row as one, for connections that want only the latest state."""
    changes: dict[str, tuple[Value, Value]] = {}
    set_by: dict[str, int] = {}
    for event in events:
        for name, (before, after) in event.changes.items():
            first = changes.get(name, (before, after))[0]
            changes[name], set_by[name] = (first, after), event.seq
    by_hand, last = all(event.is_by_hand for event in events), events[-1]
    return HubEvent(last.seq, last.at, changes, is_by_hand=by_hand, set_by=set_by, mark=last.mark)


def plan_for_closed(delivery: Delivery, fields: Fields, seq: int, rules: SyncRules, view: View) -> Delivery:
    """The same news for a ticket that is closed for good in the system, as the rules decide (T41)."""
    if not delivery.steps or rules.closed is Closed.PARK:
        return delivery
    if rules.closed is Closed.WITHHOLD:
        return Delivery(agreements=delivery.agreements, withheld="the ticket is closed in this system")
    # A text that is told beside a field is no conversation: it goes where the field goes.
    said = (step for step in delivery.steps if isinstance(step, AddRemoteComment | AddRemoteAttachment))
    conversation = tuple(step for step in said if slot_of(step) != IN_FULL)
    if not conversation:
        return Delivery(agreements=delivery.agreements, withheld="the ticket is closed in this system")
    first = plan_creation(fields, seq, rules, view)[0]
    assert isinstance(first, CreateRemote)
    agreements = {key: replace(agreed, seq=seq) for key, agreed in first.agreements.items()}
    return Delivery((FollowUp(first.type, first.fields, agreements), *conversation), delivery.agreements)


def _with_companions(rule: FieldRule, written: Mapping[str, Value], rules: SyncRules, view: View) -> dict[str, Value]:
    if rule.hub != STATUS:
        return dict(written)
    companions = rules.companions.get(written[rule.system], ())
    return dict(written) | {companion.field: companion.value(view) for companion in companions}


def tell_in_full(rule: FieldRule, full_text: str) -> AddRemoteComment:
    """What is said beside a field that had to be shortened (INV-27)."""
    return AddRemoteComment(f"**{rule.hub}** in full:\n\n{full_text}", Visibility.INTERNAL, "", left_over=rule.hub)


def _plan_comment(comment: HubComment, rules: SyncRules) -> Delivery:
    if comment.is_paired:
        return Delivery()
    visibility = _visibility(comment.audience, rules)
    if visibility is None:
        return Delivery(withheld="this comment is not for this party")
    talk = rules.conversation
    prefix = talk.attribution.replace("{author}", comment.author).replace("{organization}", comment.organization)
    body = prefix + comment.body
    if talk.max_length is not None and len(body) > talk.max_length:
        raise TextTooLong(
            "comment",
            f"{comment.body[:60]}…",
            f"{len(body)} characters do not fit into {talk.max_length}; attach the text",
        )
    return Delivery((AddRemoteComment(body, visibility, comment.author, comment.id),))


def _plan_attachment(attachment: HubAttachment, rules: SyncRules) -> Delivery:
    if attachment.is_paired:
        return Delivery()
    visibility = _visibility(attachment.audience, rules)
    allowed = rules.attachments
    if visibility is None or not allowed.inbound:
        return Delivery(withheld="this attachment is not for this party")
    if attachment.content_type in allowed.refused_types:
        return Delivery(withheld=f"the rules refuse attachments of type {attachment.content_type}")
    if allowed.largest_bytes is not None and attachment.size > allowed.largest_bytes:
        named = f"**{attachment.file_name}** ({attachment.size} bytes)"
        note = f"{named} is larger than this system takes; see it in the portal."
        return Delivery((AddRemoteComment(note, visibility, ""),))
    return Delivery((AddRemoteAttachment(attachment.id, visibility),))


def _visibility(audience: str | None, rules: SyncRules) -> Visibility | None:
    """The visibility in the system, or None when it does not cross. Unknown audiences never cross (INV-31)."""
    talk = rules.conversation
    word = {"public": talk.in_public, "chosen": talk.in_chosen, "internal": talk.in_internal}.get(audience or "")
    return Visibility(word) if word else None
