"""Sharing and handing over: which parties take part, who holds the ticket, and routes that do it by themselves."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from apps.access.kernel import require
from apps.access.levels import Level
from apps.ecosystem.models import Organization

from ..actor import HERE, Actor, Source
from ..models import Route, Ticket, TicketEvent, TicketParty
from ..vocabulary import EventKind
from .journal import append, lock


class NotInThisEcosystem(Exception):
    """The organization is not part of the ecosystem that the ticket belongs to."""


def add_party(ticket: Ticket, organization: Organization, *, at: datetime) -> bool:
    """Make ``organization`` a party of the locked ticket; False if it already is."""
    if organization.ecosystem_id != ticket.customer_id:
        raise NotInThisEcosystem(
            f"{organization} is not in the ecosystem of {ticket.customer}; choose one of its parties"
        )
    if TicketParty.objects.filter(ticket=ticket, organization=organization).exists():
        return False
    TicketParty.objects.create(ticket=ticket, organization=organization, joined_at=at, joined_seq=ticket.last_seq + 1)
    return True


@transaction.atomic
def share(*, ticket: Ticket, organization: Organization, actor: Actor, at: datetime) -> TicketEvent | None:
    """Let another party of the ecosystem take part; from then on it sees the ticket. None if it already does."""
    require(actor.principal, Level.FULL, ticket)
    locked = lock(ticket)
    if not add_party(locked, organization, at=at):
        return None
    return append(locked, EventKind.SHARED, actor=actor, at=at, source=HERE, party=organization)


@transaction.atomic
def rejoin(*, ticket: Ticket, actor: Actor, at: datetime) -> TicketEvent | None:
    """Let the actor's organization take part again, which once did: its system has a copy that only we can have made,
    and the journal lost the entry. Parties never leave, so nobody decided otherwise. None if it takes part."""
    locked = lock(ticket)
    if not add_party(locked, actor.organization, at=at):
        return None
    return append(locked, EventKind.SHARED, actor=actor, at=at, source=HERE, party=actor.organization)


@transaction.atomic
def hand_over(
    *, ticket: Ticket, organization: Organization, actor: Actor, at: datetime, reason: str = ""
) -> TicketEvent | None:
    """Give custody of the ticket to another party, through the integrator (T99). None if it already holds it."""
    require(actor.principal, Level.FULL, ticket)
    event = _hand_over(lock(ticket), organization, actor=actor, at=at, source=HERE, reason=reason)
    ticket.refresh_from_db()
    return event


def follow_route(ticket: Ticket, *, actor: Actor, at: datetime, source: Source) -> TicketEvent | None:
    """Hand the locked ticket over along the first route that fits it; None if none does or it is already there."""
    route = (
        Route.objects.filter(customer=ticket.customer_id)
        .filter(Q(from_organization=None) | Q(from_organization=ticket.opened_by_id))
        .filter(Q(kind="") | Q(kind=ticket.kind))
        .filter(Q(category="") | Q(category=ticket.category))
        .order_by("position")
        .select_related("to_organization")
        .first()
    )
    if route is None:
        return None
    # A route's entry is ours, not the system's: it must not use up that system's id of the change.
    by_rule = Source(origin=source.origin, author=actor.name)
    return _hand_over(ticket, route.to_organization, actor=actor, at=at, source=by_rule, reason=f"by {route}")


def _hand_over(
    ticket: Ticket, organization: Organization, *, actor: Actor, at: datetime, source: Source, reason: str
) -> TicketEvent | None:
    if ticket.held_by_id == organization.pk:
        return None
    before = ticket.held_by
    add_party(ticket, organization, at=at)
    ticket.held_by = organization
    return append(
        ticket,
        EventKind.HANDED_OVER,
        actor=actor,
        at=at,
        source=source,
        party=organization,
        changes={"held_by": (before.name, organization.name)},
        text=reason,
    )
