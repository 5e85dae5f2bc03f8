"""Both sides changed a field: who wins, what is asked, and how the loser comes back (INV-22, INV-23)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.access.kernel import NotVisible
from apps.sync import services as sync
from apps.sync.models import Conflict, TicketLink
from apps.sync.services import NothingWaits
from apps.tickets.models import Ticket

from .stage import AT, Stage, document, journal

A, B = "infinity-architecture", "infinity-projects"
EARLY = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
LATE = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def collide(stage: Stage, tiebreak: str, *, at: datetime = AT) -> Ticket:
    """A title changed here and there since both sides last agreed."""
    stage.connect(A, document(fields={"title": {"tiebreak": tiebreak}}))
    ticket = stage.open(A)
    stage.rest()
    stage.person_edits(A, ticket, title="theirs")
    stage.edit(ticket, A, title="ours", at=at)
    stage.rest()
    ticket.refresh_from_db()
    return ticket


@pytest.mark.parametrize(
    ("tiebreak", "at", "winner"),
    [("hub", EARLY, "ours"), ("system", LATE, "theirs"), ("latest", EARLY, "theirs"), ("latest", LATE, "ours")],
)
def test_the_rule_says_who_wins_and_the_loser_is_kept(stage: Stage, tiebreak: str, at: datetime, winner: str) -> None:
    ticket = collide(stage, tiebreak, at=at)
    conflict = Conflict.objects.get()
    assert (ticket.title, stage.remote(A, ticket).fields["title"]) == (winner, winner)
    assert (conflict.hub_value, conflict.system_value, conflict.author) == ("ours", "theirs", "Elaine")
    assert not conflict.is_open
    loser = {"ours": "theirs", "theirs": "ours"}[winner]
    assert any(loser in event.text for event in journal(ticket))


def test_a_question_holds_both_values_until_somebody_answers(stage: Stage) -> None:
    ticket = collide(stage, "ask")
    link = stage.link(A, ticket)
    assert (ticket.title, stage.remote(A, ticket).fields["title"]) == ("ours", "theirs")
    assert link.delivery_hold["cause"] == "conflict"
    assert Conflict.objects.get().is_open


@pytest.mark.parametrize(("choice", "winner"), [("hub", "ours"), ("system", "theirs")])
def test_an_answer_makes_both_sides_equal(stage: Stage, choice: str, winner: str) -> None:
    ticket = collide(stage, "ask")
    sync.settle_conflict(conflict=Conflict.objects.get(), choice=choice, actor=stage.actor(A), at=AT)
    stage.rest()
    stage.sweep()
    ticket.refresh_from_db()
    assert (ticket.title, stage.remote(A, ticket).fields["title"]) == (winner, winner)
    assert stage.link(A, ticket).delivery_hold is None


def test_an_answer_for_the_hub_is_written_even_if_no_entry_brings_it_any_more(stage: Stage) -> None:
    """The entry was kept back, and a comparison of whole tickets asked."""
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.edit(ticket, A, title="ours")
    link = stage.link(A, ticket)
    TicketLink.objects.filter(pk=link.pk).update(applied_seq=link.ticket.last_seq)
    asked = Conflict.objects.create(
        link=link,
        rule_key="title=title",
        hub_value="ours",
        system_value="theirs",
        verdict="ask",
        at=AT,
        recorded_at=AT,
        is_open=True,
    )
    sync.settle_conflict(conflict=asked, choice="hub", actor=stage.actor(A), at=AT)
    stage.rest()
    assert stage.remote(A, ticket).fields["title"] == "ours"


@pytest.mark.parametrize(("tiebreak", "choice", "loser"), [("system", "hub", "ours"), ("hub", "system", "theirs")])
def test_a_value_that_lost_can_be_put_back_with_one_act(stage: Stage, tiebreak: str, choice: str, loser: str) -> None:
    """On both sides, and the next sweep does not undo it."""
    ticket = collide(stage, tiebreak)
    sync.settle_conflict(conflict=Conflict.objects.get(), choice=choice, actor=stage.actor(A), at=AT)
    stage.rest()
    stage.sweep()
    ticket.refresh_from_db()
    assert (ticket.title, stage.remote(A, ticket).fields["title"]) == (loser, loser)


def test_a_retry_does_not_answer_a_question(stage: Stage) -> None:
    """Pressing *retry* must not write one side's value over the other's."""
    ticket = collide(stage, "ask")
    link = stage.link(A, ticket)
    sync.retry_lanes(connection=link.connection, links=[link.pk], actor=stage.actor(A), at=AT)
    stage.rest()
    assert stage.remote(A, ticket).fields["title"] == "theirs"
    assert stage.link(A, ticket).delivery_hold["cause"] == "conflict"


def test_a_question_is_not_skipped(stage: Stage) -> None:
    ticket = collide(stage, "ask")
    with pytest.raises(NothingWaits):
        sync.skip_entry(link=stage.link(A, ticket), actor=stage.actor(A), at=AT, reason="never mind")


def test_a_newer_question_about_the_same_field_takes_the_place_of_the_older(stage: Stage) -> None:
    ticket = collide(stage, "ask")
    stage.person_edits(A, ticket, title="theirs again")
    stage.rest()
    (conflict,) = Conflict.objects.filter(is_open=True)
    assert conflict.system_value == "theirs again"
    sync.settle_conflict(conflict=conflict, choice="system", actor=stage.actor(A), at=AT)
    stage.rest()
    ticket.refresh_from_db()
    assert (ticket.title, stage.remote(A, ticket).fields["title"]) == ("theirs again", "theirs again")


def test_equal_changes_on_both_sides_are_no_conflict(stage: Stage) -> None:
    stage.connect(A, document(fields={"title": {"tiebreak": "ask"}}))
    ticket = stage.open(A)
    stage.rest()
    stage.person_edits(A, ticket, title="the same")
    stage.edit(ticket, A, title="the same")
    before = len(stage.remote(A, ticket).log)
    stage.rest()
    assert not Conflict.objects.exists()
    assert len(stage.remote(A, ticket).log) == before


def test_an_edit_that_our_write_replaced_unseen_is_kept_as_a_conflict(stage: Stage) -> None:
    """Systems without an atomic precondition let it happen; it must not pass without a record."""
    stage.connect(A, has_atomic_precondition=False)
    ticket = stage.open(A)
    stage.rest()
    stage.edit(ticket, A, title="ours")
    system: Any = stage.systems[A]
    remote = stage.remote(A, ticket)
    real = system.edit

    def just_before(ref: Any, fields: Any, **how: Any) -> Any:
        system.edit = real
        real(ref, {"title": "theirs"}, by="Elaine")
        return real(ref, fields, **{**how, "expected": None})

    system.edit = just_before
    stage.rest()
    ticket.refresh_from_db()
    assert (ticket.title, remote.fields["title"]) == ("ours", "ours")
    assert Conflict.objects.get().system_value == "theirs"


def test_a_rival_can_neither_answer_nor_learn_of_a_conflict(stage: Stage) -> None:
    collide(stage, "ask")
    with pytest.raises(NotVisible):
        sync.settle_conflict(conflict=Conflict.objects.get(), choice="hub", actor=stage.actor("mercuri"), at=AT)
