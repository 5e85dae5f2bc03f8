"""Requirements that the vendors state in words only, as rules beside their documents."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

from . import adf
from .openapi import Exchange, Rule, read_query
from .schemas import Side

Problems = Iterator[tuple[Side, str]]


def _is_guarded_upload(exchange: Exchange) -> Problems:
    if exchange.headers.get("x-atlassian-token", "").lower() not in ("no-check", "nocheck"):
        yield Side.REQUEST, "header: 'X-Atlassian-Token: no-check' is required"
    if not re.search(r'name="?file"?[;\r\n]', _as_text(exchange.body)):
        yield Side.REQUEST, "the part that holds the file must be named 'file'"


def _as_text(body: str) -> str:
    return base64.b64decode(body[7:]).decode("latin-1") if body.startswith("base64:") else body


def _is_bounded(exchange: Exchange) -> Problems:
    """Cloud refuses a search without a restriction."""
    asked = dict(read_query(exchange.query)).get("jql")
    if exchange.method == "POST":
        asked = _member(exchange.body, "jql")
    if not asked or re.match(r"\s*order\s+by", str(asked), re.IGNORECASE):
        yield Side.REQUEST, "jql: a search needs at least one restriction"


def _member(text: str, name: str) -> Any:
    try:
        return json.loads(text).get(name)
    except (ValueError, AttributeError):
        return None


JIRA = (Rule(("POST",), r"/issue/[^/]+/attachments$", _is_guarded_upload, "the description of the operation"),)
JIRA_CLOUD = (
    *JIRA,
    Rule(
        ("POST", "PUT", "GET"), r"^/rest/api/3/", adf.judge, "version 3 has rich text as documents, which have a schema"
    ),
    Rule(("POST", "GET"), r"/search/jql$", _is_bounded, "the description of the operation"),
)


def _is_patch(exchange: Exchange) -> Problems:
    """A ``test`` guards what follows it, and a field is named by its reference name."""
    try:
        operations = json.loads(exchange.body)
    except ValueError:
        return
    if not isinstance(operations, list):
        return
    for number, each in enumerate(operations):
        path = str(each.get("path", "")) if isinstance(each, dict) else ""
        if not re.match(r"/(fields/[\w.]+|relations/(-|\d+)(/.+)?|rev|id)$", path):
            yield Side.REQUEST, f"$[{number}].path: {path!r} is no path of a work item"
        if each.get("op") in ("add", "replace", "test") and "value" not in each:
            yield Side.REQUEST, f"$[{number}]: {each['op']} needs a value"
        if each.get("op") == "test" and any(before.get("op") != "test" for before in operations[:number]):
            yield Side.REQUEST, f"$[{number}]: a test comes first"


AZURE_DEVOPS = (
    Rule(("POST", "PATCH"), r"(?i)/_apis/wit/workitems/(\$[^/]+|\d+)$", _is_patch, "the guide to updating"),
)


def _starts_somewhere(exchange: Exchange) -> Problems:
    if {name for name, _ in read_query(exchange.query)}.isdisjoint({"start_time", "cursor"}):
        yield Side.REQUEST, "query: 'start_time' or 'cursor' is required"


def _has_words(exchange: Exchange) -> Problems:
    """A ticket begins with a comment that says something."""
    ticket = _member(exchange.body, "ticket")
    comment = ticket.get("comment") if isinstance(ticket, dict) else None
    if isinstance(comment, dict) and not (comment.get("body") or comment.get("html_body")):
        yield Side.REQUEST, "$.ticket.comment: a text is required"


def _is_stamped(exchange: Exchange) -> Problems:
    ticket = _member(exchange.body, "ticket")
    if isinstance(ticket, dict) and ("safe_update" in ticket) != ("updated_stamp" in ticket):
        yield Side.REQUEST, "$.ticket: safe_update and updated_stamp belong together"


ZENDESK = (
    Rule(("GET",), r"/incremental/tickets/cursor", _starts_somewhere, "the guide to the export"),
    Rule(("POST",), r"/api/v2/tickets(\.json)?$", _has_words, "the description of the operation"),
    Rule(("PUT",), r"/api/v2/tickets/\d+(\.json)?$", _is_stamped, "the guide to safe updates"),
)


def _is_located(exchange: Exchange) -> Problems:
    if exchange.status == 201 and "location" not in exchange.answer_headers:
        yield Side.ANSWER, "header: 'Location' is missing"


def _is_counted(exchange: Exchange) -> Problems:
    asked = dict(read_query(exchange.query))
    if (
        exchange.status == 200
        and asked.get("sysparm_no_count") != "true"
        and "x-total-count" not in exchange.answer_headers
    ):
        yield Side.ANSWER, "header: 'X-Total-Count' is missing"


def _challenges(exchange: Exchange) -> Problems:
    if exchange.status == 401 and "www-authenticate" not in exchange.answer_headers:
        yield Side.ANSWER, "header: 'WWW-Authenticate' is missing"


_CLAUSE = re.compile(
    r"(ORDERBY(DESC)?[a-z_][\w.]*"
    r"|(OR|NQ)?[a-z_][\w.]*"
    r"(ISEMPTY|ISNOTEMPTY|(NOT IN|IN|BETWEEN|NOT LIKE|LIKE|STARTSWITH|ENDSWITH|>=|<=|!=|=|>|<).*))$",
    re.DOTALL,
)
_LONGEST_QUERY = 2000


def _is_encoded_query(exchange: Exchange) -> Problems:
    """The system ignores a condition that it does not understand: the filter then widens in silence."""
    asked = dict(read_query(exchange.query)).get("sysparm_query", "")
    for clause in asked.split("^") if asked else []:
        if clause and not _CLAUSE.match(clause):
            yield Side.REQUEST, f"sysparm_query: {clause!r} is no condition"
    if len(asked) > _LONGEST_QUERY:
        yield Side.REQUEST, f"sysparm_query: {len(asked)} characters do not pass every proxy"


SERVICENOW = (
    Rule(
        ("POST",),
        r"/api/now/(v\d/)?(table/\w+|attachment/(file|upload))$",
        _is_located,
        "the reference of the operation",
    ),
    Rule(("GET",), r"/api/now/(v\d/)?(table/\w+|attachment)$", _is_counted, "the reference of the operation"),
    Rule(("GET", "POST", "PATCH", "PUT", "DELETE"), r"^/api/now/", _challenges, "seen in answers"),
    Rule(("GET",), r"^/api/now/", _is_encoded_query, "the reference of encoded queries"),
)
