"""Restores of the database: ``python -m tests.processes.restore --restores 5 --seed 7 [--setup workers]``.

While people work in four systems the database is copied and, some seconds of work later, put back; the portal is told
(``manage.py restored``) and starts again. Then the true states are compared: nothing lost that a system has, nothing
doubled, nothing newer overwritten (INV-40); any fault makes the exit status 1.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from .show import Show, add_options, prepared, say


class Copy:
    """A copy of the portal's database beside it, made and put back while nothing of the portal runs."""

    def __init__(self, url: str, home: Path) -> None:
        self._server, _, self._name = url.replace("postgres://", "postgresql://").rpartition("/")
        self._is_file, self._file = not url, home / "portal.sqlite3"

    def make(self) -> None:
        """Remember the database as it is now."""
        if self._is_file:
            self._pour(self._file, Path(f"{self._file}.copy"))
        else:
            self._replace(f"{self._name}_copy", self._name)

    def put_back(self) -> None:
        """Make it so again."""
        if self._is_file:
            # Not by copying the file: threads of this process, which is not the portal's, may hold it open.
            self._pour(Path(f"{self._file}.copy"), self._file)
        else:
            self._replace(self._name, f"{self._name}_copy")

    def _pour(self, source: Path, goal: Path) -> None:
        with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(goal)) as other:
            one.backup(other)

    def drop(self) -> None:
        """It is not needed any more."""
        if not self._is_file:
            self._psql(f'DROP DATABASE IF EXISTS "{self._name}_copy" WITH (FORCE)')

    def _replace(self, name: str, template: str) -> None:
        self._psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        ending = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{template}'"
        self._psql(ending)
        self._psql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def _psql(self, statement: str) -> None:
        command = ["psql", f"{self._server}/postgres", "-qtc", statement]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Standstill:
    """Times in which nothing of the portal runs and nobody uses its database."""

    def __init__(self, show: Show) -> None:
        self._show, self._lock, share = show, threading.RLock(), show.share

        def share_between() -> bool:
            from django.db import connection

            with self._lock:
                try:
                    return share()
                finally:
                    connection.close()

        show.share = share_between  # type: ignore[method-assign]

    def __enter__(self) -> None:
        from django.db import connections

        self._lock.acquire()
        for name in list(self._show.stage.members):
            self._show.stage.end(name)
        connections.close_all()

    def __exit__(self, *_: object) -> None:
        from django.db import connections

        connections.close_all()
        self._show.stage.heal()
        self._lock.release()


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, set up, run, print; 0 if everything agrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.processes.restore", description=__doc__)
    parser.add_argument("--restores", type=int, default=5)
    parser.add_argument("--life", type=float, default=8.0, help="most seconds before a copy, and until it is put back")
    add_options(parser)
    parser.set_defaults(database="postgres://postgres@127.0.0.1:5432/siam_restores")
    chosen = parser.parse_args(arguments)
    with prepared(chosen) as show:
        return play(show, chosen)


def play(show: Show, chosen: argparse.Namespace) -> int:
    """Restore after restore; a line for each, and the totals."""
    from django.conf import settings

    from apps.sync.models import Divergence

    from .reckoning import Reckoning

    copy = Copy(chosen.database if chosen.setup == "workers" else "", Path(settings.SIAM_HOME))
    standstill, total, found = Standstill(show), Reckoning(), Counter[str]()
    started = time.monotonic()
    try:
        for number in range(1, chosen.restores + 1):
            with show.people(chosen.cases, chosen.pause):
                time.sleep(show.chance.uniform(0.5, chosen.life))
                with standstill:
                    copy.make()
                time.sleep(show.chance.uniform(0.5, chosen.life))
                with standstill:
                    copy.put_back()
                    said = _say_so()
                time.sleep(show.chance.uniform(0.5, chosen.life) / 4)
            reckoned = show.reckon()
            total.add(reckoned)
            kinds = Counter(Divergence.objects.order_by().values_list("kind", flat=True)) - found
            say(f"{time.monotonic() - started:.0f} s: restore {number}; {said} {dict(kinds)}; {reckoned.as_text()}")
            found = Counter(Divergence.objects.values_list("kind", flat=True))
    finally:
        copy.drop()
    say(f"\n{chosen.setup}, seed {chosen.seed}, {time.monotonic() - started:.0f} s\n{total.as_text()}")
    if chosen.json:
        counts = {"restores": chosen.restores, "setup": chosen.setup, "seed": chosen.seed, "divergences": found}
        say(json.dumps({**counts, **total.counts()}))
    return 0 if total.is_clean else 1


def _say_so() -> str:
    command = [sys.executable, "manage.py", "restored"]
    told = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    return told.stdout.splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
