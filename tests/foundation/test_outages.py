"""While the database cannot be had, every door says 503 and when to come back; then all goes on unaided (INV-11)."""

import hashlib
import hmac
import json
import logging
from typing import Any

import pytest
from celery import shared_task
from django.db import IntegrityError, InternalError, OperationalError, ProgrammingError, transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory

from apps.foundation.api import answer_problem
from apps.sync.models import Connection, Notice
from apps.sync.services import notice_secrets
from siamportal.outages import answer_fault
from tests.api_cases import NOBODY_LISTENS, PROBLEM, World, make_world
from tests.processes.outages import OUTAGES, outage

pytestmark = pytest.mark.django_db(transaction=True)


@shared_task(name="tests.outages.sweep")
def sweep() -> None:
    """Work that needs the database, and room in it."""
    with transaction.atomic():
        owner = Connection.objects.first()
        Notice.objects.create(connection=owner, delivery_id="swept", refs=["x" * 9000], received_at=owner.created_at)
        transaction.set_rollback(True)


class Visitors:
    """A person with a session, a program with a token, and a system with its webhook."""

    def __init__(self, world: World) -> None:
        self.connection = Connection.objects.get(pk=world.mercuri.connection.pk)
        self._secret = notice_secrets(self.connection)[0]
        self._ticket = world.mercuri.ticket
        self._person = Client(raise_request_exception=False)
        self._person.force_login(world.user("Mercuri Manager"))
        headers = {"Authorization": f"Bearer {world.key('Mercuri Manager')}"}
        self._program = Client(raise_request_exception=False, headers=headers)

    def writes(self) -> dict[str, HttpResponse]:
        """Each of them writes something."""
        filler = "x" * 9000
        ticket = f"/tickets/{self._ticket.reference}"
        return {
            "person": self._person.post(f"{ticket}/comment/", {"body": filler, "audience": "internal"}),
            "program": self._program.post(
                f"/api/v1{ticket}/comments/", {"body": filler, "audience": "internal"}, "application/json"
            ),
            "system": self.deliver("d-1"),
        }

    def reads(self) -> dict[str, HttpResponse]:
        stranger = Client(raise_request_exception=False)
        return {
            "person": self._person.get("/"),
            "program": self._program.get("/api/v1/tickets/"),
            "load balancer": stranger.get("/health/"),
        }

    def fill_the_disk(self) -> int:
        """Notices until one finds no room; how many were accepted."""
        for number in range(2000):
            answer = self.deliver(f"filling-{number}", f"{number}")
            if answer.status_code != 202:
                assert_told_to_come_back("system", answer)
                return number
        raise AssertionError("the disk does not get full")

    def deliver(self, delivery: str, ticket: str = "10042") -> HttpResponse:
        """A webhook as the system sends it, signed over the raw bytes."""
        body = json.dumps({"webhookEvent": "jira:issue_updated", "timestamp": 1, "issue": {"id": ticket}}).encode()
        signature = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature": f"sha256={signature}", "X-Atlassian-Webhook-Identifier": delivery}
        client = Client(enforce_csrf_checks=True, raise_request_exception=False, headers=headers)
        return client.post(f"/hooks/{self.connection.notice_key}/", body, content_type="application/json")


@pytest.fixture
def visitors(tmp_path: Any, settings: Any) -> Visitors:
    settings.SIAM_UPLOADS, settings.SIAM_OUTBOUND_ALLOW = str(tmp_path), [NOBODY_LISTENS]
    return Visitors(make_world())


def assert_told_to_come_back(who: str, answer: HttpResponse) -> None:
    assert answer.status_code == 503, (who, answer.status_code, answer.content[:300])
    assert int(answer["Retry-After"]) > 0
    if who == "program":
        assert answer["Content-Type"] == PROBLEM
        assert json.loads(answer.content)["status"] == 503
    elif who == "person":
        assert b"cannot reach its database" in answer.content


@pytest.mark.parametrize("name", OUTAGES)
def test_every_door_says_when_to_come_back_and_then_goes_on(visitors: Visitors, name: str) -> None:
    with outage(name):
        if name == "a full disk":
            visitors.fill_the_disk()
        for who, answer in visitors.writes().items():
            assert_told_to_come_back(who, answer)
        if name in ("no file", "no server"):
            for who, answer in visitors.reads().items():
                assert_told_to_come_back(who, answer)
    assert not Notice.objects.filter(delivery_id="d-1").exists()
    answers = visitors.writes()
    assert [answers[who].status_code for who in ("person", "program", "system")] == [302, 201, 202]
    assert Notice.objects.filter(delivery_id="d-1").count() == 1
    assert visitors.reads()["load balancer"].status_code == 200


def test_a_notice_is_accepted_only_with_its_row_while_the_disk_fills_up(visitors: Visitors) -> None:
    """Every 2xx that a system saw has a row (INV-1)."""
    with outage("a full disk"):
        stored = visitors.fill_the_disk()
    assert stored
    assert Notice.objects.filter(delivery_id__startswith="filling").count() == stored


@pytest.mark.parametrize("name", OUTAGES)
def test_a_task_ends_without_noise_and_the_next_one_works(
    visitors: Visitors, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with outage(name), caplog.at_level(logging.INFO):
        if name == "a full disk":
            visitors.fill_the_disk()
        sweep.apply()
    assert [record.levelname for record in caplog.records if "the next sweep asks again" in record.message] == [
        "WARNING"
    ]
    assert not [record for record in caplog.records if record.name.startswith("celery") and record.exc_info]
    assert sweep.apply().successful()


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (OperationalError("disk full"), 503),
        (InternalError("cannot execute INSERT in a read-only transaction"), 503),
        (ProgrammingError("no such column"), 500),
        (ValueError("ours"), 500),
    ],
)
def test_a_fault_of_ours_is_not_passed_off_as_an_outage(rf: RequestFactory, problem: Exception, status: int) -> None:
    try:
        raise problem
    except type(problem):
        answer = answer_fault(rf.get("/tickets/"))
    assert answer.status_code == status
    assert answer.has_header("Retry-After") == (status == 503)


@pytest.mark.parametrize("problem", [IntegrityError, ProgrammingError])
def test_a_mistake_of_the_portal_is_not_blamed_on_the_database(problem: type[Exception]) -> None:
    answer = answer_problem(problem("by us"), {})
    assert (answer.status_code, answer.data["title"]) == (500, "fault")
