"""Crashes of the database: ``python -m tests.processes.database --crashes 100 --seed 7``.

A PostgreSQL server of the run's own is stopped at once, killed, or loses one of its processes to SIGKILL, at random
moments while people work in four systems and the portal works for them. Nobody helps the portal's processes: they must
go on by themselves. Then the true states are compared; any fault makes the exit status 1.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence

from .cluster import Cluster, binaries
from .show import Show, add_options, prepared, say


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, set up, run, print; 0 if everything agrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.processes.database", description=__doc__)
    parser.add_argument("--crashes", type=int, default=100)
    parser.add_argument("--a-run", type=int, default=20, help="crashes before each comparison")
    parser.add_argument("--life", type=float, default=3.0, help="most seconds between two crashes")
    add_options(parser)
    parser.set_defaults(pause=1.0)
    chosen = parser.parse_args(arguments)
    if binaries() is None:
        parser.error("no PostgreSQL server is installed here")
    with Cluster() as cluster:
        chosen.setup, chosen.database = "workers", cluster.url("siam_crashes")
        with prepared(chosen) as show:
            return play(show, cluster, chosen)


def play(show: Show, cluster: Cluster, chosen: argparse.Namespace) -> int:
    """Run after run; a line for each, and the totals."""
    from .reckoning import Reckoning

    started, total, kinds, ended = time.monotonic(), Reckoning(), Counter[str](), Counter[str]()
    while (left := chosen.crashes - kinds.total()) > 0:
        with show.people(chosen.cases, chosen.pause):
            for _ in range(min(left, chosen.a_run)):
                time.sleep(show.chance.uniform(0.3, chosen.life))
                kinds[cluster.crash(show.chance)] += 1
                ended.update(show.stage.heal())
        found = show.reckon()
        total.add(found)
        say(f"{time.monotonic() - started:.0f} s: crashes {kinds.total()}; {found.as_text()}")
    crashed = ", ".join(f"{count} × {kind}" for kind, count in kinds.items())
    say(f"\nseed {chosen.seed}, {time.monotonic() - started:.0f} s; {crashed}")
    say(f"processes of the portal that ended over it: {dict(ended) or 'none'}")
    say(total.as_text())
    if chosen.json:
        say(json.dumps({"seed": chosen.seed, "crashes": kinds, "ended": ended, **total.counts()}))
    return 0 if total.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
