"""A trap in a process under test: at the k-th time that it reaches a point during an operation, a signal hits it.

The order lies in a file that all processes of a run look at; whoever springs it takes the file away, so that one order
is one signal.
"""

import json
import os
import signal
import threading
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Order:
    """Which moment, the how manieth of its kind in one process, and the signal then."""

    point: str
    operation: str = ""
    at: int = 1
    number: int = signal.SIGKILL


class Trap:
    """One process's side: counts what is reached."""

    def __init__(self, home: Path) -> None:
        self._place, self._sprung = home / "order", home / "sprung"
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._order: Order | None = None
        self._count = 0
        self._home, self._is_at_work = home, False
        at_work(home, os.getpid()).unlink(missing_ok=True)

    def __call__(self, point: str, operation: str) -> None:
        if point == "settled" and not self._is_at_work:
            self._is_at_work = True
            at_work(self._home, os.getpid()).touch()
        with self._lock:
            order = self._read()
            if order is None or (order.point, order.operation) != (point, operation):
                return
            self._count += 1
            if self._count < order.at:
                return
            try:
                self._place.unlink()
            except FileNotFoundError:
                return
            self._sprung.write_text(str(os.getpid()))
            os.kill(os.getpid(), order.number)

    def _read(self) -> Order | None:
        try:
            found = self._place.stat()
            if self._seen != (found.st_ino, found.st_mtime_ns):
                self._order = Order(**json.loads(self._place.read_text()))
                self._seen, self._count = (found.st_ino, found.st_mtime_ns), 0
        except FileNotFoundError:
            self._seen = self._order = None
        return self._order


def at_work(home: Path, process: int) -> Path:
    """The file that is there once ``process`` has settled a lane."""
    return home / f"at-work-{process}"


class Trapper:
    """The run's side: gives orders and sees whom they hit."""

    def __init__(self, home: Path) -> None:
        self._place, self._sprung = home / "order", home / "sprung"

    def set(self, order: Order) -> None:
        """Put an order in force, in place of the one before."""
        self._sprung.unlink(missing_ok=True)
        unfinished = self._place.with_suffix(".new")
        unfinished.write_text(json.dumps(asdict(order)))
        unfinished.rename(self._place)

    def withdraw(self) -> None:
        """No order any more."""
        self._place.unlink(missing_ok=True)

    def sprung_by(self) -> int | None:
        """The process that the order has hit."""
        return int(self._sprung.read_text() or 0) or None if self._sprung.exists() else None
