"""How a conformance test runs: a fresh system, a connector to it, one event loop."""

import asyncio
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from apps.sync.connectors.base import Connector, Draft, Upload
from apps.sync.connectors.richtext import to_plain
from apps.sync.engine.snapshot import ExternalRef, Fields, RemoteChange, Value

from .system_under_test import SystemUnderTest

Scenario: TypeAlias = Callable[[Any, SystemUnderTest, Connector], Awaitable[None]]

CORRELATION = "siam-3f2a9c0d41b7"
OTHER_CORRELATION = "siam-77aa00c1d2e3"
NEVER_USED = "siam-ffffffffffff"


class ConformanceCase(ABC):
    """What the parts of the suite share."""

    @abstractmethod
    def make_system(self) -> SystemUnderTest:
        """A fresh system, not yet started."""

    def play(self, scenario: Scenario) -> None:
        async def run() -> None:
            system = self.make_system()
            await system.start()
            try:
                async with system.connector() as connector:
                    await scenario(self, system, connector)
            finally:
                await system.stop()

        asyncio.run(run())


def scenario(test: Scenario) -> Callable[[ConformanceCase], None]:
    """Makes a test of ``async def test(self, system, connector)``; asks for no fixtures."""

    def play(self: ConformanceCase) -> None:
        self.play(test)

    play.__name__ = test.__name__
    play.__doc__ = test.__doc__
    return play


def needs(condition: object, why: str) -> None:
    """Skip, saying why, what the system under test has not."""
    if not condition:
        pytest.skip(why)


def draft(system: SystemUnderTest, fields: Fields | None = None) -> Draft:
    words = system.vocabulary
    return Draft(words.type, {words.title: "Checkout page is slow", **words.new, **(fields or {})})


async def create(
    system: SystemUnderTest, connector: Connector, fields: Fields | None = None, correlation: str = CORRELATION
) -> ExternalRef:
    return (await connector.create(draft(system, fields), correlation)).ref


def upload(folder: Path, name: str, content: bytes, content_type: str = "application/octet-stream") -> Upload:
    path = folder / "upload.bin"
    path.write_bytes(content)
    return Upload(name, content_type, len(content), hashlib.sha256(content).hexdigest(), path)


async def poll(connector: Connector, cursor: str) -> tuple[dict[str, Any], str]:
    """All pages from ``cursor`` on: id → what changed, and the cursor after them."""
    seen: dict[str, Any] = {}
    for _ in range(200):
        page = await connector.changed_since(cursor)
        seen.update((changed.ref.id, changed) for changed in page.tickets)
        cursor = page.cursor
        if page.is_last:
            return seen, cursor
    raise AssertionError("200 pages and no end: the same page comes again and again")


async def poll_until(system: SystemUnderTest, connector: Connector, cursor: str, wanted: set[str]) -> dict[str, Any]:
    """Polls on until every wanted id was seen; what was seen last of each."""
    seen: dict[str, Any] = {}

    async def found() -> bool | None:
        nonlocal cursor
        more, cursor = await poll(connector, cursor)
        seen.update(more)
        return True if wanted <= seen.keys() else None

    await system.look_until(found)
    return seen


async def true_ticket(system: SystemUnderTest, ref: ExternalRef) -> Any:
    state = await system.true_state()
    return next(ticket for ticket in state["tickets"] if str(ticket["id"]) == ref.id)


def moves(changes: tuple[RemoteChange, ...], name: str) -> list[tuple[Value, Value]]:
    """How a field moved, in order."""
    return [change.fields[name] for change in changes if name in change.fields]


def visible(text: object) -> str:
    """The letters and digits of a text, whatever its markup."""
    return "".join(c for c in to_plain(str(text or "")) if c.isalnum())
