"""The Azure DevOps connector in a whole project: what only shows over several calls."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest

from apps.foundation.outbound import OutboundGuard
from apps.sandbox.azure_devops import seed
from apps.sandbox.azure_devops.sandbox import AzureDevOpsSandbox
from apps.sandbox.server import start
from apps.sync.connectors.azure_devops.connector import AzureDevOpsConnector
from apps.sync.connectors.base import ConnectorError, Draft, Note, RateLimited, Rejected, SignInFailed, Upload
from apps.sync.connectors.http import Context, OpenGate
from apps.sync.connectors.richtext import canonical
from apps.sync.engine.snapshot import ExternalRef, Visibility

from .azure_devops_project import BODY, AzureDevOpsUnderTest
from .conformance_writes import DOCUMENTS
from .vendor_replay import RecordingGate

T = TypeVar("T")
SITE = "Custom.Site"


def run(act: Callable[[AzureDevOpsUnderTest, Any], Awaitable[T]], **settings: Any) -> T:
    async def go() -> T:
        system = AzureDevOpsUnderTest()
        await system.start()
        try:
            async with system.connector(settings=settings) as connector:
                return await act(system, connector)
        finally:
            await system.stop()

    return asyncio.run(go())


async def create(connector: AzureDevOpsConnector, **fields: Any) -> ExternalRef:
    members = {"System.Title": "VPN", BODY: "It **drops**", **fields}
    return (await connector.create(Draft("Bug", members), "siam-0000")).ref


def test_a_person_sees_one_tag_of_ours_and_the_engine_none() -> None:
    async def act(system: AzureDevOpsUnderTest, connector: AzureDevOpsConnector) -> Any:
        ref = await create(connector, **{"System.Tags": ("eu", "vpn")})
        await connector.update(ref, {"System.Tags": ("vpn",)}, expected=None, correlation="siam-2b3c")
        tags = (await system.true_state())["tickets"][0]["fields"]["System.Tags"]
        snapshot = await connector.fetch(ref)
        return tags, snapshot.fields["System.Tags"], snapshot.correlation

    tags, seen, correlation = run(act)
    assert {tag.strip() for tag in tags.split(";")} == {"vpn", "siam-0000"}
    assert (seen, correlation) == (("vpn",), "siam-0000")


def test_the_marker_may_live_in_a_field() -> None:
    async def act(_system: AzureDevOpsUnderTest, connector: AzureDevOpsConnector) -> Any:
        ref = await create(connector)
        found = await connector.find("siam-0000")
        snapshot = await connector.fetch(ref)
        return found.ref == ref, snapshot.correlation, "Custom.HubReference" in snapshot.fields

    assert run(act, marker_field="Custom.HubReference") == (True, "siam-0000", False)


def test_the_way_back_to_new_is_walked_step_by_step() -> None:
    async def act(_system: AzureDevOpsUnderTest, connector: AzureDevOpsConnector) -> Any:
        ref = await create(connector)
        fields = {"System.State": "Resolved", "Custom.Category": "network"}
        await connector.update(ref, fields, expected="1", correlation="siam-2b3c")
        receipt = await connector.update(
            ref, {"System.State": "New", SITE: "paris"}, expected=None, correlation="siam-3c4d"
        )
        states = [
            change.fields["System.State"]
            for change in await connector.changes(ref, None)
            if "System.State" in change.fields
        ]
        return (
            receipt.stored,
            states[0],
            states[-1][1],
            all(one[1] == two[0] for one, two in pairwise(states)),
        )

    stored, first, last, is_chain = run(act)
    assert stored == {"System.State": "New", SITE: "paris"}
    assert first[0] == last == "New"
    assert is_chain


def test_a_field_that_a_state_requires_is_named() -> None:
    async def act(_system: AzureDevOpsUnderTest, connector: AzureDevOpsConnector) -> str:
        ref = await create(connector)
        with pytest.raises(Rejected) as refusal:
            await connector.update(ref, {"System.State": "Resolved"}, expected=None, correlation="siam-2b3c")
        return refusal.value.field

    assert run(act) == "Custom.Category"


@pytest.mark.parametrize("text", DOCUMENTS)
def test_all_marks_survive_but_the_language_of_code(text: str) -> None:
    async def act(_system: AzureDevOpsUnderTest, connector: AzureDevOpsConnector) -> Any:
        ref = await create(connector, **{BODY: text})
        await connector.add_comment(ref, Note(text, Visibility.PUBLIC), "siam-2b3c")
        snapshot = await connector.fetch(ref)
        return snapshot.fields[BODY], snapshot.comments[0].body

    assert run(act) == (canonical(text).replace("```python", "```"),) * 2


def test_the_log_agrees_with_what_really_happened() -> None:
    async def act(system: AzureDevOpsUnderTest, connector: AzureDevOpsConnector) -> Any:
        ref = await system.person_creates({"System.Title": "VPN", SITE: "berlin"})
        await system.person_edits(ref, {SITE: "paris"})
        await system.person_comments(ref, "first", Visibility.PUBLIC)
        mine = await connector.update(ref, {"System.State": "Active"}, expected=None, correlation="siam-2b3c")
        await system.person_attaches(ref, "log.txt", b"abc")
        await connector.add_comment(ref, Note("second", Visibility.PUBLIC), "siam-3c4d")
        await system.person_edits(ref, {SITE: "london"})
        changes = await connector.changes(ref, None)
        kinds = []
        for change in changes:
            kinds += [name for name in change.fields if name in (SITE, "System.State")]
            kinds += ["comment"] if change.comment else []
            kinds += ["file"] if change.attachment else []
        known = [change.fields["System.State"] for change in changes if change.id in mine.change_ids]
        return kinds, known, [change.correlation for change in changes if change.comment]

    kinds, known, correlations = run(act)
    assert kinds == [SITE, "comment", "System.State", "file", "comment", SITE]
    assert known == [("New", "Active")]
    assert correlations == [None, "siam-3c4d"]


def test_a_work_item_moved_to_another_project_is_still_read_and_written() -> None:
    async def act(system: AzureDevOpsUnderTest, connector: AzureDevOpsConnector) -> Any:
        ref = await create(connector)
        moved = {"System.TeamProject": "Warehouse", "System.AreaPath": "Warehouse", "System.IterationPath": "Warehouse"}
        await system.person_edits(ref, moved)
        await connector.add_comment(ref, Note("still here", Visibility.PUBLIC), "siam-2b3c")
        await connector.update(ref, {SITE: "paris"}, expected=None, correlation="siam-3c4d")
        snapshot = await connector.fetch(ref)
        return snapshot.fields["System.TeamProject"], snapshot.comments[0].body, snapshot.fields[SITE]

    assert run(act) == ("Warehouse", "still here", "paris")


@pytest.mark.parametrize("feed", ["revisions", "query"])
def test_changed_work_items_are_found_by_either_feed(feed: str) -> None:
    async def act(system: AzureDevOpsUnderTest, connector: AzureDevOpsConnector) -> Any:
        page = await connector.changed_since(None)
        refs = [await system.person_creates({"System.Title": f"VPN {number}"}) for number in range(5)]
        await system.person_edits(refs[0], {SITE: "paris"})
        seen: dict[str, str] = {}
        for _ in range(10):
            page = await connector.changed_since(page.cursor)
            seen.update({row.ref.id: row.version for row in page.tickets})
            if page.is_last:
                break
        versions = {ref.id: (await connector.fetch(ref)).version for ref in refs}
        return seen == versions, page.is_last

    assert run(act, change_feed=feed, page_size=2) == (True, True)


def test_an_edit_of_the_last_work_item_before_the_cut_hides_none_beyond_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is then newer than all that the query had left out."""
    monkeypatch.setattr("apps.sync.connectors.azure_devops.feed.MOST_ROWS", 4)

    async def act(system: AzureDevOpsUnderTest, connector: AzureDevOpsConnector) -> Any:
        page = await connector.changed_since(None)
        refs = []
        for number in range(9):
            refs.append(await system.person_creates({"System.Title": f"VPN {number}"}))
            system.bring_forward(600)
        seen: set[str] = set()
        for asked in range(20):
            if asked == 1:
                await system.person_edits(refs[3], {SITE: "paris"})
            page = await connector.changed_since(page.cursor)
            seen |= {row.ref.id for row in page.tickets}
            if page.is_last:
                break
        return page.is_last, {ref.id for ref in refs} - seen

    assert run(act, change_feed="query", page_size=2) == (True, set())


def test_files_come_back_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"\x00\xffbytes")

    async def act(_system: AzureDevOpsUnderTest, connector: AzureDevOpsConnector) -> Any:
        ref = await create(connector)
        receipt = await connector.add_attachment(ref, Upload("ö.bin", "", 7, "", path), "siam-2b3c")
        file = (await connector.fetch(ref)).attachments[0]
        read = b"".join([chunk async for chunk in connector.read_attachment(ref, file)])
        found = await connector.find("siam-2b3c", ref)
        return read, file.file_name, file.id == receipt.id == found.id

    assert run(act) == (b"\x00\xffbytes", "ö.bin", True)


async def on_server(sandbox: AzureDevOpsSandbox, act: Callable[[Any], Awaitable[T]], path: str, **members: Any) -> T:
    runner, port = await start(sandbox, 0)
    try:
        origin = f"127.0.0.1:{port}"
        settings = {"project": "Shop", **members.get("settings", {})}
        if settings.get("sign_in") == "entra":
            settings["login_url"] = f"http://{origin}"
        secrets = members.get("secrets", {"pat": seed.SYNC_PAT})
        gate = members.get("gate") or OpenGate()
        context = Context(f"http://{origin}{path}", settings, secrets, OutboundGuard([origin]), gate=gate)
        async with AzureDevOpsConnector(context) as connector:
            return await act(connector)
    finally:
        await runner.cleanup()


def test_an_own_server_is_spoken_to_in_its_version() -> None:
    sandbox = AzureDevOpsSandbox()
    sandbox.settings.change({"flavor": "server", "released_version": "7.0", "latest_version": "7.1"})

    async def act(connector: AzureDevOpsConnector) -> Any:
        card = await connector.check()
        ref = await create(connector)
        await connector.add_comment(ref, Note("x", Visibility.PUBLIC), "siam-2b3c")
        return card.product, card.version, card.deployment, len((await connector.fetch(ref)).comments)

    found = asyncio.run(on_server(sandbox, act, "/tfs/DefaultCollection", settings={"flavor": "server"}))
    assert found == ("Azure DevOps Server", "7.0", "onPremises", 1)


def test_a_service_principal_signs_in() -> None:
    settings = {"sign_in": "entra", "tenant_id": seed.TENANT, "client_id": seed.CLIENT_ID}
    secrets = {"client_secret": seed.CLIENT_SECRET}
    card = asyncio.run(
        on_server(AzureDevOpsSandbox(), lambda c: c.check(), "/global", settings=settings, secrets=secrets)
    )
    assert card.account_name == "SIAM Sync"


@pytest.mark.parametrize("answer", [203, 302])
@pytest.mark.parametrize("verb", ["check", "fetch", "create", "changed_since"])
def test_bad_credentials_are_a_failed_sign_in_at_every_verb(answer: int, verb: str) -> None:
    sandbox = AzureDevOpsSandbox()
    sandbox.settings.change({"sign_in_answer": answer})
    acts: dict[str, Callable[[Any], Awaitable[Any]]] = {
        "check": lambda c: c.check(),
        "fetch": lambda c: c.fetch(ExternalRef("1")),
        "create": lambda c: c.create(Draft("Bug", {"System.Title": "x"}), "siam-1a2b"),
        "changed_since": lambda c: c.changed_since('{"start": "2026-11-20T10:04:00.000Z"}'),
    }
    with pytest.raises(SignInFailed):
        asyncio.run(on_server(sandbox, acts[verb], "/global", secrets={"pat": "wrong"}))


def test_the_service_advises_to_wait_before_it_refuses() -> None:
    sandbox = AzureDevOpsSandbox()
    sandbox.settings.change({"tstu_limit": 0.2})

    async def act(connector: AzureDevOpsConnector) -> Any:
        await connector.check()
        advised = list(gate.closed)
        with pytest.raises(RateLimited) as limit:
            await connector.check()
        return bool(advised) and min(advised) > 0, limit.value.retry_after > 0

    gate = RecordingGate()
    assert asyncio.run(on_server(sandbox, act, "/global", gate=gate)) == (True, True)


def test_a_lost_answer_to_a_guarded_write_is_settled_by_the_revision() -> None:
    async def act(system: AzureDevOpsUnderTest, connector: AzureDevOpsConnector) -> Any:
        ref = await create(connector)
        await system.set_fault("lost_response", on="update", times=1)
        with pytest.raises(ConnectorError) as failure:
            await connector.update(ref, {SITE: "paris"}, expected="1", correlation="siam-2b3c")
        with pytest.raises(ConnectorError) as again:
            await connector.update(ref, {SITE: "paris"}, expected="1", correlation="siam-2b3c")
        snapshot = await connector.fetch(ref)
        return failure.value.is_unknown, type(again.value).__name__, snapshot.version, snapshot.fields[SITE]

    assert run(act) == (True, "StaleVersion", "2", "paris")
