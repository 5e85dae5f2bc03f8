"""The query language: flat queries over work items, read into a tree of conditions."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .errors import Refusal, invalid_argument
from .fields import Field, find_field
from .instants import moment

TOKEN = re.compile(
    r"""\s*(?:(?P<field>\[[^\]]+\])|(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?P<number>-?\d+(?:\.\d+)?)"""
    r"""|(?P<macro>@\w+)|(?P<sign><>|>=|<=|[=<>(),+-])|(?P<word>[\w.]+))""",
)
OPERATORS = ("=", "<>", ">", ">=", "<", "<=", "in", "contains", "contains words", "under", "is empty", "is not empty")
MACROS = ("@project", "@me", "@today")
DAY_ONLY = re.compile(r"\d{4}-\d{2}-\d{2}")


def bad_query(text: str) -> Refusal:
    return invalid_argument(text)


@dataclass(frozen=True, slots=True)
class Macro:
    name: str
    days: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """``values`` holds texts, numbers and macros as written; ``[other field]`` is not supported."""

    field: Field
    operator: str
    values: tuple[Any, ...] = ()
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    joiner: str
    parts: tuple["Condition", ...]


Condition = Comparison | Group


@dataclass(frozen=True, slots=True)
class Query:
    columns: tuple[Field, ...]
    where: Condition | None
    order: tuple[tuple[Field, bool], ...] = ()
    as_of: datetime | None = None


@dataclass(slots=True)
class Parser:
    """Reads one query. ``with_time`` says whether a literal may hold a time of day."""

    text: str
    with_time: bool
    _tokens: list[tuple[str, str]] = field(default_factory=list)
    _at: int = 0

    def parse(self) -> Query:
        """Raises the vendor's 400 for what is not a flat query."""
        self._split()
        self._demand("select")
        columns = [self._field()]
        while self._take(","):
            columns.append(self._field())
        self._demand("from")
        source = self._next()[1].casefold()
        if source != "workitems":
            raise bad_query(
                f"TF51006: The query statement is missing a FROM WorkItems clause. «{source}» cannot be answered."
            )
        where = self._any() if self._take("where") else None
        order = self._order() if self._take("order") else ()
        as_of = self._instant() if self._take("asof") else None
        if self._at < len(self._tokens):
            raise self._unexpected()
        return Query(tuple(columns), where, order, as_of)

    def _split(self) -> None:
        position, text = 0, self.text.rstrip()
        while position < len(text):
            match = TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise bad_query(f"TF51004: The query cannot be read at «{text[position : position + 20]}».")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "the end")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _take(self, *words: str) -> bool:
        kind, text = self._peek()
        if kind in ("word", "sign") and text.casefold() in words:
            self._at += 1
            return True
        return False

    def _demand(self, word: str) -> None:
        if not self._take(word):
            raise self._unexpected(word.upper())

    def _unexpected(self, wanted: str = "the end") -> Refusal:
        return bad_query(f"TF51004: Expecting {wanted}. The error is caused by «{self._peek()[1]}».")

    def _field(self) -> Field:
        kind, text = self._next()
        found = find_field(text.strip("[]"))
        if kind not in ("field", "word") or found is None:
            raise bad_query(
                f"TF51005: The query references a field that does not exist. The error is caused by «{text}»."
            )
        return found

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Group("or", tuple(parts))

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Group("and", tuple(parts))

    def _one(self) -> Condition:
        if self._take("("):
            inner = self._any()
            self._demand(")")
            return inner
        target = self._field()
        negated = self._take("not")
        operator = self._operator()
        if operator.startswith("is"):
            return Comparison(target, operator)
        if operator != "in":
            return Comparison(target, operator, (self._value(target),), negated)
        self._demand("(")
        values = [self._value(target)]
        while self._take(","):
            values.append(self._value(target))
        self._demand(")")
        return Comparison(target, operator, tuple(values), negated)

    def _operator(self) -> str:
        text = self._next()[1].casefold()
        if text == "contains" and self._take("words"):
            return "contains words"
        if text == "is":
            text = "is not empty" if self._take("not") else "is empty"
            self._demand("empty")
        if text not in OPERATORS:
            self._at -= 1
            raise self._unexpected("an operator")
        return text

    def _value(self, target: Field) -> Any:
        kind, text = self._next()
        if kind == "number":
            return float(text)
        if kind == "text":
            inner = text[1:-1].replace(text[0] * 2, text[0])
            return self._date(inner) if target.kind == "dateTime" else inner
        if kind == "word" and text.casefold() in ("true", "false"):
            return text.casefold() == "true"
        if kind == "macro" and text.casefold() in MACROS:
            return Macro(text.casefold(), self._days())
        raise bad_query(f"TF51011: The specified value cannot be used. The error is caused by «{text}».")

    def _days(self) -> int:
        sign = -1 if self._peek()[1] == "-" else 1
        if self._take("+", "-"):
            return sign * int(float(self._next()[1]))
        if self._peek()[0] == "number" and self._peek()[1].startswith("-"):
            return int(float(self._next()[1]))
        return 0

    def _date(self, text: str) -> datetime | str:
        if not text:
            return text
        if not self.with_time and not DAY_ONLY.fullmatch(text.strip()):
            raise bad_query(
                "You cannot supply a time with the date when running a query using date precision. "
                f"The error is caused by «'{text}'»."
            )
        try:
            return moment(text)
        except ValueError:
            raise bad_query(f"TF51012: The date «'{text}'» cannot be read.") from None

    def _order(self) -> tuple[tuple[Field, bool], ...]:
        self._demand("by")
        order = []
        while True:
            target = self._field()
            descending = self._take("desc")
            if not descending:
                self._take("asc")
            order.append((target, descending))
            if not self._take(","):
                return tuple(order)

    def _instant(self) -> datetime:
        text = self._next()[1]
        try:
            return moment(text.strip("'\""))
        except ValueError:
            raise bad_query(f"TF51012: The date «{text}» cannot be read.") from None


def day(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def days_from(at: datetime, days: int) -> datetime:
    return day(at) + timedelta(days=days)
