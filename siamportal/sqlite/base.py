"""SQLite whose writers of one process stand in line (decision 0021).

SQLite has one write lock, and whoever finds it taken sleeps up to a tenth of a second before asking again, for as long
as others are quicker. In here a writer is woken the moment it is its turn. Other processes meet SQLite's own lock.

Threads of the web server go first: a person or a system waits for them, and they write little. The others get every
``MOST_FIRST``-th turn at least. When a turn does not come, those threads give up sooner too: whoever asked is told to
come back before a browser or a proxy has given up on them.
"""

import threading
from collections import deque
from typing import Any

from django.db.backends.sqlite3.base import DatabaseWrapper as DjangoWrapper
from django.db.backends.sqlite3.base import SQLiteCursorWrapper

WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "ALTER", "DROP")
LONGEST_WAIT, LONGEST_WAIT_OF_WEB = 30.0, 8.0
WEB_THREADS = "waitress"
MOST_FIRST = 64


class Line:
    """One at a time, in the order in which they came; those that may go first in an order of their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first: deque[threading.Lock] = deque()
        self._waiting: deque[threading.Lock] = deque()
        self._is_taken = False
        self._gone_first = 0

    def enter(self, longest: float, *, is_first: bool = False) -> bool:
        """Wait for the turn; False when it does not come within ``longest`` seconds."""
        those = self._first if is_first else self._waiting
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return True
            mine = threading.Lock()
            mine.acquire()
            those.append(mine)
        if mine.acquire(timeout=longest):
            return True
        with self._lock:
            if mine in those:
                those.remove(mine)
                return False
        # It came at the very last moment.
        return True

    def leave(self) -> None:
        """Hand the turn on."""
        with self._lock:
            if self._first and not (self._waiting and self._gone_first >= MOST_FIRST):
                self._gone_first += 1
                self._first.popleft().release()
            elif self._waiting:
                self._gone_first = 0
                self._waiting.popleft().release()
            else:
                self._is_taken = False


_line = Line()


def _is_web() -> bool:
    return threading.current_thread().name.startswith(WEB_THREADS)


def _enter() -> bool:
    is_web = _is_web()
    return _line.enter(LONGEST_WAIT_OF_WEB if is_web else LONGEST_WAIT, is_first=is_web)


class Cursor(SQLiteCursorWrapper):
    """A write outside a transaction stands in line for itself."""

    def execute(self, query: str, params: Any = None) -> Any:
        is_alone = query.startswith(WRITES) and not self.connection.in_transaction
        if not is_alone or not _enter():
            return super().execute(query, params)
        try:
            return super().execute(query, params)
        finally:
            _line.leave()


class DatabaseWrapper(DjangoWrapper):
    """A transaction stands in line before it begins, and until it has ended."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._is_in_line = False

    def init_connection_state(self) -> None:
        super().init_connection_state()
        longest = LONGEST_WAIT_OF_WEB if _is_web() else LONGEST_WAIT
        self.connection.execute(f"PRAGMA busy_timeout = {int(longest * 1000)}")

    def create_cursor(self, name: Any = None) -> Any:
        return self.connection.cursor(factory=Cursor)

    def _start_transaction_under_autocommit(self) -> None:
        # Whoever waited too long asks SQLite itself, which then says that it is locked.
        self._is_in_line = self._is_in_line or _enter()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._leave_line()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]
        # A commit that fails is rolled back, and that ends the transaction.
        self._leave_line()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._leave_line()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._leave_line()

    def _leave_line(self) -> None:
        if self._is_in_line:
            self._is_in_line = False
            _line.leave()
