"""What came of a database that was put back: how much is read again, and what the systems knew better."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.foundation.pages import signed_in
from apps.foundation.paging import page_of
from apps.tickets.views.acting import principal_of

from ..selectors import divergences, progress_of, restorations

PAGE_SIZE = 50


@signed_in
@require_safe
def restoration_page(request: HttpRequest, number: int | None = None) -> HttpResponse:
    """The last restoration, or one of those before it, as far as the reader may see what it did."""
    principal = principal_of(request)
    known = restorations(seen_by=principal)
    chosen = known.first() if number is None else known.filter(pk=number).first()
    if chosen is None and number is not None:
        raise Http404
    context: dict[str, object] = {"earlier": known}
    if chosen is not None:
        rows = divergences(seen_by=principal).filter(restoration=chosen)
        context["progress"] = progress_of(chosen, seen_by=principal)
        context["page"] = page_of(rows, request.GET.get("page"), size=PAGE_SIZE)
    return render(request, "sync/restored.html", context)
