"""The contract of each system: its documents, and what it does everywhere without its documents saying so."""

from functools import cache

from . import defects, prose, servicenow
from .documents import load
from .openapi import Contract, Dialect

SYSTEMS = ("jira", "jira_dc", "azure_devops", "zendesk", "servicenow")

_JIRA_ERRORS = {
    "type": "object",
    "properties": {
        "errorMessages": {"type": "array", "items": {"type": "string"}},
        "errors": {"type": "object", "additionalProperties": {"type": "string"}},
        "status": {"type": "integer"},
        "message": {"type": "string"},
    },
    "minProperties": 1,
}
_GATEWAY = "the vendor's page on rate limits and availability: any operation"
_ANY_JIRA = {
    401: "the chapter on authentication, not each operation",
    403: "the chapter on permissions, not each operation",
    429: _GATEWAY,
    500: _GATEWAY,
    503: _GATEWAY,
}
_AZURE_ERRORS = {
    "type": "object",
    "required": ["$id", "innerException", "message", "typeName", "typeKey", "errorCode", "eventId"],
    "properties": {"message": {"type": "string"}, "typeKey": {"type": "string"}, "errorCode": {"type": "integer"}},
}
_ANY_AZURE = dict.fromkeys((400, 401, 403, 404, 409, 412, 415, 429, 500, 503), "the documents name successes only")
_ZENDESK_ERRORS = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"oneOf": [{"type": "string"}, {"type": "object"}]}, "description": {"type": "string"}},
}
_ANY_ZENDESK = dict.fromkeys((400, 401, 403, 404, 409, 422, 429, 500, 503), "the chapter on status codes")
_CURSOR_PAGES = (
    {"name": "page[size]", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
    {"name": "page[after]", "in": "query", "schema": {"type": "string"}},
    {"name": "page[before]", "in": "query", "schema": {"type": "string"}},
    {"name": "sort", "in": "query", "schema": {"type": "string"}},
)

_DIALECTS = {
    "jira": Dialect(
        errors=_JIRA_ERRORS,
        silent_statuses=_ANY_JIRA,
        # The document's chapter on versions: 2 and 3 offer the same operations. This one holds no rich text.
        aliases={"/rest/api/2/serverInfo": "/rest/api/3/serverInfo"},
        rules=prose.JIRA_CLOUD,
    ),
    "jira_dc": Dialect(errors=_JIRA_ERRORS, silent_statuses=_ANY_JIRA, rules=prose.JIRA),
    "azure_devops": Dialect(
        ignores_path_case=True,
        errors=_AZURE_ERRORS,
        silent_statuses=_ANY_AZURE,
        wraps_lists=True,
        accept_parameters=("api-version",),
        rules=prose.AZURE_DEVOPS,
    ),
    "zendesk": Dialect(
        path_ending=".json",
        # 509 of 1,134 recorded answers hold null where the document says otherwise.
        answers_null=True,
        errors=_ZENDESK_ERRORS,
        silent_statuses=_ANY_ZENDESK,
        anonymous=("^/oauth/tokens$",),
        reading_parameters=_CURSOR_PAGES,
        rules=prose.ZENDESK,
    ),
    "servicenow": Dialect(anonymous=("^/oauth_token.do$",), rules=prose.SERVICENOW),
}


@cache
def contract(system: str) -> Contract:
    """Raises KeyError for an unknown system, DocumentMissing where the documents are not here."""
    documents = {
        "jira": lambda: (load(defects.JIRA_CLOUD),),
        "jira_dc": lambda: (load(defects.JIRA_DATA_CENTER),),
        "azure_devops": lambda: (
            load(defects.WORK_ITEMS),
            load(defects.WORK_ITEM_OVERLOADS, overloads=True),
            load(defects.HOOKS),
            load(defects.CORE),
        ),
        # The webhooks document names its base path beside the paths.
        "zendesk": lambda: (load(defects.ZENDESK), load(defects.ZENDESK_WEBHOOKS, "/api/v2")),
        "servicenow": lambda: (servicenow.document(),),
    }[system]
    return Contract(system, documents(), _DIALECTS[system])
