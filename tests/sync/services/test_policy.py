"""What crosses and what does not: audiences, visibility, conditions, and connections that want the latest state."""

import pytest

from apps.sync.engine.snapshot import Visibility
from apps.sync.models import TicketLink
from apps.tickets import services as tickets
from apps.tickets.models import Comment, Ticket

from .stage import AT, Stage, document, writes

A, B, C = "infinity-architecture", "infinity-projects", "global"


def test_internal_comments_of_the_hub_never_leave(stage: Stage) -> None:
    stage.connect(A)
    stage.connect(B)
    ticket = stage.open(A, B)
    stage.rest()
    stage.say(ticket, A, "between us", "internal")
    stage.rest()
    assert [stage.remote(slug, ticket).comments for slug in (A, B)] == [[], []]


def test_a_comment_to_chosen_parties_reaches_those_and_stays_internal_there(stage: Stage) -> None:
    for slug in (A, B, C):
        stage.connect(slug)
    ticket = stage.open(A, B, C)
    stage.rest()
    stage.say(ticket, A, "for projects only", "chosen", B)
    stage.rest()
    told = {slug: [(said.body, said.visibility) for said in stage.remote(slug, ticket).comments] for slug in (A, B, C)}
    assert told[B] == [("for projects only", Visibility.INTERNAL)]
    assert told[C] == []


def test_internal_comments_of_a_system_stay_in_it(stage: Stage) -> None:
    stage.connect(A)
    stage.connect(B)
    ticket = stage.open(A, B)
    stage.rest()
    stage.person_says(A, ticket, "our secret", Visibility.INTERNAL)
    stage.person_says(A, ticket, "for all")
    stage.rest()
    assert [said.body for said in Comment.objects.all()] == ["for all"]
    assert [said.body for said in stage.remote(B, ticket).comments] == ["for all"]


def test_a_system_without_internal_comments_gets_none(stage: Stage) -> None:
    """What would be internal there would be public instead; so it does not cross."""
    stage.connect(A)
    stage.connect(B, document(inbound={"chosen_comments": "no"}), has_internal_comments=False)
    ticket = stage.open(A, B)
    stage.rest()
    stage.say(ticket, A, "for projects only", "chosen", B)
    stage.rest()
    assert stage.remote(B, ticket).comments == []
    assert stage.link(B, ticket).intents.get(state="withheld").note


def test_a_ticket_that_the_rules_do_not_accept_is_not_created(stage: Stage) -> None:
    stage.connect(A, document(inbound={"when": 'ticket.priority == "high"'}))
    stage.open(A, priority="low")
    high = stage.open(A, priority="high")
    stage.rest()
    assert [link.ticket for link in TicketLink.objects.all()] == [high]


def test_a_ticket_that_the_rules_do_not_send_stays_in_its_system_until_it_fits(stage: Stage) -> None:
    system = stage.connect(A, document(outbound={"when": 'ticket.priority == "high"'}))
    remote = stage.person_opens(A, priority="low")
    stage.rest()
    assert TicketLink.objects.get().state == TicketLink.State.OUT_OF_SCOPE
    assert not Ticket.objects.exists()
    system.edit(remote.ref, {"priority": "high"}, by="Elaine")
    stage.rest()
    assert Ticket.objects.get().priority == "high"


def test_rules_at_sending_time_decide_not_those_of_the_moment_it_was_said(stage: Stage) -> None:
    """What waits in the lane when the rules are tightened does not leave any more (INV-30)."""
    stage.connect(B)
    ticket = stage.open(A, B)
    stage.rest()
    stage.say(ticket, A, "still allowed when said")
    stage.publish(B, document(inbound={"public_comments": "no"}))
    stage.rest()
    assert stage.remote(B, ticket).comments == []


@pytest.mark.parametrize(("mode", "titles"), [("every_change", ["1", "2", "3"]), ("latest_state", ["3"])])
def test_every_change_or_only_the_latest_state_is_written(stage: Stage, mode: str, titles: list[str]) -> None:
    stage.connect(A, document(mode=mode))
    ticket = stage.open(A)
    stage.rest()
    for title in "123":
        stage.edit(ticket, A, title=title)
    stage.rest()
    log = stage.remote(A, ticket).log
    assert [change.fields["title"][1] for change in log if "title" in change.fields] == titles


def test_the_latest_state_still_comes_in_the_order_of_the_comments(stage: Stage) -> None:
    stage.connect(A, document(mode="latest_state"))
    ticket = stage.open(A)
    stage.rest()
    for title in "12":
        stage.edit(ticket, A, title=title)
    stage.say(ticket, A, "between")
    stage.edit(ticket, A, title="3")
    stage.rest()
    log = stage.remote(A, ticket).log
    assert [change.comment.body if change.comment else change.fields["title"][1] for change in log] == [
        "2",
        "between",
        "3",
    ]


def test_the_latest_state_does_not_write_back_what_came_from_there(stage: Stage) -> None:
    """Joined into one, entries keep what an agreement already covers of them."""
    values = {"critical": "critical", "high": "high", "medium": "medium", "low": "low"}
    many = {"priority": {"values": values | {"low": "low"}, "values_back": {"medium": "low"}}}
    stage.connect(A, document(mode="latest_state", fields=many))
    ticket = stage.open(A, priority="high")
    stage.rest()
    stage.person_edits(A, ticket, priority="medium")
    stage.rest()
    ticket.refresh_from_db()
    assert ticket.priority == "low"
    tickets.edit(ticket=ticket, values={"title": "Shop is slow"}, actor=stage.actor(A), at=AT)
    stage.rest()
    stage.sweep()
    assert stage.remote(A, ticket).fields["priority"] == "medium"
    assert {name for change in writes(stage.remote(A, ticket)) for name in change.fields} == {"title"}


def test_a_party_that_joins_later_gets_only_what_its_rules_let_in(stage: Stage) -> None:
    stage.connect(B, document(inbound={"public_comments": "internal"}))
    ticket = stage.open(A)
    stage.say(ticket, A, "before you came")
    stage.share(ticket, B)
    stage.rest()
    (said,) = stage.remote(B, ticket).comments
    assert (said.body, said.visibility) == ("before you came", Visibility.INTERNAL)
