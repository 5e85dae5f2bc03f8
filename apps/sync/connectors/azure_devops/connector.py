"""The Azure DevOps connector: the engine's verbs on Work Item Tracking, for Services and Server."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, ClassVar, Self

from apps.sync.connectors.base import (
    Capabilities,
    ChangedPage,
    Draft,
    NoRoute,
    Note,
    NoticeHint,
    NoticeRequest,
    Rejected,
    SignInFailed,
    StaleVersion,
    SystemCard,
    SystemSchema,
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
from .client import AzureClient, Json, Patch
from .feed import ChangeFeed
from .history import comment_change_id, list_changes
from .people import find_person
from .process import LONG_TEXT_LENGTH, STATE, TAGS, FieldDefinition, Process, WorkItemType, is_mappable
from .settings import Secrets, Settings
from .translate import ATTACHED, MARKDOWN, MARKER, Reader, read_file_id, split_tags, write_comment, write_html

ANONYMOUS = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
"""The id by which the service calls a visitor without credentials."""
MOST_REVISIONS = 10_000
LARGEST_FILE = {"services": 60 * 1024 * 1024, "server": 2 * 1024 * 1024 * 1024}
UPLOAD_PART = 4 * 1024 * 1024
REASON = "System.Reason"
TYPE = "System.WorkItemType"


class AzureDevOpsConnector:
    """One project of Azure DevOps Services or Server.

    The change log is the updates feed joined with the comments. A write against a stale revision is refused by the
    service itself (``test /rev``). Our marker is a tag (or a field) on what we create, a last line of our comments and
    the comment of an attached file's relation; field writes carry none, and are recognized by their revision.
    """

    name: ClassVar[str] = "azure_devops"
    title: ClassVar[str] = "Azure DevOps"
    capabilities = Capabilities(
        has_change_log=True,
        has_atomic_precondition=True,
        has_internal_comments=False,
        can_attribute_author=False,
        can_reopen_closed=True,
        signs_notices=False,
        index_lag_seconds=10.0,
    )
    Settings: ClassVar[type[Settings]] = Settings
    Secrets: ClassVar[type[Secrets]] = Secrets

    def __init__(self, context: Context) -> None:
        self.settings = Settings.model_validate(dict(context.settings))
        secrets = Secrets.model_validate(dict(context.secrets), context={"sign_in": self.settings.sign_in})
        self._client = AzureClient(context, self.settings, secrets)
        self._process = Process(self._client)
        self._feed = ChangeFeed(self._client, self.settings, context.now)

    async def __aenter__(self) -> Self:
        await self._client.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.close()

    async def check(self) -> SystemCard:
        """Prove the credentials, and that the project and its configured types exist."""
        card = await self._client.get("/_apis/connectionData", preview="1")
        user: Json = card.get("authenticatedUser") or {}
        if not user.get("id") or user["id"] == ANONYMOUS:
            raise SignInFailed("the service knows us as an anonymous visitor only: the credentials are not valid")
        if await self._client.get_or_none(f"/_apis/projects{self._client.project_path()}") is None:
            reason = f"there is no project {self.settings.project!r}, or we may not see it"
            raise Rejected(reason, field="project", value=self.settings.project)
        for name in self.settings.types:
            await self._process.type(name, "")
        version = await self._client.version()
        return SystemCard(
            product=f"Azure DevOps {'Server' if self.settings.flavor == 'server' else 'Services'}",
            version=version,
            account_id=str(user["id"]),
            account_name=str(user.get("providerDisplayName") or user.get("customDisplayName") or ""),
            deployment=str(card.get("deploymentType") or ""),
        )

    async def changed_since(self, cursor: str | None) -> ChangedPage:
        return await self._feed.read(cursor)

    async def fetch(self, ref: ExternalRef) -> TicketSnapshot:
        """The work item is read before its comments: its revision is never newer than what is shown."""
        item = await self._client.get_item(ref)
        comments = await self._client.get_comments(ref, _project_of(item))
        return (await self._reader()).read_snapshot(item, comments, await self._type_of(item))

    async def changes(self, ref: ExternalRef, since: str | None) -> tuple[RemoteChange, ...]:
        item = await self._client.get_item(ref)
        updates = await self._client.get_updates(ref)
        comments = await self._client.get_comments(ref, _project_of(item))
        return tuple(list_changes(updates, comments, await self._reader(), since))

    async def create(self, draft: Draft, correlation: str) -> Receipt:
        """Marked by a tag or in the configured field, so that a create whose answer was lost is found again."""
        kind = await self._process.type(draft.type, "")
        fields = dict(draft.fields)
        if self.settings.area_path and "System.AreaPath" not in fields:
            fields["System.AreaPath"] = self.settings.area_path
        given = fields.get(TAGS)
        tags = given if isinstance(given, tuple) else split_tags(given)
        if self.settings.marker_field:
            marked = {self.settings.marker_field: correlation, **({TAGS: "; ".join(tags)} if tags else {})}
        else:
            marked = {TAGS: "; ".join((*tags, correlation))}
        fields.pop(TAGS, None)
        written = {name: await self._write_value(name, fields[name], "html") for name in sorted(fields)}
        members = {**{name: raw for name, raw in written.items() if raw not in (None, "")}, **marked}
        patch: Patch = [{"op": "add", "path": f"/fields/{name}", "value": raw} for name, raw in members.items()]
        if draft.follow_up_of is not None:
            address = f"{self._client.base_url}/_apis/wit/workItems/{draft.follow_up_of.id}"
            patch.append(_add_relation("System.LinkTypes.Related", address, "follow-up"))
        with Writing() as writing:
            item = await self._client.create_item(kind.name, patch)
            writing.took_effect()
            return await self._receipt(item, (*draft.fields, STATE))

    async def update(self, ref: ExternalRef, fields: Fields, *, expected: str | None, correlation: str) -> Receipt:
        """Other fields go with the first step of the state, so that a step which requires them finds them.

        Fields that are already as wanted are not sent: a work item takes 10,000 revisions in its life.
        Raises StaleVersion, NoRoute, or Rejected naming the field that a rule requires or refuses.
        """
        item = await self._client.get_item(ref)
        if expected is not None and str(item["rev"]) != expected:
            raise StaleVersion(f"work item {ref.id} is at revision {item['rev']}, not at {expected}")
        reader, kind = await self._reader(), await self._type_of(item)
        present = reader.read_fields(item, kind)
        changed = {name: value for name, value in fields.items() if name not in present or present[name] != value}
        if not changed:
            return Receipt(reader.read_ref(item), str(item["rev"]), ref.id, _pick(present, fields))
        if int(item["rev"]) >= MOST_REVISIONS:
            reason = f"work item {ref.id} has {item['rev']} revisions: the service takes no more changes to it"
            raise Rejected(reason, field="System.Rev", value=int(item["rev"]))
        guard = item["rev"] if expected is not None else None
        with Writing() as writing:
            for patch in await self._plan(item, kind, changed):
                item = await self._write_step(ref, item, kind, patch, guard)
                writing.took_effect(str(item["rev"]))
                guard = item["rev"] if expected is not None else None
            return await self._receipt(item, fields, writing.change_ids)

    async def add_comment(self, ref: ExternalRef, note: Note, correlation: str) -> Receipt:
        """Everybody who sees the work item reads its comments, so an internal one is refused (INV-31)."""
        if note.visibility is not Visibility.PUBLIC:
            raise Rejected("Azure DevOps has no internal comments", field="visibility", value=note.visibility.value)
        text = write_comment(note.body, correlation)
        item = await self._client.get_item(ref)
        path = f"{self._client.project_path(_project_of(item))}/_apis/wit/workItems/{ref.id}/comments"
        with Writing() as writing:
            said = await self._client.post(path, {"text": text}, preview=await self._client.comments_preview())
            number = str(said.get("id") or said.get("commentId") or "")
            writing.took_effect(comment_change_id(number))
            if not number:
                raise VendorFault("answered without a comment")
            item, reader = await self._client.get_item(ref), await self._reader()
            return Receipt(reader.read_ref(item), str(item["rev"]), number, {}, writing.change_ids)

    async def add_attachment(
        self, ref: ExternalRef, upload: Upload, correlation: str, visibility: Visibility = Visibility.PUBLIC
    ) -> Receipt:
        """First the bytes, then the relation; bytes that no relation holds are thrown away by the service in time."""
        if visibility is not Visibility.PUBLIC:
            raise Rejected("Azure DevOps has no internal files", field="visibility", value=visibility.value)
        largest = LARGEST_FILE[self.settings.flavor]
        if upload.size > largest:
            reason = f"the file {upload.file_name} has {upload.size} bytes; at most {largest} are taken"
            raise Rejected(reason, field="attachment", value=upload.file_name)
        address = await self._upload(upload)
        wanted = read_file_id({"rel": ATTACHED, "url": address})
        with Writing() as writing:
            item = await self._client.patch_item(ref, [_add_relation(ATTACHED, address, f"[{correlation}]")])
            revision = str(item["rev"])
            writing.took_effect(f"{revision}/{wanted}")
            ids = [read_file_id(relation) for relation in item.get("relations") or []]
            if wanted is None or (item.get("relations") is not None and wanted not in ids):
                raise VendorFault("answered without the relation to the file")
            reader = await self._reader()
            return Receipt(reader.read_ref(item), revision, wanted, {}, writing.change_ids)

    async def read_attachment(self, ref: ExternalRef, attachment: Attachment) -> AsyncIterator[bytes]:
        async for chunk in self._client.download(attachment.id, attachment.file_name):
            yield chunk

    async def find(self, correlation: str, ref: ExternalRef | None = None) -> Receipt | None:
        """A created work item by a query for its marker; a comment or file on ``ref`` by reading it."""
        if ref is None:
            return await self._find_created(correlation)
        snapshot = await self.fetch(ref)
        for comment in snapshot.comments:
            if comment.correlation == correlation:
                return Receipt(snapshot.ref, snapshot.version, comment.id, {}, (comment_change_id(comment.id),))
        for file in snapshot.attachments:
            if file.correlation == correlation:
                return Receipt(snapshot.ref, snapshot.version, file.id)
        return None

    async def schema(self) -> SystemSchema:
        names = self.settings.types or await self._process.type_names()
        return SystemSchema(
            types={name: await self._process.schema(name) for name in names},
            max_comment_length=LONG_TEXT_LENGTH,
            max_attachment_bytes=LARGEST_FILE[self.settings.flavor],
        )

    def read_notice(self, request: NoticeRequest) -> NoticeHint:
        return webhook.read_notice(request, self.settings.notice_header, self._client.base_url)

    async def _reader(self) -> Reader:
        return Reader(await self._process.fields(), self._client.base_url, self.settings.marker_field)

    async def _type_of(self, item: Json) -> WorkItemType | None:
        """The type's definition; None for a type that the project does not offer any more."""
        try:
            return await self._process.type(str(item["fields"][TYPE]), _project_of(item))
        except Rejected:
            return None

    async def _plan(self, item: Json, kind: WorkItemType | None, changed: dict[str, Value]) -> list[Patch]:
        """One patch per step of the state, the other fields in the first of them and the reason in the last."""
        formats = item.get("multilineFieldsFormat") or {}
        others: Patch = []
        for name in sorted(set(changed) - {STATE, REASON}):
            others.append(await self._write_member(item, name, changed[name], str(formats.get(name, "html"))))
        reason = [_set(REASON, changed[REASON])] if changed.get(REASON) else []
        if STATE not in changed:
            return [others + reason]
        start, target = str(item["fields"].get(STATE, "")), str(changed[STATE] or "")
        route = kind.find_route(start, target) if kind else (target,)
        steps: list[Patch] = [[_set(STATE, state)] for state in route]
        steps[0] = steps[0] + others
        steps[-1] = steps[-1] + reason
        return steps

    async def _write_step(
        self, ref: ExternalRef, item: Json, kind: WorkItemType | None, patch: Patch, guard: Any
    ) -> Json:
        test: Patch = [] if guard is None else [{"op": "test", "path": "/rev", "value": guard}]
        try:
            return await self._client.patch_item(ref, test + patch)
        except Rejected as problem:
            sent = {entry["path"]: entry.get("value") for entry in patch}
            problem.value = sent.get(f"/fields/{problem.field}")
            wanted = sent.get(f"/fields/{STATE}")
            if problem.field != STATE or wanted is None:
                raise
            present = str(item["fields"].get(STATE, ""))
            following = ", ".join(kind.transitions.get(present, ()) if kind else ()) or "unknown"
            reason = f"no way from {present} to {wanted}: {problem.detail}; reachable: {following}"
            raise NoRoute(reason, field=STATE, value=wanted) from problem

    async def _write_member(self, item: Json, name: str, value: Value, text_format: str) -> Json:
        if name == TAGS:
            kept = [tag for tag in split_tags(item["fields"].get(TAGS)) if MARKER.fullmatch(tag)]
            tags = value if isinstance(value, tuple) else split_tags(value)
            # "add" would merge with the present tags
            return {"op": "replace", "path": f"/fields/{TAGS}", "value": "; ".join((*tags, *kept))}
        raw = await self._write_value(name, value, text_format)
        if raw in (None, "") and (await self._definition(name, value)).is_person:
            return _set(name, "")
        if raw in (None, ""):
            return {"op": "remove", "path": f"/fields/{name}"}
        return _set(name, raw)

    async def _write_value(self, name: str, value: Value, text_format: str) -> Any:
        definition = await self._definition(name, value)
        if value is None or value == "":
            return None
        if isinstance(value, tuple):
            raise Rejected(f"{definition.label} ({name}) takes one value, not several", field=name, value=value)
        if definition.is_person:
            return await find_person(self._client, name, str(value))
        if definition.type == "html":
            return str(value) if text_format.lower() == MARKDOWN else write_html(str(value), name)
        return value

    async def _definition(self, name: str, value: Value) -> FieldDefinition:
        definition = (await self._process.fields()).get(name)
        if definition is None:
            raise Rejected(f"the organization has no field {name!r}", field=name, value=value)
        if definition.is_read_only or not is_mappable(name):
            raise Rejected(f"{definition.label} ({name}) cannot be written", field=name, value=value)
        return definition

    async def _upload(self, upload: Upload) -> str:
        """The address of the sent bytes."""
        simple = upload.size <= self.settings.largest_upload
        params = {"fileName": upload.file_name, "uploadType": "Simple" if simple else "Chunked"}
        sent = await self._client.upload(params, (lambda: upload.path.open("rb")) if simple else None)
        address, file_id = str(sent.get("url") or ""), str(sent.get("id") or "")
        if not address or not file_id:
            raise VendorFault("the upload was answered without an address")
        if not simple:
            with await asyncio.to_thread(upload.path.open, "rb") as file:
                start = 0
                while part := await asyncio.to_thread(file.read, UPLOAD_PART):
                    place = f"bytes {start}-{start + len(part) - 1}/{upload.size}"
                    await self._client.upload_part(file_id, upload.file_name, part, place)
                    start += len(part)
        return address

    async def _find_created(self, correlation: str) -> Receipt | None:
        """A query compares without case and may match more, so its hits are read and compared."""
        field = self.settings.marker_field
        quoted = correlation.replace("'", "''")
        condition = f"[{field}] = '{quoted}'" if field else f"[{TAGS}] CONTAINS '{quoted}'"
        found = await self._client.query(condition, "[System.Id] ASC", 50)
        for row in found.get("workItems") or []:
            snapshot = await self.fetch(ExternalRef(str(row["id"])))
            if snapshot.correlation == correlation:
                return Receipt(snapshot.ref, snapshot.version, snapshot.ref.id, snapshot.fields)
        return None

    async def _receipt(self, item: Json, names: Iterable[str], revisions: tuple[str, ...] = ()) -> Receipt:
        reader, kind = await self._reader(), await self._type_of(item)
        stored = _pick(reader.read_fields(item, kind), names)
        return Receipt(reader.read_ref(item), str(item["rev"]), str(item["id"]), stored, revisions)


def _project_of(item: Json) -> str:
    """The project that the work item is in now: it may have moved since we learned of it."""
    return str(item["fields"].get("System.TeamProject") or "")


def _pick(fields: Fields, names: Iterable[str]) -> dict[str, Value]:
    return {name: fields.get(name) for name in names}


def _set(name: str, value: Any) -> Json:
    return {"op": "add", "path": f"/fields/{name}", "value": value}


def _add_relation(kind: str, url: str, comment: str) -> Json:
    return {"op": "add", "path": "/relations/-", "value": {"rel": kind, "url": url, "attributes": {"comment": comment}}}
