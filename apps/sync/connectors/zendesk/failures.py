"""What Zendesk means by its error answers, as failures of the shared family."""

import json
import re
from collections.abc import Mapping
from typing import Any

from apps.sync.connectors.base import (
    AccessRefused,
    ConnectorError,
    NoRoute,
    RateLimited,
    Rejected,
    StaleVersion,
    TicketClosed,
    VendorFault,
)
from apps.sync.connectors.http import Answer, read_count, read_retry_after, redact

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
_FIELD_OF_KIND = {
    "FieldSubject": "subject",
    "FieldDescription": "description",
    "FieldStatus": "status",
    "FieldPriority": "priority",
    "FieldTicketType": "type",
    "FieldGroup": "group_id",
    "FieldAssignee": "assignee_id",
    "FieldCustomStatus": "custom_status_id",
}
_FIELD_OF_MEMBER = {
    "assignee": "assignee_id",
    "requester": "requester_id",
    "submitter": "submitter_id",
    "group": "group_id",
    "organization": "organization_id",
    "ticket_type": "type",
    "tickettype": "type",
    "ticket_type_id": "type",
    "status_id": "status",
    "priority_id": "priority",
}
_CLOSED = re.compile(r"closed:? prevents ticket update", re.IGNORECASE)


def read_refusal(answer: Answer) -> ConnectorError | None:
    """The failure that an answer of Zendesk means, or None for those that mean the same everywhere."""
    status = answer.status
    if status == 429:
        spent = answer.headers.get("x-rate-limit-remaining", "0").strip() in ("", "0")
        scope = "connection" if spent else "endpoint"
        return RateLimited(redact(answer.text()), retry_after=read_retry_after(answer.headers), scope=scope)
    if status not in (400, 403, 404, 409, 413, 415, 422):
        return None
    body = _read_body(answer)
    error, reason = _read_error(body)
    detail = f"answered {status}: {error}: {reason}" if error else f"answered {status}: {redact(answer.text())}"
    if status == 403:
        return AccessRefused(detail)
    if status == 409:
        return _read_conflict(error, detail)
    if error == "IdempotentRequestError":
        # the key has been used with another body: an earlier attempt did something, so look before repeating
        return VendorFault(detail, is_unknown=True)
    if status == 422 and isinstance(body.get("details"), dict):
        return _read_details(body["details"]) or Rejected(detail)
    if status == 413:
        return Rejected(f"{detail} (too large)", field="attachment")
    return Rejected(detail)


def _read_conflict(error: str, detail: str) -> ConnectorError:
    if error == "UpdateConflict":
        return StaleVersion(detail)
    if error == "DatabaseConflict":
        return VendorFault(detail, is_unknown=False)
    return VendorFault(detail, is_unknown=True)


def _read_body(answer: Answer) -> dict[str, Any]:
    """The JSON object of an error answer; error bodies may also be plain text."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _read_error(body: dict[str, Any]) -> tuple[str, str]:
    """Zendesk writes ``error`` as a word or as an object with title and message."""
    error = body.get("error")
    if isinstance(error, dict):
        return str(error.get("title", "")), str(error.get("message", ""))
    reason = body.get("description") or body.get("error_description") or body.get("message") or ""
    return str(error or ""), str(reason)


def _read_details(details: dict[str, Any]) -> ConnectorError | None:
    found = [(member, entry) for member, entries in details.items() for entry in _as_entries(entries)]
    if not found:
        return None
    if any(_CLOSED.search(str(entry.get("description", ""))) for _, entry in found):
        return TicketClosed(str(found[0][1].get("description", "")))
    texts, fields = [], []
    for member, entry in found:
        name = _name_field(member, entry)
        text = str(entry.get("description", ""))
        number = entry.get("ticket_field_id")
        texts.append(f"{text} (field {number})" if number else text)
        fields.append(name)
    return Rejected("; ".join(texts), field=next((name for name in fields if name), ""))


def _as_entries(entries: Any) -> list[dict[str, Any]]:
    listed = entries if isinstance(entries, list) else [entries]
    return [entry if isinstance(entry, dict) else {"description": str(entry)} for entry in listed]


def _name_field(member: str, entry: dict[str, Any]) -> str:
    """Our name of the field that an entry is about: by its kind, its id, its member or the title in its text."""
    kind = str(entry.get("ticket_field_type", ""))
    if kind in _FIELD_OF_KIND:
        return _FIELD_OF_KIND[kind]
    if entry.get("ticket_field_id"):
        return str(entry["ticket_field_id"])
    if member != "base":
        return _FIELD_OF_MEMBER.get(member, member)
    title = str(entry.get("description", "")).partition(":")[0].strip().casefold().replace(" ", "_")
    return _FIELD_OF_MEMBER.get(title, title if title in ("status", "type", "priority", "subject") else "")


def no_route(ticket: dict[str, Any], wanted: str, reason: str) -> NoRoute:
    """A ticket never becomes new again, and is closed from solved only."""
    present = ticket.get("status")
    reachable = [status for status in STATUSES if status not in (present, "new", "closed")]
    reachable += ["closed"] if present == "solved" else []
    detail = f"no way from {present} to {wanted}: {reason}; reachable: {', '.join(reachable)}"
    return NoRoute(detail, field="status", value=wanted)


def read_limit(headers: Mapping[str, str]) -> tuple[int, float] | None:
    """The account's requests a minute, which its plan decides and every answer names."""
    calls = read_count(headers, "x-rate-limit")
    return (calls, 60.0) if calls else None
