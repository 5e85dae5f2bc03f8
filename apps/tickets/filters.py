"""Narrowing the list of tickets; the address of the page carries all of it."""

from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet

from apps.access.principal import Principal
from apps.ecosystem.models import Organization
from apps.ecosystem.selectors import organizations

from .models import Ticket
from .selectors import PRIORITY_RANK, matching
from .vocabulary import OPEN_STATUSES, Category, Kind, Priority, Status

SORTS = {
    "priority": "priority_rank",
    "reference": "reference",
    "title": "title",
    "status": "status",
    "held_by": "held_by__name",
    "opened_by": "opened_by__name",
    "created": "created_at",
    "updated": "updated_at",
}
NEWEST = "-updated"


def ordered(rows: QuerySet[Ticket], wanted: str) -> QuerySet[Ticket]:
    """``rows`` sorted by one of :data:`SORTS`, with a minus for descending; by last change for anything else."""
    name = wanted.removeprefix("-")
    if name not in SORTS:
        wanted, name = NEWEST, NEWEST.removeprefix("-")
    sign = "-" if wanted.startswith("-") else ""
    return rows.annotate(priority_rank=PRIORITY_RANK).order_by(sign + SORTS[name], "-updated_at", "id")


class TicketFilter(django_filters.FilterSet):
    """What a reader may narrow the list by. The parties offered are those that the reader may know of."""

    q = django_filters.CharFilter(method="search", label="Search")
    status = django_filters.MultipleChoiceFilter(
        choices=Status.choices, widget=forms.CheckboxSelectMultiple, label="Status"
    )
    priority = django_filters.MultipleChoiceFilter(
        choices=Priority.choices, widget=forms.CheckboxSelectMultiple, label="Priority"
    )
    open = django_filters.BooleanFilter(method="only_open", widget=forms.CheckboxInput, label="Open")
    mine = django_filters.BooleanFilter(method="held_by_us", widget=forms.CheckboxInput, label="Held by us")
    kind = django_filters.ChoiceFilter(choices=Kind.choices, label="Kind", empty_label="any kind")
    category = django_filters.ChoiceFilter(
        choices=[choice for choice in Category.choices if choice[0]], label="Category", empty_label="any category"
    )
    held_by = django_filters.ModelChoiceFilter(
        queryset=Organization.objects.none(), label="Held by", empty_label="any party"
    )
    opened_by = django_filters.ModelChoiceFilter(
        queryset=Organization.objects.none(), label="Opened by", empty_label="any party"
    )
    after = django_filters.DateFilter(
        field_name="updated_at", lookup_expr="date__gte", label="Changed from", widget=forms.DateInput({"type": "date"})
    )
    before = django_filters.DateFilter(
        field_name="updated_at",
        lookup_expr="date__lte",
        label="Changed until",
        widget=forms.DateInput({"type": "date"}),
    )

    class Meta:
        model = Ticket
        fields: list[str] = []

    def __init__(self, data: Any, queryset: QuerySet[Ticket], *, seen_by: Principal) -> None:
        self._seen_by = seen_by
        super().__init__(data, queryset)
        known = organizations(seen_by=seen_by)
        self.filters["held_by"].queryset = self.filters["opened_by"].queryset = known

    def search(self, rows: QuerySet[Ticket], _name: str, words: str) -> QuerySet[Ticket]:
        return matching(rows, words.strip(), seen_by=self._seen_by) if words.strip() else rows

    def only_open(self, rows: QuerySet[Ticket], _name: str, wanted: bool) -> QuerySet[Ticket]:
        return rows.filter(status__in=OPEN_STATUSES) if wanted else rows

    def held_by_us(self, rows: QuerySet[Ticket], _name: str, wanted: bool) -> QuerySet[Ticket]:
        return rows.filter(held_by__in=self._seen_by.organizations) if wanted else rows

    @property
    def narrows_further(self) -> bool:
        """Whether one of the filters that fold away is in use."""
        return any(self.data.get(name) for name in ("kind", "category", "held_by", "opened_by", "after", "before"))
