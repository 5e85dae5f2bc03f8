"""Narrowing and sorting the lanes that wait; the address of the page carries all of it."""

from datetime import datetime, timedelta
from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet

from apps.access.principal import Principal
from apps.ecosystem.models import Organization
from apps.ecosystem.selectors import organizations
from apps.tickets.selectors import tickets
from apps.tickets.vocabulary import Kind, Priority

from .models import Connection, TicketLink
from .selectors import CAUSES, asked_of, connections

SORTS = {
    "since": ("since", "id"),
    "-since": ("-since", "-id"),
    "priority": ("rank", "since", "id"),
    "connection": ("connection__name", "since", "id"),
}
OLDEST = "since"
AGES = [(5, "5 minutes"), (30, "30 minutes"), (60, "1 hour"), (240, "4 hours"), (1440, "1 day"), (10080, "1 week")]


class LaneFilter(django_filters.FilterSet):
    """What a reader may narrow the lanes by; ``field``, ``value`` and ``direction`` name one group of them."""

    q = django_filters.CharFilter(method="search", label="Search")
    mine = django_filters.BooleanFilter(method="in_my_hands", widget=forms.CheckboxInput, label="Handed to me")
    ours = django_filters.BooleanFilter(method="ours_to_mend", widget=forms.CheckboxInput, label="We must act")
    connection = django_filters.ModelChoiceFilter(
        queryset=Connection.objects.none(), label="Connection", empty_label="any connection"
    )
    cause = django_filters.ChoiceFilter(
        choices=[(code, cause.title) for code, cause in CAUSES.items()], label="Cause", empty_label="any cause"
    )
    party = django_filters.ModelChoiceFilter(
        queryset=Organization.objects.none(), method="who_must_act", label="Who must act", empty_label="any party"
    )
    kind = django_filters.ChoiceFilter(
        choices=Kind.choices, method="of_kind", label="Kind of ticket", empty_label="any kind"
    )
    priority = django_filters.ChoiceFilter(
        choices=Priority.choices, method="at_least", label="Priority, at least", empty_label="any priority"
    )
    older = django_filters.ChoiceFilter(
        choices=AGES, method="older_than", label="Waits longer than", empty_label="any time"
    )
    field = django_filters.CharFilter(field_name="cause_field", widget=forms.HiddenInput)
    value = django_filters.CharFilter(field_name="cause_value", widget=forms.HiddenInput)
    direction = django_filters.ChoiceFilter(
        choices=[("to", "to the system"), ("from", "from the system")],
        field_name="direction",
        widget=forms.HiddenInput,
    )

    class Meta:
        model = TicketLink
        fields: list[str] = []

    def __init__(self, given: Any, queryset: QuerySet[TicketLink], *, seen_by: Principal, now: datetime) -> None:
        self._seen_by, self._now = seen_by, now
        super().__init__(given, queryset)
        self.filters["connection"].queryset = connections(seen_by=seen_by)
        self.filters["party"].queryset = organizations(seen_by=seen_by)

    def search(self, rows: QuerySet[TicketLink], _name: str, words: str) -> QuerySet[TicketLink]:
        words = words.strip()
        named = Q(reference__icontains=words) | Q(title__icontains=words)
        found = Q(ticket__in=tickets(seen_by=self._seen_by).filter(named).order_by().values("pk"))
        for field in ("key", "external_id", "connection__name", "delivery_hold__text", "intake_hold__text"):
            found |= Q(**{field + "__icontains": words})
        return rows.filter(found) if words else rows

    def in_my_hands(self, rows: QuerySet[TicketLink], _name: str, wanted: bool) -> QuerySet[TicketLink]:
        return rows.filter(charge__person=self._seen_by.user_id) if wanted else rows

    def ours_to_mend(self, rows: QuerySet[TicketLink], _name: str, wanted: bool) -> QuerySet[TicketLink]:
        mine = Organization.objects.filter(pk__in=self._seen_by.organizations)
        return rows.filter(must_act(list(mine))) if wanted else rows

    def who_must_act(self, rows: QuerySet[TicketLink], _name: str, party: Organization) -> QuerySet[TicketLink]:
        return rows.filter(must_act([party]))

    def of_kind(self, rows: QuerySet[TicketLink], _name: str, kind: str) -> QuerySet[TicketLink]:
        return rows.filter(ticket__in=tickets(seen_by=self._seen_by).filter(kind=kind).order_by().values("pk"))

    def at_least(self, rows: QuerySet[TicketLink], _name: str, priority: str) -> QuerySet[TicketLink]:
        return rows.filter(Q(rank__lte=Priority.values.index(priority)))

    def older_than(self, rows: QuerySet[TicketLink], _name: str, minutes: str) -> QuerySet[TicketLink]:
        return rows.filter(Q(since__lt=self._now - timedelta(minutes=int(minutes))))

    def filter_queryset(self, queryset: QuerySet[TicketLink]) -> QuerySet[TicketLink]:
        """An empty field or value names a group too: the one whose cause knows none. What is not understood fits no
        lane: an act on a whole group must never reach further than was meant."""
        if self.form.errors:
            return queryset.none()
        rows: QuerySet[TicketLink] = super().filter_queryset(queryset)
        for name in ("field", "value"):
            if name in self.data and not self.data[name]:
                rows = rows.filter(**{f"cause_{name}": ""})
        return rows

    @property
    def narrows_further(self) -> bool:
        """Whether one of the filters that fold away is in use."""
        return any(self.data.get(name) for name in ("cause", "party", "kind", "priority", "older"))


def must_act(parties: list[Organization]) -> Q:
    """Lanes that one of ``parties`` must mend: a hold names it, or its connection stands still."""
    is_free = {"delivery_hold__isnull": True, "intake_hold__isnull": True}
    stands_still = Q(**is_free, connection__organization__in=parties) & ~Q(connection__state=Connection.State.ACTIVE)
    return asked_of(party.name for party in parties) | stands_still
