"""Azure DevOps' work items, comments and updates as the engine's values, and back."""

import mimetypes
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from apps.sync.connectors import richtext
from apps.sync.connectors.base import Rejected
from apps.sync.engine.snapshot import Attachment, Comment, ExternalRef, TicketSnapshot, Value, Visibility

from .process import LONG_TEXT_LENGTH, TAGS, FieldDefinition, WorkItemType, is_mappable

Json = dict[str, Any]

MARKER = re.compile(r"siam-[0-9a-z-]{1,35}")
_MARKER_LINE = re.compile(r"(?:^|\n)\\?\[(siam-[0-9a-z-]{1,35})\\?\]\s*$")
_MARKER_WORD = re.compile(r"\[(siam-[0-9a-z-]{1,35})\]")
_FILE_ID = re.compile(r"/attachments/([0-9a-fA-F-]{36})", re.IGNORECASE)
_NAME_AND_ADDRESS = re.compile(r"\s*<[^<>]*>\s*$")
ATTACHED = "AttachedFile"
MARKDOWN = "markdown"


def read_time(text: Any) -> datetime:
    """Times come with none to seven digits of a second."""
    return datetime.fromisoformat(str(text))


def read_person(raw: Any) -> str:
    """The display name of an identity, which is an object or, in events and feeds, ``Name <address>``."""
    if isinstance(raw, dict):
        return str(raw.get("displayName") or raw.get("uniqueName") or raw.get("name") or "")
    return _NAME_AND_ADDRESS.sub("", str(raw or ""))


def split_tags(raw: Any) -> tuple[str, ...]:
    return tuple(tag.strip() for tag in str(raw or "").split(";") if tag.strip())


def read_tags(raw: Any) -> tuple[str, ...]:
    """Tags but our markers. The service compares them without case and keeps the first spelling."""
    return tuple(sorted(tag for tag in split_tags(raw) if not MARKER.fullmatch(tag)))


def read_marker(fields: Mapping[str, Any], marker_field: str) -> str | None:
    """Our marker of the create call: in its own field, or a tag."""
    candidates = (str(fields.get(marker_field) or ""),) if marker_field else split_tags(fields.get(TAGS))
    return next((text for text in candidates if MARKER.fullmatch(text)), None)


def write_comment(markdown: str, correlation: str) -> str:
    """A comment as HTML with our marker in a line of its own: HTML comments would be taken out by the service."""
    html = write_html(markdown, "comment")
    if not html.strip():
        raise Rejected("Azure DevOps takes no empty comment", field="comment", value=markdown)
    return f"{html}<p><small>[{correlation}]</small></p>"


def split_comment(markdown: str) -> tuple[str, str | None]:
    """A comment's text without our marker line, and the marker."""
    found = _MARKER_LINE.search(markdown)
    if found is None:
        return markdown, None
    return richtext.canonical(markdown[: found.start()]), found.group(1)


def write_html(markdown: str, field: str) -> str:
    html = richtext.to_html(markdown)
    if len(html) > LONG_TEXT_LENGTH:
        reason = f"the text is {len(html)} characters long as HTML; Azure DevOps takes {LONG_TEXT_LENGTH}"
        raise Rejected(reason, field=field)
    return html


def read_rich_text(raw: Any, text_format: str) -> str:
    text = str(raw or "")
    return richtext.canonical(text) if text_format.lower() == MARKDOWN else richtext.from_html(text)


@dataclass(frozen=True, slots=True)
class Reader:
    """Translates with the field definitions of one organization."""

    definitions: Mapping[str, FieldDefinition]
    base_url: str
    marker_field: str = ""

    def read_value(self, name: str, raw: Any, text_format: str = "html") -> Value:
        """``raw`` as a plain value; absent and empty are None, so that a cleared field reads the same everywhere."""
        if name == TAGS:
            return read_tags(raw)
        if raw is None or raw == "":
            return None
        definition = self.definitions.get(name)
        if isinstance(raw, dict) or (definition and definition.is_person):
            return read_person(raw) or None
        if definition and definition.type == "html":
            return read_rich_text(raw, text_format) or None
        if isinstance(raw, bool | int):
            return raw
        if isinstance(raw, float):
            return int(raw) if raw.is_integer() and definition and definition.type != "double" else raw
        return str(raw).replace("\r\n", "\n")

    def read_fields(self, item: Json, kind: WorkItemType | None) -> dict[str, Value]:
        """All fields that rules may map. The service leaves out fields without a value: those of the type are None."""
        formats: Mapping[str, str] = item.get("multilineFieldsFormat") or {}
        fields: dict[str, Value] = {
            name: () if name == TAGS else None for name in (kind.fields if kind else ()) if is_mappable(name)
        }
        for name, raw in item["fields"].items():
            if is_mappable(name) and name != self.marker_field:
                fields[name] = self.read_value(name, raw, str(formats.get(name, "html")))
        if self.marker_field:
            fields.pop(self.marker_field, None)
        return fields

    def read_comment(self, raw: Json) -> Comment:
        """A comment; everybody who sees the work item sees it."""
        text = read_rich_text(raw.get("text"), str(raw.get("format") or "html"))
        body, correlation = split_comment(text)
        return Comment(
            id=str(raw["id"]),
            body=body,
            author=read_person(raw.get("createdBy")),
            at=read_time(raw["createdDate"]),
            visibility=Visibility.PUBLIC,
            correlation=correlation,
        )

    def read_attachment(self, relation: Json) -> Attachment | None:
        """A file among the relations, by the id in its address; None for other relations."""
        file_id = read_file_id(relation)
        if file_id is None:
            return None
        attributes = relation.get("attributes") or {}
        name = str(attributes.get("name") or "") or _name_in_address(str(relation.get("url", ""))) or file_id
        marker = _MARKER_WORD.search(str(attributes.get("comment") or ""))
        return Attachment(
            id=file_id,
            file_name=name,
            content_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
            size=int(attributes.get("resourceSize") or 0),
            at=read_time(attributes.get("resourceCreatedDate") or attributes.get("authorizedDate") or _LONG_AGO),
            correlation=marker.group(1) if marker else None,
        )

    def read_attachments(self, relations: Iterable[Json] | None) -> tuple[Attachment, ...]:
        found = (self.read_attachment(relation) for relation in relations or ())
        return tuple(file for file in found if file is not None)

    def read_ref(self, item: Json) -> ExternalRef:
        link = ((item.get("_links") or {}).get("html") or {}).get("href")
        project = str((item.get("fields") or {}).get("System.TeamProject", ""))
        url = link or f"{self.base_url}/{project}/_workitems/edit/{item['id']}"
        return ExternalRef(str(item["id"]), key=str(item["id"]), url=str(url))

    def read_snapshot(self, item: Json, comments: list[Json], kind: WorkItemType | None) -> TicketSnapshot:
        raw = item["fields"]
        return TicketSnapshot(
            ref=self.read_ref(item),
            version=str(item["rev"]),
            type=str(raw["System.WorkItemType"]),
            fields=self.read_fields(item, kind),
            created_at=read_time(raw["System.CreatedDate"]),
            updated_at=read_time(raw["System.ChangedDate"]),
            comments=tuple(self.read_comment(comment) for comment in comments if not comment.get("isDeleted")),
            attachments=self.read_attachments(item.get("relations")),
            correlation=read_marker(raw, self.marker_field),
        )


_LONG_AGO = "1970-01-01T00:00:00Z"


def read_file_id(relation: Json) -> str | None:
    found = _FILE_ID.search(str(relation.get("url", ""))) if relation.get("rel") == ATTACHED else None
    return found.group(1) if found else None


def _name_in_address(url: str) -> str:
    pairs = (part.partition("=") for part in urlsplit(url).query.split("&"))
    return next((unquote(value) for name, _, value in pairs if name.lower() == "filename"), "")
