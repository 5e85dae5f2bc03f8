"""A running Zendesk sandbox with a clock that tests move, a client for it, and a receiver for its webhooks."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web

from apps.sandbox.server import start
from apps.sandbox.zendesk import seed
from apps.sandbox.zendesk.sandbox import ZendeskSandbox
from apps.sandbox.zendesk.settings import ZendeskSettings

MORNING = datetime(2026, 11, 20, 9, 15, 2, tzinfo=UTC)
PEOPLE = {
    "sync": (seed.SYNC_EMAIL, seed.SYNC_TOKEN),
    "agent": (seed.AGENT_EMAIL, seed.AGENT_TOKEN),
    "customer": (seed.CUSTOMER_EMAIL, seed.CUSTOMER_TOKEN),
}


def basic(email: str, token: str) -> str:
    return "Basic " + base64.b64encode(f"{email}/token:{token}".encode()).decode()


@dataclass
class Reply:
    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Desk:
    sandbox: ZendeskSandbox
    session: aiohttp.ClientSession
    moment: datetime = MORNING

    async def wait(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    async def send(
        self, method: str, path: str, body: Any = None, by: str | None = "sync", headers: dict[str, str] | None = None
    ) -> Reply:
        own = dict(headers or {})
        if by is not None:
            own.setdefault("Authorization", basic(*PEOPLE[by]))
        data = body
        if body is not None and not isinstance(body, bytes):
            data, own = json.dumps(body).encode(), {"Content-Type": "application/json", **own}
        url = path if path.startswith("http") else f"{self.sandbox.origin}{path}"
        async with self.session.request(method, url, data=data, headers=own, allow_redirects=False) as answer:
            raw = await answer.read()
            parsed = json.loads(raw) if answer.content_type == "application/json" and raw else raw
            return Reply(answer.status, parsed, {name.lower(): value for name, value in answer.headers.items()})

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.send("GET", path if path.startswith("http") else f"/api/v2/{path}", **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Reply:
        return await self.send("POST", f"/api/v2/{path}", body, **options)

    async def put(self, path: str, body: Any = None, **options: Any) -> Reply:
        return await self.send("PUT", f"/api/v2/{path}", body, **options)

    async def delete(self, path: str, body: Any = None, **options: Any) -> Reply:
        return await self.send("DELETE", f"/api/v2/{path}", body, **options)

    async def ticket(self, by: str = "sync", **members: Any) -> dict[str, Any]:
        """A new ticket as the vendor answers it."""
        wanted = {"subject": "VPN drops", "comment": {"body": "Client 5.1", "public": True}, **members}
        reply = await self.post("tickets", {"ticket": wanted}, by=by)
        assert reply.status == 201, reply.body
        ticket: dict[str, Any] = reply.body["ticket"]
        return ticket

    async def change(self, ticket_id: int, **members: Any) -> Reply:
        return await self.put(f"tickets/{ticket_id}", {"ticket": members})

    async def changed(self, ticket_id: int, **members: Any) -> dict[str, Any]:
        reply = await self.change(ticket_id, **members)
        assert reply.status == 200, reply.body
        ticket: dict[str, Any] = reply.body["ticket"]
        return ticket

    async def closed(self, **members: Any) -> dict[str, Any]:
        ticket = await self.ticket(assignee_id=seed.AGENT_ID, **members)
        await self.changed(ticket["id"], status="solved")
        return await self.changed(ticket["id"], status="closed")

    async def job(self, reply: Reply) -> dict[str, Any]:
        """The finished job of a bulk answer."""
        assert reply.status == 200, reply.body
        for _ in range(200):
            status = (await self.get(f"job_statuses/{reply.body['job_status']['id']}")).body["job_status"]
            if status["status"] in ("completed", "failed"):
                found: dict[str, Any] = status
                return found
            await asyncio.sleep(0.01)
        raise AssertionError("the job did not end")

    def truth(self, ticket_id: int) -> dict[str, Any]:
        return next(item for item in self.sandbox.true_state()["tickets"] if item["id"] == str(ticket_id))

    async def delivered(self) -> None:
        """Wait until no webhook is to be sent any more."""
        for _ in range(2_000):
            if not self.sandbox.deliveries.waiting:
                return
            await asyncio.sleep(0.005)
        raise AssertionError("webhooks are still waiting")


@dataclass
class Receiver:
    """The other side of webhooks: keeps what arrives and answers as told (200 when nothing was told)."""

    address: str = ""
    statuses: list[int] = field(default_factory=list)
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.seen.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _headers, body in self.seen]

    @property
    def kinds(self) -> list[str]:
        return [body["type"].removeprefix("zen:event-type:ticket.") for body in self.bodies]


Scenario = Callable[[Desk], Awaitable[None]]


def at_desk(scenario: Scenario) -> Callable[[], None]:
    """Turn a scenario into a plain test function with a fresh sandbox of its own."""

    def test() -> None:
        asyncio.run(_play(scenario))

    test.__name__ = scenario.__name__
    test.__doc__ = scenario.__doc__
    return test


async def _play(scenario: Scenario) -> None:
    sandbox = ZendeskSandbox(ZendeskSettings(job_seconds=0.01, webhook_retry_pauses=[0.01, 0.01, 0.01]))
    runner, _port = await start(sandbox)
    try:
        async with aiohttp.ClientSession() as session:
            # otherwise aiohttp 3.14 repeats a PUT by itself when the answer is lost
            session._retry_connection = False
            desk = Desk(sandbox, session)
            sandbox.clock = lambda: desk.moment
            await scenario(desk)
    finally:
        await runner.cleanup()


async def receiver() -> tuple[Receiver, web.AppRunner]:
    """A receiver on a free loopback port; clean up the runner afterwards."""
    held = Receiver()
    app = web.Application()
    app.router.add_post("/hook", held.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    held.address = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    return held, runner
