"""ServiceNow publishes no OpenAPI document: this one states what its reference says of the calls that we make."""

from collections.abc import Mapping
from typing import Any

from .documents import Document

SYS_ID = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
TEXT = {"type": "string"}
SWITCH = {"type": "boolean"}


def _parameter(name: str, schema: Mapping[str, Any], place: str = "query", *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required or place == "path", "schema": dict(schema)}


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": dict(schema)}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


# Without it the system answers in XML, or not at all (406).
ACCEPT = _parameter("Accept", {"type": "string", "pattern": "application/json"}, "header", required=True)
TABLE = _parameter("table", {"type": "string", "pattern": "^[a-z0-9_]+$"}, "path")
RECORD_ID = _parameter("sys_id", SYS_ID, "path")
FORM = [
    _parameter("sysparm_display_value", {"enum": ["true", "false", "all"]}),
    _parameter("sysparm_exclude_reference_link", SWITCH),
    _parameter("sysparm_fields", {"type": "string", "pattern": r"^[a-z0-9_.]+(,[a-z0-9_.]+)*$"}),
    _parameter("sysparm_view", TEXT),
    _parameter("sysparm_query_no_domain", SWITCH),
]
WRITING = [
    *FORM,
    _parameter("sysparm_input_display_value", SWITCH),
    _parameter("sysparm_suppress_auto_sys_field", SWITCH),
]
LISTING = [
    _parameter("sysparm_query", TEXT),
    _parameter("sysparm_limit", {"type": "integer", "minimum": 1}),
    _parameter("sysparm_offset", {"type": "integer", "minimum": 0}),
    _parameter("sysparm_no_count", SWITCH),
    _parameter("sysparm_suppress_pagination_header", SWITCH),
    _parameter("sysparm_query_category", TEXT),
]
FAILURES = {
    str(status): {"content": _json(_ref("Failure"))} for status in (400, 401, 403, 404, 405, 406, 415, 429, 500, 503)
}


def _operation(
    parameters: list[dict[str, Any]],
    status: int,
    answer: Mapping[str, Any] | None,
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    good = {"content": dict(answer)} if answer else {}
    told: dict[str, Any] = {"parameters": parameters, "responses": {str(status): good, **FAILURES}}
    if body:
        told["requestBody"] = {"required": True, "content": dict(body)}
    return told


def _result(name: str, *, many: bool = False) -> dict[str, Any]:
    inner = {"type": "array", "items": _ref(name)} if many else _ref(name)
    schema = {"type": "object", "properties": {"result": inner}, "required": ["result"], "additionalProperties": False}
    return _json(schema)


def _table_paths(root: str) -> dict[str, Any]:
    sent = _json(_ref("Sent"))
    one = [ACCEPT, TABLE, RECORD_ID]
    return {
        f"{root}/table/{{table}}": {
            "get": _operation([ACCEPT, TABLE, *FORM, *LISTING], 200, _result("Record", many=True)),
            "post": _operation([ACCEPT, TABLE, *WRITING], 201, _result("Record"), sent),
        },
        f"{root}/table/{{table}}/{{sys_id}}": {
            "get": _operation([*one, *FORM], 200, _result("Record")),
            "patch": _operation([*one, *WRITING], 200, _result("Record"), sent),
            "put": _operation([*one, *WRITING], 200, _result("Record"), sent),
            "delete": _operation([*one, _parameter("sysparm_query_no_domain", SWITCH)], 204, None),
        },
    }


def _attachment_paths(root: str) -> dict[str, Any]:
    file = [
        ACCEPT,
        _parameter("table_name", TEXT, required=True),
        _parameter("table_sys_id", SYS_ID, required=True),
        _parameter("file_name", {"type": "string", "minLength": 1}, required=True),
        _parameter("encryption_context", TEXT),
    ]
    paged = [one for one in LISTING if one["name"] not in ("sysparm_no_count", "sysparm_query_category")]
    return {
        f"{root}/attachment": {"get": _operation([ACCEPT, *paged], 200, _result("File", many=True))},
        f"{root}/attachment/file": {"post": _operation(file, 201, _result("File"), {"*/*": {}})},
        f"{root}/attachment/upload": {"post": _operation([ACCEPT], 201, _result("File"), {"multipart/form-data": {}})},
        f"{root}/attachment/{{sys_id}}": {
            "get": _operation([ACCEPT, RECORD_ID], 200, _result("File")),
            "delete": _operation([RECORD_ID], 204, None),
        },
        f"{root}/attachment/{{sys_id}}/file": {"get": _operation([RECORD_ID], 200, {"*/*": {}})},
    }


def _sign_in() -> dict[str, Any]:
    names = ("client_id", "client_secret", "username", "password", "refresh_token", "code", "redirect_uri", "scope")
    grants = ["password", "refresh_token", "client_credentials", "authorization_code"]
    form = {
        "type": "object",
        "required": ["grant_type", "client_id", "client_secret"],
        "properties": {"grant_type": {"enum": grants}, **dict.fromkeys(names, TEXT)},
        "additionalProperties": False,
    }
    token = {
        "type": "object",
        "required": ["access_token", "token_type", "expires_in"],
        "properties": {"access_token": TEXT, "refresh_token": TEXT, "scope": TEXT, "expires_in": {"type": "integer"}},
    }
    refused = {"content": _json({"type": "object", "required": ["error"], "properties": {"error": TEXT}})}
    body = {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}}
    answers = {"200": {"content": _json(token)}, "401": refused}
    return {"/oauth_token.do": {"post": {"parameters": [], "requestBody": body, "responses": answers}}}


LINKED = {"link": TEXT, "value": TEXT, "display_value": {"type": "string", "nullable": True}}
SCHEMAS: dict[str, Any] = {
    # Every value is a text, "" when empty: never null, never a number. References may carry their address.
    "Value": {
        "anyOf": [
            TEXT,
            {"type": "object", "properties": LINKED, "required": ["value"], "additionalProperties": False},
            {
                "type": "object",
                "properties": {"link": TEXT, "display_value": TEXT},
                "required": ["link", "display_value"],
                "additionalProperties": False,
            },
        ]
    },
    "Record": {"type": "object", "additionalProperties": _ref("Value")},
    "File": {
        "type": "object",
        "required": ["sys_id", "file_name", "table_name", "table_sys_id", "content_type", "size_bytes", "hash"],
        "properties": {"sys_id": SYS_ID, "table_sys_id": SYS_ID},
        "additionalProperties": TEXT,
    },
    # Numbers and booleans are taken and come back as texts; null clears nothing: "" does.
    "Sent": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[a-z0-9_]+$"},
        "not": {
            "anyOf": [{"required": [name]} for name in ("sys_id", "sys_created_on", "sys_updated_on", "sys_mod_count")]
        },
        "additionalProperties": {"oneOf": [{"type": kind} for kind in ("string", "number", "boolean")]},
    },
    "Failure": {
        "type": "object",
        "required": ["error", "status"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "detail"],
                "properties": {"message": TEXT, "detail": {"type": "string", "nullable": True}},
            },
            "status": {"enum": ["failure"]},
        },
    },
}


def document() -> Document:
    paths = {
        **_table_paths("/api/now/v2"),
        **_table_paths("/api/now"),
        **_attachment_paths("/api/now"),
        **_attachment_paths("/api/now/v1"),
        **_sign_in(),
    }
    return Document(
        "the reference of the Table and Attachment APIs", {"paths": paths, "components": {"schemas": SCHEMAS}}
    )
