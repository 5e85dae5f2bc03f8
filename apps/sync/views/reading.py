"""The list of connections and the page of one."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.access.kernel import find_visible, visible_to
from apps.access.levels import Level
from apps.access.principal import Principal
from apps.foundation.pages import answer_live, render_live, show, signed_in
from apps.tickets.models import Ticket
from apps.tickets.selectors import tickets
from apps.tickets.views.acting import principal_of

from ..connectors.catalog import CONNECTORS
from ..models import Conflict, Connection, TicketLink
from ..permissions import CONNECTION, RULES
from ..selectors import (
    allowance_of,
    brakes_in_force,
    connections,
    exchanges_of,
    held_lanes,
    link_counts,
    notices_of,
    open_conflicts,
    restorations,
    rules_number_of,
    skipped_of,
)
from ..services import notice_secrets
from .health import Hold, healths, holds_of

LANES_SHOWN, NOTICES_SHOWN, EXCHANGES_SHOWN = 100, 10, 20


def find_connection(request: HttpRequest, connection_id: UUID, level: Level = Level.READ) -> Connection:
    """The connection; raises NotVisible when the reader must not know of it, Forbidden below ``level``."""
    principal = principal_of(request)
    return find_visible(connections(seen_by=principal), principal, level, pk=connection_id)


@signed_in
@require_safe
def connection_list(request: HttpRequest) -> HttpResponse:
    """All connections that the reader may see, with their health at a glance."""
    principal = principal_of(request)
    rows = healths(connections(seen_by=principal), seen_by=principal, now=timezone.now())
    context = {
        "healths": rows,
        "may_create": principal.holds(CONNECTION, Level.FULL),
        "restored": restorations(seen_by=principal).first(),
    }
    return show(request, "sync/list.html", context, fragment="sync/_list.html")


@dataclass
class Waiting:
    """A lane that waits; ``ticket`` only if the reader may see it."""

    link: TicketLink
    hold: Hold
    ticket: Ticket | None


@dataclass
class Cause:
    """Lanes that wait for the same reason."""

    hold: Hold
    lanes: list[Waiting] = field(default_factory=list)


def _causes(connection: Connection, principal: Principal) -> list[Cause]:
    links = list(held_lanes(seen_by=principal).filter(connection=connection)[:LANES_SHOWN])
    wanted = [link.ticket_id for link in links if link.ticket_id]
    known = {ticket.pk: ticket for ticket in tickets(seen_by=principal).filter(pk__in=wanted)}
    causes: dict[tuple[str, str, str], Cause] = {}
    for link in links:
        for hold in holds_of(link):
            cause = causes.setdefault((hold.cause, hold.party, hold.remedy), Cause(hold))
            cause.lanes.append(Waiting(link, hold, known.get(link.ticket_id) if link.ticket_id else None))
    return sorted(causes.values(), key=lambda cause: -len(cause.lanes))


def live_context(connection: Connection, principal: Principal, now: datetime) -> dict[str, Any]:
    """What moves on the page of a connection."""
    rows = Connection.objects.filter(pk=connection.pk)
    states: dict[str, int] = defaultdict(int, link_counts(connection, seen_by=principal))
    return {
        "connection": connection,
        "health": healths([connection], seen_by=principal, now=now)[0],
        "allowance": allowance_of(connection, now=now),
        "now": now,
        "linked": states[TicketLink.State.LINKED],
        "detached": states[TicketLink.State.DETACHED],
        "causes": _causes(connection, principal),
        "conflicts": [(one, _field_names(one)) for one in open_conflicts(connection, seen_by=principal)[:LANES_SHOWN]],
        "skipped": list(skipped_of(connection, seen_by=principal)[:NOTICES_SHOWN]),
        "notices": list(notices_of(connection, seen_by=principal)[:NOTICES_SHOWN]),
        "exchanges": list(exchanges_of(connection, seen_by=principal)[:EXCHANGES_SHOWN]),
        "sees_exchanges": connection.organization_id in principal.where(CONNECTION),
        "may_act": visible_to(rows, principal, Level.WRITE).exists(),
        "may_own": connection.organization_id in principal.where(CONNECTION, Level.FULL),
    }


def _field_names(conflict: Conflict) -> str:
    """The field of a conflict, and what the system calls it where that differs."""
    hub, _, system = conflict.rule_key.partition("=")
    return f"{hub} ({system})" if system and system != hub else hub


@signed_in
@require_safe
def connection_page(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """One connection: how it is, what waits, and for its owner how it is set up."""
    connection = find_connection(request, connection_id)
    principal = principal_of(request)
    context = live_context(connection, principal, timezone.now())
    context |= {
        "live": render_live(request, "sync/_live.html", context),
        "rules_number": rules_number_of(connection),
        "braked": brakes_in_force(seen_by=principal).filter(connection=connection),
        "sees_rules": connection.organization_id in principal.where(RULES),
    }
    if context["may_own"]:
        context |= _setup(connection)
    return render(request, "sync/connection.html", context)


@signed_in
@require_safe
def connection_live(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """The moving part of the page; 204 while nothing moves."""
    connection = find_connection(request, connection_id)
    return answer_live(request, "sync/_live.html", live_context(connection, principal_of(request), timezone.now()))


def _setup(connection: Connection) -> dict[str, Any]:
    """How the connection is set up, for its owner: settings in full, secrets by name only."""
    kind = CONNECTORS.get(connection.connector)
    known = kind.Settings.model_fields if kind else {}
    shown = [(name.replace("_", " "), value, known[name].description if name in known else "")
             for name, value in connection.settings.items()]  # fmt: skip
    return {
        "settings": shown,
        "secret_names": sorted(
            name.replace("_", " ") for name in connection.secrets if not name.endswith("notice_secret")
        ),
        "notice_address": notice_address(connection),
        "signs_notices": bool(kind and kind.capabilities.signs_notices),
        "notice_secrets": len(notice_secrets(connection)),
        "how_to_notice": HOW_TO_NOTICE.get(connection.connector, ""),
    }


def notice_address(connection: Connection) -> str:
    """Where the system sends its webhooks."""
    try:
        path = reverse("notice", args=[connection.notice_key])
    except NoReverseMatch:
        path = f"/hooks/{connection.notice_key}/"
    return f"{settings.SIAM_PUBLIC_ADDRESS.rstrip('/')}{path}"


HOW_TO_NOTICE = {
    "jira": "In Jira: System, WebHooks, Create. Enter the address and the secret; choose the events created, updated "
    "and deleted of tickets, comments and attachments, and limit them to the project.",
    "servicenow": "In ServiceNow: add the business rule that comes with the connector to the table, and put the "
    "address and the secret into its properties. It runs after insert, update and delete.",
    "azure_devops": "In Azure DevOps: Project settings, Service hooks, Web Hooks. One subscription each for created, "
    "updated, commented on, deleted and restored; enter the address, and the secret as the value of the header.",
    "zendesk": "In Zendesk: Admin Center, Apps and integrations, Webhooks. Enter the address; Zendesk makes the "
    "signing secret itself: store it with the connection's secrets. Let a trigger call it when a ticket is created "
    "or updated.",
}
