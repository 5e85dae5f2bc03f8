"""The exam of the harness: ``python -m tests.sync.simulation.exam`` prints which invariant catches which
defect, and how many moves it took."""

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MOST_MOVES = 200_000
SEED = "exam"
CHECKS = tuple(f"apps.sync.simulation.{name}" for name in ("invariants", "values", "watch", "resting"))
"""They stay sound, whatever they share with the engine."""


@contextmanager
def planted(defect: "Defect") -> Iterator[None]:  # noqa: F821
    """The engine with that defect, in every module that has the function by name."""
    sound = getattr(defect.place, defect.name)
    broken = defect.make(sound)
    places = [defect.place]
    if callable(sound) and not isinstance(defect.place, type):
        places += [
            module
            for name, module in list(sys.modules.items())
            if name.startswith("apps.sync.") and name not in CHECKS and getattr(module, defect.name, None) is sound
        ]
    for place in places:
        setattr(place, defect.name, broken)
    try:
        yield
    finally:
        for place in places:
            setattr(place, defect.name, sound)


def catch(defect: "Defect", moves: int = MOST_MOVES, seed: str = SEED) -> tuple[str, int] | None:  # noqa: F821
    """The invariant that catches the defect and the moves it took; None if nothing did."""
    from apps.sync.simulation.running import run

    with planted(defect):
        verdict = run(seed, moves)
    return None if verdict.broken is None else (f"INV-{verdict.broken.number}", verdict.moves)


def main() -> int:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siamportal.settings")
    django.setup()
    logging.disable(logging.CRITICAL)
    from apps.sync.simulation.running import run

    from .defects import DEFECTS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=MOST_MOVES)
    parser.add_argument("--seed", default=SEED)
    parser.add_argument("--only", default="", help="Names of defects, separated by semicolons.")
    options = parser.parse_args()
    # Whatever the sound engine breaks is no proof that a defect was caught.
    sound = run(options.seed, options.moves)
    caught = 0
    chosen = [one for one in DEFECTS if not options.only or one.told in options.only.split(";")]
    tell = sys.stdout.write
    tell(f"the sound engine: {sound.broken or 'nothing broken'} after {sound.moves} moves\n")
    tell(f"{'defect':<50}{'caught by':<12}{'moves':>8}\n")
    for defect in chosen:
        found = catch(defect, options.moves, options.seed)
        caught += found is not None
        invariant, moves = found or ("nothing", options.moves)
        tell(f"{defect.told:<50}{invariant:<12}{moves:>8}\n")
        sys.stdout.flush()
    tell(f"{caught} of {len(chosen)} caught within {options.moves} moves\n")
    return 0 if caught == len(chosen) and sound.is_clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
