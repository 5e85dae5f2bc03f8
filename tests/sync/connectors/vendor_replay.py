"""A server on loopback that gives scripted answers and keeps what it was asked."""

import json as jsonlib
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from apps.foundation.outbound import OutboundGuard
from apps.sync.connectors.http import Context, OpenGate


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return jsonlib.loads(self.body)


@dataclass(frozen=True)
class Scripted:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class RecordingGate(OpenGate):
    """Lets every call through, and keeps what a system said of its limits."""

    def __init__(self) -> None:
        self.closed: list[float] = []
        self.told: set[tuple[int, float]] = set()

    def close(self, seconds: float, detail: str) -> None:
        self.closed.append(seconds)

    def learn(self, calls: int, seconds: float) -> None:
        self.told.add((calls, seconds))


class Replay:
    """Answers per method and path in the order in which they were scripted; the last of them is given for ever."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._script: dict[tuple[str, str], list[Scripted]] = {}
        self.origin = ""

    def answers(
        self, method: str, path: str, body: Any = None, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        raw = body if isinstance(body, bytes) else jsonlib.dumps(body).encode()
        kind = "text/html" if raw.lstrip()[:1] == b"<" else "application/json"
        scripted = Scripted(status, raw, {"Content-Type": kind, **(headers or {})})
        self._script.setdefault((method, path.lower()), []).append(scripted)

    def asked_for(self, method: str, path: str) -> list[Asked]:
        return [one for one in self.asked if one.method == method and one.path.lower() == path.lower()]

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(request.method, request.path, dict(request.query), headers, await request.read()))
        waiting = self._script.get((request.method, request.path.lower()))
        if not waiting:
            return web.json_response({"unscripted": f"{request.method} {request.path}"}, status=501)
        scripted = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return web.Response(status=scripted.status, body=scripted.body, headers=scripted.headers)

    def context(self, settings: dict[str, Any], secrets: dict[str, str], *, path: str = "", **more: Any) -> Context:
        guard = OutboundGuard([self.origin.removeprefix("http://")])
        return Context(self.origin + path, settings, secrets, guard, **more)
