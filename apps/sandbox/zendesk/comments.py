"""Comments: read from a write, kept with their attachments, made private or redacted, never edited or deleted."""

import re
from dataclasses import dataclass, field
from datetime import datetime

from . import texts
from .account import Account
from .errors import Json, bad_attribute, invalid, invalid_record
from .records import Attachment, Audit, Comment, Ticket, Upload, User, stamp


@dataclass
class NewComment:
    """A comment that passed every check and waits for the write it belongs to."""

    author: User
    text: texts.CommentText
    public: bool
    uploads: list[Upload] = field(default_factory=list)
    created_at: datetime | None = None


def lookup_for(account: Account, values: Json, ticket_id: int | None, actor: User) -> "_Lookup":
    return _Lookup(account, values, ticket_id, actor)


class _Lookup:
    """Values of placeholders; what is unknown is empty, as with the vendor."""

    def __init__(self, account: Account, values: Json, ticket_id: int | None, actor: User) -> None:
        requester = account.users.get(values["requester_id"] or 0)
        self._known = {
            "ticket.id": str(ticket_id or ""),
            "ticket.title": values["subject"] or "",
            "ticket.subject": values["subject"] or "",
            "ticket.external_id": values["external_id"] or "",
            "ticket.status": (values["status"] or "").capitalize(),
            "ticket.priority": (values["priority"] or "").capitalize(),
            "ticket.tags": " ".join(values["tags"]),
            "ticket.link": f"{account.origin()}/agent/tickets/{ticket_id or ''}",
            "ticket.url": f"{account.origin()}/agent/tickets/{ticket_id or ''}",
            "ticket.requester.name": requester.name if requester else "",
            "ticket.requester.email": (requester.email or "") if requester else "",
            "ticket.assignee.name": account.name_of(values["assignee_id"]) or "",
            "ticket.group.name": group.name if (group := account.groups.get(values["group_id"] or 0)) else "",
            "current_user.name": actor.name,
            "current_user.email": actor.email or "",
        }

    def __call__(self, name: str) -> str:
        return self._known.get(name, "")


def read_comment(
    account: Account, data: Json, actor: User, *, values: Json, ticket: Ticket | None, ticket_id: int | None
) -> NewComment | None:
    """The ``comment`` of a ticket write. None when there is none; raises 400 or 422 when it cannot be taken."""
    given = data.get("comment")
    if isinstance(given, str):
        given = {"body": given}
    if given is None and ticket is None and data.get("description") is not None:
        given = {"body": data["description"]}
    if given is not None and not isinstance(given, dict):
        raise bad_attribute("comment", "Invalid parameter: comment must be an object")
    given = {"body": given["value"], **given} if given and "value" in given else given or {}
    author = _author(account, given, actor, values, is_first=ticket is None)
    text = texts.comment_text(
        given,
        by_staff=author.is_staff,
        most=account.settings.comment_bytes,
        lookup=lookup_for(account, values, ticket_id, actor),
    )
    if text is None:
        if ticket is None:
            raise invalid("base", "Description: cannot be blank", "BlankValue")
        if given.get("uploads"):
            raise invalid("comment", "Comment: cannot be blank", "BlankValue")
        return None
    if ticket is not None and len(ticket.comments) >= account.settings.comments_per_ticket:
        raise invalid("base", f"Ticket: has reached the limit of {account.settings.comments_per_ticket} comments")
    public = given.get("public", ticket.is_public if ticket else True)
    return NewComment(author, text, bool(public), _uploads(account, given))


def _author(account: Account, given: Json, actor: User, values: Json, *, is_first: bool) -> User:
    author_id = given.get("author_id")
    if author_id is None or not actor.is_staff:
        return account.users.get(values["submitter_id"], actor) if is_first else actor
    author = next((user for user in account.users.values() if user.id == author_id), None)
    if author is None:
        raise invalid("author", "Author: is invalid")
    return author


def _uploads(account: Account, given: Json) -> list[Upload]:
    tokens = given.get("uploads") or []
    tokens = [tokens] if isinstance(tokens, str) else tokens
    if not isinstance(tokens, list):
        raise bad_attribute("uploads", "Invalid parameter: uploads must be an array of tokens")
    found = [account.uploads.get(str(token)) for token in tokens]
    held = [upload for upload in found if upload is not None and account.clock() < upload.expires_at]
    if len(held) != len(tokens):
        raise invalid("uploads", "Uploads: token is invalid or expired")
    return held


def keep_comment(account: Account, ticket: Ticket, audit: Audit, new: NewComment) -> Comment:
    """Add ``new`` to the ticket: the audit event, the log, its attachments; upload tokens are used up."""
    comment = Comment(
        id=account.new_id(),
        audit_id=audit.id,
        author_id=new.author.id,
        html_body=new.text.html_body,
        body=new.text.body,
        plain_body=new.text.plain_body,
        public=new.public,
        created_at=new.created_at or audit.created_at,
        via=audit.via,
        metadata=audit.metadata,
    )
    ticket.log.append(
        {"at": stamp(audit.created_at), "by": new.author.name, "field": "comment", "from": None, "to": str(comment.id)}
    )
    for upload in new.uploads:
        account.uploads.pop(upload.token, None)
        for item in upload.attachments:
            _attach(ticket, comment, item, stamp(audit.created_at), new.author.name)
    ticket.comments.append(comment)
    if new.public:
        ticket.is_public = True
    elif len(ticket.comments) == 1:
        ticket.is_public = False
    return comment


def _attach(ticket: Ticket, comment: Comment, item: Attachment, at: str, by: str) -> None:
    item.comment_id = comment.id
    item.inline = item.token in comment.html_body
    comment.attachments.append(item)
    ticket.log.append({"at": at, "by": by, "field": "attachment", "from": None, "to": str(item.id)})


def redact_text(comment: Comment, text: str) -> None:
    """Replace every occurrence of ``text`` in all forms. Raises 422 when the comment does not hold it."""
    if not text or text not in comment.plain_body:
        raise invalid_record({"text": [{"description": "Text: was not found in the comment", "error": "InvalidValue"}]})
    shade = texts.REDACTED * len(text)
    comment.plain_body = comment.plain_body.replace(text, shade)
    comment.body = comment.body.replace(text, shade)
    # only between tags: attribute values keep the markup valid
    comment.html_body = "".join(
        part if part.startswith("<") else part.replace(text, shade)
        for part in re.split(r"(<[^>]*>)", comment.html_body)
    )
