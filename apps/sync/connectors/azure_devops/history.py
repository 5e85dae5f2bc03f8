"""The updates feed and the comments of a work item as one ordered change log."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from apps.sync.engine.snapshot import RemoteChange, Value

from .process import is_mappable
from .translate import Reader, read_person, read_time

Json = dict[str, Any]
_STILL_CURRENT = "9999"


def list_changes(updates: list[Json], comments: list[Json], reader: Reader, since: str | None) -> list[RemoteChange]:
    """Changes after ``since``, oldest first; the first update is the creation and is not one.

    An update is known by its revision (``7``), a file in it by ``7/<file id>``, a comment by ``c<comment id>``. Updates
    without anything to show, and deleted comments, still count as places, so that ``since`` may name them.
    """
    places = list(_merge(updates, comments, reader))
    if since is not None:
        ids = [change.id for change in places]
        places = places[ids.index(since) + 1 :] if since in ids else _cut_after_revision(places, since)
    return [change for change in places if change.fields or change.comment or change.attachment]


def _merge(updates: list[Json], comments: list[Json], reader: Reader) -> Iterator[RemoteChange]:
    """Comments at their place between the updates, whose own order is that of their numbers, never of their times.

    An update that raises the count of comments brought the next of them. Where the counts do not add up, the times
    decide; imports may back-date a change, so the time that counts never goes backwards.
    """
    waiting = list(comments)
    is_counted = sum(count_comments(update) for update in updates) == len(comments)
    latest: datetime | None = None
    seen: set[str] = set()
    for number, update in enumerate(updates):
        at = read_update_time(update, updates[number - 1] if number else None, latest)
        latest = at if latest is None else max(at, latest)
        while waiting and not is_counted and read_time(waiting[0]["createdDate"]) < latest:
            yield _read_said(waiting.pop(0), reader)
        revision = str(update.get("rev") or update["id"])
        identity = f"{revision}.{update['id']}" if revision in seen else revision
        seen.add(revision)
        if number:
            yield from _read_update(update, identity, latest, reader)
        for _ in range(count_comments(update) if is_counted else 0):
            yield _read_said(waiting.pop(0), reader)
    for raw in waiting:
        yield _read_said(raw, reader)


def count_comments(update: Json) -> int:
    """How many comments an update brought."""
    entry = (update.get("fields") or {}).get("System.CommentCount") or {}
    return max(0, int(entry.get("newValue") or 0) - int(entry.get("oldValue") or 0))


def read_update_time(update: Json, previous: Json | None, latest: datetime | None) -> datetime:
    """When an update happened: its change date, else the time at which it replaced the update before it.

    An update's own ``revisedDate`` is when the next one replaced it, and the far future for the latest.
    """
    changed = ((update.get("fields") or {}).get("System.ChangedDate") or {}).get("newValue")
    text = str(changed or (previous or {}).get("revisedDate") or "")
    if text and not text.startswith(_STILL_CURRENT):
        return read_time(text)
    return latest or read_time("1970-01-01T00:00:00Z")


def _read_update(update: Json, identity: str, at: datetime, reader: Reader) -> Iterator[RemoteChange]:
    author = read_person(update.get("revisedBy"))
    yield RemoteChange(identity, at, author, fields=read_changed(update, reader))
    for file in reader.read_attachments((update.get("relations") or {}).get("added")):
        yield RemoteChange(f"{identity}/{file.id}", at, author, attachment=file, correlation=file.correlation)


def read_changed(update: Json, reader: Reader) -> dict[str, tuple[Value, Value]]:
    changed: dict[str, tuple[Value, Value]] = {}
    for name, entry in (update.get("fields") or {}).items():
        if not is_mappable(name) or name == reader.marker_field:
            continue
        before = reader.read_value(name, entry.get("oldValue"))
        after = reader.read_value(name, entry.get("newValue"))
        if before != after:
            changed[name] = (before, after)
    return changed


def comment_change_id(comment_id: str) -> str:
    return f"c{comment_id}"


def _read_said(raw: Json, reader: Reader) -> RemoteChange:
    comment = reader.read_comment(raw)
    return RemoteChange(
        comment_change_id(comment.id),
        comment.at,
        comment.author,
        comment=None if raw.get("isDeleted") else comment,
        correlation=comment.correlation,
    )


def _cut_after_revision(places: list[RemoteChange], since: str) -> list[RemoteChange]:
    """Where ``since`` is not listed (any more): what follows the last update of its revision, or everything."""
    revision = since.partition("/")[0].partition(".")[0]
    if not revision.isdigit():
        return places
    known = [
        index
        for index, change in enumerate(places)
        if change.id.partition("/")[0].partition(".")[0].isdigit()
        and int(change.id.partition("/")[0].partition(".")[0]) <= int(revision)
    ]
    return places[known[-1] + 1 :] if known else places
