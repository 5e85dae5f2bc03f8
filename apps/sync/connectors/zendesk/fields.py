"""The account's ticket fields, and their values between Zendesk's JSON and plain values.

Custom fields go by their id, as in Zendesk's own audits. Option values of fields are tags at the same time: setting a
tagger adds its tag, and removing the tag empties the tagger. ``tags`` therefore holds the other tags only.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.sync.connectors.base import FieldSchema, Rejected
from apps.sync.engine.snapshot import Value

from .directory import DIRECTORY_OF_FIELD
from .failures import STATUSES
from .placeholders import guard, unguard

Json = dict[str, Any]
NameOf = Callable[[str, Any], Value]
"""The name of the user, group or other record that a field's id means."""

TYPES = ("problem", "incident", "question", "task")
PRIORITIES = ("low", "normal", "high", "urgent")
UNTYPED = "ticket"
"""The type name of a ticket that has none."""

_NAME_OF_SYSTEM_FIELD = {
    "subject": "subject",
    "description": "description",
    "status": "status",
    "tickettype": "type",
    "priority": "priority",
    "group": "group_id",
    "assignee": "assignee_id",
    "custom_status": "custom_status_id",
}
_SCHEMA_TYPE = {
    "checkbox": "boolean",
    "date": "date",
    "integer": "number",
    "decimal": "number",
    "tagger": "choice",
    "multiselect": "words",
}
LONGEST_COMMENT = 65_535
"""Zendesk cuts longer bodies (in bytes of HTML) without an error, so they are refused before they are sent."""
_LENGTHS = {"subject": 255, "description": LONGEST_COMMENT}


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """One ticket field as the account defines it; ``kind`` is Zendesk's word for its type."""

    name: str
    title: str
    kind: str
    values: tuple[str, ...] = ()
    is_required: bool = False
    tag: str = ""


_BUILT_IN = (
    FieldDefinition("subject", "Subject", "subject"),
    FieldDefinition("description", "Description", "description"),
    FieldDefinition("status", "Status", "status", STATUSES),
    FieldDefinition("type", "Type", "tickettype", TYPES),
    FieldDefinition("priority", "Priority", "priority", PRIORITIES),
    FieldDefinition("assignee_id", "Assignee", "assignee"),
    FieldDefinition("group_id", "Group", "group"),
    FieldDefinition("custom_status_id", "Custom status", "custom_status"),
    FieldDefinition("requester_id", "Requester", "user"),
    FieldDefinition("submitter_id", "Submitter", "user"),
    FieldDefinition("organization_id", "Organization", "record"),
    FieldDefinition("brand_id", "Brand", "record"),
    FieldDefinition("ticket_form_id", "Ticket form", "record"),
    FieldDefinition("problem_id", "Linked problem", "integer"),
    FieldDefinition("due_at", "Due at", "datetime"),
    FieldDefinition("tags", "Tags", "tags"),
    FieldDefinition("recipient", "Recipient address", "readonly"),
    FieldDefinition("external_id", "External id", "readonly"),
    FieldDefinition("is_public", "Is public", "readonly"),
)
_READ_ONLY = frozenset({"submitter_id", "recipient", "external_id", "is_public"})


class FieldBook:
    """All fields of one account, by name."""

    def __init__(self, rows: Iterable[Json]) -> None:
        self._fields = {definition.name: definition for definition in _BUILT_IN}
        for row in rows:
            definition = _read_definition(row)
            if definition is not None:
                self._fields[definition.name] = definition
        self._option_tags = frozenset(
            word for definition in self._fields.values() for word in _tags_of_options(definition)
        )

    def get(self, name: str) -> FieldDefinition:
        """Raises Rejected for a name that the account has no field for: Zendesk would drop it silently."""
        try:
            return self._fields[name]
        except KeyError:
            raise Rejected(f"the account has no ticket field {name!r}", field=name) from None

    def knows(self, name: str) -> bool:
        return name in self._fields

    def read(self, name: str, raw: Any, name_of: NameOf) -> Value:
        """``raw`` of a ticket or of an audit (which writes numbers as text) as a plain value."""
        definition = self._fields.get(name)
        if name in DIRECTORY_OF_FIELD:
            return None if raw in (None, "") else name_of(name, raw)
        if name == "tags":
            return self.plain_tags(raw)
        return _read_plain(definition.kind if definition else "text", raw)

    def read_ticket(self, ticket: Json, name_of: NameOf) -> dict[str, Value]:
        """All fields of a ticket but its description, which is its first comment."""
        fields = {
            name: self.read(name, ticket[name], name_of)
            for name in self._fields
            if not name.isdigit() and name != "description" and name in ticket
        }
        for entry in ticket.get("custom_fields") or []:
            name = str(entry["id"])
            if name in self._fields:
                fields[name] = self.read(name, entry.get("value"), name_of)
        return fields

    def plain_tags(self, raw: Any) -> tuple[str, ...]:
        """Tags that are not also the option of a field."""
        words = raw.split() if isinstance(raw, str) else raw or []
        return tuple(sorted({str(word) for word in words} - self._option_tags))

    def all_tags(self, plain: tuple[str, ...], ticket: Json, written: Mapping[str, Value]) -> list[str]:
        """``plain`` with the tags that the ticket's fields stand for once ``written`` is stored."""
        tags = {word.lower().replace(" ", "_") for word in plain if word.strip()}
        stored = {str(entry["id"]): entry.get("value") for entry in ticket.get("custom_fields") or []}
        for name, definition in self._fields.items():
            options = _tags_of_options(definition)
            if options:
                value = written[name] if name in written else _read_plain(definition.kind, stored.get(name))
                tags.update(_tags_of_value(definition, value))
        return sorted(tags)

    def write(self, name: str, value: Value) -> Any:
        """A plain value in Zendesk's JSON. Raises Rejected naming field, value and what is legal."""
        definition = self.get(name)
        if name in _READ_ONLY:
            raise Rejected(f"{definition.title} ({name}) cannot be written", field=name, value=value)
        if value is None or value == "":
            return [] if definition.kind == "multiselect" else None
        if definition.kind == "multiselect":
            words = value if isinstance(value, tuple) else (str(value),)
            for word in words:
                _check_option(definition, word, value)
            return list(words)
        if isinstance(value, tuple) and definition.kind != "tags":
            raise Rejected(f"{definition.title} ({name}) takes one value, not several", field=name, value=value)
        if definition.kind in ("integer", "decimal"):
            return _write_number(definition, value)
        if definition.kind == "checkbox":
            return value if isinstance(value, bool) else str(value).lower() in ("true", "1", "yes")
        if definition.kind in ("tagger", "tickettype", "priority", "status"):
            _check_option(definition, str(value), value)
        return guard(value) if isinstance(value, str) else value

    def schema(self, values: Mapping[str, tuple[str, ...]]) -> dict[str, FieldSchema]:
        """The fields for rules to map; ``values`` holds the names that record fields may take."""
        return {name: _as_schema(definition, values) for name, definition in self._fields.items()}


def _read_definition(row: Json) -> FieldDefinition | None:
    kind = str(row.get("type", ""))
    if not row.get("active", True):
        return None
    name = _NAME_OF_SYSTEM_FIELD.get(kind, str(row["id"]))
    options = row.get("custom_field_options") or row.get("system_field_options") or []
    values = tuple(str(option["value"]) for option in options if option.get("value"))
    if name == "status":
        values = (
            STATUSES if not values else tuple(status for status in STATUSES if status in {*values, "new", "closed"})
        )
    elif name == "type":
        values = values or TYPES
    elif name == "priority":
        values = values or PRIORITIES
    elif name in DIRECTORY_OF_FIELD:
        values = ()
    title = str(row.get("title") or name)
    return FieldDefinition(name, title, kind, values, bool(row.get("required")), str(row.get("tag") or ""))


def _tags_of_options(definition: FieldDefinition) -> tuple[str, ...]:
    if definition.kind in ("tagger", "multiselect"):
        return definition.values
    return (definition.tag,) if definition.kind == "checkbox" and definition.tag else ()


def _tags_of_value(definition: FieldDefinition, value: Value) -> tuple[str, ...]:
    if definition.kind == "checkbox":
        return (definition.tag,) if value else ()
    if isinstance(value, tuple):
        return value
    return (str(value),) if value else ()


def _read_plain(kind: str, raw: Any) -> Value:
    if kind == "multiselect":
        words = raw.split() if isinstance(raw, str) else raw or []
        return tuple(sorted(str(word) for word in words))
    if kind == "checkbox":
        return str(raw).lower() in ("true", "1", "yes") if raw is not None else None
    if raw is None or raw == "":
        return None
    if isinstance(raw, bool):
        return raw
    if kind in ("integer", "decimal"):
        return _read_number(raw)
    if isinstance(raw, list):
        return tuple(sorted(str(word) for word in raw))
    text = str(raw).replace("\r\n", "\n")
    return unguard(text)


def _read_number(raw: Any) -> Value:
    try:
        number = float(raw)
    except (TypeError, ValueError):
        return str(raw)
    return int(raw) if number.is_integer() and "." not in str(raw) else number


def _write_number(definition: FieldDefinition, value: Value) -> Any:
    try:
        number = float(str(value))
    except ValueError:
        reason = f"{definition.title} ({definition.name}) takes a number, not {value!r}"
        raise Rejected(reason, field=definition.name, value=value) from None
    if definition.kind == "integer":
        if not number.is_integer():
            reason = f"{definition.title} ({definition.name}) takes a whole number, not {value!r}"
            raise Rejected(reason, field=definition.name, value=value)
        return int(str(value)) if str(value).lstrip("+-").isdigit() else int(number)
    return number


def _check_option(definition: FieldDefinition, word: str, value: Value) -> None:
    """Zendesk drops unknown options of some fields silently, so they are refused here, with what is legal."""
    if definition.values and word not in definition.values:
        legal = ", ".join(definition.values)
        reason = f"{definition.title} ({definition.name}) has no option {word!r}; it has {legal}"
        raise Rejected(reason, field=definition.name, value=value)


def _as_schema(definition: FieldDefinition, values: Mapping[str, tuple[str, ...]]) -> FieldSchema:
    name, kind = definition.name, definition.kind
    if kind == "status":
        type_name = "status"
    elif kind == "description":
        type_name = "rich_text"
    elif kind in ("assignee", "user"):
        type_name = "person"
    elif kind in ("group", "record", "custom_status", "tickettype", "priority"):
        type_name = "choice"
    elif kind in ("datetime", "tags"):
        type_name = {"datetime": "datetime", "tags": "words"}[kind]
    else:
        type_name = _SCHEMA_TYPE.get(kind, "boolean" if name == "is_public" else "text")
    return FieldSchema(
        name=name,
        label=definition.title,
        type=type_name,
        is_writable=name not in _READ_ONLY,
        is_required=definition.is_required or name == "description",
        max_length=_LENGTHS.get(name),
        values=definition.values or values.get(name, ()),
    )
