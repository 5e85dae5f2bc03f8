"""Traffic to be judged: a connector and its system's people through everything that the portal does with a system."""

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from apps.sandbox.catalog import SANDBOXES
from apps.sandbox.server import Sandbox, start
from apps.sync.connectors.base import Connector, ConnectorError, Draft, Note, Upload
from apps.sync.engine.snapshot import ExternalRef, Visibility
from siamportal.demo.people import (
    AzureDevOpsPerson,
    JiraPerson,
    ServiceNowPerson,
    ZendeskPerson,
    subscribe,
)
from siamportal.demo.wire import Door
from tests.sync.connectors.system_under_test import SandboxUnderTest

from .openapi import Exchange
from .traffic import as_exchanges

RICH = (
    "# What happens\n\nThe page is **very** _slow_, see `GET /checkout` and [the log](https://example.org/a?b=1&c=2).\n\n"
    "- cart\n  - voucher\n- payment\n\n1. open\n2. wait\n\n> It was fast yesterday\n\n"
    "```\nif a < b:\n    wait()\n```\n\n"
    "| page | seconds |\n| --- | --- |\n| cart | 2 |\n| payment | 9 |"
)
CORRELATION = "siam-c0117ac70{:03d}"


def drive(system: SandboxUnderTest, folder: Path) -> list[Exchange]:
    """One connector's whole repertoire, and a person's, in a fresh system."""

    async def scene() -> list[Exchange]:
        await system.start()
        try:
            async with system.connector() as connector:
                await _Tour(system, connector, folder).run()
            return exchanges_of(system.sandbox)
        finally:
            await system.stop()

    return asyncio.run(scene())


def exchanges_of(sandbox: Sandbox) -> list[Exchange]:
    return as_exchanges(each.as_json() for each in sandbox.exchanges)


class _Tour:
    def __init__(self, system: SandboxUnderTest, connector: Connector, folder: Path) -> None:
        self.system, self.connector, self.folder = system, connector, folder
        self.words = system.vocabulary
        self._used = 0

    def _mark(self) -> str:
        self._used += 1
        return CORRELATION.format(self._used)

    async def run(self) -> None:
        await self.connector.check()
        await self.connector.schema()
        cursor = (await self.connector.changed_since(None)).cursor
        ref = await self._create()
        await self._write(ref)
        theirs = await self._people()
        await self._read(ref, cursor)
        await self._read(theirs, cursor)
        await self._refusals(ref)

    async def _create(self) -> ExternalRef:
        words, mark = self.words, self._mark()
        fields = {
            **words.new,
            words.title: "Checkout page is slow",
            words.description: RICH,
            words.choice: words.choice_values[0],
        }
        made = await self.connector.create(Draft(words.type, fields), mark)
        await self.system.settle()
        await self.connector.find(mark)
        await self.connector.find(self._mark())
        return made.ref

    async def _write(self, ref: ExternalRef) -> None:
        words = self.words
        before = await self.connector.fetch(ref)
        fields = {words.title: "Checkout page is very slow", words.choice: words.choice_values[1]}
        if words.custom_text:
            fields[words.custom_text] = "CRM-77"
        await self.connector.update(ref, fields, expected=before.version, correlation=self._mark())
        if words.description_is_writable:
            # Some systems never change a description; the suite knows it by the refusal.
            with suppress(ConnectorError):
                await self._update(ref, {words.description: "Shorter **now**"})
        for visibility in (Visibility.PUBLIC, Visibility.INTERNAL):
            with suppress(ConnectorError):
                await self._comment(ref, visibility)
        await self._attach(ref, "Größe 1.bin", bytes(range(256)) * 8)
        with suppress(ConnectorError):
            await self._attach(ref, "empty.txt", b"")
        await self._update(ref, {words.status: words.middle})
        await self._update(ref, {words.status: words.resolved, **words.resolving})

    async def _update(self, ref: ExternalRef, fields: Mapping[str, object]) -> None:
        await self.connector.update(ref, dict(fields), expected=None, correlation=self._mark())  # type: ignore[arg-type]

    async def _comment(self, ref: ExternalRef, visibility: Visibility) -> None:
        mark = self._mark()
        await self.connector.add_comment(ref, Note(RICH, visibility, "Elaine"), mark)
        await self.connector.find(mark, ref)

    async def _attach(self, ref: ExternalRef, name: str, content: bytes) -> None:
        path, mark = self.folder / "upload.bin", self._mark()
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        await self.connector.add_attachment(
            ref, Upload(name, "application/octet-stream", len(content), digest, path), mark
        )
        await self.connector.find(mark, ref)

    async def _people(self) -> ExternalRef:
        words, system = self.words, self.system
        ref = await system.person_creates({words.title: "Printer is on fire", words.description: RICH})
        await system.person_edits(ref, {words.choice: words.choice_values[0]})
        await system.person_comments(ref, "We are **looking** into it.", Visibility.PUBLIC)
        await system.person_attaches(ref, "trace.bin", b"\x00\xff" * 32)
        await system.person_edits(ref, {words.status: words.middle})
        gone = await system.person_creates({words.title: "Of a person"})
        await system.person_deletes(gone)
        with suppress(ConnectorError):
            await self.connector.fetch(gone)
        await system.settle()
        return ref

    async def _read(self, ref: ExternalRef, cursor: str) -> None:
        snapshot = await self.connector.fetch(ref)
        for file in snapshot.attachments:
            async for _ in self.connector.read_attachment(ref, file):
                pass
        seen = await self.connector.changes(ref, None)
        if seen:
            await self.connector.changes(ref, seen[0].id)
        for _ in range(20):
            page = await self.connector.changed_since(cursor)
            cursor = page.cursor
            if page.is_last:
                return

    async def _refusals(self, ref: ExternalRef) -> None:
        name, text = self.words.too_long
        wrong = ({self.words.choice: self.words.unknown_choice}, {name: text})
        for fields in wrong:
            with suppress(ConnectorError):
                await self._update(ref, fields)


PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(64)


def play_the_cast() -> dict[str, list[Exchange]]:
    """The people of the demo at work, and the portal's registration for webhooks, in all four systems."""

    async def scene() -> dict[str, list[Exchange]]:
        async with AsyncExitStack() as stack:
            sandboxes = {name: make() for name, make in SANDBOXES.items()}
            doors = {}
            for name, sandbox in sandboxes.items():
                runner, port = await start(sandbox, 0)
                stack.push_async_callback(runner.cleanup)
                doors[name] = Door(name, f"http://127.0.0.1:{port}")
            await asyncio.to_thread(_act, doors)
            return {name: exchanges_of(sandbox) for name, sandbox in sandboxes.items()}

    return asyncio.run(scene())


def _act(doors: Mapping[str, Door]) -> None:
    # Nobody listens there: what is judged is the registration.
    addresses = {name: f"{door.address}/_control/never" for name, door in doors.items()}
    secrets = dict.fromkeys(doors, "a-long-shared-secret-of-this-connection")
    subscribe(dict(doors), addresses, secrets)
    _act_in_jira(doors["jira"])
    _act_in_servicenow(doors["servicenow"])
    _act_in_azure_devops(doors["azure_devops"])
    agent = ZendeskPerson(doors["zendesk"])
    ticket = agent.file(
        "Kiosk refuses cards", "It shows *failed*.", priority="high", file_name="kiosk.png", content=PICTURE
    )
    agent.comment(ticket, "In Berlin.", public=True, status="open", custom_fields=[{"id": 27642, "value": "berlin"}])
    agent.comment(ticket, "It works again.", public=True, status="solved", assignee_id=agent.me())
    ZendeskPerson(doors["zendesk"], "sync").update(ticket, status="closed")


def _act_in_jira(door: Door) -> None:
    elaine = JiraPerson(door, "elaine")
    fields = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "Kiosk refuses cards"}
    made = elaine._caller.call("POST", "/rest/api/3/issue", {"fields": fields})
    elaine.move(made["id"], "In Progress")
    elaine.comment(made["id"], "Where does the kiosk stand?\n\nHow do you pay?")
    elaine.edit(made["id"], summary="Kiosk in Berlin refuses cards", labels=["kiosk"])
    elaine.move(made["id"], "Waiting for customer")


def _act_in_servicenow(door: Door) -> None:
    john = ServiceNowPerson(door, "john")
    record = john.create(short_description="Kiosk refuses cards", impact="1", urgency="2")
    john.work_note(record, "Suspect the firewall; keep this inside.")
    john.comment(record, "Port 8443 is closed.")
    john.edit(record, u_category="network", state="2")


def _act_in_azure_devops(door: Door) -> None:
    david, marco = AzureDevOpsPerson(door, "david"), AzureDevOpsPerson(door, "marco")
    made = david._caller.call(
        "POST",
        "/Shop/_apis/wit/workitems/$Bug?api-version=7.1",
        [{"op": "add", "path": "/fields/System.Title", "value": "Kiosk refuses cards"}],
        headers={"Content-Type": "application/json-patch+json"},
    )
    number = str(made["id"])
    david.comment(number, "Reproduced. This one is for Marco.")
    david.edit(number, **{"System.AssignedTo": "marco@global.example"})
    marco.edit(number, **{"Custom.DeploymentStage": "in test"})
