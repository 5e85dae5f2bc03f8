"""What the operator does about lanes that wait, one or many: retry, skip, write another value, hand to a person (M11).

Each is noted with who did it and why. What already exists for one lane (``lanes``) is used as it is.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from apps.access.kernel import Forbidden, may, require
from apps.access.levels import Level
from apps.accounts.models import User
from apps.ecosystem.selectors import principal_of
from apps.foundation import wake
from apps.tickets import services as tickets
from apps.tickets.actor import Actor
from apps.tickets.models import Ticket, TicketEvent
from apps.tickets.selectors import CUSTOM, read_fields
from apps.tickets.vocabulary import Category, EventKind, Kind, Priority, Status

from ..bases import as_value
from ..connectors.catalog import CONNECTORS
from ..engine.braking import CAUSE
from ..engine.merge import NEVER, Agreement
from ..engine.rules import RuleGap, SyncRules, into_system
from ..engine.settle import agree_to_differ
from ..models import Connection, Intent, LaneAct, LaneCharge, TicketLink
from .lanes import NothingWaits, is_asked, note_acts, skip_entry
from .ruling import published_rules

MOST_AT_ONCE = 1000
CHOICES: dict[str, type] = {"kind": Kind, "status": Status, "priority": Priority, "category": Category}
"""The fields that take one of a few words."""

_MAY_CHANGE = ("title", "description", "kind", "category", "assignee", "resolution")


class Done(NamedTuple):
    """What became of an act on several lanes: how many it was done to, and why not to the others."""

    number: int
    refused: dict[UUID, str]


def retry_lanes(*, connection: Connection, links: Collection[UUID], actor: Actor, at: datetime, note: str = "") -> int:
    """Try the lanes of one connection again now, however many, with a fixed number of writes.

    A question about a conflict stays open. Returns how many.
    """
    require(actor.principal, Level.WRITE, connection)
    rows = TicketLink.objects.filter(pk__in=links, connection=connection)
    with transaction.atomic():
        chosen = list(rows.select_for_update().values_list("pk", flat=True))
        these = TicketLink.objects.filter(pk__in=chosen)
        these.exclude(conflicts__is_open=True).update(delivery_hold=None)
        these.exclude(external_id="").update(look_wanted=F("look_wanted") + 1)
        these.update(intake_hold=None, attempts=0, due_at=at)
        note_acts(chosen, LaneAct.Verb.RETRIED, actor, at, note)
        wake.ring("connection", str(connection.pk))
    return len(chosen)


def skip_entries(*, connection: Connection, links: Collection[UUID], actor: Actor, at: datetime, reason: str) -> Done:
    """Leave out the entry at the head of each lane, each on its own: what cannot be skipped stays, and says why."""
    require(actor.principal, Level.WRITE, connection)
    rows = TicketLink.objects.filter(pk__in=links, connection=connection).select_related("connection__organization")
    refused: dict[UUID, str] = {}
    number = 0
    for link in rows:
        try:
            skip_entry(link=link, actor=actor, at=at, reason=reason)
        except NothingWaits as problem:
            refused[link.pk] = str(problem)
        else:
            number += 1
    wake.ring("connection", str(connection.pk))
    return Done(number, refused)


@transaction.atomic
def hand_lanes(
    *, connection: Connection, links: Collection[UUID], person: User, actor: Actor, at: datetime, note: str = ""
) -> int:
    """Give lanes of one connection to a person, who sees them at home. Raises Forbidden if that person may not."""
    require(actor.principal, Level.WRITE, connection)
    if not may(principal_of(person), Level.READ, connection):
        raise Forbidden(f"{person.name} may not see {connection.name}; choose somebody of the party that must act")
    chosen = list(TicketLink.objects.filter(pk__in=links, connection=connection).values_list("pk", flat=True))
    LaneCharge.objects.filter(link__in=chosen).delete()
    LaneCharge.objects.bulk_create(
        LaneCharge(link_id=pk, person=person, note=note, given_by=actor.name, given_at=at) for pk in chosen
    )
    told = f"to {person.name}" + (f": {note}" if note else "")
    note_acts(chosen, LaneAct.Verb.HANDED, actor, at, told)
    return len(chosen)


def end_charges() -> int:
    """Take the charge from everybody whose lane goes on by itself again; how many."""
    ended, _ = LaneCharge.objects.filter(link__delivery_hold__isnull=True, link__intake_hold__isnull=True).delete()
    return ended


# --- Another value ----------------------------------------------------------------------------------------------------


def correctable_fields(link: TicketLink) -> dict[str, Any]:
    """Hub field → present value, of the fields that another value could free the lane; empty where none can."""
    rules = published_rules(link.connection)
    if link.ticket is None or rules is None or is_asked(link) or _is_braked(link):
        return {}
    present = read_fields(link.ticket)
    if link.delivery_hold is not None:
        head = _head_of(link)
        if head is None or link.intents.filter(state=Intent.State.OPEN).exists():
            return {}
        names = _written(rules) if head.kind == EventKind.OPENED else set(head.changes)
        asked = _hub_fields(rules, str(link.delivery_hold.get("field", "")))
        return {name: present.get(name, "") for name in sorted(names & (asked or names)) if _is_writable(name)}
    if link.intake_hold is not None and _knows_its_place(link):
        names = _hub_fields(rules, str(link.intake_hold.get("field", "")))
        return {name: present.get(name, "") for name in sorted(names) if _is_writable(name)}
    return {}


def _is_braked(link: TicketLink) -> bool:
    """Whether the lane waits for the answers of two parties, which another value must not forestall."""
    return any(hold is not None and hold["cause"] == CAUSE for hold in (link.delivery_hold, link.intake_hold))


def _knows_its_place(link: TicketLink) -> bool:
    """Whether the next look begins behind what we wrote ourselves. Before the first entry of a change log is taken in,
    the ticket is read as it was created, and what was agreed since does not count."""
    return bool(link.change_cursor) or not CONNECTORS[link.connection.connector].capabilities.has_change_log


def _is_writable(name: str) -> bool:
    return name in (*_MAY_CHANGE, "priority", "status") or name.startswith(CUSTOM)


def _written(rules: SyncRules) -> set[str]:
    return {rule.hub for rule in rules.fields if rule.goes_in}


def _hub_fields(rules: SyncRules, named: str) -> set[str]:
    """The hub's fields that a hold is about: it names the hub's field, the system's, or the rule."""
    return {rule.hub for rule in rules.fields if named in (rule.hub, rule.system, rule.key)}


def _head_of(link: TicketLink) -> TicketEvent | None:
    return TicketEvent.objects.filter(ticket=link.ticket, seq=link.applied_seq + 1).first()


@transaction.atomic
def correct_value(*, link: TicketLink, field: str, value: str, actor: Actor, at: datetime) -> TicketLink:
    """Write another value to the ticket's ``field`` and let the lane go on with that; the value that could not cross is
    left out for this system alone, on record.

    Raises NothingWaits where no other value would help, and what the verbs of ``tickets`` raise for the value.
    """
    require(actor.principal, Level.WRITE, link.connection)
    held = (
        TicketLink.objects.select_for_update(of=("self",))
        .select_related("ticket", "connection__organization")
        .get(pk=link.pk)
    )
    if field not in correctable_fields(held):
        raise NothingWaits(f"{field}: another value would not free this lane; correct the rules, then retry")
    rules = published_rules(held.connection)
    assert held.ticket is not None
    assert rules is not None
    is_delivery = held.delivery_hold is not None
    before = (held.delivery_hold or held.intake_hold or {}).get("value")
    head = _head_of(held)
    _write(held.ticket, field, value, actor, at)
    held.ticket = Ticket.objects.get(pk=held.ticket.pk)
    if is_delivery and head is not None:
        _leave_out(held, head, field, rules)
    elif not is_delivery:
        _agree_with_system(held, field, before, rules)
    _free(held, field, actor, at)
    return held


def _write(ticket: Ticket, field: str, value: str, actor: Actor, at: datetime) -> None:
    if field == "priority":
        tickets.prioritize(ticket=ticket, priority=value, actor=actor, at=at)
    elif field == "status":
        tickets.move(ticket=ticket, status=value, actor=actor, at=at)
    else:
        tickets.edit(ticket=ticket, values={field: value}, actor=actor, at=at)


def _leave_out(link: TicketLink, head: TicketEvent, field: str, rules: SyncRules) -> None:
    """Keep one field of the entry at the head from the system; what else it says still goes there, in order."""
    assert link.ticket is not None
    if head.kind == EventKind.OPENED:
        # The ticket is not there yet: it is created as it stands now. Comments in between are entries of their own.
        link.start_seq = link.ticket.last_seq
        return
    _before, after = head.changes[field]
    link.base = agree_to_differ(link.base, {field: as_value(after)}, head.seq, rules)


def _agree_with_system(link: TicketLink, field: str, there: Any, rules: SyncRules) -> None:
    """The system keeps its word and the hub its value: the two are the same from now on."""
    assert link.ticket is not None
    base = dict(link.base)
    here = as_value(read_fields(link.ticket).get(field, ""))
    for rule in rules.fields:
        if rule.hub != field or not rule.comes_out:
            continue
        known = base.get(rule.key, NEVER)
        try:
            is_as_before = rule.goes_in and into_system(rule, here).value == known.system
        except RuleGap:
            is_as_before = False
        if is_as_before:
            raise NothingWaits(
                f"{field}: {here!r} is what the system had before; add its new word to the rules instead"
            )
        base[rule.key] = Agreement(here, as_value(there), link.ticket.last_seq)
    link.base = base


def _free(link: TicketLink, field: str, actor: Actor, at: datetime) -> None:
    hold = link.delivery_hold or link.intake_hold or {}
    told = f"{field}: {hold.get('value')!r} was left out for this system; another value was written"
    seq = link.applied_seq + 1
    slot = f"corrected {field} {link.ticket.last_seq if link.ticket else 0}"[:60]
    Intent.objects.create(
        link=link,
        seq=seq,
        slot=slot,
        state=Intent.State.WITHHELD,
        note=f"{actor.name}: {told}",
        is_seen=True,
        created_at=at,
        settled_at=at,
    )
    if link.delivery_hold is not None:
        link.delivery_hold = None
    else:
        link.intake_hold, link.look_wanted = None, link.look_wanted + 1
    link.attempts, link.due_at = 0, at
    link.save()
    note_acts([link.pk], LaneAct.Verb.CORRECTED, actor, at, told)
    wake.ring("connection", str(link.connection_id))


def lanes_by_connection(links: QuerySet[TicketLink]) -> dict[UUID, list[UUID]]:
    """The lanes of a selection by connection, MOST_AT_ONCE at most: each connection has an owner to act for."""
    found: dict[UUID, list[UUID]] = {}
    for connection_id, pk in links.values_list("connection", "pk")[:MOST_AT_ONCE]:
        found.setdefault(connection_id, []).append(pk)
    return found
