"""Which tickets changed: the search in order of ``updated`` with an overlap, without what was already reported.

On Cloud a pass is read by page tokens and times are epoch milliseconds. On Data Center times are quoted minutes in the
caller's zone and pages are offsets. A ticket edited meanwhile moves to the end there and shifts the rest, so a page
repeats the last row of the one before, and one that begins otherwise starts again from the time reached.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from apps.sync.connectors.base import Changed, ChangedPage, Rejected

from .client import JiraClient
from .failures import known_shape
from .reading import Json, read_ref, read_version
from .settings import JiraSettings
from .site import Facts
from .translate import milliseconds, read_moment

REMEMBERED = 1000
"""Reported tickets that a cursor remembers; beyond that an unchanged one may be reported again, never lost."""


@dataclass(slots=True)
class Cursor:
    """``mark``: where the pass begins, less the overlap. ``high``: newest time told. ``seen``: versions by id.

    ``begun``: the newest time told once the pass had its first page. The next pass begins there, so that it finds what
    the index showed behind one that took long (see :class:`~apps.sync.connectors.listing.Place`).
    """

    mark: int
    high: int = 0
    begun: int | None = None
    token: str | None = None
    start: int = 0
    last: str = ""
    seen: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> "Cursor":
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as problem:
            raise Rejected("not a cursor of this connector", field="cursor") from problem

    def write(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


def quoted(text: str) -> str:
    """``text`` as a JQL string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def scope(settings: JiraSettings) -> str:
    parts = [f"project = {quoted(settings.project)}"]
    if settings.types:
        parts.append(f"issuetype in ({', '.join(quoted(name) for name in settings.types)})")
    if settings.jql:
        parts.append(f"({settings.jql})")
    return " AND ".join(parts)


def minute(moment: datetime, zone: tzinfo) -> str:
    """A quoted minute in ``zone`` not later than ``moment``, also in an hour that the clock shows twice."""
    local = moment.astimezone(zone)
    for _ in range(4):
        if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
            break
        moment -= timedelta(hours=1)
        local = moment.astimezone(zone)
    return local.strftime('"%Y-%m-%d %H:%M"')


class Poll:
    """Reads pages of changed tickets for one connection."""

    def __init__(self, client: JiraClient, settings: JiraSettings) -> None:
        self._client = client
        self._settings = settings

    async def begin(self, facts: Facts) -> ChangedPage:
        """From now on: from the newest time that the system itself wrote, because its clock may differ from ours."""
        page = await self._search("", "DESC", facts, size=self._settings.page_size)
        rows = [await self._complete(row) for row in page["issues"]]
        with known_shape():
            stamped = [(_updated(row), row) for row in rows]
            high = max((stamp for stamp, _ in stamped), default=0)
            cursor = Cursor(mark=high, high=high)
            for stamp, row in stamped:
                self._remember(cursor, row, stamp, facts)
        return ChangedPage((), cursor.write(), True)

    async def page(self, text: str, facts: Facts) -> ChangedPage:
        cursor = Cursor.read(text)
        since = max(0, cursor.mark - round(self._settings.overlap_seconds * 1000))
        condition = f" AND updated >= {self._literal(since, facts)}" if since else ""
        size = max(2, self._settings.page_size)
        try:
            page = await self._search(condition, "ASC", facts, size=size, start=cursor.start, token=cursor.token)
        except Rejected:
            if not cursor.token:
                raise
            # Page tokens are short-lived: the pass starts again, and what it reported is remembered.
            cursor.token = None
            page = await self._search(condition, "ASC", facts, size=size)
        rows = [await self._complete(row) for row in page["issues"]]
        with known_shape():
            reached = cursor.seen[cursor.last][0] if cursor.last in cursor.seen else cursor.mark
            found = self._news(cursor, rows, facts)
            if cursor.begun is None:
                cursor.begun = max(cursor.mark, cursor.high)
            is_last = self._advance(cursor, page, rows, reached)
        return ChangedPage(found, cursor.write(), is_last)

    def _literal(self, since: int, facts: Facts) -> str:
        if self._client.is_cloud:
            return str(since)
        return minute(datetime.fromtimestamp(since / 1000, UTC), facts.zone)

    async def _search(
        self, condition: str, order: str, facts: Facts, *, size: int, start: int = 0, token: str | None = None
    ) -> dict[str, Any]:
        jql = f"{scope(self._settings)}{condition} ORDER BY updated {order}, key {order}"
        fields: Sequence[str] = ("updated",) if self._client.is_cloud else ("*all",)
        return await self._client.search(jql, fields=fields, size=size, start=start, token=token)

    async def _complete(self, row: dict[str, Any]) -> dict[str, Any]:
        return row if self._client.is_cloud else await with_comments(self._client, row)

    def _news(self, cursor: Cursor, rows: Sequence[Json], facts: Facts) -> tuple[Changed, ...]:
        found = []
        for row in rows:
            ref, stamp = read_ref(row, self._client.base_url), _updated(row)
            version = read_version(row, facts, self._client.is_cloud)
            if cursor.seen.get(ref.id, [0, ""])[1] != version:
                found.append(Changed(ref, version))
            self._remember(cursor, row, stamp, facts)
            cursor.high = max(cursor.high, stamp)
        return tuple(found)

    def _remember(self, cursor: Cursor, row: Json, stamp: int, facts: Facts) -> None:
        cursor.seen[str(row["id"])] = [stamp, read_version(row, facts, self._client.is_cloud)]

    def _advance(self, cursor: Cursor, page: Json, rows: Sequence[Json], reached: int) -> bool:
        if self._client.is_cloud:
            is_last = self._next_token(cursor, page)
        else:
            is_last = self._next_start(cursor, page, rows, reached)
        if is_last:
            cursor.mark, cursor.begun = cursor.begun or 0, None
            cursor.token, cursor.start, cursor.last = None, 0, ""
            oldest = cursor.mark - round(self._settings.overlap_seconds * 1000) - DAY
            kept = sorted(((entry[0], key) for key, entry in cursor.seen.items() if entry[0] >= oldest), reverse=True)
            cursor.seen = {key: cursor.seen[key] for _, key in kept[:REMEMBERED]}
        return is_last

    @staticmethod
    def _next_token(cursor: Cursor, page: Json) -> bool:
        """The end is where Jira says so, not a short page. A token that repeats would never end (fault F34)."""
        token = page.get("nextPageToken")
        is_last = bool(page.get("isLast")) or not token or token == cursor.token
        cursor.token = None if is_last else str(token)
        return is_last

    @staticmethod
    def _next_start(cursor: Cursor, page: Json, rows: Sequence[Json], reached: int) -> bool:
        first = str(rows[0]["id"]) if rows else ""
        if cursor.last and first != cursor.last:
            # Rows moved while we paged. All up to the time reached before was reported: the pass goes on from there.
            cursor.mark = max(cursor.mark, reached)
            cursor.start, cursor.last = 0, ""
            return False
        position = int(page.get("startAt", cursor.start)) + len(rows)
        if not rows or position >= int(page.get("total", position)) or (cursor.last and len(rows) == 1):
            return True
        cursor.start, cursor.last = position - 1, str(rows[-1]["id"])
        return False


DAY = 86_400_000


def _updated(row: Json) -> int:
    return milliseconds(read_moment(row["fields"]["updated"]))


async def with_comments(client: JiraClient, issue: dict[str, Any]) -> dict[str, Any]:
    """``issue`` with its comments; a system that leaves them out of the fields is asked for them."""
    if "comment" not in issue["fields"]:
        with known_shape():
            ref = read_ref(issue, client.base_url)
            await client.prove_address(ref)
            issue["fields"]["comment"] = {"comments": await client.comments(ref)}
    return issue
