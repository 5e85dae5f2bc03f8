"""The same worlds as the state machine's, drawn by a plain random generator: no shrinking, but many more of them."""

import random
from typing import Any

from apps.sync.engine.rules import Tiebreak
from apps.sync.engine.snapshot import Visibility

from . import worlds
from .model import Portal
from .systems import Habits, as_is, nothing_as_none, trimmed
from .test_machine import World

STEPS = 60
HUB_EDITS = [(name, value) for name, values in worlds.HUB_VALUES.items() for value in values]
SYSTEM_EDITS = [(name, value) for name, values in worlds.SYSTEM_VALUES.items() for value in values]


def draw_habits(dice: random.Random) -> Habits:
    has_log, is_atomic = dice.random() < 0.7, dice.random() < 0.5
    return Habits(
        has_log=has_log,
        is_atomic=is_atomic,
        tells=dice.choice(["marks", "ids", "nothing"]),
        tidy=dice.choice([as_is, trimmed, nothing_as_none]),
        reads_back_late=has_log and not is_atomic and dice.random() < 0.5,
    )


def draw_world(dice: random.Random, portal: type[Portal] = Portal) -> World:
    class Drawn(World):
        portal_type = portal

    made = Drawn()
    ties = list(Tiebreak)
    systems = [
        (draw_habits(dice), worlds.make_rules(*dice.choices(ties, k=4), is_ordered=dice.random() < 0.5))
        for _ in range(dice.randint(1, 3))
    ]
    made.begin(systems, dice.random() < 0.5)
    return made


def act(world: World, dice: random.Random) -> None:
    """One step: somebody does something, a worker goes on, or something goes wrong."""
    number = dice.randint(0, 2)
    acts: list[tuple[int, Any]] = [
        (3, lambda: world.somebody_edits_here(dice.choice(HUB_EDITS))),
        (1, lambda: world.somebody_says_here(dice.choice(["public", "chosen", "internal"]), number)),
        (3, lambda: world.somebody_edits_there(number, dice.choice(SYSTEM_EDITS), dice.random() < 0.5)),
        (1, lambda: world.somebody_says_there(number, dice.choice(list(Visibility)), dice.random() < 0.5)),
        (1, lambda: world.somebody_answers(number, dice.choice(["hub", "system"]))),
        (4, lambda: world.a_worker_starts(number)),
        (5, lambda: world.a_worker_calls(number, dice.choice([None, None, dice.choice(SYSTEM_EDITS)]))),
        (4, lambda: world.a_worker_settles(number)),
        (6, lambda: world.a_lane_goes_on(number)),
        (2, lambda: world.a_worker_dies(number)),
        (2, lambda: world.time_passes(dice.randint(1, 3))),
        (1, world.everything_is_compared),
    ]
    dice.choices([one for _weight, one in acts], [weight for weight, _one in acts])[0]()


def play(seed: int, portal: type[Portal] = Portal) -> None:
    """One world from its beginning to its rest. Raises AssertionError where a law breaks."""
    dice = random.Random(seed)
    world = draw_world(dice, portal)
    for _ in range(STEPS):
        act(world, dice)
    world.teardown()
