"""Who reaches tickets and what hangs on them (T16, T63): the organizations that take part, and nobody else."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.access.levels import Level
from apps.access.policy import declare
from apps.access.principal import Principal

from .models import Attachment, Comment, Route, Ticket, TicketEvent, TicketParty
from .vocabulary import Audience

TICKET = "ticket"
ROUTE = "route"


def _takes_part(principal: Principal, level: Level, ticket: str) -> Exists:
    """Whether one of the principal's organizations is a party of the row's ticket (``ticket``: the row's field)."""
    parties = TicketParty.objects.filter(organization__in=principal.where(TICKET, level), ticket=OuterRef(ticket))
    return Exists(parties)


def _tickets(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    return rows.filter(_takes_part(principal, level, "pk"))


def _is_told(principal: Principal, prefix: str = "") -> Q:
    """Whether the audience of a comment or attachment takes in the principal."""
    mine = principal.where(TICKET)
    return (
        Q(**{prefix + "audience": Audience.PUBLIC})
        | Q(**{prefix + "organization__in": mine})
        | Q(**{prefix + "audience": Audience.CHOSEN, prefix + "chosen_parties__in": mine})
    )


def _conversation(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    told = rows.model.objects.filter(_is_told(principal), pk=OuterRef("pk"))
    return rows.filter(_takes_part(principal, level, "ticket"), Exists(told))


def _events(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    comment = Comment.objects.filter(_is_told(principal), pk=OuterRef("comment"))
    attachment = Attachment.objects.filter(_is_told(principal), pk=OuterRef("attachment"))
    return rows.filter(
        _takes_part(principal, level, "ticket"),
        Q(comment=None) | Exists(comment),
        Q(attachment=None) | Exists(attachment),
    )


def _routes(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    return rows.filter(customer__ecosystem__in=principal.where(ROUTE, level))


declare(Ticket, resource=TICKET, title="tickets", rows=_tickets)
declare(Comment, resource=TICKET, title="comments", rows=_conversation)
declare(Attachment, resource=TICKET, title="attachments", rows=_conversation)
declare(TicketEvent, resource=TICKET, title="journal entries", rows=_events)
declare(Route, resource=ROUTE, title="routes", rows=_routes)
