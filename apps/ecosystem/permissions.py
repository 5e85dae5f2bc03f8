"""Who sees which organizations and people: one's own, the customer and its integrator; the whole ecosystem for those
who govern or integrate it. A provider does not learn which other providers there are (T16)."""

from typing import Any

from django.db.models import Q, QuerySet

from apps.access.levels import Level
from apps.access.policy import declare
from apps.access.principal import Principal

from .models import EndCustomer, Membership, Organization, Person, Unit

ORGANIZATION = "organization"


def _organizations(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
    own = Q(pk__in=principal.where(ORGANIZATION, level))
    if level > Level.READ:
        return rows.filter(own)
    heads = Organization.objects.filter(pk__in=principal.where(ORGANIZATION)).values("customer")
    customer = Q(pk__in=heads)
    integrator = Q(customer__in=heads, layer=Organization.Layer.INTEGRATOR) | Q(
        customer__in=principal.where(ORGANIZATION), layer=Organization.Layer.INTEGRATOR
    )
    return rows.filter(own | customer | integrator | Q(pk__in=principal.circle))


def _within(field: str) -> Any:
    def rows_of(rows: QuerySet[Any], principal: Principal, level: Level) -> QuerySet[Any]:
        reach = principal.where(ORGANIZATION, level)
        return rows.filter(**{field + "__in": reach | principal.circle if level == Level.READ else reach}).distinct()

    return rows_of


declare(Organization, resource=ORGANIZATION, title="organizations", rows=_organizations)
declare(Unit, resource=ORGANIZATION, title="business units", rows=_within("organization"))
declare(EndCustomer, resource=ORGANIZATION, title="end customers", rows=_within("organization"))
declare(Membership, resource=ORGANIZATION, title="memberships", rows=_within("organization"))
declare(Person, resource=ORGANIZATION, title="people", rows=_within("memberships__organization"))
