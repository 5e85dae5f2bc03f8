"""A story made short: moves are left out as long as the same invariant still breaks."""

import time
from collections.abc import Callable

from .brittle import BrittleMemory
from .invariants import Broken
from .running import replay
from .world import Move, StoreKind

SECONDS = 60.0


def shrink(
    world_seed: str, story: list[Move], number: int, *, seconds: float = SECONDS, store: StoreKind = BrittleMemory
) -> list[Move]:
    """Leave out ever smaller runs of moves until none can be left out, or the time is up."""

    def is_broken(shorter: list[Move]) -> bool:
        return breaks(world_seed, shorter, number, store=store)

    until = time.monotonic() + seconds
    size = max(1, len(story) // 2)
    while time.monotonic() < until:
        shorter = _leave_out(story, size, until, is_broken)
        if len(shorter) == len(story) and size == 1:
            break
        story, size = shorter, max(1, size // 2)
    return story


def _leave_out(story: list[Move], size: int, until: float, is_broken: Callable[[list[Move]], bool]) -> list[Move]:
    place = len(story) - size
    while place > -size and time.monotonic() < until:
        shorter = story[: max(0, place)] + story[place + size :]
        if shorter != story and is_broken(shorter):
            story = shorter
        place -= size
    return story


def breaks(world_seed: str, story: list[Move], number: int, *, store: StoreKind = BrittleMemory) -> bool:
    """Whether these moves alone still break that invariant."""
    broken = replay(world_seed, story, store=store)
    return broken is not None and broken.number == number


def tell(world_seed: str, story: list[Move], *, store: StoreKind = BrittleMemory) -> tuple[list[str], Broken | None]:
    """The story in plain sentences, and how it ends."""
    told: list[str] = []
    broken = replay(world_seed, story, told, store=store)
    return told, broken
