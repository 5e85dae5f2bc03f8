"""Opening a ticket, from the portal or from a party's own system."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.access.kernel import Forbidden
from apps.access.levels import Level
from apps.ecosystem.selectors import integrator_of

from ..actor import HERE, Actor, Source
from ..models import Ticket, TicketParty
from ..models.ticket import id_of, reference_of
from ..selectors import CUSTOM, priority_for, read_fields, representative_of
from ..vocabulary import EventKind, Status
from .changing import FieldNotUsable, check_value, stamp_status
from .journal import append
from .marks import mark_for
from .routing import follow_route


@transaction.atomic
def open_ticket(
    *, values: Mapping[str, Any], actor: Actor, at: datetime, source: Source = HERE, follows: Ticket | None = None
) -> Ticket:
    """Open a ticket for the actor's organization; customer and integrator take part from the start (T99).

    ``values``: hub field → value; a title is needed. Raises FieldNotUsable naming field and value, Forbidden.
    A route that fits hands it over at once (T47, T72).
    """
    if actor.organization.pk not in actor.principal.where("ticket", Level.WRITE):
        raise Forbidden(f"opening tickets for {actor.organization} needs write access to its tickets")
    wanted = {field: check_value(field, value) for field, value in values.items()}
    if not wanted.get("title"):
        raise FieldNotUsable("title: a ticket needs a title")
    source = replace(source, mark=mark_for(source))
    ticket = _make(wanted, actor, at, follows, source.mark)
    opened = {field: (None, value) for field, value in read_fields(ticket).items() if value not in ("", None)}
    append(ticket, EventKind.OPENED, actor=actor, at=at, source=source, changes=opened)
    TicketParty.objects.bulk_create(
        TicketParty(ticket=ticket, organization=organization, joined_at=at, joined_seq=1)
        for organization in _first_parties(actor)
    )
    follow_route(ticket, actor=actor, at=at, source=source)
    return ticket


def _make(wanted: Mapping[str, Any], actor: Actor, at: datetime, follows: Ticket | None, mark: str) -> Ticket:
    customer = actor.organization.customer or actor.organization
    plain = {field: value for field, value in wanted.items() if not field.startswith(CUSTOM)}
    if "priority" in plain and not {"impact", "urgency"} & set(plain):
        plain["impact"], plain["urgency"] = representative_of(customer.pk, plain["priority"])
    impact, urgency = plain.setdefault("impact", 3), plain.setdefault("urgency", 3)
    plain["priority"] = priority_for(customer.pk, impact=impact, urgency=urgency)
    ticket = Ticket(
        id=id_of(mark),
        reference=reference_of(mark),
        customer=customer,
        opened_by=actor.organization,
        held_by=actor.organization,
        follows=follows,
        custom={field.removeprefix(CUSTOM): value for field, value in wanted.items() if field.startswith(CUSTOM)},
        created_at=at,
        updated_at=at,
        **plain,
    )
    if ticket.status != Status.NEW:
        stamp_status(ticket, {"status": ticket.status}, at)
    return ticket


def _first_parties(actor: Actor) -> list[Any]:
    """The opener, the customer organization and its integrator, each once."""
    customer = actor.organization.customer or actor.organization
    integrator = integrator_of(customer)
    first = [actor.organization, customer] + ([integrator] if integrator else [])
    return list({organization.pk: organization for organization in first}.values())
