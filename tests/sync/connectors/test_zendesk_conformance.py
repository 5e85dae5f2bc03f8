"""The Zendesk connector against the conformance suite, with the Zendesk sandbox behind it."""

from dataclasses import replace
from typing import Any

import pytest

from apps.sync.connectors.base import Rejected
from apps.sync.connectors.richtext import canonical

from .conformance import ConnectorConformance, LongWayConformance
from .conformance_case import create, scenario, visible
from .zendesk_account import ZendeskUnderTest


class TestZendeskConformance(ConnectorConformance):
    """Zendesk never changes a description, so texts come to rest from one created ticket to the next."""

    def make_system(self) -> ZendeskUnderTest:
        return ZendeskUnderTest()

    @scenario
    async def test_long_texts_are_in_the_log_as_they_are_read(self, system: ZendeskUnderTest, connector: Any) -> None:
        name = system.vocabulary.description
        ref = await create(system, connector, {name: "First text"})
        with pytest.raises(Rejected) as refusal:
            await connector.update(ref, {name: "Second"}, expected=None, correlation="siam-77aa00c1d2e3")
        assert refusal.value.field == name
        assert await connector.changes(ref, None) == ()

    async def _settles_in_a_field(
        self, system: ZendeskUnderTest, connector: Any, _ref: Any, text: str, number: int
    ) -> None:
        name = system.vocabulary.description
        made = await create(system, connector, {name: text}, f"siam-0000000000{number:02}")
        first = (await connector.fetch(made)).fields[name]
        assert first == canonical(first)
        assert visible(first) == visible(text)
        again = await create(system, connector, {name: first}, f"siam-1000000000{number:02}")
        assert (await connector.fetch(again)).fields[name] == first


class ClosingUnderTest(ZendeskUnderTest):
    """The same account, where a ticket is closed by way of solved."""

    vocabulary = replace(ZendeskUnderTest.vocabulary, resolved="closed")


class TestZendeskLongWay(LongWayConformance):
    def make_system(self) -> ClosingUnderTest:
        return ClosingUnderTest()
