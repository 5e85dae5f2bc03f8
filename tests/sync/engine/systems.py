"""External systems as the engine's laws need them: fields, comments, a change log, and every bad habit as a switch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from apps.sync.engine.snapshot import (
    Comment,
    ExternalRef,
    Fields,
    Receipt,
    RemoteChange,
    TicketSnapshot,
    Value,
    Visibility,
)

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PERSON = "Elaine"
SYNC = "siam-sync"


class Stale(Exception):
    """The ticket changed since the version that the write expected."""


def as_is(value: Value) -> Value:
    return value


def trimmed(value: Value) -> Value:
    return " ".join(value.split()) if isinstance(value, str) else value


def nothing_as_none(value: Value) -> Value:
    return None if value == "" else trimmed(value)


@dataclass(frozen=True, slots=True)
class Habits:
    """What a system does and tells. ``tells``: *marks* or *ids* of our field writes in its log, or *nothing*."""

    has_log: bool = True
    is_atomic: bool = True
    tells: str = "marks"
    tidy: Callable[[Value], Value] = as_is
    reads_back_late: bool = False
    """A receipt is read after the write, so that it may already show what somebody did in between."""


@dataclass
class System:
    """One ticket of one system. ``truth``: log entry → who made it. ``effects``: our writes as they took effect."""

    name: str
    habits: Habits
    clock: Callable[[], datetime]
    fields: dict[str, Value] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    log: list[RemoteChange] = field(default_factory=list)
    truth: dict[str, str] = field(default_factory=dict)
    creations: list[str] = field(default_factory=list)
    writes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    effects: list[str] = field(default_factory=list)
    version: int = 0
    exists: bool = False

    @property
    def ref(self) -> ExternalRef:
        return ExternalRef(f"{self.name}-1")

    # --- What people do there -----------------------------------------------------------------------------------------

    def person_opens(self, fields: Fields) -> None:
        self.exists, self.version = True, 1
        self.fields = {name: self.habits.tidy(value) for name, value in fields.items()}

    def person_edits(self, name: str, value: Value) -> None:
        self._write({name: value}, PERSON, None)

    def person_comments(self, body: str, visibility: Visibility) -> Comment:
        return self._say(body, visibility, PERSON, None)

    # --- What a connector does ----------------------------------------------------------------------------------------

    def create(self, fields: Fields, correlation: str) -> Receipt:
        self.effects.append(correlation)
        self.creations.append(correlation)
        if not self.exists:
            self.exists, self.version = True, 1
            empty = dict.fromkeys(("title", "status", "assignee", "priority"))
            self.fields = empty | {name: self.habits.tidy(value) for name, value in fields.items()}
        return Receipt(self.ref, str(self.version), self.ref.id, {name: self.fields[name] for name in fields})

    def update(self, fields: Fields, *, expected: str | None, correlation: str) -> Receipt:
        """Raises Stale, and has then written nothing."""
        if self.habits.is_atomic and expected is not None and expected != str(self.version):
            raise Stale
        self.effects.append(correlation)
        made = self._write(fields, SYNC, correlation if self.habits.tells == "marks" else None)
        self.writes[correlation] = made
        return self._receipt(fields, made)

    def receipt_read_now(self, receipt: Receipt) -> Receipt:
        """The same receipt, with the fields as a late reader finds them."""
        if not self.habits.reads_back_late:
            return receipt
        return replace(receipt, stored={name: self.fields[name] for name in receipt.stored})

    def add_comment(self, body: str, visibility: Visibility, correlation: str) -> Receipt:
        self.effects.append(correlation)
        said = self._say(body, visibility, SYNC, correlation)
        return Receipt(self.ref, str(self.version), said.id, {}, (self.log[-1].id,))

    def find(self, correlation: str, slot: str) -> Receipt | None:
        if slot == "create":
            made = self.exists and correlation in self.creations
            return Receipt(self.ref, str(self.version), self.ref.id) if made else None
        for said in self.comments:
            if said.correlation == correlation:
                return Receipt(self.ref, str(self.version), said.id)
        if self.habits.tells != "nothing" and correlation in self.writes:
            return Receipt(self.ref, str(self.version), self.ref.id, change_ids=self.writes[correlation])
        return None

    def snapshot(self) -> TicketSnapshot:
        return TicketSnapshot(
            ref=self.ref,
            version=str(self.version),
            type="incident",
            fields=dict(self.fields),
            created_at=START,
            updated_at=self.log[-1].at if self.log else START,
            comments=tuple(self.comments),
        )

    def changes(self, since: str | None) -> tuple[RemoteChange, ...]:
        place = next((number + 1 for number, change in enumerate(self.log) if change.id == since), 0)
        return tuple(self.log[place:])

    # --- How it keeps it ----------------------------------------------------------------------------------------------

    def _receipt(self, fields: Fields, made: tuple[str, ...]) -> Receipt:
        told = made if self.habits.tells == "ids" else ()
        return Receipt(self.ref, str(self.version), self.ref.id, {name: self.fields[name] for name in fields}, told)

    def _write(self, fields: Fields, by: str, correlation: str | None) -> tuple[str, ...]:
        kept = {name: self.habits.tidy(value) for name, value in fields.items()}
        moved = {name: (self.fields.get(name), value) for name, value in kept.items() if self.fields.get(name) != value}
        self.fields.update(kept)
        return (self._log(RemoteChange("", self.clock(), by, moved, correlation=correlation)),) if moved else ()

    def _say(self, body: str, visibility: Visibility, by: str, correlation: str | None) -> Comment:
        said = Comment(f"c{len(self.comments) + 1}", body, by, self.clock(), visibility, correlation)
        self.comments.append(said)
        self._log(RemoteChange("", said.at, by, comment=said, correlation=correlation))
        return said

    def _log(self, change: RemoteChange) -> str:
        change = replace(change, id=str(len(self.log) + 1))
        self.log.append(change)
        self.truth[change.id] = change.author
        self.version += 1
        return change.id


class Clock:
    """Time that moves by one second a tick, or stands still."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def tick(self, seconds: int = 1) -> None:
        self.at += timedelta(seconds=seconds)


STATUS_THERE: Mapping[Value, Value] = {
    "new": "open",
    "in_progress": "open",
    "pending": "waiting",
    "resolved": "done",
    "closed": "done",
}
STATUS_HERE: Mapping[Value, Value] = {
    "open": "in_progress",
    "waiting": "pending",
    "on hold": "pending",
    "done": "resolved",
}
