"""The cast at their desks: actors by name, and a ticket to work on."""

from datetime import UTC, datetime
from typing import Any

from apps.ecosystem.models import Organization
from apps.ecosystem.selectors import principal_of
from apps.tickets import services as tickets
from apps.tickets.actor import Actor
from apps.tickets.models import Ticket, TicketEvent
from siamportal.cast import load_cast

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Desk:
    def __init__(self) -> None:
        self.cast = load_cast(password=None)
        self.elaine = self.actor("Elaine", "infinity-projects")
        self.john = self.actor("John", "infinity-architecture")
        self.agent = self.actor("Mercuri Agent", "mercuri")
        self.david = self.actor("David", "global")
        self.lead = self.actor("Integrator Lead", "infinity-integration")

    def organization(self, slug: str) -> Organization:
        return self.cast.organizations[slug]

    def actor(self, person: str, slug: str) -> Actor:
        user = self.cast.people[person].user
        return Actor(principal_of(user), self.organization(slug), user, person)

    def open(self, actor: Actor | None = None, **values: Any) -> Ticket:
        return tickets.open_ticket(values={"title": "Kiosk is slow", **values}, actor=actor or self.elaine, at=AT)

    def share(self, ticket: Ticket, slug: str) -> TicketEvent | None:
        return tickets.share(ticket=ticket, organization=self.organization(slug), actor=self.lead, at=AT)


def journal(ticket: Ticket) -> list[TicketEvent]:
    return list(TicketEvent.objects.filter(ticket=ticket).order_by("seq"))
