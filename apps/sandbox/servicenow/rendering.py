"""How a row is answered: chosen columns, and each as database value, as display text, or as both."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from .access import Viewer, hidden_columns
from .instance import MOMENT, Instance, Row, Walk
from .wire import Call

JOURNAL_LABELS = {"comments": "Additional comments", "work_notes": "Work notes"}
Render = Callable[[Row], Any]


class Rendering:
    """Turns rows of one table into answers, for one viewer and the ``sysparm_`` parameters of one call.

    Columns that the viewer may not read and columns that do not exist are missing from the answer: no error is shown.
    """

    def __init__(self, instance: Instance, viewer: Viewer, table: str, parameters: Mapping[str, str]) -> None:
        self._instance = instance
        self._viewer = viewer
        self._mode = parameters.get("sysparm_display_value", "false").lower()
        self._with_links = parameters.get("sysparm_exclude_reference_link", "").lower() != "true"
        chosen = [name.strip() for name in parameters.get("sysparm_fields", "").split(",") if name.strip()]
        self._hidden: dict[str, frozenset[str]] = {}
        self._cells: list[tuple[str, Render]] = []
        for path in chosen or instance.schema.columns(table):
            walk = instance.walk(table, path)
            if walk is not None and self._may_read(table, path):
                self._cells.append((path, self._cell(walk)))

    @classmethod
    def of(cls, instance: Instance, viewer: Viewer, table: str, call: Call) -> "Rendering":
        return cls(instance, viewer, table, call.query)

    def record(self, row: Row) -> dict[str, Any]:
        return {path: render(row) for path, render in self._cells}

    def _may_read(self, table: str, path: str) -> bool:
        while True:
            step, _, rest = path.partition(".")
            if table not in self._hidden:
                self._hidden[table] = hidden_columns(self._instance, self._viewer, table)
            if step in self._hidden[table]:
                return False
            if not rest:
                return True
            table, path = self._instance.schema.columns(table)[step].reference, rest

    def _cell(self, walk: Walk) -> Render:
        with_link = self._with_links and walk.column.kind == "reference"
        if self._mode not in ("true", "all") and not with_link:
            return _nothing if "journal" in walk.column.kind else walk.value
        address = f"{self._instance.origin}/api/now/table/{walk.column.reference}/"

        def render(row: Row) -> Any:
            found = "" if "journal" in walk.column.kind else walk.value(row)
            link = {"link": address + found} if with_link and found else {}
            if self._mode == "all":
                return {"display_value": self._display(walk, row), "value": found, **link}
            if self._mode == "true":
                text = self._display(walk, row)
                return {"display_value": text, **link} if link else text
            return {**link, "value": found} if link else found

        return render

    def _display(self, walk: Walk, row: Row) -> str:
        column, value = walk.column, walk.value(row)
        if "journal" in column.kind:
            end = walk.follow(row)
            return "" if end is None else self._transcript(column.name, end["sys_id"])
        if not value:
            return ""
        if column.kind == "reference":
            return self._instance.display(column.reference, value)
        if column.kind == "glide_date_time":
            return self._local(value)
        if column.kind == "sys_class_name":
            return self._instance.schema.tables[value].label
        if column.has_choices:
            end = walk.follow(row) or row
            return self._instance.choices(self._instance.table_of(walk.table, end), column.name).get(value, value)
        if column.kind == "integer":
            return f"{int(value):,}"
        return value

    def _local(self, value: str) -> str:
        moment = datetime.strptime(value, MOMENT).replace(tzinfo=UTC)
        return moment.astimezone(self._viewer.zone).strftime(MOMENT)

    def _transcript(self, journal: str, sys_id: str) -> str:
        """All entries as one text, newest first, as a form shows them; times are those of the viewer's zone."""
        elements = tuple(JOURNAL_LABELS) if journal == "comments_and_work_notes" else (journal,)
        entries = self._instance.shelves["sys_journal_field"].having("element_id", sys_id) or []
        texts = []
        for entry in reversed(entries):
            if entry["element"] in elements:
                author = self._instance.user(entry["sys_created_by"])
                name = author["name"] if author else entry["sys_created_by"]
                head = f"{self._local(entry['sys_created_on'])} - {name} ({JOURNAL_LABELS[entry['element']]})"
                texts.append(f"{head}\n{entry['value']}\n\n")
        return "".join(texts)


def _nothing(_row: Row) -> str:
    return ""
