"""Jira's JSON as plain values and back: one :class:`Shape` for each way in which Jira spells a field's value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

from apps.sync.connectors.base import FieldSchema, Rejected
from apps.sync.connectors.richtext import canonical
from apps.sync.engine.snapshot import Value

from .adf import from_adf, to_adf
from .wiki import from_wiki, to_wiki

Json = Mapping[str, Any]

MARK = re.compile(r"siam-[0-9a-f]{6,35}")
"""How our correlation ids look; as labels they are ours alone and are never shown as the ticket's own."""
_MARK_LINE = re.compile(r"\s*^\((siam-[0-9a-f]{6,35})\)\s*\Z", re.M)
SUMMARY_LIMIT = 255
TEXT_LIMIT = 32_767


class Shape(Enum):
    """A field's type in the connector's words, and where its value stands in Jira's JSON."""

    TEXT = "text"
    RICH = "rich_text"
    NUMBER = "number"
    DATE = "date"
    MOMENT = "datetime"
    NAME = "choice name"
    STATUS = "status"
    OPTION = "choice value"
    CASCADE = "choice value child"
    KEY = "text key"
    PERSON = "person"
    WORDS = "words"
    NAMES = "words name"
    OPTIONS = "words value"
    PEOPLE = "words person"

    @property
    def type(self) -> str:
        return self.value.split()[0]


_SHAPES = {
    "string": Shape.TEXT,
    "number": Shape.NUMBER,
    "date": Shape.DATE,
    "datetime": Shape.MOMENT,
    "priority": Shape.NAME,
    "resolution": Shape.NAME,
    "issuetype": Shape.NAME,
    "version": Shape.NAME,
    "component": Shape.NAME,
    "securitylevel": Shape.NAME,
    "status": Shape.STATUS,
    "option": Shape.OPTION,
    "option-with-child": Shape.CASCADE,
    "user": Shape.PERSON,
    "project": Shape.KEY,
    "issuelink": Shape.KEY,
}
_ITEM_SHAPES = {
    "string": Shape.WORDS,
    "option": Shape.OPTIONS,
    "version": Shape.NAMES,
    "component": Shape.NAMES,
    "user": Shape.PEOPLE,
}
_RICH_SYSTEM = frozenset({"description", "environment"})
READ_ONLY = frozenset({"created", "updated", "resolutiondate", "creator", "project", "issuetype", "lastViewed"})

_SYSTEM: dict[str, tuple[str, Shape]] = {
    "summary": ("Summary", Shape.TEXT),
    "description": ("Description", Shape.RICH),
    "environment": ("Environment", Shape.RICH),
    "issuetype": ("Issue Type", Shape.NAME),
    "status": ("Status", Shape.STATUS),
    "priority": ("Priority", Shape.NAME),
    "resolution": ("Resolution", Shape.NAME),
    "labels": ("Labels", Shape.WORDS),
    "duedate": ("Due date", Shape.DATE),
    "assignee": ("Assignee", Shape.PERSON),
    "reporter": ("Reporter", Shape.PERSON),
    "creator": ("Creator", Shape.PERSON),
    "components": ("Components", Shape.NAMES),
    "fixVersions": ("Fix versions", Shape.NAMES),
    "versions": ("Affects versions", Shape.NAMES),
    "created": ("Created", Shape.MOMENT),
    "updated": ("Updated", Shape.MOMENT),
    "resolutiondate": ("Resolved", Shape.MOMENT),
    "project": ("Project", Shape.KEY),
    "parent": ("Parent", Shape.KEY),
}


@dataclass(frozen=True, slots=True)
class FieldKind:
    """One Jira field that has a plain value."""

    id: str
    label: str
    shape: Shape


def shape_of(field_id: str, schema: Json) -> Shape | None:
    """The shape for a ``schema`` of Jira; None for those without a plain value (votes, progress, service levels)."""
    kind = str(schema.get("type", ""))
    if kind == "string" and (field_id in _RICH_SYSTEM or str(schema.get("custom", "")).endswith(":textarea")):
        return Shape.RICH
    if kind == "array":
        return _ITEM_SHAPES.get(str(schema.get("items") or ("string" if field_id == "labels" else "")))
    return _SHAPES.get(kind)


def read_kinds(listed: list[Json]) -> dict[str, FieldKind]:
    """The fields of a site by id (names are not unique): those that every Jira has, then what ``/field`` lists."""
    kinds = {name: FieldKind(name, label, shape) for name, (label, shape) in _SYSTEM.items()}
    for row in listed:
        field_id = str(row["id"])
        shape = shape_of(field_id, row.get("schema") or {})
        label = str(row.get("name") or field_id)
        if field_id in kinds:
            kinds[field_id] = FieldKind(field_id, label, kinds[field_id].shape)
        elif shape is not None:
            kinds[field_id] = FieldKind(field_id, label, shape)
    return kinds


def read_moment(text: str) -> datetime:
    """A time as Jira writes it (``+0000`` or ``+00:00``), in UTC. Raises ValueError."""
    if re.search(r"[+-]\d{4}$", text):
        text = text[:-2] + ":" + text[-2:]
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def read_rich(raw: Any) -> str | None:
    """Markdown of an ADF document (v3) or of wiki markup (v2)."""
    if raw is None:
        return None
    return from_adf(raw) if isinstance(raw, dict) else from_wiki(str(raw))


def write_rich(markdown: str, is_cloud: bool) -> Any:
    """An empty text is null: Jira refuses an ADF document without content."""
    return to_adf(markdown) if is_cloud else to_wiki(markdown) or None


def person_name(raw: Json | None) -> str:
    return str((raw or {}).get("displayName") or (raw or {}).get("name") or "")


def person_id(raw: Json | None) -> str:
    return str((raw or {}).get("accountId") or (raw or {}).get("key") or (raw or {}).get("name") or "")


def read_value(shape: Shape, raw: Any) -> Value:
    """The plain value of ``raw``. Raises KeyError, TypeError or ValueError for what is not of this shape."""
    if shape in (Shape.WORDS, Shape.NAMES, Shape.OPTIONS, Shape.PEOPLE):
        return tuple(sorted(_read_word(shape, item) for item in raw or ()))
    if raw is None:
        return None
    if shape is Shape.RICH:
        return read_rich(raw)
    if shape is Shape.NUMBER:
        return float(raw) if not isinstance(raw, int) else raw
    if shape is Shape.MOMENT:
        return read_moment(raw).isoformat()
    if shape is Shape.CASCADE:
        child = raw.get("child")
        return f"{raw['value']} / {child['value']}" if child else str(raw["value"])
    if shape in (Shape.TEXT, Shape.DATE):
        if not isinstance(raw, str):
            raise TypeError(f"text expected, {type(raw).__name__} found")
        return raw
    return _read_word(shape, raw)


def _read_word(shape: Shape, raw: Any) -> str:
    if shape is Shape.WORDS:
        return str(raw)
    if shape in (Shape.PERSON, Shape.PEOPLE):
        return person_name(raw)
    if shape is Shape.KEY:
        return str(raw["key"])
    if shape in (Shape.OPTION, Shape.OPTIONS):
        return str(raw["value"])
    return str(raw["name"])


def read_fields(raw: Json, kinds: Mapping[str, FieldKind]) -> dict[str, Value]:
    """The fields of an issue that have a plain value; one that has another shape than its type says is left out."""
    found: dict[str, Value] = {}
    for name, value in raw.items():
        if name not in kinds:
            continue
        try:
            found[name] = read_value(kinds[name].shape, value)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    if "labels" in found:
        found["labels"] = without_marks(found["labels"])
    return found


def words_of(value: Value) -> tuple[str, ...]:
    """A list of words, also where one word or nothing was given."""
    if value is None or value == "":
        return ()
    return value if isinstance(value, tuple) else (str(value),)


def without_marks(labels: Value) -> tuple[str, ...]:
    return tuple(label for label in words_of(labels) if not MARK.fullmatch(label))


def marks_in(labels: Any) -> list[str]:
    return [label for label in labels or () if MARK.fullmatch(str(label))]


def write_value(kind: FieldKind, value: Value, is_cloud: bool) -> Any:
    """``value`` in Jira's JSON; :mod:`.people` resolves people before. Raises Rejected for another shape."""
    shape = kind.shape
    if shape in (Shape.WORDS, Shape.NAMES, Shape.OPTIONS):
        return [_write_word(shape, word) for word in words_of(value)]
    if value is None or value == "":
        return None
    if shape is Shape.RICH:
        return write_rich(str(value), is_cloud)
    try:
        if shape is Shape.NUMBER:
            return value if isinstance(value, int | float) else float(str(value))
        if shape is Shape.MOMENT:
            moment = read_moment(str(value))
            return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"
        if shape is Shape.DATE:
            return date.fromisoformat(str(value)[:10]).isoformat()
    except ValueError as problem:
        raise Rejected(f"{kind.label} takes a {shape.type}", field=kind.id, value=value) from problem
    if isinstance(value, tuple):
        raise Rejected(f"{kind.label} takes one value", field=kind.id, value=value)
    if shape is Shape.CASCADE:
        parent, _, child = str(value).partition(" / ")
        return {"value": parent, **({"child": {"value": child}} if child else {})}
    return str(value) if shape is Shape.TEXT else _write_word(shape, str(value))


def _write_word(shape: Shape, word: str) -> Any:
    if shape is Shape.WORDS:
        return word
    if shape in (Shape.OPTION, Shape.OPTIONS):
        return {"value": word}
    return {"key": word} if shape is Shape.KEY else {"name": word}


def with_mark(body: str, correlation: str) -> str:
    """A text that carries our mark in a last line, for systems without entity properties."""
    # In its one spelling nothing that was opened stays open: an unclosed code block would swallow the mark.
    return f"{canonical(body)}\n\n({correlation})"


def split_mark(body: str) -> tuple[str, str | None]:
    """``body`` without our last line, and the mark that stood there."""
    found = _MARK_LINE.search(body)
    return (body[: found.start()], found.group(1)) if found else (body, None)


def describe(kind: FieldKind, meta: Json) -> FieldSchema:
    """What rules may know of a field, from an entry of createmeta or editmeta."""
    allowed = meta.get("allowedValues") or []
    values = tuple(str(row.get("value") or row.get("name") or row.get("key") or "") for row in allowed)
    limit = SUMMARY_LIMIT if kind.id == "summary" else TEXT_LIMIT if kind.shape is Shape.RICH else None
    operations = meta.get("operations")
    return FieldSchema(
        name=kind.id,
        label=str(meta.get("name") or kind.label),
        type=kind.shape.type,
        is_writable=kind.id not in READ_ONLY and (operations is None or "set" in operations),
        is_required=bool(meta.get("required")) and not meta.get("hasDefaultValue"),
        max_length=limit,
        values=values if kind.shape not in (Shape.PERSON, Shape.PEOPLE, Shape.WORDS) else (),
    )
