"""One's own alerts and alert rules."""

from typing import Any, ClassVar
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.kernel import find_visible
from apps.accounts.models import User
from apps.ecosystem.api.principal import PrincipalListView
from apps.foundation.api import StrictSerializer
from apps.tickets.vocabulary import Priority

from ..models import Alert, AlertKind, AlertRule
from ..services.alerting import AlertRuleRefused, alert_rules_of, alerts_of, delete_alert_rule, save_alert_rule
from .base import SyncRoute
from .filters import AlertFilters
from .serializers import ConnectionRef


class AlertRuleSerializer(serializers.ModelSerializer[AlertRule]):
    """A rule. ``signing_secret``: with it the webhook's messages are signed; null for mail."""

    connections = ConnectionRef(many=True, read_only=True)
    kinds = serializers.ListField(child=serializers.ChoiceField(choices=AlertKind.choices), read_only=True)
    signing_secret = serializers.SerializerMethodField()

    class Meta:
        model = AlertRule
        fields = [
            *("id", "name", "kinds", "connections", "priority", "after_minutes", "channel", "address"),
            *("signing_secret", "digest", "daily_at", "quiet_from", "quiet_until", "is_active", "created_at"),
        ]
        read_only_fields = fields

    @extend_schema_field({"type": "string", "nullable": True})
    def get_signing_secret(self, rule: AlertRule) -> str | None:
        return rule.secrets.get("signing") if rule.channel == AlertRule.Channel.WEBHOOK else None


class ChangeAlertRuleBody(StrictSerializer):
    """What of a rule can be changed; what is not named stays."""

    name = serializers.CharField(max_length=80, required=False)
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=AlertKind.choices), allow_empty=False, required=False
    )
    connections = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=500, help_text="None: all that you may see."
    )
    priority = serializers.ChoiceField(choices=Priority.choices, allow_blank=True, required=False)
    after_minutes = serializers.IntegerField(min_value=1, max_value=100_000, required=False)
    channel = serializers.ChoiceField(choices=AlertRule.Channel.choices, required=False)
    address = serializers.CharField(max_length=500, allow_blank=True, required=False)
    digest = serializers.ChoiceField(choices=AlertRule.Digest.choices, required=False)
    daily_at = serializers.TimeField(allow_null=True, required=False)
    quiet_from = serializers.TimeField(allow_null=True, required=False)
    quiet_until = serializers.TimeField(allow_null=True, required=False)
    is_active = serializers.BooleanField(required=False)


class NewAlertRuleBody(ChangeAlertRuleBody):
    name = serializers.CharField(max_length=80)
    kinds = serializers.ListField(child=serializers.ChoiceField(choices=AlertKind.choices), allow_empty=False)


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """Something that a rule told of, or will. ``over_at`` is null while it lasts, ``told_at`` until it was told."""

    rule = serializers.CharField(source="rule.name", read_only=True)
    connection = ConnectionRef(read_only=True)

    class Meta:
        model = Alert
        fields = [
            *("id", "rule", "kind", "connection", "subject", "text", "party", "remedy", "path", "raised_at"),
            *("over_at", "due_at", "told_at", "attempts", "last_failure"),
        ]
        read_only_fields = fields


class AlertsView(PrincipalListView):
    queryset = Alert.objects.none()
    filterset_class = AlertFilters
    order = ("-raised_at", "-id")

    @extend_schema(operation_id="list_alerts", tags=["alerts"], responses=AlertSerializer(many=True))
    def get(self, request: Request) -> Response:
        """What one's own rules raised, newest first."""
        return self.show_page(AlertSerializer, alerts_of(self.principal))


class _OnRules(SyncRoute):
    refusals: ClassVar[Any] = (*SyncRoute.refusals, AlertRuleRefused)

    def rule(self) -> AlertRule:
        return find_visible(AlertRule.objects.all(), self.principal, pk=self.kwargs["rule_id"])

    def save(self, body: dict[str, Any], rule: AlertRule | None = None) -> AlertRule:
        chosen = body.pop("connections", None)
        user = self.request.user
        assert isinstance(user, User)
        return save_alert_rule(
            user=user, principal=self.principal, values=body, chosen=chosen, at=timezone.now(), rule=rule
        )


class AlertRulesView(_OnRules, PrincipalListView):
    queryset = AlertRule.objects.none()
    order = ("name", "id")

    @extend_schema(operation_id="list_alert_rules", tags=["alerts"], responses=AlertRuleSerializer(many=True))
    def get(self, request: Request) -> Response:
        """One's own rules."""
        rows = alert_rules_of(self.principal).prefetch_related("connections__organization")
        return self.show_page(AlertRuleSerializer, rows)

    @extend_schema(
        operation_id="create_alert_rule",
        tags=["alerts"],
        request=NewAlertRuleBody,
        responses={201: AlertRuleSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a rule: what to be told of, by which way, and when."""
        return self.show(AlertRuleSerializer, self.save(self.read_body(NewAlertRuleBody)), 201)


@extend_schema(tags=["alerts"])
class AlertRuleView(_OnRules):
    @extend_schema(operation_id="read_alert_rule", responses=AlertRuleSerializer)
    def get(self, request: Request, rule_id: UUID) -> Response:
        return self.show(AlertRuleSerializer, self.rule())

    @extend_schema(operation_id="change_alert_rule", request=ChangeAlertRuleBody, responses=AlertRuleSerializer)
    def patch(self, request: Request, rule_id: UUID) -> Response:
        """What is not named stays."""
        rule = self.rule()
        return self.show(AlertRuleSerializer, self.save(self.read_body(ChangeAlertRuleBody), rule))

    @extend_schema(operation_id="delete_alert_rule", request=None, responses={204: None})
    def delete(self, request: Request, rule_id: UUID) -> Response:
        """Take the rule away, with what it raised."""
        delete_alert_rule(rule=self.rule())
        return Response(status=204)
