"""The state of one instance: rows by table, attachment content, the clock, and where records and columns are found."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from apps.sandbox.deliveries import Delivery

from .schema import Column, Schema
from .settings import Settings
from .tables import TABLES

Row = dict[str, str]
MOMENT = "%Y-%m-%d %H:%M:%S"


def new_id() -> str:
    return uuid.uuid4().hex


class Shelf:
    """The rows of one table, with an index for each column by which other systems look rows up."""

    def __init__(self, indexed: Iterable[str]) -> None:
        self.rows: dict[str, Row] = {}
        self._indexes: dict[str, dict[str, dict[str, Row]]] = {column: {} for column in indexed}

    def add(self, row: Row) -> None:
        self.rows[row["sys_id"]] = row
        for column, index in self._indexes.items():
            index.setdefault(row.get(column, "").casefold(), {})[row["sys_id"]] = row

    def drop(self, row: Row) -> None:
        del self.rows[row["sys_id"]]
        for column, index in self._indexes.items():
            index[row.get(column, "").casefold()].pop(row["sys_id"])

    def change(self, row: Row, values: Row) -> None:
        for column in self._indexes.keys() & values.keys():
            index = self._indexes[column]
            index[row.get(column, "").casefold()].pop(row["sys_id"])
            index.setdefault(values[column].casefold(), {})[row["sys_id"]] = row
        row.update(values)

    def having(self, column: str, value: str) -> list[Row] | None:
        """Rows whose ``column`` equals ``value``; None where the column has no index."""
        index = self._indexes.get(column)
        return None if index is None else list(index.get(value.casefold(), {}).values())


@dataclass(slots=True)
class Dossier:
    """What really happened to one ticket, kept beyond its deletion."""

    table: str
    row: Row
    log: list[dict[str, str]] = field(default_factory=list)
    deleted: bool = False
    comments: list[Row] = field(default_factory=list)
    attachments: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Walk:
    """A column reached from a table, over references where the path is dotted (``caller_id.email``)."""

    table: str
    column: Column
    follow: Callable[[Row], Row | None]

    def value(self, row: Row) -> str:
        end = self.follow(row)
        return "" if end is None else end.get(self.column.name, "")


class Instance:
    """One instance. ``clock`` gives the present moment, ``send`` queues an outgoing call, ``origin`` is its address."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime], send: Callable[[Delivery], None]) -> None:
        self.settings = settings
        self.clock = clock
        self.send = send
        self.origin = ""
        self.schema = Schema(TABLES)
        self.shelves = {table.name: Shelf(table.indexed) for table in TABLES}
        self.content: dict[str, bytes] = {}
        self.dossiers: dict[str, Dossier] = {}
        self._next_numbers = {table.name: table.first_number for table in TABLES}
        self._choices: dict[tuple[str, str], dict[str, str]] = {}
        self._walks: dict[tuple[str, str], Walk | None] = {}

    def now(self) -> str:
        return self.clock().astimezone(UTC).strftime(MOMENT)

    def next_number(self, table: str) -> str:
        count = self._next_numbers[table]
        self._next_numbers[table] = count + 1
        return f"{self.schema.tables[table].prefix}{count:07d}"

    def rows(self, table: str) -> Iterator[Row]:
        """Rows of ``table`` and of the tables that extend it."""
        for name in self.schema.family(table):
            yield from self.shelves[name].rows.values()

    def having(self, table: str, column: str, value: str) -> list[Row] | None:
        found: list[Row] = []
        for name in self.schema.family(table):
            rows = self.shelves[name].having(column, value)
            if rows is None:
                return None
            found += rows
        return found

    def find(self, table: str, sys_id: str) -> Row | None:
        for name in self.schema.family(table):
            row = self.shelves[name].rows.get(sys_id)
            if row is not None:
                return row
        return None

    def table_of(self, table: str, row: Row) -> str:
        """The table that ``row`` really belongs to, when it was reached through ``table``."""
        return row.get("sys_class_name") or table

    def user(self, user_name: str) -> Row | None:
        found = self.shelves["sys_user"].having("user_name", user_name)
        return found[0] if found else None

    def display(self, table: str, sys_id: str) -> str:
        """The text that stands for a record wherever it is referred to."""
        if table not in self.schema.tables or not sys_id:
            return ""
        row = self.find(table, sys_id)
        return "" if row is None else row.get(self.schema.tables[table].display, "")

    def walk(self, table: str, path: str) -> Walk | None:
        """The column that ``path`` leads to, or None where there is no such column."""
        if (table, path) not in self._walks:
            self._walks[table, path] = self._find_way(table, path)
        return self._walks[table, path]

    def _find_way(self, table: str, path: str) -> Walk | None:
        *steps, last = path.split(".")
        follow: Callable[[Row], Row | None] = _same
        for step in steps:
            column = self.schema.columns(table).get(step)
            if column is None or column.reference not in self.schema.tables:
                return None
            follow = self._step(follow, column)
            table = column.reference
        column = self.schema.columns(table).get(last)
        return None if column is None else Walk(table, column, follow)

    def _step(self, before: Callable[[Row], Row | None], column: Column) -> Callable[[Row], Row | None]:
        def follow(row: Row) -> Row | None:
            here = before(row)
            return None if here is None else self.find(column.reference, here.get(column.name, ""))

        return follow

    def choices(self, table: str, element: str) -> dict[str, str]:
        """Labels by value. A choice set on a table replaces the one that its parent table has."""
        if not self._choices:
            for row in self.shelves["sys_choice"].rows.values():
                if row["inactive"] != "true" and row["language"] == "en":
                    self._choices.setdefault((row["name"], row["element"]), {})[row["value"]] = row["label"]
        for name in self.schema.lineage(table):
            if (name, element) in self._choices:
                return self._choices[name, element]
        return {}

    def forget_metadata(self) -> None:
        """To be called before columns change and after choices did."""
        self._choices.clear()
        self._walks.clear()

    def log(self, sys_id: str, **entry: str) -> None:
        """Note for the true state what happened to a ticket; records of other tables are not followed."""
        dossier = self.dossiers.get(sys_id)
        if dossier is not None:
            at = self.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            dossier.log.append({"at": at, **entry})

    def true_state(self) -> list[dict[str, Any]]:
        return [self._truth(dossier) for dossier in self.dossiers.values()]

    def _truth(self, dossier: Dossier) -> dict[str, Any]:
        row = dossier.row
        comments, attachments = dossier.comments, dossier.attachments
        if not dossier.deleted:
            comments = self.shelves["sys_journal_field"].having("element_id", row["sys_id"]) or []
            attachments = self.shelves["sys_attachment"].having("table_sys_id", row["sys_id"]) or []
        journals = {name for name, column in self.schema.columns(dossier.table).items() if "journal" in column.kind}
        return {
            "id": row["sys_id"],
            "key": row["number"],
            "type": dossier.table,
            "created_at": _iso(row["sys_created_on"]),
            "deleted": dossier.deleted,
            "fields": {name: value for name, value in row.items() if name not in journals},
            "comments": [_comment(entry) for entry in comments],
            "attachments": [_attachment(entry) for entry in attachments],
            "log": [dict(entry) for entry in dossier.log],
        }


def _same(row: Row) -> Row | None:
    return row


def _iso(moment: str) -> str:
    return moment.replace(" ", "T") + "Z"


def _comment(entry: Row) -> dict[str, Any]:
    return {
        "id": entry["sys_id"],
        "author": entry["sys_created_by"],
        "text": entry["value"],
        "public": entry["element"] == "comments",
        "at": _iso(entry["sys_created_on"]),
    }


def _attachment(entry: Row) -> dict[str, Any]:
    return {
        "id": entry["sys_id"],
        "name": entry["file_name"],
        "size": int(entry["size_bytes"]),
        "sha256": entry["hash"],
        "at": _iso(entry["sys_created_on"]),
    }
