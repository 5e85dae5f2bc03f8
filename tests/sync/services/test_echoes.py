"""A notice that tells of our own write costs no look; anything beyond it does."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from apps.sync import services as sync
from apps.sync.engine.deciding import LONGEST_CREATION, decide_work
from apps.sync.engine.snapshot import Changed, ChangedPage, ExternalRef, NoticeHint
from apps.sync.models import Intent, LaneAct, TicketLink
from apps.sync.services import rounds
from apps.sync.services.accepting import accept_page
from apps.sync.services.lanes import note_acts
from apps.sync.store import store
from apps.tickets.models import Ticket

from .stage import Stage

A = "infinity-architecture"


def told(stage: Stage, ticket: Ticket, version: str) -> None:
    """The system tells that the ticket is at ``version`` now."""
    ref, number = stage.remote(A, ticket).ref, TicketLink.objects.get(ticket=ticket).look_wanted
    hint = NoticeHint(f"{ref.id}-{version}-{number}", (ref,), "updated", {ref.id: version} if version else {})
    sync.accept_notice(stage.connection(A), hint, now=stage.now)


def written(stage: Stage) -> Ticket:
    """A ticket into which we have just written, told or not."""
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.edit(ticket, A, title="Shop is slow")
    stage.rest()
    return ticket


def looks(stage: Stage, ticket: Ticket) -> int:
    """How many looks the rounds to come take."""
    before = stage.link(A, ticket).looked_at
    worked = stage.round(A).worked
    link = stage.link(A, ticket)
    assert link.look_done == link.look_wanted
    return worked if link.looked_at != before else 0


def test_our_own_version_needs_no_look(stage: Stage) -> None:
    ticket = written(stage)
    told(stage, ticket, stage.link(A, ticket).version)
    assert looks(stage, ticket) == 0


def test_a_notice_that_is_quicker_than_our_receipt_needs_none_either(stage: Stage) -> None:
    ticket = written(stage)
    stage.edit(ticket, A, title="Shop is slower")
    told(stage, ticket, str(int(stage.link(A, ticket).version) + 1))
    assert stage.link(A, ticket).look_wanted > stage.link(A, ticket).look_done
    TicketLink.objects.filter(ticket=ticket).update(intake_hold={"cause": "rules"})
    stage.round(A)
    TicketLink.objects.filter(ticket=ticket).update(intake_hold=None)
    assert looks(stage, ticket) == 0


def test_another_version_is_looked_at(stage: Stage) -> None:
    ticket = written(stage)
    stage.person_edits(A, ticket, title="Shop is down")
    told(stage, ticket, "999")
    assert looks(stage, ticket) == 1
    ticket.refresh_from_db()
    assert ticket.title == "Shop is down"


def test_a_second_hint_takes_the_first_one_s_word_away(stage: Stage) -> None:
    ticket = written(stage)
    stage.person_edits(A, ticket, title="Shop is down")
    told(stage, ticket, "999")
    told(stage, ticket, stage.link(A, ticket).version)
    assert looks(stage, ticket) == 1


def test_a_notice_without_a_version_is_looked_at(stage: Stage) -> None:
    ticket = written(stage)
    told(stage, ticket, "")
    assert looks(stage, ticket) == 1


def test_the_whole_comparison_is_never_spared(stage: Stage) -> None:
    ticket = written(stage)
    TicketLink.objects.filter(ticket=ticket).update(compare_wanted=True, look_wanted=F("look_wanted") + 1)
    told(stage, ticket, stage.link(A, ticket).version)
    assert looks(stage, ticket) == 1


def test_our_own_version_is_not_even_marked(stage: Stage) -> None:
    ticket = written(stage)
    before = stage.link(A, ticket).look_wanted
    told(stage, ticket, stage.link(A, ticket).version)
    assert stage.link(A, ticket).look_wanted == before


def test_what_may_be_our_own_creation_waits_for_its_answer(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    (link,) = sync.link_ticket(ticket, now=stage.now)
    Intent.objects.create(link_id=link.pk, seq=1, slot="create", correlation="siam-under-way", created_at=stage.now)
    hint = NoticeHint("of-a-creation", (ExternalRef("77"),), "created")
    sync.accept_notice(stage.connection(A), hint, now=stage.now)
    assert TicketLink.objects.get(external_id="77").due_at > stage.now
    Intent.objects.update(state=Intent.State.APPLIED)
    hint = NoticeHint("of-another-one", (ExternalRef("78"),), "created")
    sync.accept_notice(stage.connection(A), hint, now=stage.now)
    assert TicketLink.objects.get(external_id="78").due_at == stage.now


def test_it_waits_on_while_that_answer_is_late_but_not_for_ever(stage: Stage) -> None:
    stage.connect(A)
    (link,) = sync.link_ticket(stage.open(A), now=stage.now)
    Intent.objects.create(link_id=link.pk, seq=1, slot="create", correlation="siam-under-way", created_at=stage.now)
    sync.accept_notice(stage.connection(A), NoticeHint("told", (ExternalRef("77"),), "created"), now=stage.now)
    sighted = TicketLink.objects.get(external_id="77")
    # Somebody else is at the creation.
    TicketLink.objects.filter(pk=link.pk).update(claimed_by="another", claimed_until=stage.now + timedelta(days=1))
    stage.now = sighted.due_at
    assert stage.round(A, minutes=0).worked
    sighted.refresh_from_db()
    assert (sighted.state, sighted.attempts, sighted.claimed_by) == (TicketLink.State.SIGHTED, 0, "")
    assert sighted.due_at > stage.now
    stage.now = sighted.created_at + timedelta(seconds=LONGEST_CREATION)
    stage.round(A, minutes=0)
    sighted.refresh_from_db()
    # The system has no such ticket.
    assert sighted.state == TicketLink.State.DETACHED


def untouched(stage: Stage, external_id: str) -> TicketLink:
    store.sight(stage.connection(A), [ExternalRef(external_id)], stage.now, due_at=stage.now)
    return TicketLink.objects.get(external_id=external_id)


def test_a_sighting_that_was_ours_goes_with_one_statement(stage: Stage, django_assert_num_queries: Any) -> None:
    stage.connect(A)
    row = untouched(stage, "77")
    with django_assert_num_queries(1):
        store.delete(row)
    assert not TicketLink.objects.filter(external_id="77").exists()


def test_and_with_all_that_hangs_on_it_where_somebody_acted(stage: Stage) -> None:
    stage.connect(A)
    row = untouched(stage, "77")
    note_acts([row.pk], LaneAct.Verb.RETRIED, stage.actor(A), stage.now, "")
    store.delete(row)
    assert not TicketLink.objects.filter(external_id="77").exists()
    assert not LaneAct.objects.exists()


def while_looked_at(stage: Stage, monkeypatch: pytest.MonkeyPatch, change: Changed) -> None:
    """One round, and a listing that names ``change`` once its looks are decided."""

    def decide(*given: Any, **named: Any) -> Any:
        decided = decide_work(*given, **named)
        accept_page(stage.connection(A), ChangedPage((change,), "c", True), now=stage.now)
        return decided

    with monkeypatch.context() as patched:
        patched.setattr(rounds, "decide_work", decide)
        assert stage.round(A).worked == 1


def test_a_listing_that_names_what_is_being_read_brings_no_second_look(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = written(stage)
    stage.person_edits(A, ticket, title="Shop is down")
    told(stage, ticket, "")
    remote = stage.remote(A, ticket)
    while_looked_at(stage, monkeypatch, Changed(remote.ref, str(remote.version)))
    assert stage.link(A, ticket).version == str(remote.version)
    assert looks(stage, ticket) == 0


def test_a_listing_that_names_what_came_after_it_does(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = written(stage)
    told(stage, ticket, "")
    while_looked_at(stage, monkeypatch, Changed(stage.remote(A, ticket).ref, "999"))
    assert looks(stage, ticket) == 1


def test_a_deletion_is_looked_at_whatever_version_it_names(stage: Stage) -> None:
    ticket = written(stage)
    link = stage.link(A, ticket)
    gone = Changed(stage.remote(A, ticket).ref, link.version, is_deleted=True)
    accept_page(stage.connection(A), ChangedPage((gone,), "c", True), now=stage.now)
    assert looks(stage, ticket) == 1


def test_a_creation_whose_sighting_came_too_late_to_be_seen_is_settled_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The webhook's transaction ends after we looked for the sighting, and before we say whose the ticket is."""
    stage.connect(A)
    ticket = stage.open(A)
    sync.link_ticket(ticket, now=stage.now)
    unseen = [True]

    def settle(done: list[Any], connection: Any, *given: Any) -> None:
        store.sight(connection, [done[0].result.receipt.ref], stage.now, due_at=stage.now)
        settle_all(done, connection, *given)

    def look(self: Any, connection: Any, ids: Any) -> Any:
        return {} if unseen and unseen.pop() else of_external(self, connection, ids)

    settle_all, of_external = rounds._settle_all, type(store).of_external
    with monkeypatch.context() as patched:
        patched.setattr(rounds, "_settle_all", settle)
        patched.setattr(type(store), "of_external", look)
        assert stage.round(A).worked == 1
    link = stage.link(A, ticket)
    assert (link.state, link.attempts, link.is_unsettled) == (TicketLink.State.LINKED, 0, False)
    assert Intent.objects.get().state == Intent.State.APPLIED
    assert TicketLink.objects.count() == 1
