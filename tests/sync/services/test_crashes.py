"""Lost answers and dead workers: looked for before anything is written again (INV-12 to INV-17, INV-37)."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from apps.sync import services as sync
from apps.sync.connectors.memory import MemoryConnector
from apps.sync.engine.claims import CLAIM_SECONDS
from apps.sync.engine.deciding import decide_work
from apps.sync.engine.settling import settle
from apps.sync.engine.snapshot import Receipt
from apps.sync.engine.work import Do, Done
from apps.sync.models import Intent, Notice, TicketLink
from apps.sync.store import store
from apps.sync.store.rules import published_rules
from apps.tickets.models import Attachment, Comment, Ticket

from .stage import Stage, journal

A, B = "infinity-architecture", "infinity-projects"


@pytest.mark.parametrize("verb", ["create", "comment", "attachment", "update"])
def test_a_lost_answer_doubles_nothing(stage: Stage, verb: str) -> None:
    system = stage.connect(A)
    fault = stage.fault(A, "lost_response", on=verb, times=1)
    ticket = stage.open(A, status="in_progress")
    sync.link_ticket(ticket, now=stage.now)
    stage.say(ticket, A, "hello")
    stage.attach(ticket, A, "log.txt", b"line")
    stage.edit(ticket, A, title="Shop is slow")
    stage.rest()
    remote = stage.remote(A, ticket)
    assert fault.hits == 1
    assert len(system.tickets) == 1
    assert [said.body for said in remote.comments] == ["hello"]
    assert [file.file_name for file in remote.attachments] == ["log.txt"]
    assert (remote.fields["title"], remote.fields["status"]) == ("Shop is slow", "in progress")
    assert (Comment.objects.count(), Attachment.objects.count()) == (1, 1)
    assert [change.fields["title"] for change in remote.log if "title" in change.fields] == [
        ("Shop is down", "Shop is slow")
    ]


@pytest.mark.parametrize("verb", ["create", "comment", "attachment", "update"])
def test_a_call_that_never_arrived_is_made_once(stage: Stage, verb: str) -> None:
    """It looks the same as a lost answer (F5)."""
    system = stage.connect(A)
    fault = stage.fault(A, "down", on=verb, times=1)
    ticket = stage.open(A)
    sync.link_ticket(ticket, now=stage.now)
    stage.say(ticket, A, "hello")
    stage.attach(ticket, A, "log.txt", b"line")
    stage.edit(ticket, A, title="Shop is slow")
    stage.rest()
    remote = stage.remote(A, ticket)
    assert fault.hits == 1
    assert len(system.tickets) == 1
    assert [said.body for said in remote.comments] == ["hello"]
    assert [file.file_name for file in remote.attachments] == ["log.txt"]
    assert remote.fields["title"] == "Shop is slow"


def test_a_worker_that_dies_between_intent_and_call_leaves_work_for_the_next(stage: Stage) -> None:
    system = stage.connect(A)
    ticket = stage.open(A)
    sync.link_ticket(ticket, now=stage.now)
    (work,) = stage.dies_before_the_call(A)
    assert isinstance(work, Do)
    assert sync.run_round(stage.connection(A), now=stage.now).worked == 0
    assert Intent.objects.get().state == Intent.State.OPEN
    stage.rest()
    assert len(system.tickets) == 1
    assert stage.link(A, ticket).state == TicketLink.State.LINKED


@pytest.mark.parametrize("what", ["create", "comment", "update"])
def test_a_worker_that_dies_between_call_and_settling_is_found_out(stage: Stage, what: str) -> None:
    """The call took effect and nobody wrote it down: the next worker finds its mark and adopts it."""
    system = stage.connect(A)
    ticket = stage.open(A)
    if what == "create":
        sync.link_ticket(ticket, now=stage.now)
    else:
        stage.rest()
        stage.say(ticket, A, "hello") if what == "comment" else stage.edit(ticket, A, title="Shop is slow")
    (work,) = stage.dies_before_the_call(A)
    assert isinstance(work, Do)
    _call(system, work)
    stage.rest()
    remote = stage.remote(A, ticket)
    assert len(system.tickets) == 1
    assert len(remote.comments) == (what == "comment")
    assert len(remote.log) == (what != "create")
    assert Comment.objects.count() == (what == "comment")


def _call(system: object, work: Do) -> None:
    from apps.sync.engine.plan import AddRemoteComment, CreateRemote

    step = work.step
    if isinstance(step, CreateRemote):
        system.create(step.type, step.fields, by="Siam Sync", correlation=work.correlation)  # type: ignore[attr-defined]
    elif isinstance(step, AddRemoteComment):
        system.comment(work.ref, step.body, step.visibility, by="Siam Sync", correlation=work.correlation)  # type: ignore[attr-defined]
    else:
        system.edit(work.ref, step.fields, by="Siam Sync", correlation=work.correlation)  # type: ignore[attr-defined]


def test_an_edit_after_a_write_whose_answer_was_lost_is_kept(stage: Stage) -> None:
    """The person's edit wins and reaches the hub (F4)."""
    system = stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.edit(ticket, A, title="ours")
    (work,) = stage.dies_before_the_call(A)
    assert isinstance(work, Do)
    _call(system, work)
    stage.person_edits(A, ticket, title="theirs")
    stage.rest()
    ticket.refresh_from_db()
    assert (ticket.title, stage.remote(A, ticket).fields["title"]) == ("theirs", "theirs")


def test_a_value_of_an_earlier_write_is_no_proof_of_a_later_one(stage: Stage) -> None:
    """slow → fine → slow, and the last call never arrived: that *slow* stood in the log before proves nothing."""
    stage.connect(A, has_atomic_precondition=True)
    ticket = stage.open(A)
    stage.rest()
    for title in ("slow", "fine"):
        stage.edit(ticket, A, title=title)
        stage.rest(polls=False)
    stage.edit(ticket, A, title="slow")
    fault = stage.fault(A, "down", on="update", times=1)
    stage.rest(polls=False)
    assert fault.hits == 1
    assert stage.remote(A, ticket).fields["title"] == "slow"
    assert stage.link(A, ticket).delivery_hold is None


def test_a_claim_is_one_hand_on_one_lane(stage: Stage) -> None:
    stage.connect(A)
    sync.link_ticket(stage.open(A), now=stage.now)
    connection, now = stage.connection(A), timezone.now() + timedelta(minutes=1)
    first = store.claim(connection, now=now, most=32)
    assert len(first) == 1
    assert store.claim(connection, now=now, most=32) == []
    assert len(store.claim(connection, now=now + timedelta(seconds=CLAIM_SECONDS + 1), most=32)) == 1


def test_a_lane_with_many_settled_intents_is_claimed_once(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    for number in range(4):
        stage.edit(ticket, A, title=f"title {number}")
        stage.rest()
    stage.edit(ticket, A, title="one more")
    sync.link_ticket(ticket, now=stage.now)
    claimed = store.claim(stage.connection(A), now=stage.now + timedelta(hours=1), most=1)
    assert [link.ticket_id for link in claimed] == [ticket.pk]


def test_a_worker_that_was_taken_over_can_settle_nothing(stage: Stage) -> None:
    """Its claim has lapsed: its receipt is refused, and what it did is found by looking (INV-7)."""
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.edit(ticket, A, title="Shop is slow")
    sync.link_ticket(ticket, now=stage.now)
    connection = stage.connection(A)
    stage.now += timedelta(minutes=10)
    (slow,) = store.claim(connection, now=stage.now, most=32)

    rules = published_rules(connection)
    assert rules is not None
    ((link, work),) = decide_work(store, [slow], rules, now=stage.now)
    assert isinstance(work, Do)
    stage.rest()
    settled = TicketLink.objects.get(pk=link.pk)
    receipt = Receipt(work.ref, "999", "1")
    settle(store, link, work, Done(receipt), rules=rules, now=stage.now, dice=lambda: 0.5)  # type: ignore[arg-type]
    after = TicketLink.objects.get(pk=link.pk)
    assert (after.version, after.merge_base, after.applied_seq) == (
        settled.version,
        settled.merge_base,
        settled.applied_seq,
    )
    assert stage.remote(A, ticket).fields["title"] == "Shop is slow"


def test_a_notice_told_many_times_is_stored_once_and_makes_one_entry(stage: Stage) -> None:
    from apps.sync.connectors.base import NoticeHint

    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.person_edits(A, ticket, title="Shop is slow")
    for _ in range(5):
        sync.accept_notice(
            stage.connection(A), NoticeHint("delivery-1", (stage.remote(A, ticket).ref,)), now=timezone.now()
        )
        stage.rest(polls=False)
    assert (Notice.objects.get().repeats, Notice.objects.count()) == (4, 1)
    assert [event.changes.get("title") for event in journal(ticket)[1:]] == [["Shop is down", "Shop is slow"]]


def test_a_notice_of_our_own_creation_before_its_answer_opens_no_second_ticket(stage: Stage) -> None:
    from apps.sync.connectors.base import NoticeHint

    system = stage.connect(A)
    ticket = stage.open(A)
    sync.link_ticket(ticket, now=stage.now)
    (work,) = stage.dies_before_the_call(A)
    assert isinstance(work, Do)
    _call(system, work)
    (remote,) = system.tickets.values()
    sync.accept_notice(stage.connection(A), NoticeHint("delivery-1", (remote.ref,)), now=timezone.now())
    assert TicketLink.objects.count() == 2
    stage.rest()
    assert (TicketLink.objects.count(), Ticket.objects.count(), len(system.tickets)) == (1, 1, 1)


def test_what_notices_and_cursors_missed_is_found_by_the_sweep(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.person_edits(A, ticket, title="nobody was told")
    remote = stage.remote(A, ticket)
    # The cursor went past it, the version is known: only comparing the whole ticket can tell.
    TicketLink.objects.filter(ticket=ticket).update(change_cursor=remote.log[-1].id, version=str(remote.version))
    stage.rest()
    ticket.refresh_from_db()
    assert ticket.title == "Shop is down"
    stage.sweep()
    ticket.refresh_from_db()
    assert ticket.title == "nobody was told"


def test_a_ticket_that_cannot_be_planned_stops_no_other(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours is parked with its traceback, and named as ours (INV-8)."""
    stage.connect(A)
    bad, good = stage.open(A), stage.open(A)
    for ticket in (bad, good):
        sync.link_ticket(ticket, now=stage.now)
    real = store.view
    monkeypatch.setattr(store, "view", lambda ticket: 1 / 0 if ticket.pk == bad.pk else real(ticket))
    stage.rest()
    hold = stage.link(A, bad).delivery_hold
    assert (hold["cause"], hold["party"]) == ("our_fault", "the operator of this portal")
    assert "ZeroDivisionError" in hold["text"]
    assert stage.link(A, good).state == TicketLink.State.LINKED


def test_what_an_index_may_not_show_yet_is_waited_for_from_the_end_of_the_call(stage: Stage) -> None:
    """The note of the write may be minutes older than the call: a round has many lanes and a slow system (INV-15)."""
    stage.connect(A, index_lag_seconds=60)
    ticket = stage.open(A)
    sync.link_ticket(ticket, now=stage.now)
    stage.fault(A, "lost_response", on="create", times=1)

    async def misses(_self: Any, _correlation: str, _ref: Any = None) -> None:
        return None

    stage.monkeypatch.setattr(MemoryConnector, "find", misses)
    stage.round(A, minutes=0)
    Intent.objects.update(created_at=F("created_at") - timedelta(minutes=10))
    stage.round(A, minutes=0.5)
    assert Intent.objects.get().state == Intent.State.OPEN
    stage.round(A, minutes=2)
    stage.round(A, minutes=2)
    assert Intent.objects.get().state == Intent.State.ABSENT
