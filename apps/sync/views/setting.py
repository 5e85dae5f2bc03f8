"""Setting up and changing connections."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from apps.access.kernel import Forbidden
from apps.access.levels import Level
from apps.ecosystem.selectors import organizations
from apps.foundation.pages import leave, signed_in
from apps.tickets.views.acting import actor_for, principal_of

from ..connectors.catalog import CONNECTORS
from ..forms import ConnectionForm
from ..permissions import CONNECTION
from ..services import ConnectionRefused, change_connection, create_connection
from .reading import find_connection


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def connection_new(request: HttpRequest, connector: str = "") -> HttpResponse:
    """Set up a connection: first the kind of system, then its address, settings and secrets."""
    principal = principal_of(request)
    able = principal.where(CONNECTION, Level.FULL)
    if not able:
        raise Forbidden("Setting up connections needs full access to the connections of your organization.")
    if not connector:
        return render(request, "sync/new.html", {"kinds": [_card(name) for name in CONNECTORS]})
    if connector not in CONNECTORS:
        raise Http404
    kind = CONNECTORS[connector]
    mine: Any = organizations(seen_by=principal).filter(pk__in=able)
    form = ConnectionForm(request.POST or None, kind=kind, organizations=mine)
    if request.method == "POST" and form.is_valid():
        try:
            connection = create_connection(
                actor=actor_for(request, form.cleaned_data["organization"]),
                name=form.cleaned_data["name"],
                connector=connector,
                base_url=form.cleaned_data["base_url"],
                settings=form.settings(),
                secrets=form.secrets(),
                poll_seconds=form.cleaned_data["poll_seconds"],
                brake_handful=form.cleaned_data["brake_handful"],
                at=timezone.now(),
                **form.allowance(),
            )
        except ConnectionRefused as refused:
            form.take_problems(refused.problems)
        else:
            text = f"{connection.name} is set up and rests. Check it, publish its rules, then resume it."
            return leave(request, text, "connection", connection.pk)
    context = {"form": form, "title": kind.title, "connector": connector}
    return render(request, "sync/form.html", context, status=422 if form.errors else 200)


def _card(name: str) -> tuple[str, str, str]:
    """A kind of system to choose: name, title and what it can do."""
    kind = CONNECTORS[name]
    able = ["every change in its order" if kind.capabilities.has_change_log else "the latest state"]
    if kind.capabilities.has_internal_comments:
        able.append("internal notes")
    return name, kind.title, ", ".join(able)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def connection_edit(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """Change name, address, settings or secrets."""
    connection = find_connection(request, connection_id, Level.FULL)
    if connection.connector not in CONNECTORS:
        raise Http404
    kind = CONNECTORS[connection.connector]
    form = ConnectionForm(request.POST or None, kind=kind, connection=connection)
    if request.method == "POST" and form.is_valid():
        try:
            change_connection(
                connection=connection,
                actor=actor_for(request, connection.organization),
                name=form.cleaned_data["name"],
                base_url=form.cleaned_data["base_url"],
                settings=form.settings(),
                secrets=form.secrets(),
                poll_seconds=form.cleaned_data["poll_seconds"],
                brake_handful=form.cleaned_data["brake_handful"],
                allowance=form.allowance(),
            )
        except ConnectionRefused as refused:
            form.take_problems(refused.problems)
        else:
            return leave(request, f"{connection.name} is changed.", "connection", connection.pk)
    context = {"form": form, "title": kind.title, "connector": connection.connector, "connection": connection}
    return render(request, "sync/form.html", context, status=422 if form.errors else 200)
