"""Good calls pass the vendors' documents and bad ones do not."""

import json
from dataclasses import replace
from typing import Any

import pytest

from .documents import WHY_NOT, are_here
from .openapi import Exchange
from .schemas import Side
from .systems import contract

pytestmark = pytest.mark.skipif(not are_here(), reason=WHY_NOT)

SIGNED = {"authorization": "Basic c2lhbTpzZWNyZXQ=", "accept": "application/json"}
SENT_JSON = {**SIGNED, "content-type": "application/json"}
SENT_PATCH = {**SIGNED, "content-type": "application/json-patch+json"}
DOCUMENT = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": "a"}]}]}
ISSUE = {"project": {"key": "OPS"}, "issuetype": {"id": "10004"}, "summary": "VPN drops"}
SYS_ID = "9d385017c611228701d22104cc95c371"


def call(
    method: str, path: str, body: Any = None, *, query: str = "", headers: dict[str, str] | None = None
) -> Exchange:
    """A request that got no answer, so that only the request is judged."""
    sent = headers if headers is not None else SENT_JSON if body is not None else SIGNED
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
    return Exchange(method, path, query, sent, text, status=499)


def wrong(system: str, exchange: Exchange, side: Side = Side.REQUEST) -> list[str]:
    found = contract(system).judge(exchange)
    assert found is not None, f"{exchange.path} is not covered"
    return [each.text for each in found if each.side is side]


def patch(*operations: Any) -> str:
    return json.dumps(operations)


ADD_TITLE = {"op": "add", "path": "/fields/System.Title", "value": "VPN drops"}
BUG = "/global/Shop/_apis/wit/workitems/$Bug"
VERSION = "api-version=7.1"
MULTIPART = {
    **SIGNED,
    "content-type": "multipart/form-data; boundary=b",
    "x-atlassian-token": "no-check",
}
FILE_PART = '--b\r\nContent-Disposition: form-data; name="file"; filename="log.txt"\r\n\r\ntext\r\n--b--\r\n'

GOOD = {
    "jira create": ("jira", call("POST", "/rest/api/3/issue", {"fields": {**ISSUE, "description": DOCUMENT}})),
    "jira search": ("jira", call("POST", "/rest/api/3/search/jql", {"jql": "project = OPS", "maxResults": 50})),
    "jira transition": (
        "jira",
        call("POST", "/rest/api/3/issue/OPS-7/transitions", {"transition": {"id": "31"}}),
    ),
    "jira comment": ("jira", call("POST", "/rest/api/3/issue/OPS-7/comment", {"body": DOCUMENT})),
    "jira upload": ("jira", call("POST", "/rest/api/3/issue/OPS-7/attachments", FILE_PART, headers=MULTIPART)),
    "jira read": ("jira", call("GET", "/rest/api/3/issue/OPS-7", query="fields=summary%2Cstatus&expand=changelog")),
    "data center create": ("jira_dc", call("POST", "/rest/api/2/issue", {"fields": {**ISSUE, "labels": ["vpn"]}})),
    "data center comment": ("jira_dc", call("POST", "/rest/api/2/issue/OPS-7/comment", {"body": "*Looking*"})),
    "data center transitions": ("jira_dc", call("GET", "/rest/api/2/issue/OPS-7/transitions")),
    "azure create": ("azure_devops", call("POST", BUG, patch(ADD_TITLE), query=VERSION, headers=SENT_PATCH)),
    "azure update": (
        "azure_devops",
        call(
            "PATCH",
            "/global/_apis/wit/workItems/12",
            patch({"op": "test", "path": "/rev", "value": 7}, ADD_TITLE),
            query=VERSION,
            headers=SENT_PATCH,
        ),
    ),
    "azure query": (
        "azure_devops",
        call("POST", "/global/Shop/_apis/wit/wiql", {"query": "SELECT [System.Id] FROM WorkItems"}, query=VERSION),
    ),
    "azure comments": (
        "azure_devops",
        call(
            "GET", "/global/Shop/_apis/wit/workItems/12/comments", query="api-version=7.1-preview.4&$top=200&order=asc"
        ),
    ),
    "azure version in the Accept header": (
        "azure_devops",
        call("GET", "/global/_apis/projects", headers={**SIGNED, "accept": "application/json;api-version=7.1"}),
    ),
    "zendesk create": (
        "zendesk",
        call("POST", "/api/v2/tickets.json", {"ticket": {"subject": "VPN", "comment": {"body": "Drops"}}}),
    ),
    "zendesk safe update": (
        "zendesk",
        call(
            "PUT",
            "/api/v2/tickets/35436",
            {"ticket": {"status": "pending", "safe_update": True, "updated_stamp": "2026-11-20T10:02:44Z"}},
        ),
    ),
    "zendesk export": (
        "zendesk",
        call("GET", "/api/v2/incremental/tickets/cursor.json", query="start_time=1763629200"),
    ),
    "zendesk export, next page": ("zendesk", call("GET", "/api/v2/incremental/tickets/cursor", query="cursor=MTc2")),
    "zendesk page": ("zendesk", call("GET", "/api/v2/tickets/35436/comments", query="page%5Bsize%5D=100")),
    "servicenow read": (
        "servicenow",
        call("GET", f"/api/now/v2/table/incident/{SYS_ID}", query="sysparm_exclude_reference_link=true"),
    ),
    "servicenow search": (
        "servicenow",
        call(
            "GET",
            "/api/now/v2/table/incident",
            query="sysparm_query=sys_updated_on%3E%3D2026-11-20%2010%3A00%3A00%5EORDERBYsys_id&sysparm_limit=500",
        ),
    ),
    "servicenow create": ("servicenow", call("POST", "/api/now/v2/table/incident", {"short_description": "VPN"})),
}

BAD = {
    "jira fields as a text": ("jira", call("POST", "/rest/api/3/issue", {"fields": "summary"}), "not of type 'object'"),
    "jira page size in words": (
        "jira",
        call("GET", "/rest/api/3/search/jql", query="jql=project%3DOPS&maxResults=many"),
        "maxResults",
    ),
    "jira transition by number": (
        "jira",
        call("POST", "/rest/api/3/issue/OPS-7/transitions", {"transition": {"id": 31}}),
        "not of type 'string'",
    ),
    "jira unknown member": ("jira", call("POST", "/rest/api/3/issue", {"fields": ISSUE, "feilds": {}}), "'feilds'"),
    "jira bare text": ("jira", call("POST", "/rest/api/3/issue/OPS-7/comment", {"body": "Looking"}), "a document"),
    "jira broken document": (
        "jira",
        call("POST", "/rest/api/3/issue/OPS-7/comment", {"body": {**DOCUMENT, "version": 2}}),
        "no valid document",
    ),
    "jira wrong method": ("jira", call("PATCH", "/rest/api/3/issue", {"fields": ISSUE}), "not this method"),
    "jira unbounded search": ("jira", call("POST", "/rest/api/3/search/jql", {"jql": "order by key"}), "restriction"),
    "jira without credentials": ("jira", call("GET", "/rest/api/3/issue/OPS-7", headers={}), "'Authorization'"),
    "jira upload without its header": (
        "jira",
        call(
            "POST",
            "/rest/api/3/issue/OPS-7/attachments",
            FILE_PART,
            headers={name: value for name, value in MULTIPART.items() if name != "x-atlassian-token"},
        ),
        "X-Atlassian-Token",
    ),
    "jira read-only member": (
        "jira",
        call("POST", "/rest/api/3/issue/OPS-7/comment", {"body": DOCUMENT, "id": "10500"}),
        "$.id: belongs to the other side",
    ),
    "jira form instead of JSON": (
        "jira",
        call(
            "POST",
            "/rest/api/3/issue",
            "summary=x",
            headers={**SIGNED, "content-type": "application/x-www-form-urlencoded"},
        ),
        "content type",
    ),
    "data center fields as a list": ("jira_dc", call("POST", "/rest/api/2/issue", {"fields": []}), "'object'"),
    "data center without credentials": (
        "jira_dc",
        call("GET", "/rest/api/2/issue/OPS-7", headers={}),
        "'Authorization'",
    ),
    "azure without a version": (
        "azure_devops",
        call("POST", BUG, patch(ADD_TITLE), headers=SENT_PATCH),
        "'api-version'",
    ),
    "azure preview missing": (
        "azure_devops",
        call("GET", "/global/Shop/_apis/wit/workItems/12/comments", query=VERSION),
        "7.1-preview",
    ),
    "azure unknown operation": (
        "azure_devops",
        call("POST", BUG, patch({**ADD_TITLE, "op": "upsert"}), query=VERSION, headers=SENT_PATCH),
        "'upsert'",
    ),
    "azure no list": (
        "azure_devops",
        call("POST", BUG, json.dumps(ADD_TITLE), query=VERSION, headers=SENT_PATCH),
        "'array'",
    ),
    "azure without a path": (
        "azure_devops",
        call("POST", BUG, patch({"op": "add", "value": 1}), query=VERSION, headers=SENT_PATCH),
        "'path' is a required property",
    ),
    "azure plain JSON": ("azure_devops", call("POST", BUG, [ADD_TITLE], query=VERSION), "content type"),
    "azure number in words": (
        "azure_devops",
        call("GET", "/global/_apis/wit/workitems/twelve", query=VERSION),
        "not of type 'integer'",
    ),
    "azure ids as texts": (
        "azure_devops",
        call("POST", "/global/Shop/_apis/wit/workitemsbatch", {"ids": ["12"]}, query=VERSION),
        "not of type 'integer'",
    ),
    "azure late test": (
        "azure_devops",
        call(
            "PATCH",
            "/global/_apis/wit/workitems/12",
            patch(ADD_TITLE, {"op": "test", "path": "/rev", "value": 7}),
            query=VERSION,
            headers=SENT_PATCH,
        ),
        "a test comes first",
    ),
    "zendesk unknown priority": (
        "zendesk",
        call("POST", "/api/v2/tickets", {"ticket": {"comment": {"body": "x"}, "priority": "P1"}}),
        "'P1'",
    ),
    "zendesk unknown status": ("zendesk", call("PUT", "/api/v2/tickets/1", {"ticket": {"status": "done"}}), "'done'"),
    "zendesk export from nowhere": ("zendesk", call("GET", "/api/v2/incremental/tickets/cursor"), "'start_time'"),
    "zendesk ticket without words": (
        "zendesk",
        call("POST", "/api/v2/tickets", {"ticket": {"subject": "VPN"}}),
        "'comment' is a required property",
    ),
    "zendesk misspelt member": (
        "zendesk",
        call("PUT", "/api/v2/tickets/1", {"ticket": {"statuss": "open"}}),
        "'statuss'",
    ),
    "zendesk page too large": (
        "zendesk",
        call("GET", "/api/v2/tickets/1/comments", query="page%5Bsize%5D=1000"),
        "page[size]",
    ),
    "zendesk half a safe update": (
        "zendesk",
        call("PUT", "/api/v2/tickets/1", {"ticket": {"status": "open", "safe_update": True}}),
        "belong together",
    ),
    "zendesk without credentials": ("zendesk", call("GET", "/api/v2/tickets/1", headers={}), "'Authorization'"),
    "servicenow without Accept": (
        "servicenow",
        call("GET", "/api/now/v2/table/incident", headers={"authorization": "Basic eA=="}),
        "'Accept'",
    ),
    "servicenow number as an id": ("servicenow", call("GET", "/api/now/v2/table/incident/INC0010023"), "sys_id"),
    "servicenow null": ("servicenow", call("POST", "/api/now/v2/table/incident", {"state": None}), "$.state: None"),
    "servicenow system column": (
        "servicenow",
        call("PATCH", f"/api/now/v2/table/incident/{SYS_ID}", {"sys_id": SYS_ID}),
        "should not be valid",
    ),
    "servicenow unknown condition": (
        "servicenow",
        call("GET", "/api/now/v2/table/incident", query="sysparm_query=state~2"),
        "is no condition",
    ),
    "servicenow unknown parameter": (
        "servicenow",
        call("GET", "/api/now/v2/table/incident", query="sysparm_limits=5"),
        "'sysparm_limits'",
    ),
    "servicenow file of nothing": ("servicenow", call("POST", "/api/now/attachment/file", "text"), "'table_name'"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_request_passes(name: str) -> None:
    assert wrong(*GOOD[name]) == []


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_named(name: str) -> None:
    system, exchange, words = BAD[name]
    found = wrong(system, exchange)
    assert any(words in text for text in found), found


def answered(exchange: Exchange, status: int, body: Any, headers: dict[str, str] | None = None) -> Exchange:
    text = body if isinstance(body, str) else json.dumps(body)
    told = {"content-type": "application/json", **(headers or {})}
    return replace(exchange, status=status, answer=text, answer_headers=told)


CREATE = GOOD["jira create"][1]
READ = GOOD["servicenow read"][1]
UPDATE = GOOD["zendesk safe update"][1]
LIST_FIELDS = call("GET", "/global/_apis/wit/fields", query=VERSION)

ANSWERS = {
    "a documented one": ("jira", answered(CREATE, 201, {"id": "10042", "key": "OPS-7"}), ""),
    "an undocumented status": ("jira", answered(CREATE, 202, {"id": "1"}), "status 202"),
    "a body of another type": ("jira", answered(CREATE, 201, {"id": 10042}), "not of type 'string'"),
    "no JSON": ("jira", answered(CREATE, 201, "created"), "no JSON"),
    "another content type": ("jira", answered(CREATE, 201, "<p>", {"content-type": "text/html"}), "content type"),
    "no body": ("jira", answered(CREATE, 201, ""), "without the documented body"),
    "a limit, which the document does not name": ("jira", answered(CREATE, 429, {"errorMessages": ["Wait"]}), ""),
    "an error in another form": ("jira", answered(CREATE, 429, ["Wait"]), "not of type 'object'"),
    "a gateway's page": ("jira", answered(CREATE, 503, "<p>", {"content-type": "text/html"}), ""),
    "a wrapped list": ("azure_devops", answered(LIST_FIELDS, 200, {"count": 0, "value": []}), ""),
    "a bare list": ("azure_devops", answered(LIST_FIELDS, 200, []), "not of type 'object'"),
    "an error without its envelope": ("azure_devops", answered(LIST_FIELDS, 404, {"message": "?"}), "is a required"),
    "null, as the real service answers": (
        "zendesk",
        answered(UPDATE, 200, {"ticket": {"requester_id": 1, "subject": None}}),
        "",
    ),
    "a status that does not exist": (
        "zendesk",
        answered(UPDATE, 200, {"ticket": {"requester_id": 1, "status": "done"}}),
        "'done' is not one of",
    ),
    "a record of texts": ("servicenow", answered(READ, 200, {"result": {"state": "2", "u_site": ""}}), ""),
    "a record with a number": ("servicenow", answered(READ, 200, {"result": {"state": 2}}), "$.result.state: 2"),
    "a record with null": ("servicenow", answered(READ, 200, {"result": {"state": None}}), "$.result.state: None"),
    "a record without its envelope": ("servicenow", answered(READ, 200, {"state": "2"}), "'result'"),
    "a refusal without a challenge": (
        "servicenow",
        answered(READ, 401, {"error": {"message": "No", "detail": None}, "status": "failure"}),
        "WWW-Authenticate",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_judged(name: str) -> None:
    system, exchange, words = ANSWERS[name]
    found = wrong(system, exchange, Side.ANSWER)
    assert any(words in text for text in found) if words else found == [], found


def test_a_path_of_no_document_is_not_covered() -> None:
    assert contract("jira").judge(call("GET", "/rest/api/3/isssue/OPS-7")) is None


def test_the_more_literal_path_is_meant() -> None:
    (found, _values), *_ = contract("jira").find("GET", "/rest/api/3/issue/createmeta")[0]
    assert found.path == "/rest/api/3/issue/createmeta"


@pytest.mark.parametrize(
    ("document", "is_valid"),
    [
        (DOCUMENT, True),
        ({"type": "doc", "version": 1, "content": []}, True),
        ({"type": "doc", "content": []}, False),
        ({"type": "doc", "version": 1, "content": [{"type": "text", "text": "bare"}]}, False),
        (
            {
                "type": "doc",
                "version": 1,
                "content": [{"type": "paragraph", "content": [{"type": "text", "text": ""}]}],
            },
            False,
        ),
        ({"type": "doc", "version": 1, "content": [{"type": "marquee"}]}, False),
        ({"type": "doc", "version": 1, "content": [{"type": "heading", "attrs": {"level": 7}, "content": []}]}, False),
    ],
)
def test_documents_are_judged_by_their_own_schema(document: Any, is_valid: bool) -> None:
    exchange = call("POST", "/rest/api/3/issue/OPS-7/comment", {"body": document})
    assert (wrong("jira", exchange) == []) is is_valid
