"""Journal entries in great numbers for one system, without the clicks that would make them."""

from datetime import timedelta

from django.db.models import F, Sum
from django.utils import timezone

from apps.ecosystem.models import Organization
from apps.sync.models import TicketLink
from apps.tickets import services as tickets
from apps.tickets.models import Comment, Ticket, TicketEvent
from apps.tickets.vocabulary import Audience, EventKind

from .crossing import Crossing

AT_ONCE = 2000


def pour(crossing: Crossing, name: str, *, tickets_wanted: int, entries: int) -> int:
    """Open tickets of the owner of the connection to ``name``, and let comments follow them while it is paused; how
    many entries wait when it goes on."""
    actor = crossing.actor(name)
    crossing.pause(name)
    opened = [
        tickets.open_ticket(values={"title": f"flood {at}"}, actor=actor, at=timezone.now())
        for at in range(tickets_wanted)
    ]
    each = entries // tickets_wanted
    for start in range(0, len(opened), max(1, AT_ONCE // each)):
        _comment(opened[start : start + max(1, AT_ONCE // each)], actor.organization, each)
    crossing.go_on(name)
    return each * len(opened)


def _comment(opened: list[Ticket], organization: Organization, each: int) -> None:
    now = timezone.now()
    rows, entries = [], []
    for ticket in opened:
        ticket.refresh_from_db()
        for number in range(each):
            said = Comment(
                ticket=ticket, body=f"entry {number}", audience=Audience.PUBLIC, organization=organization,
                author_name="the flood", at=now,
            )  # fmt: skip
            rows.append(said)
            entries.append(
                TicketEvent(
                    ticket=ticket, seq=ticket.last_seq + 1 + number, kind=EventKind.COMMENTED, at=now,
                    recorded_at=now + timedelta(microseconds=number), comment=said, organization=organization,
                    actor_name="the flood",
                )
            )  # fmt: skip
    Comment.objects.bulk_create(rows, batch_size=500)
    TicketEvent.objects.bulk_create(entries, batch_size=500)
    Ticket.objects.filter(pk__in=[ticket.pk for ticket in opened]).update(last_seq=F("last_seq") + each)


def entries_left(crossing: Crossing, name: str) -> int:
    """Journal entries that the system has not got yet."""
    links = TicketLink.objects.filter(connection=crossing.connections[name])
    return int(links.aggregate(left=Sum(F("ticket__last_seq") - F("applied_seq")))["left"] or 0)
