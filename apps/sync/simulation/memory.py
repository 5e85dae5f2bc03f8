"""Memory with real transactions: what a block wrote is undone when it does not end well (INV-37).

Every change goes through a few small verbs that write down how to take it back.
"""

from types import TracebackType
from typing import Any

_MISSING = object()
_GROWN = object()
_DROPPED = object()


class Memory:
    """Dictionaries and lists that are changed all or nothing."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, Any, Any]] = []
        self._depth = 0

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

    def put(self, place: Any, key: Any, value: Any) -> None:
        if self._depth:
            self._undo.append((place, key, place.get(key, _MISSING)))
        place[key] = value

    def drop(self, place: Any, key: Any) -> None:
        if key in place:
            if self._depth:
                # All of it: what comes back comes back to its place in the order.
                self._undo.append((place, _DROPPED, dict(place)))
            del place[key]

    def grow(self, place: list[Any], value: Any) -> None:
        if self._depth:
            self._undo.append((place, _GROWN, None))
        place.append(value)

    def update(self, row: Any, **values: Any) -> None:
        """Change columns of a row."""
        columns = row.__dict__
        if self._depth:
            self._undo.extend((columns, name, columns[name]) for name in values)
        columns.update(values)

    def _take_back(self, mark: int) -> None:
        undo = self._undo
        while len(undo) > mark:
            place, key, before = undo.pop()
            if key is _GROWN:
                place.pop()
            elif key is _DROPPED:
                place.clear()
                place.update(before)
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
