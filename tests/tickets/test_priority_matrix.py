"""The printed priority matrix (T96): sixteen cells, and it is not symmetric."""

import pytest

from apps.ecosystem.models import Organization
from apps.tickets import services as tickets
from apps.tickets.models import PriorityCell
from apps.tickets.selectors import priority_for, priority_matrix, representative_of
from siamportal.cast import load_cast

from .desk import AT, Desk

PRINTED = {
    (1, 1): "critical",
    (1, 2): "critical",
    (1, 3): "high",
    (1, 4): "high",
    (2, 1): "critical",
    (2, 2): "high",
    (2, 3): "high",
    (2, 4): "medium",
    (3, 1): "high",
    (3, 2): "medium",
    (3, 3): "medium",
    (3, 4): "medium",
    (4, 1): "low",
    (4, 2): "low",
    (4, 3): "low",
    (4, 4): "low",
}


@pytest.fixture
def customer(db: None) -> Organization:
    return load_cast(password=None).organizations["infinity"]


@pytest.mark.parametrize(("urgency", "impact", "priority"), [(*cell, word) for cell, word in PRINTED.items()])
def test_urgency_and_impact_give_the_printed_priority(
    customer: Organization, urgency: int, impact: int, priority: str
) -> None:
    assert priority_for(customer.pk, impact=impact, urgency=urgency) == priority


def test_the_matrix_is_not_symmetric(customer: Organization) -> None:
    assert priority_for(customer.pk, impact=1, urgency=4) == "low"
    assert priority_for(customer.pk, impact=4, urgency=1) == "high"


def test_a_customers_own_cell_comes_before_the_printed_one(customer: Organization) -> None:
    PriorityCell.objects.create(customer=customer, urgency=4, impact=1, priority="medium")
    assert priority_for(customer.pk, impact=1, urgency=4) == "medium"
    assert len(priority_matrix(customer.pk)) == 16


@pytest.mark.parametrize("priority", ["critical", "high", "medium", "low"])
def test_a_priority_given_alone_picks_a_pair_that_gives_it(customer: Organization, priority: str) -> None:
    impact, urgency = representative_of(customer.pk, priority)
    assert priority_for(customer.pk, impact=impact, urgency=urgency) == priority


def test_a_priority_that_no_cell_gives_is_refused_with_the_choices(customer: Organization) -> None:
    PriorityCell.objects.filter(priority="medium").update(priority="high")
    with pytest.raises(LookupError, match="critical, high, medium, low"):
        representative_of(customer.pk, "medium")


def test_impact_and_urgency_decide_the_priority_of_a_ticket(desk: Desk) -> None:
    ticket = desk.open()
    tickets.assess(ticket=ticket, impact=4, urgency=1, actor=desk.elaine, at=AT)
    assert (ticket.impact, ticket.urgency, ticket.priority) == (4, 1, "high")


def test_a_priority_moves_impact_and_urgency_to_a_pair_that_gives_it(desk: Desk) -> None:
    ticket = desk.open()
    event = tickets.prioritize(ticket=ticket, priority="critical", actor=desk.elaine, at=AT)
    assert event is not None
    assert (ticket.impact, ticket.urgency, ticket.priority) == (1, 1, "critical")
    assert set(event.changes) == {"impact", "urgency", "priority"}


def test_a_priority_that_the_present_pair_gives_changes_nothing(desk: Desk) -> None:
    ticket = desk.open(impact=1, urgency=3)
    assert ticket.priority == "high"
    assert tickets.prioritize(ticket=ticket, priority="high", actor=desk.elaine, at=AT) is None
    assert (ticket.impact, ticket.urgency) == (1, 3)
