"""Links, lanes and conflicts through the API: where tickets are, what waits, why, and who must act."""

from typing import Any

from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.sync.models import Conflict, Connection, TicketLink
from apps.tickets import services as tickets
from apps.tickets.models import Ticket, TicketEvent
from tests.api_cases import NOW, ApiTestCase, RouteAccessCases, WriteAccessCases, assert_problem


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
