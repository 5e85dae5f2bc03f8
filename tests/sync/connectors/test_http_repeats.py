"""Reads that a system refuses for the moment are made once more, writes never (INV-15, INV-33)."""

import pytest
from aiohttp import web

from apps.sync.connectors.base import ConnectorError, VendorFault
from apps.sync.connectors.http import OpenGate

from .served_system import Handler, System, answering, fine, opened, play


class Patient(OpenGate):
    """Lets everything be made once more."""

    async def may_repeat(self, refused: ConnectorError) -> bool:
        return True


def refusing_once(status: int) -> Handler:
    refused: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if refused:
            return await fine(request)
        refused.append(request)
        return web.Response(status=status)

    return answer


@pytest.mark.parametrize("status", [429, 503])
def test_a_read_is_made_once_more_where_the_gate_lets_it(status: int) -> None:
    async def scenario(system: System) -> None:
        async with opened(system.client(gate=Patient())) as client:
            assert (await client.request("GET", "ticket")).json() == {"ok": True}
        assert [record.status for record in system.records] == [status, 200]

    play(refusing_once(status), scenario)


def test_a_read_is_made_once_more_and_not_for_ever() -> None:
    async def scenario(system: System) -> None:
        async with opened(system.client(gate=Patient())) as client:
            with pytest.raises(VendorFault):
                await client.request("GET", "ticket")
        assert len(system.asked) == 2

    play(answering(503), scenario)


def test_a_write_is_not_repeated_for_what_it_was_built_on_may_be_old() -> None:
    async def scenario(system: System) -> None:
        async with opened(system.client(gate=Patient())) as client:
            with pytest.raises(VendorFault):
                await client.request("PATCH", "ticket")
        assert len(system.asked) == 1

    play(refusing_once(503), scenario)


def test_nothing_is_repeated_against_the_will_of_the_gate() -> None:
    async def scenario(system: System) -> None:
        async with opened(system.client()) as client:
            with pytest.raises(VendorFault):
                await client.request("GET", "ticket")
        assert len(system.asked) == 1

    play(refusing_once(503), scenario)
