"""A Jira connector in front of a sandbox or of a small server with documented answers, inside one event loop."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from apps.foundation.outbound import OutboundGuard
from apps.sandbox.jira import seed
from apps.sandbox.jira.sandbox import JiraSandbox
from apps.sandbox.server import start
from apps.sync.connectors.http import Context
from apps.sync.connectors.jira.connector import JiraConnector

CLOUD_SECRETS = {"email": seed.SYNC_EMAIL, "api_token": seed.SYNC_TOKEN}
DC_SECRETS = {"personal_token": seed.SYNC_TOKEN}


@dataclass
class Site:
    """The connector and the sandbox that it talks to; ``call`` speaks to the sandbox as a person does."""

    connector: JiraConnector
    sandbox: JiraSandbox
    base: str
    secret: str
    api: str

    async def call(self, method: str, path: str, json: Any = None, token: str = seed.ELAINE_TOKEN) -> Any:
        auth = {"Authorization": f"Bearer {token}"}
        if self.api.endswith("3"):
            auth = basic(seed.ELAINE_EMAIL, token)
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.base}/{self.api}/{path}", json=json, headers=auth) as answer,
        ):
            text = await answer.text()
            assert answer.status < 400, text
            return await answer.json() if text else None

    async def fault(self, **fault: Any) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.base}/_control/faults", json=fault) as answer,
        ):
            assert answer.status == 201, await answer.text()


def basic(name: str, word: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{word}".encode()).decode()}


def context(base: str, secrets: Mapping[str, str], **settings: Any) -> Context:
    host = base.removeprefix("http://").split("/")[0]
    return Context(base, {"project": "OPS", **settings}, secrets, OutboundGuard([host]))


@asynccontextmanager
async def site(deployment: str = "Cloud", *, lag: float = 0.0, **settings: Any) -> AsyncIterator[Site]:
    sandbox = JiraSandbox()
    sandbox.settings.deployment = deployment
    sandbox.settings.index_lag_seconds = lag
    runner, port = await start(sandbox, 0)
    base = f"http://127.0.0.1:{port}"
    is_cloud = deployment == "Cloud"
    try:
        async with JiraConnector(context(base, CLOUD_SECRETS if is_cloud else DC_SECRETS, **settings)) as connector:
            yield Site(connector, sandbox, base, seed.SYNC_TOKEN, "rest/api/3" if is_cloud else "rest/api/2")
    finally:
        await runner.cleanup()


@asynccontextmanager
async def answering(
    routes: Mapping[tuple[str, str], Callable[[web.Request], Awaitable[web.StreamResponse]]], **settings: Any
) -> AsyncIterator[JiraConnector]:
    """A connector in front of a server that has just ``routes`` beside what every Jira tells about itself."""
    app = web.Application()
    for (method, path), answer in {**_COMMON, **routes}.items():
        app.router.add_route(method, path, answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", 0)
    await server.start()
    try:
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with JiraConnector(context(base, CLOUD_SECRETS, **settings)) as connector:
            yield connector
    finally:
        await runner.cleanup()


def says(body: Any, status: int = 200, **headers: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, str):
            return web.Response(text=body, status=status, headers=named, content_type="text/html")
        return web.json_response(body, status=status, headers=named)

    return answer


_COMMON = {
    ("GET", "/rest/api/2/serverInfo"): says(
        {"version": "1001.0.0", "versionNumbers": [1001, 0, 0], "deploymentType": "Cloud"}
    ),
    ("GET", "/rest/api/3/myself"): says({"accountId": "557058:bot", "displayName": "SIAM sync", "timeZone": "UTC"}),
    ("GET", "/rest/api/3/project/OPS"): says({"id": "10000", "key": "OPS", "projectTypeKey": "software"}),
    ("GET", "/rest/api/3/field"): says([]),
}


def run(work: Awaitable[Any]) -> Any:
    async def main() -> Any:
        return await work

    return asyncio.run(main())
