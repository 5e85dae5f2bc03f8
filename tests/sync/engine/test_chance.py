"""Volume: many more worlds than a machine that can shrink is able to try. Rare faults need it (reliability 2.3)."""

import os

from . import chance
from .worlds import EXAMPLES

FIRST = int(os.environ.get("SIAM_FIRST_WORLD", "0"))
"""Fresh worlds: a run that starts elsewhere covers new ground."""


def test_many_worlds_come_to_rest_in_agreement() -> None:
    """Each takes sixty steps of people, workers and accidents: 2,000 examples are 20,000 worlds, 1.2 million steps."""
    for seed in range(FIRST, FIRST + EXAMPLES * 10):
        try:
            chance.play(seed)
        except AssertionError as broken:
            raise AssertionError(f"world {seed}: {broken}") from broken
