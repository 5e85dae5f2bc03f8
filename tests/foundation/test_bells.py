"""Wake-ups are gathered while they come in numbers, and never lost by that."""

import time
from typing import Any

import pytest

from apps.foundation import wake
from siamportal.bells import PAUSE_SECONDS, Bell


def test_the_first_goes_out_at_once_and_all_that_follow_soon_go_together() -> None:
    sent: list[list[str]] = []
    bell = Bell(sent.append)
    for key in ("a", "b", "c", "b"):
        bell.ring(key)
    assert sent == [["a"]]
    time.sleep(PAUSE_SECONDS * 3)
    assert sent == [["a"], ["b", "c"]]


def test_keys_that_ring_together_go_out_together() -> None:
    sent: list[list[str]] = []
    bell = Bell(sent.append)
    bell.ring("a", "b")
    assert sent == [["a", "b"]]


def test_what_is_rung_within_one_piece_of_work_goes_out_at_its_end(
    monkeypatch: pytest.MonkeyPatch, db: None, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(wake.current_app, "send_task", lambda name, args, **_rest: sent.append((name, args)))
    with wake.together():
        with django_capture_on_commit_callbacks(execute=True):
            for key in ("a", "b", "a"):
                wake.ring("journal", key)
            wake.ring("connection", "c")
        assert not sent
    assert sent == [("wake.journal", ["a", "b"]), ("wake.connection", ["c"])]


def test_it_goes_out_although_the_work_fails_after_the_commit(
    monkeypatch: pytest.MonkeyPatch, db: None, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(wake.current_app, "send_task", lambda name, args, **_rest: sent.extend(args))

    def fail() -> None:
        with wake.together():
            with django_capture_on_commit_callbacks(execute=True):
                wake.ring("journal", "a")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert sent == ["a"]


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
