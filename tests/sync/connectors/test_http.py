"""The HTTP client of all connectors, against a server on loopback that behaves as badly as remote systems do."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web

from apps.foundation.outbound import OutboundGuard
from apps.sync.connectors import http
from apps.sync.connectors.base import (
    UNSAID,
    AccessRefused,
    ConnectorError,
    RateLimited,
    Rejected,
    SignInFailed,
    Unreachable,
    VendorFault,
)
from apps.sync.connectors.http import (
    Answer,
    read_failure,
    read_retry_after,
)

from .served_system import (
    NOW,
    Handler,
    System,
    accept_renewed,
    answering,
    cut,
    cut_in_the_middle,
    fine,
    free_port,
    opened,
    play,
    serving,
)


class TestRequests:
    def test_go_below_the_base_address_with_the_sign_in(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                answer = await client.request("POST", "/rest/ticket", params={"a": "1 2"}, json={"x": "ü"})
            assert answer.json() == {"ok": True}
            (asked,) = system.asked
            assert (asked.method, asked.path, asked.query["a"]) == ("POST", "/base/rest/ticket", "1 2")
            assert asked.headers["Authorization"] == "Bearer first"
            assert asked.headers["User-Agent"] == "siamportal"

        play(fine, scenario)

    def test_bear_no_sign_in_when_they_are_not_signed(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                await client.request("GET", "token", signed=False)
            assert "Authorization" not in system.asked[0].headers

        play(fine, scenario)

    def test_keep_no_cookies(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                await client.request("GET", "one")
                await client.request("GET", "two")
            assert "Cookie" not in system.asked[1].headers

        play(answering(200, "{}", Set_Cookie="session=1; Path=/"), scenario)

    def test_follow_no_redirect(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                with pytest.raises(VendorFault):
                    await client.request("GET", "moved")
            assert len(system.asked) == 1

        play(answering(302, Location="/elsewhere"), scenario)

    def test_need_an_open_client(self) -> None:
        async def scenario(system: System) -> None:
            with pytest.raises(RuntimeError, match="outside its async context"):
                await system.client().request("GET", "x")

        play(fine, scenario)


class TestAddresses:
    def test_that_are_not_allowed_get_no_request(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client(guard=OutboundGuard())) as client:
                with pytest.raises(AccessRefused, match="SIAM_OUTBOUND_ALLOW"):
                    await client.request("GET", "x")
                with pytest.raises(AccessRefused):
                    _ = [part async for part in client.stream("x")]
            assert system.asked == []

        play(fine, scenario)

    def test_behind_a_name_are_judged_when_it_is_resolved(self) -> None:
        async def scenario(system: System) -> None:
            refused = system.client(guard=OutboundGuard(), base_url=f"https://localhost:{system.port}/")
            async with opened(refused) as client:
                with pytest.raises(AccessRefused, match="localhost"):
                    await client.request("POST", "x")
                with pytest.raises(AccessRefused, match="localhost"):
                    _ = [part async for part in client.stream("x")]
            assert system.asked == []

        play(fine, scenario)

    def test_in_an_answer_are_judged_like_any_other(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                for address in ("http://169.254.169.254/latest", "https://10.0.0.1/x", "file:///etc/passwd"):
                    with pytest.raises(AccessRefused):
                        await client.request("GET", address)

        play(fine, scenario)


async def never(_request: web.Request) -> web.Response:
    await asyncio.sleep(3)
    return web.Response()


class TestLostAnswers:
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    @pytest.mark.parametrize("behavior", [cut, cut_in_the_middle])
    def test_leave_a_write_in_doubt_and_are_not_sent_again(self, method: str, behavior: Handler) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                with pytest.raises(Unreachable) as failure:
                    await client.request(method, "ticket", json={"x": 1})
            assert failure.value.is_unknown
            assert len(system.asked) == 1

        play(behavior, scenario)

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    def test_on_a_kept_connection_are_not_sent_again_either(self, method: str) -> None:
        async def first_fine_then_cut(request: web.Request) -> web.StreamResponse:
            return await (fine(request) if request.path.endswith("/first") else cut(request))

        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                await client.request("GET", "first")
                with pytest.raises(Unreachable) as failure:
                    await client.request(method, "second", data=b"x")
            assert failure.value.is_unknown
            assert [asked.path for asked in system.asked] == ["/base/first", "/base/second"]

        play(first_fine_then_cut, scenario)

    def test_leave_no_doubt_about_a_read(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                with pytest.raises(Unreachable) as failure:
                    await client.request("GET", "ticket")
            assert not failure.value.is_unknown

        play(cut, scenario)

    def test_by_a_deadline_leave_a_write_in_doubt(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client(deadline=0.05)) as client:
                with pytest.raises(Unreachable) as failure:
                    await client.request("POST", "ticket")
            assert failure.value.is_unknown

        play(never, scenario)

    def test_end_before_the_deadline_when_the_system_keeps_silent(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client(deadline=2.0)) as client:
                began = time.monotonic()
                with pytest.raises(Unreachable):
                    await client.request("GET", "ticket")
            assert 0.9 <= time.monotonic() - began < 1.8

        play(never, scenario)

    def test_of_a_slow_drip_end_at_the_deadline(self) -> None:
        async def drip(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.005)

        async def scenario(system: System) -> None:
            async with opened(system.client(deadline=0.2)) as client:
                with pytest.raises(Unreachable):
                    await client.request("GET", "ticket")

        play(drip, scenario)

    def test_are_certain_when_nobody_listens(self) -> None:
        async def run() -> None:
            system = System(free_port())
            async with opened(system.client()) as client:
                with pytest.raises(Unreachable) as failure:
                    await client.request("POST", "ticket")
            assert not failure.value.is_unknown

        asyncio.run(run())

    def test_that_are_too_large_are_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http, "LARGEST_ANSWER", 1000)

        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                with pytest.raises(VendorFault, match="more than 1000 bytes") as failure:
                    await client.request("POST", "ticket")
            assert failure.value.is_unknown

        play(answering(200, "x" * 1001), scenario)


class TestForeignAnswers:
    @pytest.mark.parametrize("body", ["<html>busy</html>", '{"cut": ', "", "\xff"])
    def test_are_faults_in_doubt(self, body: str) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                answer = await client.request("POST", "ticket")
            with pytest.raises(VendorFault) as failure:
                answer.json()
            assert failure.value.is_unknown

        play(answering(200, body), scenario)

    @pytest.mark.parametrize(
        ("status", "kind", "is_unknown"),
        [
            (301, VendorFault, True),
            (400, ConnectorError, False),
            (401, SignInFailed, False),
            (403, AccessRefused, False),
            (404, ConnectorError, False),
            (408, Unreachable, False),
            (425, Unreachable, False),
            (429, RateLimited, False),
            (500, VendorFault, True),
            (502, VendorFault, True),
            (503, VendorFault, False),
            (504, VendorFault, True),
        ],
    )
    def test_say_by_their_status_what_happened(self, status: int, kind: type[ConnectorError], is_unknown: bool) -> None:
        failure = read_failure(Answer(status, {}, b'{"message": "no"}'))
        assert type(failure) is kind
        assert failure.is_unknown is is_unknown
        assert str(status) in failure.detail

    def test_of_a_service_that_says_when_to_come_back_are_limits(self) -> None:
        failure = read_failure(Answer(503, {"retry-after": "9"}, b""))
        assert isinstance(failure, RateLimited)
        assert failure.retry_after == 9

    def test_are_read_in_the_systems_own_sense_first(self) -> None:
        def classify(answer: Answer) -> ConnectorError | None:
            return Rejected("too long", field="summary") if answer.status == 400 else None

        async def scenario(system: System) -> None:
            async with opened(system.client(classify=classify)) as client:
                with pytest.raises(Rejected) as failure:
                    await client.request("POST", "ticket")
            assert failure.value.field == "summary"

        play(answering(400, "{}"), scenario)

    def test_that_the_caller_expects_are_no_failures(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                answer = await client.request("GET", "ticket", accept=frozenset({404}))
            assert answer.status == 404

        play(answering(404), scenario)


class TestWaitingTimes:
    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("7", 7),
            ("1.5", 1.5),
            ("0", 1),
            ("-5", 1),
            ("1000000000", 3600),
            ("inf", 3600),
            ("nan", 0),
            ("", 0),
            ("soon", 0),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 1),
            ("Fri, 99 Foo 2026 00:00:00 GMT", 0),
        ],
    )
    def test_are_bounded(self, header: str, seconds: float) -> None:
        assert read_retry_after({"retry-after": header}) == seconds

    def test_may_be_given_as_a_date(self) -> None:
        later = format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
        assert 500 < read_retry_after({"retry-after": later}) <= 600

    def test_need_not_be_given(self) -> None:
        assert read_retry_after({}) == UNSAID


class TestExpiredTokens:
    def test_are_renewed_once_for_all_calls_that_met_them(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client(renew=system.renew)) as client:
                answers = await asyncio.gather(*(client.request("GET", f"ticket/{number}") for number in range(8)))
            assert [answer.status for answer in answers] == [200] * 8
            assert system.renewals == 1

        play(accept_renewed, scenario)

    def test_are_tried_once_more_and_not_for_ever(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client(renew=system.renew)) as client:
                with pytest.raises(SignInFailed):
                    await client.request("GET", "ticket")
            assert (len(system.asked), system.renewals) == (2, 1)

        play(answering(401), scenario)

    def test_that_cannot_be_renewed_are_told(self) -> None:
        async def refuse() -> bool:
            return False

        async def scenario(system: System) -> None:
            async with opened(system.client(renew=refuse)) as client:
                with pytest.raises(SignInFailed):
                    await client.request("GET", "ticket")
            assert len(system.asked) == 1

        play(answering(401), scenario)

    def test_do_not_empty_the_file_that_is_sent_again(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client(renew=system.renew)) as client:
                await client.request("POST", "file", data=lambda: iter_once(b"content"))
            assert system.bodies == [b"content", b"content"]

        play(accept_renewed, scenario)

    def test_are_renewed_for_downloads_too(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client(renew=system.renew)) as client:
                assert b"".join([part async for part in client.stream("file")]) == b'"file"'
            assert (len(system.asked), system.renewals) == (2, 1)

        play(accept_renewed, scenario)


async def iter_once(content: bytes) -> AsyncIterator[bytes]:
    yield content


class TestDownloads:
    def test_come_in_whole(self) -> None:
        content = bytes(range(256)) * 1000

        async def give(_request: web.Request) -> web.Response:
            return web.Response(body=content)

        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                assert b"".join([part async for part in client.stream("file", params={"id": "1"})]) == content

        play(give, scenario)

    def test_that_are_cut_are_never_taken_for_whole(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                with pytest.raises(Unreachable):
                    _ = [part async for part in client.stream("file")]

        play(cut_in_the_middle, scenario)

    def test_that_are_refused_say_why(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                with pytest.raises(AccessRefused):
                    _ = [part async for part in client.stream("file")]

        play(answering(403), scenario)

    def test_take_no_credentials_to_another_host(self) -> None:
        async def run() -> None:
            async with serving(answering(200, "content")) as store:

                async def lead_away(_request: web.Request) -> web.Response:
                    return web.Response(status=302, headers={"Location": f"http://127.0.0.1:{store.port}/signed?x=1"})

                async with serving(lead_away) as system:
                    guard = OutboundGuard([f"127.0.0.1:{system.port}", f"127.0.0.1:{store.port}"])
                    async with opened(system.client(guard=guard)) as client:
                        content = b"".join([part async for part in client.stream("file", params={"id": "1"})])
            assert content == b"content"
            assert "Authorization" in system.asked[0].headers
            assert "Authorization" not in store.asked[0].headers
            assert store.asked[0].query_string == "x=1"

        asyncio.run(run())

    def test_keep_the_sign_in_on_their_own_host(self) -> None:
        async def move_once(request: web.Request) -> web.Response:
            moved = request.path == "/base/file"
            return web.Response(status=302, headers={"Location": "/moved"}) if moved else web.Response(text="here")

        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                assert b"".join([part async for part in client.stream("file")]) == b"here"
            assert system.asked[1].headers["Authorization"] == "Bearer first"

        play(move_once, scenario)

    @pytest.mark.parametrize("location", ["http://10.0.0.1/x", "http://169.254.169.254/latest", "file:///etc/passwd"])
    def test_are_not_led_to_forbidden_addresses(self, location: str) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                with pytest.raises(AccessRefused):
                    _ = [part async for part in client.stream("file")]

        play(answering(302, Location=location), scenario)

    @pytest.mark.parametrize("location", ["/base/file", "", "http://[::1"])
    def test_that_are_led_nowhere_fail(self, location: str) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                with pytest.raises(VendorFault, match="redirected"):
                    _ = [part async for part in client.stream("file")]
            assert len(system.asked) <= 4

        play(answering(302, Location=location), scenario)


class TestRecords:
    def test_tell_what_was_said_without_what_is_secret(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                await client.request("POST", "token?access_token=s3cret", json={"client_secret": "s3cret", "a": "b"})
            (record,) = system.records
            assert (record.at, record.method, record.status) == (NOW, "POST", 200)
            assert "s3cret" not in record.url + record.request + record.answer
            assert '"a": "b"' in record.request

        play(answering(200, '{"refresh_token": "s3cret", "expires": 60}'), scenario)

    def test_are_kept_of_failures_too(self) -> None:
        async def scenario(system: System) -> None:
            async with opened(system.client()) as client:
                with pytest.raises(Unreachable):
                    await client.request("POST", "ticket")
            (record,) = system.records
            assert record.status is None
            assert "Disconnected" in record.answer or "reset" in record.answer

        play(cut, scenario)
