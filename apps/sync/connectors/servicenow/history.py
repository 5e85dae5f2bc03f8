"""One order out of three logs: audit rows, journal entries and files. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apps.sync.engine.snapshot import Attachment, Comment, RemoteChange, Value

from .columns import Column, Columns, Kind
from .query import Row
from .translate import OF_STEP, read_time, read_value, unix

JOURNALS = ("comments", "work_notes")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """The audit rows of one write. ``checkpoint`` is the record's sys_mod_count after it; None when not told."""

    id: str
    checkpoint: int | None
    stamp: str
    user: str
    fields: Mapping[str, tuple[str, str]]


def audit_id(checkpoint: int | str) -> str:
    return f"a-{checkpoint}"


def comment_id(sys_id: str) -> str:
    return f"c-{sys_id}"


def file_id(sys_id: str) -> str:
    return f"f-{sys_id}"


def group_audit(rows: Iterable[Row]) -> list[AuditEntry]:
    """Audit rows by write. Checkpoint 0 is the insert, which is no change; DELETED rows end the record."""
    groups: dict[str, AuditEntry] = {}
    for row in rows:
        name, raw, stamp = row.get("fieldname", ""), row.get("record_checkpoint", ""), row.get("sys_created_on", "")
        checkpoint = int(raw) if raw.isdigit() else None
        if checkpoint == 0 or not name or name == "DELETED":
            continue
        user = row.get("user") or row.get("sys_created_by", "")
        key = audit_id(checkpoint if checkpoint is not None else f"{stamp}-{user}")
        known = groups.get(key) or AuditEntry(key, checkpoint, stamp, user, {})
        before, after = row.get("oldvalue", ""), row.get("newvalue", "")
        if name in known.fields:
            before = known.fields[name][0]
        groups[key] = AuditEntry(key, checkpoint, known.stamp, known.user, {**known.fields, name: (before, after)})
    return list(groups.values())


def referenced(entries: Iterable[AuditEntry], columns: Columns) -> dict[str, set[str]]:
    """The ids by table whose names are needed to show ``entries``."""
    wanted: dict[str, set[str]] = {}
    for entry in entries:
        for name, values in entry.fields.items():
            column = columns.get(name)
            if column is not None and column.kind in (Kind.REFERENCE, Kind.LIST):
                wanted.setdefault(column.target, set()).update(sys_id for text in values for sys_id in text.split(","))
    return wanted


def as_change(
    entry: AuditEntry,
    columns: Columns,
    names: Mapping[tuple[str, str], str],
    people: Mapping[str, str],
    mark_field: str,
) -> RemoteChange:
    """The entry with values as in a snapshot; its journal rows are left out, because comments tell them whole."""
    fields: dict[str, tuple[Value, Value]] = {}
    for name, (before, after) in entry.fields.items():
        column = columns.get(name) or Column(name)
        if column.kind is Kind.JOURNAL or name in JOURNALS:
            continue
        fields[name] = (_value(column, before, names), _value(column, after, names))
    mark = fields.get(mark_field, (None, None))[1]
    return RemoteChange(
        entry.id,
        read_time(entry.stamp),
        people.get(entry.user, entry.user),
        fields,
        correlation=mark.partition(OF_STEP)[0] if isinstance(mark, str) else None,
    )


def _value(column: Column, text: str, names: Mapping[tuple[str, str], str]) -> Value:
    if column.kind not in (Kind.REFERENCE, Kind.LIST):
        return read_value(column, text)
    shown = ",".join(names.get((column.target, word), word) for word in text.split(","))
    return read_value(column, text, shown)


def place(
    entries: Sequence[AuditEntry], comments: Sequence[Comment], files: Sequence[Attachment], raw: Mapping[str, Row]
) -> list[AuditEntry | Comment | Attachment]:
    """Everything in the order in which it happened.

    Times have seconds only. Inside a second the modification count decides: each write of the record takes one number,
    journal entries included, so a number that no audit entry has belongs to a comment. Instances that audit journals
    tell a comment's number outright. Files take no number and come last in their second.
    """
    numbers = _numbers_of(entries, comments, raw)
    seconds: dict[datetime, _Second] = {}
    for entry in entries:
        seconds.setdefault(read_time(entry.stamp), _Second()).entries.append(entry)
    for note in comments:
        seconds.setdefault(note.at, _Second()).comments.append(note)
    for file in files:
        seconds.setdefault(file.at, _Second()).files.append(file)
    ordered: list[AuditEntry | Comment | Attachment] = []
    expected = 1
    for at in sorted(seconds):
        placed, expected = seconds[at].ordered(numbers, expected)
        ordered += placed
    return ordered


@dataclass(frozen=True, slots=True)
class _Second:
    """What happened in one second."""

    entries: list[AuditEntry] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    files: list[Attachment] = field(default_factory=list)

    def ordered(self, numbers: Mapping[str, int], expected: int) -> tuple[list[AuditEntry | Comment | Attachment], int]:
        """All of it in order, and the number that the next write takes; ``expected`` is that of the first one here."""
        numbered: list[tuple[int, AuditEntry | Comment]] = [
            (expected if entry.checkpoint is None else entry.checkpoint, entry) for entry in self.entries
        ]
        numbered += [(numbers[note.id], note) for note in self.comments if note.id in numbers]
        loose = [note for note in self.comments if note.id not in numbers]
        ordered: list[AuditEntry | Comment | Attachment] = []
        for number, item in sorted(numbered, key=lambda held: held[0]):
            while loose and number > expected:
                ordered.append(loose.pop(0))
                expected += 1
            ordered.append(item)
            expected = max(expected, number + 1)
        return [*ordered, *loose, *self.files], expected + len(loose)


def order_ties(rows: Sequence[Row], transcript: str) -> list[Row]:
    """Journal rows by time, and those of one second by their place in the record's transcript, which runs from the
    newest entry to the oldest. The journal table itself has no order inside a second. A row that the transcript does
    not show (yet) counts as the newest."""
    seconds = Counter(row.get("sys_created_on", "") for row in rows)
    text, taken = "\n" + unix(transcript) + "\n", set[int]()

    def age(row: Row) -> tuple[str, int]:
        stamp = row.get("sys_created_on", "")
        if seconds[stamp] == 1:
            return stamp, 0
        entry = "\n" + unix(row.get("value", "")) + "\n"
        at = text.find(entry)
        while at in taken:
            at = text.find(entry, at + 1)
        taken.update({at} - {-1})
        return stamp, -at

    return sorted(rows, key=age)


def _numbers_of(entries: Iterable[AuditEntry], comments: Iterable[Comment], raw: Mapping[str, Row]) -> dict[str, int]:
    """Modification counts of comments, where audit rows tell them."""
    told: dict[tuple[str, str], list[int]] = {}
    for entry in entries:
        for name in JOURNALS:
            if name in entry.fields and entry.checkpoint is not None:
                told.setdefault((name, entry.fields[name][1]), []).append(entry.checkpoint)
    numbers = {}
    for note in comments:
        row = raw.get(note.id, {})
        waiting = told.get((row.get("element", ""), row.get("value", "")))
        if waiting:
            numbers[note.id] = waiting.pop(0)
    return numbers
