"""Lanes that fail for ever, until they are healed."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from apps.sync.models import TicketLink

from .crossing import TARGET, Crossing

WAYS = 4
SPOILT = {"title": "no agreement"}


class Poison:
    """The poisoned lanes of the target, a quarter of them for each way of failing."""

    def __init__(self, crossing: Crossing, ids: Sequence[str]) -> None:
        self._crossing = crossing
        self._door = crossing.stage.doors[TARGET]
        self._links = list(crossing.links_there(ids))
        self._faults: list[int] = []

    def give(self) -> None:
        refused, broken, unreadable, ours = (self._links[way::WAYS] for way in range(WAYS))
        faults: list[tuple[list[TicketLink], dict[str, Any]]] = [
            (refused, {"kind": "status", "status": 400, "method": "PATCH"}),
            (broken, {"kind": "status", "status": 500, "method": "PATCH"}),
            (unreadable, {"kind": "html"}),
        ]
        for links, fault in faults:
            numbers = "|".join(link.external_id for link in links)
            self._faults.append(self._door.switch_on(path=f"(?i)/workitems/({numbers})(/|$)", **fault))
        self._crossing.slow_down()
        TicketLink.objects.filter(pk__in=[link.pk for link in ours]).update(merge_base=SPOILT)

    def failing(self) -> dict[str, int]:
        """How the poisoned lanes stand: held for a person, or tried again and again."""
        rows = TicketLink.objects.filter(pk__in=[link.pk for link in self._links])
        held = rows.exclude(delivery_hold=None, intake_hold=None)
        return {"held": held.count(), "tried_again": rows.filter(attempts__gt=0).count()}

    def heal(self) -> None:
        for fault in self._faults:
            self._door.switch_off(fault)
        self._faults.clear()
        for link in self._links:
            rows = TicketLink.objects.filter(pk=link.pk)
            rows.filter(merge_base=SPOILT).update(merge_base=link.merge_base)
            rows.update(delivery_hold=None, intake_hold=None, attempts=0, due_at=timezone.now())
