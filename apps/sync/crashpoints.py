"""Named moments at which a process may die: one on each side of whatever lasts (INV-37).

``reached`` does nothing here. A process that is started to be killed installs what is to happen at them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

WRITES = ("create", "follow-up", "update", "comment", "attachment")
CALLS = (*WRITES, "recover", "look", "download", "poll")
ANY = ("",)

POINTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "claimed": ("The claims of a round are committed; nothing is decided.", ANY),
    "intended": ("The intent of a write is committed; its call has not begun.", WRITES),
    "sending": ("A request of the call is about to go out.", CALLS),
    "answered": ("A request of the call was answered; only memory knows.", CALLS),
    "settling": ("What came of a call is written and not committed.", (*WRITES, "recover", "look")),
    "settled": ("What came of a call is committed.", (*WRITES, "recover", "look")),
    "notice stored": ("A webhook is committed; the system waits for its answer.", ANY),
    "notice answered": ("The answer to a webhook is on its way.", ANY),
    "page accepted": ("The changes of a page are marked; neither they nor the cursor are committed.", ANY),
    "cursor moved": ("A page of changes and the cursor behind it are committed.", ANY),
    "journal heard": ("A journal's wake-up arrived; the ticket may lack links.", ANY),
    "link made": ("A link is committed; its lane has not been worked.", ANY),
    "token granted": ("The system handed out a token and withdrew the former; it is not stored.", ANY),
    "token kept": ("The new token is committed; it was not used yet.", ANY),
    "rules published": ("Other rules are in force; whoever published them has no answer.", ANY),
}
"""Point → what holds at that moment, and the operations during which it is met."""

_operation: ContextVar[str] = ContextVar("operation", default="")


def _go_on(_point: str, _operation: str) -> None:
    """What happens in production."""


_hook: Callable[[str, str], None] = _go_on


def install(hook: Callable[[str, str], None]) -> None:
    """Let ``hook`` have every point and operation that this process reaches."""
    global _hook  # noqa: PLW0603  one for the process: the points are met in all of its threads
    _hook = hook


@contextmanager
def during(operation: str) -> Iterator[None]:
    """Points met inside belong to ``operation``."""
    token = _operation.set(operation)
    try:
        yield
    finally:
        _operation.reset(token)


def reached(point: str) -> None:
    """This process is at ``point`` of the operation under way."""
    _hook(point, _operation.get() if len(POINTS[point][1]) > 1 else "")
