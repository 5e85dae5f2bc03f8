"""The pages of the brakes: the list, one brake with what it stopped, the parties' answers, and putting back."""

import io

from django.urls import reverse
from openpyxl import load_workbook

from apps.sync.models import AlertRule, Brake, BrakeAnswer, GraveAct, TicketLink
from apps.sync.services.alerting import look_for_alerts
from tests.access_cases import HTMX, PageAccessCases, SampleTestCase, body_of, queries_for
from tests.braked import add_brake
from tests.sample import add_link, open_for

SLUG = "infinity-projects"


class OnBrake(SampleTestCase):
    brake: Brake

    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        links = [cls.add_ticket(number) for number in range(4)]
        cls.brake = add_brake(cls.sample.connections[SLUG], links[:3], links[3:], at=cls.sample.now)

    @classmethod
    def add_ticket(cls, number: int) -> TicketLink:
        ticket = open_for(cls.sample, "elaine", SLUG, f"Scanner {number} is slow", **{"custom.site": "Berlin"})
        return add_link(cls.sample, ticket, SLUG, f"BRK{number}")

    def post(self, who: str, name: str, *args: object, **data: object) -> object:
        path = reverse(name, args=[self.brake.pk, *args])
        return self.client_of(who).post(path, data)

    def path(self) -> str:
        return reverse("brake", args=[self.brake.pk])

    def absent_path(self) -> str:
        return reverse("brake", args=["00000000-0000-4000-8000-000000000000"])


class TestBrakeList(OnBrake, PageAccessCases):
    seen_by = ("integrator", "elaine", "governance", "agent")

    def path(self) -> str:
        return reverse("brake-list")

    def absent_path(self) -> str:
        return ""

    def test_shows_each_party_its_own(self) -> None:
        for who in ("elaine", "integrator", "governance"):
            assert "Projects ServiceNow empties fields in the portal" in self.text(who, self.path()), who
        for who in ("agent", "david"):
            assert "ServiceNow" not in self.text(who, self.path()), who
            assert "No brake has tripped" in self.text(who, self.path())


class TestBrakePage(OnBrake, PageAccessCases):
    seen_by = ("elaine", "integrator", "governance")
    hidden_from = ("agent", "david", "otto")

    def test_lists_ticket_old_and_new_value_and_who_is_asked(self) -> None:
        page = self.text("elaine", self.path())
        assert page.count("Scanner") == 4
        assert ">Site<" in page
        assert "Berlin" in page
        assert "Infinity Projects" in page
        assert page.count("has not answered") == 2
        assert "3 tickets wait; 1 went through before it stopped" in page

    def test_shows_values_only_to_who_may_see_the_ticket(self) -> None:
        hidden = self.brake.acts.first()
        assert hidden is not None
        assert hidden.link.ticket is not None
        hidden.link.ticket.parties.all().delete()
        GraveAct.objects.filter(pk=hidden.pk).update(before="Oslo")
        page = self.text("elaine", self.path())
        assert "Oslo" not in page
        assert page.count("Scanner") == 3

    def test_offers_answers_only_to_who_may_give_them(self) -> None:
        for who, may in (("elaine", True), ("integrator", True), ("governance", False)):
            assert ("Let them through" in self.text(who, self.path())) is may, who

    def test_asks_before_it_takes_an_answer(self) -> None:
        for choice in ("let_through", "keep_stopped"):
            path = reverse("brake-answer", args=[self.brake.pk, choice])
            assert "3 tickets" in self.text("elaine", path)
            assert self.get("elaine", path, **HTMX).status_code == 200
        assert self.get("elaine", reverse("brake-answer", args=[self.brake.pk, "shrug"])).status_code == 404
        assert not BrakeAnswer.objects.exists()

    def test_goes_on_only_with_the_word_of_both(self) -> None:
        self.post("elaine", "brake-answer", "let_through", note="We moved house.")
        self.brake.refresh_from_db()
        assert self.brake.state == "tripped"
        page = self.text("integrator", self.path())
        assert "We moved house." in page
        assert page.count("has not answered") == 1
        self.post("integrator", "brake-answer", "let_through")
        self.brake.refresh_from_db()
        assert self.brake.state == "released"
        assert not TicketLink.objects.filter(intake_hold__cause="brake").exists()
        assert "let through" in self.text("elaine", self.path())

    def test_is_answered_by_nobody_else(self) -> None:
        assert self.post("agent", "brake-answer", "let_through").status_code == 404
        assert self.post("governance", "brake-answer", "let_through").status_code == 403
        assert self.post("governance", "brake-put-back").status_code == 403
        assert not BrakeAnswer.objects.exists()

    def test_keeps_who_answered_what_in_its_history(self) -> None:
        self.post("elaine", "brake-answer", "let_through")
        self.post("elaine", "brake-answer", "keep_stopped")
        choices = BrakeAnswer.history.order_by("history_date").values_list("choice", flat=True)
        assert list(choices) == ["let_through", "keep_stopped"]
        assert list(Brake.history.order_by("history_date").values_list("state", flat=True))[-1] == "refused"

    def test_puts_back_what_went_through_once_it_is_refused(self) -> None:
        through = self.brake.acts.get(standing="carried_out").link.ticket
        assert through is not None
        through.custom = {}
        through.save()
        early = self.post("integrator", "brake-put-back")
        assert "kept stopped" in body_of(early)
        self.post("integrator", "brake-answer", "keep_stopped")
        assert "Put back" in self.text("elaine", self.path())
        assert "Put back 1" in self.text("elaine", reverse("brake-put-back", args=[self.brake.pk]))
        self.post("elaine", "brake-put-back")
        through.refresh_from_db()
        assert through.custom == {"site": "Berlin"}
        assert self.brake.acts.get(link__ticket=through).standing == "put_back"

    def test_is_exported_as_the_reader_may_know_it(self) -> None:
        for who in ("elaine", "integrator"):
            path = reverse("brake-export", args=[self.brake.pk, "csv"])
            lines = body_of(self.get(who, path)).splitlines()
            assert len(lines) == 5
            assert "Berlin" in lines[1]
        book = load_workbook(io.BytesIO(b"".join(self.get("elaine", path[:-3] + "xlsx").streaming_content)))
        assert book.active.max_row == 5
        assert self.get("elaine", path[:-3] + "pdf").status_code == 404
        assert self.get("agent", path).status_code == 404

    def test_costs_the_same_whatever_its_length(self) -> None:
        client = self.client_of("elaine")
        before = queries_for(client, self.path())
        for number in range(10, 20):
            link = self.add_ticket(number)
            act = self.brake.acts.first()
            assert act is not None
            act.pk, act.link = None, link
            act.save()
        assert queries_for(client, self.path()) == before

    def test_is_announced_where_people_look(self) -> None:
        assert reverse("brake-list") in self.text("elaine", reverse("lane-list"))
        assert "The brake has stopped it" in self.text("elaine", reverse("lane-list"))
        assert "The brake is on" in self.text("elaine", self.connection_path(SLUG))

    def test_raises_one_alert_for_each_party_until_it_is_over(self) -> None:
        for who in ("elaine", "integrator", "agent"):
            AlertRule.objects.create(
                user=self.sample.user(who), name="Brakes", kinds=["brake"], created_at=self.sample.now
            )
        look_for_alerts(now=self.sample.now)
        look_for_alerts(now=self.sample.now)
        raised = {rule.user.email: list(rule.alerts.all()) for rule in AlertRule.objects.all()}
        told = {who: raised[self.sample.user(who).email] for who in ("elaine", "integrator", "agent")}
        assert [len(told[who]) for who in ("elaine", "integrator", "agent")] == [1, 1, 0]
        [alert] = told["elaine"]
        assert alert.path == self.path()
        assert "Infinity Projects and Infinity Service Integration" in alert.party
        Brake.objects.update(state="over")
        look_for_alerts(now=self.sample.now)
        alert.refresh_from_db()
        assert alert.over_at is not None
