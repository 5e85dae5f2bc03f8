"""The whole portal in step with jira820: rules, rounds and polls against software that nobody here wrote.

Its workflow is strict, its ``updated`` keeps the day only, it has no entity properties and logs status changes alone.
"""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from apps.sync import services as sync
from apps.tickets import services as tickets
from apps.tickets.models import Attachment, Comment, Ticket
from tests.sync.services.stage import AT, Stage, journal

from .test_jira820 import EXECUTABLE, SECRETS, base

pytestmark = pytest.mark.skipif(
    not EXECUTABLE, reason="jira820 is not installed: set JIRA820 to its executable or put it on the PATH"
)
__all__ = ["base"]

OWNER = "infinity-architecture"
RULES: dict[str, Any] = {
    "types": {"incident": "Bug", "service_request": "Task"},
    "fields": [
        {"hub": "title", "system": "summary"},
        {"hub": "description", "system": "description"},
        {
            "hub": "status",
            "system": "status",
            "values": {
                "new": "New",
                "in_progress": "Assigned",
                "pending": "Pending Vendor",
                "resolved": "Resolved",
                "closed": "Closed",
            },
        },
        {
            "hub": "priority",
            "system": "priority",
            "values": {"critical": "Highest", "high": "High", "medium": "Medium", "low": "Low"},
            "values_back": {"Lowest": "low"},
        },
    ],
    "inbound": {"attribution": ""},
}


class Desk:
    """The portal with one connection, and a person who works in jira820."""

    def __init__(self, stage: Stage, base: str) -> None:
        self.stage, self.base = stage, base
        actor = stage.actor(OWNER)
        stage.connections[OWNER] = sync.create_connection(
            actor=actor,
            name="Jira Data Center of another hand",
            connector="jira",
            base_url=base,
            settings={"project": "OPS", "flavour": "server", "page_size": 7},
            secrets=SECRETS,
            at=AT,
        )
        sync.check_connection(connection=stage.connections[OWNER], actor=actor, at=AT)
        stage.publish(OWNER, RULES)
        sync.resume_connection(connection=stage.connections[OWNER], actor=actor, at=AT)
        stage.rest()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.base}/rest/api/2/{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def issue(self, ticket: Ticket) -> Any:
        key = self.stage.link(OWNER, ticket).key
        comments = self.call("GET", f"issue/{key}/comment")["comments"]
        return {**self.call("GET", f"issue/{key}?expand=changelog"), "comments": comments}

    def move_here(self, ticket: Ticket, status: str) -> None:
        tickets.move(ticket=ticket, status=status, actor=self.stage.actor(OWNER), at=AT)

    def move(self, key: str, status: str) -> None:
        found = self.call("GET", f"issue/{key}/transitions")["transitions"]
        step = next(each for each in found if each["to"]["name"] == status)
        self.call("POST", f"issue/{key}/transitions", {"transition": {"id": step["id"]}})

    def open(self, **values: Any) -> Ticket:
        ticket = self.stage.open(OWNER, **values)
        self.stage.rest()
        return ticket

    def state(self) -> tuple[Any, ...]:
        """All that can grow or change on either side."""
        known = list(Ticket.objects.order_by("pk"))
        return (
            [(ticket.title, ticket.description, ticket.status, len(journal(ticket))) for ticket in known],
            Comment.objects.count(),
            Attachment.objects.count(),
            [json.dumps(self.issue(ticket), sort_keys=True) for ticket in known],
            self.call("GET", "search?jql=project%3DOPS&maxResults=0")["total"],
        )


@pytest.fixture
def desk(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path, base: str) -> Desk:
    settings.SIAM_OUTBOUND_ALLOW = [base.removeprefix("http://")]
    settings.SIAM_UPLOADS = tmp_path / "uploads"
    return Desk(Stage(monkeypatch), base)


def texts(issue: Any) -> list[str]:
    return [said["body"] for said in issue["comments"]]


def test_a_ticket_of_the_portal_is_made_there_and_walked_to_its_status(desk: Desk) -> None:
    ticket = desk.open(description="Client **5.1**\n\n- Berlin\n- Paris", priority="high")
    desk.move_here(ticket, "pending")
    desk.stage.say(ticket, OWNER, "Looking at `vpn.log`")
    desk.stage.attach(ticket, OWNER, "vpn.log", b"line\n" * 100)
    desk.stage.rest()
    issue = desk.issue(ticket)
    fields = issue["fields"]
    assert (fields["summary"], fields["status"]["name"], fields["priority"]["name"]) == (
        "Shop is down",
        "Pending Vendor",
        "High",
    )
    assert "*5.1*" in fields["description"]
    walked = [item["toString"] for entry in issue["changelog"]["histories"] for item in entry["items"]]
    assert [status for status in walked if status in ("Assigned", "Pending Vendor")] == ["Assigned", "Pending Vendor"]
    assert [text.split("\n")[0] for text in texts(issue)] == ["Looking at {{vpn.log}}"]
    assert [(file["filename"], file["size"]) for file in fields["attachment"]] == [("vpn.log", 500)]


def test_what_a_person_does_there_reaches_the_portal(desk: Desk) -> None:
    ticket = desk.open()
    key = desk.issue(ticket)["key"]
    desk.call("PUT", f"issue/{key}", {"fields": {"summary": "Shop in Berlin is down", "priority": {"name": "Low"}}})
    desk.call("POST", f"issue/{key}/comment", {"body": "Which *router*?"})
    desk.move(key, "Assigned")
    desk.stage.rest()
    ticket.refresh_from_db()
    assert (ticket.title, ticket.status, ticket.priority) == ("Shop in Berlin is down", "in_progress", "low")
    assert [said.body for said in Comment.objects.filter(ticket=ticket)] == ["Which **router**?"]


def test_a_ticket_opened_there_is_opened_here_once(desk: Desk) -> None:
    fields = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "Printer is on fire"}
    desk.call("POST", "issue", {"fields": fields})
    for _ in range(3):
        desk.stage.rest()
    assert Ticket.objects.filter(title="Printer is on fire").count() == 1


def test_each_change_of_one_day_arrives_and_none_twice(desk: Desk) -> None:
    """Every change of the day bears the same ``updated``: a cursor alone would lose or repeat them."""
    opened = [desk.open(title=f"Ticket {number}") for number in range(3)]
    keys = [desk.issue(ticket)["key"] for ticket in opened]
    for number in range(3):
        for key in keys:
            desk.call("PUT", f"issue/{key}", {"fields": {"summary": f"{key} edited {number}"}})
            desk.call("POST", f"issue/{key}/comment", {"body": f"Remark {number}"})
        desk.stage.rest()
        for key, ticket in zip(keys, opened, strict=True):
            ticket.refresh_from_db()
            assert ticket.title == f"{key} edited {number}"
    for ticket in opened:
        said = Comment.objects.filter(ticket=ticket).order_by("event__seq")
        assert [each.body for each in said] == ["Remark 0", "Remark 1", "Remark 2"]


def test_polling_again_and_again_changes_nothing(desk: Desk) -> None:
    ticket = desk.open(description="Client **5.1**\n\n- Berlin", priority="medium")
    desk.stage.say(ticket, OWNER, "from here")
    desk.stage.attach(ticket, OWNER, "log.txt", b"line")
    desk.move_here(ticket, "resolved")
    desk.stage.rest()
    key = desk.issue(ticket)["key"]
    desk.call("POST", f"issue/{key}/comment", {"body": "from there"})
    desk.stage.rest()
    before = desk.state()
    for _ in range(3):
        desk.stage.rest()
    desk.stage.sweep()
    assert desk.state() == before
    assert len(texts(desk.issue(ticket))) == 2
