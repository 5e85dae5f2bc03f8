"""Lanes that wait say why, where, who must act and how; and go on from where they stopped (M11, T58, T59)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.sync import services as sync
from apps.sync.engine.recovery import OPENS_AFTER, PROBE_FIRST
from apps.sync.models import Connection, TicketLink
from apps.sync.services import NothingWaits
from apps.sync.store import store
from apps.tickets import services as tickets
from apps.tickets.models import Ticket, TicketEvent

from .stage import AT, Stage, document, journal, writes

A, B = "infinity-architecture", "infinity-projects"
WITHOUT_HIGH = {"values": {"low": "low", "medium": "medium", "critical": "critical"}}


def test_a_value_without_a_word_holds_with_field_value_party_and_remedy(stage: Stage) -> None:
    stage.connect(A, document(fields={"priority": WITHOUT_HIGH}))
    ticket = stage.open(A, priority="high")
    stage.rest()
    hold = stage.link(A, ticket).delivery_hold
    assert (hold["cause"], hold["field"], hold["value"]) == ("rules", "priority", "high")
    assert hold["party"] == "Infinity Architecture"
    assert "value map" in hold["remedy"]
    assert stage.systems[A].tickets == {}


def test_publishing_rules_lets_what_waited_go_on_in_order(stage: Stage) -> None:
    stage.connect(A, document(fields={"priority": WITHOUT_HIGH}))
    ticket = stage.open(A, priority="low")
    stage.rest()
    tickets.prioritize(ticket=ticket, priority="high", actor=stage.actor(A), at=AT)
    stage.say(ticket, A, "after it")
    stage.rest()
    assert stage.remote(A, ticket).comments == []
    stage.publish(A, document())
    stage.rest()
    log = stage.remote(A, ticket).log
    assert [bool(change.comment) for change in log] == [False, True]
    assert stage.remote(A, ticket).fields["priority"] == "high"


def test_an_over_long_title_waits_and_names_itself(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A, title="x" * 90)
    stage.rest()
    hold = stage.link(A, ticket).delivery_hold
    assert (hold["cause"], hold["field"]) == ("rules", "title")
    assert "90 characters do not fit into 80" in hold["text"]


def test_a_shortened_title_comes_with_its_full_text_and_never_replaces_it(stage: Stage) -> None:
    stage.connect(A, document(fields={"title": {"too_long": "shorten"}}))
    ticket = stage.open(A, title="long " * 20)
    stage.rest()
    remote = stage.remote(A, ticket)
    assert len(str(remote.fields["title"])) <= 80
    assert ("long " * 20).strip() in remote.comments[0].body
    stage.person_edits(A, ticket, title=f"touched {str(remote.fields['title'])[10:]}")
    stage.rest()
    stage.sweep()
    ticket.refresh_from_db()
    assert ticket.title == "long " * 20
    assert stage.link(A, ticket).conflicts.get().system_value.startswith("touched")


def test_a_status_that_nobody_mapped_holds_the_intake_and_what_follows_it(stage: Stage) -> None:
    values = {"new": "new", "in_progress": "in progress", "resolved": "resolved", "closed": "closed"}
    stage.connect(A, document(fields={"status": {"values": values}}))
    ticket = stage.open(A, status="in_progress")
    stage.rest()
    stage.person_edits(A, ticket, title="before it")
    stage.person_edits(A, ticket, status="on hold")
    stage.person_edits(A, ticket, title="after it")
    stage.rest()
    hold = stage.link(A, ticket).intake_hold
    assert (hold["cause"], hold["field"], hold["value"]) == ("rules", "status", "on hold")
    ticket.refresh_from_db()
    assert ticket.title == "before it"
    stage.publish(A, document())
    stage.rest()
    ticket.refresh_from_db()
    assert (ticket.title, ticket.status) == ("after it", "pending")
    assert [name for event in journal(ticket)[1:] for name in event.changes] == ["title", "status", "title"]


def test_a_parked_lane_leaves_all_others_alone(stage: Stage) -> None:
    stage.connect(A)
    stage.connect(B)
    bad = stage.open(A, B, title="x" * 90)
    good = stage.open(A, B)
    stage.rest()
    assert stage.link(A, bad).delivery_hold is not None
    assert stage.link(A, good).state == TicketLink.State.LINKED
    assert stage.link(B, good).state == TicketLink.State.LINKED


def test_a_refused_value_parks_and_a_retry_goes_on(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    fault = stage.fault(A, "status", on="update", status=400)
    stage.edit(ticket, A, title="Shop is slow")
    stage.rest()
    link = stage.link(A, ticket)
    assert (link.delivery_hold["cause"], link.delivery_hold["party"]) == ("rejected", "Infinity Architecture")
    assert fault.hits == 1
    stage.systems[A].faults.clear()
    sync.retry_lanes(connection=link.connection, links=[link.pk], actor=stage.actor(A), at=AT)
    stage.rest()
    assert stage.remote(A, ticket).fields["title"] == "Shop is slow"


def test_a_skipped_entry_is_left_out_for_good(stage: Stage) -> None:
    """Its reason is kept for who watches the connection; the next sweep must not write it after all."""
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.fault(A, "status", on="update", status=400)
    stage.edit(ticket, A, title="Shop is slow")
    stage.rest()
    sync.skip_entry(link=stage.link(A, ticket), actor=stage.actor(A), at=AT, reason="agreed by phone")
    stage.systems[A].faults.clear()
    stage.rest()
    stage.sweep()
    assert stage.remote(A, ticket).fields["title"] == "Shop is down"
    assert "agreed by phone" in stage.link(A, ticket).intents.get(slot="skipped").note
    stage.edit(ticket, A, title="Shop is fine")
    stage.rest()
    assert stage.remote(A, ticket).fields["title"] == "Shop is fine"


def test_nothing_is_skipped_where_nothing_waits(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    with pytest.raises(NothingWaits):
        sync.skip_entry(link=stage.link(A, ticket), actor=stage.actor(A), at=AT, reason="no reason")


def test_a_ticket_for_which_the_system_always_fails_is_parked_and_the_others_flow(stage: Stage) -> None:
    """A 500 for ever whose outcome is never known is a fault of that ticket (F12); looks in between change nothing."""
    stage.connect(A)
    bad = stage.open(A)
    stage.rest()
    fault = stage.fault(A, "status", on="update", status=500)
    stage.edit(bad, A, title="never arrives")
    for _ in range(60):
        stage.round(A, minutes=60)
    hold = stage.link(A, bad).delivery_hold
    assert hold is not None
    assert hold["cause"] == "vendor_fault"
    assert fault.hits < 20
    good = stage.open(A)
    stage.rest()
    assert stage.link(A, good).state == TicketLink.State.LINKED


def test_a_wrong_answer_is_not_taken_in(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for one ticket, answered with another (F7): nothing of it enters the journal."""
    system = stage.connect(A)
    ticket, other = stage.open(A), stage.open(A, title="Another")
    stage.rest()
    stage.person_edits(A, ticket, title="Shop is slow")
    wrong = system.snapshot(stage.remote(A, other))
    monkeypatch.setattr(system, "snapshot", lambda _ticket: wrong)
    stage.rest()
    assert stage.link(A, ticket).intake_hold["cause"] == "our_fault"
    ticket.refresh_from_db()
    assert ticket.title == "Shop is down"


def test_a_value_that_the_system_puts_back_is_said_and_not_fought_over(stage: Stage) -> None:
    system = stage.connect(A)
    ticket = stage.open(A, priority="low")
    stage.rest()

    def revert(remote: object) -> None:
        remote.fields["priority"] = "low"  # type: ignore[attr-defined]

    system.after_write = revert
    tickets.prioritize(ticket=ticket, priority="high", actor=stage.actor(A), at=AT)
    stage.rest()
    hold = stage.link(A, ticket).delivery_hold
    assert (hold["cause"], hold["value"]) == ("not sticking", "high")
    before = len(writes(stage.remote(A, ticket)))
    stage.sweep()
    assert len(writes(stage.remote(A, ticket))) == before


# --- Detached, merged, closed -----------------------------------------------------------------------------------------


def test_a_ticket_deleted_there_is_detached_and_told_once(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.systems[A].delete(stage.remote(A, ticket).ref)
    for _ in range(4):
        stage.rest()
    assert stage.link(A, ticket).state == TicketLink.State.DETACHED
    assert sum("no longer found" in event.text for event in journal(ticket)) == 1
    assert Ticket.objects.filter(pk=ticket.pk).exists()


def test_a_ticket_deleted_while_a_write_is_unknown_is_told_once_too(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.edit(ticket, A, title="Shop is slow")
    stage.dies_before_the_call(A)
    stage.systems[A].delete(stage.remote(A, ticket).ref)
    for _ in range(3):
        stage.rest()
    assert sum("no longer found" in event.text for event in journal(ticket)) == 1
    assert str(stage.connection(A).pk) not in sync.connections_with_work(stage.now)


def test_a_write_in_doubt_is_looked_for_when_its_ticket_comes_back(stage: Stage) -> None:
    """It was carried out before the ticket was hidden from us; repeating it then would double it."""
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.say(ticket, A, "Only once, please")
    stage.fault(A, "lost_response", on="comment", times=1)
    assert stage.round(A).failed == 1
    remote = stage.remote(A, ticket)
    remote.is_deleted = True
    stage.rest()
    assert stage.link(A, ticket).state == TicketLink.State.DETACHED
    remote.is_deleted = False
    stage.person_edits(A, ticket, title="Here again")
    stage.rest()
    assert stage.link(A, ticket).state == TicketLink.State.LINKED
    assert len(remote.comments) == 1


def test_a_merged_ticket_is_followed_to_where_it_went(stage: Stage) -> None:
    system = stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    other = system.create("incident", {"title": "The same"}, by="Elaine")
    system.merge(stage.remote(A, ticket).ref, other.ref)
    stage.rest()
    link = stage.link(A, ticket)
    assert (link.external_id, link.former[0]["id"] != other.ref.id) == (other.ref.id, True)
    stage.say(ticket, A, "still here")
    stage.rest()
    assert [said.body for said in other.comments] == ["still here"]


def test_a_ticket_merged_into_another_of_ours_no_longer_follows_it(stage: Stage) -> None:
    system = stage.connect(A)
    first, second = stage.open(A), stage.open(A, title="The same")
    stage.rest()
    system.merge(stage.remote(A, first).ref, stage.remote(A, second).ref)
    for _ in range(3):
        stage.rest()
    assert stage.link(A, first).state == TicketLink.State.DETACHED
    assert stage.link(A, second).state == TicketLink.State.LINKED
    assert sum("was merged" in event.text for event in journal(first)) == 1


def close_there(stage: Stage, ticket: Ticket) -> None:
    for fields in ({"status": "in progress"}, {"status": "resolved", "resolution": "fixed"}, {"status": "closed"}):
        stage.person_edits(A, ticket, **fields)
    stage.rest()


def test_news_for_a_closed_ticket_waits_when_the_rules_say_so(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    close_there(stage, ticket)
    stage.say(ticket, A, "one more thing")
    stage.rest()
    hold = stage.link(A, ticket).delivery_hold
    assert (hold["cause"], hold["party"]) == ("ticket_closed", "Infinity Service Integration")


def test_news_for_a_closed_ticket_is_withheld_when_the_rules_say_so(stage: Stage) -> None:
    stage.connect(A, document(inbound={"closed": "withhold"}))
    ticket = stage.open(A)
    stage.rest()
    close_there(stage, ticket)
    stage.say(ticket, A, "one more thing")
    stage.rest()
    link = stage.link(A, ticket)
    assert link.delivery_hold is None
    assert link.applied_seq == link.ticket.last_seq
    assert stage.remote(A, ticket).comments == []


def test_news_for_a_closed_ticket_makes_a_follow_up_without_repeating_what_was_said(stage: Stage) -> None:
    system = stage.connect(A, document(inbound={"closed": "follow_up"}))
    ticket = stage.open(A)
    stage.say(ticket, A, "before")
    stage.rest()
    former = stage.remote(A, ticket)
    close_there(stage, ticket)
    stage.say(ticket, A, "after")
    stage.rest()
    follow_up = stage.remote(A, ticket)
    assert follow_up.follow_up_of == former.ref.id
    assert [said.body for said in follow_up.comments] == ["after"]
    assert [said.body for said in former.comments] == ["before"]
    assert len(system.tickets) == 2
    assert stage.link(A, ticket).former[0]["id"] == former.ref.id
    stage.rest()
    assert len(system.tickets) == 2


# --- The system as a whole --------------------------------------------------------------------------------------------


def test_a_refused_sign_in_stops_the_connection_and_keeps_everything(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    fault = stage.fault(A, "expired_token")
    stage.say(ticket, A, "kept")
    stage.rest(polls=False)
    connection = stage.connection(A)
    assert connection.state == Connection.State.ON_HOLD
    assert "refuses our sign-in" in connection.state_reason
    assert fault.hits == 1
    stage.systems[A].faults.clear()
    sync.resume_connection(connection=connection, actor=stage.actor(A), at=AT)
    stage.rest()
    assert [said.body for said in stage.remote(A, ticket).comments] == ["kept"]


def test_the_breaker_opens_after_several_failures_and_a_probe_closes_it(stage: Stage) -> None:
    stage.connect(A)
    made = [stage.open(A, title=f"Shop {number}") for number in range(8)]
    for ticket in made:
        sync.link_ticket(ticket, now=stage.now)
    fault = stage.fault(A, "refused")
    stage.round(A)
    assert stage.connection(A).pulse.resting_until is not None
    before = fault.hits
    assert sync.run_round(stage.connection(A)).worked == 0
    assert fault.hits == before
    stage.round(A)
    assert fault.hits == before + 1
    stage.systems[A].faults.clear()
    stage.rest()
    assert stage.connection(A).pulse.resting_until is None
    assert len(stage.systems[A].tickets) == 8


def test_calls_that_fail_together_are_one_outage(stage: Stage) -> None:
    stage.connect(A)
    for number in range(8):
        sync.link_ticket(stage.open(A, title=f"Shop {number}"), now=stage.now)
    stage.fault(A, "refused")
    stage.round(A)
    pulse = stage.connection(A).pulse
    assert pulse.failures == OPENS_AFTER
    assert pulse.resting_until is not None
    assert pulse.resting_until <= timezone.now() + timedelta(seconds=PROBE_FIRST)


def test_one_lane_at_a_time_tries_whether_a_system_answers_again(stage: Stage) -> None:
    stage.connect(A)
    for number in range(2):
        sync.link_ticket(stage.open(A, title=f"Shop {number}"), now=stage.now)
    now = stage.now + timedelta(minutes=1)
    (probe,) = store.claim_probe(stage.connection(A), now=now)
    assert store.claim_probe(stage.connection(A), now=now) == []
    store.release(probe)
    assert len(store.claim_probe(stage.connection(A), now=now)) == 1


def test_a_claim_of_a_clock_that_went_ahead_keeps_no_probe_away(stage: Stage) -> None:
    """Its worker died, and the clock went back by a day: until then nobody would have tried the system again (F56)."""
    stage.connect(A)
    tickets = [stage.open(A, title=f"Shop {number}") for number in range(2)]
    for ticket in tickets:
        sync.link_ticket(ticket, now=stage.now)
    now = stage.now + timedelta(minutes=1)
    lapses = {"claimed_by": "a worker that died", "claimed_until": now + timedelta(days=1)}
    TicketLink.objects.filter(ticket=tickets[0]).update(**lapses)
    (probe,) = store.claim_probe(stage.connection(A), now=now)
    assert probe.ticket_id == tickets[1].pk


def test_a_limit_is_kept_by_every_worker_until_its_time(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    fault = stage.fault(A, "rate_limited", retry_after=1200.0)
    stage.say(ticket, A, "hello")
    stage.round(A, minutes=1)
    assert fault.hits == 1
    assert sync.run_round(stage.connection(A)).worked == 0
    assert fault.hits == 1
    assert stage.link(A, ticket).attempts == 0
    stage.systems[A].faults.clear()
    stage.now += timedelta(hours=2)
    stage.rest()
    assert len(stage.remote(A, ticket).comments) == 1


def test_a_paused_connection_makes_no_call_and_loses_nothing(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    sync.pause_connection(connection=stage.connection(A), actor=stage.actor(A), at=AT)
    stage.say(ticket, A, "meanwhile")
    stage.person_says(A, ticket, "over here")
    stage.rest()
    assert TicketEvent.objects.filter(kind="commented").count() == 1
    sync.resume_connection(connection=stage.connection(A), actor=stage.actor(A), at=AT)
    stage.rest()
    assert sorted(said.body for said in stage.remote(A, ticket).comments) == ["meanwhile", "over here"]
    assert TicketEvent.objects.filter(kind="commented").count() == 2
