"""Drills: a system that is down for a day under load, and rings of systems in which nothing may go round."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..engine.ports import LinkState
from . import moves, people, restoring
from .braking import play
from .faults import SYSTEMS, Coverage
from .invariants import Broken
from .resting import rest
from .world import World

DAY = 24 * 3600.0
EDITS = 60


@dataclass
class Outcome:
    """What came of a drill: one line for each of its parts."""

    name: str
    seed: str
    points: int = 50
    """How often the drill on restores puts a database back."""
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: str = ""

    @property
    def is_passed(self) -> bool:
        return not self.broken

    def as_plain(self) -> dict[str, Any]:
        return {"drill": self.name, "seed": self.seed, "parts": self.parts, "broken": self.broken}

    def as_text(self) -> str:
        lines = [f"{part}: {', '.join(f'{name} {value}' for name, value in found.items())}"
                 for part, found in self.parts.items()]  # fmt: skip
        return "\n".join([f"drill {self.name}, seed {self.seed}", *lines, self.broken or "passed"])


def drill(name: str, seed: str, points: int = 50) -> Outcome:
    """Play one drill."""
    outcome = Outcome(name, seed, points)
    try:
        DRILLS[name](outcome)
    except Broken as broken:
        outcome.broken = str(broken)
    return outcome


def _outage(outcome: Outcome) -> None:
    """Each system in turn is down for a day while people go on everywhere; afterwards everything is applied, in the
    order in which it happened, and nobody was needed."""
    for down in SYSTEMS:
        world = World(f"{outcome.seed}/outage/{down}", Coverage(), kinds=SYSTEMS, is_plain=True)
        dice = random.Random(f"{outcome.seed}/{down}")
        _work(world, dice, ACTS_BEFORE, 20.0)
        system = world.systems[f"{down}{SYSTEMS.index(down)}"]
        system.is_down = True
        _work(world, dice, EDITS, DAY / EDITS)
        owed = sum(
            world.store.tickets[link.ticket_id].last_seq - link.applied_seq
            for link in world.store.links_of[system.name].values()
            if link.ticket_id is not None
        )
        system.is_down = False
        back_at = world.seconds
        _let_run(world, PATIENCE)
        outcome.parts[down] = {
            "entries waiting at the end of the outage": owed,
            "virtual minutes until applied": round((world.seconds - back_at) / 60, 1),
            "lanes that needed a person": sum(
                link.delivery_hold is not None or link.intake_hold is not None for link in world.store.links.values()
            ),
            "writes in order": world.watch.written,
        }
        needed = outcome.parts[down]["lanes that needed a person"]
        rest(world)
        if needed:
            raise Broken(45, "stuck", f"{needed} lanes waited for a person after the outage of {down}")


ACTS_BEFORE = 15


def _work(world: World, dice: random.Random, edits: int, pause: float) -> None:
    """People do something, time passes, and workers and polls do what they can."""
    acts = (people.edit_here, people.say_here, people.edit_there, people.say_there, people.attach_here)
    for _ in range(edits):
        if len(world.store.tickets) < 3:
            people.open_here(world, dice.getrandbits(16), dice.getrandbits(16), 0)
            for a in range(len(world.store.tickets)):
                for b in range(len(world.systems)):
                    people.share(world, a, b, 0)
        dice.choice(acts)(world, dice.getrandbits(16), dice.getrandbits(16), dice.getrandbits(16))
        _let_run(world, 1)
        world.pass_time(pause)


def _let_run(world: World, patience: int) -> None:
    """Workers and webhooks, as long as any of them can do something; polls whenever they are due."""
    idle = 0
    while idle < patience:
        _all_of(world, "poll")
        if sum(_all_of(world, act) for act in ("settle", "request", "hear", "begin")):
            idle = 0
        else:
            idle += 1
            world.pass_time(PAUSE)


PAUSE = 30.0
PATIENCE = 12
"""Pauses in a row in which nothing happens; together longer than the breaker ever rests."""


def _all_of(world: World, act: str) -> int:
    """Every move of one kind that is possible now; how many that were."""
    made = 0
    while moves.perform(world, (act, 1 if act == "poll" else made, made * 2, 1009)) is not None:
        made += 1
    return made


def _rings(outcome: Outcome) -> None:
    """Three, four and five connections on the same tickets: after a burst of changes a day of quiet writes nothing."""
    for size in (3, 4, 5):
        kinds = tuple(SYSTEMS[place % len(SYSTEMS)] for place in range(size))
        world = World(f"{outcome.seed}/rings/{size}", Coverage(), kinds=kinds, is_plain=True)
        _work(world, random.Random(f"{outcome.seed}/{size}"), EDITS, 5.0)
        rest(world)
        outcome.parts[f"ring of {size}"] = {
            "writes": world.watch.written,
            "journal entries": world.watch.entered,
            "writes in 24 hours of quiet": 0,
        }


def _restore(outcome: Outcome) -> None:
    """Worlds in which the database is put back to an earlier moment once; half of them without any other fault."""
    found: Counter[str] = Counter()
    for point in range(outcome.points):
        seed = f"{outcome.seed}/restore/{point}"
        world = World(seed, Coverage(), is_plain=point % 2 == 0)
        try:
            copies = restoring.live_through(world, seed)
            rest(world)
            restoring.agree_on_copies(world, copies)
        except Broken as broken:
            raise Broken(broken.number, broken.kind, f"{broken.text} (point {point})") from broken
        found.update(kind for kind, *_rest in world.store.findings)
        found["links still behind"] += sum(
            link.is_behind and link.state != LinkState.DETACHED for link in world.store.links.values()
        )
    outcome.parts[f"{outcome.points} restores (F57)"] = dict(sorted(found.items()))


DRILLS: dict[str, Callable[[Outcome], None]] = {
    "brake": lambda outcome: play(outcome, _let_run),
    "outage": _outage,
    "restore": _restore,
    "rings": _rings,
}
