"""Projects, their area and iteration trees, and their tags."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .instants import stamp

INSTANCE_ID = "2ad38d1e-4c1b-4f0a-9a57-6a3d0f5e8b01"


@dataclass(slots=True)
class Node:
    """An area or iteration. ``path`` is what a work item holds; the vendor's own node path has the group inside."""

    id: int
    identifier: str
    name: str
    group: str
    path: str
    attributes: dict[str, Any] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)

    def walk(self) -> Iterator["Node"]:
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, path: str) -> "Node | None":
        wanted = path.strip("\\").casefold()
        return next((node for node in self.walk() if node.path.casefold() == wanted), None)

    def as_json(self, base: str, depth: int) -> dict[str, Any]:
        root, _, rest = self.path.partition("\\")
        inside = f"\\{rest}" if rest else ""
        plural = {"area": "Areas", "iteration": "Iterations"}[self.group]
        shown: dict[str, Any] = {
            "id": self.id,
            "identifier": self.identifier,
            "name": self.name,
            "structureType": self.group,
            "hasChildren": bool(self.children),
            "path": f"\\{root}\\{self.group.title()}{inside}",
            "url": f"{base}/_apis/wit/classificationNodes/{plural}{inside.replace(chr(92), '/')}",
        }
        if self.attributes:
            shown["attributes"] = self.attributes
        if depth > 0 and self.children:
            shown["children"] = [child.as_json(base, depth - 1) for child in self.children]
        return shown


@dataclass(frozen=True, slots=True)
class Tag:
    id: str
    name: str
    at: datetime

    def as_json(self, base: str) -> dict[str, Any]:
        url = f"{base}/_apis/wit/tags/{self.id}"
        return {
            "id": self.id,
            "name": self.name,
            "lastUpdated": stamp(self.at),
            "url": url,
        }


@dataclass(slots=True)
class Project:
    id: str
    name: str
    description: str
    team_id: str
    updated_at: datetime
    areas: Node
    iterations: Node
    tags: dict[str, Tag] = field(default_factory=dict)

    @property
    def team(self) -> str:
        return f"{self.name} Team"

    def is_called(self, written: str) -> bool:
        return written.casefold() in (self.id, self.name.casefold())

    def has_team(self, written: str) -> bool:
        return written.casefold() in (self.team_id, self.team.casefold())

    def tag(self, written: str, at: datetime) -> Tag:
        """The tag of this name, made when new; the case in which it was first written stays."""
        tag = self.tags.get(written.casefold())
        if tag is None:
            tag = self.tags[written.casefold()] = Tag(str(uuid.uuid4()), written, at)
        return tag

    def reference(self, base: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "url": f"{base}/_apis/projects/{self.id}",
            "state": "wellFormed",
            "revision": 12,
            "visibility": "private",
            "lastUpdateTime": stamp(self.updated_at),
        }

    def as_json(self, base: str, with_capabilities: bool) -> dict[str, Any]:
        shown = self.reference(base)
        address = shown["url"]
        if with_capabilities:
            shown["capabilities"] = {
                "processTemplate": {
                    "templateName": "Agile",
                    "templateTypeId": "adcc42ab-9882-485e-a3ed-7678f01f66bc",
                },
                "versioncontrol": {
                    "sourceControlType": "Git",
                    "gitEnabled": "True",
                    "tfvcEnabled": "False",
                },
            }
        shown["_links"] = {
            "self": {"href": address},
            "collection": {"href": f"{base}/_apis/projectCollections/{INSTANCE_ID}"},
            "web": {"href": f"{base}/{self.name}"},
        }
        shown["defaultTeam"] = {
            "id": self.team_id,
            "name": self.team,
            "url": f"{address}/teams/{self.team_id}",
        }
        return shown
