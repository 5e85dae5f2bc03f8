"""Changing a ticket's fields: one verb per intention. All append one journal entry with from and to of each field."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.access.kernel import require
from apps.access.levels import Level

from ..actor import HERE, Actor, Source
from ..models import Ticket, TicketEvent
from ..selectors import CUSTOM, FIELDS, priority_for, representative_of
from ..vocabulary import MOVES, Category, EventKind, Kind, Priority, Status
from .journal import append, is_known, lock
from .routing import follow_route


class MoveNotAllowed(Exception):
    """The ticket cannot go from its status to the wanted one in one move; the text names the moves that are legal."""


class FieldNotUsable(Exception):
    """A field or its value is not one of a ticket's; the text names field, value and what would be right."""


_CHOICES: Mapping[str, type] = {"kind": Kind, "status": Status, "priority": Priority, "category": Category}
_LENGTHS = {"title": 255, "assignee": 200}


def edit(*, ticket: Ticket, values: Mapping[str, Any], actor: Actor, at: datetime) -> TicketEvent | None:
    """Change title, description, kind, category, assignee, resolution or a custom field from the portal.

    Raises FieldNotUsable. Returns None when nothing differs.
    """
    moved = {"status", "impact", "urgency", "priority"} & set(values)
    if moved:
        raise FieldNotUsable(f"{', '.join(sorted(moved))}: use the verbs that assess, prioritize or move a ticket")
    return _change(ticket, values, actor, at, HERE)


def assess(*, ticket: Ticket, impact: int, urgency: int, actor: Actor, at: datetime) -> TicketEvent | None:
    """Set impact and urgency (1 is the strongest); the priority follows from the matrix (T96)."""
    return _change(ticket, {"impact": impact, "urgency": urgency}, actor, at, HERE)


def prioritize(*, ticket: Ticket, priority: str, actor: Actor, at: datetime) -> TicketEvent | None:
    """Set the priority; impact and urgency move to a pair that gives it, if the present pair does not."""
    return _change(ticket, {"priority": priority}, actor, at, HERE)


def move(*, ticket: Ticket, status: str, actor: Actor, at: datetime, resolution: str = "") -> TicketEvent | None:
    """Take the ticket to another status along the legal moves; back from resolved or closed re-opens it."""
    if status not in MOVES[ticket.status] and status != ticket.status:
        legal = ", ".join(MOVES[ticket.status])
        raise MoveNotAllowed(f"status: from {ticket.status} a ticket can go to {legal}, not to {status}")
    values = {"status": status} | ({"resolution": resolution} if resolution else {})
    return _change(ticket, values, actor, at, HERE)


def receive_changes(
    *, ticket: Ticket, values: Mapping[str, Any], actor: Actor, at: datetime, source: Source
) -> TicketEvent | None:
    """Take over what happened in a party's own system. Any status may follow any other: it has already happened there.

    Returns None when the change is already in the journal or changes nothing. Raises FieldNotUsable.
    """
    return _change(ticket, values, actor, at, source)


@transaction.atomic
def _change(
    ticket: Ticket, values: Mapping[str, Any], actor: Actor, at: datetime, source: Source
) -> TicketEvent | None:
    require(actor.principal, Level.WRITE, ticket)
    locked = lock(ticket)
    if is_known(locked, source):
        return None
    wanted = _with_priority(locked, {field: check_value(field, value) for field, value in values.items()})
    changes = _apply(locked, wanted)
    if not changes:
        return None
    stamp_status(locked, changes, at)
    event = append(locked, EventKind.CHANGED, actor=actor, at=at, source=source, changes=changes)
    if {"category", "kind"} & set(changes):
        follow_route(locked, actor=actor, at=at, source=source)
    for column in Ticket._meta.concrete_fields:
        setattr(ticket, column.attname, getattr(locked, column.attname))
    return event


def check_value(field: str, value: Any) -> Any:
    """``value`` as the field keeps it. Raises FieldNotUsable naming field, value and what would be right."""
    if field.startswith(CUSTOM):
        return "" if value is None else str(value)
    if field not in FIELDS:
        raise FieldNotUsable(f"{field}: a ticket has no such field; it has {', '.join(FIELDS)} and {CUSTOM}…")
    if field in ("impact", "urgency"):
        if str(value) not in ("1", "2", "3", "4"):
            raise FieldNotUsable(f"{field}: {value!r} is not one of 1, 2, 3, 4")
        return int(value)
    text = "" if value is None else str(value)
    if field in _CHOICES and text not in _CHOICES[field].values:  # type: ignore[attr-defined]
        legal = ", ".join(repr(choice) for choice in _CHOICES[field].values)  # type: ignore[attr-defined]
        raise FieldNotUsable(f"{field}: {text!r} is not one of {legal}")
    if field == "title" and not text.strip():
        raise FieldNotUsable("title: a ticket needs a title")
    if len(text) > _LENGTHS.get(field, len(text)):
        raise FieldNotUsable(f"{field}: {len(text)} characters are too long, at most {_LENGTHS[field]} fit")
    return text


def _with_priority(ticket: Ticket, values: dict[str, Any]) -> dict[str, Any]:
    """Impact and urgency decide; a priority given alone picks the representative pair that yields it."""
    if "impact" in values or "urgency" in values:
        impact, urgency = values.get("impact", ticket.impact), values.get("urgency", ticket.urgency)
        return values | {"priority": priority_for(ticket.customer_id, impact=impact, urgency=urgency)}
    if "priority" in values and values["priority"] != ticket.priority:
        impact, urgency = representative_of(ticket.customer_id, values["priority"])
        return values | {"impact": impact, "urgency": urgency}
    return values


def _apply(ticket: Ticket, values: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    changes: dict[str, tuple[Any, Any]] = {}
    for field, value in values.items():
        if field.startswith(CUSTOM):
            name = field.removeprefix(CUSTOM)
            before = ticket.custom.get(name, "")
            ticket.custom = ticket.custom | {name: value}
        else:
            before = getattr(ticket, field)
            setattr(ticket, field, value)
        if before != value:
            changes[field] = (before, value)
    return changes


def stamp_status(ticket: Ticket, changes: Mapping[str, Any], at: datetime) -> None:
    """Note when the ticket was resolved or closed; a re-opening takes both back."""
    if "status" not in changes:
        return
    if ticket.status == Status.RESOLVED:
        ticket.resolved_at = at
    elif ticket.status == Status.CLOSED:
        ticket.closed_at = at
        ticket.resolved_at = ticket.resolved_at or at
    else:
        ticket.resolved_at = ticket.closed_at = None
