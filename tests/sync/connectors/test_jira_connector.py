"""What the Jira connector does beyond the common contract, against the sandbox in both flavors."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from apps.sync.connectors.base import (
    Draft,
    NoRoute,
    Note,
    RateLimited,
    Rejected,
    StaleVersion,
    TicketGone,
    Upload,
    VendorFault,
)
from apps.sync.connectors.jira.connector import JiraConnector
from apps.sync.engine.plan import UpdateRemote
from apps.sync.engine.snapshot import ExternalRef, Visibility
from apps.sync.engine.work import Do, Done
from apps.sync.services.carrying import carry_out

from .jira_site import CLOUD_SECRETS, context, run, site

BOTH = pytest.mark.parametrize("deployment", ["Cloud", "Server"])
MARKS = [f"siam-3f2a9c0d41{number:02x}" for number in range(64)]
ALL_FIELDS = {
    "summary": "VPN drops *every* hour",
    "description": "Client **5.1**\n\n- Berlin\n- `vpn.exe`",
    "environment": "Office",
    "priority": "High",
    "labels": ("eu", "vpn"),
    "duedate": "2026-12-01",
    "assignee": "Elaine",
    "reporter": "John",
    "customfield_10031": "Berlin",
    "customfield_10032": "two",
}


@BOTH
def test_every_field_written_is_read_back_and_the_mark_is_not_seen(deployment: str) -> None:
    async def work() -> None:
        async with site(deployment) as there:
            made = await there.connector.create(Draft("Bug", ALL_FIELDS), MARKS[0])
            snapshot = await there.connector.fetch(made.ref)
            assert made.stored == ALL_FIELDS
            assert {name: snapshot.fields[name] for name in ALL_FIELDS} == ALL_FIELDS
            assert (snapshot.correlation, snapshot.version, snapshot.type) == (MARKS[0], made.version, "Bug")
            assert await there.connector.changes(made.ref, None) == ()

    run(work())


@BOTH
def test_a_copied_ticket_with_our_label_is_not_taken_for_ours(deployment: str) -> None:
    async def work() -> None:
        async with site(deployment) as there:
            copied = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "Copy", "labels": [MARKS[0]]}
            await there.call("POST", "issue", {"fields": copied})
            assert await there.connector.find(MARKS[0]) is None
            made = await there.connector.create(Draft("Bug", {"summary": "Original"}), MARKS[0])
            found = await there.connector.find(MARKS[0])
            assert found is not None
            assert found.ref.id == made.ref.id

    run(work())


@BOTH
def test_status_fields_and_text_change_with_the_fewest_writes(deployment: str) -> None:
    async def work() -> None:
        async with site(deployment) as there:
            made = await there.connector.create(Draft("Bug", {"summary": "Walk"}), MARKS[1])
            fields = {"status": "Done", "resolution": "Duplicate", "summary": "Walked", "labels": ("a",)}
            done = await there.connector.update(made.ref, fields, expected=made.version, correlation=MARKS[2])
            assert done.stored == fields
            changes = await there.connector.changes(made.ref, None)
            assert tuple(change.id for change in changes) == done.change_ids
            assert {change.correlation for change in changes} == {MARKS[2]}
            assert [change.fields["status"] for change in changes if "status" in change.fields] == [
                ("To Do", "In Progress"),
                ("In Progress", "Done"),
            ]
            again = await there.connector.update(made.ref, fields, expected=done.version, correlation=MARKS[3])
            assert (again.version, again.change_ids, again.stored) == (done.version, (), fields)
            found = await there.connector.find(MARKS[1])
            assert found is not None
            assert found.ref.id == made.ref.id

    run(work())


def test_a_required_field_that_is_missing_is_named() -> None:
    async def work() -> None:
        async with site() as there:
            made = await there.connector.create(Draft("Bug", {"summary": "Walk"}), MARKS[4])
            with pytest.raises(Rejected) as refused:
                await there.connector.update(made.ref, {"status": "Done"}, expected=None, correlation=MARKS[5])
            assert refused.value.field == "resolution"

    run(work())


def test_a_dead_end_leaves_the_ticket_where_it_was() -> None:
    async def work() -> None:
        async with site() as there:
            made = await there.connector.create(Draft("Bug", {"summary": "Walk"}), MARKS[6])
            fields = {"status": "Closed", "resolution": "Done"}
            await there.connector.update(made.ref, fields, expected=None, correlation=MARKS[7])
            with pytest.raises(NoRoute) as refused:
                await there.connector.update(made.ref, {"status": "To Do"}, expected=None, correlation=MARKS[8])
            assert "'Closed'" in refused.value.detail
            assert "reachable: nothing" in refused.value.detail
            assert (await there.connector.fetch(made.ref)).fields["status"] == "Closed"

            other = await there.connector.create(Draft("Bug", {"summary": "Other"}), MARKS[9])
            await there.connector.update(other.ref, {"status": "In Progress"}, expected=None, correlation=MARKS[10])
            with pytest.raises(NoRoute) as refused:
                await there.connector.update(other.ref, {"status": "To Do"}, expected=None, correlation=MARKS[11])
            assert (await there.connector.fetch(other.ref)).fields["status"] == "In Progress"
            walked = [one for one in await there.connector.changes(other.ref, None) if one.correlation == MARKS[11]]
            assert len(walked) > 1
            assert not refused.value.is_unknown
            with pytest.raises(NoRoute, match="Lost"):
                await there.connector.update(other.ref, {"status": "Lost"}, expected=None, correlation=MARKS[12])

    run(work())


def test_a_dead_end_after_other_fields_were_written_is_in_doubt() -> None:
    async def work() -> None:
        async with site() as there:
            made = await there.connector.create(Draft("Bug", {"summary": "Walk"}), MARKS[6])
            await there.connector.update(made.ref, {"status": "In Progress"}, expected=None, correlation=MARKS[7])
            fields = {"status": "To Do", "summary": "Walked"}
            with pytest.raises(NoRoute) as refused:
                await there.connector.update(made.ref, fields, expected=None, correlation=MARKS[8])
            assert (await there.connector.fetch(made.ref)).fields["summary"] == "Walked"
            assert refused.value.is_unknown

    run(work())


@BOTH
def test_a_change_in_between_makes_the_version_stale(deployment: str) -> None:
    async def work() -> None:
        async with site(deployment) as there:
            made = await there.connector.create(Draft("Bug", {"summary": "One"}), MARKS[13])
            await there.call("PUT", f"issue/{made.ref.id}", {"fields": {"summary": "Two"}})
            with pytest.raises(StaleVersion):
                await there.connector.update(
                    made.ref, {"summary": "Three"}, expected=made.version, correlation=MARKS[14]
                )
            assert (await there.connector.fetch(made.ref)).fields["summary"] == "Two"

    run(work())


@BOTH
def test_the_log_has_long_texts_lists_and_people_as_a_snapshot_has_them(deployment: str) -> None:
    steps: list[dict[str, Any]] = [
        {"description": "First **line**\n\n- a"},
        {"labels": ("a", "b")},
        {"assignee": "Elaine"},
        {"description": "Second\n\n```\ncode\n```"},
        {"duedate": "2026-12-24"},
        {"customfield_10031": "Paris"},
        {"labels": ("b",)},
        {"assignee": None},
        {"description": None},
    ]

    async def work() -> None:
        async with site(deployment) as there:
            made = await there.connector.create(Draft("Bug", {"summary": "Log"}), MARKS[15])
            seen = [dict((await there.connector.fetch(made.ref)).fields)]
            for number, fields in enumerate(steps):
                await there.connector.update(made.ref, fields, expected=None, correlation=MARKS[16 + number])
                seen.append(dict((await there.connector.fetch(made.ref)).fields))
            changes = await there.connector.changes(made.ref, None)
            assert len(changes) == len(steps)
            for change, before, after in zip(changes, seen[:-1], seen[1:], strict=True):
                (name,) = change.fields
                if name == "description":  # Jira's log keeps the words of a long text, not all of its format
                    assert change.fields[name][1] is None or change.fields[name][1]
                else:
                    assert change.fields[name] == (before[name], after[name])
            newest = await there.connector.changes(made.ref, changes[-2].id)
            assert [change.id for change in newest] == [changes[-1].id]

    run(work())


@BOTH
def test_a_person_is_found_by_name_or_address_and_refused_when_unknown(deployment: str) -> None:
    async def work() -> None:
        async with site(deployment) as there:
            made = await there.connector.create(
                Draft("Bug", {"summary": "Who", "assignee": "elaine@infinity.example"}), MARKS[30]
            )
            assert made.stored["assignee"] == "Elaine"
            with pytest.raises(Rejected) as refused:
                await there.connector.update(made.ref, {"assignee": "Otto"}, expected=None, correlation=MARKS[31])
            assert (refused.value.field, refused.value.value) == ("assignee", "Otto")

    run(work())


@BOTH
def test_an_internal_comment_stays_internal_and_a_public_one_public(deployment: str) -> None:
    async def work() -> None:
        async with site(deployment) as there:
            made = await there.connector.create(Draft("Bug", {"summary": "Talk"}), MARKS[32])
            for visibility in Visibility:
                await there.connector.add_comment(made.ref, Note(f"{visibility} *word*", visibility), MARKS[33])
            snapshot = await there.connector.fetch(made.ref)
            assert [comment.visibility for comment in snapshot.comments] == list(Visibility)
            state = there.sandbox.true_state()["tickets"][0]["comments"]
            assert [comment["public"] for comment in state] == [True, False]
            assert not any("siam-" in str(comment["text"]) for comment in state)

    run(work())


def test_an_internal_comment_that_jira_would_show_is_withdrawn() -> None:
    async def work() -> None:
        async with site() as there:
            there.sandbox.settings.internal_by_property = False
            made = await there.connector.create(Draft("Bug", {"summary": "Talk"}), MARKS[34])
            with pytest.raises(Rejected):
                await there.connector.add_comment(made.ref, Note("secret", Visibility.INTERNAL), MARKS[35])
            assert (await there.connector.fetch(made.ref)).comments == ()

    run(work())


def test_an_internal_comment_that_could_not_be_withdrawn_is_withdrawn_when_looked_for() -> None:
    async def work() -> None:
        async with site() as there:
            there.sandbox.settings.internal_by_property = False
            made = await there.connector.create(Draft("Bug", {"summary": "Talk"}), MARKS[34])
            await there.fault(kind="status", status=429, method="DELETE", times=1)
            with pytest.raises(RateLimited) as failure:
                await there.connector.add_comment(made.ref, Note("secret", Visibility.INTERNAL), MARKS[35])
            assert failure.value.is_unknown
            assert len(there.sandbox.true_state()["tickets"][0]["comments"]) == 1
            assert await there.connector.find(MARKS[35], made.ref) is None
            assert there.sandbox.true_state()["tickets"][0]["comments"] == []

    run(work())


def test_a_project_without_internal_comments_refuses_them_or_uses_a_role() -> None:
    async def work() -> None:
        async with site(service_project=False) as there:
            made = await there.connector.create(Draft("Bug", {"summary": "Talk"}), MARKS[36])
            assert not there.connector.capabilities.has_internal_comments
            with pytest.raises(Rejected):
                await there.connector.add_comment(made.ref, Note("secret", Visibility.INTERNAL), MARKS[37])
            assert (await there.connector.fetch(made.ref)).comments == ()
        async with site(service_project=False, internal_role="Administrators") as there:
            made = await there.connector.create(Draft("Bug", {"summary": "Talk"}), MARKS[36])
            await there.connector.add_comment(made.ref, Note("secret", Visibility.INTERNAL), MARKS[37])
            (comment,) = (await there.connector.fetch(made.ref)).comments
            assert (comment.visibility, comment.body) == (Visibility.INTERNAL, "secret")

    run(work())


def upload(path: Path, content: bytes, name: str) -> Upload:
    (path / "up").write_bytes(content)
    return Upload(name, "text/plain", len(content), hashlib.sha256(content).hexdigest(), path / "up")


@BOTH
def test_files_of_one_name_are_told_apart_after_lost_answers(deployment: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with site(deployment) as there:
            jira = there.connector
            made = await jira.create(Draft("Bug", {"summary": "File"}), MARKS[38])
            first = await jira.add_attachment(made.ref, upload(tmp_path, b"one", "é.txt"), MARKS[39])
            await there.fault(kind="lost_response", method="POST", path="/attachments$", times=1)
            with pytest.raises((VendorFault, Exception)) as lost:
                await jira.add_attachment(made.ref, upload(tmp_path, b"two", "é.txt"), MARKS[40])
            assert getattr(lost.value, "is_unknown", False)
            found = await jira.find(MARKS[40], made.ref)
            assert found is not None
            assert found.id != first.id
            assert await jira.find(MARKS[41], made.ref) is None
            snapshot = await jira.fetch(made.ref)
            assert [(file.file_name, file.correlation) for file in snapshot.attachments] == [
                ("é.txt", MARKS[39]),
                ("é.txt", MARKS[40]),
            ]
            parts = [part async for part in jira.read_attachment(made.ref, snapshot.attachments[1])]
            assert b"".join(parts) == b"two"

    run(work())


def test_a_lost_create_is_found_once_the_index_has_caught_up() -> None:
    async def work() -> None:
        async with site(lag=0.5) as there:
            await there.fault(kind="lost_response", method="POST", path="/issue$", times=1)
            with pytest.raises(Exception) as lost:
                await there.connector.create(Draft("Bug", {"summary": "Lost"}), MARKS[42])
            assert getattr(lost.value, "is_unknown", False)
            for _ in range(100):
                if await there.connector.find(MARKS[42]):
                    break
                await asyncio.sleep(0.1)
            else:
                pytest.fail("the search never saw the issue")
            assert len(there.sandbox.true_state()["tickets"]) == 1

    run(work())


def test_a_deleted_ticket_is_gone() -> None:
    async def work() -> None:
        async with site() as there:
            made = await there.connector.create(Draft("Bug", {"summary": "Gone"}), MARKS[43])
            await there.call("DELETE", f"issue/{made.ref.id}")
            for attempt in (
                there.connector.fetch(made.ref),
                there.connector.changes(made.ref, None),
                there.connector.update(made.ref, {"summary": "x"}, expected=None, correlation=MARKS[44]),
                there.connector.add_comment(made.ref, Note("x", Visibility.PUBLIC), MARKS[45]),
                there.connector.fetch(ExternalRef("999999")),
            ):
                with pytest.raises(TicketGone):
                    await attempt

    run(work())


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"summary": "x", "nonsense": "y"}, "nonsense"),
        ({"summary": "x", "status": "Done"}, "status"),
        ({"summary": "x", "created": "2026-01-01"}, "created"),
        ({"summary": "x", "duedate": "tomorrow"}, "duedate"),
        ({"summary": "x", "customfield_10031": "Rome"}, "customfield_10031"),
        ({"summary": "two\nlines"}, "summary"),
        ({"summary": "x", "description": "y" * 40_000}, "description"),
    ],
)
def test_what_jira_cannot_take_is_refused_by_name(fields: dict[str, Any], field: str) -> None:
    async def work() -> None:
        async with site() as there:
            with pytest.raises(Rejected) as refused:
                await there.connector.create(Draft("Bug", fields), MARKS[46])
            assert refused.value.field == field
            assert there.sandbox.true_state()["tickets"] == []

    run(work())


@pytest.mark.parametrize(
    ("settings", "secrets"),
    [
        ({"project": ""}, CLOUD_SECRETS),
        ({"colour": "red"}, CLOUD_SECRETS),
        ({"flavour": "mainframe"}, CLOUD_SECRETS),
        ({}, {}),
        ({}, {"email": "siam-sync@infinity.example"}),
        ({}, {**CLOUD_SECRETS, "personal_token": "x"}),
    ],
)
def test_settings_that_cannot_work_are_refused_at_construction(settings: Any, secrets: Any) -> None:

    with pytest.raises(ValidationError):
        JiraConnector(context("https://acme.example", secrets, **settings))


@BOTH
def test_the_schema_has_what_a_create_screen_and_the_workflow_have(deployment: str) -> None:
    async def work() -> None:
        async with site(deployment, types=("Bug",)) as there:
            schema = await there.connector.schema()
            bug = schema.types["Bug"]
            assert list(schema.types) == ["Bug"]
            assert bug["customfield_10031"].values == ("Berlin", "Paris", "London")
            assert (bug["summary"].is_required, bug["summary"].max_length) == (True, 255)
            assert (bug["description"].type, bug["description"].max_length) == ("rich_text", 32_767)
            assert "Waiting for customer" in bug["status"].values
            assert "Duplicate" in bug["resolution"].values
            assert not bug["created"].is_writable
            assert schema.max_attachment_bytes == there.sandbox.settings.upload_limit

    run(work())


def test_a_status_without_a_way_becomes_the_one_that_the_rules_name_instead() -> None:
    """Also where finding out that there is none took steps of its own."""

    async def work() -> None:
        async with site() as there:
            made = await there.connector.create(Draft("Bug", {"summary": "New again"}), MARKS[44])
            done = {"status": "Done", "resolution": "Done"}
            there_now = await there.connector.update(made.ref, done, expected=None, correlation=MARKS[45])
            step = UpdateRemote({"status": "To Do"}, {}, {"status": "In Progress"})
            what = Do("link", 1, step, made.ref, MARKS[46], expected=there_now.version)
            result = await carry_out(there.connector, what)
            assert isinstance(result, Done)
            assert result.instead == {"status": "In Progress"}
            assert result.receipt.stored["status"] == "In Progress"
            assert (await there.connector.fetch(made.ref)).fields["status"] == "In Progress"

    run(work())
