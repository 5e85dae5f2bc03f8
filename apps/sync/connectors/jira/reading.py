"""An issue, its comments and its files as a snapshot; our marks are taken out of what people see."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from apps.sync.engine.snapshot import Attachment, Comment, ExternalRef, TicketSnapshot, Visibility

from .site import Facts
from .translate import (
    FieldKind,
    marks_in,
    milliseconds,
    person_id,
    person_name,
    read_fields,
    read_moment,
    read_rich,
    split_mark,
)

Json = Mapping[str, Any]

MARK_PROPERTY = "siam.sync"
FILE_PROPERTY = "siam.file."
INTERNAL_PROPERTY = "sd.public.comment"
_UNSTABLE = frozenset({"created", "creator", "updated"})


def read_ref(issue: Json, base_url: str) -> ExternalRef:
    return ExternalRef(str(issue["id"]), str(issue["key"]), f"{base_url}/browse/{issue['key']}")


def read_version(issue: Json, facts: Facts, is_cloud: bool) -> str:
    """Changes whenever the issue changes.

    Cloud keeps ``updated`` to the millisecond. Other systems may keep it to the day, so there the content counts too:
    fields with a plain value, comments and files. What changes by itself (running clocks) has no plain value.
    """
    fields = issue["fields"]
    stamp = str(milliseconds(read_moment(fields["updated"])))
    if is_cloud:
        return stamp
    content = {name: _stable(value) for name, value in fields.items() if name in facts.kinds and name not in _UNSTABLE}
    comments = [[row["id"], row.get("updated")] for row in (fields.get("comment") or {}).get("comments") or ()]
    files = [row["id"] for row in fields.get("attachment") or ()]
    text = json.dumps([content, sorted(comments), sorted(files)], sort_keys=True)
    return f"{stamp}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _stable(value: Any) -> Any:
    """What names an object, without what may differ between two answers about it (addresses, pictures, counts)."""
    if isinstance(value, dict):
        return next((value[name] for name in ("accountId", "id", "key", "name") if name in value), value)
    return [_stable(item) for item in value] if isinstance(value, list) else value


def properties_of(row: Json) -> dict[str, Any]:
    """Entity properties by key; Jira lists them under an issue as an object and under a comment as an array."""
    found = row.get("properties") or {}
    if isinstance(found, list):
        return {str(entry["key"]): entry.get("value") for entry in found}
    return dict(found)


def _mark_of(properties: Mapping[str, Any]) -> str | None:
    value = properties.get(MARK_PROPERTY)
    return str(value["correlation"]) if isinstance(value, dict) and "correlation" in value else None


def read_comment(row: Json, facts: Facts) -> Comment:
    properties = properties_of(row)
    body, mark = split_mark(read_rich(row.get("body")) or "")
    author = row.get("author") or {}
    # A mark in the text is ours only under our own name: a person may quote it.
    mark = mark if person_id(author) == facts.account_id else None
    return Comment(
        id=str(row["id"]),
        body=body,
        author=person_name(author),
        at=read_moment(row["created"]),
        visibility=_visibility(row, properties, facts),
        correlation=_mark_of(properties) or mark,
    )


def _visibility(row: Json, properties: Mapping[str, Any], facts: Facts) -> Visibility:
    """Internal when restricted, when Jira says so, and when a service project leaves it open (INV-31)."""
    if row.get("visibility"):
        return Visibility.INTERNAL
    internal = properties.get(INTERNAL_PROPERTY)
    if isinstance(internal, dict) and internal.get("internal") not in (False, "false"):
        return Visibility.INTERNAL
    if not facts.is_service:
        return Visibility.PUBLIC
    is_public = row["jsdPublic"] is True if "jsdPublic" in row else isinstance(internal, dict)
    return Visibility.PUBLIC if is_public else Visibility.INTERNAL


def read_attachments(issue: Json, facts: Facts) -> tuple[Attachment, ...]:
    """The files, oldest first, each with our mark where an issue property names it."""
    rows = issue["fields"].get("attachment") or []
    properties = properties_of(issue)
    marks: dict[str, tuple[str, Visibility]] = {}
    for key, value in properties.items():
        if key.startswith(FILE_PROPERTY) and isinstance(value, dict):
            correlation = key.removeprefix(FILE_PROPERTY)
            found = marked_file(rows, value, facts.account_id)
            visibility = Visibility.INTERNAL if value.get("internal") else Visibility.PUBLIC
            if found is not None:
                marks[found] = (correlation, visibility)
    read = []
    for row in sorted(rows, key=lambda row: (read_moment(row["created"]), int(row["id"]))):
        correlation_of, visibility = marks.get(str(row["id"]), (None, Visibility.PUBLIC))
        read.append(
            Attachment(
                id=str(row["id"]),
                file_name=str(row["filename"]),
                content_type=str(row.get("mimeType") or "application/octet-stream"),
                size=int(row["size"]),
                at=read_moment(row["created"]),
                author=person_name(row.get("author")),
                visibility=visibility,
                correlation=correlation_of,
            )
        )
    return tuple(read)


def marked_file(rows: Sequence[Json], mark: Json, account_id: str) -> str | None:
    """The id of the file that ``mark`` announces: the one it names, else a new one of ours with that name and size."""
    if mark.get("id"):
        return str(mark["id"])
    before = set(mark.get("before") or ())
    for row in rows:
        is_same = row["filename"] == mark.get("name") and int(row["size"]) == mark.get("size")
        if is_same and str(row["id"]) not in before and person_id(row.get("author")) == account_id:
            return str(row["id"])
    return None


def read_mark(issue: Json, facts: Facts) -> str | None:
    """The mark of our create call. Where properties exist a label proves nothing: a copied issue keeps its labels."""
    if mark := _mark_of(properties_of(issue)):
        return mark
    labels = marks_in(issue["fields"].get("labels"))
    return labels[0] if len(labels) == 1 and facts.has_properties is False else None


def read_snapshot(
    issue: Json,
    comments: Sequence[Json],
    facts: Facts,
    kinds: Mapping[str, FieldKind],
    *,
    base_url: str,
    is_cloud: bool,
) -> TicketSnapshot:
    fields = issue["fields"]
    return TicketSnapshot(
        ref=read_ref(issue, base_url),
        version=read_version(issue, facts, is_cloud),
        type=str(fields["issuetype"]["name"]),
        fields=read_fields(fields, kinds),
        created_at=read_moment(fields["created"]),
        updated_at=read_moment(fields["updated"]),
        comments=tuple(
            sorted((read_comment(row, facts) for row in comments), key=lambda comment: (comment.at, int(comment.id)))
        ),
        attachments=read_attachments(issue, facts),
        correlation=read_mark(issue, facts),
    )
