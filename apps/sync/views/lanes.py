"""The operator's screen: lanes that wait, by cause or one by one, and what happened in one of them."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode, urlsafe_base64_decode, urlsafe_base64_encode
from django.views.decorators.http import require_safe

from apps.access.kernel import find_visible, may
from apps.access.levels import Level
from apps.access.principal import Principal
from apps.foundation.export import csv_file, xlsx_file
from apps.foundation.pages import show, signed_in
from apps.tickets.models import TicketEvent
from apps.tickets.selectors import journal_of
from apps.tickets.views.acting import principal_of

from ..filters import OLDEST, SORTS, LaneFilter
from ..models import Exchange, Intent, LaneAct, TicketLink
from ..permissions import CONNECTION, RULES
from ..selectors import (
    CAUSES,
    Group,
    Waiting,
    acts_of,
    brakes_in_force,
    calls_of,
    groups_of,
    intents_of,
    tell,
    waiting_lanes,
)
from ..services.operating import correctable_fields
from .health import safe_address, title_of

PAGE_SIZE, GROUPS_SHOWN, FIRST_SHOWN = 50, 30, 5
LARGEST_EXPORT = 50_000
CHUNK = 500
WRITERS = {"csv": csv_file, "xlsx": xlsx_file}
HEADER = (
    "Connection", "Organization", "Key there", "Ticket", "Title", "Priority", "Cause", "What happened", "Field",
    "Value", "Who must act", "How", "In whose hands", "Waits since", "Attempts", "Last try", "Next try",
    "Entries behind", "Comments behind", "Oldest behind",
)  # fmt: skip
WITH_LANE = ("connection__organization", "connection__pulse", "ticket")
NOT_NARROWING = ("sort", "page", "after", "by", "seen")


def narrowed(request: HttpRequest, given: Mapping[str, Any], now: datetime) -> LaneFilter:
    """The waiting lanes that the reader may see, narrowed as ``given`` says."""
    principal = principal_of(request)
    return LaneFilter(given, waiting_lanes(seen_by=principal, now=now), seen_by=principal, now=now)


def _sorted(rows: QuerySet[TicketLink], wanted: str) -> QuerySet[TicketLink]:
    return rows.order_by(*SORTS.get(wanted, SORTS[OLDEST]))


@signed_in
@require_safe
def lane_list(request: HttpRequest) -> HttpResponse:
    """Lanes that wait: by cause, or one by one as the address says."""
    now, principal = timezone.now(), principal_of(request)
    filtered = narrowed(request, request.GET, now)
    rows = filtered.qs
    by_cause = request.GET.get("by") != "lane"
    context = {
        "filter": filtered,
        "by_cause": by_cause,
        "sort": request.GET.get("sort", OLDEST),
        "named": {name: request.GET[name] for name in ("field", "value", "direction") if name in request.GET},
        "is_narrowed": any(value for name, value in request.GET.items() if name not in NOT_NARROWING),
        "number": rows.order_by().count(),
        "for_people": rows.filter(cause__in=[code for code, cause in CAUSES.items() if cause.needs]).count(),
        "may_act": _actable(principal),
        "braked": brakes_in_force(seen_by=principal).count(),
    }
    context |= _by_cause(request, rows, now) if by_cause else _one_by_one(request, rows, now)
    return show(request, "sync/lanes.html", context, fragment="sync/_lanes.html")


def _actable(principal: Principal) -> bool:
    """Whether the reader may act on any connection at all; each act judges the connection that it is about."""
    return principal.holds(CONNECTION, Level.WRITE) or principal.holds("watch", Level.WRITE)


def _by_cause(request: HttpRequest, rows: QuerySet[TicketLink], now: datetime) -> dict[str, Any]:
    asked = request.GET.get("page", "1")
    page = max(1, int(asked)) if asked.isdecimal() and len(asked) < 6 else 1
    groups = groups_of(rows, start=(page - 1) * GROUPS_SHOWN, most=GROUPS_SHOWN + 1)
    shown = with_first(groups[:GROUPS_SHOWN], rows, principal_of(request), now)
    return {
        "groups": [(group, f"?{_address_of(request, group)}", naming(group)) for group in shown],
        "page": page,
        "has_next": len(groups) > GROUPS_SHOWN,
    }


def _address_of(request: HttpRequest, group: Group) -> str:
    """The query that shows one group alone, with the present filters."""
    kept = {name: value for name, value in request.GET.dict().items() if name not in NOT_NARROWING and value}
    return urlencode({**kept, **naming(group), "by": "lane"})


def naming(group: Group) -> dict[str, str]:
    """What names one group in an address or a form."""
    connection, code, field, value, direction = group.key
    return {
        "connection": str(connection),
        "cause": code,
        "field": field,
        "value": value,
        "direction": direction,
    }


def with_first(groups: list[Group], rows: QuerySet[TicketLink], principal: Principal, now: datetime) -> list[Group]:
    """Each group with its oldest lanes, all of them read at once."""
    if not groups:
        return []
    place = Window(
        RowNumber(),
        partition_by=[F(name) for name in ("connection", "cause", "cause_field", "cause_value", "direction")],
        order_by=[F("since").asc(), F("pk").asc()],
    )
    wanted = Q(connection__in={group.connection.pk for group in groups}, cause__in={group.code for group in groups})
    first = rows.filter(wanted).annotate(place=place).filter(place__lte=FIRST_SHOWN).select_related(*WITH_LANE)
    told = sorted(tell(first.order_by(F("since"), "pk"), seen_by=principal, now=now), key=lambda one: str(_key_of(one)))
    lanes = {key: list(found) for key, found in groupby(told, key=lambda one: str(_key_of(one)))}
    return [replace(group, first=lanes.get(str(group.key), [])) for group in groups]


def _key_of(waiting: Waiting) -> tuple[Any, ...]:
    link: Any = waiting.link
    return (link.connection_id, link.cause, link.cause_field, link.cause_value, link.direction)


def _one_by_one(request: HttpRequest, rows: QuerySet[TicketLink], now: datetime) -> dict[str, Any]:
    wanted = request.GET.get("sort", OLDEST)
    order = SORTS.get(wanted, SORTS[OLDEST])
    page = _beyond(rows, order, request.GET.get("after", ""))
    found = list(_sorted(page, wanted).select_related(*WITH_LANE)[: PAGE_SIZE + 1])
    return {
        "lanes": tell(found[:PAGE_SIZE], seen_by=principal_of(request), now=now),
        "after": _mark(found[PAGE_SIZE - 1], order) if len(found) > PAGE_SIZE else "",
        "is_first": not request.GET.get("after"),
    }


_READ: Mapping[str, Callable[[str], Any]] = {
    "since": datetime.fromisoformat,
    "rank": int,
    "connection__name": str,
    "id": UUID,
}


def _mark(link: Any, order: tuple[str, ...]) -> str:
    """Where a page ended: the values themselves, because the lane may have gone on by the time of the next page."""
    values = {
        "since": link.since.isoformat(),
        "rank": link.rank,
        "connection__name": link.connection.name,
        "id": link.pk,
    }
    return urlsafe_base64_encode(json.dumps([str(values[name.removeprefix("-")]) for name in order]).encode())


def _beyond(rows: QuerySet[TicketLink], order: tuple[str, ...], mark: str) -> QuerySet[TicketLink]:
    """``rows`` that come after a mark; all of them when it does not belong to this list."""
    try:
        words = json.loads(urlsafe_base64_decode(mark)) if mark else []
        values = [_READ[name.removeprefix("-")](word) for name, word in zip(order, words, strict=True)]
    except (ValueError, TypeError, AttributeError):
        return rows
    beyond, equal = Q(), Q()
    for name, value in zip(order, values, strict=True):
        plain = name.removeprefix("-")
        beyond |= equal & Q(**{f"{plain}__{'lt' if name.startswith('-') else 'gt'}": value})
        equal &= Q(**{plain: value})
    return rows.filter(beyond)


@signed_in
@require_safe
def lane_export(request: HttpRequest, form: str) -> HttpResponseBase:
    """The filtered lanes as a file for spreadsheets; exactly those that the page shows to this reader."""
    if form not in WRITERS:
        raise Http404
    now = timezone.now()
    rows = _sorted(narrowed(request, request.GET, now).qs, request.GET.get("sort", OLDEST))
    return WRITERS[form]("lanes", HEADER, _lines(rows.select_related(*WITH_LANE), principal_of(request), now))


def _lines(rows: QuerySet[TicketLink], principal: Principal, now: datetime) -> Iterable[tuple[Any, ...]]:
    for start in range(0, LARGEST_EXPORT, CHUNK):
        found = tell(rows[start : start + CHUNK], seen_by=principal, now=now)
        for one in found:
            link: Any = one.link
            ticket = one.ticket
            yield (
                link.connection.name, link.connection.organization.name, str(link),
                ticket.reference if ticket else "", ticket.title if ticket else "",
                ticket.get_priority_display() if ticket else "",
                one.why.cause.title, one.why.text, link.cause_field, link.cause_value, one.why.party or "",
                one.why.remedy or "", one.charge.person.name if one.charge else "", one.since, link.attempts,
                one.tried_at, one.next_at, one.entries, one.comments, one.oldest_at,
            )  # fmt: skip
        if len(found) < CHUNK:
            return


# --- One lane ---------------------------------------------------------------------------------------------------------

MOMENTS_SHOWN, LOOSE_CALLS_SHOWN, ENTRIES_SHOWN = 40, 15, 20


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened in a lane: an intent with its calls, a call on its own, or what a person did."""

    at: datetime
    intent: Intent | None = None
    act: LaneAct | None = None
    calls: tuple[Exchange, ...] = ()


@signed_in
@require_safe
def lane_page(request: HttpRequest, link_id: UUID) -> HttpResponse:
    """One lane: why it waits, what waits behind it, and everything that was tried, call by call."""
    principal, now = principal_of(request), timezone.now()
    rows = waiting_lanes(seen_by=principal, now=now, all_links=True).select_related(*WITH_LANE)
    link = find_visible(rows, principal, pk=link_id)
    [waiting] = tell([link], seen_by=principal, now=now)
    connection = link.connection
    may_act = may(principal, Level.WRITE, connection)
    context = {
        "waiting": waiting,
        "link": link,
        "is_waiting": waiting_lanes(seen_by=principal, now=now).filter(pk=link.pk).exists(),
        "connection": connection,
        "title": title_of(connection.connector),
        "address": safe_address(link),
        "moments": _moments(request, link, principal),
        "behind": _behind(waiting, principal),
        "sees_calls": connection.organization_id in principal.where(CONNECTION),
        "sees_rules": connection.organization_id in principal.where(RULES, Level.FULL),
        "may_act": may_act,
        "can_correct": may_act and bool(correctable_fields(link)),
    }
    return render(request, "sync/lane.html", context)


def _moments(request: HttpRequest, link: TicketLink, principal: Principal) -> dict[str, Any]:
    """The lane's story, newest first, from ``before`` on: an intent stands with the calls that were made for it."""
    before = request.GET.get("before", "")
    intents = intents_of(link, seen_by=principal)
    if before.isdecimal() and len(before) < 19:
        intents = intents.filter(pk__lt=int(before))
    found = list(intents[: MOMENTS_SHOWN + 1])
    shown = found[:MOMENTS_SHOWN]
    made: dict[int, list[Exchange]] = {}
    for call in calls_of(link, seen_by=principal).filter(intent__in=[intent.pk for intent in shown]):
        made.setdefault(call.intent_id or 0, []).insert(0, call)
    story = [Moment(intent.created_at, intent=intent, calls=tuple(made.get(intent.pk, ()))) for intent in shown]
    if not before:
        loose = calls_of(link, seen_by=principal).filter(intent=None)[:LOOSE_CALLS_SHOWN]
        story += [Moment(call.at, calls=(call,)) for call in loose]
        story += [Moment(act.at, act=act) for act in acts_of(link, seen_by=principal)[:MOMENTS_SHOWN]]
    story.sort(key=lambda moment: moment.at, reverse=True)
    return {"rows": story, "before": shown[-1].pk if len(found) > MOMENTS_SHOWN else None}


def _behind(waiting: Waiting, principal: Principal) -> list[TicketEvent]:
    """The journal entries that wait, oldest first."""
    link = waiting.link
    if waiting.ticket is None or not waiting.entries:
        return []
    is_new = link.state == TicketLink.State.CREATING
    owed = journal_of(waiting.ticket, seen_by=principal).order_by("seq")
    return list(owed.filter(seq__gte=link.start_seq if is_new else link.applied_seq + 1)[:ENTRIES_SHOWN])
