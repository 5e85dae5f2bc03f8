"""The rows that the store in memory keeps, and as which the world sees those of a database. Ids are the store's own.

Workers hold copies of them, as they would of a database's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from ..engine.deliver import HubAttachment, HubComment, HubEvent
from ..engine.merge import Agreement
from ..engine.ports import IntentState, LinkState, Manners, Parties
from ..engine.rules import SyncRules
from ..engine.snapshot import Value


class Row:
    """A row: its columns are its attributes."""

    def copy(self) -> Self:
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made


@dataclass(eq=False)
class Pulse(Row):
    """How a connection is."""

    cursor: str | None = None
    poll_due_at: datetime | None = None
    behind_until: datetime | None = None
    failures: int = 0
    resting_until: datetime | None = None
    limited_until: datetime | None = None


@dataclass(eq=False)
class SimulatedConnection(Row):
    """One system of one organization, as the portal knows it."""

    pk: str
    name: str
    owner: str
    rules: SyncRules
    manners: Manners
    parties: Parties
    state: str = "active"
    pulse: Pulse = field(default_factory=Pulse)
    id: Any = ""
    """What correlations know it by."""
    handful: int | None = None
    """Grave acts that pass unasked; None: no brake."""


@dataclass(eq=False)
class SimulatedLink(Row):
    """One ticket's pairing with one ticket of one system."""

    pk: Any
    connection: SimulatedConnection
    ticket_id: Any
    state: Any
    due_at: datetime
    created_at: datetime
    external_id: str = ""
    key: str = ""
    url: str = ""
    former: Any = ()
    version: str = ""
    is_closed: bool = False
    start_seq: int = 0
    applied_seq: int = 0
    base: Any = field(default_factory=dict)
    look_wanted: int = 0
    look_done: int = 0
    hint_count: int = 0
    hint_version: str = ""
    change_cursor: str = ""
    looked_at: datetime | None = None
    swept_at: datetime | None = None
    compare_wanted: bool = False
    repair: Any = field(default_factory=list)
    delivery_hold: Any = None
    intake_hold: Any = None
    attempts: int = 0
    last_failure: str = ""
    claimed_by: str = ""
    claimed_until: datetime | None = None
    is_behind: bool = False
    looked_for: str = ""

    @property
    def ticket(self) -> Any:
        """The hub's ticket, which here is known by its id alone."""
        return self.ticket_id


FIELDS = ("title", "status", "priority", "assignee", "custom.site", "kind")
"""What simulated tickets have, in the hub's words."""

SAVED = (
    "ticket_id", "state", "due_at", "external_id", "key", "url", "former", "version", "is_closed", "start_seq",
    "applied_seq", "base", "look_wanted", "look_done", "hint_count", "hint_version", "change_cursor", "looked_at",
    "compare_wanted", "repair", "delivery_hold", "intake_hold", "attempts", "last_failure", "is_behind", "looked_for",
)  # fmt: skip
"""Columns that a worker's copy of a link writes back: claims are given and taken by verbs of their own."""


@dataclass(eq=False)
class SimulatedIntent(Row):
    """A committed "I am about to do this"."""

    pk: Any
    link_pk: Any
    seq: int
    slot: str
    correlation: str
    fields: Mapping[str, Value]
    agreed: Mapping[str, Agreement]
    rules_number: int
    state: IntentState
    note: str
    created_at: datetime
    settled_at: datetime | None = None
    doubted_at: datetime | None = None
    is_unknown: bool = False
    is_seen: bool = False
    change_ids: Any = ()


@dataclass(eq=False)
class SimulatedConflict(Row):
    pk: Any
    link_pk: Any
    key: str
    hub_value: Value
    system_value: Value
    verdict: Any
    is_open: bool


@dataclass(eq=False)
class Said:
    """A comment of the hub, or a file on a ticket of it; ``size`` is None for a comment."""

    id: Any
    body: str
    author: str
    organization: str
    audience: str
    chosen: frozenset[str] = frozenset()
    size: int | None = None
    sha256: str = ""
    content_type: str = ""

    def audience_for(self, reader: str) -> str | None:
        """The audience under which ``reader`` gets it; None if it does not get it (INV-31)."""
        if self.audience == "public":
            return "public"
        if self.organization == reader:
            return self.audience
        return "chosen" if self.audience == "chosen" and reader in self.chosen else None


@dataclass(eq=False)
class Entry:
    """One journal entry. ``event`` is what every reader gets of it, where nothing in it depends on the reader."""

    seq: int
    at: datetime
    changes: Mapping[str, tuple[Value, Value]]
    origin: str
    ref: str
    kind: str
    said: Said | None = None
    text: str = ""
    event: HubEvent | None = None
    mark: str = ""

    def read_by(self, reader: str, paired: Iterable[str]) -> HubEvent:
        if self.event is not None:
            return self.event
        said, comment, file = self.said, None, None
        assert said is not None
        audience = said.audience_for(reader)
        if said.size is None:
            comment = HubComment(said.id, said.body, said.author, said.organization, audience, said.id in paired)
        else:
            file = HubAttachment(said.id, said.body, said.content_type, said.size, audience, said.id in paired)
        return HubEvent(self.seq, self.at, {}, comment=comment, attachment=file, mark=self.mark)


@dataclass(eq=False)
class SimulatedTicket(Row):
    """A ticket of the hub with its journal."""

    pk: Any
    opened_by: str
    fields: Mapping[str, Value]
    last_seq: int = 0
    journal: list[Entry] = field(default_factory=list)
    refs: dict[tuple[str, str], int] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    is_restored: bool = False


NEW_STATES = (LinkState.SIGHTED, LinkState.CREATING)
