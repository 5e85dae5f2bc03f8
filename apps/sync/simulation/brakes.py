"""Grave acts in memory: the store's part of the brake, and the parties who answer about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..engine.grave import WINDOW_SECONDS, GraveAct, Standing, Tally, Undo, undo_of
from ..engine.ports import LinkRow, LinkState
from .hub import MemoryHub
from .rows import Row
from .words import PORTAL

WINDOW = timedelta(seconds=WINDOW_SECONDS)
REMEMBERED = timedelta(days=14)


@dataclass(eq=False)
class SimulatedBrake(Row):
    """A brake that tripped; in force until it is released or over."""

    pk: int
    connection: str
    act: GraveAct
    reason: str
    tripped_at: datetime
    is_in_force: bool = True


@dataclass(eq=False)
class SimulatedGrave(Row):
    """One grave act on one link."""

    link_pk: str
    connection: str
    act: GraveAct
    standing: Standing
    at: datetime
    brake: int | None = None

    def is_like(self, other: GraveAct) -> bool:
        return (self.act.kind, self.act.into) == (other.kind, other.into)


class MemoryBrakes(MemoryHub):
    """What is counted of grave acts. A connection without a handful has no brake."""

    links: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.brakes: dict[int, SimulatedBrake] = {}
        self.grave: list[SimulatedGrave] = []

    def tally(self, link: LinkRow, act: GraveAct, *, now: datetime) -> Tally | None:
        handful = link.connection.handful
        if handful is None:
            return None
        like = [one for one in self.grave if one.connection == link.connection.pk and one.is_like(act)]
        answers = (Standing.ALLOWED, Standing.REFUSED)
        for one in reversed(like):
            if one.link_pk == link.pk and one.act.key == act.key and one.standing in answers:
                return Tally(answer=one.standing)
        if self._brake(link.connection.pk, act) is not None:
            return Tally(is_braked=True)
        counted = [one for one in like if one.brake is None and one.standing is Standing.CARRIED_OUT]
        recent = {one.link_pk for one in counted if one.at > now - WINDOW and one.link_pk != link.pk}
        return Tally(len(recent), _busiest(counted, now), handful)

    def _brake(self, connection: str, act: GraveAct) -> SimulatedBrake | None:
        for one in self.brakes.values():
            is_like = (one.act.kind, one.act.into) == (act.kind, act.into)
            if one.is_in_force and one.connection == connection and is_like:
                return one
        return None

    def note_grave(self, link: LinkRow, act: GraveAct, standing: Standing, *, now: datetime) -> None:
        if link.connection.handful is None:
            return
        wanted = Standing.REFUSED if standing is Standing.PUT_BACK else Standing.ALLOWED
        for one in self.grave:
            if one.link_pk == link.pk and one.is_like(act) and one.act.key == act.key and one.standing is wanted:
                self.update(one, standing=standing)
                return
        if standing is Standing.CARRIED_OUT:
            self.grow(self.grave, SimulatedGrave(link.pk, link.connection.pk, act, standing, now))

    def trip(self, link: LinkRow, act: GraveAct, reason: str, *, now: datetime) -> None:
        made = SimulatedBrake(len(self.brakes) + 1, link.connection.pk, act, reason, now)
        self.put(self.brakes, made.pk, made)
        for one in self.grave:
            is_recent = one.standing is Standing.CARRIED_OUT and one.brake is None and one.at > now - WINDOW
            if is_recent and one.connection == made.connection and one.is_like(act):
                self.update(one, brake=made.pk)

    def stop(self, link: LinkRow, act: GraveAct, *, now: datetime) -> str:
        brake = self._brake(link.connection.pk, act)
        assert brake is not None
        for one in self.acts_of(brake, Standing.STOPPED):
            if one.link_pk == link.pk and one.act.key == act.key:
                self.update(one, act=act, at=now)
                break
        else:
            self.grow(self.grave, SimulatedGrave(link.pk, link.connection.pk, act, Standing.STOPPED, now, brake.pk))
        return str(link.connection.parties.owner)

    def acts_of(self, brake: SimulatedBrake, standing: Standing) -> Iterator[SimulatedGrave]:
        return (one for one in list(self.grave) if one.brake == brake.pk and one.standing is standing)

    # --- What the parties do ------------------------------------------------------------------------------------------

    def let_through(self, brake: SimulatedBrake, now: datetime) -> None:
        """Both agreed: what is listed goes on."""
        with self.atomic():
            self.update(brake, is_in_force=False)
            for one in self.acts_of(brake, Standing.STOPPED):
                self.update(one, standing=Standing.ALLOWED)
                self._resume(one, now)

    def put_all_back(self, brake: SimulatedBrake, now: datetime) -> None:
        """It was a fault: what was carried out is undone, what was stopped never happens."""
        with self.atomic():
            for one in self.acts_of(brake, Standing.CARRIED_OUT):
                self._put_one_back(one, now)
            for one in self.acts_of(brake, Standing.STOPPED):
                self.update(one, standing=Standing.REFUSED)
                self._resume(one, now)

    def _put_one_back(self, one: SimulatedGrave, now: datetime) -> None:
        link = self.links[one.link_pk]
        undo = undo_of(one.act, self.tickets[link.ticket_id].fields.get(one.act.field, ""))
        if undo is Undo.ENTRY:
            self.change(link.ticket_id, {one.act.field: one.act.hub_before}, at=now, origin=PORTAL)
        elif undo is Undo.REPAIR:
            self.update(link, repair=sorted({*link.repair, one.act.key}))
        elif undo is Undo.LOOK:
            self.update(link, state=LinkState.LINKED, look_wanted=link.look_wanted + 1, compare_wanted=True)
        self.update(link, due_at=now)
        self.update(one, standing=Standing.PUT_BACK)

    def _resume(self, one: SimulatedGrave, now: datetime) -> None:
        """Let the lane be judged again."""
        self.update(
            self.links[one.link_pk],
            delivery_hold=None,
            intake_hold=None,
            due_at=now,
            look_wanted=self.links[one.link_pk].look_wanted + 1,
        )


def _busiest(counted: list[SimulatedGrave], now: datetime) -> int:
    """The most tickets within one window of the last two weeks, without the present one."""
    present = int(now.timestamp()) // WINDOW_SECONDS
    tickets: dict[int, set[str]] = {}
    for one in counted:
        window = int(one.at.timestamp()) // WINDOW_SECONDS
        if window < present - 1 and one.at > now - REMEMBERED:
            tickets.setdefault(window, set()).add(one.link_pk)
    return max(map(len, tickets.values()), default=0)
