"""What the operator does frees lanes in the engine as it does on the page."""

from datetime import timedelta

import pytest

from apps.access.kernel import Forbidden, NotVisible
from apps.sync.models import Exchange, Intent, LaneAct, LaneCharge, TicketLink
from apps.sync.services.exchanges import prune_exchanges
from apps.sync.services.lanes import NothingWaits
from apps.sync.services.operating import (
    correct_value,
    correctable_fields,
    end_charges,
    hand_lanes,
    retry_lanes,
    skip_entries,
)
from apps.tickets.models import Ticket

from .stage import Stage, document

SITES = {"berlin": "BER", "paris": "PAR"}


def mapped() -> dict[str, object]:
    return document(fields={"custom.site": {"values": SITES}})


def held(stage: Stage, ticket: Ticket) -> TicketLink:
    link = stage.link("mercuri", ticket)
    assert link.delivery_hold is not None, "the lane should wait"
    return link


class TestAnotherValue:
    def test_frees_a_lane_and_what_else_the_entry_says_still_crosses_in_order(self, stage: Stage) -> None:
        stage.connect("mercuri", mapped())
        ticket = stage.open("mercuri")
        stage.rest()
        stage.edit(ticket, "mercuri", **{"custom.site": "oslo", "title": "Kiosk is down"})
        stage.edit(ticket, "mercuri", description="since 8:10")
        stage.rest()
        link = held(stage, ticket)
        assert correctable_fields(link) == {"custom.site": "oslo"}
        correct_value(link=link, field="custom.site", value="paris", actor=stage.actor("mercuri"), at=stage.now)
        stage.rest()
        fields = stage.remote("mercuri", ticket).fields
        assert (fields["title"], fields["description"], fields["reference"]) == ("Kiosk is down", "since 8:10", "PAR")
        assert stage.link("mercuri", ticket).delivery_hold is None
        assert LaneAct.objects.get(link=link).verb == "corrected"

    def test_frees_a_ticket_that_could_not_be_created_and_keeps_what_was_said_meanwhile(self, stage: Stage) -> None:
        stage.connect("mercuri", mapped())
        ticket = stage.open("mercuri", **{"custom.site": "oslo"})
        stage.rest()
        stage.say(ticket, "mercuri", "Anybody there?")
        stage.rest()
        link = held(stage, ticket)
        correct_value(link=link, field="custom.site", value="berlin", actor=stage.actor("mercuri"), at=stage.now)
        stage.rest()
        remote = stage.remote("mercuri", ticket)
        assert remote.fields["reference"] == "BER"
        assert [said.body for said in remote.comments] == ["Anybody there?"]

    def test_stands_beside_a_word_of_the_system_that_the_rules_do_not_know(self, stage: Stage) -> None:
        stage.connect("mercuri", mapped())
        ticket = stage.open("mercuri", **{"custom.site": "berlin"})
        stage.rest()
        stage.person_edits("mercuri", ticket, title="Kiosk is down")
        stage.rest()
        stage.person_edits("mercuri", ticket, reference="OSL")
        stage.rest()
        link = stage.link("mercuri", ticket)
        assert link.intake_hold is not None
        assert correctable_fields(link) == {"custom.site": "berlin"}
        correct_value(link=link, field="custom.site", value="paris", actor=stage.actor("mercuri"), at=stage.now)
        stage.rest()
        stage.sweep()
        fresh = stage.link("mercuri", ticket)
        assert (fresh.intake_hold, fresh.delivery_hold) == (None, None)
        assert Ticket.objects.get(pk=ticket.pk).custom["site"] == "paris"
        assert stage.remote("mercuri", ticket).fields["reference"] == "OSL"

    def test_is_refused_where_it_would_not_help(self, stage: Stage) -> None:
        stage.connect("mercuri", mapped())
        ticket = stage.open("mercuri", **{"custom.site": "berlin"})
        stage.rest()
        with pytest.raises(NothingWaits):
            correct_value(
                link=stage.link("mercuri", ticket),
                field="custom.site",
                value="paris",
                actor=stage.actor("mercuri"),
                at=stage.now,
            )
        stage.person_edits("mercuri", ticket, title="Kiosk is down")
        stage.rest()
        stage.person_edits("mercuri", ticket, reference="OSL")
        stage.rest()
        with pytest.raises(NothingWaits, match="what the system had before"):
            correct_value(
                link=stage.link("mercuri", ticket),
                field="custom.site",
                value="berlin",
                actor=stage.actor("mercuri"),
                at=stage.now,
            )
        assert Ticket.objects.get(pk=ticket.pk).custom["site"] == "berlin"


class TestManyAtOnce:
    def parked(self, stage: Stage, number: int) -> list[TicketLink]:
        stage.connect("mercuri", mapped())
        opened = [stage.open("mercuri") for _ in range(number)]
        stage.rest()
        for ticket in opened:
            stage.edit(ticket, "mercuri", **{"custom.site": "oslo"})
        stage.rest()
        return [held(stage, ticket) for ticket in opened]

    def test_retry_after_the_rules_were_corrected(self, stage: Stage) -> None:
        links = self.parked(stage, 3)
        stage.publish("mercuri", document(fields={"custom.site": {"values": SITES | {"oslo": "OSL"}}}))
        connection = stage.connection("mercuri")
        number = retry_lanes(
            connection=connection, links=[link.pk for link in links], actor=stage.actor("mercuri"), at=stage.now
        )
        assert number == 3
        stage.rest()
        assert {stage.remote("mercuri", link.ticket).fields["reference"] for link in links} == {"OSL"}

    def test_skip_leaves_out_one_entry_each(self, stage: Stage) -> None:
        links = self.parked(stage, 2)
        done = skip_entries(
            connection=stage.connection("mercuri"),
            links=[link.pk for link in links],
            actor=stage.actor("mercuri"),
            at=stage.now,
            reason="not for them",
        )
        assert done == (2, {})
        stage.rest()
        assert Intent.objects.filter(slot="skipped", state="withheld").count() == 2
        assert not TicketLink.objects.filter(delivery_hold__isnull=False).exists()

    def test_handing_ends_when_the_lane_goes_on(self, stage: Stage) -> None:
        [link] = self.parked(stage, 1)
        person = stage.actor("mercuri").user
        assert person is not None
        connection = stage.connection("mercuri")
        hand_lanes(connection=connection, links=[link.pk], person=person, actor=stage.actor("mercuri"), at=stage.now)
        assert end_charges() == 0
        assert LaneCharge.objects.get().person == person
        skip_entries(
            connection=connection, links=[link.pk], actor=stage.actor("mercuri"), at=stage.now, reason="not for them"
        )
        assert end_charges() == 1
        assert LaneAct.objects.filter(verb="handed").count() == 1, "that it was handed over stays on record"

    def test_nobody_is_handed_what_they_may_not_see(self, stage: Stage) -> None:
        [link] = self.parked(stage, 1)
        rival = stage.actor("global").user
        assert rival is not None
        with pytest.raises(Forbidden):
            hand_lanes(
                connection=stage.connection("mercuri"),
                links=[link.pk],
                person=rival,
                actor=stage.actor("mercuri"),
                at=stage.now,
            )

    def test_a_rival_reaches_nothing(self, stage: Stage) -> None:
        [link] = self.parked(stage, 1)
        with pytest.raises(NotVisible):
            retry_lanes(
                connection=stage.connection("mercuri"), links=[link.pk], actor=stage.actor("global"), at=stage.now
            )


class TestPruning:
    def test_keeps_the_calls_of_the_last_days(self, stage: Stage, settings: object) -> None:
        settings.SIAM_KEEP_EXCHANGES = 30  # type: ignore[attr-defined]
        stage.connect("mercuri")
        connection = stage.connection("mercuri")
        Exchange.objects.all().delete()
        for days in (1, 29, 31, 400):
            Exchange.objects.create(
                connection=connection, at=stage.now - timedelta(days=days), method="GET", url=f"{days}", seconds=0.1
            )
        assert prune_exchanges(now=stage.now) == 2
        assert set(Exchange.objects.values_list("url", flat=True)) == {"1", "29"}
