"""The gates of this process: before each call of a connection they see to its allowance and to what its system asked.

Calls are taken from the database some at once, by the thread that works the round, never by the loop that makes them. A
connection without a limit costs no statement, one with a limit usually one a round.
"""

import asyncio
import logging
import math
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.utils import timezone

from ..connectors.base import CallsSpent, ConnectorError, RateLimited, VendorFault
from ..engine.allowance import KEPT_SECONDS, Limit, release_at, take
from ..models import Connection, ConnectionPulse
from ..store import store
from ..store.allowances import SAID, buckets_of, limits_of, note_spent, note_told, return_calls, take_calls

log = logging.getLogger(__name__)
PATIENCE = 5.0
"""How long a call waits for its turn before its lane gives way; its worker has others to serve."""
FIRST_HALT, LONGEST_HALT = 0.2, 60.0
"""For how long a system is left alone that asks for it without saying how long: twice as long each time."""
CALLS_OF_CALM, MOST_DOUBLINGS = 25, 9
"""So many calls let through take one doubling back."""
FIRST_REPEAT = 0.2
"""After a fault of the system, a read is made once more this much later, or twice this at most."""
LOOKS_EVERY = 0.1
SENT_WITHIN = 3.0
CALLS_A_LANE = 3
"""What a lane takes in a round, seldom more: the ticket, its log, a write."""
FOR_POLLS = 4
"""Calls that rounds leave, so that a system is still asked for changes while there is much to write."""
CALLS_A_VISIT = 20
FEW = 6
"""Lanes go on once there are calls for a few, not one by one."""


class CallGate:
    """What this process may still call of one connection. Upholds :class:`~..connectors.http.Gate`."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._limits: list[Limit] = []
        self._left = 0
        self._good_until = 0.0
        self._more_at = 0.0
        self._closed_until = 0.0
        self._closed_for = ""
        self._unrest = 0
        self._is_known = True
        self._waiting = 0
        self._was_refused = False
        self._told: dict[float, int] = {}

    # --- Asked by the loop that makes the calls -----------------------------------------------------------------------

    async def admit(self) -> float:
        gives_up = time.monotonic() + self._patience
        try:
            self._waiting += 1
            while True:
                now = time.monotonic()
                wait, turn = self._look(now)
                if turn is not None:
                    self._unrest = max(0, self._unrest - 1)
                    return turn
                if now + wait > gives_up:
                    raise self._refusal(wait)
                await asyncio.sleep(min(wait, LOOKS_EVERY) or LOOKS_EVERY)
        finally:
            self._waiting -= 1

    def _look(self, now: float) -> tuple[float, float | None]:
        """Seconds to wait, or until when this call has its turn."""
        with self._lock:
            if now < self._closed_until:
                return self._closed_until - now, None
            if not self._limits:
                return 0.0, math.inf
            if self._left and now < self._good_until:
                self._left -= 1
                return 0.0, self._good_until + SENT_WITHIN
            return max(self._more_at - now, 0.0), None

    def _refusal(self, wait: float) -> RateLimited:
        if time.monotonic() < self._closed_until:
            return RateLimited(self._closed_for, retry_after=wait)
        self._was_refused = True
        names = " and ".join(f"{limit.calls} calls in any {limit.length}" for limit in self._limits)
        return CallsSpent(
            f"The allowance of {names} is used up; the portal goes on by itself as soon as there are calls again.",
            retry_after=max(wait, 1.0),
        )

    def close(self, seconds: float, detail: str) -> None:
        with self._lock:
            until = time.monotonic() + seconds
            if until > self._closed_until:
                self._closed_until, self._closed_for, self._is_known = until, detail, False

    def heard(self, problem: ConnectorError) -> None:
        """Stop the calls that have not gone out yet when the system asks to be left alone."""
        if isinstance(problem, RateLimited) and problem.scope == "connection":
            problem.retry_after = problem.retry_after or self._halt()
            self.close(problem.retry_after, problem.detail)

    def _halt(self) -> float:
        """For how long to leave a system alone that does not say it. Who is refused along with others waits along."""
        left = self._closed_until - time.monotonic()
        if left > 0:
            return left
        doublings = math.ceil(self._unrest / CALLS_OF_CALM)
        self._unrest = min(self._unrest + CALLS_OF_CALM, MOST_DOUBLINGS * CALLS_OF_CALM)
        return min(LONGEST_HALT, FIRST_HALT * 2.0**doublings)

    async def may_repeat(self, refused: ConnectorError) -> bool:
        self.heard(refused)
        if isinstance(refused, RateLimited):
            # The wait itself is where every call waits for its turn.
            return refused.scope == "connection" and refused.retry_after < self._patience
        if not isinstance(refused, VendorFault) or not self._patience:
            return False
        await asyncio.sleep(FIRST_REPEAT * (1 + random.random()))
        return True

    def forget(self) -> None:
        """The system is asked anew what it allows."""
        self._told.clear()

    def learn(self, calls: int, seconds: float) -> None:
        # Of several limits of one length the lowest counts.
        self._told[seconds] = min(calls, self._told.get(seconds, calls))

    @property
    def in_hand(self) -> int:
        """Calls that were taken and can still be made."""
        with self._lock:
            return self._left if time.monotonic() < self._good_until else 0

    # --- Asked by the thread that waits for the calls -----------------------------------------------------------------

    def stock(self, connection: Connection, *, want: int, leave: int = 0, now: datetime | None = None) -> None:
        """See to it that ``want`` calls are in hand, or as many as there are, and none is made while the system wants
        to be left alone."""
        self.wait_for(connection.pulse.limited_until)
        self._limits, in_hand = limits_of(connection), self.in_hand
        if not self._limits or in_hand >= want:
            return
        taken_at = time.monotonic()
        now = now or timezone.now()
        taken, more_at = take_calls(connection, want=want - in_hand, leave=leave, now=now)
        with self._lock:
            self._more_at = taken_at + (more_at - now).total_seconds()
            if taken:
                # Those in hand keep the end that they had: together they are good for the shorter time.
                end = taken_at + KEPT_SECONDS
                self._good_until = min(self._good_until, end) if in_hand else end
                self._left = taken + in_hand

    def return_rest(self, connection: Connection) -> None:
        """Give back the calls that nobody will make."""
        left = self.in_hand
        if left:
            held = KEPT_SECONDS - (self._good_until - time.monotonic())
            self._left = 0
            return_calls(connection, calls=left, held=timedelta(seconds=held), now=timezone.now())

    def attend(self, connection: Connection) -> None:
        """While calls are under way: tell other workers what the system asked, hear it from them, and take more."""
        try:
            self._tell(connection)
            self.heed(connection)
            if self._waiting:
                self.stock(connection, want=max(self._waiting, FEW))
        except DatabaseError:
            # Calls that are under way end first; what came of them is settled, or found out later.
            log.warning("the gate of %s could not look after its calls", connection, exc_info=True)

    def heed(self, connection: Connection) -> None:
        """Stay closed for as long as the system asked any worker to wait."""
        pulse = ConnectionPulse.objects.filter(connection=connection)
        self.wait_for(pulse.values_list("limited_until", flat=True).get())

    def wait_for(self, until: datetime | None) -> None:
        """Let no call through before ``until``."""
        left = (until - timezone.now()).total_seconds() if until is not None else 0.0
        if left > 0:
            with self._lock:
                self._closed_until = max(self._closed_until, time.monotonic() + left)
                self._closed_for = self._closed_for or "The system asked us to wait."

    def _tell(self, connection: Connection) -> None:
        if not self._is_known:
            now = timezone.now()
            self._is_known = True
            until = now + timedelta(seconds=self._closed_until - time.monotonic())
            store.wait_until(connection, until, self._closed_for, now=now)

    def leave(self, connection: Connection) -> None:
        """After the calls: keep what was learnt."""
        self._tell(connection)
        for seconds, calls in self._told.items():
            if getattr(connection.pulse, SAID[seconds]) != calls:
                note_told(connection, seconds, calls)
        if self._was_refused:
            self._was_refused = False
            _pause(connection, timezone.now())


def gate_for(connection: Connection) -> CallGate:
    """The gate through which all calls of a connection go in this process."""
    with _lock:
        return _gates.setdefault(str(connection.pk), CallGate())


@contextmanager
def visit(connection: Connection) -> Iterator[CallGate]:
    """The gate of a person's question to the system, which nobody waits with: it is answered now or refused."""
    gate = CallGate(patience=0.0)
    gate.heed(connection)
    gate.stock(connection, want=CALLS_A_VISIT)
    try:
        yield gate
    except RateLimited as problem:
        gate.heard(problem)
        raise
    finally:
        gate.leave(connection)
        gate.return_rest(connection)


def room_for_lanes(connection: Connection, *, now: datetime) -> int | None:
    """For how many lanes there are calls; None: no limit. Without room all lanes of the connection wait for some."""
    buckets = buckets_of(connection)
    if not buckets:
        return None
    spent_until = connection.pulse.spent_until
    if spent_until is not None and spent_until > now:
        return 0
    there = take(buckets, now, want=sum(limit.burst for limit, _ in buckets), leave=FOR_POLLS)[0]
    room = there + gate_for(connection).in_hand
    if room < CALLS_A_LANE:
        _pause(connection, now)
    return room // CALLS_A_LANE


def _pause(connection: Connection, now: datetime) -> None:
    buckets = buckets_of(connection)
    until = release_at(buckets, now, want=FEW + FOR_POLLS) if buckets else now
    if until > now:
        note_spent(connection, until)


_lock = threading.Lock()
_gates: dict[str, CallGate] = {}
