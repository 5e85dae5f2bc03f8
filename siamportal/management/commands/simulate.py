"""``simulate``: the engine in a simulated world, until the wanted number of moves is made or an invariant breaks."""

import json
import logging
import secrets
from argparse import ArgumentParser
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.sync.simulation.brittle import BrittleMemory
from apps.sync.simulation.drills import DRILLS, Outcome, drill
from apps.sync.simulation.faults import CATALOG
from apps.sync.simulation.running import COUNTS, Verdict, as_plain, run
from apps.sync.simulation.shrinking import SECONDS, shrink, tell
from apps.sync.simulation.throwaway import throwaway_database
from apps.sync.simulation.world import StoreKind

FULL_RUN = 1_000_000
"""From so many moves on a fault that never hit is a failure of the run."""


MEMORY, DATABASE = STORES = ("memory", "database")


def _store(name: str) -> AbstractContextManager[StoreKind]:
    return throwaway_database() if name == DATABASE else nullcontext(BrittleMemory)


class Command(BaseCommand):
    """Runs the simulation; ends with 1 when an invariant breaks or, in a full run, when a fault was never tried."""

    help = "Let people, workers and accidents loose on the sync engine, and check that nothing is lost or doubled."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--moves", type=int, default=100_000, help="How many moves; 100000 unless said.")
        parser.add_argument("--seed", default="", help="The seed; a fresh one unless said. Same seed, same trace.")
        parser.add_argument("--json", action="store_true", help="Print the verdict as JSON and nothing else.")
        parser.add_argument(
            "--store", choices=STORES, default=MEMORY, help="Where the rows are kept; memory unless said."
        )
        parser.add_argument("--log", type=Path, help="A file for every line of which the trace is the hash.")
        parser.add_argument("--drill", choices=sorted(DRILLS), help="Play one drill instead.")
        parser.add_argument("--points", type=int, default=50, help="Restores of the drill restore; 50 unless said.")
        parser.add_argument("--shrink-seconds", type=float, default=SECONDS, help="Time for making a story short.")

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger("apps.sync.engine").setLevel(logging.CRITICAL)
        seed = options["seed"] or secrets.token_hex(4)
        if options["drill"]:
            if options["store"] != MEMORY:
                raise CommandError("drills are played in memory only")
            self._drill(drill(options["drill"], seed, points=options["points"]), as_json=options["json"])
            return
        progress = (lambda _verdict: None) if options["json"] else self._progress
        log: list[str] | None = [] if options["log"] else None
        with _store(options["store"]) as store:
            verdict = run(seed, options["moves"], progress=progress, store=store, log=log)
            told = self._story(verdict, options["shrink_seconds"], store)
        if log is not None:
            options["log"].write_text("\n".join(log), encoding="utf-8")
        empty = verdict.coverage.empty() if verdict.moves >= FULL_RUN else []
        if options["json"]:
            self.stdout.write(json.dumps({**as_plain(verdict), "story": told}, indent=1))
        else:
            self._print(verdict, told, empty)
        if verdict.broken is not None or empty:
            raise SystemExit(1)

    def _progress(self, verdict: Verdict) -> None:
        if verdict.worlds % 20 == 0:
            rate = verdict.moves / verdict.seconds
            self.stderr.write(f"{verdict.moves:>10} moves in {verdict.worlds} worlds, {rate:.0f} a second")

    def _story(self, verdict: Verdict, seconds: float, store: StoreKind) -> list[str]:
        if verdict.broken is None:
            return []
        story = shrink(verdict.world, verdict.story, verdict.broken.number, seconds=seconds, store=store)
        told, broken = tell(verdict.world, story, store=store)
        return [*told, str(broken)]

    def _print(self, verdict: Verdict, told: list[str], empty: list[tuple[int, str, str]]) -> None:
        out = self.stdout.write
        rate = verdict.moves / verdict.seconds if verdict.seconds else 0.0
        out(f"seed {verdict.seed}: {verdict.moves} moves in {verdict.worlds} worlds, {rate:.0f} moves a second")
        out(f"and {verdict.resting} moves without faults, until every world was at rest")
        out(f"trace {verdict.trace}")
        for fault in CATALOG:
            self._print_fault(verdict, fault)
        out(", ".join(f"{name} {verdict.counts[name]}" for name in COUNTS))
        for number, operation, system in empty:
            out(f"never tried: F{number} on {operation} of {system}")
        if told:
            out(f"broken in world {verdict.world} of seed {verdict.seed}; how it came about:")
            for number, sentence in enumerate(told, 1):
                out(f"  {number}. {sentence}")

    def _print_fault(self, verdict: Verdict, fault: Any) -> None:
        for system in fault.systems:
            cells = ", ".join(f"{one} {verdict.coverage.hits[fault.number, one, system]}" for one in fault.operations)
            self.stdout.write(f"F{fault.number:<3}{fault.name:<32}{system:<14}{cells}")

    def _drill(self, outcome: Outcome, *, as_json: bool) -> None:
        self.stdout.write(json.dumps(outcome.as_plain(), indent=1) if as_json else outcome.as_text())
        if not outcome.is_passed:
            raise SystemExit(1)
