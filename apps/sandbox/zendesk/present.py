"""Records as the vendor shows them: every key a real answer has, unset values as null."""

from typing import Any
from urllib.parse import quote

from .account import Account
from .errors import Json
from .records import (
    Attachment,
    Audit,
    Comment,
    CustomStatus,
    Group,
    Job,
    Organization,
    Ticket,
    TicketField,
    Trigger,
    User,
    stamp,
)

SCRUBBED = "SCRUBBED"


def address(account: Account, path: str) -> str:
    return f"{account.origin()}/api/v2/{path}.json"


def ticket_json(account: Account, ticket: Ticket) -> Json:
    values = ticket.values
    return {
        "url": address(account, f"tickets/{ticket.id}"),
        "id": ticket.id,
        "external_id": values["external_id"],
        "via": ticket.via,
        "created_at": stamp(ticket.created_at),
        "updated_at": stamp(ticket.updated_at),
        "generated_timestamp": ticket.touch.timestamp,
        "type": values["type"],
        "subject": values["subject"],
        "raw_subject": values["subject"],
        "description": SCRUBBED if ticket.scrubbed else ticket.description,
        "priority": values["priority"],
        "status": "deleted" if ticket.deleted_at else values["status"],
        "recipient": values["recipient"],
        "requester_id": values["requester_id"],
        "submitter_id": values["submitter_id"],
        "assignee_id": values["assignee_id"],
        "organization_id": values["organization_id"],
        "group_id": values["group_id"],
        "collaborator_ids": values["collaborator_ids"],
        "follower_ids": values["follower_ids"],
        "email_cc_ids": values["email_cc_ids"],
        "forum_topic_id": None,
        "problem_id": values["problem_id"],
        "has_incidents": has_incidents(account, ticket),
        "is_public": ticket.is_public,
        "due_at": values["due_at"],
        "tags": values["tags"],
        "custom_fields": custom_fields_json(account, ticket),
        "satisfaction_rating": None,
        "sharing_agreement_ids": [],
        "custom_status_id": values["custom_status_id"],
        "fields": custom_fields_json(account, ticket),
        "followup_ids": ticket.followup_ids,
        "ticket_form_id": values["ticket_form_id"],
        "brand_id": values["brand_id"],
        "allow_channelback": False,
        "allow_attachments": True,
        "from_messaging_channel": False,
    }


def has_incidents(account: Account, ticket: Ticket) -> bool:
    return ticket.values["type"] == "problem" and ticket.id in account.problem_ids


def custom_fields_json(account: Account, ticket: Ticket) -> list[Json]:
    return [
        {"id": item.id, "value": ticket.custom.get(item.id)}
        for item in account.fields.values()
        if item.active and not item.system
    ]


def comment_json(account: Account, comment: Comment, *, with_inline: bool = False) -> Json:
    return {
        "id": comment.id,
        "type": "Comment",
        "author_id": comment.author_id,
        "body": comment.body,
        "html_body": comment.html_body,
        "plain_body": comment.plain_body,
        "public": comment.public,
        "attachments": [
            attachment_json(account, item) for item in comment.attachments if with_inline or not item.inline
        ],
        "audit_id": comment.audit_id,
        "via": comment.via,
        "created_at": stamp(comment.created_at),
        "metadata": comment.metadata,
    }


def attachment_json(account: Account, item: Attachment) -> Json:
    content_url = f"{account.origin()}/attachments/token/{item.token}/?name={quote(item.file_name)}"
    return {
        "url": address(account, f"attachments/{item.id}"),
        "id": item.id,
        "file_name": item.file_name,
        "content_url": content_url,
        "mapped_content_url": content_url,
        "content_type": item.content_type,
        "size": len(item.content),
        "width": None,
        "height": None,
        "inline": item.inline,
        "deleted": item.deleted,
        "malware_access_override": item.access_override,
        "malware_scan_result": item.scan,
        "thumbnails": [],
    }


def audit_json(audit: Audit) -> Json:
    return {
        "id": audit.id,
        "ticket_id": audit.ticket_id,
        "created_at": stamp(audit.created_at),
        "author_id": audit.author_id,
        "metadata": audit.metadata,
        "events": audit.events,
        "via": audit.via,
    }


def user_json(account: Account, user: User) -> Json:
    return {
        "id": user.id,
        "url": address(account, f"users/{user.id}"),
        "name": user.name,
        "email": user.email,
        "created_at": stamp(user.created_at),
        "updated_at": stamp(user.updated_at),
        "time_zone": user.time_zone,
        "iana_time_zone": "Europe/Berlin" if user.time_zone == "Berlin" else "Etc/UTC",
        "phone": user.phone,
        "shared_phone_number": None,
        "photo": None,
        "locale_id": 1,
        "locale": "en-US",
        "organization_id": user.organization_id,
        "role": user.role,
        "verified": user.verified,
        "external_id": user.external_id,
        "tags": user.tags,
        "alias": None,
        "active": user.active,
        "shared": False,
        "shared_agent": False,
        "last_login_at": None,
        "two_factor_auth_enabled": None,
        "signature": None,
        "details": user.details,
        "notes": user.notes,
        "role_type": 4 if user.role == "admin" else None,
        "custom_role_id": None,
        "moderator": user.is_staff,
        "ticket_restriction": None if user.is_staff else "requested",
        "only_private_comments": False,
        "restricted_agent": not user.is_staff,
        "suspended": user.suspended,
        "default_group_id": user.default_group_id,
        "report_csv": user.role == "admin",
        "user_fields": user.user_fields,
    }


def anonymous_json() -> Json:
    return {
        "id": None, "url": None, "name": "Anonymous user", "email": "invalid@example.com", "created_at": None,
        "updated_at": None, "time_zone": "Berlin", "phone": None, "photo": None, "locale_id": 1, "locale": "en-US",
        "organization_id": None, "role": "end-user", "verified": False,
    }  # fmt: skip


def group_json(account: Account, group: Group) -> Json:
    return {
        "url": address(account, f"groups/{group.id}"),
        "id": group.id,
        "is_public": True,
        "name": group.name,
        "description": "",
        "default": group.default,
        "deleted": False,
        "created_at": stamp(group.created_at),
        "updated_at": stamp(group.created_at),
    }


def organization_json(account: Account, item: Organization) -> Json:
    return {
        "url": address(account, f"organizations/{item.id}"),
        "id": item.id,
        "name": item.name,
        "shared_tickets": False,
        "shared_comments": False,
        "external_id": item.external_id,
        "created_at": stamp(item.created_at),
        "updated_at": stamp(item.updated_at),
        "domain_names": item.domain_names,
        "details": None,
        "notes": None,
        "group_id": None,
        "tags": item.tags,
        "organization_fields": {},
    }


def ticket_field_json(account: Account, item: TicketField) -> Json:
    shown: Json = {
        "url": address(account, f"ticket_fields/{item.id}"),
        "id": item.id,
        "type": item.type,
        "title": item.title,
        "raw_title": item.title,
        "description": "",
        "raw_description": "",
        "position": list(account.fields).index(item.id) + 1,
        "active": item.active,
        "required": item.required,
        "collapsed_for_agents": False,
        "regexp_for_validation": item.pattern,
        "title_in_portal": item.title,
        "raw_title_in_portal": item.title,
        "visible_in_portal": True,
        "editable_in_portal": True,
        "required_in_portal": False,
        "agent_can_edit": True,
        "tag": item.tag,
        "created_at": stamp(item.created_at),
        "updated_at": stamp(item.created_at),
        "removable": not item.system,
        "key": None,
        "agent_description": None,
    }
    options = _options(account, item)
    if item.type in ("tagger", "multiselect"):
        shown["custom_field_options"] = [
            {"id": item.id * 100 + place, "name": name, "raw_name": name, "value": value, "default": False}
            for place, (value, name) in enumerate(options.items(), 1)
        ]
    elif item.type == "custom_status":
        shown["custom_statuses"] = [custom_status_json(account, status) for status in account.custom_statuses.values()]
    elif options:
        shown["system_field_options"] = [{"name": name, "value": value} for value, name in options.items()]
    return shown


def _options(account: Account, item: TicketField) -> dict[str, str]:
    if item.type == "status" and not account.settings.hold_enabled:
        return {value: name for value, name in item.options.items() if value != "hold"}
    return item.options


def custom_status_json(account: Account, item: CustomStatus) -> Json:
    return {
        "url": address(account, f"custom_statuses/{item.id}"),
        "id": item.id,
        "status_category": item.category,
        "agent_label": item.label,
        "end_user_label": item.label,
        "description": "",
        "end_user_description": "",
        "raw_agent_label": item.label,
        "raw_end_user_label": item.label,
        "raw_description": "",
        "raw_end_user_description": "",
        "active": item.active,
        "default": item.default,
        "created_at": stamp(item.created_at),
        "updated_at": stamp(item.created_at),
    }


def job_json(account: Account, job: Job) -> Json:
    return {
        "id": job.id,
        "job_type": job.job_type,
        "url": address(account, f"job_statuses/{job.id}"),
        "total": job.total,
        "progress": job.progress,
        "status": job.status,
        "message": job.message,
        "results": job.results,
    }


def trigger_json(account: Account, trigger: Trigger) -> Json:
    return {
        "url": address(account, f"triggers/{trigger.id}"),
        "id": trigger.id,
        "title": trigger.title,
        "raw_title": trigger.title,
        "active": trigger.active,
        "updated_at": stamp(trigger.updated_at),
        "created_at": stamp(trigger.created_at),
        "default": False,
        "actions": trigger.actions,
        "conditions": trigger.conditions,
        "description": trigger.description,
        "position": trigger.position,
        "category_id": "10026",
    }


def via(channel: str = "api", rel: str | None = None, source: Json | None = None, to: Json | None = None) -> Json:
    return {"channel": channel, "source": {"from": source or {}, "to": to or {}, "rel": rel}}


def audit_value(field_name: str, value: Any) -> Any:
    """Ids stand as strings in audit events, save those of custom statuses."""
    if field_name.endswith("_id") and field_name != "custom_status_id" and isinstance(value, int):
        return str(value)
    return value
