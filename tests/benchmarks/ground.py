"""Where the measuring takes place: two systems that answer over HTTP, and the portal between them."""

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Self

from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from apps.sync import services
from apps.sync.engine.rules import SyncRules
from apps.sync.models import Connection, Exchange, TicketLink
from apps.sync.services import published_rules
from apps.tickets.models import Route
from siamportal.cast import load_cast
from siamportal.demo.people import ServiceNowPerson
from siamportal.demo.setup import HANDFUL_OF_A_REPLAY, SYSTEMS, actor_for, connect
from siamportal.demo.stage import Stage
from tests.benchmarks.plain import Lap

SOURCE, TARGET = "servicenow", "azure_devops"
LONGEST_LAP = 1800.0
TICKS = os.sysconf("SC_CLK_TCK")


class NotArrived(Exception):
    """Not all tickets crossed in time; the text says how many did not."""


class Ground:
    """The processes, the two connections, and whoever files and edits tickets."""

    def __init__(self, home: Path, latency: float) -> None:
        self._home, self._latency = home, latency
        self._stage = Stage()

    def __enter__(self) -> Self:
        stage = self._stage
        try:
            sandboxes = stage.start_sandboxes()
            call_command("migrate", verbosity=0)
            cast = load_cast()
            Route.objects.all().delete()
            Route.objects.create(
                customer=cast.organizations["infinity"], position=1, to_organization=cast.organizations["global"]
            )
            stage.meet_sandboxes(sandboxes)
            self._portal = stage.start_portal(0)
            connections = connect(stage, cast, poll_seconds=60, handful=HANDFUL_OF_A_REPLAY)
        except BaseException:
            stage.stop()
            raise
        self.source, self.target = connections[SOURCE], connections[TARGET]
        self.rules: tuple[SyncRules, SyncRules] = (self._rules(self.source), self._rules(self.target))
        self._owner = actor_for(cast, SYSTEMS[SOURCE]["manager"], SYSTEMS[SOURCE]["organization"])
        self._person = ServiceNowPerson(stage.doors[SOURCE], "john")
        self.pause()
        if self._latency:
            for name in (SOURCE, TARGET):
                stage.doors[name].switch_on(kind="slow", seconds=self._latency, path="^/(api|global)")
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stage.stop()

    @staticmethod
    def _rules(connection: Connection) -> SyncRules:
        rules = published_rules(connection)
        assert rules is not None
        return rules

    # --- What people do -----------------------------------------------------------------------------------------------

    def file(self, title: str) -> str:
        return self._person.create(short_description=title, impact="2", urgency="2")

    def edit(self, key: str, title: str) -> None:
        self._person.edit(key, short_description=title)

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

    def measure(self, tickets: int, act: Callable[[], object], arrived: Callable[[], int]) -> Lap:
        """What the portal takes from ``act`` until all tickets have arrived."""
        calls, cpu, started = Exchange.objects.count(), self._cpu(), time.monotonic()
        act()
        while (there := arrived()) < tickets:
            self._stage.check()
            if time.monotonic() - started > LONGEST_LAP:
                raise NotArrived(f"{there} of {tickets} tickets arrived in {LONGEST_LAP:.0f} s")
            time.sleep(0.1)
        seconds = time.monotonic() - started
        return Lap(tickets, seconds, self._cpu() - cpu, Exchange.objects.count() - calls)

    def _cpu(self) -> float:
        fields = Path(f"/proc/{self._portal.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak_memory(self) -> int:
        """MiB that the portal's process held at most."""
        lines = Path(f"/proc/{self._portal.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
