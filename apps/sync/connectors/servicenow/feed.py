"""Polling: three streams (records, files, deletions), each read by keyset behind a cursor of the instance's own times.

Offset paging loses rows here: a row that is edited while we page moves to the end, and every row behind it slips one
place down, across the border of a page already read. A keyset over (time, sys_id) cannot slip.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from apps.sync.connectors.base import Rejected
from apps.sync.connectors.listing import Place

from .client import ServiceNowClient
from .query import Row, Scope, Term
from .translate import read_time, write_time

RECORDS, FILES, DELETIONS = "records", "files", "deletions"
TOLD = "files told"
"""A position of its own, for versions that know none: the files that overlapping runs read again, by their ids."""
BEGINNING = "1970-01-01 00:00:00"


NOWHERE = Place(BEGINNING, BEGINNING)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The places of all streams, as the text that the engine keeps for us."""

    places: Mapping[str, Place[str]]

    def __str__(self) -> str:
        return json.dumps({name: _written(one) for name, one in self.places.items()}, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Raises Rejected for a text that is not one of our cursors."""
        try:
            return cls({name: _read_place(*held) for name, held in json.loads(text).items()})
        except (ValueError, TypeError, AttributeError) as problem:
            raise Rejected(f"{text[:80]!r} is not a cursor of this connector", field="cursor") from problem

    def of(self, stream: str) -> Place[str]:
        return self.places.get(stream) or NOWHERE

    def moved(self, stream: str, place: Place[str]) -> "Cursor":
        return replace(self, places={**self.places, stream: place})


def _written(place: Place[str]) -> list[str]:
    """What was heard is told only where it is news: so the version before can mostly read it, too."""
    return [place.at, place.id] if place.heard == place.at else [place.at, place.id, place.heard]


def _read_place(at: str, last: str, heard: str = "") -> Place[str]:
    return Place(write_time(_strict(at)), write_time(_strict(heard or at)), str(last))


def _strict(text: str) -> datetime:
    found = read_time(text)
    if write_time(found) != text:
        raise ValueError(text)
    return found


@dataclass(frozen=True, slots=True)
class Stream:
    """One table read by time. ``terms`` narrow it; ``scope`` is the customer's own query."""

    name: str
    table: str
    clock: str
    fields: tuple[str, ...]
    terms: tuple[Term, ...] = ()
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows read in one go, oldest first, and where to go on; ``is_last``: nothing more for now."""

    rows: tuple[Row, ...]
    place: Place[str]
    is_last: bool


class Feed:
    """Reads streams through a client."""

    def __init__(self, client: ServiceNowClient) -> None:
        self._client = client
        self._overlap = timedelta(seconds=client.settings.overlap_seconds)

    async def newest(self, stream: Stream, now: datetime) -> str:
        """The time of the newest row, by the instance's clock: where "from now on" begins.

        An empty stream begins at the beginning, since nothing lies there; when rows exist that we may not read, ``now``
        has to do.
        """
        page = await self._client.page(
            stream.table,
            stream.terms,
            fields=(stream.clock,),
            order=(f"-{stream.clock}",),
            scope=stream.scope.text if stream.scope else "",
            limit=1,
        )
        if page.rows:
            return page.rows[0].get(stream.clock) or BEGINNING
        return write_time(now) if page.has_more or page.total else BEGINNING

    async def read(self, stream: Stream, place: Place[str]) -> Slice:
        """The next rows behind ``place``; at rest, a new run begins ``overlap_seconds`` earlier."""
        clock = stream.clock
        if not place.id:
            start = write_time(max(read_time(place.at) - self._overlap, read_time(BEGINNING)))
            rows, is_last = await self._rows(stream, (Term(clock, ">=", start),), (clock, "sys_id"))
        else:
            tie = (Term(clock, "=", place.at), Term("sys_id", ">", place.id))
            rows, is_last = await self._rows(stream, tie, ("sys_id",))
            if is_last:
                later, is_last = await self._rows(stream, (Term(clock, ">", place.at),), (clock, "sys_id"))
                rows += later
        last = (rows[-1][clock], rows[-1]["sys_id"]) if rows else None
        admitted = tuple(row for row in rows if stream.scope is None or stream.scope.admits(row))
        return Slice(admitted, place.after(last, is_last=is_last), is_last)

    def told(self, stream: Stream, start: Place[str], found: Slice, before: Place[str]) -> Place[str]:
        """Which rows have been told that the next run behind ``found`` may read again; ``before``: those up to now.

        Only for rows that are never written again: a file has no version by which it would be known.
        """
        at, ids = found.place.at, {row["sys_id"]: row[stream.clock] for row in found.rows}
        if found.is_last and not start.id:
            again = write_time(max(read_time(at) - self._overlap, read_time(BEGINNING)))
            return Place(at, at, " ".join(sorted(key for key, told_at in ids.items() if told_at >= again)))
        # The run has several pages, and this is but one.
        return Place(at, at, " ".join(sorted({*before.id.split(), *ids})))

    async def _rows(self, stream: Stream, terms: Iterable[Term], order: tuple[str, ...]) -> tuple[list[Row], bool]:
        """The first page that shows a row. Rows hidden from us fill whole pages: those are stepped over."""
        offset, size = 0, self._client.settings.page_size
        while True:
            page = await self._client.page(
                stream.table,
                (*stream.terms, *terms),
                fields=(*stream.fields, stream.clock, *(stream.scope.fields if stream.scope else ())),
                order=order,
                scope=stream.scope.text if stream.scope else "",
                offset=offset,
            )
            if page.rows or not page.has_more:
                return list(page.rows), not page.has_more
            offset += size
