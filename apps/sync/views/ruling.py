"""Rules of a connection: its owner's versions, drafted, tried against the system, published."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.kernel import find_visible
from apps.access.levels import Level
from apps.foundation.fields import SecretUnreadable
from apps.foundation.pages import done, leave, signed_in
from apps.tickets.views.acting import actor_for, principal_of

from ..connectors.base import ConnectorError
from ..forms import RulesForm
from ..models import Connection, RulesVersion
from ..permissions import RULES
from ..rules.templates import template_for
from ..selectors import rules_of
from ..services import RulesNotReady, RulesRefused, draft_rules, publish_rules, try_rules
from .health import title_of
from .reading import find_connection

PAGES = ["GET", "HEAD", "POST"]


def _find(request: HttpRequest, connection_id: UUID, number: int) -> RulesVersion:
    """One version; its owner's alone. Raises NotVisible."""
    connection = find_connection(request, connection_id)
    principal = principal_of(request)
    return find_visible(rules_of(connection, seen_by=principal), principal, number=number)


@signed_in
@require_safe
def rules_list(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """All versions, newest first. Raises NotVisible for whoever does not hold the owner's rules."""
    connection = _own(request, connection_id, Level.READ)
    versions = rules_of(connection, seen_by=principal_of(request))
    context = {"connection": connection, "versions": versions, "title": title_of(connection.connector)}
    return render(request, "sync/rules.html", context)


def _own(request: HttpRequest, connection_id: UUID, level: Level) -> Connection:
    connection = find_connection(request, connection_id)
    principal = principal_of(request)
    mine = Connection.objects.filter(pk=connection.pk, organization__in=principal.where(RULES, level))
    return get_object_or_404(mine.select_related("organization", "pulse"))


@signed_in
@require_http_methods(PAGES)
def rules_new(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """Draft the next version: from the template, from an earlier version, pasted or as a file."""
    connection = _own(request, connection_id, Level.FULL)
    form = RulesForm(request.POST or None, request.FILES or None, initial=_starting_point(request, connection))
    problems: dict[str, str] = {}
    if request.method == "POST" and form.is_valid():
        try:
            version = draft_rules(
                connection=connection,
                document=form.cleaned_data["document"],
                note=form.cleaned_data["note"],
                actor=actor_for(request, connection.organization),
                at=timezone.now(),
            )
        except RulesRefused as refused:
            problems = refused.problems
        else:
            text = f"Version {version.number} is a draft. Try it against the system, then publish it."
            return leave(request, text, "rules-version", connection.pk, version.number)
    context = {"connection": connection, "form": form, "problems": problems, "title": title_of(connection.connector)}
    return render(request, "sync/rules_new.html", context, status=422 if form.errors or problems else 200)


def _starting_point(request: HttpRequest, connection: Connection) -> dict[str, str]:
    wanted = request.GET.get("from", "template")
    document: Any = None
    if wanted.isdecimal():
        rows = rules_of(connection, seen_by=principal_of(request))
        document = rows.filter(number=int(wanted)).values_list("document", flat=True).first()
    document = document or template_for(connection.connector)
    if document and request.GET.get("field"):
        _make_room(document, request.GET["field"], request.GET.get("word", ""), from_hub="from_hub" in request.GET)
    return {"text": json.dumps(document, indent=2, ensure_ascii=False) if document else ""}


def _make_room(document: dict[str, Any], field: str, word: str, *, from_hub: bool) -> None:
    """Put a word that the rules lack into the value map of its field, with room for what it means on the other side."""
    for entry in document.get("fields", []):
        if field in (entry.get("hub"), entry.get("system")):
            values = entry.setdefault("values" if from_hub else "values_back", {})
            if isinstance(values, dict):
                values.setdefault(word, "")


@signed_in
@require_safe
def rules_version(request: HttpRequest, connection_id: UUID, number: int) -> HttpResponse:
    """One version: what it maps, in a table that people read, and the document itself."""
    return _show(request, _find(request, connection_id, number))


def _show(request: HttpRequest, version: RulesVersion, **more: Any) -> HttpResponse:
    connection = version.connection
    principal = principal_of(request)
    context = {
        "connection": connection,
        "version": version,
        "title": title_of(connection.connector),
        "document": json.dumps(version.document, indent=2, ensure_ascii=False),
        "fields": version.document.get("fields", []),
        "types": version.document.get("types", {}),
        "may_own": connection.organization_id in principal.where(RULES, Level.FULL),
        "can_publish": version.state in (RulesVersion.State.TESTED, RulesVersion.State.RETIRED),
        **more,
    }
    return render(request, "sync/rules_version.html", context)


@signed_in
@require_http_methods(["POST"])
def rules_try(request: HttpRequest, connection_id: UUID, number: int) -> HttpResponse:
    """Compare the version with the system as it is now; findings name place, problem and remedy."""
    version = _find(request, connection_id, number)
    actor = actor_for(request, version.connection.organization)
    try:
        findings = try_rules(version=version, actor=actor)
    except (ConnectorError, SecretUnreadable, RulesRefused, ValueError) as problem:
        return _show(request, version, problem=str(problem) or type(problem).__name__)
    return _show(request, version, findings=findings, is_tried=True)


@signed_in
@require_http_methods(["POST"])
def rules_publish(request: HttpRequest, connection_id: UUID, number: int) -> HttpResponse:
    """Put the version in force."""
    version = _find(request, connection_id, number)
    actor = actor_for(request, version.connection.organization)
    try:
        publish_rules(version=version, actor=actor, at=timezone.now())
    except RulesNotReady as refused:
        messages.error(request, str(refused))
        return redirect("rules-version", connection_id, number)
    return done(request, f"Version {number} is in force.", "rules-version", connection_id, number)
