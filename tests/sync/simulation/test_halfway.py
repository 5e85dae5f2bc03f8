"""Writes that got halfway and were not answered: what they left comes back, and is no news (INV-25)."""

from datetime import timedelta
from typing import Any

import pytest

from apps.sync.connectors.base import Unreachable
from apps.sync.engine.deciding import decide_work
from apps.sync.engine.settling import settle
from apps.sync.engine.work import Failed, Recover
from apps.sync.services.carrying import carry_out, read_failure
from apps.sync.simulation.connector import Session, SimulatedConnector
from apps.sync.simulation.faults import Coverage
from apps.sync.simulation.profiles import without_log
from apps.sync.simulation.words import PORTAL
from apps.sync.simulation.world import START, World

NAME = "servicenow0"


@pytest.fixture(params=[True, False], ids=["with a log", "without a log"])
def world(request: pytest.FixtureRequest) -> World:
    """A ticket of the hub in a system whose log tells no marks."""
    made = World("halfway", Coverage(), kinds=("servicenow", "jira", "jira"), is_plain=True)
    if not request.param:
        system = made.systems[NAME]
        system.profile = without_log(system.profile)
        made.connectors[NAME] = SimulatedConnector(system, Session())
    made.store.watch = made.store.hears = None
    made.systems[NAME].took = lambda _system, _effect: None
    made.store.add_ticket("T1", "jira1", {"kind": "incident", "title": "#1#"}, START)
    made.store.add_link(made.store.connections[NAME], "T1", now=START)
    return made


def work_once(world: World, *, loses_write: bool = False) -> list[Any]:
    """One round of the connection: what it did. ``loses_write``: its first write arrives, and the answer is lost."""
    connection, store = world.store.connections[NAME], world.port
    links = world.store.claim(connection, now=world.now, most=1)
    decided = decide_work(store, links, connection.rules, now=world.now)
    for link, work in decided:
        settle(
            store, link, work, _carried(world, work, loses_write), rules=connection.rules, now=world.now,
            dice=lambda: 0.5,
        )  # fmt: skip
    world.pass_time(20.0)
    return [work for _link, work in decided]


def _carried(world: World, work: Any, loses_write: bool) -> Any:
    running = carry_out(world.connectors[NAME], work)
    try:
        call = running.send(None)
        while True:
            answer = call.act()
            if loses_write and call.writes:
                call = running.throw(Unreachable("the answer was lost", is_unknown=True))
            call = running.send(answer)
    except StopIteration as stop:
        return stop.value
    except Unreachable as problem:
        return Failed(read_failure(problem))


def run_out(world: World) -> list[Any]:
    worked = []
    while now := work_once(world):
        worked += now
    return worked


def test_what_a_step_without_an_answer_left_is_no_news(world: World) -> None:
    """The title that went with it came back as somebody's, over the newer one of the hub."""
    run_out(world)
    world.store.change("T1", {"status": "resolved", "title": "#2#"}, at=world.now, origin=PORTAL)
    work_once(world, loses_write=True)
    (there,) = world.systems[NAME].tickets.values()
    assert (there.fields["state"], there.fields["short_description"]) == ("2", "#2#")
    world.store.change("T1", {"title": "#3#"}, at=world.now - timedelta(hours=1), origin=PORTAL)
    worked = run_out(world)

    assert [type(one) for one in worked].count(Recover) == 1
    hub = world.store.tickets["T1"]
    assert [entry.seq for entry in hub.journal if entry.origin == NAME and "title" in entry.changes] == []
    assert there.fields["short_description"] == hub.fields["title"] == "#3#"
    if world.connectors[NAME].capabilities.has_change_log:
        assert there.fields["state"] == "6"
        assert not world.store.conflicts


def test_what_a_creation_without_an_answer_began_with_is_no_news(world: World) -> None:
    """Nobody set the status that the system chose; the hub gave way to it."""
    world.store.tickets["T1"].fields["status"] = "resolved"
    work_once(world, loses_write=True)
    world.store.want_looks([(next(iter(world.store.links.values())), "")])
    worked = run_out(world)

    assert [type(one) for one in worked].count(Recover) == 1
    (there,) = world.systems[NAME].tickets.values()
    assert world.store.tickets["T1"].fields["status"] == "resolved"
    assert there.fields["state"] == "6"
    assert not world.store.conflicts
