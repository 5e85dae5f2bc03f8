"""The Azure DevOps sandbox: finds the route, lets the gate look at the request, answers in the vendor's dress."""

import ipaddress
import json
import uuid
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from aiohttp import web

from apps.sandbox.server import CONTROL, Sandbox

from . import discovery, discussion, files, metadata, reading, reporting, search, subscribing, writing
from .calls import Answer, Call, Version
from .errors import BindingFault, NoSuchPath, Refusal, blocked, collision, forbidden, unauthorized, unavailable
from .gate import SIGN_IN_PAGE, Gate, SignInPage, asked_version, check_media_type
from .hooks import Hooks
from .instants import exact
from .people import Person
from .routes import Route
from .seed import COLLECTION, DEPLOYMENT_ID, ORGANIZATION
from .settings import Settings, UnknownSetting
from .store import Store
from .workitems import ATTACHED, Item

ROUTES: list[Route] = [
    route
    for module in (reading, writing, discussion, files, search, reporting, metadata, discovery, subscribing)
    for route in module.ROUTES
]
API = "/_apis"


class AzureDevOpsSandbox(Sandbox):
    """Services at ``/global`` (identities also at ``/vssps/global``), or Server at ``/tfs/DefaultCollection``."""

    name = "azure_devops"

    def __init__(self) -> None:
        super().__init__()
        self.settings = Settings()
        self.process_id = str(uuid.uuid4())
        self._begin()

    def _begin(self) -> None:
        self.store = Store(self.settings, self._now, lambda: self.origin)
        self.hooks = Hooks(self.store, self.deliveries)
        self.store.announce = self.hooks.hear
        self.gate = Gate(self.store)

    def _now(self) -> datetime:
        return self.clock()

    def reset(self) -> None:
        self.settings = Settings()
        self._begin()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get(CONTROL + "settings", self._show_settings)
        router.add_patch(CONTROL + "settings", self._change_settings)
        router.add_post("/{tenant}/oauth2/v2.0/token", self._issue_token)
        router.add_route("*", "/{path:.*}", self._answer)

    def error(self, status: int, retry_after: float | None = None) -> web.Response:
        seconds = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        refusals = {401: unauthorized(), 403: forbidden("", "View work items in this node"), 409: collision()}
        refusal = refusals.get(status) or (blocked(self._limits()) if status == 429 else unavailable(status))
        refusal.headers.update(seconds)
        return self._refuse(refusal, None)

    def _limits(self) -> dict[str, str]:
        reset = str(int(self.clock().timestamp()) + 30)
        named = {"Resource": "Core/Usage", "Delay": "0", "Limit": "200", "Remaining": "0", "Reset": reset}
        return {"X-RateLimit-" + name: value for name, value in named.items()}

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

    async def _issue_token(self, request: web.Request) -> web.Response:
        """The directory's client-credentials grant, so that a client can be tried with bearer tokens."""
        form = await request.post()
        given = [str(form.get(name, "")) for name in ("client_id", "client_secret", "scope")]
        token = self.gate.issue_bearer(*given) if form.get("grant_type") == "client_credentials" else None
        if token is None:
            problem = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
            return web.json_response(problem, status=401)
        seconds = self.settings.bearer_seconds
        answer = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}
        return web.json_response(answer)

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            return self._carry_out(request, body)
        except SignInPage:
            return self._sign_in(request)
        except Refusal as refusal:
            return self._refuse(refusal, request)

    def _carry_out(self, request: web.Request, body: bytes) -> web.Response:
        front, tail = self._split(request.path)
        person = self.gate.person(request)
        route, places = self._route(request, front, tail)
        limits = self.gate.throttle(person)
        version = asked_version(request, route.location, self.store)
        project = self.store.project(front[0]) if front else None
        if len(front) > 1:
            places["team"] = front[1]
        check_media_type(request, route.media, body)
        answer = route.handler(Call(request, self.store, self.hooks, person, project, version, places, body))
        return self._dress(answer, version, person, request, limits)

    def _split(self, path: str) -> tuple[list[str], str]:
        """The parts between the organization and ``/_apis``, and what follows it. Raises NoSuchPath."""
        home = f"/{COLLECTION if self.settings.is_server else ORGANIZATION}"
        lowered = path.lower().removeprefix("/vssps") if not self.settings.is_server else path.lower()
        start = len(path) - len(lowered)
        at = lowered.find(API)
        after = at + len(API)
        inside = at >= len(home) and lowered.startswith(home.lower() + "/")
        if not inside or lowered[after : after + 1] not in ("", "/"):
            raise NoSuchPath(path)
        front = [part for part in path[start + len(home) : start + at].split("/") if part]
        return [unquote(part) for part in front], path[start + after + 1 :].rstrip("/")

    def _route(self, request: web.Request, front: list[str], tail: str) -> tuple[Route, dict[str, str]]:
        found = [(one, places) for one in ROUTES if (places := one.match(tail, len(front))) is not None]
        method = "GET" if request.method == "HEAD" else request.method
        for route, places in found:
            if route.method == method:
                return route, places
        allowed = sorted({route.method for route, _ in found} - {"OPTIONS"})
        if not allowed:
            raise NoSuchPath(request.path)
        text = f"The requested resource does not support http method '{request.method}'."
        raise BindingFault(text, 405, {"Allow": ", ".join(allowed)})

    def _sign_in(self, request: web.Request) -> web.Response:
        headers = self._headers(request)
        if self.settings.sign_in_answer == 302:
            headers["Location"] = (
                f"{self.origin}/_signin?realm=dev.azure.com&reply_to={quote(str(request.url), safe='')}"
            )
            return web.Response(status=302, headers=headers)
        return web.Response(text=SIGN_IN_PAGE, status=203, content_type="text/html", charset="utf-8", headers=headers)

    def _refuse(self, refusal: Refusal, request: web.Request | None) -> web.Response:
        headers = {**self._headers(request), **refusal.headers, "X-TFS-ServiceError": quote(refusal.message)}
        if isinstance(refusal, NoSuchPath):
            return web.Response(text=refusal.message, status=404, headers=headers)
        return web.json_response(refusal.body(), status=refusal.status, headers=headers)

    def _dress(
        self, answer: Answer, version: Version, person: Person, request: web.Request, limits: dict[str, str]
    ) -> web.Response:
        headers = {**self._headers(request), "X-VSS-UserData": f"{person.id}:{person.mail}", **limits, **answer.headers}
        if answer.content_type == "application/json" and answer.body is not None:
            headers["Content-Type"] = f"application/json; charset=utf-8; api-version={version.text}"
            body = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")).encode()
        elif answer.body is None:
            body = b""
        else:
            headers["Content-Type"], body = answer.content_type, answer.body
        return web.Response(body=body, status=answer.status, headers=headers)

    def _headers(self, request: web.Request | None) -> dict[str, str]:
        activity = str(uuid.uuid4())
        session = request.headers.get("X-TFS-Session") if request is not None else None
        return {
            "ActivityId": activity,
            "Cache-Control": "no-cache",
            "Expires": "-1",
            "Pragma": "no-cache",
            "P3P": 'CP="CAO DSP COR ADMa DEV CONo TELo CUR PSA PSD TAI IVDo OUR SAMi BUS DEM NAV STA UNI COM INT"',
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "SAMEORIGIN",
            "X-TFS-ProcessId": self.process_id,
            "X-TFS-Session": session or str(uuid.uuid4()),
            "X-VSS-E2EID": activity,
            "X-VSS-SenderDeploymentId": DEPLOYMENT_ID,
            "X-Cache": "CONFIG_NOCACHE",
            "Access-Control-Expose-Headers": "Request-Context",
            "Request-Context": f"appId=cid-v1:{DEPLOYMENT_ID}",
        }

    def true_state(self) -> dict[str, Any]:
        return {"system": self.name, "tickets": [self._ticket(item) for item in self.store.items.values()]}

    def _ticket(self, item: Item) -> dict[str, Any]:
        plain, fields = self.store.plain, item.latest.fields
        comments = [
            {"id": str(one.id), "author": one.author.name, "text": one.text, "public": True, "at": exact(one.at)}
            for one in item.comments
            if not one.is_deleted
        ]
        related = [self.store.attachments[one.target] for one in item.relations if one.rel == ATTACHED]
        names = {one.target: one.name for one in item.relations if one.rel == ATTACHED}
        attachments = [
            {"id": one.id, "name": names[one.id], "size": one.total, "sha256": one.sha256, "at": exact(one.at)}
            for one in related
        ]
        return {
            "id": str(item.id),
            "key": str(item.id),
            "type": item.type,
            "created_at": exact(item.created_at),
            "deleted": item.is_deleted,
            "fields": {name: plain(value) for name, value in fields.items() if name != "System.History"},
            "comments": comments,
            "attachments": attachments,
            "log": list(item.log),
        }


def _check_loopback(request: web.Request) -> None:
    if not request.remote or not ipaddress.ip_address(request.remote).is_loopback:
        raise web.HTTPNotFound
