"""A write under way: a failure before its first effect is certain, one after it is in doubt (INV-13, INV-17)."""

from typing import TypeVar

import pytest

from apps.sync.connectors.base import ConnectorError, RateLimited, Rejected, Writing

Problem = TypeVar("Problem", bound=Exception)


def failed(problem: Problem, *effects: tuple[str, ...]) -> Problem:
    """``problem`` as it leaves a write whose parts took effect as ``effects`` before."""

    def write() -> None:
        with Writing() as writing:
            for change_ids in effects:
                writing.took_effect(*change_ids)
            raise problem

    with pytest.raises(type(problem)) as failure:
        write()
    return failure.value


def test_a_failure_before_any_effect_keeps_what_it_says() -> None:
    limited = failed(RateLimited("wait", retry_after=1))
    assert (limited.is_unknown, limited.change_ids) == (False, ())
    assert failed(ConnectorError("cut", is_unknown=True)).is_unknown


def test_any_failure_after_an_effect_is_in_doubt_and_tells_what_is_ours() -> None:
    refused = failed(Rejected("no such value", field="site"), ("7",), ("8", "9"))
    assert (refused.is_unknown, refused.change_ids) == (True, ("7", "8", "9"))


def test_an_effect_without_a_known_place_in_the_log_is_one_all_the_same() -> None:
    cut = failed(ConnectorError("cut"), ())
    assert (cut.is_unknown, cut.change_ids) == (True, ())


def test_the_doubt_of_one_failure_is_not_that_of_the_next() -> None:
    assert failed(RateLimited("wait", retry_after=1), ("7",)).is_unknown
    assert not RateLimited("wait", retry_after=1).is_unknown


def test_a_fault_of_ours_is_not_touched() -> None:
    fault = failed(KeyError("ours"), ("7",))
    assert not hasattr(fault, "is_unknown")


def test_what_was_taken_back_is_no_effect_but_stays_in_the_log() -> None:
    def write() -> None:
        with Writing() as writing:
            writing.took_effect("7")
            writing.was_taken_back()
            raise Rejected("no way there")

    with pytest.raises(Rejected) as failure:
        write()
    assert (failure.value.is_unknown, failure.value.change_ids) == (False, ("7",))
