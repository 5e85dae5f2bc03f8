"""What people do with connections and lanes. Each act is one service call."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from apps.access.kernel import Forbidden, find_visible, require, visible_to
from apps.access.levels import Level
from apps.ecosystem.models import Organization
from apps.foundation.fields import SecretUnreadable
from apps.foundation.pages import done, is_partial, show_sheet, signed_in
from apps.tickets.actor import Actor
from apps.tickets.views.acting import actor_for, principal_of

from .. import services
from ..connectors.base import ConnectorError
from ..forms import ReasonForm
from ..models import Conflict, Connection, TicketLink
from ..permissions import CONNECTION
from ..services import ConnectionRefused, NothingWaits
from .reading import find_connection

FORM = ["GET", "HEAD", "POST"]


def acting_for(request: HttpRequest, connection: Connection) -> Actor:
    """The reader acting for the connection's owner, or as the one who watches over the ecosystem's links."""
    principal = principal_of(request)
    if connection.organization_id in principal.where(CONNECTION, Level.WRITE):
        return actor_for(request, connection.organization)
    require(principal, Level.WRITE, connection)
    return actor_for(request, Organization.objects.filter(pk__in=principal.organizations).order_by("name").first())


def _back(connection: Connection) -> tuple[str, str]:
    return connection.name, reverse("connection", args=[connection.pk])


@signed_in
@require_http_methods(["POST"])
def check(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """Ask the system now who it is and whether our account works; the answer stands beside the button."""
    connection = find_connection(request, connection_id, Level.WRITE)
    try:
        card = services.check_connection(
            connection=connection, actor=acting_for(request, connection), at=timezone.now()
        )
    except (ConnectorError, SecretUnreadable, ValueError) as problem:
        context = {"problem": str(problem) or type(problem).__name__}
        told, is_good = f"The check failed: {context['problem']}", False
    else:
        context = {"card": card}  # type: ignore[dict-item]
        told, is_good = f"{card.product} {card.version} answered; we act as {card.account_name}.", True
    if is_partial(request):
        return render(request, "sync/_check.html", context)
    (messages.success if is_good else messages.error)(request, told)
    return redirect("connection", connection.pk)


@signed_in
@require_http_methods(FORM)
def pause(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """Stop exchanging with the system for now."""
    connection = find_connection(request, connection_id, Level.WRITE)
    form = ReasonForm(request.POST or None, is_required=False)
    if request.method == "POST" and form.is_valid():
        actor = acting_for(request, connection)
        reason = form.cleaned_data["reason"]
        services.pause_connection(connection=connection, actor=actor, at=timezone.now(), reason=reason)
        return done(
            request,
            f"{connection.name} is paused. Nothing is lost: changes wait in order.",
            "connection",
            connection.pk,
        )
    return show_sheet(
        request, "sync/_pause.html", {"connection": connection, "form": form}, title="Pause", back=_back(connection)
    )


@signed_in
@require_http_methods(FORM)
def resume(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """Go on from the point of interruption."""
    connection = find_connection(request, connection_id, Level.WRITE)
    problem = ""
    if request.method == "POST":
        try:
            services.resume_connection(connection=connection, actor=acting_for(request, connection), at=timezone.now())
        except ConnectionRefused as refused:
            problem = str(refused)
        else:
            return done(request, f"{connection.name} goes on from where it stopped.", "connection", connection.pk)
    context = {"connection": connection, "problem": problem}
    status = 422 if problem else 200
    return show_sheet(request, "sync/_resume.html", context, title="Resume", back=_back(connection), status=status)


def _find_link(request: HttpRequest, link_id: UUID) -> TicketLink:
    rows = TicketLink.objects.select_related("connection__organization", "ticket")
    return find_visible(rows, principal_of(request), Level.WRITE, pk=link_id)


@signed_in
@require_http_methods(["POST"])
def lane_retry(request: HttpRequest, link_id: UUID) -> HttpResponse:
    """Try the waiting entry again now."""
    link = _find_link(request, link_id)
    actor = acting_for(request, link.connection)
    services.retry_lanes(connection=link.connection, links=[link.pk], actor=actor, at=timezone.now())
    return done(request, "The lane tries again now.", "connection", link.connection_id)


@signed_in
@require_http_methods(FORM)
def lane_skip(request: HttpRequest, link_id: UUID) -> HttpResponse:
    """Leave out the entry at the head of the lane; the reason goes into the ticket's journal."""
    link = _find_link(request, link_id)
    form = ReasonForm(request.POST or None, is_required=True)
    if request.method == "POST" and form.is_valid():
        actor = acting_for(request, link.connection)
        try:
            services.skip_entry(link=link, actor=actor, at=timezone.now(), reason=form.cleaned_data["reason"])
        except NothingWaits as refused:
            form.add_error(None, str(refused))
        else:
            return done(
                request,
                "The entry is left out; the reason is kept with the connection.",
                "connection",
                link.connection_id,
            )
    status = 422 if form.errors else 200
    context = {"link": link, "form": form}
    return show_sheet(
        request, "sync/_skip.html", context, title="Skip an entry", back=_back(link.connection), status=status
    )


@signed_in
@require_http_methods(["POST"])
def settle(request: HttpRequest, conflict_id: UUID) -> HttpResponse:
    """Choose which of two values holds."""
    visible = visible_to(Conflict.objects.select_related("link__connection__organization"), principal_of(request))
    conflict = get_object_or_404(visible, pk=conflict_id)
    connection = conflict.link.connection
    actor = acting_for(request, connection)
    try:
        services.settle_conflict(
            conflict=conflict, choice=request.POST.get("choice", ""), actor=actor, at=timezone.now()
        )
    except NothingWaits as refused:
        raise Forbidden(str(refused)) from refused
    return done(
        request, "The conflict is settled; the other value is kept in the records.", "connection", connection.pk
    )


@signed_in
@require_http_methods(FORM)
def notice_secret(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """Make a new webhook secret and show it this once."""
    connection = find_connection(request, connection_id, Level.FULL)
    context: dict[str, object] = {"connection": connection}
    if request.method == "POST":
        actor = actor_for(request, connection.organization)
        context["secret"] = services.renew_notice_secret(connection=connection, actor=actor)
    return show_sheet(request, "sync/_notice_secret.html", context, title="New webhook secret", back=_back(connection))
