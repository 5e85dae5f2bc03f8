"""One account's state: everything it holds, its counters and its clock of whole seconds."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..deliveries import Deliveries
from .budgets import Budgets
from .errors import not_found
from .records import (
    SYSTEM_USER_ID,
    Attachment,
    Audit,
    CustomStatus,
    Group,
    Indexed,
    Invocation,
    Job,
    Organization,
    Ticket,
    TicketField,
    Touch,
    Trigger,
    Upload,
    User,
    Webhook,
)
from .settings import ZendeskSettings

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(slots=True)
class OAuthClient:
    id: str
    secret: str
    user_id: int


@dataclass(slots=True)
class OAuthToken:
    """An access token and the refresh token that was given with it (none for client credentials)."""

    access: str
    user_id: int
    client_id: str
    scopes: frozenset[str]
    expires_at: datetime
    refresh: str | None = None
    refresh_expires_at: datetime | None = None


@dataclass(slots=True)
class OAuthCode:
    code: str
    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    user_id: int
    expires_at: datetime
    challenge: str | None = None


@dataclass(slots=True)
class Replay:
    """The stored answer to a create that carried an idempotency key."""

    fingerprint: str
    at: datetime
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Account:
    """Records by id. ``clock`` is exact; :meth:`now` is what the vendor shows (whole seconds)."""

    clock: Callable[[], datetime]
    origin: Callable[[], str]
    settings: ZendeskSettings
    deliveries: Deliveries
    id: int = 22_129_848
    users: dict[int, User] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    organizations: dict[int, Organization] = field(default_factory=dict)
    fields: dict[int, TicketField] = field(default_factory=dict)
    custom_statuses: dict[int, CustomStatus] = field(default_factory=dict)
    tickets: dict[int, Ticket] = field(default_factory=dict)
    audits: list[Audit] = field(default_factory=list)
    attachments: dict[int, Attachment] = field(default_factory=dict)
    attachment_tokens: dict[str, Attachment] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    webhooks: dict[str, Webhook] = field(default_factory=dict)
    invocations: dict[str, Invocation] = field(default_factory=dict)
    triggers: dict[int, Trigger] = field(default_factory=dict)
    api_tokens: dict[str, int] = field(default_factory=dict)
    oauth_clients: dict[str, OAuthClient] = field(default_factory=dict)
    oauth_tokens: dict[str, OAuthToken] = field(default_factory=dict)
    oauth_codes: dict[str, OAuthCode] = field(default_factory=dict)
    replays: dict[str, Replay] = field(default_factory=dict)
    user_index: dict[int, list[Indexed]] = field(default_factory=dict)
    later: list[Callable[[], None]] = field(default_factory=list)
    problem_ids: set[int] = field(default_factory=set)
    brand_id: int = 360_001
    form_id: int = 360_000_660_811
    next_ticket_id: int = 35_501
    next_id: int = 1_503_729_607_981
    sequence: int = 0
    closing_at: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    alive: bool = True

    def __post_init__(self) -> None:
        self.budgets = Budgets(self.clock)

    def react(self) -> None:
        """Run the rules that the last writes set off."""
        while self.later:
            self.later.pop(0)()

    def now(self) -> datetime:
        return self.clock().replace(microsecond=0)

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def new_ticket_id(self) -> int:
        self.next_ticket_id += 1
        return self.next_ticket_id - 1

    def touched(self) -> Touch:
        self.sequence += 1
        return Touch(int(self.clock().timestamp()), self.sequence)

    def user(self, user_id: int) -> User:
        if user_id not in self.users:
            raise not_found()
        return self.users[user_id]

    def user_by_email(self, email: str) -> User | None:
        wanted = email.strip().lower()
        return next((user for user in self.users.values() if user.active and user.email == wanted), None)

    def name_of(self, user_id: int | None) -> str | None:
        if user_id == SYSTEM_USER_ID:
            return "System"
        return self.users[user_id].name if user_id in self.users else None

    def ticket(self, ticket_id: int) -> Ticket:
        """A ticket that can be read by id. Raises 404 for unknown and soft-deleted ones alike."""
        ticket = self.tickets.get(ticket_id)
        if ticket is None or ticket.deleted_at is not None:
            raise not_found()
        return ticket

    def present_tickets(self) -> list[Ticket]:
        return [ticket for ticket in self.tickets.values() if ticket.deleted_at is None]

    def default_status(self, category: str) -> CustomStatus | None:
        return next(
            (item for item in self.custom_statuses.values() if item.category == category and item.default), None
        )

    def new_ulid(self) -> str:
        number = int(self.clock().timestamp() * 1000) << 80 | secrets.randbits(80)
        return "".join(CROCKFORD[number >> 5 * place & 31] for place in reversed(range(26)))
