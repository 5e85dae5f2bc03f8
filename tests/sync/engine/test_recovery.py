"""What a failure leads to (INV-33 to INV-35), and how an unknown outcome is settled."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sync.engine.recovery import (
    FIRST_DELAY,
    LONGEST_DELAY,
    SAME_FAULT_LIMIT,
    STALE_LIMIT,
    Action,
    Failure,
    FailureKind,
    Outcome,
    backoff,
    begun_by,
    decide,
    settle_unknown_write,
    stored_by,
)
from apps.sync.engine.settle import is_left_of
from apps.sync.engine.snapshot import RemoteChange, Value, reads_same

from .systems import PERSON, START
from .worlds import law

TABLE = [
    (FailureKind.UNREACHABLE, Action.RETRY, True),
    (FailureKind.VENDOR_FAULT, Action.RETRY, True),
    (FailureKind.RATE_LIMITED, Action.WAIT, False),
    (FailureKind.STALE_VERSION, Action.LOOK, False),
    (FailureKind.SIGN_IN_FAILED, Action.PAUSE_CONNECTION, False),
    (FailureKind.ACCESS_REFUSED, Action.PARK, False),
    (FailureKind.TICKET_GONE, Action.DETACH, False),
    (FailureKind.TICKET_MERGED, Action.FOLLOW, False),
    (FailureKind.TICKET_CLOSED, Action.CLOSED, False),
    (FailureKind.REJECTED, Action.PARK, False),
    (FailureKind.RULE_GAP, Action.PARK, False),
    (FailureKind.OUR_FAULT, Action.PARK, False),
]
jitters = st.floats(0, 1, exclude_max=True)
values: st.SearchStrategy[Value] = st.sampled_from(["a", "b", "c", " a", ""])


def test_every_kind_of_failure_has_its_line_in_the_table() -> None:
    assert {kind for kind, _action, _counts in TABLE} == set(FailureKind)


@pytest.mark.parametrize(("kind", "action", "counts"), TABLE)
def test_a_failure_leads_to(kind: FailureKind, action: Action, counts: bool) -> None:
    consequence = decide(Failure(kind, "", retry_after=7.0), attempts=0, jitter=0.5)
    assert (consequence.action, consequence.counts_against_connection) == (action, counts)


def test_a_fault_that_comes_back_for_one_ticket_parks_it() -> None:
    """A 5xx for ever is a fault of the ticket, not of the system (F12)."""
    assert decide(Failure(FailureKind.VENDOR_FAULT, ""), SAME_FAULT_LIMIT - 1, 0.0).action is Action.RETRY
    assert decide(Failure(FailureKind.VENDOR_FAULT, ""), SAME_FAULT_LIMIT, 0.0).action is Action.PARK


def test_an_outage_never_parks_a_lane() -> None:
    assert decide(Failure(FailureKind.UNREACHABLE, ""), 10_000, 0.0).action is Action.RETRY


def test_a_ticket_that_keeps_moving_is_looked_at_again_at_once_only_so_often() -> None:
    stale = Failure(FailureKind.STALE_VERSION, "")
    assert [decide(stale, attempts, 0.0).delay for attempts in range(STALE_LIMIT)] == [0.0] * STALE_LIMIT
    assert decide(stale, STALE_LIMIT, 0.0).delay > 0


@law()
@given(after=st.floats(0, 3600, exclude_min=True), jitter=jitters, attempts=st.integers(0, 50))
def test_nobody_calls_before_the_system_said(after: float, jitter: float, attempts: int) -> None:
    """However often it failed: never before, and at most a second later (INV-33)."""
    delay = decide(Failure(FailureKind.RATE_LIMITED, "", retry_after=after), attempts, jitter).delay
    assert after <= delay <= after + 1


@law()
@given(attempts=st.integers(0, 10_000), jitter=jitters)
def test_waits_grow_and_stay_bounded(attempts: int, jitter: float) -> None:
    delay = backoff(attempts, jitter)
    assert FIRST_DELAY / 2 <= delay <= LONGEST_DELAY
    assert backoff(attempts + 1, jitter) >= delay
    assert backoff(0, jitter) <= FIRST_DELAY


# --- Unknown outcomes -------------------------------------------------------------------------------------------------


def logged(*after: Value, mark: str | None = None) -> list[RemoteChange]:
    return [
        RemoteChange(str(number), START + timedelta(seconds=number), PERSON, {"title": ("?", value)}, correlation=mark)
        for number, value in enumerate(after)
    ]


@law()
@given(written=values, now=values, log=st.lists(values, max_size=4))
def test_a_mark_in_the_log_proves_a_write(written: Value, now: Value, log: list[Value]) -> None:
    """Whatever the field looks like by now: systems tidy, and people edit afterwards."""
    since = [*logged(*log), *logged("whatever", mark="siam-1")]
    assert settle_unknown_write({"title": written}, {"title": now}, since, "siam-1") is Outcome.APPLIED


@law()
@given(written=values, now=values, stop=values)
def test_a_mark_on_the_way_proves_no_arrival(written: Value, now: Value, stop: Value) -> None:
    """A status goes through others; a write that died on the way has left its mark, and is not done."""
    since = logged(stop, mark="siam-1")
    outcome = settle_unknown_write({"title": written}, {"title": now}, since, "siam-1", stepwise={"title"})
    has_arrived = reads_same(written, now) or reads_same(written, stop)
    assert outcome is (Outcome.APPLIED if has_arrived else Outcome.ABSENT)


@law()
@given(written=values, now=values, log=st.lists(values, max_size=4))
def test_without_a_mark_a_write_is_proved_by_log_or_by_sight(written: Value, now: Value, log: list[Value]) -> None:
    outcome = settle_unknown_write({"title": written}, {"title": now}, logged(*log), "siam-1")
    shown = any(reads_same(written, value) for value in (now, *log))
    assert outcome is (Outcome.APPLIED if shown else Outcome.ABSENT)


@law()
@given(first=values, second=values, now=st.fixed_dictionaries({"title": values, "note": values}))
def test_half_a_write_is_no_write(first: Value, second: Value, now: dict[str, Value]) -> None:
    """All fields must be there, or all are written again: field writes can be repeated."""
    written = {"title": first, "note": second}
    whole = all(reads_same(now[name], value) for name, value in written.items())
    assert settle_unknown_write(written, now, (), "siam-1") is (Outcome.APPLIED if whole else Outcome.ABSENT)


@law()
@given(written=values, theirs=values)
def test_somebody_else_s_value_never_passes_for_what_we_wrote(written: Value, theirs: Value) -> None:
    """A write found applied, and an edit after it (F4): the edit must still count as news."""
    stored = stored_by({"title": written}, {"title": theirs}, ())
    assert stored == ({"title": theirs} if reads_same(written, theirs) else {})


@law()
@given(written=values, kept=values, theirs=values)
def test_our_own_log_entry_says_what_a_write_left(written: Value, kept: Value, theirs: Value) -> None:
    ours = logged(kept, mark="siam-1")
    assert stored_by({"title": written}, {"title": theirs}, ours) == {"title": kept}


@law()
@given(ours=values, theirs=values, step=values)
def test_a_write_that_stopped_at_a_step_is_known_by_what_went_with_it(ours: Value, theirs: Value, step: Value) -> None:
    """Where neither mark nor id tells; the system may add something to it. A step alone may be anybody's."""
    written = {"status": "done", "title": ours}

    def found(**fields: Value) -> bool:
        entry = RemoteChange("1", START, PERSON, {name: ("?", value) for name, value in fields.items()})
        return begun_by(written, [entry], {"status"}) == [entry]

    assert found(status=step, title=ours)
    assert found(title=theirs) is is_left_of(ours, theirs)
    assert not found(status=step)
    assert found(status=step, title=ours, status_at="10:04")
    assert not found(status=step, status_at="10:04")
    assert begun_by({"title": ours}, logged(ours), {"status"}) == []
