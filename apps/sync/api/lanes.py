"""Links, lanes and conflicts: where tickets are, what waits, why, and who must act."""

from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.kernel import find_visible, visible_to
from apps.access.levels import Level
from apps.access.principal import Principal
from apps.ecosystem.api.principal import PrincipalListView
from apps.tickets.api.views import REFERENCE, OnTicket

from .. import services
from ..models import Conflict, TicketLink
from .base import SyncRoute, actor_on
from .filters import ConflictFilters, LaneFilters, LinkFilters
from .serializers import ConflictSerializer, LaneSerializer, LinkSerializer, SettleBody, SkipBody

_State = TicketLink.State
WAITS = (
    Q(delivery_hold__isnull=False)
    | Q(intake_hold__isnull=False)
    | Q(state__in=[_State.CREATING, _State.SIGHTED])
    | Q(state=_State.LINKED, ticket__last_seq__gt=F("applied_seq"))
    | Q(state=_State.LINKED, look_wanted__gt=F("look_done"))
)


def links(*, seen_by: Principal) -> QuerySet[TicketLink]:
    return visible_to(TicketLink.objects.all(), seen_by).select_related(
        "connection__organization", "connection__pulse", "ticket"
    )


class LinksView(PrincipalListView):
    queryset = TicketLink.objects.none()
    filterset_class = LinkFilters
    order = ("created_at", "id")

    @extend_schema(operation_id="list_links", tags=["links"], responses=LinkSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Which ticket is which in the systems that one may see."""
        return self.show_page(LinkSerializer, links(seen_by=self.principal))


@extend_schema(parameters=[REFERENCE], tags=["tickets"])
class TicketLinksView(OnTicket, PrincipalListView):
    queryset = TicketLink.objects.none()
    order = ("created_at", "id")

    @extend_schema(operation_id="list_links_of_ticket", responses=LinkSerializer(many=True))
    def get(self, request: Request, reference: str) -> Response:
        """Where the ticket is now, system by system."""
        return self.show_page(LinkSerializer, links(seen_by=self.principal).filter(ticket=self.ticket))


class LanesView(PrincipalListView):
    queryset = TicketLink.objects.none()
    filterset_class = LaneFilters
    order = ("created_at", "id")

    @extend_schema(operation_id="list_lanes", tags=["lanes"], responses=LaneSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Lanes in which something waits."""
        return self.show_page(LaneSerializer, links(seen_by=self.principal).filter(WAITS))


class _OnLane(SyncRoute):
    def lane(self) -> TicketLink:
        return find_visible(links(seen_by=self.principal), self.principal, pk=self.kwargs["lane_id"])

    def answer(self, lane: TicketLink) -> Response:
        return self.show(LaneSerializer, links(seen_by=self.principal).get(pk=lane.pk))


class RetryView(_OnLane):
    @extend_schema(operation_id="retry_lane", tags=["lanes"], request=None, responses=LaneSerializer)
    def post(self, request: Request, lane_id: UUID) -> Response:
        """Try again now. Content and order stay what they are."""
        lane, _ = self.lane(), self.read_body()
        actor = actor_on(request, self.principal, lane.connection, Level.WRITE)
        return self.answer(services.retry_lane(link=lane, actor=actor, at=timezone.now()))


class SkipView(_OnLane):
    @extend_schema(operation_id="skip_entry", tags=["lanes"], request=SkipBody, responses=LaneSerializer)
    def post(self, request: Request, lane_id: UUID) -> Response:
        """Leave out the entry at the head of the lane."""
        lane, body = self.lane(), self.read_body(SkipBody)
        actor = actor_on(request, self.principal, lane.connection, Level.WRITE)
        return self.answer(services.skip_entry(link=lane, actor=actor, at=timezone.now(), reason=body["reason"]))


def conflicts(*, seen_by: Principal) -> QuerySet[Conflict]:
    return visible_to(Conflict.objects.all(), seen_by).select_related("link__connection__organization", "link__ticket")


class ConflictsView(PrincipalListView):
    queryset = Conflict.objects.none()
    filterset_class = ConflictFilters
    order = ("-recorded_at", "-id")

    @extend_schema(operation_id="list_conflicts", tags=["conflicts"], responses=ConflictSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Fields that both sides changed, newest first, settled ones included."""
        return self.show_page(ConflictSerializer, conflicts(seen_by=self.principal))


class SettleView(SyncRoute):
    @extend_schema(operation_id="settle_conflict", tags=["conflicts"], request=SettleBody, responses=ConflictSerializer)
    def post(self, request: Request, conflict_id: UUID) -> Response:
        """Choose whose value holds; a value that lost earlier can be put back so."""
        conflict = find_visible(conflicts(seen_by=self.principal), self.principal, pk=conflict_id)
        body = self.read_body(SettleBody)
        actor = actor_on(request, self.principal, conflict.link.connection, Level.WRITE)
        settled = services.settle_conflict(conflict=conflict, choice=body["choice"], actor=actor, at=timezone.now())
        return self.show(ConflictSerializer, settled)
