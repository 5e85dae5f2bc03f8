"""A work item: its revisions, its updates (one more than revisions for each pure link change), relations, comments."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from .fields import CHANGED_AT, CHANGED_BY, CREATED_AT, DELETED, TYPE, Value
from .instants import stamp
from .markup import Format
from .people import Person
from .places import Project

LINK_NAMES = {
    "System.LinkTypes.Hierarchy-Forward": "Child",
    "System.LinkTypes.Hierarchy-Reverse": "Parent",
    "System.LinkTypes.Related": "Related",
    "System.LinkTypes.Dependency-Forward": "Successor",
    "System.LinkTypes.Dependency-Reverse": "Predecessor",
    "System.LinkTypes.Duplicate-Forward": "Duplicate",
    "System.LinkTypes.Duplicate-Reverse": "Duplicate Of",
}
PARENT, CHILD = (
    "System.LinkTypes.Hierarchy-Reverse",
    "System.LinkTypes.Hierarchy-Forward",
)
ATTACHED, HYPERLINK, ARTIFACT = "AttachedFile", "Hyperlink", "ArtifactLink"


def opposite(rel: str) -> str:
    if rel.endswith("-Forward"):
        return rel.removesuffix("Forward") + "Reverse"
    return rel.removesuffix("Reverse") + "Forward" if rel.endswith("-Reverse") else rel


@dataclass(frozen=True, slots=True)
class Attachment:
    """An uploaded file; ``content`` grows until ``total`` bytes are there when it is uploaded in chunks."""

    id: str
    name: str
    content: bytes
    total: int
    at: datetime

    @property
    def is_complete(self) -> bool:
        return len(self.content) == self.total

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation; ``target`` is the other item's id of a link, the attachment's id of a file."""

    rel: str
    url: str
    id: int = 0
    target: str = ""
    comment: str = ""
    name: str = ""
    size: int = 0
    at: datetime | None = None

    @property
    def is_link(self) -> bool:
        """Links between items are kept apart from revisions: adding one leaves the item's rev as it was."""
        return self.rel in LINK_NAMES

    def attributes(self) -> dict[str, Any]:
        note = {"comment": self.comment} if self.comment else {}
        if self.is_link:
            return {"isLocked": False, **note, "name": LINK_NAMES[self.rel]}
        at = stamp(self.at) if self.at else ""
        shown = {
            "authorizedDate": at,
            "id": self.id,
            "resourceCreatedDate": at,
            "resourceModifiedDate": at,
        }
        shown["revisedDate"] = "9999-01-01T00:00:00Z"
        if self.rel == ATTACHED:
            shown |= {"resourceSize": self.size, "name": self.name}
        return {**shown, **note}


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment; an edit makes a new version, a deletion keeps it without its text."""

    id: int
    text: str
    form: Format
    author: Person
    at: datetime
    created_in: int
    version: int = 1
    edited_by: Person | None = None
    edited_at: datetime | None = None
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Revision:
    """One numbered state of all stored fields. ``recorded_at`` is real time even when the change was back-dated."""

    rev: int
    fields: dict[str, Value]
    formats: dict[str, Format]
    relations: tuple[Relation, ...]
    watermark: int
    recorded_at: datetime
    authorized_as: Person
    comment_id: int | None = None
    comment_version: int = 1

    @property
    def at(self) -> datetime:
        at = self.fields[CHANGED_AT]
        assert isinstance(at, datetime)
        return at

    @property
    def by(self) -> Person:
        by = self.fields[CHANGED_BY]
        assert isinstance(by, Person)
        return by


@dataclass(frozen=True, slots=True)
class Update:
    """What one write changed: values before and after (None for no value), relations added, removed, edited."""

    number: int
    rev: int
    by: Person
    at: datetime
    fields: dict[str, tuple[Value | None, Value | None]]
    added: tuple[Relation, ...] = ()
    removed: tuple[Relation, ...] = ()
    updated: tuple[Relation, ...] = ()


@dataclass(slots=True)
class Item:
    id: int
    project: Project
    revisions: list[Revision] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    versions: dict[int, list[Comment]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)

    @property
    def latest(self) -> Revision:
        return self.revisions[-1]

    @property
    def type(self) -> str:
        return str(self.latest.fields[TYPE])

    @property
    def created_at(self) -> datetime:
        at = self.latest.fields[CREATED_AT]
        assert isinstance(at, datetime)
        return at

    @property
    def is_deleted(self) -> bool:
        return bool(self.latest.fields.get(DELETED))

    @property
    def relations(self) -> tuple[Relation, ...]:
        return self.latest.relations

    def parent(self) -> int | None:
        return next((int(one.target) for one in self.relations if one.rel == PARENT), None)

    def replace_relations(self, relations: tuple[Relation, ...]) -> None:
        self.revisions[-1] = replace(self.latest, relations=relations)

    def revision_as_of(self, at: datetime) -> Revision | None:
        """The state at ``at`` by change date, as history queries see it."""
        return next((one for one in reversed(self.revisions) if one.at <= at), None)

    def revision_recorded_by(self, at: datetime) -> Revision | None:
        """The state that had reached a reader who lags behind until ``at``."""
        return next((one for one in reversed(self.revisions) if one.recorded_at <= at), None)

    def comment(self, comment_id: int) -> Comment | None:
        return next((one for one in self.comments if one.id == comment_id), None)

    def keep_comment(self, comment: Comment) -> None:
        """Add ``comment``, or put its new version in the place of the old."""
        self.versions.setdefault(comment.id, []).append(comment)
        self.comments = [one for one in self.comments if one.id != comment.id] + [comment]
        self.comments.sort(key=lambda one: one.id)

    def comment_count(self) -> int:
        return sum(not one.is_deleted for one in self.comments)
