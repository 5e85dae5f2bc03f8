"""The Zendesk sandbox: its account, and the door through which every request of the vendor's interface goes."""

import inspect
import json
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiohttp import web

from ..server import CONTROL, Sandbox
from . import attachments, creation, export, jobs, oauth, people, requests, schema, search, tickets, triggers, webhooks
from .account import Account
from .budgets import Standing
from .call import Answer, Call, Route, Routes
from .errors import Json, Refusal, forbidden, no_endpoint, switched_on
from .records import User
from .seed import CREATED_AT, plant
from .settings import UnknownSetting, ZendeskSettings
from .sign_in import identify
from .truth import true_state
from .writing import close_due_tickets

API = re.compile(r"/api/v2/(.+)")
ATTACHMENT = re.compile(r"/attachments/(token|stored)/[^/]+/?")
NOBODY = User(0, "Anonymous user", None, "end-user", CREATED_AT, CREATED_AT)
OWN_TOKEN = [
    Route("GET", "oauth/tokens/current", oauth.show_current, role="end-user"),
    Route("DELETE", "oauth/tokens/current", oauth.revoke_current, role="end-user"),
]
AREAS = (attachments, creation, export, jobs, people, requests, schema, search, tickets, triggers, webhooks)


class ZendeskSandbox(Sandbox):
    """One subdomain of the vendor's Support product, strict in its refusals; ``settings`` holds its switches."""

    name = "zendesk"

    def __init__(self, settings: ZendeskSettings | None = None) -> None:
        super().__init__()
        self._first_settings = (settings or ZendeskSettings()).as_json()
        self._routes = Routes([*OWN_TOKEN, *(route for area in AREAS for route in area.ROUTES)])
        self.settings = ZendeskSettings(**self._first_settings)
        self.account = self._new_account()

    def _new_account(self) -> Account:
        account = Account(self._now, lambda: self.origin, self.settings, self.deliveries)
        plant(account)
        return account

    def _now(self) -> datetime:
        # the clock is looked up at each call: tests replace it
        return self.clock()

    def reset(self) -> None:
        """A fresh account and the settings of the start; jobs still waiting are dropped."""
        self.account.alive = False
        self.settings = ZendeskSettings(**json.loads(json.dumps(self._first_settings)))
        self.account = self._new_account()

    def true_state(self) -> dict[str, Any]:
        return true_state(self.account)

    def error(self, status: int, retry_after: float | None = None) -> web.Response:
        headers = {"X-Zendesk-Request-Id": secrets.token_hex(10)}
        if retry_after is not None:
            headers["Retry-After"] = f"{retry_after:g}"
        body = switched_on(status)
        if isinstance(body, str):
            return web.Response(text=body, status=status, content_type="text/html", headers=headers)
        return _respond(Answer(status, body, headers))

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get(CONTROL + "settings", self._show_settings)
        router.add_patch(CONTROL + "settings", self._change_settings)
        router.add_route("*", "/{path:.*}", self._serve)

    async def _show_settings(self, _request: web.Request) -> web.Response:
        return web.json_response(self.settings.as_json())

    async def _change_settings(self, request: web.Request) -> web.Response:
        try:
            self.settings.change(await request.json())
        except (UnknownSetting, ValueError, TypeError) as problem:
            return web.json_response({"error": str(problem)}, status=400)
        return web.json_response(self.settings.as_json())

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        common = {"X-Zendesk-Request-Id": secrets.token_hex(10), "X-Zendesk-API-Version": "v2"}
        close_due_tickets(self.account)
        attachments.drop_expired(self.account)
        try:
            answer = await self._answer(request, raw, common)
        except Refusal as refusal:
            answer = Answer(refusal.status, refusal.body, refusal.headers)
        response = _respond(Answer(answer.status, answer.body, {**common, **answer.headers}))
        self.account.react()
        return response

    async def _answer(self, request: web.Request, raw: bytes, common: dict[str, str]) -> Answer:
        path, headers, query = request.path, request.headers, request.query
        if request.method == "POST" and path.removesuffix(".json") == "/oauth/tokens":
            return oauth.token(self.account, headers, raw)
        if request.method == "GET" and path == "/oauth/authorizations/new":
            return oauth.authorize(self.account, query)
        if request.method == "GET" and ATTACHMENT.fullmatch(path):
            return attachments.download(self.account, path, dict(headers))
        within = API.fullmatch(path)
        match = self._routes.find(request.method, within[1]) if within else None
        if match is None:
            raise no_endpoint()
        route, ids = match
        standing = self.account.budgets.take("account", self.settings.requests_per_minute)
        common.update(_budget_headers(standing))
        caller = self._caller(headers, route)
        call = Call(self.account, request.method, path, query, headers, raw, caller, ids, common)
        result = route.handler(call)
        return await result if inspect.isawaitable(result) else result

    def _caller(self, headers: Mapping[str, str], route: Route) -> User:
        try:
            caller = identify(self.account, headers)
        except Refusal as refusal:
            if refusal.status == 401 and route.handler is people.me and self.settings.anonymous_me:
                return NOBODY
            raise
        if not caller.may(route.method, route.scope, route.role):
            raise forbidden()
        return caller.user


def _budget_headers(standing: Standing) -> dict[str, str]:
    limit, remaining = str(standing.limit), str(standing.remaining)
    return {
        "X-Rate-Limit": limit,
        "X-Rate-Limit-Remaining": remaining,
        "ratelimit-limit": limit,
        "ratelimit-remaining": remaining,
        "ratelimit-reset": str(standing.resets),
    }


def _respond(answer: Answer) -> web.Response:
    headers = dict(answer.headers)
    if answer.body is None:
        return web.Response(status=answer.status, headers=headers)
    if isinstance(answer.body, bytes):
        return web.Response(body=answer.body, status=answer.status, headers=headers)
    body: Json = answer.body
    return web.json_response(body, status=answer.status, headers=headers)
