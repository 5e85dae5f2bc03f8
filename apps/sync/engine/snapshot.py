"""How one side's ticket looks at one moment. Frozen values; nothing here does I/O (design 3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

Value: TypeAlias = str | int | float | bool | tuple[str, ...] | None
"""A field's value on either side: plain and comparable. Rich text is Markdown; lists of words are sorted tuples."""

Fields: TypeAlias = Mapping[str, Value]


def reads_same(one: Value, other: Value) -> bool:
    """Whether two values differ at most by white space, or by two ways of saying nothing: systems tidy both."""
    if isinstance(one, str) and isinstance(other, str):
        return one.split() == other.split()
    return one == other or (one in (None, "") and other in (None, ""))


class Visibility(StrEnum):
    """Who reads a comment in an external system. Unknown or unparsable visibility is always INTERNAL (INV-31)."""

    PUBLIC = "public"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class ExternalRef:
    """One ticket in an external system.

    ``id`` never changes (Jira issue id, ServiceNow sys_id, work item id, Zendesk ticket id) and is what links keep;
    ``key`` is what people say (OPS-7, INC0010023) and may change when the ticket moves; ``url`` is for a browser.
    """

    id: str
    key: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment as one system holds it; ``body`` is Markdown. ``correlation`` is our marker, if it carries one."""

    id: str
    body: str
    author: str
    at: datetime
    visibility: Visibility = Visibility.INTERNAL
    correlation: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file on a ticket. ``sha256`` is known only where the system tells it; ``visibility`` follows its comment."""

    id: str
    file_name: str
    content_type: str
    size: int
    at: datetime
    author: str = ""
    sha256: str | None = None
    visibility: Visibility = Visibility.PUBLIC
    correlation: str | None = None


@dataclass(frozen=True, slots=True)
class TicketSnapshot:
    """One external ticket as read: ``fields`` in the system's own field names, values plain, rich text as Markdown.

    ``version`` changes whenever the ticket changes (rev, sys_mod_count, updated stamp); it is compared for equality
    only and handed back as the precondition of a write. A field the reader may not see is absent, not None.
    """

    ref: ExternalRef
    version: str
    type: str
    fields: Fields
    created_at: datetime
    updated_at: datetime
    comments: tuple[Comment, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    is_closed_for_good: bool = False
    """No write is accepted any more (Zendesk closed, ServiceNow closed)."""
    correlation: str | None = None
    """Our marker of the create call, where the ticket carries one."""


@dataclass(frozen=True, slots=True)
class RemoteChange:
    """One entry of the vendor's own change log: what happened, in the order in which it happened (T89).

    ``id`` is unique within the ticket and stable for ever; it is the key of INV-4. ``fields`` maps the system's field
    name to (from, to). A change holds fields, a comment, an attachment, or several of them.
    """

    id: str
    at: datetime
    author: str
    fields: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    comment: Comment | None = None
    attachment: Attachment | None = None
    correlation: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a write left behind in the external system, as its answer (or a read right after it) shows.

    ``id``: of the ticket, comment or attachment written. ``stored``: the written fields as the system now holds them
    (it may have tidied them; the engine compares, INV-19). ``change_ids``: the change-log entries that this write
    made, as far as the system tells; they come back from ``changes`` and are then known as ours.
    """

    ref: ExternalRef
    version: str
    id: str = ""
    stored: Fields = field(default_factory=dict)
    change_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to be attached, on local disk."""

    file_name: str
    content_type: str
    size: int
    sha256: str
    path: Path


@dataclass(frozen=True, slots=True)
class Changed:
    """A ticket that changed; ``version`` as in its snapshot, so that an unchanged one costs no read."""

    ref: ExternalRef
    version: str
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class ChangedPage:
    """``cursor`` may be stored once every ref of this page is accepted; call again until ``is_last``."""

    tickets: tuple[Changed, ...]
    cursor: str
    is_last: bool


@dataclass(frozen=True, slots=True)
class NoticeHint:
    """What a verified webhook says: look at these tickets. It never carries data into a ticket (reliability 4.7).

    ``versions``: id → the ticket's version after what it tells of, as in its snapshot, where the system says so. A
    ticket that we left at just that version ourselves needs no look.
    """

    delivery_id: str
    refs: tuple[ExternalRef, ...]
    summary: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
