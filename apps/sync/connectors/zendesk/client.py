"""Zendesk's HTTP interface: one place for its paths, its two ways of paging and the scope of its limits."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from apps.sync.connectors.base import RateLimited, TicketGone, VendorFault
from apps.sync.connectors.http import Answer, Context, VendorHttp
from apps.sync.engine.snapshot import ExternalRef

from .failures import read_limit, read_refusal
from .settings import Secrets, Settings
from .signin import SignIn

API = "/api/v2"
PAGE = "100"
MOST_PAGES = 200
_GOOD = frozenset({200, 201, 202, 204})

Json = dict[str, Any]


class ZendeskClient:
    """Signed-in calls to one Zendesk account; answers are JSON objects."""

    def __init__(self, context: Context, settings: Settings, secrets: Secrets) -> None:
        base = context.base_url.rstrip("/").removesuffix(API)
        self._sign_in = SignIn(context, settings, secrets)
        self._http = VendorHttp(
            replace(context, base_url=base),
            authorize=self._sign_in.headers,
            renew=self._sign_in.renew if self._sign_in.is_renewable else None,
            classify=read_refusal,
            deadline=settings.deadline_seconds,
            read_limit=read_limit,
        )
        self._sign_in.use(self._http)
        self.base_url = base

    async def open(self) -> None:
        await self._http.open()

    async def close(self) -> None:
        await self._http.close()

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        return _as_object(await self._call("GET", path, params=params))

    async def send(self, method: str, path: str, body: Json, *, headers: Mapping[str, str] | None = None) -> Json:
        return _as_object(await self._call(method, path, json=body, headers=headers))

    async def get_or_none(self, path: str, params: Mapping[str, str] | None = None) -> Json | None:
        """None where Zendesk answers 404: the feature is off, or the record is gone."""
        answer = await self._call("GET", path, params=params, accept=_GOOD | {404})
        return None if answer.status == 404 else _as_object(answer)

    async def get_ticket(self, ref: ExternalRef) -> Json:
        """Raises TicketGone when it is missing or deleted, VendorFault when another ticket is answered."""
        found = await self.get_or_none(f"/tickets/{ref.id}")
        if found is None:
            raise TicketGone(f"ticket {ref.id} is deleted or not visible to us")
        ticket = read_ticket_member(found, ref)
        if ticket.get("status") == "deleted":
            raise TicketGone(f"ticket {ref.id} is deleted")
        return ticket

    async def put_ticket(self, ref: ExternalRef, ticket: Json) -> Json:
        """Write to a ticket; the answer with ``ticket`` and ``audit``. Raises TicketGone when it is missing."""
        answer = await self._call("PUT", f"/tickets/{ref.id}", json={"ticket": ticket}, accept=_GOOD | {404})
        if answer.status == 404:
            raise TicketGone(f"ticket {ref.id} is deleted or not visible to us")
        written = _as_object(answer)
        read_ticket_member(written, ref)
        return written

    async def get_ticket_list(
        self, ref: ExternalRef, member: str, params: Mapping[str, str] | None = None
    ) -> list[Json]:
        """All rows of a list below a ticket (``audits``, ``comments``), oldest first."""
        rows = await self.get_all(f"/tickets/{ref.id}/{member}", member, params)
        if rows is None:
            raise TicketGone(f"ticket {ref.id} is deleted or not visible to us")
        return sorted(rows, key=lambda row: (str(row.get("created_at", "")), int(row["id"])))

    async def get_all(self, path: str, member: str, params: Mapping[str, str] | None = None) -> list[Json] | None:
        """All rows of a list, by cursor paging where it is offered, else by page numbers. None on 404."""
        asked = {"page[size]": PAGE, **(params or {})}
        rows: list[Json] = []
        for _ in range(MOST_PAGES):
            answer = await self._call("GET", path, params=asked, accept=_GOOD | {404})
            if answer.status == 404:
                return None
            page = _as_object(answer)
            rows += page.get(member) or []
            following = _read_following(page, asked)
            if following is None:
                return rows
            asked = following
        raise VendorFault(f"{path} has more than {MOST_PAGES} pages")

    async def upload(self, file_name: str, content_type: str, path: Path) -> Json:
        """Send a file; the token in the answer attaches it to a comment within an hour."""
        answer = await self._call(
            "POST",
            "/uploads",
            params={"filename": file_name},
            data=lambda: path.open("rb"),
            headers={"Content-Type": content_type or "application/binary"},
        )
        return _as_object(answer)

    def download(self, url: str) -> AsyncIterator[bytes]:
        """The bytes at a content address; our credentials go to our own host only."""
        return self._http.stream(url)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        accept: frozenset[int] = _GOOD,
    ) -> Answer:
        try:
            return await self._http.request(
                method, API + path, params=params, json=json, data=data, headers=headers, accept=accept
            )
        except RateLimited as problem:
            if problem.scope != "connection" and method == "PUT" and path.startswith("/tickets/"):
                # 30 updates in 10 minutes of one ticket are limited apart from the account's budget
                problem.scope = "ticket"
            elif path.startswith("/incremental/"):
                problem.scope = "endpoint"
            raise


def read_ticket_member(answer: Json, ref: ExternalRef | None = None) -> Json:
    """The ticket in an answer. Raises VendorFault when there is none or it is not the one that was asked for."""
    ticket = answer.get("ticket")
    if not isinstance(ticket, dict) or "id" not in ticket:
        raise VendorFault("answered without a ticket", is_unknown=True)
    if ref is not None and str(ticket["id"]) != ref.id:
        raise VendorFault(f"answered with ticket {ticket['id']} instead of {ref.id}", is_unknown=True)
    return ticket


def _as_object(answer: Answer) -> Json:
    if answer.status == 204:
        return {}
    body = answer.json()
    if not isinstance(body, dict):
        raise VendorFault("answered with JSON that is not an object", is_unknown=True)
    return body


def _read_following(page: Json, asked: Mapping[str, str]) -> dict[str, str] | None:
    """The parameters of the next page. Only the query of ``next_page`` is used: no other host gets our credentials."""
    meta = page.get("meta")
    if isinstance(meta, dict):
        cursor = meta.get("after_cursor")
        if not meta.get("has_more") or not cursor or cursor == asked.get("page[after]"):
            return None
        return {**asked, "page[after]": str(cursor)}
    if not page.get("next_page"):
        return None
    following = dict(parse_qsl(urlsplit(str(page["next_page"])).query))
    return None if following == asked else following
