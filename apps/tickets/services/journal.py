"""Appending to the journal. Every write to a ticket goes through :func:`append`, in the writer's transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.ecosystem.models import Organization
from apps.foundation import wake

from ..actor import HERE, Actor, Source
from ..models import Attachment, Comment, Ticket, TicketEvent
from ..vocabulary import EventKind
from .marks import mark_for


def lock(ticket: Ticket) -> Ticket:
    """The ticket's row, locked until the transaction ends; ``seq`` is only ever given under this lock."""
    return Ticket.objects.select_for_update(no_key=True).get(pk=ticket.pk)


def is_known(ticket: Ticket, source: Source) -> bool:
    """Whether this change already stands in the journal (INV-4)."""
    if not source.ref:
        return False
    is_same = Q(origin=source.origin, origin_ref=source.ref) | Q(mark=mark_for(source))
    return TicketEvent.objects.filter(is_same, ticket=ticket).exists()


def append(
    ticket: Ticket,
    kind: EventKind,
    *,
    actor: Actor,
    at: datetime,
    source: Source,
    changes: Mapping[str, tuple[Any, Any]] | None = None,
    comment: Comment | None = None,
    attachment: Attachment | None = None,
    party: Organization | None = None,
    text: str = "",
) -> TicketEvent:
    """Add the next entry to the journal of ``ticket``, whose row the caller holds locked, and wake who reads it."""
    ticket.last_seq += 1
    ticket.updated_at = max(ticket.updated_at, at)
    ticket.save()
    event = TicketEvent.objects.create(
        ticket=ticket,
        seq=ticket.last_seq,
        kind=kind,
        changes={field: list(pair) for field, pair in (changes or {}).items()},
        comment=comment,
        attachment=attachment,
        party=party,
        text=text,
        actor=actor.user,
        actor_name=source.author or actor.name,
        organization=actor.organization,
        origin=source.origin,
        origin_ref=source.ref,
        mark=mark_for(source),
        at=at,
        recorded_at=timezone.now(),
    )
    wake.ring("journal", str(ticket.pk))
    return event


@transaction.atomic
def note(*, ticket: Ticket, text: str, actor: Actor, at: datetime) -> TicketEvent:
    """Put a remark of the portal itself into the journal, for all parties."""
    return append(lock(ticket), EventKind.NOTED, actor=actor, at=at, source=HERE, text=text)
