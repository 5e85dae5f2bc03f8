"""Rules of a connection: drafted, tested against the system, published, retired. One version rules at a time."""

import asyncio
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.access.kernel import require
from apps.access.levels import Level
from apps.tickets.actor import Actor

from ..connectors.http import Gate
from ..crashpoints import reached
from ..models import Connection, RulesVersion, TicketLink
from ..rules import Finding, RulesRefused, read_document, validate
from ..store.rules import published_rules
from .gates import visit
from .making import connector_for


class RulesNotReady(Exception):
    """Only a tested version can be published; the text names the state it is in and what to do."""


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
    with visit(version.connection) as gate:
        schema = asyncio.run(_read_schema(version.connection, gate))
    findings, limits = validate(read_document(version.document), schema)
    if version.state in (RulesVersion.State.DRAFT, RulesVersion.State.TESTED):
        has_errors = any(finding.is_error for finding in findings)
        version.state = RulesVersion.State.DRAFT if has_errors else RulesVersion.State.TESTED
        version.limits = limits
        version.save()
    return findings


async def _read_schema(connection: Connection, gate: Gate) -> Any:
    async with connector_for(connection, gate=gate) as connector:
        return await connector.schema()


@transaction.atomic
def publish_rules(*, version: RulesVersion, actor: Actor, at: datetime) -> RulesVersion:
    """Put a tested version in force; lanes that waited for rules go on. Raises RulesNotReady."""
    require(actor.principal, Level.FULL, version.connection)
    if version.state not in (RulesVersion.State.TESTED, RulesVersion.State.RETIRED):
        raise RulesNotReady(f"version {version.number} is {version.get_state_display()}; test it without errors first")
    _put_in_force(version, at)
    reached("rules published")
    return version


@transaction.atomic
def _put_in_force(version: RulesVersion, at: datetime) -> None:
    for former in RulesVersion.objects.filter(connection=version.connection, state=RulesVersion.State.PUBLISHED):
        former.state = RulesVersion.State.RETIRED
        former.save()
    version.state, version.published_at = RulesVersion.State.PUBLISHED, at
    version.save()
    held = TicketLink.objects.filter(connection=version.connection)
    held.filter(delivery_hold__cause="rules").update(delivery_hold=None, attempts=0, due_at=at)
    held.filter(intake_hold__cause="rules").update(intake_hold=None, attempts=0, due_at=at)


__all__ = ["RulesNotReady", "RulesRefused", "draft_rules", "publish_rules", "published_rules", "try_rules"]
