"""What a connector is: a handful of async verbs, declared capabilities and a closed family of failures (design 3.5).

A connector translates between one vendor's HTTP and the engine's values. It never decides: rules, retries, merging and
order belong to the engine. Verbs raise :class:`ConnectorError` and nothing else.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, Self

from pydantic import BaseModel

from ..engine.snapshot import (
    Attachment,
    Changed,
    ChangedPage,
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

__all__ = [
    "AccessRefused",
    "CallsSpent",
    "Capabilities",
    "Changed",
    "ChangedPage",
    "Connector",
    "ConnectorError",
    "Draft",
    "FieldSchema",
    "NoRoute",
    "Note",
    "NoticeHint",
    "NoticeRefused",
    "NoticeRequest",
    "RateLimited",
    "Rejected",
    "SignInFailed",
    "StaleVersion",
    "SystemCard",
    "SystemSchema",
    "TicketClosed",
    "TicketGone",
    "TicketMerged",
    "Unreachable",
    "Upload",
    "VendorFault",
    "Writing",
]


class ConnectorError(Exception):
    """A verb did not succeed.

    ``is_unknown`` is True when the write may or may not have taken effect (timeout, cut connection, 502, 504, truncated
    or foreign body), or when a part of it did: the engine then looks before it repeats (design 3.4). ``change_ids`` are
    the change log's ids of that part, as far as they are known. ``detail`` is for the operator, redacted.
    """

    is_unknown: bool = False
    has_moved: bool = False
    """Whether the ticket is past the version that the write expected, be it that all of it was taken back."""
    change_ids: tuple[str, ...] = ()

    def __init__(self, detail: str = "", *, is_unknown: bool | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if is_unknown is not None:
            self.is_unknown = is_unknown


class Unreachable(ConnectorError):
    """No usable answer: DNS, TLS, refused or cut connection, timeout. Unknown unless nothing was sent."""


class VendorFault(ConnectorError):
    """The system answered 5xx, or something that is not its own format (a proxy's page, truncated JSON)."""


UNSAID = 0.0
"""For how long to wait when a system refuses a call for now and does not say for how long."""


class RateLimited(ConnectorError):
    """The system asked us to wait. ``retry_after`` in seconds, or ``UNSAID``; ``scope`` is *connection*, *ticket* or
    *endpoint*."""

    def __init__(self, detail: str = "", *, retry_after: float, scope: str = "connection") -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.scope = scope


class CallsSpent(RateLimited):
    """The connection's allowance of calls is used up (INV-33). Not the system says so: nothing was sent."""

    def __init__(self, detail: str, *, retry_after: float) -> None:
        super().__init__(detail, retry_after=retry_after, scope="allowance")


class StaleVersion(ConnectorError):
    """The ticket changed since the version that the write expected; nothing was written."""


class SignInFailed(ConnectorError):
    """Wrong, expired or revoked credentials."""


class AccessRefused(ConnectorError):
    """Signed in, but not allowed to do this."""


class TicketGone(ConnectorError):
    """The ticket is deleted or no longer visible to us; vendors do not tell which."""


class TicketMerged(ConnectorError):
    """The ticket was merged into another one."""

    def __init__(self, detail: str = "", *, into: ExternalRef) -> None:
        super().__init__(detail)
        self.into = into


class TicketClosed(ConnectorError):
    """The ticket is closed for good and takes no new information (T41); the rules say what to do."""


class Rejected(ConnectorError):
    """The system refuses this value: names the field (in its own words), the value where known, and its reason."""

    def __init__(self, detail: str, *, field: str = "", value: Value = None) -> None:
        super().__init__(detail)
        self.field = field
        self.value = value


class NoRoute(Rejected):
    """No legal sequence of transitions leads from the present status to the wanted one."""


class NoticeRefused(ConnectorError):
    """A webhook that does not prove where it comes from, or is not one of this system's."""


class Writing:
    """A write under way, as a context. Once a part of it took effect, whatever fails is in doubt (INV-13, INV-17)."""

    def __init__(self) -> None:
        self._has_effect = self._has_moved = False
        self.change_ids: tuple[str, ...] = ()

    def took_effect(self, *change_ids: str) -> None:
        """A part of the write is in the system, in its change log as ``change_ids`` where these are known."""
        self._has_effect = self._has_moved = True
        self.change_ids += change_ids

    def was_taken_back(self) -> None:
        """The ticket is as it was: nothing but entries of ours in the change log tells of what took effect so far."""
        self._has_effect = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, problem: BaseException | None, _trace: object) -> None:
        if isinstance(problem, ConnectorError):
            problem.is_unknown = problem.is_unknown or self._has_effect
            problem.has_moved = self._has_moved
            problem.change_ids = self.change_ids


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connector's system can do. The conformance suite skips by these flags, and the engine asks only them."""

    has_change_log: bool
    """``changes`` returns every field change in order; otherwise only comments and attachments."""
    has_atomic_precondition: bool
    """The system itself refuses a write against a stale version; otherwise the connector reads before it writes."""
    has_internal_comments: bool
    can_attribute_author: bool
    """Comments can be written in another person's name; otherwise the rules put the name into the text."""
    can_reopen_closed: bool
    """A ticket in its last status can be taken back; otherwise it is closed for good."""
    attachment_needs_comment: bool = False
    signs_notices: bool = True
    retries_notices: bool = True
    index_lag_seconds: float = 0.0
    """How long ``find`` may miss what was just written (INV-15)."""
    overlap_seconds: float = 60.0
    """How far a listing of changes reads back behind the moment at which the last one began (INV-3): longer than an
    index lags, rows are committed late and clocks differ."""


@dataclass(frozen=True, slots=True)
class SystemCard:
    """Who answered: product, version and the account we act as (T36, T68)."""

    product: str
    version: str
    account_id: str
    account_name: str
    deployment: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """One field that rules may map. ``values`` lists the legal values where the system limits them (T58)."""

    name: str
    label: str
    type: str
    """text, rich_text, choice, number, boolean, date, datetime, person, words (a list of words), status."""
    is_writable: bool = True
    is_required: bool = False
    max_length: int | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemSchema:
    """What the system knows for tickets of each type: type name → fields by name (T37, T71)."""

    types: Mapping[str, Mapping[str, FieldSchema]]
    max_comment_length: int | None = None
    max_attachment_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A ticket to be created: ``type`` and ``fields`` in the system's own names and plain values."""

    type: str
    fields: Fields
    follow_up_of: ExternalRef | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A comment to be written; ``body`` is Markdown, ``author`` a name for systems that can attribute it."""

    body: str
    visibility: Visibility
    author: str = ""


@dataclass(frozen=True, slots=True)
class NoticeRequest:
    """A webhook as received: raw body bytes, header names in lower case, ``received_at`` for the replay window."""

    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """The active secrets of the connection, newest first (two during rotation)."""


class Connector(Protocol):
    """One configured system. Made from settings, secrets and a :class:`~.http.VendorHttp`; used as an async context."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def Settings(self) -> type[BaseModel]: ...  # noqa: N802  a class, which each connector gives as an attribute

    @property
    def Secrets(self) -> type[BaseModel]: ...  # noqa: N802

    async def __aenter__(self) -> "Connector": ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def check(self) -> SystemCard:
        """Prove address, credentials and reachability of the project, table or account; detect the version."""

    async def changed_since(self, cursor: str | None) -> ChangedPage:
        """Tickets in scope that changed, oldest first. None: from now on.

        Pages make a listing, which each cursor but the last goes on with, however much later. The last one begins the
        next listing ``overlap_seconds`` before the moment at which the first page of this one was asked, or earlier:
        what the system shows late meanwhile is in the next one (:class:`~apps.sync.connectors.listing.Place`).
        """

    async def fetch(self, ref: ExternalRef) -> TicketSnapshot:
        """The ticket now, with all comments and attachments."""

    async def changes(self, ref: ExternalRef, since: str | None) -> tuple[RemoteChange, ...]:
        """The vendor's own change log in order, oldest first, strictly after change id ``since`` (None: all).

        Comments and attachments appear in it at their place. Creation itself is not a change.
        """

    async def create(self, draft: Draft, correlation: str) -> Receipt:
        """Create one ticket that carries ``correlation``. A status other than the initial one is set by ``update``; a
        receipt that shows the initial one spares that where it is the wanted one."""

    async def update(self, ref: ExternalRef, fields: Fields, *, expected: str | None, correlation: str) -> Receipt:
        """Write fields; a status goes through legal transitions and the fields they need. StaleVersion if moved on."""

    async def add_comment(self, ref: ExternalRef, note: Note, correlation: str) -> Receipt: ...

    async def add_attachment(
        self, ref: ExternalRef, upload: Upload, correlation: str, visibility: Visibility = Visibility.PUBLIC
    ) -> Receipt: ...

    def read_attachment(self, ref: ExternalRef, attachment: Attachment) -> AsyncIterator[bytes]:
        """The bytes in chunks, from a fresh address; credentials are never sent to another host."""

    async def find(self, correlation: str, ref: ExternalRef | None = None) -> Receipt | None:
        """What an earlier call with ``correlation`` left behind: a ticket (no ``ref``), or on ``ref`` a comment,
        attachment or field write. None if nothing is (yet) there; hits are checked, never trusted (a search that
        ignores an unknown field returns everything)."""

    async def schema(self) -> SystemSchema: ...

    def read_notice(self, request: NoticeRequest) -> NoticeHint:
        """Verify and read a webhook. Pure. Raises NoticeRefused without telling why to the sender."""
