"""Reading connections and lanes: rows by viewer, and what a page or a report tells of their health."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, F, IntegerField, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import TruncMinute

from apps.access.kernel import visible_to
from apps.access.principal import Principal
from apps.tickets.models import Ticket, TicketEvent

from ..models import Conflict, Connection, Exchange, Intent, Notice, RulesVersion, TicketLink

HELD = Q(delivery_hold__isnull=False) | Q(intake_hold__isnull=False)
"""Lanes that wait for a person."""

_DELIVERS = (TicketLink.State.CREATING, TicketLink.State.LINKED)


def connections(*, seen_by: Principal) -> QuerySet[Connection]:
    """One's own connections, and for who watches the ecosystem those of all its organizations."""
    return (
        visible_to(Connection.objects.all(), seen_by)
        .select_related("organization", "pulse")
        .order_by("organization__name", "name")
    )


def links_of(ticket: Ticket, *, seen_by: Principal) -> QuerySet[TicketLink]:
    """The ticket's links, each with its connection as it is now."""
    rows = visible_to(TicketLink.objects.filter(ticket=ticket), seen_by)
    return rows.select_related("connection__organization", "connection__pulse", "ticket")


def tickets_with_key(words: str, seen_by: Principal) -> QuerySet[Any]:
    """Ids of tickets that some system, as far as the viewer sees its links, knows by exactly this key."""
    links = visible_to(TicketLink.objects.all(), seen_by)
    return links.filter(key__iexact=words.strip(), ticket__isnull=False).values("ticket")


def held_lanes(*, seen_by: Principal) -> QuerySet[TicketLink]:
    """Lanes that wait for a person, the one that has to do with the most recent ticket first."""
    rows = visible_to(TicketLink.objects.all(), seen_by).filter(HELD)
    return rows.select_related("connection__organization", "ticket").order_by("-ticket__updated_at", "id")


def held_by_connection(*, seen_by: Principal) -> dict[UUID, int]:
    """Connection → how many of its lanes wait for a person; connections without any are absent."""
    rows = visible_to(TicketLink.objects.all(), seen_by).filter(HELD).order_by()
    return dict(rows.values_list("connection").annotate(number=Count("pk")))


def oldest_waiting(*, seen_by: Principal) -> dict[UUID, datetime]:
    """Connection → when the oldest journal entry was recorded that has not reached the system yet."""
    first = TicketEvent.objects.filter(ticket=OuterRef("ticket"), seq=OuterRef("applied_seq") + 1)
    owing = visible_to(TicketLink.objects.all(), seen_by).filter(
        state__in=_DELIVERS, ticket__last_seq__gt=F("applied_seq")
    )
    dated = owing.annotate(since=Subquery(first.values("recorded_at")[:1])).order_by()
    return {pk: since for pk, since in dated.values_list("connection").annotate(oldest=Min("since")) if since}


def calls_in_last_hour(*, seen_by: Principal, now: datetime, step_minutes: int = 5) -> dict[UUID, list[int]]:
    """Connection → calls in each step of the last hour, oldest first; only for who may see its exchanges."""
    steps = 60 // step_minutes
    since = now - timedelta(hours=1)
    rows = visible_to(Exchange.objects.filter(at__gt=since), seen_by).order_by()
    counted = rows.annotate(minute=TruncMinute("at")).values_list("connection", "minute").annotate(number=Count("pk"))
    calls: dict[UUID, list[int]] = {}
    for connection, minute, number in counted:
        ago = int((now - minute).total_seconds() // 60) // step_minutes
        calls.setdefault(connection, [0] * steps)[max(0, steps - 1 - ago)] += number
    return calls


def open_conflicts(connection: Connection, *, seen_by: Principal) -> QuerySet[Conflict]:
    """Conflicts of a connection that a person still has to settle, newest first."""
    rows = visible_to(Conflict.objects.filter(link__connection=connection, is_open=True), seen_by)
    return rows.select_related("link__ticket").order_by("-recorded_at")


def skipped_of(connection: Connection, *, seen_by: Principal) -> QuerySet[Intent]:
    """Journal entries that a person left out for this system, with who and why, newest first."""
    links = visible_to(TicketLink.objects.filter(connection=connection), seen_by)
    left_out = Intent.objects.filter(link__in=links, slot="skipped", state=Intent.State.WITHHELD)
    return left_out.select_related("link").order_by("-created_at")


def notices_of(connection: Connection, *, seen_by: Principal) -> QuerySet[Notice]:
    """The verified webhooks of a connection, newest first."""
    return visible_to(Notice.objects.filter(connection=connection), seen_by).order_by("-received_at")


def exchanges_of(connection: Connection, *, seen_by: Principal) -> QuerySet[Exchange]:
    """The calls to a connection's system, newest first; its owner's alone."""
    return visible_to(Exchange.objects.filter(connection=connection), seen_by).order_by("-at")


def rules_of(connection: Connection, *, seen_by: Principal) -> QuerySet[RulesVersion]:
    """All versions of a connection's rules, newest first; its owner's alone (T13)."""
    rows = visible_to(RulesVersion.objects.filter(connection=connection), seen_by)
    return rows.select_related("author").order_by("-number")


def rules_number_of(connection: Connection) -> int | None:
    """The number of the version in force: that there is one is no secret, what it says is."""
    rows = RulesVersion.objects.filter(connection=connection, state=RulesVersion.State.PUBLISHED)
    return rows.values_list("number", flat=True).first()


def link_counts(connection: Connection, *, seen_by: Principal) -> dict[str, int]:
    """State → number of the connection's links."""
    rows = visible_to(TicketLink.objects.filter(connection=connection), seen_by).order_by()
    return dict(rows.values_list("state").annotate(number=Count("pk", output_field=IntegerField())))
