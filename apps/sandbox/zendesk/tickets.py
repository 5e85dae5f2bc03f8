"""The tickets endpoints: read, create, change, delete, restore, tags, comments and audits of one ticket."""

from typing import Any

from . import comments, events
from .account import Account
from .call import Answer, Call, Route
from .draft import KNOWN_MEMBERS, tag_list
from .errors import Json, bad_attribute, closed_ticket, forbidden, invalid, not_found
from .paging import page_of
from .present import attachment_json, audit_json, comment_json, group_json, organization_json, ticket_json, user_json
from .records import Audit, Comment, Group, Organization, Ticket, User, stamp
from .writing import add_event, set_tags, touch, update_ticket

SORTS = ("id", "created_at", "updated_at", "status")


def ticket_of(call: Call) -> Ticket:
    return call.account.ticket(call.number("id"))


def side_load(call: Call, body: Json, tickets: list[Ticket]) -> Json:
    """Add what ``include`` asks for; unknown names are ignored, as the vendor does."""
    wanted = set(call.query.get("include", "").split(","))
    account = call.account
    if "comment_count" in wanted:
        shown = body["tickets"] if "tickets" in body else [body["ticket"]]
        for entry, ticket in zip(shown, tickets, strict=True):
            entry["comment_count"] = len(ticket.comments)
    if "users" in wanted:
        ids = {ticket.values[name] for ticket in tickets for name in ("requester_id", "submitter_id", "assignee_id")}
        body["users"] = [user_json(account, account.users[number]) for number in sorted(ids & account.users.keys())]
    if "groups" in wanted:
        ids = {ticket.values["group_id"] for ticket in tickets}
        groups: list[Group] = [account.groups[number] for number in sorted(ids & account.groups.keys())]
        body["groups"] = [group_json(account, group) for group in groups]
    if "organizations" in wanted:
        ids = {ticket.values["organization_id"] for ticket in tickets}
        found: list[Organization] = [
            account.organizations[number] for number in sorted(ids & account.organizations.keys())
        ]
        body["organizations"] = [organization_json(account, item) for item in found]
    return body


def show(call: Call) -> Answer:
    ticket = ticket_of(call)
    return Answer(body=side_load(call, {"ticket": ticket_json(call.account, ticket)}, [ticket]))


def show_many(call: Call) -> Answer:
    held = call.account.tickets
    rows = [held[number] for number in call.numbers() if number in held and held[number].deleted_at is None]
    return Answer(body=_page(call, rows))


def listed(call: Call) -> Answer:
    rows = call.account.present_tickets()
    if "external_id" in call.query:
        rows = [ticket for ticket in rows if ticket.values["external_id"] == call.query["external_id"]]
    return Answer(body=_page(call, rows))


def of_user(call: Call) -> Answer:
    user = call.account.user(call.number("id"))
    name = {"requested": "requester_id", "assigned": "assignee_id"}[call.path.removesuffix(".json").rpartition("/")[2]]
    return Answer(body=_page(call, [item for item in call.account.present_tickets() if item.values[name] == user.id]))


def _page(call: Call, rows: list[Ticket]) -> Json:
    sort = call.query.get("sort") or call.query.get("sort_by", "id")
    descending = sort.startswith("-") or call.query.get("sort_order") == "desc"
    name = sort.lstrip("-")
    if name not in SORTS:
        raise bad_attribute("sort")

    def key(ticket: Ticket) -> tuple[Any, ...]:
        if name == "id":
            return (ticket.id,)
        return (ticket.status if name == "status" else stamp(getattr(ticket, name)), ticket.id)

    def present(ticket: Ticket) -> Json:
        return ticket_json(call.account, ticket)

    body = page_of(call, "tickets", rows, key=key, present=present, descending=descending)
    return side_load(call, body, [call.account.tickets[entry["id"]] for entry in body["tickets"]])


def count(call: Call) -> Answer:
    value = len(call.account.present_tickets())
    return Answer(body={"count": {"value": value, "refreshed_at": stamp(call.account.now())}})


def warn_about_strangers(call: Call, data: Json) -> None:
    strangers = sorted(data.keys() - KNOWN_MEMBERS)
    if strangers:
        call.warn(f"Removed restricted keys {strangers!a} from parameters")


def update(call: Call) -> Answer:
    ticket, data = ticket_of(call), call.wrapped("ticket")
    spend_update(call, ticket)
    warn_about_strangers(call, data)
    audit = update_ticket(call.account, ticket, data, call.caller)
    if audit is None:
        at = call.account.now()
        audit = Audit(call.account.new_id(), ticket.id, call.caller.id, at, {"channel": "api"}, {"system": {}})
    return Answer(body={"ticket": ticket_json(call.account, ticket), "audit": audit_json(audit)})


def spend_update(call: Call, ticket: Ticket) -> None:
    """Two budgets: this user on this ticket within ten minutes, and all updates of the account within one."""
    account, settings = call.account, call.account.settings
    name = f"tickets/{ticket.id}/by/{call.caller.id}"
    account.budgets.take(name, settings.ticket_updates_per_ten_minutes, 600, "updates of this ticket per 10 minutes")
    standing = account.budgets.take("tickets/update", settings.account_updates_per_minute)
    call.answer_headers["zendesk-ratelimit-tickets-update"] = (
        f"total={standing.limit}; remaining={standing.remaining}; resets={standing.resets}"
    )


def remove(call: Call) -> Answer:
    """Soft delete: 404 from now on, ``deleted`` in the export, restorable."""
    ticket = ticket_of(call)
    account = call.account
    if call.caller.role != "admin" and not account.settings.agents_may_delete:
        raise forbidden()
    account.budgets.take("tickets/delete", account.settings.ticket_deletes_per_minute)
    soft_delete(account, ticket, call.caller)
    return Answer(204)


def soft_delete(account: Account, ticket: Ticket, actor: User) -> None:
    entry = {"field": "status", "from": ticket.status, "to": "deleted"}
    event = {"type": "Change", "field_name": "status", "value": "deleted", "previous_value": ticket.status}
    add_event(account, ticket, actor, event, entry)
    ticket.deleted_at, ticket.deleted_by = account.now(), actor.id
    events.announce(account, ticket, actor.id, [("soft_deleted", {})])


def deleted(call: Call) -> Answer:
    account = call.account
    account.budgets.take("deleted_tickets", account.settings.deleted_lists_per_minute)
    rows = [item for item in account.tickets.values() if item.deleted_at is not None and not item.scrubbed]

    def present(ticket: Ticket) -> Json:
        return {
            "id": ticket.id,
            "subject": ticket.values["subject"],
            "actor": {"id": ticket.deleted_by, "name": account.name_of(ticket.deleted_by)},
            "deleted_at": stamp(ticket.deleted_at) if ticket.deleted_at else None,
            "previous_state": ticket.status,
        }

    return Answer(body=page_of(call, "deleted_tickets", rows, key=lambda ticket: (ticket.id,), present=present))


def deleted_ticket(call: Call) -> Ticket:
    ticket = call.account.tickets.get(call.number("id"))
    if ticket is None or ticket.deleted_at is None or ticket.scrubbed:
        raise not_found()
    return ticket


def restore(call: Call) -> Answer:
    ticket = deleted_ticket(call)
    ticket.deleted_at = ticket.deleted_by = None
    entry = {"field": "status", "from": "deleted", "to": ticket.status}
    event = {"type": "Change", "field_name": "status", "value": ticket.status, "previous_value": "deleted"}
    add_event(call.account, ticket, call.caller, event, entry)
    events.announce(call.account, ticket, call.caller.id, [("undeleted", {})])
    return Answer(200, {})


def tags(call: Call) -> Answer:
    ticket = ticket_of(call)
    if call.method == "GET":
        return Answer(body={"tags": ticket.values["tags"]})
    data = call.document() or {"tags": tag_list(call.query.get("tags", ""))}
    if "tags" not in data:
        raise bad_attribute("tags")
    mode = {"POST": "set", "PUT": "add", "DELETE": "remove"}[call.method]
    held = set_tags(call.account, ticket, data, call.caller, mode)
    return Answer({"POST": 201, "PUT": 200, "DELETE": 204}[call.method], {"tags": held} if mode != "remove" else None)


def _latest(call: Call) -> bool:
    wanted = call.query.get("sort", "")
    if wanted.lstrip("-") not in ("", "created_at", "id"):
        raise bad_attribute("sort")
    return wanted.startswith("-") or call.query.get("sort_order") == "desc"


def list_comments(call: Call) -> Answer:
    ticket, account = ticket_of(call), call.account
    with_inline = call.query.get("include_inline_images") == "true"

    def present(comment: Comment) -> Json:
        return comment_json(account, comment, with_inline=with_inline)

    def key(comment: Comment) -> tuple[Any, ...]:
        return (stamp(comment.created_at), comment.id)

    body = page_of(call, "comments", ticket.comments, key=key, present=present, descending=_latest(call))
    if "users" in call.query.get("include", "").split(","):
        ids = {entry["author_id"] for entry in body["comments"]}
        body["users"] = [user_json(account, account.users[number]) for number in sorted(ids & account.users.keys())]
    return Answer(body=body)


def count_comments(call: Call) -> Answer:
    value = len(ticket_of(call).comments)
    return Answer(body={"count": {"value": value, "refreshed_at": stamp(call.account.now())}})


def list_audits(call: Call) -> Answer:
    ticket = ticket_of(call)
    call.account.budgets.take("audits", call.account.settings.audits_per_minute)

    def key(audit: Audit) -> tuple[Any, ...]:
        return (stamp(audit.created_at), audit.id)

    return Answer(body=page_of(call, "audits", ticket.audits, key=key, present=audit_json, descending=_latest(call)))


def show_audit(call: Call) -> Answer:
    number = call.number("audit_id")
    audit = next((item for item in ticket_of(call).audits if item.id == number), None)
    if audit is None:
        raise not_found()
    return Answer(body={"audit": audit_json(audit)})


def _comment(call: Call) -> tuple[Ticket, Comment]:
    ticket, number = ticket_of(call), call.number("comment_id")
    comment = next((item for item in ticket.comments if item.id == number), None)
    if comment is None:
        raise not_found()
    if ticket.status == "closed":
        raise closed_ticket()
    return ticket, comment


def make_private(call: Call) -> Answer:
    ticket, comment = _comment(call)
    if comment.public:
        comment.public = False
        event = {"type": "CommentPrivacyChange", "comment_id": comment.id, "public": False}
        entry = {"field": "comment_public", "to": False, "from": True, "comment": str(comment.id)}
        add_event(call.account, ticket, call.caller, event, entry)
        shown = {"comment": {"id": str(comment.id), "is_public": False}}
        events.announce(call.account, ticket, call.caller.id, [("comment_made_private", shown)])
    return Answer(200, {})


def redact(call: Call) -> Answer:
    ticket, comment = _comment(call)
    comments.redact_text(comment, str(call.document().get("text") or ""))
    event = {"type": "CommentRedactionEvent", "comment_id": comment.id}
    entry = {"field": "comment_redacted", "to": str(comment.id)}
    for audit in ticket.audits:
        for known in audit.events:
            if known["id"] == comment.id:
                known |= {"body": comment.body, "html_body": comment.html_body, "plain_body": comment.plain_body}
    add_event(call.account, ticket, call.caller, event, entry, reword=True)
    shown = {"comment": {"id": str(comment.id), "is_public": comment.public}}
    events.announce(call.account, ticket, call.caller.id, [("comment_redacted", shown)])
    return Answer(body={"comment": comment_json(call.account, comment)})


def redact_attachment(call: Call) -> Answer:
    ticket, comment = _comment(call)
    number = call.number("attachment_id")
    item = next((item for item in comment.attachments if item.id == number), None)
    if item is None:
        raise not_found()
    if item.inline:
        raise invalid("attachment", "Attachment: inline images cannot be redacted")
    item.file_name, item.content_type, item.content, item.deleted = "redacted.txt", "text/plain", b"", True
    event = {"type": "AttachmentRedactionEvent", "comment_id": comment.id, "attachment_id": item.id}
    add_event(call.account, ticket, call.caller, event, {"field": "attachment_redacted", "to": str(item.id)})
    shown = {"attachment": {"id": str(item.id)}, "comment": {"id": str(comment.id), "is_public": comment.public}}
    events.announce(call.account, ticket, call.caller.id, [("attachment_redacted_from_comment", shown)])
    return Answer(body={"attachment": attachment_json(call.account, item)})


def incidents(call: Call) -> Answer:
    problem = ticket_of(call)
    rows = [item for item in call.account.present_tickets() if item.values["problem_id"] == problem.id]
    return Answer(body=_page(call, rows))


def all_audits(call: Call) -> Answer:
    """Account-wide, and not to be tailed: what happened within the export's lag is skipped, as the vendor warns."""
    account = call.account
    newest = account.clock().timestamp() - account.settings.export_lag_seconds
    rows = [audit for audit in account.audits if audit.created_at.timestamp() <= newest]
    return Answer(
        body=page_of(call, "audits", rows, key=lambda audit: (audit.id,), present=audit_json, descending=True)
    )


def scrub(account: Account, ticket: Ticket, actor: User) -> None:
    """Permanent deletion: the shell stays in the export, its content is gone."""
    ticket.scrubbed = True
    ticket.values |= {"subject": "SCRUBBED", "external_id": None, "tags": []}
    ticket.custom.clear()
    for comment in ticket.comments:
        comment.body = comment.html_body = comment.plain_body = "SCRUBBED"
        comment.attachments.clear()
    touch(account, ticket, reword=True)
    events.announce(account, ticket, actor.id, [("permanently_deleted", {})])


ROUTES = [
    Route("GET", "tickets", listed, scope="tickets"),
    Route("GET", "tickets/count", count, scope="tickets"),
    Route("GET", "tickets/show_many", show_many, scope="tickets"),
    Route("GET", "tickets/{id}", show, scope="tickets"),
    Route("PUT", "tickets/{id}", update, scope="tickets"),
    Route("DELETE", "tickets/{id}", remove, scope="tickets"),
    Route("GET", "tickets/{id}/tags", tags, scope="tickets"),
    Route("POST", "tickets/{id}/tags", tags, scope="tickets"),
    Route("PUT", "tickets/{id}/tags", tags, scope="tickets"),
    Route("DELETE", "tickets/{id}/tags", tags, scope="tickets"),
    Route("GET", "tickets/{id}/comments", list_comments, scope="tickets"),
    Route("GET", "tickets/{id}/comments/count", count_comments, scope="tickets"),
    Route("PUT", "tickets/{id}/comments/{comment_id}/make_private", make_private, scope="tickets"),
    Route("PUT", "tickets/{id}/comments/{comment_id}/redact", redact, scope="tickets"),
    Route(
        "PUT",
        "tickets/{id}/comments/{comment_id}/attachments/{attachment_id}/redact",
        redact_attachment,
        scope="tickets",
    ),
    Route("GET", "tickets/{id}/audits", list_audits, scope="tickets"),
    Route("GET", "tickets/{id}/audits/{audit_id}", show_audit, scope="tickets"),
    Route("GET", "tickets/{id}/incidents", incidents, scope="tickets"),
    Route("GET", "ticket_audits", all_audits, scope="tickets"),
    Route("GET", "deleted_tickets", deleted, scope="tickets"),
    Route("PUT", "deleted_tickets/{id}/restore", restore, scope="tickets"),
    Route("GET", "users/{id}/tickets/requested", of_user, scope="tickets"),
    Route("GET", "users/{id}/tickets/assigned", of_user, scope="tickets"),
]
