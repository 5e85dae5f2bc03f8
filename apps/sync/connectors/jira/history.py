"""Jira's change log with comments and files in one order, in the values of a snapshot.

The log writes long texts as wiki markup even on Cloud and lists as words in one string, so values are rebuilt backwards
from the present: what a field became is what the next entry found.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.sync.connectors.richtext import to_plain
from apps.sync.engine.snapshot import RemoteChange, TicketSnapshot, Value

from .reading import Json
from .translate import FieldKind, Shape, person_name, read_moment, read_rich, read_value, without_marks, words_of

HISTORY_TYPE = "siam:sync"
_FILE_ITEM = "Attachment"
_WORD = re.compile(r"\S+")
_RANKS = {"history": 0, "comment": 1, "attachment": 2}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a change stands: by time, then log before comments before files, then number."""

    at: datetime
    rank: int
    number: int

    @property
    def key(self) -> tuple[datetime, int, int]:
        return (self.at, self.rank, self.number)


def metadata(correlation: str) -> dict[str, Any]:
    """The ``historyMetadata`` of a write: Jira shows it with the log entry, and we find our write again by it."""
    return {
        "type": HISTORY_TYPE,
        "description": "Synchronized by the SIAM portal",
        "cause": {"id": correlation, "type": HISTORY_TYPE},
        "extraData": {"correlation": correlation},
    }


def mark_of(row: Json) -> str | None:
    """Our mark on a log entry."""
    found = row.get("historyMetadata") or {}
    if found.get("type") != HISTORY_TYPE:
        return None
    mark = (found.get("extraData") or {}).get("correlation") or (found.get("cause") or {}).get("id")
    return str(mark) if mark else None


class LogReader:
    """Reads log entries newest first; ``present`` holds each field's value as it was right after the entry at hand."""

    def __init__(self, kinds: Mapping[str, FieldKind], present: Mapping[str, Value]) -> None:
        self._kinds = kinds
        self._present = dict(present)
        self._by_label: dict[str, str] = {}
        for field_id, kind in kinds.items():
            self._by_label.setdefault(kind.label.casefold(), field_id)

    def read(self, row: Json) -> dict[str, tuple[Value, Value]]:
        changed: dict[str, tuple[Value, Value]] = {}
        for item in reversed(row.get("items") or []):
            kind = self._kind(item)
            if kind is None:
                continue
            before, after = self._values(kind, item)
            # Several items of one entry (one a version) are one change, from the first's before to the last's after.
            changed[kind.id] = (before, changed[kind.id][1] if kind.id in changed else after)
            self._present[kind.id] = before
        return {name: pair for name, pair in reversed(changed.items()) if pair[0] != pair[1]}

    def _kind(self, item: Json) -> FieldKind | None:
        name = str(item.get("fieldId") or item.get("field") or "")
        found = self._kinds.get(name) or self._kinds.get(self._by_label.get(name.casefold(), ""))
        if found is None and item.get("field"):
            found = self._kinds.get(self._by_label.get(str(item["field"]).casefold(), ""))
        return found

    def _values(self, kind: FieldKind, item: Json) -> tuple[Value, Value]:
        if kind.shape in (Shape.NAMES, Shape.PEOPLE, Shape.OPTIONS):
            return self._of_list(kind, item)
        before, after = _read(kind, item, "from"), _read(kind, item, "to")
        if kind.shape is Shape.RICH and _is_same_text(after, self._present.get(kind.id)):
            after = self._present[kind.id]
        return before, after

    def _of_list(self, kind: FieldKind, item: Json) -> tuple[Value, Value]:
        """Versions and components are logged one by one; options all at once, with the words joined by commas."""
        after = words_of(self._present.get(kind.id))
        removed, added = str(item.get("fromString") or ""), str(item.get("toString") or "")
        if kind.shape is Shape.NAMES or kind.shape is Shape.PEOPLE:
            left = set(after) - ({added} if added else set())
            return tuple(sorted(left | ({removed} if removed else set()))), after
        return _split(removed, after), _split(added, after)


def _split(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """``text`` as words. One with a comma of its own is recognized when the ticket still has it."""
    found = []
    for word in known:
        if "," in word and word in text:
            found.append(word)
            text = text.replace(word, "")
    return tuple(sorted([*found, *(word.strip() for word in text.split(",") if word.strip())]))


def _read(kind: FieldKind, item: Json, side: str) -> Value:
    raw, shown = item.get(side), item.get(f"{side}String")
    if kind.shape is Shape.WORDS:
        return without_marks(tuple(sorted(_WORD.findall(str(shown or "")))))
    if raw in (None, "") and shown in (None, ""):
        return None
    if kind.shape is Shape.RICH:
        return read_rich(str(shown or ""))
    if kind.shape in (Shape.DATE, Shape.MOMENT, Shape.NUMBER):
        for text in (raw, shown):
            try:
                return read_value(kind.shape, _number(text) if kind.shape is Shape.NUMBER else str(text)[: _cut(kind)])
            except (ValueError, TypeError):
                continue
    if kind.shape is Shape.CASCADE and isinstance(shown, str):
        found = re.fullmatch(r"Parent values: (.*?)(?:\(\d+\))?(?:Level 1 values: (.*?)(?:\(\d+\))?)?", shown.strip())
        return " / ".join(part for part in found.groups() if part) if found else shown
    return str(shown if shown not in (None, "") else raw)


def _number(text: Any) -> float:
    return float(str(text))


def _cut(kind: FieldKind) -> int | None:
    return 10 if kind.shape is Shape.DATE else None


def _is_same_text(logged: Value, present: Value) -> bool:
    """Whether two renderings of a long text say the same words: the log lost the format, the snapshot has it."""
    if logged is None or present is None:
        return logged == present
    return _words(logged) == _words(present)


def _words(text: Value) -> list[str]:
    return re.findall(r"\w+", to_plain(str(text)))


def read_changes(
    rows: Sequence[Json], snapshot: TicketSnapshot, kinds: Mapping[str, FieldKind]
) -> list[tuple[Place, RemoteChange]]:
    """Everything that happened to the ticket, oldest first. Entries about fields without a plain value are left out."""
    reader = LogReader(kinds, snapshot.fields)
    found: list[tuple[Place, RemoteChange]] = []
    for row in reversed(rows):
        fields = reader.read(row)
        if fields:
            change = RemoteChange(
                id=str(row["id"]),
                at=read_moment(row["created"]),
                author=person_name(row.get("author")),
                fields=fields,
                correlation=mark_of(row),
            )
            found.append((Place(change.at, _RANKS["history"], int(row["id"])), change))
    for comment in snapshot.comments:
        change = RemoteChange(
            f"comment:{comment.id}", comment.at, comment.author, comment=comment, correlation=comment.correlation
        )
        found.append((Place(comment.at, _RANKS["comment"], int(comment.id)), change))
    for file in snapshot.attachments:
        change = RemoteChange(
            f"attachment:{file.id}", file.at, file.author, attachment=file, correlation=file.correlation
        )
        found.append((Place(file.at, _RANKS["attachment"], int(file.id)), change))
    return sorted(found, key=lambda pair: pair[0].key)


def after(found: Sequence[tuple[Place, RemoteChange]], since: str | None) -> tuple[RemoteChange, ...]:
    """The changes strictly after ``since``; all of them when that entry is no longer there (a deleted comment).

    A system that keeps times by the day puts a later change before an earlier comment of that day. Such a change is
    returned again rather than lost: its id is stable, so it counts once.
    """
    places = {change.id: place for place, change in found}
    mark = places.get(since or "")
    if mark is None:
        return tuple(change for _, change in found)

    def is_after(place: Place) -> bool:
        if place.rank == mark.rank and place.at.date() == mark.at.date() and _is_coarse(place.at):
            return place.number > mark.number
        is_hidden = _is_coarse(place.at) and place.rank != mark.rank and place.at.date() == mark.at.date()
        return is_hidden or place.key > mark.key

    return tuple(change for place, change in found if is_after(place))


def _is_coarse(at: datetime) -> bool:
    return at.minute == at.second == at.microsecond == 0
