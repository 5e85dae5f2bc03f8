"""Links, lanes and conflicts through the API: where tickets are, what waits, why, and who must act."""

from typing import Any

from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.sync.models import Conflict, Connection, Exchange, Intent, LaneAct, TicketLink
from apps.tickets import services as tickets
from apps.tickets.models import Ticket, TicketEvent
from tests.api_cases import NOW, ApiTestCase, Estate, RouteAccessCases, WriteAccessCases, assert_problem


def record_try(estate: Estate) -> Intent:
    """A write that was refused, with its call, and what a person did about it."""
    intent = Intent.objects.create(
        link=estate.link,
        seq=2,
        slot="update status",
        correlation=f"{estate.mark}-2",
        fields={"status": estate.mark},
        state=Intent.State.REFUSED,
        note=f"{estate.mark}: no such status",
        created_at=NOW,
        settled_at=NOW,
    )
    Exchange.objects.create(
        connection=estate.connection,
        link=estate.link,
        intent=intent,
        at=NOW,
        method="PUT",
        url=f"https://{estate.mark}.example/",
        status=400,
        seconds=0.1,
    )
    LaneAct.objects.create(
        link=estate.link,
        verb=LaneAct.Verb.RETRIED,
        actor=estate.actor.user,
        actor_name=estate.actor.name,
        organization=estate.organization,
        note=estate.mark,
        at=NOW,
    )
    return intent


class TestTicketLinksAccess(RouteAccessCases):
    route = "api-ticket-links"

    def names(self) -> dict[str, Any]:
        return {"reference": self.world.mercuri.ticket.reference}


class TestLinksAccess(RouteAccessCases):
    route = "api-links"


class TestLanesAccess(RouteAccessCases):
    route = "api-lanes"


class OnMercurisLane(WriteAccessCases):
    def names(self) -> dict[str, Any]:
        return {"lane_id": self.world.mercuri.link.pk}


class TestRetryAccess(OnMercurisLane):
    route = "api-lane-retry"


class TestSkipAccess(OnMercurisLane):
    route = "api-lane-skip"

    def setUp(self) -> None:
        super().setUp()
        Conflict.objects.update(is_open=False)

    def body(self) -> dict[str, Any]:
        return {"reason": "told them by phone"}


class TestCorrectAccess(OnMercurisLane):
    route = "api-lane-correct"

    def setUp(self) -> None:
        super().setUp()
        Conflict.objects.update(is_open=False)
        head = TicketEvent.objects.filter(ticket=self.world.mercuri.ticket, seq__gt=1)[0]
        tickets.edit(
            ticket=self.world.mercuri.ticket, values={"title": "canary-mercuri new"}, actor=self.actor(), at=NOW
        )
        last = TicketEvent.objects.filter(ticket=head.ticket, changes__has_key="title").latest("seq")
        TicketLink.objects.filter(pk=self.world.mercuri.link.pk).update(
            applied_seq=last.seq - 1, delivery_hold={"cause": "rejected", "field": "summary", "value": "x"}
        )

    def actor(self) -> Any:
        return self.world.mercuri.actor

    def body(self) -> dict[str, Any]:
        return {"field": "title", "value": "canary-mercuri better"}


class TestHandAccess(OnMercurisLane):
    route = "api-lane-hand"

    def body(self) -> dict[str, Any]:
        return {"person": self.world.user("Mercuri Agent").email, "note": "please"}


class OnMercurisLaneRead(RouteAccessCases):
    def names(self) -> dict[str, Any]:
        return {"lane_id": self.world.mercuri.link.pk}


class TestLaneAccess(OnMercurisLaneRead):
    route = "api-lane"


class TestLaneIntentsAccess(OnMercurisLaneRead):
    route = "api-lane-intents"

    def setUp(self) -> None:
        super().setUp()
        record_try(self.world.mercuri)


class TestLaneExchangesAccess(OnMercurisLaneRead):
    route = "api-lane-exchanges"

    def setUp(self) -> None:
        super().setUp()
        record_try(self.world.mercuri)


class TestLaneActsAccess(OnMercurisLaneRead):
    route = "api-lane-acts"

    def setUp(self) -> None:
        super().setUp()
        record_try(self.world.mercuri)


class TestLaneGroupsAccess(RouteAccessCases):
    route = "api-lane-groups"


class TestConflictsAccess(RouteAccessCases):
    route = "api-conflicts"


class TestSettleAccess(WriteAccessCases):
    route = "api-conflict-settle"

    def names(self) -> dict[str, Any]:
        return {"conflict_id": self.world.mercuri.conflict.pk}

    def body(self) -> dict[str, Any]:
        return {"choice": "hub"}


class OnLanes(ApiTestCase):
    def lane(self, who: str = "Mercuri Manager") -> dict[str, Any]:
        [row] = self.get(who, "api-lanes")["results"]
        lane: dict[str, Any] = row
        return lane

    def post(self, route: str, who: str = "Mercuri Manager", body: Any = None) -> Any:
        return self.call(who, "post", reverse(route, args=[self.world.mercuri.link.pk]), body)

    def settle(self) -> None:
        Conflict.objects.update(is_open=False)

    def change(self, **fields: Any) -> None:
        TicketLink.objects.filter(pk=self.world.mercuri.link.pk).update(**fields)


class TestLinks(OnLanes):
    def test_tell_where_the_ticket_is_now(self) -> None:
        rows = self.get("Mercuri Agent", "api-ticket-links", reference=self.world.mercuri.ticket.reference)["results"]
        [row] = rows
        assert row["connection"]["organization"]["name"] == "Mercuri Inc"
        assert (row["connection"]["connector"], row["key"], row["status_there"]) == (
            "jira",
            "canary-mercuri-7",
            "To Do",
        )
        assert row["entries_waiting"] == self.world.mercuri.ticket.last_seq - 1
        assert row["hold"] == "canary-mercuri: no word. Mercuri Inc must act: add a word."

    def test_another_party_of_the_ticket_does_not_see_them(self) -> None:
        reference = self.world.mercuri.ticket.reference
        assert self.get("John", "api-ticket-links", reference=reference)["results"] == []
        assert len(self.get("Integrator Lead", "api-ticket-links", reference=reference)["results"]) == 1

    def test_can_be_found_by_their_key(self) -> None:
        found = self.get("Integrator Lead", "api-links", query={"key": "CANARY-GLOBAL-7"})["results"]
        assert [row["ticket"]["reference"] for row in found] == [self.world.rival.ticket.reference]
        assert self.get("Mercuri Agent", "api-links", query={"key": "canary-global-7"})["results"] == []


class TestLanes(OnLanes):
    def test_one_that_is_held_says_why_and_who_must_act(self) -> None:
        lane = self.lane()
        assert (lane["why"], lane["party"], lane["remedy"]) == ("canary-mercuri: no word", "Mercuri Inc", "add a word")
        assert lane["delivery_hold"]["field"] == "status"

    def test_one_that_waits_for_its_connection_says_that(self) -> None:
        self.change(delivery_hold=None)
        Connection.objects.filter(pk=self.world.mercuri.connection.pk).update(
            state="paused", state_reason="Stocktaking."
        )
        assert (self.lane()["why"], self.lane()["party"]) == ("Stocktaking.", "Mercuri Inc")

    def test_one_that_goes_on_by_itself_names_nobody(self) -> None:
        self.change(delivery_hold=None, attempts=3, last_failure="no answer")
        lane = self.lane()
        assert lane["party"] is None
        assert "no answer; tried 3 times" in lane["why"]

    def test_one_in_which_nothing_waits_is_not_listed(self) -> None:
        self.change(delivery_hold=None, applied_seq=self.world.mercuri.ticket.last_seq)
        assert self.get("Mercuri Manager", "api-lanes")["results"] == []

    def test_can_be_narrowed_to_those_that_wait_for_a_person(self) -> None:
        assert len(self.get("Mercuri Manager", "api-lanes", query={"is_held": "true"})["results"]) == 1
        assert self.get("Mercuri Manager", "api-lanes", query={"is_held": "false"})["results"] == []

    def test_retrying_lifts_the_hold_and_keeps_the_order(self) -> None:
        self.settle()
        before = self.lane()["entries_waiting"]
        lane = self.post("api-lane-retry").json()
        assert (lane["delivery_hold"], lane["entries_waiting"]) == (None, before)

    def test_skipping_waits_until_a_conflict_is_settled(self) -> None:
        answer = self.post("api-lane-skip", body={"reason": "told them by phone"})
        assert "conflict" in assert_problem(answer, 422)["detail"]

    def test_skipping_leaves_out_one_entry_and_says_so_in_the_journal(self) -> None:
        self.settle()
        before = self.lane()["entries_waiting"]
        self.post("api-lane-skip", "Integrator Lead", {"reason": "told them by phone"})
        last = TicketEvent.objects.filter(ticket=self.world.mercuri.ticket).last()
        assert last is not None
        assert "was left out" in last.text
        assert "told them by phone" not in last.text, "the reason is for who watches the connection, not for rivals"
        link = TicketLink.objects.select_related("ticket").get(pk=self.world.mercuri.link.pk)
        assert link.applied_seq == 2
        assert "told them by phone" in link.intents.get(slot="skipped").note
        assert self.lane()["entries_waiting"] == before

    def test_skipping_needs_a_reason_and_something_that_is_held(self) -> None:
        assert "reason" in assert_problem(self.post("api-lane-skip", body={}), 400)["errors"]
        self.change(delivery_hold=None)
        assert_problem(self.post("api-lane-skip", body={"reason": "x"}), 422)

    def test_a_longer_list_costs_no_more_queries(self) -> None:
        def cost(route: str, size: int) -> int:
            with CaptureQueriesContext(database) as spent:
                answer = self.call(None, "get", reverse(route), token=key, page_size=size)
            assert len(answer.json()["results"]) == size
            return len(spent)

        for number in range(30):
            ticket = tickets.open_ticket(values={"title": f"T {number}"}, actor=self.world.mercuri.actor, at=NOW)
            link = TicketLink.objects.create(
                connection=self.world.mercuri.connection, ticket=ticket, state="creating", due_at=NOW, created_at=NOW
            )
            Conflict.objects.create(link=link, rule_key="title=summary", verdict="ask", at=NOW, recorded_at=NOW)
        key = self.world.key("Mercuri Manager")
        self.call(None, "get", reverse("api-links"), token=key)
        for route in ("api-links", "api-lanes", "api-conflicts"):
            assert cost(route, 3) == cost(route, 30) <= 6, route


class TestTheStoryOfALane(OnLanes):
    def test_tells_each_write_with_its_calls_to_the_owner_alone(self) -> None:
        intent = record_try(self.world.mercuri)
        lane = self.world.mercuri.link.pk
        [told] = self.get("Mercuri Manager", "api-lane-intents", lane_id=lane)["results"]
        assert (told["state"], told["fields_written"]) == ("refused", {"status": "canary-mercuri"})
        [call] = self.get("Mercuri Manager", "api-lane-exchanges", lane_id=lane)["results"]
        assert (call["intent"], call["status"]) == (intent.pk, 400)
        [told] = self.get("Integrator Lead", "api-lane-intents", lane_id=lane)["results"]
        assert told["fields_written"] is None
        assert self.get("Integrator Lead", "api-lane-exchanges", lane_id=lane)["results"] == []

    def test_tells_who_did_what_about_it(self) -> None:
        self.settle()
        self.post("api-lane-retry", "Integrator Lead")
        [act] = self.get("Mercuri Manager", "api-lane-acts", lane_id=self.world.mercuri.link.pk)["results"]
        assert (act["verb"], act["actor_name"]) == ("retried", "Integrator Lead")

    def test_names_the_person_it_was_handed_to(self) -> None:
        lane = self.post("api-lane-hand", body={"person": self.world.user("Mercuri Agent").email}).json()
        assert lane["charge"]["person"] == "Mercuri Agent"
        answer = self.post("api-lane-hand", body={"person": self.world.user("David").email})
        assert "person" in assert_problem(answer, 422)["errors"]

    def test_groups_are_counted_by_cause(self) -> None:
        [group] = self.get("Mercuri Manager", "api-lane-groups")["results"]
        assert (group["cause"], group["field"], group["number"], group["needs_a_person"]) == (
            "rules",
            "status",
            1,
            True,
        )
        groups = self.get("Integrator Lead", "api-lane-groups")["results"]
        assert {group["connection"]["name"] for group in groups} == {"canary-mercuri desk", "canary-global desk"}
        assert self.get("Integrator Lead", "api-lane-groups", query={"cause": "conflict"})["results"] == []

    def test_a_longer_story_costs_no_more_queries(self) -> None:
        key = self.world.key("Mercuri Manager")
        address = reverse("api-lane-intents", args=[self.world.mercuri.link.pk])

        def cost() -> int:
            with CaptureQueriesContext(database) as spent:
                self.call(None, "get", address, token=key)
            return len(spent)

        record_try(self.world.mercuri)
        self.call(None, "get", address, token=key)
        before = cost()
        for _ in range(20):
            record_try(self.world.mercuri)
        assert cost() == before


class TestConflicts(OnLanes):
    def settle(self, choice: str, who: str = "Mercuri Manager") -> Any:
        address = reverse("api-conflict-settle", args=[self.world.mercuri.conflict.pk])
        return self.call(who, "post", address, {"choice": choice})

    def test_show_both_values_side_by_side(self) -> None:
        [row] = self.get("Mercuri Manager", "api-conflicts", query={"is_open": "true"})["results"]
        assert (row["field"], row["hub_value"], row["system_value"]) == (
            "title",
            "canary-mercuri here",
            "canary-mercuri there",
        )

    def test_choosing_the_hub_keeps_the_ticket(self) -> None:
        settled = self.settle("hub").json()
        assert (settled["is_open"], settled["verdict"]) == (False, "to_system")
        assert self.get("Mercuri Manager", "api-conflicts", query={"is_open": "true"})["results"] == []

    def test_choosing_the_system_changes_the_ticket(self) -> None:
        self.settle("system")
        assert Ticket.objects.get(pk=self.world.mercuri.ticket.pk).title == "canary-mercuri there"

    def test_takes_no_third_choice(self) -> None:
        assert "choice" in assert_problem(self.settle("both"), 400)["errors"]
