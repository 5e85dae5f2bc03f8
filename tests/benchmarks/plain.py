"""The limit: the same calls by the same connectors, with no engine, no database and no memory of what was done."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from apps.sync.connectors.base import Connector, Draft
from apps.sync.engine.rules import SyncRules, into_hub, into_system
from apps.sync.engine.snapshot import ExternalRef, TicketSnapshot, Value
from apps.sync.models import Connection
from apps.sync.services import connector_for


@dataclass(frozen=True, slots=True)
class Lap:
    """What one way of moving tickets took. ``cpu`` and ``seconds`` for all of them together; ``calls`` by HTTP.

    ``cpu`` is that of the portal, or of the loop; a database server's own is apart.
    """

    tickets: int
    seconds: float
    cpu: float
    calls: int
    queries: int = 0
    database_cpu: float = 0.0


def translate(snapshot: TicketSnapshot, source: SyncRules, target: SyncRules) -> dict[str, Value]:
    """The fields of a ticket in the target's words."""
    hub = {
        rule.hub: into_hub(rule, snapshot.fields[rule.system])
        for rule in source.fields
        if rule.comes_out and rule.system in snapshot.fields
    }
    written: dict[str, Value] = dict(target.constants)
    for rule in target.fields:
        if rule.goes_in and rule.hub in hub and rule.hub != "status":
            written[rule.system] = into_system(rule, hub[rule.hub]).value
    return {name: value for name, value in written.items() if value not in (None, "")}


class PlainLoop:
    """Reads tickets from one system and writes them to another, ``at_once`` of them at a time."""

    def __init__(
        self, source: Connection, target: Connection, rules: tuple[SyncRules, SyncRules], at_once: int
    ) -> None:
        self._calls = 0
        self._connections = (source, target)
        self._rules = rules
        self._at_once = at_once
        self.made: dict[str, ExternalRef] = {}

    def _count(self, _record: Any) -> None:
        self._calls += 1

    def create(self, ids: Sequence[str]) -> Lap:
        """Each ticket read with its log, and created in the target."""

        async def one(source: Connector, target: Connector, key: str) -> None:
            snapshot = await source.fetch(ExternalRef(key))
            await source.changes(snapshot.ref, None)
            fields = translate(snapshot, *self._rules)
            kind = self._rules[1].type_of_kind[self._rules[0].kind_of_type[snapshot.type]]
            self.made[key] = (await target.create(Draft(kind, fields), f"plain-{key}"[:40])).ref

        return asyncio.run(self._run(ids, one))

    def update(self, ids: Sequence[str]) -> Lap:
        """Each ticket read with its log, and one field of it written in the target."""

        async def one(source: Connector, target: Connector, key: str) -> None:
            snapshot = await source.fetch(ExternalRef(key))
            await source.changes(snapshot.ref, None)
            rule = next(rule for rule in self._rules[1].fields if rule.hub == "title")
            fields = {rule.system: translate(snapshot, *self._rules)[rule.system]}
            await target.update(self.made[key], fields, expected=None, correlation=f"plain-{key}"[:40])

        return asyncio.run(self._run(ids, one))

    async def _run(self, ids: Sequence[str], one: Callable[[Connector, Connector, str], Awaitable[None]]) -> Lap:
        gate = asyncio.Semaphore(self._at_once)
        # A connector belongs to the event loop in which it is first used.
        opened = (connector_for(connection, self._count) for connection in self._connections)
        async with next(opened) as source, next(opened) as target:
            await source.check()
            await target.check()
            self._calls, started, cpu = 0, time.monotonic(), time.process_time()

            async def gated(key: str) -> None:
                async with gate:
                    await one(source, target, key)

            await asyncio.gather(*(gated(key) for key in ids))
            return Lap(len(ids), time.monotonic() - started, time.process_time() - cpu, self._calls)
