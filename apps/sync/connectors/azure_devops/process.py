"""The project's process: its work item types, their fields and states, and the way from one state to another."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from apps.sync.connectors.base import FieldSchema, NoRoute, Rejected

from .client import AzureClient, Json

STATE = "System.State"
TAGS = "System.Tags"
TITLE_LENGTH = 255
LONG_TEXT_LENGTH = 1_048_576

_PLUMBING = frozenset(
    "System." + name
    for name in [
        "Id",
        "Rev",
        "Watermark",
        "AuthorizedAs",
        "AuthorizedDate",
        "RevisedDate",
        "PersonId",
        "ChangedDate",
        "ChangedBy",
        "CommentCount",
        "History",
        "NodeName",
        "NodeType",
        "AreaId",
        "IterationId",
        "IsDeleted",
        "BoardColumn",
        "BoardColumnDone",
        "BoardLane",
        "ExternalLinkCount",
        "HyperLinkCount",
        "AttachedFileCount",
        "RelatedLinkCount",
        "RemoteLinkCount",
        "Parent",
        "WorkItem",
        "WorkItemForm",
        "WorkItemFormId",
    ]
)
"""Fields that the service keeps for itself and that change with every write, or stand for something read elsewhere."""
_SCHEMA_TYPE = {
    "html": "rich_text",
    "integer": "number",
    "double": "number",
    "boolean": "boolean",
    "dateTime": "datetime",
    "picklistInteger": "number",
    "picklistDouble": "number",
}


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """One field of the organization; ``name`` is its reference name, ``type`` the service's word."""

    name: str
    label: str
    type: str
    is_read_only: bool = False
    is_person: bool = False


@dataclass(frozen=True, slots=True)
class WorkItemType:
    """One type: the names of its fields, its states, and which state leads to which."""

    name: str
    fields: frozenset[str]
    states: tuple[str, ...]
    transitions: Mapping[str, tuple[str, ...]]
    required: frozenset[str] = field(default_factory=frozenset)

    def find_route(self, start: str, target: str) -> tuple[str, ...]:
        """The states to pass through, ``target`` included. Raises NoRoute, also when there is no such state."""
        if target not in self.states:
            reason = f"no way from {start}: {self.name} has no state {target!r}; it has {', '.join(self.states)}"
            raise NoRoute(reason, field=STATE, value=target)
        if start not in self.transitions:
            return (target,)
        came_from: dict[str, str] = {start: ""}
        waiting = deque([start])
        while waiting and target not in came_from:
            state = waiting.popleft()
            for following in self.transitions.get(state, ()):
                if following not in came_from:
                    came_from[following] = state
                    waiting.append(following)
        if target not in came_from:
            reachable = ", ".join(sorted(set(came_from) - {start})) or "nothing"
            reason = f"no way from {start} to {target} for {self.name}; reachable: {reachable}"
            raise NoRoute(reason, field=STATE, value=target)
        route = [target]
        while came_from[route[0]] != start:
            route.insert(0, came_from[route[0]])
        return tuple(route)


class Process:
    """Definitions, read when first needed, by one for all who need them, and kept for the connector's life."""

    def __init__(self, client: AzureClient) -> None:
        self._client = client
        self._asking = asyncio.Lock()
        self._fields: dict[str, FieldDefinition] | None = None
        self._types: dict[tuple[str, str], WorkItemType] = {}

    async def fields(self) -> Mapping[str, FieldDefinition]:
        async with self._asking:
            if self._fields is None:
                found = await self._client.get("/_apis/wit/fields")
                self._fields = {row["referenceName"]: _read_field(row) for row in found.get("value") or []}
        return self._fields

    async def type(self, name: str, project: str) -> WorkItemType:
        """The type as ``project`` defines it (empty: our own). Raises Rejected when it has no such type."""
        place = self._client.project_path(project)
        async with self._asking:
            if (place, name) not in self._types:
                path = f"{place}/_apis/wit/workitemtypes/{quote(name)}"
                found = await self._client.get_or_none(path)
                if found is None:
                    reason = f"the project has no work item type {name!r}"
                    raise Rejected(reason, field="System.WorkItemType", value=name)
                self._types[place, name] = _read_type(found)
        return self._types[place, name]

    async def type_names(self) -> tuple[str, ...]:
        found = await self._client.get(f"{self._client.project_path()}/_apis/wit/workitemtypes")
        return tuple(str(row["name"]) for row in found.get("value") or [] if not row.get("isDisabled"))

    async def schema(self, type_name: str) -> dict[str, FieldSchema]:
        """The fields of a type that rules may map, with the values the process allows."""
        definitions, kind = await self.fields(), await self.type(type_name, "")
        path = f"{self._client.project_path()}/_apis/wit/workitemtypes/{quote(type_name)}/fields"
        rows = (await self._client.get(path, {"$expand": "all"})).get("value") or []
        return {
            row["referenceName"]: _as_schema(definitions[row["referenceName"]], row, kind)
            for row in rows
            if row.get("referenceName") in definitions and is_mappable(row["referenceName"])
        }


def is_mappable(name: str) -> bool:
    return name not in _PLUMBING and not name.startswith(("System.AreaLevel", "System.IterationLevel", "WEF_"))


def _read_field(row: Json) -> FieldDefinition:
    return FieldDefinition(
        name=str(row["referenceName"]),
        label=str(row.get("name") or row["referenceName"]),
        type=str(row.get("type") or "string"),
        is_read_only=bool(row.get("readOnly")),
        is_person=bool(row.get("isIdentity")) or row.get("type") == "identity",
    )


def _read_type(row: Json) -> WorkItemType:
    listed: Iterable[Json] = row.get("fields") or row.get("fieldInstances") or []
    rows = [entry for entry in listed if entry.get("referenceName")]
    transitions: dict[str, Any] = row.get("transitions") or {}
    states = [str(state["name"]) for state in row.get("states") or []]
    return WorkItemType(
        name=str(row["name"]),
        fields=frozenset(str(entry["referenceName"]) for entry in rows),
        states=tuple(states or (name for name in transitions if name)),
        transitions={
            start: tuple(str(step["to"]) for step in steps or [] if step.get("to") != start)
            for start, steps in transitions.items()
        },
        required=frozenset(str(entry["referenceName"]) for entry in rows if entry.get("alwaysRequired")),
    )


def _as_schema(definition: FieldDefinition, row: Json, kind: WorkItemType) -> FieldSchema:
    name = definition.name
    values = tuple(str(value) for value in row.get("allowedValues") or [])
    if name == STATE:
        type_name, values = "status", kind.states
    elif name == TAGS:
        type_name = "words"
    elif definition.is_person:
        type_name, values = "person", ()
    elif values and definition.type not in ("integer", "double", "html"):
        type_name = "choice"
    else:
        type_name = _SCHEMA_TYPE.get(definition.type, "choice" if definition.type.startswith("picklist") else "text")
    short = definition.type == "string" and type_name in ("text", "choice")
    return FieldSchema(
        name=name,
        label=definition.label,
        type=type_name,
        is_writable=not definition.is_read_only and name != "System.TeamProject",
        is_required=bool(row.get("alwaysRequired")),
        max_length=TITLE_LENGTH if short else LONG_TEXT_LENGTH if type_name == "rich_text" else None,
        values=values,
    )
