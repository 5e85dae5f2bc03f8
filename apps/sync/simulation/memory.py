"""Memory with real transactions: what a block wrote is undone when it does not end well (INV-37).

Every change goes through a few small verbs that write down how to take it back. A fuse burns with each of them: when it
is through, the process dies or the database fails right there, between any two statements.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any

from ..engine.ports import StoreFailed


class StoreDown(StoreFailed):
    """The database does not take this statement; the transaction around it is lost (F53, F55)."""


class Killed(BaseException):
    """The process is gone in the middle of what it did (F50)."""


_MISSING = object()
_GROWN = object()


class Memory:
    """Dictionaries and lists that are changed all or nothing."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, Any, Any]] = []
        self._depth = 0
        self.fuse = 0
        """Statements until ``breaks`` is raised; 0: never."""
        self.breaks: Callable[[], BaseException] = Killed
        self.is_read_only = False
        self.dies_after_commit = False
        self.died_after_commit = False

    def atomic(self) -> "_Block":
        """All or nothing: what is written inside is kept when the block ends, and not before."""
        return _Block(self)

    def enter(self) -> int:
        self._depth += 1
        return len(self._undo)

    def leave(self, mark: int, *, is_good: bool) -> None:
        self._depth -= 1
        if not is_good:
            self._take_back(mark)
        elif not self._depth:
            self._undo.clear()
            if self.dies_after_commit:
                self.dies_after_commit, self.died_after_commit = False, True
                raise self.breaks()

    def put(self, place: Any, key: Any, value: Any) -> None:
        self._burn()
        if self._depth:
            self._undo.append((place, key, place.get(key, _MISSING)))
        place[key] = value

    def drop(self, place: Any, key: Any) -> None:
        if key in place:
            self._burn()
            if self._depth:
                self._undo.append((place, key, place[key]))
            del place[key]

    def grow(self, place: list[Any], value: Any) -> None:
        self._burn()
        if self._depth:
            self._undo.append((place, _GROWN, None))
        place.append(value)

    def update(self, row: Any, **values: Any) -> None:
        """Change columns of a row."""
        self._burn()
        columns = row.__dict__
        if self._depth:
            self._undo.extend((columns, name, columns[name]) for name in values)
        columns.update(values)

    def remember(self, place: Any, key: Any, value: Any) -> None:
        """Note something beside the store that must not outlive its transaction."""
        if self._depth:
            self._undo.append((place, key, place.get(key, _MISSING)))
        place[key] = value

    def _burn(self) -> None:
        if self.is_read_only:
            raise StoreDown("the database is read-only")
        if self.fuse:
            self.fuse -= 1
            if not self.fuse:
                raise self.breaks()

    def _take_back(self, mark: int) -> None:
        undo = self._undo
        while len(undo) > mark:
            place, key, before = undo.pop()
            if key is _GROWN:
                place.pop()
            elif before is _MISSING:
                del place[key]
            else:
                place[key] = before


class _Block:
    __slots__ = ("_mark", "_memory")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def __enter__(self) -> None:
        self._mark = self._memory.enter()

    def __exit__(self, kind: type[BaseException] | None, problem: object, trace: TracebackType | None) -> None:
        self._memory.leave(self._mark, is_good=kind is None)
