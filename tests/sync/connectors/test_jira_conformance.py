"""The Jira connector keeps the contract of all connectors, on Cloud and on Data Center, against the sandbox."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

import aiohttp

from apps.foundation.outbound import OutboundGuard
from apps.sandbox.jira import seed
from apps.sandbox.jira.sandbox import JiraSandbox
from apps.sync.connectors.base import NoticeRequest
from apps.sync.connectors.http import Context
from apps.sync.connectors.jira.adf import to_adf
from apps.sync.connectors.jira.connector import JiraConnector
from apps.sync.connectors.jira.wiki import to_wiki
from apps.sync.engine.snapshot import ExternalRef, Fields, Value, Visibility

from .conformance import Call, ConnectorConformance, LongWayConformance, SandboxUnderTest, Vocabulary
from .jira_site import basic

LAG = 0.05
WAYS = {
    "In Progress": ["In Progress"],
    "Waiting for customer": ["In Progress", "Waiting for customer"],
    "In Review": ["In Progress", "In Review"],
    "Done": ["In Progress", "Done"],
}
"""How a person gets from the first status to another one."""


class CloudUnderTest(SandboxUnderTest):
    """Project OPS of a Cloud site; Elaine is the person."""

    deployment: ClassVar[str] = "Cloud"
    api: ClassVar[str] = "/rest/api/3"
    secrets: ClassVar[Mapping[str, str]] = {"email": seed.SYNC_EMAIL, "api_token": seed.SYNC_TOKEN}
    vocabulary = Vocabulary(
        type="Bug",
        title="summary",
        description="description",
        choice="customfield_10031",
        choice_values=("Berlin", "Paris"),
        unknown_choice="Rome",
        status="status",
        initial="To Do",
        middle="In Progress",
        resolved="Done",
        too_long=("summary", "x" * 256),
        wrong_secrets={"api_token": "wrong"},
        custom_text="customfield_10032",
        resolving={"resolution": "Duplicate"},
        required_to_resolve="resolution",
        wrong_settings={"project": "NOPE"},
        tells_deletions=False,
    )
    calls = {
        "create": Call("POST", r"/rest/api/[23]/issue$"),
        "update": Call("PUT", r"/rest/api/[23]/issue/[^/]+$"),
        "comment": Call("POST", r"/comment$"),
        "attachment": Call("POST", r"/attachments$"),
    }

    def make_sandbox(self) -> JiraSandbox:
        sandbox = JiraSandbox()
        sandbox.settings.deployment = self.deployment
        sandbox.settings.index_lag_seconds = LAG
        # The suite is faster than Cloud lets anybody be; how the limits are told is tested by faults.
        sandbox.settings.issue_writes_per_2s = sandbox.settings.issue_writes_per_30s = 0
        sandbox.settings.burst_per_second = sandbox.settings.points_per_hour = 0
        return sandbox

    async def start(self) -> None:
        await super().start()
        self._session = aiohttp.ClientSession(headers=self._person())

    def _person(self) -> dict[str, str]:
        return basic(seed.ELAINE_EMAIL, seed.ELAINE_TOKEN)

    async def stop(self) -> None:
        await self._session.close()
        await super().stop()

    async def settle(self) -> None:
        await asyncio.sleep(LAG * 1.2)

    def connector(
        self, *, secrets: Mapping[str, str] | None = None, settings: Mapping[str, Any] | None = None
    ) -> JiraConnector:
        return JiraConnector(
            Context(
                base_url=self.origin,
                settings={"project": "OPS", "index_lag_seconds": LAG, **(settings or {})},
                secrets={**self.secrets, **(secrets or {})},
                guard=OutboundGuard([self.origin.removeprefix("http://")]),
            )
        )

    async def _act(self, method: str, path: str, **rest: Any) -> Any:
        async with self._session.request(method, f"{self.origin}{self.api}/{path}", **rest) as answer:
            text = await answer.text()
            assert answer.status < 300, text
            return json.loads(text) if text else None

    def _rich(self, text: str) -> Any:
        return to_adf(text)

    def _as_sent(self, fields: Fields) -> dict[str, Any]:
        def one(name: str, value: Value) -> Any:
            if name == "description":
                return self._rich(str(value)) if value else None
            if name in ("customfield_10031", "customfield_10033"):
                return {"value": value} if value else None
            if name in ("priority", "resolution"):
                return {"name": value} if value else None
            return list(value) if isinstance(value, tuple) else value

        return {name: one(name, value) for name, value in fields.items()}

    async def person_creates(self, fields: Fields) -> ExternalRef:
        kept = {name: value for name, value in fields.items() if name != "status"}
        sent = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, **self._as_sent(kept)}
        made = await self._act("POST", "issue", json={"fields": sent})
        return ExternalRef(made["id"], made["key"])

    async def person_edits(self, ref: ExternalRef, fields: Fields) -> None:
        edited = self._as_sent({name: value for name, value in fields.items() if name not in ("status", "resolution")})
        if edited:
            await self._act("PUT", f"issue/{ref.id}", json={"fields": edited})
        if "status" in fields:
            await self._person_moves(ref, str(fields["status"]), fields.get("resolution"))

    async def _person_moves(self, ref: ExternalRef, target: str, resolution: Value) -> None:
        present = (await self._act("GET", f"issue/{ref.id}"))["fields"]["status"]["name"]
        way = WAYS[target][WAYS[target].index(present) + 1 :] if present in WAYS[target] else WAYS[target]
        for name in way:
            listed = await self._act("GET", f"issue/{ref.id}/transitions", params={"expand": "transitions.fields"})
            step = next(row for row in listed["transitions"] if row["to"]["name"] == name)
            fields = {"resolution": {"name": resolution or "Done"}} if "resolution" in step.get("fields", {}) else {}
            body = {"transition": {"id": step["id"]}, **({"fields": fields} if fields else {})}
            await self._act("POST", f"issue/{ref.id}/transitions", json=body)

    async def person_comments(self, ref: ExternalRef, text: str, visibility: Visibility) -> None:
        internal = {"key": "sd.public.comment", "value": {"internal": visibility is Visibility.INTERNAL}}
        await self._act("POST", f"issue/{ref.id}/comment", json={"body": self._rich(text), "properties": [internal]})

    async def person_attaches(self, ref: ExternalRef, name: str, content: bytes) -> None:
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("file", content, filename=name, content_type="application/octet-stream")
        await self._act("POST", f"issue/{ref.id}/attachments", data=form, headers={"X-Atlassian-Token": "no-check"})

    async def person_deletes(self, ref: ExternalRef) -> None:
        await self._act("DELETE", f"issue/{ref.id}")

    notice_expires: ClassVar[bool] = False

    def notice(self, ref: ExternalRef, secret: str, at: datetime, body: bytes | None = None) -> NoticeRequest:
        stamp = round(at.timestamp() * 1000)
        event = {"timestamp": stamp, "webhookEvent": "jira:issue_updated", "issue": {"id": ref.id, "key": ref.key}}
        body = json.dumps(event).encode() if body is None else body
        headers = {
            "content-type": "application/json",
            "x-atlassian-webhook-identifier": f"{stamp}-{ref.id}",
            "x-hub-signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
        }
        return NoticeRequest(headers, body, at, (secret,))


class DataCenterUnderTest(CloudUnderTest):
    """The same project on Data Center: REST v2, wiki markup, personal access tokens."""

    deployment: ClassVar[str] = "Server"
    api: ClassVar[str] = "/rest/api/2"
    secrets: ClassVar[Mapping[str, str]] = {"personal_token": seed.SYNC_TOKEN}
    vocabulary = replace(CloudUnderTest.vocabulary, wrong_secrets={"personal_token": "wrong"})

    def _person(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {seed.ELAINE_TOKEN}"}

    def _rich(self, text: str) -> Any:
        return to_wiki(text)


class TestJiraCloudConformance(ConnectorConformance, LongWayConformance):
    def make_system(self) -> CloudUnderTest:
        return CloudUnderTest()


class TestJiraDataCenterConformance(ConnectorConformance, LongWayConformance):
    def make_system(self) -> DataCenterUnderTest:
        return DataCenterUnderTest()
