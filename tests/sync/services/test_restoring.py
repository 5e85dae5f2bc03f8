"""The database put back to an earlier moment while two systems went on, on the store of the database (INV-40)."""

from datetime import timedelta
from typing import Any

from django.db import transaction

from apps.sync.models import Divergence, TicketLink
from apps.sync.services.restoring import declare_restored
from apps.tickets.models import Comment, Ticket

from .stage import Stage

A, B = "infinity-architecture", "infinity-projects"


class Rewound:
    """What happens inside happens to the systems; the database then is as it was before."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def __enter__(self) -> None:
        self._point = transaction.savepoint()

    def __exit__(self, kind: Any, *_: object) -> None:
        transaction.savepoint_rollback(self._point)
        if kind is None:
            declare_restored(now=self.stage.now)


def catch_up(stage: Stage) -> None:
    for _ in range(3):
        stage.now += timedelta(minutes=30)
        stage.rest()


def bodies(remote: Any) -> list[str]:
    return sorted(said.body for said in remote.comments)


def test_what_both_systems_got_is_found_and_not_written_again(stage: Stage) -> None:
    stage.connect(A)
    stage.connect(B)
    ticket = stage.open(A, B)
    with Rewound(stage):
        stage.rest()
        stage.person_says(A, ticket, "seen")
        stage.person_edits(B, ticket, title="Shop is down again")
        stage.rest()
        written = {slug: [len(one.tickets) for one in (stage.systems[slug],)] for slug in (A, B)}
        versions = {slug: stage.remote(slug, ticket).version for slug in (A, B)}
    catch_up(stage)
    assert written == {slug: [len(stage.systems[slug].tickets)] for slug in (A, B)} == {A: [1], B: [1]}
    assert {slug: stage.remote(slug, ticket).version for slug in (A, B)} == versions
    ticket.refresh_from_db()
    assert ticket.title == "Shop is down again"
    assert list(Comment.objects.filter(ticket=ticket).values_list("body", flat=True)) == ["seen"]
    assert set(Divergence.objects.values_list("kind", flat=True)) >= {"tied", "found"}
    assert not TicketLink.objects.filter(is_behind=True).exists()


def test_a_ticket_that_only_the_systems_know_comes_back_once_with_its_reference(stage: Stage) -> None:
    stage.connect(A)
    stage.connect(B)
    with Rewound(stage):
        ticket = stage.open(A, B, title="Lost with the database")
        stage.rest()
        stage.say(ticket, A, "typed here")
        stage.rest()
        assert [len(stage.systems[slug].tickets) for slug in (A, B)] == [1, 1]
    assert not Ticket.objects.exists()
    catch_up(stage)
    back = Ticket.objects.get()
    assert (back.pk, back.reference, back.title) == (ticket.pk, ticket.reference, "Lost with the database")
    assert [len(stage.systems[slug].tickets) for slug in (A, B)] == [1, 1]
    assert [len(bodies(stage.remote(slug, back))) for slug in (A, B)] == [1, 1]
    assert Comment.objects.filter(ticket=back).count() == 1
    assert {party.organization.slug for party in back.parties.all()} >= {A, B}


def test_a_comment_that_was_for_few_does_not_come_back_for_all(stage: Stage) -> None:
    stage.connect(A)
    stage.connect(B)
    ticket = stage.open(A, B)
    stage.rest()
    with Rewound(stage):
        stage.say(ticket, "infinity-integration", "for A alone", "chosen", A)
        stage.rest()
        assert len(bodies(stage.remote(A, ticket))) == 1
    catch_up(stage)
    assert not Comment.objects.filter(ticket=ticket, audience="public").exists()
    assert bodies(stage.remote(B, ticket)) == []
    assert len(bodies(stage.remote(A, ticket))) == 1


def test_newer_data_of_a_system_stays_and_nothing_is_written_while_it_is_not_read(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.edit(ticket, A, title="Typed before the copy")
    with Rewound(stage):
        stage.rest()
        stage.person_edits(A, ticket, title="Newer, by a person")
        stage.rest()
    assert TicketLink.objects.get().is_behind
    catch_up(stage)
    ticket.refresh_from_db()
    assert ticket.title == stage.remote(A, ticket).fields["title"] == "Newer, by a person"
