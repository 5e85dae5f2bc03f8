"""What a Jira site remembers: people, projects, the workflow, and issues with everything that hangs on them."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

RichText = str | dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class User:
    account_id: str
    name: str
    key: str
    email: str
    display_name: str
    zone: str
    secret: str
    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class Project:
    id: str
    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Named:
    """An entry of one of the site's lists: an issue type, a priority, a resolution or a select option."""

    id: str
    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Category:
    id: int
    key: str
    name: str
    color: str


@dataclass(frozen=True, slots=True)
class Status:
    id: str
    name: str
    category: Category


@dataclass(frozen=True, slots=True)
class Transition:
    """A step of the workflow. ``screen`` are the fields it asks for, ``sets`` what its post-function writes."""

    id: str
    name: str
    source: str | None
    target: str
    screen: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    sets: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class LinkType:
    id: str
    name: str
    inward: str
    outward: str


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field: ``kind`` names the shape of its values, ``on_screen`` whether create and edit screens show it."""

    id: str
    name: str
    kind: str
    on_screen: bool = False
    operations: tuple[str, ...] = ("set",)
    custom: str = ""
    options: tuple[Named, ...] = ()
    navigable: bool = True

    @property
    def is_custom(self) -> bool:
        return bool(self.custom)


@dataclass(slots=True)
class Comment:
    id: str
    author: str
    body: RichText
    created: datetime
    updated: datetime
    update_author: str
    is_public: bool = True
    visibility: dict[str, str] | None = None
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attachment:
    id: str
    filename: str
    mime: str
    content: bytes
    author: str
    created: datetime


@dataclass(frozen=True, slots=True)
class ChangeItem:
    field: str
    field_id: str
    is_custom: bool
    before: str | None
    before_text: str | None
    after: str | None
    after_text: str | None


@dataclass(frozen=True, slots=True)
class Change:
    id: str
    author: str
    created: datetime
    items: tuple[ChangeItem, ...]
    metadata: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RemoteLink:
    id: int
    global_id: str | None
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class IssueLink:
    id: str
    type_id: str
    inward: str
    outward: str


@dataclass(slots=True)
class Issue:
    """One ticket as Jira keeps it. ``values`` hold raw field values by field id; they are replaced, never edited."""

    id: str
    key: str
    project: str
    creator: str
    created: datetime
    updated: datetime
    status_changed: datetime
    values: dict[str, Any]
    comments: list[Comment] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    remote_links: list[RemoteLink] = field(default_factory=list)
    links: list[IssueLink] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    is_deleted: bool = False
    is_archived: bool = False

    def frozen(self) -> "Issue":
        """The issue as it stands now, untouched by later writes: what the search index keeps."""
        return replace(
            self,
            values=dict(self.values),
            comments=[replace(comment) for comment in self.comments],
            attachments=list(self.attachments),
            changes=list(self.changes),
            remote_links=list(self.remote_links),
            links=list(self.links),
            properties=dict(self.properties),
        )


class Store:
    """All records of one site. Old keys of a moved issue go on finding it."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.projects: dict[str, Project] = {}
        self.issue_types: dict[str, Named] = {}
        self.priorities: dict[str, Named] = {}
        self.resolutions: dict[str, Named] = {}
        self.categories: dict[str, Category] = {}
        self.statuses: dict[str, Status] = {}
        self.transitions: list[Transition] = []
        self.link_types: dict[str, LinkType] = {}
        self.fields: dict[str, FieldSpec] = {}
        self.issues: dict[str, Issue] = {}
        self.keys: dict[str, str] = {}
        self._next: dict[str, int] = {}

    def start_numbers(self, **first: int) -> None:
        self._next.update(first)

    def number(self, kind: str) -> int:
        given = self._next.get(kind, 1)
        self._next[kind] = given + 1
        return given

    def new_key(self, project: str) -> str:
        return f"{project}-{self.number('key ' + project)}"

    def add(self, issue: Issue) -> None:
        self.issues[issue.id] = issue
        self.keys[issue.key] = issue.id

    def find(self, id_or_key: str) -> Issue | None:
        """The living issue with this id or present or former key, whatever the case of its letters."""
        issue = self.issues.get(id_or_key) or self.issues.get(self.keys.get(id_or_key.upper(), ""))
        return None if issue is None or issue.is_deleted else issue

    def living(self) -> Iterable[Issue]:
        return (issue for issue in self.issues.values() if not issue.is_deleted)

    def project(self, id_or_key: str) -> Project | None:
        wanted = id_or_key.upper()
        return next((p for p in self.projects.values() if wanted in (p.id, p.key)), None)
