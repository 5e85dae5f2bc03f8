"""Whoever comes late: a frozen worker, a second scheduler, a record of a link that is gone (F51, F52, INV-7)."""

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from django.db import connection as database

from apps.foundation.outbound import OutboundGuard
from apps.sync import services as sync
from apps.sync.connectors.base import Unreachable
from apps.sync.connectors.http import MAY_WRITE, Context, ExchangeRecord, VendorHttp
from apps.sync.models import Exchange
from apps.sync.services.calling import Call
from apps.sync.services.polling import _take_turn
from apps.sync.services.rounds import keep_exchanges
from tests.sync.services.stage import Stage

A = "infinity-architecture"
AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


async def _no_headers() -> dict[str, str]:
    return {}


async def _send(method: str, may_write: Callable[[], bool]) -> tuple[list[str], list[bool]]:
    """One request with a body: which requests arrived, and whether those that failed are in doubt."""
    came: list[str] = []
    in_doubt: list[bool] = []

    async def answer(request: web.Request) -> web.Response:
        came.append(request.method)
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/", answer)
    async with TestServer(app) as server:
        context = Context(str(server.make_url("/")), {}, {}, OutboundGuard(["127.0.0.1"]))
        http = VendorHttp(context, authorize=_no_headers)
        await http.open()
        try:
            # Once more on the connection that is open by then.
            for holds in (lambda: True, may_write):
                MAY_WRITE.set(holds)
                await http.request(method, "/", json={"body": "hello"})
        except Unreachable as problem:
            in_doubt.append(problem.is_unknown)
        finally:
            await http.close()
    return came[1:], in_doubt


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("asked", [0, 1])
def test_a_worker_frozen_past_its_claim_writes_nothing_even_between_two_steps_of_a_request(
    method: str, asked: int
) -> None:
    """``asked``: how often it still held the claim. Between connection and body others have their turn in the loop."""
    answers = [True] * asked
    came, in_doubt = asyncio.run(_send(method, lambda: bool(answers) and answers.pop()))
    assert came == []
    assert in_doubt == [bool(asked)]


def test_reading_needs_no_claim() -> None:
    assert asyncio.run(_send("GET", lambda: False)) == (["GET"], [])


@pytest.mark.django_db(transaction=True)
def test_of_schedulers_that_wake_at_once_one_asks(stage: Stage) -> None:
    stage.connect(A)
    stage.now += timedelta(hours=1)
    start, connection = Barrier(4), stage.connection(A)

    def take() -> bool:
        start.wait()
        try:
            return _take_turn(connection, stage.now)
        finally:
            database.close()

    with ThreadPoolExecutor(4) as schedulers:
        turns = [one.result() for one in [schedulers.submit(take) for _ in range(4)]]
    assert sorted(turns) == [False, False, False, True]


@pytest.mark.django_db(transaction=True)
def test_what_was_said_is_kept_although_its_link_is_gone(stage: Stage) -> None:
    """A webhook told of our own creation before its answer came: that sighting vanishes with the round's settling."""
    stage.connect(A)
    record = ExchangeRecord(AT, "GET", "https://system.example/1", "", 200, "{}", 0.1)
    keep_exchanges(stage.connection(A), [Call(record, str(uuid.uuid4()), None)])
    assert Exchange.objects.get(url=record.url).link_id is None
    assert sync.run_round(stage.connection(A)).worked == 0
