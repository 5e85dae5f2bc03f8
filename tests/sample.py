"""A small ecosystem in full swing, for tests of pages: tickets, connections and lanes in every state."""

import io
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.services import make_machine_account
from apps.ecosystem.models import Organization
from apps.ecosystem.selectors import principal_of
from apps.ecosystem.services import grant_machine
from apps.sync.models import (
    Conflict,
    Connection,
    ConnectionPulse,
    Divergence,
    Exchange,
    Notice,
    Restoration,
    RulesVersion,
    TicketLink,
)
from apps.sync.rules.templates import template_for
from apps.tickets import services
from apps.tickets.actor import Actor, Source
from apps.tickets.models import Ticket
from siamportal.cast import Cast, load_cast

PASSWORD = "one-ticket-four-systems"
EMAILS = {
    "governance": "governance@infinity.example",
    "executive": "executive@infinity.example",
    "auditor": "auditor@infinity.example",
    "integrator": "integrator@infinity.example",
    "john": "john@infinity.example",
    "elaine": "elaine@infinity.example",
    "david": "david@global.example",
    "marco": "marco@global.example",
    "agent": "agent@mercuri.example",
    "manager": "manager@mercuri.example",
    "otto": "otto@nowhere.example",
}
KIOSK_STORY = """Customers see **“Payment not possible”** after the card was read.

- since 8:10 this morning
- all four kiosks in Berlin
- cash works"""
SYSTEMS = {
    "infinity-architecture": ("Architecture Jira", "jira", "https://infinity.example.com", {"project": "OPS"}),
    "infinity-projects": ("Projects ServiceNow", "servicenow", "https://projects.example.com", {"table": "incident"}),
    "global": ("Global Azure DevOps", "azure_devops", "https://dev.example.com/global", {"project": "Kiosk"}),
    "mercuri": ("Mercuri Zendesk", "zendesk", "https://mercuri.example.com", {"client_id": "siam"}),
}


@dataclass
class Sample:
    """Everything by name; ``now`` is the moment to which all times of the sample refer."""

    cast: Cast
    now: datetime
    tickets: dict[str, Ticket] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)

    def user(self, who: str) -> User:
        return User.objects.get(email=EMAILS[who])

    def organization(self, slug: str) -> Organization:
        return self.cast.organizations[slug]

    def actor(self, who: str, slug: str) -> Actor:
        user = self.user(who)
        return Actor(principal_of(user), self.organization(slug), user, user.name)

    def ago(self, **span: float) -> datetime:
        return self.now - timedelta(**span)


def build_cast(password: str | None = PASSWORD) -> Sample:
    """The cast alone."""
    return Sample(load_cast(password=password), timezone.now())


def build_sample(password: str | None = PASSWORD) -> Sample:
    """The cast with tickets and connections."""
    sample = build_cast(password)
    for slug in SYSTEMS:
        sample.connections[slug] = add_connection(sample, slug)
    _kiosk(sample)
    _others(sample)
    _holds(sample)
    return sample


def open_for(sample: Sample, who: str, slug: str, title: str, **values: object) -> Ticket:
    at = values.pop("at", sample.ago(hours=3))
    return services.open_ticket(values={"title": title, **values}, actor=sample.actor(who, slug), at=at)


def add_connection(sample: Sample, slug: str, *, name: str = "", state: str = "active") -> Connection:
    """One organization's connection, with published rules."""
    own, connector, address, settings = SYSTEMS[slug]
    organization = sample.organization(slug)
    machine = make_machine_account(
        name=name or own, email=f"{slug}-{name.replace(' ', '-') or 'own'}@connections.invalid".lower()
    )
    grant_machine(machine, organization)
    connection = Connection.objects.create(
        organization=organization,
        name=name or own,
        connector=connector,
        base_url=address,
        settings=settings,
        secrets={"notice_secret": "n", "api_token": "t"},
        machine=machine,
        state=state,
        state_since=sample.ago(days=9),
        created_at=sample.ago(days=9),
    )
    ConnectionPulse.objects.create(
        connection=connection,
        last_success_at=sample.ago(seconds=20),
        product=own.split()[-1],
        version="10.4",
        account_name="siam-sync",
        checked_at=sample.ago(hours=2),
    )
    RulesVersion.objects.create(
        connection=connection,
        number=1,
        state=RulesVersion.State.PUBLISHED,
        document=template_for(connector),
        author=None,
        note="from the template",
        created_at=sample.ago(days=8),
        published_at=sample.ago(days=8),
    )
    return connection


def add_link(sample: Sample, ticket: Ticket, slug: str, key: str, status: str = "", **values: object) -> TicketLink:
    """A link of the ticket in the system of one organization, in step unless ``values`` say otherwise."""
    connection = sample.connections[slug]
    ticket.refresh_from_db()
    base = {"status=state": [ticket.status, status, ticket.last_seq]} if status else {}
    given = {
        "state": TicketLink.State.LINKED,
        "external_id": f"id-{key}" if key else "",
        "key": key,
        "url": f"{connection.base_url}/browse/{key}" if key else "",
        "applied_seq": ticket.last_seq,
        "start_seq": 1,
        "merge_base": base,
        "due_at": sample.now,
        "created_at": sample.now,
        **values,
    }
    return TicketLink.objects.create(connection=connection, ticket=ticket, **given)


def hold(cause: str, text: str, party: str, remedy: str, since: datetime) -> dict[str, object]:
    return {
        "cause": cause,
        "text": text,
        "field": "",
        "value": None,
        "party": party,
        "remedy": remedy,
        "since": since.isoformat(),
    }


def _kiosk(sample: Sample) -> None:
    """The story of the source: a kiosk cannot pay; four companies, four systems, one ticket."""
    ago = sample.ago
    ticket = open_for(
        sample,
        "agent",
        "mercuri",
        "Payment at the kiosks in Berlin fails after the card is read",
        at=ago(days=2, hours=4),
        description=KIOSK_STORY,
        impact=2,
        urgency=1,
    )
    sample.tickets["kiosk"] = ticket
    agent, john = sample.actor("agent", "mercuri"), sample.actor("john", "infinity-architecture")
    services.comment(
        ticket=ticket,
        body="The customer rang again: the queue is out of the door.",
        audience="public",
        actor=agent,
        at=ago(days=2, hours=3),
    )
    services.edit(ticket=ticket, values={"custom.site": "berlin"}, actor=john, at=ago(days=2, hours=2))
    services.move(ticket=ticket, status="in_progress", actor=john, at=ago(days=2, hours=1))
    services.comment(
        ticket=ticket,
        body="Design is as agreed. The terminal's certificate looks expired: see `kiosk-04.log`.",
        audience="public",
        actor=john,
        at=ago(days=1, hours=22),
        files=[services.File("kiosk-04.log", "text/plain", io.BytesIO(b"TLS alert: certificate expired\n" * 40))],
    )
    services.comment(
        ticket=ticket,
        body="Budget for new terminals is not our topic here.",
        audience="internal",
        actor=john,
        at=ago(days=1, hours=21),
    )
    _kiosk_goes_to_global(sample, ticket)
    _kiosk_links(sample, ticket)


def _kiosk_goes_to_global(sample: Sample, ticket: Ticket) -> None:
    ago = sample.ago
    agent, john = sample.actor("agent", "mercuri"), sample.actor("john", "infinity-architecture")
    integrator = sample.actor("integrator", "infinity-integration")
    services.edit(ticket=ticket, values={"category": "bug"}, actor=john, at=ago(days=1, hours=20))
    services.share(
        ticket=ticket, organization=sample.organization("infinity-projects"), actor=integrator, at=ago(days=1, hours=12)
    )
    david = sample.actor("david", "global")
    origin = str(sample.connections["global"].pk)
    services.receive_changes(
        ticket=ticket,
        values={"assignee": "Marco"},
        actor=david,
        at=ago(hours=7),
        source=Source(origin, "rev-7", "David"),
    )
    services.comment(
        ticket=ticket,
        body="New certificate is out to two of the four kiosks.",
        audience="public",
        actor=david,
        at=ago(hours=5),
        source=Source(origin, "rev-8", "Marco"),
    )
    services.comment(
        ticket=ticket,
        body="Can we mention the provider of the certificate to the customer?",
        audience="chosen",
        chosen=[sample.organization("infinity-integration")],
        actor=agent,
        at=ago(hours=2),
    )


def _kiosk_links(sample: Sample, ticket: Ticket) -> None:
    ago = sample.ago
    add_link(sample, ticket, "infinity-architecture", "OPS-7", "In Progress")
    add_link(sample, ticket, "global", "4711", "Active")
    add_link(sample, ticket, "mercuri", "35436", "open")
    ticket.refresh_from_db()
    add_link(
        sample,
        ticket,
        "infinity-projects",
        "INC0010023",
        "In Progress",
        applied_seq=ticket.last_seq - 3,
        delivery_hold=hold(
            "rules",
            "custom.site: 'berlin': the rules have no word for this value",
            "Infinity Projects",
            "add it to the value map; publish the rules, then resume",
            ago(hours=6),
        ),
    )


# Who opens what, for whom, how many hours ago.
OTHERS = [
    ("john", "infinity-architecture", "Order export misses the time zone of the shop", 144, "problem", 3, 2),
    ("elaine", "infinity-projects", "New return process: shops need a second printer queue", 120, "change", 2, 3),
    ("david", "global", "Certificate of the staging gateway ends in nine days", 96, "incident", 2, 2),
    ("agent", "mercuri", "Customer cannot reset the password of the online shop", 30, "service_request", 4, 3),
    (
        "integrator",
        "infinity-integration",
        "Monthly report of all providers: one figure is missing",
        28,
        "service_request",
        3,
        4,
    ),
    ("elaine", "infinity-projects", "Warehouse scanner loses its network twice a day", 20, "incident", 2, 1),
    ("marco", "global", "Build agents are full since the last release", 9, "incident", 3, 1),
    ("governance", "infinity", "Shops in Paris report slow checkout", 1, "incident", 1, 2),
]


def _others(sample: Sample) -> None:
    ago = sample.ago
    for who, slug, title, hours, kind, impact, urgency in OTHERS:
        values = {"kind": kind, "impact": impact, "urgency": urgency}
        ticket = open_for(sample, who, slug, title, at=ago(hours=hours), **values)
        sample.tickets[title.split()[0].lower()] = ticket
    services.edit(
        ticket=sample.tickets["warehouse"],
        values={"category": "network"},
        actor=sample.actor("elaine", "infinity-projects"),
        at=ago(hours=19),
    )
    done = sample.tickets["order"]
    john = sample.actor("john", "infinity-architecture")
    services.move(ticket=done, status="in_progress", actor=john, at=ago(days=5))
    services.move(
        ticket=done, status="resolved", resolution="Shop time is now part of the export.", actor=john, at=ago(days=3)
    )
    services.move(
        ticket=sample.tickets["warehouse"],
        status="in_progress",
        actor=sample.actor("david", "global"),
        at=ago(hours=18),
    )
    services.move(
        ticket=sample.tickets["warehouse"], status="pending", actor=sample.actor("david", "global"), at=ago(hours=4)
    )


def _restored(sample: Sample) -> None:
    """The database was put back once; each kind of divergence in one connection."""
    made = Restoration.objects.create(at=sample.ago(days=2), links=9)
    for place, kind in enumerate(Divergence.Kind):
        Divergence.objects.create(
            restoration=made,
            connection=sample.connections["infinity-projects"],
            ticket=sample.tickets["kiosk"] if place % 2 else None,
            key=f"INC001000{place}",
            kind=kind,
            text=f"what the system knew about INC001000{place}",
            at=sample.ago(days=2, minutes=-place),
        )


def _holds(sample: Sample) -> None:
    """Links and connections in every state that a page must show."""
    ago, tickets, systems = sample.ago, sample.tickets, sample.connections
    _restored(sample)
    add_link(sample, tickets["order"], "infinity-architecture", "OPS-3", "Done", is_closed=True)
    add_link(sample, tickets["certificate"], "global", "4702", "New")
    add_link(
        sample,
        tickets["warehouse"],
        "infinity-projects",
        "INC0010019",
        "On Hold",
        intake_hold=hold(
            "rules",
            "state: 'Awaiting Vendor': the rules have no word for this value",
            "Infinity Projects",
            "add it to the value map; publish the rules, then resume",
            ago(hours=3),
        ),
    )
    _conflict(sample)
    add_link(sample, tickets["customer"], "mercuri", "35441", "pending", state=TicketLink.State.DETACHED)
    add_link(sample, tickets["build"], "global", "", "", state=TicketLink.State.CREATING, applied_seq=0, start_seq=1)
    ConnectionPulse.objects.filter(connection=systems["global"]).update(
        limited_until=sample.now + timedelta(minutes=4),
        last_failure_at=ago(minutes=1),
        last_failure="429 from the system: too many requests",
    )
    zendesk = systems["mercuri"]
    zendesk.state, zendesk.state_since = Connection.State.ON_HOLD, ago(hours=2)
    zendesk.state_reason = (
        "The system refuses our sign-in: 401, the OAuth client is disabled. Renew the credentials, check, then resume."
    )
    zendesk.save()
    for connection in systems.values():
        _traffic(sample, connection)
    RulesVersion.objects.create(
        connection=systems["infinity-projects"],
        number=2,
        document=template_for("servicenow"),
        note="words for the site",
        created_at=ago(hours=2),
        author=sample.user("elaine"),
    )


def _conflict(sample: Sample) -> None:
    link = add_link(
        sample,
        sample.tickets["new"],
        "infinity-projects",
        "CHG0030001",
        "New",
        delivery_hold=hold(
            "conflict",
            "priority: both sides changed it",
            "Infinity Projects",
            "choose which value holds",
            sample.ago(hours=1),
        ),
    )
    Conflict.objects.create(
        link=link,
        rule_key="priority=priority",
        hub_value="high",
        system_value="3 - Moderate",
        verdict="ask",
        author="Elaine",
        at=sample.ago(hours=1),
        recorded_at=sample.ago(hours=1),
        is_open=True,
    )


def _traffic(sample: Sample, connection: Connection) -> None:
    for index in range(6):
        Notice.objects.create(
            connection=connection,
            delivery_id=f"delivery-{index}",
            refs=["OPS-7"],
            summary="ticket updated",
            repeats=index % 2,
            received_at=sample.ago(minutes=7 * index + 1),
        )
    for index in range(40):
        Exchange.objects.create(
            connection=connection,
            at=sample.ago(minutes=(index * index) % 58),
            method="GET" if index % 3 else "PATCH",
            seconds=0.08 + index / 100,
            url=f"{connection.base_url}/rest/api/3/search?updated={index}",
            status=200 if index % 9 else 429,
            request='{"authorization": "[redacted]"}',
            answer='{"total": 1}',
        )
