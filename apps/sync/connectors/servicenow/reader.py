"""Reading one ticket: record, journals, files and history."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from apps.sync.connectors.base import AccessRefused, Rejected
from apps.sync.engine.snapshot import Attachment, Comment, ExternalRef, RemoteChange, TicketSnapshot, Value, Visibility

from .client import Record, ServiceNowClient
from .columns import Columns, Dictionary, Kind
from .history import JOURNALS, AuditEntry, as_change, comment_id, file_id, group_audit, order_ties, place, referenced
from .query import Row, Term
from .references import References
from .states import STATE, StateModel
from .translate import held, read_cell, read_file_name, read_journal, read_time

ONE_SECOND = timedelta(seconds=1)
TRANSCRIPT = "comments_and_work_notes"
_JOURNAL_FIELDS = ("element", "element_id", "name", "value", "sys_created_on", "sys_created_by")
_AUDIT_FIELDS = ("fieldname", "oldvalue", "newvalue", "record_checkpoint", "user", "sys_created_on", "sys_created_by")


class Reader:
    """Turns what the instance holds into snapshots and changes."""

    def __init__(
        self,
        client: ServiceNowClient,
        dictionary: Dictionary,
        references: References,
        states: StateModel,
        base_url: str,
    ) -> None:
        self._client = client
        self._settings = client.settings
        self._dictionary = dictionary
        self._references = references
        self._states = states
        self._base_url = base_url.rstrip("/")
        self._own_name: str | None = None

    def ref(self, sys_id: str, number: str = "") -> ExternalRef:
        page = f"{self._base_url}/nav_to.do?uri=%2F{self._settings.table}.do%3Fsys_id%3D{sys_id}"
        return ExternalRef(sys_id, number, page)

    async def own_name(self) -> str:
        """The account's user name; empty when the instance does not tell."""
        if self._own_name is None:
            self._own_name = self._client.sign_in.user_name or await self._ask_own_name()
        return self._own_name

    async def _ask_own_name(self) -> str:
        term = Term("user_name", "=", "javascript:gs.getUserName()")
        try:
            page = await self._client.page("sys_user", (term,), fields=("user_name",), limit=2)
        except (AccessRefused, Rejected):
            return ""
        return page.rows[0].get("user_name", "") if len(page.rows) == 1 and page.total == 1 else ""

    async def snapshot(self, ref: ExternalRef) -> TicketSnapshot:
        """The ticket now. The record is read first: what comes later shows in its next version, never too early."""
        record = await self._client.record(self._settings.table, ref.id)
        columns = await self._dictionary.columns()
        (comments, _), files = await asyncio.gather(
            self.comments(ref.id, transcript=read_transcript(record)), self.files(ref.id)
        )
        if not comments and any(record[name].shown.strip() for name in JOURNALS if name in record):
            raise AccessRefused(
                "the ticket has comments, but the account reads none: give it read access to sys_journal_field"
            )
        return TicketSnapshot(
            ref=self.ref(ref.id, held(record, "number")),
            version=held(record, "sys_mod_count"),
            type=self._settings.table,
            fields=read_fields(record, columns),
            created_at=read_time(held(record, "sys_created_on")),
            updated_at=read_time(held(record, "sys_updated_on")),
            comments=tuple(comments),
            attachments=tuple(files),
            is_closed_for_good=held(record, STATE) in self._states.closed,
            correlation=self._correlation_of(record),
        )

    def _correlation_of(self, record: Record) -> str | None:
        """Our mark of the create call. Other products use correlation_id too: there, the system's name tells whose."""
        name = self._settings.correlation_field
        if name == "correlation_id" and held(record, "correlation_display") != self._settings.system_name:
            return None
        return held(record, name) or None

    async def comments(self, sys_id: str, *terms: Term, transcript: str = "") -> tuple[list[Comment], dict[str, Row]]:
        """Journal entries, oldest first, and their rows by id. Subclasses of task keep some under the name task."""
        rows = await self._client.rows(
            "sys_journal_field",
            Term("element_id", "=", sys_id),
            Term("element", "IN", ",".join(JOURNALS)),
            *terms,
            fields=_JOURNAL_FIELDS,
        )
        own = await self.own_name() if rows else ""
        people = await self._references.people(row.get("sys_created_by", "") for row in rows)
        comments = []
        for row in order_ties(rows, transcript):
            author = row.get("sys_created_by", "")
            body, mark = read_journal(row.get("value", ""), self._settings.comment_format)
            comments.append(
                Comment(
                    id=row["sys_id"],
                    body=body,
                    author=people.get(author, author),
                    at=read_time(row.get("sys_created_on", "")),
                    visibility=Visibility.PUBLIC if row.get("element") == "comments" else Visibility.INTERNAL,
                    correlation=mark if not own or author.casefold() == own.casefold() else None,
                )
            )
        return comments, {row["sys_id"]: row for row in rows}

    async def files(self, sys_id: str) -> list[Attachment]:
        """Files, oldest first; pictures pasted into HTML fields are kept under the prefixed table name."""
        table = self._settings.table
        rows = await self._client.rows(
            "sys_attachment",
            Term("table_sys_id", "=", sys_id),
            Term("table_name", "IN", f"{table},ZZ_YY{table}"),
            fields=("file_name", "content_type", "size_bytes", "hash", "sys_created_on", "sys_created_by"),
        )
        own = await self.own_name() if rows else ""
        people = await self._references.people(row.get("sys_created_by", "") for row in rows)
        return [read_file(row, people, own) for row in rows]

    async def _settled_files(self, sys_id: str) -> list[Attachment]:
        """Files, once the second of the newest one is over on the instance.

        Files come last in their second: whoever knows the log up to a file would never see a write that falls into the
        same second after it was read.
        """
        files = await self.files(sys_id)
        newest = max((file.at for file in files), default=None)
        if newest is None or (left := (newest + ONE_SECOND - self._client.told_at).total_seconds()) <= 0:
            return files
        await asyncio.sleep(min(left, ONE_SECOND.total_seconds()))
        return await self.files(sys_id)

    async def changes(self, ref: ExternalRef, *, has_change_log: bool) -> tuple[RemoteChange, ...]:
        """Everything that happened to the ticket, oldest first; without the change log comments and files only.

        Raises TicketGone: the logs of a deleted record outlive it.
        """
        # Files first: what is written in a file's second is then in the logs that are read after it.
        files = await self._settled_files(ref.id)
        record = await self._client.record(self._settings.table, ref.id, (TRANSCRIPT, *JOURNALS))
        columns = await self._dictionary.columns()
        comments, raw = await self.comments(ref.id, transcript=read_transcript(record))
        entries = await self.audit(ref.id) if has_change_log else []
        names: dict[tuple[str, str], str] = {}
        for table, ids in referenced(entries, columns).items():
            names |= {(table, found): name for found, name in (await self._references.names(table, ids)).items()}
        people = await self._references.people(entry.user for entry in entries)
        changes = []
        for item in place(entries, comments, files, raw):
            if isinstance(item, AuditEntry):
                change = as_change(item, columns, names, people, self._settings.write_mark_field)
                changes += [change] if change.fields else []
            elif isinstance(item, Comment):
                changes.append(
                    RemoteChange(comment_id(item.id), item.at, item.author, comment=item, correlation=item.correlation)
                )
            else:
                changes.append(
                    RemoteChange(file_id(item.id), item.at, item.author, attachment=item, correlation=item.correlation)
                )
        return tuple(changes)

    async def audit(self, sys_id: str, *terms: Term) -> list[AuditEntry]:
        rows = await self._client.rows(
            "sys_audit",
            Term("documentkey", "=", sys_id),
            Term("tablename", "IN", f"{self._settings.table},task"),
            *terms,
            fields=_AUDIT_FIELDS,
        )
        return group_audit(rows)


def read_transcript(record: Record) -> str:
    """What people read in the record's activity stream."""
    names = (TRANSCRIPT,) if TRANSCRIPT in record else JOURNALS
    return "\n".join(record[name].shown for name in names if name in record)


def read_fields(record: Record, columns: Columns, names: Iterable[str] | None = None) -> dict[str, Value]:
    """The fields of a record, all or those in ``names``; journals are comments, not fields."""
    fields: dict[str, Value] = {}
    for name in record if names is None else names:
        column = columns.get(name)
        if name in record and (column is None or column.kind is not Kind.JOURNAL):
            fields[name] = read_cell(name, record[name], column)
    return fields


def read_file(row: Row, people: Mapping[str, str], own: str) -> Attachment:
    """A file. Only our own account's files can carry our mark: a person may have named a file like one."""
    author = row.get("sys_created_by", "")
    name, mark = read_file_name(row.get("file_name", ""))
    if own and author.casefold() != own.casefold():
        name, mark = row.get("file_name", ""), None
    size, digest = row.get("size_bytes", ""), row.get("hash", "")
    at: datetime = read_time(row.get("sys_created_on", ""))
    return Attachment(
        id=row["sys_id"],
        file_name=name,
        content_type=row.get("content_type", ""),
        size=int(size) if size.isdigit() else 0,
        at=at,
        author=people.get(author, author),
        sha256=digest if len(digest) == 64 else None,
        correlation=mark,
    )
