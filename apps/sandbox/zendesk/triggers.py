"""Triggers: simple rules that run after a write and may write again."""

from collections.abc import Callable, Sequence
from typing import Any

from . import hooks, texts
from .account import Account
from .call import Answer, Call, Route
from .comments import lookup_for
from .errors import Json, Refusal, invalid, not_found
from .paging import page_of
from .present import trigger_json
from .records import PRIORITIES, STATUSES, Change, Comment, Ticket, Trigger

Writer = Callable[[Json, Json], None]
RANKED = {"status": STATUSES, "priority": PRIORITIES}
OPERATORS = frozenset(
    [
        "is",
        "is_not",
        "includes",
        "not_includes",
        "changed",
        "not_changed",
        "value",
        "value_previous",
        "less_than",
        "greater_than",
    ]
)


def react(
    account: Account,
    ticket: Ticket,
    changes: Sequence[Change],
    comments: Sequence[Comment],
    write: Writer,
    *,
    is_new: bool,
) -> None:
    """Run every active trigger once, in order; what they do is one more write each, by the system."""
    for trigger in sorted(account.triggers.values(), key=lambda item: (item.position, item.id)):
        if trigger.active and _applies(ticket, trigger, changes, comments, is_new):
            _act(account, ticket, trigger, write)


def _applies(
    ticket: Ticket, trigger: Trigger, changes: Sequence[Change], comments: Sequence[Comment], is_new: bool
) -> bool:
    def holds(condition: Json) -> bool:
        return _holds(ticket, condition, {change.field: change for change in changes}, comments, is_new)

    every, some = trigger.conditions.get("all") or [], trigger.conditions.get("any") or []
    return all(map(holds, every)) and (not some or any(map(holds, some)))


def _holds(
    ticket: Ticket, condition: Json, changes: dict[str, Change], comments: Sequence[Comment], is_new: bool
) -> bool:
    name: str = condition["field"]
    operator: str = condition.get("operator", "is")
    wanted = condition.get("value")
    if name == "update_type":
        return bool((wanted == "Create") == is_new)
    if name in ("comment_is_public", "comment_includes_word"):
        return _comment_holds(name, wanted, comments)
    field = "tags" if name == "current_tags" else name.removeprefix("custom_fields_")
    actual: Any = ticket.custom.get(int(field)) if field.isdigit() else ticket.values.get(field)
    change = changes.get(field)
    if operator in ("changed", "not_changed"):
        return bool((change is not None and not is_new) == (operator == "changed"))
    if operator in ("value", "value_previous"):
        side = None if change is None else change.after if operator == "value" else change.before
        return change is not None and str(side) == str(wanted)
    if name == "current_tags":
        words = set(str(wanted).split())
        return bool(words & set(ticket.values["tags"])) is bool(operator == "includes")
    if operator in ("less_than", "greater_than"):
        return _ranks(field, actual, wanted, operator)
    same = str(actual if actual is not None else "") == str(wanted if wanted is not None else "")
    return same == (operator == "is")


def _comment_holds(name: str, wanted: Any, comments: Sequence[Comment]) -> bool:
    if not comments:
        return wanted in ("not_relevant", False, "false") and name == "comment_is_public"
    if name == "comment_includes_word":
        return any(word in comments[-1].plain_body.lower().split() for word in str(wanted).lower().split())
    return wanted == "not_relevant" or comments[-1].public == (wanted in (True, "true"))


def _ranks(field: str, actual: Any, wanted: Any, operator: str) -> bool:
    order = RANKED.get(field, ())
    if wanted not in order:
        return False
    place = order.index(actual) if actual in order else -1
    return place < order.index(wanted) if operator == "less_than" else place > order.index(wanted)


def _act(account: Account, ticket: Ticket, trigger: Trigger, write: Writer) -> None:
    data: Json = {}
    calls: list[Any] = []
    for action in trigger.actions:
        name, value = action["field"], action.get("value")
        if name == "notification_webhook":
            calls.append(value)
        elif name in ("set_tags", "current_tags", "remove_tags"):
            member = {"set_tags": "tags", "current_tags": "additional_tags", "remove_tags": "remove_tags"}[name]
            data[member] = value
        elif name.startswith("custom_fields_"):
            data.setdefault("custom_fields", []).append(
                {"id": int(name.removeprefix("custom_fields_")), "value": value}
            )
        elif name in ("comment_value", "comment_value_html"):
            member = "html_body" if name.endswith("html") else "body"
            data["comment"] = {**data.get("comment", {}), member: value}
        elif name == "comment_mode_is_public":
            data["comment"] = {**data.get("comment", {}), "public": value in (True, "true")}
        else:
            data[name] = value or None
    if data:
        try:
            write(data, {"id": trigger.id, "title": trigger.title})
        except Refusal:
            # a rule that cannot be carried out is skipped; the write that set it off stands
            data.clear()
    for value in calls:
        _call(account, ticket, value)


def _call(account: Account, ticket: Ticket, value: Any) -> None:
    webhook = account.webhooks.get(value[0] if isinstance(value, list) and value else str(value))
    if webhook is None or webhook.values["status"] != "active" or webhook.takes_events:
        return
    template = value[1] if isinstance(value, list) and len(value) > 1 and isinstance(value[1], str) else ""
    lookup = lookup_for(account, ticket.values, ticket.id, account.users[ticket.values["submitter_id"]])
    hooks.invoke(account, webhook, "conditional_ticket_events", texts.expand(template, lookup).encode())


def _check(data: Json) -> None:
    conditions = data.get("conditions")
    if not data.get("title"):
        raise invalid("title", "Title: cannot be blank", "BlankValue")
    if not isinstance(conditions, dict) or not (conditions.get("all") or conditions.get("any")):
        raise invalid("base", "Conditions: at least one condition is needed", "BlankValue")
    if not isinstance(data.get("actions"), list) or not data["actions"]:
        raise invalid("base", "Actions: at least one action is needed", "BlankValue")
    for condition in [*(conditions.get("all") or []), *(conditions.get("any") or [])]:
        if "field" not in condition or condition.get("operator", "is") not in OPERATORS:
            raise invalid("base", "Conditions: a condition is invalid")
    if any("field" not in action for action in data["actions"]):
        raise invalid("base", "Actions: an action is invalid")


def create(call: Call) -> Answer:
    data, account = call.wrapped("trigger"), call.account
    _check(data)
    now = account.now()
    trigger = Trigger(account.new_id(), data["title"], data["conditions"], data["actions"], now, now)
    trigger.active = bool(data.get("active", True))
    trigger.description = str(data.get("description") or "")
    trigger.position = int(data.get("position") or len(account.triggers) + 1)
    account.triggers[trigger.id] = trigger
    return Answer(201, {"trigger": trigger_json(account, trigger)})


def found(call: Call) -> Trigger:
    trigger = call.account.triggers.get(call.number("id"))
    if trigger is None:
        raise not_found()
    return trigger


def show(call: Call) -> Answer:
    return Answer(body={"trigger": trigger_json(call.account, found(call))})


def change(call: Call) -> Answer:
    trigger, data = found(call), call.wrapped("trigger")
    _check({"title": trigger.title, "conditions": trigger.conditions, "actions": trigger.actions, **data})
    for name in ("title", "conditions", "actions", "active", "description", "position"):
        if name in data:
            setattr(trigger, name, data[name])
    trigger.updated_at = call.account.now()
    return Answer(body={"trigger": trigger_json(call.account, trigger)})


def remove(call: Call) -> Answer:
    del call.account.triggers[found(call).id]
    return Answer(204)


def listed(call: Call) -> Answer:
    def present(trigger: Trigger) -> Json:
        return trigger_json(call.account, trigger)

    rows = [item for item in call.account.triggers.values() if item.active or not call.path.endswith("active")]
    return Answer(body=page_of(call, "triggers", rows, key=lambda item: (item.position, item.id), present=present))


ROUTES = [
    Route("GET", "triggers", listed, scope="triggers"),
    Route("GET", "triggers/active", listed, scope="triggers"),
    Route("POST", "triggers", create, role="admin", scope="triggers"),
    Route("GET", "triggers/{id}", show, scope="triggers"),
    Route("PUT", "triggers/{id}", change, role="admin", scope="triggers"),
    Route("DELETE", "triggers/{id}", remove, role="admin", scope="triggers"),
]
