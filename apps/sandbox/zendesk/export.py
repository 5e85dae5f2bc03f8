"""Incremental exports: ordered by the moment of the last change of any kind, withholding the newest ones."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

from .account import Account
from .call import Answer, Call, Route
from .errors import Json, Refusal, bad_page
from .paging import whole_number
from .present import organization_json, ticket_json, user_json
from .records import Audit, Organization, Ticket, Touch, User, stamp

LARGEST_PAGE = 1_000
Row = Ticket | User | Organization


def _spend(call: Call) -> int:
    """One of the few exports per minute. Returns the newest second that may be shown."""
    account = call.account
    account.budgets.take("incremental", account.settings.incremental_per_minute)
    return int(account.clock().timestamp() - account.settings.export_lag_seconds)


def _start(call: Call, newest: int) -> int:
    text = call.query.get("start_time")
    if text is None:
        raise Refusal(400, {"error": "StartTimeMissing", "description": "start_time is required"})
    start = whole_number(text, "start_time", 0)
    if start > newest:
        raise Refusal(
            422,
            {
                "error": "StartTimeTooRecent",
                "description": "Too recent start_time. Use a start_time older than 1 minute",
            },
        )
    return start


def encode(touch: tuple[int, int]) -> str:
    return base64.b64encode(f"{touch[0]}.0||{touch[1]}".encode()).decode()


def decode(text: str) -> tuple[int, int]:
    try:
        seconds, _, sequence = base64.b64decode(text, validate=True).decode().partition("||")
        return int(float(seconds)), int(sequence)
    except (ValueError, binascii.Error):
        raise bad_page("cursor is not valid") from None


def _by_cursor(
    call: Call, name: str, rows: Sequence[Row], present: Callable[[Any], Json]
) -> tuple[Json, Sequence[Row]]:
    newest = _spend(call)
    size = min(whole_number(call.query.get("per_page", str(LARGEST_PAGE)), "per_page"), LARGEST_PAGE)
    # a cursor wins over a start time; the first second of a start time is included
    edge = decode(call.query["cursor"]) if "cursor" in call.query else (_start(call, newest) - 1, 1 << 62)
    due = sorted((row for row in rows if _is_due(row.touch, edge, newest)), key=lambda row: row.touch.key)
    page = due[:size]
    after = encode(page[-1].touch.key if page else edge)
    include = {"include": call.query["include"]} if "include" in call.query else {}
    body: Json = {
        name: [present(row) for row in page],
        "after_url": call.link({"cursor": after, "per_page": size, **include}),
        "after_cursor": after,
        "before_url": None,
        "before_cursor": None,
        "end_of_stream": len(due) <= size,
    }
    return body, page


def _is_due(touch: Touch, edge: tuple[int, int], newest: int) -> bool:
    return touch.key > edge and touch.timestamp <= newest


def tickets_by_cursor(call: Call) -> Answer:
    account = call.account
    body, page = _by_cursor(call, "tickets", _tickets(call), lambda ticket: ticket_json(account, ticket))
    return Answer(body=_with_users(call, body, page))


def _tickets(call: Call) -> list[Ticket]:
    rows = list(call.account.tickets.values())
    if call.query.get("exclude_deleted") == "true":
        rows = [ticket for ticket in rows if ticket.deleted_at is None]
    return rows


def _with_users(call: Call, body: Json, page: Sequence[Row]) -> Json:
    if "users" in call.query.get("include", "").split(","):
        users = call.account.users
        names = ("requester_id", "submitter_id", "assignee_id")
        ids = {row.values[name] for row in page if isinstance(row, Ticket) for name in names}
        body["users"] = [user_json(call.account, users[number]) for number in sorted(ids & users.keys())]
    return body


def users_by_cursor(call: Call) -> Answer:
    account = call.account
    rows = list(account.users.values())
    return Answer(body=_by_cursor(call, "users", rows, lambda user: user_json(account, user))[0])


def _by_time(call: Call, name: str, rows: Sequence[Row], present: Callable[[Any], Json]) -> Json:
    """The older export: pages end with a whole second, which the next page repeats."""
    newest = _spend(call)
    start = _start(call, newest)
    due = sorted((row for row in rows if start <= row.touch.timestamp <= newest), key=lambda row: row.touch.key)
    page = due[:LARGEST_PAGE]
    end = page[-1].touch.timestamp if page else start
    return {
        name: [present(row) for row in page],
        "count": len(page),
        "end_of_stream": len(due) <= LARGEST_PAGE,
        "end_time": end,
        "next_page": call.link({"start_time": end}) if page else None,
    }


def tickets_by_time(call: Call) -> Answer:
    account = call.account
    return Answer(body=_by_time(call, "tickets", _tickets(call), lambda ticket: ticket_json(account, ticket)))


def users_by_time(call: Call) -> Answer:
    account = call.account
    return Answer(body=_by_time(call, "users", list(account.users.values()), lambda user: user_json(account, user)))


def organizations_by_time(call: Call) -> Answer:
    account = call.account
    rows = list(account.organizations.values())
    return Answer(body=_by_time(call, "organizations", rows, lambda item: organization_json(account, item)))


def ticket_events(call: Call) -> Answer:
    """Audits as a feed; comments come with their text only for ``include=comment_events``."""
    account = call.account
    newest = _spend(call)
    start = _start(call, newest)
    with_comments = "comment_events" in call.query.get("include", "").split(",")
    due = [audit for audit in account.audits if start <= int(audit.created_at.timestamp()) <= newest]
    page = due[:LARGEST_PAGE]
    end = int(page[-1].created_at.timestamp()) if page else start
    include = {"include": call.query["include"]} if "include" in call.query else {}
    body = {
        "ticket_events": [_event_json(account, audit, with_comments) for audit in page],
        "count": len(page),
        "end_of_stream": len(due) <= LARGEST_PAGE,
        "end_time": end,
        "next_page": call.link({"start_time": end, **include}) if page else None,
    }
    return Answer(body=body)


def _event_json(account: Account, audit: Audit, with_comments: bool) -> Json:
    return {
        "id": audit.id,
        "ticket_id": audit.ticket_id,
        "timestamp": int(audit.created_at.timestamp()),
        "created_at": stamp(audit.created_at),
        "updater_id": audit.author_id,
        "via": audit.via["channel"].capitalize(),
        "event_type": "Audit",
        "metadata": audit.metadata,
        "system": audit.metadata.get("system", {}),
        "child_events": [_child_json(event, with_comments) for event in audit.events],
    }


def _child_json(event: Json, with_comments: bool) -> Json:
    if event["type"] == "Comment":
        if not with_comments:
            return {
                "id": event["id"],
                "event_type": "Comment",
                "comment_present": True,
                "comment_public": event["public"],
            }
        return {**{name: value for name, value in event.items() if name != "type"}, "event_type": "Comment"}
    if "field_name" not in event:
        return {**{name: value for name, value in event.items() if name != "type"}, "event_type": event["type"]}
    shown = {"id": event["id"], "event_type": event["type"], event["field_name"]: event["value"]}
    return {**shown, "previous_value": event["previous_value"]} if "previous_value" in event else shown


ROUTES = [
    Route("GET", "incremental/tickets/cursor", tickets_by_cursor, role="admin", scope="tickets"),
    Route("GET", "incremental/tickets", tickets_by_time, role="admin", scope="tickets"),
    Route("GET", "incremental/ticket_events", ticket_events, role="admin", scope="tickets"),
    Route("GET", "incremental/users/cursor", users_by_cursor, role="admin", scope="users"),
    Route("GET", "incremental/users", users_by_time, role="admin", scope="users"),
    Route("GET", "incremental/organizations", organizations_by_time, role="admin", scope="organizations"),
]
