"""Reading for a whole round at once what each of its links is about to ask for (design 3.6).

What is read ahead is used once. Nobody else writes to the lane while it is claimed, but for a person who skips an
entry; then the worker meets what it would have met had it been a little quicker.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import F, Q

from apps.tickets.models import TicketEvent

from ..models import Intent, TicketLink

EVENTS = 3
"""Journal entries beyond what is applied; most rounds need one and look for a next."""


class Ahead:
    """What was read for one link: intents that matter to the next step, and the next journal entries."""

    __slots__ = ("events", "intents", "upto")

    def __init__(self, link: TicketLink) -> None:
        self.intents: list[Intent] = []
        self.events: list[TicketEvent] = []
        self.upto = link.applied_seq + EVENTS


def read_ahead(links: Sequence[TicketLink]) -> None:
    """Two queries for all of ``links``, whatever their number."""
    ahead = {link.pk: Ahead(link) for link in links}
    open_or_under_way = Q(state=Intent.State.OPEN) | Q(state=Intent.State.APPLIED, seq__gt=F("link__applied_seq"))
    for intent in Intent.objects.filter(open_or_under_way, link__in=ahead).order_by("pk"):
        ahead[intent.link_id].intents.append(intent)
    for event, link_id in _next_events(ahead):
        ahead[link_id].events.append(event)
    for link in links:
        link.ahead = ahead[link.pk]  # type: ignore[attr-defined]


def _next_events(links: Iterable[Any]) -> list[tuple[TicketEvent, Any]]:
    applied = F("ticket__links__applied_seq")
    rows = (
        TicketEvent.objects.filter(ticket__links__in=list(links), seq__gt=applied, seq__lte=applied + EVENTS)
        .annotate(of_link=F("ticket__links"))
        .order_by("seq")
        .select_related("comment__organization", "attachment")
        .prefetch_related("comment__chosen_parties", "attachment__chosen_parties")
    )
    return [(event, event.of_link) for event in rows]


def intents_ahead(link: TicketLink) -> list[Intent]:
    """Open intents, and those applied for entries that are not through."""
    ahead: Ahead | None = getattr(link, "ahead", None)
    if ahead is not None:
        return ahead.intents
    open_or_under_way = Q(state=Intent.State.OPEN) | Q(state=Intent.State.APPLIED, seq__gt=link.applied_seq)
    return list(Intent.objects.filter(open_or_under_way, link=link).order_by("pk"))


def events_ahead(link: TicketLink, seq: int, most: int | None) -> list[TicketEvent] | None:
    """The journal after ``seq`` as far as it was read ahead; None when that may not be all that is asked for."""
    ahead: Ahead | None = getattr(link, "ahead", None)
    if ahead is None:
        return None
    found = [event for event in ahead.events if event.seq > seq]
    is_whole = len(ahead.events) < EVENTS
    if is_whole or (most is not None and len(found) >= most):
        return found[:most]
    return None
