"""The true state for comparisons: no HTTP of the vendor, no lag, deleted tickets included."""

import hashlib
from typing import Any

from .account import Account
from .errors import Json
from .records import Ticket, stamp

PEOPLE = {"requester": "requester_id", "submitter": "submitter_id", "assignee": "assignee_id"}


def true_state(account: Account) -> dict[str, Any]:
    return {"system": "zendesk", "tickets": [_ticket(account, ticket) for ticket in account.tickets.values()]}


def _ticket(account: Account, ticket: Ticket) -> Json:
    return {
        "id": str(ticket.id),
        "key": str(ticket.id),
        "type": ticket.values["type"],
        "created_at": stamp(ticket.created_at),
        "updated_at": stamp(ticket.updated_at),
        "deleted": ticket.deleted_at is not None,
        "fields": _fields(account, ticket),
        "comments": [
            {
                "id": str(comment.id),
                "author": account.name_of(comment.author_id),
                "text": comment.plain_body,
                "html": comment.html_body,
                "public": comment.public,
                "at": stamp(comment.created_at),
            }
            for comment in ticket.comments
        ],
        "attachments": [
            {
                "id": str(item.id),
                "name": item.file_name,
                "size": len(item.content),
                "sha256": hashlib.sha256(item.content).hexdigest(),
                "at": stamp(item.created_at),
                "comment": str(comment.id),
            }
            for comment in ticket.comments
            for item in comment.attachments
        ],
        "log": list(ticket.log),
    }


def _fields(account: Account, ticket: Ticket) -> Json:
    """Vendor fields with their values, custom fields by id as text, and people and groups by name besides."""
    values = ticket.values
    group, organization = (
        account.groups.get(values["group_id"] or 0),
        account.organizations.get(values["organization_id"] or 0),
    )
    named: Json = {name: account.name_of(values[member]) for name, member in PEOPLE.items()}
    named |= {"group": group.name if group else None, "organization": organization.name if organization else None}
    custom = {str(item.id): ticket.custom.get(item.id) for item in account.fields.values() if not item.system}
    return {**values, "description": ticket.description, "is_public": ticket.is_public, **named, **custom}
