"""The list of tickets, its exports, and finding one of them from anywhere."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.access.kernel import find_visible
from apps.ecosystem.selectors import organizations
from apps.foundation.export import csv_file, xlsx_file
from apps.foundation.pages import show, signed_in
from apps.foundation.paging import page_of

from ..filters import NEWEST, TicketFilter, ordered
from ..models import Ticket
from ..selectors import matching, tickets
from ..vocabulary import OPEN_STATUSES
from .acting import principal_of

PAGE_SIZE = 50
LARGEST_EXPORT = 50_000
FOUND = 8
WRITERS = {"csv": csv_file, "xlsx": xlsx_file}
HEADER = (
    "Reference", "Title", "Kind", "Status", "Priority", "Impact", "Urgency", "Category",
    "Customer", "Opened by", "Held by", "Assignee", "Opened", "Changed", "Resolved", "Closed",
)  # fmt: skip


def _filtered(request: HttpRequest) -> tuple[TicketFilter, Any]:
    principal = principal_of(request)
    narrowed = TicketFilter(request.GET, tickets(seen_by=principal), seen_by=principal)
    return narrowed, ordered(narrowed.qs, request.GET.get("sort", NEWEST))


@signed_in
@require_safe
def ticket_list(request: HttpRequest) -> HttpResponse:
    """Tickets as the address says: filtered, searched, sorted, page by page."""
    narrowed, rows = _filtered(request)
    page = page_of(rows, request.GET.get("page"), size=PAGE_SIZE)
    is_narrowed = any(value for name, value in request.GET.items() if name not in ("sort", "page"))
    context = {
        "filter": narrowed,
        "page": page,
        "sort": request.GET.get("sort", NEWEST),
        "is_narrowed": is_narrowed,
        "columns": _columns(request.GET.get("sort", NEWEST)),
    }
    return show(request, "tickets/list.html", context, fragment="tickets/_results.html")


class Column(NamedTuple):
    """A heading; ``follows`` is the order that a click asks for, ``direction`` the present one for screen readers."""

    label: str
    follows: str
    direction: str


def _columns(sort: str) -> list[Column]:
    columns = []
    for name, label, first in (
        ("priority", "Priority", ""), ("title", "Ticket", ""), ("status", "Status", ""),
        ("held_by", "Held by", ""), ("opened_by", "Opened by", ""), ("updated", "Changed", "-"),
    ):  # fmt: skip
        other = "" if first else "-"
        is_first, is_other = sort == first + name, sort == other + name
        descends = sort.startswith("-")
        direction = ("descending" if descends else "ascending") if is_first or is_other else ""
        columns.append(Column(label, (other if is_first else first) + name, direction))
    return columns


@signed_in
@require_safe
def export(request: HttpRequest, form: str) -> HttpResponseBase:
    """The filtered list as a file for spreadsheets; exactly the rows that the page shows to this reader."""
    if form not in WRITERS:
        raise Http404
    _narrowed, rows = _filtered(request)
    return WRITERS[form]("tickets", HEADER, _lines(rows[:LARGEST_EXPORT].iterator(chunk_size=2000)))


def _lines(rows: Iterable[Ticket]) -> Iterable[tuple[Any, ...]]:
    for ticket in rows:
        yield (
            ticket.reference, ticket.title, ticket.get_kind_display(), ticket.get_status_display(),
            ticket.get_priority_display(), ticket.impact, ticket.urgency,
            ticket.get_category_display() if ticket.category else "",
            ticket.customer.name, ticket.opened_by.name, ticket.held_by.name, ticket.assignee,
            ticket.created_at, ticket.updated_at, ticket.resolved_at, ticket.closed_at,
        )  # fmt: skip


@signed_in
@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """What the palette offers for some words: pages by name; tickets by reference, title or key in a system."""
    words = request.GET.get("q", "").strip()
    principal = principal_of(request)
    pages = [page for page in _PAGES if words.lower() in page[0].lower()]
    rows = tickets(seen_by=principal)
    found = matching(rows, words, seen_by=principal) if words else rows
    context = {
        "pages": [(name, reverse(url), icon) for name, url, icon in pages],
        "tickets": found.order_by("-updated_at", "id")[:FOUND],
        "words": words,
    }
    return render(request, "tickets/_found.html", context)


_PAGES = (
    ("Home", "home", "house"),
    ("Tickets", "ticket-list", "ticket"),
    ("New ticket", "ticket-new", "plus"),
    ("Connections", "connection-list", "cable"),
    ("Lanes", "lane-list", "list-checks"),
    ("Alerts", "alert-list", "bell"),
    ("Organizations", "organization-list", "waypoints"),
    ("Your account", "account", "user"),
)


@signed_in
@require_safe
def organization_tickets(request: HttpRequest, slug: str) -> HttpResponse:
    """For the page of an organization: the tickets it takes part in, as far as the reader sees them."""
    principal = principal_of(request)
    organization = find_visible(organizations(seen_by=principal), principal, slug=slug)
    shared = tickets(seen_by=principal).filter(parties__organization=organization)
    context = {
        "organization": organization,
        "number": shared.count(),
        "open_number": shared.filter(status__in=OPEN_STATUSES).count(),
        "held_number": shared.filter(status__in=OPEN_STATUSES, held_by=organization).count(),
        "latest": ordered(shared, NEWEST)[:5],
    }
    return render(request, "tickets/_organization_tickets.html", context)
