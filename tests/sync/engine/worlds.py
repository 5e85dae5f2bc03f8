"""Rules, systems and values for the laws, and what must hold once everything is at rest."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from apps.sync.engine.plan import AddRemoteComment
from apps.sync.engine.rules import FieldRule, SyncRules, Tiebreak, into_hub, into_system
from apps.sync.engine.snapshot import Value, Visibility, reads_same

from .model import Lane, Portal
from .systems import PERSON, STATUS_HERE, STATUS_THERE, SYNC, Habits, as_is, nothing_as_none, trimmed

EXAMPLES = int(os.environ.get("SIAM_EXAMPLES", "200"))
"""Examples of each law; must-show runs and CI set 2,000 or more."""


def law(examples: int = EXAMPLES) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


TITLES = ("a", "b", "c", " a", "a  b", "a b")
STATUSES = tuple(STATUS_THERE)
STATUSES_THERE = tuple(STATUS_HERE)
NAMES = ("", "john", "elaine")
PRIORITIES = ("low", "high")

HUB_VALUES: dict[str, tuple[Value, ...]] = {
    "title": TITLES,
    "status": STATUSES,
    "assignee": NAMES,
    "priority": PRIORITIES,
}
SYSTEM_VALUES: dict[str, tuple[Value, ...]] = HUB_VALUES | {"status": STATUSES_THERE}

hub_edits = st.sampled_from([(name, value) for name, values in HUB_VALUES.items() for value in values])
system_edits = st.sampled_from([(name, value) for name, values in SYSTEM_VALUES.items() for value in values])
visibilities = st.sampled_from(list(Visibility))
audiences = st.sampled_from(["public", "chosen", "internal"])
tiebreaks = st.sampled_from(list(Tiebreak))


def make_rules(*ties: Tiebreak, is_ordered: bool = True) -> SyncRules:
    """Rules over four fields, with the given tiebreaks (the last one for all that have none)."""
    given = [*ties, *[ties[-1] if ties else Tiebreak.LATEST] * 4]
    return SyncRules(
        version=1,
        fields=(
            FieldRule("title", "title", tiebreak=given[0]),
            FieldRule("status", "status", tiebreak=given[1], to_system=STATUS_THERE, to_hub=STATUS_HERE),
            FieldRule("assignee", "assignee", tiebreak=given[2]),
            FieldRule("priority", "priority", tiebreak=given[3]),
        ),
        type_of_kind={"incident": "incident"},
        kind_of_type={"incident": "incident"},
        is_ordered=is_ordered,
    )


rules = st.builds(make_rules, tiebreaks, tiebreaks, tiebreaks, tiebreaks, is_ordered=st.booleans())


@st.composite
def habits(draw: st.DrawFn) -> Habits:
    has_log = draw(st.booleans())
    is_atomic = draw(st.booleans())
    return Habits(
        has_log=has_log,
        is_atomic=is_atomic,
        tells=draw(st.sampled_from(["marks", "ids", "nothing"])),
        tidy=draw(st.sampled_from([as_is, trimmed, nothing_as_none])),
        # Without a log nobody can tell a late receipt from the system's own tidying; connectors read at once there.
        reads_back_late=has_log and not is_atomic and draw(st.booleans()),
    )


# --- What holds at rest -----------------------------------------------------------------------------------------------


def agrees(lane: Lane, portal: Portal) -> None:
    """All mapped fields mean the same on both sides (INV-20), but where a person was told that they do not: without a
    log nobody can tell whether the old value was put back by somebody or by the system itself."""
    told = {} if lane.system.habits.has_log else {one.key: one.found for one in lane.loose}
    for rule in lane.rules.fields:
        here, there = portal.fields[rule.hub], lane.system.fields[rule.system]
        means = reads_same(into_hub(rule, there), here)
        carried = reads_same(lane.system.habits.tidy(into_system(rule, here).value), there)
        is_told = rule.key in told and told[rule.key] == there
        assert means or carried or is_told, f"{lane.owner}: {rule.hub} is {here!r} here and {there!r} there"


def is_told_once(lane: Lane, portal: Portal) -> None:
    """Every comment is everywhere exactly once where its audience lets it, in the journal's order, and nowhere else."""
    carried = [said.body for said in lane.system.comments if said.author == SYNC]
    due = []
    for entry in portal.journal:
        said = entry.said
        if said is not None and said.organization != lane.owner and said.audience_for(lane.owner) is not None:
            due.append(f"**{said.author}** ({said.organization}):\n\n{said.body}")
    assert carried == due, f"{lane.owner}: {carried} where {due} was due"
    taken = [entry.said.body for entry in portal.journal if entry.said and entry.said.organization == lane.owner]
    told = [s.body for s in lane.system.comments if s.author == PERSON and s.visibility is Visibility.PUBLIC]
    assert sorted(taken) == sorted(told), f"{lane.owner}: {taken} came of {told}"


def is_in_order(lane: Lane) -> None:
    """The effects at the system are the lane's, in order (INV-6); only field writes ever repeat (INV-13, INV-14)."""
    made = {attempt.correlation: attempt for attempt in lane.attempts}
    effects = [made[correlation] for correlation in lane.system.effects]
    entries = [attempt.seq for attempt in effects if not attempt.slot.startswith("repair")]
    assert entries == sorted(entries), f"{lane.owner}: {entries}"
    once = [one.correlation for one in effects if one.slot == "create" or isinstance(one.step, AddRemoteComment)]
    assert len(once) == len(set(once)), f"{lane.owner}: a create or comment happened twice"


def is_well_told_apart(lane: Lane) -> None:
    """Where the system tells, exactly what people did was taken in, each change once (INV-2, INV-4, F23)."""
    habits_ = lane.system.habits
    if habits_.has_log and habits_.tells != "nothing":
        theirs = [change_id for change_id, by in lane.system.truth.items() if by == PERSON]
        taken = [change_id for change_id in theirs if change_id in lane.taken or not _passes_for_ours(lane, change_id)]
        assert lane.taken == taken, f"{lane.owner}: took {lane.taken} in of {theirs}"


def _passes_for_ours(lane: Lane, change_id: str) -> bool:
    """Whether somebody wrote just what we wrote too, so that ours changed nothing: then theirs counts as ours."""
    fields = next(change.fields for change in lane.system.log if change.id == change_id)
    return any(
        one.state == "applied" and not lane.system.writes.get(one.correlation)
        for one in lane.attempts
        if all(name in one.fields and reads_same(one.fields[name], after) for name, (_was, after) in fields.items())
    )


def all_hold(portal: Portal) -> None:
    for lane in portal.lanes.values():
        agrees(lane, portal)
        is_told_once(lane, portal)
        is_in_order(lane)
        is_well_told_apart(lane)


def come_to_rest(portal: Portal, choice: str = "hub") -> None:
    """Let everything run out: read every ticket, answer what is asked. Comparing whole tickets would hide faults."""
    for _ in range(20):
        for lane in portal.lanes.values():
            lane.looks_wanted += 1
        portal.rest()
        waiting = [lane for lane in portal.lanes.values() if lane.asked]
        if not waiting:
            break
        for lane in waiting:
            portal.answer(lane, choice)


def is_quiet(portal: Portal) -> None:
    """A further sweep over everything writes nothing anywhere (INV-24)."""
    before = len(portal.journal), [len(lane.system.effects) for lane in portal.lanes.values()]
    portal.sweep()
    portal.rest()
    after = len(portal.journal), [len(lane.system.effects) for lane in portal.lanes.values()]
    assert after == before, "a quiet world was written to"
