"""Rules of a connection: drafted, tried against the live system, published. Nobody but their owner sees them."""

from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.kernel import find_visible
from apps.access.levels import Level
from apps.ecosystem.api.principal import PrincipalListView

from .. import services
from ..models import RulesVersion
from ..selectors import rules_of
from .base import OnConnection, actor_on
from .serializers import DraftRulesBody, RulesDetailSerializer, RulesSerializer, TriedRulesSerializer


class _OnRules(OnConnection):
    def versions(self) -> QuerySet[RulesVersion]:
        return rules_of(self.connection, seen_by=self.principal).select_related("author", "connection")

    def version(self) -> RulesVersion:
        return find_visible(self.versions(), self.principal, number=self.kwargs["number"])


@extend_schema(tags=["rules"])
class RulesView(_OnRules, PrincipalListView):
    queryset = RulesVersion.objects.none()
    order = ("-number", "id")

    @extend_schema(operation_id="list_rules", responses=RulesSerializer(many=True))
    def get(self, request: Request, connection_id: UUID) -> Response:
        """The versions of the rules, newest first."""
        return self.show_page(RulesSerializer, self.versions())

    @extend_schema(operation_id="draft_rules", request=DraftRulesBody, responses={201: RulesDetailSerializer})
    def post(self, request: Request, connection_id: UUID) -> Response:
        """Store a document as the next version, a draft."""
        connection, body = self.connection, self.read_body(DraftRulesBody)
        actor = actor_on(request, self.principal, connection, Level.FULL)
        version = services.draft_rules(connection=connection, actor=actor, at=timezone.now(), **body)
        return self.show(RulesDetailSerializer, version, 201)


@extend_schema(tags=["rules"])
class RulesVersionView(_OnRules):
    @extend_schema(operation_id="read_rules", responses=RulesDetailSerializer)
    def get(self, request: Request, connection_id: UUID, number: int) -> Response:
        return self.show(RulesDetailSerializer, self.version())


@extend_schema(tags=["rules"])
class TryRulesView(_OnRules):
    @extend_schema(operation_id="try_rules", request=None, responses=TriedRulesSerializer)
    def post(self, request: Request, connection_id: UUID, number: int) -> Response:
        """Compare the version with what the system really has. Without errors among the findings it becomes tested."""
        version, _ = self.version(), self.read_body()
        actor = actor_on(request, self.principal, self.connection, Level.FULL)
        version.findings = services.try_rules(version=version, actor=actor)  # type: ignore[attr-defined]
        return self.show(TriedRulesSerializer, version)


@extend_schema(tags=["rules"])
class PublishRulesView(_OnRules):
    @extend_schema(operation_id="publish_rules", request=None, responses=RulesSerializer)
    def post(self, request: Request, connection_id: UUID, number: int) -> Response:
        """Put a tested version in force; the one before it retires."""
        version, _ = self.version(), self.read_body()
        actor = actor_on(request, self.principal, self.connection, Level.FULL)
        return self.show(RulesSerializer, services.publish_rules(version=version, actor=actor, at=timezone.now()))
