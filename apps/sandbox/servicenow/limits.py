"""Rate limits: opt-in rules per account, role or everybody, counted for each account over a clock hour."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .access import Viewer
from .errors import rate_limited
from .instance import Instance, Row


@dataclass(slots=True)
class Window:
    """Requests of one hour. ``flushed`` is the count that enforcement knows of: it lags behind, as at the vendor."""

    starts_at: datetime
    flushed_at: datetime
    count: int = 0
    flushed: int = 0


class Limiter:
    """Counts requests under the records of ``sys_rate_limit_rules``."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._windows: dict[tuple[str, str], Window] = {}

    def admit(self, viewer: Viewer, resource: str) -> dict[str, str]:
        """Headers for the answer; none where no rule matches. Raises a 429 refusal when the limit is used up."""
        rule = self._rule_for(viewer, resource)
        if rule is None:
            return {}
        now = self._instance.clock()
        window = self._window(rule, viewer, now)
        limit = int(rule["request_limit"] or "0")
        reset_at = window.starts_at + timedelta(hours=1)
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Reset": str(int(reset_at.timestamp())),
            "X-RateLimit-Rule": rule["sys_id"],
        }
        if window.flushed >= limit:
            wait = max(1, int((reset_at - now).total_seconds()))
            raise rate_limited(limit, resource, {**headers, "Retry-After": str(wait)})
        window.count += 1
        return headers

    def _window(self, rule: Row, viewer: Viewer, now: datetime) -> Window:
        hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        key = (rule["sys_id"], viewer.sys_id)
        window = self._windows.get(key)
        if window is None or window.starts_at != hour:
            window = self._windows[key] = Window(hour, now)
        if (now - window.flushed_at).total_seconds() >= self._instance.settings.rate_limit_flush_seconds:
            window.flushed, window.flushed_at = window.count, now
        return window

    def _rule_for(self, viewer: Viewer, resource: str) -> Row | None:
        """A rule for the account goes before rules for its roles, of which the lowest counts, and those before all."""
        rules = [
            rule
            for rule in self._instance.shelves["sys_rate_limit_rules"].rows.values()
            if rule["active"] == "true" and rule["resource"] == resource
        ]
        for kind in ("user", "role", "all"):
            matching = [rule for rule in rules if rule["type"] == kind and _matches(rule, viewer)]
            if matching:
                return min(matching, key=lambda rule: int(rule["request_limit"] or "0"))
        return None


def _matches(rule: Row, viewer: Viewer) -> bool:
    if rule["type"] == "user":
        return rule["user"] == viewer.sys_id
    return rule["type"] == "all" or rule["role"] in viewer.roles
