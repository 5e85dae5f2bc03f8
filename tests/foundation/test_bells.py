"""Wake-ups are gathered while they come in numbers, and never lost by that."""

import time

from siamportal.bells import PAUSE_SECONDS, Bell


def test_the_first_goes_out_at_once_and_all_that_follow_soon_go_together() -> None:
    sent: list[list[str]] = []
    bell = Bell(sent.append)
    for key in ("a", "b", "c", "b"):
        bell.ring(key)
    assert sent == [["a"]]
    time.sleep(PAUSE_SECONDS * 3)
    assert sent == [["a"], ["b", "c"]]


def test_after_a_rest_it_goes_out_at_once_again() -> None:
    sent: list[list[str]] = []
    bell = Bell(sent.append)
    bell.ring("a")
    time.sleep(PAUSE_SECONDS * 2)
    bell.ring("a")
    assert sent == [["a"], ["a"]]


def test_a_broker_that_is_gone_keeps_no_later_wake_up_back() -> None:
    calls: list[list[str]] = []

    def fail(keys: list[str]) -> None:
        calls.append(keys)
        if len(calls) == 2:
            raise ConnectionError("no broker")

    bell = Bell(fail)
    bell.ring("a")
    bell.ring("b")
    time.sleep(PAUSE_SECONDS * 3)
    bell.ring("c")
    assert calls == [["a"], ["b"], ["c"]]
