"""Connections: set up, checked, changed, paused and resumed; what went over them; and the kinds there are."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.levels import Level
from apps.ecosystem.api.principal import PrincipalListView, PrincipalView
from apps.tickets.api.acting import actor_for

from .. import services
from ..connectors.catalog import CONNECTORS
from ..models import Connection, Exchange, Notice, PulseSample
from ..permissions import CONNECTION
from ..rules import template_for
from ..selectors import allowance_of, connections, exchanges_of, notices_of, samples_of
from .base import OnConnection, SyncRoute, actor_on
from .filters import ConnectionFilters, SampleFilters
from .serializers import (
    AllowanceSerializer,
    ChangeConnectionBody,
    ConnectionSerializer,
    ConnectorSerializer,
    ExchangeSerializer,
    NewConnectionBody,
    NoticeSecretSerializer,
    NoticeSerializer,
    PauseBody,
    SampleSerializer,
    SystemCardSerializer,
)


class ConnectionsView(SyncRoute, PrincipalListView):
    queryset = Connection.objects.none()
    filterset_class = ConnectionFilters
    order = ("name", "id")

    @extend_schema(operation_id="list_connections", tags=["connections"], responses=ConnectionSerializer(many=True))
    def get(self, request: Request) -> Response:
        """One's own connections, and for who watches the ecosystem the health of all of them."""
        return self.show_page(ConnectionSerializer, connections(seen_by=self.principal))

    @extend_schema(
        operation_id="create_connection",
        tags=["connections"],
        request=NewConnectionBody,
        responses={201: ConnectionSerializer},
    )
    def post(self, request: Request) -> Response:
        """Set up a connection. It rests until its rules are published and it is resumed."""
        body = self.read_body(NewConnectionBody)
        asked = body.pop("organization", None)
        able = self.principal.where(CONNECTION, Level.FULL)
        actor = actor_for(request.user, self.principal, able, asked=asked, act="set up connections")
        filled = {"settings": {}, "secrets": {}, **body}
        connection = services.create_connection(actor=actor, at=timezone.now(), **filled)
        return self.show(ConnectionSerializer, connection, 201)


@extend_schema(tags=["connections"])
class ConnectionView(OnConnection):
    @extend_schema(operation_id="read_connection", responses=ConnectionSerializer)
    def get(self, request: Request, connection_id: UUID) -> Response:
        return self.show(ConnectionSerializer, self.connection)

    @extend_schema(operation_id="change_connection", request=ChangeConnectionBody, responses=ConnectionSerializer)
    def patch(self, request: Request, connection_id: UUID) -> Response:
        """What is not named stays. Settings are replaced as a whole, secrets one by one."""
        connection, body = self.connection, self.read_body(ChangeConnectionBody)
        actor = actor_on(request, self.principal, connection, Level.FULL)
        allowance: dict[str, int | None] = {
            name: body.pop(name) for name in ("calls_per_minute", "calls_per_hour") if name in body
        }
        changed = services.change_connection(connection=connection, actor=actor, allowance=allowance, **body)
        return self.show(ConnectionSerializer, services.refresh(changed))


@extend_schema(tags=["connections"])
class CheckView(OnConnection):
    @extend_schema(operation_id="check_connection", request=None, responses=SystemCardSerializer)
    def post(self, request: Request, connection_id: UUID) -> Response:
        """Ask the system who it is and whether our account works there. 502 tells why not, and who must act."""
        connection, _ = self.connection, self.read_body()
        actor = actor_on(request, self.principal, connection, Level.WRITE)
        card = services.check_connection(connection=connection, actor=actor, at=timezone.now())
        return self.show(SystemCardSerializer, card)


@extend_schema(tags=["connections"])
class PauseView(OnConnection):
    @extend_schema(operation_id="pause_connection", request=PauseBody, responses=ConnectionSerializer)
    def post(self, request: Request, connection_id: UUID) -> Response:
        """Stop exchanging with the system; what happens meanwhile queues up."""
        connection, body = self.connection, self.read_body(PauseBody)
        actor = actor_on(request, self.principal, connection, Level.WRITE)
        paused = services.pause_connection(
            connection=connection, actor=actor, at=timezone.now(), reason=body.get("reason", "")
        )
        return self.show(ConnectionSerializer, services.refresh(paused))


@extend_schema(tags=["connections"])
class ResumeView(OnConnection):
    @extend_schema(operation_id="resume_connection", request=None, responses=ConnectionSerializer)
    def post(self, request: Request, connection_id: UUID) -> Response:
        """Go on from where it stopped, in the original order."""
        connection, _ = self.connection, self.read_body()
        actor = actor_on(request, self.principal, connection, Level.WRITE)
        resumed = services.resume_connection(connection=connection, actor=actor, at=timezone.now())
        return self.show(ConnectionSerializer, services.refresh(resumed))


@extend_schema(tags=["connections"])
class RenewNoticeSecretView(OnConnection):
    @extend_schema(operation_id="renew_notice_secret", request=None, responses=NoticeSecretSerializer)
    def post(self, request: Request, connection_id: UUID) -> Response:
        """A new secret for the system's webhooks, shown this once."""
        connection, _ = self.connection, self.read_body()
        actor = actor_on(request, self.principal, connection, Level.FULL)
        secret = services.renew_notice_secret(connection=connection, actor=actor)
        address = ConnectionSerializer(connection, context=self.get_serializer_context()).data["webhook_address"]
        return Response({"notice_secret": secret, "webhook_address": address})


@extend_schema(tags=["connections"])
class AllowanceView(OnConnection):
    @extend_schema(operation_id="read_allowance", responses=AllowanceSerializer)
    def get(self, request: Request, connection_id: UUID) -> Response:
        """How many calls the connection may make in a minute and an hour, how many it made, and when it goes on."""
        return self.show(AllowanceSerializer, allowance_of(self.connection, now=timezone.now()))


@extend_schema(tags=["connections"])
class ExchangesView(OnConnection, PrincipalListView):
    queryset = Exchange.objects.none()
    order = ("-at", "-id")

    @extend_schema(operation_id="list_exchanges", responses=ExchangeSerializer(many=True))
    def get(self, request: Request, connection_id: UUID) -> Response:
        """The last calls to the system, redacted. Its owner's alone."""
        return self.show_page(ExchangeSerializer, exchanges_of(self.connection, seen_by=self.principal))


@extend_schema(tags=["connections"])
class NoticesView(OnConnection, PrincipalListView):
    queryset = Notice.objects.none()
    order = ("-received_at", "-id")

    @extend_schema(operation_id="list_notices", responses=NoticeSerializer(many=True))
    def get(self, request: Request, connection_id: UUID) -> Response:
        """Webhooks that were verified and stored, newest first."""
        return self.show_page(NoticeSerializer, notices_of(self.connection, seen_by=self.principal))


@extend_schema(tags=["connections"])
class SamplesView(OnConnection, PrincipalListView):
    queryset = PulseSample.objects.none()
    filterset_class = SampleFilters
    order = ("-at", "-id")

    @extend_schema(operation_id="list_samples", responses=SampleSerializer(many=True))
    def get(self, request: Request, connection_id: UUID) -> Response:
        """How the connection was, five minutes a row, newest first; kept for ninety days."""
        return self.show_page(SampleSerializer, samples_of(self.connection, seen_by=self.principal))


def describe_connector(name: str) -> dict[str, Any]:
    kind = CONNECTORS[name]
    return {
        "name": name,
        "title": kind.title,
        "capabilities": asdict(kind.capabilities),
        "settings_schema": kind.Settings.model_json_schema(),
        "secrets_schema": kind.Secrets.model_json_schema(),
        "template_rules": template_for(name),
    }


class ConnectorsView(PrincipalView):
    @extend_schema(operation_id="list_connectors", tags=["connectors"], responses=ConnectorSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The kinds of system that can be connected. Whoever belongs nowhere has nothing to connect and sees none."""
        known = CONNECTORS if self.principal.organizations else {}
        return Response([describe_connector(name) for name in known])


class ConnectorView(PrincipalView):
    @extend_schema(operation_id="read_connector", tags=["connectors"], responses=ConnectorSerializer)
    def get(self, request: Request, name: str) -> Response:
        if name not in CONNECTORS or not self.principal.organizations:
            raise Http404
        return Response(describe_connector(name))
