from django.db.models import Q, QuerySet
from django_filters.rest_framework import (
    CharFilter,
    FilterSet,
    IsoDateTimeFilter,
    MultipleChoiceFilter,
    NumberFilter,
    UUIDFilter,
)

from ..models import Ticket, TicketEvent
from ..vocabulary import Category, Kind, Priority, Status


class TicketFilters(FilterSet):
    """What tickets can be narrowed by. Choices may be given several times; one of them must fit."""

    status = MultipleChoiceFilter(choices=Status.choices)
    priority = MultipleChoiceFilter(choices=Priority.choices)
    kind = MultipleChoiceFilter(choices=Kind.choices)
    category = MultipleChoiceFilter(choices=[choice for choice in Category.choices if choice[0]])
    held_by = UUIDFilter(field_name="held_by_id", label="Id of the organization that holds it.")
    opened_by = UUIDFilter(field_name="opened_by_id", label="Id of the organization that opened it.")
    updated_from = IsoDateTimeFilter(field_name="updated_at", lookup_expr="gte")
    updated_before = IsoDateTimeFilter(field_name="updated_at", lookup_expr="lt")
    q = CharFilter(method="search", max_length=200, label="Part of reference, title or description.")

    def search(self, rows: QuerySet[Ticket], _name: str, value: str) -> QuerySet[Ticket]:
        words = Q(reference__icontains=value) | Q(title__icontains=value) | Q(description__icontains=value)
        return rows.filter(words)


class EventFilters(FilterSet):
    after = NumberFilter(field_name="seq", lookup_expr="gt", min_value=0, max_value=2**31 - 1, label="Only later ones.")

    class Meta:
        model = TicketEvent
        fields: list[str] = []
