"""Field values: read from a request as strictly as the vendor does, written into answers and change logs."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from . import shapes
from .adf import BadDocument, check_document
from .errors import TOO_LONG
from .state import FieldSpec, Issue, Named, RichText
from .texts import as_wiki, length

if TYPE_CHECKING:
    from .site import Site, View

TEXTFIELD_LIMIT = 255
SUMMARY_LIMIT = 255
LABEL_LIMIT = 255
NOT_A_DOCUMENT = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"


class BadValue(ValueError):
    """A value that the field does not take; the text is the vendor's message for that field."""


def read_text(site: "Site", version: str, raw: Any) -> RichText:
    """A rich text as sent: a valid document through v3, a string through v2; raises BadValue."""
    if raw is None:
        return None
    if version == "3":
        if not isinstance(raw, dict):
            raise BadValue(NOT_A_DOCUMENT)
        try:
            check_document(raw)
        except BadDocument as problem:
            reason = "We can't create this issue for you right now, it could be due to unsupported content"
            raise BadValue(f"{reason} you've entered into one or more of the issue fields. ({problem})") from problem
    elif not isinstance(raw, str):
        raise BadValue("Operation value must be a string")
    if length(raw) > site.settings.text_limit:
        raise BadValue(TOO_LONG.format(site.settings.text_limit))
    return raw or None


def read_value(site: "Site", version: str, spec: FieldSpec, raw: Any) -> Any:
    """What to store for ``raw`` in the field ``spec``; raises BadValue."""
    match spec.kind:
        case "text":
            return read_text(site, version, raw)
        case "string":
            return _read_string(site, spec, raw)
        case "labels":
            return _read_labels(raw)
        case "date":
            return _read_date(raw)
        case "user":
            return _read_user(site, spec, raw)
        case "option":
            return _read_named(raw, {option.id: option for option in spec.options}, "Option", "value")
        case "priority":
            found = _read_named(raw, site.store.priorities, "Priority")
            if found is None:
                raise BadValue("The priority selected is invalid.")
            return found
        case "resolution":
            return _read_named(raw, site.store.resolutions, "Resolution")
        case "issuetype":
            found = _read_named(raw, site.store.issue_types, "Issue type")
            if found is None:
                raise BadValue("Specify an issue type")
            return found
    raise BadValue("Data was not an array")


def _read_string(site: "Site", spec: FieldSpec, raw: Any) -> str | None:
    if raw is not None and not isinstance(raw, str):
        raise BadValue("Operation value must be a string")
    if spec.id != "summary":
        if len(raw or "") > TEXTFIELD_LIMIT:
            raise BadValue(TOO_LONG.format(TEXTFIELD_LIMIT))
        return raw or None
    if raw is None or not raw.strip():
        raise BadValue("You must specify a summary of the issue.")
    if "\n" in raw or "\r" in raw:
        raise BadValue("The summary is invalid because it contains newline characters.")
    text = raw.strip()
    if len(text) > SUMMARY_LIMIT:
        cloud = site.settings.is_cloud
        raise BadValue("Summary can't exceed 255 characters." if cloud else "Summary must be less than 255 characters.")
    return text


def _read_labels(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, list | type(None)):
        raise BadValue("Data was not an array")
    return tuple(sorted({read_label(label) for label in raw or []}))


def read_label(raw: Any) -> str:
    if not isinstance(raw, str) or not raw:
        raise BadValue("string expected at index 0")
    if any(character.isspace() for character in raw):
        raise BadValue(f"The label '{raw}' contains spaces which is invalid.")
    if len(raw) > LABEL_LIMIT:
        raise BadValue(f"The label '{raw}' exceeds the maximum length for a label of {LABEL_LIMIT} characters.")
    return raw


def _read_date(raw: Any) -> str | None:
    if raw is None or raw == "":
        return None
    try:
        if not isinstance(raw, str) or len(raw) != len("2026-12-01"):
            raise ValueError(raw)
        return date.fromisoformat(raw).isoformat()
    except ValueError as problem:
        raise BadValue(f"Error parsing date string: {raw}") from problem


def _read_user(site: "Site", spec: FieldSpec, raw: Any) -> str | None:
    """People go by ``accountId`` on Cloud and by ``name`` on Data Center, and by nothing else."""
    if raw is not None and not isinstance(raw, dict):
        raise BadValue("data was not an object")
    member = "accountId" if site.settings.is_cloud else "name"
    given = raw.get(member, raw.get("id") if site.settings.is_cloud else None) if raw else None
    if raw is None or (member in raw and given in (None, "-1", "")):
        if spec.id == "reporter":
            raise BadValue("Reporter is required.")
        return None
    users = site.store.users.values()
    found = next((user for user in users if given == (user.account_id if site.settings.is_cloud else user.name)), None)
    if found is None:
        if spec.id == "assignee":
            raise BadValue(f"User '{given}' cannot be assigned issues.")
        raise BadValue("The reporter specified is not a user.")
    return found.account_id


def _read_named(raw: Any, known: dict[str, Named], what: str, by: str = "name") -> str | None:
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise BadValue("Could not find valid 'id' or '" + by + "' in the value")
    if "id" in raw:
        if str(raw["id"]) not in known:
            raise BadValue(f"{what} id '{raw['id']}' is not valid")
        return str(raw["id"])
    name = raw.get(by)
    found = next((entry.id for entry in known.values() if entry.name == name), None)
    if found is None:
        raise BadValue(f"{what} {by} '{name}' is not valid")
    return found


def describe(site: "Site", spec: FieldSpec, value: Any) -> tuple[str | None, str | None]:
    """``value`` as a change log shows it: the raw form and the words."""
    if value is None:
        return None, None
    match spec.kind:
        case "user":
            user = site.store.users[value]
            return (user.account_id if site.settings.is_cloud else user.key), user.display_name
        case "labels":
            return "", " ".join(value)
        case "text":
            return None, as_wiki(value)
        case "string":
            return None, value
        case "date":
            return value, value
        case "datetime":
            return None, str(value)
    return value, named(site, spec, value).name


def named(site: "Site", spec: FieldSpec, value: str) -> Named:
    """The list entry behind an id that is stored in a field of kind option, priority, status and so on."""
    store = site.store
    if spec.kind == "status":
        return Named(value, store.statuses[value].name)
    lists = {"priority": store.priorities, "resolution": store.resolutions, "issuetype": store.issue_types}
    if spec.kind in lists:
        return lists[spec.kind][value]
    return next(option for option in spec.options if option.id == value)


def plain(site: "Site", spec: FieldSpec, value: Any) -> Any:
    """``value`` in words for the true state: names of people and entries, wiki text, a list of labels."""
    if spec.kind == "labels":
        return list(value or ())
    return describe(site, spec, value)[1]


def render(view: "View", spec: FieldSpec, issue: Issue) -> Any:
    """The field as an issue answer shows it; empty fields are null or an empty list."""
    value: Any = issue.values.get(spec.id)
    if spec.kind == "labels":
        return list(value or ())
    if value is None:
        return None
    match spec.kind:
        case "text":
            return shapes.rich_text(view, value)
        case "user":
            return shapes.user(view, value)
        case "status":
            return shapes.status(view, view.site.store.statuses[value])
        case "priority":
            return shapes.priority(view, view.site.store.priorities[value])
        case "resolution":
            return shapes.resolution(view, view.site.store.resolutions[value])
        case "issuetype":
            return shapes.issue_type(view, view.site.store.issue_types[value])
        case "option":
            return shapes.option(view, named(view.site, spec, value))
        case "datetime":
            return view.stamp(value) if isinstance(value, datetime) else value
    return value
