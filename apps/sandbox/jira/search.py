"""Search: token pages on Cloud, offset pages on Data Center, both over the lagging index."""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from . import jql
from .errors import SEARCH_REMOVED, Refusal, bad
from .issue_shape import issue_json
from .jql_clauses import Scope
from .site import Call
from .state import Issue

MOST_IDS_ONLY = 5000
MOST_RECONCILED = 50
MOST_PROPERTIES = 5
DEFAULT_PAGE = 50
UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."


@dataclass(frozen=True, slots=True)
class Request:
    """A search as asked, by query or by body."""

    jql: str
    size: int
    fields: list[str]
    expand: list[str]
    properties: list[str]
    reconcile: list[str]
    token: str
    start: int


async def removed(call: Call) -> web.Response:
    """Cloud took the offset search away: 410, with where to go."""
    raise Refusal(410, SEARCH_REMOVED)


async def search_by_token(call: Call) -> web.Response:
    """Cloud. No total and no offset: the end is ``isLast``, never a short page. The token remembers the last row, so
    an issue that is edited while paging may come twice and is never lost. Default fields: the id alone."""
    asked = await _read(call)
    query = _parse(call, asked.jql, must_be_bounded=True)
    if len(asked.properties) > MOST_PROPERTIES:
        raise bad(f"The maximum number of properties is {MOST_PROPERTIES}.")
    rows = query.sorted(_matching(call, query, asked.reconcile))
    if asked.token:
        last = _open_token(call, asked)
        rows = [issue for issue in rows if query.comes_after(query.sort_key(issue), last)]
    is_slim = not set(asked.fields) - {"id", "key"}
    size = min(asked.size, MOST_IDS_ONLY if is_slim else call.site.settings.search_page_cap)
    shown = rows[:size]
    answer: dict[str, Any] = {"issues": [_row(call, issue, asked) for issue in shown]}
    answer["isLast"] = len(rows) <= size
    if not answer["isLast"]:
        answer["nextPageToken"] = _token(call, asked, query.sort_key(shown[-1]))
    return web.json_response(answer)


async def search_by_offset(call: Call) -> web.Response:
    """Data Center: startAt, maxResults and total; ``maxResults`` is cut to the server's limit and echoed."""
    asked = await _read(call)
    query = _parse(call, asked.jql, must_be_bounded=False)
    rows = query.sorted(_matching(call, query, []))
    size = min(asked.size, call.site.settings.dc_search_page_cap)
    shown = rows[asked.start : asked.start + size]
    fields = asked.fields or ["*navigable"]
    issues = [issue_json(call.view, issue, fields, asked.expand, asked.properties or None) for issue in shown]
    page = {"expand": "schema,names", "startAt": asked.start, "maxResults": size, "total": len(rows)}
    return web.json_response(page | {"issues": issues})


async def count(call: Call) -> web.Response:
    """Cloud: ``POST /search/approximate-count``, from the index."""
    body = await call.json_object()
    query = _parse(call, str(body.get("jql") or ""), must_be_bounded=True)
    return web.json_response({"count": len(_matching(call, query, []))})


def _matching(call: Call, query: jql.Query, reconcile: list[str]) -> list[Issue]:
    known = call.site.index.issues(call.site.now(), call.site.store, reconcile)
    return [issue for issue in known if call.may_see(issue) and query.matches(issue)]


def _parse(call: Call, text: str, must_be_bounded: bool) -> jql.Query:
    person = call.caller.user
    scope = Scope(call.site, person.account_id if person else None, person.zone if person else "UTC")
    query = jql.parse(text, scope)
    if must_be_bounded and not query.is_bounded:
        raise bad(UNBOUNDED)
    return query


def _row(call: Call, issue: Issue, asked: Request) -> dict[str, Any]:
    if not set(asked.fields) - {"id"} and not asked.properties:
        return {"id": issue.id}
    return issue_json(call.view, issue, asked.fields, asked.expand, asked.properties or None)


async def _read(call: Call) -> Request:
    if call.request.method == "GET":
        return Request(
            jql=call.request.query.get("jql", ""),
            size=_size(call.number("maxResults", DEFAULT_PAGE)),
            fields=call.words("fields"),
            expand=call.words("expand"),
            properties=call.words("properties"),
            reconcile=_reconciled(call.words("reconcileIssues")),
            token=call.request.query.get("nextPageToken", ""),
            start=call.number("startAt", 0),
        )
    body = await call.json_object()
    expand = body.get("expand") or []
    if call.site.settings.is_cloud and not isinstance(body.get("expand", ""), str | None):
        raise bad("expand must be one string of names with commas between them.")
    return Request(
        jql=_of_type(body, "jql", str, ""),
        size=_size(_of_type(body, "maxResults", int, DEFAULT_PAGE)),
        fields=_strings(body, "fields"),
        expand=expand.split(",") if isinstance(expand, str) else list(expand),
        properties=_strings(body, "properties"),
        reconcile=_reconciled(_of_type(body, "reconcileIssues", list, [])),
        token=_of_type(body, "nextPageToken", str, ""),
        start=_of_type(body, "startAt", int, 0),
    )


def _of_type(body: dict[str, Any], name: str, kind: type, otherwise: Any) -> Any:
    value = body.get(name)
    if value is None:
        return otherwise
    if not isinstance(value, kind) or isinstance(value, bool):
        raise bad(f"Invalid request payload: '{name}' has the wrong type.")
    return value


def _strings(body: dict[str, Any], name: str) -> list[str]:
    values: list[Any] = _of_type(body, name, list, [])
    if not all(isinstance(value, str) for value in values):
        raise bad(f"Invalid request payload: '{name}' must be a list of strings.")
    return values


def _size(given: int) -> int:
    if given < 1:
        raise bad("maxResults must be at least 1.")
    return given


def _reconciled(given: list[Any]) -> list[str]:
    numbers = [str(each) for each in given]
    if len(numbers) > MOST_RECONCILED:
        raise bad(f"The maximum number of issues to reconcile is {MOST_RECONCILED}.")
    if not all(number.isdigit() for number in numbers):
        raise bad("reconcileIssues takes numeric issue ids.")
    return numbers


def _digest(asked: Request) -> str:
    return hashlib.sha256(asked.jql.encode()).hexdigest()[:16]


def _token(call: Call, asked: Request, last: list[jql.SortKey]) -> str:
    made = round(call.site.now().timestamp())
    raw = json.dumps({"q": _digest(asked), "k": last, "t": made}, separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).decode()


def _open_token(call: Call, asked: Request) -> list[jql.SortKey]:
    """The last row that the token's page showed; 400 when it is spoiled, too old, or another query's."""
    try:
        held = json.loads(base64.urlsafe_b64decode(asked.token.encode()))
        is_fresh = call.site.now().timestamp() - held["t"] < call.site.settings.page_token_seconds
        last = [(int(flag), value) for flag, value in held["k"]]
        if held["q"] == _digest(asked) and is_fresh:
            return last
    except (ValueError, KeyError, TypeError) as problem:
        raise bad("The provided next page token is invalid or expired.") from problem
    raise bad("The provided next page token is invalid or expired.")
