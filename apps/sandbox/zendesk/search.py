"""Search: answered from an index that trails the truth, with the vendor's ceiling of 1,000 results."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from .account import Account
from .call import Answer, Call, Route
from .errors import Json, Refusal, bad_attribute, bad_page
from .paging import LARGEST_PAGE, decode_cursor, encode_cursor, whole_number
from .present import ticket_json, user_json
from .records import PRIORITIES, STATUSES, Indexed, Ticket, User, parse_stamp

MOST_RESULTS = 1_000
EXPORT_PAGE = 1_000
EXPORT_SECONDS = 3_600
TERM = re.compile(r'(-?)(?:(\w+)(:|>=|<=|>|<))?("[^"]*"|\S+)')
DATES = {"created": "created_at", "updated": "updated_at", "due_date": "due_at"}
RANKED = {"status": STATUSES, "priority": PRIORITIES}
PEOPLE = {"requester": "requester_id", "assignee": "assignee_id", "submitter": "submitter_id"}
SORTS = ("updated_at", "created_at", "priority", "status", "ticket_type", "relevance")
Term = tuple[bool, str, str, str]


def parse(query: str) -> list[Term]:
    """A query as (negated, property, operator, value) terms; bare words have no property."""
    return [
        (sign == "-", name.lower(), operator, value.strip('"')) for sign, name, operator, value in TERM.findall(query)
    ]


def _indexed(account: Account, versions: Sequence[Indexed]) -> Indexed | None:
    newest = account.clock() - timedelta(seconds=account.settings.index_lag_seconds)
    return next((entry for entry in reversed(versions) if entry.at <= newest), None)


def matching_tickets(account: Account, terms: Sequence[Term]) -> list[Ticket]:
    """Tickets whose indexed version, which may be older than the ticket, fits every term."""
    found = []
    for ticket in account.present_tickets():
        entry = _indexed(account, ticket.index)
        if entry is not None and all(_fits(account, ticket.id, entry, term) != term[0] for term in terms):
            found.append(ticket)
    return found


def matching_users(account: Account, query: str) -> list[User]:
    found = []
    for user in account.users.values():
        entry = _indexed(account, account.user_index.get(user.id, []))
        if user.active and entry is not None and all(_user_fits(entry, term) != term[0] for term in parse(query)):
            found.append(user)
    return found


def _user_fits(entry: Indexed, term: Term) -> bool:
    _negated, name, _operator, value = term
    if name in ("type", "order_by", "sort"):
        return True
    if name in ("email", "external_id", "role", "name"):
        return str(entry.values.get(name) or "").lower() == value.lower()
    return value.lower() in entry.words


def _fits(account: Account, ticket_id: int, entry: Indexed, term: Term) -> bool:
    _negated, name, operator, value = term
    if name in ("type", "order_by", "sort"):
        return True
    if name in DATES:
        return _compare_dates(entry.values[DATES[name]], operator, value)
    if name in RANKED:
        return _compare_ranks(RANKED[name], entry.values[name], operator, value)
    if name in PEOPLE:
        return _is_person(account, entry.values[PEOPLE[name]], value)
    if name == "tags":
        return value.lower() in entry.values["tags"]
    if name == "fieldvalue":
        return any(str(held) == value for key, held in entry.values.items() if key.startswith("custom_field_"))
    if name in ("group", "organization"):
        return str(entry.values[f"{name}_id"]) == value
    if name == "ticket_type":
        return bool(entry.values["type"] == value)
    if name == "subject":
        return value.lower() in str(entry.values["subject"] or "").lower()
    if name in ("description", "comment"):
        return value.lower() in entry.words
    if name == "external_id" or name.startswith("custom_field_"):
        held = entry.values.get(name)
        return str(held if held is not None else "none") == value
    word = value.lower()
    return str(ticket_id) == word or word in f"{entry.words} {str(entry.values['subject'] or '').lower()}"


def _compare_dates(held: str | None, operator: str, value: str) -> bool:
    try:
        wanted = parse_stamp(value)
    except ValueError:
        raise Refusal(422, {"error": "invalid", "description": f"Invalid search: {value} is not a date"}) from None
    if held is None:
        return False
    moment = parse_stamp(held)
    if operator == ":" and len(value) == 10:
        return moment.date() == wanted.date()
    return {":": moment == wanted, ">": moment > wanted, "<": moment < wanted, ">=": moment >= wanted,
            "<=": moment <= wanted}[operator]  # fmt: skip


def _compare_ranks(order: Sequence[str], held: Any, operator: str, value: str) -> bool:
    if operator == ":" or value not in order:
        return bool(held == value)
    place, wanted = order.index(held) if held in order else -1, order.index(value)
    return {">": place > wanted, "<": place < wanted, ">=": place >= wanted, "<=": place <= wanted}[operator]


def _is_person(account: Account, user_id: int | None, value: str) -> bool:
    user = account.users.get(user_id or 0)
    if user is None:
        return value == "none"
    return value.lower() in (str(user.id), (user.email or "").lower(), user.name.lower())


def _results(call: Call) -> list[Ticket | User]:
    query = call.query.get("query", "")
    if not query.strip():
        raise bad_attribute("query", "Invalid parameter: query is required")
    terms = parse(query)
    kind = call.query.get("filter[type]") or next((value for _n, name, _o, value in terms if name == "type"), None)
    found: list[Ticket | User] = []
    if kind in (None, "ticket"):
        found += _sorted(matching_tickets(call.account, terms), call)
    if kind in (None, "user"):
        found += matching_users(call.account, query)
    return found


def _sorted(tickets: list[Ticket], call: Call) -> list[Ticket]:
    by = call.query.get("sort_by", "relevance")
    if by not in SORTS:
        raise bad_attribute("sort_by")
    ranks = {"status": STATUSES, "priority": PRIORITIES}

    def key(ticket: Ticket) -> tuple[Any, int]:
        if by in ranks:
            held = ticket.values[by]
            return (ranks[by].index(held) if held in ranks[by] else -1, ticket.id)
        if by == "ticket_type":
            return (ticket.values["type"] or "", ticket.id)
        return (ticket.created_at if by == "created_at" else ticket.updated_at, ticket.id)

    return sorted(tickets, key=key, reverse=call.query.get("sort_order", "desc") == "desc")


def _result_json(account: Account, found: Ticket | User) -> Json:
    if isinstance(found, Ticket):
        return {**ticket_json(account, found), "result_type": "ticket"}
    return {**user_json(account, found), "result_type": "user"}


def search(call: Call) -> Answer:
    page = whole_number(call.query.get("page", "1"), "page")
    size = min(whole_number(call.query.get("per_page", str(LARGEST_PAGE)), "per_page"), LARGEST_PAGE)
    found = _results(call)
    if page * size > MOST_RESULTS:
        description = "Invalid search: Requested response size was greater than Search Response Limits"
        raise Refusal(422, {"error": "invalid", "description": description})
    more = page * size < min(len(found), MOST_RESULTS)
    body = {
        "results": [_result_json(call.account, item) for item in found[(page - 1) * size : page * size]],
        "facets": None,
        "next_page": call.link({"page": page + 1, "per_page": size}) if more else None,
        "previous_page": call.link({"page": page - 1, "per_page": size}) if page > 1 else None,
        "count": len(found),
    }
    return Answer(body=body)


def count(call: Call) -> Answer:
    return Answer(body={"count": len(_results(call))})


def export(call: Call) -> Answer:
    """By cursor without a ceiling; a cursor lives for an hour."""
    account = call.account
    account.budgets.take("search/export", account.settings.search_exports_per_minute)
    if call.query.get("filter[type]") not in ("ticket", "user"):
        raise bad_attribute("filter[type]", "Invalid parameter: filter[type] must be one of ticket, user")
    size = whole_number(call.query.get("page[size]", "100"), "page[size]")
    if size > EXPORT_PAGE:
        raise bad_page(f"page[size] must be at most {EXPORT_PAGE}")
    found = sorted(_results(call), key=lambda item: (item.created_at, item.id))
    began = account.clock().timestamp()
    if "page[after]" in call.query:
        try:
            began, last_at, last_id = map(float, decode_cursor(call.query["page[after]"]))
        except (TypeError, ValueError):
            raise bad_page("page[after] is not valid") from None
        if account.clock().timestamp() - began > EXPORT_SECONDS:
            raise bad_page("page[after] has expired")
        found = [item for item in found if (item.created_at.timestamp(), item.id) > (last_at, last_id)]
    rows = found[:size]
    more = len(found) > size
    after = encode_cursor([began, rows[-1].created_at.timestamp(), rows[-1].id]) if more else None
    body = {
        "results": [_result_json(account, item) for item in rows],
        "facets": None,
        "meta": {"has_more": more, "after_cursor": after, "before_cursor": None},
        "links": {"prev": None, "next": call.link({"page[after]": after, "page[size]": size}) if more else None},
    }
    return Answer(body=body)


ROUTES = [
    Route("GET", "search", search),
    Route("GET", "search/count", count),
    Route("GET", "search/export", export),
]
