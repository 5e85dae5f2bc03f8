"""What pages of other apps show about connections and links; each panel has an address and loads by itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from apps.access.kernel import find_visible, visible_to
from apps.access.levels import Level
from apps.access.principal import Principal
from apps.ecosystem.models import Organization
from apps.ecosystem.selectors import organizations
from apps.foundation.pages import answer_live, signed_in
from apps.tickets.models import Ticket
from apps.tickets.views.acting import find_ticket, principal_of, standing_in
from apps.tickets.vocabulary import Audience

from ..engine.rules import ConversationRule
from ..models import Connection, TicketLink
from ..selectors import HELD, asked_of, connections, groups_of, held_lanes, links_of, waiting_lanes
from ..services import published_rules
from .health import Hold, Word, healths, holds_of, owed_by, safe_address, status_there, title_of, word_for_link
from .lanes import naming, with_first

SHOWN = 6


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ticket is at one company: its system as far as the reader may look, or only that it takes part."""

    organization: Organization
    holds: bool
    link: TicketLink | None
    title: str
    word: Word | None
    status: str
    address: str
    owed: int
    pieces: list[Hold]
    may_act: bool


@signed_in
@require_safe
def ticket_systems(request: HttpRequest, reference: str) -> HttpResponse:
    """Where the ticket is now: one card per company."""
    ticket = find_ticket(request, reference)
    context = {"ticket": ticket, "places": _places(ticket, principal_of(request), timezone.now())}
    return answer_live(request, "sync/_systems.html", context)


def _places(ticket: Ticket, principal: Principal, now: datetime) -> list[Place]:
    links: dict[Any, list[TicketLink]] = {}
    for link in links_of(ticket, seen_by=principal).order_by("created_at", "id"):
        links.setdefault(link.connection.organization_id, []).append(link)
    actable = set(
        visible_to(TicketLink.objects.filter(ticket=ticket), principal, Level.WRITE).values_list("pk", flat=True)
    )
    places = []
    for party in standing_in(ticket, principal).parties:
        own = links.get(party.organization_id, [])
        for link in own or [None]:  # type: ignore[list-item]
            places.append(_place(party.organization, ticket, link, actable, now))
    return places


def _place(
    organization: Organization, ticket: Ticket, link: TicketLink | None, actable: set[Any], now: datetime
) -> Place:
    return Place(
        organization=organization,
        holds=organization.pk == ticket.held_by_id,
        link=link,
        title=title_of(link.connection.connector) if link else "",
        word=word_for_link(link, now) if link else None,
        status=status_there(link) if link else "",
        address=safe_address(link) if link else "",
        owed=owed_by(link) if link else 0,
        pieces=holds_of(link) if link else [],
        may_act=link is not None and link.pk in actable,
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """A party that a comment reaches, and how it lands in its system, as far as the reader may know."""

    organization: Organization
    systems: list[tuple[str, str]]
    """(connection's name, how the comment lands there)."""
    is_hidden: bool
    """Whether the party may have a system of which the reader is told nothing."""


@signed_in
@require_safe
def ticket_reach(request: HttpRequest, reference: str) -> HttpResponse:
    """Who will see a comment with the audience that is being chosen, and in which systems."""
    ticket = find_ticket(request, reference)
    principal = principal_of(request)
    standing = standing_in(ticket, principal)
    audience = request.GET.get("audience", Audience.PUBLIC)
    chosen = set(request.GET.getlist("chosen"))
    own = standing.organization
    reached = [
        organization
        for organization in standing.organizations
        if audience == Audience.PUBLIC
        or organization == own
        or (audience == Audience.CHOSEN and str(organization.pk) in chosen)
    ]
    links = list(links_of(ticket, seen_by=principal))
    readers = [_reader(organization, links, audience, organization == own, principal) for organization in reached]
    context = {
        "readers": readers,
        "audience": audience,
        "own": own,
        "needs_choice": audience == Audience.CHOSEN and not chosen,
    }
    return render(request, "sync/_reach.html", context)


def _reader(
    organization: Organization, links: list[TicketLink], audience: str, is_own: bool, principal: Principal
) -> Reader:
    own_links = [link for link in links if link.connection.organization_id == organization.pk]
    systems = [(link.connection.name, _landing(link.connection, audience)) for link in own_links]
    is_hidden = not own_links and not is_own and organization.pk not in principal.circle
    return Reader(organization, systems, is_hidden)


def _landing(connection: Connection, audience: str) -> str:
    rules = published_rules(connection)
    said = rules.conversation if rules is not None else ConversationRule()
    crossing = {Audience.PUBLIC: said.in_public, Audience.CHOSEN: said.in_chosen, Audience.INTERNAL: said.in_internal}
    landing = crossing.get(Audience(audience)) if audience in Audience.values else None
    return {"public": "as a public comment", "internal": "as an internal note"}.get(landing or "", "not sent there")


@signed_in
@require_safe
def home_lanes(request: HttpRequest) -> HttpResponse:
    """Lanes that the reader's organizations must mend, and connections of theirs that were stopped."""
    principal = principal_of(request)
    mine = list(Organization.objects.filter(pk__in=principal.organizations))
    now = timezone.now()
    rows = waiting_lanes(seen_by=principal, now=now).filter(HELD)
    ours = rows.filter(asked_of(one.name for one in mine))
    groups = groups_of(ours, most=SHOWN + 1)
    handed = held_lanes(seen_by=principal).filter(charge__person=principal.user_id).select_related("charge")
    stopped = connections(seen_by=principal).filter(organization__in=mine, state=Connection.State.ON_HOLD)
    context = {
        "handed": [(link, holds_of(link)) for link in handed[:SHOWN]],
        "groups": [(one, urlencode(naming(one))) for one in with_first(groups[:SHOWN], ours, principal, now)],
        "has_more": len(groups) > SHOWN,
        "stopped": list(stopped),
        "others": rows.order_by().count() - ours.order_by().count(),
    }
    return render(request, "sync/_home_lanes.html", context)


@signed_in
@require_safe
def home_connections(request: HttpRequest) -> HttpResponse:
    """The health of all connections that the reader may see, in one strip."""
    principal = principal_of(request)
    rows = connections(seen_by=principal)
    context = {"healths": healths(rows, seen_by=principal, now=timezone.now())}
    return render(request, "sync/_home_connections.html", context)


@signed_in
@require_safe
def organization_connections(request: HttpRequest, slug: str) -> HttpResponse:
    """The health of one organization's connections, as far as the reader may see them."""
    principal = principal_of(request)
    organization = find_visible(organizations(seen_by=principal), principal, slug=slug)
    rows = connections(seen_by=principal).filter(organization=organization)
    context = {"healths": healths(rows, seen_by=principal, now=timezone.now()), "organization": organization}
    return render(request, "sync/_organization_connections.html", context)
