"""Lanes that fail for ever, and systems that do not answer, until they are healed."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from apps.sync.models import ConnectionPulse, TicketLink

from .crossing import TARGET, Crossing
from .flood import entries_left, open_tickets, write

WAYS = 5
SPOILT = {"title": "no agreement"}
HANGING = ("jira", "zendesk")
FOR_EVER = 3600.0
OF_THE_VENDOR = "^/(?!_control)"


class Poison:
    """The poisoned lanes of the target, as many for each way of failing."""

    def __init__(self, crossing: Crossing, ids: Sequence[str]) -> None:
        self._crossing = crossing
        self._door = crossing.stage.doors[TARGET]
        self._links = list(crossing.links_there(ids))
        self._faults: list[int] = []

    def work(self) -> None:
        """The poisoned lanes are edited with the others."""

    def give(self) -> None:
        refused, broken, unreadable, silent, ours = (self._links[way::WAYS] for way in range(WAYS))
        faults: list[tuple[list[TicketLink], dict[str, Any]]] = [
            (refused, {"kind": "status", "status": 400, "method": "PATCH"}),
            (broken, {"kind": "status", "status": 500, "method": "PATCH"}),
            (unreadable, {"kind": "html"}),
            (silent, {"kind": "slow", "seconds": FOR_EVER, "method": "PATCH"}),
        ]
        for links, fault in faults:
            numbers = "|".join(link.external_id for link in links)
            self._faults.append(self._door.switch_on(path=f"(?i)/workitems/({numbers})(/|$)", **fault))
        self._crossing.slow_down()
        TicketLink.objects.filter(pk__in=[link.pk for link in ours]).update(merge_base=SPOILT)

    def state(self) -> dict[str, int]:
        """How the poisoned lanes stand: held for a person, tried again and again, or waiting for an answer."""
        rows = TicketLink.objects.filter(pk__in=[link.pk for link in self._links])
        held = rows.exclude(delivery_hold=None, intake_hold=None)
        waiting = rows.exclude(claimed_until=None)
        return {"held": held.count(), "tried_again": rows.filter(attempts__gt=0).count(), "waiting": waiting.count()}

    def heal(self) -> None:
        for fault in self._faults:
            self._door.switch_off(fault)
        self._faults.clear()
        for link in self._links:
            rows = TicketLink.objects.filter(pk=link.pk)
            rows.filter(merge_base=SPOILT).update(merge_base=link.merge_base)
            rows.update(delivery_hold=None, intake_hold=None, attempts=0, due_at=timezone.now())


class Hang:
    """Two systems besides that take every call and answer none, with tickets to be edited in them."""

    def __init__(self, crossing: Crossing, tickets: int) -> None:
        self._crossing = crossing
        self._opened = {name: open_tickets(crossing, name, tickets) for name in HANGING}
        self._faults: dict[str, int] = {}

    def work(self) -> None:
        for opened in self._opened.values():
            write(opened, 1)

    def give(self) -> None:
        for name in HANGING:
            door = self._crossing.stage.doors[name]
            self._faults[name] = door.switch_on(kind="slow", seconds=FOR_EVER, path=OF_THE_VENDOR)

    def state(self) -> dict[str, int]:
        """What the systems that hang have not got, and how many of their lanes wait for an answer."""
        waiting = TicketLink.objects.exclude(claimed_until=None).filter(
            connection__in=[self._crossing.connections[name] for name in HANGING]
        )
        left = sum(entries_left(self._crossing, name) for name in HANGING)
        return {"entries_left": left, "waiting": waiting.count()}

    def heal(self) -> None:
        for name, fault in self._faults.items():
            self._crossing.stage.doors[name].switch_off(fault)
        self._faults.clear()
        for name in HANGING:
            connection = self._crossing.connections[name]
            ConnectionPulse.objects.filter(connection=connection).update(failures=0, resting_until=None)
            TicketLink.objects.filter(connection=connection, due_at__gt=timezone.now()).update(due_at=timezone.now())
        left = [name for name in HANGING if entries_left(self._crossing, name)]
        for name in left:
            self._crossing.wait_for(name, lambda: not entries_left(self._crossing, name), pause=0.5)  # noqa: B023
