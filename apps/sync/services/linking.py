"""Which systems get a ticket: those of its parties whose owner's rules accept it."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from apps.tickets.models import Ticket

from ..models import Connection, ConnectionPulse, TicketLink
from ..rules.expressions import ExpressionFailed
from .hub import view_of
from .ruling import published_rules

OVERLAP = timedelta(minutes=10)


def link_ticket(ticket: Ticket, *, now: datetime) -> list[TicketLink]:
    """Make the links that ``ticket`` lacks; each starts its lane at the journal's present end."""
    candidates = Connection.objects.filter(
        organization__ticket_parties__ticket=ticket, state__in=(Connection.State.ACTIVE, Connection.State.ON_HOLD)
    ).exclude(links__ticket=ticket)
    return [link for connection in candidates if (link := _link(ticket, connection, now)) is not None]


def link_missed(connection: Connection, *, now: datetime) -> int:
    """The net under lost wake-ups: offer tickets touched since the last time to the connection's rules."""
    since = connection.pulse.linked_until
    tickets = Ticket.objects.filter(parties__organization=connection.organization).exclude(links__connection=connection)
    if since is not None:
        tickets = tickets.filter(touched_at__gte=since - OVERLAP)
    made = sum(_link(ticket, connection, now) is not None for ticket in tickets.iterator(chunk_size=500))
    ConnectionPulse.objects.filter(connection=connection).update(linked_until=now)
    return made


def _link(ticket: Ticket, connection: Connection, now: datetime) -> TicketLink | None:
    rules = published_rules(connection)
    if rules is None or not rules.creates_inbound:
        return None
    try:
        if not rules.accepts(view_of(ticket)):
            return None
    except ExpressionFailed:
        return None
    try:
        with transaction.atomic():
            fresh = Ticket.objects.select_for_update().get(pk=ticket.pk)
            return TicketLink.objects.create(
                connection=connection,
                ticket=fresh,
                state=TicketLink.State.CREATING,
                start_seq=fresh.last_seq,
                due_at=now,
                created_at=now,
            )
    except IntegrityError:
        return None
