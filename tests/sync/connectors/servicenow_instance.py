"""A running instance for the connector's tests: the sandbox on loopback, the connector to it, and a person's acts."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp

from apps.foundation.outbound import OutboundGuard
from apps.sandbox.server import start
from apps.sandbox.servicenow import seed
from apps.sandbox.servicenow.sandbox import ServiceNowSandbox
from apps.sync.connectors.http import Context
from apps.sync.connectors.servicenow.connector import ServiceNowConnector

Json = dict[str, Any]
Found = TypeVar("Found")

SECRETS = {"username": seed.SYNC_USER, "password": seed.SYNC_PASSWORD}
SETTINGS: Mapping[str, Any] = {"settle_seconds": 0}


class Instance:
    """The sandbox, seen from both sides."""

    def __init__(self, sandbox: ServiceNowSandbox, port: int, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.port = port
        self._session = session
        self.saved: list[Mapping[str, str]] = []

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connector(self, secrets: Mapping[str, str] = SECRETS, **settings: Any) -> ServiceNowConnector:
        async def keep(renewed: Mapping[str, str]) -> None:
            self.saved.append(renewed)

        return ServiceNowConnector(
            Context(
                base_url=self.base_url,
                settings={**SETTINGS, **settings},
                secrets=secrets,
                guard=OutboundGuard([f"127.0.0.1:{self.port}"]),
                save_secrets=keep,
            )
        )

    async def call(
        self, method: str, path: str, user: str = seed.JOHN, password: str = seed.JOHN_PASSWORD, **rest: Any
    ) -> Any:
        """A person's act, through the instance's own interface."""
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Accept": "application/json", "Authorization": f"Basic {pair}", **rest.pop("headers", {})}
        async with self._session.request(method, self.base_url + path, headers=headers, **rest) as answer:
            assert answer.status in (200, 201, 204), await answer.text()
            return (await answer.json())["result"] if answer.status != 204 else None

    async def as_admin(self, method: str, path: str, **rest: Any) -> Any:
        return await self.call(method, path, seed.ADMIN_USER, seed.ADMIN_PASSWORD, **rest)

    async def report(self, **fields: str) -> str:
        """John opens an incident; its sys_id."""
        body = {"short_description": "VPN drops every hour"} | fields
        return str((await self.call("POST", "/api/now/v2/table/incident", json=body))["sys_id"])

    async def edit(self, sys_id: str, table: str = "incident", **fields: str) -> Json:
        return dict(await self.call("PATCH", f"/api/now/v2/table/{table}/{sys_id}", json=fields))

    def requests(self, method: str) -> list[str]:
        return [seen.path for seen in self.sandbox.exchanges if seen.method == method]


@asynccontextmanager
async def running(**switches: Any) -> AsyncIterator[Instance]:
    sandbox = ServiceNowSandbox()
    runner, port = await start(sandbox, 0)
    for name, value in switches.items():
        setattr(sandbox.settings, name, value)
    async with aiohttp.ClientSession() as session:
        try:
            yield Instance(sandbox, port, session)
        finally:
            await runner.cleanup()


def on_instance(
    play: Callable[[Instance, ServiceNowConnector], Awaitable[Found]],
    *,
    secrets: Mapping[str, str] = SECRETS,
    settings: Mapping[str, Any] | None = None,
    **switches: Any,
) -> Found:
    """Run ``play`` with a fresh instance and an open connector to it."""

    async def scene() -> Found:
        async with running(**switches) as instance, instance.connector(secrets, **(settings or {})) as connector:
            return await play(instance, connector)

    return asyncio.run(scene())
