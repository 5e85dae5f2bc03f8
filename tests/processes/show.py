"""What all kill runs share: a portal with four systems and their people, peace at the end, and the reckoning."""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .progress import Patience

if TYPE_CHECKING:
    from .crew import Case, Crew
    from .fleet import Fleet
    from .reckoning import Reckoning

LOOP = 20_000
"""Nobody wrote so much that is still under way when people have stopped: it goes round and round."""
LONGEST_REST = 330.0
"""No lane rests longer by itself before it is tried again."""
MOST_STORIES = 3
SHARE_SECONDS = 1.0
PARTIES = ("infinity-architecture", "infinity-projects", "global", "mercuri")
POLL_SECONDS = 2


@dataclass
class Show:
    """One stage with its crew, kept for several runs."""

    stage: "Fleet"
    crew: "Crew"
    connections: dict[str, Any]
    cast: Any
    chance: random.Random
    trouble: list[BaseException] = field(default_factory=list)

    @contextmanager
    def people(self, cases: int, pause: float) -> Iterator[None]:
        """While this lasts the crew works on fresh tickets, ``pause`` seconds at most between two acts."""
        from .crew import SYSTEMS

        self.crew.cases, self.crew.quiet = [], []
        for number in range(cases):
            self.crew.file(SYSTEMS[(self.crew.filed + number) % len(SYSTEMS)])
        done = threading.Event()
        worker = threading.Thread(target=self._work, args=(pause, done), name="people")
        worker.start()
        try:
            yield
        finally:
            done.set()
            worker.join()
        if self.trouble:
            raise self.trouble[0]

    def _work(self, pause: float, done: threading.Event) -> None:
        from django.db import connection

        try:
            shared_at = 0.0
            while not done.is_set():
                if time.monotonic() > shared_at + SHARE_SECONDS:
                    self.share()
                    self.note_who_is_in_step()
                    shared_at = time.monotonic()
                self.crew.act()
                time.sleep(self.crew.chance.uniform(pause / 10, pause))
        except Exception as trouble:
            self.trouble.append(trouble)
            raise
        finally:
            connection.close()

    def share(self) -> bool:
        """The integrator lets all four take part as soon as a ticket is known; whether all are everywhere."""
        from django.db import DatabaseError, connection

        cases = [case for case in (*self.crew.cases, *self.crew.quiet) if len(case.ids) < len(PARTIES)]
        try:
            for case in cases:
                self._share(case)
        except DatabaseError:
            # A run may take the database away, too.
            connection.close()
            return False
        return all(len(case.ids) == len(PARTIES) for case in cases)

    def note_who_is_in_step(self) -> None:
        """Of which tickets nothing is left to be read or written; the others may be left alone for a while."""
        from django.db import DatabaseError, connection

        try:
            busy = set(self._busy().exclude(ticket=None).values_list("ticket", flat=True))
            rows = self._links().exclude(ticket=None).values_list("connection__connector", "external_id", "ticket")
            tickets = {(name, id_): ticket for name, id_, ticket in rows}
        except DatabaseError:
            connection.close()
            return
        for case in self.crew.cases:
            if len(case.ids) == len(PARTIES) and tickets.get((case.home, case.ids[case.home])) not in {None, *busy}:
                case.deeds = 0

    def _share(self, case: "Case") -> None:
        from django.utils import timezone

        from apps.sync.models import TicketLink
        from apps.tickets.services import share
        from siamportal.demo.setup import actor_for

        links = TicketLink.objects.select_related("ticket", "connection").exclude(ticket=None)
        home = links.filter(connection=self.connections[case.home], external_id=case.ids[case.home]).first()
        if home is None or home.ticket is None:
            return
        there = set(home.ticket.parties.values_list("organization__slug", flat=True))
        actor = actor_for(self.cast, "Integrator Lead", "infinity-integration")
        for slug in PARTIES:
            if slug not in there:
                share(ticket=home.ticket, organization=self.cast.organizations[slug], actor=actor, at=timezone.now())
        for other in links.filter(ticket=home.ticket).exclude(external_id=""):
            case.ids.setdefault(other.connection.connector, other.external_id)

    def reckon(self) -> "Reckoning":
        """Wait for peace; then compare what is in each system with what its people did."""
        from .reckoning import reckon
        from .story import story

        waiting, cases = self.wait_until_quiet(), [*self.crew.cases, *self.crew.quiet]
        found = reckon(self.stage, cases)
        for case in [case for case in cases if case.name in found.cases()][:MOST_STORIES]:
            say(story(self.stage, case))
        found.waiting += waiting
        return found

    def wait_until_quiet(self) -> list[str]:
        """Until every system was asked for changes since now and no lane owes anything; else what still waits."""
        from django.db import DatabaseError, connection
        from django.utils import timezone

        from apps.sync.models import ConnectionPulse

        patience, begun, rest = Patience(LOOP, LONGEST_REST), timezone.now(), 0
        pulses = ConnectionPulse.objects.filter(connection__in=self.connections.values(), polled_at__gt=begun)
        is_over = False
        while not is_over and rest < 4:
            self.stage.check()
            self.stage.heal()
            try:
                is_over = patience.is_over()
                is_quiet = self.share() and pulses.count() == len(self.connections) and not self._busy().exists()
                rest = rest + 1 if is_quiet else 0
            except DatabaseError:
                connection.close()
            time.sleep(0.5)
        # An overlapping cursor asks for a look now and then, even in peace.
        still = self._busy() if rest < 4 else ()
        return [f"{one.connection.connector} {one}: {_reason(one)}" for one in still]

    def _busy(self) -> Any:
        from django.db.models import F, Q

        from apps.sync.models import Intent

        owing = (
            Q(ticket__last_seq__gt=F("applied_seq"))
            | Q(look_wanted__gt=F("look_done"))
            | ~Q(repair=[])
            | Q(intents__state=Intent.State.OPEN)
        )
        return self._links().filter(owing).select_related("connection").distinct()

    def _links(self) -> Any:
        from apps.sync.models import TicketLink

        return TicketLink.objects.filter(connection__in=self.connections.values())


def _reason(link: Any) -> str:
    return str((link.delivery_hold or link.intake_hold or {"text": link.last_failure})["text"])


def add_options(parser: argparse.ArgumentParser) -> None:
    """What every kill run takes."""
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--setup", choices=["embedded", "workers"], default="embedded")
    parser.add_argument("--cases", type=int, default=10, help="tickets worked on at a time")
    parser.add_argument("--pause", type=float, default=0.3, help="most seconds between two acts")
    parser.add_argument("--database", default="postgres://postgres@127.0.0.1:5432/siam_kills")
    parser.add_argument("--broker", default="redis://127.0.0.1:6379/5")
    parser.add_argument("--home", help="keep the portal's state there, to look at it afterwards")
    parser.add_argument("--json", action="store_true", help="print the totals as JSON, too")


def _end(*_: object) -> None:
    """Asked to end: once, so that everybody who was started is stopped."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(1)


@contextmanager
def prepared(chosen: argparse.Namespace, **how: Any) -> Iterator[Show]:
    """A show that is set up and running; everything of it is gone afterwards."""
    signal.signal(signal.SIGTERM, _end)
    with ExitStack() as stack:
        home = chosen.home or stack.enter_context(tempfile.TemporaryDirectory(prefix="siam-kills-"))
        os.environ |= {"SIAM_HOME": home, "DJANGO_SETTINGS_MODULE": "siamportal.settings"}
        if chosen.setup == "workers":
            os.environ |= {"DATABASE_URL": chosen.database, "BROKER_URL": chosen.broker}
            stack.enter_context(Database(chosen.database))
        yield stack.enter_context(_set_up(chosen, how))


@contextmanager
def _set_up(chosen: argparse.Namespace, how: dict[str, Any]) -> Iterator[Show]:
    import django

    django.setup()
    from django.core.management import call_command

    from apps.sync.models import Connection
    from siamportal.cast import load_cast
    from siamportal.celery import app
    from siamportal.demo.incidents import loosen_limits
    from siamportal.demo.setup import HANDFUL_OF_A_REPLAY, connect

    from .crew import Crew
    from .fleet import Fleet

    call_command("migrate", verbosity=0)
    if chosen.setup == "workers":
        app.control.purge()
    stage, cast = Fleet(setup=chosen.setup, **how), load_cast()
    try:
        stage.start()
        loosen_limits(stage)
        connections = connect(stage, cast, poll_seconds=POLL_SECONDS, handful=HANDFUL_OF_A_REPLAY)
        Connection.objects.update(poll_seconds=POLL_SECONDS)
        crew = Crew(stage, random.Random(chosen.seed + 1))
        yield Show(stage, crew, connections, cast, random.Random(chosen.seed))
    finally:
        stage.stop()


class Database:
    """A database that lives as long as the run."""

    def __init__(self, url: str) -> None:
        self._server, _, self._name = url.replace("postgres://", "postgresql://").rpartition("/")

    def __enter__(self) -> None:
        self.__exit__()
        self._psql(f'CREATE DATABASE "{self._name}"')

    def __exit__(self, *_: object) -> None:
        self._psql(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')

    def _psql(self, statement: str) -> None:
        command = ["psql", f"{self._server}/postgres", "-qc", statement]
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)


def say(text: str) -> None:
    """To standard output, at once: somebody waits for it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
