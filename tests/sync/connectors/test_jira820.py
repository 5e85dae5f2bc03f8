"""The connector against jira820, somebody else's emulator of Jira Data Center 8.20, unmodified.

It is not part of the project: name its executable in the environment variable JIRA820, or have it on the PATH. It keeps
``updated`` to the day, has no entity properties, logs status changes only and ignores conditions that it does not know.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.sync.connectors.base import (
    Changed,
    ChangedPage,
    Draft,
    NoRoute,
    Note,
    Rejected,
    StaleVersion,
    TicketGone,
    Upload,
)
from apps.sync.connectors.jira.connector import JiraConnector
from apps.sync.engine.snapshot import ExternalRef, Visibility

from .jira_site import context, run

EXECUTABLE = os.environ.get("JIRA820") or shutil.which("jira820") or ""
pytestmark = pytest.mark.skipif(
    not EXECUTABLE, reason="jira820 is not installed: set JIRA820 to its executable or put it on the PATH"
)
READY_SECONDS = 20.0
STRICT = """
project_key: OPS
statuses:
  - [New, todo, "1"]
  - [Assigned, inprogress, "3"]
  - [Pending Vendor, inprogress, "5"]
  - [Resolved, done, "6"]
  - [Closed, done, "7"]
transition_scheme:
  New: [Assigned]
  Assigned: [Pending Vendor, Resolved]
  Pending Vendor: [Assigned]
  Resolved: [Closed, Assigned]
  Closed: []
epics_per_module: 1
children_per_epic: [2, 3]
standalone_per_module: 2
history_per_module: 2
"""
SECRETS = {"personal_token": "any"}


def _answers(base: str, process: subprocess.Popen[bytes]) -> None:

    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{base}/rest/api/2/serverInfo", timeout=1).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail("jira820 did not start")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("jira820")
    (folder / "strict.yaml").write_text(STRICT)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"JIRA820_PORT": str(port), "JIRA820_SEED": "7", "JIRA820_CONFIG": str(folder / "strict.yaml")}
    process = subprocess.Popen(
        [EXECUTABLE], env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _answers(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def connector(base: str, **settings: Any) -> JiraConnector:
    return JiraConnector(context(base, SECRETS, flavour="Server", **settings))


async def drain(jira: JiraConnector, cursor: str | None) -> tuple[list[Changed], str]:
    found: list[Changed] = []
    page = ChangedPage((), cursor or "", False)
    for _ in range(100):
        page = await jira.changed_since(page.cursor or None)
        found += page.tickets
        if page.is_last:
            return found, page.cursor
    raise AssertionError("the poll does not come to an end")


def test_check_says_what_the_system_cannot_do(base: str) -> None:
    async def work() -> None:
        async with connector(base) as jira:
            card = await jira.check()
            assert (card.product, card.version, card.account_name) == ("Jira Data Center", "8.20.8", "Administrator")
            assert any("no entity properties" in warning for warning in card.warnings)
            assert not jira.capabilities.has_change_log

    run(work())


def test_a_created_ticket_is_found_by_its_mark_alone(base: str) -> None:
    async def work() -> None:
        async with connector(base) as jira:
            fields = {"summary": "VPN drops", "description": "Client **5.1**\n\n- Berlin\n- Paris", "priority": "High"}
            made = await jira.create(Draft("Bug", {**fields, "labels": ("vpn",)}), "siam-820000000001")
            snapshot = await jira.fetch(made.ref)
            assert {name: snapshot.fields[name] for name in fields} == fields
            assert snapshot.fields["labels"] == ("vpn",)
            assert snapshot.correlation == "siam-820000000001"
            assert snapshot.version == made.version
            found = await jira.find("siam-820000000001")
            assert found is not None
            assert found.ref.id == made.ref.id
            assert await jira.find("siam-820000000002") is None

    run(work())


def test_a_status_is_reached_over_several_steps_and_survives_a_label_edit(base: str) -> None:
    async def work() -> None:
        async with connector(base) as jira:
            made = await jira.create(Draft("Bug", {"summary": "Walk"}), "siam-820000000003")
            fields = {"status": "Closed", "resolution": "Duplicate", "labels": ("walked",), "summary": "Walked"}
            done = await jira.update(made.ref, fields, expected=made.version, correlation="siam-820000000004")
            assert done.stored == fields
            assert (await jira.find("siam-820000000003")) is not None
            with pytest.raises(NoRoute) as refused:
                await jira.update(made.ref, {"status": "New"}, expected=None, correlation="siam-820000000005")
            assert "Closed" in str(refused.value)
            assert refused.value.value == "New"
            assert (await jira.fetch(made.ref)).fields["status"] == "Closed"

    run(work())


def test_an_unfinished_status_is_reached_without_passing_a_finished_one(base: str) -> None:
    async def work() -> None:
        async with connector(base) as jira:
            made = await jira.create(Draft("Task", {"summary": "Wait"}), "siam-820000000006")
            done = await jira.update(
                made.ref, {"status": "Pending Vendor"}, expected=made.version, correlation="siam-820000000007"
            )
            assert done.stored == {"status": "Pending Vendor"}

    run(work())


def test_a_change_of_the_same_day_makes_a_version_stale(base: str) -> None:
    async def work() -> None:
        async with connector(base) as jira:
            made = await jira.create(Draft("Bug", {"summary": "Stale"}), "siam-820000000008")
            await jira.update(made.ref, {"summary": "Newer"}, expected=made.version, correlation="siam-820000000009")
            with pytest.raises(StaleVersion):
                await jira.update(
                    made.ref, {"summary": "Older"}, expected=made.version, correlation="siam-82000000000a"
                )
            assert (await jira.fetch(made.ref)).fields["summary"] == "Newer"

    run(work())


def test_a_comment_is_found_by_a_mark_that_nobody_reads_in_it(base: str) -> None:
    async def work() -> None:
        async with connector(base) as jira:
            made = await jira.create(Draft("Bug", {"summary": "Talk"}), "siam-82000000000b")
            note = Note("Looking at `vpn.log`:\n\n```\nfailed\n```", Visibility.PUBLIC)
            sent = await jira.add_comment(made.ref, note, "siam-82000000000c")
            snapshot = await jira.fetch(made.ref)
            assert [(each.body, each.correlation) for each in snapshot.comments] == [(note.body, "siam-82000000000c")]
            found = await jira.find("siam-82000000000c", made.ref)
            assert found is not None
            assert found.id == sent.id == snapshot.comments[0].id
            assert snapshot.version == sent.version != made.version
            with pytest.raises(Rejected):
                await jira.add_comment(made.ref, Note("secret", Visibility.INTERNAL), "siam-82000000000d")
            assert len((await jira.fetch(made.ref)).comments) == 1

    run(work())


def test_a_file_sent_twice_is_there_once(base: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 20
    path = tmp_path / "up"
    path.write_bytes(content)
    upload = Upload("Größe 1.bin", "application/octet-stream", len(content), hashlib.sha256(content).hexdigest(), path)

    async def work() -> None:
        async with connector(base) as jira:
            made = await jira.create(Draft("Bug", {"summary": "File"}), "siam-82000000000e")
            first = await jira.add_attachment(made.ref, upload, "siam-82000000000f")
            second = await jira.add_attachment(made.ref, upload, "siam-82000000000f")
            snapshot = await jira.fetch(made.ref)
            assert [each.id for each in snapshot.attachments] == [first.id] == [second.id]
            assert snapshot.attachments[0].file_name == "Größe 1.bin"
            parts = [part async for part in jira.read_attachment(made.ref, snapshot.attachments[0])]
            assert b"".join(parts) == content

    run(work())


def test_the_poll_reports_each_change_of_the_day_once(base: str) -> None:
    async def work() -> None:
        async with connector(base, page_size=7) as jira:
            _, cursor = await drain(jira, None)
            _, cursor = await drain(jira, cursor)
            refs = []
            for number in range(20):
                made = await jira.create(Draft("Bug", {"summary": f"Poll {number}"}), f"siam-8200000001{number:02d}")
                refs.append(made)
            found, cursor = await drain(jira, cursor)
            assert sorted(each.ref.id for each in found) == sorted(made.ref.id for made in refs)
            assert {each.ref.id: each.version for each in found} == {made.ref.id: made.version for made in refs}
            assert (await drain(jira, cursor))[0] == []

            edited = await jira.update(
                refs[3].ref, {"summary": "Again"}, expected=None, correlation="siam-820000000200"
            )
            talked = await jira.add_comment(refs[5].ref, Note("News", Visibility.PUBLIC), "siam-820000000201")
            found, cursor = await drain(jira, cursor)
            assert {(each.ref.id, each.version) for each in found} == {
                (refs[3].ref.id, edited.version),
                (refs[5].ref.id, talked.version),
            }
            assert (await drain(jira, cursor))[0] == []

    run(work())


def test_a_ticket_edited_between_two_pages_is_not_lost(base: str) -> None:
    async def work() -> None:
        async with connector(base, page_size=5) as jira:
            _, cursor = await drain(jira, None)
            made = [
                await jira.create(Draft("Bug", {"summary": f"Shift {number}"}), f"siam-8200000003{number:02d}")
                for number in range(12)
            ]
            page = await jira.changed_since(cursor)
            await jira.update(made[0].ref, {"summary": "Moved"}, expected=None, correlation="siam-820000000400")
            rest, _ = await drain(jira, page.cursor)
            again, _ = await drain(jira, page.cursor)
            assert {made_one.ref.id for made_one in made} <= {each.ref.id for each in (*page.tickets, *rest)}
            assert again == rest

    run(work())


def test_changes_hold_comments_and_files_and_lose_none_of_the_day(base: str, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(b"one")
    upload = Upload("one.txt", "text/plain", 3, hashlib.sha256(b"one").hexdigest(), tmp_path / "up")

    async def work() -> None:
        async with connector(base) as jira:
            made = await jira.create(Draft("Bug", {"summary": "Order"}), "siam-820000000500")
            await jira.add_comment(made.ref, Note("First", Visibility.PUBLIC), "siam-820000000501")
            first = await jira.changes(made.ref, None)
            assert [change.correlation for change in first] == ["siam-820000000501"]
            await jira.add_attachment(made.ref, upload, "siam-820000000502")
            later = await jira.changes(made.ref, first[-1].id)
            assert [change.attachment.file_name for change in later if change.attachment] == ["one.txt"]

    run(work())


def test_a_ticket_that_is_not_there_is_gone(base: str) -> None:
    async def work() -> None:
        async with connector(base) as jira:
            with pytest.raises(TicketGone):
                await jira.fetch(ExternalRef("1", "OPS-99999"))

    run(work())


def test_the_schema_names_types_statuses_and_fields(base: str) -> None:
    async def work() -> None:
        async with connector(base) as jira:
            schema = await jira.schema()
            assert schema.types["Bug"]["status"].values == ("New", "Assigned", "Pending Vendor", "Resolved", "Closed")
            assert schema.types["Bug"]["summary"].is_required
            assert schema.types["Bug"]["description"].type == "rich_text"

    run(work())
