"""Rules of a connection: drafted, tested against the system, published, retired. One version rules at a time."""

import asyncio
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.access.kernel import require
from apps.access.levels import Level
from apps.tickets.actor import Actor

from ..engine.rules import SyncRules
from ..models import Connection, RulesVersion, TicketLink
from ..rules import Finding, RulesRefused, compile_rules, read_document, validate
from .making import connector_for


class RulesNotReady(Exception):
    """Only a tested version can be published; the text names the state it is in and what to do."""


def published_rules(connection: Connection) -> SyncRules | None:
    """The rules in force, compiled; None while nothing is published."""
    row = (
        RulesVersion.objects.filter(connection=connection, state=RulesVersion.State.PUBLISHED)
        .values_list("pk", "number")
        .first()
    )
    return None if row is None else _compiled(*row)


@lru_cache(maxsize=256)
def _compiled(pk: UUID, number: int) -> SyncRules:
    # A published document never changes, so its id is all that a cache needs to know.
    row = RulesVersion.objects.get(pk=pk)
    return compile_rules(read_document(row.document), version=number, limits=row.limits)


@transaction.atomic
def draft_rules(*, connection: Connection, document: Any, actor: Actor, at: datetime, note: str = "") -> RulesVersion:
    """Store a document as the next version. Raises RulesRefused naming each place that is wrong."""
    require(actor.principal, Level.FULL, connection)
    read_document(document)
    Connection.objects.select_for_update().get(pk=connection.pk)
    last = RulesVersion.objects.filter(connection=connection).order_by("-number").first()
    return RulesVersion.objects.create(
        connection=connection,
        number=last.number + 1 if last else 1,
        document=document,
        author=actor.user,
        note=note,
        created_at=at,
    )


def try_rules(*, version: RulesVersion, actor: Actor) -> list[Finding]:
    """Compare a draft with the system's schema, live. Without errors the version becomes *tested*.

    Raises ConnectorError when the system cannot be asked.
    """
    require(actor.principal, Level.FULL, version.connection)
    schema = asyncio.run(_read_schema(version.connection))
    findings, limits = validate(read_document(version.document), schema)
    if version.state in (RulesVersion.State.DRAFT, RulesVersion.State.TESTED):
        has_errors = any(finding.is_error for finding in findings)
        version.state = RulesVersion.State.DRAFT if has_errors else RulesVersion.State.TESTED
        version.limits = limits
        version.save()
    return findings


async def _read_schema(connection: Connection) -> Any:
    async with connector_for(connection) as connector:
        return await connector.schema()


@transaction.atomic
def publish_rules(*, version: RulesVersion, actor: Actor, at: datetime) -> RulesVersion:
    """Put a tested version in force; lanes that waited for rules go on. Raises RulesNotReady."""
    require(actor.principal, Level.FULL, version.connection)
    if version.state not in (RulesVersion.State.TESTED, RulesVersion.State.RETIRED):
        raise RulesNotReady(f"version {version.number} is {version.get_state_display()}; test it without errors first")
    for former in RulesVersion.objects.filter(connection=version.connection, state=RulesVersion.State.PUBLISHED):
        former.state = RulesVersion.State.RETIRED
        former.save()
    version.state, version.published_at = RulesVersion.State.PUBLISHED, at
    version.save()
    held = TicketLink.objects.filter(connection=version.connection)
    held.filter(delivery_hold__cause="rules").update(delivery_hold=None, attempts=0, due_at=at)
    held.filter(intake_hold__cause="rules").update(intake_hold=None, attempts=0, due_at=at)
    return version


__all__ = ["RulesNotReady", "RulesRefused", "draft_rules", "publish_rules", "published_rules", "try_rules"]
