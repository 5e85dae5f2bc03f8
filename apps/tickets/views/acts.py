"""What people do to a ticket. Each act is one form and one service call."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from apps.access.kernel import Forbidden, NotVisible
from apps.ecosystem.selectors import ecosystem_of, organizations
from apps.foundation.pages import done, is_partial, show_sheet, signed_in

from .. import services
from ..actor import Actor
from ..forms import EDITABLE, AssessmentForm, CommentForm, EditForm, MoveForm, PartyForm, PriorityForm
from ..models import Ticket
from ..services import (
    AttachmentNotUsable,
    CommentNotUsable,
    FieldNotUsable,
    MoveNotAllowed,
    NotInThisEcosystem,
)
from .acting import actor_for, find_ticket, principal_of, standing_in
from .reading import render_ticket

REFUSALS = (FieldNotUsable, MoveNotAllowed, NotInThisEcosystem)
Act = Callable[[Actor, datetime], object]


def _carry_out(
    request: HttpRequest,
    ticket: Ticket,
    form: forms.Form,
    act: Act,
    *,
    title: str,
    told: str,
    inner: str = "tickets/_act.html",
    **context: Any,
) -> HttpResponse:
    """Show the form; when it is sent and sound, act. A refusal of the service stands in the form, in its own words."""
    standing = standing_in(ticket, principal_of(request))
    actor = actor_for(request, standing.organization)
    if request.method == "POST" and form.is_valid():
        try:
            act(actor, timezone.now())
        except REFUSALS as refused:
            form.add_error(None, str(refused))
        else:
            return done(request, told, "ticket", ticket.reference)
    whole = {"form": form, "ticket": ticket, "sheet_title": title, "act_url": request.path, **context}
    back = (ticket.reference, reverse("ticket", args=[ticket.reference]))
    return show_sheet(request, inner, whole, title=title, back=back, status=422 if form.errors else 200)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, reference: str, field: str) -> HttpResponse:
    """Change one field."""
    ticket = find_ticket(request, reference)
    if field not in EDITABLE:
        raise NotVisible(f"no field {field}")
    name = "custom.site" if field == "site" else field
    present = ticket.custom.get("site", "") if field == "site" else getattr(ticket, field)
    form = EditForm(request.POST or None, field=field, initial={"value": present})
    return _carry_out(
        request,
        ticket,
        form,
        lambda actor, at: services.edit(ticket=ticket, values={name: form.cleaned_data["value"]}, actor=actor, at=at),
        title=f"Change the {field}",
        told=f"The {field} is changed.",
        verb="Save",
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, reference: str) -> HttpResponse:
    """Take the ticket to its next status."""
    ticket = find_ticket(request, reference)
    form = MoveForm(request.POST or None, ticket=ticket)
    return _carry_out(
        request,
        ticket,
        form,
        lambda actor, at: services.move(
            ticket=ticket,
            status=form.cleaned_data["status"],
            resolution=form.cleaned_data["resolution"],
            actor=actor,
            at=at,
        ),
        title="Move to another status",
        told="The status is changed.",
        lead=f"It is {ticket.get_status_display()} now. Every party's system follows.",
        verb="Move",
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def assess(request: HttpRequest, reference: str) -> HttpResponse:
    """Say anew how strong the impact is and how urgent it is."""
    ticket = find_ticket(request, reference)
    form = AssessmentForm(request.POST or None, initial={"impact": ticket.impact, "urgency": ticket.urgency})
    return _carry_out(
        request,
        ticket,
        form,
        lambda actor, at: services.assess(ticket=ticket, actor=actor, at=at, **form.cleaned_data),
        title="Assess impact and urgency",
        told="Impact and urgency are assessed; the priority follows.",
        lead="The priority follows from the matrix.",
        verb="Assess",
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def prioritize(request: HttpRequest, reference: str) -> HttpResponse:
    """Set the priority itself."""
    ticket = find_ticket(request, reference)
    form = PriorityForm(request.POST or None, initial={"priority": ticket.priority})
    return _carry_out(
        request,
        ticket,
        form,
        lambda actor, at: services.prioritize(
            ticket=ticket, priority=form.cleaned_data["priority"], actor=actor, at=at
        ),
        title="Set the priority",
        told="The priority is changed.",
        lead="Impact and urgency move to a pair that gives it, if the present pair does not.",
        verb="Set",
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def hand_over(request: HttpRequest, reference: str) -> HttpResponse:
    """Give custody to another party."""
    ticket = find_ticket(request, reference)
    form = _party_form(request, ticket, exclude=[ticket.held_by_id], asks_reason=True)
    return _carry_out(
        request,
        ticket,
        form,
        lambda actor, at: services.hand_over(
            ticket=ticket,
            organization=form.cleaned_data["organization"],
            reason=form.cleaned_data["reason"],
            actor=actor,
            at=at,
        ),
        title="Hand over",
        told="The ticket is handed over.",
        lead=f"{ticket.held_by} holds it now. Whoever takes over sees the ticket with its public history from then on.",
        verb="Hand over",
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def share(request: HttpRequest, reference: str) -> HttpResponse:
    """Let another party take part."""
    ticket = find_ticket(request, reference)
    here = [party.organization_id for party in ticket.parties.all()]
    form = _party_form(request, ticket, exclude=here, asks_reason=False)
    return _carry_out(
        request,
        ticket,
        form,
        lambda actor, at: services.share(
            ticket=ticket, organization=form.cleaned_data["organization"], actor=actor, at=at
        ),
        title="Share with another party",
        told="The ticket is shared.",
        lead="It sees the ticket from then on, with everything said to all parties. This cannot be taken back.",
        verb="Share",
    )


def _party_form(request: HttpRequest, ticket: Ticket, *, exclude: list[Any], asks_reason: bool) -> PartyForm:
    """Offers the parties of the ticket's ecosystem; for those who may direct it, and nobody else."""
    principal = principal_of(request)
    if not standing_in(ticket, principal).may_direct:
        raise Forbidden("Sharing and handing over run through the service integrator.")
    around = ecosystem_of(ticket.customer).values("pk")
    known: Any = organizations(seen_by=principal).filter(pk__in=around).exclude(pk__in=exclude)
    return PartyForm(request.POST or None, organizations=known, asks_reason=asks_reason)


@signed_in
@require_http_methods(["POST"])
def comment(request: HttpRequest, reference: str) -> HttpResponse:
    """Say something on the ticket, with files, to the audience that was chosen."""
    ticket = find_ticket(request, reference)
    standing = standing_in(ticket, principal_of(request))
    actor = actor_for(request, standing.organization)
    form = CommentForm(request.POST, request.FILES, parties=standing.others)
    if form.is_valid():
        try:
            services.comment(
                ticket=ticket,
                body=form.cleaned_data["body"],
                audience=form.cleaned_data["audience"],
                chosen=form.chosen_parties(),
                files=form.chosen_files(),
                actor=actor,
                at=timezone.now(),
            )
        except (CommentNotUsable, AttachmentNotUsable) as refused:
            form.add_error(None, str(refused))
        else:
            return done(request, "Your comment is in the journal.", "ticket", reference)
    if is_partial(request):
        return render(request, "tickets/_problems.html", {"form": form}, status=422)
    return render_ticket(request, ticket, standing, form, status=422)
