from django.db.models import QuerySet
from django_filters.rest_framework import BooleanFilter, CharFilter, ChoiceFilter, FilterSet, UUIDFilter

from ..connectors.catalog import CONNECTORS
from ..models import Connection, TicketLink


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
    connection = UUIDFilter(field_name="connection_id", label="Id of the connection.")
    ticket = CharFilter(field_name="ticket__reference", lookup_expr="iexact", max_length=40, label="Its reference.")
    is_held = BooleanFilter(method="narrow_to_held", label="Only lanes that wait for a person, or only the others.")

    def narrow_to_held(self, rows: QuerySet[TicketLink], _name: str, value: bool) -> QuerySet[TicketLink]:
        free = {"delivery_hold__isnull": True, "intake_hold__isnull": True}
        return rows.exclude(**free) if value else rows.filter(**free)


class ConflictFilters(FilterSet):
    connection = UUIDFilter(field_name="link__connection_id", label="Id of the connection.")
    is_open = BooleanFilter(field_name="is_open")
