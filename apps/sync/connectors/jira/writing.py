"""Creating and editing issues. Jira has no version to write against: the issue is read, compared and then written."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from apps.sync.connectors.base import ConnectorError, Draft, NoRoute, Rejected, StaleVersion, Writing
from apps.sync.engine.snapshot import ExternalRef, Fields, Receipt, Value

from .client import JiraClient
from .failures import known_shape, with_value
from .history import mark_of, metadata
from .people import People
from .polling import with_comments
from .reading import MARK_PROPERTY, read_ref, read_version
from .settings import JiraSettings
from .site import Facts, Site
from .translate import (
    READ_ONLY,
    FieldKind,
    Shape,
    marks_in,
    read_fields,
    read_moment,
    read_rich,
    words_of,
    write_rich,
    write_value,
)
from .workflow import Walk, Workflow

Issue = dict[str, Any]


class Writer:
    """Writes the fields of one connection's tickets."""

    def __init__(self, client: JiraClient, settings: JiraSettings, site: Site) -> None:
        self._client = client
        self._settings = settings
        self._site = site
        self._people = People(client)
        self._workflow = Workflow(client, site)

    async def read(self, ref: ExternalRef, expand: str = "") -> Issue:
        return await with_comments(self._client, await self._client.issue(ref, expand=expand))

    async def create(self, draft: Draft, correlation: str) -> Receipt:
        """One issue with our mark as label, which can be searched for, and as issue property, which proves it."""
        facts = await self._site.facts()
        if "status" in draft.fields:
            raise Rejected(
                "a new issue begins in the first status of its workflow; set the status by an update",
                field="status",
                value=draft.fields["status"],
            )
        fields: dict[str, Any] = {"project": {"key": self._settings.project}, "issuetype": {"name": draft.type}}
        given = {name: value for name, value in draft.fields.items() if name not in fields}
        fields |= await self._json(facts, {name: value for name, value in given.items() if value not in (None, "", ())})
        fields["labels"] = [*fields.get("labels", ()), correlation]
        body: dict[str, Any] = {"fields": fields, "historyMetadata": metadata(correlation)}
        if facts.has_properties is not False:
            body["properties"] = [{"key": MARK_PROPERTY, "value": {"correlation": correlation}}]
        with Writing() as writing:
            try:
                made = await self._client.create(body)
            except Rejected as problem:
                raise with_value(problem, {**draft.fields, "issuetype": draft.type}) from problem.__cause__
            writing.took_effect()
            ref = ExternalRef(str(made["id"]), str(made.get("key") or ""))
            if draft.follow_up_of is not None:
                await self._relate(draft.follow_up_of, ref)
            return await self._receipt(facts, ref, given, issue_id=True)

    async def _relate(self, earlier: ExternalRef, ref: ExternalRef) -> None:
        """The visible link to the earlier ticket. A system without that link type still has its new ticket."""
        body = {
            "type": {"name": "Relates"},
            "inwardIssue": {"key": earlier.key or earlier.id},
            "outwardIssue": {"key": ref.key or ref.id},
        }
        with suppress(ConnectorError):
            await self._client.http.request("POST", f"{self._client.api}/issueLink", json=body)

    async def update(self, ref: ExternalRef, fields: Fields, expected: str | None, correlation: str) -> Receipt:
        facts = await self._site.facts()
        await self._site.has_properties(ref)
        issue = await self.read(ref)
        with known_shape():
            version = read_version(issue, facts, self._client.is_cloud)
            present = read_fields(issue["fields"], facts.kinds)
            issue_type = str(issue["fields"]["issuetype"]["name"])
        if expected is not None and version != expected:
            raise StaleVersion(f"the issue is at {version}, not at {expected}")
        wanted = self._different(facts, fields, present)
        status = wanted.pop("status", None)
        pending = await self._json(facts, wanted)
        if "labels" in pending:
            pending["labels"] += marks_in(issue["fields"].get("labels"))
        with Writing() as writing:
            try:
                if status is not None:
                    walk = Walk(ref, str(present.get("status")), str(status), pending, correlation, writing)
                    await self._move(issue_type, walk)
                    pending = await self._left(facts, ref, fields, walk.pending)
                if pending:
                    await self._put(ref, pending, correlation, writing)
            except Rejected as problem:
                raise with_value(problem, fields) from problem.__cause__
            return await self._receipt(facts, ref, fields, correlation=correlation)

    async def _move(self, issue_type: str, walk: Walk) -> None:
        """Status with its fields. What no screen on the way takes is written before, while the ticket is still open."""
        steps, start, whole = await self._workflow.steps(walk.ref), walk.at, len(walk.pending)
        screens = [step.screen for step in steps if step.to == walk.target]
        others = {name for name in walk.pending if not any(name in screen for screen in screens)}
        if others and steps:
            editable = (await self._client.of_issue(walk.ref, "/editmeta")).get("fields") or {}
            early = {name: walk.pending.pop(name) for name in sorted(others) if name in editable}
            if early:
                await self._put(walk.ref, early, walk.correlation, walk.writing)
        try:
            await self._workflow.walk(issue_type, walk, steps)
        except NoRoute:
            if walk.at == start and len(walk.pending) == whole:
                walk.writing.was_taken_back()
            raise

    async def _left(self, facts: Facts, ref: ExternalRef, fields: Fields, pending: dict[str, Any]) -> dict[str, Any]:
        """Of ``pending`` what the way itself has not brought about (a workflow may clear or set a resolution)."""
        if not pending:
            return {}
        issue = await self._client.issue(ref)
        present = read_fields(issue["fields"], facts.kinds)
        still = self._different(facts, {name: fields[name] for name in pending}, present)
        return {name: value for name, value in pending.items() if name in still}

    async def _put(self, ref: ExternalRef, fields: dict[str, Any], correlation: str, writing: Writing) -> None:
        await self._client.edit(ref, {"fields": fields, "historyMetadata": metadata(correlation)})
        writing.took_effect()

    def _different(self, facts: Facts, fields: Fields, present: Mapping[str, Value]) -> dict[str, Value]:
        """The fields that Jira does not hold already: writing an equal value would only disturb people."""
        found: dict[str, Value] = {}
        for name, value in fields.items():
            kind = facts.kinds.get(name)
            if kind is None:
                raise Rejected(f"Jira has no field {name!r} that can be written", field=name, value=value)
            if not self._is_same(kind, present.get(name), value):
                found[name] = value
        return found

    def _is_same(self, kind: FieldKind, present: Value, wanted: Value) -> bool:
        if present == wanted or (present in (None, "", ()) and wanted in (None, "", ())):
            return True
        if kind.shape is Shape.RICH:
            return (present or "") == (read_rich(write_rich(str(wanted or ""), self._client.is_cloud)) or "")
        if isinstance(present, tuple):
            return present == tuple(sorted(words_of(wanted)))
        try:
            return kind.shape is Shape.MOMENT and read_moment(str(wanted)) == read_moment(str(present))
        except ValueError:
            return False

    async def _json(self, facts: Facts, fields: Fields) -> dict[str, Any]:
        """``fields`` in Jira's JSON. Raises Rejected naming the field and value that Jira could not take."""
        found: dict[str, Any] = {}
        for name, value in fields.items():
            kind = facts.kinds.get(name)
            if kind is None or name in READ_ONLY:
                raise Rejected(f"Jira has no field {name!r} that can be written", field=name, value=value)
            if kind.shape in (Shape.PERSON, Shape.PEOPLE):
                found[name] = await self._people.write(kind, value)
            else:
                found[name] = write_value(kind, value, self._client.is_cloud)
        return found

    async def _receipt(
        self, facts: Facts, ref: ExternalRef, fields: Fields, *, correlation: str = "", issue_id: bool = False
    ) -> Receipt:
        """What the system holds now, read back: Jira's answers to writes are empty."""
        issue = await self.read(ref, expand="changelog" if correlation else "")
        with known_shape():
            present = read_fields(issue["fields"], facts.kinds)
            rows = (issue.get("changelog") or {}).get("histories") or []
            return Receipt(
                ref=read_ref(issue, self._client.base_url),
                version=read_version(issue, facts, self._client.is_cloud),
                id=str(issue["id"]) if issue_id else ref.id,
                stored={name: present.get(name) for name in fields},
                change_ids=tuple(
                    sorted((str(row["id"]) for row in rows if mark_of(row) == correlation != ""), key=int)
                ),
            )
