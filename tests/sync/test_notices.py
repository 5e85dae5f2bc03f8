"""The door for webhooks: verified, stored once, answered quickly; whoever cannot prove himself is told nothing."""

import hashlib
import hmac
import io
import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.sync.models import Connection, ConnectionPulse, Notice, TicketLink
from apps.sync.notices import LARGEST_NOTICE
from apps.sync.services import accepting, notice_secrets, renew_notice_secret
from tests.api_cases import ApiTestCase

SHARED = Path(os.environ.get("SIAM_SHARED") or Path(__file__).resolve().parents[3] / "shared")
VECTORS = sorted((SHARED / "vectors" / "json-test-suite").glob("*.json"))


def notice(**changed: Any) -> bytes:
    body = {
        "webhookEvent": "jira:issue_updated",
        "timestamp": 1772442000000,
        "issue": {"id": "10042", "key": "OPS-42"},
    }
    return json.dumps(body | changed).encode()


class AtTheDoor(ApiTestCase):
    known_seconds = 0.0
    """How long a connection is taken for what it was."""

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(mock.patch.object(accepting, "KNOWN_SECONDS", self.known_seconds))
        self.connection = Connection.objects.get(pk=self.world.mercuri.connection.pk)
        self.address = reverse("notice", args=[self.connection.notice_key])
        Notice.objects.all().delete()

    def deliver(
        self, body: bytes, *, secret: str | None = None, address: str | None = None, delivery: str = "d-1"
    ) -> HttpResponse:
        """As the system does it: signed over the raw bytes."""
        signature = hmac.new((secret or notice_secrets(self.connection)[0]).encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature": f"sha256={signature}", "X-Atlassian-Webhook-Identifier": delivery}
        client = Client(enforce_csrf_checks=True, raise_request_exception=False, headers=headers)
        return client.post(address or self.address, body, content_type="application/json")

    def refused(self) -> int:
        return ConnectionPulse.objects.get(connection=self.connection).notices_refused


class TestManyNotices(AtTheDoor):
    known_seconds = 600.0

    def test_the_connection_is_not_read_again_for_each(self) -> None:
        self.deliver(notice())
        with CaptureQueriesContext(connection) as asked:
            assert self.deliver(notice(), delivery="d-2").status_code == 202
        assert not [one for one in asked.captured_queries if 'FROM "sync_connection"' in one["sql"]]

    def test_a_new_secret_is_known_at_once(self) -> None:
        self.deliver(notice())
        new = renew_notice_secret(connection=self.connection, actor=self.world.mercuri.actor)
        assert self.deliver(notice(), secret=new, delivery="d-2").status_code == 202
        assert self.refused() == 0

    def test_one_that_nobody_signed_is_counted_once(self) -> None:
        self.deliver(notice())
        assert self.deliver(notice(), secret="nobody's", delivery="d-2").status_code == 404
        assert self.refused() == 1


class TestGoodNotices(AtTheDoor):
    def test_one_is_stored_and_its_ticket_is_marked_to_be_read(self) -> None:
        assert self.deliver(notice()).status_code == 202
        stored = Notice.objects.get(connection=self.connection)
        assert (stored.delivery_id, stored.refs) == ("d-1", ["10042"])
        link = TicketLink.objects.get(connection=self.connection, external_id="10042")
        assert (link.state, link.look_wanted) == ("sighted", 1)

    def test_one_for_a_known_ticket_only_says_look(self) -> None:
        before = TicketLink.objects.get(pk=self.world.mercuri.link.pk)
        self.deliver(notice(issue={"id": before.external_id, "fields": {"summary": "bought by a stranger"}}))
        after = TicketLink.objects.select_related("ticket").get(pk=before.pk)
        assert after.look_wanted == before.look_wanted + 1
        assert after.ticket.title == self.world.mercuri.ticket.title

    def test_one_that_comes_twice_is_stored_once_and_counted(self) -> None:
        for _ in range(3):
            assert self.deliver(notice()).status_code == 202
        assert Notice.objects.get(connection=self.connection).repeats == 2
        assert TicketLink.objects.filter(connection=self.connection, external_id="10042").count() == 1

    def test_the_former_secret_is_good_until_the_next_renewal(self) -> None:
        former = notice_secrets(self.connection)[0]
        renew_notice_secret(connection=self.connection, actor=self.world.mercuri.actor)
        assert self.deliver(notice(), secret=former).status_code == 202
        renew_notice_secret(connection=self.connection, actor=self.world.mercuri.actor)
        assert self.deliver(notice(), secret=former).status_code == 404

    def test_one_for_a_paused_connection_is_kept_for_later(self) -> None:
        Connection.objects.filter(pk=self.connection.pk).update(state=Connection.State.PAUSED)
        assert self.deliver(notice()).status_code == 202
        assert Notice.objects.filter(connection=self.connection).exists()

    def test_workers_are_woken_after_it_is_stored(self) -> None:
        with (
            mock.patch("apps.foundation.wake.current_app.send_task") as woken,
            self.captureOnCommitCallbacks() as later,
        ):
            assert self.deliver(notice()).status_code == 202
            assert not woken.called
        assert later


class TestNoticesThatProveNothing(AtTheDoor):
    def test_all_are_answered_like_an_address_that_does_not_exist(self) -> None:
        absent = reverse("notice", args=["x" * 32])
        answers = [
            self.deliver(notice(), address=absent),
            self.deliver(notice(), secret="forged"),
            self.deliver(notice(), secret=notice_secrets(self.world.rival.connection)[0]),
            Client(raise_request_exception=False).post(self.address, notice(), content_type="application/json"),
            self.deliver(b"not json"),
            self.deliver(b'{"webhookEvent": 7}'),
        ]
        assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
        assert not Notice.objects.filter(connection=self.connection).exists()
        assert self.refused() == 5

    def test_one_that_was_altered_on_the_way_is_refused(self) -> None:
        good = notice()
        signature = hmac.new(notice_secrets(self.connection)[0].encode(), good, hashlib.sha256).hexdigest()
        client = Client(headers={"X-Hub-Signature": f"sha256={signature}"})
        answer = client.post(self.address, good.replace(b"10042", b"10043"), content_type="application/json")
        assert answer.status_code == 404
        assert not TicketLink.objects.filter(external_id="10043").exists()

    def test_a_connection_that_is_not_in_use_has_no_door(self) -> None:
        Connection.objects.filter(pk=self.connection.pk).update(state=Connection.State.DRAFT)
        assert self.deliver(notice()).status_code == 404
        assert not Notice.objects.filter(connection=self.connection).exists()

    def test_only_posts_are_taken(self) -> None:
        for method in ("get", "put", "delete", "patch"):
            assert getattr(self.client, method)(self.address).status_code == 405


class TestLargeAndBrokenNotices(AtTheDoor):
    def test_fifty_megabytes_are_refused_before_they_are_read(self) -> None:
        class Unread(io.RawIOBase):
            def read(self, size: int = -1) -> bytes:
                raise AssertionError("the body was read")

        answer = self.client.generic(
            "POST",
            self.address,
            content_type="application/json",
            CONTENT_LENGTH=str(50 * 1024 * 1024),
            **{"wsgi.input": Unread()},
        )
        assert answer.status_code == 413
        assert not Notice.objects.filter(connection=self.connection).exists()

    def test_a_body_longer_than_allowed_is_refused(self) -> None:
        assert self.deliver(b" " * (LARGEST_NOTICE + 1)).status_code == 413

    def test_a_length_that_is_no_number_is_no_fault_of_ours(self) -> None:
        client = Client(raise_request_exception=False)
        answer = client.generic("POST", self.address, b"{}", content_type="application/json", CONTENT_LENGTH="many")
        assert answer.status_code == 404

    def test_a_database_that_fails_asks_for_the_notice_again(self) -> None:
        with mock.patch("apps.sync.services.accept_notice", side_effect=DatabaseError("disk is full")):
            answer = self.deliver(notice())
        assert answer.status_code == 503
        assert answer["Retry-After"] == "30"
        assert "disk" not in answer.content.decode()

    def test_text_that_a_database_does_not_take_is_no_fault_of_ours(self) -> None:
        for text in ("a\x00b", "\ud800", "x" * 5000):
            body = json.dumps({"webhookEvent": "jira:issue_updated", "issue": {"id": text, "key": text}}).encode()
            assert self.deliver(body, delivery=f"odd {len(text)}").status_code in (202, 400), text[:5]

    def test_settings_that_no_longer_fit_ask_for_the_notice_again(self) -> None:
        Connection.objects.filter(pk=self.connection.pk).update(settings={})
        assert self.deliver(notice()).status_code == 503

    def test_a_very_deep_document_is_no_fault_of_ours(self) -> None:
        assert self.deliver(b"[" * 100_000).status_code == 404
        assert self.deliver(b'{"webhookEvent":' * 50_000).status_code == 404


@pytest.mark.skipif(not VECTORS, reason="the JSON parsing vectors are not here")
class TestParsingVectors(AtTheDoor):
    def test_none_of_them_is_a_fault_of_ours_nor_stored(self) -> None:
        for vector in VECTORS:
            assert self.deliver(vector.read_bytes()).status_code in (202, 404), vector.name
        assert not Notice.objects.filter(connection=self.connection).exists()
