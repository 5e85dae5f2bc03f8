"""Tickets: listed, opened, edited, and moved on by one verb per intention."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.kernel import NotVisible, find_visible
from apps.access.levels import Level
from apps.ecosystem.api.principal import PrincipalListView, PrincipalView
from apps.ecosystem.models import Organization
from apps.ecosystem.selectors import organizations

from .. import services
from ..actor import Actor
from ..models import Ticket
from ..permissions import TICKET
from ..selectors import CUSTOM, tickets
from .acting import actor_for
from .filters import TicketFilters
from .serializers import (
    AssessBody,
    EditTicketBody,
    HandOverBody,
    MoveBody,
    OpenTicketBody,
    PrioritizeBody,
    ShareBody,
    TicketDetailSerializer,
    TicketSerializer,
)

REFUSALS = (
    services.FieldNotUsable,
    services.MoveNotAllowed,
    services.NotInThisEcosystem,
    services.CommentNotUsable,
    services.AttachmentNotUsable,
)
REFERENCE = OpenApiParameter(
    "reference", str, OpenApiParameter.PATH, description="The ticket's reference (T-7KQ2M9XA) or its id."
)


class OnTicket(PrincipalView):
    """Below one ticket, named by its reference or its id."""

    @cached_property
    def ticket(self) -> Ticket:
        name: str = self.kwargs["reference"]
        try:
            return find_visible(tickets(seen_by=self.principal), self.principal, pk=UUID(name))
        except ValueError:
            return find_visible(tickets(seen_by=self.principal), self.principal, reference=name.upper())

    def actor(self, body: dict[str, Any], level: Level = Level.WRITE) -> Actor:
        """Who acts: for a party of the ticket where the account has ``level``. Takes its member out of ``body``."""
        parties = self.ticket.parties.values_list("organization_id", flat=True)
        able = self.principal.where(TICKET, level) & frozenset(parties)
        asked = body.pop("organization", None)
        return actor_for(self.request.user, self.principal, able, asked=asked, act="change this ticket so")


class TicketsView(PrincipalListView):
    queryset = Ticket.objects.none()
    filterset_class = TicketFilters
    refusals = REFUSALS
    order = ("-updated_at", "id")
    orderings = {
        "-updated_at": ("-updated_at", "id"),
        "updated_at": ("updated_at", "id"),
        "-created_at": ("-created_at", "id"),
        "created_at": ("created_at", "id"),
        "reference": ("reference",),
    }

    @extend_schema(operation_id="list_tickets", tags=["tickets"], responses=TicketSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.show_page(TicketSerializer, tickets(seen_by=self.principal))

    @extend_schema(
        operation_id="open_ticket", tags=["tickets"], request=OpenTicketBody, responses={201: TicketDetailSerializer}
    )
    def post(self, request: Request) -> Response:
        """Open a ticket for one's own organization; a route that fits hands it over at once."""
        body = self.read_body(OpenTicketBody)
        asked = body.pop("organization", None)
        able = self.principal.where(TICKET, Level.WRITE)
        actor = actor_for(request.user, self.principal, able, asked=asked, act="open tickets")
        ticket = services.open_ticket(values=_hub_fields(body), actor=actor, at=timezone.now())
        return self.show(TicketDetailSerializer, ticket, 201)


@extend_schema(parameters=[REFERENCE], tags=["tickets"])
class TicketView(OnTicket):
    refusals = REFUSALS

    @extend_schema(operation_id="read_ticket", responses=TicketDetailSerializer)
    def get(self, request: Request, reference: str) -> Response:
        return self.show(TicketDetailSerializer, self.ticket)

    @extend_schema(operation_id="edit_ticket", request=EditTicketBody, responses=TicketDetailSerializer)
    def patch(self, request: Request, reference: str) -> Response:
        """Change plain fields; what is not named stays."""
        body, _ = self.read_body(EditTicketBody), self.ticket
        actor = self.actor(body)
        services.edit(ticket=self.ticket, values=_hub_fields(body), actor=actor, at=timezone.now())
        return self.show(TicketDetailSerializer, self.ticket)


def _hub_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    plain = {field: value for field, value in body.items() if field != "custom"}
    return plain | {CUSTOM + name: value for name, value in body.get("custom", {}).items()}


@extend_schema(parameters=[REFERENCE], tags=["tickets"])
class TicketVerb(OnTicket):
    """One verb on one ticket; it answers with the ticket as it is afterwards."""

    refusals = REFUSALS

    def answer(self) -> Response:
        fresh = tickets(seen_by=self.principal).get(pk=self.ticket.pk)
        return self.show(TicketDetailSerializer, fresh)

    def find_organization(self, organization_id: UUID) -> Organization:
        """One that the account may know, or that is a party already. What it may not know does not exist."""
        known = organizations(seen_by=self.principal).filter(pk=organization_id).first()
        party = self.ticket.parties.filter(organization=organization_id).select_related("organization").first()
        if known is None and party is None:
            raise NotVisible(f"no organization {organization_id}")
        return known or party.organization  # type: ignore[union-attr]


class AssessView(TicketVerb):
    @extend_schema(operation_id="assess_ticket", request=AssessBody, responses=TicketDetailSerializer)
    def post(self, request: Request, reference: str) -> Response:
        """Set impact and urgency (1 is the strongest); the priority follows from the matrix."""
        _, body = self.ticket, self.read_body(AssessBody)
        services.assess(ticket=self.ticket, actor=self.actor(body), at=timezone.now(), **body)
        return self.answer()


class PrioritizeView(TicketVerb):
    @extend_schema(operation_id="prioritize_ticket", request=PrioritizeBody, responses=TicketDetailSerializer)
    def post(self, request: Request, reference: str) -> Response:
        """Set the priority; impact and urgency move to a pair that gives it."""
        _, body = self.ticket, self.read_body(PrioritizeBody)
        services.prioritize(ticket=self.ticket, actor=self.actor(body), at=timezone.now(), **body)
        return self.answer()


class MoveView(TicketVerb):
    @extend_schema(operation_id="move_ticket", request=MoveBody, responses=TicketDetailSerializer)
    def post(self, request: Request, reference: str) -> Response:
        """Take the ticket to another status along the legal moves."""
        _, body = self.ticket, self.read_body(MoveBody)
        services.move(ticket=self.ticket, actor=self.actor(body), at=timezone.now(), **body)
        return self.answer()


class ShareView(TicketVerb):
    @extend_schema(operation_id="share_ticket", request=ShareBody, responses=TicketDetailSerializer)
    def post(self, request: Request, reference: str) -> Response:
        """Let another party of the ecosystem take part."""
        _, body = self.ticket, self.read_body(ShareBody)
        actor = self.actor(body, Level.FULL)
        services.share(
            ticket=self.ticket, organization=self.find_organization(body["to"]), actor=actor, at=timezone.now()
        )
        return self.answer()


class HandOverView(TicketVerb):
    @extend_schema(operation_id="hand_over_ticket", request=HandOverBody, responses=TicketDetailSerializer)
    def post(self, request: Request, reference: str) -> Response:
        """Give custody of the ticket to another party; hand-over runs through the service integrator."""
        _, body = self.ticket, self.read_body(HandOverBody)
        actor = self.actor(body, Level.FULL)
        services.hand_over(
            ticket=self.ticket,
            organization=self.find_organization(body["to"]),
            actor=actor,
            at=timezone.now(),
            reason=body.get("reason", ""),
        )
        return self.answer()
