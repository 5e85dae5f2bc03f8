"""Conformance: a webhook proves where it comes from, or it is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from apps.sync.connectors.base import Connector, NoticeRefused, NoticeRequest
from apps.sync.engine.snapshot import ExternalRef

from .conformance_case import ConformanceCase, create, needs, scenario
from .system_under_test import SystemUnderTest

SECRET = "a-long-shared-secret-of-this-connection"
NEW_SECRET = "the-secret-that-takes-its-place-soon"
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


class NoticeConformance(ConformanceCase):
    @scenario
    async def test_a_proven_notice_names_its_ticket(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector)
        hint = connector.read_notice(self._notice(system, ref))
        assert [named.id for named in hint.refs] == [ref.id]

    @scenario
    async def test_a_delivery_keeps_its_id_when_it_is_repeated(self, system: SystemUnderTest, connector: Connector):
        request = self._notice(system, await create(system, connector))
        first, again = connector.read_notice(request), connector.read_notice(request)
        assert first.delivery_id == again.delivery_id != ""

    @scenario
    async def test_a_forged_notice_is_refused(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector)
        forged = replace(system.notice(ref, "a-secret-that-was-guessed", NOW), secrets=(SECRET,))
        self._refuses(connector, forged)

    @scenario
    async def test_an_altered_notice_is_refused(self, system: SystemUnderTest, connector: Connector):
        needs(system.notice_is_signed, "the proof does not cover the body")
        request = self._notice(system, await create(system, connector))
        self._refuses(connector, replace(request, body=request.body + b" "))

    @scenario
    async def test_a_notice_replayed_late_is_refused(self, system: SystemUnderTest, connector: Connector):
        needs(system.notice_expires, "the proof does not cover the time of sending")
        request = self._notice(system, await create(system, connector))
        self._refuses(connector, replace(request, received_at=NOW + timedelta(hours=1)))
        self._refuses(connector, replace(request, received_at=NOW - timedelta(hours=1)))

    @scenario
    async def test_both_secrets_are_good_while_they_rotate(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector)
        for secret in (SECRET, NEW_SECRET):
            request = replace(system.notice(ref, secret, NOW), secrets=(NEW_SECRET, SECRET))
            assert [named.id for named in connector.read_notice(request).refs] == [ref.id]
        self._refuses(connector, replace(system.notice(ref, SECRET, NOW), secrets=(NEW_SECRET,)))

    @scenario
    async def test_without_a_secret_nothing_is_proven(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector)
        self._refuses(connector, replace(self._notice(system, ref), secrets=()))
        self._refuses(connector, replace(system.notice(ref, "", NOW), secrets=()))

    @scenario
    async def test_a_notice_without_proof_is_refused(self, system: SystemUnderTest, connector: Connector):
        request = self._notice(system, await create(system, connector))
        self._refuses(connector, replace(request, headers={"content-type": "application/json"}))
        self._refuses(connector, replace(request, headers=dict.fromkeys(request.headers, "")))
        self._refuses(connector, replace(request, headers=dict.fromkeys(request.headers, "ünlesbar\x00")))

    @scenario
    async def test_a_proven_notice_that_makes_no_sense_is_refused(self, system: SystemUnderTest, connector: Connector):
        ref = await create(system, connector)
        for body in (b"", b"{", b"[]", b"null", b'{"a": 1}', b"\xff\xfe\x00", b"[" * 5000):
            self._refuses(connector, system.notice(ref, SECRET, NOW, body))

    def _notice(self, system: SystemUnderTest, ref: ExternalRef) -> NoticeRequest:
        return system.notice(ref, SECRET, NOW)

    def _refuses(self, connector: Connector, request: NoticeRequest) -> None:
        with pytest.raises(NoticeRefused):
            connector.read_notice(request)
