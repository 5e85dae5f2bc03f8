"""Comments, files and history arrive whole and come back clean."""

import hashlib
from pathlib import Path

import pytest

from apps.sandbox.servicenow import seed
from apps.sync.connectors.base import (
    AccessRefused,
    Draft,
    Note,
    Rejected,
    TicketGone,
    Upload,
)
from apps.sync.connectors.servicenow.connector import ServiceNowConnector
from apps.sync.engine.snapshot import ExternalRef, Visibility

from .servicenow_instance import Instance, on_instance

MARK = "siam-3f2a9c0d41b7"
OTHER = "siam-000000000002"
DRAFT = Draft("incident", {"short_description": "VPN drops", "description": "Client **5.1**", "u_site": "berlin"})


def upload(folder: Path, content: bytes, name: str = "Übersicht.txt", size: int | None = None) -> Upload:
    path = folder / "content"
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return Upload(name, "text/plain", len(content) if size is None else size, digest, path)


class TestComments:
    @pytest.mark.parametrize("visibility", list(Visibility))
    def test_reach_their_audience_and_come_back_clean(self, visibility: Visibility) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            receipt = await connector.add_comment(ref, Note("We are **on it**", visibility), OTHER)
            snapshot = await connector.fetch(ref)
            comment = snapshot.comments[0]
            assert (comment.id, comment.visibility, comment.correlation) == (receipt.id, visibility, OTHER)
            assert (comment.body, comment.author, receipt.version) == ("We are on it", "SIAM Sync", snapshot.version)
            stored = instance.sandbox.true_state()["tickets"][0]["comments"][0]
            assert stored["public"] is (visibility is Visibility.PUBLIC)

        on_instance(play)

    def test_are_found_again_by_their_mark_only(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            receipt = await connector.add_comment(ref, Note("one", Visibility.INTERNAL), OTHER)
            await instance.edit(ref.id, comments="copied\n\n[sync:siam-000000000003]")
            found = await connector.find(OTHER, ref)
            assert found is not None
            assert found.id == receipt.id
            assert await connector.find("siam-000000000003", ref) is None
            assert await connector.find("siam-00000000000", ref) is None

        on_instance(play)

    def test_too_long_or_empty_are_refused_before_anything_is_cut(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            limit = (await connector.schema()).max_comment_length
            assert limit is not None
            await connector.add_comment(ref, Note("x" * limit, Visibility.PUBLIC), OTHER)
            for body in ("x" * (limit + 60), "  "):
                with pytest.raises(Rejected) as refusal:
                    await connector.add_comment(ref, Note(body, Visibility.PUBLIC), "siam-000000000003")
                assert refusal.value.field == "comments"
            assert len(instance.sandbox.true_state()["tickets"][0]["comments"]) == 1

        on_instance(play)

    def test_that_the_account_may_not_read_are_never_taken_for_none(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            sys_id = await instance.report()
            assert (await connector.fetch(ExternalRef(sys_id))).comments == ()
            await instance.edit(sys_id, comments="Anyone there?")
            with pytest.raises(AccessRefused, match="sys_journal_field"):
                await connector.fetch(ExternalRef(sys_id))

        on_instance(play, journals_readable=False)


class TestAttachments:
    @pytest.mark.parametrize("content", [b"", b"line\r\n\x00\xff" * 5000])
    def test_come_back_byte_for_byte(self, content: bytes, tmp_path: Path) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            receipt = await connector.add_attachment(ref, upload(tmp_path, content), OTHER)
            (file,) = (await connector.fetch(ref)).attachments
            assert (file.id, file.file_name, file.size, file.correlation) == (
                receipt.id,
                "Übersicht.txt",
                len(content),
                OTHER,
            )
            assert file.sha256 == hashlib.sha256(content).hexdigest()
            assert b"".join([chunk async for chunk in connector.read_attachment(ref, file)]) == content
            found = await connector.find(OTHER, ref)
            assert found is not None
            assert found.id == receipt.id

        on_instance(play)

    def test_of_a_person_keep_their_name(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            sys_id = await instance.report()
            params = {"table_name": "incident", "table_sys_id": sys_id, "file_name": f"log~{MARK}.txt"}
            await instance.call(
                "POST", "/api/now/attachment/file", params=params, data=b"x", headers={"Content-Type": "text/plain"}
            )
            (file,) = (await connector.fetch(ExternalRef(sys_id))).attachments
            assert (file.file_name, file.correlation, file.author) == (f"log~{MARK}.txt", None, "John")

        on_instance(play)

    def test_for_inner_eyes_only_or_too_large_are_refused(self, tmp_path: Path) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            for file, visibility in [
                (upload(tmp_path, b"x"), Visibility.INTERNAL),
                (upload(tmp_path, b"x" * 11), Visibility.PUBLIC),
            ]:
                with pytest.raises(Rejected) as refusal:
                    await connector.add_attachment(ref, file, OTHER, visibility)
                assert refusal.value.field == "attachment"
            assert instance.sandbox.true_state()["tickets"][0]["attachments"] == []

        on_instance(play, settings={"attachment_bytes": 10})

    def test_whose_ending_the_instance_refuses_are_rejected(self, tmp_path: Path) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            with pytest.raises(Rejected) as refusal:
                await connector.add_attachment(ref, upload(tmp_path, b"MZ", "run.exe"), OTHER)
            assert (refusal.value.field, refusal.value.value) == ("attachment", "run.exe")

        on_instance(play, attachment_extensions=("txt", "pdf"))

    def test_that_arrive_altered_are_not_taken_for_good(self, tmp_path: Path) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            with pytest.raises(Rejected, match="differs"):
                await connector.add_attachment(ref, upload(tmp_path, b"abc", size=4), OTHER)

        on_instance(play)


class TestChanges:
    def test_are_in_order_and_compare_with_the_snapshot(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            ref = ExternalRef(await instance.report(description="first"))
            elaine = seed.seeded_id("sys_user", seed.ELAINE)
            await instance.edit(ref.id, description="x" * 3000, assigned_to=elaine)
            await instance.edit(ref.id, comments="Looking")
            await instance.edit(ref.id, state="2", active="true")
            changes = await connector.changes(ref, None)
            assert [bool(change.comment) for change in changes] == [False, True, False]
            snapshot = await connector.fetch(ref)
            assert changes[0].fields["assigned_to"] == (None, "Elaine") == (None, snapshot.fields["assigned_to"])
            assert changes[0].fields["description"] == ("first", snapshot.fields["description"])
            assert changes[2].fields["state"] == ("1", "2")
            assert changes[1].comment == snapshot.comments[0]
            assert {change.author for change in changes} == {"John"}
            for place, change in enumerate(changes):
                assert await connector.changes(ref, change.id) == changes[place + 1 :]

        on_instance(play)

    def test_of_a_deleted_ticket_are_gone_with_it(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            ref = ExternalRef(await instance.report())
            await instance.edit(ref.id, urgency="1")
            await instance.as_admin("DELETE", f"/api/now/v2/table/incident/{ref.id}")
            for read in (connector.changes(ref, None), connector.fetch(ref)):
                with pytest.raises(TicketGone):
                    await read

        on_instance(play)


class TestSchema:
    def test_tells_types_limits_and_values(self) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            schema = await connector.schema()
            fields = schema.types["incident"]
            assert (fields["short_description"].type, fields["short_description"].max_length) == ("text", 160)
            assert (fields["description"].type, fields["description"].max_length) == ("rich_text", 4000)
            assert (fields["state"].type, fields["state"].values) == ("status", ("1", "2", "3", "6", "7", "8"))
            assert fields["u_site"].values == ("berlin", "paris", "london")
            assert (fields["caller_id"].type, fields["watch_list"].type) == ("person", "words")
            assert not fields["priority"].is_writable
            assert "work_notes" not in fields
            assert schema.max_attachment_bytes == 1024**3

        on_instance(play)
