"""A status to which the system's workflow does not lead, and what the rules name instead."""

from apps.sync.models import TicketLink
from apps.tickets.actor import Source
from apps.tickets.services import receive_changes

from .stage import AT, Stage, document

A = "infinity-architecture"
SECOND_BEST = document(fields={"status": {"otherwise": {"new": "in progress"}}})


def new_again(stage: Stage, *, rules: dict | None = None) -> TicketLink:  # type: ignore[type-arg]
    """A ticket that was at work in the system and that the hub holds for new again."""
    stage.connect(A, rules)
    ticket = stage.open(A)
    stage.rest()
    for number, status in enumerate(("in_progress", "resolved", "new")):
        # Another party's system, whose workflow allows it.
        source = Source("elsewhere", f"T-1:{number}")
        receive_changes(ticket=ticket, values={"status": status}, actor=stage.actor(A), at=AT, source=source)
        stage.rest()
    return stage.link(A, ticket)


def test_the_lane_waits_where_the_rules_name_none(stage: Stage) -> None:
    link = new_again(stage)
    assert link.delivery_hold is not None
    assert "no way from resolved to new" in link.delivery_hold["text"]


def test_is_taken_and_counts_as_agreed(stage: Stage) -> None:
    link = new_again(stage, rules=SECOND_BEST)
    ticket = link.ticket
    assert ticket is not None
    assert (link.delivery_hold, link.applied_seq) == (None, ticket.last_seq)
    assert stage.remote(A, ticket).fields["status"] == "in progress"
    stage.sweep()
    stage.rest()
    ticket.refresh_from_db()
    assert ticket.status == "new", "our own second best is no news from the system"
    written = stage.remote(A, ticket).version
    stage.rest()
    assert stage.remote(A, ticket).version == written


def test_a_change_there_afterwards_is_news(stage: Stage) -> None:
    link = new_again(stage, rules=SECOND_BEST)
    assert link.ticket is not None
    stage.person_edits(A, link.ticket, status="resolved", resolution="fixed")
    stage.rest()
    link.ticket.refresh_from_db()
    assert link.ticket.status == "resolved"
