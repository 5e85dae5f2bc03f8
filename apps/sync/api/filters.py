from django.db.models import QuerySet
from django_filters.rest_framework import (
    BooleanFilter,
    CharFilter,
    ChoiceFilter,
    FilterSet,
    IsoDateTimeFilter,
    NumberFilter,
    UUIDFilter,
)

from ..connectors.catalog import CONNECTORS
from ..models import AlertKind, Brake, Connection, Divergence, GraveAct, TicketLink
from ..selectors import CAUSES


class ConnectionFilters(FilterSet):
    connector = ChoiceFilter(choices=[(name, kind.title) for name, kind in CONNECTORS.items()])
    state = ChoiceFilter(choices=Connection.State.choices)
    organization = UUIDFilter(field_name="organization_id", label="Id of the organization whose system it is.")


class LinkFilters(FilterSet):
    connection = UUIDFilter(field_name="connection_id", label="Id of the connection.")
    ticket = CharFilter(field_name="ticket__reference", lookup_expr="iexact", max_length=40, label="Its reference.")
    key = CharFilter(field_name="key", lookup_expr="iexact", max_length=100, label="The ticket's key in the system.")
    state = ChoiceFilter(choices=TicketLink.State.choices)


class LaneFilters(FilterSet):
    cause = ChoiceFilter(choices=[(code, cause.title) for code, cause in CAUSES.items()])
    since_before = IsoDateTimeFilter(field_name="since", lookup_expr="lt", label="Waits since before then.")
    connection = UUIDFilter(field_name="connection_id", label="Id of the connection.")
    ticket = CharFilter(field_name="ticket__reference", lookup_expr="iexact", max_length=40, label="Its reference.")
    is_held = BooleanFilter(method="narrow_to_held", label="Only lanes that wait for a person, or only the others.")

    def narrow_to_held(self, rows: QuerySet[TicketLink], _name: str, value: bool) -> QuerySet[TicketLink]:
        free = {"delivery_hold__isnull": True, "intake_hold__isnull": True}
        return rows.exclude(**free) if value else rows.filter(**free)


class AlertFilters(FilterSet):
    connection = UUIDFilter(field_name="connection_id", label="Id of the connection.")
    kind = ChoiceFilter(choices=AlertKind.choices)
    is_over = BooleanFilter(field_name="over_at", lookup_expr="isnull", exclude=True)


class BrakeFilters(FilterSet):
    connection = UUIDFilter(field_name="connection_id", label="Id of the connection.")
    state = ChoiceFilter(choices=Brake.State.choices)


class GraveActFilters(FilterSet):
    standing = ChoiceFilter(choices=GraveAct.Standing.choices)


class DivergenceFilters(FilterSet):
    restoration = NumberFilter(label="Number of the restoration.")
    connection = UUIDFilter(field_name="connection_id", label="Id of the connection.")
    kind = ChoiceFilter(choices=Divergence.Kind.choices)


class SampleFilters(FilterSet):
    since = IsoDateTimeFilter(field_name="at", lookup_expr="gte", label="From then on.")
    until = IsoDateTimeFilter(field_name="at", lookup_expr="lt", label="Before then.")


class ConflictFilters(FilterSet):
    connection = UUIDFilter(field_name="link__connection_id", label="Id of the connection.")
    is_open = BooleanFilter(field_name="is_open")
