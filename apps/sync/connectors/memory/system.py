"""A complete ticket system in memory: tickets, workflow, change log, comments and files, and the acts of its people.

It is deterministic: ids are counted, the clock is given. Nothing in it knows of connectors; tests use it as the one who
sees all.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ...engine.snapshot import Attachment, Comment, ExternalRef, Fields, RemoteChange, TicketSnapshot, Value, Visibility
from ..base import FieldSchema, NoRoute, Rejected, StaleVersion, TicketClosed, TicketGone, TicketMerged
from ..richtext import canonical
from .faults import FaultBoard

PERSON = "Elaine"
LONGEST_COMMENT = 20_000
LARGEST_FILE = 5 * 1024 * 1024

FIELDS = {
    field_schema.name: field_schema
    for field_schema in (
        FieldSchema("title", "Title", "text", is_required=True, max_length=80),
        FieldSchema("description", "Description", "rich_text", max_length=40_000),
        FieldSchema(
            "status", "Status", "status", values=("new", "in progress", "on hold", "resolved", "closed", "archived")
        ),
        FieldSchema("priority", "Priority", "choice", values=("low", "medium", "high", "critical")),
        FieldSchema("resolution", "Resolution", "choice", values=("fixed", "duplicate", "declined")),
        FieldSchema("reference", "Reference", "text", max_length=40),
        FieldSchema("assignee", "Assignee", "person"),
        FieldSchema("labels", "Labels", "words"),
        FieldSchema("effort", "Effort in hours", "number"),
        FieldSchema("is_urgent", "Urgent", "boolean"),
        FieldSchema("reporter", "Reporter", "person", is_writable=False),
    )
}
WORKFLOW: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "new": {"in progress": ()},
    "in progress": {"on hold": (), "resolved": ("resolution",)},
    "on hold": {"in progress": ()},
    "resolved": {"in progress": (), "closed": ()},
    "closed": {},
    "archived": {},
}
"""Status → status that can follow → fields that the step needs. No way leads to *archived*."""

_NUMBERED_FROM = 1000


@dataclass(slots=True)
class Ticket:
    """One ticket with everything that ever happened to it."""

    ref: ExternalRef
    type: str
    fields: dict[str, Value]
    created_at: datetime
    updated_at: datetime
    correlation: str | None = None
    version: int = 1
    comments: list[Comment] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    log: list[RemoteChange] = field(default_factory=list)
    writes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Correlation of a field write → the changes that it made."""
    follow_up_of: str = ""
    is_deleted: bool = False
    merged_into: ExternalRef | None = None


class MemorySystem:
    """The system. ``now`` is its clock; ``after_write`` stands for its owner's rules, which change what was written.

    ``index_lag_seconds``: what was created or changed is found by searches only so much later.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        key_prefix: str = "MEM",
        people: Iterable[str] = ("John", "Elaine", "David", "Marco"),
        types: Iterable[str] = ("incident", "request"),
        fields: Mapping[str, FieldSchema] = FIELDS,
        workflow: Mapping[str, Mapping[str, tuple[str, ...]]] = WORKFLOW,
        closes_for_good: bool = True,
    ) -> None:
        self.now = now
        self.key_prefix = key_prefix
        self.people = frozenset(people)
        self.types = tuple(types)
        self.fields = dict(fields)
        self.workflow = workflow
        self.closes_for_good = closes_for_good
        self.initial = next(iter(workflow))
        self.tickets: dict[str, Ticket] = {}
        self.faults = FaultBoard()
        self.index_lag_seconds = 0.0
        self.after_write: Callable[[Ticket], None] = lambda _ticket: None
        self._hidden_until: dict[str, datetime] = {}
        self._count = _NUMBERED_FROM

    def next_id(self) -> str:
        self._count += 1
        return str(self._count)

    def create(
        self,
        type: str,
        fields: Fields,
        *,
        by: str,
        correlation: str | None = None,
        follow_up_of: ExternalRef | None = None,
    ) -> Ticket:
        """A new ticket in the first status. Raises Rejected, naming the field."""
        if type not in self.types:
            raise Rejected(f"there is no type {type!r}", field="type", value=type)
        started = {"status": self.initial, **fields}
        if started["status"] != self.initial:
            raise Rejected(f"a new ticket is {self.initial}", field="status", value=started["status"])
        kept = {name: self._accepted(name, value) for name, value in started.items()}
        for schema in self.fields.values():
            if schema.is_required and not kept.get(schema.name):
                raise Rejected(f"{schema.label} is required", field=schema.name)
        number = self.next_id()
        ref = ExternalRef(number, f"{self.key_prefix}-{number}", f"https://{self.key_prefix.lower()}.example/{number}")
        at = self.now()
        held: dict[str, Value] = {**dict.fromkeys(self.fields), **kept, "reporter": by}
        ticket = Ticket(ref, type, held, at, at, correlation, follow_up_of=follow_up_of.id if follow_up_of else "")
        self.tickets[number] = ticket
        self.after_write(ticket)
        return ticket

    def open(self, ref: ExternalRef) -> Ticket:
        """The ticket. Raises TicketGone or TicketMerged."""
        ticket = self.tickets.get(ref.id)
        if ticket is None or ticket.is_deleted:
            raise TicketGone(f"there is no ticket {ref.key or ref.id}")
        if ticket.merged_into is not None:
            raise TicketMerged(f"{ref.key} was merged into {ticket.merged_into.key}", into=ticket.merged_into)
        return ticket

    def is_closed_for_good(self, ticket: Ticket) -> bool:
        return self.closes_for_good and not self.workflow[str(ticket.fields["status"])]

    def open_for_writing(self, ref: ExternalRef) -> Ticket:
        ticket = self.open(ref)
        if self.is_closed_for_good(ticket):
            raise TicketClosed(f"{ticket.ref.key} is {ticket.fields['status']} and takes no new information")
        return ticket

    def edit(
        self, ref: ExternalRef, fields: Fields, *, by: str, expected: str | None = None, correlation: str | None = None
    ) -> tuple[Ticket, tuple[str, ...]]:
        """Write fields; returns the ids of the log entries: fields and first step in one, further steps one by one.

        Raises StaleVersion, Rejected, NoRoute or TicketClosed, and has then written nothing.
        """
        ticket = self.open_for_writing(ref)
        if expected is not None and expected != str(ticket.version):
            raise StaleVersion(f"{ticket.ref.key} is at version {ticket.version}, not {expected}")
        wanted = {name: self._accepted(name, value) for name, value in fields.items()}
        route = self._route(ticket, wanted)
        changed = {name: value for name, value in wanted.items() if ticket.fields[name] != value and name != "status"}
        steps: list[Fields] = [{"status": step} for step in route]
        entries = [{**changed, **(steps[0] if steps else {})}, *steps[1:]]
        made = tuple(self._change(ticket, entry, by, correlation) for entry in entries if entry)
        if correlation is not None:
            ticket.writes[correlation] = made
        if made:
            self.after_write(ticket)
        return ticket, made

    def _accepted(self, name: str, value: Value) -> Value:
        schema = self.fields.get(name)
        if schema is None or not schema.is_writable:
            raise Rejected(f"{name} cannot be set", field=name, value=value)
        if value is None or value == "":
            if schema.is_required:
                raise Rejected(f"{schema.label} is required", field=name, value=value)
            return None
        if schema.values and value not in schema.values:
            raise Rejected(f"{value!r} is not a value of {schema.label}", field=name, value=value)
        if schema.type == "person" and value not in self.people:
            raise Rejected(f"nobody here is called {value!r}", field=name, value=value)
        if schema.type == "words":
            return tuple(sorted({*value})) if isinstance(value, tuple) else (str(value),)
        if schema.type == "rich_text":
            value = canonical(str(value))
        elif schema.type == "text":
            value = " ".join(str(value).split())
        if schema.max_length is not None and len(str(value)) > schema.max_length:
            raise Rejected(f"{schema.label} takes {schema.max_length} characters", field=name, value=value)
        return value

    def _route(self, ticket: Ticket, wanted: Fields) -> list[str]:
        """The shortest legal way from the ticket's status to the wanted one, with all that its steps need."""
        start, goal = str(ticket.fields["status"]), str(wanted.get("status") or ticket.fields["status"])
        ways: dict[str, list[str]] = {start: []}
        reached = [start]
        for status in reached:
            for following in self.workflow[status]:
                if following not in ways:
                    ways[following] = [*ways[status], following]
                    reached.append(following)
        if goal not in ways:
            reachable = ", ".join(reached[1:]) or "nothing"
            raise NoRoute(f"no way from {start} to {goal}; reachable: {reachable}", field="status", value=goal)
        for before, step in zip([start, *ways[goal]], ways[goal], strict=False):
            for needed in self.workflow[before][step]:
                if not wanted.get(needed, ticket.fields[needed]):
                    raise Rejected(f"{step} needs {self.fields[needed].label}", field=needed)
        return ways[goal]

    def _change(self, ticket: Ticket, entry: Fields, by: str, correlation: str | None) -> str:
        moved = {name: (ticket.fields[name], value) for name, value in entry.items()}
        ticket.fields.update(entry)
        return self._log(ticket, RemoteChange("", self.now(), by, fields=moved, correlation=correlation))

    def _log(self, ticket: Ticket, change: RemoteChange) -> str:
        change = replace(change, id=self.next_id())
        ticket.log.append(change)
        ticket.version += 1
        ticket.updated_at = change.at
        return change.id

    def comment(
        self, ref: ExternalRef, body: str, visibility: Visibility, *, by: str, correlation: str | None = None
    ) -> tuple[Ticket, Comment, str]:
        ticket = self.open_for_writing(ref)
        body = canonical(body)
        if not body or len(body) > LONGEST_COMMENT:
            raise Rejected(f"a comment has 1 to {LONGEST_COMMENT} characters", field="comment")
        comment = Comment(self.next_id(), body, by, self.now(), visibility, correlation)
        ticket.comments.append(comment)
        made = self._log(ticket, RemoteChange("", comment.at, by, comment=comment, correlation=correlation))
        return ticket, comment, made

    def attach(
        self,
        ref: ExternalRef,
        name: str,
        content: bytes,
        *,
        by: str,
        content_type: str = "application/octet-stream",
        visibility: Visibility = Visibility.PUBLIC,
        correlation: str | None = None,
    ) -> tuple[Ticket, Attachment, str]:
        ticket = self.open_for_writing(ref)
        if len(content) > LARGEST_FILE:
            raise Rejected(f"a file has at most {LARGEST_FILE} bytes", field="attachment", value=name)
        digest = hashlib.sha256(content).hexdigest()
        file = Attachment(
            self.next_id(), name, content_type, len(content), self.now(), by, digest, visibility, correlation
        )
        ticket.attachments.append(file)
        ticket.contents[file.id] = content
        made = self._log(ticket, RemoteChange("", file.at, by, attachment=file, correlation=correlation))
        return ticket, file, made

    def delete(self, ref: ExternalRef) -> None:
        ticket = self.open(ref)
        ticket.is_deleted, ticket.version, ticket.updated_at = True, ticket.version + 1, self.now()

    def merge(self, ref: ExternalRef, into: ExternalRef) -> None:
        ticket = self.open(ref)
        ticket.merged_into, ticket.version, ticket.updated_at = self.open(into).ref, ticket.version + 1, self.now()

    def move(self, ref: ExternalRef, key: str) -> ExternalRef:
        """The ticket goes to another project: another key, the same id."""
        ticket = self.open(ref)
        ticket.ref = replace(ticket.ref, key=key)
        ticket.version, ticket.updated_at = ticket.version + 1, self.now()
        return ticket.ref

    def hide(self, ref: ExternalRef, seconds: float) -> None:
        """Searches find this ticket only so much later, when younger ones are long found: a row committed late."""
        self._hidden_until[ref.id] = self.now() + timedelta(seconds=seconds)

    def indexed(self) -> list[Ticket]:
        """What a search finds at this moment."""
        now = self.now()
        return [
            ticket
            for ticket in self.tickets.values()
            if (now - ticket.updated_at).total_seconds() >= self.index_lag_seconds
            and now >= self._hidden_until.get(ticket.ref.id, now)
        ]

    def snapshot(self, ticket: Ticket) -> TicketSnapshot:
        return TicketSnapshot(
            ref=ticket.ref,
            version=str(ticket.version),
            type=ticket.type,
            fields=dict(ticket.fields),
            created_at=ticket.created_at,
            updated_at=ticket.updated_at,
            comments=tuple(ticket.comments),
            attachments=tuple(ticket.attachments),
            is_closed_for_good=self.is_closed_for_good(ticket),
            correlation=ticket.correlation,
        )

    def true_state(self) -> dict[str, Any]:
        """What really is in the system, in the shape of ``docs/sandboxes.md``."""
        return {"system": "memory", "tickets": [_as_json(ticket) for ticket in self.tickets.values()]}


def steady_clock(start: datetime = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)) -> Callable[[], datetime]:
    """A clock that stands still: for tests in which time does not matter."""
    return lambda: start


def _as_json(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.ref.id,
        "key": ticket.ref.key,
        "type": ticket.type,
        "created_at": ticket.created_at.isoformat(),
        "deleted": ticket.is_deleted,
        "fields": {name: list(value) if isinstance(value, tuple) else value for name, value in ticket.fields.items()},
        "comments": [
            {
                "id": comment.id,
                "author": comment.author,
                "text": comment.body,
                "public": comment.visibility is Visibility.PUBLIC,
                "at": comment.at.isoformat(),
            }
            for comment in ticket.comments
        ],
        "attachments": [
            {"id": file.id, "name": file.file_name, "size": file.size, "sha256": file.sha256, "at": file.at.isoformat()}
            for file in ticket.attachments
        ],
        "log": [line for change in ticket.log for line in _log_lines(change)],
    }


def _log_lines(change: RemoteChange) -> Iterable[dict[str, Any]]:
    head = {"at": change.at.isoformat(), "by": change.author}
    for name, (before, after) in change.fields.items():
        yield {**head, "field": name, "from": before, "to": after}
    if change.comment is not None:
        yield {**head, "field": "comment", "to": change.comment.id}
    if change.attachment is not None:
        yield {**head, "field": "attachment", "to": change.attachment.id}
