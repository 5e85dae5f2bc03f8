"""Who waits for systems: a worker for a moment, and one thread of the process for all that takes longer (INV-9).

Work that calls a system is a generator that yields what it waits for. A system that hangs, or a single ticket in one,
so keeps no worker from the others; and what was answered meanwhile is settled at once, not when the slowest is through.
"""

import logging
import threading
import time
from collections.abc import Generator
from concurrent.futures import Future, wait
from typing import Any, TypeAlias

from django.db import close_old_connections, connections

from apps.foundation.outages import OUTAGES

log = logging.getLogger(__name__)
MOMENT = 0.5
"""How long a worker waits for a system before it turns to others."""
TICK = 0.5

Waiting: TypeAlias = Generator["Future[Any]", None, None]
"""Work that yields what it waits for, and is asked to go on now and then although that has not come."""

OTHERS_TURN: "Future[None]" = Future()
"""What work yields that need not wait, but has done its share for now: others have claims to keep."""
OTHERS_TURN.set_result(None)


def carry_on(work: Waiting) -> bool:
    """Go on with ``work`` for a moment; whether it is through. If not, it goes on beside."""
    end = time.monotonic() + MOMENT
    for awaited in work:
        wait([awaited], timeout=max(0.0, end - time.monotonic()))
        if not awaited.done():
            _beside.take(work, awaited)
            return False
    return True


class _Beside:
    """The thread that goes on with what workers left. Who dies with it is found by its claim, like any worker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._works: dict[Waiting, Future[Any]] = {}
        self._called = threading.Event()
        self._is_running = False

    def take(self, work: Waiting, awaited: "Future[Any]") -> None:
        awaited.add_done_callback(self._call)
        with self._lock:
            self._works[work] = awaited
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="patience", daemon=True).start()
        self._called.set()

    def _call(self, _answered: object) -> None:
        self._called.set()

    def _run(self) -> None:
        while True:
            self._called.wait(TICK)
            self._called.clear()
            close_old_connections()
            for work in list(self._works):
                self._go_on(work)
            with self._lock:
                if not self._works:
                    self._is_running = False
                    break
        connections.close_all()

    def _go_on(self, work: Waiting) -> None:
        try:
            awaited = next(work)
        except StopIteration:
            del self._works[work]
        except OUTAGES as problem:
            log.warning("the database cannot be had (%s); what was under way is found by its claims", problem)
            del self._works[work]
        except Exception:
            log.exception("what was under way is found by its claims")
            del self._works[work]
        else:
            if awaited is not self._works[work]:
                self._works[work] = awaited
                awaited.add_done_callback(self._call)


_beside = _Beside()
