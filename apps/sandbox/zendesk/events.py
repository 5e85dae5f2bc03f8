"""Ticket events for webhooks: one write becomes several, each with the whole ticket as its detail."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from . import hooks
from .account import Account
from .errors import Json
from .records import Audit, Change, Comment, Ticket, stamp

PREFIX = "zen:event-type:ticket."
EVENT_OF_FIELD = {
    "subject": "subject_changed",
    "status": "status_changed",
    "custom_status_id": "custom_status_changed",
    "priority": "priority_changed",
    "type": "type_changed",
    "requester_id": "requester_changed",
    "submitter_id": "submitter_changed",
    "assignee_id": "agent_assignment_changed",
    "group_id": "group_assignment_changed",
    "organization_id": "organization_changed",
    "external_id": "external_id_changed",
    "problem_id": "problem_link_changed",
    "due_at": "task_due_at_changed",
    "brand_id": "brand_changed",
    "ticket_form_id": "form_changed",
    "tags": "tags_changed",
    "follower_ids": "followers_changed",
    "email_cc_ids": "email_ccs_changed",
}
OTHER_EVENTS = [
    "created",
    "description_changed",
    "custom_field_changed",
    "comment_added",
    "comment_made_private",
    "comment_redacted",
    "attachment_linked_to_comment",
    "attachment_redacted_from_comment",
    "merged",
    "marked_as_spam",
    "soft_deleted",
    "undeleted",
    "permanently_deleted",
    "sla_policy_changed",
    "ola_policy_changed",
    "schedule_changed",
]
EVENT_TYPES = frozenset(PREFIX + name for name in [*EVENT_OF_FIELD.values(), *OTHER_EVENTS])
UPPER_CASE = ("status", "priority", "type")


def of_write(
    account: Account,
    ticket: Ticket,
    audit: Audit,
    changes: Sequence[Change],
    comments: Sequence[Comment],
    *,
    is_new: bool,
) -> None:
    """Tell all subscribed webhooks what a write did."""
    found: list[tuple[str, Json]] = []
    if is_new:
        found.append(("created", {}))
    else:
        found += [_of_change(account, change) for change in changes if _has_event(account, change)]
    for comment in comments:
        shown = comment_json(account, comment)
        found.append(("comment_added", {"comment": shown}))
        for item in comment.attachments:
            attachment = {"id": str(item.id), "filename": item.file_name, "content_type": item.content_type}
            attachment["content_url"] = f"{account.origin()}/attachments/token/{item.token}/?name={item.file_name}"
            linked = {"id": shown["id"], "is_public": comment.public}
            found.append(("attachment_linked_to_comment", {"attachment": attachment, "comment": linked}))
    announce(account, ticket, audit.author_id, found)


def announce(account: Account, ticket: Ticket, actor_id: int, found: Sequence[tuple[str, Json]]) -> None:
    """Send ``found`` (event name and its own part) as one sequence, to those webhooks that subscribed to them."""
    sequence_id = account.new_ulid()
    detail = detail_json(ticket, actor_id)
    for position, (name, event) in enumerate(found, 1):
        meta = {"sequence": {"id": sequence_id, "position": position, "total": len(found)}}
        body = {
            "type": PREFIX + name,
            "account_id": account.id,
            "id": str(uuid.uuid4()),
            "time": stamp(account.now()),
            "zendesk_event_version": "2022-06-20",
            "subject": f"zen:ticket:{ticket.id}",
            "detail": detail,
            "event": {**event, "meta": meta},
        }
        for webhook in list(account.webhooks.values()):
            if webhook.values["status"] == "active" and PREFIX + name in webhook.values["subscriptions"]:
                hooks.invoke(account, webhook, PREFIX + name, json.dumps(body, ensure_ascii=False).encode())


def detail_json(ticket: Ticket, actor_id: int) -> Json:
    values = ticket.values
    status = "SCRUBBED" if ticket.scrubbed else "DELETED" if ticket.deleted_at else values["status"].upper()
    channel = ticket.via["channel"]
    return {
        "id": str(ticket.id),
        "actor_id": str(actor_id),
        "subject": values["subject"],
        "description": ticket.description,
        "status": status,
        "custom_status": _id(values["custom_status_id"]),
        "priority": _upper(values["priority"]),
        "type": _upper(values["type"]),
        "requester_id": _id(values["requester_id"]),
        "submitter_id": _id(values["submitter_id"]),
        "assignee_id": _id(values["assignee_id"]),
        "group_id": _id(values["group_id"]),
        # the vendor sends an empty text here, not null, when there is none
        "organization_id": _id(values["organization_id"]) or "",
        "brand_id": _id(values["brand_id"]),
        "form_id": _id(values["ticket_form_id"]),
        "external_id": values["external_id"],
        "tags": values["tags"],
        "is_public": ticket.is_public,
        "via": {"channel": "web_service" if channel == "api" else channel},
        "created_at": stamp(ticket.created_at),
        "updated_at": stamp(ticket.updated_at),
    }


def comment_json(account: Account, comment: Comment) -> Json:
    author = account.users.get(comment.author_id)
    return {
        "id": str(comment.id),
        "body": comment.plain_body,
        "is_public": comment.public,
        "author": {
            "id": str(comment.author_id),
            "is_staff": bool(author and author.is_staff),
            "name": account.name_of(comment.author_id),
        },
    }


def _has_event(account: Account, change: Change) -> bool:
    return change.field in EVENT_OF_FIELD or change.field.isdigit()


def _of_change(account: Account, change: Change) -> tuple[str, Json]:
    if change.field.isdigit():
        item = account.fields[int(change.field)]
        about = {"id": change.field, "title": item.title, "type": item.type}
        return "custom_field_changed", {
            "current": {"value": change.after},
            "previous": {"value": change.before},
            "custom_field": about,
        }
    name = EVENT_OF_FIELD[change.field]
    if change.field == "tags":
        before, after = set(change.before), set(change.after)
        return name, {"tags_added": sorted(after - before), "tags_removed": sorted(before - after)}
    return name, {"current": _shown(change.field, change.after), "previous": _shown(change.field, change.before)}


def _shown(name: str, value: Any) -> Any:
    if name in UPPER_CASE:
        return _upper(value)
    if name.endswith("_ids"):
        return [str(item) for item in value]
    return _id(value) if isinstance(value, int) else value


def _id(value: int | None) -> str | None:
    return None if value is None else str(value)


def _upper(value: str | None) -> str | None:
    return value.upper() if value else value
