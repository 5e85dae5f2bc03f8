"""Two processes whose token ran out at the same moment: one renewal, and both go on with what it brought (INV-36)."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from django.db import connections
from django.utils import timezone

from apps.sync.models import Connection, ConnectionPulse
from apps.sync.services.making import connector_for
from apps.sync.services.renewing import LONGEST, renewal_of

from .stage import Stage

A = "infinity-architecture"
GRANT = {"client_id": "app", "client_secret": "app-secret", "access_token": "expired", "refresh_token": "r1"}


class Site:
    """Jira and its token resource in a thread of its own: each refresh token is good for one renewal."""

    def __init__(self) -> None:
        self.renewals, self.refused, self.waiting = 0, 0, threading.Barrier(2)
        self.address = ""
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve)

    async def token(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if asked["refresh_token"] != f"r{self.renewals + 1}":
            self.refused += 1
            return web.json_response({"error": "invalid_grant"}, status=403)
        self.renewals += 1
        given = {"access_token": f"a{self.renewals}", "refresh_token": f"r{self.renewals + 1}"}
        await asyncio.sleep(0.3)
        return web.json_response(given)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer a{self.renewals}":
            if request.headers.get("Authorization") == "Bearer expired":
                # Both meet it before either can renew.
                await asyncio.get_running_loop().run_in_executor(None, self.waiting.wait, 20)
            return web.json_response({"message": "no", "status-code": 401}, status=401)
        told = {"issues": [], "isLast": True, "version": "1001", "deploymentType": "Cloud", "accountId": "bot"}
        return web.json_response([] if request.path.endswith("/field") else told)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_post("/oauth/token", self.token)
        app.router.add_route("*", "/rest/{rest:.*}", self.answer)
        runner = web.AppRunner(app, access_log=None)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    def __enter__(self) -> "Site":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@pytest.fixture
def site(stage: Stage, settings: Any) -> Iterator[Site]:
    stage.connect(A)
    with Site() as site:
        settings.SIAM_OUTBOUND_ALLOW = [site.address.removeprefix("http://")]
        yield site


def as_a_process(work: Any) -> threading.Thread:
    """With an event loop, connectors and a database connection of its own, as another process has them."""

    def run() -> None:
        try:
            asyncio.run(work())
        finally:
            connections.close_all()

    return threading.Thread(target=run)


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_meet_an_expired_token_renew_it_once(site: Site, stage: Stage) -> None:
    settings = {"flavour": "cloud", "token_url": f"{site.address}/oauth/token", "project": "OPS"}
    Connection.objects.filter(pk=stage.connections[A].pk).update(
        connector="jira", base_url=site.address, settings=settings, secrets=GRANT
    )
    connection, through = Connection.objects.get(pk=stage.connections[A].pk), list[str]()

    async def ask() -> None:
        async with connector_for(connection) as jira:
            await jira.changed_since(None)
            through.append("asked")

    both = [as_a_process(ask) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()

    connection.refresh_from_db()
    assert (site.renewals, site.refused, through) == (1, 0, ["asked", "asked"])
    assert (connection.secrets["access_token"], connection.secrets["refresh_token"]) == ("a1", "r2")
    assert ConnectionPulse.objects.get(pk=connection.pk).renewing_until is None


@pytest.mark.parametrize("left", [timedelta(seconds=-1), timedelta(days=1)])
@pytest.mark.django_db(transaction=True)
def test_a_renewal_in_which_somebody_died_is_waited_for_no_longer_than_it_can_take(
    stage: Stage, left: timedelta
) -> None:
    """Nor a day, if the clock went back by one meanwhile (F56)."""
    stage.connect(A)
    connection = stage.connection(A)
    ConnectionPulse.objects.filter(pk=connection.pk).update(renewing_until=timezone.now() + LONGEST + left)
    if left < timedelta(0):
        ConnectionPulse.objects.filter(pk=connection.pk).update(renewing_until=timezone.now() + left)

    async def renew() -> None:
        async with asyncio.timeout(5), renewal_of(connection):
            pass

    asyncio.run(renew())
