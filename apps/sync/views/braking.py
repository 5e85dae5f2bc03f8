"""Brakes: what was stopped because it would reach abnormally many tickets, and what its parties say about it (M10)."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.kernel import Forbidden, find_visible
from apps.ecosystem.models import Organization
from apps.foundation.pages import done, show, show_sheet, signed_in
from apps.foundation.paging import page_of
from apps.tickets.views.acting import actor_for, principal_of

from ..forms import AnswerForm
from ..models import Brake, BrakeAnswer, GraveAct
from ..selectors import Listed, acts_behind, answers_to, brakes, parties_answered_by, told_acts
from ..services import NothingWaits
from ..services.braking import answer_brake, put_back
from .acts import FORM
from .lanes import CHUNK, LARGEST_EXPORT, WRITERS

PAGE_SIZE, ACTS_SHOWN = 30, 50
HEADER = ("Standing", "Key there", "Ticket", "Title", "What", "Field", "Old value", "New value", "Since")


@signed_in
@require_safe
def brake_list(request: HttpRequest) -> HttpResponse:
    """Every brake that the reader may see, those in force first."""
    page = page_of(brakes(seen_by=principal_of(request)), request.GET.get("page"), size=PAGE_SIZE)
    return render(request, "sync/brakes.html", {"page": page})


def _find(request: HttpRequest, brake_id: UUID) -> Brake:
    principal = principal_of(request)
    return find_visible(brakes(seen_by=principal), principal, pk=brake_id)


@signed_in
@require_safe
def brake_page(request: HttpRequest, brake_id: UUID) -> HttpResponse:
    """One brake: why it tripped, who said what, and the list of what it is about."""
    principal, brake = principal_of(request), _find(request, brake_id)
    page = page_of(acts_behind(brake, seen_by=principal), request.GET.get("page"), size=ACTS_SHOWN)
    mine = parties_answered_by(principal, brake)
    context = {
        "brake": brake,
        "page": page,
        "listed": told_acts(page.rows, seen_by=principal),
        "answers": answers_to(brake, seen_by=principal),
        "may_answer": bool(mine) and brake.is_in_force,
        "may_put_back": bool(mine) and brake.state == Brake.State.REFUSED,
    }
    return show(request, "sync/brake.html", context, fragment="sync/_brake.html")


@signed_in
@require_safe
def brake_export(request: HttpRequest, brake_id: UUID, form: str) -> HttpResponseBase:
    """The list as a file for spreadsheets, as far as the reader may know it."""
    if form not in WRITERS:
        raise Http404
    return WRITERS[form]("brake", HEADER, _lines(request, _find(request, brake_id)))


def _lines(request: HttpRequest, brake: Brake) -> Iterable[tuple[Any, ...]]:
    principal = principal_of(request)
    acts = acts_behind(brake, seen_by=principal)
    for start in range(0, LARGEST_EXPORT, CHUNK):
        found = told_acts(acts[start : start + CHUNK], seen_by=principal)
        yield from (_line(one) for one in found)
        if len(found) < CHUNK:
            return


def _line(one: Listed) -> tuple[Any, ...]:
    act, ticket = one.act, one.ticket
    named = (ticket.reference, ticket.title) if ticket else ("", "")
    what = f"{act.get_kind_display()} {act.get_into_display()}"
    return (one.word, str(act.link), *named, what, act.field, one.before, one.after, act.at)


# --- What a party says ------------------------------------------------------------------------------------------------


def _ask(request: HttpRequest, brake: Brake, template: str, title: str, form: AnswerForm, **more: Any) -> HttpResponse:
    back = (str(brake), reverse("brake", args=[brake.pk]))
    context = {"brake": brake, "form": form, **more}
    return show_sheet(request, template, context, title=title, back=back, status=422 if form.errors else 200)


def _given(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _mine(request: HttpRequest, brake: Brake) -> list[Organization]:
    """The parties for which the reader may answer. Raises Forbidden if there is none."""
    mine = parties_answered_by(principal_of(request), brake)
    if not mine:
        names = " and ".join(party.name for party in brake.asked)
        raise Forbidden(f"{names} answer for this brake, by people who may act on its lanes")
    return mine


@signed_in
@require_http_methods(FORM)
def brake_answer(request: HttpRequest, brake_id: UUID, choice: str) -> HttpResponse:
    """Say for one's party: let them through, or keep them stopped."""
    if choice not in BrakeAnswer.Choice.values:
        raise Http404
    brake = _find(request, brake_id)
    form = AnswerForm(_given(request), parties=_mine(request, brake))
    if request.method == "POST" and form.is_valid():
        actor = actor_for(request, form.party())
        note = form.cleaned_data["note"]
        try:
            now_is = answer_brake(brake=brake, choice=choice, actor=actor, at=timezone.now(), note=note)
        except NothingWaits as refused:
            form.add_error(None, str(refused))
        else:
            return done(request, _told(now_is), "brake", brake.pk)
    title = BrakeAnswer.Choice(choice).label.capitalize()
    others = [party for party, answer in answers_to(brake, seen_by=principal_of(request)) if answer is None]
    return _ask(request, brake, "sync/_brake_answer.html", title, form, choice=choice, missing=others)


def _told(brake: Brake) -> str:
    if brake.state == Brake.State.RELEASED:
        return "Both parties agree: what was stopped goes on now, in order."
    if brake.state == Brake.State.REFUSED:
        return "They stay stopped. What went through before can be put back."
    return "Your answer is kept; nothing goes on before the other party has said the same."


@signed_in
@require_http_methods(FORM)
def brake_put_back(request: HttpRequest, brake_id: UUID) -> HttpResponse:
    """Undo what went through before the brake tripped."""
    brake = _find(request, brake_id)
    form = AnswerForm(_given(request), parties=_mine(request, brake), asks_why=False)
    if request.method == "POST" and form.is_valid():
        try:
            undone = put_back(brake=brake, actor=actor_for(request, form.party()), at=timezone.now())
        except NothingWaits as refused:
            form.add_error(None, str(refused))
        else:
            reasons = "; ".join(sorted(set(undone.refused.values())))
            left = f" {len(undone.refused)} could not be: {reasons}." if undone.refused else ""
            return done(request, f"{undone.number} put back; the rest is judged anew.{left}", "brake", brake.pk)
    through = brake.acts.filter(standing=GraveAct.Standing.CARRIED_OUT).count()
    return _ask(request, brake, "sync/_brake_put_back.html", "Put back", form, through=through)
