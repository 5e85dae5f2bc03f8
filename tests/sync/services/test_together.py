"""What several threads want done at the same time is done at once, and each gets its own answer."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DataError, OperationalError

from apps.sync.services.together import Together

FIRST = "first"


class Slow:
    """An act whose first time lasts until all others have come."""

    def __init__(self, together: Together[str, str], problem: Exception | None = None) -> None:
        self._together, self._problem = together, problem
        self.batches: list[list[str]] = []
        self.has_begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self, batch: Sequence[str]) -> list[str]:
        self.batches.append(list(batch))
        if batch[0] == FIRST:
            self.has_begun.set()
            assert self.may_end.wait(10)
        elif self._problem is not None and "bad" in batch:
            raise self._problem
        return [one.upper() for one in batch]

    def ask_all(self, names: Sequence[str]) -> list[str]:
        """The answers to ``names``, who come while the first is being answered; what is raised is told by its name."""

        def ask(name: str) -> str:
            try:
                return self._together.do(name, self)
            except Exception as problem:  # noqa: BLE001  it is what is looked at
                return type(problem).__name__

        with ThreadPoolExecutor(len(names) + 1) as pool:
            first = pool.submit(ask, FIRST)
            assert self.has_begun.wait(10)
            others = [pool.submit(ask, name) for name in names]
            while len(self._together._waiting) < len(names):
                threading.Event().wait(0.01)
            self.may_end.set()
            return [first.result(10), *(other.result(10) for other in others)]


def test_who_comes_alone_is_answered_alone() -> None:
    together: Together[str, str] = Together()
    batches = []

    def act(batch: Sequence[str]) -> list[str]:
        batches.append(list(batch))
        return [one.upper() for one in batch]

    assert [together.do("a", act), together.do("b", act)] == ["A", "B"]
    assert batches == [["a"], ["b"]]


def test_those_who_come_meanwhile_share_one_act() -> None:
    slow = Slow(Together())
    assert slow.ask_all(["a", "b", "c"]) == ["FIRST", "A", "B", "C"]
    assert [sorted(batch) for batch in slow.batches] == [[FIRST], ["a", "b", "c"]]


def test_one_that_cannot_be_done_fails_alone() -> None:
    slow = Slow(Together(), DataError("too long"))
    assert slow.ask_all(["a", "bad", "c"]) == ["FIRST", "A", "DataError", "C"]


def test_an_outage_meets_all_and_is_not_met_one_by_one() -> None:
    slow = Slow(Together(), OperationalError("disk full"))
    assert slow.ask_all(["a", "bad", "c"]) == ["FIRST", *["OperationalError"] * 3]
    assert len(slow.batches) == 2


def test_what_fails_does_not_stop_the_next() -> None:
    together: Together[str, str] = Together()

    def fail(_batch: Sequence[str]) -> list[str]:
        raise DataError("too long")

    with pytest.raises(DataError):
        together.do("a", fail)
    assert together.do("b", list) == "b"
