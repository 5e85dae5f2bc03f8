"""Lanes that wait, as the API shows them: why, who must act, what was tried and by whom."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.access.levels import Level
from apps.foundation.api import StrictSerializer

from ..models import Exchange, Intent, LaneAct, LaneCharge, TicketLink
from ..selectors import CAUSES, Group, Why, why_it_waits
from .base import owns
from .serializers import ConnectionRef, ExchangeSerializer, HoldSerializer, TicketRef
from .words import entries_waiting


class ChargeSerializer(serializers.ModelSerializer[LaneCharge]):
    """Who has the lane in hand, and by whom it was given."""

    person = serializers.CharField(source="person.name", read_only=True)

    class Meta:
        model = LaneCharge
        fields = ["person", "note", "given_by", "given_at"]
        read_only_fields = fields


class LaneSerializer(serializers.ModelSerializer[TicketLink]):
    """A lane. ``id`` is the id of its link; ``release_at`` is when the portal goes on by itself."""

    connection = ConnectionRef(read_only=True)
    ticket = TicketRef(read_only=True, allow_null=True)
    entries_waiting = serializers.SerializerMethodField()
    cause = serializers.ChoiceField(choices=[(code, cause.title) for code, cause in CAUSES.items()], read_only=True)
    why = serializers.SerializerMethodField()
    party = serializers.SerializerMethodField()
    remedy = serializers.SerializerMethodField()
    since = serializers.DateTimeField(read_only=True)
    release_at = serializers.SerializerMethodField()
    charge = serializers.SerializerMethodField()
    delivery_hold = HoldSerializer(read_only=True, allow_null=True)
    intake_hold = HoldSerializer(read_only=True, allow_null=True)

    class Meta:
        model = TicketLink
        fields = [
            *("id", "ticket", "connection", "state", "key", "entries_waiting", "cause", "why", "party", "remedy"),
            *("since", "release_at", "charge", "delivery_hold", "intake_hold", "attempts", "due_at", "last_failure"),
            "created_at",
        ]
        read_only_fields = fields

    def _why(self, link: TicketLink) -> Why:
        return why_it_waits(link, now=timezone.now())

    def get_entries_waiting(self, link: TicketLink) -> int:
        return entries_waiting(link)

    def get_why(self, link: TicketLink) -> str:
        why = self._why(link)
        if why.code != "retrying":
            return why.text
        return f"{why.text}; tried {link.attempts} times, next at {link.due_at:%Y-%m-%d %H:%M:%S} UTC"

    def get_party(self, link: TicketLink) -> str | None:
        """Who must act; null when the portal goes on by itself."""
        return self._why(link).party

    def get_remedy(self, link: TicketLink) -> str | None:
        return self._why(link).remedy

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_release_at(self, link: TicketLink) -> Any:
        return self._why(link).release_at

    @extend_schema_field(ChargeSerializer(allow_null=True))
    def get_charge(self, link: TicketLink) -> Any:
        charge = getattr(link, "charge", None)
        return None if charge is None else ChargeSerializer(charge).data


class LaneGroupSerializer(serializers.Serializer[Group]):
    """Lanes of one connection that wait for the same reason."""

    connection = ConnectionRef()
    cause = serializers.CharField(source="code")
    title = serializers.CharField(source="cause.title")
    field = serializers.CharField()  # type: ignore[assignment]
    value = serializers.CharField()
    direction = serializers.ChoiceField(choices=[("to", "to the system"), ("from", "from the system")])
    number = serializers.IntegerField()
    oldest = serializers.DateTimeField()
    priority = serializers.CharField(help_text="The highest of their tickets, as far as you may know them.")
    needs_a_person = serializers.BooleanField(source="cause.needs")


class IntentSerializer(serializers.ModelSerializer[Intent]):
    """A write that was about to happen. What was written shows to the connection's owner alone; else null."""

    fields_written = serializers.SerializerMethodField()

    class Meta:
        model = Intent
        fields = ["id", "seq", "slot", "state", "is_unknown", "note", "fields_written", "created_at", "settled_at"]
        read_only_fields = fields

    @extend_schema_field({"type": "object", "nullable": True, "additionalProperties": {}})
    def get_fields_written(self, intent: Intent) -> Any:
        principal = self.context["view"].principal
        return intent.fields if owns(principal, intent.link.connection, Level.READ) else None


class LaneExchangeSerializer(ExchangeSerializer):
    """One call made for a lane; ``intent`` is the id of the write that it belongs to."""

    class Meta(ExchangeSerializer.Meta):
        model = Exchange
        fields = ["id", "intent", *ExchangeSerializer.Meta.fields]
        read_only_fields = fields


class LaneActSerializer(serializers.ModelSerializer[LaneAct]):
    organization = serializers.CharField(source="organization.name", read_only=True)

    class Meta:
        model = LaneAct
        fields = ["verb", "actor_name", "organization", "note", "at"]
        read_only_fields = fields


class SkipBody(StrictSerializer):
    reason = serializers.CharField(max_length=2000, help_text="Kept for who watches the connection.")


class CorrectBody(StrictSerializer):
    field = serializers.CharField(max_length=100, help_text="The ticket's field.")  # type: ignore[assignment]
    value = serializers.CharField(max_length=2000, allow_blank=True)


class HandBody(StrictSerializer):
    person = serializers.EmailField(help_text="Whom to hand it to.")
    note = serializers.CharField(max_length=500, required=False, allow_blank=True)
