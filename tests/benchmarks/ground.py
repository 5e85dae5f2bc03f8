"""Where the measuring takes place: two systems that answer over HTTP, and the portal between them."""

import copy
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from django.conf import settings
from django.core.management import call_command
from django.db.models import F, Q
from django.utils import timezone

from apps.sync import services
from apps.sync.engine.rules import SyncRules
from apps.sync.models import Connection, Exchange, Intent, TicketLink
from apps.sync.services import published_rules
from apps.tickets.models import Route
from siamportal.cast import load_cast
from siamportal.demo.people import ServiceNowPerson
from siamportal.demo.setup import HANDFUL_OF_A_REPLAY, SYSTEMS, actor_for, connect
from siamportal.demo.stage import Stage
from siamportal.demo.wire import CallFailed, Door
from tests.benchmarks.counting import queries
from tests.benchmarks.plain import Lap
from tests.benchmarks.processes import cpu_of, cpu_of_database, peak_memory_of

SOURCE, TARGET = "servicenow", "azure_devops"
LONGEST_LAP = 1800.0
WORKERS = 2
MOST_REFUSALS = 50
T = TypeVar("T")
WORK_PATH = "^/(api|global)"


class NotArrived(Exception):
    """Not all tickets crossed in time; the text says how many did not."""


class Ground:
    """The processes, the two connections, and whoever files and edits tickets.

    The plain loop writes into a system of its own: what it makes must not be news for the portal.
    """

    def __init__(self, home: Path, setup: str, latency: float) -> None:
        self._home, self._setup, self._latency = home, setup, latency
        self._database = str(settings.DATABASES["default"]["NAME"]) if setup == "workers" else ""
        self._stage, self._aside = Stage(), Stage()

    def __enter__(self) -> Self:
        stage = self._stage
        try:
            sandboxes = stage.start_sandboxes()
            aside = self._aside.start_sandboxes()
            call_command("migrate", verbosity=0)
            cast = load_cast()
            Route.objects.all().delete()
            Route.objects.create(
                customer=cast.organizations["infinity"], position=1, to_organization=cast.organizations["global"]
            )
            stage.meet_sandboxes(sandboxes)
            self._aside.meet_sandboxes(aside)
            self._portal = [stage.start_portal(0).pid]
            if self._setup == "workers":
                self._portal += [self._start_celery("worker", f"--concurrency={WORKERS}"), self._start_celery("beat")]
            connections = connect(stage, cast, poll_seconds=60, handful=HANDFUL_OF_A_REPLAY)
        except BaseException:
            self.__exit__()
            raise
        self.source, self.target = connections[SOURCE], connections[TARGET]
        self.rules: tuple[SyncRules, SyncRules] = (self._rules(self.source), self._rules(self.target))
        self._owner = actor_for(cast, SYSTEMS[SOURCE]["manager"], SYSTEMS[SOURCE]["organization"])
        self._person = ServiceNowPerson(stage.doors[SOURCE], "john")
        self._allow_many_calls()
        self.pause()
        self._slow(self._aside.doors[TARGET])
        self._slowed = [self._slow(door) for door in self._doors]
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stage.stop()
        self._aside.stop()

    @property
    def _doors(self) -> tuple[Door, Door]:
        return self._stage.doors[SOURCE], self._stage.doors[TARGET]

    def _slow(self, door: Door) -> int:
        return door.switch_on(kind="slow", seconds=self._latency, path=WORK_PATH)

    def _start_celery(self, role: str, *options: str) -> int:
        command = [sys.executable, "-m", "celery", "-A", "siamportal", role, "--loglevel=WARNING", *options]
        if role == "beat":
            command.append(f"--schedule={self._home / 'beat'}")
        log = (self._home / f"{role}.log").open("a")
        environment = {**os.environ, "SIAM_OUTBOUND_ALLOW": self._stage.allowed}
        process = subprocess.Popen(
            command, stdout=log, stderr=log, text=True, env=environment, cwd=settings.BASE_DIR, start_new_session=True
        )
        self._stage.processes.append(process)
        return process.pid

    def _allow_many_calls(self) -> None:
        """ServiceNow's own limit on calls at once would be all that is measured; it holds for the loop, too."""
        self.source.settings = {**self.source.settings, "parallel_calls": 16}
        self.source.save()
        self.other_target = copy.copy(self.target)
        self.other_target.base_url = self._aside.doors[TARGET].address + "/global"
        settings.SIAM_OUTBOUND_ALLOW = [*settings.SIAM_OUTBOUND_ALLOW, *self._aside.allowed.split(",")]

    @staticmethod
    def _rules(connection: Connection) -> SyncRules:
        rules = published_rules(connection)
        assert rules is not None
        return rules

    # --- What people do -----------------------------------------------------------------------------------------------

    def file(self, title: str) -> str:
        return _insist(lambda: self._person.create(short_description=title, impact="2", urgency="2"))

    def edit(self, key: str, title: str) -> None:
        _insist(lambda: self._person.edit(key, short_description=title))

    # --- What the portal does -----------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Keep the portal from reading what is filed until it is measured."""
        services.pause_connection(
            connection=services.refresh(self.source), actor=self._owner, at=timezone.now(), reason="between two laps"
        )

    def go_on(self) -> None:
        services.resume_connection(connection=services.refresh(self.source), actor=self._owner, at=timezone.now())

    def arrived(self, ids: Collection[str]) -> int:
        """How many of the tickets are in the target, whole."""
        tickets = TicketLink.objects.filter(connection=self.source, external_id__in=ids).values("ticket")
        there = TicketLink.objects.filter(connection=self.target, ticket__in=tickets, state=TicketLink.State.LINKED)
        return there.filter(applied_seq=F("ticket__last_seq")).count()

    def updated(self, ids: Collection[str]) -> int:
        """How many of the tickets have their edited title in the target."""
        tickets = TicketLink.objects.filter(connection=self.source, external_id__in=ids).values("ticket")
        there = TicketLink.objects.filter(connection=self.target, ticket__in=tickets)
        return there.filter(ticket__title__contains=" edited ", applied_seq=F("ticket__last_seq")).count()

    def rest(self) -> None:
        """Wait until the portal has nothing left to do for the two systems."""
        owing = Q(ticket__last_seq__gt=F("applied_seq")) | Q(look_wanted__gt=F("look_done"))
        busy = TicketLink.objects.filter(owing | Q(intents__state=Intent.State.OPEN))
        end = time.monotonic() + LONGEST_LAP
        while busy.filter(connection__in=(self.source, self.target)).exists() and time.monotonic() < end:
            time.sleep(0.2)

    def measure(self, tickets: int, act: Callable[[], object], arrived: Callable[[], int]) -> Lap:
        """What the portal takes from ``act`` until all tickets have arrived."""
        calls, cpu, asked = Exchange.objects.count(), cpu_of(self._portal), queries(self._home)
        database, started = cpu_of_database(self._database), time.monotonic()
        act()
        self.wait(arrived, tickets)
        seconds = time.monotonic() - started
        return Lap(
            tickets,
            seconds,
            cpu_of(self._portal) - cpu,
            Exchange.objects.count() - calls,
            queries(self._home) - asked,
            cpu_of_database(self._database) - database,
        )

    def wait(self, arrived: Callable[[], int], tickets: int) -> None:
        """Until all tickets have arrived. Raises NotArrived."""
        end = time.monotonic() + LONGEST_LAP
        while (there := arrived()) < tickets:
            self._stage.check()
            if time.monotonic() > end:
                raise NotArrived(f"{there} of {tickets} tickets arrived in {LONGEST_LAP:.0f} s")
            time.sleep(0.1)

    def delays(self, ids: Collection[str], pause: float) -> list[float]:
        """Seconds from each edit in the source to the write of it in the target, one edit every ``pause`` seconds."""
        door, edited = self._stage.doors[TARGET], dict[str, float]()
        links = TicketLink.objects.filter(connection=self.source, external_id__in=ids).values("ticket", "external_id")
        ticket_of = {row["external_id"]: row["ticket"] for row in links}
        there = TicketLink.objects.filter(connection=self.target, ticket__in=ticket_of.values())
        target_of = dict(there.values_list("ticket", "external_id"))
        since = max((one["number"] for one in door.exchanges()), default=0)
        for key in ids:
            self.edit(key, f"at a light load {key[-6:]}")
            edited[f"/global/_apis/wit/workitems/{target_of[ticket_of[key]]}"] = time.time()
            time.sleep(pause)
        self.rest()
        found = {}
        for one in door.exchanges(since):
            if one["method"] == "PATCH" and one["path"] in edited:
                at = datetime.fromisoformat(one["at"]).timestamp()
                found.setdefault(one["path"], at - edited[one["path"]])
        if len(found) < len(edited):
            raise NotArrived(f"{len(edited) - len(found)} of {len(edited)} edits did not arrive")
        return list(found.values())

    def peak_memory(self) -> int:
        """MiB that the portal's processes held at most."""
        return peak_memory_of(self._portal)

    # --- Faults -------------------------------------------------------------------------------------------------------

    @contextmanager
    def faults(self, tickets: int, chance: random.Random) -> Iterator[None]:
        """2 % of all calls answered with 429, 2 % with 503, and 1 % of the writes done and not answered."""
        source, target = self._doors
        # The first switch that fits a call acts alone: what is slow for every call must come last.
        for door, number in zip(self._doors, self._slowed, strict=True):
            door.switch_off(number)
        # A ticket is read with seven calls, and created or updated with one or two.
        plans = [(source, fault) for fault in _faults(tickets * 14, 0, chance)]
        plans += [(target, fault) for fault in _faults(tickets * 3, tickets * 2, chance)]
        switched = [(door, door.switch_on(**fault)) for door, fault in plans]
        self._slowed = [self._slow(door) for door in self._doors]
        try:
            yield
        finally:
            for door, number in switched:
                door.switch_off(number)

    def compare(self, ids: Collection[str], title: Callable[[str], str]) -> dict[str, int]:
        """What became of the tickets in the target: lost, doubled, or with a title that is not the last."""
        self.rest()
        wanted = [title(key) for key in ids]
        titles = [str(ticket["fields"].get("System.Title", "")) for ticket in self._stage.doors[TARGET].tickets()]
        numbers = {one: titles.count(one) for one in wanted}
        links = TicketLink.objects.filter(connection=self.source, external_id__in=ids).values("ticket")
        linked = TicketLink.objects.filter(connection=self.target, ticket__in=links).count()
        return {
            "lost": len(ids) - linked,
            "doubled": sum(max(0, number - 1) for number in numbers.values()),
            "stale": sum(number == 0 for number in numbers.values()),
        }


def _insist(act: Callable[[], T]) -> T:
    """Do it again when the system refuses: its faults are meant for the portal, but hit people, too."""
    for _ in range(MOST_REFUSALS):
        try:
            return act()
        except CallFailed:
            time.sleep(0.05)
    return act()


def _faults(calls: int, writes: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Switches that each hit one of the calls to come."""
    # A 429 that names a wait has everybody wait for so long, and its seconds would be all that is measured.
    refusals: tuple[dict[str, Any], ...] = ({"status": 429}, {"status": 503})
    for refusal in refusals:
        for _ in range(calls * 2 // 100):
            yield {"kind": "status", "times": 1, "skip": chance.randrange(calls), "path": WORK_PATH, **refusal}
    for number in range(writes // 100):
        # A lap of creations makes POSTs, one of updates PATCHes; the switch waits for either.
        method = ("POST", "PATCH")[number % 2]
        yield {"kind": "lost_response", "times": 1, "skip": chance.randrange(writes // 2), "method": method}
