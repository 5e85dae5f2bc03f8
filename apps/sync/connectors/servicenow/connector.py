"""ServiceNow as a connector: records of one task table, their journals, files and audit trail."""

import dataclasses
from collections.abc import AsyncIterator, Iterable
from typing import ClassVar, Self

from apps.sync.connectors.base import (
    AccessRefused,
    Capabilities,
    Changed,
    ChangedPage,
    Draft,
    Note,
    NoticeHint,
    NoticeRequest,
    Rejected,
    StaleVersion,
    SystemCard,
    SystemSchema,
    TicketGone,
    Upload,
    Writing,
)
from apps.sync.connectors.http import Context
from apps.sync.connectors.listing import Place
from apps.sync.engine.snapshot import Attachment, ExternalRef, Fields, Receipt, RemoteChange, TicketSnapshot, Visibility

from .client import Record, ServiceNowClient
from .columns import Columns, Dictionary, Kind
from .feed import DELETIONS, FILES, RECORDS, TOLD, Cursor, Feed, Slice, Stream
from .history import comment_id, file_id
from .inspection import Inspection
from .query import Row, Scope, Term, is_safe_text
from .reader import Reader, read_fields
from .references import References
from .settings import ServiceNowSecrets, ServiceNowSettings
from .states import STATE, model_of
from .translate import MARK_LENGTH, OF_STEP, held, mark_file_name, write_journal
from .webhook import read_notice
from .writer import ALWAYS, Writer, change_ids

JOURNAL_LENGTH = 4000

_CAPABILITIES = Capabilities(
    has_change_log=True,
    has_atomic_precondition=False,
    has_internal_comments=True,
    can_attribute_author=False,
    can_reopen_closed=False,
    retries_notices=False,
)


class ServiceNowConnector:
    """One table of one instance. Settings and secrets are validated here: pydantic's ValidationError when wrong."""

    name: ClassVar[str] = "servicenow"
    title: ClassVar[str] = "ServiceNow"
    Settings: ClassVar[type[ServiceNowSettings]] = ServiceNowSettings
    Secrets: ClassVar[type[ServiceNowSecrets]] = ServiceNowSecrets
    capabilities: Capabilities = _CAPABILITIES

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settings = ServiceNowSettings.model_validate(dict(context.settings))
        secrets = ServiceNowSecrets.model_validate(dict(context.secrets), context={"sign_in": self._settings.sign_in})
        self._client = ServiceNowClient(context, self._settings, secrets)
        states = model_of(self._settings)
        self._dictionary = Dictionary(self._client)
        self._references = References(self._client)
        self._reader = Reader(self._client, self._dictionary, self._references, states, context.base_url)
        self._writer = Writer(self._client, self._dictionary, self._references, states, self._reader)
        self._feed = Feed(self._client)
        self.capabilities = dataclasses.replace(
            _CAPABILITIES,
            has_change_log=self._settings.use_change_log,
            index_lag_seconds=self._settings.settle_seconds,
            overlap_seconds=self._settings.overlap_seconds,
        )

    async def __aenter__(self) -> Self:
        await self._client.http.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.http.close()

    async def check(self) -> SystemCard:
        """Prove the connection, and narrow ``has_change_log`` to what this account may read."""
        found = await Inspection(self._client, self._dictionary, self._reader).run()
        self.capabilities = dataclasses.replace(self.capabilities, has_change_log=found.has_change_log)
        return found.card

    async def changed_since(self, cursor: str | None) -> ChangedPage:
        """Records by update time; files and deletions by the time of their own rows, where they may be read."""
        streams = self._streams()
        if cursor is None:
            newest = await self._feed.newest(streams[0], self._context.now())
            start = Place(newest, newest)
            return ChangedPage((), str(Cursor({stream.name: start for stream in streams})), True)
        at, is_last, tickets = Cursor.read(cursor), True, []
        for stream in streams:
            start = at.of(stream.name)
            found = await self._read_stream(stream, start)
            at = at.moved(stream.name, found.place)
            is_last = is_last and found.is_last
            rows = found.rows
            if stream.name == FILES:
                told = at.of(TOLD)
                rows = tuple(row for row in rows if row["sys_id"] not in told.id.split())
                at = at.moved(TOLD, self._feed.told(stream, start, found, told))
            tickets += await self._changed(stream, rows)
        return ChangedPage(tuple(tickets), str(at), is_last)

    def _streams(self) -> list[Stream]:
        table, settings = self._settings.table, self._settings
        streams = [
            Stream(RECORDS, table, "sys_updated_on", ("number", "sys_mod_count"), scope=Scope(settings.query)),
        ]
        if settings.watch_attachments:
            term = Term("table_name", "=", table)
            streams.append(Stream(FILES, "sys_attachment", "sys_created_on", ("table_sys_id",), (term,)))
        if settings.watch_deletions:
            term = Term("tablename", "=", table)
            streams.append(Stream(DELETIONS, "sys_audit_delete", "sys_created_on", ("documentkey",), (term,)))
        return streams

    async def _read_stream(self, stream: Stream, place: Place[str]) -> Slice:
        """The next rows. The second and third stream are a bonus: without access there is nothing to read in them."""
        try:
            return await self._feed.read(stream, place)
        except (AccessRefused, Rejected, TicketGone):
            if stream.name == RECORDS:
                raise
            return Slice((), place, True)

    async def _changed(self, stream: Stream, rows: tuple[Row, ...]) -> list[Changed]:
        if stream.name == RECORDS:
            return [
                Changed(self._reader.ref(row["sys_id"], row.get("number", "")), row.get("sys_mod_count", ""))
                for row in rows
            ]
        if stream.name == DELETIONS:
            keys = dict.fromkeys(row.get("documentkey", "") for row in rows)
            return [Changed(self._reader.ref(key), "", is_deleted=True) for key in keys if key]
        return await self._changed_by_files(rows)

    async def _changed_by_files(self, rows: tuple[Row, ...]) -> list[Changed]:
        """Tickets with new files. A file need not move the record's count, so the version says "and files": it equals
        no snapshot's, and the ticket is read."""
        owners = {row.get("table_sys_id", ""): row["sys_id"] for row in rows}
        scope = Scope(self._settings.query)
        found = await self._client.rows_in(
            self._settings.table, "sys_id", owners, fields=("number", "sys_mod_count", *scope.fields)
        )
        return [
            Changed(
                self._reader.ref(row["sys_id"], row.get("number", "")),
                f"{row.get('sys_mod_count', '')}+{owners[row['sys_id']]}",
            )
            for row in found
            if scope.admits(row)
        ]

    async def fetch(self, ref: ExternalRef) -> TicketSnapshot:
        return await self._reader.snapshot(ref)

    async def changes(self, ref: ExternalRef, since: str | None) -> tuple[RemoteChange, ...]:
        found = await self._reader.changes(ref, has_change_log=self.capabilities.has_change_log)
        ids = [change.id for change in found]
        return found[ids.index(since) + 1 :] if since in ids else found

    async def create(self, draft: Draft, correlation: str) -> Receipt:
        """Insert one record that carries ``correlation``; the answer already shows what business rules made of it."""
        if draft.type != self._settings.table:
            raise Rejected(f"this connection creates {self._settings.table} only", field="type", value=draft.type)
        body = {name: text for name, text in (await self._writer.wire(draft.fields)).items() if text}
        body[self._settings.correlation_field] = correlation
        if self._settings.correlation_field == "correlation_id":
            body["correlation_display"] = self._settings.system_name
        if draft.follow_up_of is not None:
            body["parent_incident" if self._settings.table == "incident" else "parent"] = draft.follow_up_of.id
        with Writing() as writing:
            record = await self._writer.insert(body)
            writing.took_effect()
            return await self._receipt(record, (*draft.fields, STATE), held(record, "sys_mod_count"))

    async def update(self, ref: ExternalRef, fields: Fields, *, expected: str | None, correlation: str) -> Receipt:
        """Write what differs; a write that changes nothing is not sent. The Table API has no precondition, so the
        version is compared right before the write."""
        before = await self._client.record(self._settings.table, ref.id, (*ALWAYS, *fields))
        version = held(before, "sys_mod_count")
        if expected is not None and expected != version:
            raise StaleVersion(f"expected version {expected}, the record has {version}")
        wanted = await self._writer.wire(fields)
        body = {name: text for name, text in wanted.items() if name not in before or before[name].value != text}
        if not body:
            return await self._receipt(before, fields, version)
        self._writer.refuse_closed(before)
        if self._settings.write_mark_field:
            body[self._settings.write_mark_field] = correlation
        has_change_log = self.capabilities.has_change_log
        with Writing() as writing:
            after, writes = await self._writer.patch(before, body, writing)
            version = await self._writer.version_after(before, after, writes, has_change_log=has_change_log)
            columns = await self._dictionary.columns()
        stored = read_fields(before, columns, fields) | read_fields(after, columns, fields)
        changes = change_ids(before, after, writes) if has_change_log else ()
        return Receipt(self._ref_of(after), version, ref.id, stored, changes)

    def _ref_of(self, record: Record) -> ExternalRef:
        return self._reader.ref(record["sys_id"].value, held(record, "number"))

    async def _receipt(self, record: Record, fields: Iterable[str], version: str) -> Receipt:
        columns = await self._dictionary.columns()
        return Receipt(self._ref_of(record), version, record["sys_id"].value, read_fields(record, columns, fields))

    async def _open_record(self, ref: ExternalRef) -> Record:
        record = await self._client.record(self._settings.table, ref.id, ALWAYS)
        self._writer.refuse_closed(record)
        return record

    async def add_comment(self, ref: ExternalRef, note: Note, correlation: str) -> Receipt:
        """Append a journal entry: ``comments`` for everyone, ``work_notes`` for the people who work on the ticket."""
        element = "comments" if note.visibility is Visibility.PUBLIC else "work_notes"
        text = write_journal(note.body, correlation, self._settings.comment_format)
        limit = self._comment_limit(await self._dictionary.columns(), element)
        if len(text) > limit:
            raise Rejected(f"{element} takes {limit} characters, this comment has {len(text)}", field=element)
        if not note.body.strip():
            raise Rejected("a comment cannot be empty", field=element)
        before = await self._open_record(ref)
        with Writing() as writing:
            after, writes = await self._writer.patch(before, {element: text}, writing)
            version = await self._writer.version_after(before, after, writes, has_change_log=False)
            written = await self._find_comment(ref, correlation)
        changes = (comment_id(written),) if written else ()
        return Receipt(self._ref_of(after), version, written, change_ids=changes)

    def _comment_limit(self, columns: Columns, element: str) -> int:
        column = columns.get(element)
        told = column.max_length if column is not None else None
        return self._settings.comment_length or told or JOURNAL_LENGTH

    async def _find_comment(self, ref: ExternalRef, correlation: str) -> str:
        if not is_safe_text(correlation):
            return ""
        comments, _ = await self._reader.comments(ref.id, Term("value", "LIKE", correlation, is_text=True))
        return next((comment.id for comment in comments if comment.correlation == correlation), "")

    async def add_attachment(
        self, ref: ExternalRef, upload: Upload, correlation: str, visibility: Visibility = Visibility.PUBLIC
    ) -> Receipt:
        """Upload a file. It is seen by everyone who sees the ticket, so an internal one is refused (INV-31)."""
        if visibility is not Visibility.PUBLIC:
            raise Rejected("a file on a record is seen by everyone who sees the record", field="attachment")
        if upload.size > self._settings.attachment_bytes:
            raise Rejected(
                f"a file may have {self._settings.attachment_bytes} bytes, this one has {upload.size}",
                field="attachment",
            )
        before = await self._open_record(ref)
        name = mark_file_name(upload.file_name, correlation) if self._settings.mark_file_names else upload.file_name
        with Writing() as writing:
            try:
                row = await self._client.upload(self._settings.table, ref.id, name, upload)
            except Rejected as problem:
                raise Rejected(problem.detail, field="attachment", value=upload.file_name) from problem
            made, size, digest = row["sys_id"], row.get("size_bytes", ""), row.get("hash", "")
            writing.took_effect(file_id(made))
            if size not in ("", str(upload.size)) or (len(digest) == 64 and digest != upload.sha256):
                raise Rejected(f"the stored file differs from {upload.file_name}", field="attachment", value=made)
        return Receipt(self._ref_of(before), held(before, "sys_mod_count"), made, change_ids=writing.change_ids)

    def read_attachment(self, ref: ExternalRef, attachment: Attachment) -> AsyncIterator[bytes]:
        return self._client.download(attachment.id)

    async def find(self, correlation: str, ref: ExternalRef | None = None) -> Receipt | None:
        """Strong reads: the Table API sees its own committed writes. Of several hits the oldest counts."""
        if not is_safe_text(correlation):
            return None
        return await self._find_ticket(correlation) if ref is None else await self._find_on(ref, correlation)

    async def _find_ticket(self, correlation: str) -> Receipt | None:
        settings = self._settings
        rows = await self._client.rows(settings.table, Term(settings.correlation_field, "=", correlation), fields=())
        if not rows:
            return None
        record = await self._client.record(settings.table, rows[0]["sys_id"])
        columns = await self._dictionary.columns()
        stored = read_fields(record, columns)
        return Receipt(self._ref_of(record), held(record, "sys_mod_count"), rows[0]["sys_id"], stored)

    async def _find_on(self, ref: ExternalRef, correlation: str) -> Receipt | None:
        record = await self._client.record(self._settings.table, ref.id)
        version, place = held(record, "sys_mod_count"), self._ref_of(record)
        if written := await self._find_comment(ref, correlation):
            return Receipt(place, version, written, change_ids=(comment_id(written),))
        for file in await self._reader.files(ref.id):
            if file.correlation == correlation:
                return Receipt(place, version, file.id, change_ids=(file_id(file.id),))
        if self._settings.write_mark_field:
            return await self._find_write(record, place, correlation)
        return None

    async def _find_write(self, record: Record, place: ExternalRef, correlation: str) -> Receipt | None:
        """A field write by its mark: still on the record, or in the change log when a later write replaced it."""
        name = self._settings.write_mark_field
        changes: tuple[str, ...] = ()
        if self.capabilities.has_change_log:
            entries = await self._reader.audit(place.id, Term("fieldname", "=", name))
            marks = {entry.id: entry.fields.get(name, ("", ""))[1].partition(OF_STEP)[0] for entry in entries}
            changes = tuple(found for found, mark in marks.items() if mark == correlation)
        if held(record, name).partition(OF_STEP)[0] != correlation and not changes:
            return None
        stored = read_fields(record, await self._dictionary.columns())
        return Receipt(place, held(record, "sys_mod_count"), place.id, stored, changes)

    async def schema(self) -> SystemSchema:
        """The table's columns. Comments leave room for our mark."""
        columns = await self._dictionary.columns()
        fields = {
            name: column.as_schema() for name, column in columns.by_name.items() if column.kind is not Kind.JOURNAL
        }
        return SystemSchema(
            types={self._settings.table: fields},
            max_comment_length=self._comment_limit(columns, "comments") - MARK_LENGTH,
            max_attachment_bytes=self._settings.attachment_bytes,
        )

    def read_notice(self, request: NoticeRequest) -> NoticeHint:
        return read_notice(request, self._settings)
