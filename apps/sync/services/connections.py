"""Setting up connections: created, checked, changed, paused and resumed by the organization that owns them (T13)."""

import asyncio
import secrets as randomness
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from pydantic import ValidationError

from apps.access.kernel import Forbidden, require
from apps.access.levels import Level
from apps.accounts.services import make_machine_account
from apps.ecosystem.services import grant_machine
from apps.foundation import wake
from apps.foundation.outbound import AddressRefused, OutboundGuard
from apps.tickets.actor import Actor

from ..connectors.base import ConnectorError, SystemCard, Unreachable
from ..connectors.catalog import CONNECTORS, ConnectorClass
from ..connectors.http import Gate
from ..engine.allowance import SMALLEST_A_MINUTE, SMALLEST_AN_HOUR
from ..models import Connection, ConnectionPulse, TicketLink
from ..permissions import CONNECTION
from .gates import visit
from .making import connector_for
from .ruling import published_rules

USUAL_HANDFUL = 10
VISIT_SECONDS = 15.0
"""How long a person waits for a system, and with them a thread of the web server."""


class ConnectionRefused(Exception):
    """The connection cannot be set up so. ``problems``: field → what is wrong and what would be right."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {text}" for field, text in problems.items()))
        self.problems = problems


@transaction.atomic
def create_connection(
    *,
    actor: Actor,
    name: str,
    connector: str,
    base_url: str,
    settings: Mapping[str, Any],
    secrets: Mapping[str, str],
    at: datetime,
    poll_seconds: int = 60,
    brake_handful: int | None = None,
    calls_per_minute: int | None = None,
    calls_per_hour: int | None = None,
) -> Connection:
    """Set up a connection of the actor's organization. It rests until its rules are published and it is resumed.

    Raises ConnectionRefused naming each field that is wrong.
    """
    if actor.organization.pk not in actor.principal.where(CONNECTION, Level.FULL):
        raise Forbidden(f"setting up connections of {actor.organization} needs full access to them")
    _check(connector, base_url, settings, secrets)
    _check_allowance(calls_per_minute, calls_per_hour)
    machine = make_machine_account(
        name=name, email=f"{randomness.token_hex(8)}@{actor.organization.slug}.connections.invalid"
    )
    grant_machine(machine, actor.organization)
    try:
        with transaction.atomic():
            connection = Connection.objects.create(
                organization=actor.organization,
                name=name,
                connector=connector,
                base_url=base_url.rstrip("/"),
                settings=dict(settings),
                secrets={"notice_secret": randomness.token_urlsafe(32), **secrets},
                machine=machine,
                state_since=at,
                poll_seconds=poll_seconds,
                brake_handful=brake_handful or USUAL_HANDFUL,
                calls_per_minute=calls_per_minute,
                calls_per_hour=calls_per_hour,
                created_at=at,
            )
    except IntegrityError as problem:
        raise ConnectionRefused({"name": f"{actor.organization} already has a connection {name!r}"}) from problem
    ConnectionPulse.objects.create(connection=connection)
    return connection


@transaction.atomic
def change_connection(
    *,
    connection: Connection,
    actor: Actor,
    name: str | None = None,
    base_url: str | None = None,
    settings: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    poll_seconds: int | None = None,
    brake_handful: int | None = None,
    allowance: Mapping[str, int | None] | None = None,
) -> Connection:
    """Change address, settings or secrets; what is None stays. Secrets are only ever replaced, never shown.

    ``allowance`` names the most calls by length, None for no limit of one's own.

    Raises ConnectionRefused naming each field that is wrong.
    """
    require(actor.principal, Level.FULL, connection)
    fresh = Connection.objects.select_for_update().get(pk=connection.pk)
    fresh.name = name or fresh.name
    fresh.base_url = (base_url or fresh.base_url).rstrip("/")
    fresh.settings = dict(settings) if settings is not None else fresh.settings
    fresh.secrets = {**fresh.secrets, **(secrets or {})}
    fresh.poll_seconds = poll_seconds or fresh.poll_seconds
    fresh.brake_handful = brake_handful or fresh.brake_handful
    fresh.calls_per_minute = (allowance or {}).get("calls_per_minute", fresh.calls_per_minute)
    fresh.calls_per_hour = (allowance or {}).get("calls_per_hour", fresh.calls_per_hour)
    own = {key: value for key, value in fresh.secrets.items() if not key.endswith("notice_secret")}
    _check(fresh.connector, fresh.base_url, fresh.settings, own)
    _check_allowance(fresh.calls_per_minute, fresh.calls_per_hour)
    if allowance:
        ConnectionPulse.objects.filter(connection=fresh).update(spent_until=None)
    try:
        with transaction.atomic():
            fresh.save()
    except IntegrityError as problem:
        raise ConnectionRefused({"name": f"another connection already has the name {fresh.name!r}"}) from problem
    return fresh


def _check(connector: str, base_url: str, settings: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
    from django.conf import settings as installation

    if connector not in CONNECTORS:
        raise ConnectionRefused({"connector": f"{connector!r} is not one of {', '.join(CONNECTORS)}"})
    problems: dict[str, str] = {}
    try:
        OutboundGuard(installation.SIAM_OUTBOUND_ALLOW).check_url(base_url)
    except AddressRefused as problem:
        problems["base_url"] = str(problem)
    kind = CONNECTORS[connector]
    # Which secrets are needed follows from the settings, so both are read in the light of the settings given.
    context = {"sign_in": settings.get("sign_in", _default_sign_in(kind))}
    for part, model, given in (("settings", kind.Settings, settings), ("secrets", kind.Secrets, secrets)):
        own = {name: value for name, value in given.items() if not name.endswith("notice_secret")}
        try:
            model.model_validate(own, context=context)
        except ValidationError as problem:
            for error in problem.errors(include_input=False):
                problems[".".join([part, *map(str, error["loc"])])] = error["msg"]
    if problems:
        raise ConnectionRefused(problems)


def _check_allowance(per_minute: int | None, per_hour: int | None) -> None:
    asked = {"calls_per_minute": (per_minute, SMALLEST_A_MINUTE), "calls_per_hour": (per_hour, SMALLEST_AN_HOUR)}
    problems = {
        name: f"fewer than {least} calls cannot carry a ticket with its comments and files; empty means no limit"
        for name, (calls, least) in asked.items()
        if calls is not None and calls < least
    }
    if problems:
        raise ConnectionRefused(problems)


def _default_sign_in(kind: ConnectorClass) -> Any:
    field = kind.Settings.model_fields.get("sign_in")
    return field.default if field else None


def check_connection(*, connection: Connection, actor: Actor, at: datetime) -> SystemCard:
    """Ask the system who it is and whether our account works; the answer is shown and kept.

    Raises ConnectorError as the connector does.
    """
    require(actor.principal, Level.WRITE, connection)
    try:
        with visit(connection) as gate:
            card = asyncio.run(_check_live(connection, gate))
    except ConnectorError as problem:
        ConnectionPulse.objects.filter(connection=connection).update(
            last_failure_at=at, last_failure=problem.detail[:2000], checked_at=at
        )
        raise
    ConnectionPulse.objects.filter(connection=connection).update(
        product=card.product,
        version=card.version,
        account_name=card.account_name,
        warnings=list(card.warnings),
        checked_at=at,
        last_success_at=at,
        failures=0,
        resting_until=None,
    )
    return card


async def _check_live(connection: Connection, gate: Gate) -> SystemCard:
    try:
        async with asyncio.timeout(VISIT_SECONDS), connector_for(connection, gate=gate) as connector:
            return await connector.check()
    except TimeoutError as problem:
        raise Unreachable(f"the system did not answer within {VISIT_SECONDS:.0f} seconds") from problem


@transaction.atomic
def pause_connection(*, connection: Connection, actor: Actor, at: datetime, reason: str = "") -> Connection:
    """Stop exchanging with the system; what happens meanwhile queues up and is lost nowhere (INV-32)."""
    require(actor.principal, Level.WRITE, connection)
    return _set_state(connection, Connection.State.PAUSED, reason or f"Paused by {actor.name}.", at)


@transaction.atomic
def resume_connection(*, connection: Connection, actor: Actor, at: datetime) -> Connection:
    """Go on from the point of interruption, in the original order (T45). Raises ConnectionRefused without rules."""
    require(actor.principal, Level.WRITE, connection)
    if published_rules(connection) is None:
        raise ConnectionRefused({"rules": "no rules are published for this connection; publish a version first"})
    ConnectionPulse.objects.filter(connection=connection).update(failures=0, resting_until=None, poll_due_at=None)
    TicketLink.objects.filter(connection=connection, due_at__gt=at).update(due_at=at)
    resumed = _set_state(connection, Connection.State.ACTIVE, "", at)
    wake.ring("connection", str(connection.pk))
    return resumed


def _set_state(connection: Connection, state: str, reason: str, at: datetime) -> Connection:
    fresh = Connection.objects.select_for_update().get(pk=connection.pk)
    fresh.state, fresh.state_reason, fresh.state_since = state, reason, at
    fresh.save()
    return fresh


def notice_secrets(connection: Connection) -> tuple[str, ...]:
    """The secrets with which webhooks may be signed, newest first; two while one is being replaced."""
    held = connection.secrets
    return tuple(held[name] for name in ("notice_secret", "former_notice_secret") if held.get(name))


@transaction.atomic
def renew_notice_secret(*, connection: Connection, actor: Actor) -> str:
    """A new webhook secret, shown this once; the former one stays valid until the next renewal."""
    require(actor.principal, Level.FULL, connection)
    fresh = Connection.objects.select_for_update().get(pk=connection.pk)
    new = randomness.token_urlsafe(32)
    fresh.secrets = {
        **fresh.secrets,
        "former_notice_secret": fresh.secrets.get("notice_secret", ""),
        "notice_secret": new,
    }
    fresh.save()
    return new
