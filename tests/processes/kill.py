"""Kill runs with real processes: ``python -m tests.processes.kill --kills 200 --seed 7 [--setup workers]``.

People work in four systems while the portal's worker is killed with SIGKILL at random moments and started again. Then
the true states are compared: nothing lost, doubled, out of order or where it must not be; else the exit status is 1.
``workers`` needs a PostgreSQL server and a broker (``--database``, ``--broker``).
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .crew import Case, Crew
    from .fleet import Embedded, Workers
    from .reckoning import Reckoning

QUIET_SECONDS = 1200.0
PARTIES = ("infinity-architecture", "infinity-projects", "global", "mercuri")


@dataclass
class Tally:
    """What was killed, and what it was doing at that moment."""

    kills: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)

    def as_text(self) -> str:
        kills = ", ".join(f"{count} × {what}" for what, count in self.kills.items())
        moments = ", ".join(f"{what} {count}" for what, count in self.moments.most_common())
        return f"kills {self.kills.total()} ({kills})\nat those moments: {moments}"


@dataclass
class Show:
    """One stage with its crew, kept for several runs."""

    stage: "Embedded | Workers"
    crew: "Crew"
    connections: dict[str, Any]
    cast: Any
    chance: random.Random
    tally: Tally = field(default_factory=Tally)

    def run(self, kills: int, cases: int, pauses: tuple[float, float], life: tuple[float, float]) -> "Reckoning":
        """Some kills while the crew works on fresh tickets; then peace, and the reckoning."""
        self.crew.cases = []
        offset = self.tally.kills.total()
        done = threading.Event()
        people = threading.Thread(target=self._people, args=(cases, pauses, done, offset), name="people")
        people.start()
        try:
            for _ in range(kills):
                time.sleep(self.chance.uniform(*life))
                self._kill()
        finally:
            done.set()
            people.join()
        waiting = wait_until_quiet(self.stage, self.connections, self._is_everywhere)
        from .reckoning import reckon

        found = reckon(self.stage, self.crew.cases)
        found.waiting += waiting
        return found

    def _people(self, cases: int, pauses: tuple[float, float], done: threading.Event, offset: int) -> None:
        from django.db import connection

        from .crew import SYSTEMS

        self.crew.offset = offset
        for number in range(cases):
            self.crew.file(SYSTEMS[number % len(SYSTEMS)])
            self._share(self.crew.cases)
            until = time.monotonic() + 2.0
            self.crew.work(lambda: done.is_set() or time.monotonic() > until, pauses)  # noqa: B023
        while not done.is_set():
            until = time.monotonic() + 2.0
            self.crew.work(lambda: done.is_set() or time.monotonic() > until, pauses)  # noqa: B023
            self._share(self.crew.cases)
        connection.close()

    def _share(self, cases: "Sequence[Case]") -> None:
        """The integrator lets all four take part as soon as a ticket is known; its numbers elsewhere follow."""
        from django.utils import timezone

        from apps.sync.models import TicketLink
        from apps.tickets.services import share
        from siamportal.demo.setup import actor_for

        integrator = actor_for(self.cast, "Integrator Lead", "infinity-integration")
        for case in cases:
            link = TicketLink.objects.filter(
                connection=self.connections[case.home], external_id=case.ids[case.home], ticket__isnull=False
            ).first()
            if link is None or link.ticket is None:
                continue
            for slug in PARTIES:
                organization = self.cast.organizations[slug]
                if not link.ticket.parties.filter(organization=organization).exists():
                    share(ticket=link.ticket, organization=organization, actor=integrator, at=timezone.now())
            for other in (
                TicketLink.objects.filter(ticket=link.ticket).exclude(external_id="").select_related("connection")
            ):
                case.ids.setdefault(other.connection.connector, other.external_id)

    def _is_everywhere(self) -> bool:
        self._share(self.crew.cases)
        return all(len(case.ids) == len(PARTIES) for case in self.crew.cases)

    def _kill(self) -> None:
        from apps.sync.models import Intent, TicketLink

        self.tally.kills[self.stage.kill(self.chance)] += 1
        open_ = Intent.objects.filter(state=Intent.State.OPEN, link__claimed_until__isnull=False)
        moments = Counter(slot.split(" ")[0] for slot in open_.values_list("slot", flat=True))
        busy = TicketLink.objects.filter(claimed_until__isnull=False).exclude(intents__state=Intent.State.OPEN).count()
        self.tally.moments.update(moments)
        self.tally.moments["between calls" if busy else "idle"] += not moments
        self.stage.restart()


def wait_until_quiet(
    stage: "Embedded | Workers", connections: dict[str, Any], is_everywhere: Callable[[], bool]
) -> list[str]:
    """Until every system was asked for changes since now and no lane owes anything; else what still waits."""
    from django.db.models import F, Q
    from django.utils import timezone

    from apps.sync.models import ConnectionPulse, TicketLink

    owing = Q(ticket__last_seq__gt=F("applied_seq")) | Q(look_wanted__gt=F("look_done")) | ~Q(repair=[])
    links = TicketLink.objects.filter(owing, connection__in=connections.values()).select_related("connection")
    end, begun, rest = time.monotonic() + QUIET_SECONDS, timezone.now(), 0
    while time.monotonic() < end and rest < 4:
        stage.check()
        asked = ConnectionPulse.objects.filter(connection__in=connections.values(), polled_at__gt=begun).count()
        rest = rest + 1 if is_everywhere() and asked == len(connections) and not links.exists() else 0
        time.sleep(1)
    return [f"{one.connection.connector} {one}: {_reason(one)}" for one in links]


def _reason(link: Any) -> str:
    return str((link.delivery_hold or link.intake_hold or {"text": link.last_failure})["text"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, set up, run, print; 0 if everything agrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.processes.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--setup", choices=["embedded", "workers"], default="embedded")
    parser.add_argument("--a-run", type=int, default=20, help="kills before each comparison")
    parser.add_argument("--cases", type=int, default=5, help="tickets in each run")
    parser.add_argument("--pause", type=float, default=1.0, help="most seconds between two acts")
    parser.add_argument("--life", type=float, default=10.0, help="most seconds that a worker lives")
    parser.add_argument("--database", default="postgres://postgres@127.0.0.1:5432/siam_kills")
    parser.add_argument("--broker", default="redis://127.0.0.1:6379/5")
    parser.add_argument("--home", help="keep the portal's state there, to look at it afterwards")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="siam-kills-") as scratch:
        home = chosen.home or scratch
        os.environ |= {"SIAM_HOME": home, "DJANGO_SETTINGS_MODULE": "siamportal.settings"}
        if chosen.setup == "embedded":
            return _play(chosen)
        os.environ |= {"DATABASE_URL": chosen.database, "BROKER_URL": chosen.broker}
        with Database(chosen.database):
            return _play(chosen)


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
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def say(text: str) -> None:
    """To standard output, at once: somebody waits for it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _play(chosen: argparse.Namespace) -> int:
    import django

    django.setup()
    from django.core.management import call_command

    from siamportal.cast import load_cast
    from siamportal.demo.incidents import loosen_limits
    from siamportal.demo.setup import connect

    from .crew import Crew
    from .fleet import Embedded, Workers
    from .reckoning import Reckoning

    call_command("migrate", verbosity=0)
    cast, started = load_cast(), time.monotonic()
    stage = {"embedded": Embedded, "workers": Workers}[chosen.setup]()
    chance, total = random.Random(chosen.seed), Reckoning()
    try:
        stage.start()
        crew = Crew(stage, random.Random(chosen.seed + 1))
        loosen_limits(stage)
        show = Show(stage, crew, connect(stage, cast, poll_seconds=2), cast, chance)
        while (left := chosen.kills - show.tally.kills.total()) > 0:
            found = show.run(min(left, chosen.a_run), chosen.cases, (0.05, chosen.pause), (0.3, chosen.life))
            total.add(found)
            say(f"{time.monotonic() - started:.0f} s: kills {show.tally.kills.total()}; {found.as_text()}")
    finally:
        stage.stop()
    seconds = time.monotonic() - started
    say(f"\n{chosen.setup}, seed {chosen.seed}, {seconds:.0f} s; people were refused {crew.refused} times")
    say(show.tally.as_text())
    say(total.as_text())
    return 0 if total.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
