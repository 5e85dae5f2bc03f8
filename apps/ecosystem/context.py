from typing import Any

from django.http import HttpRequest

from .models import Organization


def who_is_here(request: HttpRequest) -> dict[str, Any]:
    """For templates: ``principal`` and ``my_organizations`` of whoever looks at the page."""
    principal = getattr(request, "principal", None)
    if principal is None or not principal.is_known:
        return {"principal": None, "my_organizations": []}
    mine = Organization.objects.filter(pk__in=principal.organizations).order_by("name")
    return {"principal": principal, "my_organizations": mine}
