"""The four kinds of systems, by what the engine must cope with: what they log, tell, promise and refuse."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ..connectors.base import Capabilities
from ..engine.snapshot import Value


def as_is(value: Value) -> Value:
    return value


def trimmed(value: Value) -> Value:
    """White space is tidied, as rich-text fields do."""
    return " ".join(value.split()) if isinstance(value, str) else value


def nothing_as_none(value: Value) -> Value:
    return None if value == "" else trimmed(value)


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of system. ``fields``: hub field → the system's name of it."""

    name: str
    capabilities: Capabilities
    fields: Mapping[str, str]
    statuses: Mapping[str, tuple[str, ...]]
    """Status → where a transition leads from it; the first one is that of a new ticket."""
    to_system: Mapping[Value, Value]
    to_hub: Mapping[Value, Value]
    solved: str
    needed: str = ""
    """A field that must be written with the status ``solved``."""
    final: str = ""
    """The status after which nothing is taken any more."""
    tells: str = "marks"
    """What the log says of a field write of ours: *marks* and ids, *ids* only in the answer."""
    tidy: Callable[[Value], Value] = as_is
    title_limit: int = 255
    cuts: bool = False
    """Whether an over-long text is cut without a word instead of refused."""
    index_lag: float = 0.0
    withheld_seconds: float = 0.0
    """The export leaves out what happened in these last seconds (F33)."""
    whole_seconds: bool = False
    create_key_seconds: float = 0.0
    """For how long a repeated create with the same key gives the first answer (INV-16)."""
    files_count: bool = True
    """Whether a file moves the ticket's version."""
    tells_deletions: bool = False
    tells_versions: bool = False
    """Whether a webhook names the version that it tells of."""
    merges: bool = False
    moves: bool = False
    retries_notices: int = 3
    ticket_writes_a_minute: int = 0
    largest_file: int = 300
    reads_back: bool = False
    """Answers to writes are empty: the ticket is read again."""
    splits_fields: bool = False
    """A transition takes only its own fields; the others need a request of their own."""

    @property
    def first(self) -> str:
        return next(iter(self.statuses))


PRIORITY_THERE: Mapping[Value, Value] = {"critical": "P1", "high": "P2", "medium": "P3", "low": "P3"}
PRIORITY_HERE: Mapping[Value, Value] = {"P1": "critical", "P2": "high", "P3": "medium"}


def _names(title: str, status: str, assignee: str) -> Mapping[str, str]:
    return {"title": title, "status": status, "priority": "priority", "assignee": assignee, "custom.site": "site"}


JIRA = Profile(
    name="jira",
    capabilities=Capabilities(
        has_change_log=True,
        has_atomic_precondition=False,
        has_internal_comments=True,
        can_attribute_author=False,
        can_reopen_closed=True,
        index_lag_seconds=15.0,
        overlap_seconds=180.0,
    ),
    fields=_names("summary", "status", "assignee"),
    statuses={
        "To Do": ("In Progress",),
        "In Progress": ("Waiting", "Done"),
        "Waiting": ("In Progress",),
        "Done": ("In Progress",),
    },
    to_system={
        "new": "To Do",
        "in_progress": "In Progress",
        "pending": "Waiting",
        "resolved": "Done",
        "closed": "Done",
    },
    to_hub={"To Do": "new", "In Progress": "in_progress", "Waiting": "pending", "Done": "resolved"},
    solved="Done",
    needed="resolution",
    tidy=trimmed,
    title_limit=40,
    index_lag=15.0,
    moves=True,
    retries_notices=5,
    reads_back=True,
    splits_fields=True,
)

SERVICENOW = Profile(
    name="servicenow",
    capabilities=Capabilities(
        has_change_log=True,
        has_atomic_precondition=False,
        has_internal_comments=True,
        can_attribute_author=False,
        can_reopen_closed=False,
        retries_notices=False,
    ),
    fields=_names("short_description", "state", "assigned_to"),
    statuses={
        "1": ("2", "3"),
        "2": ("3", "6"),
        "3": ("2", "6"),
        "6": ("2", "7"),
        "7": (),
    },
    to_system={"new": "1", "in_progress": "2", "pending": "3", "resolved": "6", "closed": "7"},
    to_hub={"1": "new", "2": "in_progress", "3": "pending", "6": "resolved", "7": "closed"},
    solved="6",
    needed="close_code",
    final="7",
    tells="ids",
    title_limit=60,
    cuts=True,
    whole_seconds=True,
    files_count=False,
    tells_deletions=True,
    retries_notices=0,
)

AZURE_DEVOPS = Profile(
    name="azure_devops",
    capabilities=Capabilities(
        has_change_log=True,
        has_atomic_precondition=True,
        has_internal_comments=False,
        can_attribute_author=False,
        can_reopen_closed=True,
        signs_notices=False,
        index_lag_seconds=10.0,
    ),
    fields=_names("System.Title", "System.State", "System.AssignedTo"),
    statuses={"New": ("Active",), "Active": ("Resolved",), "Resolved": ("Active", "Closed"), "Closed": ("Active",)},
    to_system={"new": "New", "in_progress": "Active", "pending": "Active", "resolved": "Resolved", "closed": "Closed"},
    to_hub={"New": "new", "Active": "in_progress", "Resolved": "resolved", "Closed": "closed"},
    solved="Resolved",
    tells="ids",
    tidy=nothing_as_none,
    title_limit=48,
    tells_versions=True,
    index_lag=10.0,
    moves=True,
    retries_notices=4,
)

ZENDESK = Profile(
    name="zendesk",
    capabilities=Capabilities(
        has_change_log=True,
        has_atomic_precondition=True,
        has_internal_comments=True,
        can_attribute_author=False,
        can_reopen_closed=False,
        attachment_needs_comment=True,
        overlap_seconds=120.0,
    ),
    fields=_names("subject", "status", "assignee_id"),
    statuses={
        "new": ("open", "pending", "solved"),
        "open": ("pending", "solved"),
        "pending": ("open", "solved"),
        "solved": ("open", "pending", "closed"),
        "closed": (),
    },
    to_system={"new": "new", "in_progress": "open", "pending": "pending", "resolved": "solved", "closed": "closed"},
    to_hub={"new": "new", "open": "in_progress", "pending": "pending", "solved": "resolved", "closed": "closed"},
    solved="solved",
    final="closed",
    title_limit=50,
    withheld_seconds=60.0,
    whole_seconds=True,
    create_key_seconds=7200.0,
    tells_deletions=True,
    merges=True,
    retries_notices=3,
    ticket_writes_a_minute=6,
)

PROFILES = {one.name: one for one in (JIRA, SERVICENOW, AZURE_DEVOPS, ZENDESK)}


SLOWER = 4.0
"""How much longer a slow index takes: what was just written is long asked for by then, and no overlap is used up."""


def with_slow_index(profile: Profile) -> Profile:
    """The same system with an index that takes its time, as its connector was told."""
    able = replace(profile.capabilities, index_lag_seconds=profile.capabilities.index_lag_seconds * SLOWER)
    return replace(profile, capabilities=able, index_lag=profile.index_lag * SLOWER)


def without_log(profile: Profile) -> Profile:
    """The same system with a change log that we may not read."""
    return replace(profile, capabilities=replace(profile.capabilities, has_change_log=False))
