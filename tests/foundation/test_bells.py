"""Wake-ups are gathered while they come in numbers, and never lost by that."""

import time

from celery._state import pop_current_task, push_current_task

from apps.sync.wakeups import SENT_AT, sent_at
from siamportal.bells import PAUSE_SECONDS, Bell, Portal


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


def test_whoever_is_woken_knows_since_when_it_was_called() -> None:
    told: list[float] = []
    portal = Portal("a test", broker="memory://", set_as_current=False)

    @portal.task(name="told")
    def look() -> None:
        told.append(sent_at())

    before = time.time()
    look.apply_async()
    with portal.connection_for_read() as connection:
        message = connection.SimpleQueue("celery").get(timeout=5)
    asked = message.headers[SENT_AT]
    assert before <= asked <= time.time()
    time.sleep(0.05)
    look.push_request(**message.headers)
    push_current_task(look)
    try:
        look.run()
    finally:
        pop_current_task()
        look.pop_request()
    assert told == [asked]
