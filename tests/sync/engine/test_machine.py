"""The strongest law: whatever people do on all sides and wherever workers die, everything agrees in the end."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from apps.sync.engine.snapshot import Visibility

from . import worlds
from .model import Do, Lane, Portal, Said, Work
from .systems import Clock, Stale, System

numbers = st.integers(0, 2)
UNDER_WAY = object()


class World(RuleBasedStateMachine):
    """People, workers and accidents around one ticket and two or three systems."""

    portal_type: type[Portal] = Portal

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.portal = self.portal_type(self.clock)
        self.under_way: dict[str, tuple[Work, Any]] = {}
        self.said = 0

    @initialize(
        systems=st.lists(st.tuples(worlds.habits(), worlds.rules), min_size=2, max_size=3), starts_there=st.booleans()
    )
    def begin(self, systems: list[Any], starts_there: bool) -> None:
        made = [(System(f"s{number}", habit, self.clock), one) for number, (habit, one) in enumerate(systems)]
        if starts_there:
            first, its_rules = made.pop(0)
            first.person_opens({"title": "a", "status": "open", "assignee": "john", "priority": "low"})
            self.portal.adopt(first, its_rules)
        else:
            self.portal.open({"title": "a", "status": "new", "assignee": "", "priority": ""})
        for system, its_rules in made:
            self.portal.link(system, its_rules)

    def lane(self, number: int) -> Lane:
        lanes = list(self.portal.lanes.values())
        return lanes[number % len(lanes)]

    # --- People -------------------------------------------------------------------------------------------------------

    @rule(edit=worlds.hub_edits)
    def somebody_edits_here(self, edit: tuple[str, Any]) -> None:
        self.portal.change(dict([edit]))

    @rule(audience=worlds.audiences, number=numbers)
    def somebody_says_here(self, audience: str, number: int) -> None:
        self.said += 1
        chosen = frozenset({self.lane(number).owner}) if audience == "chosen" else frozenset()
        self.portal.say(Said(f"h{self.said}", f"here {self.said}", "Marco", "hub", audience, chosen))

    @rule(number=numbers, edit=worlds.system_edits, is_noticed=st.booleans())
    def somebody_edits_there(self, number: int, edit: tuple[str, Any], is_noticed: bool) -> None:
        lane = self.lane(number)
        if lane.system.exists:
            lane.system.person_edits(*edit)
            lane.looks_wanted += is_noticed and lane.exists

    @rule(number=numbers, visibility=worlds.visibilities, is_noticed=st.booleans())
    def somebody_says_there(self, number: int, visibility: Visibility, is_noticed: bool) -> None:
        lane = self.lane(number)
        if lane.system.exists:
            self.said += 1
            lane.system.person_comments(f"there {self.said}", visibility)
            lane.looks_wanted += is_noticed and lane.exists

    @rule(number=numbers, choice=st.sampled_from(["hub", "system"]))
    def somebody_answers(self, number: int, choice: str) -> None:
        lane = self.lane(number)
        if lane.asked and lane.owner not in self.under_way:
            self.portal.answer(lane, choice)

    # --- Workers ------------------------------------------------------------------------------------------------------

    @rule(number=numbers)
    def a_worker_starts(self, number: int) -> None:
        lane = self.lane(number)
        if lane.owner not in self.under_way:
            work = self.portal.decide(lane)
            if work is not None:
                self.under_way[lane.owner] = (work, UNDER_WAY)

    @rule(number=numbers, meanwhile=st.none() | worlds.system_edits)
    def a_worker_calls(self, number: int, meanwhile: tuple[str, Any] | None) -> None:
        lane = self.lane(number)
        work, result = self.under_way.get(lane.owner, (None, None))
        if work is None or result is not UNDER_WAY:
            return
        try:
            self.under_way[lane.owner] = (work, self.portal.perform(lane, work, self._edit(lane, meanwhile)))
        except Stale:
            assert isinstance(work, Do)
            self.portal.refuse(lane, work)
            del self.under_way[lane.owner]

    def _edit(self, lane: Lane, edit: tuple[str, Any] | None) -> Callable[[], None]:
        return (lambda: lane.system.person_edits(*edit)) if edit else (lambda: None)

    @rule(number=numbers)
    def a_worker_settles(self, number: int) -> None:
        lane = self.lane(number)
        work, result = self.under_way.get(lane.owner, (None, UNDER_WAY))
        if work is not None and result is not UNDER_WAY:
            self.portal.settle(lane, work, result)
            del self.under_way[lane.owner]

    @rule(number=numbers)
    def a_lane_goes_on(self, number: int) -> None:
        lane = self.lane(number)
        if lane.owner not in self.under_way:
            self.portal.step(lane)

    # --- Accidents ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.under_way)
    @rule(number=numbers)
    def a_worker_dies(self, number: int) -> None:
        """Before its call or after it; a lost answer is the same."""
        self.under_way.pop(self.lane(number).owner, None)

    @rule(seconds=st.integers(1, 3))
    def time_passes(self, seconds: int) -> None:
        self.clock.tick(seconds)

    @rule()
    def everything_is_compared(self) -> None:
        self.portal.sweep()

    # --- In the end ---------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not self.portal.lanes:
            return
        worlds.come_to_rest(self.portal)
        worlds.all_hold(self.portal)
        worlds.is_quiet(self.portal)


def test_everything_agrees_in_the_end() -> None:
    from hypothesis import settings

    run_state_machine_as_test(World, settings=settings(worlds.law(), stateful_step_count=60))
