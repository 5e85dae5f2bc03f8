"""What is to be done, as data. A plan carries no behavior; somebody else carries it out (design 3.2)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from .merge import Agreement, Verdict
from .snapshot import Attachment, Comment, Fields, Value, Visibility


@dataclass(frozen=True, slots=True)
class CreateRemote:
    """Create the ticket in the system. ``agreements`` become the merge base when it is done."""

    type: str
    fields: Fields
    agreements: Mapping[str, Agreement]
    hoped: Mapping[str, Agreement] = field(default_factory=dict)
    """What is agreed without another write if the answer shows that the system begins with it: the status."""


@dataclass(frozen=True, slots=True)
class UpdateRemote:
    """Write fields (a status among them goes through the system's transitions)."""

    fields: Fields
    agreements: Mapping[str, Agreement]
    otherwise: Fields | None = None
    """What is written instead where the system knows no way to the status."""


@dataclass(frozen=True, slots=True)
class AddRemoteComment:
    body: str
    visibility: Visibility
    author: str
    comment_id: str = ""
    """The hub's comment; empty for text of ours."""
    left_over: str = ""
    """The field whose full text this is, where the field itself had to be shortened."""


@dataclass(frozen=True, slots=True)
class AddRemoteAttachment:
    attachment_id: str
    visibility: Visibility


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The system's ticket is closed for good: create a follow-up there and go on with that.

    ``agreements`` cover the journal to its end. The status is written last of all, as a repair.
    """

    type: str
    fields: Fields
    agreements: Mapping[str, Agreement]


Step: TypeAlias = CreateRemote | UpdateRemote | AddRemoteComment | AddRemoteAttachment | FollowUp


@dataclass(frozen=True, slots=True)
class Conflict:
    """Both sides changed a field. ``verdict`` says who won, or ASK; the loser's value is kept here (INV-23)."""

    key: str
    hub_value: Value
    system_value: Value
    base: Agreement
    verdict: Verdict
    at: datetime
    author: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one journal entry asks of one system: steps in order, and agreements that hold without any write."""

    steps: tuple[Step, ...] = ()
    agreements: Mapping[str, Agreement] = field(default_factory=dict)
    withheld: str = ""
    """Why nothing of it crosses, when the rules or the audience keep it back."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What one change in the system asks of the hub.

    ``values`` in hub words; the ``agreements`` of those have seq OPEN until they stand in the journal.
    """

    change_id: str
    at: datetime
    author: str
    values: Mapping[str, Value] = field(default_factory=dict)
    agreements: Mapping[str, Agreement] = field(default_factory=dict)
    comment: Comment | None = None
    audience: str | None = None
    attachment: Attachment | None = None
    conflicts: tuple[Conflict, ...] = ()


def slot_of(step: Step) -> str:
    """What a step is within its journal entry: with link and seq it names the step for ever."""
    if isinstance(step, AddRemoteComment):
        return IN_FULL if step.left_over else "comment"
    return {
        CreateRemote: "create",
        UpdateRemote: "update",
        AddRemoteAttachment: "attachment",
        FollowUp: "follow-up",
    }[type(step)]


CREATIONS = ("create", "follow-up")
"""Slots of the steps that make a ticket."""
IN_FULL = "in full"
"""Slot of a text that stands beside its shortened form."""
PREFIX, STEP_LENGTH = "siam-", 4
"""What a correlation begins with, and how many characters at its end name the step."""


def correlation_of(mark: str, slot: str, connection_id: object = "") -> str:
    """What a step leaves in the system, to be found by: the mark of its journal entry, and which step it is.

    Computed from what it carries, not from the link or a number, which another may get after the database was put back
    to an earlier moment (INV-40). The connection tells two apart that look into the same system.
    """
    step = hashlib.sha256(f"{slot}/{connection_id}".encode()).hexdigest()[:STEP_LENGTH]
    return f"{PREFIX}{mark}{step}"


def entry_of(correlation: str | None) -> str:
    """The mark of the journal entry that a correlation names; empty where there is none."""
    return (correlation or "")[len(PREFIX) : -STEP_LENGTH]
