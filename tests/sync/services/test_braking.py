"""A mass of grave acts stops after a handful, asks both parties with the list, and can be put back (M10, INV-26)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from apps.access.kernel import Forbidden, NotVisible
from apps.sync.models import Brake, Connection, GraveAct, GraveCount, TicketLink
from apps.sync.selectors import acts_behind, brakes, told_acts
from apps.sync.services import NothingWaits
from apps.sync.services.braking import answer_brake, prune_grave_acts, put_back, tend_brakes
from apps.sync.services.operating import correctable_fields, retry_lanes, skip_entries
from apps.tickets import services as tickets
from apps.tickets.models import Ticket

from .stage import AT, Stage, document

A, B = "infinity-architecture", "infinity-projects"
INTEGRATOR = "infinity-integration"
HANDFUL = 3
MANY = 7
EMPTYING = {"hub": "custom.site", "system": "reference", "values": {"Berlin": ""}}


@pytest.fixture
def fleet(stage: Stage) -> list[Ticket]:
    """Tickets that crossed to both systems, on connections of which a few grave acts pass."""
    stage.connect(A)
    stage.connect(B)
    Connection.objects.update(brake_handful=HANDFUL)
    made = [stage.open(A, B, title=f"Ticket {number}", **{"custom.site": "Berlin"}) for number in range(MANY)]
    stage.rest()
    assert all(stage.remote(slug, ticket).fields["reference"] == "Berlin" for slug in (A, B) for ticket in made)
    return made


def held(stage: Stage, slug: str) -> list[TicketLink]:
    return list(TicketLink.objects.filter(connection=stage.connections[slug]).exclude(intake_hold=None)) + list(
        TicketLink.objects.filter(connection=stage.connections[slug]).exclude(delivery_hold=None)
    )


def sites(fleet: list[Ticket]) -> list[Any]:
    return [ticket.custom["site"] for ticket in Ticket.objects.filter(pk__in=[one.pk for one in fleet])]


def there(stage: Stage, slug: str, fleet: list[Ticket]) -> list[Any]:
    return [stage.remote(slug, ticket).fields["reference"] or "" for ticket in fleet]


def go_empty(stage: Stage, slug: str, fleet: list[Ticket]) -> None:
    for ticket in fleet:
        stage.person_edits(slug, ticket, reference="")
    stage.rest()


def answer(stage: Stage, brake: Brake, slug: str, choice: str) -> Brake:
    return answer_brake(brake=brake, choice=choice, actor=stage.actor(slug), at=stage.now)


def test_a_few_grave_acts_pass_unasked(stage: Stage, fleet: list[Ticket]) -> None:
    go_empty(stage, A, fleet[:HANDFUL])
    assert sorted(sites(fleet)) == [""] * HANDFUL + ["Berlin"] * (MANY - HANDFUL)
    assert not Brake.objects.exists()
    assert held(stage, A) == []


def test_a_system_gone_empty_is_stopped_after_a_handful_with_the_list(stage: Stage, fleet: list[Ticket]) -> None:
    go_empty(stage, A, fleet)
    assert sites(fleet).count("") == HANDFUL
    assert there(stage, B, fleet).count("") == HANDFUL
    [brake] = Brake.objects.all()
    assert (brake.kind, brake.into, brake.state) == ("blank", "hub", "tripped")
    waiting = held(stage, A)
    assert len(waiting) == MANY - HANDFUL
    assert {(link.intake_hold["cause"], link.intake_hold["party"]) for link in waiting} == {
        ("brake", "Infinity Architecture")
    }
    stopped = brake.acts.filter(standing="stopped")
    assert {(act.field, act.before, act.after) for act in stopped} == {("custom.site", "Berlin", "")}
    assert brake.acts.filter(standing="carried_out").count() == HANDFUL


def test_what_is_not_grave_goes_on_behind_a_brake(stage: Stage, fleet: list[Ticket]) -> None:
    go_empty(stage, A, fleet[:-1])
    stage.person_edits(A, fleet[-1], title="Another title")
    stage.rest()
    fleet[-1].refresh_from_db()
    assert fleet[-1].title == "Another title"


def test_with_the_word_of_both_parties_everything_goes_through(stage: Stage, fleet: list[Ticket]) -> None:
    go_empty(stage, A, fleet)
    brake = Brake.objects.get()
    assert answer(stage, brake, A, "let_through").state == "tripped"
    assert {link.intake_hold["party"] for link in held(stage, A)} == {"Infinity Service Integration"}
    stage.rest()
    assert sites(fleet).count("") == HANDFUL, "one party alone lets nothing through"
    assert answer(stage, brake, INTEGRATOR, "let_through").state == "released"
    stage.rest()
    assert sites(fleet) == [""] * MANY
    assert held(stage, A) == []
    assert not Brake.objects.filter(connection=stage.connections[A]).exclude(state="released").exists()


def test_what_both_let_through_does_not_become_usual(stage: Stage, fleet: list[Ticket]) -> None:
    go_empty(stage, A, fleet)
    brake = Brake.objects.get()
    for slug in (A, INTEGRATOR):
        answer(stage, brake, slug, "let_through")
    stage.rest()
    for ticket in fleet:
        stage.person_edits(A, ticket, reference="Rome")
    stage.rest()
    for ticket in fleet:
        stage.person_edits(A, ticket, reference="")
    stage.rest()
    assert Brake.objects.filter(connection=stage.connections[A], state="tripped").count() == 1


def test_one_party_keeps_it_stopped_and_puts_everything_back(stage: Stage, fleet: list[Ticket]) -> None:
    go_empty(stage, A, fleet)
    brake = Brake.objects.get()
    answer(stage, brake, A, "let_through")
    assert answer(stage, brake, INTEGRATOR, "keep_stopped").state == "refused"
    stage.rest()
    assert sites(fleet).count("") == HANDFUL
    done = put_back(brake=brake, actor=stage.actor(INTEGRATOR), at=stage.now)
    assert (done.number, done.refused) == (HANDFUL, {})
    stage.rest()
    assert sites(fleet) == ["Berlin"] * MANY
    for slug in (A, B):
        assert there(stage, slug, fleet) == ["Berlin"] * MANY, slug
    assert held(stage, A) == []
    assert tend_brakes(now=stage.now) == 1
    assert Brake.objects.get().state == "over"


def test_the_journal_names_who_put_a_value_back(stage: Stage, fleet: list[Ticket]) -> None:
    go_empty(stage, A, fleet)
    brake = Brake.objects.get()
    answer(stage, brake, A, "keep_stopped")
    put_back(brake=brake, actor=stage.actor(A), at=stage.now)
    act = brake.acts.filter(standing="put_back").select_related("link__ticket").first()
    assert act is not None
    assert act.link.ticket is not None
    entry = act.link.ticket.events.order_by("-seq").first()
    assert (entry.actor_name, entry.changes) == ("John", {"custom.site": ["", "Berlin"]})


def test_a_value_written_since_is_left_alone(stage: Stage, fleet: list[Ticket]) -> None:
    go_empty(stage, A, fleet)
    brake = Brake.objects.get()
    [first, *_] = [act.link.ticket for act in brake.acts.filter(standing="carried_out")]
    stage.edit(first, A, **{"custom.site": "Oslo"})
    answer(stage, brake, A, "keep_stopped")
    done = put_back(brake=brake, actor=stage.actor(A), at=stage.now)
    assert done.number == HANDFUL - 1
    assert list(done.refused.values()) == ["somebody has written another value since"]
    first.refresh_from_db()
    assert first.custom["site"] == "Oslo"


def test_rules_that_empty_a_field_stop_after_a_handful_and_go_on_once_corrected(
    stage: Stage, fleet: list[Ticket]
) -> None:
    stage.publish(B, document(fields={"custom.site": {"values": {"Berlin": "Berlin", "Rome": "", "": ""}}}))
    for ticket in fleet:
        stage.person_edits(A, ticket, reference="Rome")
    stage.rest()
    written = there(stage, B, fleet)
    assert (written.count(""), written.count("Berlin")) == (HANDFUL, MANY - HANDFUL)
    brake = Brake.objects.get()
    assert (brake.kind, brake.into, brake.connection) == ("blank", "system", stage.connections[B])
    answer(stage, brake, B, "keep_stopped")
    done = put_back(brake=brake, actor=stage.actor(B), at=stage.now)
    assert done.number == 0
    assert set(done.refused.values()) == {
        "the rules in force would do the same again; correct and publish them, then put back"
    }
    stage.rest()
    assert there(stage, B, fleet).count("") == HANDFUL
    stage.publish(B, document())
    assert put_back(brake=brake, actor=stage.actor(B), at=stage.now).number == HANDFUL
    stage.rest()
    assert there(stage, B, fleet) == ["Rome"] * MANY
    assert tend_brakes(now=stage.now) == 1


def test_a_release_that_reads_every_status_as_closed_is_stopped(stage: Stage, fleet: list[Ticket]) -> None:
    values = {"new": "new", "in_progress": "in progress", "pending": "on hold", "resolved": "resolved"}
    wrong = document(fields={"status": {"values": values, "values_back": {"on hold": "closed", "new": "new"}}})
    stage.publish(A, wrong)
    for ticket in fleet:
        stage.person_edits(A, ticket, status="on hold")
    stage.rest()
    statuses = [ticket.status for ticket in Ticket.objects.all()]
    assert (statuses.count("closed"), statuses.count("in_progress")) == (HANDFUL, MANY - HANDFUL)
    assert Brake.objects.get(into="hub").kind == "close"


def test_tickets_that_vanish_by_the_dozen_stay_linked(stage: Stage, fleet: list[Ticket]) -> None:
    keys = [stage.link(A, ticket).external_id for ticket in fleet]
    kept = {key: stage.systems[A].tickets.pop(key) for key in keys}
    TicketLink.objects.filter(connection=stage.connections[A]).update(look_wanted=1000)
    stage.rest()
    states = [stage.link(A, ticket).state for ticket in fleet]
    assert (states.count("detached"), states.count("linked")) == (HANDFUL, MANY - HANDFUL)
    brake = Brake.objects.get()
    assert (brake.kind, brake.acts.filter(standing="stopped").count()) == ("detach", MANY - HANDFUL)
    stage.systems[A].tickets.update(kept)
    answer(stage, brake, A, "keep_stopped")
    put_back(brake=brake, actor=stage.actor(A), at=stage.now)
    stage.rest()
    assert [stage.link(A, ticket).state for ticket in fleet] == ["linked"] * MANY
    assert tend_brakes(now=stage.now) == 1


def test_vanished_tickets_are_detached_once_both_parties_say_so(stage: Stage, fleet: list[Ticket]) -> None:
    for ticket in fleet:
        stage.systems[A].tickets.pop(stage.link(A, ticket).external_id)
    TicketLink.objects.filter(connection=stage.connections[A]).update(look_wanted=1000)
    stage.rest()
    brake = Brake.objects.get()
    for slug in (A, INTEGRATOR):
        answer(stage, brake, slug, "let_through")
    stage.rest()
    assert [stage.link(A, ticket).state for ticket in fleet] == ["detached"] * MANY


def test_what_somebody_does_in_the_portal_is_meant(stage: Stage, fleet: list[Ticket]) -> None:
    for ticket in fleet:
        stage.edit(ticket, A, **{"custom.site": ""})
        tickets.move(ticket=Ticket.objects.get(pk=ticket.pk), status="resolved", actor=stage.actor(A), at=AT)
    stage.rest()
    assert there(stage, B, fleet) == [""] * MANY
    assert [stage.remote(B, ticket).fields["status"] for ticket in fleet] == ["resolved"] * MANY
    assert not Brake.objects.exists()


def test_retrying_a_lane_behind_a_brake_carries_nothing_out(stage: Stage, fleet: list[Ticket]) -> None:
    go_empty(stage, A, fleet)
    links = [link.pk for link in held(stage, A)]
    retry_lanes(connection=stage.connection(A), links=links, actor=stage.actor(A), at=stage.now)
    stage.rest()
    assert sites(fleet).count("") == HANDFUL
    assert len(held(stage, A)) == MANY - HANDFUL
    assert GraveAct.objects.filter(standing="stopped").count() == MANY - HANDFUL


def test_what_is_usual_on_a_connection_passes(stage: Stage, fleet: list[Ticket]) -> None:
    window = int(stage.now.timestamp()) // 600 - 100
    GraveCount.objects.create(connection=stage.connections[A], kind="blank", into="hub", window=window, number=2)
    go_empty(stage, A, fleet)
    assert sites(fleet) == [""] * MANY


def test_only_its_parties_answer(stage: Stage, fleet: list[Ticket]) -> None:
    go_empty(stage, A, fleet)
    brake = Brake.objects.get()
    for slug in (B, "mercuri"):
        with pytest.raises(NotVisible):
            answer(stage, brake, slug, "let_through")
    stranger = replace(stage.actor(A), organization=stage.organization(INTEGRATOR))
    with pytest.raises(Forbidden, match="Infinity Architecture and Infinity Service Integration answer"):
        answer_brake(brake=brake, choice="let_through", actor=stranger, at=stage.now)
    with pytest.raises(NothingWaits, match="kept stopped"):
        put_back(brake=brake, actor=stage.actor(A), at=stage.now)
    for slug in (A, INTEGRATOR):
        answer(stage, brake, slug, "let_through")
    with pytest.raises(NothingWaits, match="let through"):
        answer(stage, brake, A, "keep_stopped")


def test_ordinary_acts_are_forgotten_after_a_day(stage: Stage, fleet: list[Ticket]) -> None:
    go_empty(stage, A, fleet[:2])
    assert GraveAct.objects.count() > 0
    GraveAct.objects.update(at=AT)
    prune_grave_acts(now=stage.now)
    assert GraveAct.objects.count() == 0


def test_a_system_without_a_change_log_is_stopped_and_put_back_alike(stage: Stage) -> None:
    stage.connect(A, has_change_log=False)
    Connection.objects.update(brake_handful=HANDFUL)
    fleet = [stage.open(A, title=f"Ticket {number}", **{"custom.site": "Berlin"}) for number in range(MANY)]
    stage.rest()
    go_empty(stage, A, fleet)
    assert sites(fleet).count("") == HANDFUL
    brake = Brake.objects.get()
    assert brake.acts.filter(standing="stopped").count() == MANY - HANDFUL
    answer(stage, brake, A, "keep_stopped")
    put_back(brake=brake, actor=stage.actor(A), at=stage.now)
    stage.rest()
    assert sites(fleet) == there(stage, A, fleet) == ["Berlin"] * MANY


def test_a_lane_behind_a_brake_takes_no_other_value(stage: Stage, fleet: list[Ticket]) -> None:
    go_empty(stage, A, fleet)
    assert [correctable_fields(link) for link in held(stage, A)] == [{}] * (MANY - HANDFUL)


def test_ordinary_changes_cost_no_query_for_the_brake(stage: Stage, fleet: list[Ticket]) -> None:
    for ticket in fleet:
        stage.person_edits(A, ticket, title=f"{ticket.title} again", reference="Rome")
    with CaptureQueriesContext(database) as queries:
        stage.rest()
    tables = ("sync_brake", "sync_grave")
    assert [one["sql"] for one in queries.captured_queries if any(table in one["sql"] for table in tables)] == []
    assert sites(fleet) == ["Rome"] * MANY


def test_what_was_refused_days_ago_can_still_be_put_back(stage: Stage, fleet: list[Ticket]) -> None:
    go_empty(stage, A, fleet)
    brake = Brake.objects.get()
    answer(stage, brake, A, "keep_stopped")
    Brake.objects.update(decided_at=stage.now - timedelta(days=3))
    put_back(brake=brake, actor=stage.actor(A), at=stage.now)
    stage.rest()
    assert sites(fleet) == there(stage, A, fleet) == ["Berlin"] * MANY


def test_a_lane_that_was_skipped_waits_no_more(stage: Stage, fleet: list[Ticket]) -> None:
    stage.publish(B, document(fields={"custom.site": {"values": {"Berlin": "Berlin", "Rome": "", "": ""}}}))
    for ticket in fleet:
        stage.person_edits(A, ticket, reference="Rome")
    stage.rest()
    brake = Brake.objects.get()
    answer(stage, brake, B, "keep_stopped")
    links = [link.pk for link in held(stage, B)]
    actor = stage.actor(B)
    skipped = skip_entries(connection=stage.connection(B), links=links, actor=actor, at=stage.now, reason="a fault")
    assert skipped.number == MANY - HANDFUL
    stage.rest()
    told: Any = brakes(seen_by=actor.principal).get()
    assert told.stopped == 0
    words = [one.word for one in told_acts(acts_behind(told, seen_by=actor.principal), seen_by=actor.principal)]
    assert words == ["no longer waits"] * (MANY - HANDFUL) + ["carried out"] * HANDFUL
    assert there(stage, B, fleet).count("Berlin") == MANY - HANDFUL
    assert tend_brakes(now=stage.now) == 1


def test_a_release_that_was_cut_short_is_made_whole(
    stage: Stage, fleet: list[Ticket], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_empty(stage, A, fleet)
    brake = Brake.objects.get()
    answer(stage, brake, A, "let_through")
    with monkeypatch.context() as cut:
        cut.setattr("apps.sync.services.braking._resume", lambda *_given: None)
        answer(stage, brake, INTEGRATOR, "let_through")
    stage.rest()
    assert len(held(stage, A)) == MANY - HANDFUL
    tend_brakes(now=stage.now)
    stage.rest()
    assert sites(fleet) == [""] * MANY
    assert held(stage, A) == []
