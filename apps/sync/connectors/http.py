"""The one HTTP client of all connectors: total deadlines, bounded bodies, no redirects, guarded addresses.

It raises the failures that every HTTP service shares, and redacts what it records; what a vendor means by its own codes
is that vendor's ``classify``.
"""

import asyncio
import json as jsonlib
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from apps.foundation.outbound import AddressRefused, OutboundGuard

from ..crashpoints import reached
from .base import (
    UNSAID,
    AccessRefused,
    CallsSpent,
    ConnectorError,
    RateLimited,
    SignInFailed,
    Unreachable,
    VendorFault,
)

USER_AGENT = "siamportal"
DEADLINE_SECONDS = 60.0
CONNECT_SECONDS = 10.0
SILENT_SHARE = 0.5
"""So much of a call's deadline a system may let pass without a byte. One that hangs is given up then; one that answers
slowly has the rest to end."""
LARGEST_ANSWER = 64 * 1024 * 1024
LONGEST_WAIT = 3600.0
SHOWN_BODY = 2000
CHUNK = 64 * 1024
MOST_REDIRECTS = 3
DEFAULT_PORTS = {"http": 80, "https": 443}

TRANSPORT_FAILURES = (aiohttp.ClientError, TimeoutError, OSError, AddressRefused)
"""What a call without an answer raises; a name that leads to a refused address shows only when it is resolved."""

READS = ("GET", "HEAD", "OPTIONS")
MAY_WRITE: ContextVar[Callable[[], bool]] = ContextVar("may_write", default=lambda: True)
"""Asked at the last moment before a request that may write: a worker that was frozen may have been replaced (F51)."""

_SECRET_HEADER = re.compile(r"authorization|cookie|token|api-?key|apikey|secret|signature", re.I)
_SECRET_WORDS = (
    *("token", "secret", "password", "api_key", "apikey", "authorization", "assertion"),
    *("signature=", "sig=", "code=", "jwt="),
)
_SECRET_MEMBER = re.compile(
    # A string that was cut off has no closing quote, and is a secret all the same.
    r'("(?:[^"]*(?:token|secret|password|api_?key|authorization|assertion)[^"]*)"\s*:\s*)"(?:[^"\\]|\\.)*(?:"|\\?$)'
    r"|((?:token|secret|password|api_?key|assertion|signature|(?<![\w-])(?:sig|code|jwt))=)[^&\s\"]+",
    re.I,
)


@dataclass(frozen=True, slots=True)
class ExchangeRecord:
    """One call as the operator may see it (T12): redacted, bodies cut at ``SHOWN_BODY`` characters."""

    at: datetime
    method: str
    url: str
    request: str
    status: int | None
    answer: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. ``json()`` raises VendorFault when the body is not JSON (a proxy's page, a cut body)."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        try:
            return jsonlib.loads(self.body)
        except ValueError as problem:
            kind = self.headers.get("content-type", "no content type")
            raise VendorFault(f"answered {self.status} with {kind} instead of JSON", is_unknown=True) from problem

    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def _forget(_record: ExchangeRecord) -> None:
    """The default recorder: keeps nothing."""


class Gate(Protocol):
    """Where every call of a connection waits for its turn, whichever worker makes it (INV-33)."""

    async def admit(self) -> float:
        """Wait until a call may be made; until when (monotonic) it may. Raises RateLimited when that takes long."""

    def close(self, seconds: float, detail: str) -> None:
        """The system asked to be left alone for so long."""

    def learn(self, calls: int, seconds: float) -> None:
        """The system said that it takes at most ``calls`` in ``seconds``."""

    async def may_repeat(self, refused: ConnectorError) -> bool:
        """Whether a read that was refused so may be made once more; True comes when it is time to."""


class OpenGate:
    """Lets every call through at once: for connectors made by hand."""

    async def admit(self) -> float:
        return math.inf

    def close(self, seconds: float, detail: str) -> None:
        """Nothing waits here."""

    def learn(self, calls: int, seconds: float) -> None:
        """Nothing is counted here."""

    async def may_repeat(self, refused: ConnectorError) -> bool:
        """Whoever made the connector by hand wants to see what it meets."""
        return False


async def _keep_nothing(_secrets: Mapping[str, str]) -> None:
    """The default keeper of renewed secrets: for connectors made by hand."""


@asynccontextmanager
async def _renew_alone() -> AsyncIterator[Mapping[str, str]]:
    """The default: nobody else uses the secrets."""
    yield {}


@dataclass(frozen=True, slots=True)
class Context:
    """All that a connector is made from. ``settings`` and ``secrets`` are read by the connector's own typed models.

    ``save_secrets`` must have stored renewed secrets durably before it returns: a rotated refresh token lost by a crash
    locks us out (INV-36). ``renewal`` lets one renewal happen at a time, over all processes, and yields the secrets as
    they are stored then: whoever had to wait takes over what the one before brought.
    """

    base_url: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(repr=False)
    guard: OutboundGuard
    record: Callable[[ExchangeRecord], None] = _forget
    save_secrets: Callable[[Mapping[str, str]], Awaitable[None]] = _keep_nothing
    renewal: Callable[[], AbstractAsyncContextManager[Mapping[str, str]]] = _renew_alone
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    gate: Gate = field(default_factory=OpenGate)


class VendorHttp:
    """A guarded session to one system.

    ``authorize`` returns the headers of a signed-in request; ``renew`` (for tokens that expire) gets a new token and
    says whether it did: a 401 is then tried once more. ``classify`` turns an answer that is not a success into a
    failure in the vendor's sense, or returns None to leave it to the shared reading. Credentials go to the connection's
    own origin and to those of ``siblings``, further addresses of the same system, and nowhere else. ``read_limit``
    finds in the headers of an answer how many calls the system takes in how many seconds, where it says so.
    """

    def __init__(
        self,
        context: Context,
        *,
        authorize: Callable[[], Awaitable[Mapping[str, str]]],
        renew: Callable[[], Awaitable[bool]] | None = None,
        classify: Callable[[Answer], ConnectorError | None] = lambda _answer: None,
        deadline: float = DEADLINE_SECONDS,
        siblings: Iterable[str] = (),
        read_limit: Callable[[Mapping[str, str]], tuple[int, float] | None] = lambda _headers: None,
    ) -> None:
        self._context = context
        self._authorize = authorize
        self._renew = renew
        self._renewing = asyncio.Lock()
        self._renewals = 0
        self._classify = classify
        self._read_limit = read_limit
        self._deadline = deadline
        self._origins = {_origin(address) for address in (context.base_url, *siblings)}
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=self._context.guard.resolver(), limit=128),
            timeout=aiohttp.ClientTimeout(
                total=self._deadline, connect=CONNECT_SECONDS, sock_read=self._deadline * SILENT_SHARE
            ),
            headers={"User-Agent": USER_AGENT},
            trust_env=False,
            trace_configs=[_last_moment()],
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        # aiohttp 3.14 sends GET, PUT and DELETE once more when a kept connection drops, without telling: a write that
        # took effect would be doubled. There is no public switch; the engine repeats, after looking.
        self._session._retry_connection = False

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def url(self, path: str) -> str:
        """``path`` below the connection's base address; an absolute address is returned as it is."""
        return path if "://" in path else self._context.base_url.rstrip("/") + "/" + path.lstrip("/")

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        accept: frozenset[int] = frozenset({200, 201, 202, 204}),
        signed: bool = True,
    ) -> Answer:
        """One call. Raises a ConnectorError for every status not in ``accept``, and AccessRefused for a signed call to
        an origin that is not the system's own.

        A read that the system refuses for the moment is made once more where the gate lets it: the reads before it
        need not be made again. A write is not: what it was built on may be old by then. ``data`` that can be read only
        once (a file) is opened by a callable, so that a renewed sign-in can send it again.
        """

        async def send() -> Answer:
            renewals = self._renewals
            answer = await self._send(method, path, params, json, data, headers, signed)
            if answer.status == 401 and signed and self._renew is not None and await self._renew_once(renewals):
                answer = await self._send(method, path, params, json, data, headers, signed)
            return answer

        answer = await send()
        is_refused_read = answer.status not in accept and method in READS
        if is_refused_read and await self._context.gate.may_repeat(self._failure(answer)):
            answer = await send()
        if answer.status in accept:
            if answer.headers.get("retry-after", "0").strip() != "0":
                # Azure DevOps asks so with good answers, before it refuses.
                self._context.gate.close(read_retry_after(answer.headers), "answered, and asked to be left alone")
            return answer
        raise self._failure(answer)

    def _failure(self, answer: Answer) -> ConnectorError:
        return self._classify(answer) or read_failure(answer)

    def _is_ours(self, url: str) -> bool:
        return _origin(url) in self._origins

    async def _renew_once(self, seen: int) -> bool:
        """One renewal for all calls that met the same expired token (INV-36)."""
        async with self._renewing:
            if self._renewals != seen:
                return True
            assert self._renew is not None
            renewed = await self._renew()
            self._renewals += renewed
            return renewed

    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        json: Any,
        data: Any,
        headers: Mapping[str, str] | None,
        signed: bool,
    ) -> Answer:
        url = self.url(path)
        if signed and not self._is_ours(url):
            raise AccessRefused(f"{redact(url)} is no address of this system: our credentials do not go there")
        sent = dict(await self._authorize()) if signed else {}
        sent.update(headers or {})
        body = data() if callable(data) else data
        admitted = await self._context.gate.admit()
        started, at = time.monotonic(), self._context.now()
        status, shown = None, ""
        try:
            async with self._call(method, url, admitted, params=params, json=json, data=body, headers=sent) as answer:
                status = answer.status
                read = await _read_answer(answer)
            if limit := self._read_limit(read.headers):
                self._context.gate.learn(*limit)
            reached("answered")
            shown = read.text()
            return read
        except ConnectorError as problem:
            shown = problem.detail
            raise
        except TRANSPORT_FAILURES as problem:
            shown = f"{type(problem).__name__}: {problem}"
            raise read_transport_failure(problem, method) from problem
        finally:
            request = jsonlib.dumps(json) if json is not None else ""
            self._context.record(
                ExchangeRecord(
                    at, method, redact(url), redact(request), status, redact(shown), time.monotonic() - started
                )
            )

    def _call(self, method: str, url: str, admitted: float, **rest: Any) -> Any:
        if self._session is None:
            raise RuntimeError("the connector is used outside its async context")
        try:
            self._context.guard.check_url(url)
        except AddressRefused as problem:
            raise AccessRefused(str(problem)) from problem
        return self._session.request(
            method, url, allow_redirects=False, trace_request_ctx=_Sending(method, admitted), **rest
        )

    async def stream(self, path: str, *, params: Mapping[str, str] | None = None) -> AsyncIterator[bytes]:
        """The bytes at ``path``. Redirects are followed, without credentials to another host, three at most."""
        url, redirects, renewals, renewed = self.url(path), 0, self._renewals, False
        try:
            while redirects <= MOST_REDIRECTS:
                signed = self._is_ours(url)
                headers = dict(await self._authorize()) if signed else {}
                admitted = await self._context.gate.admit()
                async with self._call("GET", url, admitted, params=params, headers=headers) as answer:
                    if answer.status in (301, 302, 303, 307, 308):
                        url, params, redirects = _target(answer), None, redirects + 1
                        continue
                    if answer.status in (200, 206):
                        async for chunk in answer.content.iter_chunked(CHUNK):
                            yield chunk
                        reached("answered")
                        return
                    failed = await _read_answer(answer)
                may_renew = failed.status == 401 and signed and self._renew is not None and not renewed
                renewed = may_renew and await self._renew_once(renewals)
                if not renewed:
                    raise self._failure(failed)
        except TRANSPORT_FAILURES as problem:
            raise read_transport_failure(problem, "GET") from problem
        raise VendorFault(f"the download was redirected more than {MOST_REDIRECTS} times")


class _Sending(NamedTuple):
    """A request on its way out, and until when (monotonic) its turn lasts."""

    method: str
    admitted: float


def _last_moment() -> aiohttp.TraceConfig:
    """Asks once more when the connection stands, and again when the body goes out: up to then nothing was sent.

    To wait for a connection may have taken long, and the body waits for its turn in the loop.
    """

    async def ask(_session: aiohttp.ClientSession, call: SimpleNamespace, _params: object) -> None:
        if call.trace_request_ctx.method not in READS and not MAY_WRITE.get()():
            raise Unreachable("the claim on this lane has lapsed; nothing was sent")

    async def begin(session: aiohttp.ClientSession, call: SimpleNamespace, params: object) -> None:
        reached("sending")
        if time.monotonic() > call.trace_request_ctx.admitted:
            raise CallsSpent("the turn to call passed before the connection stood; nothing was sent", retry_after=1.0)
        await ask(session, call, params)

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(begin)
    trace.on_connection_reuseconn.append(begin)
    trace.on_request_chunk_sent.append(ask)
    return trace


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: credentials for https must not follow a redirect to http on the same host."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:  # no address at all
        return "", url, None


def _target(answer: aiohttp.ClientResponse) -> str:
    try:
        return str(answer.url.join(URL(answer.headers.get("Location", ""))))
    except ValueError as problem:
        raise VendorFault("the download was redirected to something that is no address") from problem


async def _read_answer(answer: aiohttp.ClientResponse) -> Answer:
    parts, size = [], 0
    async for chunk in answer.content.iter_chunked(CHUNK):
        size += len(chunk)
        if size > LARGEST_ANSWER:
            raise VendorFault(f"answered {answer.status} with more than {LARGEST_ANSWER} bytes", is_unknown=True)
        parts.append(chunk)
    return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, b"".join(parts))


def read_transport_failure(problem: BaseException, method: str) -> ConnectorError:
    """A call without a usable answer. It is unknown unless the connection was never made or nothing is written."""
    if isinstance(problem, AddressRefused) or isinstance(problem.__cause__, AddressRefused):
        return AccessRefused(str(problem))
    never_sent = isinstance(problem, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    text = str(problem) or type(problem).__name__
    return Unreachable(f"no answer: {text}", is_unknown=not never_sent and method not in READS)


def read_failure(answer: Answer) -> ConnectorError:
    """What a status code means everywhere. 500, 502 and 504 may have taken effect; 503 and 429 have not."""
    detail = f"answered {answer.status}: {redact(answer.text())}"
    if answer.status == 401:
        return SignInFailed(detail)
    if answer.status == 403:
        return AccessRefused(detail)
    if answer.status == 429 or (answer.status == 503 and "retry-after" in answer.headers):
        return RateLimited(detail, retry_after=read_retry_after(answer.headers))
    if answer.status in (408, 425):
        return Unreachable(detail)
    if answer.status >= 500:
        return VendorFault(detail, is_unknown=answer.status != 503)
    if answer.status < 400:
        return VendorFault(f"answered {answer.status} where an answer to the request was due", is_unknown=True)
    return ConnectorError(detail)


def read_retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait, from seconds or an HTTP date, clamped to 1 s … 1 h (fault F8); UNSAID where neither is there."""
    raw = headers.get("retry-after", "").strip()
    try:
        seconds = float(raw)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(raw) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return UNSAID
    if math.isnan(seconds):
        return UNSAID
    return min(max(seconds, 1.0), LONGEST_WAIT)


def read_count(headers: Mapping[str, str], name: str) -> int:
    """A header that counts calls; 0 when it is missing or no number."""
    said = headers.get(name, "").strip()
    return int(said) if said.isascii() and said.isdigit() and len(said) < 9 else 0


def redact(text: str) -> str:
    """``text`` without tokens and passwords, cut to what a person reads."""
    text = text[:SHOWN_BODY]
    folded = text.casefold()
    if not any(word in folded for word in _SECRET_WORDS):
        # Most texts; looking for the members themselves takes far longer.
        return text
    return _SECRET_MEMBER.sub(lambda found: (found.group(1) or found.group(2)) + '"…"', text)


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: "…" if _SECRET_HEADER.search(name) else value for name, value in headers.items()}
