"""Encoded queries: ``active=true^stateIN1,2^ORpriority=1^NQcaller_id=..^ORDERBYsys_updated_on``.

The vendor ignores a condition whose column or operator does not exist, so that the filter silently widens; the setting
``invalid_query_returns_no_rows`` turns that into an empty result.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .access import Viewer
from .instance import MOMENT, Instance, Row, Walk

OPERATORS = (
    "ISNOTEMPTY",
    "ISEMPTY",
    "NOT LIKE",
    "NOTLIKE",
    "DOES NOT CONTAIN",
    "CONTAINS",
    "NOT IN",
    "STARTSWITH",
    "ENDSWITH",
    "BETWEEN",
    "INSTANCEOF",
    "ANYTHING",
    "LIKE",
    "IN",
    ">=",
    "<=",
    "!=",
    "=",
    ">",
    "<",
)
CONDITION = re.compile(r"([a-z][a-z0-9_.]*)(" + "|".join(map(re.escape, OPERATORS)) + r")(.*)", re.DOTALL)
SEPARATOR = re.compile(r"(?<!\^)\^(?!\^)")
DATE_CALL = re.compile(r"javascript:gs\.dateGenerate\('(\d{4}-\d\d-\d\d)',\s*'(\d\d:\d\d:\d\d)'\)")
PLAIN_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
ON_DISPLAY = frozenset({"LIKE", "CONTAINS", "NOT LIKE", "NOTLIKE", "DOES NOT CONTAIN", "STARTSWITH", "ENDSWITH"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a column."""

    path: str
    operator: str
    value: str
    test: Callable[[Row], bool]


@dataclass(slots=True)
class Search:
    """A query that was read: groups (or) of clauses (and) of alternatives (or), and the order of the result."""

    groups: list[list[list[Condition]]] = field(default_factory=lambda: [[]])
    order: list[tuple[Walk, bool]] = field(default_factory=list)
    is_invalid: bool = False

    def matches(self, row: Row) -> bool:
        return any(all(any(condition.test(row) for condition in clause) for clause in group) for group in self.groups)

    def equalities(self) -> Iterable[tuple[str, str]]:
        """Columns that every matching row has at a known value: with an index on one, most rows need no look."""
        if len(self.groups) == 1:
            for clause in self.groups[0]:
                if len(clause) == 1 and clause[0].operator == "=" and clause[0].value:
                    yield clause[0].path, clause[0].value


def read_query(instance: Instance, viewer: Viewer, table: str, text: str) -> Search:
    """Read ``text`` for rows of ``table``; never refuses, see the module's words on invalid conditions."""
    search = Search()
    clause: list[Condition] = []
    for term in (part.replace("^^", "^").lstrip() for part in SEPARATOR.split(text)):
        if term.startswith("ORDERBY"):
            _add_order(instance, table, term, search)
            continue
        if term.startswith("NQ"):
            search.groups.append([])
            clause = []
        written = term.removeprefix("NQ").removeprefix("OR")
        if written in ("", "EQ"):
            continue
        if not term.startswith("OR"):
            clause = []
        condition = _read_condition(instance, viewer, table, written)
        if condition is None:
            search.is_invalid = True
            continue
        if not clause:
            search.groups[-1].append(clause)
        clause.append(condition)
    return search


def select(instance: Instance, viewer: Viewer, table: str, text: str) -> list[Row]:
    """Rows of ``table`` that match, in order. Without an order they come by sys_id, which says nothing about time."""
    search = read_query(instance, viewer, table, text)
    if search.is_invalid and instance.settings.invalid_query_returns_no_rows:
        return []
    rows = [row for row in _candidates(instance, table, search) if search.matches(row)]
    rule = instance.settings.query_rules.get(table, "")
    if rule and not viewer.is_admin:
        restriction = read_query(instance, viewer, table, rule)
        rows = [row for row in rows if restriction.matches(row)]
    rows.sort(key=lambda row: row["sys_id"])
    for walk, descending in reversed(search.order):
        rows.sort(key=_sort_key(instance, walk), reverse=descending)
    return rows


def _candidates(instance: Instance, table: str, search: Search) -> Iterable[Row]:
    for path, value in search.equalities():
        if path == "sys_id":
            row = instance.find(table, value)
            return [] if row is None else [row]
        rows = instance.having(table, path, value)
        if rows is not None:
            return rows
    return instance.rows(table)


def _add_order(instance: Instance, table: str, term: str, search: Search) -> None:
    descending = term.startswith("ORDERBYDESC")
    walk = instance.walk(table, term.removeprefix("ORDERBYDESC").removeprefix("ORDERBY"))
    if walk is None:
        search.is_invalid = True
    else:
        search.order.append((walk, descending))


def _sort_key(instance: Instance, walk: Walk) -> Callable[[Row], tuple[float, str]]:
    def key(row: Row) -> tuple[float, str]:
        value = walk.value(row)
        if walk.column.kind == "integer":
            return (_number(value) or 0.0, "")
        if walk.column.kind == "reference":
            value = instance.display(walk.column.reference, value)
        return (0.0, value.casefold())

    return key


def _read_condition(instance: Instance, viewer: Viewer, table: str, term: str) -> Condition | None:
    parts = CONDITION.fullmatch(term)
    walk = instance.walk(table, parts[1]) if parts else None
    if parts is None or walk is None:
        return None
    path, operator, written = parts.groups()
    value = _evaluate(instance, viewer, walk, written)
    return Condition(path, operator, value, _test(instance, walk, operator, value))


def _evaluate(instance: Instance, viewer: Viewer, walk: Walk, written: str) -> str:
    """The value to compare with. Dates are taken as written, but script dates mean the caller's own time zone."""
    if written == "javascript:gs.getUserName()":
        return viewer.name
    if written == "javascript:gs.getUserID()":
        return viewer.sys_id
    date = DATE_CALL.fullmatch(written)
    if date:
        return _to_utc(viewer, f"{date[1]} {date[2]}")
    if (
        instance.settings.plain_dates_in_user_zone
        and walk.column.kind == "glide_date_time"
        and PLAIN_DATE.fullmatch(written)
    ):
        return _to_utc(viewer, written)
    return "" if written.startswith("javascript:") else written


def _to_utc(viewer: Viewer, written: str) -> str:
    try:
        local = datetime.strptime(written, MOMENT)
    except ValueError:
        return written
    return local.replace(tzinfo=viewer.zone).astimezone(UTC).strftime(MOMENT)


def _test(instance: Instance, walk: Walk, operator: str, value: str) -> Callable[[Row], bool]:
    reads_display = operator in ON_DISPLAY and walk.column.kind == "reference"

    def content(row: Row) -> str:
        found = walk.value(row)
        return (instance.display(walk.column.reference, found) if reads_display else found).casefold()

    if operator in (">", ">=", "<", "<=", "BETWEEN"):
        return _ordered_test(walk, operator, value)
    if operator == "INSTANCEOF":
        return lambda row: value in instance.schema.lineage(instance.table_of(walk.table, row))
    return _text_test(content, operator, value.casefold())


def _text_test(content: Callable[[Row], str], operator: str, value: str) -> Callable[[Row], bool]:
    if value == "null":
        value = ""
    members = frozenset(entry.strip() for entry in value.split(","))
    tests: dict[str, Callable[[Row], bool]] = {
        "=": lambda row: content(row) == value,
        "!=": lambda row: content(row) != value,
        "IN": lambda row: content(row) in members,
        "NOT IN": lambda row: content(row) not in members,
        "ISEMPTY": lambda row: not content(row),
        "ISNOTEMPTY": lambda row: bool(content(row)),
        "ANYTHING": lambda _row: True,
        "STARTSWITH": lambda row: content(row).startswith(value),
        "ENDSWITH": lambda row: content(row).endswith(value),
        "LIKE": lambda row: value in content(row),
        "CONTAINS": lambda row: value in content(row),
        "NOT LIKE": lambda row: value not in content(row),
        "NOTLIKE": lambda row: value not in content(row),
        "DOES NOT CONTAIN": lambda row: value not in content(row),
    }
    return tests[operator]


def _ordered_test(walk: Walk, operator: str, value: str) -> Callable[[Row], bool]:
    """Comparisons of size: numbers as numbers, all else as text; an empty column is neither smaller nor larger."""
    is_number = walk.column.kind == "integer"

    def size(text: str) -> tuple[float, str] | None:
        if not is_number:
            return (0.0, text.casefold()) if text else None
        number = _number(text)
        return None if number is None else (number, "")

    low, _, high = value.partition("@") if operator == "BETWEEN" else (value, "", value)
    first, last = size(low), size(high)
    if first is None or last is None:
        return lambda _row: False
    holds: dict[str, Callable[[tuple[float, str]], bool]] = {
        ">": lambda found: found > first,
        ">=": lambda found: found >= first,
        "<": lambda found: found < first,
        "<=": lambda found: found <= first,
        "BETWEEN": lambda found: first <= found <= last,
    }
    test = holds[operator]

    def compare(row: Row) -> bool:
        found = size(walk.value(row))
        return found is not None and test(found)

    return compare


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
