"""Outgoing webhooks of a sandbox: sent as the vendor sends them, retried as the vendor retries."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from .faults import NOTICE_FAULTS, FaultBoard

TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook call.

    ``headers`` is called with the attempt number (0 first), because vendors mark retries and sign the time of sending.
    ``pauses`` are the seconds to wait before each further attempt; ``retry_on`` says which status codes (None stands
    for a failed connection) are tried again.
    """

    url: str
    body: bytes
    headers: Callable[[int], Mapping[str, str]]
    pauses: Sequence[float] = ()
    retry_on: Callable[[int | None], bool] = lambda _status: False
    finished: Callable[[int | None], None] = lambda _status: None


class Deliveries:
    """The queue of webhooks that a sandbox still has to send; notice faults act here."""

    def __init__(self, faults: FaultBoard) -> None:
        self._faults = faults
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    @property
    def waiting(self) -> int:
        return len(self._tasks)

    def send(self, delivery: Delivery) -> None:
        """Queue ``delivery``; must be called from within the running event loop."""
        fault = self._faults.take(NOTICE_FAULTS, "POST", delivery.url)
        if fault is not None and fault.kind == "notice_lost":
            return
        delay = fault.seconds if fault is not None and fault.kind == "notice_delayed" else 0.0
        copies = 2 if fault is not None and fault.kind == "notice_duplicated" else 1
        for _ in range(copies):
            task = asyncio.get_running_loop().create_task(self._attempt(delivery, delay))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _attempt(self, delivery: Delivery, delay: float) -> None:
        await asyncio.sleep(delay)
        status: int | None = None
        for attempt, pause in enumerate([0.0, *delivery.pauses]):
            await asyncio.sleep(pause)
            status = await self._post(delivery, attempt)
            if (status is not None and status < 300) or not delivery.retry_on(status):
                break
        delivery.finished(status)

    async def _post(self, delivery: Delivery, attempt: int) -> int | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))
        try:
            async with self._session.post(
                delivery.url, data=delivery.body, headers=dict(delivery.headers(attempt)), allow_redirects=False
            ) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None
