"""What people do on the operator's screen, to one lane or to many at once: one service call a connection."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from apps.access.kernel import Forbidden, find_visible, visible_to
from apps.access.levels import Level
from apps.ecosystem.models import Organization
from apps.foundation.pages import done, show_sheet, signed_in
from apps.tickets.actor import Actor
from apps.tickets.services import FieldNotUsable, MoveNotAllowed
from apps.tickets.views.acting import principal_of

from ..forms import CorrectForm, HandForm, ReasonForm
from ..models import Connection, TicketLink
from ..permissions import RULES
from ..selectors import people_for, rules_number_of, waiting_lanes
from ..services import NothingWaits
from ..services.operating import (
    MOST_AT_ONCE,
    correct_value,
    correctable_fields,
    hand_lanes,
    lanes_by_connection,
    retry_lanes,
    skip_entries,
)
from .acts import FORM, acting_for
from .lanes import narrowed

CARRIED = (
    *("lane", "all", "back", "q", "mine", "ours", "connection", "cause", "party", "kind", "priority", "older"),
    *("field", "value", "direction"),
)


@dataclass(frozen=True, slots=True)
class Selection:
    """The lanes that an act is about: those that were ticked, or a whole group as it is now."""

    lanes: dict[Connection, list[UUID]]
    carried: list[tuple[str, str]]
    """What a form must send again to mean the same lanes."""

    @property
    def number(self) -> int:
        return sum(len(found) for found in self.lanes.values())


def _selection(request: HttpRequest) -> Selection:
    """Raises NotVisible when nothing is chosen that the reader may see, Forbidden where the reader may only see it."""
    given: QueryDict = request.POST if request.method == "POST" else request.GET
    principal, now = principal_of(request), timezone.now()
    if given.get("all"):
        rows = narrowed(request, given, now).qs
    else:
        rows = waiting_lanes(seen_by=principal, now=now, all_links=True).filter(pk__in=_ids(given.getlist("lane")))
    found = lanes_by_connection(rows.order_by("since", "pk"))
    if not found:
        raise Http404("no lane is chosen, or none of them waits any more")
    known = Connection.objects.filter(pk__in=found)
    actable = visible_to(known, principal, Level.WRITE).select_related("organization").order_by("name")
    lanes = {connection: found[connection.pk] for connection in actable}
    if len(lanes) < len(found):
        raise Forbidden("this needs write access to the connection of each lane; choose lanes that you may act on")
    carried = [(name, value) for name in CARRIED if name in given for value in given.getlist(name)]
    return Selection(lanes, carried)


def _ids(words: list[str]) -> list[UUID]:
    found = []
    for word in words[:MOST_AT_ONCE]:
        try:
            found.append(UUID(word))
        except ValueError:
            continue
    return found


def _back(request: HttpRequest) -> str:
    """Where the reader came from: the list with the query that it had, or the page of the one lane."""
    given = request.POST if request.method == "POST" else request.GET
    back = given.get("back", "")
    if back == "lane" and len(found := _ids(given.getlist("lane"))) == 1:
        return reverse("lane", args=[found[0]])
    return reverse("lane-list") + (f"?{back}" if back and back != "lane" else "")


def _each(request: HttpRequest, chosen: Selection, act: Callable[[Connection, list[UUID], Actor], int]) -> int:
    return sum(act(connection, links, acting_for(request, connection)) for connection, links in chosen.lanes.items())


@signed_in
@require_http_methods(["POST"])
def lanes_retry(request: HttpRequest) -> HttpResponse:
    """Try lanes again now; nothing is lost by it, so nothing is asked."""
    chosen, at = _selection(request), timezone.now()

    def retry(connection: Connection, links: list[UUID], actor: Actor) -> int:
        return retry_lanes(connection=connection, links=links, actor=actor, at=at)

    number = _each(request, chosen, retry)
    return done(request, f"{_lanes(number)} tried again now.", _back(request))


def _lanes(number: int) -> str:
    return "1 lane is" if number == 1 else f"{number} lanes are"


@signed_in
@require_http_methods(FORM)
def lanes_skip(request: HttpRequest) -> HttpResponse:
    """Leave out the entry at the head of each lane, after asking for the reason."""
    chosen = _selection(request)
    form = ReasonForm(request.POST or None, is_required=True)
    if request.method != "POST" or not form.is_valid():
        return _ask(request, "sync/_lanes_skip.html", "Skip entries", chosen, form)
    at, reasons, number = timezone.now(), set(), 0
    for connection, links in chosen.lanes.items():
        skipped = skip_entries(
            connection=connection,
            links=links,
            actor=acting_for(request, connection),
            at=at,
            reason=form.cleaned_data["reason"],
        )
        number += skipped.number
        reasons |= set(skipped.refused.values())
    if reasons and not number:
        form.add_error(None, f"Nothing was skipped: {'; '.join(sorted(reasons))}.")
        return _ask(request, "sync/_lanes_skip.html", "Skip entries", chosen, form)
    left = f" {chosen.number - number} stay: {'; '.join(sorted(reasons))}." if reasons else ""
    entries = "1 entry is" if number == 1 else f"{number} entries are"
    return done(request, f"{entries} left out; each ticket's journal says so.{left}", _back(request))


@signed_in
@require_http_methods(FORM)
def lanes_hand(request: HttpRequest) -> HttpResponse:
    """Hand lanes to a person of a party that can mend them."""
    chosen = _selection(request)
    parties = {connection.organization_id for connection in chosen.lanes} | _named_parties(request, chosen)
    form = HandForm(request.POST or None, people=people_for(parties))
    if request.method != "POST" or not form.is_valid():
        return _ask(request, "sync/_lanes_hand.html", "Hand to a person", chosen, form)
    at, person = timezone.now(), form.cleaned_data["person"]

    def hand(connection: Connection, links: list[UUID], actor: Actor) -> int:
        note = form.cleaned_data["note"]
        return hand_lanes(connection=connection, links=links, person=person, actor=actor, at=at, note=note)

    try:
        number = _each(request, chosen, hand)
    except Forbidden as refused:
        form.add_error("person", str(refused))
        return _ask(request, "sync/_lanes_hand.html", "Hand to a person", chosen, form)
    return done(request, f"{_lanes(number)} in the hands of {person.name}.", _back(request))


def _named_parties(request: HttpRequest, chosen: Selection) -> set[UUID]:
    """The organizations that the holds of the chosen lanes name, and the reader's own."""
    links = [pk for found in chosen.lanes.values() for pk in found]
    holds = TicketLink.objects.filter(pk__in=links).values_list("delivery_hold__party", "intake_hold__party")
    names = {name for pair in holds.distinct()[:MOST_AT_ONCE] for name in pair if name}
    named = Organization.objects.filter(name__in=names).values_list("pk", flat=True)
    return set(named) | set(principal_of(request).organizations)


def _ask(request: HttpRequest, template: str, title: str, chosen: Selection, form: Any) -> HttpResponse:
    context = {"selection": chosen, "form": form, "back_address": _back(request)}
    status = 422 if form.errors else 200
    return show_sheet(request, template, context, title=title, back=("Lanes", _back(request)), status=status)


@signed_in
@require_http_methods(FORM)
def lane_correct(request: HttpRequest, link_id: UUID) -> HttpResponse:
    """Write another value to the ticket, so that its lane goes on without a change of the rules."""
    principal = principal_of(request)
    rows = TicketLink.objects.select_related("connection__organization", "ticket")
    link = find_visible(rows, principal, Level.WRITE, pk=link_id)
    form = CorrectForm(request.POST or None, fields=correctable_fields(link))
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        actor = acting_for(request, link.connection)
        try:
            correct_value(link=link, field=given["field"], value=given["value"], actor=actor, at=timezone.now())
        except (NothingWaits, FieldNotUsable, MoveNotAllowed) as refused:
            form.add_error("value", str(refused))
        else:
            return done(request, f"{given['field']} has another value; the lane goes on with it.", "lane", link.pk)
    hold = link.delivery_hold or link.intake_hold or {}
    context = {
        "link": link,
        "form": form,
        "hold": hold,
        "from_hub": link.delivery_hold is not None,
        "sees_rules": link.connection.organization_id in principal.where(RULES, Level.FULL),
        "rules_number": rules_number_of(link.connection),
    }
    back = (str(link), reverse("lane", args=[link.pk]))
    status = 422 if form.errors else 200
    return show_sheet(request, "sync/_lane_correct.html", context, title="Another value", back=back, status=status)
