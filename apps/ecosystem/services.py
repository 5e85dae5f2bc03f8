"""Changing the ecosystem: organizations, memberships and the rights that follow from them."""

from datetime import date
from typing import Any

from django.db import transaction

from apps.access import kernel
from apps.access.kernel import require
from apps.access.levels import Level
from apps.access.principal import Principal

from .models import Membership, Organization, Person, Role, Unit


class MembershipRefused(Exception):
    """The role cannot be held in that organization; the text names the rule."""


_LAYER_OF_ROLE = {
    Role.GOVERNANCE_LEAD: Organization.Layer.CUSTOMER,
    Role.INTEGRATOR_LEAD: Organization.Layer.INTEGRATOR,
    Role.INTEGRATOR_ANALYST: Organization.Layer.INTEGRATOR,
    Role.PROVIDER_MANAGER: Organization.Layer.PROVIDER,
    Role.PROVIDER_AGENT: Organization.Layer.PROVIDER,
}


@transaction.atomic
def add_member(
    *,
    person: Person,
    organization: Organization,
    role: str,
    from_date: date,
    actor: Principal | None,
    job_title: str = "",
    unit: Unit | None = None,
) -> Membership:
    """Give a person a role in an organization, and the rights that the Identity Access Matrix ties to it.

    The governance lead can only be in the customer organization (G14). ``actor`` None: the installation's operator.
    Raises MembershipRefused, Forbidden.
    """
    if actor is not None:
        require(actor, Level.FULL, organization)
    layer = _LAYER_OF_ROLE.get(Role(role))
    if layer is not None and organization.layer != layer:
        wanted = Organization.Layer(layer).label
        raise MembershipRefused(f"role: {Role(role).label} must sit in a {wanted}; {organization} is not one")
    membership, _ = Membership.objects.get_or_create(
        person=person,
        organization=organization,
        role=role,
        to_date=None,
        defaults={"from_date": from_date, "job_title": job_title, "unit": unit},
    )
    _refresh_rights(person, organization)
    return membership


@transaction.atomic
def end_membership(*, membership: Membership, to_date: date, actor: Principal | None) -> None:
    """End a membership; its rights are gone with the next request."""
    if actor is not None:
        require(actor, Level.FULL, membership.organization)
    membership.to_date = to_date
    membership.save()
    _refresh_rights(membership.person, membership.organization)


def grant_machine(user: Any, organization: Organization) -> None:
    """Give the machine account of a connection what machine accounts hold in their organization."""
    kernel.set_roles(user, organization, [Role.MACHINE])


def _refresh_rights(person: Person, organization: Organization) -> None:
    if person.user is None:
        return
    current = Membership.objects.filter(person=person, organization=organization, to_date=None)
    kernel.set_roles(person.user, organization, list(current.values_list("role", flat=True)))
