"""The engine's laws, one function at a time: merging, taking in, delivering, settling."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apps.sync.engine import deliver, intake, merge, recovery, settle
from apps.sync.engine.deliver import HubEvent
from apps.sync.engine.intake import OwnWrite, Pending
from apps.sync.engine.merge import NEVER, OPEN, Agreement, Verdict, judge
from apps.sync.engine.plan import CreateRemote, UpdateRemote, correlation_of, entry_of
from apps.sync.engine.rules import (
    ELLIPSIS,
    FieldRule,
    SyncRules,
    TextTooLong,
    Tiebreak,
    TooLong,
    into_hub,
    into_system,
)
from apps.sync.engine.snapshot import Receipt, RemoteChange, TicketSnapshot, Value

from .systems import PERSON, START, STATUS_THERE, Habits, System, as_is, nothing_as_none, trimmed
from .worlds import hub_edits, law, make_rules, system_edits, tiebreaks


def with_full_stop(value: str) -> str:
    return value if value.rstrip().endswith(".") else f"{value}."


few: st.SearchStrategy[Value] = st.sampled_from(["", "a", "b", "c", None])
edits = st.lists(hub_edits, max_size=8)
logs = st.lists(system_edits, max_size=8)
some_fields = st.dictionaries(st.sampled_from(["title", "state", "site"]), st.sampled_from(["a", "b"]), min_size=1)
tidies = st.sampled_from([as_is, trimmed, nothing_as_none, str.casefold, with_full_stop])


def one_rule(**given_: object) -> SyncRules:
    return SyncRules(
        1,
        (FieldRule("title", "title", **given_),),
        {"incident": "incident"},
        {"incident": "incident"},  # type: ignore[arg-type]
    )


def snapshot_of(fields: dict[str, Value], at: int = 0) -> TicketSnapshot:
    when = START + timedelta(seconds=at)
    return TicketSnapshot(System("s", Habits(), lambda: START).ref, "1", "incident", fields, START, when)


def change_of(name: str, before: Value, after: Value, *, at: int = 0, id: str = "1") -> RemoteChange:
    return RemoteChange(id, START + timedelta(seconds=at), PERSON, {name: (before, after)})


def events_of(changes: list[tuple[str, Value]], fields: dict[str, Value]) -> list[HubEvent]:
    """Journal entries for edits made one after the other; ``fields`` is brought up to date with them."""
    events = []
    for seq, (name, value) in enumerate(changes, start=1):
        events.append(HubEvent(seq, START, {name: (fields.get(name, ""), value)}))
        fields[name] = value
    return events


# --- Who changed it ---------------------------------------------------------------------------------------------------


@law()
@given(base=st.builds(Agreement, few, few, st.integers(0, 5)), here=few, there=few, tie=tiebreaks, later=st.booleans())
def test_one_hand_is_no_fight(base: Agreement, here: Value, there: Value, tie: Tiebreak, later: bool) -> None:
    """The tiebreak is never asked while only one side changed."""
    verdict = judge(base, here, there, tie, system_is_later=later)
    ours, theirs = merge.differs(here, base.hub), merge.differs(there, base.system)
    expected = {(False, False): Verdict.AGREED, (True, False): Verdict.TO_SYSTEM, (False, True): Verdict.TO_HUB}
    if not (ours and theirs):
        assert verdict is expected[ours, theirs]
    else:
        assert verdict is not Verdict.AGREED


@law()
@given(base=st.builds(Agreement, few, few, st.integers(0, 5)), here=few, there=few, tie=tiebreaks, later=st.booleans())
def test_a_conflict_is_settled_alike_every_time(
    base: Agreement, here: Value, there: Value, tie: Tiebreak, later: bool
) -> None:
    """The verdict is a function of base, both sides and the rule (INV-22), and *latest* alone looks at time."""
    first = judge(base, here, there, tie, system_is_later=later)
    assert first is judge(base, here, there, tie, system_is_later=later)
    if tie is not Tiebreak.LATEST:
        assert first is judge(base, here, there, tie, system_is_later=not later)


@law()
@given(base=few, here=few, there=few, tie=tiebreaks, hub_at=st.integers(0, 3), system_at=st.integers(0, 3))
def test_the_loser_of_a_conflict_is_kept(
    base: Value, here: Value, there: Value, tie: Tiebreak, hub_at: int, system_at: int
) -> None:
    """Both values stand in the record, whoever wins (INV-23), and an open question changes neither side."""
    held = Agreement(base, base, 1)
    assume(here != base and there != base and into_hub(one_rule().fields[0], there) != here)
    found = intake.apply(
        change_of("title", base, there, at=system_at),
        {"title=title": held},
        {"title": here},
        {"title=title": Pending(here, START + timedelta(seconds=hub_at))},
        one_rule(tiebreak=tie),
    )
    assert len(found.conflicts) == 1
    conflict = found.conflicts[0]
    assert (conflict.hub_value, conflict.system_value) == (here, there)
    wins_here = tie is Tiebreak.SYSTEM or (tie is Tiebreak.LATEST and system_at > hub_at)
    assert bool(found.values) is (wins_here and into_hub(one_rule().fields[0], there) != here)
    if not wins_here:
        assert settle.settle_intake({"title=title": held}, found.agreements, 9)["title=title"].seq == held.seq


@law()
@given(seq=st.integers(1, 9), held=st.sampled_from([NEVER, Agreement("x", "x", 0), Agreement("x", "x", 1)]))
def test_a_hub_value_that_won_is_still_owed_to_the_system(seq: int, held: Agreement) -> None:
    """Also for a field that both sides never agreed on before: the entry that holds it must not pass for covered."""
    rules, base = one_rule(tiebreak=Tiebreak.HUB), {"title=title": held}
    found = intake.apply(
        change_of("title", "x", "theirs"), base, {"title": "ours"}, {"title=title": Pending("ours", START)}, rules
    )
    after = settle.settle_intake(base, found.agreements, seq + 1)
    delivery = deliver.plan_event(HubEvent(seq + 1, START, {"title": ("x", "ours")}), after, rules, {})
    assert [step.fields for step in delivery.steps if isinstance(step, UpdateRemote)] == [{"title": "ours"}]


# --- It settles, without an echo --------------------------------------------------------------------------------------


@law()
@given(
    here=st.fixed_dictionaries({name: st.sampled_from(["", "a", " a", "b"]) for name in ("title", "assignee")}),
    there=st.fixed_dictionaries(dict.fromkeys(("title", "assignee"), few)),
    agreed=st.dictionaries(
        st.sampled_from(["title=title", "assignee=assignee"]), st.builds(Agreement, few, few, st.just(1))
    ),
    tie=tiebreaks,
)
def test_comparing_whole_tickets_settles(
    here: dict[str, Value], there: dict[str, Value], agreed: dict[str, Agreement], tie: Tiebreak
) -> None:
    """After one exchange a second comparison finds nothing, on neither side."""
    rules, base = make_rules(tie), dict(agreed)
    for expected in (None, ((), {}, ())):
        found, missing = intake.reconcile(snapshot_of(there), base, here, {}, rules)
        if expected is not None:
            assert (missing, found.values, found.conflicts) == expected
        here = here | found.values
        base = settle.settle_intake(base, found.agreements, 5)
        keys = [key for key in missing if not any(c.key == key and c.verdict is Verdict.ASK for c in found.conflicts)]
        written = {key.split("=")[1]: here[key.split("=")[0]] for key in keys}
        there = there | written
        agreements = {key: Agreement(here[key.split("=")[0]], written[key.split("=")[1]], 5) for key in keys}
        base, _loose = settle.settle_write(base, written, agreements, Receipt(snapshot_of({}).ref, "2", "1", written))
        if any(conflict.verdict is Verdict.ASK for conflict in found.conflicts):
            return


@law()
@given(text=st.text(max_size=30), before=st.text(max_size=30), tidy=tidies)
def test_what_we_wrote_comes_back_equal(text: str, before: str, tidy: object) -> None:
    """No echo, however a system tidies: neither its log nor a comparison finds anything to take over (INV-24)."""
    rules, before = one_rule(), tidy(before)  # type: ignore[operator]
    stored = tidy(text)  # type: ignore[operator]
    base, _loose = settle.settle_write(
        {"title=title": Agreement("old", before, 1)},
        {"title": text},
        {"title=title": Agreement(text, text, 2)},
        Receipt(snapshot_of({}).ref, "2", "1", {"title": stored}),
    )
    found, missing = intake.reconcile(snapshot_of({"title": stored}), base, {"title": text}, {}, rules)
    echo = intake.apply(change_of("title", before, stored), base, {"title": text}, {}, rules)
    assert (found.values, found.conflicts, missing, echo.values, echo.conflicts) == ({}, (), (), {}, ())


@law()
@given(log=logs, fields=st.fixed_dictionaries({"title": few, "assignee": few}))
def test_taking_a_log_back_gives_the_ticket_as_it_was_created(
    log: list[tuple[str, Value]], fields: dict[str, Value]
) -> None:
    """Rewinding undoes what the log did."""
    now, changes = {"status": "open", "priority": None, **fields}, []
    created = dict(now)
    for number, (name, value) in enumerate(log):
        changes.append(change_of(name, now[name], value, id=str(number)))
        now[name] = value
    assert intake.rewind_snapshot(snapshot_of(now), changes) == created


@law()
@given(changes=edits, cut=st.integers(0, 8))
def test_rewinding_the_hub_undoes_its_later_entries(changes: list[tuple[str, Value]], cut: int) -> None:
    fields: dict[str, Value] = {"title": "", "status": "new", "assignee": "", "priority": ""}
    then = dict(fields)
    events_of(changes[:cut], then)
    events = events_of(changes, fields)
    assert deliver.rewind(fields, events[cut:]) == then


# --- Delivering -------------------------------------------------------------------------------------------------------


@law()
@given(changes=edits, covered=st.integers(0, 8))
def test_entries_that_an_agreement_covers_write_nothing(changes: list[tuple[str, Value]], covered: int) -> None:
    """Superseded entries never overwrite newer agreement."""
    rules = make_rules()
    base = {rule.key: Agreement("x", "newer", covered) for rule in rules.fields}
    for event in events_of(changes, {}):
        if event.seq <= covered:
            delivery = deliver.plan_event(event, base, rules, {})
            assert (delivery.steps, delivery.agreements) == ((), {})


@law()
@given(
    changes=st.lists(hub_edits, min_size=1, max_size=8),
    covered=st.dictionaries(st.sampled_from(["title", "status"]), st.integers(0, 8)),
)
def test_several_entries_as_one_are_the_last_state(changes: list[tuple[str, Value]], covered: dict[str, int]) -> None:
    """Coalescing writes what one by one would leave in the end, and no field that an agreement covers."""
    rules = make_rules(is_ordered=False)
    fields: dict[str, Value] = {}
    events = events_of(changes, fields)
    base = {f"{name}={name}": Agreement("x", "newer", seq) for name, seq in covered.items()}
    whole = deliver.plan_event(deliver.coalesce(events), base, rules, {})
    one_by_one: dict[str, Value] = {}
    held = dict(base)
    for event in events:
        delivery = deliver.plan_event(event, held, rules, {})
        for step in delivery.steps:
            assert isinstance(step, UpdateRemote)
            one_by_one |= step.fields
            held |= step.agreements
        held |= delivery.agreements
    written = {
        name: value for step in whole.steps if isinstance(step, UpdateRemote) for name, value in step.fields.items()
    }
    assert written == {
        name: value for name, value in one_by_one.items() if value != base.get(f"{name}={name}", NEVER).system
    }


@law()
@given(fields=st.fixed_dictionaries({"title": few, "assignee": few, "status": st.sampled_from(list(STATUS_THERE))}))
def test_a_creation_agrees_on_every_field_even_on_empty_ones(fields: dict[str, Value]) -> None:
    """Or the first comparison would write nothing over nothing, and older entries would be told again."""
    steps = deliver.plan_creation({"kind": "incident", **fields}, 7, make_rules(), {})
    agreed: dict[str, Agreement] = {}
    for step in steps:
        assert isinstance(step, CreateRemote | UpdateRemote)
        agreed |= step.agreements
    assert {key: one.seq for key, one in agreed.items()} == {f"{name}={name}": 7 for name in fields}
    assert isinstance(steps[0], CreateRemote)
    assert None not in steps[0].fields.values()
    assert "" not in steps[0].fields.values()


@law()
@given(
    entry=st.text("0123456789abcdef", min_size=20, max_size=20),
    slot=st.sampled_from(["create", "update", "comment", "attachment", "follow-up", "in full"]),
    place=st.text(max_size=40),
)
def test_a_mark_names_its_entry_whenever_it_is_made(entry: str, slot: str, place: str) -> None:
    """So that a database put back to an earlier moment knows what to look for (INV-40), and short enough for all."""
    mark = correlation_of(entry, slot, place)
    assert mark == correlation_of(entry, slot, place)
    assert entry_of(mark) == entry
    assert re.fullmatch(r"siam-[0-9a-f]{6,35}", mark)
    assert mark not in (correlation_of(entry, slot + "!", place), correlation_of(entry, slot, place + "!"))


# --- Long texts -------------------------------------------------------------------------------------------------------


@law()
@given(text=st.text(max_size=60), longest=st.integers(len(ELLIPSIS) + 1, 20))
def test_an_over_long_text_is_shortened_only_with_its_full_text_beside_it(text: str, longest: int) -> None:
    """Or it waits, naming the field; never is it cut without a word (T59, INV-27)."""
    rule = FieldRule("title", "subject", max_length=longest, too_long=TooLong.SHORTEN)
    made = into_system(rule, text)
    assert len(str(made.value)) <= longest
    assert made.full_text == (text if len(text) > longest else None)
    if len(text) > longest:
        with pytest.raises(TextTooLong) as gap:
            into_system(replace(rule, too_long=TooLong.PARK), text)
        assert gap.value.field == "subject"


@law()
@given(text=st.text("ab ", min_size=21, max_size=60), touch=st.sampled_from(["", "x", "other "]))
def test_a_shortened_text_never_replaces_the_full_one(text: str, touch: str) -> None:
    """Whoever touches the shortened form there: the full text here stays, and the touch is on record."""
    rules = one_rule(max_length=20, too_long=TooLong.SHORTEN)
    sent = into_system(rules.fields[0], text).value
    base = {"title=title": Agreement(text, sent, 3)}
    touched = touch + str(sent)
    found = intake.apply(change_of("title", sent, touched), base, {"title": text}, {}, rules)
    assert found.values == {}
    assert len(found.conflicts) == (touched != sent)
    compared, _missing = intake.reconcile(snapshot_of({"title": touched}), base, {"title": text}, {}, rules)
    assert compared.values == {}


@law()
@given(
    text=st.text("abc ", min_size=21, max_size=60), newer=st.text("def ", max_size=60), touch=st.text("abc", max_size=3)
)
def test_a_shortened_text_never_passes_for_a_newer_one(text: str, newer: str, touch: str) -> None:
    """A comparison writes what the hub says since, however our shortened form of the older text looks there by now."""
    rules = one_rule(max_length=20, too_long=TooLong.SHORTEN)
    sent = into_system(rules.fields[0], text).value
    there = snapshot_of({"title": touch + str(sent)})
    found, missing = intake.reconcile(there, {"title=title": Agreement(text, sent, 3)}, {"title": newer}, {}, rules)
    assert (found.values, found.conflicts, missing) == ({}, (), ("title=title",))


@law()
@given(text=st.text("abc ", min_size=1, max_size=40), kept=st.integers(1, 39))
def test_a_text_that_the_system_cut_does_not_count_as_delivered(text: str, kept: int) -> None:
    """The beginning of what we wrote is no tidied form of it (INV-27)."""
    stored = text[:kept]
    assume(stored.strip() and text.split() != stored.split())
    _base, loose = settle.settle_write(
        {},
        {"title": text},
        {"title=title": Agreement(text, text, 1)},
        Receipt(snapshot_of({}).ref, "2", "1", {"title": stored}),
    )
    assert [(one.key, one.wanted, one.found, one.is_cut) for one in loose] == [("title=title", text, stored, True)]


@law()
@given(before=few, wanted=st.sampled_from(["a", "b", "c"]))
def test_a_value_that_the_system_puts_back_does_not_count_as_delivered(before: Value, wanted: Value) -> None:
    """A rule of its own reverts us: that is said, and not tried in a loop (INV-19)."""
    assume(before != wanted)
    base, loose = settle.settle_write(
        {"title=title": Agreement("old", before, 1)},
        {"title": wanted},
        {"title=title": Agreement(wanted, wanted, 2)},
        Receipt(snapshot_of({}).ref, "2", "1", {"title": before}),
    )
    assert [one.key for one in loose] == ["title=title"]
    event = HubEvent(2, START, {"title": ("old", wanted)})
    assert deliver.plan_event(event, base, one_rule(), {}).steps == ()


@law()
@given(
    words=st.lists(st.sampled_from(["a", "b"]), min_size=1),
    gaps=st.lists(st.sampled_from([" ", "  ", "\n"]), min_size=9),
)
def test_a_text_that_is_only_tidied_to_what_was_there_counts_as_delivered(words: list[str], gaps: list[str]) -> None:
    """A change in white space that the system does not keep is no revolt of the system."""
    text = "".join(word + gap for word, gap in zip(words, gaps, strict=False))
    tidied = " ".join(text.split())
    _base, loose = settle.settle_write(
        {"title=title": Agreement(tidied, tidied, 1)},
        {"title": text},
        {"title=title": Agreement(text, text, 2)},
        Receipt(snapshot_of({}).ref, "2", "1", {"title": tidied}),
    )
    assert loose == ()


# --- Whose change it was ----------------------------------------------------------------------------------------------


@law()
@given(log=st.lists(st.tuples(st.booleans(), system_edits), max_size=8), tells=st.sampled_from(["marks", "ids"]))
def test_our_own_writes_are_known_by_what_the_system_tells(
    log: list[tuple[bool, tuple[str, Value]]], tells: str
) -> None:
    """By mark or by id, never by author, time or likeness (F23, F24)."""
    changes, own = [], []
    for number, (is_ours, (name, value)) in enumerate(log):
        mark = f"siam-{number}" if is_ours and tells == "marks" else None
        changes.append(replace(change_of(name, "?", value, id=str(number)), correlation=mark))
        if is_ours:
            ids = (str(number),) if tells == "ids" else ()
            own.append(OwnWrite(f"siam-{number}", ids, {name: value} if tells == "ids" else {}))
    found = intake.set_own_aside(changes, own)
    assert [change.id for change in found.ours] == [str(n) for n, (is_ours, _edit) in enumerate(log) if is_ours]
    assert found.spent == {write.correlation for write in own}


@law()
@given(
    values=st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5), again=st.sampled_from(["a", "b", "c"])
)
def test_a_write_that_came_back_is_not_looked_for_again(values: list[str], again: str) -> None:
    """Where only values tell: somebody who sets the same value later is somebody else."""
    own = [OwnWrite(f"siam-{number}", (), {"title": value}) for number, value in enumerate(values)]
    log = [change_of("title", "?", value, id=str(number)) for number, value in enumerate(values)]
    found = intake.set_own_aside(log, own)
    assert (len(found.ours), found.spent) == (len(values), {write.correlation for write in own})
    left = [write for write in own if write.correlation not in found.spent]
    assert intake.set_own_aside([change_of("title", "?", again, id="later")], left).ours == ()


@law()
@given(values=some_fields, beside=some_fields, tells_nothing=st.booleans())
def test_what_a_system_does_beside_our_write_is_its_own_and_the_write_is_ours(
    values: dict[str, Value], beside: dict[str, Value], tells_nothing: bool
) -> None:
    """One entry of the log for both: the resolution that comes with a status, what a rule sets (F24, INV-25)."""
    theirs = {name: value for name, value in beside.items() if name not in values}
    entry = replace(
        change_of("title", "?", "?"), fields={name: ("?", value) for name, value in (theirs | values).items()}
    )
    own = [OwnWrite("siam-1", () if tells_nothing else (entry.id,), values)]
    found = intake.set_own_aside([entry], own)
    assert found.spent == {"siam-1"}
    if tells_nothing:
        assert [set(one.fields) for one in found.foreign] == ([set(theirs)] if theirs else [])
        assert [set(one.fields) for one in found.ours] == [set(values)]
    else:
        assert (found.foreign, found.ours) == ((), (entry,))


@law()
@given(theirs=st.sampled_from(["x", "y"]), ours=st.sampled_from(["a", "b"]), hub=st.sampled_from(["a", "b"]))
def test_an_edit_that_we_wrote_over_is_kept_and_not_taken_over(theirs: Value, ours: Value, hub: Value) -> None:
    """The overtaken edit stands in the conflicts; the newer agreement holds."""
    log = [change_of("title", "old", theirs, id="1"), change_of("title", theirs, ours, id="2")]
    overtaken = intake.find_overtaken(log, log[1:])
    base = {"title=title": Agreement(hub, ours, 4)}
    found = intake.apply(log[0], base, {"title": hub}, {}, one_rule(), overtaken=overtaken["1"])
    assert (found.values, found.agreements) == ({}, {})
    assert [(one.system_value, one.verdict) for one in found.conflicts] == [(theirs, Verdict.TO_SYSTEM)]
    assert "2" not in overtaken


@law()
@given(ours=st.sampled_from(["a", "b"]), theirs=st.sampled_from(["x", "y"]))
def test_an_edit_right_after_our_write_is_news_even_if_the_receipt_showed_it(ours: Value, theirs: Value) -> None:
    base, stored = {"title=title": Agreement(ours, theirs, 2)}, f"{ours}, tidied"
    judged = intake.as_we_left_it(base, {"title": stored}, one_rule())
    found = intake.apply(change_of("title", stored, theirs), judged, {"title": ours}, {}, one_rule())
    assert found.values == {"title": theirs}


@law()
@given(seq=st.integers(0, 9), held=st.integers(0, 9), open_=st.booleans())
def test_only_what_was_taken_over_is_covered_by_the_new_entry(seq: int, held: int, open_: bool) -> None:
    """And what an agreement once covered stays covered."""
    base = {"title=title": Agreement("a", "a", held)}
    found = Agreement("b", "b", OPEN if open_ else held)
    after = settle.settle_intake(base, {"title=title": found}, seq)["title=title"]
    assert after.seq == (max(seq, held) if open_ else held)


@law()
@given(theirs=st.sampled_from(["x", "y"]), ours=st.sampled_from(["a", " a", "a "]))
def test_a_change_away_from_what_we_wrote_is_news_even_if_the_base_has_it(theirs: Value, ours: Value) -> None:
    """The *from* of a change tells it from an echo: our tidied write left no entry, and the receipt came late."""
    base = {"title=title": Agreement(ours, theirs, 2)}
    assert intake.apply(change_of("title", "a", theirs), base, {"title": ours}, {}, one_rule()).values == {
        "title": theirs
    }
    assert intake.apply(change_of("title", "old", theirs), base, {"title": ours}, {}, one_rule()).values == {}


@law()
@given(before=few, wanted=few, told=st.booleans())
def test_only_a_write_that_changed_something_is_waited_for(before: Value, wanted: Value, told: bool) -> None:
    """Else the next person who sets that value would be taken for us."""
    receipt = Receipt(snapshot_of({}).ref, "2", "1", {"title": wanted}, ("7",) if told else ())
    base = {"title=title": Agreement("old", before, 1)}
    traceless = settle.leaves_no_trace(base, {"title": wanted}, {"title=title": Agreement(wanted, wanted, 2)}, receipt)
    assert traceless is (before == wanted and not told)


@law()
@given(values=st.permutations(["a", "b", "c"]), again=st.integers(0, 2))
def test_an_earlier_write_is_no_proof_of_a_later_one(values: list[str], again: int) -> None:
    """Three titles written and logged; a fourth write of one of them never arrived."""
    own = [OwnWrite(f"siam-{number}", (), {"title": value}) for number, value in enumerate(values)]
    log = [change_of("title", "?", value, id=str(number)) for number, value in enumerate(values)]
    others = intake.set_own_aside(log, own).foreign
    outcome = recovery.settle_unknown_write({"title": values[again]}, {"title": values[-1]}, others, "siam-9")
    assert outcome is (recovery.Outcome.APPLIED if again == 2 else recovery.Outcome.ABSENT)
