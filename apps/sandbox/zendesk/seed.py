"""Mercuri's account as it is at a fresh start: people, credentials, fields. The same after every reset."""

from datetime import UTC, datetime

from .account import Account, OAuthClient
from .records import CustomStatus, Group, Indexed, Organization, TicketField, User

CREATED_AT = datetime(2025, 3, 3, 8, 0, tzinfo=UTC)

AGENT_EMAIL = "agent@mercuri.example"
AGENT_TOKEN = "zendesk-agent-token"  # noqa: S105 (a demo credential)
SYNC_EMAIL = "siam-sync@mercuri.example"
SYNC_TOKEN = "zendesk-sync-token"  # noqa: S105 (a demo credential)
CUSTOMER_EMAIL = "customer@shop.example"
CUSTOMER_TOKEN = "zendesk-customer-token"  # noqa: S105 (a demo credential)
OAUTH_CLIENT_ID = "siamportal"
OAUTH_CLIENT_SECRET = "zendesk-client-secret"  # noqa: S105 (a demo credential)

AGENT_ID = 235_323
SYNC_ID = 235_324
CUSTOMER_ID = 20_978_392
SUPPORT_GROUP_ID = 98_738
SHOP_ID = 509_974

SITE_FIELD = 27_642
STAGE_FIELD = 27_643
CATEGORY_FIELD = 27_644
REFERENCE_FIELD = 27_645

SYSTEM_FIELDS: tuple[tuple[int, str, str, dict[str, str]], ...] = (
    (27_601, "subject", "Subject", {}),
    (27_602, "description", "Description", {}),
    (27_603, "status", "Status", {"new": "New", "open": "Open", "pending": "Pending", "hold": "On-hold",
                                  "solved": "Solved", "closed": "Closed"}),
    (27_604, "tickettype", "Type", {"question": "Question", "incident": "Incident", "problem": "Problem",
                                    "task": "Task"}),
    (27_605, "priority", "Priority", {"low": "Low", "normal": "Normal", "high": "High", "urgent": "Urgent"}),
    (27_606, "group", "Group", {}),
    (27_607, "assignee", "Assignee", {}),
    (27_608, "custom_status", "Ticket status", {}),
)  # fmt: skip
CUSTOM_FIELDS: tuple[tuple[int, str, str, dict[str, str]], ...] = (
    (SITE_FIELD, "tagger", "Site", {"berlin": "Berlin", "paris": "Paris", "london": "London"}),
    (STAGE_FIELD, "text", "Deployment stage", {}),
    (CATEGORY_FIELD, "tagger", "Category", {"design": "Design", "change_request": "Change request", "bug": "Bug",
                                            "network": "Network"}),
    (REFERENCE_FIELD, "text", "Hub reference", {}),
)  # fmt: skip
CUSTOM_STATUSES = (
    (1_901, "new", "New", True),
    (1_902, "open", "Open", True),
    (1_903, "pending", "Pending", True),
    (1_904, "hold", "On-hold", True),
    (1_905, "solved", "Solved", True),
    (35_436, "open", "Waiting on vendor", False),
)


def plant(account: Account) -> None:
    """Fill a new account."""
    group = Group(SUPPORT_GROUP_ID, "Support", CREATED_AT, default=True, member_ids=[AGENT_ID, SYNC_ID])
    account.groups[group.id] = group
    shop = Organization(SHOP_ID, "Shop", CREATED_AT, CREATED_AT, domain_names=["shop.example"])
    account.organizations[shop.id] = shop
    people = (
        User(AGENT_ID, "Mercuri Agent", AGENT_EMAIL, "agent", CREATED_AT, CREATED_AT, default_group_id=group.id),
        User(SYNC_ID, "SIAM Sync", SYNC_EMAIL, "admin", CREATED_AT, CREATED_AT, default_group_id=group.id),
        User(CUSTOMER_ID, "Shop Customer", CUSTOMER_EMAIL, "end-user", CREATED_AT, CREATED_AT, organization_id=shop.id),
    )
    for user in people:
        account.users[user.id] = user
        _register(account, user)
    shop.touch.timestamp = int(CREATED_AT.timestamp())
    account.api_tokens |= {AGENT_TOKEN: AGENT_ID, SYNC_TOKEN: SYNC_ID, CUSTOMER_TOKEN: CUSTOMER_ID}
    account.oauth_clients[OAUTH_CLIENT_ID] = OAuthClient(OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET, SYNC_ID)
    for number, kind, title, options in SYSTEM_FIELDS:
        account.fields[number] = TicketField(number, kind, title, CREATED_AT, dict(options), system=True)
    for number, kind, title, options in CUSTOM_FIELDS:
        account.fields[number] = TicketField(number, kind, title, CREATED_AT, dict(options))
    for number, category, label, default in CUSTOM_STATUSES:
        account.custom_statuses[number] = CustomStatus(number, category, label, default, CREATED_AT)


def _register(account: Account, user: User) -> None:
    """Seeded people have been known to exports and index since the account began."""
    account.sequence += 1
    user.touch.timestamp, user.touch.sequence = int(CREATED_AT.timestamp()), account.sequence
    words = f"{user.name} {user.email}".lower()
    values = {"email": user.email, "name": user.name, "external_id": None, "role": user.role}
    account.user_index[user.id] = [Indexed(CREATED_AT, words, values)]
