"""The Zendesk connector: the engine's verbs on the Support API."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, ClassVar, Self

from apps.sync.connectors import richtext
from apps.sync.connectors.base import (
    Capabilities,
    Changed,
    ChangedPage,
    ConnectorError,
    Draft,
    Note,
    NoticeHint,
    NoticeRequest,
    Rejected,
    SignInFailed,
    StaleVersion,
    SystemCard,
    SystemSchema,
    TicketClosed,
    TicketGone,
    TicketMerged,
    Upload,
    VendorFault,
    Writing,
)
from apps.sync.connectors.http import Context
from apps.sync.engine.snapshot import (
    Attachment,
    ExternalRef,
    Fields,
    Receipt,
    RemoteChange,
    TicketSnapshot,
    Value,
    Visibility,
)

from . import webhook
from .client import ZendeskClient, read_ticket_member
from .directory import DIRECTORY_OF_FIELD, Directory
from .failures import STATUSES, no_route
from .fields import LONGEST_COMMENT, TYPES, UNTYPED, FieldBook
from .settings import Secrets, Settings
from .translate import (
    CORRELATION,
    Reader,
    cut_after,
    ids_of,
    is_comment,
    is_shown,
    join_audits,
    list_ids,
    make_ref,
    make_version,
    pick_fields,
    read_correlation,
    read_merge_target,
    read_written_id,
    split_version,
    write_body,
)
from .writing import write_fields, write_requester

Json = dict[str, Any]
_AT_ONCE = 8
LARGEST_FILE = 50 * 1024 * 1024


class ZendeskConnector:
    """One Zendesk account.

    The change log is the ticket's audits. A field write, comment or file carries its correlation in the metadata of its
    audit, where nobody sees it; a created ticket carries it as external id, and as idempotency key on the way. A closed
    ticket takes nothing more: its follow-up is a new ticket (``Draft.follow_up_of``).
    """

    name: ClassVar[str] = "zendesk"
    title: ClassVar[str] = "Zendesk"
    capabilities = Capabilities(
        has_change_log=True,
        has_atomic_precondition=True,
        has_internal_comments=True,
        can_attribute_author=False,
        can_reopen_closed=False,
        attachment_needs_comment=True,
        overlap_seconds=120.0,
    )
    Settings: ClassVar[type[Settings]] = Settings
    Secrets: ClassVar[type[Secrets]] = Secrets

    def __init__(self, context: Context) -> None:
        self.settings = Settings.model_validate(dict(context.settings))
        secrets = Secrets.model_validate(dict(context.secrets), context={"sign_in": self.settings.sign_in})
        self.capabilities = replace(
            type(self).capabilities,
            can_attribute_author=self.settings.attribute_authors,
            overlap_seconds=float(self.settings.overlap_seconds),
        )
        self._now = context.now
        self._client = ZendeskClient(context, self.settings, secrets)
        self._directory = Directory(self._client)
        self._book: FieldBook | None = None

    async def __aenter__(self) -> Self:
        await self._client.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.close()

    async def check(self) -> SystemCard:
        """Prove the credentials: ``/users/me`` answers bad ones with 200 and an anonymous user, whose id is null."""
        found = await self._client.get("/users/me")
        user = found.get("user") or {}
        if not user.get("id"):
            raise SignInFailed("Zendesk answered as it does to an anonymous visitor: the credentials are not valid")
        role, warnings = str(user.get("role", "")), []
        if role not in ("admin", "agent"):
            raise SignInFailed(f"the account {user.get('email')} is an {role}; an agent or administrator is needed")
        if role != "admin":
            warnings.append("the account is not an administrator, so Zendesk refuses the export of changed tickets")
        if self.settings.sign_in == "api_token":
            warnings.append("Zendesk stops accepting API tokens on 30 April 2027; change to an OAuth client")
        return SystemCard(
            product="Zendesk Support",
            version="v2",
            account_id=str(user["id"]),
            account_name=str(user.get("name") or user.get("email") or ""),
            deployment="cloud",
            warnings=tuple(warnings),
        )

    async def changed_since(self, cursor: str | None) -> ChangedPage:
        """Follows the incremental export, whose cursor is durable and orders by ``generated_timestamp``.

        The export does not tell which audit was the last, so the audits of each ticket are asked: one call instead of
        the four of a ``fetch``, which the echo of our own write then does not cost.
        """
        if cursor is None:
            start = int(self._now().timestamp()) - self.settings.overlap_seconds
            return ChangedPage((), json.dumps({"start_time": start}), is_last=True)
        place: dict[str, Any] = json.loads(cursor)
        params = {"per_page": str(self.settings.page_size)}
        params |= {"cursor": place["cursor"]} if "cursor" in place else {"start_time": str(place["start_time"])}
        page = await self._client.get("/incremental/tickets/cursor", params)
        after = page.get("after_cursor") or place.get("cursor")
        following = cursor if after is None else json.dumps({"cursor": after})
        rows = {ticket["id"]: ticket for ticket in page.get("tickets") or [] if self._is_in_scope(ticket)}
        asking = asyncio.Semaphore(_AT_ONCE)
        # an export that repeats its cursor would otherwise be read for ever
        is_last = page.get("end_of_stream") is not False or following == cursor
        told = await asyncio.gather(*(self._tell(ticket, asking) for ticket in rows.values()))
        return ChangedPage(tuple(told), following, is_last)

    async def fetch(self, ref: ExternalRef) -> TicketSnapshot:
        """Audits are read before the ticket: a change in between makes the version older than the content."""
        audits = await self._client.get_ticket_list(ref, "audits")
        ticket = await self._client.get_ticket(ref)
        comments = join_audits(await self._read_comments(ref), audits)
        if ticket.get("status") == "closed" and "closed_by_merge" in (ticket.get("tags") or []):
            self._refuse_merged(audits, comments)
        reader = await self._reader(ticket, comments, ())
        return reader.read_snapshot(ticket, comments, make_version(ticket, audits))

    async def changes(self, ref: ExternalRef, since: str | None) -> tuple[RemoteChange, ...]:
        """The audits but the first, which is the creation."""
        audits = await self._client.get_ticket_list(ref, "audits")
        comments = join_audits(await self._read_comments(ref), audits)
        reader = await self._reader(None, comments, audits)
        today = {str(raw["id"]): raw for raw in comments}
        listed = [change for audit in audits[1:] for change in reader.read_audit(audit, today)]
        if since is not None:
            listed = cut_after(listed, since)
        return tuple(change for change in listed if is_shown(change))

    async def create(self, draft: Draft, correlation: str) -> Receipt:
        """The same draft and correlation give the same bytes, as Zendesk's idempotency key demands."""
        book = await self._fields()
        fields = dict(draft.fields)
        description = str(fields.pop("description", None) or "") or richtext.from_plain(
            str(fields.get("subject") or "")
        )
        body = await write_fields(fields, {}, book, self._directory)
        if draft.type not in ("", UNTYPED):
            body["type"] = book.write("type", draft.type)
        body["comment"] = {
            "html_body": write_body(description, "description"),
            "public": self.settings.description_is_public,
        }
        body["external_id"] = correlation
        body["metadata"] = {CORRELATION: correlation}
        if "requester" not in body and "requester_id" not in body and self.settings.default_requester:
            body["requester"] = write_requester(self.settings.default_requester)
        if draft.follow_up_of is not None:
            body["via_followup_source_id"] = int(draft.follow_up_of.id)
        key = {"Idempotency-Key": correlation}
        with Writing() as writing:
            answer = await self._client.send("POST", "/tickets", {"ticket": body}, headers=key)
            writing.took_effect()
            ref = make_ref(read_ticket_member(answer)["id"], self._client.base_url)
            return replace(await self._receipt(ref, answer, tuple(draft.fields)), id=ref.id, change_ids=())

    async def update(self, ref: ExternalRef, fields: Fields, *, expected: str | None, correlation: str) -> Receipt:
        """One call for status and all other fields; only *closed* is reached in two, through *solved*.

        Raises StaleVersion, TicketClosed, TicketMerged, NoRoute for a status, Rejected for what solving requires.
        """
        audits = await self._client.get_ticket_list(ref, "audits") if expected is not None else []
        ticket = await self._client.get_ticket(ref)
        if expected is not None and make_version(ticket, audits) != expected:
            raise StaleVersion(f"ticket {ref.id} is at {make_version(ticket, audits)}, not at {expected}")
        changed = await self._drop_equal(ref, ticket, fields)
        if not changed:
            return await self._unwritten(ref, ticket, fields)
        if ticket.get("status") == "closed":
            raise await self._closed(ref, ticket)
        if changed.get("status", "new") not in STATUSES:
            raise no_route(ticket, str(changed["status"]), "there is no such status")
        written = await write_fields(changed, ticket, await self._fields(), self._directory)
        body = {**written, "metadata": {CORRELATION: correlation}}
        if expected is not None:
            body |= {"safe_update": True, "updated_stamp": split_version(expected)}
        steps = [body]
        if changed.get("status") == "closed" and ticket.get("status") != "solved":
            steps = [{**body, "status": "solved"}, {"status": "closed", "metadata": {CORRELATION: correlation}}]
        return await self._write(ref, ticket, steps, tuple(fields))

    async def add_comment(self, ref: ExternalRef, note: Note, correlation: str) -> Receipt:
        comment: Json = {
            "html_body": write_body(note.body, "comment"),
            "public": note.visibility is Visibility.PUBLIC,
        }
        if note.author and self.settings.attribute_authors:
            comment["author_id"] = (await self._directory.find_user("author", note.author))[0]
        return await self._write(ref, {}, [{"comment": comment, "metadata": {CORRELATION: correlation}}], ())

    async def add_attachment(
        self, ref: ExternalRef, upload: Upload, correlation: str, visibility: Visibility = Visibility.PUBLIC
    ) -> Receipt:
        """A file hangs on a comment of its own, which is not read back as a comment."""
        sent = await self._client.upload(upload.file_name, upload.content_type, upload.path)
        token = (sent.get("upload") or {}).get("token")
        if not token:
            raise VendorFault("the upload was answered without a token")
        note = richtext.from_plain(self.settings.attachment_note.replace("{name}", upload.file_name))
        comment = {
            "html_body": write_body(note, "attachment"),
            "public": visibility is Visibility.PUBLIC,
            "uploads": [token],
        }
        return await self._write(ref, {}, [{"comment": comment, "metadata": {CORRELATION: correlation}}], ())

    async def read_attachment(self, ref: ExternalRef, attachment: Attachment) -> AsyncIterator[bytes]:
        """From the address that Zendesk tells now. Raises Rejected for a file that its scan calls malware."""
        found = await self._client.get_or_none(f"/attachments/{attachment.id}")
        file = (found or {}).get("attachment")
        if not file:
            raise Rejected(f"the file {attachment.file_name} is not there any more", field="attachment")
        if file.get("malware_scan_result") == "malware_found":
            raise Rejected(f"Zendesk found malware in the file {attachment.file_name}", field="attachment")
        async for chunk in self._client.download(str(file["content_url"])):
            yield chunk

    async def find(self, correlation: str, ref: ExternalRef | None = None) -> Receipt | None:
        """By external id or by the metadata of audits: both are read from the database, not from a search index."""
        if ref is None:
            found = await self._client.get_all("/tickets", "tickets", {"external_id": correlation}) or []
            ours = sorted(row["id"] for row in found if row.get("external_id") == correlation)
            if not ours:
                return None
            snapshot = await self.fetch(make_ref(ours[0], self._client.base_url))
            return Receipt(snapshot.ref, snapshot.version, id=snapshot.ref.id, stored=snapshot.fields)
        audits = await self._client.get_ticket_list(ref, "audits")
        ours_here = [audit for audit in audits[1:] if read_correlation(audit) == correlation]
        if not ours_here:
            return None
        ticket = await self._client.get_ticket(ref)
        reader = await self._reader(ticket, (), ours_here)
        changes = [change for audit in ours_here for change in reader.read_audit(audit, {}) if change.correlation]
        return Receipt(
            make_ref(ref.id, self._client.base_url),
            make_version(ticket, audits),
            id=read_written_id(ours_here[-1]) or ref.id,
            stored={name: after for change in changes for name, (_, after) in change.fields.items()},
            change_ids=ids_of(changes),
        )

    async def schema(self) -> SystemSchema:
        book = await self._fields()
        lists = {name: kind for name, kind in DIRECTORY_OF_FIELD.items() if kind not in ("users", "organizations")}
        fields = book.schema({name: await self._directory.names(kind) for name, kind in lists.items()})
        return SystemSchema(
            types=dict.fromkeys((*TYPES, UNTYPED), fields),
            max_comment_length=LONGEST_COMMENT,
            max_attachment_bytes=LARGEST_FILE,
        )

    def read_notice(self, request: NoticeRequest) -> NoticeHint:
        return webhook.read_notice(request, self.settings.notice_window_seconds, self._client.base_url)

    async def _tell(self, ticket: Json, asking: asyncio.Semaphore) -> Changed:
        """A row of the export with its version; a ticket that is gone in the meantime is told as deleted."""
        ref = make_ref(ticket["id"], self._client.base_url)
        if ticket.get("status") == "deleted":
            return Changed(ref, "", is_deleted=True)
        async with asking:
            try:
                audits = await self._client.get_ticket_list(ref, "audits")
            except TicketGone:
                return Changed(ref, "", is_deleted=True)
        return Changed(ref, make_version(ticket, audits))

    def _is_in_scope(self, ticket: Json) -> bool:
        return not self.settings.brand_ids or ticket.get("brand_id") in self.settings.brand_ids

    async def _fields(self) -> FieldBook:
        if self._book is None:
            self._book = FieldBook(await self._client.get_all("/ticket_fields", "ticket_fields") or [])
        return self._book

    async def _read_comments(self, ref: ExternalRef) -> list[Json]:
        return await self._client.get_ticket_list(ref, "comments", {"include_inline_images": "true"})

    async def _reader(self, ticket: Json | None, comments: Any, audits: Any) -> Reader:
        await self._directory.learn(list_ids(ticket, comments, audits))
        return Reader(await self._fields(), self._directory, self._client.base_url)

    async def _drop_equal(self, ref: ExternalRef, ticket: Json, fields: Fields) -> dict[str, Value]:
        """The fields that would change. The description is compared only: Zendesk never lets it be written again."""
        first = (await self._read_comments(ref))[:1] if "description" in fields else []
        reader = await self._reader(ticket, (), ())
        present = reader.read_fields(ticket, first[0] if first else None)
        changed = {name: value for name, value in fields.items() if name not in present or present[name] != value}
        if "description" in changed:
            if richtext.canonical(str(changed["description"] or "")) != present.get("description", ""):
                raise Rejected("Zendesk never changes a ticket's description", field="description")
            del changed["description"]
        return changed

    async def _write(self, ref: ExternalRef, ticket: Json, steps: list[Json], names: tuple[str, ...]) -> Receipt:
        """One call after the other; the receipt names the audits of all."""
        with Writing() as writing:
            for step in steps:
                earlier = writing.change_ids
                answer = await self._put(ref, ticket, step)
                writing.took_effect(*(str(audit["id"]) for audit in [answer.get("audit")] if audit))
            receipt = await self._receipt(ref, answer, names)
            return replace(receipt, change_ids=earlier + receipt.change_ids)

    async def _put(self, ref: ExternalRef, ticket: Json, body: Json) -> Json:
        """One write. Names what a refused status could be instead, and where a merged ticket went."""
        try:
            return await self._client.put_ticket(ref, body)
        except TicketClosed as problem:
            raise await self._closed(ref, await self._client.get_ticket(ref)) from problem
        except Rejected as problem:
            problem.value = body.get(problem.field) if problem.value is None else problem.value
            if problem.field != "status" or body.get("status") not in STATUSES:
                raise
            raise no_route(ticket, body["status"], problem.detail) from problem

    async def _closed(self, ref: ExternalRef, ticket: Json) -> ConnectorError:
        if "closed_by_merge" in (ticket.get("tags") or []):
            try:
                audits = await self._client.get_ticket_list(ref, "audits")
                self._refuse_merged(audits, await self._read_comments(ref))
            except TicketMerged as problem:
                return problem
        return TicketClosed(f"ticket {ref.id} is closed for good")

    def _refuse_merged(self, audits: list[Json], comments: list[Json]) -> None:
        target = read_merge_target(audits, comments)
        if target is not None:
            raise TicketMerged(f"merged into ticket {target}", into=make_ref(target, self._client.base_url))

    async def _unwritten(self, ref: ExternalRef, ticket: Json, fields: Fields) -> Receipt:
        audits = await self._client.get_ticket_list(ref, "audits")
        reader = await self._reader(ticket, (), ())
        stored = {**reader.read_fields(ticket, None), **pick_fields(fields, {"description"} & set(fields))}
        return Receipt(
            make_ref(ref.id, self._client.base_url), make_version(ticket, audits), ref.id, pick_fields(stored, fields)
        )

    async def _receipt(self, ref: ExternalRef, answer: Json, names: tuple[str, ...]) -> Receipt:
        """What a write's answer tells."""
        ticket, audit = read_ticket_member(answer), answer.get("audit") or {}
        audits = [audit] if audit.get("events") else await self._client.get_ticket_list(ref, "audits")
        said = [event for event in audit.get("events") or [] if is_comment(event)]
        reader = await self._reader(ticket, (), [audit] if audit else [])
        present = reader.read_fields(ticket, said[0] if said else None)
        own = [change for change in reader.read_audit(audit, {}) if not change.id.endswith("/rule")] if audit else []
        return Receipt(
            ref,
            make_version(ticket, audits),
            id=read_written_id(audit) or ref.id,
            stored=pick_fields(present, names),
            change_ids=ids_of(own),
        )
