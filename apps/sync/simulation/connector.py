"""The connector of a simulated system: each verb is as many awaited requests as the real one makes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from ..connectors import base
from ..connectors.base import Draft, Note, SystemCard, SystemSchema
from ..connectors.listing import Place
from ..engine.snapshot import (
    Attachment,
    Changed,
    ChangedPage,
    Comment,
    ExternalRef,
    Fields,
    NoticeHint,
    Receipt,
    RemoteChange,
    TicketSnapshot,
    Upload,
    Value,
    Visibility,
)
from .system import RemoteTicket, SimulatedSystem
from .wire import Call
from .words import BOT

PAGE = 3


def write_cursor(place: Place[float]) -> str:
    """The place as the text that the engine keeps."""
    return f"{place.at!r}|{place.heard!r}|{place.id}"


def read_cursor(text: str) -> Place[float]:
    """The place that such a text tells."""
    at, heard, last = text.split("|")
    return Place(float(at), float(heard), last)


class Session:
    """What all calls of a connection share: its token, renewed once for all who met the same expired one (INV-36)."""

    def __init__(self) -> None:
        self.token, self.renewals = 1, 0


class SimulatedConnector:
    """One account's view of a :class:`SimulatedSystem`."""

    name = "simulated"
    title = "Simulated system"
    Settings = Secrets = None

    def __init__(self, system: SimulatedSystem, session: Session) -> None:
        self.system = system
        self.profile = system.profile
        self.capabilities = system.profile.capabilities
        self._session = session

    async def _call(self, operation: str, ref_id: str, act: Callable[[], Any], *, writes: bool = False) -> Any:
        """One request, and one renewal of the token if it has run out."""
        seen = self._session.renewals
        try:
            return await Call(operation, ref_id, self._signed(act), writes=writes)
        except base.SignInFailed:
            await Call("sign_in", "", lambda: self._renew(seen), writes=False)
            return await Call(operation, ref_id, self._signed(act), writes=writes)

    def _signed(self, act: Callable[[], Any]) -> Callable[[], Any]:
        def signed() -> Any:
            if self._session.token != self.system.token or self.system.is_revoked:
                raise base.SignInFailed("answered 401")
            return act()

        return signed

    def _renew(self, seen: int) -> None:
        if self._session.renewals != seen:
            return
        if self.system.is_revoked:
            raise base.SignInFailed("the refresh token was refused")
        self.system.renewals += 1
        self._session.renewals += 1
        self._session.token = self.system.token

    async def _read(self, operation: str, ref: ExternalRef, look: Callable[[RemoteTicket], Any]) -> Any:
        return await self._call(operation, ref.id, lambda: look(self.system.get(ref.id)))

    async def _write(self, operation: str, ref: ExternalRef, act: Callable[[RemoteTicket], Any]) -> Any:
        def arrive() -> Any:
            ticket = self.system.get(ref.id)
            self._meter(ticket)
            return act(ticket)

        return await self._call(operation, ref.id, arrive, writes=True)

    def _meter(self, ticket: RemoteTicket) -> None:
        """The limit on writes to one ticket (F9)."""
        most = self.profile.ticket_writes_a_minute
        if most:
            now = self.system.now().timestamp()
            ticket.written_at = [at for at in ticket.written_at if now - 60 < at <= now]
            if len(ticket.written_at) >= most:
                raise base.RateLimited("too many writes to one ticket", retry_after=20.0, scope="ticket")
            ticket.written_at.append(now)

    # --- Reading ------------------------------------------------------------------------------------------------------

    async def check(self) -> SystemCard:
        await self._call("check", "", lambda: None)
        return SystemCard(self.profile.name, "1", BOT, BOT)

    async def changed_since(self, cursor: str | None) -> ChangedPage:
        """Keyset paging over (changed at, id), which overlaps: an edit meanwhile moves a ticket on, never back."""
        return await self._call("changed_since", cursor or "", lambda: self._page(cursor))  # type: ignore[no-any-return]

    def begin(self) -> str:
        """The cursor of a connection that asks for the first time."""
        now = self.system.now().timestamp()
        return write_cursor(Place(now, now))

    def _page(self, cursor: str | None) -> ChangedPage:
        if cursor is None:
            return ChangedPage((), self.begin(), True)
        place = read_cursor(cursor)
        behind = (place.at, int(place.id)) if place.id else (place.at - self.capabilities.overlap_seconds, 0)
        found = []
        for at, ticket, version in self.system.search():
            one = (at.timestamp(), int(ticket.id.rsplit("-", 1)[1]))
            if one > behind:
                found.append((one, Changed(ticket.ref, version, ticket.is_deleted)))
        page, is_last = found[:PAGE], len(found) <= PAGE
        last = (page[-1][0][0], str(page[-1][0][1])) if page else None
        tickets = tuple(one for _place, one in page)
        return ChangedPage(tickets, write_cursor(place.after(last, is_last=is_last)), is_last)

    async def fetch(self, ref: ExternalRef) -> TicketSnapshot:
        """The ticket before its comments: its version is never newer than what is shown."""
        version = await self._read("fetch", ref, self.system.version_of)
        snapshot: TicketSnapshot = await self._read("fetch", ref, lambda one: self.system.snapshot(one, version))
        return snapshot

    async def changes(self, ref: ExternalRef, since: str | None) -> tuple[RemoteChange, ...]:
        return await self._read("changes", ref, lambda one: self._log_after(one, since))  # type: ignore[no-any-return]

    def _log_after(self, ticket: RemoteTicket, since: str | None) -> tuple[RemoteChange, ...]:
        log = ticket.log[int(since or 0) :] if int(since or 0) <= len(ticket.log) else ticket.log
        if self.capabilities.has_change_log:
            return tuple(log)
        return tuple(one for one in log if one.comment is not None or one.attachment is not None)

    async def read_attachment(self, ref: ExternalRef, attachment: Attachment) -> AsyncIterator[bytes]:
        content = await self._call("download", ref.id, lambda: self._content(attachment))
        yield content.encode()

    def _content(self, attachment: Attachment) -> str:
        for ticket in self.system.tickets.values():
            if attachment.id in ticket.contents:
                return ticket.contents[attachment.id]
        raise base.Rejected(f"there is no file {attachment.file_name}", field="attachment")

    async def find(self, correlation: str, ref: ExternalRef | None = None) -> Receipt | None:
        if ref is not None:
            return await self._read("find", ref, lambda one: self._find_on(one, correlation))  # type: ignore[no-any-return]
        found = await self._call("find", "", lambda: self._find_created(correlation))
        if found is None:
            return None
        return await self._read("find", found, self._as_receipt)  # type: ignore[no-any-return]

    def _as_receipt(self, ticket: RemoteTicket) -> Receipt:
        return Receipt(ticket.ref, self.system.version_of(ticket), ticket.id)

    def _find_created(self, correlation: str) -> ExternalRef | None:
        if self.profile.index_lag:
            known = [ticket for _at, ticket, _version in self.system.search()]
        else:
            known = list(self.system.tickets.values())
        hits = (one for one in known if one.correlation == correlation and not (one.is_deleted or one.is_hidden))
        return next((hit.ref for hit in hits), None)

    def _find_on(self, ticket: RemoteTicket, correlation: str) -> Receipt | None:
        version = self.system.version_of(ticket)
        parts: list[Comment | Attachment] = [*ticket.comments, *ticket.files]
        for part in parts:
            if part.correlation == correlation:
                made = tuple(one.id for one in ticket.log if part in (one.comment, one.attachment))
                return Receipt(ticket.ref, version, part.id, change_ids=made)
        if self.profile.tells == "marks":
            made = tuple(one.id for one in ticket.log if one.correlation == correlation)
            if made:
                return Receipt(ticket.ref, version, ticket.id, change_ids=made)
        return None

    # --- Writing ------------------------------------------------------------------------------------------------------

    async def create(self, draft: Draft, correlation: str) -> Receipt:
        follows = draft.follow_up_of.id if draft.follow_up_of else ""
        shown = {**draft.fields, self.profile.fields["status"]: None}

        def arrive() -> Receipt:
            ticket = self.system.open(draft.fields, by=BOT, correlation=correlation, follows=follows)
            return self._receipt(ticket, shown, self.system.version_of(ticket), ())

        made: Receipt = await self._call("create", "", arrive, writes=True)
        if self.profile.reads_back:
            made = await _after_write(
                self._read("create", made.ref, lambda one: self._receipt(one, shown, self.system.version_of(one)))
            )
        return made

    async def update(self, ref: ExternalRef, fields: Fields, *, expected: str | None, correlation: str) -> Receipt:
        """Read and compare; then one request for each step of the status, the other fields with the first of them or
        after the last. The system itself guards the version where it can."""
        version, present, closed = await self._read("update", ref, self._state)
        if expected is not None and version != expected:
            raise base.StaleVersion(f"{ref.id} is at {version}, not at {expected}")
        changed = {name: value for name, value in fields.items() if present.get(name) != value}
        if not changed:
            # As it was read before comparing: what happened since has been read by nobody.
            return Receipt(ref, version, ref.id, _pick(present, fields))
        if closed:
            raise base.TicketClosed(f"{ref.id} is closed for good")
        made: list[str] = []
        stored: dict[str, Value] = {}
        guard, rev, strangers = (version if expected is not None else None), version, 0
        for number, patch in enumerate(self._patches(present, changed)):
            step = self._write("update", ref, lambda one, p=patch, g=guard: self._patch(one, p, g, correlation))  # type: ignore[misc]
            before, rev, ids, left, answered = await (step if not number else _after_write(step, made))
            strangers += before != (guard or version)
            stored |= left
            made += ids
            guard, version = (rev if guard is not None else None), rev
        if self.profile.reads_back:
            receipt: Receipt = await _after_write(
                self._read("update", ref, lambda one: self._read_back(one, fields, correlation))
            )
            return receipt
        if strangers and not self.capabilities.has_atomic_precondition:
            # Somebody came in between: neither the version nor the entries are ours for sure.
            return Receipt(answered.ref, "", ref.id, stored)
        told = tuple(made) if self.capabilities.has_change_log else ()
        return Receipt(answered.ref, version, ref.id, {**stored, **_pick(answered.fields, fields)}, told)

    def _state(self, ticket: RemoteTicket) -> tuple[str, Fields, bool]:
        return self.system.version_of(ticket), dict(ticket.fields), self.system.is_closed(ticket)

    def _patches(self, present: Fields, changed: Mapping[str, Value]) -> list[dict[str, Value]]:
        name = self.profile.fields["status"]
        others = {key: value for key, value in changed.items() if key != name}
        if name not in changed:
            return [others]
        route = self._route(str(present[name]), str(changed[name]))
        steps: list[dict[str, Value]] = [{name: status} for status in route]
        needed = {key: others[key] for key in others if key == self.profile.needed}
        for step in steps:
            if step[name] == self.profile.solved:
                step.update(needed)
        rest = {key: value for key, value in others.items() if key not in needed}
        if self.profile.splits_fields:
            return [*steps, *([rest] if rest else [])]
        steps[0] |= rest
        return steps

    def _route(self, start: str, goal: str) -> tuple[str, ...]:
        """The shortest legal way; the goal itself where none is known, so that the system says no."""
        ways: list[tuple[str, ...]] = [(start,)]
        seen = {start}
        while ways:
            way = ways.pop(0)
            for following in self.system.statuses.get(way[-1], ()):
                if following == goal:
                    return (*way[1:], goal)
                if following not in seen:
                    seen.add(following)
                    ways.append((*way, following))
        return (goal,)

    def _patch(
        self, ticket: RemoteTicket, patch: Fields, guard: str | None, correlation: str
    ) -> tuple[str, str, tuple[str, ...], Fields, RemoteTicket]:
        before = self.system.version_of(ticket)
        if guard is not None and self.capabilities.has_atomic_precondition:
            is_same = before.split("/")[0] == guard.split("/")[0]
            if not is_same:
                raise base.StaleVersion(f"{ticket.id} moved on")
        ids = self.system.edit(ticket, patch, by=BOT, correlation=correlation)
        return before, self.system.version_of(ticket), ids, _pick(ticket.fields, patch), _Frozen(ticket)  # type: ignore[return-value]

    def _read_back(self, ticket: RemoteTicket, fields: Fields, correlation: str) -> Receipt:
        made = tuple(one.id for one in ticket.log if one.correlation == correlation)
        return self._receipt(ticket, fields, self.system.version_of(ticket), made)

    def _receipt(self, ticket: RemoteTicket, fields: Fields, version: str, made: Sequence[str] = ()) -> Receipt:
        return Receipt(ticket.ref, version, ticket.id, _pick(ticket.fields, fields), tuple(made))

    async def add_comment(self, ref: ExternalRef, note: Note, correlation: str) -> Receipt:
        if note.visibility is Visibility.INTERNAL and not self.capabilities.has_internal_comments:
            raise base.Rejected("there are no internal comments", field="visibility", value="internal")

        def act(ticket: RemoteTicket) -> Receipt:
            made, change = self.system.say(ticket, note.body, note.visibility, by=BOT, correlation=correlation)
            told = () if self.profile.reads_back else (change,)
            return Receipt(ticket.ref, self.system.version_of(ticket), made.id, change_ids=told)

        receipt: Receipt = await self._write("comment", ref, act)
        if self.profile.reads_back:
            await _after_write(self._read("comment", ref, self.system.version_of))
        return receipt

    async def add_attachment(
        self, ref: ExternalRef, upload: Upload, correlation: str, visibility: Visibility = Visibility.PUBLIC
    ) -> Receipt:
        if upload.size > self.profile.largest_file:
            raise base.Rejected(f"{upload.size} bytes are too many", field="attachment", value=upload.file_name)
        await self._write("attachment", ref, lambda _ticket: None)

        def act(ticket: RemoteTicket) -> Receipt:
            made, change = self.system.attach(ticket, upload.file_name, upload.sha256, by=BOT, correlation=correlation)
            return Receipt(ticket.ref, self.system.version_of(ticket), made.id, change_ids=(change,))

        receipt: Receipt = await self._write("attachment", ref, act)
        if self.profile.reads_back:
            await _after_write(self._read("attachment", ref, self.system.version_of))
        return receipt

    # --- What the engine never asks -----------------------------------------------------------------------------------

    async def __aenter__(self) -> "SimulatedConnector":
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def schema(self) -> SystemSchema:
        return SystemSchema({})

    def read_notice(self, request: Any) -> NoticeHint:
        raise base.NoticeRefused("notices of a simulated system come as hints")


class _Frozen:
    """The ticket as an answer shows it."""

    __slots__ = ("fields", "ref")

    def __init__(self, ticket: RemoteTicket) -> None:
        self.ref, self.fields = ticket.ref, dict(ticket.fields)


async def _after_write(step: Awaitable[Any], made: Sequence[str] = ()) -> Any:
    """A request after a write that took effect, in the log as ``made``: when it fails, the engine must look first."""
    try:
        return await step
    except base.ConnectorError as problem:
        problem.is_unknown = True
        problem.change_ids = tuple(made)
        raise


def _pick(fields: Fields, names: Fields) -> dict[str, Value]:
    return {name: fields.get(name) for name in names}
