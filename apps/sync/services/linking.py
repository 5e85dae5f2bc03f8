"""Which systems get a ticket: those of its parties whose owner's rules accept it."""

from datetime import datetime, timedelta

from apps.tickets.models import Ticket

from ..crashpoints import reached
from ..engine.linking import offer_ticket
from ..engine.ports import LinkRow
from ..models import Connection, ConnectionPulse
from ..store import store

OVERLAP = timedelta(minutes=10)


def link_ticket(ticket: Ticket, *, now: datetime) -> list[LinkRow]:
    """Make the links that ``ticket`` lacks; each starts its lane at the journal's present end."""
    reached("journal heard")
    candidates = Connection.objects.filter(
        organization__ticket_parties__ticket=ticket, state__in=(Connection.State.ACTIVE, Connection.State.ON_HOLD)
    ).exclude(links__ticket=ticket)
    made = []
    for connection in candidates:
        link = offer_ticket(store, connection, ticket, now=now)
        if link is not None:
            reached("link made")
            made.append(link)
    return made


def link_missed(connection: Connection, *, now: datetime) -> int:
    """The net under lost wake-ups: offer tickets touched since the last time to the connection's rules."""
    since = connection.pulse.linked_until
    tickets = Ticket.objects.filter(parties__organization=connection.organization).exclude(links__connection=connection)
    if since is not None:
        tickets = tickets.filter(touched_at__gte=since - OVERLAP)
    made = sum(
        offer_ticket(store, connection, ticket, now=now) is not None for ticket in tickets.iterator(chunk_size=500)
    )
    ConnectionPulse.objects.filter(connection=connection).update(linked_until=now)
    return made
