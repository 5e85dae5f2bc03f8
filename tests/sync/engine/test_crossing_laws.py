"""Laws of what crosses: values through their maps, comments through their audiences."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apps.sync.engine import deliver, intake, settle
from apps.sync.engine.deliver import HubComment, HubEvent
from apps.sync.engine.merge import Agreement
from apps.sync.engine.plan import AddRemoteComment, UpdateRemote
from apps.sync.engine.rules import ConversationRule, FieldRule, MappingGap, Unmapped, into_system
from apps.sync.engine.snapshot import Comment, Receipt, RemoteChange, Value, Visibility

from .systems import PERSON, START, STATUS_THERE
from .test_laws import change_of, snapshot_of
from .worlds import STATUSES_THERE, law, make_rules, visibilities

# --- Value maps -------------------------------------------------------------------------------------------------------


@law()
@given(start=st.sampled_from(list(STATUS_THERE)))
def test_a_lossy_value_map_does_not_play_ping_pong(start: Value) -> None:
    """Five statuses here and four there: after one delivery neither side is asked to change again."""
    rules = make_rules()
    (step,) = deliver.plan_event(HubEvent(1, START, {"status": ("new?", start)}), {}, rules, {}).steps
    assert isinstance(step, UpdateRemote)
    base, _loose = settle.settle_write(
        {}, step.fields, step.agreements, Receipt(snapshot_of({}).ref, "2", "1", step.fields)
    )
    found, missing = intake.reconcile(snapshot_of(dict(step.fields)), base, {"status": start}, {}, rules)
    assert (found.values, missing) == ({}, ())


@law()
@given(there=st.sampled_from(STATUSES_THERE), here=st.sampled_from(list(STATUS_THERE)))
def test_a_status_taken_over_is_not_written_back(there: Value, here: Value) -> None:
    """Their *on hold* is our *pending*, and our *pending* is not sent back as their *waiting*."""
    rules = make_rules()
    base = {"status=status": Agreement(here, STATUS_THERE[here], 3)}
    found = intake.apply(change_of("status", STATUS_THERE[here], there), base, {"status": here}, {}, rules)
    after = settle.settle_intake(base, found.agreements, 4)
    told = HubEvent(4, START, {name: (here, value) for name, value in found.values.items()})
    assert deliver.plan_event(told, after, rules, {}).steps == ()


@law()
@given(value=st.text(min_size=1, max_size=5), way=st.sampled_from(list(Unmapped)))
def test_a_value_without_a_word_is_never_dropped(value: str, way: Unmapped) -> None:
    """It waits and names itself, passes as it is, or becomes the default that the rule states (T58)."""
    rule = FieldRule("status", "state", to_system={"known": 1}, to_hub={1: "known"}, unmapped=way, default_in_system=9)
    assume(value != "known")
    if way is Unmapped.PARK:
        with pytest.raises(MappingGap) as gap:
            into_system(rule, value)
        assert (gap.value.field, gap.value.value) == ("status", value)
        assert gap.value.remedy
    else:
        assert into_system(rule, value).value == (value if way is Unmapped.PASS else 9)


# --- Comments ---------------------------------------------------------------------------------------------------------

WIDTH = {None: 0, "internal": 1, "chosen": 2, "public": 3}


@law()
@given(
    audience=st.none() | st.text(max_size=8) | st.sampled_from(["public", "chosen", "internal"]), paired=st.booleans()
)
def test_a_comment_goes_out_no_wider_than_it_was_meant(audience: str | None, paired: bool) -> None:
    """Only *public* becomes public; an audience that nobody knows does not cross at all (INV-31)."""
    said = HubComment("c1", "body", "Marco", "Global Pvt Ltd", audience, is_paired=paired)
    delivery = deliver.plan_event(HubEvent(1, START, {}, comment=said), {}, make_rules(), {})
    visible = {step.visibility for step in delivery.steps if isinstance(step, AddRemoteComment)}
    if paired or audience not in ("public", "chosen"):
        assert delivery.steps == ()
        assert paired or delivery.withheld
    else:
        assert visible == {Visibility.PUBLIC if audience == "public" else Visibility.INTERNAL}


@law()
@given(visibility=visibilities, out_public=st.sampled_from(["public", "internal", None]))
def test_a_comment_comes_in_no_wider_than_it_was_there(visibility: Visibility, out_public: str | None) -> None:
    rules = replace(make_rules(), conversation=ConversationRule(out_public=out_public))
    said = Comment("1", "hello", PERSON, START, visibility)
    found = intake.apply(RemoteChange("1", START, PERSON, comment=said), {}, {}, {}, rules)
    expected = out_public if visibility is Visibility.PUBLIC else None
    assert found.audience == expected
    assert (found.comment is None) is (expected is None)


def test_a_comment_whose_visibility_nobody_told_is_internal() -> None:
    assert Comment("1", "hello", PERSON, START).visibility is Visibility.INTERNAL
