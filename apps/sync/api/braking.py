"""Brakes through the API: what was stopped because it would reach abnormally many tickets, and the parties' answers."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.kernel import Forbidden, find_visible
from apps.ecosystem.api.principal import PrincipalListView
from apps.foundation.api import StrictSerializer
from apps.tickets.actor import Actor
from apps.tickets.api.acting import actor_for

from ..models import Brake, BrakeAnswer, GraveAct
from ..selectors import acts_behind, answers_to, brakes, parties_answered_by, told_acts
from ..services import braking
from .base import SyncRoute
from .filters import BrakeFilters, GraveActFilters
from .serializers import ConnectionRef, TicketRef


class BrakeAnswerSerializer(serializers.Serializer[Any]):
    """One party that is asked; ``choice`` is null as long as it has not answered."""

    organization = serializers.CharField()
    choice = serializers.ChoiceField(choices=BrakeAnswer.Choice.choices, allow_null=True)
    note = serializers.CharField()
    by = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)


class BrakeSerializer(serializers.ModelSerializer[Brake]):
    """A brake; ``stopped`` tickets wait behind it, ``through`` went before it tripped."""

    connection = ConnectionRef(read_only=True)
    stopped = serializers.IntegerField(read_only=True)
    through = serializers.IntegerField(read_only=True)

    class Meta:
        model = Brake
        fields = [
            *("id", "connection", "kind", "into", "state", "reason", "tripped_at", "decided_at"),
            *("stopped", "through"),
        ]
        read_only_fields = fields


class BrakeDetailSerializer(BrakeSerializer):
    """A brake with what each party that is asked has said."""

    answers = serializers.SerializerMethodField()

    class Meta(BrakeSerializer.Meta):
        fields = [*BrakeSerializer.Meta.fields, "answers"]
        read_only_fields = fields

    @extend_schema_field(BrakeAnswerSerializer(many=True))
    def get_answers(self, brake: Brake) -> Any:
        principal = self.context["view"].principal
        return [
            {
                "organization": party.name,
                "choice": answer.choice if answer else None,
                "note": answer.note if answer else "",
                "by": answer.actor_name if answer else "",
                "at": answer.at if answer else None,
            }
            for party, answer in answers_to(brake, seen_by=principal)
        ]


class GraveActSerializer(serializers.ModelSerializer[GraveAct]):
    """One act of a brake's list. Ticket and values only to who may see the ticket; else null."""

    link = serializers.UUIDField(source="link_id", read_only=True)
    key = serializers.CharField(source="link.__str__", read_only=True)
    ticket = serializers.SerializerMethodField()
    before = serializers.SerializerMethodField()
    after = serializers.SerializerMethodField()

    class Meta:
        model = GraveAct
        fields = ["id", "link", "key", "ticket", "kind", "into", "field", "before", "after", "standing", "at"]
        read_only_fields = fields

    def _told(self, act: GraveAct) -> Any:
        return self.context["view"].told[act.pk]

    @extend_schema_field(TicketRef(allow_null=True))
    def get_ticket(self, act: GraveAct) -> Any:
        ticket = self._told(act).ticket
        return None if ticket is None else TicketRef(ticket).data

    @extend_schema_field({"nullable": True})
    def get_before(self, act: GraveAct) -> Any:
        return self._told(act).before

    @extend_schema_field({"nullable": True})
    def get_after(self, act: GraveAct) -> Any:
        return self._told(act).after


class AnswerBrakeBody(StrictSerializer):
    choice = serializers.ChoiceField(choices=BrakeAnswer.Choice.choices)
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, help_text="The other party sees it.")
    organization = serializers.UUIDField(required=False, help_text="For whom; needed when it could be either party.")


class PutBackBody(StrictSerializer):
    organization = serializers.UUIDField(required=False, help_text="For whom; needed when it could be either party.")


class PutBackSerializer(serializers.Serializer[Any]):
    """How many acts were put back, and why not the others: link → reason."""

    number = serializers.IntegerField()
    refused = serializers.DictField(child=serializers.CharField())


@extend_schema(tags=["brakes"])
class BrakesView(PrincipalListView):
    queryset = Brake.objects.none()
    filterset_class = BrakeFilters
    order = ("-tripped_at", "id")

    @extend_schema(operation_id="list_brakes", responses=BrakeSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Brakes that tripped, newest first."""
        return self.show_page(BrakeSerializer, brakes(seen_by=self.principal))


class _OnBrake(SyncRoute):
    def brake(self) -> Brake:
        return find_visible(self.rows(), self.principal, pk=self.kwargs["brake_id"])

    def rows(self) -> QuerySet[Brake]:
        return brakes(seen_by=self.principal)

    def actor(self, request: Request, brake: Brake, asked: UUID | None) -> Actor:
        able = frozenset(party.pk for party in parties_answered_by(self.principal, brake))
        if not able:
            names = " and ".join(party.name for party in brake.asked)
            raise Forbidden(f"{names} answer for this brake, by people who may act on its lanes")
        return actor_for(request.user, self.principal, able, asked=asked, act="answer for this brake")


@extend_schema(tags=["brakes"])
class BrakeView(_OnBrake):
    @extend_schema(operation_id="read_brake", responses=BrakeDetailSerializer)
    def get(self, request: Request, brake_id: UUID) -> Response:
        return self.show(BrakeDetailSerializer, self.brake())


@extend_schema(tags=["brakes"])
class BrakeActsView(_OnBrake, PrincipalListView):
    queryset = GraveAct.objects.none()
    filterset_class = GraveActFilters
    order = ("id",)

    @extend_schema(operation_id="list_brake_acts", responses=GraveActSerializer(many=True))
    def get(self, request: Request, brake_id: UUID) -> Response:
        """The list: what is stopped, and what went through before."""
        acts = acts_behind(self.brake(), seen_by=self.principal)
        return self.show_page(GraveActSerializer, acts)

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        self.told = {one.act.pk: one for one in told_acts(page or (), seen_by=self.principal)}
        return page


@extend_schema(tags=["brakes"])
class AnswerBrakeView(_OnBrake):
    @extend_schema(operation_id="answer_brake", request=AnswerBrakeBody, responses=BrakeDetailSerializer)
    def post(self, request: Request, brake_id: UUID) -> Response:
        """Say for one's party whether the stopped acts may go on; with the word of both they do."""
        brake, body = self.brake(), self.read_body(AnswerBrakeBody)
        actor = self.actor(request, brake, body.pop("organization", None))
        braking.answer_brake(brake=brake, actor=actor, at=timezone.now(), **body)
        return self.show(BrakeDetailSerializer, self.brake())


@extend_schema(tags=["brakes"])
class PutBackView(_OnBrake):
    @extend_schema(operation_id="put_back_brake", request=PutBackBody, responses=PutBackSerializer)
    def post(self, request: Request, brake_id: UUID) -> Response:
        """Undo what went through before the brake tripped, once a party keeps the rest stopped."""
        brake, body = self.brake(), self.read_body(PutBackBody)
        actor = self.actor(request, brake, body.get("organization"))
        undone = braking.put_back(brake=brake, actor=actor, at=timezone.now())
        refused = {str(link): reason for link, reason in undone.refused.items()}
        return Response({"number": undone.number, "refused": refused})
