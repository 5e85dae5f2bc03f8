"""Known mistakes of the vendors' documents, each with the fact that shows it. Nothing else is repaired.

A repair changes one place of one document before it is used. ``at`` walks names of members; ``+`` at the end
appends to a list. ``merge`` adds members to what is there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Repair:
    document: str
    at: tuple[str, ...]
    value: Any
    reason: str
    merge: bool = False


JIRA_CLOUD = "derived/jira-cloud.fixed.json"
JIRA_DATA_CENTER = "derived/jira-dc.fixed.json"
WORK_ITEMS = "derived/ado-wit.fixed.json"
WORK_ITEM_OVERLOADS = "ado/wit-7.1.json"
HOOKS = "ado/serviceHooks-7.1.json"
CORE = "ado/core-7.1.json"
ZENDESK = "zendesk/zendesk-support-oas.yaml"
ZENDESK_WEBHOOKS = "zendesk/zendesk-webhooks-oas.yaml"

SCHEMAS = ("components", "schemas")


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _nullable(document: str, place: tuple[str, ...], names: Iterable[str], reason: str) -> tuple[Repair, ...]:
    return tuple(Repair(document, (*place, name), {"nullable": True}, reason, merge=True) for name in names)


def _query(name: str, schema: Mapping[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": dict(schema)}


def _json(schema: Any) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


_EMPTY_LOGGED = "a change log names null for what was or became empty: Jira's own export of an issue holds it so"
_CLOUD = _nullable(
    JIRA_CLOUD,
    (*SCHEMAS, "ChangeDetails", "properties"),
    ("from", "fromString", "to", "toString"),
    _EMPTY_LOGGED,
)


def _listed(path: str, method: str, schema: str) -> Repair:
    at = ("paths", path, method, "responses", "200", "content", "application/json", "schema")
    reason = "the summary says a list and recorded answers are lists; the schema names the element"
    return Repair(JIRA_DATA_CENTER, at, {"type": "array", "items": _ref(schema)}, reason)


_FIELDS = ("properties", "fields", "additionalProperties")
_ANY_FIELD = "fields hold texts, numbers and lists as well; the generator writes 'object' for any value"
_ANY_PROPERTY = "an entity property is any JSON; the generator saw the raw text that the server keeps"
_DATA_CENTER = (
    Repair(JIRA_DATA_CENTER, (*SCHEMAS, "IssueUpdateBean", *_FIELDS), {}, _ANY_FIELD),
    Repair(JIRA_DATA_CENTER, (*SCHEMAS, "IssueBean", *_FIELDS), {}, _ANY_FIELD),
    Repair(JIRA_DATA_CENTER, (*SCHEMAS, "EntityPropertyBean", "properties", "value"), {}, _ANY_PROPERTY),
    Repair(
        JIRA_DATA_CENTER,
        ("paths", "/rest/api/2/issue/{issueIdOrKey}/properties/{propertyKey}", "put", "requestBody", "content",
         "application/json", "schema"),
        {},
        _ANY_PROPERTY,
    ),
    Repair(JIRA_DATA_CENTER, (*SCHEMAS, "StringList"), {"type": "string"}, "a comma-separated text in the query"),
    Repair(
        JIRA_DATA_CENTER,
        ("paths", "/rest/api/2/issue/{issueIdOrKey}/transitions", "get", "parameters", "+"),
        _query("expand", {"type": "string"}),
        "the description tells to send expand=transitions.fields; the parameter is not listed",
    ),
    _listed("/rest/api/2/field", "get", "FieldBean"),
    _listed("/rest/api/2/resolution", "get", "ResolutionJsonBean"),
    _listed("/rest/api/2/priority", "get", "PriorityJsonBean"),
    _listed("/rest/api/2/status", "get", "StatusJsonBean"),
    _listed("/rest/api/2/issuetype", "get", "IssueTypeJsonBean"),
    _listed("/rest/api/2/project/{projectIdOrKey}/statuses", "get", "IssueTypeWithStatusJsonBean"),
    _listed("/rest/api/2/user/search", "get", "UserBean"),
    _listed("/rest/api/2/user/assignable/search", "get", "UserBean"),
    _listed("/rest/api/2/issue/{issueIdOrKey}/attachments", "post", "AttachmentJsonBean"),
    *_nullable(
        JIRA_DATA_CENTER,
        (*SCHEMAS, "ChangeItemBean", "properties"),
        ("from", "fromString", "to", "toString"),
        _EMPTY_LOGGED,
    ),
)  # fmt: skip


def _version(document: str, name: str, *values: str) -> Repair:
    reason = "the version is named in the description alone; the service refuses any other (400, or wants -preview)"
    return Repair(document, ("parameters", name, "enum"), list(values), reason)


_ANY_VALUE = "the generator writes 'object' for any value"
_NOT_SET = "the service writes null for what is not set: recorded answers hold defaultValue null"
_FIELD_BASE = ("definitions", "WorkItemTypeFieldInstanceBase", "properties")
_AZURE_DEVOPS = (
    _version(WORK_ITEMS, "api-Version", "7.1"),
    _version(WORK_ITEMS, "api-Version-preview.4", "7.1-preview.4", "7.1-preview"),
    _version(WORK_ITEM_OVERLOADS, "api-Version-preview.4", "7.1-preview.4", "7.1-preview"),
    _version(HOOKS, "api-Version", "7.1"),
    _version(CORE, "api-Version", "7.1"),
    Repair(WORK_ITEMS, ("definitions", "WorkItem", "properties", "fields", "additionalProperties"), {}, _ANY_VALUE),
    Repair(WORK_ITEMS, ("definitions", "Link", "properties", "attributes", "additionalProperties"), {}, _ANY_VALUE),
    Repair(WORK_ITEMS, ("definitions", "WorkItemFieldUpdate", "properties", "newValue"), {}, _ANY_VALUE),
    Repair(WORK_ITEMS, ("definitions", "WorkItemFieldUpdate", "properties", "oldValue"), {}, _ANY_VALUE),
    Repair(
        WORK_ITEMS, ("definitions", "WorkItemTypeFieldWithReferences", "properties", "defaultValue"), {}, _ANY_VALUE
    ),
    Repair(
        WORK_ITEMS,
        ("definitions", "WorkItemTypeFieldWithReferences", "properties", "allowedValues", "items"),
        {},
        _ANY_VALUE,
    ),
    Repair(
        WORK_ITEMS,
        ("definitions", "StreamedBatch", "properties", "values", "items"),
        {"$ref": "#/definitions/WorkItem"},
        "the generator lost the type that the batch is made for (format T); the feed of revisions holds work items",
    ),
    Repair(
        HOOKS,
        ("definitions", "Subscription", "properties", "probationRetries"),
        {"type": "integer"},
        "a byte of the service's own language, which JSON writes as a number",
    ),
    *_nullable(HOOKS, ("definitions", "Subscription", "properties"), ("subscriber",), _NOT_SET),
    *_nullable(WORK_ITEMS, _FIELD_BASE, ("helpText",), _NOT_SET),
    *_nullable(WORK_ITEMS, ("definitions", "WorkItemTypeFieldInstance", "properties"), ("defaultValue",), _NOT_SET),
    *_nullable(WORK_ITEMS, ("definitions", "WorkItemField", "properties"), ("description",), _NOT_SET),
    *_nullable(WORK_ITEMS, ("definitions", "WorkItemStateTransition", "properties"), ("actions",), _NOT_SET),
)

_FIELD_VALUE = {"type": "object", "properties": {"id": {"type": "integer"}, "value": {}}, "required": ["id"]}
_ZENDESK = (
    Repair(
        ZENDESK,
        (*SCHEMAS, "TicketUpdateInput", "properties", "metadata"),
        {"type": "object"},
        "the document's own TicketObject has it as write-only",
    ),
    Repair(
        ZENDESK,
        (*SCHEMAS, "TicketUpdateInput", "properties", "custom_fields", "items"),
        _FIELD_VALUE,
        "the reference is to the definition of a field; what is sent is its id and value, as in TicketObject",
    ),
    Repair(
        ZENDESK,
        (*SCHEMAS, "TicketObject", "properties", "custom_fields", "items"),
        _FIELD_VALUE,
        "checkboxes hold booleans and multiselects lists",
    ),
    Repair(
        ZENDESK,
        (*SCHEMAS, "TicketObject", "properties", "status", "enum"),
        ["new", "open", "pending", "hold", "solved", "closed", "deleted"],
        "the export tells of deleted tickets by this status",
    ),
    Repair(
        ZENDESK,
        (*SCHEMAS, "AuditObject", "properties", "events", "items", "properties", "value"),
        {},
        "tags change as a list; the document's own TicketAuditObject leaves the members of an event free",
    ),
    Repair(
        ZENDESK,
        ("components", "parameters", "IncrementalUnixTime", "required"),
        False,
        "a later page is asked for by its cursor alone; a rule of ours demands one of the two",
    ),
    Repair(
        ZENDESK,
        ("paths", "/api/v2/incremental/tickets/cursor", "parameters", "+"),
        _query("per_page", {"type": "integer", "minimum": 1, "maximum": 1000}),
        "the guide to the export names it; the parameter is not listed",
    ),
    Repair(
        ZENDESK,
        ("paths", "/api/v2/uploads", "post", "parameters"),
        [_query("filename", {"type": "string", "minLength": 1}, required=True), _query("token", {"type": "string"})],
        "the description requires it; the parameters are not listed",
    ),
    Repair(
        ZENDESK,
        ("paths", "/api/v2/uploads", "post", "requestBody"),
        {"required": False, "content": {"*/*": {}}},
        "the description says that the file is the body, with its own content type",
    ),
    Repair(
        ZENDESK,
        ("paths", "/oauth/tokens", "post", "requestBody"),
        {
            "required": True,
            **_json(
                {
                    "type": "object",
                    "required": ["grant_type", "client_id", "client_secret"],
                    "properties": {
                        "grant_type": {"enum": ["authorization_code", "refresh_token", "client_credentials"]},
                        "code": {"type": "string"},
                        "client_id": {"type": "string"},
                        "client_secret": {"type": "string"},
                        "redirect_uri": {"type": "string"},
                        "scope": {"type": "string"},
                        "refresh_token": {"type": "string"},
                        "expires_in": {"type": "integer", "minimum": 301, "maximum": 172_799},
                        "refresh_token_expires_in": {"type": "integer", "minimum": 604_801, "maximum": 7_775_999},
                    },
                }
            ),
        },
        "the members and their limits stand in a table of the description",
    ),
    Repair(
        ZENDESK,
        ("paths", "/oauth/tokens", "post", "responses", "200"),
        _json(_ref("OAuthTokenForGrantTypesObject")),
        "both 200 and 201 are seen",
    ),
)

REPAIRS: tuple[Repair, ...] = (*_CLOUD, *_DATA_CENTER, *_AZURE_DEVOPS, *_ZENDESK)
