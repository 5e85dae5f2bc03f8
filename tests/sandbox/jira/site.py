"""A running Jira sandbox with a clock that the test moves, a client, and a receiver for webhooks."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web

from apps.sandbox.jira import seed
from apps.sandbox.jira.sandbox import JiraSandbox
from apps.sandbox.jira.settings import JiraSettings
from apps.sandbox.server import start

SYNC = (seed.SYNC_EMAIL, seed.SYNC_TOKEN)
ELAINE = (seed.ELAINE_EMAIL, seed.ELAINE_TOKEN)
NOBODY = None


def paragraph(text: str) -> dict[str, Any]:
    return {
        "type": "doc",
        "version": 1,
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
    }


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


@dataclass
class Answer:
    status: int
    headers: Any
    raw: bytes
    body: Any


@dataclass
class Received:
    headers: dict[str, str]
    raw: bytes


@dataclass
class Receiver:
    """Where webhooks arrive. It answers the ``answers`` in turn, then 200."""

    url: str = ""
    got: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(Received({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


class JiraSite:
    def __init__(self, sandbox: JiraSandbox, http: aiohttp.ClientSession, receiver: Receiver) -> None:
        self.sandbox = sandbox
        self.settings = sandbox.settings
        self.http = http
        self.receiver = receiver
        self.time = datetime(2026, 11, 20, 9, 15, 2, 123456, tzinfo=UTC)
        sandbox.clock = lambda: self.time
        sandbox.reset()

    def wait(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    async def __call__(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        who: tuple[str, str] | None = SYNC,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        sent = dict(headers or {})
        if who is not None:
            sent.setdefault("Authorization", basic(*who))
        if not path.startswith(("/rest/", "/_control/", "/ex/", "/oauth/", "/media/", "/secure/")):
            path = ("/rest/api/3" if self.settings.is_cloud else "/rest/api/2") + path
        if json is not None:
            options["json"] = json
        url = self.sandbox.origin + path
        async with self.http.request(method, url, headers=sent, allow_redirects=False, **options) as got:
            raw = await got.read()
            is_json = got.content_type == "application/json" and raw
            return Answer(got.status, got.headers, raw, await got.json() if is_json else None)

    async def create(
        self, summary: str = "VPN drops", project: str = "OPS", who: Any = SYNC, **fields: Any
    ) -> dict[str, Any]:
        values = {"project": {"key": project}, "issuetype": {"name": "Bug"}, "summary": summary} | fields
        answer = await self("POST", "/issue", {"fields": values}, who=who)
        assert answer.status == 201, answer.body
        return answer.body

    async def fields(self, key: str) -> dict[str, Any]:
        return (await self("GET", f"/issue/{key}")).body["fields"]

    async def step(self, key: str, transition: str, **more: Any) -> Answer:
        return await self("POST", f"/issue/{key}/transitions", {"transition": {"id": transition}} | more)

    async def found(self, jql: str, **more: Any) -> list[str]:
        answer = await self("POST", "/search/jql", {"jql": jql, "fields": ["key"]} | more)
        assert answer.status == 200, answer.body
        return [issue["key"] for issue in answer.body["issues"]]

    async def delivered(self) -> list[Received]:
        """What the receiver got, once the sandbox has nothing left to send."""
        while self.sandbox.deliveries.waiting:  # noqa: ASYNC110 - the frame has a count of deliveries and no event
            await asyncio.sleep(0.001)
        return self.receiver.got

    def ticket(self, key: str) -> dict[str, Any]:
        return next(each for each in self.sandbox.true_state()["tickets"] if each["key"] == key)


def play(story: Callable[[JiraSite], Awaitable[None]], **settings: Any) -> None:
    """Run ``story`` against a fresh site whose settings differ from the default as given; searches do not lag."""

    async def run() -> None:
        receiver = Receiver()
        app = web.Application()
        app.router.add_post("/hook", receiver.take)
        hooks = web.AppRunner(app, access_log=None)
        await hooks.setup()
        await web.TCPSite(hooks, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{hooks.addresses[0][1]}/hook"
        sandbox = JiraSandbox(JiraSettings(**{"index_lag_seconds": 0.0} | settings))
        runner, _ = await start(sandbox)
        try:
            async with aiohttp.ClientSession() as http:
                await story(JiraSite(sandbox, http, receiver))
        finally:
            await runner.cleanup()
            await hooks.cleanup()

    asyncio.run(run())
