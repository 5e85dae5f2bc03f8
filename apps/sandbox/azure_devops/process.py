"""The Agile process: types, their states, which state follows which, and for what reason."""

from dataclasses import dataclass, field
from typing import Any

from .fields import (
    COMMON,
    CUSTOM,
    FIELDS,
    PRIORITY,
    REPRO_STEPS,
    SEVERITY,
    SYSTEM,
    TITLE,
    Field,
    Value,
)

SYSTEM_INFO = "Microsoft.VSTS.TCM.SystemInfo"
POINTS, REMAINING = "Microsoft.VSTS.Scheduling.StoryPoints", "Microsoft.VSTS.Scheduling.RemainingWork"
Transitions = dict[str, dict[str, tuple[str, ...]]]

COLORS = {
    "New": ("b2b2b2", "Proposed"),
    "Active": ("007acc", "InProgress"),
    "Resolved": ("ff9d00", "Resolved"),
    "Closed": ("339933", "Completed"),
    "Removed": ("ffffff", "Removed"),
}
FIXED = (
    "Fixed",
    "As Designed",
    "Cannot Reproduce",
    "Deferred",
    "Duplicate",
    "Obsolete",
)
VERIFIED = (
    "Fixed and verified",
    "As Designed",
    "Cannot Reproduce",
    "Deferred",
    "Duplicate",
    "Obsolete",
)

BUG: Transitions = {
    "": {"New": ("New", "Build Failure")},
    "New": {
        "Active": ("Approved", "Investigate"),
        "Resolved": FIXED,
        "Closed": VERIFIED,
    },
    "Active": {
        "New": ("Investigation Complete",),
        "Resolved": FIXED,
        "Closed": VERIFIED,
    },
    "Resolved": {
        "Active": ("Not fixed", "Test Failed", "Resolved in error"),
        "Closed": VERIFIED,
    },
    "Closed": {
        "Active": ("Regression", "Reactivated"),
        "Resolved": ("Closed in error",),
    },
}
STORY: Transitions = {
    "": {"New": ("New",)},
    "New": {
        "Active": ("Implementation started",),
        "Removed": ("Removed from the backlog",),
    },
    "Active": {
        "New": ("Implementation halted",),
        "Resolved": ("Code complete and unit tests pass",),
        "Closed": ("Acceptance tests pass",),
        "Removed": ("Removed from the backlog",),
    },
    "Resolved": {
        "Active": ("Acceptance tests fail",),
        "Closed": ("Acceptance tests pass",),
    },
    "Closed": {"Active": ("Reactivated",), "Resolved": ("Closed in error",)},
    "Removed": {"New": ("Reconsidering the User Story",)},
}
TASK: Transitions = {
    "": {"New": ("New",)},
    "New": {
        "Active": ("Work started",),
        "Closed": ("Completed", "Cut"),
        "Removed": ("Removed from the backlog",),
    },
    "Active": {
        "New": ("Work halted",),
        "Closed": ("Completed", "Cut"),
        "Removed": ("Removed from the backlog",),
    },
    "Closed": {"Active": ("Reactivated",)},
    "Removed": {"New": ("Reconsidering the Task",)},
}
ISSUE: Transitions = {
    "": {"Active": ("New",)},
    "Active": {"Closed": ("Issue resolved",)},
    "Closed": {"Active": ("Reactivated",)},
}


@dataclass(frozen=True, slots=True)
class ItemType:
    """One type of work item. The first state is the one in which an item begins."""

    name: str
    reference: str
    color: str
    icon: str
    description: str
    states: tuple[str, ...]
    transitions: Transitions
    own_fields: tuple[str, ...]
    defaults: dict[str, Value] = field(default_factory=dict)
    on_board: bool = False

    @property
    def first_state(self) -> str:
        return self.states[0]

    @property
    def fields(self) -> dict[str, Field]:
        ruled = [one for one in FIELDS.values() if one.is_read_only and one.reference.startswith(COMMON)]
        own = [FIELDS[reference] for reference in self.own_fields]
        return {one.reference: one for one in [*SYSTEM, *ruled, FIELDS[PRIORITY], *own, *CUSTOM]}

    def always_required(self) -> set[str]:
        return {
            TITLE,
            "System.State",
            "System.AreaPath",
            "System.IterationPath",
            *self.defaults,
        } - {PRIORITY}

    def following(self, state: str, any_transition: bool) -> dict[str, tuple[str, ...]]:
        """The states that may follow ``state``, each with its reasons (the default one first)."""
        listed = self.transitions.get(state, {})
        if not any_transition or not state:
            return listed
        others = {other: (f"Moved to state {other}",) for other in self.states if other != state}
        return {**others, **listed}

    def states_json(self) -> list[dict[str, Any]]:
        return [{"name": name, "color": COLORS[name][0], "category": COLORS[name][1]} for name in self.states]


TYPES = {
    one.name: one
    for one in (
        ItemType(
            "Bug",
            "Microsoft.VSTS.WorkItemTypes.Bug",
            "CC293D",
            "icon_insect",
            "Describes a divergence between required and actual behavior.",
            ("New", "Active", "Resolved", "Closed"),
            BUG,
            (SEVERITY, COMMON + "ValueArea", COMMON + "StackRank", REPRO_STEPS, SYSTEM_INFO, POINTS, REMAINING),
            {PRIORITY: 2, SEVERITY: "3 - Medium", COMMON + "ValueArea": "Business"},
            on_board=True,
        ),
        ItemType(
            "Task",
            "Microsoft.VSTS.WorkItemTypes.Task",
            "F2CB1D",
            "icon_clipboard",
            "Tracks work that needs to be done.",
            ("New", "Active", "Closed", "Removed"),
            TASK,
            (
                COMMON + "StackRank",
                "Microsoft.VSTS.Scheduling.RemainingWork",
                "Microsoft.VSTS.Scheduling.CompletedWork",
            ),
            {PRIORITY: 2},
        ),
        ItemType(
            "User Story",
            "Microsoft.VSTS.WorkItemTypes.UserStory",
            "009CCC",
            "icon_book",
            "Tracks an activity the user will be able to perform with the product.",
            ("New", "Active", "Resolved", "Closed", "Removed"),
            STORY,
            (COMMON + "ValueArea", COMMON + "StackRank", COMMON + "AcceptanceCriteria", POINTS),
            {PRIORITY: 2, COMMON + "ValueArea": "Business"},
            on_board=True,
        ),
        ItemType(
            "Issue",
            "Microsoft.VSTS.WorkItemTypes.Issue",
            "B4009E",
            "icon_traffic_cone",
            "Tracks an obstacle to progress.",
            ("Active", "Closed"),
            ISSUE,
            (COMMON + "StackRank", "Microsoft.VSTS.Scheduling.DueDate"),
            {PRIORITY: 2},
        ),
    )
}


def find_type(written: str) -> ItemType | None:
    """A type by name or reference name, in any case."""
    wanted = written.casefold()
    return next(
        (one for one in TYPES.values() if wanted in (one.name.casefold(), one.reference.casefold())),
        None,
    )
