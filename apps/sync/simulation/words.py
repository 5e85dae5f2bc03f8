"""The small vocabulary of the simulated world: few values, so that changes meet each other often."""

from collections.abc import Mapping

PORTAL = ""
PERSON = "a person"
ADMINISTRATOR = "administrator"
BOT = "siam-sync"
"""The account with which the portal signs in. Rules and people use it, too (F23, F24)."""
HANDS = (PERSON, BOT, ADMINISTRATOR)
"""Who makes log entries, besides our writes."""

LONGEST_TITLE, LONGEST_COMMENT = 255, 65_000
CUSTOM = "custom."
STATUS = "status"
STATUSES = ("new", "in_progress", "pending", "resolved", "closed")
HUB_MOVES: Mapping[str, tuple[str, ...]] = {
    "new": ("in_progress", "pending", "resolved"),
    "in_progress": ("pending", "resolved"),
    "pending": ("in_progress", "resolved"),
    "resolved": ("closed", "in_progress"),
    "closed": ("in_progress",),
}
PRIORITIES = ("critical", "high", "medium", "low")
HUB_CHOICES: Mapping[str, tuple[str, ...]] = {"status": STATUSES, "priority": PRIORITIES, "kind": ("incident",)}
NAMES = ("", "John", "Elaine", "Marco")
AUDIENCES = ("public", "chosen", "internal")

TAILS = (
    "",
    " ",
    "  two  blanks ",
    "\r\nnext line",
    "\u00a0no break",
    " \U0001f469\u200d\U0001f4bb",
    " \u05e9\u05dc\u05d5\u05dd",
    " e\u0301",
    *(" " + "long " * 16,) * 5,
)
"""What follows a marked text: everything that systems tidy, cut or trip over (F38, F39)."""


def marked(number: int, tail: int) -> str:
    """A text that nobody else wrote: its number tells where it came from."""
    return f"#{number}#{TAILS[tail % len(TAILS)]}"


def mark_in(text: object) -> int | None:
    """The number in a marked text; None where there is none."""
    parts = str(text).split("#", 2)
    return int(parts[1]) if len(parts) == 3 and parts[1].isdigit() else None
