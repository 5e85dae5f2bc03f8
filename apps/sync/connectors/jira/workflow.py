"""Status changes. Jira shows only the next steps from where a ticket stands, so a longer way is walked and learned.

A walk never passes through a finished status on the way to an unfinished one, and goes back when it finds no way.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.sync.connectors.base import ConnectorError, NoRoute, Rejected, Writing
from apps.sync.engine.snapshot import ExternalRef

from .client import JiraClient
from .failures import known_shape
from .history import metadata
from .site import Site

LONGEST_WALK = 12
DONE = "done"
_LIKELY = {"indeterminate": 0, "new": 1, "done": 2, "": 3}

Graph = dict[str, dict[str, str]]
"""Status to the statuses after it, each with its category."""


@dataclass(frozen=True, slots=True)
class Step:
    """One transition that is open now, with the fields of its screen (name to whether it is required)."""

    id: str
    to: str
    category: str
    screen: Mapping[str, bool]

    def missing(self, given: Mapping[str, Any]) -> list[str]:
        return [name for name, is_required in self.screen.items() if is_required and name not in given]


@dataclass(slots=True)
class Walk:
    """A walk under way: ``pending`` fields (in Jira's JSON) leave as soon as a step's screen has them."""

    ref: ExternalRef
    at: str
    target: str
    pending: dict[str, Any]
    correlation: str
    writing: Writing


class Workflow:
    """Walks tickets and remembers, by issue type, which status follows which."""

    def __init__(self, client: JiraClient, site: Site) -> None:
        self._client = client
        self._site = site
        self._graphs: dict[str, Graph] = {}

    async def steps(self, ref: ExternalRef) -> list[Step]:
        found = await self._client.of_issue(ref, "/transitions", {"expand": "transitions.fields"})
        with known_shape():
            return [
                Step(
                    id=str(row["id"]),
                    to=str(row["to"]["name"]),
                    category=str((row["to"].get("statusCategory") or {}).get("key") or ""),
                    screen={
                        str(name): bool(field.get("required")) and not field.get("hasDefaultValue")
                        for name, field in (row.get("fields") or {}).items()
                    },
                )
                for row in found["transitions"]
                if row.get("isAvailable", True)
            ]

    async def walk(self, issue_type: str, walk: Walk, steps: list[Step]) -> None:
        """Bring the ticket to the target. Raises NoRoute, or Rejected naming a field that a step requires."""
        known = await self._site.statuses(issue_type)
        if known and walk.target not in known:
            raise self._no_route(walk.at, walk, sorted(known))
        graph = self._graphs.setdefault(issue_type, {})
        start, visited = walk.at, {walk.at}
        # From a finished status, too: another may be closed for good, and the ticket would stay there.
        may_finish = known.get(walk.target, DONE) == DONE
        for _ in range(LONGEST_WALK):
            graph[walk.at] = {step.to: step.category for step in steps}
            step = _choose(graph, steps, walk, visited, may_finish)
            if step is None:
                break
            await self._take(walk, step, is_last=step.to == walk.target)
            visited.add(step.to)
            if walk.at == walk.target:
                return
            steps = await self.steps(walk.ref)
        await self._go_back(graph, start, walk)
        raise self._no_route(start, walk, sorted(_reachable(graph, start)))

    @staticmethod
    def _no_route(start: str, walk: Walk, reachable: list[str]) -> NoRoute:
        listed = ", ".join(reachable) or "nothing"
        return NoRoute(
            f"no way from {start!r} to {walk.target!r}; reachable: {listed}", field="status", value=walk.target
        )

    async def _take(self, walk: Walk, step: Step, *, is_last: bool) -> None:
        """One transition with the pending fields of its screen; on the way only those that it requires."""
        carried = {
            name: walk.pending[name]
            for name, is_required in step.screen.items()
            if name in walk.pending and (is_last or is_required)
        }
        body: dict[str, Any] = {"transition": {"id": step.id}, "historyMetadata": metadata(walk.correlation)}
        body |= {"fields": carried} if carried else {}
        try:
            await self._client.transition(walk.ref, body)
        except Rejected as problem:
            missing = step.missing(carried)
            if not problem.field:
                problem.field = missing[0] if len(missing) == 1 else "status"
                problem.value = None if missing else walk.target
            raise
        walk.writing.took_effect()
        for name in carried:
            del walk.pending[name]
        walk.at = step.to

    async def _go_back(self, graph: Graph, start: str, walk: Walk) -> None:
        """Back to where the walk began, as far as Jira lets us: a ticket is not left in a status nobody asked for."""
        try:
            for name in _route(graph, walk.at, start) if walk.at != start else ():
                step = next(step for step in await self.steps(walk.ref) if step.to == name)
                await self._take(walk, step, is_last=False)
        except (ConnectorError, StopIteration):
            return


def _choose(graph: Graph, steps: list[Step], walk: Walk, visited: set[str], may_finish: bool) -> Step | None:
    """The step to take: to the target, else on a learned way to it, else toward the nearest status not seen yet."""
    name = walk.target if walk.target in graph[walk.at] else _next_hop(graph, walk, visited, may_finish)
    fitting = [step for step in steps if step.to == name]
    return min(fitting, key=lambda step: len(step.missing(walk.pending)), default=None)


def _next_hop(graph: Graph, walk: Walk, visited: set[str], may_finish: bool) -> str | None:
    paths = _paths(graph, walk.at, may_finish)
    if walk.target in paths:
        return paths[walk.target][0]
    fresh = [(len(path), order, path) for order, (name, path) in enumerate(paths.items()) if name not in visited]
    unknown = [entry for entry in fresh if entry[2][-1] not in graph] or fresh
    return min(unknown, key=lambda entry: entry[:2])[2][0] if unknown else None


def _paths(graph: Graph, start: str, may_finish: bool) -> dict[str, list[str]]:
    """The shortest way to every status that is known to be reachable, likely ones first."""
    paths: dict[str, list[str]] = {}
    queue: deque[tuple[str, list[str]]] = deque([(start, [])])
    while queue:
        name, path = queue.popleft()
        after = sorted(graph.get(name, {}).items(), key=lambda pair: _LIKELY.get(pair[1], 3))
        for following, category in after:
            if following not in paths and following != start and (may_finish or category != DONE):
                paths[following] = [*path, following]
                queue.append((following, paths[following]))
    return paths


def _route(graph: Graph, start: str, target: str) -> list[str]:
    return _paths(graph, start, may_finish=True).get(target, [])


def _reachable(graph: Graph, start: str) -> set[str]:
    return set(_paths(graph, start, may_finish=True))
