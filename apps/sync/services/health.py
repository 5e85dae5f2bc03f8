"""How connections were over time: one small row for each connection and five minutes, kept for ninety days (M11)."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, DurationField, ExpressionWrapper, F, Max, Min, OuterRef, Q, Subquery
from django.db.models.functions import Greatest, TruncMinute

from apps.tickets.models import TicketEvent

from ..models import Connection, Exchange, Intent, PulseSample, TicketLink

STEP = timedelta(minutes=5)
KEPT = timedelta(days=90)
LATE_STEPS = 12
"""So many missed steps are made up for after a standstill of the workers; their calls are still there to be counted."""

_TOO_MANY = 429
_FAILED = Q(status=None) | Q(status__gte=400) & ~Q(status=_TOO_MANY)
_DELIVERS = (TicketLink.State.CREATING, TicketLink.State.LINKED)
_HELD = Q(delivery_hold__isnull=False) | Q(intake_hold__isnull=False)
Sums = dict[tuple[UUID, datetime], dict[str, float]]


def start_of_step(moment: datetime) -> datetime:
    """When the five minutes around a moment began."""
    return moment.replace(minute=moment.minute - moment.minute % 5, second=0, microsecond=0)


def take_samples(*, now: datetime) -> int:
    """Sum up the five minutes that just ended, and those missed before, with a fixed number of queries; how many rows.

    Two workers at once are harmless: the second finds the rows there.
    """
    end = start_of_step(now)
    steps = [end - STEP * ago for ago in range(1, LATE_STEPS + 1)]
    known = set(PulseSample.objects.filter(at__gte=steps[-1]).values_list("connection", "at"))
    used = Connection.objects.exclude(state=Connection.State.DRAFT).values_list("pk", "created_at")
    missing = [(pk, at) for pk, created_at in used for at in steps if at + STEP > created_at and (pk, at) not in known]
    if not missing:
        return 0
    sums = _sum_up(min(at for _pk, at in missing), end)
    samples = [PulseSample(connection_id=pk, at=at, **_whole(sums.get((pk, at), {}))) for pk, at in missing]
    _add_gauges(samples, end, now)
    PulseSample.objects.bulk_create(samples, ignore_conflicts=True, batch_size=500)
    return len(samples)


def prune_samples(*, now: datetime) -> int:
    """Remove samples older than ninety days; how many."""
    return PulseSample.objects.filter(at__lt=now - KEPT).delete()[0]


def _whole(sums: dict[str, float]) -> dict[str, Any]:
    return {name: value if name == "lag_seconds" else int(value) for name, value in sums.items()}


def _sum_up(since: datetime, until: datetime) -> Sums:
    """What went over each connection in each step, from the calls and the writes that are on record."""
    sums: Sums = defaultdict(dict)
    calls = Exchange.objects.filter(at__gte=since, at__lt=until).order_by()
    _fold(
        sums,
        ("calls", "errors", "limits"),
        calls.annotate(minute=TruncMinute("at"))
        .values_list("connection", "minute")
        .annotate(Count("pk"), errors=Count("pk", filter=_FAILED), limits=Count("pk", filter=Q(status=_TOO_MANY))),
    )
    written = Intent.objects.filter(state=Intent.State.APPLIED, settled_at__gte=since, settled_at__lt=until).order_by()
    entry = TicketEvent.objects.filter(ticket=OuterRef("link__ticket"), seq=OuterRef("seq")).values("recorded_at")[:1]
    waited = ExpressionWrapper(
        F("settled_at") - Greatest(Subquery(entry), F("link__created_at")), output_field=DurationField()
    )
    _fold(
        sums,
        ("writes", "lag_seconds"),
        written.annotate(minute=TruncMinute("settled_at"))
        .values_list("link__connection", "minute")
        .annotate(number=Count("pk"), lag=Max(waited)),
    )
    return sums


def _fold(sums: Sums, names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    for connection, minute, *values in rows:
        found = sums[connection, start_of_step(minute)]
        for name, value in zip(names, values, strict=True):
            if name == "lag_seconds":
                seconds = value.total_seconds() if value is not None else 0.0
                found[name] = max(found.get(name, 0.0), seconds)
            else:
                found[name] = found.get(name, 0) + value


def _add_gauges(samples: list[PulseSample], end: datetime, now: datetime) -> None:
    """What can only be read at this moment, for the newest step alone: what still waits, and whether a system rests."""
    links = TicketLink.objects.order_by()
    held = dict(links.filter(_HELD).values_list("connection").annotate(number=Count("pk")))
    first = TicketEvent.objects.filter(ticket=OuterRef("ticket"), seq=OuterRef("applied_seq") + 1)
    owing = links.filter(state__in=_DELIVERS, ticket__last_seq__gt=F("applied_seq")).annotate(
        since=Greatest(Subquery(first.values("recorded_at")[:1]), F("created_at"))
    )
    oldest = dict(owing.values_list("connection").annotate(oldest=Min("since")))
    resting = set(Connection.objects.filter(pulse__resting_until__gt=now).values_list("pk", flat=True))
    for sample in samples:
        if sample.at != end - STEP:
            continue
        since = oldest.get(sample.connection_id)
        sample.held = held.get(sample.connection_id, 0)
        sample.is_resting = sample.connection_id in resting
        if since is not None:
            sample.lag_seconds = max(sample.lag_seconds, (end - since).total_seconds(), 0.0)
