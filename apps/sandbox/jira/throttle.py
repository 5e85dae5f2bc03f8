"""Request budgets: the three independent limits of Cloud, and the token bucket of Data Center."""

import math
from collections import defaultdict, deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from .errors import Refusal

if TYPE_CHECKING:
    from .site import Site

BURST = "jira-burst-based"
PER_ISSUE = "jira-per-issue-on-write"
QUOTA = "jira-quota-tenant-based"


def exceeded(reason: str, retry_after: float, limit: int, now: datetime) -> Refusal:
    """A 429 of Cloud with the vendor's headers; ``X-RateLimit-Reset`` is ISO 8601 to the minute."""
    seconds = max(1, math.ceil(retry_after))
    reset = now + timedelta(seconds=seconds + 59)
    headers = {
        "Retry-After": str(seconds),
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": reset.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "X-RateLimit-NearLimit": "true",
        "RateLimit-Reason": reason,
    }
    if reason == QUOTA:
        headers["Beta-RateLimit-Policy"] = f'"tenant-app-quota";q={limit};w=3600'
        headers["Beta-RateLimit"] = f'"tenant-app-quota";r=0;t={seconds}'
    return Refusal(429, "Rate limit exceeded", headers=headers)


class Throttle:
    """Remembers recent requests; each window is measured on the site's clock."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[datetime]] = defaultdict(deque)
        self._points = 0
        self._hour: datetime | None = None
        self._buckets: dict[str, tuple[float, datetime]] = {}

    def check_burst(self, site: "Site", endpoint: str) -> None:
        """Raise 429 when ``endpoint`` (method and path pattern) is called too often within one second."""
        limit = site.settings.burst_per_second
        self._check(endpoint, ((limit, 1.0),), BURST, site.now())

    def check_issue_write(self, site: "Site", issue_id: str) -> None:
        """Raise 429 when one issue is written too often: by default 20 in 2 seconds or 100 in 30."""
        settings = site.settings
        windows = ((settings.issue_writes_per_2s, 2.0), (settings.issue_writes_per_30s, 30.0))
        self._check(f"issue {issue_id}", windows, PER_ISSUE, site.now())

    def charge(self, site: "Site") -> None:
        """Take a request's base point from an app's hour; raise 429 when it is used up. People pay no points."""
        now, limit = site.now(), site.settings.points_per_hour
        if self._hour is None or now >= self._hour + timedelta(hours=1):
            self._hour, self._points = now, 0
        if limit and self._points >= limit:
            left = (self._hour + timedelta(hours=1) - now).total_seconds()
            raise exceeded(QUOTA, left, limit, now)
        self._points += 1

    def add_points(self, objects: int) -> None:
        """Add a point for each object that an app was given."""
        self._points += objects

    def draw(self, site: "Site", name: str) -> dict[str, str]:
        """Take a token from ``name``'s bucket on Data Center; returns the headers of every authenticated answer."""
        settings, now = site.settings, site.now()
        if not settings.dc_bucket_size:
            return {}
        size, rate, interval = settings.dc_bucket_size, settings.dc_fill_rate, settings.dc_interval_seconds
        level, since = self._buckets.get(name, (float(size), now))
        level = min(float(size), level + (now - since).total_seconds() / interval * rate)
        headers = {
            "X-RateLimit-Limit": str(size),
            "X-RateLimit-Remaining": str(max(0, int(level) - 1)),
            "X-RateLimit-Interval-Seconds": str(interval),
            "X-RateLimit-FillRate": str(rate),
            "retry-after": "0" if level >= 1 else str(interval),
        }
        self._buckets[name] = (level - 1 if level >= 1 else level, now)
        if level < 1:
            raise Refusal(429, "Rate limit exceeded.", headers=headers)
        return headers

    def _check(self, key: str, windows: tuple[tuple[int, float], ...], reason: str, now: datetime) -> None:
        seen = self._seen[key]
        longest = max(seconds for _, seconds in windows)
        while seen and (now - seen[0]).total_seconds() >= longest:
            seen.popleft()
        for limit, seconds in windows:
            recent = [at for at in seen if (now - at).total_seconds() < seconds]
            if limit and len(recent) >= limit:
                wait = seconds - (now - recent[-limit]).total_seconds()
                raise exceeded(reason, wait, limit, now)
        seen.append(now)
