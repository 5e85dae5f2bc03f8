"""What a request wants written: the ``fields`` and ``update`` of a body, judged against the screen it goes to."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .adf import BadDocument
from .errors import OFF_SCREEN, Refusal, bad, bad_field
from .records import CommentDraft
from .site import Call
from .state import FieldSpec, Issue, RichText
from .texts import as_wiki
from .values import BadValue, read_label, read_text, read_value

PROPERTY_LIMIT = 32_768
PROPERTY_KEY_LIMIT = 255
INTERNAL = "sd.public.comment"
ROLES = ("Administrators",)
GROUPS = ("jira-administrators", "site-admins")


@dataclass(slots=True)
class Draft:
    values: dict[str, Any] = field(default_factory=dict)
    comments: list[CommentDraft] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raise the vendor's 400, keyed by field, when anything was wrong."""
        if self.errors:
            raise Refusal(400, fields=self.errors)


def read_draft(
    call: Call,
    body: Mapping[str, Any],
    is_allowed: Callable[[FieldSpec], bool],
    issue: Issue | None = None,
    service: bool = False,
) -> Draft:
    """The values that ``body`` sets. Errors are collected, not raised, so that all of them can be told at once."""
    fields, update = _object(body, "fields"), _object(body, "update")
    draft = Draft()
    for name in fields.keys() | update.keys():
        spec = call.site.store.fields.get(name)
        if name in fields and name in update:
            draft.errors[name] = f"Field '{name}' cannot be in both 'fields' and 'update'."
        elif (
            spec is None or not is_allowed(spec) or (name == "reporter" and not call.site.settings.reporter_may_be_set)
        ):
            draft.errors[name] = OFF_SCREEN.format(name)
        else:
            try:
                if name in update:
                    _read_operations(call, draft, spec, update[name], issue=issue, service=service)
                elif spec.kind == "comment":
                    draft.errors[name] = OFF_SCREEN.format(name)
                else:
                    draft.values[name] = read_value(call.site, call.version, spec, fields[name])
            except BadValue as problem:
                draft.errors[name] = str(problem)
    return draft


def _object(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad(f"Can not deserialize instance of {name} out of the given value.")
    return value


def _read_operations(
    call: Call, draft: Draft, spec: FieldSpec, operations: Any, *, issue: Issue | None, service: bool
) -> None:
    if not isinstance(operations, list):
        raise BadValue("Operations must be an array")
    labels = set(issue.values.get("labels") or ()) if issue else set()
    for operation in operations:
        if not isinstance(operation, dict) or len(operation) != 1:
            raise BadValue("Each operation must be an object with exactly one verb")
        verb, raw = next(iter(operation.items()))
        if verb not in spec.operations:
            raise BadValue(f"Operation '{verb}' is not supported by field '{spec.id}'.")
        if spec.kind == "comment":
            _read_comment_operation(call, draft, verb, raw, service)
        elif spec.kind == "labels" and verb != "set":
            label = read_label(raw)
            labels = labels | {label} if verb == "add" else labels - {label}
            draft.values[spec.id] = tuple(sorted(labels))
        else:
            draft.values[spec.id] = read_value(call.site, call.version, spec, raw)
            labels = set(draft.values[spec.id] or ()) if spec.kind == "labels" else labels


def _read_comment_operation(call: Call, draft: Draft, verb: str, raw: Any, service: bool) -> None:
    if verb != "add" or not isinstance(raw, dict):
        raise BadValue("Only the operation 'add' with an object is supported for comments here.")
    draft.comments.append(read_comment(call, raw, service))


def read_comment(call: Call, body: Mapping[str, Any], service: bool) -> CommentDraft:
    """A new comment. On a service project the property ``sd.public.comment`` makes it internal, if ``internal`` is
    the JSON value true; on any other project the property says nothing. Raises the vendor's 400."""
    text = read_comment_body(call, body.get("body"))
    properties = read_properties(body.get("properties"))
    told = properties.get(INTERNAL)
    is_internal = isinstance(told, dict) and told.get("internal") is True
    is_honored = service and call.site.settings.internal_by_property
    return CommentDraft(text, not (is_internal and is_honored), read_visibility(body.get("visibility")), properties)


def read_comment_body(call: Call, raw: Any) -> RichText:
    try:
        text = read_text(call.site, call.version, raw)
    except BadValue as problem:
        if isinstance(problem.__cause__, BadDocument):
            raise bad("INVALID_INPUT") from problem
        is_long = str(problem).startswith("The entered text")
        raise bad_field("comment", str(problem) if is_long else "Comment body is not valid!") from problem
    if not (as_wiki(text) or "").strip():
        raise bad_field("comment", "Comment body can not be empty!")
    return text


def read_visibility(raw: Any) -> dict[str, str] | None:
    if raw is None:
        return None
    name = (raw.get("identifier") or raw.get("value")) if isinstance(raw, dict) else None
    known = {"role": ROLES, "group": GROUPS}.get(raw.get("type", "") if isinstance(raw, dict) else "")
    if known is None or not isinstance(name, str) or name not in known:
        raise bad_field("commentLevel", f"Group or role '{name}' does not exist or you are not in it.")
    return {"type": raw["type"], "value": name, "identifier": name}


def read_properties(raw: Any) -> dict[str, Any]:
    """The ``properties`` member of a body: a list of keys with any JSON values."""
    if raw is None:
        return {}
    if not isinstance(raw, list) or not all(isinstance(each, dict) and "value" in each for each in raw):
        raise bad("Each property must be an object with a key and a value.")
    for each in raw:
        check_property(each.get("key"), each["value"])
    return {each["key"]: each["value"] for each in raw}


def check_property(key: Any, value: Any) -> None:
    """Raise 400 for a key over 255 characters or a value over 32,768 characters of JSON."""
    if not isinstance(key, str) or not key or len(key) > PROPERTY_KEY_LIMIT:
        raise bad(f"The property key must be between 1 and {PROPERTY_KEY_LIMIT} characters long.")
    if len(json.dumps(value, ensure_ascii=False, separators=(",", ":"))) > PROPERTY_LIMIT:
        raise bad(f"The property value must not be longer than {PROPERTY_LIMIT} characters.")
