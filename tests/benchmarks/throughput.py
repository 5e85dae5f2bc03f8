"""How fast tickets cross, beside a plain loop of the same calls: ``python -m tests.benchmarks.throughput``.

Tickets are filed in ServiceNow and appear in Azure DevOps; then each is edited once, and the edit follows its webhook.
``--latency`` lets both systems answer that much later. Prints JSON: for each round and way tickets per second, CPU
seconds per 1,000 tickets and calls per ticket, the medians, and how the engine stands to the loop, which is the limit.
Those who file and edit the tickets are not measured.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ground import Ground
    from .plain import Lap

GENERATORS = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when every ticket arrived everywhere."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="siam-benchmark-") as home:
        os.environ |= {"SIAM_HOME": home, "DJANGO_SETTINGS_MODULE": "siamportal.settings"}
        import django

        django.setup()
        from .ground import Ground

        with Ground(Path(home), options.latency) as ground:
            rounds = [_round(ground, options.tickets, options.concurrency, number) for number in range(options.rounds)]
            memory = ground.peak_memory()
    result = {
        "tickets": options.tickets,
        "latency_seconds": options.latency,
        "concurrency_of_the_loop": options.concurrency,
        "peak_memory_mib": memory,
        "rounds": [{way: _figures(lap) for way, lap in laps.items()} for laps in rounds],
        "ratios": _ratios(rounds),
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.throughput", description=__doc__)
    parser.add_argument("--tickets", type=int, default=500)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that both systems take for each answer")
    parser.add_argument("--concurrency", type=int, default=128, help="tickets that the plain loop moves at once")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args(arguments)


def _round(ground: "Ground", tickets: int, concurrency: int, number: int) -> "dict[str, Lap]":
    from .plain import PlainLoop

    ids = _at_once(lambda at: ground.file(f"round {number} ticket {at}"), range(tickets))
    loop = PlainLoop(ground.source, ground.target, ground.rules, concurrency)
    laps = {"loop creates": loop.create(ids)}
    laps["engine creates"] = ground.measure(tickets, ground.go_on, lambda: ground.arrived(ids))

    def edit() -> None:
        _at_once(lambda key: ground.edit(key, f"round {number} edited {key[-6:]}"), ids)

    laps["engine updates"] = ground.measure(tickets, edit, lambda: ground.updated(ids))
    laps["loop updates"] = loop.update(ids)
    ground.pause()
    return laps


def _at_once(act: Callable[[Any], Any], items: Any) -> list[Any]:
    with ThreadPoolExecutor(GENERATORS) as pool:
        return list(pool.map(act, items))


def _figures(lap: "Lap") -> dict[str, float]:
    return {
        "tickets_per_second": round(lap.tickets / lap.seconds, 1),
        "cpu_seconds_per_1000": round(lap.cpu / lap.tickets * 1000, 2),
        "calls_per_ticket": round(lap.calls / lap.tickets, 3),
        **{name: round(value, 2) for name, value in asdict(lap).items()},
    }


def _ratios(rounds: "Sequence[dict[str, Lap]]") -> dict[str, dict[str, float]]:
    """Medians of the engine's figures by those of the loop, in the same round."""
    found = {}
    for what in ("creates", "updates"):
        pairs = [(laps[f"engine {what}"], laps[f"loop {what}"]) for laps in rounds]
        found[what] = {
            "cpu": round(median(engine.cpu / loop.cpu for engine, loop in pairs), 2),
            "speed": round(median(loop.seconds / engine.seconds for engine, loop in pairs), 3),
            "calls": round(median(engine.calls / loop.calls for engine, loop in pairs), 3),
        }
    return found


if __name__ == "__main__":
    sys.exit(main())
