"""Failures tell whether a write may have happened; notices are what an instance really sends."""

import asyncio
import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from apps.sync.connectors.base import (
    AccessRefused,
    Draft,
    Note,
    NoticeRefused,
    NoticeRequest,
    RateLimited,
    SignInFailed,
    TicketGone,
    Unreachable,
    Upload,
    VendorFault,
)
from apps.sync.connectors.servicenow.connector import ServiceNowConnector
from apps.sync.engine.snapshot import ExternalRef, Visibility

from .servicenow_instance import Instance, on_instance

MARK = "siam-3f2a9c0d41b7"
OTHER = "siam-000000000002"
DRAFT = Draft("incident", {"short_description": "VPN drops", "description": "Client **5.1**", "u_site": "berlin"})


def upload(folder: Path, content: bytes, name: str = "Übersicht.txt", size: int | None = None) -> Upload:
    path = folder / "content"
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return Upload(name, "text/plain", len(content) if size is None else size, digest, path)


class TestFailures:
    @pytest.mark.parametrize(
        ("fault", "expected", "is_unknown"),
        [
            ({"kind": "down"}, Unreachable, True),
            ({"kind": "lost_response"}, Unreachable, True),
            ({"kind": "html"}, VendorFault, True),
            ({"kind": "status", "status": 500}, VendorFault, True),
            ({"kind": "status", "status": 503}, VendorFault, False),
            ({"kind": "status", "status": 401}, SignInFailed, False),
            ({"kind": "status", "status": 403}, AccessRefused, False),
        ],
    )
    def test_tell_whether_the_write_may_have_happened(
        self, fault: dict[str, Any], expected: type[Exception], is_unknown: bool
    ) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            await connector.schema()
            instance.sandbox.faults.add(times=1, method="POST", **fault)
            with pytest.raises(expected) as failure:
                await connector.create(DRAFT, MARK)
            assert failure.value.is_unknown is is_unknown  # type: ignore[attr-defined]
            found = await connector.find(MARK)
            assert (found is not None) is (fault["kind"] == "lost_response")

        on_instance(play)

    def test_a_rate_limit_says_how_long(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            instance.sandbox.faults.add(kind="status", status=429, retry_after=7, times=1)
            with pytest.raises(RateLimited) as limit:
                await connector.find(MARK)
            assert limit.value.retry_after == 7

        on_instance(play)

    @pytest.mark.parametrize("verb", ["comment", "attachment"])
    def test_a_lost_answer_is_settled_by_looking(self, verb: str, tmp_path: Path) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            method = "PATCH" if verb == "comment" else "POST"
            instance.sandbox.faults.add(kind="lost_response", method=method, times=1)
            write = (
                connector.add_comment(ref, Note("once", Visibility.PUBLIC), OTHER)
                if verb == "comment"
                else connector.add_attachment(ref, upload(tmp_path, b"once"), OTHER)
            )
            with pytest.raises(Unreachable) as failure:
                await write
            assert failure.value.is_unknown
            found = await connector.find(OTHER, ref)
            assert found is not None
            assert len(instance.sandbox.true_state()["tickets"][0][f"{verb}s"]) == 1

        on_instance(play)

    def test_a_comment_whose_id_cannot_be_read_is_unknown_and_not_undone(self) -> None:
        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            ref = (await connector.create(DRAFT, MARK)).ref
            instance.sandbox.faults.add(kind="status", status=429, path="sys_journal_field", times=1)
            with pytest.raises(RateLimited) as failure:
                await connector.add_comment(ref, Note("once", Visibility.PUBLIC), OTHER)
            assert failure.value.is_unknown
            assert await connector.find(OTHER, ref) is not None

        on_instance(play)

    @pytest.mark.parametrize("sys_id", ["0" * 32, "../sys_user", "INC0010001"])
    def test_an_unknown_ticket_is_gone(self, sys_id: str) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            with pytest.raises(TicketGone):
                await connector.fetch(ExternalRef(sys_id))

        on_instance(play)

    @pytest.mark.parametrize("status", [200, 503])
    def test_a_hibernating_instance_is_no_answer(self, status: int) -> None:
        async def play(_: Instance, connector: ServiceNowConnector) -> None:
            with pytest.raises(VendorFault):
                await connector.check()

        on_instance(play, hibernating_status=status)


class TestNotices:
    def test_that_an_instance_really_sends_are_believed(self) -> None:
        secret = "the connection's secret"
        received: list[NoticeRequest] = []

        async def take(request: web.Request) -> web.Response:
            headers = {name.lower(): value for name, value in request.headers.items()}
            received.append(NoticeRequest(headers, await request.read(), datetime.now(UTC), (secret,)))
            return web.Response(status=202)

        async def play(instance: Instance, connector: ServiceNowConnector) -> None:
            app = web.Application()
            app.router.add_post("/notices", take)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                url = f"http://127.0.0.1:{runner.addresses[0][1]}/notices"
                target = {"url": url, "secret": base64.b64encode(secret.encode()).decode(), "table": "incident"}
                await instance.as_admin("POST", "/api/now/v2/table/x_siam_notice_target", json=target)
                sys_id = await instance.report(short_description="Größe")
                for _ in range(200):
                    if received:
                        break
                    await asyncio.sleep(0.01)
                hint = connector.read_notice(received[0])
                snapshot = await connector.fetch(hint.refs[0])
                assert (snapshot.ref.id, snapshot.ref.key) == (sys_id, hint.refs[0].key)
                assert hint.delivery_id
                with pytest.raises(NoticeRefused):
                    connector.read_notice(replace(received[0], secrets=("another",)))
            finally:
                await runner.cleanup()

        on_instance(play)
