"""The end user's view of tickets: their own ones only, public comments only."""

from typing import Any

from .account import Account
from .call import Answer, Call, Route
from .errors import Json, not_found
from .paging import page_of
from .present import comment_json, ticket_json
from .records import Comment, Ticket, stamp
from .writing import create_ticket, update_ticket

SHOWN = (
    "url", "id", "status", "custom_status_id", "priority", "type", "subject", "description", "organization_id", "via",
    "custom_fields", "requester_id", "collaborator_ids", "email_cc_ids", "is_public", "due_at", "created_at",
    "updated_at", "recipient", "assignee_id", "ticket_form_id", "fields",
)  # fmt: skip
WRITABLE = ("subject", "priority", "type", "custom_fields", "requester")


def request_json(account: Account, ticket: Ticket) -> Json:
    shown = ticket_json(account, ticket)
    return {
        **{name: shown[name] for name in SHOWN},
        "can_be_solved_by_me": ticket.values["assignee_id"] is not None,
        "solved": ticket.status in ("solved", "closed"),
        "followup_source_id": ticket.followup_source_id,
    }


def _own(call: Call) -> Ticket:
    ticket = call.account.ticket(call.number("id"))
    if not call.caller.is_staff and (ticket.values["requester_id"] != call.caller.id or not ticket.is_public):
        raise not_found()
    return ticket


def listed(call: Call) -> Answer:
    rows = [
        ticket
        for ticket in call.account.present_tickets()
        if ticket.values["requester_id"] == call.caller.id and ticket.is_public
    ]

    def present(ticket: Ticket) -> Json:
        return request_json(call.account, ticket)

    return Answer(body=page_of(call, "requests", rows, key=lambda ticket: (ticket.id,), present=present))


def show(call: Call) -> Answer:
    return Answer(body={"request": request_json(call.account, _own(call))})


def _allowed(call: Call, data: Json) -> Json:
    kept = {name: data[name] for name in WRITABLE if name in data}
    if isinstance(data.get("comment"), dict):
        kept["comment"] = {**data["comment"], "public": True}
        if not call.caller.is_staff:
            kept["comment"].pop("author_id", None)
    return kept


def create(call: Call) -> Answer:
    ticket, _audit = create_ticket(call.account, _allowed(call, call.wrapped("request")), call.caller)
    location = call.url(f"requests/{ticket.id}")
    return Answer(201, {"request": request_json(call.account, ticket)}, {"Location": location})


def update(call: Call) -> Answer:
    """A comment, and solving one's own request."""
    ticket, data = _own(call), call.wrapped("request")
    change = {"comment": _allowed(call, data)["comment"]} if isinstance(data.get("comment"), dict) else {}
    if data.get("solved") is True:
        change["status"] = "solved"
    update_ticket(call.account, ticket, change, call.caller)
    return Answer(body={"request": request_json(call.account, ticket)})


def list_comments(call: Call) -> Answer:
    ticket = _own(call)

    def present(comment: Comment) -> Json:
        return comment_json(call.account, comment)

    def key(comment: Comment) -> tuple[Any, ...]:
        return (stamp(comment.created_at), comment.id)

    rows = [comment for comment in ticket.comments if comment.public]
    return Answer(body=page_of(call, "comments", rows, key=key, present=present))


ROUTES = [
    Route("GET", "requests", listed, role="end-user", scope="requests"),
    Route("POST", "requests", create, role="end-user", scope="requests"),
    Route("GET", "requests/{id}", show, role="end-user", scope="requests"),
    Route("PUT", "requests/{id}", update, role="end-user", scope="requests"),
    Route("GET", "requests/{id}/comments", list_comments, role="end-user", scope="requests"),
]
