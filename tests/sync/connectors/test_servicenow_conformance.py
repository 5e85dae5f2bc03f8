"""The ServiceNow connector keeps the contract of all connectors, against the sandbox."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import aiohttp

from apps.foundation.outbound import OutboundGuard
from apps.sandbox.servicenow import seed
from apps.sandbox.servicenow.sandbox import ServiceNowSandbox
from apps.sync.connectors.base import NoticeRequest
from apps.sync.connectors.http import Context
from apps.sync.connectors.servicenow.connector import ServiceNowConnector
from apps.sync.connectors.servicenow.webhook import sign
from apps.sync.engine.snapshot import ExternalRef, Fields, Visibility

from .conformance import Call, ConnectorConformance, LongWayConformance, SandboxUnderTest, Vocabulary

TABLE = "/api/now/v2/table/incident"
SECRETS = {"username": seed.SYNC_USER, "password": seed.SYNC_PASSWORD}


class ServiceNowUnderTest(SandboxUnderTest):
    """The incident table of one instance; John reports, an administrator closes and deletes."""

    vocabulary = Vocabulary(
        type="incident",
        title="short_description",
        description="description",
        choice="u_site",
        choice_values=("berlin", "paris"),
        unknown_choice="rome",
        status="state",
        initial="1",
        middle="2",
        resolved="6",
        too_long=("short_description", "x" * 161),
        wrong_secrets={"password": "wrong"},
        keeps_markup=False,
        comments_keep_markup=False,
        custom_text="u_deployment_stage",
        resolving={"close_code": "Solution provided", "close_notes": "Restarted"},
        required_to_resolve="close_code",
        wrong_settings={"table": "u_nope"},
    )
    calls = {
        "create": Call("POST", rf"{TABLE}$"),
        "update": Call("PATCH", rf"{TABLE}/"),
        "comment": Call("PATCH", rf"{TABLE}/"),
        "attachment": Call("POST", r"/api/now/attachment/file$"),
    }

    def make_sandbox(self) -> ServiceNowSandbox:
        return ServiceNowSandbox()

    async def start(self) -> None:
        await super().start()
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        await self._session.close()
        await super().stop()

    def connector(
        self, *, secrets: Mapping[str, str] | None = None, settings: Mapping[str, Any] | None = None
    ) -> ServiceNowConnector:
        return ServiceNowConnector(
            Context(
                base_url=self.origin,
                settings={"settle_seconds": 0, **(settings or {})},
                secrets={**SECRETS, **(secrets or {})},
                guard=OutboundGuard([self.origin.removeprefix("http://")]),
            )
        )

    async def _act(self, method: str, path: str, *, is_admin: bool = False, **rest: Any) -> Any:
        user, password = (seed.ADMIN_USER, seed.ADMIN_PASSWORD) if is_admin else (seed.JOHN, seed.JOHN_PASSWORD)
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Accept": "application/json", "Authorization": f"Basic {pair}", **rest.pop("headers", {})}
        async with self._session.request(method, self.origin + path, headers=headers, **rest) as answer:
            assert answer.status in (200, 201, 204), await answer.text()
            return (await answer.json())["result"] if answer.status != 204 else None

    async def person_creates(self, fields: Fields) -> ExternalRef:
        record = await self._act("POST", TABLE, json=_as_sent({**self.vocabulary.new, **fields}))
        return ExternalRef(record["sys_id"], record["number"])

    async def person_edits(self, ref: ExternalRef, fields: Fields) -> None:
        # Inside one second nothing tells whether a file came before or after an edit.
        self.bring_forward(1)
        await self._act("PATCH", f"{TABLE}/{ref.id}", json=_as_sent(fields))

    async def person_comments(self, ref: ExternalRef, text: str, visibility: Visibility) -> None:
        element = "comments" if visibility is Visibility.PUBLIC else "work_notes"
        await self._act("PATCH", f"{TABLE}/{ref.id}", json={element: text})

    async def person_attaches(self, ref: ExternalRef, name: str, content: bytes) -> None:
        await self._act(
            "POST",
            "/api/now/attachment/file",
            params={"table_name": "incident", "table_sys_id": ref.id, "file_name": name},
            data=content,
            headers={"Content-Type": "application/octet-stream"},
        )

    async def person_deletes(self, ref: ExternalRef) -> None:
        await self._act("DELETE", f"{TABLE}/{ref.id}", is_admin=True)

    async def close_for_good(self, ref: ExternalRef) -> None:
        resolving = {"state": "6", **self.vocabulary.resolving}
        await self._act("PATCH", f"{TABLE}/{ref.id}", is_admin=True, json=_as_sent(resolving))
        await self._act("PATCH", f"{TABLE}/{ref.id}", is_admin=True, json={"state": "7"})

    def notice(self, ref: ExternalRef, secret: str, at: datetime, body: bytes | None = None) -> NoticeRequest:
        if body is None:
            told = {"table": "incident", "sys_id": ref.id, "number": ref.key, "operation": "update"}
            body = json.dumps(told).encode()
        timestamp = str(int(at.timestamp()))
        headers = {
            "content-type": "application/json",
            "x-siam-event-id": f"{timestamp}-{ref.id}",
            "x-siam-timestamp": timestamp,
            "x-siam-signature": sign(secret, timestamp, body),
        }
        return NoticeRequest(headers, body, at, (secret,))


def _as_sent(fields: Fields) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in fields.items()}


class TestServiceNowConformance(ConnectorConformance):
    def make_system(self) -> ServiceNowUnderTest:
        return ServiceNowUnderTest()


class ChangesUnderTest(ServiceNowUnderTest):
    """The changes of the same instance, whose state model allows one step at a time."""

    vocabulary = replace(
        ServiceNowUnderTest.vocabulary, type="change_request", initial="-5", middle="-4", resolved="-2", resolving={}
    )

    def connector(
        self, *, secrets: Mapping[str, str] | None = None, settings: Mapping[str, Any] | None = None
    ) -> ServiceNowConnector:
        return super().connector(secrets=secrets, settings={"table": "change_request", **(settings or {})})


class TestServiceNowLongWay(LongWayConformance):
    def make_system(self) -> ChangesUnderTest:
        return ChangesUnderTest()
