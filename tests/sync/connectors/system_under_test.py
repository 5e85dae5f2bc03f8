"""What the conformance suite needs from a system: a person's acts in it, its faults, its words and its true state."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from aiohttp import web

from apps.sandbox.server import Sandbox
from apps.sandbox.server import start as start_sandbox
from apps.sync.connectors.base import Connector, NoticeRequest
from apps.sync.engine.snapshot import ExternalRef, Fields, Value, Visibility


@dataclass(frozen=True)
class Vocabulary:
    """The system's own words for what every ticket system has. Values are spelled as the connector reads them."""

    type: str
    title: str
    """The required one-line text field."""
    description: str
    """The long text field."""
    choice: str
    choice_values: tuple[Value, Value]
    """Two values that a person may set at any time and that the system itself does not change."""
    unknown_choice: Value
    status: str
    initial: Value
    middle: Value
    resolved: Value
    """Reached from ``initial`` in one call to ``update``, in however many steps."""
    too_long: tuple[str, str]
    """A field and a text longer than it takes."""
    wrong_secrets: Mapping[str, str]
    keeps_markup: bool = True
    """False where ``description`` is plain text: a round trip then comes to rest without marks."""
    comments_keep_markup: bool = True
    keeps_code_language: bool = True
    """False where the system's sanitizer drops the language of a code block."""
    description_is_writable: bool = True
    """False where the description is set once, by the creation."""
    custom_text: str | None = None
    new: Fields = field(default_factory=dict)
    """Further fields that a new ticket needs."""
    resolving: Fields = field(default_factory=dict)
    """Fields that resolving needs."""
    required_to_resolve: str | None = None
    """The one of ``resolving`` that is named when it is missing; None when resolving needs nothing."""
    unreachable: Value = None
    """A status to which no way leads from ``initial``; None when there is none."""
    wrong_settings: Mapping[str, Any] | None = None
    """Settings of a project or table that does not exist; None where there is no such thing."""
    keeps_empty_files: bool = True
    keeps_file_names: bool = True
    """Whether names beyond ASCII come back as they were."""
    tells_deletions: bool = True
    """Whether ``changed_since`` tells of deleted tickets."""
    tells_versions: bool = True
    """Whether ``changed_since`` tells the version that ``fetch`` tells; False costs a read of every changed ticket."""


@dataclass(frozen=True)
class Call:
    """How a write goes over the wire, so that a fault can be aimed at it."""

    method: str
    path: str
    """A regular expression searched in the path."""


class SystemUnderTest(ABC):
    """One system with one project, table or account in it, and a person who is not the connector's account.

    The suite makes a fresh one for each test and calls ``start`` and ``stop`` around it, in one event loop.
    """

    vocabulary: ClassVar[Vocabulary]

    @abstractmethod
    async def start(self) -> None: ...

    @abstractmethod
    async def stop(self) -> None: ...

    @abstractmethod
    def connector(
        self, *, secrets: Mapping[str, str] | None = None, settings: Mapping[str, Any] | None = None
    ) -> Connector:
        """A new connector, not yet entered; ``secrets`` and ``settings`` replace members of the good ones."""

    @abstractmethod
    async def person_creates(self, fields: Fields) -> ExternalRef:
        """A person creates a ticket in scope; what ``vocabulary.new`` holds is added by the system under test."""

    @abstractmethod
    async def person_edits(self, ref: ExternalRef, fields: Fields) -> None: ...

    @abstractmethod
    async def person_comments(self, ref: ExternalRef, text: str, visibility: Visibility) -> None: ...

    @abstractmethod
    async def person_attaches(self, ref: ExternalRef, name: str, content: bytes) -> None: ...

    @abstractmethod
    async def person_deletes(self, ref: ExternalRef) -> None: ...

    @abstractmethod
    def bring_forward(self, seconds: float) -> None:
        """Let the system's clock jump; back where ``seconds`` are negative."""

    async def person_creates_late(self, fields: Fields, seconds: float) -> ExternalRef:
        """A ticket that nobody could find before, though it bears the time of so many seconds ago: it was committed, or
        indexed, only now."""
        self.bring_forward(-seconds)
        made = await self.person_creates(fields)
        self.bring_forward(seconds)
        return made

    async def close_for_good(self, ref: ExternalRef) -> None:
        """Bring the ticket where no write is accepted any more. Needed where ``can_reopen_closed`` is False."""
        raise NotImplementedError

    @abstractmethod
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
        """Switch on a fault of ``docs/sandboxes.md``; ``on`` is *create*, *update*, *comment*, *attachment* or all."""

    @abstractmethod
    async def clear_faults(self) -> None: ...

    @abstractmethod
    async def count_requests(self) -> int:
        """How many requests the system has met so far."""

    @abstractmethod
    async def true_state(self) -> Mapping[str, Any]:
        """What really is in the system, as ``docs/sandboxes.md`` says."""

    @abstractmethod
    def notice(self, ref: ExternalRef, secret: str, at: datetime, body: bytes | None = None) -> NoticeRequest:
        """A webhook about ``ref`` as the system sends it, proven with ``secret``; ``secrets`` holds just that one.

        ``body`` replaces the body, and the proof is good for it: what a broken system would send.
        """

    notice_is_signed: ClassVar[bool] = True
    """Whether the proof covers the body (a header secret does not)."""
    notice_expires: ClassVar[bool] = True
    """Whether the proof covers the time of sending."""

    async def settle(self) -> None:
        """Wait until what was written can be found, where a search index lags."""
        await asyncio.sleep(0)

    async def look_until(self, found: Callable[[], Awaitable[Any]]) -> Any:
        """Ask ``found`` again until it answers or the system's index must have caught up."""
        for _ in range(20):
            if (answer := await found()) is not None:
                return answer
            await self.settle()
            await asyncio.sleep(0.01)
        return None


class SandboxUnderTest(SystemUnderTest):
    """A sandbox of ``apps/sandbox``, served on loopback. ``calls`` says which request is which write."""

    calls: ClassVar[Mapping[str, Call]]
    sandbox: Sandbox
    origin: str
    _runner: web.AppRunner
    _ahead: timedelta

    @abstractmethod
    def make_sandbox(self) -> Sandbox: ...

    async def start(self) -> None:
        self.sandbox = self.make_sandbox()
        self._ahead = timedelta()
        self.sandbox.clock = lambda: datetime.now(UTC) + self._ahead
        self._runner, port = await start_sandbox(self.sandbox, 0)
        self.origin = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def bring_forward(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)

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
        call = self.calls[on] if on else Call("", "")
        self.sandbox.faults.add(
            kind=kind,
            times=times,
            skip=skip,
            method=call.method,
            path=call.path,
            status=status,
            retry_after=retry_after,
        )

    async def clear_faults(self) -> None:
        self.sandbox.faults.clear()

    async def count_requests(self) -> int:
        return self.sandbox.exchanges[-1].number if self.sandbox.exchanges else 0

    async def true_state(self) -> Mapping[str, Any]:
        return self.sandbox.true_state()
