"""Wake-ups, gathered: under load one task tells of many rows, and on a quiet day nobody waits for that."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery

BREATH_SECONDS = 0.005
"""A wake-up waits for those that the same transaction rings: who is woken by the first of many finds little to do."""
PAUSE_SECONDS = 0.05
"""Those that come within this time after one went out go out together when it is over."""
WAKES = "wake."
log = logging.getLogger(__name__)


class Bell:
    """One task's wake-ups in this process; ``send`` gets the keys of all who rang."""

    def __init__(self, send: Callable[[list[Any]], object]) -> None:
        self._send, self._lock = send, threading.Lock()
        self._keys: dict[Any, None] = {}
        self._quiet_until = 0.0

    def ring(self, *keys: Any) -> None:
        """Send soon, with all others that ring until then."""
        with self._lock:
            is_awaited = bool(self._keys)
            self._keys.update(dict.fromkeys(keys))
            rest = self._quiet_until - time.monotonic()
        if is_awaited:
            return
        later = threading.Timer(max(rest, BREATH_SECONDS), self._flush)
        later.daemon = True
        later.start()

    def _flush(self) -> None:
        with self._lock:
            keys, self._keys = list(self._keys), {}
            self._quiet_until = time.monotonic() + PAUSE_SECONDS
        try:
            self._send(keys)
        except Exception:  # noqa: BLE001  the broker's client raises its own kinds; the sweep finds the rows anyway
            log.warning("no broker to wake anybody; the next sweep will look")


class Portal(Celery):
    """The Celery application. A task whose name begins with ``wake.`` may be called with the keys of many."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._bells: dict[str, Bell] = {}
        # A forked process has none of the timers.
        os.register_at_fork(after_in_child=self._bells.clear)

    def send_task(self, name: str, args: Sequence[Any] | None = None, *rest: Any, **options: Any) -> Any:
        if not name.startswith(WAKES) or not args:
            return super().send_task(name, args, *rest, **options)
        send = super().send_task
        bell = self._bells.setdefault(name, Bell(lambda keys: send(name, keys, *rest, **options)))
        bell.ring(*args)
        return None
