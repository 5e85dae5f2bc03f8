"""The Zendesk connector in a whole account: what only shows over several calls."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from apps.sandbox.zendesk import seed
from apps.sync.connectors.base import ConnectorError, Draft, Note, Rejected, TicketClosed, TicketMerged, Upload
from apps.sync.connectors.richtext import canonical
from apps.sync.connectors.zendesk.connector import ZendeskConnector
from apps.sync.engine.snapshot import ExternalRef, Visibility

from .conformance_writes import DOCUMENTS
from .zendesk_account import ZendeskUnderTest

T = TypeVar("T")
SITE, STAGE = str(seed.SITE_FIELD), str(seed.STAGE_FIELD)


def run(act: Callable[[ZendeskUnderTest, Any], Awaitable[T]], **settings: Any) -> T:
    async def go() -> T:
        system = ZendeskUnderTest()
        await system.start()
        try:
            async with system.connector(settings=settings) as connector:
                return await act(system, connector)
        finally:
            await system.stop()

    return asyncio.run(go())


async def create(connector: ZendeskConnector, **fields: Any) -> ExternalRef:
    draft = Draft("incident", {"subject": "VPN", "description": "It drops", **fields})
    return (await connector.create(draft, "siam-0000")).ref


def test_a_create_repeated_within_the_keys_life_gives_the_same_ticket() -> None:
    async def act(system: ZendeskUnderTest, connector: ZendeskConnector) -> tuple[str, str, int]:
        draft = Draft("incident", {"subject": "VPN", "description": "It drops"})
        first = await connector.create(draft, "siam-1a2b")
        second = await connector.create(draft, "siam-1a2b")
        return first.ref.id, second.ref.id, len((await system.true_state())["tickets"])

    first, second, count = run(act)
    assert first == second
    assert count == 1


def test_placeholders_in_foreign_text_are_not_expanded() -> None:
    text = "use {{ticket.id}} and {{unknown}}"

    async def act(_system: ZendeskUnderTest, connector: ZendeskConnector) -> list[Any]:
        ref = await create(connector, subject=text, description=text)
        await connector.add_comment(ref, Note(text, Visibility.PUBLIC), "siam-2b3c")
        snapshot = await connector.fetch(ref)
        return [snapshot.fields["subject"], snapshot.fields["description"], snapshot.comments[0].body]

    assert run(act) == [text, text, text]


@pytest.mark.parametrize("text", DOCUMENTS)
def test_all_marks_survive_but_the_language_of_code(text: str) -> None:
    async def act(_system: ZendeskUnderTest, connector: ZendeskConnector) -> Any:
        ref = await create(connector, description=text)
        await connector.add_comment(ref, Note(text, Visibility.INTERNAL), "siam-2b3c")
        snapshot = await connector.fetch(ref)
        return snapshot.fields["description"], snapshot.comments[0].body

    assert run(act) == (canonical(text).replace("```python", "```"),) * 2


def test_tags_and_options_do_not_push_each_other_out() -> None:
    async def act(_system: ZendeskUnderTest, connector: ZendeskConnector) -> list[Any]:
        ref = await create(connector, tags=("vpn",), **{SITE: "berlin"})
        seen = []
        for fields in ({"tags": ("eu", "vpn")}, {SITE: "paris"}, {"tags": (), SITE: "london"}, {SITE: None}):
            await connector.update(ref, fields, expected=None, correlation="siam-2b3c")
            now = (await connector.fetch(ref)).fields
            seen.append((now["tags"], now[SITE]))
        return seen

    assert run(act) == [(("eu", "vpn"), "berlin"), (("eu", "vpn"), "paris"), ((), "london"), ((), None)]


def test_solving_names_what_is_still_required() -> None:
    async def act(system: ZendeskUnderTest, connector: ZendeskConnector) -> tuple[str, str]:
        ref = await create(connector)
        system.sandbox.account.fields[seed.SITE_FIELD].required = True  # type: ignore[attr-defined]
        with pytest.raises(Rejected) as refusal:
            await connector.update(
                ref, {"status": "solved", "assignee_id": "Mercuri Agent"}, expected=None, correlation="siam-2b3c"
            )
        fields = {"status": "solved", "assignee_id": "Mercuri Agent", SITE: "paris"}
        receipt = await connector.update(ref, fields, expected=None, correlation="siam-3c4d")
        assert receipt.stored == fields
        return refusal.value.field, refusal.value.detail

    field, detail = run(act)
    assert field == SITE
    assert "Site" in detail


def test_a_ticket_is_closed_through_solved_and_takes_nothing_more() -> None:
    async def act(_system: ZendeskUnderTest, connector: ZendeskConnector) -> Any:
        ref = await create(connector)
        fields = {"status": "closed", "assignee_id": "Mercuri Agent"}
        receipt = await connector.update(ref, fields, expected=None, correlation="siam-2b3c")
        with pytest.raises(TicketClosed):
            await connector.update(ref, {"subject": "x"}, expected=None, correlation="siam-3c4d")
        with pytest.raises(TicketClosed):
            await connector.add_comment(ref, Note("x", Visibility.PUBLIC), "siam-4d5e")
        follow_up = await connector.create(Draft("incident", {"subject": "VPN again"}, follow_up_of=ref), "siam-5e6f")
        return receipt.stored["status"], (await connector.fetch(ref)).is_closed_for_good, follow_up.ref.id != ref.id

    assert run(act) == ("closed", True, True)


def test_a_merged_ticket_leads_to_the_other() -> None:
    async def act(system: ZendeskUnderTest, connector: ZendeskConnector) -> list[str]:
        source = await system.person_creates({"subject": "two"})
        target = await system.person_creates({"subject": "one"})
        merge = {"ids": [int(source.id)], "target_comment": "both", "source_comment": f"Merged into #{target.id}"}
        async with system.person.post(f"/api/v2/tickets/{target.id}/merge", json=merge):
            await asyncio.sleep(system.sandbox.settings.job_seconds * 3)  # type: ignore[attr-defined]
        found = []
        for verb in (
            connector.fetch(source),
            connector.update(source, {"subject": "x"}, expected=None, correlation="siam-2b3c"),
            connector.add_comment(source, Note("x", Visibility.PUBLIC), "siam-3c4d"),
        ):
            try:
                await verb
            except TicketMerged as merged:
                found.append(merged.into.id)
        return [target.id, *found]

    target, *found = run(act)
    assert found == [target] * 3


@pytest.mark.parametrize("redirected", [False, True])
def test_a_file_is_read_back_without_our_credentials_going_elsewhere(redirected: bool, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"\x00\xffbytes")

    async def act(system: ZendeskUnderTest, connector: ZendeskConnector) -> Any:
        system.sandbox.settings.redirected_attachments = redirected  # type: ignore[attr-defined]
        system.sandbox.settings.private_attachments = True  # type: ignore[attr-defined]
        ref = await create(connector)
        await connector.add_attachment(ref, Upload("ö.bin", "image/png", 7, "", path), "siam-2b3c", Visibility.INTERNAL)
        snapshot = await connector.fetch(ref)
        file = snapshot.attachments[0]
        read = b"".join([chunk async for chunk in connector.read_attachment(ref, file)])
        sent = [one for one in system.sandbox.exchanges if one.path.startswith("/attachments/stored")]
        assert all("authorization" not in one.headers for one in sent)
        assert bool(sent) is redirected
        return read, file.file_name, file.visibility, snapshot.comments

    assert run(act) == (b"\x00\xffbytes", "ö.bin", Visibility.INTERNAL, ())


def test_an_author_is_attributed_when_the_connection_says_so() -> None:
    async def act(system: ZendeskUnderTest, connector: ZendeskConnector) -> Any:
        assert connector.capabilities.can_attribute_author
        ref = await create(connector)
        await system.settle()
        await connector.add_comment(ref, Note("It works", Visibility.PUBLIC, "Shop Customer"), "siam-2b3c")
        with pytest.raises(Rejected) as refusal:
            await connector.add_comment(ref, Note("x", Visibility.PUBLIC, "Otto"), "siam-3c4d")
        return (await connector.fetch(ref)).comments[0].author, refusal.value.field, refusal.value.value

    assert run(act, attribute_authors=True) == ("Shop Customer", "author", "Otto")


def test_an_unknown_requester_is_created_by_address() -> None:
    async def act(_system: ZendeskUnderTest, connector: ZendeskConnector) -> Any:
        ref = await create(connector, requester_id="Elaine <elaine@infinity.example>")
        return (await connector.fetch(ref)).fields["requester_id"]

    assert run(act) == "Elaine"


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"assignee_id": "Otto"}, "assignee_id"), ({"group_id": "Nobody"}, "group_id"), ({SITE: "rome"}, SITE),
     ({"description": "another"}, "description"), ({"27000": "x"}, "27000")],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_naming_it(fields: dict[str, Any], field: str) -> None:
    async def act(_system: ZendeskUnderTest, connector: ZendeskConnector) -> str:
        ref = await create(connector)
        with pytest.raises(Rejected) as refusal:
            await connector.update(ref, fields, expected=None, correlation="siam-2b3c")
        return refusal.value.field

    assert run(act) == field


def test_the_schema_knows_the_accounts_fields() -> None:
    async def act(_system: ZendeskUnderTest, connector: ZendeskConnector) -> Any:
        return await connector.schema()

    fields = run(act).types["incident"]
    assert fields[SITE].values == ("berlin", "paris", "london")
    assert fields["group_id"].values == ("Support",)
    assert "Waiting on vendor" in fields["custom_status_id"].values


def test_a_custom_status_is_written_and_read_by_its_label() -> None:
    async def act(_system: ZendeskUnderTest, connector: ZendeskConnector) -> Any:
        ref = await create(connector)
        await connector.update(ref, {"custom_status_id": "Waiting on vendor"}, expected=None, correlation="siam-2b3c")
        fields = (await connector.fetch(ref)).fields
        return fields["custom_status_id"], fields["status"]

    assert run(act) == ("Waiting on vendor", "open")


def test_the_log_agrees_with_what_really_happened() -> None:
    async def act(system: ZendeskUnderTest, connector: ZendeskConnector) -> Any:
        ref = await system.person_creates({"subject": "VPN", "priority": "low"})
        await system.person_edits(ref, {"priority": "high"})
        await system.person_comments(ref, "first", Visibility.INTERNAL)
        await connector.update(ref, {"status": "open", STAGE: "two"}, expected=None, correlation="siam-2b3c")
        await system.person_attaches(ref, "log.txt", b"abc")
        await system.person_edits(ref, {"priority": "urgent"})
        changes = await connector.changes(ref, None)
        kinds = []
        for change in changes:
            kinds += [name for name in change.fields if name in ("priority", "status", STAGE)]
            kinds += ["comment"] if change.comment else []
            kinds += ["file"] if change.attachment else []
        return kinds, [change.correlation for change in changes if "status" in change.fields]

    kinds, correlations = run(act)
    assert kinds == ["priority", "comment", "status", STAGE, "comment", "file", "priority"]
    assert correlations == ["siam-2b3c"]


def test_a_lost_answer_is_unknown_and_the_log_tells_what_became_of_it() -> None:
    async def act(system: ZendeskUnderTest, connector: ZendeskConnector) -> Any:
        ref = await create(connector)
        await system.set_fault("lost_response", on="update", times=1)
        with pytest.raises(ConnectorError) as failure:
            await connector.update(ref, {"priority": "high"}, expected=None, correlation="siam-2b3c")
        found = await connector.find("siam-2b3c", ref)
        assert found is not None
        return failure.value.is_unknown, found.stored, await connector.find("siam-3c4d", ref)

    assert run(act) == (True, {"priority": "high"}, None)
