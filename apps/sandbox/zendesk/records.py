"""The things an account holds. Plain records: how they may change is decided elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

SYSTEM_USER_ID = -1
STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
PRIORITIES = ("low", "normal", "high", "urgent")
TYPES = ("problem", "incident", "question", "task")
# in the order in which an audit lists them
TICKET_FIELDS = (
    "subject", "status", "custom_status_id", "priority", "type", "requester_id", "submitter_id", "assignee_id",
    "group_id", "organization_id", "external_id", "problem_id", "due_at", "brand_id", "ticket_form_id", "recipient",
    "tags", "collaborator_ids", "follower_ids", "email_cc_ids",
)  # fmt: skip


def stamp(moment: datetime) -> str:
    """The vendor's time format: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_stamp(text: str) -> datetime:
    """Read a time of the vendor's format (offsets and fractions are taken too). Raises ``ValueError``."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(slots=True)
class Touch:
    """When a record last moved for the exports: seconds as the vendor counts them, and the true order within one."""

    timestamp: int = 0
    sequence: int = 0

    @property
    def key(self) -> tuple[int, int]:
        return (self.timestamp, self.sequence)


@dataclass(slots=True)
class User:
    id: int
    name: str
    email: str | None
    role: str
    created_at: datetime
    updated_at: datetime
    external_id: str | None = None
    organization_id: int | None = None
    default_group_id: int | None = None
    phone: str | None = None
    notes: str = ""
    details: str = ""
    time_zone: str = "Berlin"
    verified: bool = True
    suspended: bool = False
    active: bool = True
    tags: list[str] = field(default_factory=list)
    user_fields: Json = field(default_factory=dict)
    touch: Touch = field(default_factory=Touch)

    @property
    def is_staff(self) -> bool:
        return self.role in ("agent", "admin")


@dataclass(slots=True)
class Group:
    id: int
    name: str
    created_at: datetime
    default: bool = False
    member_ids: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Organization:
    id: int
    name: str
    created_at: datetime
    updated_at: datetime
    external_id: str | None = None
    domain_names: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    touch: Touch = field(default_factory=Touch)


@dataclass(slots=True)
class TicketField:
    """A field of tickets. ``required`` means: to solve. A tagger's option values are tags."""

    id: int
    type: str
    title: str
    created_at: datetime
    options: dict[str, str] = field(default_factory=dict)
    required: bool = False
    active: bool = True
    system: bool = False
    tag: str | None = None
    pattern: str | None = None


@dataclass(slots=True)
class CustomStatus:
    id: int
    category: str
    label: str
    default: bool
    created_at: datetime
    active: bool = True


@dataclass(slots=True)
class Attachment:
    id: int
    token: str
    file_name: str
    content_type: str
    content: bytes
    created_at: datetime
    inline: bool = False
    scan: str = "malware_not_found"
    access_override: bool = False
    deleted: bool = False
    comment_id: int | None = None


@dataclass(slots=True)
class Upload:
    token: str
    expires_at: datetime
    owner_id: int
    attachments: list[Attachment] = field(default_factory=list)


@dataclass(slots=True)
class Comment:
    id: int
    audit_id: int
    author_id: int
    html_body: str
    body: str
    plain_body: str
    public: bool
    created_at: datetime
    via: Json
    metadata: Json
    attachments: list[Attachment] = field(default_factory=list)


@dataclass(slots=True)
class Audit:
    id: int
    ticket_id: int
    author_id: int
    created_at: datetime
    via: Json
    metadata: Json
    events: list[Json] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Change:
    """One field's step in a write; custom fields go by their id as text."""

    field: str
    before: Any
    after: Any


@dataclass(slots=True)
class Indexed:
    """One version of a ticket or user as the search index holds it, and when it was handed to the indexer."""

    at: datetime
    words: str
    values: Json


@dataclass(slots=True)
class Ticket:
    id: int
    created_at: datetime
    updated_at: datetime
    values: Json
    via: Json
    custom: dict[int, Any] = field(default_factory=dict)
    is_public: bool = True
    deleted_at: datetime | None = None
    deleted_by: int | None = None
    scrubbed: bool = False
    solved_at: datetime | None = None
    followup_ids: list[int] = field(default_factory=list)
    followup_source_id: int | None = None
    comments: list[Comment] = field(default_factory=list)
    audits: list[Audit] = field(default_factory=list)
    log: list[Json] = field(default_factory=list)
    index: list[Indexed] = field(default_factory=list)
    touch: Touch = field(default_factory=Touch)

    @property
    def status(self) -> str:
        return str(self.values["status"])

    @property
    def description(self) -> str:
        return self.comments[0].plain_body if self.comments else ""


@dataclass(slots=True)
class Job:
    id: str
    job_type: str
    total: int
    run: Callable[["Job"], list[Json]]
    queued_at: datetime
    status: str = "queued"
    message: str | None = None
    progress: int | None = None
    results: list[Json] | None = None


@dataclass(slots=True)
class Webhook:
    id: str
    secret: str
    values: Json
    created_by: int
    created_at: datetime
    updated_at: datetime
    outcomes: list[tuple[datetime, bool]] = field(default_factory=list)
    broken_until: datetime | None = None

    @property
    def takes_events(self) -> bool:
        return any(name.startswith("zen:event-type:") for name in self.values["subscriptions"])


@dataclass(slots=True)
class Invocation:
    id: str
    webhook_id: str
    event_type: str
    created_at: datetime
    status: str = "accepted"
    completed_at: datetime | None = None
    attempts: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class Trigger:
    id: int
    title: str
    conditions: Json
    actions: list[Json]
    created_at: datetime
    updated_at: datetime
    active: bool = True
    description: str = ""
    position: int = 1
