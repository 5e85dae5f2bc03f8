"""A run: worlds one after the other out of one seed, until the wanted moves are made or something is broken."""

import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .brittle import BrittleMemory
from .faults import CATALOG, Coverage
from .invariants import Broken
from .moves import draw, perform
from .resting import rest
from .world import Move, StoreKind, World

MOVES_A_WORLD = 4000
COUNTS = ("lost", "doubled", "reordered", "diverged", "leaked", "stuck", "other")


@dataclass
class Verdict:
    """What came of a run."""

    seed: str
    moves: int = 0
    resting: int = 0
    """Moves without faults, at the end of each world; they count for nothing."""
    worlds: int = 0
    seconds: float = 0.0
    trace: str = ""
    coverage: Coverage = field(default_factory=Coverage)
    counts: Counter[str] = field(default_factory=Counter)
    broken: Broken | None = None
    world: str = ""
    story: list[Move] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return self.broken is None


def run(
    seed: str,
    moves: int,
    *,
    progress: Callable[[Verdict], None] = lambda _verdict: None,
    a_world: int = MOVES_A_WORLD,
    store: StoreKind = BrittleMemory,
    log: list[str] | None = None,
) -> Verdict:
    """Make ``moves`` moves, or stop at the first broken invariant. ``log`` gets every line of the trace."""
    verdict, trace, started = Verdict(seed), hashlib.sha256(), time.perf_counter()
    while verdict.moves < moves and verdict.broken is None:
        verdict.world = f"{seed}/{verdict.worlds}"
        world = World(verdict.world, verdict.coverage, store=store)
        world.trace.lines = log
        verdict.story = []
        try:
            _live(world, verdict, min(a_world, moves - verdict.moves))
            world.trace.rows(world.store)
            verdict.resting += rest(world)
            world.trace.rows(world.store)
        except Broken as broken:
            verdict.broken = broken
            verdict.counts[broken.kind] += 1
        trace.update(world.trace.digest())
        verdict.worlds += 1
        verdict.seconds = time.perf_counter() - started
        progress(verdict)
    verdict.trace = trace.hexdigest()
    return verdict


def _live(world: World, verdict: Verdict, moves: int) -> None:
    dice = random.Random(f"{verdict.world}/moves")
    made = 0
    for move in draw(dice):
        if made >= moves:
            return
        verdict.story.append(move)
        if perform(world, move) is None:
            verdict.story.pop()
            continue
        made += 1
        verdict.moves += 1


def replay(
    world_seed: str, story: list[Move], told: list[str] | None = None, *, store: StoreKind = BrittleMemory
) -> Broken | None:
    """The same world with these moves only; what breaks, if anything."""
    world = World(world_seed, Coverage(), store=store)
    world.trace.is_kept = False
    try:
        for move in story:
            happened = perform(world, move)
            if told is not None and happened is not None:
                told.append(happened)
        rest(world)
    except Broken as broken:
        return broken
    return None


def as_plain(verdict: Verdict) -> dict[str, Any]:
    """The verdict as numbers and words."""
    hits = verdict.coverage.hits
    return {
        "seed": verdict.seed,
        "moves": verdict.moves,
        "moves_to_rest": verdict.resting,
        "worlds": verdict.worlds,
        "seconds": round(verdict.seconds, 1),
        "moves_per_second": round(verdict.moves / verdict.seconds) if verdict.seconds else 0,
        "trace": verdict.trace,
        **{name: verdict.counts[name] for name in COUNTS},
        "faults": {
            f"F{one.number} {one.name}": {
                f"{operation} {system}": hits[one.number, operation, system]
                for operation in one.operations
                for system in one.systems
            }
            for one in CATALOG
        },
        "empty_cells": len(verdict.coverage.empty()),
        "broken": str(verdict.broken) if verdict.broken else "",
    }
