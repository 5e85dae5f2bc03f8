"""The structure of the ecosystem and the page of one organization."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.access.kernel import find_visible
from apps.access.principal import Principal
from apps.foundation.pages import signed_in

from .models import Organization
from .selectors import end_customers_of, members_of, organizations, units_of


def _principal(request: HttpRequest) -> Principal:
    principal: Principal = request.principal  # type: ignore[attr-defined]
    return principal


@signed_in
@require_safe
def organization_list(request: HttpRequest) -> HttpResponse:
    """The three layers as one picture, as far as the reader may know the parties."""
    known = list(organizations(seen_by=_principal(request)))
    layers: list[dict[str, Any]] = [
        {
            "title": "Customer organization",
            "members": [one for one in known if one.layer == Organization.Layer.CUSTOMER],
        },
        {
            "title": "Service integrator",
            "members": [one for one in known if one.layer == Organization.Layer.INTEGRATOR],
        },
        {"title": "Service providers", "members": [one for one in known if one.layer == Organization.Layer.PROVIDER]},
    ]
    context = {"layers": [layer for layer in layers if layer["members"]], "is_empty": not known}
    return render(request, "ecosystem/list.html", context)


@signed_in
@require_safe
def organization_page(request: HttpRequest, slug: str) -> HttpResponse:
    """One organization: its place, its people, its contract; connections and tickets come from their own apps."""
    principal = _principal(request)
    organization = find_visible(organizations(seen_by=principal), principal, slug=slug)
    context = {
        "organization": organization,
        "members": members_of(organization, seen_by=principal),
        "units": units_of(organization, seen_by=principal),
        "end_customers": end_customers_of(organization, seen_by=principal),
        "is_mine": organization.pk in principal.organizations,
        "sees_people": organization.pk in principal.organizations | principal.circle,
    }
    return render(request, "ecosystem/organization.html", context)
