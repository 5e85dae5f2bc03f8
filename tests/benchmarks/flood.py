"""Journal entries in great numbers for one system, without the clicks that would make them."""

from collections.abc import Sequence

from django.db.models import F, Sum
from django.utils import timezone

from apps.sync.models import TicketLink
from apps.tickets import services as tickets
from apps.tickets.actor import HERE
from apps.tickets.models import Ticket, TicketEvent
from apps.tickets.services.marks import mark_for
from apps.tickets.vocabulary import EventKind

from .crossing import Crossing

AT_ONCE = 2000


def open_tickets(crossing: Crossing, name: str, number: int) -> list[Ticket]:
    """Open tickets of the owner of the connection to ``name``, and wait until its system has them."""
    actor = crossing.actor(name)
    opened = [
        tickets.open_ticket(values={"title": f"{name} {at}"}, actor=actor, at=timezone.now()) for at in range(number)
    ]
    links = TicketLink.objects.filter(
        connection=crossing.connections[name],
        ticket__in=[ticket.pk for ticket in opened],
        state=TicketLink.State.LINKED,
        applied_seq=F("ticket__last_seq"),
    )
    crossing.wait_for(f"tickets in {name}", lambda: links.count() == number)
    return opened


def write(opened: Sequence[Ticket], each: int) -> None:
    """Edit the title of every ticket ``each`` times; the last word of a title says which edit it was."""
    at_once = max(1, AT_ONCE // each)
    for start in range(0, len(opened), at_once):
        _write_some(opened[start : start + at_once], each)


def _write_some(opened: Sequence[Ticket], each: int) -> None:
    now = timezone.now()
    entries = []
    for ticket in opened:
        ticket.refresh_from_db()
        name = ticket.title
        titles = [name, *(f"{name} {number}" for number in range(1, each + 1))]
        entries += [
            TicketEvent(
                ticket=ticket, seq=ticket.last_seq + number, kind=EventKind.CHANGED, at=now, recorded_at=now,
                changes={"title": titles[number - 1 : number + 1]}, organization=ticket.opened_by,
                actor_name="the flood", mark=mark_for(HERE),
            )
            for number in range(1, each + 1)
        ]  # fmt: skip
        ticket.title, ticket.last_seq = titles[-1], ticket.last_seq + each
    TicketEvent.objects.bulk_create(entries, batch_size=500)
    for ticket in opened:
        ticket.save(update_fields=["title", "last_seq", "touched_at"])


def pour(crossing: Crossing, name: str, opened: Sequence[Ticket], each: int) -> int:
    """Let the edits gather while the connection is paused; how many they are when it goes on."""
    crossing.pause(name)
    write(opened, each)
    crossing.go_on(name)
    return each * len(opened)


def entries_left(crossing: Crossing, name: str) -> int:
    """Journal entries that the system has not got yet."""
    links = TicketLink.objects.filter(connection=crossing.connections[name])
    return int(links.aggregate(left=Sum(F("ticket__last_seq") - F("applied_seq")))["left"] or 0)
