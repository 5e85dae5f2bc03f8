"""Links, lanes and conflicts: where tickets are, what waits, why, and who must act."""

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.kernel import find_visible, visible_to
from apps.access.levels import Level
from apps.access.principal import Principal
from apps.ecosystem.api.principal import PrincipalListView
from apps.foundation.api import Refused
from apps.tickets.api.views import REFERENCE, OnTicket
from apps.tickets.services import FieldNotUsable, MoveNotAllowed

from .. import services
from ..models import Conflict, Exchange, Intent, LaneAct, TicketLink
from ..selectors import acts_of, calls_of, groups_of, intents_of, people_for, waiting_lanes
from ..services import operating
from .base import SyncRoute, actor_on
from .filters import ConflictFilters, LaneFilters, LinkFilters
from .serializers import ConflictSerializer, LinkSerializer, SettleBody
from .waiting import (
    CorrectBody,
    HandBody,
    IntentSerializer,
    LaneActSerializer,
    LaneExchangeSerializer,
    LaneGroupSerializer,
    LaneSerializer,
    SkipBody,
)

WITH_LANE = ("connection__organization", "connection__pulse", "ticket", "charge__person")
MOST_GROUPS = 100


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
        rows = waiting_lanes(seen_by=self.principal, now=timezone.now()).select_related(*WITH_LANE)
        return self.show_page(LaneSerializer, rows)


class LaneGroupsView(PrincipalListView):
    queryset = TicketLink.objects.none()
    filterset_class = LaneFilters

    def known_parameters(self) -> frozenset[str]:
        return super().known_parameters() - {"cursor", "page_size"}

    @extend_schema(operation_id="list_lane_groups", tags=["lanes"], responses=LaneGroupSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Lanes by cause: those of one connection that wait for the same reason, the first hundred causes."""
        rows = self.filter_queryset(waiting_lanes(seen_by=self.principal, now=timezone.now()))
        groups: Any = groups_of(rows, most=MOST_GROUPS)
        return Response({"results": LaneGroupSerializer(groups, many=True).data, "next": None})


class _OnLane(SyncRoute):
    def lanes(self) -> QuerySet[TicketLink]:
        rows = waiting_lanes(seen_by=self.principal, now=timezone.now(), all_links=True)
        return rows.select_related(*WITH_LANE)

    def lane(self) -> TicketLink:
        return find_visible(self.lanes(), self.principal, pk=self.kwargs["lane_id"])

    def answer(self, lane: TicketLink) -> Response:
        return self.show(LaneSerializer, self.lanes().get(pk=lane.pk))


class LaneView(_OnLane):
    @extend_schema(operation_id="read_lane", tags=["lanes"], responses=LaneSerializer)
    def get(self, request: Request, lane_id: UUID) -> Response:
        """One lane, also when nothing waits in it any more."""
        return self.show(LaneSerializer, self.lane())


class LaneIntentsView(_OnLane, PrincipalListView):
    queryset = Intent.objects.none()
    order = ("-id",)

    @extend_schema(operation_id="list_lane_intents", tags=["lanes"], responses=IntentSerializer(many=True))
    def get(self, request: Request, lane_id: UUID) -> Response:
        """What was about to be written for the lane and what became of it, newest first."""
        return self.show_page(IntentSerializer, intents_of(self.lane(), seen_by=self.principal))


class LaneExchangesView(_OnLane, PrincipalListView):
    queryset = Exchange.objects.none()
    order = ("-at", "-id")

    @extend_schema(operation_id="list_lane_exchanges", tags=["lanes"], responses=LaneExchangeSerializer(many=True))
    def get(self, request: Request, lane_id: UUID) -> Response:
        """The calls made for the lane, redacted, newest first; the connection's owner's alone."""
        return self.show_page(LaneExchangeSerializer, calls_of(self.lane(), seen_by=self.principal))


class LaneActsView(_OnLane, PrincipalListView):
    queryset = LaneAct.objects.none()
    order = ("-at", "-id")

    @extend_schema(operation_id="list_lane_acts", tags=["lanes"], responses=LaneActSerializer(many=True))
    def get(self, request: Request, lane_id: UUID) -> Response:
        """What people did about the lane, newest first."""
        return self.show_page(LaneActSerializer, acts_of(self.lane(), seen_by=self.principal))


class RetryView(_OnLane):
    @extend_schema(operation_id="retry_lane", tags=["lanes"], request=None, responses=LaneSerializer)
    def post(self, request: Request, lane_id: UUID) -> Response:
        """Try again now. Content and order stay what they are."""
        lane, _ = self.lane(), self.read_body()
        actor = actor_on(request, self.principal, lane.connection, Level.WRITE)
        operating.retry_lanes(connection=lane.connection, links=[lane.pk], actor=actor, at=timezone.now())
        return self.answer(lane)


class SkipView(_OnLane):
    @extend_schema(operation_id="skip_entry", tags=["lanes"], request=SkipBody, responses=LaneSerializer)
    def post(self, request: Request, lane_id: UUID) -> Response:
        """Leave out the entry at the head of the lane."""
        lane, body = self.lane(), self.read_body(SkipBody)
        actor = actor_on(request, self.principal, lane.connection, Level.WRITE)
        done = operating.skip_entries(
            connection=lane.connection, links=[lane.pk], actor=actor, at=timezone.now(), reason=body["reason"]
        )
        for refused in done.refused.values():
            raise services.NothingWaits(refused)
        return self.answer(lane)


class CorrectView(_OnLane):
    refusals: ClassVar[Any] = (*SyncRoute.refusals, FieldNotUsable, MoveNotAllowed)

    @extend_schema(operation_id="correct_value", tags=["lanes"], request=CorrectBody, responses=LaneSerializer)
    def post(self, request: Request, lane_id: UUID) -> Response:
        """Write another value to the ticket; the one that could not cross is left out for this system, on record."""
        lane, body = self.lane(), self.read_body(CorrectBody)
        actor = actor_on(request, self.principal, lane.connection, Level.WRITE)
        operating.correct_value(link=lane, field=body["field"], value=body["value"], actor=actor, at=timezone.now())
        return self.answer(lane)


class HandView(_OnLane):
    @extend_schema(operation_id="hand_lane", tags=["lanes"], request=HandBody, responses=LaneSerializer)
    def post(self, request: Request, lane_id: UUID) -> Response:
        """Hand the lane to a person, named by e-mail, who sees it at home."""
        lane, body = self.lane(), self.read_body(HandBody)
        actor = actor_on(request, self.principal, lane.connection, Level.WRITE)
        parties = {lane.connection.organization_id, *self.principal.organizations}
        person = people_for(parties).filter(email__iexact=body["person"]).first()
        if person is None:
            raise Refused("this is nobody whom the lane can be handed to", {"person": "name a member of its owner"})
        operating.hand_lanes(
            connection=lane.connection,
            links=[lane.pk],
            person=person,
            actor=actor,
            at=timezone.now(),
            note=body.get("note", ""),
        )
        return self.answer(lane)


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
