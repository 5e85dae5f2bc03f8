"""Turns within one process: a system with much to do must not take every thread, and a wake-up that comes while its
system is being worked need not start anything."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable

THREADS_A_CONNECTION = 2


class Turns:
    """Who works which connection in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work: Counter[str] = Counter()
        self._called: set[str] = set()

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

    def leave(self, connection_id: str) -> None:
        """Give the turn back."""
        with self._lock:
            self._at_work[connection_id] -= 1


class Places:
    """Which lanes of each connection are under way in this process, at most ``most``: those that a system does not
    answer must not become ever more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken: dict[str, set[str]] = defaultdict(set)

    def free(self, connection_id: str) -> int:
        """How many more lanes may be begun. Two who ask at once may both take them: the bound is a rough one."""
        return max(0, self._most - len(self._taken[connection_id]))

    def taken(self, connection_id: str) -> frozenset[str]:
        """The lanes under way."""
        with self._lock:
            return frozenset(self._taken[connection_id])

    def take(self, connection_id: str, lanes: Iterable[str]) -> None:
        """Begin ``lanes``."""
        with self._lock:
            self._taken[connection_id].update(lanes)

    def leave(self, connection_id: str, lanes: Iterable[str]) -> None:
        """End ``lanes``."""
        with self._lock:
            self._taken[connection_id].difference_update(lanes)
