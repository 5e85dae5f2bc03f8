"""The hub in memory: tickets, their journals, comments and files."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ..engine.deliver import HubEvent
from ..engine.ports import FileMissing, HubRefused, LinkRow
from ..engine.rules import View
from ..engine.snapshot import Attachment, Fields, Upload, Value
from .memory import Memory
from .rows import FIELDS, Entry, Said, SimulatedTicket
from .words import CUSTOM, HUB_CHOICES, LONGEST_COMMENT, LONGEST_TITLE, PORTAL


class MemoryHub(Memory):
    """The hub's side of the store (see the port ``Hub``)."""

    largest_attachment = 400

    def __init__(self) -> None:
        super().__init__()
        self.tickets: dict[str, SimulatedTicket] = {}
        self.said: dict[str, Said] = {}
        self.paired: dict[str, dict[str, str]] = {}
        """Link → id of the hub's comment or file → its id in the system."""

    # --- Reading ------------------------------------------------------------------------------------------------------

    def lock_ticket(self, link: LinkRow) -> None:
        """One statement at a time runs here: the end of the journal stays where it is by itself."""

    def last_seq(self, link: LinkRow) -> int:
        return self.tickets[link.ticket_id].last_seq

    def hub_fields(self, link: LinkRow) -> Fields:
        return self.tickets[link.ticket_id].fields

    def view(self, ticket_id: Any) -> View:
        ticket = self.tickets[ticket_id]
        plain = {name: value for name, value in ticket.fields.items() if not name.startswith(CUSTOM)}
        custom = {name.removeprefix(CUSTOM): ticket.fields[name] for name in ticket.fields.keys() - plain.keys()}
        return {**plain, "custom": custom, "reference": ticket_id, "opened_by": ticket.opened_by}

    def events_after(self, link: LinkRow, seq: int, most: int | None = None) -> list[HubEvent]:
        journal = self.tickets[link.ticket_id].journal
        paired = self.paired[link.pk]
        part = journal[seq:] if most is None else journal[seq : seq + most]
        return [entry.read_by(link.connection.owner, paired) for entry in part]

    # --- What was once known ------------------------------------------------------------------------------------------

    portal_part = "51a0"

    def mark_for(self, link: LinkRow, ref: str) -> str:
        return self._mark(link.connection.pk, ref)

    def _mark(self, origin: str, ref: str) -> str:
        place = f"{origin}/{ref}" if ref else f"here/{self._number()}"
        return self.portal_part + hashlib.sha256(place.encode()).hexdigest()[:16]

    def _number(self) -> int:
        raise NotImplementedError

    def entries_marked(self, link: LinkRow, marks: Collection[str]) -> Mapping[str, HubEvent]:
        journal, paired = self.tickets[link.ticket_id].journal, self.paired[link.pk]
        return {one.mark: one.read_by(link.connection.owner, paired) for one in journal if one.mark in marks}

    def ticket_marked(self, link: LinkRow, marks: Collection[str]) -> Any | None:
        return next((one.pk for one in self.tickets.values() if one.marks.keys() & marks), None)

    def tie(self, link: LinkRow, ticket: Any, *, now: datetime) -> None:
        link.ticket_id = ticket  # type: ignore[misc]

    def is_restored(self, link: LinkRow) -> bool:
        return self.tickets[link.ticket_id].is_restored

    def as_kept(self, field: str, value: Value) -> Any:
        text = "" if value is None else str(value)
        if field not in FIELDS and not field.startswith(CUSTOM):
            raise HubRefused(f"{field}: a ticket has no such field")
        if field in HUB_CHOICES and text not in HUB_CHOICES[field]:
            raise HubRefused(f"{field}: {text!r} is not one of {', '.join(HUB_CHOICES[field])}")
        if field == "title" and (not text.strip() or len(text) > LONGEST_TITLE):
            raise HubRefused(f"title: a ticket needs one of at most {LONGEST_TITLE} characters")
        return text

    def upload(self, attachment_id: str) -> Upload:
        file = self.said[attachment_id]
        if file.sha256 == "":
            raise FileMissing(file.body)
        return Upload(file.body, file.content_type, file.size or 0, file.sha256, Path(file.sha256))

    # --- Writing for a link -------------------------------------------------------------------------------------------

    def open_ticket(self, link: LinkRow, values: Mapping[str, Any], *, at: datetime, ref: str, mark: str = "") -> None:
        kept = {field: self.as_kept(field, value) for field, value in values.items()}
        if not kept.get("title"):
            raise HubRefused("title: a ticket needs a title")
        source = (link.connection.pk, ref)
        pk, owner = self.ticket_id(mark or self._mark(*source)), link.connection.owner
        ticket = self.add_ticket(pk, owner, kept, at, source, mark, is_restored=link.is_behind)
        link.ticket_id = ticket.pk  # type: ignore[misc]

    def ticket_id(self, mark: str) -> str:
        """The id of the ticket whose journal begins with that mark: taken in again, it is the same one."""
        raise NotImplementedError

    def receive(
        self, link: LinkRow, values: Mapping[str, Any], *, at: datetime, ref: str, author: str, mark: str = ""
    ) -> None:
        self.change(link.ticket_id, values, at=at, origin=link.connection.pk, ref=ref, mark=mark)

    def comment(
        self, link: LinkRow, body: str, *, audience: str, at: datetime, ref: str, author: str, mark: str = ""
    ) -> Any | None:
        if not body.strip() or len(body) > LONGEST_COMMENT:
            raise HubRefused("comment: nothing, or more than the hub holds")
        said = Said("", body, author, link.connection.owner, audience)
        return self.say(link.ticket_id, said, at=at, origin=link.connection.pk, ref=ref, mark=mark)

    def attach(
        self, link: LinkRow, file: Attachment, place: Path, *, audience: str, at: datetime, ref: str, author: str,
        mark: str = "",
    ) -> Any | None:  # fmt: skip
        content = place.read_bytes()
        name = file.file_name.replace("\\", "/").rsplit("/", 1)[-1].strip()
        if not name:
            raise HubRefused("attachment: the file has no name")
        kept = Said("", name, author, link.connection.owner, audience, size=len(content), sha256=content.decode())
        kept.content_type = file.content_type
        return self.say(link.ticket_id, kept, at=at, origin=link.connection.pk, ref=ref, mark=mark)

    def note(self, link: LinkRow, text: str, *, now: datetime) -> None:
        if link.ticket_id is not None:
            self._append(self.tickets[link.ticket_id], now, "noted", text=text)

    # --- Writing, by anybody ------------------------------------------------------------------------------------------

    def open_here(self, owner: str, values: Mapping[str, Any], *, at: datetime) -> SimulatedTicket:
        """Somebody of an organization opens a ticket in the portal."""
        mark = self._mark(PORTAL, "")
        return self.add_ticket(self.ticket_id(mark), owner, values, at, mark=mark)

    def add_ticket(
        self, pk: str, owner: str, values: Mapping[str, Any], at: datetime, source: tuple[str, str] = (PORTAL, ""),
        mark: str = "", *, is_restored: bool = False,
    ) -> SimulatedTicket:  # fmt: skip
        fields = {"title": "", "status": "new", "priority": "medium", "assignee": "", **values}
        ticket = SimulatedTicket(pk, owner, fields, is_restored=is_restored)
        self.put(self.tickets, pk, ticket)
        opened = {name: (None, value) for name, value in fields.items() if value != ""}
        self._append(ticket, at, "opened", changes=opened, source=source, mark=mark)
        return ticket

    def change(
        self, ticket_id: str, values: Mapping[str, Any], *, at: datetime, origin: str, ref: str = "", mark: str = ""
    ) -> bool:
        """Append one entry with from and to of each field that differs; False when nothing does, or it is known."""
        ticket = self.tickets[ticket_id]
        if ref and self._is_known(ticket, origin, ref, mark):
            return False
        kept = {name: self.as_kept(name, value) for name, value in values.items()}
        before = ticket.fields
        changes = {name: (before.get(name, ""), value) for name, value in kept.items() if before.get(name, "") != value}
        if not changes:
            return False
        self.update(ticket, fields={**before, **kept})
        self._append(ticket, at, "changed", changes=changes, source=(origin, ref), mark=mark)
        return True

    def say(
        self, ticket_id: str, said: Said, *, at: datetime, origin: str, ref: str = "", mark: str = ""
    ) -> str | None:
        """Add a comment or file, unless it is known."""
        ticket = self.tickets[ticket_id]
        if ref and self._is_known(ticket, origin, ref, mark):
            return None
        if said.size is None:
            said.body = said.body.replace("\r\n", "\n")
        said.id = f"{ticket_id}.{ticket.last_seq + 1}"
        self.put(self.said, said.id, said)
        self._append(ticket, at, "said", said=said, source=(origin, ref), mark=mark)
        return str(said.id)

    def _is_known(self, ticket: SimulatedTicket, origin: str, ref: str, mark: str) -> bool:
        return (origin, ref) in ticket.refs or (mark or self._mark(origin, ref)) in ticket.marks

    def _append(
        self,
        ticket: SimulatedTicket,
        at: datetime,
        kind: str,
        *,
        changes: Mapping[str, tuple[Value, Value]] | None = None,
        said: Said | None = None,
        text: str = "",
        source: tuple[str, str] = (PORTAL, ""),
        mark: str = "",
    ) -> None:
        seq = ticket.last_seq + 1
        entry = Entry(seq, at, changes or {}, *source, kind, said, text)
        entry.mark = mark or self._mark(*source)
        if said is None:
            by_hand = source[0] == PORTAL
            entry.event = HubEvent(
                seq, at, entry.changes, is_opening=kind == "opened", is_by_hand=by_hand, mark=entry.mark
            )
        self.update(ticket, last_seq=seq)
        self.grow(ticket.journal, entry)
        self.put(ticket.marks, entry.mark, seq)
        if source[1]:
            self.put(ticket.refs, source, seq)
