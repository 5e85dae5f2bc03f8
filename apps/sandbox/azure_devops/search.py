"""Running queries over the work items that a reader can see by now."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cmp_to_key
from typing import Any

from . import locations
from .calls import Answer, Call
from .errors import Refusal, invalid_argument, missing_thing
from .fields import DELETED, TAGS, Field, Value
from .instants import stamp
from .people import Person
from .routes import JSON_TYPE, Route
from .views import computed_fields
from .wiql import Comparison, Condition, Group, Macro, Parser, Query, day, days_from
from .workitems import Item, Revision

LONGEST_QUERY = 32_000
Row = dict[str, Value]
ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: bool(one == other),
    "<>": lambda one, other: bool(one != other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
}


@dataclass(frozen=True, slots=True)
class Search:
    """One run of a query; macros mean what they mean for this caller."""

    call: Call
    now: datetime
    with_time: bool

    def matches(self, condition: Condition, row: Row) -> bool:
        if isinstance(condition, Group):
            test = any if condition.joiner == "or" else all
            return test(self.matches(part, row) for part in condition.parts)
        return self._compare(condition, row.get(condition.field.reference)) != condition.is_negated

    def _compare(self, wanted: Comparison, value: Value | None) -> bool:
        if wanted.operator.startswith("is"):
            return (value is None) == (wanted.operator == "is empty")
        values = [self._meaning(one) for one in wanted.values]
        if wanted.operator == "in":
            return any(self._ordered("=", wanted.field, value, one) for one in values)
        if wanted.operator in ORDERED:
            return self._ordered(wanted.operator, wanted.field, value, values[0])
        text, part = str(_comparable(value) if value is not None else ""), str(values[0]).casefold()
        if wanted.operator == "under":
            return text == part or text.startswith(part + "\\")
        if wanted.field.reference == TAGS:
            return part in [tag.strip() for tag in text.split(";")]
        if wanted.operator == "contains words":
            return set(part.split()) <= set(text.replace("<", " <").replace(">", "> ").split())
        return part in text

    def _meaning(self, value: Any) -> Any:
        if not isinstance(value, Macro):
            return value
        if value.name == "@me":
            return self.call.person
        if value.name == "@today":
            return days_from(self.now, value.days)
        if self.call.project is None:
            raise invalid_argument("TF51011: The macro @project needs a project in the path of the request.")
        return self.call.project.name

    def _ordered(self, operator: str, field: Field, value: Value | None, wanted: Any) -> bool:
        if wanted == "":
            return (value is None) == (operator == "=")
        if value is None:
            return operator == "<>"
        if isinstance(value, Person) and isinstance(wanted, str):
            forms = [value.mail.casefold(), value.name.casefold(), value.combined.casefold()]
            return (wanted.casefold() in forms) == (operator == "=")
        one, other = _comparable(value), _comparable(wanted)
        if isinstance(one, datetime) and isinstance(other, datetime) and not self.with_time:
            one, other = day(one), day(other)
        if isinstance(one, int | float) and isinstance(other, str):
            try:
                other = float(other)
            except ValueError:
                raise invalid_argument(f"TF51011: «{wanted}» cannot be compared with {field.name}.") from None
        if isinstance(one, str) != isinstance(other, str):
            raise invalid_argument(f"TF51011: «{wanted}» cannot be compared with {field.name}.")
        return ORDERED[operator](one, other)


def _comparable(value: Any) -> Any:
    if isinstance(value, Person):
        return value.mail.casefold()
    return value.casefold() if isinstance(value, str) else value


def _visible(call: Call, query: Query, now: datetime) -> list[tuple[Item, Row]]:
    """Work items as the query replica shows them: a lag behind, or as they were at the time asked for."""
    until = now - timedelta(seconds=call.store.settings.query_lag_seconds)
    rows: list[tuple[Item, Row]] = []
    for item in call.store.items.values():
        revision: Revision | None = item.revision_recorded_by(until)
        if query.as_of is not None:
            revision = item.revision_as_of(query.as_of)
        if revision is not None and not revision.fields.get(DELETED):
            computed = computed_fields(item, revision)
            rows.append((item, {**computed, **revision.fields, "System.RevisedDate": now}))
    return rows


def _sorted(rows: list[tuple[Item, Row]], query: Query) -> list[Item]:
    def compare(one: tuple[Item, Row], other: tuple[Item, Row]) -> int:
        for field, descending in query.order:
            left, right = one[1].get(field.reference), other[1].get(field.reference)
            if left == right:
                continue
            if left is None or right is None:
                smaller = left is None
            else:
                smaller = bool(_comparable(left) < _comparable(right))
            return -1 if smaller != descending else 1
        return one[0].id - other[0].id

    return [item for item, _ in sorted(rows, key=cmp_to_key(compare))]


def _column(call: Call, field: Field) -> dict[str, Any]:
    return {
        "referenceName": field.reference,
        "name": field.name,
        "url": f"{call.store.base}/_apis/wit/fields/{field.reference}",
    }


def run_query(call: Call) -> Answer:
    team = call.places.get("team")
    if team and not call.here.has_team(team):
        raise missing_thing(f"TF400499: The team {team} does not exist.", "TeamNotFoundException")
    text = call.json_object().get("query")
    if not isinstance(text, str) or not text.strip():
        raise invalid_argument("Value cannot be null. Parameter name: query")
    if len(text) > LONGEST_QUERY:
        raise invalid_argument(f"VS402335: The query is longer than {LONGEST_QUERY} characters.")
    limit = call.store.settings.query_row_limit
    top = call.whole("$top", 0, most=limit)
    with_time = call.flag("timePrecision")
    query, now = Parser(text, with_time).parse(), call.store.now()
    search, where = Search(call, now, with_time), query.where
    rows = [(item, row) for item, row in _visible(call, query, now) if where is None or search.matches(where, row)]
    if len(rows) > limit and not top:
        message = f"VS402337: The number of work items returned exceeds the size limit of {limit}. Change the query."
        raise Refusal(400, message, "WorkItemTrackingQueryResultSizeLimitExceededException")
    found = _sorted(rows, query)[: top or None]
    shown: dict[str, Any] = {
        "queryType": "flat",
        "queryResultType": "workItem",
        "asOf": stamp(query.as_of or now),
        "columns": [_column(call, field) for field in query.columns],
    }
    if query.order:
        shown["sortColumns"] = [{"field": _column(call, field), "descending": down} for field, down in query.order]
    shown["workItems"] = [{"id": item.id, "url": f"{call.base}/_apis/wit/workItems/{item.id}"} for item in found]
    return Answer(shown)


ROUTES = [Route("POST", "wit/wiql", run_query, locations.WIQL, "team", JSON_TYPE)]
