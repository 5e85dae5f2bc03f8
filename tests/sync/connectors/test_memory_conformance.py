"""The reference connector keeps the contract, with and without the things that some systems have not."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.sync.connectors.base import Capabilities, Connector, NoticeRequest
from apps.sync.connectors.memory import Fault, MemoryConnector, MemorySystem, make_notice
from apps.sync.engine.snapshot import ExternalRef, Fields, Visibility

from .conformance import ConnectorConformance, SystemUnderTest, Vocabulary


class MemoryUnderTest(SystemUnderTest):
    vocabulary = Vocabulary(
        type="incident",
        title="title",
        description="description",
        choice="priority",
        choice_values=("low", "high"),
        unknown_choice="apocalyptic",
        status="status",
        initial="new",
        middle="in progress",
        resolved="resolved",
        resolving={"resolution": "fixed"},
        required_to_resolve="resolution",
        unreachable="archived",
        too_long=("title", "x" * 81),
        custom_text="reference",
        wrong_secrets={"token": "guessed"},
        wrong_settings={"project": "NOPE"},
    )

    def __init__(self, narrowed: Mapping[str, Any], *, seconds_per_look: float, page_size: int) -> None:
        self._narrowed = narrowed
        self._clock, self._ahead = _clock(seconds_per_look), timedelta()
        self._page_size = page_size

    async def start(self) -> None:
        self.system = MemorySystem(
            lambda: next(self._clock) + self._ahead, closes_for_good=not self._narrowed.get("can_reopen_closed")
        )

    async def stop(self) -> None:
        self.system.faults.add(Fault("refused"))

    def connector(
        self, *, secrets: Mapping[str, str] | None = None, settings: Mapping[str, Any] | None = None
    ) -> Connector:
        made = MemoryConnector(self.system, secrets=secrets, **{"page_size": self._page_size, **(settings or {})})
        made.capabilities = replace(made.capabilities, **self._narrowed)
        return made

    async def person_creates(self, fields: Fields) -> ExternalRef:
        return self.system.create("incident", fields, by="Elaine").ref

    async def person_edits(self, ref: ExternalRef, fields: Fields) -> None:
        self.system.edit(ref, fields, by="Elaine")

    async def person_comments(self, ref: ExternalRef, text: str, visibility: Visibility) -> None:
        self.system.comment(ref, text, visibility, by="Elaine")

    async def person_attaches(self, ref: ExternalRef, name: str, content: bytes) -> None:
        self.system.attach(ref, name, content, by="Elaine")

    async def person_deletes(self, ref: ExternalRef) -> None:
        self.system.delete(ref)

    def bring_forward(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)

    async def close_for_good(self, ref: ExternalRef) -> None:
        self.system.edit(ref, {"status": "closed", "resolution": "fixed"}, by="Elaine")

    async def set_fault(
        self,
        kind: str,
        *,
        on: str | None = None,
        times: int | None = None,
        status: int = 500,
        retry_after: float | None = None,
        skip: int = 0,
    ) -> None:
        self.system.faults.add(Fault(kind, on or "", times, status, retry_after, skip))

    async def clear_faults(self) -> None:
        self.system.faults.clear()

    async def count_requests(self) -> int:
        return self.system.faults.calls

    async def true_state(self) -> Mapping[str, Any]:
        return self.system.true_state()

    def notice(self, ref: ExternalRef, secret: str, at: datetime, body: bytes | None = None) -> NoticeRequest:
        return make_notice(ref, secret, at, body=body)


def _clock(step: float) -> Iterator[datetime]:
    at = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    while True:
        yield at
        at += timedelta(seconds=step)


class TestMemoryConformance(ConnectorConformance):
    """Time passes."""

    def make_system(self) -> SystemUnderTest:
        return MemoryUnderTest({}, seconds_per_look=1.5, page_size=50)


class TestFrozenMemoryConformance(ConnectorConformance):
    """Everything happens in one moment, and pages are small."""

    def make_system(self) -> SystemUnderTest:
        return MemoryUnderTest({}, seconds_per_look=0, page_size=2)


class TestPlainMemoryConformance(ConnectorConformance):
    """A system without a change log, without internal comments, without an end."""

    def make_system(self) -> SystemUnderTest:
        narrowed = {
            "has_change_log": False,
            "has_internal_comments": False,
            "can_attribute_author": False,
            "can_reopen_closed": True,
        }
        return MemoryUnderTest(narrowed, seconds_per_look=1.5, page_size=50)


def test_the_reference_connector_declares_what_the_suite_skips_by() -> None:
    """The narrowed systems above would test nothing were these names not capabilities."""
    assert {"has_change_log", "has_internal_comments"} <= set(Capabilities.__slots__)
