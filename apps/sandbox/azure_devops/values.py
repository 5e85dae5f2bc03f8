"""How a value that a client wrote becomes the value that is stored, or is refused."""

from typing import TYPE_CHECKING, Any

from .errors import Refusal, rule_error
from .fields import HISTORY, LONGEST_LINE, LONGEST_TEXT, TAGS, Field, Value
from .instants import moment
from .markup import sanitized

if TYPE_CHECKING:
    from .drafts import Draft

MOST_TAGS, LONGEST_TAG = 100, 400
LARGEST_INTEGER = 2**31 - 1


def stored_value(draft: "Draft", field: Field, written: Any) -> Value | None:
    """``written`` as the service keeps it; None clears the field. Raises rule errors."""
    if written is None or written == "":
        return None
    if field.is_identity:
        person = draft.store.person(written)
        if person is None:
            shown = written.get("uniqueName") if isinstance(written, dict) else written
            text = f"The identity value '{shown}' for field '{field.name}' is an unknown identity."
            raise rule_error(field.reference, field.name, ("invalidIdentity",), text)
        return person
    if field.kind in ("integer", "double", "boolean", "dateTime"):
        return _typed(field, written)
    if isinstance(written, dict | list):
        raise _wrong_type(field)
    text = written if isinstance(written, str) else str(written)
    return _long_text(draft, field, text) if field.is_long else _line(draft, field, text)


def _wrong_type(field: Field) -> Refusal:
    text = f"TF401326: Invalid field status 'InvalidType' for field '{field.reference}'."
    return rule_error(field.reference, field.name, ("invalidType",), text)


def _typed(field: Field, written: Any) -> Value:
    try:
        if field.kind == "dateTime":
            return moment(str(written))
        if field.kind == "boolean":
            return {"true": True, "false": False}[str(written).lower()]
        number = float(str(written))
        whole = int(number)
        if field.kind == "double":
            return number
        if number != whole or abs(whole) > LARGEST_INTEGER:
            raise ValueError
    except (ValueError, KeyError, OverflowError):
        raise _wrong_type(field) from None
    return whole


def length(text: str) -> int:
    """In UTF-16 units, as the service counts: most emoji are two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _too_long(field: Field) -> Refusal:
    text = f"TF401324: Value for field '{field.reference}' is too long."
    return rule_error(field.reference, field.name, ("invalidTooLong",), text)


def _long_text(draft: "Draft", field: Field, text: str) -> str:
    if length(text) > LONGEST_TEXT:
        raise _too_long(field)
    is_markdown = field.reference != HISTORY and draft.formats.get(field.reference) == "markdown"
    return text if is_markdown else sanitized(text)


def _line(draft: "Draft", field: Field, text: str) -> str:
    text = text.strip()
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in text):
        broken = f"TF401326: Invalid field status 'InvalidCharacters' for field '{field.reference}'."
        raise rule_error(field.reference, field.name, ("invalidCharacters",), broken)
    if field.reference == TAGS:
        return merged_tags(draft, "", text)
    if length(text) > LONGEST_LINE and field.kind != "treePath":
        raise _too_long(field)
    return next(
        (str(value) for value in field.values if str(value).casefold() == text.casefold()),
        text,
    )


def merged_tags(draft: "Draft", present: str, written: str) -> str:
    """Tags are one text; a tag keeps the case in which the project first saw it."""
    merged: dict[str, str] = {}
    names = [*present.split(";"), *written.replace(",", ";").split(";")]
    for name in map(str.strip, names):
        if len(name) > LONGEST_TAG:
            raise Refusal(
                400,
                f"VS402428: The tag {name[:20]}... is longer than 400 characters.",
                "TagNameTooLongException",
            )
        if name:
            merged.setdefault(name.casefold(), draft.project.tag(name, draft.at).name)
    if len(merged) > MOST_TAGS:
        raise Refusal(
            400,
            "VS402429: A work item can have 100 tags at most.",
            "TagLimitExceededException",
        )
    return "; ".join(merged.values())


def is_listed(field: Field, value: Value) -> bool:
    return not field.values or value in field.values
