"""Global's Azure DevOps project in a sandbox, as a system under test."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp

from apps.foundation.outbound import OutboundGuard
from apps.sandbox.azure_devops import seed
from apps.sandbox.azure_devops.sandbox import AzureDevOpsSandbox
from apps.sync.connectors import richtext
from apps.sync.connectors.azure_devops.connector import AzureDevOpsConnector
from apps.sync.connectors.base import Connector, NoticeRequest
from apps.sync.connectors.http import Context
from apps.sync.engine.snapshot import ExternalRef, Fields, Visibility

from .system_under_test import Call, SandboxUnderTest, Vocabulary

BODY = "Microsoft.VSTS.TCM.ReproSteps"
VERSION = {"api-version": "7.1"}
PATCH = {"Content-Type": "application/json-patch+json"}


class AzureDevOpsUnderTest(SandboxUnderTest):
    """The project Shop of Global Pvt Ltd; the person is David."""

    vocabulary = Vocabulary(
        type="Bug",
        title="System.Title",
        description=BODY,
        choice="Custom.Site",
        choice_values=("berlin", "paris"),
        unknown_choice="rome",
        status="System.State",
        initial="New",
        middle="Active",
        resolved="Resolved",
        too_long=("System.Title", "x" * 256),
        wrong_secrets={"pat": "not-the-token"},
        custom_text="Custom.DeploymentStage",
        # the sandbox takes the language of a code block away
        keeps_markup=False,
        comments_keep_markup=False,
        resolving={"Custom.Category": "network"},
        required_to_resolve="Custom.Category",
        unreachable="Removed",
        wrong_settings={"project": "Nowhere"},
    )
    calls = {
        "create": Call("POST", r"(?i)/_apis/wit/workitems/\$"),
        "update": Call("PATCH", r"(?i)/_apis/wit/workitems/\d+$"),
        "comment": Call("POST", r"(?i)/workitems/\d+/comments$"),
        "attachment": Call("PATCH", r"(?i)/_apis/wit/workitems/\d+$"),
    }
    notice_is_signed = False
    notice_expires = False

    def make_sandbox(self) -> AzureDevOpsSandbox:
        sandbox = AzureDevOpsSandbox()
        sandbox.settings.required_in_state = {"Resolved": ["Custom.Category"]}
        return sandbox

    async def start(self) -> None:
        await super().start()
        headers = {"Authorization": "Basic " + base64.b64encode(f":{seed.DAVID_PAT}".encode()).decode()}
        self.person = aiohttp.ClientSession(self.origin, headers=headers, raise_for_status=True)

    async def stop(self) -> None:
        await self.person.close()
        await super().stop()

    def connector(
        self, *, secrets: Mapping[str, str] | None = None, settings: Mapping[str, Any] | None = None
    ) -> Connector:
        return AzureDevOpsConnector(
            Context(
                f"{self.origin}/{seed.ORGANIZATION}",
                {"project": "Shop", **(settings or {})},
                {"pat": seed.SYNC_PAT, **(secrets or {})},
                OutboundGuard([self.origin.removeprefix("http://")]),
            )
        )

    async def person_creates(self, fields: Fields) -> ExternalRef:
        address = f"/{seed.ORGANIZATION}/Shop/_apis/wit/workitems/$Bug"
        async with self.person.post(address, params=VERSION, data=_as_patch(fields), headers=PATCH) as answer:
            number = str((await answer.json())["id"])
        return ExternalRef(number, key=number)

    async def person_edits(self, ref: ExternalRef, fields: Fields) -> None:
        await self._patch(ref, _as_patch(fields))

    async def person_comments(self, ref: ExternalRef, text: str, visibility: Visibility) -> None:
        address = f"/{seed.ORGANIZATION}/Shop/_apis/wit/workItems/{ref.id}/comments"
        body = {"text": richtext.to_html(text)}
        async with self.person.post(address, params={"api-version": "7.1-preview.4"}, json=body):
            pass

    async def person_attaches(self, ref: ExternalRef, name: str, content: bytes) -> None:
        address = f"/{seed.ORGANIZATION}/Shop/_apis/wit/attachments"
        headers = {"Content-Type": "application/octet-stream"}
        params = {**VERSION, "fileName": name}
        async with self.person.post(address, params=params, data=content, headers=headers) as answer:
            url = (await answer.json())["url"]
        relation = {"rel": "AttachedFile", "url": url, "attributes": {"comment": ""}}
        await self._patch(ref, json.dumps([{"op": "add", "path": "/relations/-", "value": relation}]))

    async def person_deletes(self, ref: ExternalRef) -> None:
        async with self.person.delete(f"/{seed.ORGANIZATION}/Shop/_apis/wit/workitems/{ref.id}", params=VERSION):
            pass

    def notice(self, ref: ExternalRef, secret: str, at: datetime, body: bytes | None = None) -> NoticeRequest:
        event = {
            "subscriptionId": "1f2e0000-0000-0000-0000-000000000000",
            "notificationId": 14,
            "id": "27646e0e-b520-4d2b-9411-bba7524947cd",
            "eventType": "workitem.updated",
            "publisherId": "tfs",
            "resource": {"id": 7, "workItemId": int(ref.id), "rev": 7},
            "createdDate": at.isoformat(),
        }
        return NoticeRequest(
            {"x-siam-secret": secret}, json.dumps(event).encode() if body is None else body, at, (secret,)
        )

    async def _patch(self, ref: ExternalRef, patch: str) -> None:
        address = f"/{seed.ORGANIZATION}/_apis/wit/workitems/{ref.id}"
        async with self.person.patch(address, params=VERSION, data=patch, headers=PATCH):
            pass


def _as_patch(fields: Fields) -> str:
    members = {name: richtext.to_html(str(value)) if name == BODY else value for name, value in fields.items()}
    patch = [{"op": "add", "path": f"/fields/{name}", "value": value} for name, value in members.items()]
    return json.dumps(patch)
