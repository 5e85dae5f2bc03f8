"""Request budgets: fixed windows, as the vendor counts them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .errors import too_many_requests


@dataclass(slots=True)
class Window:
    ends_at: datetime
    used: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of a budget after a request, for the answer's headers."""

    limit: int
    remaining: int
    resets: int


class Budgets:
    """All budgets of an account by name; a window starts with its first request."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._windows: dict[str, Window] = {}

    def take(self, name: str, limit: int, seconds: float = 60, what: str = "API requests per minute") -> Standing:
        """Use one of ``limit`` requests of the window. Raises 429 with ``Retry-After`` when none is left."""
        now = self._clock()
        window = self._windows.get(name)
        if window is None or now >= window.ends_at:
            window = self._windows[name] = Window(now + timedelta(seconds=seconds))
        resets = max(1, math.ceil((window.ends_at - now).total_seconds()))
        if window.used >= limit:
            raise too_many_requests(resets, f"Number of allowed {what} exceeded")
        window.used += 1
        return Standing(limit, limit - window.used, resets)
