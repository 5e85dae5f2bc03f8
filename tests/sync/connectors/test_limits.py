"""What systems say of their own limits on calls is heard, in each one's own headers."""

import asyncio
from typing import Any

import pytest

from apps.sync.connectors.jira.failures import read_limit as read_jira
from apps.sync.connectors.servicenow.client import read_limit as read_servicenow
from apps.sync.connectors.zendesk.connector import ZendeskConnector
from apps.sync.connectors.zendesk.failures import read_limit as read_zendesk

from .vendor_replay import RecordingGate, Replay

BUCKET = {"x-ratelimit-limit": "120", "x-ratelimit-interval-seconds": "10", "x-ratelimit-fillrate": "5"}


@pytest.mark.parametrize(
    ("read", "headers", "limit"),
    [
        (read_zendesk, {"x-rate-limit": "700", "x-rate-limit-remaining": "699"}, (700, 60.0)),
        (read_zendesk, {"x-rate-limit": "a few"}, None),
        (read_servicenow, {"x-ratelimit-limit": "1000", "x-ratelimit-reset": "1763632800"}, (1000, 3600.0)),
        (read_servicenow, {}, None),
        (read_jira, BUCKET, (30, 60.0)),
        (read_jira, {"x-ratelimit-limit": "100", "x-ratelimit-reset": "2026-11-20T15:00Z"}, None),
        (read_jira, BUCKET | {"x-ratelimit-interval-seconds": "0"}, None),
    ],
)
def test_a_limit_is_read_from_the_headers(read: Any, headers: dict[str, str], limit: tuple[int, float] | None) -> None:
    assert read(headers) == limit


def test_a_limit_named_in_an_answer_reaches_the_gate() -> None:
    gate, replay = RecordingGate(), Replay()
    replay.answers("GET", "/api/v2/tickets", {"tickets": []}, headers={"X-Rate-Limit": "200"})

    async def go() -> None:
        async with replay:
            settings = {"sign_in": "api_token", "email": "siam-sync@mercuri.example"}
            context = replay.context(settings, {"api_token": "token-1"}, gate=gate)
            async with ZendeskConnector(context) as connector:
                await connector.find("siam-1a2b")

    asyncio.run(go())
    assert gate.told == {(200, 60.0)}
