"""The subset of JQL that the sandbox answers: parsed strictly, then asked of issues one by one."""

from collections.abc import Callable
from dataclasses import dataclass

from .errors import bad
from .jql_clauses import Clauses, Condition, Scope
from .jql_words import RESERVED_WORDS, Word, split, syntax_error
from .state import Issue

MOST_ORDER_FIELDS = 7
SortKey = tuple[int, int | str]


@dataclass(frozen=True, slots=True)
class Order:
    value: Callable[[Issue], SortKey]
    is_descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query: whether an issue matches, in which order, and whether any restriction was given."""

    matches: Condition
    order: tuple[Order, ...]
    is_bounded: bool

    def sort_key(self, issue: Issue) -> list[SortKey]:
        keys = [order.value(issue) for order in self.order]
        return [*keys, (1, int(issue.id))]

    def comes_after(self, left: list[SortKey], right: list[SortKey]) -> bool:
        """Whether an issue with the sort key ``left`` stands behind one with ``right``."""
        directions = [order.is_descending for order in self.order] + [False]
        for mine, other, is_descending in zip(left, right, directions, strict=True):
            if mine != other:
                return (mine < other) if is_descending else (mine > other)
        return False

    def sorted(self, issues: list[Issue]) -> list[Issue]:
        result = sorted(issues, key=lambda issue: int(issue.id))
        for order in reversed(self.order):
            result.sort(key=order.value, reverse=order.is_descending)
        return result


def parse(text: str, scope: Scope) -> Query:
    """Parse ``text`` for a caller; raises the vendor's 400 for bad syntax, unknown fields and unknown values."""
    return _Parser(split(text), scope).query()


class _Parser:
    def __init__(self, words: list[Word], scope: Scope) -> None:
        self._words = words
        self._at = 0
        self._clauses = Clauses(scope)

    def query(self) -> Query:
        condition: Condition | None = None
        if self._words and not self._is_keyword("order"):
            condition = self._any_of()
        order = self._order() if self._is_keyword("order") else ()
        if self._at < len(self._words):
            raise syntax_error(f"Expecting either 'OR' or 'AND' but got '{self._words[self._at].text}'.")
        return Query(condition or (lambda _issue: True), order, condition is not None)

    def _peek(self) -> Word:
        return self._words[self._at] if self._at < len(self._words) else Word("", "end")

    def _take(self) -> Word:
        word = self._peek()
        self._at += 1
        return word

    def _is_keyword(self, *keywords: str) -> bool:
        return self._peek().keyword in keywords

    def _skip(self, keyword: str) -> bool:
        if self._is_keyword(keyword):
            self._at += 1
            return True
        return False

    def _expect(self, keyword: str) -> None:
        if not self._skip(keyword):
            raise syntax_error(f"Expecting '{keyword}' but got '{self._peek().text or 'the end of the query'}'.")

    def _any_of(self) -> Condition:
        parts = [self._all_of()]
        while self._skip("or"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else lambda issue: any(part(issue) for part in parts)

    def _all_of(self) -> Condition:
        parts = [self._one()]
        while self._skip("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda issue: all(part(issue) for part in parts)

    def _one(self) -> Condition:
        if self._skip("not"):
            inner = self._one()
            return lambda issue: not inner(issue)
        if self._skip("("):
            inner = self._any_of()
            self._expect(")")
            return inner
        return self._clause()

    def _clause(self) -> Condition:
        field = self._take()
        if field.kind not in ("bare", "quoted"):
            raise syntax_error(f"Expecting a field name but got '{field.text or 'the end of the query'}'.")
        if field.keyword in RESERVED_WORDS:
            raise syntax_error(f"'{field.text}' is a reserved JQL word. You must surround it in quotation marks.")
        sign = self._take().keyword
        if sign == "is":
            sign = "is not" if self._skip("not") else "is"
            if not (self._skip("empty") or self._skip("null")):
                raise syntax_error("The operator 'is' expects EMPTY or NULL.")
            return self._clauses.emptiness(field.text, sign == "is")
        if sign == "not":
            self._expect("in")
            sign = "not in"
        if sign in ("in", "not in"):
            return self._clauses.condition(field.text, sign, self._list())
        if sign not in ("=", "!=", "~", "!~", ">", ">=", "<", "<="):
            raise syntax_error(f"Expecting operator but got '{sign or 'the end of the query'}'.")
        if sign in ("=", "!=") and (self._skip("empty") or self._skip("null")):
            return self._clauses.emptiness(field.text, sign == "=")
        return self._clauses.condition(field.text, sign, [self._operand()])

    def _list(self) -> list[Word]:
        self._expect("(")
        operands = [self._operand()]
        while self._skip(","):
            operands.append(self._operand())
        self._expect(")")
        return operands

    def _operand(self) -> Word:
        word = self._take()
        if word.kind not in ("bare", "quoted"):
            raise syntax_error(f"Expecting a value but got '{word.text or 'the end of the query'}'.")
        if word.keyword in RESERVED_WORDS:
            raise syntax_error(f"'{word.text}' is a reserved JQL word. You must surround it in quotation marks.")
        if word.kind == "bare" and self._skip("("):
            self._expect(")")
            return Word(word.text.lower(), "function")
        return word

    def _order(self) -> tuple[Order, ...]:
        self._expect("order")
        self._expect("by")
        orders: list[Order] = []
        while True:
            value = self._clauses.sort_value(self._take().text)
            is_descending = self._skip("desc")
            if not is_descending:
                self._skip("asc")
            orders.append(Order(value, is_descending))
            if not self._skip(","):
                break
        if len(orders) > MOST_ORDER_FIELDS:
            raise bad(f"The maximum number of ORDER BY fields is {MOST_ORDER_FIELDS}.")
        return tuple(orders)
