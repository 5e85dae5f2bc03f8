"""Conformance: what a connector says when the system fails, and that it finds out what really happened."""

import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from apps.sync.connectors.base import (
    AccessRefused,
    Connector,
    ConnectorError,
    Note,
    RateLimited,
    SignInFailed,
    Unreachable,
    VendorFault,
)
from apps.sync.engine.snapshot import ExternalRef, Visibility

from .conformance_case import (
    CORRELATION,
    NEVER_USED,
    ConformanceCase,
    create,
    draft,
    scenario,
    true_ticket,
    upload,
)
from .system_under_test import SystemUnderTest

MARKS = {
    "create": "siam-0c0000000001",
    "update": "siam-0d0000000002",
    "comment": "siam-0e0000000003",
    "attachment": "siam-0f0000000004",
}

Write = Callable[[], Awaitable[Any]]


def writes(system: SystemUnderTest, connector: Connector, ref: ExternalRef, folder: Path) -> Mapping[str, Write]:
    """One write of each kind."""
    words = system.vocabulary
    file = upload(folder, "log.txt", b"ours")
    return {
        "create": lambda: connector.create(draft(system), MARKS["create"]),
        "update": lambda: connector.update(
            ref, {words.choice: words.choice_values[1]}, expected=None, correlation=MARKS["update"]
        ),
        "comment": lambda: connector.add_comment(ref, Note("Ours", Visibility.PUBLIC), MARKS["comment"]),
        "attachment": lambda: connector.add_attachment(ref, file, MARKS["attachment"]),
    }


async def effects(system: SystemUnderTest, ref: ExternalRef) -> Mapping[str, int]:
    """How many of each kind really are in the system beyond the prepared ticket."""
    words = system.vocabulary
    ticket = await true_ticket(system, ref)
    state = await system.true_state()
    return {
        "create": len([other for other in state["tickets"] if not other.get("deleted")]) - 1,
        "update": len([line for line in ticket["log"] if line["field"] == words.choice]),
        "comment": len(ticket["comments"]),
        "attachment": len(ticket["attachments"]),
    }


class FailureConformance(ConformanceCase):
    async def _prepared(self, system: SystemUnderTest, connector: Connector) -> ExternalRef:
        words = system.vocabulary
        ref = await create(system, connector, {words.choice: words.choice_values[0]}, NEVER_USED)
        await connector.fetch(ref)
        await connector.schema()
        return ref

    async def _failing(self, system: SystemUnderTest, connector: Connector, kind: str, **fault: Any) -> None:
        """Each write meets the fault: what it must raise, whether it is in doubt, and how often it was carried out."""
        expected, is_unknown, carried_out = fault.pop("expected"), fault.pop("is_unknown"), fault.pop("carried_out")
        ref = await self._prepared(system, connector)
        base = await effects(system, ref)
        with tempfile.TemporaryDirectory() as folder:
            for verb, write in writes(system, connector, ref, Path(folder)).items():
                await system.set_fault(kind, on=verb, **fault)
                with pytest.raises(expected) as failure:
                    await write()
                await system.clear_faults()
                assert failure.value.is_unknown is is_unknown, verb
                assert (await effects(system, ref))[verb] - base[verb] == carried_out, verb

    @scenario
    async def test_a_cut_connection_leaves_a_write_in_doubt(self, system: SystemUnderTest, connector: Connector):
        await self._failing(system, connector, "down", expected=Unreachable, is_unknown=True, carried_out=0)

    @scenario
    async def test_a_lost_answer_leaves_a_write_in_doubt(self, system: SystemUnderTest, connector: Connector):
        await self._failing(system, connector, "lost_response", expected=Unreachable, is_unknown=True, carried_out=1)

    @scenario
    async def test_a_fault_500_leaves_a_write_in_doubt(self, system: SystemUnderTest, connector: Connector):
        await self._failing(
            system, connector, "status", status=500, expected=VendorFault, is_unknown=True, carried_out=0
        )

    @scenario
    async def test_a_proxys_page_leaves_a_write_in_doubt(self, system: SystemUnderTest, connector: Connector):
        await self._failing(system, connector, "html", expected=VendorFault, is_unknown=True, carried_out=0)

    @scenario
    async def test_a_service_away_for_a_while_has_not_written(self, system: SystemUnderTest, connector: Connector):
        await self._failing(
            system,
            connector,
            "status",
            status=503,
            expected=(VendorFault, RateLimited, Unreachable),
            is_unknown=False,
            carried_out=0,
        )

    @scenario
    async def test_a_limit_of_calls_is_told_and_nothing_is_written(self, system: SystemUnderTest, connector: Connector):
        await self._failing(
            system,
            connector,
            "status",
            status=429,
            retry_after=7,
            expected=RateLimited,
            is_unknown=False,
            carried_out=0,
        )

    @scenario
    async def test_a_lost_creation_is_found_and_is_one(self, system: SystemUnderTest, connector: Connector):
        ref = await self._prepared(system, connector)
        await system.set_fault("lost_response", on="create")
        with pytest.raises(ConnectorError) as failure:
            await connector.create(draft(system), CORRELATION)
        await system.clear_faults()
        assert failure.value.is_unknown
        found = await system.look_until(lambda: connector.find(CORRELATION))
        assert found is not None
        assert found.ref.id != ref.id
        assert (await connector.fetch(found.ref)).correlation == CORRELATION
        assert (await effects(system, ref))["create"] == 1

    @scenario
    async def test_a_lost_comment_is_found_and_is_one(self, system: SystemUnderTest, connector: Connector):
        ref = await self._prepared(system, connector)
        await system.set_fault("lost_response", on="comment")
        with pytest.raises(ConnectorError):
            await connector.add_comment(ref, Note("Ours", Visibility.PUBLIC), CORRELATION)
        await system.clear_faults()
        found = await system.look_until(lambda: connector.find(CORRELATION, ref))
        (comment,) = (await connector.fetch(ref)).comments
        assert found is not None
        assert (found.id, CORRELATION) == (comment.id, comment.correlation)

    @scenario
    async def test_a_lost_file_is_found_and_is_one(self, system: SystemUnderTest, connector: Connector):
        ref = await self._prepared(system, connector)
        await system.set_fault("lost_response", on="attachment")
        with tempfile.TemporaryDirectory() as folder, pytest.raises(ConnectorError):
            await connector.add_attachment(ref, upload(Path(folder), "log.txt", b"ours"), CORRELATION)
        await system.clear_faults()
        found = await system.look_until(lambda: connector.find(CORRELATION, ref))
        (file,) = (await connector.fetch(ref)).attachments
        assert found is not None
        assert found.id == file.id
        assert b"".join([chunk async for chunk in connector.read_attachment(ref, file)]) == b"ours"

    @scenario
    async def test_a_lost_update_shows_when_looked_at(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        ref = await self._prepared(system, connector)
        await system.set_fault("lost_response", on="update")
        with pytest.raises(ConnectorError) as failure:
            await connector.update(ref, {words.choice: words.choice_values[1]}, expected=None, correlation=CORRELATION)
        await system.clear_faults()
        assert failure.value.is_unknown
        assert (await connector.fetch(ref)).fields[words.choice] == words.choice_values[1]
        found = await connector.find(CORRELATION, ref)
        assert found is None or found.ref.id == ref.id

    @scenario
    async def test_what_never_arrived_is_not_found_and_can_be_repeated(
        self, system: SystemUnderTest, connector: Connector
    ):
        ref = await self._prepared(system, connector)
        with tempfile.TemporaryDirectory() as folder:
            for verb, write in writes(system, connector, ref, Path(folder)).items():
                base = (await effects(system, ref))[verb]
                await system.set_fault("down", on=verb)
                with pytest.raises(Unreachable):
                    await write()
                await system.clear_faults()
                assert await connector.find(MARKS[verb], None if verb == "create" else ref) is None, verb
                await write()
                assert (await effects(system, ref))[verb] == base + 1, verb

    @scenario
    async def test_a_read_is_never_in_doubt(self, system: SystemUnderTest, connector: Connector):
        ref = await self._prepared(system, connector)
        await system.set_fault("down")
        with pytest.raises(Unreachable) as failure:
            await connector.fetch(ref)
        assert not failure.value.is_unknown
        with pytest.raises(Unreachable):
            await connector.changed_since(await self._cursor(system, connector))

    async def _cursor(self, system: SystemUnderTest, connector: Connector) -> str:
        await system.clear_faults()
        cursor = (await connector.changed_since(None)).cursor
        await system.set_fault("down")
        return cursor

    @scenario
    async def test_a_system_that_is_not_there_got_nothing(self, system: SystemUnderTest, connector: Connector):
        ref = await self._prepared(system, connector)
        await system.stop()
        async with system.connector() as late:
            for call in (late.fetch(ref), late.create(draft(system), CORRELATION), late.check()):
                with pytest.raises(Unreachable) as failure:
                    await call
                assert not failure.value.is_unknown

    @scenario
    async def test_the_time_to_wait_is_the_one_that_was_asked_for(self, system: SystemUnderTest, connector: Connector):
        ref = await self._prepared(system, connector)
        await system.set_fault("status", status=429, retry_after=7)
        with pytest.raises(RateLimited) as failure:
            await connector.fetch(ref)
        assert 6 <= failure.value.retry_after <= 8

    @scenario
    async def test_a_refused_read_says_so(self, system: SystemUnderTest, connector: Connector):
        ref = await self._prepared(system, connector)
        await system.set_fault("status", status=403)
        with pytest.raises(AccessRefused):
            await connector.fetch(ref)

    @scenario
    async def test_faults_of_the_system_are_told_from_refusals(self, system: SystemUnderTest, connector: Connector):
        ref = await self._prepared(system, connector)
        for status in (500, 503):
            await system.set_fault("status", status=status)
            with pytest.raises((VendorFault, RateLimited, Unreachable)):
                await connector.fetch(ref)
            await system.clear_faults()
        await system.set_fault("html")
        with pytest.raises(VendorFault):
            await connector.fetch(ref)

    @scenario
    async def test_a_sign_in_that_stays_refused_is_told(self, system: SystemUnderTest, connector: Connector):
        ref = await self._prepared(system, connector)
        await system.set_fault("expired_token")
        with pytest.raises(SignInFailed):
            await connector.fetch(ref)
        with pytest.raises(SignInFailed):
            await connector.create(draft(system), CORRELATION)
        await system.clear_faults()
        assert (await connector.fetch(ref)).ref.id == ref.id
        assert (await effects(system, ref))["create"] == 0

    @scenario
    async def test_a_sign_in_refused_once_does_not_double_a_write(self, system: SystemUnderTest, connector: Connector):
        ref = await self._prepared(system, connector)
        base = (await effects(system, ref))["comment"]
        await system.set_fault("expired_token", on="comment", times=1)
        try:
            await connector.add_comment(ref, Note("Ours", Visibility.PUBLIC), CORRELATION)
            written = 1
        except SignInFailed:
            written = 0
        assert (await effects(system, ref))["comment"] == base + written
