"""A portal on SQLite with its four systems, and tickets that cross from ServiceNow to Azure DevOps."""

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Self

from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from apps.sync import services
from apps.sync.models import Connection, TicketLink
from apps.tickets.actor import Actor
from apps.tickets.models import Route
from siamportal.cast import load_cast
from siamportal.demo.people import ServiceNowPerson
from siamportal.demo.setup import SYSTEMS, actor_for, connect
from siamportal.demo.stage import Stage

SOURCE, TARGET = "servicenow", "azure_devops"
LONGEST = 900.0


class NotThere(Exception):
    """What was waited for did not come; the text says what."""


class Crossing:
    """The processes, the connections, and whoever files and edits tickets."""

    def __init__(self, latency: float = 0.0) -> None:
        self._latency = latency
        self._slow: dict[str, int] = {}
        self.stage = Stage()

    def __enter__(self) -> Self:
        try:
            sandboxes = self.stage.start_sandboxes()
            call_command("migrate", verbosity=0)
            self.cast = load_cast()
            Route.objects.all().delete()
            organizations = self.cast.organizations
            Route.objects.create(
                customer=organizations["infinity"], position=1, to_organization=organizations["global"]
            )
            self.stage.meet_sandboxes(sandboxes)
            self.portal = self.stage.start_portal(0)
            self.connections = connect(self.stage, self.cast, poll_seconds=60)
        except BaseException:
            self.stage.stop()
            raise
        self._person = ServiceNowPerson(self.stage.doors[SOURCE], "john")
        self.slow_down()
        return self

    def slow_down(self) -> None:
        """Let both systems take their time. Of several faults the first counts: this one must come last."""
        for name, number in self._slow.items():
            self.stage.doors[name].switch_off(number)
        if self._latency:
            slow = {"kind": "slow", "seconds": self._latency, "path": "^/(api|global)"}
            self._slow = {name: self.stage.doors[name].switch_on(**slow) for name in (SOURCE, TARGET)}

    def __exit__(self, *_exc: object) -> None:
        self.stage.stop()

    def actor(self, name: str) -> Actor:
        """Who manages the connection to the system ``name``."""
        return actor_for(self.cast, SYSTEMS[name]["manager"], SYSTEMS[name]["organization"])

    # --- What people do -----------------------------------------------------------------------------------------------

    def file(self, title: str) -> str:
        return self._person.create(short_description=title, impact="2", urgency="2")

    def edit(self, key: str, title: str) -> None:
        self._person.edit(key, short_description=title)

    def pause(self, name: str = SOURCE) -> None:
        services.pause_connection(connection=self._fresh(name), actor=self.actor(name), at=timezone.now())

    def go_on(self, name: str = SOURCE) -> None:
        services.resume_connection(connection=self._fresh(name), actor=self.actor(name), at=timezone.now())

    def _fresh(self, name: str) -> Connection:
        return services.refresh(self.connections[name])

    # --- What came of it ----------------------------------------------------------------------------------------------

    def links_there(self, ids: Collection[str]) -> Any:
        """The target's links of tickets that have these ids in the source."""
        tickets = TicketLink.objects.filter(connection=self.connections[SOURCE], external_id__in=ids).values("ticket")
        return TicketLink.objects.filter(connection=self.connections[TARGET], ticket__in=tickets)

    def has(self, mark: str, ids: Collection[str]) -> bool:
        """Whether the target has all these tickets, whole, each with a title that begins with ``mark``."""
        there = self.links_there(ids).filter(state=TicketLink.State.LINKED, ticket__title__startswith=mark)
        return bool(there.filter(applied_seq=F("ticket__last_seq")).count() == len(ids))

    def wait_for(self, what: str, check: Callable[[], bool], *, pause: float = 0.05, longest: float = LONGEST) -> float:
        """Seconds until ``check`` holds."""
        started = time.monotonic()
        while not check():
            self.stage.check()
            if time.monotonic() - started > longest:
                raise NotThere(f"{what}: not within {longest:.0f} s")
            time.sleep(pause)
        return time.monotonic() - started

    def peak_memory(self) -> int:
        """MiB that the portal's process held at most."""
        lines = Path(f"/proc/{self.portal.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
