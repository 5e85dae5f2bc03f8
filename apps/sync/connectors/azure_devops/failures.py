"""What Azure DevOps means by its error answers, as failures of the shared family."""

import json
import re
from typing import Any

from apps.sync.connectors.base import AccessRefused, ConnectorError, RateLimited, Rejected, SignInFailed, StaleVersion
from apps.sync.connectors.http import Answer, read_retry_after, redact

_SIGN_IN_PAGE = re.compile(r"_signin|sign[ -]?in|login\.microsoftonline|spsprod", re.IGNORECASE)
_STALE = ("VS403351", "TF26071", "TestPatchOperationFailedException")
_FIELD_IN_TEXT = (
    re.compile(r"field '([\w.]+)'", re.IGNORECASE),
    re.compile(r"Cannot find field ([\w.]+?)\.?(?:\s|$)", re.IGNORECASE),
    re.compile(r"/fields/([\w.]+)"),
    re.compile(r"Rule Error for field ([^.]+)\.", re.IGNORECASE),
)
_TREE = re.compile(r"TF401347|Invalid tree name", re.IGNORECASE)
_NOT_ALLOWED = ("TF400813", "TF401027", "UnauthorizedRequestException")


def is_sign_in_page(answer: Answer) -> bool:
    """Whether an answer leads to a sign-in page: how Services answer bad credentials (203, 302, or a page with 200)."""
    if answer.status == 203 or 300 <= answer.status < 400:
        return True
    is_page = "html" in answer.headers.get("content-type", "") or answer.body.lstrip()[:1] == b"<"
    return answer.status < 300 and is_page and bool(_SIGN_IN_PAGE.search(answer.text()))


def read_refusal(answer: Answer) -> ConnectorError | None:
    """The failure that an answer of Azure DevOps means, or None for those that mean the same everywhere."""
    if is_sign_in_page(answer):
        return SignInFailed(f"answered {answer.status} with the way to a sign-in page: the credentials are not valid")
    status, body = answer.status, read_body(answer)
    message = read_message(body) or redact(answer.text())
    detail = f"answered {status}: {message}"
    if status in (409, 412) or (status == 400 and any(mark in json.dumps(body) for mark in _STALE)):
        return StaleVersion(detail)
    if status == 401:
        return SignInFailed(detail)
    if status == 403:
        return AccessRefused(detail)
    if status == 429:
        return RateLimited(detail, retry_after=read_retry_after(answer.headers))
    if status in (400, 404, 405, 406, 411, 413, 415):
        return Rejected(detail, field=read_field(body, message))
    return None


def read_body(answer: Answer) -> dict[str, Any]:
    try:
        body = json.loads(answer.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def read_message(body: dict[str, Any]) -> str:
    """The text of an error; faults in binding the request come as ``{"count":1,"value":{"Message":…}}``."""
    value = body.get("value")
    inner = value.get("Message") if isinstance(value, dict) else ""
    return str(body.get("message") or inner or "")


def read_field(body: dict[str, Any], message: str) -> str:
    """The reference name of the field that is refused, or the name by which the message calls it."""
    properties = body.get("customProperties")
    if isinstance(properties, dict):
        listed = properties.get("RuleValidationErrors") or []
        named = [entry.get("fieldReferenceName") for entry in listed if isinstance(entry, dict)]
        found = properties.get("FieldReferenceName") or next((name for name in named if name), "")
        if found:
            return str(found)
    if _TREE.search(message):
        return "System.IterationPath" if "iteration" in message.lower() else "System.AreaPath"
    for pattern in _FIELD_IN_TEXT:
        match = pattern.search(message)
        if match:
            return match.group(1)
    return ""
