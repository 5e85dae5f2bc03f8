"""Which systems get a ticket: those of its parties whose owner's rules accept it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from apps.tickets.models import Ticket, TicketParty

from ..crashpoints import reached
from ..engine.linking import offer_ticket
from ..engine.ports import LinkRow
from ..models import Connection, ConnectionPulse, TicketLink
from ..store import store
from ..store.claims import hear_journals

OVERLAP = timedelta(minutes=10)
LATE = timedelta(minutes=1)
"""What was written may be committed so much later, and by another clock."""
_heard_until: datetime | None = None


def link_ticket(ticket: Ticket, *, now: datetime) -> list[LinkRow]:
    """Make the links that ``ticket`` lacks; each starts its lane at the journal's present end. Others hear of it."""
    hear_journals(Q(ticket=ticket.pk))
    return _make_links([ticket.pk], now)


def link_tickets(ticket_ids: Sequence[str], *, now: datetime) -> list[str]:
    """Make the links that these tickets lack, and let the others hear of them; the ids of connections with something to
    do for them. Mostly the one where the news came from is none of these."""
    keys = [UUID(key) for key in ticket_ids]
    hear_journals(Q(ticket__in=keys))
    _make_links(keys, now)
    wanted = TicketLink.objects.filter(ticket__in=keys, wanted_at__lte=now)
    return [str(key) for key in wanted.values_list("connection", flat=True).distinct()]


def _make_links(ticket_ids: Sequence[UUID], now: datetime) -> list[LinkRow]:
    reached("journal heard")
    open_to_links = (Connection.State.ACTIVE, Connection.State.ON_HOLD)
    parties = TicketParty.objects.filter(ticket__in=ticket_ids, organization__connections__state__in=open_to_links)
    wanted = set(parties.values_list("ticket", "organization__connections"))
    wanted -= set(TicketLink.objects.filter(ticket__in=ticket_ids).values_list("ticket", "connection"))
    if not wanted:
        return []
    connections = Connection.objects.in_bulk({connection for _ticket, connection in wanted})
    rules = {key: store.rules(connection) for key, connection in connections.items()}
    tickets = Ticket.objects.select_related("opened_by", "held_by").prefetch_related("parties__organization")
    found = tickets.in_bulk({ticket for ticket, _connection in wanted})
    made = []
    with store.atomic():
        # In the order in which all lock tickets that lock several.
        for ticket, connection in sorted(wanted, key=str):
            if connections[connection].state in open_to_links and ticket in found:
                made.append(offer_ticket(store, connections[connection], found[ticket], rules[connection], now=now))
    links = [link for link in made if link is not None]
    for _link in links:
        reached("link made")
    return links


def hear_missed(*, now: datetime) -> None:
    """The net under lost wake-ups: let lanes hear of tickets that were written since the last time. A process that has
    just begun asks about all."""
    global _heard_until  # noqa: PLW0603  one for the process, like the sweep that it belongs to
    since = _heard_until
    hear_journals(Q() if since is None else Q(ticket__touched_at__gte=since - LATE))
    _heard_until = now


def link_missed(connection: Connection, *, now: datetime) -> int:
    """The net under lost wake-ups: offer tickets touched since the last time to the connection's rules."""
    since = connection.pulse.linked_until
    # Not joined: a planner may begin with all tickets of the organization, and not with those touched lately.
    takes_part = TicketParty.objects.filter(ticket=OuterRef("pk"), organization=connection.organization)
    known = TicketLink.objects.filter(ticket=OuterRef("pk"), connection=connection)
    tickets = Ticket.objects.filter(Exists(takes_part), ~Exists(known))
    if since is not None:
        tickets = tickets.filter(touched_at__gte=since - OVERLAP)
    rules = store.rules(connection)
    made = sum(
        offer_ticket(store, connection, ticket, rules, now=now) is not None
        for ticket in tickets.iterator(chunk_size=500)
    )
    ConnectionPulse.objects.filter(connection=connection).update(linked_until=now)
    return made
