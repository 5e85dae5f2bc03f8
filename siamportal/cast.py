"""Loads the demo cast of ``fixtures/cast.json``: organizations, people, accounts, routes. Twice is harmless."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction

from apps.accounts.models import User
from apps.ecosystem.models import EndCustomer, Organization, Person, Unit
from apps.ecosystem.services import add_member
from apps.tickets.models import Route

DEMO_PASSWORD = "one-ticket-four-systems"  # noqa: S105  a demo's sign-in, printed by the demo


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody by slug or by name."""

    organizations: dict[str, Organization]
    people: dict[str, Person]


@transaction.atomic
def load_cast(*, password: str | None = DEMO_PASSWORD) -> Cast:
    """Create whoever of the cast is not there yet. ``password`` None: accounts that cannot sign in with one."""
    played = json.loads((settings.BASE_DIR / "fixtures" / "cast.json").read_text())
    organizations: dict[str, Organization] = {}
    for entry in played["organizations"]:
        organizations[entry["slug"]] = _load_organization(entry, organizations)
    # One hash for all: every further one costs half a second, and the demo prints the password anyway.
    hashed = make_password(password)
    people = {entry["name"]: _load_person(entry, organizations, hashed) for entry in played["people"]}
    for entry in played["routes"]:
        _load_route(entry, organizations)
    return Cast(organizations, people)


def _load_organization(entry: dict[str, Any], known: dict[str, Organization]) -> Organization:
    customer = known.get(entry.get("customer", ""))
    organization, is_new = Organization.objects.get_or_create(
        slug=entry["slug"],
        defaults={
            "name": entry["name"],
            "layer": entry["layer"],
            "nature": entry["nature"],
            "customer": customer,
            "contract_owner": customer if entry["nature"] == Organization.Nature.EXTERNAL else None,
            "description": entry["description"],
        },
    )
    if is_new:
        for name in entry.get("units", []):
            Unit.objects.create(organization=organization, name=name)
        for name in entry.get("end_customers", []):
            EndCustomer.objects.create(organization=organization, name=name)
    return organization


def _load_person(entry: dict[str, Any], organizations: dict[str, Organization], hashed: str) -> Person:
    user, _ = User.objects.get_or_create(email=entry["email"], defaults={"name": entry["name"], "password": hashed})
    person, _ = Person.objects.get_or_create(user=user, defaults={"name": entry["name"], "email": entry["email"]})
    if "organization" in entry:
        add_member(
            person=person,
            organization=organizations[entry["organization"]],
            role=entry["role"],
            job_title=entry["job_title"],
            from_date=date(2026, 1, 1),
            actor=None,
        )
    return person


def _load_route(entry: dict[str, Any], organizations: dict[str, Organization]) -> None:
    Route.objects.get_or_create(
        customer=organizations["infinity"],
        position=entry["position"],
        defaults={
            "from_organization": organizations.get(entry.get("from", "")),
            "category": entry.get("category", ""),
            "to_organization": organizations[entry["to"]],
        },
    )
