"""Wake-ups are gathered while they come in numbers, and never lost by that."""

import time

from siamportal.bells import BREATH_SECONDS, PAUSE_SECONDS, Bell


def test_those_that_ring_together_go_out_together_and_soon() -> None:
    sent: list[list[str]] = []
    bell = Bell(sent.append)
    for key in ("a", "b", "c", "b"):
        bell.ring(key)
    bell.ring("d", "a")
    assert sent == []
    time.sleep(BREATH_SECONDS * 20)
    assert sent == [["a", "b", "c", "d"]]


def test_those_that_follow_one_wait_for_each_other() -> None:
    sent: list[list[str]] = []
    times: list[float] = []

    def send(keys: list[str]) -> None:
        sent.append(keys)
        times.append(time.monotonic())

    bell = Bell(send)
    bell.ring("a")
    while not sent:
        time.sleep(BREATH_SECONDS / 5)
    bell.ring("b")
    bell.ring("c")
    time.sleep(PAUSE_SECONDS * 4)
    assert sent == [["a"], ["b", "c"]]
    assert times[1] - times[0] >= PAUSE_SECONDS * 0.9


def test_a_broker_that_is_gone_keeps_no_later_wake_up_back() -> None:
    calls: list[list[str]] = []

    def fail(keys: list[str]) -> None:
        calls.append(keys)
        if len(calls) < 3:
            raise ConnectionError("no broker")

    bell = Bell(fail)
    for key in ("a", "b", "c"):
        bell.ring(key)
        time.sleep(PAUSE_SECONDS * 3)
    assert calls == [["a"], ["b"], ["c"]]
