"""The HTTP frame that every sandbox shares: faults, a log of exchanges, deliveries and the control door.

A sandbox is a stateful stand-in for one vendor's system. It speaks that vendor's HTTP strictly and refuses what the
vendor would refuse. The control door (``/_control/``, loopback only) is not part of the vendor's interface.
"""

import asyncio
import base64
import ipaddress
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from aiohttp import web

from .deliveries import Deliveries
from .faults import REQUEST_FAULTS, FaultBoard, UnknownFault

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CONTROL = "/_control/"
KEPT_EXCHANGES = 20_000
LARGEST_BODY = 64 * 1024 * 1024
PROXY_PAGE = "<html><head><title>502 Proxy</title></head><body><h1>The gateway is busy</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer as they went over the wire (bodies as text, or base64 when not text)."""

    number: int
    at: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str
    status: int
    answer_headers: dict[str, str]
    answer: str

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Sandbox(ABC):
    """One vendor's system. Subclasses hold the state and add the vendor's routes."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self.faults = FaultBoard()
        self.deliveries = Deliveries(self.faults)
        self.exchanges: deque[Exchange] = deque(maxlen=KEPT_EXCHANGES)
        self.origin = ""
        self._count = 0
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @abstractmethod
    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the vendor's paths."""

    @abstractmethod
    def error(self, status: int, retry_after: float | None = None) -> web.Response:
        """The vendor's own body and headers for a switched-on fault: 401, 403, 429, 500, 503."""

    @abstractmethod
    def true_state(self) -> dict[str, Any]:
        """What really is in the system, for comparisons (see ``docs/sandboxes.md``)."""

    @abstractmethod
    def reset(self) -> None:
        """Back to the state of a fresh start, seeded users and projects included."""

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._log, self._show_faults], client_max_size=LARGEST_BODY)
        add_control_door(app.router, self)
        self.add_routes(app.router)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, _app: web.Application) -> None:
        await self.deliveries.close()

    @web.middleware
    async def _log(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL):
            return await handler(request)
        body = await request.read()
        response: web.StreamResponse = web.Response(status=499)
        try:
            response = await handler(request)
        finally:
            self._note(request, body, response)
        return response

    def _note(self, request: web.Request, body: bytes, response: web.StreamResponse) -> None:
        """Keep the exchange; status 499 stands for a request that got no answer."""
        self._count += 1
        answer = response.body if isinstance(response, web.Response) else b""
        self.exchanges.append(
            Exchange(
                number=self._count,
                at=self.clock().isoformat(),
                method=request.method,
                path=request.path,
                query=request.rel_url.raw_query_string,
                headers={name.lower(): value for name, value in request.headers.items()},
                body=_as_text(body),
                status=response.status,
                answer_headers={name.lower(): value for name, value in response.headers.items()},
                answer=_as_text(answer if isinstance(answer, bytes) else b""),
            )
        )

    @web.middleware
    async def _show_faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL):
            return await handler(request)
        fault = self.faults.take(REQUEST_FAULTS, request.method, request.path)
        if fault is None:
            return await handler(request)
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            return await handler(request)
        if fault.kind == "status":
            return self.error(fault.status, fault.retry_after)
        if fault.kind == "expired_token":
            return self.error(401)
        if fault.kind == "html":
            return web.Response(text=PROXY_PAGE, content_type="text/html")
        if fault.kind == "lost_response":
            await handler(request)
        if request.transport is not None:
            request.transport.abort()
        raise asyncio.CancelledError


def _as_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(body).decode()


def add_control_door(router: web.UrlDispatcher, sandbox: Sandbox) -> None:
    """Routes for tests, the demo and drills: true state, exchanges, faults, reset."""

    def guarded(handler: Handler) -> Handler:
        async def check(request: web.Request) -> web.StreamResponse:
            if not request.remote or not ipaddress.ip_address(request.remote).is_loopback:
                raise web.HTTPNotFound
            return await handler(request)

        return check

    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"system": sandbox.name, "deliveries_waiting": sandbox.deliveries.waiting})

    async def state(_request: web.Request) -> web.Response:
        return web.json_response(sandbox.true_state())

    async def exchanges(request: web.Request) -> web.Response:
        since = int(request.query.get("since", "0"))
        return web.json_response([seen.as_json() for seen in sandbox.exchanges if seen.number > since])

    async def faults(_request: web.Request) -> web.Response:
        return web.json_response(sandbox.faults.as_json())

    async def add_fault(request: web.Request) -> web.Response:
        try:
            fault = sandbox.faults.add(**await request.json())
        except (UnknownFault, TypeError, ValueError) as problem:
            return web.json_response({"error": str(problem)}, status=400)
        return web.json_response(fault.as_json(), status=201)

    async def remove_faults(request: web.Request) -> web.Response:
        fault_id = request.match_info.get("id")
        if fault_id is None:
            sandbox.faults.clear()
        elif not sandbox.faults.remove(int(fault_id)):
            raise web.HTTPNotFound
        return web.Response(status=204)

    async def reset(_request: web.Request) -> web.Response:
        await sandbox.deliveries.close()
        sandbox.faults.clear()
        sandbox.exchanges.clear()
        sandbox.reset()
        return web.Response(status=204)

    router.add_get(CONTROL + "health", guarded(health))
    router.add_get(CONTROL + "state", guarded(state))
    router.add_get(CONTROL + "exchanges", guarded(exchanges))
    router.add_get(CONTROL + "faults", guarded(faults))
    router.add_post(CONTROL + "faults", guarded(add_fault))
    router.add_delete(CONTROL + "faults", guarded(remove_faults))
    router.add_delete(CONTROL + "faults/{id:\\d+}", guarded(remove_faults))
    router.add_post(CONTROL + "reset", guarded(reset))


async def start(sandbox: Sandbox, port: int = 0) -> tuple[web.AppRunner, int]:
    """Serve ``sandbox`` on loopback; port 0 takes a free one. Returns the runner (for clean-up) and the port."""
    runner = web.AppRunner(sandbox.application(), access_log=None, handler_cancellation=False)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    bound: int = runner.addresses[0][1]
    sandbox.origin = f"http://127.0.0.1:{bound}"
    return runner, bound
