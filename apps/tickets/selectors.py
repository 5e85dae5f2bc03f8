"""Reading tickets: rows by viewer, the priority matrix, and a ticket as plain fields."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When

from apps.access.kernel import visible_to
from apps.access.principal import Principal

from .models import Attachment, Comment, PriorityCell, Ticket, TicketEvent, TicketParty
from .vocabulary import OPEN_STATUSES, EventKind, Priority

FIELDS = (
    "title",
    "description",
    "kind",
    "status",
    "impact",
    "urgency",
    "priority",
    "category",
    "assignee",
    "resolution",
)
"""The fields of a ticket that rules may map, in the hub's own words."""

CUSTOM = "custom."
"""Prefix of further fields: ``custom.site``."""


def tickets(*, seen_by: Principal) -> QuerySet[Ticket]:
    """The tickets in which one of the viewer's organizations takes part."""
    return visible_to(Ticket.objects.all(), seen_by).select_related("opened_by", "held_by", "customer")


def events_of(ticket: Ticket, *, seen_by: Principal) -> QuerySet[TicketEvent]:
    """The journal as far as ``seen_by`` may read it: entries about comments and files follow those."""
    return visible_to(TicketEvent.objects.filter(ticket=ticket), seen_by).order_by("seq")


def comments_of(ticket: Ticket, *, seen_by: Principal) -> QuerySet[Comment]:
    """The comments on a ticket whose audience takes in the viewer, oldest first."""
    return visible_to(Comment.objects.filter(ticket=ticket), seen_by).order_by("at", "id")


def attachments_of(ticket: Ticket, *, seen_by: Principal) -> QuerySet[Attachment]:
    """The files on a ticket whose audience takes in the viewer, oldest first."""
    return visible_to(Attachment.objects.filter(ticket=ticket), seen_by).order_by("at", "id")


def priority_matrix(customer_id: UUID) -> dict[tuple[int, int], str]:
    """(urgency, impact) → priority for one customer; its own cells win over the default."""
    cells = PriorityCell.objects.filter(Q(customer=None) | Q(customer=customer_id))
    ranked = sorted(
        cells.values_list("customer", "urgency", "impact", "priority"), key=lambda cell: cell[0] is not None
    )
    return {(urgency, impact): priority for _customer, urgency, impact, priority in ranked}


def priority_for(customer_id: UUID, *, impact: int, urgency: int) -> str:
    """The priority that the customer's matrix gives to an impact and an urgency (T96)."""
    return priority_matrix(customer_id)[urgency, impact]


def representative_of(customer_id: UUID, priority: str) -> tuple[int, int]:
    """The (impact, urgency) that stands for a priority given alone: on the diagonal where that yields it."""
    matrix = priority_matrix(customer_id)
    for level in range(1, 5):
        if matrix[level, level] == priority:
            return level, level
    for (urgency, impact), held in sorted(matrix.items()):
        if held == priority:
            return impact, urgency
    raise LookupError(
        f"no cell of the priority matrix gives {priority!r}; add one, or choose {', '.join(Priority.values)}"
    )


def read_fields(ticket: Ticket) -> dict[str, Any]:
    """The ticket as plain fields: hub field → value."""
    plain: dict[str, Any] = {field: getattr(ticket, field) for field in FIELDS}
    return plain | {CUSTOM + name: value for name, value in ticket.custom.items()}


def field_in_words(field: str) -> str:
    """A hub field as people read it: ``custom.cost_center`` is *cost center*."""
    return field.removeprefix(CUSTOM).replace("_", " ")


KEY_FINDERS: list[Callable[[str, Principal], QuerySet[Any]]] = []
"""Ways to find tickets by what other apps call them, filled by the composition root: words, viewer → ids of tickets."""

PRIORITY_RANK = Case(
    *(When(priority=priority, then=Value(rank)) for rank, priority in enumerate(Priority.values)),
    output_field=IntegerField(),
)
"""Critical first: the words themselves do not sort by weight."""


def matching(rows: QuerySet[Ticket], words: str, *, seen_by: Principal) -> QuerySet[Ticket]:
    """Tickets of ``rows`` with ``words`` in reference, title or description, or known by that key in some system."""
    found = Q(reference__icontains=words) | Q(title__icontains=words) | Q(description__icontains=words)
    for find in KEY_FINDERS:
        found |= Q(pk__in=find(words, seen_by))
    return rows.filter(found)


def parties_of(ticket: Ticket) -> QuerySet[TicketParty]:
    """Who takes part in a ticket, in the order in which they joined. Every party knows the others."""
    return TicketParty.objects.filter(ticket=ticket).select_related("organization").order_by("joined_seq", "id")


def held_open(*, seen_by: Principal) -> QuerySet[Ticket]:
    """Open tickets that one of the viewer's own organizations holds."""
    return tickets(seen_by=seen_by).filter(held_by__in=seen_by.organizations, status__in=OPEN_STATUSES)


def open_by_priority(*, seen_by: Principal) -> dict[str, int]:
    """Priority → how many open tickets the viewer's organizations hold."""
    counted = held_open(seen_by=seen_by).order_by().values_list("priority").annotate(number=Count("pk"))
    return dict.fromkeys(Priority.values, 0) | dict(counted)


def hand_overs_of(ticket: Ticket, *, seen_by: Principal) -> QuerySet[TicketEvent]:
    """The journal entries by which custody went from party to party."""
    return events_of(ticket, seen_by=seen_by).filter(kind=EventKind.HANDED_OVER).select_related("party")


def journal_of(ticket: Ticket, *, seen_by: Principal) -> QuerySet[TicketEvent]:
    """The journal as a page shows it, newest first, with all that an entry needs to be told."""
    return (
        events_of(ticket, seen_by=seen_by)
        .order_by("-seq")
        .select_related("comment", "attachment", "organization", "party")
        .prefetch_related("comment__chosen_parties", "attachment__chosen_parties")
    )
