"""Setting the demo up through the same verbs that pages and API use: cast, connections, rules, webhooks."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.ecosystem.selectors import principal_of
from apps.sync import services
from apps.sync.models import Connection
from apps.sync.rules import template_for
from apps.tickets.actor import Actor

from ..cast import Cast
from .people import subscribe
from .stage import Stage

SYSTEMS: dict[str, dict[str, Any]] = {
    "jira": {
        "organization": "infinity-architecture",
        "manager": "John",
        "name": "Jira of Infinity Architecture",
        "path": "",
        "settings": {"project": "OPS", "index_lag_seconds": 2},
        "secrets": {"email": "siam-sync@infinity.example", "api_token": "jira-sync-token"},
    },
    "servicenow": {
        "organization": "infinity-projects",
        "manager": "Elaine",
        "name": "ServiceNow of Infinity Projects",
        "path": "",
        "settings": {"settle_seconds": 2},
        "secrets": {"username": "siam.sync", "password": "snow-sync-password"},
    },
    "azure_devops": {
        "organization": "global",
        "manager": "David",
        "name": "Azure DevOps of Global",
        "path": "/global",
        "settings": {"project": "Shop"},
        "secrets": {"pat": "ado-sync-pat"},
    },
    "zendesk": {
        "organization": "mercuri",
        "manager": "Mercuri Manager",
        "name": "Zendesk of Mercuri",
        "path": "",
        "settings": {"client_id": "siamportal"},
        # Zendesk allows ten reads of its export a minute.
        "poll_seconds": 10,
        "secrets": {"client_secret": "zendesk-client-secret"},
    },
}


class SetUpFailed(Exception):
    """The demo could not be set up; the text says which rules or settings are wrong."""


def actor_for(cast: Cast, person: str, organization: str) -> Actor:
    user = cast.people[person].user
    return Actor(principal_of(user), cast.organizations[organization], user, person)


HANDFUL_OF_A_REPLAY = 1_000_000
"""Weeks of closing and re-opening within minutes are what a replay is for, and no release gone wrong."""


def connect(stage: Stage, cast: Cast, *, poll_seconds: int = 5, handful: int | None = None) -> dict[str, Connection]:
    """One connection for each system, checked, with its template rules tried, published and in use.

    ``handful``: so many tickets may be closed or re-opened within ten minutes before the brake asks.
    """
    settings.SIAM_OUTBOUND_ALLOW = stage.allowed.split(",")
    at = timezone.now()
    made = {name: _connect(name, stage, cast, poll_seconds, at, handful) for name in SYSTEMS}
    addresses = {name: f"{stage.portal}/hooks/{connection.notice_key}/" for name, connection in made.items()}
    own = {name: services.notice_secrets(connection)[0] for name, connection in made.items()}
    for name, secret in subscribe(stage.doors, addresses, own).items():
        actor = actor_for(cast, SYSTEMS[name]["manager"], SYSTEMS[name]["organization"])
        services.change_connection(connection=made[name], actor=actor, secrets={"notice_secret": secret})
    return {name: services.refresh(connection) for name, connection in made.items()}


def _connect(name: str, stage: Stage, cast: Cast, poll_seconds: int, at: datetime, handful: int | None) -> Connection:
    system = SYSTEMS[name]
    actor = actor_for(cast, system["manager"], system["organization"])
    former = Connection.objects.filter(organization=actor.organization, name=system["name"]).first()
    if former is not None:
        # The sandboxes of an earlier demo are gone with everything in them.
        former.name = f"{former.name} (until {at:%Y-%m-%d %H:%M:%S})"
        former.state, former.state_reason, former.state_since = Connection.State.PAUSED, "Its sandbox has ended.", at
        former.save()
    connection = services.create_connection(
        actor=actor,
        name=system["name"],
        connector=name,
        base_url=stage.doors[name].address + system["path"],
        settings=system["settings"],
        secrets=system["secrets"],
        at=at,
        poll_seconds=max(poll_seconds, system.get("poll_seconds", 1)),
        brake_handful=handful,
    )
    services.check_connection(connection=connection, actor=actor, at=at)
    version = services.draft_rules(
        connection=connection, document=rules_for(name), actor=actor, at=at, note="from the template"
    )
    wrong = [finding for finding in services.try_rules(version=version, actor=actor) if finding.is_error]
    if wrong:
        raise SetUpFailed(f"{name}: " + "; ".join(f"{one.place}: {one.text}" for one in wrong))
    services.publish_rules(version=version, actor=actor, at=at)
    return services.resume_connection(connection=connection, actor=actor, at=at)


def rules_for(name: str) -> dict[str, Any]:
    """The template as it comes, with what this ecosystem decided on top."""
    document = template_for(name)
    assert document is not None
    if name == "servicenow":
        document["inbound"]["closed"] = "withhold"
    if name == "zendesk":
        # Zendesk solves nothing without an assignee.
        assignee = {"assignee_id": {"value": "Mercuri Agent"}}
        document["with_status"] = {"solved": assignee, "closed": assignee}
    return document
