"""The wire between a connector and its system: one awaited call per request. Who drives the coroutine decides when each
request arrives, whether its answer comes back, and what goes wrong with it."""

from collections.abc import Callable, Generator
from typing import Any


class Call:
    """One request under way: ``about`` a ticket, or a cursor. ``act`` is what happens in the system when it arrives."""

    __slots__ = ("about", "act", "operation", "writes")

    def __init__(self, operation: str, about: str, act: Callable[[], Any], *, writes: bool) -> None:
        self.operation = operation
        self.about = about
        self.act = act
        self.writes = writes

    def __await__(self) -> Generator["Call", Any, Any]:
        return (yield self)
