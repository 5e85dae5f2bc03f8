from django.db.models import QuerySet
from django_filters.rest_framework import BooleanFilter, CharFilter, ChoiceFilter, FilterSet

from ..models import Membership, Organization, Role


class OrganizationFilters(FilterSet):
    layer = ChoiceFilter(choices=Organization.Layer.choices)
    nature = ChoiceFilter(choices=Organization.Nature.choices)
    q = CharFilter(field_name="name", lookup_expr="icontains", max_length=200, label="Part of the name.")


class MemberFilters(FilterSet):
    role = ChoiceFilter(choices=Role.choices)
    is_current = BooleanFilter(
        method="narrow_to_current", label="Only memberships that have not ended, or only ended ones."
    )

    def narrow_to_current(self, rows: QuerySet[Membership], _name: str, value: bool) -> QuerySet[Membership]:
        return rows.filter(to_date__isnull=value)
