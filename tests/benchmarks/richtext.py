"""Whether rich text comes to rest between any two systems: ``python -m tests.benchmarks.richtext --documents 10000``.

For each ordered pair of systems so many generated documents, written by people in the first, go to the second and back
until nothing changes any more. Prints a line of JSON for each pair and one for all; ends with 1 when a document goes
round for ever, with the first one of each pair. The same seed makes the same documents.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sync.connectors.richtext_pairs import Tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all pairs; 0 when every document comes to rest."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.richtext", description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000, help="documents of each ordered pair")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siamportal.settings")
    from tests.sync.connectors.richtext_pairs import PAIRS

    at_rest = 0
    with ProcessPoolExecutor(options.processes) as pool:
        running = [(pair, pool.submit(_play, *pair, options.documents, options.seed)) for pair in PAIRS]
        for (origin, target), future in running:
            tally = future.result()
            at_rest += not tally.restless
            sys.stdout.write(json.dumps({"from": origin, "to": target, **asdict(tally)}, ensure_ascii=False) + "\n")
            sys.stdout.flush()
    sys.stdout.write(json.dumps({"pairs": len(PAIRS), "pairs_at_rest": at_rest}) + "\n")
    return 0 if at_rest == len(PAIRS) else 1


def _play(origin: str, target: str, documents: int, seed: str) -> "Tally":
    import django

    django.setup()
    from tests.sync.connectors.richtext_pairs import play

    return play(origin, target, documents, seed)


if __name__ == "__main__":
    sys.exit(main())
