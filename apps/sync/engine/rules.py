"""The rules of one connection, compiled: how the hub's words become the system's words and back.

Directions are named from the point of view of the organization that owns the connection (design 3.3): *outbound* is
what leaves its system for the hub, *inbound* is what it accepts from the hub.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .snapshot import Fields, Value

View = Mapping[str, Any]
"""What an expression may look at."""


class Direction(StrEnum):
    BOTH = "both"
    OUTBOUND = "outbound"
    INBOUND = "inbound"


class Tiebreak(StrEnum):
    """Who wins when both sides changed a field since they last agreed."""

    SYSTEM = "system"
    HUB = "hub"
    LATEST = "latest"
    ASK = "ask"


class Unmapped(StrEnum):
    """What happens to a value that the value map does not name (T58). There is no silent drop."""

    PARK = "park"
    PASS = "pass"  # noqa: S105
    DEFAULT = "default"


class TooLong(StrEnum):
    """What happens to a text that is longer than the system takes (T59). There is no silent cut."""

    PARK = "park"
    SHORTEN = "shorten"


class Closed(StrEnum):
    """What happens to news for a ticket that is closed for good in the system (T41)."""

    PARK = "park"
    FOLLOW_UP = "follow_up"
    WITHHOLD = "withhold"


class RuleGap(Exception):
    """A value that the rules do not cover. ``field`` and ``value`` in the words of the side it came from."""

    def __init__(self, field_name: str, value: Value, remedy: str) -> None:
        super().__init__(f"{field_name}: {value!r}: {remedy}")
        self.field = field_name
        self.value = value
        self.remedy = remedy


class ExpressionFailed(ValueError):
    """An expression of the rules could not be worked out for this ticket; the text names what is missing."""


class MappingGap(RuleGap):
    """The value map has no word for this value."""


class TextTooLong(RuleGap):
    """The text does not fit, and the rules do not say to shorten it."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One mapped field. ``to_system`` and ``to_hub`` are value maps, None where values pass unchanged."""

    hub: str
    system: str
    direction: Direction = Direction.BOTH
    tiebreak: Tiebreak = Tiebreak.LATEST
    to_system: Mapping[Value, Value] | None = None
    to_hub: Mapping[Value, Value] | None = None
    unmapped: Unmapped = Unmapped.PARK
    default_in_system: Value = None
    default_in_hub: Value = None
    too_long: TooLong = TooLong.PARK
    max_length: int | None = None
    otherwise: Mapping[Value, Value] = field(default_factory=dict)
    """Hub value → system value that will do where the system's workflow does not lead to the first."""

    @property
    def key(self) -> str:
        return f"{self.hub}={self.system}"

    @property
    def goes_in(self) -> bool:
        return self.direction is not Direction.OUTBOUND

    @property
    def comes_out(self) -> bool:
        return self.direction is not Direction.INBOUND


@dataclass(frozen=True, slots=True)
class ConversationRule:
    """How comments cross. Each entry names what becomes of one audience or visibility; None: it does not cross.

    ``in_*``: hub audience → visibility in the system. ``out_*``: visibility in the system → hub audience.
    ``attribution`` is put before a comment that the system cannot show under its author's name; ``{author}``,
    ``{organization}`` and ``{at}`` stand for them.
    """

    in_public: str | None = "public"
    in_chosen: str | None = "internal"
    in_internal: str | None = None
    out_public: str | None = "public"
    out_internal: str | None = None
    attribution: str = "**{author}** ({organization}):\n\n"
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class AttachmentRule:
    inbound: bool = True
    outbound: bool = True
    largest_bytes: int | None = None
    refused_types: tuple[str, ...] = ()


def _always(_view: View) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Companion:
    """A field that must be written together with a status (T43): resolving in ServiceNow needs a code and notes."""

    field: str
    value: Callable[[View], Value]


@dataclass(frozen=True, slots=True)
class SyncRules:
    """All rules of one connection, one version. Immutable; a round uses one version from start to end."""

    version: int
    fields: tuple[FieldRule, ...]
    type_of_kind: Mapping[str, str]
    kind_of_type: Mapping[str, str]
    accepts: Callable[[View], bool] = _always
    """Inbound condition on the hub's ticket: which tickets land in the system."""
    sends: Callable[[View], bool] = _always
    """Outbound condition on the system's ticket: which of its tickets leave for the hub."""
    creates_inbound: bool = True
    creates_outbound: bool = True
    conversation: ConversationRule = field(default_factory=ConversationRule)
    attachments: AttachmentRule = field(default_factory=AttachmentRule)
    closed: Closed = Closed.PARK
    companions: Mapping[Value, tuple[Companion, ...]] = field(default_factory=dict)
    """Status value in the system → what is written with it."""
    constants: Fields = field(default_factory=dict)
    """Fields written once, when the ticket is created in the system."""
    is_ordered: bool = True
    """Every change is applied, in order; otherwise only the latest state is."""

    def of_hub(self, name: str) -> tuple[FieldRule, ...]:
        return tuple(rule for rule in self.fields if rule.hub == name and rule.goes_in)

    def of_system(self, name: str) -> tuple[FieldRule, ...]:
        return tuple(rule for rule in self.fields if rule.system == name and rule.comes_out)


@dataclass(frozen=True, slots=True)
class Translated:
    """A hub value in the system's words. ``full_text`` is set when it had to be shortened."""

    value: Value
    full_text: str | None = None


ELLIPSIS = " […]"


def into_system(rule: FieldRule, value: Value) -> Translated:
    """A hub value as the rule's system field takes it. Raises MappingGap, TextTooLong."""
    mapped = _look_up(rule.to_system, value, rule, rule.hub, rule.default_in_system)
    if rule.max_length is None or not isinstance(mapped, str) or len(mapped) <= rule.max_length:
        return Translated(mapped)
    if rule.too_long is TooLong.PARK:
        raise TextTooLong(
            rule.system,
            f"{mapped[:60]}…",
            f"{len(mapped)} characters do not fit into {rule.max_length}; shorten the text or let the rule shorten it",
        )
    return Translated(mapped[: rule.max_length - len(ELLIPSIS)] + ELLIPSIS, full_text=mapped)


def is_shortened(full: Value, there: Value) -> bool:
    """Whether a text that the system got is but a part of the hub's."""
    return full != there and isinstance(there, str) and there.endswith(ELLIPSIS)


def is_excerpt(rule: FieldRule, full: Value, shortened: Value) -> bool:
    """Whether ``shortened`` still is a shortened form of the over-long ``full``, and so never replaces it (INV-27)."""
    if rule.max_length is None or not isinstance(full, str) or not isinstance(shortened, str):
        return False
    return len(full) > rule.max_length and shortened.endswith(ELLIPSIS.strip())


def into_hub(rule: FieldRule, value: Value) -> Value:
    """A system value in the hub's words. Raises MappingGap."""
    mapped = _look_up(rule.to_hub, value, rule, rule.system, rule.default_in_hub)
    return "" if mapped is None else mapped


def _look_up(values: Mapping[Value, Value] | None, value: Value, rule: FieldRule, name: str, default: Value) -> Value:
    if values is None or (value in (None, "") and value not in values):
        return value
    if value in values:
        return values[value]
    if rule.unmapped is Unmapped.PASS:
        return value
    if rule.unmapped is Unmapped.DEFAULT:
        return default
    raise MappingGap(name, value, "the rules have no word for this value; add it to the value map")
