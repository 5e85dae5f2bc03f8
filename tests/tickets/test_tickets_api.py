"""Tickets through the API: listed, opened, edited and moved on."""

from datetime import timedelta
from typing import Any

from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.tickets import services
from apps.tickets.models import TicketEvent
from tests.api_cases import NOW, ApiTestCase, RouteAccessCases, WriteAccessCases, actor_of, assert_problem


class OnMercurisTicket(RouteAccessCases):
    def names(self) -> dict[str, Any]:
        return {"reference": self.world.mercuri.ticket.reference}


class WriteToMercurisTicket(OnMercurisTicket, WriteAccessCases):
    weak = "Executive"


class TestListAccess(RouteAccessCases):
    route = "api-tickets"


class TestOpenAccess(WriteAccessCases):
    route = "api-tickets"
    weak = "Executive"
    success = 201

    def body(self) -> dict[str, Any]:
        return {"title": "The till is down again"}


class TestReadAccess(OnMercurisTicket):
    route = "api-ticket"


class TestReadAccessById(OnMercurisTicket):
    route = "api-ticket"

    def names(self) -> dict[str, Any]:
        return {"reference": str(self.world.mercuri.ticket.pk)}


class TestEditAccess(WriteToMercurisTicket):
    route = "api-ticket"
    method = "patch"

    def body(self) -> dict[str, Any]:
        return {"title": "The till is up"}


class TestAssessAccess(WriteToMercurisTicket):
    route = "api-ticket-assess"

    def body(self) -> dict[str, Any]:
        return {"impact": 1, "urgency": 1}


class TestPrioritizeAccess(WriteToMercurisTicket):
    route = "api-ticket-prioritize"

    def body(self) -> dict[str, Any]:
        return {"priority": "high"}


class TestMoveAccess(WriteToMercurisTicket):
    route = "api-ticket-move"

    def body(self) -> dict[str, Any]:
        return {"status": "in_progress"}


class TestShareAccess(WriteToMercurisTicket):
    route = "api-ticket-share"
    asker = "Integrator Lead"
    weak = "Mercuri Manager"

    def body(self) -> dict[str, Any]:
        return {"to": str(self.world.cast.organizations["global"].pk)}


class TestHandOverAccess(WriteToMercurisTicket):
    route = "api-ticket-hand-over"
    asker = "Integrator Lead"
    weak = "Mercuri Manager"

    def body(self) -> dict[str, Any]:
        return {"to": str(self.world.cast.organizations["global"].pk), "reason": "it is the network"}


class TestListing(ApiTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        cls.actor = actor_of(cls.world.cast, "Mercuri Agent", "mercuri")
        for number in range(5):
            services.open_ticket(
                values={"title": f"Kiosk {number}", "priority": "high" if number % 2 else "low"},
                actor=cls.actor,
                at=NOW + timedelta(hours=number // 2),
            )

    def titles(self, **query: Any) -> list[str]:
        return [row["title"] for row in self.get("Mercuri Agent", "api-tickets", query=query)["results"]]

    def test_shows_what_changed_last_first(self) -> None:
        first = self.titles()[:3]
        assert first[0] == "Kiosk 4"
        assert set(first[1:]) == {"Kiosk 2", "Kiosk 3"}

    def test_pages_show_every_ticket_once_though_many_have_one_time(self) -> None:
        for ordering in ("-updated_at", "updated_at", "reference", "-created_at", "created_at"):
            seen: list[str] = []
            page = self.get("Mercuri Agent", "api-tickets", query={"page_size": 2, "ordering": ordering})
            while True:
                seen += [row["reference"] for row in page["results"]]
                if page["next"] is None:
                    break
                page = self.call("Mercuri Agent", "get", page["next"]).json()
            assert sorted(seen) == sorted({row["reference"] for row in self.everything()}), ordering

    def everything(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.get("Mercuri Agent", "api-tickets")["results"]
        return rows

    def test_a_page_has_neither_number_nor_total(self) -> None:
        assert set(self.get("Mercuri Agent", "api-tickets")) == {"results", "next"}

    def test_a_cursor_of_another_list_or_an_altered_one_is_refused(self) -> None:
        page = self.get("Mercuri Agent", "api-tickets", query={"page_size": 1})
        cursor = page["next"].split("cursor=")[1].split("&")[0]
        for query in ({"cursor": cursor, "ordering": "reference"}, {"cursor": cursor[:-8]}, {"cursor": "\x00é"}):
            answer = self.call("Mercuri Agent", "get", reverse("api-tickets"), **query)
            assert "cursor" in assert_problem(answer, 400)["errors"]

    def test_can_be_narrowed(self) -> None:
        mercuri, infinity = self.world.mercuri.organization.pk, self.world.cast.organizations["infinity"].pk
        assert set(self.titles(priority="high", q="kiosk")) == {"Kiosk 1", "Kiosk 3"}
        assert len(self.titles(priority=["high", "low"], status="new")) == 5
        assert self.titles(updated_from="2026-03-02T11:00:00Z") == ["Kiosk 4"]
        assert self.titles(opened_by=infinity) == []
        assert len(self.titles(opened_by=mercuri, kind="incident")) == 6
        assert self.titles(held_by=mercuri) == []
        assert self.titles(category="network") == []
        assert self.titles(q=self.world.mercuri.ticket.reference.lower()) == ["canary-mercuri: the till is down"]

    def test_each_filter_takes_only_its_own_kind_of_value(self) -> None:
        wrong = {
            "status": "open",
            "priority": "P1",
            "kind": "bug",
            "category": "none",
            "held_by": "mercuri",
            "opened_by": "1",
            "updated_from": "yesterday",
            "updated_before": "2026-13-01T00:00:00Z",
            "ordering": "opened_by__name",
            "page_size": "100000",
            "q": "\x00",
        }
        for name, value in wrong.items():
            answer = self.call("Mercuri Agent", "get", reverse("api-tickets"), **{name: value})
            assert list(assert_problem(answer, 400)["errors"]) == [name]

    def test_a_longer_list_costs_no_more_queries(self) -> None:
        key = self.world.key("Mercuri Agent")
        self.call(None, "get", reverse("api-tickets"), token=key)
        with CaptureQueriesContext(database) as few:
            short = self.call(None, "get", reverse("api-tickets"), token=key, page_size=3)
        for number in range(30):
            services.open_ticket(values={"title": f"More {number}"}, actor=self.actor, at=NOW)
        with CaptureQueriesContext(database) as many:
            long = self.call(None, "get", reverse("api-tickets"), token=key, page_size=30)
        assert (len(short.json()["results"]), len(long.json()["results"])) == (3, 30)
        assert len(few) == len(many) <= 6


class TestOpening(ApiTestCase):
    def open(self, who: str = "Mercuri Agent", **body: Any) -> Any:
        return self.call(who, "post", reverse("api-tickets"), {"title": "The till is down", **body})

    def test_the_priority_follows_from_impact_and_urgency(self) -> None:
        made = self.open(impact=1, urgency=4).json()
        assert (made["priority"], made["impact"], made["urgency"]) == ("low", 1, 4)
        made = self.open(impact=4, urgency=1).json()
        assert made["priority"] == "high"

    def test_the_first_parties_take_part_and_the_route_hands_it_over(self) -> None:
        made = self.open(category="network", custom={"site": "berlin"}).json()
        assert made["held_by"]["name"] == "Global Pvt Ltd"
        assert made["custom"] == {"site": "berlin"}
        assert [party["name"] for party in made["parties"]] == [
            "Mercuri Inc",
            "Infinity Solutions",
            "Infinity Service Integration",
            "Global Pvt Ltd",
        ]

    def test_is_for_ones_own_organization_only(self) -> None:
        rival = self.world.rival.organization
        problem = assert_problem(self.open(organization=str(rival.pk)), 422)
        assert list(problem["errors"]) == ["organization"]
        assert rival.name not in str(problem)

    def test_somebody_of_two_organizations_says_for_which(self) -> None:
        from datetime import date

        from apps.ecosystem.services import add_member

        projects = self.world.cast.organizations["infinity-projects"]
        john = self.world.cast.people["John"]
        add_member(person=john, organization=projects, role="provider_agent", from_date=date(2026, 1, 1), actor=None)
        assert list(assert_problem(self.open("John"), 422)["errors"]) == ["organization"]
        assert self.open("John", organization=str(projects.pk)).json()["opened_by"]["name"] == "Infinity Projects"

    def test_each_wrong_member_is_named(self) -> None:
        wrong = {"title": "", "kind": "bug", "impact": 5, "urgency": "x", "priority": "P1", "custom": {"a b": "c"}}
        assert set(assert_problem(self.open(**wrong), 400)["errors"]) == set(wrong)

    def test_what_follows_from_rights_is_never_taken_from_the_body(self) -> None:
        problem = assert_problem(self.open(opened_by=str(self.world.rival.organization.pk), reference="T-1"), 400)
        assert set(problem["errors"]) == {"opened_by", "reference"}


class TestChanging(ApiTestCase):
    def address(self, verb: str = "") -> str:
        route = f"api-ticket-{verb}" if verb else "api-ticket"
        return reverse(route, args=[self.world.mercuri.ticket.reference])

    def post(self, verb: str, who: str = "Mercuri Agent", **body: Any) -> Any:
        return self.call(who, "post", self.address(verb), body)

    def test_an_edit_is_one_journal_entry_with_from_and_to(self) -> None:
        answer = self.call("Mercuri Agent", "patch", self.address(), {"assignee": "Marco", "custom": {"site": "paris"}})
        assert answer.json()["assignee"] == "Marco"
        last = TicketEvent.objects.filter(ticket=self.world.mercuri.ticket).last()
        assert last is not None
        assert last.changes == {"assignee": ["", "Marco"], "custom.site": ["", "paris"]}
        assert (last.actor_name, last.organization) == ("Mercuri Agent", self.world.mercuri.organization)

    def test_an_edit_that_changes_nothing_leaves_the_journal_alone(self) -> None:
        before = self.world.mercuri.ticket.last_seq
        answer = self.call("Mercuri Agent", "patch", self.address(), {"title": self.world.mercuri.ticket.title})
        assert (answer.status_code, answer.json()["last_seq"]) == (200, before)

    def test_status_and_priority_have_verbs_of_their_own(self) -> None:
        answer = self.call("Mercuri Agent", "patch", self.address(), {"status": "closed", "priority": "low"})
        assert set(assert_problem(answer, 400)["errors"]) == {"status", "priority"}

    def test_a_move_that_is_not_legal_names_those_that_are(self) -> None:
        problem = assert_problem(self.post("move", status="closed"), 422)
        assert problem["errors"]["status"] == [
            "from new a ticket can go to in_progress, pending, resolved, not to closed"
        ]

    def test_resolving_carries_the_resolution(self) -> None:
        done = self.post("move", status="resolved", resolution="New cable").json()
        assert (done["status"], done["resolution"]) == ("resolved", "New cable")
        assert done["resolved_at"] is not None

    def test_assessing_and_prioritizing_keep_to_the_matrix(self) -> None:
        assert self.post("assess", impact=1, urgency=1).json()["priority"] == "critical"
        low = self.post("prioritize", priority="low").json()
        assert low["priority"] == "low"

    def test_sharing_lets_the_rival_see_it_and_a_rival_may_not_share(self) -> None:
        to = str(self.world.rival.organization.pk)
        assert_problem(self.call("David", "get", self.address()), 404)
        shared = self.post("share", "Integrator Lead", to=to).json()
        assert "Global Pvt Ltd" in [party["name"] for party in shared["parties"]]
        assert self.call("David", "get", self.address()).status_code == 200

    def test_handing_over_moves_custody(self) -> None:
        given = self.post("hand-over", "Integrator Lead", to=str(self.world.rival.organization.pk), reason="network")
        assert given.json()["held_by"]["name"] == "Global Pvt Ltd"

    def test_an_organization_that_is_not_known_does_not_exist(self) -> None:
        import uuid

        answer = self.post("share", "Integrator Lead", to=str(uuid.uuid4()))
        assert_problem(answer, 404)

    def test_the_first_of_two_organizations_that_fits_is_not_guessed(self) -> None:
        """An account that could act for two parties says for which."""
        from datetime import date

        from apps.ecosystem.services import add_member

        add_member(
            person=self.world.cast.people["Governance Lead"],
            organization=self.world.cast.organizations["infinity-integration"],
            role="integrator_lead",
            from_date=date(2026, 1, 1),
            actor=None,
        )
        answer = self.post("assess", "Governance Lead", impact=2, urgency=2)
        assert list(assert_problem(answer, 422)["errors"]) == ["organization"]

    def test_a_reference_may_be_written_in_small_letters(self) -> None:
        address = reverse("api-ticket", args=[self.world.mercuri.ticket.reference.lower()])
        assert self.call("Mercuri Agent", "get", address).json()["id"] == str(self.world.mercuri.ticket.pk)
