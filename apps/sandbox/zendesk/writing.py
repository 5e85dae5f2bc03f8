"""Writes to tickets: one write is one audit, and everything it sets off follows in order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from . import events, people, triggers
from .account import Account
from .comments import NewComment, keep_comment, read_comment
from .draft import Draft, blank_values, find_requester, solve_problems, tag_list
from .errors import Json, bad_attribute, closed_ticket, invalid, invalid_record, outdated_stamp
from .present import audit_value, comment_json, via
from .records import SYSTEM_USER_ID, TICKET_FIELDS, Audit, Change, Indexed, Ticket, User, parse_stamp, stamp


@dataclass(frozen=True, slots=True)
class Manner:
    """How a write comes about: its channel, whether rules react to it, whether solving is checked."""

    via: Json
    with_triggers: bool = True
    checks_solve: bool = True
    closes: bool = False
    at: datetime | None = None
    author_id: int | None = None


API = Manner(via())


def create_ticket(
    account: Account, data: Json, actor: User, manner: Manner = API, ticket_id: int | None = None
) -> tuple[Ticket, Audit]:
    """Create a ticket with its first comment. Raises 400 and 422 as the vendor does; then nothing is left behind."""
    data = _with_followup(account, data)
    data, created_user = _with_requester(account, data)
    draft = Draft.of(account, None)
    draft.values |= {"submitter_id": actor.id, "requester_id": actor.id}
    ticket_id = ticket_id or account.next_ticket_id
    try:
        draft.apply(data)
        draft.check()
        comment = read_comment(account, data, actor, values=draft.values, ticket=None, ticket_id=ticket_id)
        _check_solve(account, draft, manner)
    except Exception:
        if created_user is not None:
            del account.users[created_user.id]
        raise
    if ticket_id == account.next_ticket_id:
        account.new_ticket_id()
    now = manner.at or account.now()
    ticket = Ticket(ticket_id, now, now, draft.values, _via_of(data, manner), draft.custom)
    ticket.followup_source_id = data.get("via_followup_source_id")
    account.tickets[ticket.id] = ticket
    if ticket.followup_source_id:
        source = account.tickets[ticket.followup_source_id]
        source.followup_ids.append(ticket.id)
        touch(account, source)
    preset = ("status", "custom_status_id", "brand_id", "ticket_form_id")
    changes = _differences(account, {**blank_values(account), **dict.fromkeys(preset)}, {}, draft)
    audit = _commit(account, ticket, draft, changes, comment, data=data, actor=actor, manner=manner, is_new=True)
    return ticket, audit


def update_ticket(account: Account, ticket: Ticket, data: Json, actor: User, manner: Manner = API) -> Audit | None:
    """Change a ticket. None when nothing changed. Raises 409 for an outdated stamp, 422 for closed tickets and more."""
    if ticket.status == "closed":
        raise closed_ticket()
    check_stamp(account, ticket, data)
    data, created_user = _with_requester(account, data)
    draft = Draft.of(account, ticket)
    try:
        draft.apply(data)
        draft.check()
        if manner.closes:
            draft.values["status"] = "closed"
        comment = read_comment(account, data, actor, values=draft.values, ticket=ticket, ticket_id=ticket.id)
        _reopen(draft, ticket, comment, data)
        if ticket.status != "solved":
            _check_solve(account, draft, manner)
    except Exception:
        if created_user is not None:
            del account.users[created_user.id]
        raise
    changes = _differences(account, ticket.values, ticket.custom, draft)
    if not changes and comment is None:
        return None
    return _commit(account, ticket, draft, changes, comment, data=data, actor=actor, manner=manner, is_new=False)


def check_stamp(account: Account, ticket: Ticket, data: Json) -> None:
    """Safe update: ``safe_update`` of any value counts. Whole seconds only, so two writes in one second can slip."""
    if "safe_update" not in data:
        return
    try:
        held = parse_stamp(str(data.get("updated_stamp")))
    except ValueError:
        raise bad_attribute("updated_stamp") from None
    current = ticket.updated_at
    if held < current or (account.settings.exact_stamps and held != current):
        raise outdated_stamp()


def touch(account: Account, ticket: Ticket, *, reword: bool = False) -> None:
    """Move the ticket in the exports and hand it to the search index; ``updated_at`` stays as it is."""
    ticket.touch = account.touched()
    words = ticket.index[-1].words if ticket.index and not reword else ""
    newest = ticket.comments if reword else ticket.comments[-1:]
    words = " ".join([words, *(text for item in newest if (text := item.plain_body.lower()) not in words)])
    oldest = account.clock() - timedelta(seconds=account.settings.index_lag_seconds)
    settled = [place for place, entry in enumerate(ticket.index) if entry.at <= oldest]
    del ticket.index[: settled[-1] if settled else 0]
    values = {**ticket.values, **{f"custom_field_{key}": value for key, value in ticket.custom.items()}}
    values |= {"created_at": stamp(ticket.created_at), "updated_at": stamp(ticket.updated_at)}
    ticket.index.append(Indexed(account.clock(), words, values))


def add_event(
    account: Account, ticket: Ticket, actor: User, event: Json, entry: Json, *, reword: bool = False
) -> Audit:
    """An audit of one event that is no field change (made private, redacted, deleted, ..)."""
    now = account.now()
    audit = Audit(account.new_id(), ticket.id, actor.id, now, via(), {"system": {}, "custom": {}})
    audit.events.append({"id": account.new_id(), **event})
    ticket.audits.append(audit)
    account.audits.append(audit)
    ticket.log.append({"at": stamp(now), "by": actor.name, "from": None, **entry})
    ticket.updated_at = now
    touch(account, ticket, reword=reword)
    return audit


def _with_requester(account: Account, data: Json) -> tuple[Json, User | None]:
    requester = data.get("requester")
    if not isinstance(requester, dict) or "requester_id" in data:
        return data, None
    found = find_requester(account, data)
    if found is not None:
        return {**data, "requester_id": found.id}, None
    if not requester.get("email") or not str(requester.get("name") or "").strip():
        raise invalid("requester", "Requester: Name: is too short (minimum one character)", "BlankValue")
    created = people.add_user(account, {"name": requester["name"], "email": requester["email"]})
    return {**data, "requester_id": created.id}, created


def _with_followup(account: Account, data: Json) -> Json:
    source_id = data.get("via_followup_source_id")
    if source_id is None:
        return data
    source = next((ticket for ticket in account.tickets.values() if ticket.id == source_id), None)
    if source is None or source.deleted_at or source.status != "closed":
        raise invalid("via_followup_source_id", "Follow-up: the source ticket is not closed")
    kept = {"tags": source.values["tags"], "subject": f"Re: {source.values['subject']}"}
    return {**kept, "requester_id": source.values["requester_id"], **data}


def _via_of(data: Json, manner: Manner) -> Json:
    source_id = data.get("via_followup_source_id")
    return via("api", "follow_up", {"ticket_id": source_id, "channel": "api"}) if source_id else manner.via


def _check_solve(account: Account, draft: Draft, manner: Manner) -> None:
    if draft.values["status"] == "solved" and manner.checks_solve:
        missing = solve_problems(account, draft)
        if missing:
            raise invalid_record({"base": missing})


def _reopen(draft: Draft, ticket: Ticket, comment: NewComment | None, data: Json) -> None:
    by_requester = comment is not None and comment.public and comment.author.id == ticket.values["requester_id"]
    by_end_user = comment is not None and not comment.author.is_staff
    if by_requester and by_end_user and "status" not in data and ticket.status in ("pending", "hold", "solved"):
        draft.set_status("open")


def _differences(account: Account, values: Json, custom: dict[int, Any], draft: Draft) -> list[Change]:
    changes = [
        Change(name, values[name], draft.values[name]) for name in TICKET_FIELDS if values[name] != draft.values[name]
    ]
    for item_id in account.fields:
        before, after = custom.get(item_id), draft.custom.get(item_id)
        if before != after:
            changes.append(Change(str(item_id), before, after))
    return changes


def _commit(
    account: Account,
    ticket: Ticket,
    draft: Draft,
    changes: Sequence[Change],
    comment: NewComment | None,
    *,
    data: Json,
    actor: User,
    manner: Manner,
    is_new: bool,
) -> Audit:
    metadata = data.get("metadata")
    custom = metadata if isinstance(metadata, dict) else {}
    author_id = actor.id if manner.author_id is None else manner.author_id
    at = manner.at or account.now()
    audit = Audit(account.new_id(), ticket.id, author_id, at, manner.via, {"system": {}, "custom": custom})
    ticket.values, ticket.custom = draft.values, draft.custom
    attached = len(ticket.comments)
    if comment is not None:
        kept = keep_comment(account, ticket, audit, comment)
        shown = comment_json(account, kept, with_inline=True)
        audit.events.append({name: shown[name] for name in _COMMENT_EVENT})
    by = account.name_of(author_id)
    for change in changes:
        audit.events.append(_event(account, change, is_new))
        if not is_new:
            ticket.log.append(
                {"at": stamp(at), "by": by, "field": change.field, "from": change.before, "to": change.after}
            )
    ticket.audits.append(audit)
    account.audits.append(audit)
    ticket.updated_at = at
    _follow_status(account, ticket, changes, at)
    touch(account, ticket)
    events.of_write(account, ticket, audit, changes, ticket.comments[attached:], is_new=is_new)
    if manner.with_triggers:
        write, added = _rule_writer(account, ticket), ticket.comments[attached:]
        # after the answer: the caller sees the ticket as it wrote it and has to read again
        account.later.append(lambda: triggers.react(account, ticket, changes, added, write, is_new=is_new))
    _solve_incidents(account, ticket, changes, comment, actor)
    return audit


def _rule_writer(account: Account, ticket: Ticket) -> Callable[[Json, Json], None]:
    def write(data: Json, source: Json) -> None:
        actor = account.users[ticket.values["submitter_id"]]
        manner = Manner(via("rule", "trigger", source), with_triggers=False, author_id=SYSTEM_USER_ID)
        update_ticket(account, ticket, data, actor, manner)

    return write


_COMMENT_EVENT = ("id", "type", "author_id", "body", "html_body", "plain_body", "public", "attachments", "audit_id")


def _event(account: Account, change: Change, is_new: bool) -> Json:
    event: Json = {
        "id": account.new_id(),
        "type": "Create" if is_new else "Change",
        "field_name": change.field,
        "value": audit_value(change.field, change.after),
    }
    return event if is_new else {**event, "previous_value": audit_value(change.field, change.before)}


def _follow_status(account: Account, ticket: Ticket, changes: Sequence[Change], at: datetime) -> None:
    names = {change.field for change in changes}
    if "status" in names:
        ticket.solved_at = at if ticket.status == "solved" else None
    if "problem_id" in names:
        before = account.problem_ids
        after = {item.values["problem_id"] for item in account.present_tickets()} - {None}
        account.problem_ids = after
        # has_incidents moves by the system: the export shows it, updated_at does not
        for problem_id in before ^ after:
            if problem_id in account.tickets and problem_id != ticket.id:
                touch(account, account.tickets[problem_id])


def _solve_incidents(
    account: Account, ticket: Ticket, changes: Sequence[Change], comment: NewComment | None, actor: User
) -> None:
    became_solved = any(change.field == "status" and change.after == "solved" for change in changes)
    if not became_solved or ticket.id not in account.problem_ids:
        return
    source = {"ticket_id": ticket.id, "subject": ticket.values["subject"]}
    manner = Manner(via("rule", "problem", source), checks_solve=False)
    for incident in account.present_tickets():
        if incident.values["problem_id"] == ticket.id and incident.status not in ("solved", "closed"):
            data: Json = {"status": "solved"}
            if comment is not None:
                data["comment"] = {"html_body": comment.text.html_body, "public": comment.public}
            update_ticket(account, incident, data, actor, manner)


def close_due_tickets(account: Account) -> None:
    """The automation that closes tickets some days after they were solved."""
    if account.now() < account.closing_at:
        return
    account.closing_at = account.now() + timedelta(minutes=1)
    due = account.now() - timedelta(hours=account.settings.auto_close_hours)
    manner = Manner(via("rule", "automation", {"title": "Close ticket after solved"}), author_id=SYSTEM_USER_ID)
    for ticket in account.present_tickets():
        if ticket.status == "solved" and ticket.solved_at is not None and ticket.solved_at <= due:
            owner = account.users[ticket.values["submitter_id"]]
            update_ticket(account, ticket, {"status": "closed"}, owner, manner)


def set_tags(account: Account, ticket: Ticket, data: Json, actor: User, mode: str) -> list[str]:
    """The tags sub-resource: ``set``, ``add`` or ``remove``; guarded only when the body brings its own stamp."""
    given = tag_list(data.get("tags"))
    member = {"set": "tags", "add": "additional_tags", "remove": "remove_tags"}[mode]
    guard: Json = {name: data[name] for name in ("safe_update", "updated_stamp") if name in data}
    update_ticket(account, ticket, {member: given, **guard}, actor)
    return list(ticket.values["tags"])
