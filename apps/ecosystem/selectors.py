"""Reading the ecosystem: organizations by viewer, and who an account is."""

from typing import Any

from django.db.models import QuerySet

from apps.access.kernel import read_grants, visible_to
from apps.access.levels import Level
from apps.access.principal import NOBODY, Principal

from .models import EndCustomer, Membership, Organization, Unit

CIRCLE = "circle"
"""Holding this resource on one organization reaches all organizations of its ecosystem."""


def principal_of(user: Any) -> Principal:
    """The rights of an account as of now. Nothing is cached: a right withdrawn is gone at the next request."""
    if user is None or not user.is_authenticated or not user.is_active:
        return NOBODY
    grants = read_grants(user, Organization)
    mine = frozenset(scope for scopes in grants.values() for scope in scopes)
    wide = [scope for scope, level in grants.get(CIRCLE, {}).items() if level >= Level.READ]
    circle = frozenset(_ecosystem_ids(wide)) if wide else frozenset()
    return Principal(user_id=user.pk, name=user.get_full_name(), organizations=mine, grants=grants, circle=circle)


def _ecosystem_ids(scopes: list[Any]) -> set[Any]:
    heads = {organization.ecosystem_id for organization in Organization.objects.filter(pk__in=scopes)}
    around = Organization.objects.filter(customer__in=heads).values_list("pk", flat=True)
    return heads | set(around)


def organizations(*, seen_by: Principal) -> QuerySet[Organization]:
    """The organizations that the viewer may know, with their customer and contract owner, by name."""
    return visible_to(Organization.objects.all(), seen_by).select_related("customer", "contract_owner").order_by("name")


def integrator_of(customer: Organization) -> Organization | None:
    """The service integrator of a customer's ecosystem (G3: there is at most one)."""
    return Organization.objects.filter(customer=customer, layer=Organization.Layer.INTEGRATOR).first()


def ecosystem_of(organization: Organization) -> QuerySet[Organization]:
    """Every organization of the same ecosystem, the customer included."""
    head = organization.ecosystem_id
    return Organization.objects.filter(customer=head) | Organization.objects.filter(pk=head)


def members_of(organization: Organization, *, seen_by: Principal) -> QuerySet[Membership]:
    """Who holds which role in an organization today."""
    rows = visible_to(Membership.objects.filter(organization=organization, to_date=None), seen_by)
    return rows.select_related("person", "unit").order_by("person__name", "role")


def units_of(organization: Organization, *, seen_by: Principal) -> QuerySet[Unit]:
    """The business units of an organization, by name."""
    return visible_to(Unit.objects.filter(organization=organization), seen_by).order_by("name")


def end_customers_of(organization: Organization, *, seen_by: Principal) -> QuerySet[EndCustomer]:
    """Who buys from an organization, by name."""
    return visible_to(EndCustomer.objects.filter(organization=organization), seen_by).order_by("name")
