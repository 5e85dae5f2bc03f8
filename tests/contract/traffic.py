"""Recorded exchanges against a contract: how many were judged, what was wrong, what no document covers."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.sandbox.server import PROXY_PAGE

from .openapi import NO_ANSWER, Contract, Exchange, Violation
from .schemas import Side

_IDS = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f-]{27}|\d+|(?<=/token/)[^/]+")


@dataclass(slots=True)
class Report:
    """What came of judging some exchanges."""

    system: str
    requests: int = 0
    answers: int = 0
    violations: list[tuple[Exchange, Violation]] = field(default_factory=list)
    not_covered: Counter[str] = field(default_factory=Counter)

    @property
    def checked(self) -> int:
        return self.requests - self.not_covered.total()

    def wrong(self, side: Side) -> list[str]:
        """The violations of one side, equal ones once."""
        found = (f"{each} (answered {exchange.status})" for exchange, each in self.violations if each.side is side)
        return list(dict.fromkeys(found))

    def refused(self) -> int:
        """Wrong requests that the system refused too: a sandbox as strict as the document."""
        numbers = {id(exchange) for exchange, each in self.violations if each.side is Side.REQUEST}
        kept = {id(exchange): exchange.status for exchange, _ in self.violations}
        return sum(400 <= kept[number] < 500 and kept[number] != NO_ANSWER for number in numbers)

    def summary(self) -> str:
        sides = Counter(each.side for _, each in self.violations)
        return (
            f"{self.system}: {self.checked} of {self.requests} requests checked, {self.answers} answers;"
            f" violations: {sides[Side.REQUEST]} in requests ({self.refused()} of them refused),"
            f" {sides[Side.ANSWER]} in answers; not covered: {self.not_covered.total()}"
        )

    def lines(self) -> list[str]:
        wrong = Counter(f"{each} (answered {exchange.status})" for exchange, each in self.violations)
        return [
            self.summary(),
            *(f"  not covered {count} × {what}" for what, count in sorted(self.not_covered.items())),
            *(f"  {count} × {what}" for what, count in wrong.most_common()),
        ]


def check(contract: Contract, exchanges: Iterable[Exchange]) -> Report:
    """Judge ``exchanges``. A gateway's page that stands where an answer was due is nobody's answer and is left out."""
    report = Report(contract.name)
    for exchange in exchanges:
        report.requests += 1
        found = contract.judge(exchange)
        if found is None:
            report.not_covered[f"{exchange.method} {_IDS.sub('…', exchange.path)}"] += 1
            continue
        is_answered = exchange.status != NO_ANSWER and exchange.answer != PROXY_PAGE
        report.answers += is_answered
        report.violations += [(exchange, each) for each in found if is_answered or each.side is Side.REQUEST]
    return report


def read(path: Path) -> list[Exchange]:
    """Exchanges as the control door tells them (``docs/sandboxes.md``). Raises ValueError for anything else."""
    return as_exchanges(json.loads(path.read_text()))


def as_exchanges(told: Iterable[Mapping[str, Any]]) -> list[Exchange]:
    try:
        return [Exchange(**each) for each in told]
    except TypeError as problem:
        raise ValueError(f"no recorded exchanges: {problem}") from problem
