"""Everything the organization holds, in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from .errors import missing_item, missing_project, missing_type
from .instants import stamp, to_milliseconds
from .people import Directory, Person
from .places import Project
from .process import ItemType, find_type
from .seed import COLLECTION, ORGANIZATION, PEOPLE, projects
from .settings import Settings
from .workitems import Attachment, Item, Relation, Update

Kind = Literal["created", "updated", "deleted", "restored", "commented"]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that web hooks may tell about."""

    kind: Kind
    item: Item
    by: Person
    update: Update | None = None


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One revision in the order in which the service recorded it."""

    watermark: int
    item_id: int
    rev: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class LinkEntry:
    """One link made or taken away, for the reporting feed of links."""

    watermark: int
    source: Item
    relation: Relation
    is_active: bool
    at: datetime
    by: Person


def nobody_listens(_happening: Happening) -> None:
    """What ``Store.announce`` is until web hooks are joined to it."""


class Store:
    """The state of one organization. ``announce`` hears of every change unless the writer suppressed it."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], datetime],
        origin: Callable[[], str],
    ) -> None:
        self.settings = settings
        self._clock, self._origin = clock, origin
        self.announce: Callable[[Happening], None] = nobody_listens
        self.people = Directory(PEOPLE)
        self.projects = projects()
        self.items: dict[int, Item] = {}
        self.attachments: dict[str, Attachment] = {}
        self.feed: list[FeedEntry] = []
        self.link_feed: list[LinkEntry] = []
        self._counters: dict[str, int] = {
            "relation": 300,
            "comment": 80,
            "watermark": 790,
        }

    def now(self) -> datetime:
        return to_milliseconds(self._clock())

    def next(self, what: str) -> int:
        self._counters[what] = self._counters.get(what, 0) + 1
        return self._counters[what]

    @property
    def path(self) -> str:
        return f"/{COLLECTION if self.settings.is_server else ORGANIZATION}"

    @property
    def base(self) -> str:
        return self._origin() + self.path

    def base_of(self, project: Project | None) -> str:
        return f"{self.base}/{project.id}" if project else self.base

    def item(self, item_id: int, project: Project | None = None) -> Item:
        """A work item that is neither deleted nor outside ``project``. Raises the vendor's 404."""
        item = self.items.get(item_id)
        if item is None or item.is_deleted or (project and item.project is not project):
            raise missing_item(item_id)
        return item

    def project(self, written: str) -> Project:
        found = next((one for one in self.projects if one.is_called(written)), None)
        if found is None:
            raise missing_project(written)
        return found

    def item_type(self, written: str, project: Project) -> ItemType:
        found = find_type(written)
        if found is None:
            raise missing_type(written, project.name)
        return found

    def person(self, written: object) -> Person | None:
        found = self.people.find(written)
        return None if found is None or found.mail in self.settings.departed_accounts else found

    def record(self, item: Item) -> None:
        """Put the latest revision of ``item`` at the end of the feed."""
        latest = item.latest
        self.feed.append(FeedEntry(latest.watermark, item.id, latest.rev, latest.recorded_at))

    def record_link(
        self,
        source: Item,
        relation: Relation,
        is_active: bool,
        at: datetime,
        by: Person,
    ) -> None:
        self.link_feed.append(LinkEntry(self.next("link watermark"), source, relation, is_active, at, by))

    def tell(
        self,
        kind: Kind,
        item: Item,
        by: Person,
        update: Update | None = None,
        *,
        quietly: bool,
    ) -> None:
        if not quietly:
            self.announce(Happening(kind, item, by, update))

    def plain(self, value: Any) -> Any:
        """A stored value as a reader of the true state sees it: people by name."""
        if isinstance(value, Person):
            return value.name
        return stamp(value) if isinstance(value, datetime) else value
