"""State models: which states end a ticket, and which moves a table's rules usually allow.

The Table API shows no transitions: a move is tried, and only when the instance refuses it, walked along these.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from .settings import ServiceNowSettings

STATE = "state"


@dataclass(frozen=True, slots=True)
class StateModel:
    """``steps``: from each state the states one move away. ``closed``: states that take no more writes."""

    closed: frozenset[str] = frozenset()
    steps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def reachable(self, state: str) -> tuple[str, ...]:
        return self.steps.get(state, ())

    def route(self, start: str, goal: str) -> tuple[str, ...]:
        """The states to pass through after ``start``, ``goal`` last; empty when no moves lead there."""
        came_from: dict[str, str] = {start: ""}
        waiting = deque([start])
        while waiting:
            at = waiting.popleft()
            if at == goal:
                break
            for following in self.reachable(at):
                if following not in came_from:
                    came_from[following] = at
                    waiting.append(following)
        if goal not in came_from or goal == start:
            return ()
        path = [goal]
        while came_from[path[-1]] != start:
            path.append(came_from[path[-1]])
        return tuple(reversed(path))


USUAL = {
    "incident": StateModel(
        frozenset({"7", "8"}),
        {
            "1": ("2", "3", "6", "8"),
            "2": ("3", "6", "8"),
            "3": ("2", "6", "8"),
            "6": ("7", "2"),
        },
    ),
    "problem": StateModel(
        frozenset({"107"}),
        {
            "101": ("102",),
            "102": ("103", "107"),
            "103": ("104", "106", "107"),
            "104": ("106", "103"),
            "106": ("107", "103"),
        },
    ),
    "change_request": StateModel(
        frozenset({"3", "4"}),
        {
            "-5": ("-4", "4"),
            "-4": ("-3", "4", "-5"),
            "-3": ("-2", "4", "-5"),
            "-2": ("-1", "4", "-5"),
            "-1": ("0", "4"),
            "0": ("3", "-1"),
        },
    ),
    "sc_task": StateModel(
        frozenset({"3", "4", "7"}), {"-5": ("1", "2", "3", "4", "7"), "1": ("2", "3", "4", "7"), "2": ("3", "4", "7")}
    ),
    "sn_customerservice_case": StateModel(
        frozenset({"3"}),
        {"1": ("10", "18", "6", "3"), "10": ("18", "6", "3"), "18": ("10", "6", "3"), "6": ("3", "10")},
    ),
}


def model_of(settings: ServiceNowSettings) -> StateModel:
    """The table's usual model, as far as the settings do not say otherwise."""
    usual = USUAL.get(settings.table, StateModel())
    closed = usual.closed if settings.closed_states is None else frozenset(settings.closed_states)
    return StateModel(closed, usual.steps if settings.steps is None else settings.steps)
