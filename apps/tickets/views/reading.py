"""One ticket: its page, its live pulse, its timeline and its files."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.access.kernel import find_visible
from apps.access.principal import Principal
from apps.foundation.pages import signed_in

from ..forms import CommentForm
from ..models import Ticket
from ..selectors import attachments_of, events_of, hand_overs_of, journal_of
from ..storage import FileDamaged, open_checked
from .acting import Standing, find_ticket, principal_of, standing_in
from .timeline import SHOWN_AT_ONCE, SHOWS, custody_of, entries_of, narrowed


@signed_in
@require_safe
def ticket_page(request: HttpRequest, reference: str) -> HttpResponse:
    """Everything about one ticket that the reader may know."""
    ticket = find_ticket(request, reference)
    standing = standing_in(ticket, principal_of(request))
    return render_ticket(request, ticket, standing, CommentForm(parties=standing.others))


def render_ticket(
    request: HttpRequest, ticket: Ticket, standing: Standing, form: CommentForm, status: int = 200
) -> HttpResponse:
    principal = principal_of(request)
    context = _facts(ticket, standing, principal) | _timeline(request, ticket, principal) | {"form": form}
    context["known"] = events_of(ticket, seen_by=principal).count()
    return render(request, "tickets/ticket.html", context, status=status)


def _facts(ticket: Ticket, standing: Standing, principal: Principal) -> dict[str, Any]:
    stretches = custody_of(ticket, hand_overs_of(ticket, seen_by=principal), now=timezone.now())
    return {"ticket": ticket, "standing": standing, "custody": stretches, "site": ticket.custom.get("site", "")}


def _timeline(request: HttpRequest, ticket: Ticket, principal: Principal) -> dict[str, Any]:
    show = request.GET.get("show", "all")
    show = show if show in SHOWS else "all"
    given = request.GET.get("from", "0")
    start = int(given) if given.isdecimal() else 0
    rows = list(narrowed(journal_of(ticket, seen_by=principal), show)[start : start + SHOWN_AT_ONCE + 1])
    return {
        "entries": entries_of(rows[:SHOWN_AT_ONCE]),
        "earlier_from": start + SHOWN_AT_ONCE if len(rows) > SHOWN_AT_ONCE else None,
        "show": show,
        "shows": list(SHOWS),
    }


@signed_in
@require_safe
def timeline_page(request: HttpRequest, reference: str) -> HttpResponse:
    """Entries of the timeline: another chip's, or further back."""
    ticket = find_ticket(request, reference)
    context = {"ticket": ticket, **_timeline(request, ticket, principal_of(request))}
    template = "tickets/_entries.html" if "from" in request.GET else "tickets/_timeline.html"
    return render(request, template, context)


@signed_in
@require_safe
def pulse(request: HttpRequest, reference: str) -> HttpResponse:
    """What is new since the reader knew ``known`` entries; 204 when nothing is."""
    ticket = find_ticket(request, reference)
    principal = principal_of(request)
    given = request.GET.get("known", "")
    known = int(given) if given.isdecimal() else 0
    journal = journal_of(ticket, seen_by=principal)
    number = events_of(ticket, seen_by=principal).count()
    if number == known:
        return HttpResponse(status=204)
    if number < known or number - known > SHOWN_AT_ONCE:
        # An audience was narrowed, or the page slept for long: showing the page anew is the honest answer.
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    show = request.GET.get("show", "all")
    kinds = SHOWS.get(show, ())
    fresh = [event for event in journal[: number - known] if not kinds or event.kind in kinds]
    standing = standing_in(ticket, principal)
    context = _facts(ticket, standing, principal) | {"entries": entries_of(fresh), "known": number, "show": show}
    return render(request, "tickets/_pulse.html", context)


@signed_in
@require_safe
def file(request: HttpRequest, reference: str, attachment_id: UUID) -> HttpResponseBase:
    """A file's bytes, after their hash was checked; always as a download, never run by the browser."""
    ticket = find_ticket(request, reference)
    principal = principal_of(request)
    attachment = find_visible(attachments_of(ticket, seen_by=principal), principal, pk=attachment_id)
    try:
        stream = open_checked(attachment.sha256)
    except FileDamaged:
        messages.error(
            request, f"{attachment.file_name} is damaged or missing in the portal's store; tell the operator."
        )
        return redirect("ticket", reference)
    answer = FileResponse(
        stream, as_attachment=True, filename=attachment.file_name, content_type="application/octet-stream"
    )
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer
