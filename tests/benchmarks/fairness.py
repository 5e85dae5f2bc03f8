"""Whether what goes wrong in some lanes slows the others: ``python -m tests.benchmarks.fairness``.

Tickets cross from ServiceNow to Azure DevOps; then all are edited, lap by lap, by turns with every fifth lane poisoned
and with none. Poisoned lanes fail for ever, each in one of five ways: the system refuses the write, it fails with 500,
its answer cannot be read, it does not answer at all, our own code raises. With ``--hang`` no lane of these two systems
is poisoned, but Jira and Zendesk take every call and answer none, with so many tickets each to be edited there.

Prints JSON: healthy tickets per second in each lap and CPU seconds that the portal took for it; as ``ratio`` how fast
laps in trouble are beside those without, the median of pairs that follow each other (INV-8). With ``--flood`` it
measures instead how long single edits take while another connection has so many journal entries to send, and before
that (INV-9).
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .crossing import Crossing

LEAST = 0.95
MOST_TIMES = 2.0
POISONED = 5
"""Every fifth lane."""
FLOODED = "jira"
TICKETS_OF_THE_FLOOD = 100
EDITS = 60


class Trouble(Protocol):
    """What goes wrong during every other lap."""

    def work(self) -> None:
        """Add what is to be done besides in every lap, in trouble or not."""

    def give(self) -> None:
        """Let it begin."""

    def state(self) -> dict[str, int]:
        """How those stand that it is about: proof that it happens."""

    def heal(self) -> None:
        """Let it end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when the healthy keep their pace."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="siam-benchmark-") as home:
        os.environ |= {"SIAM_HOME": home, "DJANGO_SETTINGS_MODULE": "siamportal.settings"}
        import django

        django.setup()
        from .crossing import Crossing

        with Crossing(options.latency) as crossing:
            result = _flood(crossing, options) if options.flood else _laps(crossing, options)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0 if result["is_fair"] else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fairness", description=__doc__)
    parser.add_argument("--tickets", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds that both systems take for each answer")
    parser.add_argument("--flood", type=int, default=0, metavar="ENTRIES", help="journal entries for another system")
    parser.add_argument("--hang", type=int, default=0, metavar="TICKETS", help="to be edited in systems that hang")
    return parser.parse_args(arguments)


# --- Laps -------------------------------------------------------------------------------------------------------------


def _laps(crossing: "Crossing", options: argparse.Namespace) -> dict[str, Any]:
    from .poison import Hang, Poison

    ids = [crossing.file(f"ticket {at}") for at in range(options.tickets)]
    crossing.wait_for("tickets in the target", lambda: crossing.has("ticket", ids))
    if options.hang:
        healthy = ids
        trouble: Trouble = Hang(crossing, options.hang)
    else:
        healthy = [key for at, key in enumerate(ids) if at % POISONED]
        trouble = Poison(crossing, [key for key in ids if key not in set(healthy)])
    # The first lap warms up what later ones find there; pairs go back and forth, so that neither kind always leads.
    _lap(crossing, "warm up", ids, ids, trouble, is_given=False)
    laps: dict[str, list[dict[str, float]]] = {"plain": [], "in trouble": []}
    states = []
    for number in range(options.rounds):
        for kind in sorted(laps, reverse=number % 2 == 0):
            is_given = kind == "in trouble"
            laps[kind].append(_lap(crossing, f"edited {number} {kind}", ids, healthy, trouble, is_given=is_given))
            if is_given:
                states.append(trouble.state())
            trouble.heal()
            crossing.wait_for(f"all of {number}", lambda: crossing.has(f"edited {number} {kind}", ids))  # noqa: B023
    pairs = list(zip(laps["plain"], laps["in trouble"], strict=True))
    ratio = round(median(plain["seconds"] / troubled["seconds"] for plain, troubled in pairs), 3)
    return {
        "tickets": options.tickets,
        "healthy": len(healthy),
        "healthy_per_second": {
            kind: [round(len(healthy) / lap["seconds"], 2) for lap in found] for kind, found in laps.items()
        },
        "cpu_seconds": {kind: [round(lap["cpu"], 2) for lap in found] for kind, found in laps.items()},
        "ratio_by_cpu": round(median(plain["cpu"] / troubled["cpu"] for plain, troubled in pairs), 3),
        "ratio": ratio,
        "in_trouble": states,
        "is_fair": ratio >= LEAST,
    }


def _lap(
    crossing: "Crossing", mark: str, ids: Sequence[str], healthy: Sequence[str], trouble: Trouble, *, is_given: bool
) -> dict[str, float]:
    """Edit all tickets, and wait until the healthy ones have crossed."""
    from .processes import cpu_of

    crossing.pause()
    for key in ids:
        crossing.edit(key, f"{mark} {key[-6:]}")
    if is_given:
        trouble.give()
    trouble.work()
    cpu = cpu_of([crossing.portal.pid])
    crossing.go_on()
    seconds = crossing.wait_for(mark, lambda: crossing.has(mark, healthy))
    return {"seconds": seconds, "cpu": cpu_of([crossing.portal.pid]) - cpu}


# --- Flood ------------------------------------------------------------------------------------------------------------


def _flood(crossing: "Crossing", options: argparse.Namespace) -> dict[str, Any]:
    from apps.tickets.models import Route

    from .flood import entries_left, open_tickets, pour

    ids = [crossing.file(f"ticket {at}") for at in range(20)]
    crossing.wait_for("tickets in the target", lambda: crossing.has("ticket", ids))
    # The flood is for one system alone: by the route it would reach the target, too.
    Route.objects.all().delete()
    opened = open_tickets(crossing, FLOODED, TICKETS_OF_THE_FLOOD)
    quiet = _edit_one_by_one(crossing, ids, "quiet")
    poured = pour(crossing, FLOODED, opened, options.flood // len(opened))
    before = entries_left(crossing, FLOODED)
    flooded = _edit_one_by_one(crossing, ids, "flooded")
    left = entries_left(crossing, FLOODED)
    ratio = round(flooded["p95"] / quiet["p95"], 2)
    return {
        "quiet": quiet,
        "flooded": flooded,
        "entries_poured": poured,
        "entries_waiting": {"when_it_began": before, "when_it_ended": left},
        "ratio_of_p95": ratio,
        "is_fair": ratio <= MOST_TIMES and left > 0,
    }


def _edit_one_by_one(crossing: "Crossing", ids: Sequence[str], kind: str) -> dict[str, float]:
    """Seconds from an edit in one system until the other one has it."""
    waits = []
    for number in range(EDITS):
        key, mark = ids[number % len(ids)], f"{kind} {number} end"
        crossing.edit(key, mark)
        waits.append(crossing.wait_for(mark, lambda key=key, mark=mark: crossing.has(mark, [key]), pause=0.01))  # type: ignore[misc]
    cuts = quantiles(waits, n=20)
    return {"p50": round(cuts[9], 3), "p95": round(cuts[18], 3), "most": round(max(waits), 3)}


if __name__ == "__main__":
    sys.exit(main())
