"""A desk to work at: a running sandbox, an HTTP session, and short ways to send what a client would send."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web

from apps.sandbox.azure_devops.sandbox import AzureDevOpsSandbox
from apps.sandbox.azure_devops.seed import SYNC_PAT
from apps.sandbox.server import start

PATCH_TYPE = {"Content-Type": "application/json-patch+json"}
TITLE, STATE, TAGS, HISTORY = "System.Title", "System.State", "System.Tags", "System.History"


@dataclass
class Reply:
    status: int
    headers: Any
    text: str
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def message(self) -> str:
        body = self.json
        return str(body.get("message") or body["value"]["Message"])


def add(name: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": f"/fields/{name}", "value": value}


def replace(name: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": f"/fields/{name}", "value": value}


def at_rev(rev: int) -> dict[str, Any]:
    return {"op": "test", "path": "/rev", "value": rev}


def relate(rel: str, url: str, **attributes: Any) -> dict[str, Any]:
    return {"op": "add", "path": "/relations/-", "value": {"rel": rel, "url": url, "attributes": attributes}}


@dataclass
class Desk:
    sandbox: AzureDevOpsSandbox
    session: aiohttp.ClientSession
    home: str = "/global"

    @property
    def base(self) -> str:
        return self.sandbox.origin + self.home

    async def send(
        self,
        method: str,
        path: str,
        *,
        data: bytes | None = None,
        pat: str | None = SYNC_PAT,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> Reply:
        sent = dict(headers or {})
        if pat is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(f":{pat}".encode()).decode()
        url = path if path.startswith("http") else self.base + path
        async with self.session.request(
            method, url, data=data, headers=sent, allow_redirects=False, **options
        ) as answer:
            raw = await answer.read()
            return Reply(answer.status, answer.headers, raw.decode(errors="replace"), raw)

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.send("GET", path, **options)

    async def control(self, method: str, path: str, **options: Any) -> Reply:
        return await self.send(method, f"{self.sandbox.origin}/_control/{path}", **options)

    async def create(self, *operations: dict[str, Any], kind: str = "Bug", query: str = "", **options: Any) -> Reply:
        document = json.dumps(operations or [add(TITLE, "VPN drops every hour")]).encode()
        path = f"/Shop/_apis/wit/workitems/${kind}?api-version=7.1{query}"
        return await self.send("POST", path, data=document, headers=PATCH_TYPE, **options)

    async def change(self, item_id: int, *operations: dict[str, Any], query: str = "", **options: Any) -> Reply:
        path = f"/_apis/wit/workitems/{item_id}?api-version=7.1{query}"
        return await self.send("PATCH", path, data=json.dumps(operations).encode(), headers=PATCH_TYPE, **options)

    async def read(self, item_id: int, query: str = "") -> Any:
        reply = await self.get(f"/_apis/wit/workitems/{item_id}?api-version=7.1{query}")
        assert reply.status == 200, reply.text
        return reply.json

    async def ask(self, where: str, *, query: str = "&timePrecision=true", **options: Any) -> Reply:
        body = {"query": f"SELECT [System.Id] FROM WorkItems WHERE {where}"}
        return await self.send("POST", f"/Shop/_apis/wit/wiql?api-version=7.1{query}", json=body, **options)

    async def found(self, where: str, **options: Any) -> list[int]:
        reply = await self.ask(where, **options)
        assert reply.status == 200, reply.text
        return [one["id"] for one in reply.json["workItems"]]

    async def comment(self, item_id: int, text: str, query: str = "", **options: Any) -> Reply:
        path = f"/Shop/_apis/wit/workItems/{item_id}/comments?api-version=7.1-preview.4{query}"
        return await self.send("POST", path, json={"text": text}, **options)

    async def comments(self, item_id: int, query: str = "&order=asc") -> Any:
        path = f"/Shop/_apis/wit/workItems/{item_id}/comments?api-version=7.1-preview.4{query}"
        return (await self.get(path)).json

    async def upload(self, name: str, content: bytes, query: str = "") -> Reply:
        path = f"/Shop/_apis/wit/attachments?fileName={name}&api-version=7.1{query}"
        return await self.send("POST", path, data=content, headers={"Content-Type": "application/octet-stream"})

    def truth(self, item_id: int) -> Any:
        tickets = self.sandbox.true_state()["tickets"]
        return next(one for one in tickets if one["id"] == str(item_id))


def play(scenario: Callable[[Desk], Awaitable[None]], **settings: Any) -> None:
    """Run ``scenario`` at a desk with these settings of the sandbox."""

    async def run() -> None:
        sandbox = AzureDevOpsSandbox()
        sandbox.settings.change({"retry_pauses": [0.0, 0.0], **settings})
        runner, _ = await start(sandbox)
        home = "/tfs/DefaultCollection" if sandbox.settings.is_server else "/global"
        try:
            async with aiohttp.ClientSession() as session:
                await scenario(Desk(sandbox, session, home))
        finally:
            await runner.cleanup()

    asyncio.run(run())


@dataclass
class SteppedClock:
    """A clock that only goes on when told to."""

    now: datetime = field(default_factory=lambda: datetime(2026, 11, 20, 9, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Receiver:
    """A party's web hook address: keeps what came in and answers with the statuses it was given, then 200."""

    address: str = ""
    statuses: list[int] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.seen.append(await request.json())
        self.headers.append(request.headers)
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def wait_for(self, count: int) -> list[dict[str, Any]]:
        for _ in range(400):
            if len(self.seen) >= count:
                return self.seen
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(self.seen)} of {count} web hooks came")


@asynccontextmanager
async def receiving() -> Any:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.address = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()
