"""The first page: what needs me."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.foundation.pages import signed_in

from ..filters import NEWEST, ordered
from ..selectors import held_open, open_by_priority, tickets
from .acting import principal_of

SHOWN = 8


@signed_in
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Work held by the reader's organizations, and what changed lately. Lanes and connections load by themselves."""
    principal = principal_of(request)
    if not principal.organizations:
        return render(request, "tickets/home_nobody.html")
    context = {
        "counts": open_by_priority(seen_by=principal),
        "held": ordered(held_open(seen_by=principal), "priority")[:SHOWN],
        "recent": ordered(tickets(seen_by=principal), NEWEST)[:SHOWN],
    }
    return render(request, "tickets/home.html", context)
