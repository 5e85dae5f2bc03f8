"""What each JQL field compares, and which operators and values it takes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from .errors import Refusal, bad
from .jql_words import Word
from .state import FieldSpec, Issue
from .texts import as_wiki

if TYPE_CHECKING:
    from .site import Site

Condition = Callable[[Issue], bool]

_ALIASES = {
    "issuekey": "key",
    "issue": "key",
    "type": "issuetype",
    "updateddate": "updated",
    "createddate": "created",
    "resolved": "resolutiondate",
}
_TIMES = frozenset({"updated", "created", "resolutiondate", "statuscategorychangedate"})
_FORMATS = ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d")
_PERIOD = re.compile(r"([+-]?)(\d+)([wdhm])")
_PERIODS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
_TOKENS = re.compile(r"\w+")
_EQUALITY = ("=", "!=", "in", "not in")


@dataclass(frozen=True, slots=True)
class Scope:
    """For whom a query is read: names of people and clock times depend on the caller."""

    site: "Site"
    account_id: str | None
    zone: str
    app_clauses_only: bool = False


def unknown_field(name: str) -> Refusal:
    return bad(f"Field '{name}' does not exist or you do not have permission to view it.")


def unknown_value(name: str, value: str) -> Refusal:
    return bad(f"The value '{value}' does not exist for the field '{name}'.")


class Clauses:
    """Turns one clause into a condition; raises the vendor's 400 for what it does not know."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._site = scope.site
        self._store = scope.site.store

    def condition(self, name: str, sign: str, operands: list[Word]) -> Condition:
        field = self._canonical(name)
        if self._scope.app_clauses_only:
            self._check_app_clause(field, sign)
        if field in _TIMES:
            return self._time(field, sign, operands)
        if field in ("key", "id"):
            return self._identity(field, sign, operands)
        if self._is_text(field):
            return self._text(field, sign, operands[0])
        if sign not in _EQUALITY:
            raise bad(f"The operator '{sign}' is not supported by the '{name}' field.")
        wanted = {self._stored(field, operand) for operand in operands}
        values = self._values(field)
        if sign in ("=", "in"):
            return lambda issue: bool(values(issue) & wanted)
        return lambda issue: bool(values(issue)) and not values(issue) & wanted

    def emptiness(self, name: str, is_wanted_empty: bool) -> Condition:
        field = self._canonical(name)
        if field in _TIMES or self._is_text(field):
            return lambda issue: (self._raw(issue, field) is None) == is_wanted_empty
        if field in ("key", "id", "project"):
            return lambda _issue: not is_wanted_empty
        values = self._values(field)
        return lambda issue: (not values(issue)) == is_wanted_empty

    def sort_value(self, name: str) -> Callable[[Issue], tuple[int, int | str]]:
        field = self._canonical(name)

        def value(issue: Issue) -> tuple[int, int | str]:
            raw = self._sortable(issue, field)
            return (0, 0) if raw is None else (1, raw)

        return value

    def _canonical(self, name: str) -> str:
        folded = name.lower()
        folded = _ALIASES.get(folded, folded)
        if folded in ("key", "id", "project", "statuscategory", "text") or folded in _TIMES:
            return folded
        number = re.fullmatch(r"cf\[(\d+)\]", folded)
        for spec in self._store.fields.values():
            by_name = spec.is_custom and folded == spec.name.lower()
            is_named = folded == spec.id or by_name or (number and spec.id == f"customfield_{number[1]}")
            if is_named and spec.kind not in ("attachment", "comment", "issuelinks"):
                return spec.id
        raise unknown_field(name)

    def _check_app_clause(self, field: str, sign: str) -> None:
        allowed = {"project", "key", "issuetype", "status", "priority", "assignee", "reporter"}
        if (field not in allowed and not field.startswith("customfield_")) or sign not in _EQUALITY:
            raise bad(f"The clause on '{field}' with '{sign}' is not supported in a webhook's JQL filter.")

    def _is_text(self, field: str) -> bool:
        spec = self._store.fields.get(field)
        return field == "text" or (spec is not None and spec.kind in ("string", "text"))

    def _raw(self, issue: Issue, field: str) -> Any:
        if field == "text":
            return issue.values["summary"]
        if field in ("created", "updated"):
            return getattr(issue, field)
        return issue.status_changed if field == "statuscategorychangedate" else issue.values.get(field)

    def _values(self, field: str) -> Callable[[Issue], set[str]]:
        """The stored values that an issue has in ``field``, as a set."""
        if field == "project":
            return lambda issue: {issue.project}
        if field == "statuscategory":
            return lambda issue: {self._store.statuses[issue.values["status"]].category.key}
        if field == "labels":
            return lambda issue: set(issue.values.get("labels") or ())
        if field == "creator":
            return lambda issue: {issue.creator}
        return lambda issue: {issue.values[field]} if issue.values.get(field) else set()

    def _stored(self, field: str, operand: Word) -> str:
        text, folded = operand.text, operand.text.lower()
        if operand.kind == "function":
            if folded == "currentuser" and self._is_user(field):
                return self._scope.account_id or ""
            raise bad(f"Unable to find JQL function '{text}()'.")
        if field == "labels":
            return text
        if field == "project":
            found = next(
                (p for p in self._store.projects.values() if folded in (p.id, p.key.lower(), p.name.lower())), None
            )
            if found is None or found.key in self._site.settings.forbidden_projects:
                raise unknown_value(field, text)
            return found.key
        for stored, names in self._entries(field):
            if text == stored or folded in names:
                return stored
        raise unknown_value(field, text)

    def _is_user(self, field: str) -> bool:
        return field in ("assignee", "reporter", "creator")

    def _entries(self, field: str) -> list[tuple[str, set[str]]]:
        store = self._store
        if self._is_user(field):
            people = store.users.values()
            return [(p.account_id, set() if self._site.settings.is_cloud else {p.name, p.key.lower()}) for p in people]
        if field == "statuscategory":
            return [(entry.key, {entry.key, entry.name.lower(), str(entry.id)}) for entry in store.categories.values()]
        spec: FieldSpec | None = store.fields.get(field)
        lists: dict[str, Any] = {
            "issuetype": store.issue_types,
            "status": store.statuses,
            "priority": store.priorities,
            "resolution": store.resolutions,
        }
        entries = lists[field].values() if field in lists else (spec.options if spec else ())
        return [(entry.id, {entry.name.lower()}) for entry in entries]

    def _identity(self, field: str, sign: str, operands: list[Word]) -> Condition:
        numbers = set()
        for operand in operands:
            issue = self._store.find(operand.text)
            if issue is None:
                raise bad(f"An issue with key '{operand.text}' does not exist for field '{field}'.")
            numbers.add(int(issue.id))
        if sign in ("=", "in"):
            return lambda issue: int(issue.id) in numbers
        if sign in ("!=", "not in"):
            return lambda issue: int(issue.id) not in numbers
        if sign in ("~", "!~"):
            raise bad(f"The operator '{sign}' is not supported by the '{field}' field.")
        edge = numbers.pop()
        return lambda issue: _compare(sign, int(issue.id), edge)

    def _text(self, field: str, sign: str, operand: Word) -> Condition:
        """Text is searched by words: every word must occur, in any order, so a hit is not yet an exact match."""
        if sign not in ("~", "!~"):
            raise bad(f"The operator '{sign}' is not supported by the '{field}' field.")
        wanted = set(_TOKENS.findall(operand.text.lower()))

        def holds(issue: Issue) -> bool:
            texts = [issue.values.get(field)]
            if field == "text":
                texts = [issue.values["summary"], issue.values.get("description"), *(c.body for c in issue.comments)]
            found = set(_TOKENS.findall(" ".join(as_wiki(text) or "" for text in texts).lower()))
            return wanted <= found

        return holds if sign == "~" else lambda issue: not holds(issue)

    def _time(self, field: str, sign: str, operands: list[Word]) -> Condition:
        if sign in ("~", "!~", "in", "not in"):
            raise bad(f"The operator '{sign}' is not supported by the '{field}' field.")
        edge = self._moment(field, operands[0])

        def holds(issue: Issue) -> bool:
            at = self._raw(issue, field)
            return at is not None and _compare(sign, at, edge)

        return holds

    def _moment(self, field: str, operand: Word) -> datetime:
        """A bare number is epoch milliseconds; a quoted time has minute precision in the caller's own zone."""
        now = self._site.now()
        if operand.kind == "function":
            if operand.text == "now":
                return now
            raise bad(f"Unable to find JQL function '{operand.text}()'.")
        try:
            if operand.kind == "bare" and operand.text.isdigit():
                return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(operand.text))
            period = _PERIOD.fullmatch(operand.text)
            if period is not None:
                span = timedelta(**{_PERIODS[period[3]]: int(period[2])})
                return now - span if period[1] == "-" else now + span
        except (OverflowError, ValueError) as problem:
            raise bad(f"Date value '{operand.text}' for field '{field}' is out of range.") from problem
        for pattern in _FORMATS:
            try:
                local = datetime.strptime(operand.text, pattern)
            except ValueError:
                continue
            return local.replace(tzinfo=ZoneInfo(self._scope.zone)).astimezone(UTC)
        raise bad(
            f"Date value '{operand.text}' for field '{field}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm',"
            " 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
        )

    def _sortable(self, issue: Issue, field: str) -> int | str | None:
        if field == "id":
            return int(issue.id)
        if field in ("key", "project"):
            project, _, number = issue.key.rpartition("-")
            return f"{project} {int(number):012d}" if field == "key" else issue.project
        raw = self._raw(issue, field) if field != "statuscategory" else next(iter(self._values(field)(issue)))
        if isinstance(raw, datetime):
            return round(raw.timestamp() * 1000)
        if field == "priority" and raw:
            return -int(raw)
        if field == "labels":
            return " ".join(raw or ()) or None
        return None if raw is None else str(as_wiki(raw))


def _compare(sign: str, left: Any, right: Any) -> bool:
    match sign:
        case "=":
            return bool(left == right)
        case "!=":
            return bool(left != right)
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)
        case "<":
            return bool(left < right)
    return bool(left <= right)
