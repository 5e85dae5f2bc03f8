"""From the instance's strings to plain values and back. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from html import escape

from apps.sync.connectors import richtext
from apps.sync.connectors.base import Rejected
from apps.sync.engine.snapshot import Value

from .client import Cell
from .columns import Column, Kind

MARK = "\n\n[sync:{}]"
MARK_LENGTH = len(MARK.format("")) + 40
OF_STEP = "."
"""Between the correlation of a field write and the state to which a step on its way leads."""

_MARK = re.compile(r"\s*\[sync:([a-z0-9][a-z0-9-]{2,39})\]\s*\Z")
_FILE_MARK = re.compile(r"~([a-z]+-[a-z0-9-]{6,36})(?=\.[^.~]*\Z|\Z)")
_CODE = re.compile(r"\[code\](.*?)\[/code\]", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"\[(/?code)\]", re.IGNORECASE)
_BROKEN_TAG = re.compile("\\[\u200b(/?code)\\]", re.IGNORECASE)
_STAMP = "%Y-%m-%d %H:%M:%S"


def read_time(text: str) -> datetime:
    """A value-mode time, which is UTC. An empty or foreign one reads as the beginning of time, never as now."""
    try:
        return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)


def write_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime(_STAMP)


def read_value(column: Column, value: str, shown: str = "") -> Value:
    """A plain value from database value and display value; empty is None, whatever the type."""
    if value == "":
        return None
    match column.kind:
        case Kind.REFERENCE:
            return shown or value
        case Kind.LIST:
            words = [word.strip() for word in (shown or value).split(",")]
            if len(words) != len(value.split(",")):
                words = value.split(",")
            return tuple(sorted(words))
        case Kind.BOOLEAN:
            return value.lower() in ("true", "1")
        case Kind.NUMBER:
            return _read_number(value)
        case Kind.DATETIME:
            return read_time(value).strftime("%Y-%m-%dT%H:%M:%SZ") if re.match(r"\d{4}-\d\d-\d\d \d", value) else value
        case Kind.LINES:
            return richtext.from_plain(unix(value)) or None
        case Kind.HTML:
            return richtext.from_html(value) or None
        case _:
            return unix(value)


def read_cell(name: str, cell: Cell, column: Column | None) -> Value:
    """A field of a record. A column that no dictionary told of is a reference when it comes with a link."""
    if column is None:
        column = Column(name, Kind.REFERENCE if cell.is_reference else Kind.TEXT)
    return read_value(column, cell.value, cell.shown)


def _read_number(value: str) -> Value:
    try:
        number = float(value.replace(",", ""))
    except ValueError:
        return value
    return int(number) if number.is_integer() else number


def write_value(column: Column, value: Value) -> str:
    """The string to be sent, references and lists excepted.

    Raises Rejected naming the column for a value of the wrong shape, outside its choices, or longer than the column:
    the instance would cut it in silence.
    """
    if value is None:
        return ""
    text = _write_plain(column, value)
    if column.values and text and text not in column.values:
        raise Rejected(f"{column.name} takes {', '.join(column.values)}, not {text!r}", field=column.name, value=value)
    has_length = column.kind in (Kind.TEXT, Kind.LINES, Kind.HTML)
    if has_length and column.max_length is not None and len(text) > column.max_length:
        raise Rejected(
            f"{column.name} takes {column.max_length} characters, this text has {len(text)}",
            field=column.name,
            value=value,
        )
    return text


def _write_plain(column: Column, value: Value) -> str:
    if isinstance(value, tuple):
        raise Rejected(f"{column.name} takes one value, not a list", field=column.name, value=value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(int(value)) if float(value).is_integer() else str(value)
    assert isinstance(value, str)
    match column.kind:
        case Kind.LINES:
            return richtext.to_plain(value)
        case Kind.HTML:
            return richtext.to_html(value)
        case Kind.DATETIME:
            return _write_moment(column, value)
        case Kind.DATE:
            return _write_date(column, value)
        case Kind.NUMBER if isinstance(_read_number(value), str) and value:
            raise Rejected(f"{column.name} takes a number, not {value!r}", field=column.name, value=value)
        case Kind.BOOLEAN if value not in ("true", "false", ""):
            raise Rejected(f"{column.name} is true or false, not {value!r}", field=column.name, value=value)
        case _:
            return value


def _write_moment(column: Column, value: str) -> str:
    if value == "":
        return ""
    try:
        at = datetime.fromisoformat(value)
    except ValueError as problem:
        raise Rejected(f"{column.name} takes a time, not {value!r}", field=column.name, value=value) from problem
    return write_time(at if at.tzinfo else at.replace(tzinfo=UTC))


def _write_date(column: Column, value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat() if value else ""
    except ValueError as problem:
        raise Rejected(f"{column.name} takes a date, not {value!r}", field=column.name, value=value) from problem


def unix(text: str) -> str:
    """``text`` with line feeds as its only line ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_journal(text: str, comment_format: str) -> tuple[str, str | None]:
    """Markdown and our mark from a journal entry. What stands in code tags is HTML, all else plain text."""
    text, mark = unix(text), None
    if found := _MARK.search(text):
        text, mark = text[: found.start()], found[1]
    if comment_format == "html" and re.search(r"<[a-zA-Z/]", text) and not _CODE.search(text):
        return richtext.from_html(_BROKEN_TAG.sub(r"[\1]", text)), mark
    if _CODE.search(text):
        html, end = "", 0
        for found in _CODE.finditer(text):
            html += _as_html(text[end : found.start()]) + found[1]
            end = found.end()
        html += _as_html(text[end:])
        return richtext.from_html(_BROKEN_TAG.sub(r"[\1]", html)), mark
    return richtext.from_plain(_BROKEN_TAG.sub(r"[\1]", text)), mark


def _as_html(text: str) -> str:
    return escape(text, quote=False).replace("\n", "<br>")


def write_journal(markdown: str, correlation: str, comment_format: str) -> str:
    """The entry to be written, with our mark as its last line.

    Code tags in a person's text are broken by a zero-width space, because the instance renders what stands between
    them as HTML.
    """
    if comment_format == "plain":
        text = _TAG.sub("[\u200b\\1]", richtext.to_plain(markdown))
    else:
        html = _TAG.sub("[\u200b\\1]", richtext.to_html(markdown))
        text = f"[code]{html}[/code]" if comment_format == "code" else html
    return text.rstrip() + MARK.format(correlation)


def mark_file_name(name: str, correlation: str) -> str:
    """``log.txt`` as ``log~siam-3f2a9c0d41b7.txt``: an attachment has no other place for our id."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem}~{correlation}.{ending}" if dot and stem else f"{name}~{correlation}"


def read_file_name(name: str) -> tuple[str, str | None]:
    """The name that people gave, and our mark."""
    found = _FILE_MARK.search(name)
    return (name[: found.start()] + name[found.end() :], found[1]) if found else (name, None)


def held(record: Mapping[str, Cell], name: str) -> str:
    """The database value of ``name``, empty when absent."""
    cell = record.get(name)
    return cell.value if cell is not None else ""
