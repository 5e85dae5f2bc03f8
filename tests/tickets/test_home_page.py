from django.urls import reverse

from tests.access_cases import PageAccessCases, SampleTestCase, queries_for
from tests.sample import open_for


class TestHome(PageAccessCases, SampleTestCase):
    seen_by = ("integrator", "agent", "executive")

    def path(self) -> str:
        return reverse("home")

    def test_tells_somebody_without_organization_what_to_do(self) -> None:
        page = self.text("otto", self.path())
        assert "do not belong to any organization" in page
        assert "otto@nowhere.example" in page

    def test_counts_open_tickets_held_by_priority(self) -> None:
        page = self.text("david", self.path())
        critical = page.split("priority=critical")[1].split("figure")[1][:12]
        assert ">2<" in critical

    def test_shows_lately_changed_tickets_that_the_reader_sees(self) -> None:
        page = self.text("agent", self.path())
        assert "Payment at the kiosks" in page
        assert "Warehouse scanner" not in page

    def test_costs_the_same_for_many_tickets(self) -> None:
        client = self.client_of("david")
        before = queries_for(client, self.path())
        for index in range(27):
            open_for(self.sample, "david", "global", f"One more {index}")
        assert queries_for(client, self.path()) == before
        assert before <= 15


class TestFinding(PageAccessCases, SampleTestCase):
    seen_by = ("integrator", "agent")

    def path(self) -> str:
        return reverse("find")

    def found(self, who: str, words: str) -> str:
        return self.text(who, f"{self.path()}?q={words}")

    def test_finds_a_ticket_by_its_key_in_a_system(self) -> None:
        assert "Payment at the kiosks" in self.found("integrator", "OPS-7")
        assert "Payment at the kiosks" in self.found("john", "ops-7")

    def test_does_not_answer_to_a_key_of_a_system_that_the_reader_may_not_look_into(self) -> None:
        assert "Payment at the kiosks" not in self.found("agent", "OPS-7")
        assert "Payment at the kiosks" in self.found("agent", "35436")

    def test_finds_pages_by_name(self) -> None:
        assert reverse("connection-list") in self.found("agent", "connect")

    def test_says_when_nothing_is_found(self) -> None:
        assert "Nothing found" in self.found("agent", "zzz")
