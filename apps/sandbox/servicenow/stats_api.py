"""The Aggregate API: count, sum, average, smallest and largest over a query, in groups where wanted."""

from collections.abc import Mapping
from typing import Any

from .access import Viewer, hidden_columns, reads_table
from .errors import api_forbidden, invalid_table
from .instance import Instance, Row
from .queries import select
from .table_api import reads_row
from .wire import Answer, Call, json_answer

Group = tuple[str, ...]


def aggregate(instance: Instance, viewer: Viewer, call: Call, target: Mapping[str, str]) -> Answer:
    table = target["table"]
    if table not in instance.schema.tables:
        raise invalid_table(table)
    if table in instance.settings.denied_tables and not viewer.is_admin:
        raise api_forbidden()
    rows: list[Row] = []
    if any(reads_table(instance, viewer, name) for name in instance.schema.family(table)):
        found = select(instance, viewer, table, call.query.get("sysparm_query", ""))
        rows = [row for row in found if reads_row(instance, viewer, table, row)]
    by = _columns(instance, viewer, table, call, "sysparm_group_by")
    if not by:
        return json_answer(200, {"result": {"stats": _stats(instance, viewer, table, call, rows)}})
    groups: dict[Group, list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name, "") for name in by), []).append(row)
    result = [
        {
            "stats": _stats(instance, viewer, table, call, members),
            "groupby_fields": [{"field": name, "value": value} for name, value in zip(by, values, strict=True)],
        }
        for values, members in sorted(groups.items())
    ]
    return json_answer(200, {"result": result})


def _columns(instance: Instance, viewer: Viewer, table: str, call: Call, parameter: str) -> list[str]:
    known = instance.schema.columns(table).keys() - hidden_columns(instance, viewer, table)
    given = [name.strip() for name in call.query.get(parameter, "").split(",")]
    return [name for name in given if name in known]


def _stats(instance: Instance, viewer: Viewer, table: str, call: Call, rows: list[Row]) -> dict[str, Any]:
    stats: dict[str, Any] = {}
    if call.is_set("sysparm_count"):
        stats["count"] = str(len(rows))
    for measure in ("sum", "avg", "min", "max"):
        columns = _columns(instance, viewer, table, call, f"sysparm_{measure}_fields")
        if columns:
            stats[measure] = {name: _measured(measure, [row.get(name, "") for row in rows]) for name in columns}
    return stats


def _measured(measure: str, values: list[str]) -> str:
    filled = [value for value in values if value]
    if not filled:
        return ""
    numbers = [float(value) for value in filled if value.lstrip("-").isdecimal()]
    if len(numbers) < len(filled):
        return {"min": min(filled), "max": max(filled)}.get(measure, "")
    results = {"sum": sum(numbers), "avg": sum(numbers) / len(numbers), "min": min(numbers), "max": max(numbers)}
    return f"{results[measure]:.4f}".rstrip("0").rstrip(".")
