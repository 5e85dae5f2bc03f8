"""Opening a ticket from the portal, with the resulting priority in view before it is sent."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.kernel import Forbidden
from apps.access.levels import Level
from apps.access.principal import Principal
from apps.ecosystem.selectors import organizations
from apps.foundation.pages import leave, signed_in

from ..forms import OpenTicketForm
from ..permissions import TICKET
from ..selectors import priority_matrix
from ..services import FieldNotUsable, open_ticket
from .acting import actor_for, principal_of


def _may_open_for(principal: Principal) -> object:
    return organizations(seen_by=principal).filter(pk__in=principal.where(TICKET, Level.WRITE))


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def ticket_new(request: HttpRequest) -> HttpResponse:
    """Open a ticket. Raises Forbidden for whoever may only read."""
    principal = principal_of(request)
    if not principal.holds(TICKET, Level.WRITE):
        raise Forbidden("Opening tickets needs write access to the tickets of your organization.")
    form = OpenTicketForm(request.POST or None, organizations=_may_open_for(principal))
    if request.method == "POST" and form.is_valid():
        actor = actor_for(request, form.cleaned_data["organization"])
        try:
            ticket = open_ticket(values=form.values(), actor=actor, at=timezone.now())
        except FieldNotUsable as refused:
            form.add_error(None, str(refused))
        else:
            return leave(request, f"Ticket {ticket.reference} is open.", "ticket", ticket.reference)
    status = 422 if form.errors else 200
    context = {"form": form, **_matrix_context(request, principal)}
    return render(request, "tickets/new.html", context, status=status)


@signed_in
@require_safe
def preview_priority(request: HttpRequest) -> HttpResponse:
    """The priority that impact and urgency give, with the cell of the matrix it comes from."""
    return render(request, "tickets/_matrix.html", _matrix_context(request, principal_of(request)))


def _matrix_context(request: HttpRequest, principal: Principal) -> dict[str, object]:
    given = request.POST or request.GET
    mine = organizations(seen_by=principal)
    chosen = next((one for one in mine if str(one.pk) == given.get("organization")), None)
    organization = chosen or next((one for one in mine if one.pk in principal.organizations), None)
    impact, urgency = (_level(given.get(name)) for name in ("impact", "urgency"))
    matrix = priority_matrix(organization.ecosystem_id) if organization else {}
    rows = [(row, [(column, matrix.get((row, column), "")) for column in range(1, 5)]) for row in range(1, 5)]
    return {"rows": rows, "impact": impact, "urgency": urgency, "priority": matrix.get((urgency, impact), "")}


def _level(given: str | None) -> int:
    return int(given) if given in ("1", "2", "3", "4") else 3
