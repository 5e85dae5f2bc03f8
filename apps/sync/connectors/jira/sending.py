"""Comments and files, and finding again what an earlier call left behind."""

import hashlib
import re
from contextlib import suppress
from typing import Any

from apps.sync.connectors.base import ConnectorError, Note, Rejected, TicketGone, Upload, VendorFault, Writing
from apps.sync.engine.snapshot import ExternalRef, Receipt, Visibility

from .client import JiraClient
from .failures import known_shape
from .history import LogReader, mark_of
from .polling import quoted
from .reading import (
    FILE_PROPERTY,
    INTERNAL_PROPERTY,
    MARK_PROPERTY,
    read_attachments,
    read_comment,
    read_mark,
    read_ref,
    read_version,
)
from .settings import JiraSettings
from .site import Facts, Site
from .translate import person_id, read_fields, with_mark, write_rich
from .writing import Issue, Writer

_CONTROL = re.compile(r"[\x00-\x1f\x7f/\\]")
HITS = 50


class Sender:
    """Adds comments and files to the tickets of one connection."""

    def __init__(self, client: JiraClient, settings: JiraSettings, site: Site, writer: Writer) -> None:
        self._client = client
        self._settings = settings
        self._site = site
        self._writer = writer

    async def add_comment(self, ref: ExternalRef, note: Note, correlation: str) -> Receipt:
        """A comment with our mark as comment property, or in a last line where the system has no properties."""
        facts = await self._site.facts()
        has_properties = await self._site.has_properties(ref)
        text = note.body if has_properties else with_mark(note.body, correlation)
        if not note.body.strip() or (body := write_rich(text, self._client.is_cloud)) is None:
            raise Rejected("Jira takes no empty comment", field="comment", value=note.body)
        sent: dict[str, Any] = {"body": body} | self._visibility(note, facts, has_properties)
        if has_properties:
            mark = {"key": MARK_PROPERTY, "value": {"correlation": correlation}}
            sent["properties"] = [mark, *sent.get("properties", ())]
        with Writing() as writing:
            made = await self._client.comment(ref, sent)
            writing.took_effect()
            if note.visibility is Visibility.INTERNAL and "visibility" not in sent and made.get("jsdPublic") is True:
                await self._withdraw(ref, str(made["id"]), writing)
            issue = await self._writer.read(ref)
            with known_shape():
                comment = read_comment(made, facts)
                return self._receipt(issue, facts, id=comment.id, stored={"body": comment.body})

    def _visibility(self, note: Note, facts: Facts, has_properties: bool) -> dict[str, Any]:
        """How this site hides a comment. One that it cannot hide is refused, never shown (INV-31)."""
        if facts.is_service and has_properties:
            if note.visibility is Visibility.INTERNAL or not self._client.is_cloud:
                internal = {"internal": note.visibility is Visibility.INTERNAL}
                return {"properties": [{"key": INTERNAL_PROPERTY, "value": internal}]}
            return {}
        if note.visibility is Visibility.PUBLIC:
            return {}
        role = self._settings.internal_role
        if not role:
            raise Rejected(
                "this project has no internal comments; name a role in the setting internal_role", field="comment"
            )
        return {"visibility": {"type": "role", "value": role}}

    async def _withdraw(self, ref: ExternalRef, comment_id: str, writing: Writing) -> None:
        """Jira may ignore the internal flag; then the comment must not stay for everybody to read."""
        await self._client.remove_comment(ref, comment_id)
        writing.was_taken_back()
        raise Rejected("Jira would have shown an internal comment to everybody; it was withdrawn", field="comment")

    async def add_attachment(
        self, ref: ExternalRef, upload: Upload, correlation: str, visibility: Visibility
    ) -> Receipt:
        """A file. Files carry no mark of their own: an issue property announces it before, and names it afterwards."""
        facts = await self._site.facts()
        if not await self._site.has_properties(ref):
            return await self._add_unmarked(ref, upload, visibility, facts)
        issue = await self._client.issue(ref, fields="attachment")
        name = _CONTROL.sub("_", upload.file_name) or "file"
        key = FILE_PROPERTY + correlation
        mark: dict[str, Any] = {"name": name, "size": upload.size, "sha256": upload.sha256}
        mark["before"] = [str(row["id"]) for row in issue["fields"].get("attachment") or () if row["filename"] == name]
        mark |= {"internal": True} if visibility is Visibility.INTERNAL else {}
        await self._client.set_property(ref, key, mark)
        with Writing() as writing:
            made = await self._upload(ref, upload, name, writing)
            with suppress(ConnectorError):  # the announcement already tells which file it is
                await self._client.set_property(ref, key, mark | {"id": str(made["id"])})
            return await self._file_receipt(ref, facts, made, name)

    async def _add_unmarked(self, ref: ExternalRef, upload: Upload, visibility: Visibility, facts: Facts) -> Receipt:
        """Without properties the content decides: our own file with this name and these bytes is not sent again."""
        if visibility is Visibility.INTERNAL:
            raise Rejected("this system cannot keep a file internal", field="attachment", value=upload.file_name)
        name = _CONTROL.sub("_", upload.file_name) or "file"
        issue = await self._writer.read(ref)
        for row in issue["fields"].get("attachment") or ():
            is_like = row["filename"] == name and int(row["size"]) == upload.size
            if is_like and person_id(row.get("author")) == facts.account_id and await self._is_content(row, upload):
                return self._receipt(issue, facts, id=str(row["id"]), stored={"file_name": name, "size": upload.size})
        with Writing() as writing:
            made = await self._upload(ref, upload, name, writing)
            return await self._file_receipt(ref, facts, made, name)

    async def _file_receipt(self, ref: ExternalRef, facts: Facts, made: Issue, name: str) -> Receipt:
        stored = {"file_name": name, "size": int(made["size"])}
        return self._receipt(await self._writer.read(ref), facts, id=str(made["id"]), stored=stored)

    async def _is_content(self, row: Issue, upload: Upload) -> bool:
        digest = hashlib.sha256()
        async for chunk in self._client.download(str(row["id"])):
            digest.update(chunk)
        return digest.hexdigest() == upload.sha256

    async def _upload(self, ref: ExternalRef, upload: Upload, name: str, writing: Writing) -> Issue:
        try:
            made = (await self._client.upload(ref, upload, name))[0]
        except Rejected as problem:
            problem.field, problem.value = "attachment", upload.file_name
            raise
        writing.took_effect()
        with known_shape():
            if int(made["size"]) != upload.size:
                raise VendorFault(f"stored {made['size']} of {upload.size} bytes")
        return made

    def _receipt(self, issue: Issue, facts: Facts, **rest: Any) -> Receipt:
        with known_shape():
            version = read_version(issue, facts, self._client.is_cloud)
            return Receipt(read_ref(issue, self._client.base_url), version, **rest)

    async def find(self, correlation: str, ref: ExternalRef | None) -> Receipt | None:
        facts = await self._site.facts()
        return (
            await self._find_ticket(correlation, facts) if ref is None else await self._find_on(correlation, ref, facts)
        )

    async def _find_ticket(self, correlation: str, facts: Facts) -> Receipt | None:
        """By label. Each hit is checked: a search may ignore a condition, and a copied issue keeps its labels."""
        jql = f"project = {quoted(self._settings.project)} AND labels = {quoted(correlation)} ORDER BY created ASC"
        page = await self._client.search(jql, fields=("labels", "updated"), size=HITS)
        for row in page["issues"]:
            if correlation not in (row.get("fields", {}).get("labels") or ()):
                continue
            with suppress(TicketGone):
                ref = read_ref(row, self._client.base_url)
                await self._site.has_properties(ref)
                issue = await self._writer.read(ref)
                if read_mark(issue, facts) == correlation:
                    return self._receipt(issue, facts, id=ref.id)
        return None

    async def _find_on(self, correlation: str, ref: ExternalRef, facts: Facts) -> Receipt | None:
        await self._site.has_properties(ref)
        issue = await self._writer.read(ref)
        with known_shape():
            files = read_attachments(issue, facts)
        for file in files:
            if file.correlation == correlation:
                stored = {"file_name": file.file_name, "size": file.size}
                return self._receipt(issue, facts, id=file.id, stored=stored)
        for row in await self._client.comments(ref):
            with known_shape():
                comment = read_comment(row, facts)
            if comment.correlation != correlation:
                continue
            if row.get("jsdPublic") is True and not row.get("visibility") and comment.visibility is Visibility.INTERNAL:
                # Its withdrawal, when Jira had ignored the internal flag, did not come to pass.
                await self._client.remove_comment(ref, comment.id)
                continue
            return self._receipt(issue, facts, id=comment.id, stored={"body": comment.body})
        rows = [row for row in await self._client.histories(ref) if mark_of(row) == correlation]
        if not rows:
            return None
        with known_shape():
            present = read_fields(issue["fields"], facts.kinds)
            reader = LogReader(facts.kinds, present)
            names = {name for row in rows for name in reader.read(row)}
            ids = tuple(str(row["id"]) for row in rows)
            stored_now = {name: present.get(name) for name in sorted(names)}
            return self._receipt(issue, facts, id=ids[-1], stored=stored_now, change_ids=ids)
