"""Drills: a system that is down for a day under load, rings of systems in which nothing may go round, ties that must
end alike whatever is heard first, and twin worlds that differ only in what is kept from one system."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..engine.ports import LinkState
from ..engine.rules import Tiebreak
from . import moves, people, restoring
from .braking import play
from .faults import SYSTEMS, Coverage
from .invariants import Broken
from .resting import quiet_day, rest
from .words import PERSON
from .world import Act, World

DAY = 24 * 3600.0
SCHEDULES = 20


@dataclass
class Outcome:
    """What came of a drill: one line for each of its parts."""

    name: str
    seed: str
    size: int = SCHEDULES
    """How large a drill is that comes in sizes."""
    points: int = 50
    """How often the drill on restores puts a database back."""
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: str = ""

    @property
    def is_passed(self) -> bool:
        return not self.broken

    def as_plain(self) -> dict[str, Any]:
        return {"drill": self.name, "seed": self.seed, "parts": self.parts, "broken": self.broken}

    def as_text(self) -> str:
        lines = [f"{part}: {', '.join(f'{name} {value}' for name, value in found.items())}"
                 for part, found in self.parts.items()]  # fmt: skip
        return "\n".join([f"drill {self.name}, seed {self.seed}", *lines, self.broken or "passed"])


def drill(name: str, seed: str, size: int = SCHEDULES, points: int = 50) -> Outcome:
    """Play one drill."""
    outcome = Outcome(name, seed, size, points)
    try:
        DRILLS[name](outcome)
    except Broken as broken:
        outcome.broken = str(broken)
    return outcome


def _outage(outcome: Outcome) -> None:
    """Each system in turn is down for a day while people go on everywhere; afterwards everything is applied, in the
    order in which it happened (INV-5 and INV-6 see to that), and nobody was needed."""
    for down in SYSTEMS:
        world = World(f"{outcome.seed}/outage/{down}", Coverage(), kinds=SYSTEMS, is_plain=True)
        dice, edits = random.Random(f"{outcome.seed}/{down}"), 3 * outcome.size
        _work(world, dice, ACTS_BEFORE, 20.0)
        system = world.systems[f"{down}{SYSTEMS.index(down)}"]
        system.is_down = True
        _work(world, dice, edits, DAY / edits)
        owed, written = _owed(world, system.name), world.watch.written
        system.is_down = False
        back_at = world.seconds
        _let_run(world, PATIENCE)
        left, needed = sum(_owed(world, name) for name in world.systems), _needing_a_person(world)
        outcome.parts[down] = {
            "entries waiting at the end of the outage": owed,
            "entries waiting in the end": left,
            "virtual minutes until applied": round((world.seconds - back_at) / 60, 1),
            "writes that made up for it": world.watch.written - written,
            "lanes and connections that needed a person": needed,
        }
        if not owed or left or needed:
            what = f"{owed} entries waited, {left} still do, {needed} lanes and connections need a person"
            raise Broken(45, "stuck", f"after the outage of {down}: {what}")
        rest(world)


def _owed(world: World, name: str) -> int:
    links = world.store.links_of[name].values()
    return sum(world.store.tickets[one.ticket_id].last_seq - one.applied_seq for one in links if one.ticket_id)


def _needing_a_person(world: World) -> int:
    lanes = sum(one.delivery_hold is not None or one.intake_hold is not None for one in world.store.links.values())
    return lanes + sum(one.state != "active" for one in world.store.connections.values())


ACTS_BEFORE = 15


ACTS = (people.edit_here, people.say_here, people.edit_there, people.say_there, people.attach_here)


def _work(world: World, dice: random.Random, edits: int, pause: float, acts: Sequence[Act] = ACTS) -> None:
    """People do something, time passes, and workers and polls do what they can."""
    for _ in range(edits):
        if len(world.store.tickets) < 3:
            people.open_here(world, dice.getrandbits(16), dice.getrandbits(16), 0)
            for a in range(len(world.store.tickets)):
                for b in range(len(world.systems)):
                    people.share(world, a, b, 0)
        dice.choice(acts)(world, dice.getrandbits(16), dice.getrandbits(16), dice.getrandbits(16))
        _let_run(world, 1)
        world.pass_time(pause)


def _let_run(world: World, patience: int) -> None:
    """Workers and webhooks, as long as any of them can do something; polls whenever they are due."""
    idle = 0
    while idle < patience:
        _all_of(world, "poll")
        if sum(_all_of(world, act) for act in ("settle", "request", "hear", "begin")):
            idle = 0
        else:
            idle += 1
            world.pass_time(PAUSE)


PAUSE = 30.0
PATIENCE = 12
"""Pauses in a row in which nothing happens; together longer than the breaker ever rests."""


def _all_of(world: World, act: str) -> int:
    """Every move of one kind that is possible now; how many that were."""
    made = 0
    while moves.perform(world, (act, 1 if act == "poll" else made, made * 2, 1009)) is not None:
        made += 1
    return made


def _rings(outcome: Outcome) -> None:
    """Three, four and five connections on the same tickets: after a burst of changes a day of quiet writes nothing."""
    for size in (3, 4, 5):
        kinds = tuple(SYSTEMS[place % len(SYSTEMS)] for place in range(size))
        world = World(f"{outcome.seed}/rings/{size}", Coverage(), kinds=kinds, is_plain=True)
        _work(world, random.Random(f"{outcome.seed}/{size}"), 3 * outcome.size, 5.0)
        rest(world)
        written, entered = world.watch.written, world.watch.entered
        _taken, writes, entries = quiet_day(world)
        outcome.parts[f"ring of {size}"] = {
            "writes": written,
            "journal entries": entered,
            "writes in 24 hours of quiet": writes,
            "entries in 24 hours of quiet": entries,
        }
        if writes or entries:
            raise Broken(24, "other", f"ring of {size}: {writes} writes and {entries} entries in a day of quiet")


# --- Ties (INV-22) ----------------------------------------------------------------------------------------------------

UNDER_WAY = ("begin", "request", "settle", "poll", "hear", "kill_worker")


def _ties(outcome: Outcome) -> None:
    """Both sides set a title before either hears of the other, once for each rule: under every schedule the same one
    holds on both sides, and it is the one that the rule names."""
    for kind in SYSTEMS:
        for tiebreak in (Tiebreak.HUB, Tiebreak.SYSTEM, Tiebreak.LATEST):
            for later in ("hub", "system"):
                expected = later if tiebreak is Tiebreak.LATEST else str(tiebreak)
                winners = {_winner(f"{outcome.seed}/{kind}", kind, tiebreak, later, n) for n in range(outcome.size)}
                outcome.parts[f"{kind}, {tiebreak}, the {later} is later"] = {
                    "schedules": outcome.size,
                    "winners": ", ".join(sorted(winners)),
                }
                if winners != {expected}:
                    raise Broken(22, "diverged", f"{kind}: under the rule {tiebreak} {winners} won, not the {expected}")


def _winner(seed: str, kind: str, tiebreak: Tiebreak, later: str, schedule: int) -> str:
    world = World(seed, Coverage(), kinds=(kind,), is_plain=True)
    connection, system = world.store.connections[f"{kind}0"], world.systems[f"{kind}0"]
    fields = tuple(replace(one, tiebreak=tiebreak) for one in connection.rules.fields)
    world.plain_rules[connection.pk] = replace(connection.rules, fields=fields)
    people.publish(world, connection, world.plain_rules[connection.pk])
    people.open_here(world, 0, 0, 0)
    people.share(world, 0, 0, 0)
    _let_run(world, 1)
    (hub,), (there,) = world.store.tickets.values(), system.tickets.values()
    title = system.profile.fields["title"]
    for side in ("system", "hub") if later == "hub" else ("hub", "system"):
        world.pass_time(30.0 + abs(system.skew))  # later by whichever clock
        if side == "hub":
            world.store.change(hub.pk, {"title": "#901#"}, at=world.portal_now(), origin="")
        else:
            system.edit(there, {title: "#902#"}, by=PERSON)
        world.pass_time(30.0)
    dice = random.Random(f"{seed}/{schedule}")
    for _ in range(60):
        moves.perform(world, (dice.choice(UNDER_WAY), dice.getrandbits(16), dice.getrandbits(16), dice.getrandbits(16)))
    rest(world)
    return {"#901#": "hub", "#902#": "system"}.get(str(hub.fields["title"]), str(hub.fields["title"]))


# --- Twins (INV-28) ---------------------------------------------------------------------------------------------------

MORE = " and more of what is none of their business"


def _twins(outcome: Outcome) -> None:
    """Two worlds that differ only in what the rules keep from one system: what reaches it is the same to the letter,
    and to the tenth of a second."""
    for place, kind in enumerate(SYSTEMS):
        plain, twin = (_overhear(outcome, f"{kind}{place}", secret) for secret in ("", MORE))
        differing = sum(one != other for one, other in zip(plain[0], twin[0], strict=False))
        differing += abs(len(plain[0]) - len(twin[0]))
        outcome.parts[kind] = {
            "requests and writes": len(plain[0]),
            "texts kept from it": plain[1],
            "differing": differing,
        }
        if differing:
            pairs = zip([*plain[0], ""], [*twin[0], ""], strict=False)
            one, other = next(pair for pair in pairs if pair[0] != pair[1])
            raise Broken(28, "leaked", f"{kind} can tell: {one!r} in one world, {other!r} in the other")


def _overhear(outcome: Outcome, name: str, secret: str) -> tuple[list[str], int]:
    """What one system hears in a world, and how many texts were kept from it. It never gets internal words of others,
    nor the site."""
    world = World(f"{outcome.seed}/twins/{name}", Coverage(), kinds=SYSTEMS, is_plain=True)
    connection = world.store.connections[name]
    fields = tuple(one for one in connection.rules.fields if one.hub != "custom.site")
    world.plain_rules[name] = replace(connection.rules, fields=fields)
    people.publish(world, connection, world.plain_rules[name])
    for other, rules in list(world.plain_rules.items()):
        talk = replace(rules.conversation, in_internal=None, out_internal="internal")
        world.plain_rules[other] = replace(rules, conversation=talk)
        people.publish(world, world.store.connections[other], world.plain_rules[other])
    world.watch.told, world.kept_from, world.secret = [], name, secret
    dice = random.Random(f"{outcome.seed}/{name}")
    _work(world, dice, 10 * outcome.size, 20.0, (*ACTS, people.edit_here, people.say_here, people.attach_there))
    rest(world)
    return [one for one in world.watch.told if f" {name} " in one], world.secrets


def _restore(outcome: Outcome) -> None:
    """Worlds in which the database is put back to an earlier moment once; half of them without any other fault."""
    found: Counter[str] = Counter()
    for point in range(outcome.points):
        seed = f"{outcome.seed}/restore/{point}"
        world = World(seed, Coverage(), is_plain=point % 2 == 0)
        try:
            copies = restoring.live_through(world, seed)
            rest(world)
            restoring.agree_on_copies(world, copies)
        except Broken as broken:
            raise Broken(broken.number, broken.kind, f"{broken.text} (point {point})") from broken
        found.update(kind for kind, *_rest in world.store.findings)
        found["links still behind"] += sum(
            link.is_behind and link.state in (LinkState.LINKED, LinkState.CREATING)
            for link in world.store.links.values()
        )
    outcome.parts[f"{outcome.points} restores (F57)"] = dict(sorted(found.items()))


DRILLS: dict[str, Callable[[Outcome], None]] = {
    "brake": lambda outcome: play(outcome, _let_run),
    "outage": _outage,
    "restore": _restore,
    "rings": _rings,
    "ties": _ties,
    "twins": _twins,
}
