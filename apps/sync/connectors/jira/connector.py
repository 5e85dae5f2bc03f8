"""The Jira connector: Cloud (REST v3, ADF) and Data Center (REST v2, wiki markup) behind one set of verbs."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import ClassVar, Self

from apps.sync.connectors.base import (
    Capabilities,
    ChangedPage,
    Draft,
    Note,
    NoticeHint,
    NoticeRequest,
    Rejected,
    SystemCard,
    SystemSchema,
    Upload,
    VendorFault,
)
from apps.sync.connectors.http import Context
from apps.sync.engine.snapshot import Attachment, ExternalRef, Fields, Receipt, RemoteChange, TicketSnapshot, Visibility

from .client import JiraClient
from .failures import known_shape
from .history import after, read_changes
from .polling import Poll, scope, with_comments
from .reading import Json, read_ref, read_snapshot
from .schema import SchemaReader
from .sending import Sender
from .settings import JiraSecrets, JiraSettings
from .site import Facts, Site
from .translate import read_moment
from .webhook import read_notice
from .writing import Writer

_NO_TOKENS_BEFORE, _NO_BASIC_FROM = (8, 14), (11, 0)


class JiraConnector:
    """One Jira project. Upholds: issues by id, writes after a read, marks on everything that is not repeatable.

    ``capabilities`` begin with what Cloud offers and are narrowed to what the site at hand can do at the first verb.
    """

    name: ClassVar[str] = "jira"
    title: ClassVar[str] = "Jira"
    Settings: ClassVar[type[JiraSettings]] = JiraSettings
    Secrets: ClassVar[type[JiraSecrets]] = JiraSecrets
    capabilities: Capabilities = Capabilities(
        has_change_log=True,
        has_atomic_precondition=False,
        has_internal_comments=True,
        can_attribute_author=False,
        can_reopen_closed=True,
        index_lag_seconds=15.0,
        overlap_seconds=180.0,
    )

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settings = JiraSettings.model_validate(dict(context.settings))
        secrets = JiraSecrets.model_validate(dict(context.secrets))
        self._client = JiraClient(context, self._settings, secrets)
        self._site = Site(self._client, self._settings)
        self._poll = Poll(self._client, self._settings)
        self._writer = Writer(self._client, self._settings, self._site)
        self._sender = Sender(self._client, self._settings, self._site, self._writer)
        self.capabilities = replace(
            type(self).capabilities,
            index_lag_seconds=self._settings.index_lag_seconds,
            overlap_seconds=self._settings.overlap_seconds,
        )

    async def __aenter__(self) -> Self:
        await self._client.http.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.http.close()

    async def _ready(self, ref: ExternalRef | None = None) -> Facts:
        """The facts of the site, with the capabilities narrowed to them."""
        facts = await self._site.facts()
        if ref is not None:
            await self._site.has_properties(ref)
        is_cloud, settings = self._client.is_cloud, self._settings
        is_bare = facts.has_properties is False
        self.capabilities = replace(
            self.capabilities,
            has_internal_comments=(facts.is_service and not is_bare) or bool(settings.internal_role),
            # A system without properties is a stand-in that logs status changes only, not every field.
            has_change_log=not is_bare,
            index_lag_seconds=settings.index_lag_seconds if is_cloud else 0.0,
            retries_notices=is_cloud,
        )
        return facts

    async def check(self) -> SystemCard:
        await self._site.forget()
        facts = await self._ready()
        page = await self._client.search(f"{scope(self._settings)} ORDER BY updated DESC", fields=("updated",), size=1)
        if facts.has_properties is None and page["issues"]:
            with known_shape():
                ref = read_ref(page["issues"][0], self._client.base_url)
            await self._ready(ref)
        return SystemCard(
            product="Jira Cloud" if self._client.is_cloud else "Jira Data Center",
            version=facts.server.version,
            account_id=facts.account_id,
            account_name=facts.account_name,
            deployment="Cloud" if facts.server.is_cloud else "Server",
            warnings=self._warnings(facts),
        )

    def _warnings(self, facts: Facts) -> tuple[str, ...]:
        found = []
        numbers, secrets = facts.server.numbers[:2], self._context.secrets
        if self._settings.flavour != "detect" and facts.server.is_cloud != self._client.is_cloud:
            found.append("the setting flavour contradicts what the system says about itself")
        if not self._client.is_cloud and numbers:
            if secrets.get("personal_token") and numbers < _NO_TOKENS_BEFORE:
                found.append("personal access tokens exist from Jira 8.14 on")
            if secrets.get("password") and numbers >= _NO_BASIC_FROM:
                found.append(
                    "Jira 11 refuses name and password unless they are switched on; use a personal access token"
                )
        if facts.has_properties is False:
            found.append("the system has no entity properties: marks are put into labels and a last line of comments")
        with known_shape():
            stamp = facts.server.server_time
            skew = abs((read_moment(stamp) - self._context.now()).total_seconds()) if stamp else 0.0
        if skew > max(self._settings.overlap_seconds, 60.0):
            found.append(f"the clocks differ by {round(skew)} seconds")
        return tuple(found)

    async def changed_since(self, cursor: str | None) -> ChangedPage:
        facts = await self._ready()
        return await self._poll.begin(facts) if cursor is None else await self._poll.page(cursor, facts)

    async def fetch(self, ref: ExternalRef) -> TicketSnapshot:
        facts = await self._ready(ref)
        return await self._snapshot(await self._client.issue(ref), facts)

    async def _snapshot(self, issue: Json, facts: Facts) -> TicketSnapshot:
        full = await with_comments(self._client, dict(issue))
        with known_shape():
            ref, embedded = read_ref(full, self._client.base_url), full["fields"]["comment"] or {}
            rows = embedded.get("comments") or []
            total = int(embedded.get("total") or len(rows))
        if facts.has_properties and total:
            rows = await self._client.comments(ref)
        with known_shape():
            return read_snapshot(
                full, rows, facts, facts.kinds, base_url=self._client.base_url, is_cloud=self._client.is_cloud
            )

    async def changes(self, ref: ExternalRef, since: str | None) -> tuple[RemoteChange, ...]:
        facts = await self._ready(ref)
        if not self.capabilities.has_change_log:
            issue = await self._client.issue(ref)
            rows: list[dict[str, object]] = []
        else:
            issue = await self._client.issue(ref, expand="changelog")
            log = issue.get("changelog") or {}
            rows = log.get("histories") or []
            if len(rows) < int(log.get("total") or 0) or not log:
                rows = await self._client.histories(ref)
        snapshot = await self._snapshot(issue, facts)
        with known_shape():
            ordered = sorted(rows, key=lambda row: int(str(row["id"])))
            return after(read_changes(ordered, snapshot, facts.kinds), since)

    async def create(self, draft: Draft, correlation: str) -> Receipt:
        await self._ready()
        if self._settings.types and draft.type not in self._settings.types:
            raise Rejected("this type does not take part in the connection", field="issuetype", value=draft.type)
        return await self._writer.create(draft, correlation)

    async def update(self, ref: ExternalRef, fields: Fields, *, expected: str | None, correlation: str) -> Receipt:
        await self._ready()
        return await self._writer.update(ref, fields, expected, correlation)

    async def add_comment(self, ref: ExternalRef, note: Note, correlation: str) -> Receipt:
        await self._ready()
        return await self._sender.add_comment(ref, note, correlation)

    async def add_attachment(
        self, ref: ExternalRef, upload: Upload, correlation: str, visibility: Visibility = Visibility.PUBLIC
    ) -> Receipt:
        await self._ready()
        return await self._sender.add_attachment(ref, upload, correlation, visibility)

    async def read_attachment(self, ref: ExternalRef, attachment: Attachment) -> AsyncIterator[bytes]:
        await self._ready()
        size = 0
        async for chunk in self._client.download(attachment.id):
            size += len(chunk)
            yield chunk
        if size != attachment.size:
            raise VendorFault(f"the download of {attachment.file_name!r} had {size} of {attachment.size} bytes")

    async def find(self, correlation: str, ref: ExternalRef | None = None) -> Receipt | None:
        await self._ready()
        return await self._sender.find(correlation, ref)

    async def schema(self) -> SystemSchema:
        await self._ready()
        return await SchemaReader(self._client, self._settings, self._site).read()

    def read_notice(self, request: NoticeRequest) -> NoticeHint:
        return read_notice(request, self._client.base_url)
