"""What a connection learns about its Jira site once: flavor, account, time zone, fields, and what it can carry."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apps.sync.connectors.base import SignInFailed
from apps.sync.engine.snapshot import ExternalRef

from .client import JiraClient, Server
from .failures import known_shape
from .settings import JiraSettings
from .translate import FieldKind, person_id, person_name, read_kinds


@dataclass
class Facts:
    """The answers of the site. ``has_properties`` is None until an issue could be asked."""

    server: Server
    account_id: str
    account_name: str
    zone: tzinfo
    is_service: bool
    kinds: dict[str, FieldKind]
    has_properties: bool | None
    statuses: dict[str, dict[str, str]] = field(default_factory=dict)
    """Issue type to status to status category, as the project's workflows have them; empty where not told."""


class Site:
    """Learns the facts at first use, once for all concurrent callers."""

    def __init__(self, client: JiraClient, settings: JiraSettings) -> None:
        self._client = client
        self._settings = settings
        self._lock = asyncio.Lock()
        self._facts: Facts | None = None

    async def facts(self) -> Facts:
        async with self._lock:
            if self._facts is None:
                self._facts = await self._learn()
            return self._facts

    async def forget(self) -> None:
        """Ask again at the next use (a check must prove the present, not the past)."""
        async with self._lock:
            self._facts = None

    async def _learn(self) -> Facts:
        client, settings = self._client, self._settings
        server = await client.server()
        client.is_cloud = server.is_cloud if settings.flavour == "detect" else settings.flavour == "cloud"
        me = await client.get("myself")
        with known_shape():
            account, name = person_id(me), person_name(me)
        if not account:
            # A wrong Basic credential can silently become an anonymous caller; then nobody is "myself".
            raise SignInFailed("Jira does not know who we are")
        project = await client.project()
        listed = await client.get("field")
        with known_shape():
            is_service = settings.service_project
            if is_service is None:
                is_service = project.get("projectTypeKey") == "service_desk"
            kinds = read_kinds(listed)
        has_properties = None if settings.markers == "detect" else settings.markers == "properties"
        has_properties = True if client.is_cloud and has_properties is None else has_properties
        return Facts(server, account, name, _zone(me), is_service, kinds, has_properties)

    async def has_properties(self, ref: ExternalRef) -> bool:
        """Whether marks can go into entity properties; a Data Center is asked on the first ticket at hand."""
        facts = await self.facts()
        if facts.has_properties is None:
            facts.has_properties = await self._client.has_properties(ref)
        return facts.has_properties

    async def statuses(self, issue_type: str) -> dict[str, str]:
        """All statuses of the type's workflow with their category (new, indeterminate, done); empty when unknown."""
        facts = await self.facts()
        if not facts.statuses:
            listed: Any = await self._client.get_or_none(f"project/{self._settings.project}/statuses")
            with known_shape():
                for row in listed or ():
                    facts.statuses[str(row["name"])] = {
                        str(status["name"]): str((status.get("statusCategory") or {}).get("key") or "")
                        for status in row["statuses"]
                    }
        return facts.statuses.get(issue_type, {})


def _zone(me: dict[str, Any]) -> tzinfo:
    """The zone in which quoted times of a query are read: the caller's profile zone."""
    try:
        return ZoneInfo(str(me.get("timeZone") or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
