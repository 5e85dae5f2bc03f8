"""What a round carries out, as values: made from rows before any call, settled into rows after all calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from .intake import OwnWrite
from .merge import MergeBase
from .plan import Step
from .recovery import Failure, Outcome
from .snapshot import ExternalRef, Fields, Receipt, RemoteChange, TicketSnapshot, Upload


@dataclass(frozen=True, slots=True)
class Look:
    """Read the system's ticket: as it is, and what happened to it since."""

    link_id: str
    ref: ExternalRef
    since: str | None
    wanted: int
    known_files: frozenset[str]
    takes_files: bool
    largest_file: int
    takes_marked: bool = False
    """Files that carry a mark of ours as well: the portal may have lost them."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A journal entry that is through: how far the lane is then, and what holds without any write."""

    seq: int
    agreements: MergeBase


@dataclass(frozen=True, slots=True)
class Do:
    """Carry out one step, whose intent is committed."""

    link_id: str
    intent_id: int
    step: Step
    ref: ExternalRef | None
    correlation: str
    expected: str | None = None
    upload: Upload | None = None
    ends: Ended | None = None
    """Set when the lane has nothing more to do about its journal entry once this is done."""


@dataclass(frozen=True, slots=True)
class Recover:
    """Find out what became of a step whose outcome is not known."""

    link_id: str
    intent_id: int
    slot: str
    ref: ExternalRef | None
    correlation: str
    fields: Fields
    since: str | None
    earlier: tuple[OwnWrite, ...]
    """Our writes before it that the same part of the change log may show."""
    is_settled_by_now: bool
    """Whether the system's index has had time to show what was written (INV-15)."""
    stepwise: frozenset[str] = frozenset()
    """Fields that go through several values on their way: statuses."""


Work: TypeAlias = Look | Do | Recover


@dataclass(frozen=True, slots=True)
class Looked:
    snapshot: TicketSnapshot
    changes: tuple[RemoteChange, ...] | None
    """None where the system has no change log."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Attachment id → the downloaded bytes."""
    too_large: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Done:
    receipt: Receipt
    instead: Fields | None = None
    """What was written where there was no way to what was wanted."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """``outcome`` None: not yet to be told, look again later."""

    outcome: Outcome | None
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    failure: Failure


Result: TypeAlias = Looked | Done | Recovered | Failed
