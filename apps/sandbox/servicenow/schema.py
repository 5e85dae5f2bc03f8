"""What a table is: its columns, the table it extends, and how its rows are shown."""

from collections.abc import Iterable
from dataclasses import dataclass

TASK = "task"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``kind`` is the vendor's internal type; over-long strings are cut to ``length`` without an error."""

    name: str
    label: str
    kind: str = "string"
    length: int = 40
    reference: str = ""
    has_choices: bool = False
    default: str = ""
    mandatory: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table. ``display`` is the column that stands for a row, ``prefix`` and ``first_number`` make its numbers."""

    name: str
    label: str
    columns: tuple[Column, ...]
    extends: str = ""
    display: str = "sys_id"
    prefix: str = ""
    first_number: int = 0
    indexed: tuple[str, ...] = ()
    is_log: bool = False


LOG_COLUMNS = (
    Column("sys_id", "Sys ID", "GUID", 32),
    Column("sys_created_on", "Created", "glide_date_time"),
    Column("sys_created_by", "Created by"),
    Column("sys_tags", "Tags", "related_tags"),
)
SYSTEM_COLUMNS = (
    *LOG_COLUMNS,
    Column("sys_updated_on", "Updated", "glide_date_time"),
    Column("sys_updated_by", "Updated by"),
    Column("sys_mod_count", "Updates", "integer"),
)


class Schema:
    """All tables of one instance. An administrator may add and drop columns while it runs."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self.tables: dict[str, Table] = {}
        self._own: dict[str, dict[str, Column]] = {}
        self._merged: dict[str, dict[str, Column]] = {}
        self._lineages: dict[str, list[str]] = {}
        for table in tables:
            self.tables[table.name] = table
            system = () if table.extends else LOG_COLUMNS if table.is_log else SYSTEM_COLUMNS
            self._own[table.name] = {column.name: column for column in (*system, *table.columns)}
            self._lineages[table.name] = [table.name, *self._lineages.get(table.extends, [])]
        self._families = {
            table: [name for name in self.tables if table in self._lineages[name]] for table in self.tables
        }

    def lineage(self, table: str) -> list[str]:
        """``table`` and the tables that it extends, nearest first."""
        return self._lineages[table]

    def family(self, table: str) -> list[str]:
        """``table`` and all tables that extend it."""
        return self._families[table]

    def is_task(self, table: str) -> bool:
        return table in self.tables and TASK in self.lineage(table)

    def own_columns(self, table: str) -> Iterable[Column]:
        return self._own[table].values()

    def columns(self, table: str) -> dict[str, Column]:
        """Columns of ``table``, inherited ones first; a table's own definition overrides the inherited one."""
        if table not in self._merged:
            merged: dict[str, Column] = {}
            for name in reversed(self.lineage(table)):
                merged |= self._own[name]
            self._merged[table] = merged
        return self._merged[table]

    def add_column(self, table: str, column: Column) -> None:
        self._own[table][column.name] = column
        self._merged.clear()

    def drop_column(self, table: str, name: str) -> None:
        self._own[table].pop(name, None)
        self._merged.clear()
