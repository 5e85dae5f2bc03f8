"""The drill of the brake: releases and systems gone wrong stop after a handful, and nothing is lost either way (M10).

In each kind of system, for each fault: once both parties let it through and everything is applied, and once it is put
back and everything is as before.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..engine.grave import OVER, Standing
from ..engine.linking import offer_ticket
from ..engine.ports import LinkState
from ..engine.rules import SyncRules, Unmapped, into_system
from ..engine.snapshot import reads_same
from .faults import SYSTEMS, Coverage
from .invariants import Broken
from .profiles import PROFILES
from .system import RemoteTicket, SimulatedSystem
from .words import PERSON, PORTAL
from .world import World

if TYPE_CHECKING:
    from .drills import Outcome

REOPENS = tuple(name for name in SYSTEMS if not PROFILES[name].final)
"""Systems from which a ticket comes back: what is put back reaches the second system, too."""
TICKETS = 40
HANDFUL = 10
SITE = "custom.site"
BEFORE, AFTER = "Berlin", "Rome"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong with everything at once. ``begin`` makes it so and ``mend`` ends its cause."""

    name: str
    begin: Callable[["Scene"], None]
    mend: Callable[["Scene"], None]
    met: Callable[["Scene"], int]
    """How many tickets it has reached where it does harm."""


@dataclass
class Scene:
    """A world with many tickets in a system and in a second one."""

    world: World
    ill: SimulatedSystem
    well: SimulatedSystem
    let_run: Callable[[World, int], None]

    @property
    def connection(self) -> Any:
        return self.world.store.connections[self.ill.name]

    def fields(self, system: SimulatedSystem, hub: str) -> list[Any]:
        """A field of every ticket as one system has it."""
        return [self.remote(system, one).fields[system.profile.fields[hub]] for one in self.world.store.tickets]

    def remote(self, system: SimulatedSystem, ticket_id: str) -> RemoteTicket:
        links = self.world.store.links_of[system.name].values()
        return system.tickets[next(link.external_id for link in links if link.ticket_id == ticket_id)]

    def here(self, hub: str) -> list[Any]:
        return [ticket.fields[hub] for ticket in self.world.store.tickets.values()]

    def edit(self, system: SimulatedSystem, hub: str, value: str) -> None:
        """People write a field of every ticket."""
        for ticket_id in self.world.store.tickets:
            system.edit(self.remote(system, ticket_id), {system.profile.fields[hub]: value}, by=PERSON)

    def publish(self, change: Callable[[SyncRules], SyncRules]) -> None:
        rules = change(self.world.plain_rules[self.ill.name])
        self.world.store.update(self.connection, rules=replace(rules, version=self.connection.rules.version + 1))

    def run(self) -> None:
        self.let_run(self.world, 12)


def play(outcome: "Outcome", let_run: Callable[[World, int], None]) -> None:
    """Every fault in every kind of system, let through and put back."""
    for kind in SYSTEMS:
        for fault in FAULTS:
            figures = {}
            for ending in (_let_through, _put_back):
                scene = _prepare(f"{outcome.seed}/{kind}/{fault.name}", kind, let_run)
                figures["carried out before it stopped"] = _meet(scene, fault)
                figures["stopped"] = len(_acts(scene, Standing.STOPPED))
                ending(scene, fault)
            outcome.parts[f"{fault.name} in {kind}"] = figures | {"let through": "all", "put back": "all"}


def _prepare(seed: str, kind: str, let_run: Callable[[World, int], None]) -> Scene:
    other = next(one for one in REOPENS if one is not kind)
    world = World(seed, Coverage(), kinds=(kind, other), is_plain=True)
    ill, well = world.systems.values()
    for _ in range(TICKETS):
        values = {"kind": "incident", "title": f"Ticket {len(world.store.tickets)}", SITE: BEFORE}
        with world.store.atomic():
            made = world.store.open_here(ill.name, values, at=world.now)
        for connection in world.store.connections.values():
            offer_ticket(world.port, connection, made.pk, connection.rules, now=world.now)
    scene = Scene(world, ill, well, let_run)
    scene.run()
    for ticket_id in world.store.tickets:
        world.store.change(ticket_id, {"status": "in_progress"}, at=world.now, origin=PORTAL)
    scene.run()
    for connection in world.store.connections.values():
        world.store.update(connection, handful=HANDFUL)
    _check_agreed(scene)
    return scene


def _meet(scene: Scene, fault: Fault) -> int:
    fault.begin(scene)
    scene.run()
    met, stopped = fault.met(scene), len(_acts(scene, Standing.STOPPED))
    if met > HANDFUL:
        raise Broken(26, "lost", f"{fault.name} reached {met} tickets before anybody was asked")
    if met + stopped != TICKETS:
        raise Broken(26, "lost", f"{fault.name}: {met} tickets met and {stopped} listed of {TICKETS}")
    return met


def _acts(scene: Scene, standing: Standing) -> list[Any]:
    return [one for brake in scene.world.store.brakes.values() for one in scene.world.store.acts_of(brake, standing)]


def _let_through(scene: Scene, fault: Fault) -> None:
    """Both parties agree, as often as they are asked."""
    for _ in range(TICKETS):
        asked = [one for one in scene.world.store.brakes.values() if one.is_in_force]
        for brake in asked:
            scene.world.store.let_through(brake, scene.world.now)
        scene.run()
        if not asked:
            break
    met = fault.met(scene)
    if met != TICKETS or _held(scene):
        raise Broken(26, "stuck", f"{fault.name}: {met} of {TICKETS} went through after all agreed; {_held(scene)}")


def _put_back(scene: Scene, fault: Fault) -> None:
    """It was a fault: its cause is mended, and what it did is undone."""
    scene.run()
    fault.mend(scene)
    for brake in list(scene.world.store.brakes.values()):
        scene.world.store.put_all_back(brake, scene.world.now)
    scene.run()
    met = fault.met(scene)
    if met or _held(scene):
        raise Broken(26, "lost", f"{fault.name}: {met} tickets are not as before; {_held(scene)}")
    _check_agreed(scene)


def _held(scene: Scene) -> list[str]:
    links = scene.world.store.links.values()
    holds = [hold for link in links for hold in (link.delivery_hold, link.intake_hold) if hold is not None]
    return sorted({str(hold["text"]) for hold in holds})


def _check_agreed(scene: Scene) -> None:
    """Hub and both systems say the same of every ticket."""
    for system in (scene.ill, scene.well):
        for rule in scene.world.plain_rules[system.name].fields:
            if rule.hub not in (SITE, "status"):
                continue
            for here, there in zip(scene.here(rule.hub), scene.fields(system, rule.hub), strict=True):
                if not reads_same(into_system(rule, here).value, there):
                    raise Broken(26, "diverged", f"{rule.hub}: {here!r} in the hub, {there!r} in {system.name}")


# --- What goes wrong --------------------------------------------------------------------------------------------------


def _empties(rules: SyncRules) -> SyncRules:
    fields = tuple(
        replace(one, to_system={"": ""}, unmapped=Unmapped.DEFAULT, default_in_system="") if one.hub == SITE else one
        for one in rules.fields
    )
    return replace(rules, fields=fields)


def _closes(rules: SyncRules) -> SyncRules:
    fields = tuple(
        replace(one, to_hub=dict.fromkeys(one.to_hub or {}, "closed")) if one.hub == "status" else one
        for one in rules.fields
    )
    return replace(rules, fields=fields)


def _release_that_empties(scene: Scene) -> None:
    scene.publish(_empties)
    scene.edit(scene.well, SITE, AFTER)


def _upgrade_that_closes(scene: Scene) -> None:
    scene.publish(_closes)
    statuses = scene.ill.profile.to_system
    has_no_waiting = statuses["pending"] == statuses["in_progress"]
    scene.edit(scene.ill, "status", str(statuses["resolved" if has_no_waiting else "pending"]))


def _hide(scene: Scene, is_hidden: bool) -> None:
    for ticket in scene.ill.tickets.values():
        scene.ill.set_flags(ticket, is_deleted=is_hidden)


def _detached(scene: Scene) -> int:
    return sum(link.state == LinkState.DETACHED for link in scene.world.store.links.values())


FAULTS = (
    Fault(
        "rules that empty a field",
        _release_that_empties,
        lambda scene: scene.publish(lambda rules: rules),
        lambda scene: sum(value in ("", None) for value in scene.fields(scene.ill, SITE)),
    ),
    Fault(
        "a field gone empty",
        lambda scene: scene.edit(scene.ill, SITE, ""),
        lambda _scene: None,
        lambda scene: scene.here(SITE).count(""),
    ),
    Fault(
        "tickets gone",
        lambda scene: _hide(scene, True),
        lambda scene: _hide(scene, False),
        _detached,
    ),
    Fault(
        "every status read as closed",
        _upgrade_that_closes,
        lambda scene: scene.publish(lambda rules: rules),
        lambda scene: sum(status in OVER for status in scene.here("status")),
    ),
)
