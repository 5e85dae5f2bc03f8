"""What an instance does to a record on its way in: data policies, state models and the before rules of a ticket."""

from collections.abc import Iterable

from .access import Viewer
from .errors import Refusal, aborted, mandatory, read_only
from .instance import Instance, Row
from .queries import read_query
from .seed import seeded_id

RESOLVED, CLOSED, CANCELED, IN_PROGRESS, ON_HOLD = "6", "7", "8", "2", "3"
AWAITING_CALLER = "1"
OPEN_STATES = frozenset({"1", "2", "3"})
FINAL_STATES = {
    "incident": frozenset({CLOSED, CANCELED}),
    "problem": frozenset({"107"}),
    "change_request": frozenset({"3", "4"}),
    "sc_task": frozenset({"3", "4", "7"}),
    "task": frozenset({"3", "4", "7"}),
}
PROBLEM_MOVES = {
    "101": {"102", "107"},
    "102": {"103", "106", "107"},
    "103": {"104", "106", "107"},
    "104": {"103", "106"},
    "106": {"103", "107"},
}
CHANGE_MOVES = {
    "-5": {"-4", "4"},
    "-4": {"-5", "-3", "4"},
    "-3": {"-5", "-2", "4"},
    "-2": {"-5", "-1", "4"},
    "-1": {"0", "4"},
    "0": {"3", "4"},
}
STATE_MODELS = {
    "problem": ("Problem State Transition", PROBLEM_MOVES),
    "change_request": ("Change Model: Check State Transition", CHANGE_MOVES),
}
MIRRORS = {"incident": "incident_state", "problem": "problem_state"}


def abort(table: str, rule: str) -> Refusal:
    return aborted(table, rule, seeded_id("sys_script", rule))


def check_policies(
    instance: Instance, viewer: Viewer, table: str, proposed: Row, *, journals: Row, changed: Iterable[str]
) -> None:
    """Refuse with 403 what a data policy forbids. Text that goes into a journal counts as that column's value."""
    if not instance.settings.data_policies_on:
        return
    columns = instance.schema.columns(table)
    content = {**proposed, **journals}
    for policy in instance.settings.data_policies:
        if policy.table not in instance.schema.lineage(table):
            continue
        if not read_query(instance, viewer, table, policy.condition).matches(content):
            continue
        missing = [columns[name].label for name in policy.mandatory if name in columns and not content.get(name)]
        if missing:
            raise mandatory(missing)
        locked = [columns[name].label for name in policy.read_only if name in changed]
        if locked:
            raise read_only(locked)


def run_before(instance: Instance, viewer: Viewer, table: str, *, old: Row | None, new: Row, journals: Row) -> None:
    """Let the before rules change ``new`` in place, or abort the operation with 403."""
    query = instance.settings.abort_rules.get(table, "")
    if query and read_query(instance, viewer, table, query).matches({**new, **journals}):
        raise abort(table, "Refuse record")
    for path in instance.settings.frozen_fields:
        owner, _, name = path.partition(".")
        if old is not None and owner in instance.schema.lineage(table) and name in old:
            new[name] = old[name]
    if instance.schema.is_task(table):
        _run_ticket_rules(instance, viewer, table, old=old, new=new, journals=journals)
    elif table == "x_siam_notice_target" and not new["url"].startswith(("http://", "https://")):
        raise abort(table, "Check notice target")


def _run_ticket_rules(
    instance: Instance, viewer: Viewer, table: str, *, old: Row | None, new: Row, journals: Row
) -> None:
    _mirror_state(table, old, new)
    _check_move(instance, table, old, new, viewer)
    if table in ("incident", "problem"):
        new["priority"] = _looked_up_priority(instance, new)
    if old is not None and old["assignment_group"] and old["assignment_group"] != new["assignment_group"]:
        new["reassignment_count"] = str(int(new["reassignment_count"] or "0") + 1)
    if table == "incident":
        _run_incident_rules(instance, old, new, journals, viewer)
    if table == "problem" and _enters(old, new, "106"):
        new |= {"resolved_at": instance.now(), "resolved_by": viewer.sys_id}
    _close(instance, table, old, new, viewer)


def _mirror_state(table: str, old: Row | None, new: Row) -> None:
    mirror = MIRRORS.get(table)
    if mirror is None:
        return
    before = old or {"state": new["state"]}
    if old is not None and before["state"] == new["state"] and old[mirror] != new[mirror]:
        new["state"] = new[mirror]
    else:
        new[mirror] = new["state"]


def _check_move(instance: Instance, table: str, old: Row | None, new: Row, viewer: Viewer) -> None:
    settings = instance.settings
    closes = table == "incident" and _enters(old, new, CLOSED)
    if closes and settings.closing_needs_itil_admin and not viewer.roles & {"itil_admin", "admin"}:
        raise abort(table, "Only administrators close incidents")
    if table not in STATE_MODELS or not settings.state_models_on or old is None or old["state"] == new["state"]:
        return
    rule, moves = STATE_MODELS[table]
    if new["state"] not in moves.get(old["state"], set()):
        raise abort(table, rule)


def _looked_up_priority(instance: Instance, new: Row) -> str:
    for row in instance.shelves["dl_u_priority"].rows.values():
        if row["impact"] == new["impact"] and row["urgency"] == new["urgency"]:
            return row["priority"]
    return new["priority"]


def _run_incident_rules(instance: Instance, old: Row | None, new: Row, journals: Row, viewer: Viewer) -> None:
    before = old["state"] if old else ""
    waits_for_caller = before == new["state"] == ON_HOLD and new["hold_reason"] == AWAITING_CALLER
    if waits_for_caller and "comments" in journals and viewer.sys_id == new["caller_id"]:
        new |= {"state": IN_PROGRESS, "incident_state": IN_PROGRESS}
    if new["state"] != ON_HOLD:
        new["hold_reason"] = ""
    if new["state"] in (RESOLVED, CLOSED) and before not in (RESOLVED, CLOSED):
        new["resolved_at"] = new["resolved_at"] or instance.now()
        new["resolved_by"] = new["resolved_by"] or viewer.sys_id
    if before == RESOLVED and new["state"] in OPEN_STATES:
        new |= {
            "resolved_at": "",
            "resolved_by": "",
            "reopened_time": instance.now(),
            "reopened_by": viewer.sys_id,
            "reopen_count": str(int(new["reopen_count"] or "0") + 1),
        }


def _close(instance: Instance, table: str, old: Row | None, new: Row, viewer: Viewer) -> None:
    final = FINAL_STATES[table]
    is_final = new["state"] in final
    new["active"] = "false" if is_final else "true"
    if is_final and (old is None or old["state"] not in final):
        new["closed_at"] = new["closed_at"] or instance.now()
        new["closed_by"] = new["closed_by"] or viewer.sys_id
    if not is_final and old is not None and old["state"] in final:
        new |= {"closed_at": "", "closed_by": ""}


def _enters(old: Row | None, new: Row, state: str) -> bool:
    return new["state"] == state and (old is None or old["state"] != state)


def is_closed(instance: Instance, table: str, row: Row) -> bool:
    """Closed and canceled tickets are read only in practice; only a resolved one is opened again."""
    return instance.schema.is_task(table) and row["active"] == "false"
