"""The ServiceNow sandbox: one instance behind the frame that all sandboxes share."""

import copy
import ipaddress
from datetime import datetime
from typing import Any, ClassVar

from aiohttp import web

from apps.sandbox.server import CONTROL, Sandbox

from .errors import fault
from .instance import Instance
from .routes import Reception
from .seed import populate
from .settings import Settings, UnknownSetting
from .wire import Answer, Call


class ServiceNowSandbox(Sandbox):
    """A stand-in for one ServiceNow instance with incidents, problems, changes and catalog tasks.

    ``settings`` are the switches of the instance; a reset brings back those it was made with.
    """

    name: ClassVar[str] = "servicenow"

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__()
        self._first_settings = settings or Settings()
        self.reset()

    @property
    def settings(self) -> Settings:
        return self._instance.settings

    def reset(self) -> None:
        settings = copy.deepcopy(self._first_settings)
        self._instance = Instance(settings, self._read_clock, self.deliveries.send)
        populate(self._instance)
        self._reception = Reception(self._instance)

    def _read_clock(self) -> datetime:
        return self.clock()

    def true_state(self) -> dict[str, Any]:
        return {"system": self.name, "tickets": self._instance.true_state()}

    def error(self, status: int, retry_after: float | None = None) -> web.Response:
        return _response(fault(status, retry_after))

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get(CONTROL + "settings", self._show_settings)
        router.add_patch(CONTROL + "settings", self._change_settings)
        router.add_route("*", "/{path:.*}", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        self._instance.origin = self.origin
        call = Call(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        return _response(self._reception.answer(call))

    async def _show_settings(self, request: web.Request) -> web.Response:
        _check_loopback(request)
        return web.json_response(self.settings.as_json())

    async def _change_settings(self, request: web.Request) -> web.Response:
        _check_loopback(request)
        try:
            self.settings.change(await request.json())
        except (UnknownSetting, ValueError, AttributeError) as problem:
            return web.json_response({"error": str(problem)}, status=400)
        return web.json_response(self.settings.as_json())


def _check_loopback(request: web.Request) -> None:
    if not request.remote or not ipaddress.ip_address(request.remote).is_loopback:
        raise web.HTTPNotFound


def _response(answer: Answer) -> web.Response:
    response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
    for name, value in answer.cookies.items():
        response.set_cookie(name, value, httponly=True)
    return response
