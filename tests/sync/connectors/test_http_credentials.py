"""Credentials go to the system that they are for, and to no other origin, whoever names it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from apps.foundation.outbound import OutboundGuard
from apps.sync.connectors.base import AccessRefused
from apps.sync.connectors.http import VendorHttp

from .served_system import System, fine, opened, play, serving

Scenario = Callable[[VendorHttp, System, System], Awaitable[None]]


def beside_another(scenario: Scenario, **options: Any) -> None:
    """A client of one system, while another one listens on the same host and the guard lets both be called."""

    async def run() -> None:
        async with serving(fine) as other, serving(fine) as system:
            guard = OutboundGuard([f"127.0.0.1:{system.port}", f"127.0.0.1:{other.port}"])
            siblings = [address.format(port=other.port) for address in options.get("siblings", ())]
            async with opened(system.client(guard=guard, siblings=siblings)) as client:
                await scenario(client, system, other)

    asyncio.run(run())


def test_a_signed_call_to_another_port_is_refused_before_it_is_sent() -> None:
    async def scenario(client: VendorHttp, system: System, other: System) -> None:
        for method in ("GET", "POST"):
            with pytest.raises(AccessRefused, match="credentials") as refusal:
                await client.request(method, f"http://127.0.0.1:{other.port}/base/ticket")
            assert not refusal.value.is_unknown
        assert (system.asked, other.asked, system.records) == ([], [], [])

    beside_another(scenario)


def test_an_unsigned_call_goes_there_without_credentials() -> None:
    async def scenario(client: VendorHttp, _system: System, other: System) -> None:
        await client.request("GET", f"http://127.0.0.1:{other.port}/grant", signed=False)
        (asked,) = other.asked
        assert "Authorization" not in asked.headers

    beside_another(scenario)


def test_another_address_of_the_same_system_gets_them() -> None:
    async def scenario(client: VendorHttp, _system: System, other: System) -> None:
        await client.request("GET", f"http://127.0.0.1:{other.port}/identities")
        (asked,) = other.asked
        assert asked.headers["Authorization"] == "Bearer first"

    beside_another(scenario, siblings=["http://127.0.0.1:{port}/somewhere"])


def test_an_absolute_address_of_the_system_itself_gets_them() -> None:
    async def scenario(system: System) -> None:
        async with opened(system.client()) as client:
            await client.request("GET", f"http://127.0.0.1:{system.port}/elsewhere")
        (asked,) = system.asked
        assert (asked.path, asked.headers["Authorization"]) == ("/elsewhere", "Bearer first")

    play(fine, scenario)


@pytest.mark.parametrize(
    "address", ["https://127.0.0.1:{port}/x", "http://localhost:{port}/x", "http://127.0.0.1:{port}@evil.example/x"]
)
def test_a_like_address_is_not_the_same_origin(address: str) -> None:
    async def scenario(system: System) -> None:
        async with opened(system.client()) as client:
            with pytest.raises(AccessRefused, match="credentials"):
                await client.request("GET", address.format(port=system.port))
        assert system.asked == []

    play(fine, scenario)


@pytest.mark.parametrize(
    ("base", "address"),
    [("http://10.0.0.1", "http://10.0.0.1:80/x"), ("https://10.0.0.1:443/base", "https://10.0.0.1/x")],
)
def test_a_port_that_goes_without_saying_is_the_same_origin(base: str, address: str) -> None:
    """The guard refuses this host, and nothing else does."""

    async def scenario(system: System) -> None:
        async with opened(system.client(base_url=base)) as client:
            with pytest.raises(AccessRefused) as refusal:
                await client.request("GET", address)
        assert "credentials" not in refusal.value.detail

    play(fine, scenario)


@pytest.mark.parametrize("address", ["http://[::1", "http://127.0.0.1:99999/x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    async def scenario(system: System) -> None:
        async with opened(system.client()) as client:
            with pytest.raises(AccessRefused):
                await client.request("GET", address)

    play(fine, scenario)


def test_a_file_on_another_host_is_fetched_unsigned() -> None:
    async def scenario(client: VendorHttp, _system: System, other: System) -> None:
        address = f"http://127.0.0.1:{other.port}/file"
        assert b"".join([part async for part in client.stream(address)]) == b'{"ok": true}'
        (asked,) = other.asked
        assert "Authorization" not in asked.headers

    beside_another(scenario)
