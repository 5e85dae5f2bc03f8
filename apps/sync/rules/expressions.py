"""Conditions and computed values in CEL: bounded when they are saved, never Python, never eval (design 3.3)."""

import re
from collections.abc import Mapping
from typing import Any

import cel

from ..engine.rules import ExpressionFailed

LONGEST = 2000
DEEPEST_MACROS = 1
_MACRO = re.compile(r"\.(map|filter|all|exists|exists_one)\s*\(")


class ExpressionRefused(ValueError):
    """The expression cannot be used; the text says where and why."""


class Expression:
    """A compiled expression over the one variable ``ticket``.

    Nested macros can run for minutes and cannot be interrupted (measured: six nested ``map`` took 72 s), so more than
    one macro is refused when the rules are saved.
    """

    def __init__(self, source: str) -> None:
        if len(source) > LONGEST:
            raise ExpressionRefused(f"the expression has {len(source)} characters; at most {LONGEST} are allowed")
        if len(_MACRO.findall(source)) > DEEPEST_MACROS:
            raise ExpressionRefused("the expression uses more than one of map, filter, all, exists; split it up")
        try:
            self._program = cel.compile(source)
        except ValueError as problem:
            raise ExpressionRefused(f"{source!r} is not a CEL expression: {problem}") from problem
        names = set(self._program.variables()) if not _MACRO.search(source) else set()
        unknown = names - {"ticket"}
        if unknown:
            raise ExpressionRefused(f"{', '.join(sorted(unknown))}: an expression knows only the variable ticket")
        self.source = source

    def __call__(self, ticket: Mapping[str, Any]) -> Any:
        try:
            return self._program.execute({"ticket": dict(ticket)})
        except (ValueError, KeyError, TypeError, RuntimeError) as problem:
            raise ExpressionFailed(f"{self.source!r} cannot be worked out for this ticket: {problem}") from problem
