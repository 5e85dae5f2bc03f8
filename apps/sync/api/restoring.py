"""What came of a database that was put back to an earlier moment."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.ecosystem.api.principal import PrincipalListView

from ..models import Divergence, Restoration
from ..selectors import divergences, progress_of, restorations
from .filters import DivergenceFilters
from .serializers import ConnectionRef


class RestorationSerializer(serializers.ModelSerializer[Restoration]):
    """``links``: tickets of systems that were to be read again; ``unread`` of one's own still are, and ``waiting`` of
    these wait for a person. ``found``: how many divergences of each kind."""

    unread = serializers.IntegerField(source="progress.unread", read_only=True)
    waiting = serializers.IntegerField(source="progress.waiting", read_only=True)
    found = serializers.DictField(child=serializers.IntegerField(), source="progress.counts", read_only=True)

    class Meta:
        model = Restoration
        fields = ["id", "at", "links", "unread", "waiting", "found"]
        read_only_fields = fields

    def to_representation(self, instance: Restoration) -> Any:
        instance.progress = progress_of(instance, seen_by=self.context["view"].principal)  # type: ignore[attr-defined]
        return super().to_representation(instance)


class DivergenceSerializer(serializers.ModelSerializer[Divergence]):
    """What a system knew better than the restored database; ``ticket`` is null where the portal does not know it."""

    connection = ConnectionRef(read_only=True)
    ticket = serializers.CharField(source="ticket.reference", read_only=True, allow_null=True, default=None)

    class Meta:
        model = Divergence
        fields = ["id", "restoration", "connection", "ticket", "key", "kind", "text", "at"]
        read_only_fields = fields


class RestorationsView(PrincipalListView):
    queryset = Restoration.objects.none()
    order = ("-at", "-id")

    @extend_schema(operation_id="list_restorations", tags=["restorations"], responses=RestorationSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Every time the database was put back to an earlier moment, newest first, and what came of it."""
        return self.show_page(RestorationSerializer, restorations(seen_by=self.principal))


class DivergencesView(PrincipalListView):
    queryset = Divergence.objects.none()
    filterset_class = DivergenceFilters
    order = ("at", "id")

    @extend_schema(operation_id="list_divergences", tags=["restorations"], responses=DivergenceSerializer(many=True))
    def get(self, request: Request) -> Response:
        """What the systems knew better, and what was done about it; of the connections that one may see."""
        return self.show_page(DivergenceSerializer, divergences(seen_by=self.principal))
