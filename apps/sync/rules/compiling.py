"""From the document to what the engine uses: value maps both ways, closures, limits."""

from collections.abc import Callable, Mapping
from typing import Any

from ..engine.rules import (
    AttachmentRule,
    Closed,
    Companion,
    ConversationRule,
    Direction,
    FieldRule,
    SyncRules,
    Tiebreak,
    TooLong,
    Unmapped,
    View,
)
from ..engine.snapshot import Value
from .document import Computed, FieldEntry, Inbound, Outbound, RulesDocument
from .expressions import Expression

MEGABYTE = 1024 * 1024
COMMENT_LIMIT = "comment"
ATTACHMENT_LIMIT = "attachment"
_NUMBERS = ("impact", "urgency")


def compile_rules(document: RulesDocument, *, version: int, limits: Mapping[str, int]) -> SyncRules:
    """The rules of one version. ``limits``: system field → longest text; *comment* and *attachment* for those."""
    return SyncRules(
        version=version,
        fields=tuple(_compile_field(entry, limits.get(entry.system)) for entry in document.fields),
        type_of_kind=document.types,
        kind_of_type={kind: name for name, kind in document.types.items()} | document.types_back,
        accepts=_condition(document.inbound.when),
        sends=_condition(document.outbound.when),
        creates_inbound=document.inbound.create,
        creates_outbound=document.outbound.create,
        conversation=_compile_conversation(document.inbound, document.outbound, limits.get(COMMENT_LIMIT)),
        attachments=_compile_attachments(document, limits.get(ATTACHMENT_LIMIT)),
        closed=Closed(document.inbound.closed),
        companions={
            status: tuple(Companion(name, _value(computed)) for name, computed in written.items())
            for status, written in document.with_status.items()
        },
        constants=document.constants,
        is_ordered=document.mode == "every_change",
    )


def _compile_field(entry: FieldEntry, limit: int | None) -> FieldRule:
    to_system: dict[Value, Value] | None = None
    to_hub: dict[Value, Value] | None = None
    if entry.values is not None:
        # JSON object keys are text; the hub's impact and urgency are numbers.
        words: list[tuple[Value, Value]] = [(_hub_word(entry.hub, word), value) for word, value in entry.values.items()]
        to_system, to_hub = {}, {}
        for word, value in reversed(words):
            to_system[word], to_hub[value] = value, word
    if entry.values_back is not None:
        to_hub = to_hub or {}
        for word, meaning in entry.values_back.items():
            to_hub[word] = meaning
    return FieldRule(
        hub=entry.hub,
        system=entry.system,
        direction=Direction(entry.direction),
        tiebreak=Tiebreak(entry.tiebreak),
        to_system=to_system,
        to_hub=to_hub,
        unmapped=Unmapped(entry.unmapped),
        default_in_system=entry.default_in_system,
        default_in_hub=entry.default_in_hub,
        too_long=TooLong(entry.too_long),
        max_length=limit,
        otherwise={_hub_word(entry.hub, word): value for word, value in entry.otherwise.items()},
    )


def _hub_word(field: str, word: str) -> Value:
    return int(word) if field in _NUMBERS and word.isdigit() else word


def _compile_conversation(inbound: Inbound, outbound: Outbound, limit: int | None) -> ConversationRule:
    def crossing(word: str) -> str | None:
        return None if word == "no" else word

    return ConversationRule(
        in_public=crossing(inbound.public_comments),
        in_chosen=crossing(inbound.chosen_comments),
        in_internal=crossing(inbound.internal_comments),
        out_public=crossing(outbound.public_comments),
        out_internal=crossing(outbound.internal_comments),
        attribution=inbound.attribution,
        max_length=limit,
    )


def _compile_attachments(document: RulesDocument, limit: int | None) -> AttachmentRule:
    own = document.inbound.largest_attachment_mb
    limits = [size for size in (limit, int(own * MEGABYTE) if own else None) if size is not None]
    return AttachmentRule(
        inbound=document.inbound.attachments,
        outbound=document.outbound.attachments,
        largest_bytes=min(limits) if limits else None,
        refused_types=tuple(document.inbound.refused_types),
    )


def _condition(source: str) -> Callable[[View], bool]:
    expression = Expression(source)
    return lambda view: expression(view) is True


def _value(computed: Computed) -> Callable[[View], Value]:
    if computed.expression is None:
        constant = computed.value
        return lambda _view: constant
    expression = Expression(computed.expression)

    def work_out(view: View) -> Value:
        found: Any = expression(view)
        return found if isinstance(found, str | int | float | bool) or found is None else str(found)

    return work_out
