"""Encoded queries that distrust the answer.

An instance ignores conditions on unknown columns and returns everything (unless glide.invalid_query.returns_no_rows is
set), so each condition can also be judged here, on the rows that came back.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from apps.sync.connectors.base import VendorFault

Row = Mapping[str, str]

_CONDITION = re.compile(
    r"^(?P<field>[a-z][a-z0-9_.]*)"
    r"(?P<operator>ISNOTEMPTY|ISEMPTY|NOT IN|IN|NOT LIKE|LIKE|STARTSWITH|ENDSWITH|!=|>=|<=|=|>|<)(?P<value>.*)$",
    re.DOTALL,
)
_ORDER = re.compile(r"^(ORDERBY|ORDERBYDESC|GROUPBY)")


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. A row that breaks a term on machine values (ids, times) shows that the instance ignored it;
    ``is_text`` marks conditions that collations read loosely (case, accents): such rows are dropped quietly."""

    field: str
    operator: str
    value: str
    is_text: bool = False

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{self.value}"

    def holds(self, row: Row) -> bool:
        """Whether ``row`` satisfies this term. Operators that we cannot judge, and scripts, count as satisfied."""
        if self.value.startswith("javascript:"):
            return True
        if self.field not in row:
            return False
        held, wanted = row[self.field].casefold(), self.value.casefold()
        if self.operator[0] in "<>" and held.isdigit() and wanted.isdigit():
            # As texts 10 would come before 2.
            held, wanted = held.zfill(len(wanted)), wanted.zfill(len(held))
        return {
            "=": lambda: held == wanted,
            "!=": lambda: held != wanted,
            ">": lambda: held > wanted,
            ">=": lambda: held >= wanted,
            "<": lambda: held < wanted,
            "<=": lambda: held <= wanted,
            "IN": lambda: held in wanted.split(","),
            "LIKE": lambda: wanted in held,
            "NOT LIKE": lambda: wanted not in held,
            "STARTSWITH": lambda: held.startswith(wanted),
            "ENDSWITH": lambda: held.endswith(wanted),
            "ISEMPTY": lambda: not held,
            "ISNOTEMPTY": lambda: bool(held),
        }.get(self.operator, lambda: True)()


def is_safe_text(value: str) -> bool:
    """Whether ``value`` can stand in a query: a caret would begin another condition, ``javascript:`` would be run."""
    return (
        bool(value.strip()) and not re.search(r"[\^\r\n\x00]", value) and not value.lstrip().startswith("javascript:")
    )


def encode(terms: Iterable[Term], *, scope: str = "", order: Iterable[str] = ()) -> str:
    """The encoded query: ``scope`` first, then ``terms``, then the order (a leading minus: descending)."""
    parts = [scope] if scope else []
    parts += [str(term) for term in terms]
    parts += [f"ORDERBYDESC{name[1:]}" if name.startswith("-") else f"ORDERBY{name}" for name in order]
    return "^".join(parts)


class Scope:
    """The customer's own encoded query, taken apart as far as rows can be judged by it.

    Alternatives bind to the condition before them (``a^ORb^c`` is (a or b) and c). Dot-walked columns and groups of
    queries (``^NQ``) are left to the instance, because their rows do not show what decided.
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip().strip("^")
        self._groups: list[list[Term]] = []
        if "^NQ" in self.text:
            return
        for part in self.text.split("^") if self.text else []:
            is_alternative = part.startswith("OR") and not _ORDER.match(part)
            found = _CONDITION.match(part[2:] if is_alternative else part)
            if found is None:
                if is_alternative and self._groups:
                    self._groups.pop()
                continue
            term = Term(found["field"], found["operator"], found["value"], is_text=True)
            if is_alternative and self._groups:
                self._groups[-1].append(term)
            else:
                self._groups.append([term])
        self._groups = [group for group in self._groups if not any("." in term.field for term in group)]

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns that ``admits`` needs to see."""
        return tuple(dict.fromkeys(term.field for group in self._groups for term in group))

    def admits(self, row: Row) -> bool:
        """Whether ``row`` is in scope. Raises VendorFault when it does not show a column that decides this."""
        hidden = [name for name in self.fields if name not in row]
        if hidden:
            raise VendorFault(
                f"the rows do not show {', '.join(hidden)}, so the query {self.text!r} cannot be trusted: the column is"
                " unknown or hidden from this account"
            )
        return all(any(term.holds(row) for term in group) for group in self._groups)
