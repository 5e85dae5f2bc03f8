"""Death at every durable boundary: ``python -m tests.processes.crash --each 20 [--setup workers]``.

For every crash point and every operation that meets it, a process of the portal is killed there, again and again, while
people work in four systems. After each pair there is peace, and the true states are compared. A table says what was
found; any fault, and any point that nobody reached, makes the exit status 1.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .progress import Patience
from .show import Show, add_options, prepared, say

if TYPE_CHECKING:
    from .reckoning import Reckoning

IN_VAIN = 1_000
"""Moves of the portal after which nobody will come to a point any more."""
MOST_AWAITED = 10
"""Tickets that may be on their way into the systems at a time."""
RARE = ("create", "follow-up", "attachment", "download", "recover")
"""Operations that a process may meet only once in its life; of others the second or third may be the fatal one."""
SHOWN = ("lost", "doubled", "reordered", "differing", "leaked", "waiting")


@dataclass
class Cell:
    """One point and operation: how often a process died there, and what was wrong afterwards."""

    point: str
    operation: str
    killed: int = 0
    found: "Reckoning | None" = None

    @property
    def name(self) -> str:
        return f"{self.point} × {self.operation}" if self.operation else self.point

    def as_row(self) -> str:
        counts = self.found.counts() if self.found else {}
        return f"{self.name:32}{self.killed:7}" + "".join(f"{counts.get(name, 0):10}" for name in SHOWN)


def cells(only: str = "") -> list[Cell]:
    """Every pair of a point and an operation that meets it."""
    from apps.sync.crashpoints import POINTS

    made = [Cell(point, operation) for point, (_text, operations) in POINTS.items() for operation in operations]
    return [cell for cell in made if only in cell.name]


@dataclass
class Provoker:
    """Makes people do what leads to a point; the rest of the crew goes on as ever."""

    show: Show
    api: Callable[..., Any]
    closed: list[Any] = field(default_factory=list)

    def prepare(self, cell: Cell, times: int) -> None:
        """What must be there before: tickets that are closed for good, for follow-ups."""
        from .crew import SYSTEMS

        if cell.operation != "follow-up":
            return
        crew = self.show.crew
        # Not every word on a closed ticket is met by a death at once.
        self.closed = [crew.file("jira", quiet=True) for _ in range(times + 5)]
        patience = Patience(IN_VAIN * times)
        while not all(len(case.ids) == len(SYSTEMS) for case in self.closed) and not patience.is_over():
            time.sleep(0.2)
        self.closed = [case for case in self.closed if len(case.ids) == len(SYSTEMS)]
        for case in self.closed:
            crew.close(case)

    def urge(self, cell: Cell) -> None:
        """Once a second while the point was not reached."""
        from .crew import SYSTEMS

        crew = self.show.crew
        if cell.operation in ("create", "attachment", "download") or cell.point == "link made":
            # On a slow machine that is enough for a while.
            if sum(len(case.ids) < len(SYSTEMS) for case in crew.cases) < MOST_AWAITED:
                crew.file("zendesk")
        elif cell.operation == "follow-up" and self.closed:
            crew.say_late(self.closed.pop())
        elif cell.point.startswith("token"):
            self.show.stage.doors["zendesk"].switch_on(
                kind="expired_token", times=1, path="/api/v2/(tickets|incremental)"
            )
        elif cell.point == "rules published":
            self._publish()

    def _publish(self) -> None:
        from siamportal.demo.setup import rules_for

        place = f"/api/v1/connections/{self.show.connections['jira'].pk}/rules/"
        drafted = self.api("POST", place, {"document": rules_for("jira"), "note": "the same again"})
        self.api("POST", f"{place}{drafted['number']}/try/")
        self.api("POST", f"{place}{drafted['number']}/publish/")


def kill_at(show: Show, provoker: Provoker, cell: Cell, times: int) -> None:
    """Kill where the cell says, ``times`` times, or until nobody comes there any more."""
    from .trap import Order

    is_rare = cell.operation in RARE or cell.point.startswith(("token", "rules"))
    for _ in range(times):
        if cell.operation == "recover":
            # Only a death leaves something to be found out.
            _sprung(show, provoker, Cell("answered", "comment"), Order("answered", "comment"))
        order = Order(cell.point, cell.operation, at=1 if is_rare else show.chance.randint(1, 3))
        if _sprung(show, provoker, cell, order) is None:
            return
        cell.killed += 1


def _sprung(show: Show, provoker: Provoker, cell: Cell, order: Any) -> int | None:
    """Give the order, wait for the death, start again what died; who it was, None when nobody came there."""
    from siamportal.demo.wire import CallFailed

    from .fleet import is_alive, wait_for

    trapper = show.stage.trapper
    trapper.set(order)
    # There are only so many closed tickets.
    patience, pause, urged_at = Patience(IN_VAIN), 4.0 if cell.operation == "follow-up" else 1.0, 0.0
    while (died := trapper.sprung_by()) is None:
        if time.monotonic() > urged_at + pause:
            if patience.is_over():
                break
            # One that could not start must not be waited for.
            show.stage.heal()
            urged_at = time.monotonic()
            try:
                provoker.urge(cell)
            except (CallFailed, OSError):
                # The portal may have died over the very call.
                continue
        time.sleep(0.02)
    trapper.withdraw()
    if died is not None:
        wait_for(lambda: not is_alive(died), 10, f"{died} does not die")
    show.stage.heal()
    return died


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, set up, run, print; 0 if every point was met and everything agrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.processes.crash", description=__doc__)
    parser.add_argument("--each", type=int, default=20, help="kills at each point and operation")
    parser.add_argument("--only", default="", help="points and operations whose name has this in it")
    add_options(parser)
    chosen = parser.parse_args(arguments)
    with prepared(chosen) as show:
        return play(show, chosen)


def play(show: Show, chosen: argparse.Namespace) -> int:
    """Cell after cell, each with fresh tickets and a reckoning of its own; then the table."""
    started, provoker, table = time.monotonic(), Provoker(show, _api(show)), cells(chosen.only)
    for cell in table:
        with show.people(chosen.cases, chosen.pause):
            provoker.prepare(cell, chosen.each)
            kill_at(show, provoker, cell, chosen.each)
        cell.found = show.reckon()
        say(f"{time.monotonic() - started:5.0f} s  {cell.name}: {cell.killed} killed; {cell.found.as_text()}")
    say(f"\n{chosen.setup}, seed {chosen.seed}, {time.monotonic() - started:.0f} s")
    say(f"{'point × operation':32}{'killed':>7}" + "".join(f"{name:>10}" for name in SHOWN))
    for cell in table:
        say(cell.as_row())
    missed = [cell.name for cell in table if cell.killed < chosen.each]
    if missed:
        say(f"not reached as often as wanted: {', '.join(missed)}")
    if chosen.json:
        say(json.dumps([{"cell": cell.name, "killed": cell.killed, **_counts(cell)} for cell in table]))
    return 0 if table and not missed and all(cell.found and cell.found.is_clean for cell in table) else 1


def _counts(cell: Cell) -> dict[str, int]:
    return cell.found.counts() if cell.found else {}


def _api(show: Show) -> Callable[..., Any]:
    """Calls to the portal's own API, as a person who may publish the rules of Jira's connection."""
    from django.utils import timezone

    from apps.accounts.services import make_token
    from siamportal.demo.setup import SYSTEMS
    from siamportal.demo.wire import Caller

    user = show.cast.people[SYSTEMS["jira"]["manager"]].user
    _token, key = make_token(user=user, name="crash run", at=timezone.now())
    return Caller(show.stage.portal, {"Authorization": f"Bearer {key}"}).call


if __name__ == "__main__":
    sys.exit(main())
