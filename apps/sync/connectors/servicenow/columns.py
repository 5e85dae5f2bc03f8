"""The columns of a table and its parents: what they hold, how long, which values (sys_dictionary, sys_choice)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from apps.sync.connectors.base import AccessRefused, FieldSchema, Rejected, TicketGone

from .client import ServiceNowClient
from .query import Row, Term

READ_AREA = 255
"""Strings longer than this are shown as a text area of several lines; shorter ones are one line of plain text."""

COMPUTED = {"incident": ("priority",), "problem": ("priority",)}
"""Written by lookup rules from impact and urgency: a value sent for them does not stay."""


class Kind(StrEnum):
    """What a column holds, as far as translation differs."""

    TEXT = "text"
    LINES = "lines"
    HTML = "html"
    CHOICE = "choice"
    STATUS = "status"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    REFERENCE = "reference"
    LIST = "list"
    JOURNAL = "journal"


_KINDS = {
    "boolean": Kind.BOOLEAN,
    "choice": Kind.CHOICE,
    "date": Kind.DATE,
    "decimal": Kind.NUMBER,
    "due_date": Kind.DATETIME,
    "float": Kind.NUMBER,
    "glide_date": Kind.DATE,
    "glide_date_time": Kind.DATETIME,
    "glide_list": Kind.LIST,
    "html": Kind.HTML,
    "integer": Kind.NUMBER,
    "journal": Kind.JOURNAL,
    "journal_input": Kind.JOURNAL,
    "journal_list": Kind.JOURNAL,
    "longint": Kind.NUMBER,
    "reference": Kind.REFERENCE,
    "translated_html": Kind.HTML,
}

_SCHEMA_TYPES = {
    Kind.LINES: "rich_text",
    Kind.HTML: "rich_text",
    Kind.REFERENCE: "choice",
    Kind.LIST: "words",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``target`` is the table that a reference or list points to."""

    name: str
    kind: Kind = Kind.TEXT
    label: str = ""
    target: str = ""
    max_length: int | None = None
    is_writable: bool = True
    is_required: bool = False
    values: tuple[str, ...] = ()

    def as_schema(self) -> FieldSchema:
        is_person = self.kind is Kind.REFERENCE and self.target == "sys_user"
        has_length = self.kind in (Kind.TEXT, Kind.LINES, Kind.HTML)
        return FieldSchema(
            name=self.name,
            label=self.label or self.name,
            type="person" if is_person else _SCHEMA_TYPES.get(self.kind, str(self.kind)),
            is_writable=self.is_writable,
            is_required=self.is_required,
            max_length=self.max_length if has_length else None,
            values=self.values,
        )


def _people(*names: str) -> list[Column]:
    return [Column(name, Kind.REFERENCE, target="sys_user") for name in names]


STANDARD: Mapping[str, Column] = {
    column.name: column
    for column in [
        *_people("assigned_to", "caller_id", "opened_by", "resolved_by", "closed_by", "requested_by"),
        Column("assignment_group", Kind.REFERENCE, target="sys_user_group"),
        *(Column(name, Kind.LINES, max_length=4000) for name in ("description", "close_notes")),
        Column("short_description", max_length=160),
        Column("state", Kind.STATUS),
        *(Column(name, Kind.CHOICE) for name in ("impact", "urgency", "priority", "severity", "incident_state")),
        *(Column(name, Kind.BOOLEAN) for name in ("active", "knowledge", "made_sla")),
        *(Column(name, Kind.NUMBER) for name in ("reopen_count", "reassignment_count", "sys_mod_count")),
        *(
            Column(name, Kind.DATETIME)
            for name in ("opened_at", "resolved_at", "closed_at", "due_date", "sys_created_on", "sys_updated_on")
        ),
        *(Column(name, Kind.JOURNAL) for name in ("comments", "work_notes", "comments_and_work_notes")),
    ]
}
"""What every instance has: read when the account may not read the dictionary."""

_ROW_FIELDS = (
    "name",
    "element",
    "column_label",
    "internal_type",
    "max_length",
    "mandatory",
    "read_only",
    "reference",
    "choice",
    "active",
)

_LABELS = {
    "resolution code": "close_code",
    "close code": "close_code",
    "resolution notes": "close_notes",
    "close notes": "close_notes",
    "on hold reason": "hold_reason",
    "short description": "short_description",
    "caller": "caller_id",
}


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table. ``is_complete``: read from the dictionary, so that any other name is unknown."""

    by_name: Mapping[str, Column]
    is_complete: bool = False
    tables: tuple[str, ...] = field(default=())

    def get(self, name: str) -> Column | None:
        return self.by_name.get(name)

    def writable(self, name: str) -> Column:
        """The column to be written. Raises Rejected for unknown, read-only and journal columns."""
        column = self.by_name.get(name)
        if column is None:
            if self.is_complete:
                raise Rejected(f"the table has no column {name}; the instance would drop it in silence", field=name)
            column = Column(name)
        if column.kind is Kind.JOURNAL:
            raise Rejected(f"{name} is a journal: its entries are comments, not a value", field=name)
        if not column.is_writable or name.startswith("sys_"):
            raise Rejected(f"{name} cannot be written through the Table API", field=name)
        return column

    def named(self, labels: Iterable[str]) -> tuple[str, ...]:
        """Column names for the labels that a data policy speaks of; an unknown label stays as it is."""
        known = _LABELS | {column.label.casefold(): name for name, column in self.by_name.items() if column.label}
        return tuple(known.get(label.casefold(), label) for label in labels)


class Dictionary:
    """Reads the columns of the connection's table once."""

    def __init__(self, client: ServiceNowClient) -> None:
        self._client = client
        self._columns: Columns | None = None

    async def columns(self) -> Columns:
        if self._columns is None:
            self._columns = await self._read()
        return self._columns

    async def _read(self) -> Columns:
        table = self._client.settings.table
        tables = await self._lineage(table)
        names = ",".join(tables)
        rows = await self._optional(
            "sys_dictionary",
            (Term("name", "IN", names), Term("element", "ISNOTEMPTY", "")),
            _ROW_FIELDS,
        )
        if not rows:
            return Columns(STANDARD, False, tables)
        choices = await self._optional(
            "sys_choice",
            (
                Term("name", "IN", names),
                Term("inactive", "=", "false"),
                Term("language", "=", self._client.settings.language),
            ),
            ("element", "value", "sequence"),
            order="sequence",
        )
        values = read_choices(choices, tables)
        columns: dict[str, Column] = {}
        for ancestor in reversed(tables):
            for row in rows:
                if row.get("name") == ancestor and row.get("active", "true") != "false":
                    columns[row["element"]] = read_column(row, values.get(row["element"], ()))
        for name in COMPUTED.get(table, ()):
            if name in columns:
                columns[name] = replace(columns[name], is_writable=False)
        return Columns(columns, True, tables)

    async def _lineage(self, table: str) -> tuple[str, ...]:
        """``table`` and what it extends, nearest first; a table of tasks when the hierarchy may not be read."""
        lineage, at = [table], table
        for _ in range(8):
            rows = await self._optional("sys_db_object", (Term("name", "=", at),), ("super_class.name",), order="name")
            at = rows[0].get("super_class.name", "") if rows else ""
            if not at or at in lineage:
                break
            lineage.append(at)
        return tuple(lineage) if len(lineage) > 1 or table == "task" else (table, "task")

    async def _optional(
        self, table: str, terms: tuple[Term, ...], fields: tuple[str, ...], order: str = "name"
    ) -> list[Row]:
        """Rows of a table that many accounts may not read: a refusal counts as no rows."""
        try:
            return await self._client.rows(table, *terms, fields=fields, order=order, limit=1000)
        except (AccessRefused, Rejected, TicketGone):
            return []


def read_choices(rows: Iterable[Row], tables: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Values by column, in display order. A choice list on the child table replaces that of its parent."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        if row.get("value"):
            found.setdefault(row.get("element", ""), {}).setdefault(row.get("name", ""), []).append(row["value"])
    chosen = {element: next(lists[table] for table in tables if table in lists) for element, lists in found.items()}
    return {element: tuple(dict.fromkeys(values)) for element, values in chosen.items()}


def read_column(row: Row, values: tuple[str, ...]) -> Column:
    """A column from its dictionary row; ``choice`` 1 and 3 mean that the list limits the values."""
    name, internal, target = row["element"], row.get("internal_type", ""), row.get("reference", "")
    length = int(row["max_length"]) if row.get("max_length", "").isdigit() else None
    kind = _KINDS.get(internal, Kind.TEXT)
    is_limited = kind in (Kind.TEXT, Kind.NUMBER, Kind.CHOICE) and (
        row.get("choice") in ("1", "3") or kind is Kind.CHOICE
    )
    if name == "state":
        kind = Kind.STATUS
    elif is_limited:
        kind = Kind.CHOICE
    elif kind is Kind.TEXT and internal in ("string", "") and length is not None and length > READ_AREA:
        kind = Kind.LINES
    return Column(
        name,
        kind,
        label=row.get("column_label", ""),
        target=target if kind in (Kind.REFERENCE, Kind.LIST) else "",
        max_length=length,
        is_writable=row.get("read_only") != "true" and not name.startswith("sys_") and kind is not Kind.JOURNAL,
        is_required=row.get("mandatory") == "true",
        values=values if kind in (Kind.CHOICE, Kind.STATUS) else (),
    )
