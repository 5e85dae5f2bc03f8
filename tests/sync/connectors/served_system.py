"""A server on loopback that behaves as a test tells it, and clients of it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from apps.foundation.outbound import OutboundGuard
from apps.sync.connectors.http import Context, ExchangeRecord, OpenGate, VendorHttp

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class System:
    """A served handler, what it was asked, and clients of it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.records: list[ExchangeRecord] = []
        self.token = "first"
        self.renewals = 0

    def client(self, **options: Any) -> VendorHttp:
        async def authorize() -> dict[str, str]:
            return {"Authorization": f"Bearer {self.token}"}

        guard = options.pop("guard", OutboundGuard([f"127.0.0.1:{self.port}"]))
        base_url = options.pop("base_url", f"http://127.0.0.1:{self.port}/base/")
        gate = options.pop("gate", OpenGate())
        context = Context(base_url, {}, {}, guard, record=self.records.append, now=lambda: NOW, gate=gate)
        return VendorHttp(context, authorize=options.pop("authorize", authorize), **options)

    async def renew(self) -> bool:
        self.renewals += 1
        await asyncio.sleep(0)
        self.token = f"renewed-{self.renewals}"
        return True


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[System]:
    system = System(0)

    async def ask(request: web.Request) -> web.StreamResponse:
        system.asked.append(request)
        system.bodies.append(await request.read())
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", ask)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    system.port = runner.addresses[0][1]
    try:
        yield system
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened(client: VendorHttp) -> AsyncIterator[VendorHttp]:
    await client.open()
    try:
        yield client
    finally:
        await client.close()


def play(handler: Handler, scenario: Callable[[System], Awaitable[None]]) -> None:
    async def run() -> None:
        async with serving(handler) as system:
            await scenario(system)

    asyncio.run(run())


async def fine(_request: web.Request) -> web.Response:
    return web.json_response({"ok": True})


async def accept_renewed(request: web.Request) -> web.Response:
    return web.Response(status=200 if "renewed" in request.headers["Authorization"] else 401, text='"file"')


async def cut(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def cut_in_the_middle(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"half":')
    assert request.transport is not None
    request.transport.abort()
    return response


def answering(status: int, text: str = "", **headers: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=text, headers=named)

    return answer
