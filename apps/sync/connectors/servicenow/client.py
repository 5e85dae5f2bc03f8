"""The instance's HTTP: pages, records, files, and what its error bodies mean.

Upholds the rules of the Table API: version 2 paths, value mode for lists, both modes for records, at most a few calls
at once, and never trusting a list to have obeyed its query.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from apps.sync.connectors.base import (
    AccessRefused,
    ConnectorError,
    RateLimited,
    Rejected,
    TicketGone,
    Upload,
    VendorFault,
)
from apps.sync.connectors.http import LONGEST_WAIT, Answer, Context, VendorHttp, read_count, redact

from .query import Row, Term, encode
from .settings import ServiceNowSecrets, ServiceNowSettings
from .signin import SignIn

TABLE = "/api/now/v2/table/"
ATTACHMENT = "/api/now/attachment"
ACCEPTED = frozenset({200, 201, 204})
SYS_ID = re.compile(r"^[0-9a-f]{32}$")
CHUNK = 50
"""Most ids in one IN condition: longer queries exceed what proxies take as an address."""

_LISTED = re.compile(r"(?:fields are|field is) (mandatory|read[- ]?only)\s*:\s*(.+)", re.IGNORECASE | re.DOTALL)


class RuleAborted(Rejected):
    """A business rule of the instance stopped the write."""


class PolicyRefused(Rejected):
    """A data policy refused the write; ``labels`` are the column labels that it names."""

    def __init__(self, detail: str, *, labels: tuple[str, ...] = ()) -> None:
        super().__init__(detail, field=labels[0] if labels else "")
        self.labels = labels


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of a record: database value and what people read."""

    value: str
    shown: str = ""
    is_reference: bool = False


Record = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as far as we may read them; ``has_more`` counts the rows that we may not read, too."""

    rows: tuple[Row, ...]
    total: int
    has_more: bool


class ServiceNowClient:
    """Calls to one instance. Verbs raise the ConnectorError family only."""

    def __init__(self, context: Context, settings: ServiceNowSettings, secrets: ServiceNowSecrets) -> None:
        self.settings = settings
        self._gate = asyncio.Semaphore(settings.parallel_calls)
        self.told_at = datetime.now(UTC)
        """When the last answer was given, by the instance's clock."""
        self.sign_in = SignIn(context, settings.sign_in, secrets)
        self.http = VendorHttp(
            context,
            authorize=self.sign_in.authorize,
            renew=self.sign_in.renew if self.sign_in.uses_tokens else None,
            classify=classify,
            deadline=settings.timeout_seconds,
            read_limit=read_limit,
        )
        self.sign_in.http = self.http

    async def _call(self, method: str, path: str, **rest: Any) -> Answer:
        headers = {"Accept": "application/json", **rest.pop("headers", {})}
        async with self._gate:
            answer = await self.http.request(method, path, headers=headers, accept=ACCEPTED, **rest)
        self.told_at = _read_date(answer)
        return answer

    async def page(
        self,
        table: str,
        terms: Iterable[Term],
        *,
        fields: Iterable[str],
        order: Iterable[str] = (),
        scope: str = "",
        limit: int | None = None,
        offset: int = 0,
    ) -> Page:
        """One page in value mode. Raises VendorFault when a row shows that a condition was ignored."""
        terms, limit = tuple(terms), limit or self.settings.page_size
        names = dict.fromkeys(("sys_id", *fields, *(term.field for term in terms)))
        params = {
            "sysparm_query": encode(terms, scope=scope, order=order),
            "sysparm_limit": str(limit),
            "sysparm_offset": str(offset),
        }
        path = ATTACHMENT
        if table != "sys_attachment":
            # The Attachment API knows none of these: it always answers whole records in value mode.
            params["sysparm_fields"] = ",".join(names)
            params["sysparm_display_value"] = "false"
            params["sysparm_exclude_reference_link"] = "true"
            path = TABLE + table
        answer = await self._call("GET", path, params=params)
        result = read_result(answer)
        if not isinstance(result, list):
            raise VendorFault(f"answered one object where rows of {table} were due")
        rows = [{name: _plain(value) for name, value in row.items()} for row in result if isinstance(row, dict)]
        total = _read_total(answer, offset + len(rows), is_full=len(rows) >= limit)
        return Page(tuple(judge(rows, terms, table)), total, total > offset + limit)

    async def rows(
        self, table: str, *terms: Term, fields: Iterable[str], order: str = "sys_created_on", limit: int | None = None
    ) -> list[Row]:
        """All rows, over as many pages as there are.

        One page keeps the order in which the instance gives rows of the same second. More pages need a unique order:
        without one, rows that tie are repeated or skipped at the page border.
        """
        fields = tuple(fields)
        first = await self.page(table, terms, fields=fields, order=(order,), limit=limit)
        if not first.has_more:
            return list(first.rows)
        size = limit or self.settings.page_size
        found: dict[str, Row] = {}
        offset, has_more = 0, True
        while has_more:
            page = await self.page(table, terms, fields=fields, order=(order, "sys_id"), limit=limit, offset=offset)
            found.update({row["sys_id"]: row for row in page.rows if "sys_id" in row})
            offset, has_more = offset + size, page.has_more
        return list(found.values())

    async def rows_in(self, table: str, field: str, values: Iterable[str], *, fields: Iterable[str]) -> list[Row]:
        """Rows whose ``field`` is one of ``values``, asked for in chunks."""
        wanted, found = sorted(set(values)), []
        for start in range(0, len(wanted), CHUNK):
            term = Term(field, "IN", ",".join(wanted[start : start + CHUNK]))
            found += await self.rows(table, term, fields=fields, order="sys_id")
        return found

    async def record(self, table: str, sys_id: str, fields: Iterable[str] = ()) -> Record:
        """One record in both modes, all readable fields or ``fields``. Raises TicketGone."""
        answer = await self._call("GET", f"{TABLE}{table}/{_path_id(sys_id)}", params=_both_modes(fields))
        return _read_record(answer, sys_id)

    async def insert(self, table: str, body: Mapping[str, str], fields: Iterable[str]) -> Record:
        answer = await self._call("POST", TABLE + table, params=_both_modes(fields), json=dict(body))
        return _read_record(answer, None)

    async def patch(self, table: str, sys_id: str, body: Mapping[str, str], fields: Iterable[str]) -> Record:
        path = f"{TABLE}{table}/{_path_id(sys_id)}"
        answer = await self._call("PATCH", path, params=_both_modes(fields), json=dict(body))
        return _read_record(answer, sys_id)

    async def upload(self, table: str, sys_id: str, file_name: str, upload: Upload) -> Row:
        answer = await self._call(
            "POST",
            f"{ATTACHMENT}/file",
            params={"table_name": table, "table_sys_id": _path_id(sys_id), "file_name": file_name},
            data=lambda: upload.path.open("rb"),
            headers={"Content-Type": upload.content_type or "application/octet-stream"},
        )
        result = read_result(answer)
        if not isinstance(result, dict) or not SYS_ID.match(_plain(result.get("sys_id"))):
            raise VendorFault("the upload was answered without the file's sys_id", is_unknown=True)
        return {name: _plain(value) for name, value in result.items()}

    def download(self, attachment_id: str) -> AsyncIterator[bytes]:
        return self.http.stream(f"{ATTACHMENT}/{_path_id(attachment_id)}/file")


def judge(rows: Iterable[Row], terms: Iterable[Term], table: str) -> list[Row]:
    """The rows that satisfy ``terms``. Raises VendorFault for a broken condition on machine values."""
    kept = []
    for row in rows:
        broken = [term for term in terms if not term.holds(row)]
        for term in broken:
            if not term.is_text:
                raise VendorFault(
                    f"the instance ignored the condition {term} on {table}: the column is unknown or hidden from this"
                    " account, or the account's time zone is not GMT"
                )
        if not broken:
            kept.append(row)
    return kept


def _read_date(answer: Answer) -> datetime:
    """The instance's own time; ours where it does not tell."""
    try:
        return parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return datetime.now(UTC)


def read_result(answer: Answer) -> Any:
    """The content of the envelope. A success may still hold an error (a transaction cancelled while it streamed)."""
    body = answer.json()
    if not isinstance(body, dict) or "error" in body or "result" not in body:
        raise VendorFault(f"answered {answer.status} without a result: {redact(answer.text())}", is_unknown=True)
    return body["result"]


def _read_record(answer: Answer, sys_id: str | None) -> Record:
    result = read_result(answer)
    if not isinstance(result, dict):
        raise VendorFault("answered rows where one record was due", is_unknown=True)
    record = {name: _cell(value) for name, value in result.items()}
    held = record["sys_id"].value if "sys_id" in record else ""
    if not SYS_ID.match(held) or (sys_id is not None and held != sys_id):
        raise VendorFault(
            f"answered with record {held or 'unknown'} where {sys_id or 'a new one'} was due", is_unknown=True
        )
    return record


def _cell(value: Any) -> Cell:
    if isinstance(value, dict):
        return Cell(_plain(value.get("value")), _plain(value.get("display_value")), "link" in value)
    return Cell(_plain(value), _plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("value")
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _both_modes(fields: Iterable[str]) -> dict[str, str]:
    params = {"sysparm_display_value": "all"}
    names = dict.fromkeys(("sys_id", *fields))
    if len(names) > 1:
        params["sysparm_fields"] = ",".join(names)
    return params


def _path_id(sys_id: str) -> str:
    """``sys_id`` as it may stand in an address. Anything else cannot be a record, and must not become a path."""
    if not SYS_ID.match(sys_id):
        raise TicketGone(f"{sys_id!r} is not a sys_id")
    return sys_id


def _read_total(answer: Answer, seen: int, *, is_full: bool) -> int:
    """Matching rows by X-Total-Count, which counts hidden rows too; else by the Link header, else by a full page."""
    total = answer.headers.get("x-total-count", "")
    if total.isdigit():
        return int(total)
    link = answer.headers.get("link")
    has_next = 'rel="next"' in link if link is not None else is_full
    return seen + 1_000_000 if has_next else seen


def classify(answer: Answer) -> ConnectorError | None:
    """What the instance's refusals mean. A 403 has four meanings, told apart by ``detail``."""
    message, detail = _read_error(answer)
    shown = redact(f"{message}: {detail}" if detail and message else message or detail or answer.text())
    if answer.status == 400:
        table = re.search(r"invalid table\s+(\S+)", message, re.IGNORECASE)
        return Rejected(shown, field="table", value=table[1]) if table else Rejected(shown)
    if answer.status == 403:
        return _classify_forbidden(shown, detail)
    if answer.status == 404:
        if re.search(r"no record found|record doesn'?t exist", f"{message} {detail}", re.IGNORECASE):
            return TicketGone(shown)
        return AccessRefused(f"this interface is switched off, or the address is not an instance: {shown}")
    if answer.status in (413, 415):
        return Rejected(shown)
    if answer.status == 429 and "retry-after" not in answer.headers:
        return _read_reset(answer, shown)
    return None


def _classify_forbidden(shown: str, detail: str) -> ConnectorError:
    if "aborted by business rule" in detail.lower():
        return RuleAborted(shown)
    if "data policy exception" in detail.lower():
        listed = _LISTED.search(detail)
        labels = tuple(label.strip(" .") for label in listed[2].split(",")) if listed else ()
        return PolicyRefused(shown, labels=labels)
    if "api level acl" in detail.lower():
        return AccessRefused(f"the account may not use this table or interface: {shown}")
    if re.search(r"\bmime\b|file type|extension", detail, re.IGNORECASE):
        return Rejected(shown)
    return AccessRefused(f"an access rule of the instance refuses this account: {shown}")


def _read_error(answer: Answer) -> tuple[str, str]:
    try:
        error = answer.json().get("error")
    except (VendorFault, AttributeError):
        return "", ""
    if isinstance(error, dict):
        return str(error.get("message") or ""), str(error.get("detail") or "")
    return str(error or ""), ""


def _read_reset(answer: Answer, shown: str) -> RateLimited | None:
    """The wait until X-RateLimit-Reset, by the instance's own clock; None when either is missing."""
    try:
        now = parsedate_to_datetime(answer.headers["date"]).timestamp()
        wait = float(answer.headers["x-ratelimit-reset"]) - now
    except (KeyError, ValueError, TypeError):
        return None
    return RateLimited(shown, retry_after=min(max(wait, 1.0), LONGEST_WAIT))


def read_limit(headers: Mapping[str, str]) -> tuple[int, float] | None:
    """The requests an hour of the rule that applies to our account, where the instance has one."""
    calls = read_count(headers, "x-ratelimit-limit")
    return (calls, 3600.0) if calls else None
