"""Finding changed work items: the reporting feed with its durable token, or queries by time for old Servers."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.sync.connectors.base import Changed, ChangedPage, Rejected
from apps.sync.engine.snapshot import ExternalRef

from .client import AzureClient, Json
from .settings import Settings
from .translate import read_time

MOST_ROWS = 19_999
"""A query that finds 20,000 rows is refused (VS402337), so one fewer is asked for."""
_FIELDS = ("System.Id", "System.Rev", "System.WorkItemType", "System.AreaPath", "System.IsDeleted")


def write_time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class ChangeFeed:
    """Reads pages of changed work items. A cursor holds a token, or a query's state and what it has yet to show."""

    client: AzureClient
    settings: Settings
    now: Callable[[], datetime]

    async def read(self, cursor: str | None) -> ChangedPage:
        if cursor is None:
            start = self.now() - timedelta(seconds=self.settings.overlap_seconds)
            kind = "start" if self.settings.change_feed == "revisions" else "from"
            return ChangedPage((), json.dumps({kind: write_time(start)}), is_last=True)
        place: dict[str, Any] = json.loads(cursor)
        if "from" in place:
            return await self._read_query(place)
        return await self._read_revisions(place, cursor)

    async def _read_revisions(self, place: dict[str, Any], cursor: str) -> ChangedPage:
        """The feed orders by its own watermark, so that neither clocks nor equal times matter."""
        params = {
            "includeDeleted": "true",
            "includeLatestOnly": "true",
            "$maxPageSize": str(self.settings.page_size),
            "fields": ",".join(_FIELDS),
        }
        params |= {"continuationToken": place["token"]} if "token" in place else {"startDateTime": place["start"]}
        path = f"{self.client.project_path()}/_apis/wit/reporting/workitemrevisions"
        page = await self.client.get_or_none(path, params)
        if page is None:
            if "start" not in place:
                raise Rejected("the reporting feed of changed work items is gone")
            return await self._read_query({"from": place["start"]})
        token = page.get("continuationToken") or place.get("token")
        following = json.dumps({"token": token}) if token else cursor
        return ChangedPage(
            tickets=self._read_rows(page.get("values") or []),
            cursor=following,
            # a feed that repeats its token would otherwise be read for ever
            is_last=page.get("isLastBatch") is not False or following == cursor,
        )

    async def _read_query(self, place: dict[str, Any]) -> ChangedPage:
        """One query lists the ids of a round; pages are cut from that list, so that edits in between shift nothing."""
        if "waiting" not in place:
            place = await self._ask(str(place["from"]))
        waiting: list[int] = place["waiting"]
        shown, rest = waiting[: self.settings.page_size], waiting[self.settings.page_size :]
        rows = await self.client.get_batch(shown, ["System.ChangedDate", *_FIELDS[:4]]) if shown else []
        tickets = self._read_rows(rows)
        if rest:
            return ChangedPage(tickets, json.dumps({**place, "waiting": rest}), is_last=False)
        if not place["is_cut"]:
            return ChangedPage(tickets, json.dumps({"from": place["next"]}), is_last=True)
        # Those beyond the cut come after the last row as it was listed. Who was edited since tells another time.
        listed = [read_time(row["fields"]["System.ChangedDate"]) for row in rows]
        as_listed = [at for at in listed if at <= read_time(place["next"])]
        following = write_time(max(as_listed)) if as_listed else place["from"]
        return ChangedPage(tickets, json.dumps({"from": following}), is_last=False)

    async def _ask(self, since: str) -> dict[str, Any]:
        start = write_time(read_time(since) - timedelta(seconds=self.settings.overlap_seconds))
        conditions = f"[System.TeamProject] = @project AND [System.ChangedDate] >= '{start}'"
        found = await self.client.query(conditions, "[System.ChangedDate] ASC, [System.Id] ASC", MOST_ROWS)
        ids = [int(row["id"]) for row in found.get("workItems") or []]
        asked_at = str(found.get("asOf") or write_time(self.now()))
        return {"from": since, "next": asked_at, "waiting": ids, "is_cut": len(ids) >= MOST_ROWS}

    def _read_rows(self, rows: list[Json]) -> tuple[Changed, ...]:
        """The latest state of each work item in scope."""
        latest: dict[str, Changed] = {}
        for row in rows:
            fields = row.get("fields") or {}
            if not self._is_in_scope(fields):
                continue
            number, version = str(row["id"]), str(row.get("rev") or fields.get("System.Rev"))
            if number in latest and int(latest[number].version) > int(version):
                continue
            latest.pop(number, None)
            ref = ExternalRef(number, key=number, url=f"{self.client.base_url}/_workitems/edit/{number}")
            latest[number] = Changed(ref, version, is_deleted=fields.get("System.IsDeleted") in (True, "True", "true"))
        return tuple(latest.values())

    def _is_in_scope(self, fields: Json) -> bool:
        kind, area = fields.get("System.WorkItemType"), str(fields.get("System.AreaPath") or "")
        if self.settings.types and kind is not None and kind not in self.settings.types:
            return False
        wanted = self.settings.area_path.rstrip("\\")
        return not wanted or not area or area == wanted or area.startswith(wanted + "\\")
