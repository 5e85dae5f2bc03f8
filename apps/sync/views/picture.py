"""The health of a connection over time as a picture: four small charts over one period, drawn on the server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.foundation.pages import show, signed_in
from apps.foundation.templatetags.portal import brief_span
from apps.tickets.views.acting import principal_of

from ..models import PulseSample
from ..selectors import samples_of
from .health import title_of
from .reading import find_connection

WIDTH, HEIGHT = 600.0, 84.0


@dataclass(frozen=True, slots=True)
class Period:
    """How far back a picture goes, and how much time one of its bars stands for."""

    title: str
    span: timedelta
    step: timedelta
    form: str
    """How its moments are written."""


PERIODS = {
    "hour": Period("Hour", timedelta(hours=1), timedelta(minutes=5), "H:i"),
    "day": Period("Day", timedelta(days=1), timedelta(minutes=30), "H:i"),
    "week": Period("Week", timedelta(days=7), timedelta(hours=4), "D, H:i"),
    "month": Period("Month", timedelta(days=30), timedelta(hours=12), "M j"),
}


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar's worth of samples; ``is_known`` is False where nobody looked."""

    at: datetime
    lag: float = 0.0
    writes: float = 0.0
    calls: float = 0.0
    errors: float = 0.0
    limits: float = 0.0
    held: int = 0
    is_resting: bool = False
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """One row of bars with what it says in words; sizes are SVG attributes because the page allows no inline style."""

    title: str
    tone: str
    bars: Sequence[Bar]
    bands: Sequence[Bar]
    peak: str
    latest: str
    words: str


@signed_in
@require_safe
def connection_picture(request: HttpRequest, connection_id: UUID) -> HttpResponse:
    """Lag, throughput, errors and limits of the last hour, day, week or month, and the same as a table."""
    connection = find_connection(request, connection_id)
    name = request.GET.get("period", "day")
    period = PERIODS.get(name, PERIODS["day"])
    now = timezone.now()
    rows = samples_of(connection, seen_by=principal_of(request)).filter(at__gte=now - period.span)
    bins = bins_of(list(rows), period, now)
    context = {
        "connection": connection,
        "title": title_of(connection.connector),
        "period": period,
        "chosen": name if name in PERIODS else "day",
        "periods": [(key, one.title) for key, one in PERIODS.items()],
        "charts": charts_of(bins, period),
        "bins": [one for one in reversed(bins) if one.is_known],
        "moments": [bins[0].at, bins[len(bins) // 2].at, now],
        "width": WIDTH,
        "height": HEIGHT,
    }
    return show(request, "sync/picture.html", context, fragment="sync/_picture.html")


def bins_of(samples: Sequence[PulseSample], period: Period, now: datetime) -> list[Bin]:
    """The samples of a period, summed up bar by bar; numbers are rates an hour."""
    count = int(period.span / period.step)
    start = now - period.step * count
    found: list[list[PulseSample]] = [[] for _ in range(count)]
    for sample in samples:
        found[min(count - 1, max(0, int((sample.at - start) / period.step)))].append(sample)
    return [_bin(start + period.step * index, inside) for index, inside in enumerate(found)]


def _bin(at: datetime, samples: Sequence[PulseSample]) -> Bin:
    if not samples:
        return Bin(at)
    hours = len(samples) / 12
    return Bin(
        at=at,
        lag=max(sample.lag_seconds for sample in samples),
        writes=sum(sample.writes for sample in samples) / hours,
        calls=sum(sample.calls for sample in samples) / hours,
        errors=sum(sample.errors for sample in samples) / hours,
        limits=sum(sample.limits for sample in samples) / hours,
        held=max(sample.held for sample in samples),
        is_resting=any(sample.is_resting for sample in samples),
        is_known=True,
    )


def charts_of(bins: Sequence[Bin], period: Period) -> list[Chart]:
    """The four charts over the same time."""
    resting = [index for index, one in enumerate(bins) if one.is_resting]
    return [
        _chart("Longest wait of a change", "accent", bins, lambda one: one.lag, _wait, period),
        _chart("Changes written, an hour", "good", bins, lambda one: one.writes, _number, period),
        _chart("Failed calls, an hour", "bad", bins, lambda one: one.errors, _number, period),
        _chart("Asked to wait, times an hour", "warn", bins, lambda one: one.limits, _number, period, resting),
    ]


def _chart(
    title: str,
    tone: str,
    bins: Sequence[Bin],
    value: Callable[[Bin], float],
    say: Callable[[float], str],
    period: Period,
    resting: Sequence[int] = (),
) -> Chart:
    values = [value(one) for one in bins]
    peak, width = max(values, default=0.0), WIDTH / max(1, len(bins))
    bars = [
        Bar(round(index * width + width * 0.12, 2), round(HEIGHT - height, 2), round(width * 0.76, 2), round(height, 2))
        for index, number in enumerate(values)
        if number > 0 and (height := max(2.0, HEIGHT * number / peak))
    ]
    bands = [Bar(round(index * width, 2), 0, round(width, 2), HEIGHT) for index in resting]
    known = [value(one) for one in bins if one.is_known]
    latest = say(known[-1]) if known else "not known"
    rested = f" The system did not answer in {len(resting)} of {len(bins)} spans." if resting else ""
    words = f"{title}, last {period.title.lower()}: at most {say(peak)}, last {latest}.{rested}"
    return Chart(title, tone, bars, bands, say(peak), latest, words)


def _number(value: float) -> str:
    if value == 0:
        return "none"
    return f"{value:.1f}" if value < 10 and value != int(value) else f"{value:,.0f}"


def _wait(seconds: float) -> str:
    if seconds <= 0:
        return "none"
    return f"{seconds:.0f} s" if seconds < 60 else brief_span(seconds)
