"""The rules of the process: defaults, required fields, lists of values, transitions, and what a transition sets."""

from .drafts import Draft
from .errors import MISSING, NOT_LISTED, Refusal, RuleErrors
from .fields import (
    AREA,
    CHANGED_AT,
    COMMENT_COUNT,
    COMMON,
    CREATED_AT,
    CREATED_BY,
    FIELDS,
    ITERATION,
    PROJECT,
    REASON,
    STATE,
    TYPE,
    Value,
)
from .values import is_listed

ACTIVATED = (COMMON + "ActivatedDate", COMMON + "ActivatedBy")
RESOLVED = (COMMON + "ResolvedDate", COMMON + "ResolvedBy", COMMON + "ResolvedReason")
CLOSED = (COMMON + "ClosedDate", COMMON + "ClosedBy")


def settle(draft: Draft) -> None:
    """Complete ``draft`` as the process does and check it. Raises the vendor's rule errors."""
    if draft.item is None:
        _begin(draft)
    _follow_project(draft)
    _follow_state(draft)
    for reference in [name for name in draft.fields if name not in draft.kind.fields]:
        del draft.fields[reference]
    if draft.bypass:
        _check_order_of_dates(draft)
        return
    found = RuleErrors()
    _check_required(draft, found)
    _check_lists(draft, found)
    _check_state(draft, found)
    found.check()


def _begin(draft: Draft) -> None:
    start = draft.kind.first_state
    defaults = {
        PROJECT: draft.project.name,
        AREA: draft.project.name,
        ITERATION: draft.project.name,
        TYPE: draft.kind.name,
        STATE: start,
        CREATED_AT: draft.at,
        CREATED_BY: draft.by,
        COMMENT_COUNT: 0,
        **draft.kind.defaults,
    }
    for reference, value in defaults.items():
        if reference not in draft.written:
            draft.fields.setdefault(reference, value)


def _follow_project(draft: Draft) -> None:
    name = str(draft.fields.get(PROJECT, ""))
    target = next((one for one in draft.store.projects if one.is_called(name)), None)
    if target is None:
        raise _wrong_tree(draft, PROJECT)
    draft.project = target
    draft.fields[PROJECT] = target.name
    for reference, tree in ((AREA, target.areas), (ITERATION, target.iterations)):
        node = tree.find(str(draft.fields.get(reference, "")))
        if node is None:
            raise _wrong_tree(draft, reference)
        draft.fields[reference] = node.path


def _wrong_tree(draft: Draft, reference: str) -> Refusal:
    text = f"TF401347: Invalid tree name given for work item {draft.id or -1}, field '{reference}'."
    return Refusal(400, text, "WorkItemTrackingTreeNodeNotFoundException")


def _follow_state(draft: Draft) -> None:
    """Canonical case, default reason, and the who-and-when fields of the new state."""
    old, new = str(draft.before.get(STATE, "")), str(draft.fields.get(STATE, ""))
    new = next(
        (state for state in draft.kind.states if state.casefold() == new.casefold()),
        new,
    )
    if not new:
        return
    draft.fields[STATE] = new
    if new == old:
        return
    reasons = draft.kind.following(old, draft.store.settings.any_transition).get(new, (f"Moved to state {new}",))
    if REASON not in draft.written or REASON not in draft.fields:
        draft.fields[REASON] = reasons[0]
    draft.fields[COMMON + "StateChangeDate"] = draft.at
    cleared = {
        "New": (*ACTIVATED, *RESOLVED, *CLOSED),
        "Active": (*RESOLVED, *CLOSED),
        "Resolved": CLOSED,
    }.get(new, ())
    for reference in set(cleared) - draft.written:
        draft.fields.pop(reference, None)
    values: dict[str, Value] = {"Date": draft.at, "By": draft.by, "Reason": draft.fields[REASON]}
    for reference in {"Active": ACTIVATED, "Resolved": RESOLVED, "Closed": CLOSED}.get(new, ()):
        if reference not in draft.written and (old or new != "Active"):
            draft.fields[reference] = next(value for end, value in values.items() if reference.endswith(end))


def _check_order_of_dates(draft: Draft) -> None:
    before, after = draft.before.get(CHANGED_AT), draft.fields.get(CHANGED_AT)
    if CHANGED_AT in draft.written and before and after and after <= before:  # type: ignore[operator]
        raise Refusal(
            400,
            "VS402625: Dates must be increasing with each revision.",
            "WorkItemDatesNotIncreasingException",
        )


def _check_required(draft: Draft, found: RuleErrors) -> None:
    settings = draft.store.settings
    needed = [
        *sorted(draft.kind.always_required()),
        *settings.required_fields.get(draft.kind.name, []),
        *settings.required_in_state.get(str(draft.fields.get(STATE)), []),
    ]
    for reference in dict.fromkeys(needed):
        if reference in FIELDS and reference not in draft.fields:
            field = FIELDS[reference]
            flags = MISSING if field.values else ("required", "invalidEmpty")
            found.add(reference, field.name, flags)


def _check_lists(draft: Draft, found: RuleErrors) -> None:
    for reference in draft.written & draft.fields.keys():
        field = FIELDS[reference]
        if not is_listed(field, draft.fields[reference]):
            found.add(reference, field.name, NOT_LISTED)


def _check_state(draft: Draft, found: RuleErrors) -> None:
    old, new = str(draft.before.get(STATE, "")), str(draft.fields.get(STATE, ""))
    any_transition = draft.store.settings.any_transition
    if not new:
        return
    if old and draft.before.get(TYPE) != draft.kind.name:
        if new not in draft.kind.states:
            found.add(STATE, "State", NOT_LISTED)
        return
    if old != new:
        following = draft.kind.following(old, any_transition)
        if new not in following:
            found.add(STATE, "State", NOT_LISTED)
            return
        allowed = following[new]
    else:
        allowed = tuple(reason for ends in draft.kind.transitions.values() for reason in ends.get(new, ()))
    changed = draft.fields.get(REASON) != draft.before.get(REASON)
    if changed and REASON in draft.written:
        written = str(draft.fields.get(REASON, "")).casefold()
        match = next((reason for reason in allowed if reason.casefold() == written), None)
        if match is None:
            found.add(REASON, "Reason", NOT_LISTED)
        else:
            draft.fields[REASON] = match
            if new == "Resolved":
                draft.fields[RESOLVED[2]] = match
