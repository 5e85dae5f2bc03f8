"""How fast tickets cross, beside a plain loop of the same calls: ``python -m tests.benchmarks.throughput``.

Tickets are filed in ServiceNow and appear in Azure DevOps; then each is edited once, and the edit follows its webhook.
``--setup workers`` uses PostgreSQL, a broker and Celery workers; otherwise the portal is one process on SQLite.
``--latency`` lets both systems answer that much later, ``--faults`` adds a round in which they refuse calls and lose
answers, and ``--light`` edits at a light load, of which the added delay is told. Prints JSON: for each round and way
tickets per second, CPU seconds and database queries per 1,000 tickets and calls per ticket, and how the engine stands
to the loop, which is the limit, as medians of the rounds. Those who file and edit the tickets are not measured.
"""

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ground import Ground
    from .plain import Lap

GENERATORS = 4
PAUSE_AT_A_LIGHT_LOAD = 0.2
TICKETS_TO_WARM_UP = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when every ticket arrived everywhere, once, and as it is."""
    options = _options(arguments)
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="siam-benchmark-"))
        os.environ |= {"SIAM_HOME": home, "DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings"}
        if options.setup == "workers":
            from tests.processes.show import Database

            os.environ |= {"DATABASE_URL": options.database, "BROKER_URL": options.broker}
            stack.enter_context(Database(options.database))
        import django

        django.setup()
        from .ground import Ground

        result = _measure(stack.enter_context(Ground(Path(home), options.setup, options.latency)), options)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return int(any(result["at_the_end"].values()))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.throughput", description=__doc__)
    parser.add_argument("--tickets", type=int, default=500)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that both systems take for each answer")
    parser.add_argument("--concurrency", type=int, default=128, help="tickets that the plain loop moves at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--setup", choices=["embedded", "workers"], default="embedded")
    parser.add_argument("--faults", action="store_true", help="one more round, with faults")
    parser.add_argument("--light", type=int, default=0, help="edits at a light load, five a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", default="postgres://postgres@127.0.0.1:5432/siam_speed")
    parser.add_argument("--broker", default="amqp://guest:guest@127.0.0.1:5672//")
    return parser.parse_args(arguments)


def _measure(ground: "Ground", options: argparse.Namespace) -> dict[str, Any]:
    tickets, at_the_end = options.tickets, dict[str, int]()
    _warm_up(ground)
    rounds = []
    for number in range(options.rounds):
        laps, ids = _round(ground, tickets, options.concurrency, f"round {number}")
        rounds.append(laps)
        _add(at_the_end, ground.compare(ids, lambda key, number=number: f"round {number} edited {key[-6:]}"))
    result = {
        "setup": options.setup,
        "tickets": tickets,
        "latency_seconds": options.latency,
        "concurrency_of_the_loop": options.concurrency,
        "rounds": [{way: _figures(lap) for way, lap in laps.items()} for laps in rounds],
        "ratios": _ratios(rounds),
    }
    if options.faults:
        with ground.faults(tickets, random.Random(options.seed)):
            laps, ids = _round(ground, tickets, options.concurrency, "faults", with_loop=False)
        _add(at_the_end, ground.compare(ids, lambda key: f"faults edited {key[-6:]}"))
        result["with_faults"] = {
            way: {**_figures(lap), "times_the_fault_free": round(lap.seconds / _median_seconds(rounds, way), 2)}
            for way, lap in laps.items()
        }
    if options.light:
        ground.go_on()
        ids = [ground.file(f"light {number}") for number in range(options.light)]
        ground.wait(lambda: ground.arrived(ids), options.light)
        ground.rest()
        result["added_delay_ms"] = _delays(ground.delays(ids, PAUSE_AT_A_LIGHT_LOAD))
    return {**result, "at_the_end": at_the_end, "peak_memory_mib": ground.peak_memory()}


def _warm_up(ground: "Ground") -> None:
    """Let every process start, and open its connectors: the loop's are open, too, when its time begins."""
    ground.go_on()
    ids = _at_once(lambda at: ground.file(f"warm-up {at}"), range(TICKETS_TO_WARM_UP))
    ground.wait(lambda: ground.arrived(ids), len(ids))
    _at_once(lambda key: ground.edit(key, f"warm-up edited {key[-6:]}"), ids)
    ground.wait(lambda: ground.updated(ids), len(ids))
    ground.rest()
    ground.pause()


def _round(
    ground: "Ground", tickets: int, concurrency: int, name: str, *, with_loop: bool = True
) -> "tuple[dict[str, Lap], list[str]]":
    from .plain import PlainLoop

    ids = _at_once(lambda at: ground.file(f"{name} ticket {at}"), range(tickets))
    loop, laps = PlainLoop(ground.source, ground.other_target, ground.rules, concurrency), dict[str, "Lap"]()
    if with_loop:
        laps["loop creates"] = loop.create(ids)
    laps["engine creates"] = ground.measure(tickets, ground.go_on, lambda: ground.arrived(ids))
    ground.rest()

    def edit() -> None:
        _at_once(lambda key: ground.edit(key, f"{name} edited {key[-6:]}"), ids)

    laps["engine updates"] = ground.measure(tickets, edit, lambda: ground.updated(ids))
    ground.rest()
    if with_loop:
        laps["loop updates"] = loop.update(ids)
    ground.pause()
    return laps, ids


def _at_once(act: Callable[[Any], Any], items: Any) -> list[Any]:
    with ThreadPoolExecutor(GENERATORS) as pool:
        return list(pool.map(act, items))


def _add(total: dict[str, int], found: dict[str, int]) -> None:
    for name, number in found.items():
        total[name] = total.get(name, 0) + number


def _figures(lap: "Lap") -> dict[str, float]:
    thousands = lap.tickets / 1000
    return {
        "tickets_per_second": round(lap.tickets / lap.seconds, 1),
        "cpu_seconds_per_1000": round(lap.cpu / thousands, 2),
        "database_cpu_seconds_per_1000": round(lap.database_cpu / thousands, 2),
        "queries_per_1000": round(lap.queries / thousands),
        "calls_per_ticket": round(lap.calls / lap.tickets, 3),
        "seconds": round(lap.seconds, 2),
    }


def _ratios(rounds: "Sequence[dict[str, Lap]]") -> dict[str, dict[str, float]]:
    """Medians of the engine's figures by those of the loop, in the same round."""
    found = {}
    for what in ("creates", "updates"):
        pairs = [(laps[f"engine {what}"], laps[f"loop {what}"]) for laps in rounds]
        found[what] = {
            "cpu": round(median(engine.cpu / loop.cpu for engine, loop in pairs), 2),
            "cpu_with_the_database": round(
                median((engine.cpu + engine.database_cpu) / loop.cpu for engine, loop in pairs), 2
            ),
            "speed": round(median(loop.seconds / engine.seconds for engine, loop in pairs), 3),
            "calls": round(median(engine.calls / loop.calls for engine, loop in pairs), 3),
        }
    return found


def _median_seconds(rounds: "Sequence[dict[str, Lap]]", way: str) -> float:
    return median(laps[way].seconds for laps in rounds)


def _delays(delays: Sequence[float]) -> dict[str, float]:
    parts = quantiles(delays, n=100, method="inclusive")
    return {name: round(parts[at - 1] * 1000, 1) for name, at in (("p50", 50), ("p95", 95), ("p99", 99))}


if __name__ == "__main__":
    sys.exit(main())
