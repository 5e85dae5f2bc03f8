"""The journal, comments and attachments through the API: each as far as one may read it."""

import hashlib
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings
from django.urls import reverse

from apps.tickets import services
from apps.tickets.models import Attachment, TicketEvent
from apps.tickets.storage import place_of
from tests.api_cases import NOW, ApiTestCase, RouteAccessCases, WriteAccessCases, actor_of, assert_problem


class OnMercurisTicket(RouteAccessCases):
    def names(self) -> dict[str, Any]:
        return {"reference": self.world.mercuri.ticket.reference}


class TestEventsAccess(OnMercurisTicket):
    route = "api-events"


class TestCommentsAccess(OnMercurisTicket):
    route = "api-comments"


class TestCommentAccess(OnMercurisTicket, WriteAccessCases):
    route = "api-comments"
    weak = "Executive"
    success = 201

    def body(self) -> dict[str, Any]:
        return {"body": "We look at it.", "audience": "public"}


class TestAttachmentsAccess(OnMercurisTicket):
    route = "api-attachments"


class TestAttachAccess(OnMercurisTicket, WriteAccessCases):
    route = "api-attachments"
    weak = "Executive"
    success = 201
    is_form = True

    def body(self) -> dict[str, Any]:
        return {"file": SimpleUploadedFile("till.log", b"beep"), "audience": "public"}


class TestContentAccess(OnMercurisTicket):
    route = "api-attachment-content"

    def names(self) -> dict[str, Any]:
        return {**super().names(), "attachment_id": self.world.mercuri.attachment.pk}


class OnTicket(ApiTestCase):
    def address(self, route: str, **names: Any) -> str:
        return reverse(route, kwargs={"reference": self.world.mercuri.ticket.reference, **names})

    def read(self, who: str, route: str, **query: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.get(who, route, query=query, reference=self.world.mercuri.ticket.reference)[
            "results"
        ]
        return rows

    def say(self, who: str = "Mercuri Agent", **body: Any) -> Any:
        return self.call(who, "post", self.address("api-comments"), {"body": "Hello", "audience": "public", **body})


class TestJournal(OnTicket):
    def test_tells_a_party_everything_but_what_others_keep_inside(self) -> None:
        own = [row["kind"] for row in self.read("Mercuri Agent", "api-events")]
        others = [row["kind"] for row in self.read("John", "api-events")]
        assert own == ["opened", "handed_over", "commented", "attached"]
        assert others == ["opened", "handed_over"]

    def test_goes_on_after_an_entry(self) -> None:
        assert [row["seq"] for row in self.read("Mercuri Agent", "api-events", after=2)] == [3, 4]

    def test_after_takes_a_number_only(self) -> None:
        answer = self.call("Mercuri Agent", "get", self.address("api-events"), after="-1")
        assert "after" in assert_problem(answer, 400)["errors"]

    def test_does_not_tell_by_which_connection_a_change_came(self) -> None:
        from apps.tickets.actor import Source

        ticket, actor = self.world.mercuri.ticket, actor_of(self.world.cast, "Mercuri Agent", "mercuri")
        source = Source(origin=str(self.world.mercuri.connection.pk), ref="audit-17", author="Anna")
        services.receive_changes(ticket=ticket, values={"assignee": "Anna"}, actor=actor, at=NOW, source=source)
        row = self.read("John", "api-events")[-1]
        assert row["origin"] == "system"
        assert source.origin not in str(row)
        assert "audit-17" not in str(row)


class TestComments(OnTicket):
    def test_an_internal_comment_stays_inside(self) -> None:
        assert self.say(audience="internal", body="hush").status_code == 201
        assert "hush" in [row["body"] for row in self.read("Mercuri Manager", "api-comments")]
        for outsider in ("John", "Integrator Lead", "Governance Lead"):
            assert self.read(outsider, "api-comments") == []

    def test_chosen_parties_read_it_and_others_do_not(self) -> None:
        infinity = self.world.cast.organizations["infinity"]
        made = self.say(audience="chosen", chosen=[str(infinity.pk)], body="for the customer").json()
        assert [party["name"] for party in made["chosen_parties"]] == ["Infinity Solutions"]
        assert [row["body"] for row in self.read("Governance Lead", "api-comments")] == ["for the customer"]
        assert self.read("John", "api-comments") == []

    def test_a_foreign_party_and_an_absent_one_are_refused_in_the_same_words(self) -> None:
        import uuid

        rival, absent = str(self.world.rival.organization.pk), str(uuid.uuid4())
        foreign = assert_problem(self.say(audience="chosen", chosen=[rival]), 422)
        missing = assert_problem(self.say(audience="chosen", chosen=[absent]), 422)
        assert str(foreign).replace(rival, "X") == str(missing).replace(absent, "X")

    def test_an_empty_comment_and_an_unknown_audience_are_refused(self) -> None:
        assert "body" in assert_problem(self.say(body=""), 400)["errors"]
        assert "audience" in assert_problem(self.say(audience="everybody"), 400)["errors"]
        assert_problem(self.say(body="   "), 422)
        assert_problem(self.say(audience="public", chosen=[str(self.world.mercuri.organization.pk)]), 422)


class TestAttachments(OnTicket):
    def attach(self, name: str = "till.log", content: bytes = b"beep", **form: Any) -> Any:
        body = {"file": SimpleUploadedFile(name, content), "audience": "public", **form}
        return self.call("Mercuri Agent", "post", self.address("api-attachments"), body, form=True)

    def content(self, attachment_id: str, who: str = "John") -> Any:
        return self.call(who, "get", self.address("api-attachment-content", attachment_id=attachment_id))

    def test_come_back_byte_for_byte_as_a_download(self) -> None:
        made = self.attach("Lageplan ü.html", b"<script>alert(1)</script>\x00\xff").json()
        assert made["sha256"] == hashlib.sha256(b"<script>alert(1)</script>\x00\xff").hexdigest()
        answer = self.content(made["id"])
        assert answer.getvalue() == b"<script>alert(1)</script>\x00\xff"
        assert answer["Content-Type"] == "application/octet-stream"
        assert answer["Content-Disposition"].startswith("attachment;")
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer["Content-Security-Policy"]

    def test_an_internal_one_is_absent_for_the_other_parties(self) -> None:
        made = self.attach(audience="internal").json()
        assert_problem(self.content(made["id"], "Integrator Lead"), 404)
        assert self.content(made["id"], "Mercuri Manager").getvalue() == b"beep"

    def test_one_of_another_ticket_is_absent_here(self) -> None:
        assert_problem(self.content(str(self.world.rival.attachment.pk), "Integrator Lead"), 404)

    def test_a_damaged_file_is_not_given_out_and_its_place_not_told(self) -> None:
        made = self.attach().json()
        place_of(made["sha256"]).write_bytes(b"boop")
        problem = assert_problem(self.content(made["id"]), 500)
        assert made["sha256"] not in str(problem)

    def test_one_that_is_too_large_is_refused_with_the_limit(self) -> None:
        with override_settings(SIAM_LARGEST_ATTACHMENT=1024 * 1024):
            before = Attachment.objects.count()
            assert_problem(self.attach(content=b"x" * (1024 * 1024 + 1)), 422)
            assert_problem(self.attach(content=b"x" * (2 * 1024 * 1024)), 413)
            assert Attachment.objects.count() == before

    def test_a_path_in_its_name_is_cut_off(self) -> None:
        assert self.attach("../../etc/passwd").json()["file_name"] == "passwd"

    def test_needs_a_form(self) -> None:
        answer = self.call("Mercuri Agent", "post", self.address("api-attachments"), {"audience": "public"})
        assert_problem(answer, 415)

    def test_an_empty_file_is_a_file(self) -> None:
        assert self.attach(content=b"").json()["size"] == 0

    def test_is_one_journal_entry(self) -> None:
        made = self.attach().json()
        assert TicketEvent.objects.get(attachment=made["id"]).kind == "attached"
