"""Mercuri's Zendesk account in a sandbox, as a system under test."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp
import pytest

from apps.foundation.outbound import OutboundGuard
from apps.sandbox.zendesk import seed
from apps.sandbox.zendesk.sandbox import ZendeskSandbox
from apps.sync.connectors import richtext
from apps.sync.connectors.base import Connector, NoticeRequest
from apps.sync.connectors.http import Context
from apps.sync.connectors.zendesk.connector import ZendeskConnector
from apps.sync.engine.snapshot import ExternalRef, Fields, Visibility

from .system_under_test import Call, SandboxUnderTest, Vocabulary

STAGE = str(seed.STAGE_FIELD)


class ZendeskUnderTest(SandboxUnderTest):
    """Mercuri's account; the person is an agent of theirs."""

    vocabulary = Vocabulary(
        type="incident",
        title="subject",
        description="description",
        choice="priority",
        choice_values=("low", "high"),
        unknown_choice="P1",
        status="status",
        initial="new",
        middle="open",
        resolved="solved",
        too_long=("description", "x" * 66_000),
        wrong_secrets={"client_secret": "not-the-secret"},
        # the sandbox takes the language of a code block away
        keeps_markup=False,
        comments_keep_markup=False,
        custom_text=STAGE,
        resolving={"assignee_id": "Mercuri Agent"},
        required_to_resolve="assignee_id",
    )
    calls = {
        "create": Call("POST", r"/api/v2/tickets$"),
        "update": Call("PUT", r"/api/v2/tickets/\d+$"),
        "comment": Call("PUT", r"/api/v2/tickets/\d+$"),
        "attachment": Call("PUT", r"/api/v2/tickets/\d+$"),
    }

    def make_sandbox(self) -> ZendeskSandbox:
        sandbox = ZendeskSandbox()
        sandbox.settings.export_lag_seconds = 0
        # the suite is faster than an account lets anybody be; how the limits are told is tested by faults
        sandbox.settings.requests_per_minute = sandbox.settings.audits_per_minute = 1_000_000
        sandbox.settings.account_updates_per_minute = 1_000_000
        sandbox.settings.incremental_per_minute = 1000
        sandbox.settings.ticket_updates_per_ten_minutes = 1000
        sandbox.settings.agents_may_delete = True
        return sandbox

    async def start(self) -> None:
        await super().start()
        login = base64.b64encode(f"{seed.AGENT_EMAIL}/token:{seed.AGENT_TOKEN}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"}
        self.person = aiohttp.ClientSession(self.origin, headers=headers, raise_for_status=True)

    async def stop(self) -> None:
        await self.person.close()
        await super().stop()

    def connector(
        self, *, secrets: Mapping[str, str] | None = None, settings: Mapping[str, Any] | None = None
    ) -> Connector:
        address = self.origin.removeprefix("http://")
        return ZendeskConnector(
            Context(
                self.origin,
                {"client_id": seed.OAUTH_CLIENT_ID, **(settings or {})},
                {"client_secret": seed.OAUTH_CLIENT_SECRET, **(secrets or {})},
                # stored files are redirected to another host name of the sandbox
                OutboundGuard([address, address.replace("127.0.0.1", "localhost")]),
            )
        )

    async def person_creates(self, fields: Fields) -> ExternalRef:
        members = dict(fields)
        description = str(members.pop("description", "") or "Nothing works")
        ticket = {
            "type": "incident",
            "comment": {"html_body": richtext.to_html(description), "public": True},
            "requester_id": seed.CUSTOMER_ID,
            **_as_members(members),
        }
        async with self.person.post("/api/v2/tickets", json={"ticket": ticket}) as answer:
            number = str((await answer.json())["ticket"]["id"])
        return ExternalRef(number, key=number)

    async def person_creates_late(self, fields: Fields, seconds: float) -> ExternalRef:
        pytest.skip("the export withholds the minute in which anything may still come late")

    async def person_edits(self, ref: ExternalRef, fields: Fields) -> None:
        await self._put(ref, _as_members(fields))

    async def person_comments(self, ref: ExternalRef, text: str, visibility: Visibility) -> None:
        comment = {"html_body": richtext.to_html(text), "public": visibility is Visibility.PUBLIC}
        await self._put(ref, {"comment": comment})

    async def person_attaches(self, ref: ExternalRef, name: str, content: bytes) -> None:
        headers = {"Content-Type": "application/octet-stream"}
        async with self.person.post(
            "/api/v2/uploads", params={"filename": name}, data=content, headers=headers
        ) as answer:
            token = (await answer.json())["upload"]["token"]
        await self._put(ref, {"comment": {"body": "See the file", "public": True, "uploads": [token]}})

    async def person_deletes(self, ref: ExternalRef) -> None:
        async with self.person.delete(f"/api/v2/tickets/{ref.id}"):
            pass

    async def close_for_good(self, ref: ExternalRef) -> None:
        await self._put(ref, {"status": "solved", "assignee_id": seed.AGENT_ID})
        await self._put(ref, {"status": "closed"})

    async def true_state(self) -> Mapping[str, Any]:
        """The first comment is left out: the connector reads it as the description."""
        state = await super().true_state()
        tickets = [{**ticket, "comments": ticket["comments"][1:]} for ticket in state["tickets"]]
        return {**state, "tickets": tickets}

    def notice(self, ref: ExternalRef, secret: str, at: datetime, body: bytes | None = None) -> NoticeRequest:
        event = json.dumps(
            {
                "type": "zen:event-type:ticket.status_changed",
                "id": "2b24ef10-19d2-4740-93cf-3f98ec4776c0",
                "subject": f"zen:ticket:{ref.id}",
                "detail": {"id": ref.id, "status": "OPEN"},
                "event": {"current": "OPEN", "previous": "NEW"},
            }
        ).encode()
        body = event if body is None else body
        stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = hmac.new(secret.encode(), stamp.encode() + body, hashlib.sha256).digest()
        headers = {
            "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
            "x-zendesk-webhook-signature-timestamp": stamp,
            "x-zendesk-webhook-invocation-id": f"01JD3K{ref.id}",
        }
        return NoticeRequest(headers, body, at, (secret,))

    async def _put(self, ref: ExternalRef, ticket: Mapping[str, Any]) -> None:
        async with self.person.put(f"/api/v2/tickets/{ref.id}", json={"ticket": dict(ticket)}):
            pass


def _as_members(fields: Fields) -> dict[str, Any]:
    custom = [{"id": int(name), "value": value} for name, value in fields.items() if name.isdigit()]
    members = {name: value for name, value in fields.items() if not name.isdigit()}
    if members.get("assignee_id") == "Mercuri Agent":
        members["assignee_id"] = seed.AGENT_ID
    return {**members, **({"custom_fields": custom} if custom else {})}
