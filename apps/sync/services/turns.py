"""Turns within one process: a system with much to do must not take every thread, and a wake-up that comes while its
system is being worked need not start anything."""

import threading
from collections import Counter

THREADS_A_CONNECTION = 2


class Turns:
    """Who works which connection in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work: Counter[str] = Counter()
        self._called: set[str] = set()
        self._looked_at: dict[str, float] = {}

    def take(self, connection_id: str) -> bool:
        """Whether the caller may work; if not, those who do are told to look once more before they leave."""
        with self._lock:
            if self._at_work[connection_id] >= THREADS_A_CONNECTION:
                self._called.add(connection_id)
                return False
            self._at_work[connection_id] += 1
            return True

    def is_called_again(self, connection_id: str) -> bool:
        """Whether somebody called since the last time this was asked."""
        with self._lock:
            called = connection_id in self._called
            self._called.discard(connection_id)
            return called

    def look(self, connection_id: str, now: float) -> None:
        """Somebody begins to look what is due."""
        with self._lock:
            self._looked_at[connection_id] = now

    def has_looked_since(self, connection_id: str, asked_at: float) -> bool:
        """Whether a look that began after ``asked_at`` found what was asked for: it was committed before. Where the
        clocks of several machines differ, a sweep finds what was missed."""
        with self._lock:
            return self._looked_at.get(connection_id, 0.0) > asked_at

    def leave(self, connection_id: str) -> None:
        """Give the turn back."""
        with self._lock:
            self._at_work[connection_id] -= 1
