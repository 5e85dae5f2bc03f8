"""Whether what goes wrong in some lanes slows the others: ``python -m tests.benchmarks.fairness``.

Tickets cross from ServiceNow to Azure DevOps; then all are edited, lap by lap, by turns with every fifth lane poisoned
and with none. Poisoned lanes fail for ever, each in one of four ways: the system refuses the write, it fails with 500,
its answer cannot be read, our own code raises. Prints JSON: healthy tickets per second in each lap, and the median with
poison by the median without (INV-8). With ``--flood`` it measures instead how long single edits take while another
connection has so many journal entries to send, and before that (INV-9).
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .crossing import Crossing

LEAST = 0.95
MOST_TIMES = 2.0
POISONED = 5
"""Every fifth lane."""
FLOODED = "jira"
TICKETS_OF_THE_FLOOD = 1000
EDITS = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when the healthy keep their pace."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="siam-benchmark-") as home:
        os.environ |= {"SIAM_HOME": home, "DJANGO_SETTINGS_MODULE": "siamportal.settings"}
        import django

        django.setup()
        from .crossing import Crossing

        with Crossing(options.latency) as crossing:
            result = _flood(crossing, options) if options.flood else _poison(crossing, options)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0 if result["is_fair"] else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.fairness", description=__doc__)
    parser.add_argument("--tickets", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds that both systems take for each answer")
    parser.add_argument("--flood", type=int, default=0, metavar="ENTRIES", help="journal entries for another system")
    return parser.parse_args(arguments)


# --- Poison -----------------------------------------------------------------------------------------------------------


def _poison(crossing: "Crossing", options: argparse.Namespace) -> dict[str, Any]:
    from .poison import Poison

    ids = [crossing.file(f"ticket {at}") for at in range(options.tickets)]
    crossing.wait_for("tickets in the target", lambda: crossing.has("ticket", ids))
    healthy = [key for at, key in enumerate(ids) if at % POISONED]
    poison = Poison(crossing, [key for key in ids if key not in set(healthy)])
    laps: dict[str, list[float]] = {"plain": [], "poisoned": []}
    failing: dict[str, int] = {}
    for number in range(options.rounds):
        for kind, found in laps.items():
            mark = f"edited {number} {kind}"
            crossing.pause()
            for key in ids:
                crossing.edit(key, f"{mark} {key[-6:]}")
            if kind == "poisoned":
                poison.give()
            crossing.go_on()
            seconds = crossing.wait_for(mark, lambda mark=mark: crossing.has(mark, healthy))  # type: ignore[misc]
            found.append(round(len(healthy) / seconds, 2))
            failing = poison.failing()
            poison.heal()
            crossing.wait_for(f"all {mark}", lambda mark=mark: crossing.has(mark, ids))  # type: ignore[misc]
    ratio = round(median(laps["poisoned"]) / median(laps["plain"]), 3)
    return {
        "tickets": options.tickets,
        "poisoned": options.tickets - len(healthy),
        "healthy_per_second": laps,
        "ratio": ratio,
        "failing_in_the_last_lap": failing,
        "is_fair": ratio >= LEAST,
    }


# --- Flood ------------------------------------------------------------------------------------------------------------


def _flood(crossing: "Crossing", options: argparse.Namespace) -> dict[str, Any]:
    from .flood import entries_left, pour

    ids = [crossing.file(f"ticket {at}") for at in range(20)]
    crossing.wait_for("tickets in the target", lambda: crossing.has("ticket", ids))
    quiet = _edit_one_by_one(crossing, ids, "quiet")
    poured = pour(crossing, FLOODED, tickets_wanted=TICKETS_OF_THE_FLOOD, entries=options.flood)
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
