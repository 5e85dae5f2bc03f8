"""Calls to systems: one event loop a process, on which connectors stay open from round to round.

A connector keeps its connections alive, its token and what it learnt of the system (columns, versions, whether the
change log is readable); opening one anew for every round would cost more calls than the work itself.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

from ..connectors.base import Connector, RateLimited
from ..connectors.http import ExchangeRecord
from ..models import Connection
from .carrying import AT_WORK
from .gates import FOR_POLLS, gate_for
from .making import connector_for
from .patience import OTHERS_TURN

T = TypeVar("T")


class Call(NamedTuple):
    """One call made, and for which lane and which write; a call for the connection as a whole has neither."""

    record: ExchangeRecord
    link_id: str | None
    intent_id: int | None


_calls: ContextVar[list[Call] | None] = ContextVar("calls", default=None)


class _Caller:
    """The loop and the open connectors of this process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._open: dict[str, tuple[str, Connector]] = {}
        self._opening: dict[tuple[str, str], asyncio.Task[Connector]] = {}
        threading.Thread(target=self._loop.run_forever, name="connector calls", daemon=True).start()

    def begin(self, connection: Connection, act: Callable[[Connector], Awaitable[T]], calls: list[Call]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(self._run(connection, act, calls), self._loop)

    async def _run(self, connection: Connection, act: Callable[[Connector], Awaitable[T]], calls: list[Call]) -> T:
        _calls.set(calls)
        try:
            return await act(await self._connector(connection))
        except RateLimited as problem:
            gate_for(connection).heard(problem)
            raise

    async def _connector(self, connection: Connection) -> Connector:
        key, print_ = str(connection.pk), _fingerprint(connection)
        known = self._open.get(key)
        if known is not None and known[0] == print_:
            return known[1]
        # Whoever comes while one is being opened gets the same connector, or the same refusal: a system that hangs
        # is waited for once, not by each in turn.
        opening = self._opening.get((key, print_))
        if opening is None:
            opening = self._opening[key, print_] = asyncio.create_task(self._open_anew(connection, key, print_))
            opening.add_done_callback(lambda _done: self._opening.pop((key, print_)))
        return await asyncio.shield(opening)

    async def _open_anew(self, connection: Connection, key: str, print_: str) -> Connector:
        known = self._open.pop(key, None)
        if known is not None:
            await known[1].__aexit__(None, None, None)
        gate = gate_for(connection)
        gate.forget()
        connector = await connector_for(connection, _record, gate).__aenter__()
        try:
            # The check finds out what this instance lets us do (a readable change log, the version to speak).
            await connector.check()
        except BaseException:
            await connector.__aexit__(None, None, None)
            raise
        self._open[key] = (print_, connector)
        return connector


def _record(record: ExchangeRecord) -> None:
    calls = _calls.get()
    if calls is not None:
        work = AT_WORK.get()
        calls.append(Call(record, getattr(work, "link_id", None), getattr(work, "intent_id", None)))


def _fingerprint(connection: Connection) -> str:
    """Changes when the connection is configured anew; tokens that the connector itself renews do not count."""
    lasting = {name: value for name, value in connection.secrets.items() if name not in RENEWED}
    return repr(
        (connection.connector, connection.base_url, sorted(connection.settings.items()), sorted(lasting.items()))
    )


LOOKS_EVERY = 1.0
RENEWED = ("access_token", "refresh_token", "notice_secret", "former_notice_secret")
_lock = threading.Lock()
_caller: _Caller | None = None


def begin(
    connection: Connection,
    act: Callable[[Connector], Awaitable[T]],
    calls: list[Call],
    *,
    want: int = FOR_POLLS,
    leave: int = 0,
) -> "Future[T]":
    """Set out to run ``act`` with the open connector of ``connection``; ``calls`` gets every call made. ``want`` calls
    are taken from the connection's allowance beforehand, so that ``leave`` stay for others."""
    global _caller  # noqa: PLW0603  one loop a process, made when first needed: after a worker's fork, never before
    with _lock:
        if _caller is None:
            _caller = _Caller()
    gate_for(connection).stock(connection, want=want, leave=leave)
    return _caller.begin(connection, act, calls)


def until_answered(
    connection: Connection, answer: "Future[T]", meanwhile: Callable[[], object]
) -> "Generator[Future[Any], None, T]":
    """Wait for ``answer``; look after the connection's gate once a second, and call ``meanwhile`` more often, at once
    again while it says that there is more to do. Raises ConnectorError."""
    gate, looked = gate_for(connection), time.monotonic()
    while not answer.done():
        yield answer
        if answer.done():
            break
        while meanwhile():
            yield OTHERS_TURN
        if time.monotonic() - looked >= LOOKS_EVERY:
            looked = time.monotonic()
            gate.attend(connection)
    gate.leave(connection)
    return answer.result()
