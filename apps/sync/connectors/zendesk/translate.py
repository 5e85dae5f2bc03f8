"""Zendesk's tickets, comments and audits as the engine's values."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.sync.connectors import richtext
from apps.sync.connectors.base import Rejected
from apps.sync.engine.snapshot import (
    Attachment,
    Comment,
    ExternalRef,
    Fields,
    RemoteChange,
    TicketSnapshot,
    Value,
    Visibility,
)

from .directory import DIRECTORY_OF_FIELD, Directory
from .fields import LONGEST_COMMENT, UNTYPED, FieldBook
from .placeholders import guard, unguard

Json = dict[str, Any]

CORRELATION = "siam_op"
"""Our member in an audit's metadata."""
_OURS = re.compile(r"siam-[0-9a-z-]{1,35}")
_MERGED_INTO = re.compile(r"#(\d+)")


def read_time(text: Any) -> datetime:
    return datetime.fromisoformat(str(text))


def make_version(ticket: Json, audits: list[Json]) -> str:
    """``updated_at`` has seconds only, and two writes fit into one: the newest audit's id tells them apart."""
    newest = audits[-1]["id"] if audits else 0
    return f"{ticket.get('updated_at')}|{newest}"


def split_version(version: str) -> str:
    """The ``updated_at`` of a version, as the stamp of a safe update."""
    return version.partition("|")[0]


def make_ref(ticket_id: Any, base_url: str) -> ExternalRef:
    return ExternalRef(str(ticket_id), key=str(ticket_id), url=f"{base_url}/agent/tickets/{ticket_id}")


def write_body(markdown: str, field: str) -> str:
    """Markdown as the HTML of a comment. Raises Rejected when it is empty or longer than Zendesk keeps."""
    html = guard(richtext.to_html(markdown))
    if not html.strip():
        raise Rejected("Zendesk takes no empty comment", field=field, value=markdown)
    size = len(html.encode())
    if size > LONGEST_COMMENT:
        raise Rejected(f"the text is {size} bytes long as HTML; Zendesk keeps {LONGEST_COMMENT}", field=field)
    return html


def read_body(comment: Json) -> str:
    """A comment's text as Markdown; ``html_body`` is the form in which Zendesk changes least."""
    if comment.get("html_body"):
        return richtext.canonical(unguard(richtext.from_html(str(comment["html_body"]))))
    return richtext.from_plain(unguard(str(comment.get("plain_body") or comment.get("body") or "")))


def read_correlation(carrier: Json) -> str | None:
    """Our marker in the metadata of an audit or of a comment."""
    custom = (carrier.get("metadata") or {}).get("custom")
    marker = custom.get(CORRELATION) if isinstance(custom, dict) else None
    return str(marker) if marker else None


def read_external_id(ticket: Json) -> str | None:
    """Our marker of the create call; an external id that another tool has set is not ours."""
    marker = str(ticket.get("external_id") or "")
    return marker if _OURS.fullmatch(marker) else None


def is_shown(change: RemoteChange) -> bool:
    """Whether a change has anything to tell; an audit of notifications only has not."""
    return bool(change.fields or change.comment or change.attachment)


def is_comment(event: Json) -> bool:
    return str(event.get("type", "")).endswith("Comment") and "public" in event


def is_vehicle(comment: Json) -> bool:
    """Whether a comment is only the vehicle of a file that we attached: our comments never carry files otherwise."""
    return bool(read_correlation(comment) and comment.get("attachments"))


def join_audits(comments: list[Json], audits: list[Json]) -> list[Json]:
    """Comments with the metadata of the audits that brought them, which hold our marker in every case."""
    brought = {str(event.get("id")): audit.get("metadata") for audit in audits for event in audit.get("events") or []}
    return [{**raw, "metadata": brought.get(str(raw["id"])) or raw.get("metadata")} for raw in comments]


@dataclass(frozen=True, slots=True)
class Reader:
    """Translates with the names of one account. ``directory`` must have learned the ids before."""

    fields: FieldBook
    directory: Directory
    base_url: str

    def read_comment(self, raw: Json) -> Comment:
        return Comment(
            id=str(raw["id"]),
            body=read_body(raw),
            author=self.directory.name("users", raw.get("author_id")),
            at=read_time(raw["created_at"]),
            visibility=Visibility.PUBLIC if raw.get("public") is True else Visibility.INTERNAL,
            correlation=read_correlation(raw),
        )

    def read_attachments(self, raw: Json) -> tuple[Attachment, ...]:
        """The files of a comment. They are seen by whoever sees the comment."""
        return tuple(
            Attachment(
                id=str(file["id"]),
                file_name=str(file.get("file_name") or file["id"]),
                content_type=str(file.get("content_type") or "application/octet-stream"),
                size=int(file.get("size") or 0),
                at=read_time(raw["created_at"]),
                author=self.directory.name("users", raw.get("author_id")),
                visibility=Visibility.PUBLIC if raw.get("public") is True else Visibility.INTERNAL,
                correlation=read_correlation(raw),
            )
            for file in raw.get("attachments") or []
        )

    def read_fields(self, ticket: Json, first_comment: Json | None) -> dict[str, Value]:
        fields = self.fields.read_ticket(ticket, self.directory.name_of)
        if first_comment is not None:
            fields["description"] = read_body(first_comment)
        elif ticket.get("description"):
            fields["description"] = richtext.from_plain(str(ticket["description"]))
        return fields

    def read_snapshot(self, ticket: Json, comments: list[Json], version: str) -> TicketSnapshot:
        """A ticket with its comments; the first of them is the description."""
        first = comments[0] if comments else None
        return TicketSnapshot(
            ref=make_ref(ticket["id"], self.base_url),
            version=version,
            type=str(ticket.get("type") or UNTYPED),
            fields=self.read_fields(ticket, first),
            created_at=read_time(ticket["created_at"]),
            updated_at=read_time(ticket["updated_at"]),
            comments=tuple(self.read_comment(raw) for raw in comments[1:] if not is_vehicle(raw)),
            attachments=tuple(file for raw in comments for file in self.read_attachments(raw)),
            is_closed_for_good=ticket.get("status") == "closed",
            correlation=read_external_id(ticket),
        )

    def read_audit(self, audit: Json, comments: Mapping[str, Json]) -> list[RemoteChange]:
        """One audit as changes: what its author did, then each file, then what the account's rules did in answer.

        A rule's change shares the audit of our write but is not ours, so it carries no correlation.
        """
        by_rule = [event for event in audit["events"] if _is_by_rule(event)]
        by_author = [event for event in audit["events"] if not _is_by_rule(event)]
        at, author = read_time(audit["created_at"]), self.directory.name("users", audit.get("author_id"))
        correlation = read_correlation(audit)
        said = [_complete(event, audit, comments) for event in by_author if is_comment(event)]
        spoken = [raw for raw in said if not is_vehicle(raw)]
        changes = [
            RemoteChange(
                id=str(audit["id"]),
                at=at,
                author=author,
                fields=self._read_changed(by_author),
                comment=self.read_comment(spoken[0]) if spoken else None,
                correlation=correlation,
            )
        ]
        for raw in said:
            for file in self.read_attachments(raw):
                identity = f"{audit['id']}/{file.id}"
                changes.append(RemoteChange(identity, at, author, attachment=file, correlation=correlation))
        for number, raw in enumerate(spoken[1:] + [_complete(e, audit, comments) for e in by_rule if is_comment(e)]):
            changes.append(RemoteChange(f"{audit['id']}/c{number}", at, author, comment=self.read_comment(raw)))
        changes.append(RemoteChange(f"{audit['id']}/rule", at, _name_rule(by_rule), fields=self._read_changed(by_rule)))
        return changes

    def _read_changed(self, events: Iterable[Json]) -> dict[str, tuple[Value, Value]]:
        """Field changes; a field that changes twice goes from its first to its last value."""
        changed: dict[str, tuple[Value, Value]] = {}
        for event in events:
            name = read_field_name(event)
            if event.get("type") != "Change" or not self.fields.knows(name) or name == "description":
                continue
            before = self.fields.read(name, event.get("previous_value"), self.directory.name_of)
            after = self.fields.read(name, event.get("value"), self.directory.name_of)
            changed[name] = (changed[name][0] if name in changed else before, after)
        return {name: (before, after) for name, (before, after) in changed.items() if before != after}


def read_field_name(event: Json) -> str:
    """Audits name custom fields by id, or as ``custom_field_<id>`` where rules report them."""
    return str(event.get("field_name", "")).removeprefix("custom_field_")


def list_ids(ticket: Json | None, comments: Iterable[Json], audits: Iterable[Json]) -> list[tuple[str, Any]]:
    """All (kind, id) pairs whose names are needed to read these."""
    found = [(kind, (ticket or {}).get(name)) for name, kind in DIRECTORY_OF_FIELD.items()]
    found += [("users", raw.get("author_id")) for raw in comments]
    for audit in audits:
        found.append(("users", audit.get("author_id")))
        for event in audit.get("events") or []:
            kind = DIRECTORY_OF_FIELD.get(read_field_name(event))
            if kind:
                found += [(kind, event.get("value")), (kind, event.get("previous_value"))]
            elif is_comment(event):
                found.append(("users", event.get("author_id")))
    return found


def read_merge_target(audits: list[Json], comments: list[Json]) -> str | None:
    """The id of the ticket into which this one was merged, if its audits say that it was."""
    for audit in reversed(audits):
        carriers = [audit, *(audit.get("events") or [])]
        vias = [carrier.get("via") or {} for carrier in carriers]
        if not any(via.get("channel") == "merge" or (via.get("source") or {}).get("rel") == "merge" for via in vias):
            continue
        for via in vias:
            source = via.get("source") or {}
            target = (source.get("to") or {}).get("ticket_id")
            if target:
                return str(target)
        texts = [str(event.get("body") or "") for event in audit.get("events") or []]
        found = _MERGED_INTO.search("\n".join(texts))
        if found:
            return found.group(1)
    last = _MERGED_INTO.search(str(comments[-1].get("body") or "")) if comments else None
    return last.group(1) if last else None


def pick_fields(fields: Fields, names: Iterable[str]) -> dict[str, Value]:
    return {name: fields.get(name) for name in names}


def _is_by_rule(event: Json) -> bool:
    return (event.get("via") or {}).get("channel") == "rule"


def _name_rule(events: list[Json]) -> str:
    for event in events:
        title = ((((event.get("via") or {}).get("source") or {}).get("from")) or {}).get("title")
        if title:
            return str(title)
    return "business rule"


def _complete(event: Json, audit: Json, comments: Mapping[str, Json]) -> Json:
    """A comment as it is today (it may have been made private or redacted since), with what only its audit knows."""
    today = comments.get(str(event["id"])) or event
    return {"created_at": audit["created_at"], "metadata": audit.get("metadata"), **today}


def read_written_id(audit: Json) -> str:
    """The id of the file or of the comment that an audit of ours brought."""
    for event in audit.get("events") or []:
        if is_comment(event):
            files = event.get("attachments") or []
            return str(files[0]["id"] if files else event["id"])
    return ""


def ids_of(changes: list[RemoteChange]) -> tuple[str, ...]:
    return tuple(change.id for change in changes if is_shown(change))


def cut_after(listed: list[RemoteChange], since: str) -> list[RemoteChange]:
    """What follows ``since``; where it is not listed any more, what belongs to later audits."""
    ids = [change.id for change in listed]
    if since in ids:
        return listed[ids.index(since) + 1 :]
    last = int(since.partition("/")[0]) if since.partition("/")[0].isdigit() else 0
    return [change for change in listed if int(change.id.partition("/")[0]) > last]
