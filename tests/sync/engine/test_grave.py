"""The laws of the brake: what is grave, how many are too many, and what puts an act back (INV-26)."""

from hypothesis import given
from hypothesis import strategies as st

from apps.sync.engine.grave import (
    OVER,
    TIMES_USUAL,
    Grave,
    GraveAct,
    Side,
    Tally,
    Undo,
    grave_in_hub,
    grave_in_system,
    is_blank,
    is_too_many,
    undo_of,
)
from apps.sync.engine.merge import OPEN, Agreement
from apps.sync.engine.rules import FieldRule, SyncRules

NUMBERS = st.integers(0, 10_000)
STATUSES = st.sampled_from(("new", "in_progress", "pending", "resolved", "closed"))
VALUES = st.one_of(
    st.none(), st.just(""), st.just("  "), st.just(()), st.text(max_size=5), st.integers(), st.booleans()
)
SITE = FieldRule("custom.site", "site")
STATUS = FieldRule("status", "state", to_hub={"Open": "in_progress", "Done": "resolved", "New": "new"})
RULES = SyncRules(1, (SITE, STATUS), {}, {})


@given(NUMBERS, NUMBERS, st.integers(1, 1000))
def test_a_handful_is_never_too_many(recent: int, busiest: int, handful: int) -> None:
    assert not is_too_many(Tally(min(recent, handful - 1), busiest, handful))


@given(NUMBERS, st.integers(1, 1000))
def test_where_nothing_is_usual_the_first_beyond_a_handful_is_too_many(recent: int, handful: int) -> None:
    assert is_too_many(Tally(handful + recent, 0, handful))


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_more_is_never_less_and_what_is_usual_never_stops_more(
    recent: int, busiest: int, handful: int, more: int
) -> None:
    tally = Tally(recent, busiest, handful)
    if is_too_many(tally):
        assert is_too_many(Tally(recent + more, busiest, handful))
    else:
        assert not is_too_many(Tally(recent, busiest + more, handful))
        assert not is_too_many(Tally(recent, busiest, handful + more))


@given(NUMBERS, st.integers(1, 1000))
def test_the_usual_may_grow_fivefold_and_no_further(busiest: int, handful: int) -> None:
    most = max(handful, TIMES_USUAL * busiest)
    assert not is_too_many(Tally(most - 1, busiest, handful))
    assert is_too_many(Tally(most, busiest, handful))


@given(VALUES, VALUES)
def test_only_a_value_that_says_something_can_be_emptied(before: object, after: object) -> None:
    agreed = {SITE.key: Agreement(after, after, OPEN)}
    found = grave_in_hub({"custom.site": after}, {"custom.site": before}, agreed)  # type: ignore[dict-item]
    is_grave = is_blank(after) and not is_blank(before)  # type: ignore[arg-type]
    assert [act.kind for act in found] == ([Grave.BLANK] if is_grave else [])


@given(STATUSES, STATUSES)
def test_a_ticket_is_closed_or_opened_again_only_across_the_line(before: str, after: str) -> None:
    [*found] = grave_in_hub({"status": after}, {"status": before}, {STATUS.key: Agreement(after, "x", OPEN)})
    wanted = {(False, True): [Grave.CLOSE], (True, False): [Grave.REOPEN]}.get((before in OVER, after in OVER), [])
    assert [act.kind for act in found] == wanted


@given(STATUSES, STATUSES)
def test_what_is_meant_by_a_hand_is_no_fault(before: str, after: str) -> None:
    base = {STATUS.key: Agreement(before, "was", 1), SITE.key: Agreement("Berlin", "Berlin", 1)}
    step = {STATUS.key: Agreement(after, "is", 2), SITE.key: Agreement("", "", 2)}
    assert grave_in_system(step, base, RULES, is_by_hand=True) == []


def test_rules_that_make_more_of_a_hand_than_it_did_are_a_fault() -> None:
    base = {STATUS.key: Agreement("new", "New", 1), SITE.key: Agreement("Berlin", "Berlin", 1)}
    step = {STATUS.key: Agreement("in_progress", "Done", 2), SITE.key: Agreement("Rome", "", 2)}
    found = grave_in_system(step, base, RULES, is_by_hand=True)
    assert [act.kind for act in found] == [Grave.BLANK, Grave.CLOSE]


def test_what_the_system_never_had_cannot_be_taken_from_it() -> None:
    step = {SITE.key: Agreement("", "", 2), STATUS.key: Agreement("closed", "Done", 2)}
    assert grave_in_system(step, {}, RULES) == []


@given(st.sampled_from(Side), st.text(min_size=1, max_size=4).filter(str.strip), VALUES)
def test_putting_back_never_writes_over_what_somebody_wrote_since(into: Side, before: str, present: object) -> None:
    act = GraveAct(Grave.BLANK, into, SITE.key, "custom.site", before, "", before)
    undo = undo_of(act, present)  # type: ignore[arg-type]
    assert (undo is Undo.ENTRY) is is_blank(present)  # type: ignore[arg-type]
    if not is_blank(present):  # type: ignore[arg-type]
        assert undo is (Undo.REPAIR if into is Side.SYSTEM else Undo.NOTHING)
