"""Checking a rules document against the system's schema, before the first ticket (T58, T59, T68)."""

from dataclasses import dataclass

from apps.tickets.selectors import CUSTOM, FIELDS
from apps.tickets.vocabulary import Category, Kind, Priority, Status

from ..connectors.base import FieldSchema, SystemSchema
from .compiling import ATTACHMENT_LIMIT, COMMENT_LIMIT
from .document import FieldEntry, RulesDocument

_HUB_WORDS: dict[str, tuple[str, ...]] = {
    "kind": tuple(Kind.values),
    "status": tuple(Status.values),
    "priority": tuple(Priority.values),
    "category": tuple(word for word in Category.values if word),
    "impact": ("1", "2", "3", "4"),
    "urgency": ("1", "2", "3", "4"),
}
_LONGEST_TITLE = 255


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the rules do that will not work. ``is_error`` findings keep the rules from being published."""

    place: str
    text: str
    is_error: bool = True


def validate(document: RulesDocument, schema: SystemSchema) -> tuple[list[Finding], dict[str, int]]:
    """Findings, and the limits (field → longest text) that the system states."""
    findings: list[Finding] = []
    for kind, type_name in document.types.items():
        if kind not in Kind.values:
            findings.append(
                Finding(f"types.{kind}", f"{kind!r} is not a kind of ticket; kinds are {', '.join(Kind.values)}")
            )
        if type_name not in schema.types:
            known = ", ".join(sorted(schema.types))
            findings.append(Finding(f"types.{kind}", f"the system has no type {type_name!r}; it has {known}"))
    limits: dict[str, int] = {}
    for number, entry in enumerate(document.fields):
        known_as = [
            schema.types[name][entry.system]
            for name in document.types.values()
            if name in schema.types and entry.system in schema.types[name]
        ]
        findings += _check_field(f"fields.{number}", entry, known_as)
        lengths = [field.max_length for field in known_as if field.max_length is not None]
        if lengths:
            limits[entry.system] = min(lengths)
    if schema.max_comment_length is not None:
        limits[COMMENT_LIMIT] = schema.max_comment_length
    if schema.max_attachment_bytes is not None:
        limits[ATTACHMENT_LIMIT] = schema.max_attachment_bytes
    return findings, limits


def _check_field(place: str, entry: FieldEntry, known_as: list[FieldSchema]) -> list[Finding]:
    findings: list[Finding] = []
    if entry.hub not in FIELDS and not entry.hub.startswith(CUSTOM):
        names = ", ".join(FIELDS)
        findings.append(
            Finding(f"{place}.hub", f"{entry.hub!r} is not a field of a ticket; fields are {names} and {CUSTOM}…")
        )
    if not known_as:
        findings.append(Finding(f"{place}.system", f"the system has no field {entry.system!r} on the mapped types"))
        return findings
    field = known_as[0]
    if entry.direction != "outbound" and not field.is_writable:
        findings.append(
            Finding(
                f"{place}.direction", f"{field.label} ({entry.system}) cannot be written; make the direction outbound"
            )
        )
    if entry.values is not None:
        findings += _check_values(place, entry, field)
    elif entry.hub in _HUB_WORDS and field.values:
        findings.append(
            Finding(f"{place}.values", f"{entry.hub} has fixed words; say what each is called in {field.label}")
        )
    if (
        entry.too_long == "park"
        and field.max_length is not None
        and field.max_length < _LONGEST_TITLE
        and entry.hub == "title"
    ):
        longest = f"{field.label} takes {field.max_length} characters"
        text = f"{longest}, a title may have {_LONGEST_TITLE}: longer ones will wait"
        findings.append(Finding(f"{place}.too_long", text, is_error=False))
    return findings


def _check_values(place: str, entry: FieldEntry, field: FieldSchema) -> list[Finding]:
    findings: list[Finding] = []
    assert entry.values is not None
    words = _HUB_WORDS.get(entry.hub)
    given = [(f"{place}.values.{word}", word, value) for word, value in entry.values.items()]
    given += [(f"{place}.otherwise.{word}", word, value) for word, value in entry.otherwise.items()]
    for where, word, value in given:
        if words is not None and word not in words:
            findings.append(Finding(where, f"{word!r} is not a value of {entry.hub}: {', '.join(words)}"))
        if field.values and value is not None and str(value) not in field.values:
            findings.append(Finding(where, f"{value!r} is not a value of {field.label}: {', '.join(field.values)}"))
    if words is not None and entry.unmapped == "park" and entry.direction != "outbound":
        missing = [word for word in words if word not in entry.values]
        if missing:
            text = f"{', '.join(missing)} have no word in {field.label}; tickets with them will wait"
            findings.append(Finding(f"{place}.values", text, is_error=False))
    return findings
