"""What several threads want done at the same time, done at once by one of them."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeAlias, TypeVar

from apps.foundation.outages import OUTAGES

T = TypeVar("T")
R = TypeVar("R")
Act: TypeAlias = Callable[[Sequence[T]], Sequence[R]]
MOST = 32


class Together(Generic[T, R]):
    """Things of one kind: whoever has the turn acts for all who came while the one before had it."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._waiting: deque[tuple[T, Future[R]]] = deque()

    def do(self, one: T, act: Act[T, R]) -> R:
        """What ``act`` makes of ``one``, alone or among others. Raises what ``act`` raises: what it raises for several
        is found out one by one, but for an outage, which meets all."""
        mine: Future[R] = Future()
        self._waiting.append((one, mine))
        with self._turn:
            while not mine.done():
                _act([self._waiting.popleft() for _ in range(min(len(self._waiting), MOST))], act)
        return mine.result()


def _act(batch: "list[tuple[T, Future[R]]]", act: Act[T, R]) -> None:
    try:
        made = act([one for one, _answer in batch])
    except BaseException as problem:  # noqa: BLE001  whoever asked raises it
        if len(batch) > 1 and isinstance(problem, Exception) and not isinstance(problem, OUTAGES):
            for single in batch:
                _act([single], act)
            return
        for _one, answer in batch:
            answer.set_exception(problem)
    else:
        for (_one, answer), result in zip(batch, made, strict=True):
            answer.set_result(result)
