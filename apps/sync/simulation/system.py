"""A simulated system: stateful, with every bad habit of its profile, and with a god view of what really happened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ..connectors import base
from ..engine.snapshot import (
    Attachment,
    Comment,
    ExternalRef,
    Fields,
    RemoteChange,
    TicketSnapshot,
    Value,
    Visibility,
)
from .profiles import Profile
from .words import BOT, PERSON, mark_in


@dataclass(eq=False)
class RemoteTicket:
    """A ticket of the system. ``log`` holds every change in the order in which it happened; ``indexed`` is what the
    search shows of it, ``by`` who really made each log entry."""

    id: str
    key: str
    created_at: datetime
    updated_at: datetime
    fields: dict[str, Value]
    type: str = "incident"
    rev: int = 1
    correlation: str | None = None
    follows: str = ""
    comments: list[Comment] = field(default_factory=list)
    files: list[Attachment] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)
    log: list[RemoteChange] = field(default_factory=list)
    by: dict[str, str] = field(default_factory=dict)
    is_deleted: bool = False
    is_hidden: bool = False
    was_away: bool = False
    """Deleted or hidden at some time."""
    is_refused: bool = False
    """Our account lost the right to it (F15)."""
    is_poisoned: bool = False
    """The system fails for it whatever is asked (F12)."""
    merged_into: str = ""
    odd: set[int] = field(default_factory=set)
    """Faults that whoever reads it next meets."""
    reverting: set[str] = field(default_factory=set)
    """Fields that a rule of the system puts back when we write them (F22)."""
    indexed: tuple[datetime, str] | None = None
    unindexed: list[tuple[datetime, datetime, str]] = field(default_factory=list)
    written_at: list[float] = field(default_factory=list)

    @property
    def ref(self) -> ExternalRef:
        return ExternalRef(self.id, self.key)


@dataclass(frozen=True, slots=True)
class Effect:
    """One write of ours as it took effect. ``kind``: create, fields, comment or file."""

    ticket: RemoteTicket
    kind: str
    correlation: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    text: str = ""
    visibility: Visibility | None = None


class SimulatedSystem:
    """One instance of a vendor's system."""

    def __init__(self, name: str, profile: Profile, clock: Callable[[], datetime]) -> None:
        self.name = name
        self.profile = profile
        self._clock = clock
        self.skew = 0.0
        self.tickets: dict[str, RemoteTicket] = {}
        self.statuses: dict[str, tuple[str, ...]] = dict(profile.statuses)
        self.title_limit = profile.title_limit
        self.lag: Callable[[], float] = lambda: 0.0
        self.keys: dict[str, tuple[datetime, str]] = {}
        self.told: Callable[[RemoteTicket], None] = lambda _ticket: None
        """Called for every change: a webhook leaves."""
        self.took: Callable[[SimulatedSystem, Effect], None] = lambda _system, _effect: None
        """The god view: called for every write of ours."""
        self.is_down = False
        self.failing_until: datetime | None = None
        self.imported: set[str] = set()
        """What was imported in bulk. Whoever lists it is in for a limit in the middle of it, once."""
        self.is_overrun: bool | None = None
        self.limits: dict[float, float] = {}
        """For how long it asked not to be called → until which second of the world; no wait is asked for twice."""
        self.words: set[int] = set()
        """Numbers of the texts that people set here."""
        self.shown: set[int] = set()
        """The same of all texts that fields here ever showed."""
        self.token, self.is_revoked, self.renewals = 1, False, 0
        self._count = 0

    def now(self) -> datetime:
        now = self._clock() + timedelta(seconds=self.skew) if self.skew else self._clock()
        return now.replace(microsecond=0) if self.profile.whole_seconds else now

    def limit(self, wait: float, second: float) -> float:
        """Ask not to be called for a while; for how long."""
        wait += len(self.limits) / 1e6
        self.limits[wait] = second + wait
        return wait

    # --- Reading ------------------------------------------------------------------------------------------------------

    def get(self, ticket_id: str) -> RemoteTicket:
        """The ticket as our account sees it. Raises TicketGone, TicketMerged, AccessRefused, VendorFault."""
        ticket = self.tickets.get(ticket_id)
        if ticket is None or ticket.is_deleted or ticket.is_hidden:
            raise base.TicketGone(f"there is no ticket {ticket_id}")
        if ticket.is_poisoned:
            raise base.VendorFault("answered 500", is_unknown=True)
        if ticket.is_refused:
            raise base.AccessRefused("answered 403")
        if ticket.merged_into:
            raise base.TicketMerged("merged", into=self.tickets[ticket.merged_into].ref)
        return ticket

    def version_of(self, ticket: RemoteTicket) -> str:
        return f"{ticket.updated_at.timestamp():.0f}/{ticket.rev}" if self.profile.merges else str(ticket.rev)

    def is_closed(self, ticket: RemoteTicket) -> bool:
        return bool(self.profile.final) and ticket.fields[self.profile.fields["status"]] == self.profile.final

    def snapshot(self, ticket: RemoteTicket, version: str) -> TicketSnapshot:
        return TicketSnapshot(
            ref=ticket.ref,
            version=version,
            type=ticket.type,
            fields=dict(ticket.fields),
            created_at=ticket.created_at,
            updated_at=ticket.updated_at,
            comments=tuple(ticket.comments),
            attachments=tuple(ticket.files),
            is_closed_for_good=self.is_closed(ticket),
            correlation=ticket.correlation,
        )

    def search(self) -> list[tuple[datetime, RemoteTicket, str]]:
        """What the index shows now: (changed at, ticket, version), oldest first."""
        now, shown = self._clock(), []
        withheld = self.profile.withheld_seconds
        latest = self.now() - timedelta(seconds=withheld) if withheld else datetime.max.replace(tzinfo=UTC)
        for ticket in self.tickets.values():
            while ticket.unindexed and ticket.unindexed[0][0] <= now:
                ticket.indexed = ticket.unindexed.pop(0)[1:]
            if ticket.indexed is not None and ticket.indexed[0] <= latest and not ticket.is_hidden:
                version = self.version_of(ticket) if self.profile.merges else ticket.indexed[1]
                if not ticket.is_deleted or self.profile.tells_deletions:
                    shown.append((ticket.indexed[0], ticket, version))
        shown.sort(key=lambda one: (one[0], int(one[1].id.rsplit("-", 1)[1])))
        return shown

    # --- Writing ------------------------------------------------------------------------------------------------------

    def open(self, fields: Fields, *, by: str, correlation: str | None = None, follows: str = "") -> RemoteTicket:
        kept = self.profile.create_key_seconds
        if correlation is not None and kept and correlation in self.keys:
            at, ticket_id = self.keys[correlation]
            if (self.now() - at).total_seconds() < kept:
                return self.tickets[ticket_id]
        self._check_title(fields, by)
        if not fields.get(self.profile.fields["title"]):
            raise base.Rejected("a ticket needs a title", field=self.profile.fields["title"])
        self._count += 1
        now = self.now()
        names = self.profile.fields
        start: dict[str, Value] = {name: self.profile.tidy("") for name in names.values()}
        start |= {names["status"]: self.profile.first, names["priority"]: "P3"}
        start |= {name: self._kept(name, value) for name, value in fields.items()}
        ticket = RemoteTicket(f"{self.name}-{self._count}", f"OPS-{self._count}", now, now, start)
        ticket.correlation, ticket.follows = correlation, follows
        self.tickets[ticket.id] = ticket
        self._hear(fields, correlation)
        if correlation is not None:
            self.keys[correlation] = (now, ticket.id)
            self.took(self, Effect(ticket, "create", correlation, fields))
        self._touched(ticket, counts=False)
        return ticket

    def edit(self, ticket: RemoteTicket, fields: Fields, *, by: str, correlation: str | None = None) -> tuple[str, ...]:
        """Write fields as whoever; the id of the log entry. Raises NoRoute, Rejected, TicketClosed."""
        names, profile = self.profile.fields, self.profile
        if self.is_closed(ticket):
            raise base.TicketClosed(f"{ticket.id} is closed for good")
        here, wanted = ticket.fields[names["status"]], fields.get(names["status"])
        if wanted is not None and wanted != here and wanted not in self.statuses.get(str(here), ()):
            raise base.NoRoute(f"no way from {here} to {wanted}", field=names["status"], value=wanted)
        told = fields.get(profile.needed) or ticket.fields.get(profile.needed)
        if wanted == profile.solved != here and profile.needed and not told:
            raise base.Rejected("a field is needed to solve", field=profile.needed)
        self._check_title(fields, by)
        stays = ticket.reverting if correlation is not None else ()
        kept = {name: self._kept(name, value) for name, value in fields.items() if name not in stays}
        moved = {name: (ticket.fields.get(name), value) for name, value in kept.items()}
        moved = {name: pair for name, pair in moved.items() if pair[0] != pair[1]}
        if moved and (titled := moved.keys() & {names["title"], names["status"]}):
            # In the same entry the system adds what nobody wrote: when it was resolved, who touched the title last.
            kept |= {f"{name}_at": str(len(ticket.log)) for name in titled}
            moved |= {name: (ticket.fields.get(name), value) for name, value in kept.items() if name.endswith("_at")}
        ticket.fields.update(kept)
        self._hear(kept, correlation)
        if correlation is not None:
            self.took(self, Effect(ticket, "fields", correlation, fields))
        return (self._log(ticket, by, correlation, fields=moved),) if moved else ()

    def say(
        self, ticket: RemoteTicket, body: str, visibility: Visibility, *, by: str, correlation: str | None = None
    ) -> tuple[Comment, str]:
        if self.is_closed(ticket):
            raise base.TicketClosed(f"{ticket.id} is closed for good")
        made = Comment(f"{ticket.id}c{len(ticket.log) + 1}", body, by, self.now(), visibility, correlation)
        ticket.comments.append(made)
        if correlation is not None:
            self.took(self, Effect(ticket, "comment", correlation, text=body, visibility=visibility))
        return made, self._log(ticket, by, correlation, comment=made)

    def attach(
        self, ticket: RemoteTicket, name: str, content: str, *, by: str, correlation: str | None = None
    ) -> tuple[Attachment, str]:
        if self.is_closed(ticket):
            raise base.TicketClosed(f"{ticket.id} is closed for good")
        made = Attachment(
            f"{ticket.id}f{len(ticket.log) + 1}", name, "text/plain", len(content.encode()), self.now(), by,
            visibility=Visibility.PUBLIC, correlation=correlation,
        )  # fmt: skip
        ticket.files.append(made)
        ticket.contents[made.id] = content
        if correlation is not None:
            self.took(self, Effect(ticket, "file", correlation, text=content, visibility=Visibility.PUBLIC))
        return made, self._log(ticket, by, correlation, file=made)

    def edit_comment(self, ticket: RemoteTicket, place: int, body: str | None) -> None:
        """A person rewrites a comment, or takes it away; the log does not tell (F41)."""
        if body is None:
            del ticket.comments[place]
        else:
            ticket.comments[place] = replace(ticket.comments[place], body=body)
        self._touched(ticket)

    def set_flags(self, ticket: RemoteTicket, **flags: Any) -> None:
        """Delete, hide, restore, move or merge it."""
        for name, value in flags.items():
            setattr(ticket, name, value)
        ticket.was_away |= ticket.is_deleted or ticket.is_hidden
        self._touched(ticket)

    def _hear(self, fields: Fields, correlation: str | None) -> None:
        """The god view: who wrote which text here first."""
        numbers = {number for number in map(mark_in, fields.values()) if number is not None}
        if correlation is None:
            self.words |= numbers
        self.shown |= numbers

    # --- How it is kept -----------------------------------------------------------------------------------------------

    def _check_title(self, fields: Fields, by: str) -> None:
        name = self.profile.fields["title"]
        title = fields.get(name)
        if not self.profile.cuts and isinstance(title, str) and len(title) > self.title_limit:
            raise base.Rejected(f"{len(title)} characters do not fit", field=name, value=title)

    def _kept(self, name: str, value: Value) -> Value:
        if self.profile.cuts and name == self.profile.fields["title"] and isinstance(value, str):
            value = value[: self.title_limit]
        return self.profile.tidy(value)

    def _log(
        self,
        ticket: RemoteTicket,
        by: str,
        correlation: str | None,
        *,
        fields: Mapping[str, tuple[Value, Value]] | None = None,
        comment: Comment | None = None,
        file: Attachment | None = None,
    ) -> str:
        change_id = str(len(ticket.log) + 1)
        told = correlation if fields is None or self.profile.tells == "marks" else None
        ticket.log.append(RemoteChange(change_id, self.now(), by, fields or {}, comment, file, told))
        ticket.by[change_id] = correlation or by
        self._touched(ticket, counts=file is None or self.profile.files_count)
        return change_id

    def _touched(self, ticket: RemoteTicket, *, counts: bool = True) -> None:
        if counts:
            ticket.rev += 1
        ticket.updated_at = self.now()
        shown = self.version_of(ticket) if counts or ticket.rev == 1 else f"{ticket.rev}+{len(ticket.files)}"
        lag = self.lag()
        if lag or ticket.unindexed:
            seen_at = self._clock() + timedelta(seconds=lag)
            if ticket.unindexed:
                seen_at = max(seen_at, ticket.unindexed[-1][0])
            ticket.unindexed.append((seen_at, ticket.updated_at, shown))
        else:
            ticket.indexed = (ticket.updated_at, shown)
        self.told(ticket)


AUTHORS = (PERSON, BOT)
