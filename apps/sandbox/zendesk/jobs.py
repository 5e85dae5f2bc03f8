"""Background jobs: bulk writes, merges, permanent deletion. Queued first, carried out a moment later."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

from . import events, tickets
from .account import Account
from .call import Answer, Call, Route
from .errors import Json, Refusal, bad_attribute, not_found, outdated_stamp, too_many_requests
from .paging import page_of
from .present import job_json, ticket_json, via
from .records import Job, Ticket, User, parse_stamp, stamp
from .writing import API, Manner, create_ticket, update_ticket

MOST_TICKETS = 100


def enqueue(account: Account, job_type: str, total: int, run: Callable[[Job], list[Json]]) -> Job:
    """Queue a job. Raises 429 ``TooManyJobs`` when too many are waiting."""
    waiting = sum(1 for job in account.jobs.values() if job.status in ("queued", "working"))
    if waiting >= account.settings.jobs_at_once:
        raise too_many_requests(30, f"There are already {waiting} jobs queued or running", "TooManyJobs")
    job = Job(secrets.token_hex(16), job_type, total, run, account.now())
    account.jobs[job.id] = job
    asyncio.get_running_loop().call_later(account.settings.job_seconds, _carry_out, account, job)
    return job


def _carry_out(account: Account, job: Job) -> None:
    if not account.alive:
        return
    try:
        job.results = job.run(job)
        job.status, job.progress = "completed", job.total
        job.message = f"Completed at {account.now():%Y-%m-%d %H:%M:%S} +0000"
    except Refusal as refusal:
        job.status, job.message = "failed", describe(refusal)
    account.react()


def describe(refusal: Refusal) -> str:
    details = refusal.body.get("details")
    if isinstance(details, dict):
        return "; ".join(entry["description"] for entries in details.values() for entry in entries)
    return str(refusal.body.get("description") or refusal.body.get("error"))


def _attempt(number: int, action: str, index: int, write: Callable[[], Ticket]) -> Json:
    done = {"create": "Created", "update": "Updated", "delete": "Deleted"}[action]
    try:
        ticket = write()
    except Refusal as refusal:
        error = refusal.body.get("error")
        error = error if isinstance(error, str) else "InvalidAttribute"
        return {
            "id": number, "index": index, "action": action, "success": False, "status": "Failed", "error": error,
            "details": describe(refusal),
        }  # fmt: skip
    return {"id": ticket.id, "index": index, "action": action, "status": done, "success": True}


def _queued(call: Call, job: Job) -> Answer:
    return Answer(body={"job_status": job_json(call.account, job)})


def update_many(call: Call) -> Answer:
    """One change for ``?ids=`` or a batch with ids inside. Always safe: the time of queueing is the stamp."""
    account, actor = call.account, call.caller
    document = call.document()
    pairs: list[tuple[int, Json]]
    if "ids" in call.query:
        pairs = [(number, call.wrapped("ticket")) for number in call.numbers()]
    else:
        pairs = [(_id_of(entry), entry) for entry in _entries(document)]
    spend = {number: account.tickets[number] for number, _ in pairs if number in account.tickets}
    for ticket in spend.values():
        tickets.spend_update(call, ticket)

    def run(job: Job) -> list[Json]:
        return [
            _attempt(number, "update", index, lambda n=number, d=data: _update(account, n, d, actor, job.queued_at))  # type: ignore[misc]
            for index, (number, data) in enumerate(pairs)
        ]

    return _queued(call, enqueue(account, "Bulk Ticket Update", len(pairs), run))


def _update(account: Account, number: int, data: Json, actor: User, queued_at: datetime) -> Ticket:
    ticket = account.ticket(number)
    if "updated_stamp" not in data and ticket.updated_at > queued_at:
        raise outdated_stamp()
    guarded = {**data, "safe_update": True} if "updated_stamp" in data else data
    update_ticket(account, ticket, guarded, actor)
    return ticket


def _entries(document: Json) -> list[Json]:
    entries = document.get("tickets")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise bad_attribute("tickets", "Invalid parameter: tickets must be an array of objects")
    if len(entries) > MOST_TICKETS:
        raise Refusal(
            400, {"error": "TooManyValues", "description": f"Too many tickets: at most {MOST_TICKETS} are allowed"}
        )
    return entries


def _id_of(entry: Json) -> int:
    if not isinstance(entry.get("id"), int):
        raise bad_attribute("id", "Invalid parameter: each ticket needs an id")
    return int(entry["id"])


def create_many(call: Call) -> Answer:
    account, actor = call.account, call.caller
    entries = _entries(call.document())

    def run(_job: Job) -> list[Json]:
        return [
            _attempt(0, "create", index, lambda d=data: create_ticket(account, d, actor)[0])  # type: ignore[misc]
            for index, data in enumerate(entries)
        ]

    return _queued(call, enqueue(account, "Bulk Ticket Creation", len(entries), run))


def create_later(call: Call, data: Json) -> Answer:
    """``?async=true``: the id is known at once, the ticket only when the job is done."""
    account, actor = call.account, call.caller
    number = account.new_ticket_id()

    def run(_job: Job) -> list[Json]:
        return [_attempt(number, "create", 0, lambda: create_ticket(account, data, actor, API, number)[0])]

    job = enqueue(account, "Ticket Creation", 1, run)
    body = {"ticket": {"id": number, "url": call.url(f"tickets/{number}")}, "job_status": job_json(account, job)}
    return Answer(202, body, {"Location": call.url(f"tickets/{number}")})


def destroy_many(call: Call) -> Answer:
    account, actor, numbers = call.account, call.caller, call.numbers()

    def delete(number: int) -> Ticket:
        ticket = account.ticket(number)
        tickets.soft_delete(account, ticket, actor)
        return ticket

    def run(_job: Job) -> list[Json]:
        return [
            _attempt(number, "delete", index, lambda n=number: delete(n))  # type: ignore[misc]
            for index, number in enumerate(numbers)
        ]

    return _queued(call, enqueue(account, "Bulk Ticket Delete", len(numbers), run))


def delete_for_good(call: Call) -> Answer:
    account, actor, ticket = call.account, call.caller, tickets.deleted_ticket(call)

    def run(_job: Job) -> list[Json]:
        tickets.scrub(account, ticket, actor)
        return [{"id": ticket.id, "index": 0, "action": "delete", "status": "Deleted", "success": True}]

    return _queued(call, enqueue(account, "Permanent Ticket Delete", 1, run))


def merge(call: Call) -> Answer:
    """Sources are closed with a comment that names the target and the tag ``closed_by_merge``."""
    target, data, actor, account = tickets.ticket_of(call), call.document(), call.caller, call.account
    numbers = data.get("ids")
    if isinstance(numbers, str):
        numbers = [int(part) for part in numbers.split(",") if part.strip().isdigit()]
    if not isinstance(numbers, list) or not numbers or not all(isinstance(number, int) for number in numbers):
        raise bad_attribute("ids", "Invalid parameter: ids must be a list of integers")
    sources = [account.ticket(number) for number in numbers]
    if target in sources or target.status == "closed" or any(source.status == "closed" for source in sources):
        raise Refusal(
            422, {"error": "RecordInvalid", "description": "Merging needs different tickets that are not closed"}
        )

    def run(_job: Job) -> list[Json]:
        for source in sources:
            _merge_one(account, source, target, data, actor)
        return [{"id": target.id, "index": 0, "action": "update", "status": "Updated", "success": True}]

    return _queued(call, enqueue(account, "Ticket Merge", len(sources), run))


def _merge_one(account: Account, source: Ticket, target: Ticket, data: Json, actor: User) -> None:
    ends: dict[str, Any] = {
        "source": {"ticket_id": source.id, "subject": source.values["subject"]},
        "to": {"ticket_id": target.id, "subject": target.values["subject"]},
    }
    manner = Manner(via("merge", "merge", **ends), checks_solve=False, closes=True)
    said = str(data.get("source_comment") or "").replace("#{target}", f"#{target.id}")
    named = f"This request was closed and merged into request #{target.id} {target.values['subject'] or ''}".strip()
    text = f"{said}\n\n{named}" if said and f"#{target.id}" not in said else said or named
    public = bool(data.get("source_comment_is_public", False))
    change: Json = {"additional_tags": ["closed_by_merge"], "comment": {"body": text, "public": public}}
    update_ticket(account, source, change, actor, manner)
    events.announce(account, source, actor.id, [("merged", {"target_ticket_id": str(target.id)})])
    told = str(data.get("target_comment") or f"Request #{source.id} was closed and merged into this request.")
    told = told.replace("#{target}", f"#{target.id}")
    answer: Json = {"comment": {"body": told, "public": bool(data.get("target_comment_is_public", False))}}
    update_ticket(account, target, answer, actor, Manner(via("merge", "merge", **ends), checks_solve=False))


def import_ticket(call: Call) -> Answer:
    """History import: several comments with their own times and authors; no triggers react."""
    data, account = call.wrapped("ticket"), call.account
    entries = data.get("comments") or ([data["comment"]] if "comment" in data else [])
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise bad_attribute("comments", "Invalid parameter: comments must be an array of objects")
    status = data.get("status")
    first = {**data, "comment": _imported(entries[0])} | ({"status": "open"} if status in ("solved", "closed") else {})
    at = _time(data.get("created_at"))
    ticket, _audit = create_ticket(account, first, call.caller, Manner(via(), with_triggers=False, at=at))
    for entry in entries[1:]:
        manner = Manner(via(), with_triggers=False, at=_time(entry.get("created_at")))
        update_ticket(account, ticket, {"comment": _imported(entry)}, call.caller, manner)
    if status in ("solved", "closed"):
        manner = Manner(via(), with_triggers=False, checks_solve=False, closes=status == "closed")
        update_ticket(account, ticket, {"status": "solved"}, call.caller, manner)
    if data.get("updated_at"):
        ticket.updated_at = _time(data["updated_at"]) or ticket.updated_at
    return Answer(201, {"ticket": ticket_json(account, ticket)}, {"Location": call.url(f"tickets/{ticket.id}")})


def _imported(entry: Json) -> Json:
    return {"body": entry.get("value"), **entry} if "value" in entry else entry


def _time(text: Any) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_stamp(str(text))
    except ValueError:
        raise bad_attribute("created_at") from None


def show(call: Call) -> Answer:
    job = call.account.jobs.get(call.ids["id"])
    if job is None:
        raise not_found()
    return _queued(call, job)


def listed(call: Call) -> Answer:
    def present(job: Job) -> Json:
        return job_json(call.account, job)

    def key(job: Job) -> tuple[str, str]:
        return (stamp(job.queued_at), job.id)

    rows = list(call.account.jobs.values())
    if "ids" in call.query:
        rows = [job for job in rows if job.id in call.query["ids"].split(",")]
    return Answer(body=page_of(call, "job_statuses", rows, key=key, present=present, descending=True))


ROUTES = [
    Route("POST", "tickets/create_many", create_many, scope="tickets"),
    Route("PUT", "tickets/update_many", update_many, scope="tickets"),
    Route("DELETE", "tickets/destroy_many", destroy_many, role="admin", scope="tickets"),
    Route("POST", "tickets/{id}/merge", merge, scope="tickets"),
    Route("DELETE", "deleted_tickets/{id}", delete_for_good, role="admin", scope="tickets"),
    Route("POST", "imports/tickets", import_ticket, role="admin", scope="tickets"),
    Route("GET", "job_statuses", listed),
    Route("GET", "job_statuses/show_many", listed),
    Route("GET", "job_statuses/{id}", show),
]
