"""How many calls a connection may make: one bucket for each limit, kept as the moment at which it is full again.

Workers take calls ahead, some at once, and use them within ``KEPT_SECONDS`` or forfeit them. A bucket is so much slower
than its limit that however many workers take from it, and whenever they use what they took, no stretch of the limit's
length holds more calls than the limit allows (INV-33).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

KEPT_SECONDS = 5.0
"""How long calls taken ahead may be used."""
SPREAD_SECONDS = 10.0
"""What a limit's length is stretched by: calls taken ahead are used late, and the way to the system takes its time."""
CLOCK_SECONDS = 60.0
"""A bucket that is full later than it could ever be, by more than this, was filled by another clock or limit."""
SMALLEST_BURST = 10
SMALLEST_A_MINUTE, SMALLEST_AN_HOUR = 30, 100
"""The least that an owner can allow: with fewer calls, one ticket with many files would never be read to its end."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``calls`` in any stretch of ``seconds``."""

    calls: int
    seconds: float

    @property
    def burst(self) -> int:
        """Calls that can be made at once after a rest."""
        return min(self.calls, max(SMALLEST_BURST, self.calls // 6))

    @property
    def interval(self) -> timedelta:
        """The time after which one more call can be made."""
        return timedelta(seconds=(self.seconds + SPREAD_SECONDS) / (self.calls - self.burst + 1))

    @property
    def length(self) -> str:
        return "minute" if self.seconds == 60 else "hour"


LARGEST_ALLOWANCE = 1_000_000


Bucket = tuple[Limit, datetime | None]
"""A limit, and when its bucket is full again; None: it is full."""


def take(buckets: Sequence[Bucket], now: datetime, *, want: int, leave: int = 0) -> tuple[int, list[datetime]]:
    """How many of ``want`` calls can be taken so that every bucket keeps ``leave``, and when each is full then."""
    fulls = [_read(bucket, now) for bucket in buckets]
    there = min(_number(limit, full, now) for (limit, _), full in zip(buckets, fulls, strict=True))
    taken = max(0, min(want, there - leave))
    return taken, [full + taken * limit.interval for (limit, _), full in zip(buckets, fulls, strict=True)]


def give_back(buckets: Sequence[Bucket], now: datetime, *, calls: int, held: timedelta) -> list[datetime]:
    """When each bucket is full after ``calls`` that were taken ``held`` ago and will never be made.

    Less what came back by itself meanwhile: the bucket may have been full for a while, had they not been taken.
    """
    return [
        max(now, _read((limit, full), now) - max(timedelta(), calls * limit.interval - held)) for limit, full in buckets
    ]


def release_at(buckets: Sequence[Bucket], now: datetime, *, want: int) -> datetime:
    """When ``want`` calls, or as many as a bucket ever holds, can be taken."""
    return max(max(now, _read(bucket, now) - max(0, bucket[0].burst - want) * bucket[0].interval) for bucket in buckets)


def _read(bucket: Bucket, now: datetime) -> datetime:
    limit, full = bucket
    latest = now + limit.burst * limit.interval
    if full is None or full <= now:
        return now
    return latest if full > latest + timedelta(seconds=CLOCK_SECONDS) else full


def _number(limit: Limit, full: datetime, now: datetime) -> int:
    return max(0, (limit.burst * limit.interval - (full - now)) // limit.interval)
