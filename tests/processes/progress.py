"""How long a run waits: as long as the portal gets anywhere. On a busy machine that takes longer, and is no defect."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

STILL_SECONDS = 120.0
"""Where nothing moved for so long, nobody comes to a certain point any more."""


def moves() -> int:
    """How far the portal has got: every journal entry counts when it is written, and for every system that has it."""
    from django.db.models import Sum

    from apps.sync.models import TicketLink
    from apps.tickets.models import TicketEvent

    applied: int | None = TicketLink.objects.aggregate(sum=Sum("applied_seq"))["sum"]
    return TicketEvent.objects.count() + (applied or 0)


@dataclass
class Patience:
    """Ends when nothing moved for ``still`` seconds, or when it took ``most`` moves, and that many seconds, in vain."""

    most: int
    still: float = STILL_SECONDS
    measure: Callable[[], int] = moves
    clock: Callable[[], float] = time.monotonic
    _begun: tuple[int, float] | None = field(default=None, init=False)
    _last: tuple[int, float] = field(default=(-1, 0.0), init=False)

    def is_over(self) -> bool:
        """To be asked again and again while one waits."""
        made, now = self.measure(), self.clock()
        self._begun = self._begun or (made, now)
        if made != self._last[0]:
            self._last = made, now
        (first, begun), (_made, moved_at) = self._begun, self._last
        return now - moved_at > self.still or (made - first > self.most and now - begun > self.still)
