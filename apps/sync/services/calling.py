"""Calls to systems: one event loop a process, on which connectors stay open from round to round.

A connector keeps its connections alive, its token and what it learnt of the system (columns, versions, whether the
change log is readable); opening one anew for every round would cost more calls than the work itself.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import wait
from contextvars import ContextVar
from typing import NamedTuple, TypeVar

from ..connectors.base import Connector, RateLimited
from ..connectors.http import ExchangeRecord
from ..models import Connection
from .carrying import AT_WORK
from .gates import FOR_POLLS, gate_for
from .making import connector_for

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
        self._opening: dict[str, asyncio.Lock] = {}
        threading.Thread(target=self._loop.run_forever, name="connector calls", daemon=True).start()

    def run(
        self,
        connection: Connection,
        act: Callable[[Connector], Awaitable[T]],
        calls: list[Call],
        meanwhile: Callable[[], object],
    ) -> T:
        gate = gate_for(connection)
        future = asyncio.run_coroutine_threadsafe(self._run(connection, act, calls), self._loop)
        while not wait([future], timeout=MEANWHILE_SECONDS).done:
            gate.attend(connection)
            meanwhile()
        gate.leave(connection)
        return future.result()

    async def _run(self, connection: Connection, act: Callable[[Connector], Awaitable[T]], calls: list[Call]) -> T:
        _calls.set(calls)
        try:
            return await act(await self._connector(connection))
        except RateLimited as problem:
            gate_for(connection).heard(problem)
            raise

    async def _connector(self, connection: Connection) -> Connector:
        key, print_ = str(connection.pk), _fingerprint(connection)
        async with self._opening.setdefault(key, asyncio.Lock()):
            known = self._open.get(key)
            if known is not None and known[0] == print_:
                return known[1]
            if known is not None:
                del self._open[key]
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


MEANWHILE_SECONDS = 1.0
RENEWED = ("access_token", "refresh_token", "notice_secret", "former_notice_secret")
_lock = threading.Lock()
_caller: _Caller | None = None


def call(
    connection: Connection,
    act: Callable[[Connector], Awaitable[T]],
    calls: list[Call] | None = None,
    *,
    meanwhile: Callable[[], object] = lambda: None,
    want: int = FOR_POLLS,
    leave: int = 0,
) -> T:
    """Run ``act`` with the open connector of ``connection``; ``calls`` gets every call made, and ``meanwhile`` is
    called about once a second in the calling thread. ``want`` calls are taken from the connection's allowance
    beforehand, so that ``leave`` stay for others. Raises ConnectorError."""
    global _caller  # noqa: PLW0603  one loop a process, made when first needed: after a worker's fork, never before
    with _lock:
        if _caller is None:
            _caller = _Caller()
    gate_for(connection).stock(connection, want=want, leave=leave)
    return _caller.run(connection, act, calls if calls is not None else [], meanwhile)
