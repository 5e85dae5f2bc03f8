"""A served sandbox with a clock of its own, and a caller that speaks the vendor's HTTP to it."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from aiohttp import web

from apps.sandbox.server import start
from apps.sandbox.servicenow.sandbox import ServiceNowSandbox
from apps.sandbox.servicenow.seed import (
    ADMIN_PASSWORD,
    ADMIN_USER,
    ELAINE,
    ELAINE_PASSWORD,
    JOHN,
    JOHN_PASSWORD,
    SYNC_PASSWORD,
    SYNC_USER,
    seeded_id,
)
from apps.sandbox.servicenow.settings import Settings

PASSWORDS = {SYNC_USER: SYNC_PASSWORD, JOHN: JOHN_PASSWORD, ELAINE: ELAINE_PASSWORD, ADMIN_USER: ADMIN_PASSWORD}
SECRET = b"a secret of the portal"
INCIDENT = "/api/now/v2/table/incident"
JSON_HEADERS = {"Accept": "application/json"}


def user_id(user_name: str) -> str:
    return seeded_id("sys_user", user_name)


def group_id(name: str) -> str:
    return seeded_id("sys_user_group", name)


def basic(user_name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user_name}:{password}".encode()).decode()}


class Clock:
    """Stands still until it is told to move."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 20, 9, 15, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Any
    body: bytes
    content: Any

    @property
    def result(self) -> Any:
        return self.content["result"]

    @property
    def detail(self) -> str:
        return str(self.content["error"]["detail"])


@dataclass(slots=True)
class Caller:
    """Calls the sandbox as siam.sync unless told otherwise."""

    sandbox: ServiceNowSandbox
    clock: Clock
    http: aiohttp.ClientSession
    signed_in: dict[str, str] = field(default_factory=lambda: basic(SYNC_USER, SYNC_PASSWORD))

    def as_user(self, user_name: str) -> "Caller":
        return Caller(self.sandbox, self.clock, self.http, basic(user_name, PASSWORDS[user_name]))

    async def send(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> Reply:
        sent = {**JSON_HEADERS, **self.signed_in, **(headers or {})}
        async with self.http.request(method, self.sandbox.origin + path, headers=sent, **options) as answer:
            body = await answer.read()
            is_json = answer.content_type == "application/json" and bool(body)
            return Reply(answer.status, answer.headers, body, await answer.json() if is_json else None)

    async def get(self, path: str, **parameters: Any) -> Reply:
        return await self.send("GET", path, params=parameters)

    async def find(self, query: str, table: str = "incident", **parameters: Any) -> list[Any]:
        found = await self.get(f"/api/now/v2/table/{table}", sysparm_query=query, **PLAIN, **parameters)
        assert found.status == 200, found.body
        return list(found.result)

    async def create(self, table: str = "incident", /, **fields: Any) -> dict[str, Any]:
        made = await self.send("POST", f"/api/now/v2/table/{table}", json=fields, params=PLAIN)
        assert made.status == 201, made.body
        return dict(made.result)

    async def patch(self, sys_id: str, table: str = "incident", /, **fields: Any) -> Reply:
        return await self.send("PATCH", f"/api/now/v2/table/{table}/{sys_id}", json=fields, params=PLAIN)

    async def read(self, sys_id: str, table: str = "incident") -> dict[str, Any]:
        return dict((await self.get(f"/api/now/v2/table/{table}/{sys_id}", **PLAIN)).result)


PLAIN = {"sysparm_exclude_reference_link": "true"}
Story = Callable[[Caller], Awaitable[None]]


def on_sandbox(**settings: Any) -> Callable[[Story], Callable[[], None]]:
    """Turns a story into a test that runs it against a freshly served sandbox with these settings."""

    def decorate(story: Story) -> Callable[[], None]:
        def test() -> None:
            asyncio.run(_serve(story, Settings(**settings)))

        test.__name__ = story.__name__
        test.__doc__ = story.__doc__
        return test

    return decorate


async def _serve(story: Story, settings: Settings) -> None:
    sandbox = ServiceNowSandbox(settings)
    clock = Clock()
    sandbox.clock = clock
    runner, _port = await start(sandbox)
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            await story(Caller(sandbox, clock, http))
    finally:
        await runner.cleanup()


@dataclass(frozen=True, slots=True)
class Notice:
    headers: Any
    body: bytes

    def is_signed_with(self, secret: bytes) -> bool:
        signed = self.headers["X-Siam-Timestamp"].encode() + b"." + self.body
        mac = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
        return hmac.compare_digest(mac, self.headers["X-Siam-Signature"])


class Listener:
    """A receiver of notices on a free port."""

    def __init__(self, status: int = 204) -> None:
        self.received: list[Notice] = []
        self._status = status
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> "Listener":
        app = web.Application()
        app.router.add_post("/notices", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/notices"
        return self

    async def __aexit__(self, *_problem: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.received.append(Notice(request.headers.copy(), await request.read()))
        return web.Response(status=self._status)

    async def all_sent(self, sandbox: ServiceNowSandbox) -> list[Notice]:
        for _ in range(1000):
            if not sandbox.deliveries.waiting:
                return self.received
            await asyncio.sleep(0.005)
        raise AssertionError("notices are still waiting to be sent")
