"""The connector to a system in memory: what every connector promises, in its plainest form."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Self, TypeVar

from ...engine.snapshot import (
    Attachment,
    Comment,
    ExternalRef,
    Fields,
    Receipt,
    RemoteChange,
    TicketSnapshot,
    Visibility,
)
from ..base import (
    Capabilities,
    Changed,
    ChangedPage,
    Draft,
    Note,
    NoticeHint,
    NoticeRefused,
    NoticeRequest,
    Rejected,
    SignInFailed,
    SystemCard,
    SystemSchema,
    TicketGone,
    Upload,
)
from ..listing import Place
from .system import LARGEST_FILE, LONGEST_COMMENT, MemorySystem, Ticket

Done = TypeVar("Done")

TOKEN = "memory-token"  # noqa: S105 - opens nothing but this system in memory
ACCOUNT = "Siam Sync"
CHUNK = 64 * 1024
NOTICE_WINDOW = timedelta(minutes=5)
SIGNATURE_HEADER = "x-memory-signature"
TIME_HEADER = "x-memory-time"
DELIVERY_HEADER = "x-memory-delivery"


class MemoryConnector:
    """One account's view of a :class:`MemorySystem`.

    ``capabilities`` may be narrowed: without a change log ``changes`` tells only of comments and attachments.
    """

    name: ClassVar[str] = "memory"
    title: ClassVar[str] = "System in memory"

    def __init__(
        self,
        system: MemorySystem,
        *,
        secrets: Mapping[str, str] | None = None,
        account: str = ACCOUNT,
        project: str = "",
        page_size: int = 50,
        capabilities: Capabilities | None = None,
    ) -> None:
        self.system = system
        self.account = account
        self.project = project or system.key_prefix
        self.page_size = page_size
        self.capabilities = capabilities or Capabilities(
            has_change_log=True,
            has_atomic_precondition=True,
            has_internal_comments=True,
            can_attribute_author=True,
            can_reopen_closed=not system.closes_for_good,
            index_lag_seconds=system.index_lag_seconds,
        )
        self._token = (secrets or {"token": TOKEN}).get("token", "")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def _call(self, verb: str, act: Callable[[], Done]) -> Done:
        """One call as it would go over a wire: signed in, and exposed to the system's faults."""
        fault = self.system.faults.take(verb)
        if fault is not None and fault.kind != "lost_response":
            raise fault.failure(verb)
        if self._token != TOKEN:
            raise SignInFailed("the token is not valid")
        done = act()
        if fault is not None:
            raise fault.failure(verb)
        return done

    async def check(self) -> SystemCard:
        def act() -> SystemCard:
            if self.project != self.system.key_prefix:
                raise Rejected(f"there is no project {self.project!r}", field="project", value=self.project)
            return SystemCard("memory", "1", self.account, self.account)

        return await self._call("check", act)

    async def changed_since(self, cursor: str | None) -> ChangedPage:
        """Keyset paging over (last change, id): an edit meanwhile moves a ticket on, never back."""
        return await self._call("changed_since", lambda: self._changed_page(cursor))

    def _changed_page(self, cursor: str | None) -> ChangedPage:
        if cursor is None:
            now = self.system.now()
            return ChangedPage((), _write_cursor(Place(now, now)), True)
        place = _read_cursor(cursor)
        overlap = timedelta(seconds=self.capabilities.overlap_seconds + self.system.index_lag_seconds)
        behind = (place.at, int(place.id)) if place.id else (place.at - overlap, 0)
        found = sorted((ticket.updated_at, int(ticket.ref.id)) for ticket in self.system.indexed())
        found = [one for one in found if one > behind]
        page = found[: self.page_size]
        tickets = tuple(_changed(self.system.tickets[str(number)]) for _, number in page)
        last, is_last = ((page[-1][0], str(page[-1][1])) if page else None), len(found) == len(page)
        return ChangedPage(tickets, _write_cursor(place.after(last, is_last=is_last)), is_last)

    async def fetch(self, ref: ExternalRef) -> TicketSnapshot:
        return await self._call("fetch", lambda: self.system.snapshot(self.system.open(ref)))

    async def changes(self, ref: ExternalRef, since: str | None) -> tuple[RemoteChange, ...]:
        def act() -> tuple[RemoteChange, ...]:
            log = self.system.open(ref).log
            known = next((place + 1 for place, change in enumerate(log) if change.id == since), 0)
            return tuple(shown for change in log[known:] if (shown := self._shown(change)) is not None)

        return await self._call("changes", act)

    def _shown(self, change: RemoteChange) -> RemoteChange | None:
        if self.capabilities.has_change_log:
            return change
        return replace(change, fields={}) if change.comment or change.attachment else None

    async def create(self, draft: Draft, correlation: str) -> Receipt:
        def act() -> Receipt:
            ticket = self.system.create(
                draft.type, draft.fields, by=self.account, correlation=correlation, follow_up_of=draft.follow_up_of
            )
            return Receipt(ticket.ref, str(ticket.version), ticket.ref.id, _stored(ticket, (*draft.fields, "status")))

        return await self._call("create", act)

    async def update(self, ref: ExternalRef, fields: Fields, *, expected: str | None, correlation: str) -> Receipt:
        def act() -> Receipt:
            ticket, made = self.system.edit(ref, fields, by=self.account, expected=expected, correlation=correlation)
            return Receipt(ticket.ref, str(ticket.version), ticket.ref.id, _stored(ticket, fields), made)

        return await self._call("update", act)

    async def add_comment(self, ref: ExternalRef, note: Note, correlation: str) -> Receipt:
        def act() -> Receipt:
            author = note.author if note.author and self.capabilities.can_attribute_author else self.account
            visibility = note.visibility if self.capabilities.has_internal_comments else Visibility.PUBLIC
            ticket, comment, made = self.system.comment(ref, note.body, visibility, by=author, correlation=correlation)
            return Receipt(ticket.ref, str(ticket.version), comment.id, {"comment": comment.body}, (made,))

        return await self._call("comment", act)

    async def add_attachment(
        self, ref: ExternalRef, upload: Upload, correlation: str, visibility: Visibility = Visibility.PUBLIC
    ) -> Receipt:
        def act() -> Receipt:
            ticket, file, made = self.system.attach(
                ref,
                upload.file_name,
                upload.path.read_bytes(),
                by=self.account,
                content_type=upload.content_type,
                visibility=visibility,
                correlation=correlation,
            )
            return Receipt(ticket.ref, str(ticket.version), file.id, {}, (made,))

        return await self._call("attachment", act)

    async def read_attachment(self, ref: ExternalRef, attachment: Attachment) -> AsyncIterator[bytes]:
        def act() -> bytes:
            content = self.system.open(ref).contents.get(attachment.id)
            if content is None:
                raise TicketGone(f"there is no file {attachment.file_name} on {ref.key}")
            return content

        content = await self._call("read_attachment", act)
        for start in range(0, len(content), CHUNK):
            yield content[start : start + CHUNK]

    async def find(self, correlation: str, ref: ExternalRef | None = None) -> Receipt | None:
        return await self._call("find", lambda: self._found(correlation, ref))

    def _found(self, correlation: str, ref: ExternalRef | None) -> Receipt | None:
        if ref is None:
            hits = (ticket for ticket in self.system.indexed() if ticket.correlation == correlation)
            ticket = next((hit for hit in hits if not hit.is_deleted), None)
            return Receipt(ticket.ref, str(ticket.version), ticket.ref.id) if ticket else None
        ticket = self.system.open(ref)
        made = tuple(change.id for change in ticket.log if change.correlation == correlation)
        parts: list[Comment | Attachment] = [*ticket.comments, *ticket.attachments]
        for part in parts:
            if part.correlation == correlation:
                return Receipt(ticket.ref, str(ticket.version), part.id, change_ids=made)
        if correlation in ticket.writes:
            return Receipt(ticket.ref, str(ticket.version), ticket.ref.id, change_ids=ticket.writes[correlation])
        return None

    async def schema(self) -> SystemSchema:
        def act() -> SystemSchema:
            return SystemSchema(
                {type_name: dict(self.system.fields) for type_name in self.system.types}, LONGEST_COMMENT, LARGEST_FILE
            )

        return await self._call("schema", act)

    def read_notice(self, request: NoticeRequest) -> NoticeHint:
        sent = request.headers.get(TIME_HEADER, "")
        given = request.headers.get(SIGNATURE_HEADER, "").encode("utf-8", "replace")
        proven = [hmac.compare_digest(sign(secret, sent, request.body).encode(), given) for secret in request.secrets]
        try:
            sent_at = datetime.fromtimestamp(int(sent), UTC)
            read = json.loads(request.body)
            refs = tuple(ExternalRef(str(ticket["id"]), str(ticket["key"])) for ticket in read["tickets"])
        except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError) as problem:
            raise NoticeRefused("the notice is not one of this system's") from problem
        if not any(proven) or abs(request.received_at - sent_at) > NOTICE_WINDOW:
            raise NoticeRefused("the notice does not prove where it comes from")
        return NoticeHint(request.headers.get(DELIVERY_HEADER, ""), refs)


def sign(secret: str, sent: str, body: bytes) -> str:
    """The proof that a notice carries: over its body and its time."""
    return hmac.new(secret.encode(), sent.encode("utf-8", "replace") + b"." + body, hashlib.sha256).hexdigest()


def make_notice(
    ref: ExternalRef, secret: str, at: datetime, *, delivery_id: str = "delivery-1", body: bytes | None = None
) -> NoticeRequest:
    """A notice as the system sends it; ``body`` replaces what it would say, and the proof is good for that."""
    if body is None:
        body = json.dumps({"tickets": [{"id": ref.id, "key": ref.key}]}).encode()
    sent = str(int(at.timestamp()))
    headers = {TIME_HEADER: sent, SIGNATURE_HEADER: sign(secret, sent, body), DELIVERY_HEADER: delivery_id}
    return NoticeRequest(headers, body, at, (secret,))


def _write_cursor(place: Place[datetime]) -> str:
    return json.dumps([place.at.isoformat(), place.heard.isoformat(), place.id])


def _read_cursor(text: str) -> Place[datetime]:
    at, heard, last = json.loads(text)
    return Place(datetime.fromisoformat(at), datetime.fromisoformat(heard), last)


def _changed(ticket: Ticket) -> Changed:
    return Changed(ticket.ref, str(ticket.version), ticket.is_deleted)


def _stored(ticket: Ticket, names: Iterable[str]) -> Fields:
    return {name: ticket.fields[name] for name in names if name in ticket.fields}
