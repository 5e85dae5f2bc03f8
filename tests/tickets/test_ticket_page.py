import io

from django.test import Client
from django.urls import reverse

from apps.tickets import services
from apps.tickets.models import Attachment, Comment, Ticket
from apps.tickets.storage import place_of
from apps.tickets.views.timeline import custody_of
from tests.access_cases import HTMX, PageAccessCases, SampleTestCase, queries_for


class TestTicketPage(PageAccessCases, SampleTestCase):
    seen_by = ("agent", "john", "david", "integrator", "executive", "auditor")
    hidden_from = ("agent",)

    def path(self) -> str:
        return self.kiosk_path()

    def absent_path(self) -> str:
        return reverse("ticket", args=["T-XXXXXXXX"])

    def test_looks_absent_to_those_whom_it_does_not_concern(self) -> None:
        foreign = self.get("agent", reverse("ticket", args=[self.sample.tickets["warehouse"].reference]))
        absent = self.get("agent", self.absent_path())
        assert foreign.status_code == absent.status_code == 404
        assert foreign.content == absent.content

    def test_keeps_an_internal_comment_inside(self) -> None:
        assert "Budget for new terminals" in self.text("john", self.path())
        for who in ("agent", "david", "integrator", "executive"):
            assert "Budget for new terminals" not in self.text(who, self.path()), who

    def test_shows_a_comment_for_chosen_parties_to_them_alone(self) -> None:
        for who, sees in (("agent", True), ("integrator", True), ("john", False), ("executive", False)):
            assert ("Can we mention the provider" in self.text(who, self.path())) == sees, who

    def test_renders_markdown_and_no_markup_of_strangers(self) -> None:
        services.comment(
            ticket=self.sample.tickets["kiosk"],
            body="**bold** <script>alert(1)</script> [x](javascript:alert(1)) ![p](https://elsewhere.example/p.png) [y](https://a.example)",
            audience="public",
            actor=self.sample.actor("agent", "mercuri"),
            at=self.sample.now,
        )
        page = self.text("john", self.path())
        assert "<strong>bold</strong>" in page
        assert "<script>alert" not in page
        assert 'href="javascript:' not in page
        assert "<img" not in page
        assert 'rel="noopener noreferrer nofollow"' in page

    def test_tells_changes_in_words(self) -> None:
        page = self.text("john", self.path())
        assert '<span class="from">new</span>' in page
        assert '<span class="to">in progress</span>' in page

    def test_offers_acts_only_to_those_who_may_act(self) -> None:
        assert self.kiosk_path("ticket-move") in self.text("agent", self.path())
        assert self.kiosk_path("ticket-hand-over") not in self.text("agent", self.path())
        assert self.kiosk_path("ticket-hand-over") in self.text("integrator", self.path())
        assert self.kiosk_path("ticket-comment") not in self.text("auditor", self.path())

    def test_costs_the_same_for_a_long_timeline(self) -> None:
        client = self.client_of("john")
        before = queries_for(client, self.path())
        for index in range(27):
            services.comment(
                ticket=self.sample.tickets["kiosk"],
                body=f"Note {index}",
                audience="public",
                actor=self.sample.actor("john", "infinity-architecture"),
                at=self.sample.now,
            )
        assert queries_for(client, self.path()) == before
        assert before <= 20

    def test_shows_only_files_when_asked(self) -> None:
        part = self.text("john", self.kiosk_path("ticket-timeline") + "?show=files", **HTMX)
        assert "kiosk-04.log" in part
        assert "handed the ticket over" not in part

    def test_goes_back_in_time_by_pages(self) -> None:
        for index in range(60):
            services.comment(
                ticket=self.sample.tickets["kiosk"],
                body=f"Note {index}",
                audience="public",
                actor=self.sample.actor("john", "infinity-architecture"),
                at=self.sample.now,
            )
        assert "opened the ticket" not in self.text("john", self.path())
        assert "opened the ticket" in self.text(
            "john", self.kiosk_path("ticket-timeline") + "?show=all&from=50", **HTMX
        )


class TestPulse(PageAccessCases, SampleTestCase):
    seen_by = ("agent", "john")
    hidden_from = ()

    def path(self) -> str:
        return self.kiosk_path("ticket-pulse")

    def absent_path(self) -> str:
        return reverse("ticket-pulse", args=["T-XXXXXXXX"])

    def known(self, who: str) -> str:
        return self.text(who, self.kiosk_path()).split("?known=")[1].split('"')[0]

    def test_is_silent_when_nothing_happened(self) -> None:
        assert self.get("john", f"{self.path()}?known={self.known('john')}").status_code == 204

    def test_brings_only_what_is_new(self) -> None:
        known = self.known("agent")
        services.comment(
            ticket=self.sample.tickets["kiosk"],
            body="All four kiosks work again.",
            audience="public",
            actor=self.sample.actor("david", "global"),
            at=self.sample.now,
        )
        part = self.text("agent", f"{self.path()}?known={known}")
        assert "All four kiosks work again." in part
        assert "The customer rang again" not in part
        assert 'hx-swap-oob="afterbegin:#timeline"' in part

    def test_stays_silent_about_what_the_reader_must_not_know(self) -> None:
        known = self.known("agent")
        services.comment(
            ticket=self.sample.tickets["kiosk"],
            body="For us.",
            audience="internal",
            actor=self.sample.actor("david", "global"),
            at=self.sample.now,
        )
        assert self.get("agent", f"{self.path()}?known={known}").status_code == 204

    def test_asks_for_a_fresh_page_after_a_long_sleep(self) -> None:
        assert self.get("john", f"{self.path()}?known=900")["HX-Refresh"] == "true"


class TestActs(SampleTestCase):
    def act(self, who: str, name: str, data: dict[str, object], *args: object, **headers: str) -> object:
        return self.client_of(who).post(self.kiosk_path(name, *args), data, headers=headers)

    def kiosk(self) -> Ticket:
        return Ticket.objects.get(pk=self.sample.tickets["kiosk"].pk)

    def test_move_the_ticket_and_come_back_to_it(self) -> None:
        answer = self.act("david", "ticket-move", {"status": "resolved", "resolution": "New certificates."})
        assert answer["Location"] == self.kiosk_path()
        assert self.kiosk().status == "resolved"
        assert self.kiosk().resolution == "New certificates."

    def test_tell_the_open_page_instead_when_htmx_asks(self) -> None:
        answer = self.act("david", "ticket-move", {"status": "pending"}, **HTMX)
        assert answer.status_code == 204
        assert "changed" in answer["HX-Trigger"]

    def test_refuse_an_illegal_move_in_the_form(self) -> None:
        assert self.act("david", "ticket-move", {"status": "closed"}).status_code == 422
        assert self.kiosk().status == "in_progress"

    def test_set_the_priority_and_the_pair_behind_it(self) -> None:
        self.act("david", "ticket-prioritize", {"priority": "low"})
        assert (self.kiosk().priority, self.kiosk().urgency) == ("low", 4)

    def test_assess_impact_and_urgency(self) -> None:
        self.act("david", "ticket-assess", {"impact": "1", "urgency": "4"})
        assert self.kiosk().priority == "low"

    def test_edit_each_field_by_its_own_form(self) -> None:
        for field, value in (
            ("title", "Kiosks: no payment"),
            ("assignee", "David"),
            ("site", "paris"),
            ("category", "network"),
        ):
            self.act("david", "ticket-edit", {"value": value}, field)
        ticket = self.kiosk()
        assert (ticket.title, ticket.assignee, ticket.category) == ("Kiosks: no payment", "David", "network")
        assert ticket.custom["site"] == "paris"

    def test_know_no_other_field(self) -> None:
        assert self.act("david", "ticket-edit", {"value": "x"}, "status").status_code == 404

    def test_hand_over_only_through_the_integrator(self) -> None:
        to = {"organization": str(self.sample.organization("mercuri").pk), "reason": "The customer must test."}
        assert self.act("david", "ticket-hand-over", to).status_code == 403
        assert self.act("integrator", "ticket-hand-over", to).status_code == 302
        assert self.kiosk().held_by.slug == "mercuri"

    def test_share_with_a_party_of_the_ecosystem_only_once(self) -> None:
        to = {"organization": str(self.sample.organization("infinity-projects").pk)}
        assert self.act("integrator", "ticket-share", to).status_code == 422

    def test_are_refused_to_readers(self) -> None:
        assert self.act("auditor", "ticket-move", {"status": "pending"}).status_code == 403
        assert self.act("executive", "ticket-comment", {"body": "x", "audience": "public"}).status_code == 403

    def test_look_absent_to_strangers(self) -> None:
        assert self.act("otto", "ticket-move", {"status": "pending"}).status_code == 404
        path = reverse("ticket-move", args=[self.sample.tickets["warehouse"].reference])
        assert self.client_of("agent").post(path, {"status": "pending"}).status_code == 404

    def test_need_the_token_against_forged_requests(self) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.sample.user("david"))
        answer = client.post(self.kiosk_path("ticket-move"), {"status": "pending"})
        assert answer.status_code == 403
        assert "Please send it again" in answer.content.decode()

    def test_open_as_a_dialog_or_as_a_page(self) -> None:
        for name in ("ticket-move", "ticket-assess", "ticket-prioritize", "ticket-hand-over", "ticket-share"):
            assert "<html" not in self.text("integrator", self.kiosk_path(name), **HTMX)
            assert "<html" in self.text("integrator", self.kiosk_path(name))


class TestCommenting(SampleTestCase):
    def say(self, who: str, data: dict[str, object], **headers: str) -> object:
        return self.client_of(who).post(self.kiosk_path("ticket-comment"), data, headers=headers)

    def test_with_files_puts_both_into_the_journal(self) -> None:
        file = io.BytesIO(b"payment log")
        file.name = "payment.log"
        assert (
            self.say("agent", {"body": "See the log.", "audience": "public", "files": [file]}, **HTMX).status_code
            == 204
        )
        assert Comment.objects.filter(body="See the log.").exists()
        assert Attachment.objects.get(file_name="payment.log").audience == "public"

    def test_for_chosen_parties_keeps_to_them(self) -> None:
        chosen = [str(self.sample.organization("infinity-integration").pk)]
        self.say("agent", {"body": "For the integrator.", "audience": "chosen", "chosen": chosen})
        said = Comment.objects.get(body="For the integrator.")
        assert [party.slug for party in said.chosen_parties.all()] == ["infinity-integration"]

    def test_forgets_chosen_parties_when_the_audience_is_another(self) -> None:
        chosen = [str(self.sample.organization("infinity-integration").pk)]
        self.say("agent", {"body": "Only us.", "audience": "internal", "chosen": chosen})
        assert Comment.objects.get(body="Only us.").chosen_parties.count() == 0

    def test_refuses_an_empty_one_and_keeps_what_was_written(self) -> None:
        assert self.say("agent", {"body": " ", "audience": "public"}, **HTMX).status_code == 422
        answer = self.say("agent", {"body": "I wrote this", "audience": "chosen"})
        assert answer.status_code == 422
        assert "I wrote this" in answer.content.decode()
        assert "name the parties" in answer.content.decode()

    def test_refuses_parties_that_do_not_take_part(self) -> None:
        stranger = self.sample.organization("global")
        path = reverse("ticket-comment", args=[self.sample.tickets["customer"].reference])
        answer = self.client_of("agent").post(path, {"body": "x", "audience": "chosen", "chosen": [str(stranger.pk)]})
        assert answer.status_code == 422


class TestFile(PageAccessCases, SampleTestCase):
    seen_by = ("agent", "integrator")

    def path(self) -> str:
        return self.kiosk_path("ticket-file", Attachment.objects.get(file_name="kiosk-04.log").pk)

    def absent_path(self) -> str:
        return self.kiosk_path("ticket-file", self.sample.user("john").pk)

    def test_has_no_inline_script_or_style(self) -> None:
        answer = self.get("agent", self.path())
        assert answer["Content-Disposition"] == 'attachment; filename="kiosk-04.log"'
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer["Content-Security-Policy"]
        assert answer["Content-Type"] == "application/octet-stream"
        assert b"certificate expired" in b"".join(answer.streaming_content)

    def test_is_not_given_out_when_its_bytes_were_changed(self) -> None:
        place = place_of(Attachment.objects.get(file_name="kiosk-04.log").sha256)
        whole = place.read_bytes()
        place.write_bytes(b"something else")
        try:
            answer = self.client_of("agent").get(self.path(), follow=True)
        finally:
            place.write_bytes(whole)
        assert "damaged or missing" in answer.content.decode()


class TestOpening(PageAccessCases, SampleTestCase):
    seen_by = ("agent", "integrator", "governance")

    def path(self) -> str:
        return reverse("ticket-new")

    def test_tells_otto_nothing(self) -> None:
        assert self.get("otto", self.path()).status_code == 403

    def test_is_refused_to_readers(self) -> None:
        assert self.get("executive", self.path()).status_code == 403

    def test_previews_the_priority_of_the_matrix(self) -> None:
        preview = reverse("ticket-priority-preview")
        assert 'class="priority low"' in self.text("agent", preview + "?impact=1&urgency=4")
        assert 'class="priority high"' in self.text("agent", preview + "?impact=4&urgency=1")

    def test_opens_a_ticket_for_the_own_organization(self) -> None:
        data = {
            "title": "Voucher codes are refused",
            "description": "Since noon.",
            "kind": "incident",
            "impact": "2",
            "urgency": "1",
            "category": "",
            "site": "berlin",
            "organization": str(self.sample.organization("mercuri").pk),
        }
        answer = self.client_of("agent").post(self.path(), data)
        ticket = Ticket.objects.get(title="Voucher codes are refused")
        assert answer["Location"] == reverse("ticket", args=[ticket.reference])
        assert (ticket.opened_by.slug, ticket.priority, ticket.custom) == ("mercuri", "critical", {"site": "berlin"})

    def test_opens_none_for_a_foreign_organization(self) -> None:
        data = {
            "title": "Not ours",
            "kind": "incident",
            "impact": "2",
            "urgency": "1",
            "organization": str(self.sample.organization("global").pk),
        }
        assert self.client_of("agent").post(self.path(), data).status_code == 422
        assert not Ticket.objects.filter(title="Not ours").exists()

    def test_needs_a_title(self) -> None:
        assert self.client_of("agent").post(self.path(), {"title": " "}).status_code == 422


class TestCustody(SampleTestCase):
    def test_strip_covers_the_whole_time_and_every_holder(self) -> None:
        ticket = self.sample.tickets["kiosk"]
        hand_overs = ticket.events.filter(kind="handed_over").order_by("seq")
        stretches = custody_of(ticket, hand_overs, now=self.sample.now)
        assert [stretch.organization.slug for stretch in stretches] == ["mercuri", "infinity-architecture", "global"]
        assert [stretch.is_present for stretch in stretches] == [False, False, True]
        assert sum(stretch.width for stretch in stretches) <= 1000
        assert (
            abs(sum(stretch.seconds for stretch in stretches) - (self.sample.now - ticket.created_at).total_seconds())
            < 1
        )
