"""Conformance: a write that fails without being in doubt has left nothing behind (INV-13, INV-14, INV-17).

Each request that a verb makes fails in each way. The engine repeats what is not in doubt and looks for what is: both
must end in the one effect that was asked for.
"""

import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.sync.connectors.base import Connector, ConnectorError, Note, Upload
from apps.sync.engine.snapshot import ExternalRef, Fields, Visibility, reads_same

from .conformance_case import NEVER_USED, ConformanceCase, create, draft, scenario, upload
from .system_under_test import SystemUnderTest

FAULTS: Mapping[str, Mapping[str, Any]] = {
    "429": {"kind": "status", "status": 429, "retry_after": 1},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "401": {"kind": "expired_token"},
    "403": {"kind": "status", "status": 403},
    "404": {"kind": "status", "status": 404},
    "cut": {"kind": "down"},
    "lost": {"kind": "lost_response"},
    "page": {"kind": "html"},
    "429 for good": {"kind": "status", "status": 429, "retry_after": 1, "times": None},
}


@dataclass(frozen=True)
class Wanted:
    """A write, its mark, and the fields that it shall leave (none where it adds a part)."""

    write: Callable[[Connector, ExternalRef, str], Awaitable[Any]]
    fields: Fields | None = None
    is_creation: bool = False


def _creation(system: SystemUnderTest) -> Wanted:
    return Wanted(lambda connector, _ref, mark: connector.create(draft(system), mark), is_creation=True)


def _update(fields: Fields) -> Wanted:
    async def write(connector: Connector, ref: ExternalRef, mark: str) -> Any:
        return await connector.update(ref, fields, expected=None, correlation=mark)

    return Wanted(write, fields)


def _resolving(system: SystemUnderTest) -> Wanted:
    words = system.vocabulary
    return _update({words.status: words.resolved, words.choice: words.choice_values[1], **words.resolving})


def _comment() -> Wanted:
    return Wanted(lambda connector, ref, mark: connector.add_comment(ref, Note("Ours", Visibility.PUBLIC), mark))


def _attachment(file: Upload) -> Wanted:
    return Wanted(lambda connector, ref, mark: connector.add_attachment(ref, file, mark))


async def _tickets(system: SystemUnderTest) -> list[Any]:
    return list((await system.true_state())["tickets"])


def _effects(before: list[Any], after: list[Any]) -> Counter[str]:
    """What was added to the system: how many tickets, comments, files and changes of each field."""

    def lines(tickets: list[Any]) -> Counter[str]:
        found = Counter(line["field"] for ticket in tickets for line in ticket["log"])
        return found | Counter(tickets=len(tickets))

    return lines(after) - lines(before)


class DoubtCase(ConformanceCase):
    """How a write is made to fail and how the engine then goes on."""

    async def obey(self, system: SystemUnderTest, wanted: Wanted) -> Counter[str]:
        """The law, at every request of one write and in every way of failing; what the write leaves undisturbed."""
        ref = await self._existing(system, 0)
        before, asked = await _tickets(system), await system.count_requests()
        await self._write(system, wanted, ref, _mark(0))
        requests = await system.count_requests() - asked
        effects = _effects(before, await _tickets(system))
        assert effects
        broken, number = [], 0
        for place in range(requests):
            for name, fault in FAULTS.items():
                number += 1
                ref = await self._existing(system, number)
                said = await self._fail(system, wanted, ref, number, effects, {"times": 1, "skip": place, **fault})
                if said:
                    broken.append(f"request {place + 1} of {requests}, {name}: {said}")
        assert not broken, "\n".join(broken)
        return effects

    async def _existing(self, system: SystemUnderTest, number: int) -> ExternalRef:
        words = system.vocabulary
        async with system.connector() as connector:
            return await create(system, connector, {words.choice: words.choice_values[0]}, f"{NEVER_USED}-{number}")

    async def _write(self, system: SystemUnderTest, wanted: Wanted, ref: ExternalRef, mark: str) -> None:
        """By a connector that has read nothing yet, as at the beginning of a round."""
        async with system.connector() as connector:
            await wanted.write(connector, ref, mark)

    async def _fail(
        self,
        system: SystemUnderTest,
        wanted: Wanted,
        ref: ExternalRef,
        number: int,
        effects: Counter[str],
        fault: Mapping[str, Any],
    ) -> str:
        """One trial: how it broke the law, or nothing."""
        before, failure = await _tickets(system), None
        await system.set_fault(**fault)
        try:
            await self._write(system, wanted, ref, _mark(number))
        except ConnectorError as problem:
            failure = problem
        await system.clear_faults()
        after = await _tickets(system)
        if failure is not None and not failure.is_unknown and after != before:
            return f"{type(failure).__name__} without doubt, though it wrote {dict(_effects(before, after))}"
        if failure is not None:
            await self._recover(system, wanted, ref, _mark(number), failure)
        left = _effects(before, await _tickets(system))
        return "" if left == effects else f"left {dict(left)} instead of {dict(effects)}"

    async def _recover(
        self, system: SystemUnderTest, wanted: Wanted, ref: ExternalRef, mark: str, failure: ConnectorError
    ) -> None:
        """What is in doubt is looked for, what is not there is written again; both as the engine does it."""
        async with system.connector() as connector:
            if failure.is_unknown and await self._is_there(system, connector, wanted, ref, mark):
                return
        await self._write(system, wanted, ref, mark)

    async def _is_there(
        self, system: SystemUnderTest, connector: Connector, wanted: Wanted, ref: ExternalRef, mark: str
    ) -> bool:
        if wanted.fields is not None:
            # The first step of several bears the mark, too: what counts is whether all of it is there.
            present = (await connector.fetch(ref)).fields
            return all(reads_same(present.get(name), value) for name, value in wanted.fields.items())
        place = None if wanted.is_creation else ref
        if await connector.find(mark, place) is None:
            await system.settle()
        return await connector.find(mark, place) is not None


class DoubtConformance(DoubtCase):
    @scenario
    async def test_a_creation_in_doubt_says_so(self, system: SystemUnderTest, connector: Connector):
        await self.obey(system, _creation(system))

    @scenario
    async def test_an_update_in_doubt_says_so(self, system: SystemUnderTest, connector: Connector):
        words = system.vocabulary
        await self.obey(system, _update({words.choice: words.choice_values[1]}))

    @scenario
    async def test_a_comment_in_doubt_says_so(self, system: SystemUnderTest, connector: Connector):
        await self.obey(system, _comment())

    @scenario
    async def test_a_file_in_doubt_says_so(self, system: SystemUnderTest, connector: Connector):
        with tempfile.TemporaryDirectory() as folder:
            await self.obey(system, _attachment(upload(Path(folder), "log.txt", b"ours")))


class LongWayConformance(DoubtCase):
    """For a system whose status ``resolved`` is more than one step away."""

    @scenario
    async def test_an_update_in_many_steps_in_doubt_says_so(self, system: SystemUnderTest, connector: Connector):
        effects = await self.obey(system, _resolving(system))
        assert effects[system.vocabulary.status] > 1

    @scenario
    async def test_what_half_an_update_wrote_is_known_as_ours(self, system: SystemUnderTest, connector: Connector):
        wanted, halves = _resolving(system), 0
        for place in range(40):
            ref, mark = await self._existing(system, place), _mark(place)
            last = (await connector.changes(ref, None))[-1:]
            await system.set_fault("status", status=429, retry_after=1, skip=place)
            try:
                await self._write(system, wanted, ref, mark)
                break
            except ConnectorError as problem:
                failure = problem
            finally:
                await system.clear_faults()
            log = await connector.changes(ref, last[0].id if last else None)
            strange = [change for change in log if change.correlation != mark and change.id not in failure.change_ids]
            assert not strange, place
            halves += bool(log)
        assert halves


def _mark(number: int) -> str:
    return f"siam-{number:012x}"
