"""The most used client library of the vendor works with the sandbox, unmodified."""

import asyncio
import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from zenpy import Zenpy
from zenpy.lib.api_objects import Comment, Ticket, User
from zenpy.lib.exception import APIException, RecordNotFoundException

from apps.sandbox.zendesk import seed

from .desk import Desk, at_desk


@pytest.fixture
def through_library(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Zenpy], Any]], None]:
    """Runs a blocking story of the library beside a sandbox; the library's own variables lead it to loopback."""

    def run(story: Callable[[Zenpy], Any]) -> None:
        async def scenario(desk: Desk) -> None:
            desk.sandbox.clock = lambda: datetime.now().astimezone()
            monkeypatch.setenv("ZENPY_FORCE_SCHEME", "http")
            monkeypatch.setenv("ZENPY_FORCE_NETLOC", desk.sandbox.origin.removeprefix("http://"))
            client = Zenpy(subdomain="mercuri", email=seed.SYNC_EMAIL, token=seed.SYNC_TOKEN, disable_cache=True)
            await asyncio.to_thread(story, client)

        at_desk(scenario)()

    return run


Runner = Callable[[Callable[[Zenpy], Any]], None]


def test_the_library_creates_reads_updates_and_comments(through_library: Runner) -> None:
    def story(client: Zenpy) -> None:
        assert client.users.me().id == seed.SYNC_ID
        created = client.tickets.create(Ticket(subject="VPN drops", description="Client 5.1", priority="high")).ticket
        ticket = client.tickets(id=created.id)
        assert (ticket.subject, ticket.description, ticket.priority) == ("VPN drops", "Client 5.1", "high")
        ticket.status = "pending"
        ticket.comment = Comment(body="Which client?", public=False)
        audit = client.tickets.update(ticket)
        assert audit.ticket.status == "pending"
        bodies = [(comment.plain_body, comment.public) for comment in client.tickets.comments(ticket=created.id)]
        assert bodies == [("Client 5.1", True), ("Which client?", False)]
        assert len(list(client.tickets.audits(ticket=created.id))) == 2
        assert list(client.tickets.add_tags(created.id, ["vpn"])) == ["vpn"]

    through_library(story)


def test_the_library_uploads_an_attachment_and_reads_it_back(through_library: Runner, tmp_path: Path) -> None:
    def story(client: Zenpy) -> None:
        upload = client.attachments.upload(io.BytesIO(b"crash\n"), target_name="crash.log")
        comment = Comment(body="Log", uploads=[upload.token])
        ticket = client.tickets.create(Ticket(subject="Crash", comment=comment)).ticket
        [first] = list(client.tickets.comments(ticket=ticket.id))
        assert [item.file_name for item in first.attachments] == ["crash.log"]
        client.attachments.download(first.attachments[0].id, str(tmp_path / "crash.log"))
        assert (tmp_path / "crash.log").read_bytes() == b"crash\n"

    through_library(story)


def test_the_library_follows_pages_jobs_and_the_export(through_library: Runner) -> None:
    def story(client: Zenpy) -> None:
        job = client.tickets.create([Ticket(subject=f"No {number}", description="x") for number in range(3)])
        status = client.job_status(id=job.id)
        for _ in range(100):
            if status.status == "completed":
                break
            status = client.job_status(id=job.id)
        subjects = [ticket.subject for ticket in client.tickets(page_size=2)]
        assert subjects == ["No 0", "No 1", "No 2"]
        assert list(client.tickets.incremental(start_time=1, paginate_by_time=False)) == []

    through_library(story)


def test_the_library_upserts_users_and_merges_tickets(through_library: Runner) -> None:
    def story(client: Zenpy) -> None:
        user = client.users.create_or_update(User(name="Ana Lee", email="ana@example.com"))
        assert client.users(id=user.id).email == "ana@example.com"
        one = client.tickets.create(Ticket(subject="One", description="x", requester_id=user.id)).ticket
        two = client.tickets.create(Ticket(subject="Two", description="y")).ticket
        assert client.tickets.merge(target=two, source=one).status in ("queued", "completed")
        assert [field.title for field in client.ticket_fields() if field.id == seed.SITE_FIELD] == ["Site"]

    through_library(story)


def test_the_library_raises_its_own_errors_for_refusals(through_library: Runner) -> None:
    def story(client: Zenpy) -> None:
        with pytest.raises(RecordNotFoundException):
            client.tickets(id=1)
        with pytest.raises(APIException, match="RecordInvalid"):
            client.tickets.create(Ticket(subject="Empty", comment=Comment(body="")))

    through_library(story)
