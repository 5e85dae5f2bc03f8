"""A stage for the sync store: the cast, systems in memory, connections with rules, rounds under its own clock."""

import io
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from django.db.models import Q
from django.utils import timezone
from pydantic import BaseModel

from apps.ecosystem.models import Organization
from apps.ecosystem.selectors import principal_of
from apps.sync import services as sync
from apps.sync.connectors.base import Capabilities
from apps.sync.connectors.catalog import CONNECTORS
from apps.sync.connectors.memory import Fault, MemoryConnector, MemorySystem
from apps.sync.connectors.memory import Ticket as Remote
from apps.sync.engine.deciding import decide_work
from apps.sync.engine.snapshot import Visibility
from apps.sync.engine.work import Work
from apps.sync.models import Connection, TicketLink
from apps.sync.services import patience
from apps.sync.store import store
from apps.sync.store.claims import hear_journals
from apps.sync.store.rules import published_rules
from apps.tickets import services as tickets
from apps.tickets.actor import Actor
from apps.tickets.models import Comment, Ticket, TicketEvent
from apps.tickets.services import File
from siamportal.cast import Cast, load_cast

ADDRESS = "127.0.0.1:9"
SYNC = "Siam Sync"
AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MANAGERS = {
    "infinity-architecture": "John",
    "infinity-projects": "Elaine",
    "global": "David",
    "mercuri": "Mercuri Manager",
}

DOCUMENT: dict[str, Any] = {
    "types": {"incident": "incident", "service_request": "request"},
    "fields": [
        {"hub": "title", "system": "title"},
        {"hub": "description", "system": "description"},
        {
            "hub": "status",
            "system": "status",
            "values": {
                "new": "new",
                "in_progress": "in progress",
                "pending": "on hold",
                "resolved": "resolved",
                "closed": "closed",
            },
        },
        {
            "hub": "priority",
            "system": "priority",
            "values": {"critical": "critical", "high": "high", "medium": "medium", "low": "low"},
        },
        {"hub": "custom.site", "system": "reference"},
        {"hub": "custom.effort", "system": "effort"},
    ],
    "with_status": {
        "resolved": {"resolution": {"value": "fixed"}},
        "closed": {"resolution": {"value": "fixed"}},
    },
    "inbound": {"attribution": ""},
}


def document(**parts: Any) -> dict[str, Any]:
    """The usual rules with some parts replaced; ``fields`` maps a hub field to what is different about it."""
    made = deepcopy(DOCUMENT)
    changed = parts.pop("fields", {})
    for entry in made["fields"]:
        entry.update(changed.get(entry["hub"], {}))
    for name, part in parts.items():
        made[name] = {**made[name], **part} if isinstance(made.get(name), dict) and isinstance(part, dict) else part
    return made


def ticking(start: datetime = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)) -> Iterator[datetime]:
    while True:
        yield start
        start += timedelta(seconds=1)


class NoSettings(BaseModel):
    pass


def connector_to(system: MemorySystem, **narrowed: Any) -> Any:
    """A kind of connector that always reaches ``system``."""
    flags = {
        "has_change_log": True,
        "has_atomic_precondition": True,
        "has_internal_comments": True,
        "can_attribute_author": True,
        "can_reopen_closed": not system.closes_for_good,
    }

    class Reaching(MemoryConnector):
        capabilities: ClassVar[Capabilities] = Capabilities(**(flags | narrowed))
        Settings = Secrets = NoSettings

        def __init__(self, _context: Any) -> None:
            super().__init__(system, capabilities=type(self).capabilities)

    return Reaching


class Stage:
    """Everybody and everything that a test of the store needs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        # No other thread sees what a test has not committed.
        monkeypatch.setattr(patience, "MOMENT", 60.0)
        self.cast: Cast = load_cast(password=None)
        self.systems: dict[str, MemorySystem] = {}
        self.connections: dict[str, Connection] = {}
        self.now = timezone.now()

    # --- Who ----------------------------------------------------------------------------------------------------------

    def organization(self, slug: str) -> Organization:
        return self.cast.organizations[slug]

    def actor(self, slug: str) -> Actor:
        person = {**MANAGERS, "infinity-integration": "Integrator Lead"}[slug]
        user = self.cast.people[person].user
        return Actor(principal_of(user), self.organization(slug), user, person)

    # --- Systems ------------------------------------------------------------------------------------------------------

    def connect(self, slug: str, rules: Mapping[str, Any] | None = None, **narrowed: Any) -> MemorySystem:
        """A system of ``slug`` with a connection in use."""
        clock = ticking()
        system = MemorySystem(lambda: next(clock), key_prefix=slug[-4:].upper(), closes_for_good=True)
        self.monkeypatch.setitem(CONNECTORS, f"memory-{slug}", connector_to(system, **narrowed))
        actor = self.actor(slug)
        connection = sync.create_connection(
            actor=actor,
            name=f"system of {slug}",
            connector=f"memory-{slug}",
            base_url=f"http://{ADDRESS}",
            settings={},
            secrets={},
            at=AT,
        )
        self.systems[slug], self.connections[slug] = system, connection
        self.publish(slug, rules or DOCUMENT)
        sync.resume_connection(connection=connection, actor=self.actor(slug), at=AT)
        sync.poll(sync.refresh(connection), now=self.now)
        return system

    def publish(self, slug: str, rules: Mapping[str, Any]) -> None:
        actor = self.actor(slug)
        version = sync.draft_rules(connection=self.connections[slug], document=rules, actor=actor, at=AT)
        wrong = [finding for finding in sync.try_rules(version=version, actor=actor) if finding.is_error]
        assert not wrong, wrong
        sync.publish_rules(version=version, actor=actor, at=AT)

    # --- Acts ---------------------------------------------------------------------------------------------------------

    def open(self, slug: str, *others: str, **values: Any) -> Ticket:
        """A ticket opened in the portal by ``slug`` and shared with ``others``."""
        ticket = tickets.open_ticket(values={"title": "Shop is down", **values}, actor=self.actor(slug), at=AT)
        for other in others:
            self.share(ticket, other)
        return ticket

    def share(self, ticket: Ticket, slug: str) -> None:
        lead = self.actor("infinity-integration")
        tickets.share(ticket=ticket, organization=self.organization(slug), actor=lead, at=AT)

    def edit(self, ticket: Ticket, slug: str, *, at: datetime = AT, **values: Any) -> None:
        tickets.edit(ticket=ticket, values=values, actor=self.actor(slug), at=at)

    def say(self, ticket: Ticket, slug: str, body: str, audience: str = "public", *chosen: str) -> Comment:
        said = tickets.comment(
            ticket=ticket,
            body=body,
            audience=audience,
            actor=self.actor(slug),
            at=AT,
            chosen=[self.organization(one) for one in chosen],
        )
        assert said is not None
        return said

    def attach(self, ticket: Ticket, slug: str, name: str, content: bytes) -> None:
        file = File(name, "text/plain", io.BytesIO(content))
        tickets.attach(ticket=ticket, file=file, audience="public", actor=self.actor(slug), at=AT)

    # --- Rounds -------------------------------------------------------------------------------------------------------

    def connection(self, slug: str) -> Connection:
        return sync.refresh(self.connections[slug])

    def round(self, slug: str, *, minutes: float = 10) -> sync.rounds.Round:
        """One round, later than everything that waits by then."""
        self.now += timedelta(minutes=minutes)
        hear_journals(Q())
        return sync.run_round(self.connection(slug), now=self.now)

    def rest(self, *, polls: bool = True, most: int = 300) -> None:
        """Poll once, then round after round until nothing is due anywhere."""
        self.now += timedelta(minutes=10)
        for ticket in Ticket.objects.all():
            sync.link_ticket(ticket, now=self.now)
        if polls:
            self.poll()
        for _ in range(most):
            if not sum(self.round(slug).worked for slug in self.connections):
                return
            for ticket in Ticket.objects.all():
                sync.link_ticket(ticket, now=self.now)
        raise AssertionError("the lanes do not come to rest")

    def poll(self) -> int:
        self.now += timedelta(minutes=2)
        return sum(sync.poll(self.connection(slug), now=self.now) for slug in self.connections)

    def sweep(self) -> None:
        """Compare every ticket as a whole, now."""
        self.now += timedelta(hours=2)
        for slug in self.connections:
            sync.sweep(self.connection(slug), now=self.now)
        self.rest(polls=False)

    def dies_before_the_call(self, slug: str) -> list[Work]:
        """A worker claims, commits its intents, and is killed; what it was about to do."""
        self.now += timedelta(minutes=10)
        hear_journals(Q())
        connection = self.connection(slug)
        rules = published_rules(connection)
        assert rules is not None
        links = store.claim(connection, now=self.now, most=32)
        return [work for _link, work in decide_work(store, links, rules, now=self.now)]

    # --- What came of it ----------------------------------------------------------------------------------------------

    def link(self, slug: str, ticket: Ticket) -> TicketLink:
        return TicketLink.objects.select_related("ticket", "connection").get(
            connection=self.connections[slug], ticket=ticket
        )

    def remote(self, slug: str, ticket: Ticket) -> Remote:
        return self.systems[slug].tickets[self.link(slug, ticket).external_id]

    def fault(self, slug: str, kind: str, **how: Any) -> Fault:
        return self.systems[slug].faults.add(Fault(kind, **how))

    def person_opens(self, slug: str, **fields: Any) -> Remote:
        return self.systems[slug].create("incident", {"title": "Kiosk is slow", **fields}, by="Elaine")

    def person_edits(self, slug: str, ticket: Ticket, **fields: Any) -> None:
        self.systems[slug].edit(self.remote(slug, ticket).ref, fields, by="Elaine")

    def person_says(self, slug: str, ticket: Ticket, body: str, visibility: Visibility = Visibility.PUBLIC) -> None:
        self.systems[slug].comment(self.remote(slug, ticket).ref, body, visibility, by="Elaine")


def journal(ticket: Ticket) -> list[TicketEvent]:
    return list(TicketEvent.objects.filter(ticket=ticket).order_by("seq"))


def writes(remote: Remote) -> list[Any]:
    """The log entries that are ours."""
    return [change for change in remote.log if change.author == SYNC or change.correlation]
