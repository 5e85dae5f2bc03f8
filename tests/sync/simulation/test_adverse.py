"""What makes simulated worlds adverse enough to catch what is broken."""

import pytest

from apps.sync.connectors.base import RateLimited, TicketMerged
from apps.sync.simulation.accidents import trouble_ticket
from apps.sync.simulation.faults import Coverage, wire_faults
from apps.sync.simulation.moves import perform
from apps.sync.simulation.people import import_there
from apps.sync.simulation.profiles import JIRA, PROFILES, with_slow_index
from apps.sync.simulation.words import PERSON
from apps.sync.simulation.workers import Poll, poll_on
from apps.sync.simulation.world import World


def test_somebody_merges_into_a_ticket_whose_creation_is_under_way() -> None:
    world = World("merges", Coverage(), kinds=("zendesk", "jira"), is_plain=True)
    system = world.systems["zendesk0"]
    older = system.open({"subject": "VPN drops"}, by=PERSON)
    world.store.open_here("jira1", {"kind": "incident", "title": "#1#", "priority": "low"}, at=world.now)
    perform(world, ("share", 0, 0, 0))
    perform(world, ("begin", 0, 0, 0))
    perform(world, ("request", 0, 0, 0))
    (new,) = [one for one in system.tickets.values() if one is not older]
    trouble_ticket(world, 0, 2048, 0)
    with pytest.raises(TicketMerged) as merged:
        system.get(older.id)
    assert merged.value.into == new.ref


def test_a_slow_index_is_one_that_its_connector_knows_of_and_whose_overlap_it_does_not_use_up() -> None:
    for profile in PROFILES.values():
        slow = with_slow_index(profile)
        assert slow.index_lag <= slow.capabilities.index_lag_seconds < slow.capabilities.overlap_seconds
    assert with_slow_index(JIRA).index_lag > JIRA.index_lag


def test_answers_of_writes_are_lost_most_often() -> None:
    for operation in ("create", "update", "comment", "attachment"):
        numbers = [one.number for one in wire_faults()[operation]]
        assert max(numbers, key=numbers.count) in (1, 3, 4)


def test_who_lists_an_import_is_sent_away_in_the_middle_of_it() -> None:
    world = World("imports", Coverage(), kinds=("servicenow",), is_plain=True)
    world.rate = 1
    connection, system = world.store.connections["servicenow0"], world.systems["servicenow0"]
    poll = Poll(connection, world.store.cursor(connection))
    poll_on(world, poll)
    world.polls.append(poll)
    assert import_there(world, 0, 0, 0) is not None
    assert poll.call is not None
    answer, problem = world.serve(connection, poll.call, 1023)
    assert (len(answer.tickets), answer.is_last, problem) == (3, False, None)
    assert poll_on(world, poll, answer)
    answer, problem = world.serve(connection, poll.call, 1023)
    assert isinstance(problem, RateLimited)
    before = len(system.tickets)
    assert import_there(world, 0, 0, 0) is not None
    assert len(system.tickets) == before + 1
    answer, problem = world.serve(connection, poll.call, 1023)
    assert problem is None
