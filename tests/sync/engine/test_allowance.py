"""The allowance of calls: however many workers take from it, no stretch of a limit's length holds more (INV-33)."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from apps.sync.engine.allowance import (
    CLOCK_SECONDS,
    KEPT_SECONDS,
    SMALLEST_A_MINUTE,
    SMALLEST_AN_HOUR,
    Bucket,
    Limit,
    give_back,
    release_at,
    take,
)

from .worlds import law

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
MINUTE, HOUR = 60.0, 3600.0
steps = st.tuples(
    st.floats(0.0, 40.0), st.integers(1, 200), st.floats(0.0, KEPT_SECONDS), st.integers(0, 8), st.integers(0, 200)
)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


@law(200)
@given(st.integers(1, 900), st.none() | st.integers(1, 2000), st.lists(steps, max_size=120))
def test_no_stretch_holds_more_calls_than_the_limit(
    a_minute: int, an_hour: int | None, taking: list[tuple[float, int, float, int, int]]
) -> None:
    """Each step: how long after the last, how many calls a worker wants, how late it uses them, what it leaves in the
    bucket, and how many it gives back at that time instead of making them."""
    limits = [Limit(a_minute, MINUTE), *([Limit(an_hour, HOUR)] if an_hour else [])]
    fulls: list[datetime | None] = [None] * len(limits)
    now, used = START, []
    returns: list[tuple[datetime, datetime, int]] = []

    def buckets() -> list[Bucket]:
        return list(zip(limits, fulls, strict=True))

    for after, want, late, leave, too_many in taking:
        now += seconds(after)
        for at, taken_at, number in sorted(one for one in returns if one[0] <= now):
            fulls = list(give_back(buckets(), at, calls=number, held=at - taken_at))
        returns = [one for one in returns if one[0] > now]
        taken, moved = take(buckets(), now, want=want, leave=leave)
        assert 0 <= taken <= want
        fulls = list(moved)
        number = min(taken, too_many)
        returns.append((now + seconds(late), now, number))
        used += [now + seconds(late)] * (taken - number)
    used.sort()
    for limit in limits:
        for first, last in zip(used, used[limit.calls :], strict=False):
            assert last - first >= seconds(limit.seconds)


@law(200)
@given(st.integers(SMALLEST_A_MINUTE, 900), st.integers(1, 100), st.integers(0, 4))
def test_calls_come_back_when_it_was_said_they_would(calls: int, want: int, leave: int) -> None:
    limit = Limit(calls, MINUTE)
    taken, (full,) = take([(limit, None)], START, want=calls)
    assert taken == limit.burst
    bucket: list[Bucket] = [(limit, full)]
    assert take(bucket, START, want=1)[0] == 0
    at = release_at(bucket, START, want=want)
    assert take(bucket, at, want=want)[0] == min(want, limit.burst)
    assert take(bucket, at - seconds(0.001), want=want)[0] < min(want, limit.burst)


@law(200)
@given(st.sampled_from([(MINUTE, SMALLEST_A_MINUTE), (MINUTE, 700), (HOUR, SMALLEST_AN_HOUR), (HOUR, 5000)]))
def test_a_busy_connection_gets_more_than_half_of_its_limit(kind: tuple[float, int]) -> None:
    length, calls = kind
    limit, full, made = Limit(calls, length), None, 0
    at = START
    while at < START + seconds(10 * length):
        taken, (full,) = take([(limit, full)], at, want=calls)
        made, at = made + taken, at + seconds(1)
    assert made > 10 * calls * 0.5


def test_what_is_given_back_at_once_can_be_taken_again() -> None:
    bucket: list[Bucket] = [(Limit(600, MINUTE), None)]
    _taken, (full,) = take(bucket, START, want=60)
    (full,) = give_back([(Limit(600, MINUTE), full)], START, calls=50, held=timedelta())
    assert take([(Limit(600, MINUTE), full)], START, want=1000)[0] == Limit(600, MINUTE).burst - 10


def test_the_tighter_of_two_limits_counts() -> None:
    buckets: list[Bucket] = [(Limit(600, MINUTE), None), (Limit(120, HOUR), None)]
    taken, fulls = take(buckets, START, want=100)
    assert taken == Limit(120, HOUR).burst
    later = [(limit, full) for (limit, _), full in zip(buckets, fulls, strict=True)]
    assert release_at(later, START, want=1) == START + Limit(120, HOUR).interval


def test_a_clock_that_was_set_back_by_a_day_stops_nobody_for_a_day() -> None:
    limit = Limit(60, MINUTE)
    tomorrow = START + timedelta(days=1)
    taken, fulls = take([(limit, tomorrow)], START, want=1)
    assert (taken, fulls) == (0, [START + limit.burst * limit.interval])


def test_a_worker_whose_clock_is_a_little_ahead_is_believed() -> None:
    limit = Limit(60, MINUTE)
    ahead = START + limit.burst * limit.interval + seconds(CLOCK_SECONDS / 2)
    assert take([(limit, ahead)], START, want=1) == (0, [ahead])
