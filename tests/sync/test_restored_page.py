"""What came of a restored database, on its page, through the API and by the command: each sees one's own part."""

from io import StringIO
from typing import Any

from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from apps.sync.models import ConnectionPulse, Divergence, Restoration, TicketLink
from apps.sync.services.restoring import declare_restored
from apps.tickets.models import Ticket
from tests.access_cases import PageAccessCases, SampleTestCase
from tests.api_cases import RouteAccessCases


def find_something(connection: Any, text: str) -> Restoration:
    """A restoration that found one thing in ``connection``."""
    made = declare_restored(now=timezone.now())
    Divergence.objects.create(
        restoration=made, connection=connection, key="OPS-7", kind="taken_back", text=text, at=timezone.now()
    )
    return made


class TestRestoredPage(PageAccessCases, SampleTestCase):
    seen_by = ("elaine", "integrator", "agent")

    def setUp(self) -> None:
        self.made = find_something(self.sample.connections["infinity-projects"], "the ticket OPS-7 came back")

    def path(self) -> str:
        return reverse("restored")

    def test_the_owner_and_the_integrator_see_what_was_found_and_a_rival_does_not(self) -> None:
        for who, sees in (("elaine", True), ("integrator", True), ("agent", False)):
            assert ("the ticket OPS-7 came back" in self.text(who, self.path())) is sees, who

    def test_counts_what_is_still_to_be_read_among_ones_own(self) -> None:
        TicketLink.objects.exclude(connection=self.sample.connections["infinity-projects"]).update(is_behind=False)
        assert "still to be read" in self.text("elaine", self.path())
        assert "still to be read" not in self.text("agent", self.path())

    def test_one_before_the_last_has_an_address_and_an_absent_one_has_none(self) -> None:
        find_something(self.sample.connections["mercuri"], "later")
        assert "OPS-7 came back" in self.text("elaine", reverse("restoration", args=[self.made.pk]))
        assert self.get("elaine", reverse("restoration", args=[self.made.pk + 999])).status_code == 404

    def test_a_long_list_goes_on_behind_the_next_page(self) -> None:
        connection = self.sample.connections["infinity-projects"]
        rows = [
            Divergence(
                restoration=self.made,
                connection=connection,
                key=f"OPS-{n}",
                kind="taken_back",
                text="x",
                at=timezone.now(),
            )
            for n in range(50)
        ]
        Divergence.objects.bulk_create(rows)
        assert 'href="?page=2"' in self.text("elaine", self.path())
        second = self.text("elaine", self.path() + "?page=2")
        assert 'href="?page=1"' in second
        assert 'href="?page=3"' not in second

    def test_the_list_of_connections_leads_to_it(self) -> None:
        assert reverse("restored") in self.text("elaine", reverse("connection-list"))


class TestCommand(SampleTestCase):
    def test_says_it_and_shows_how_far_it_is(self) -> None:
        Restoration.objects.all().delete()
        out = StringIO()
        call_command("restored", "--status", stdout=out)
        assert "never said" in out.getvalue()
        out = StringIO()
        call_command("restored", stdout=out)
        behind = TicketLink.objects.filter(is_behind=True).exclude(external_id="").count()
        assert f"{behind} tickets of systems are read again" in out.getvalue()
        assert behind > 0

    def test_marks_everything_that_a_system_may_know_better(self) -> None:
        TicketLink.objects.update(claimed_by="worker", looked_for="siam-1", compare_wanted=False)
        declare_restored(now=timezone.now())
        links = TicketLink.objects.exclude(state=TicketLink.State.FORMER)
        assert {(one.is_behind, one.compare_wanted, one.claimed_by, one.looked_for) for one in links} == {
            (True, True, "", "")
        }
        assert not Ticket.objects.filter(is_restored=False).exists()
        assert not ConnectionPulse.objects.filter(behind_until=None).exists()


class TestRestorationsRoute(RouteAccessCases):
    route = "api-restorations"
    shows_mark = False

    def setUp(self) -> None:
        super().setUp()
        find_something(self.world.mercuri.connection, f"{self.world.mercuri.mark} came back")

    def test_counts_what_the_reader_may_see(self) -> None:
        mine = self.ask(self.asker).json()["results"][0]
        foreign = self.ask("David").json()["results"][0]
        assert (mine["found"]["taken_back"], foreign["found"]["taken_back"]) == (1, 0)


class TestDivergencesRoute(RouteAccessCases):
    route = "api-divergences"

    def setUp(self) -> None:
        super().setUp()
        find_something(self.world.mercuri.connection, f"{self.world.mercuri.mark} came back")

    def test_is_narrowed_by_kind(self) -> None:
        assert self.ask(self.asker, self.address() + "?kind=person").json()["results"] == []
        assert len(self.ask(self.asker, self.address() + "?kind=taken_back").json()["results"]) == 1
