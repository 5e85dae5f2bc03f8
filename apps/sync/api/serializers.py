"""Connections, their rules and what moves over them, as the API shows them. No serializer shows a secret."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.access.levels import Level
from apps.ecosystem.api.serializers import OrganizationRef
from apps.foundation.api import StrictSerializer
from apps.tickets.models import Ticket

from ..engine.allowance import LARGEST_ALLOWANCE, SMALLEST_A_MINUTE, SMALLEST_AN_HOUR
from ..models import Conflict, Connection, ConnectionPulse, Exchange, Notice, PulseSample, RulesVersion, TicketLink
from ..services.making import NOTICE_SECRETS
from .base import owns
from .words import describe_hold, entries_waiting, status_there


class PulseSerializer(serializers.ModelSerializer[ConnectionPulse]):
    """How the connection is right now."""

    class Meta:
        model = ConnectionPulse
        fields = [
            *("product", "version", "account_name", "warnings", "checked_at", "polled_at", "last_success_at"),
            *("last_failure_at", "last_failure", "failures", "resting_until", "limited_until", "spent_until"),
            *("notices_refused", "notice_refused_at"),
        ]
        read_only_fields = fields


class ConnectionRef(serializers.ModelSerializer[Connection]):
    organization = OrganizationRef(read_only=True)

    class Meta:
        model = Connection
        fields = ["id", "name", "connector", "organization"]
        read_only_fields = fields


class ConnectionSerializer(serializers.ModelSerializer[Connection]):
    """A connection. Address and settings show to its owner, the webhook's address to who may change it; else null."""

    organization = OrganizationRef(read_only=True)
    health = PulseSerializer(source="pulse", read_only=True)
    base_url = serializers.SerializerMethodField()
    settings = serializers.SerializerMethodField()
    secrets_held = serializers.SerializerMethodField()
    webhook_address = serializers.SerializerMethodField()

    class Meta:
        model = Connection
        fields = [
            *("id", "name", "connector", "organization", "state", "state_reason", "state_since", "poll_seconds"),
            "brake_handful",
            *("calls_per_minute", "calls_per_hour"),
            *("sweep_seconds", "created_at", "base_url", "settings", "secrets_held", "webhook_address", "health"),
        ]
        read_only_fields = fields

    def _may(self, connection: Connection, level: Level) -> bool:
        return owns(self.context["view"].principal, connection, level)

    def get_base_url(self, connection: Connection) -> str | None:
        return connection.base_url if self._may(connection, Level.READ) else None

    @extend_schema_field({"type": "object", "nullable": True, "additionalProperties": {}})
    def get_settings(self, connection: Connection) -> Any:
        return connection.settings if self._may(connection, Level.READ) else None

    @extend_schema_field({"type": "array", "nullable": True, "items": {"type": "string"}})
    def get_secrets_held(self, connection: Connection) -> list[str] | None:
        """The names of the secrets that are set, never their values."""
        if not self._may(connection, Level.FULL):
            return None
        return sorted(name for name, value in connection.secrets.items() if value and name not in NOTICE_SECRETS)

    def get_webhook_address(self, connection: Connection) -> str | None:
        if not self._may(connection, Level.FULL):
            return None
        return str(settings.SIAM_PUBLIC_ADDRESS).rstrip("/") + reverse("notice", args=[connection.notice_key])


class ChangeConnectionBody(StrictSerializer):
    """What of a connection can be changed. A secret given as empty text is taken away; they are never shown."""

    name = serializers.CharField(max_length=120, required=False)
    base_url = serializers.RegexField(
        r"^https?://[^\s\x00-\x1f]+$", max_length=500, required=False, help_text="The system's address."
    )
    settings = serializers.DictField(child=serializers.JSONField(), required=False)
    secrets = serializers.DictField(
        child=serializers.CharField(max_length=20_000, allow_blank=True, trim_whitespace=False),
        required=False,
        write_only=True,
    )
    poll_seconds = serializers.IntegerField(min_value=5, max_value=86_400, required=False)
    brake_handful = serializers.IntegerField(
        min_value=1,
        max_value=100_000,
        required=False,
        help_text="So many tickets may be emptied, detached, closed or re-opened within ten minutes unasked.",
    )
    calls_per_minute = serializers.IntegerField(
        min_value=SMALLEST_A_MINUTE,
        max_value=LARGEST_ALLOWANCE,
        required=False,
        allow_null=True,
        help_text="The most calls in any minute; null: what the system says of itself.",
    )
    calls_per_hour = serializers.IntegerField(
        min_value=SMALLEST_AN_HOUR,
        max_value=LARGEST_ALLOWANCE,
        required=False,
        allow_null=True,
        help_text="The most calls in any hour; null: what the system says of itself.",
    )


class NewConnectionBody(ChangeConnectionBody):
    organization = serializers.UUIDField(required=False, help_text="Whose system it is; needed when several could be.")
    name = serializers.CharField(max_length=120)
    connector = serializers.CharField(max_length=40, help_text="One of the kinds at /connectors/.")
    base_url = serializers.RegexField(r"^https?://[^\s\x00-\x1f]+$", max_length=500)


class LimitSerializer(serializers.Serializer[Any]):
    calls = serializers.IntegerField(help_text="The most calls in any stretch of this length.")
    length = serializers.ChoiceField(choices=["minute", "hour"])
    used = serializers.IntegerField(help_text="Calls in the last minute or hour.")
    is_told = serializers.BooleanField(help_text="Whether the system said so of itself; else its owner set it.")


class AllowanceSerializer(serializers.Serializer[Any]):
    """How many calls the connection may make, and when there are some again; without limits the list is empty."""

    limits = LimitSerializer(many=True)
    release_at = serializers.DateTimeField(allow_null=True)


class PauseBody(StrictSerializer):
    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True)


class SystemCardSerializer(serializers.Serializer[Any]):
    """Who answered: product, version and the account that we act as."""

    product = serializers.CharField()
    version = serializers.CharField()
    account_id = serializers.CharField()
    account_name = serializers.CharField()
    deployment = serializers.CharField()
    warnings = serializers.ListField(child=serializers.CharField())


class NoticeSecretSerializer(serializers.Serializer[Any]):
    notice_secret = serializers.CharField(help_text="Shown this once; the former one works until the next renewal.")
    webhook_address = serializers.CharField()


class RulesSerializer(serializers.ModelSerializer[RulesVersion]):
    author = serializers.CharField(source="author.name", default=None, read_only=True, allow_null=True)

    class Meta:
        model = RulesVersion
        fields = ["number", "state", "note", "author", "created_at", "published_at"]
        read_only_fields = fields


class RulesDetailSerializer(RulesSerializer):
    class Meta(RulesSerializer.Meta):
        fields = [*RulesSerializer.Meta.fields, "document", "limits"]
        read_only_fields = fields


class DraftRulesBody(StrictSerializer):
    document = serializers.DictField(
        child=serializers.JSONField(allow_null=True), help_text="The rules document; /connectors/ has templates."
    )
    note = serializers.CharField(max_length=200, required=False, allow_blank=True)


class FindingSerializer(serializers.Serializer[Any]):
    """Something the rules do that will not work; errors keep them from being published."""

    place = serializers.CharField()
    text = serializers.CharField()
    is_error = serializers.BooleanField()


class TriedRulesSerializer(RulesSerializer):
    findings = FindingSerializer(many=True)

    class Meta(RulesSerializer.Meta):
        fields = [*RulesSerializer.Meta.fields, "findings"]
        read_only_fields = fields


class ExchangeSerializer(serializers.ModelSerializer[Exchange]):
    """One call to the system, redacted."""

    class Meta:
        model = Exchange
        fields = ["at", "method", "url", "request", "status", "answer", "seconds"]
        read_only_fields = fields


class SampleSerializer(serializers.ModelSerializer[PulseSample]):
    """Five minutes of a connection: what it carried, what failed, and how long changes waited."""

    class Meta:
        model = PulseSample
        fields = ["at", "calls", "writes", "errors", "limits", "lag_seconds", "held", "is_resting"]
        read_only_fields = fields


class NoticeSerializer(serializers.ModelSerializer[Notice]):
    class Meta:
        model = Notice
        fields = ["delivery_id", "refs", "summary", "received_at", "repeats"]
        read_only_fields = fields


class TicketRef(serializers.ModelSerializer[Ticket]):
    class Meta:
        model = Ticket
        fields = ["id", "reference", "title"]
        read_only_fields = fields


class HoldSerializer(serializers.Serializer[Any]):
    """Why something waits: what happened, who must act, how, and since when."""

    cause = serializers.CharField()
    text = serializers.CharField()
    field = serializers.CharField()
    value = serializers.JSONField(allow_null=True)
    party = serializers.CharField()
    remedy = serializers.CharField()
    since = serializers.DateTimeField()


class LinkSerializer(serializers.ModelSerializer[TicketLink]):
    """Where a ticket is in one system. ``status_there``: its status in the system's words, as last agreed."""

    connection = ConnectionRef(read_only=True)
    ticket = TicketRef(read_only=True, allow_null=True)
    status_there = serializers.SerializerMethodField()
    entries_waiting = serializers.SerializerMethodField()
    delivery_hold = HoldSerializer(read_only=True, allow_null=True)
    intake_hold = HoldSerializer(read_only=True, allow_null=True)
    hold = serializers.SerializerMethodField()

    class Meta:
        model = TicketLink
        fields = [
            *("id", "ticket", "connection", "state", "external_id", "key", "url", "is_closed", "status_there"),
            *("entries_waiting", "hold", "delivery_hold", "intake_hold", "looked_at", "created_at"),
        ]
        read_only_fields = fields

    def get_status_there(self, link: TicketLink) -> str | None:
        return status_there(link)

    def get_entries_waiting(self, link: TicketLink) -> int:
        return entries_waiting(link)

    def get_hold(self, link: TicketLink) -> str | None:
        """Why it waits and who must act, in one sentence."""
        return describe_hold(link)


class ConflictSerializer(serializers.ModelSerializer[Conflict]):
    """A field that both sides changed; the value that lost is kept."""

    connection = ConnectionRef(source="link.connection", read_only=True)
    ticket = TicketRef(source="link.ticket", read_only=True, allow_null=True)
    field = serializers.SerializerMethodField()

    class Meta:
        model = Conflict
        fields = [
            *("id", "link", "connection", "ticket", "field", "hub_value", "system_value", "verdict", "author", "at"),
            *("recorded_at", "is_open", "settled_at"),
        ]
        read_only_fields = fields

    def get_field(self, conflict: Conflict) -> str:
        return conflict.rule_key.partition("=")[0]


class SettleBody(StrictSerializer):
    choice = serializers.ChoiceField(choices=["hub", "system"], help_text="Whose value holds.")


class CapabilitiesSerializer(serializers.Serializer[Any]):
    has_change_log = serializers.BooleanField()
    has_atomic_precondition = serializers.BooleanField()
    has_internal_comments = serializers.BooleanField()
    can_attribute_author = serializers.BooleanField()
    can_reopen_closed = serializers.BooleanField()
    attachment_needs_comment = serializers.BooleanField()
    signs_notices = serializers.BooleanField()
    retries_notices = serializers.BooleanField()
    index_lag_seconds = serializers.FloatField()
    overlap_seconds = serializers.FloatField()


class ConnectorSerializer(serializers.Serializer[Any]):
    """A kind of system: what a connection to it can be told (JSON Schema), and the rules that it starts from."""

    name = serializers.CharField()
    title = serializers.CharField()
    capabilities = CapabilitiesSerializer()
    settings_schema = serializers.DictField()
    secrets_schema = serializers.DictField()
    template_rules = serializers.DictField(allow_null=True)
