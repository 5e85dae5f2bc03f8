"""Tickets as the API shows them, and the bodies that its verbs take."""

from typing import Any

from rest_framework import serializers

from apps.ecosystem.api.serializers import OrganizationRef
from apps.foundation.api import StrictSerializer

from ..models import Attachment, Comment, Ticket, TicketEvent
from ..vocabulary import Audience, Category, Kind, Priority, Status

LONGEST_TEXT = 1_000_000
MOST_CUSTOM = 100


class TicketSerializer(serializers.ModelSerializer[Ticket]):
    """A ticket. ``last_seq`` counts its journal entries: as long as it stands still, nothing has changed."""

    customer = OrganizationRef(read_only=True)
    opened_by = OrganizationRef(read_only=True)
    held_by = OrganizationRef(read_only=True)

    class Meta:
        model = Ticket
        fields = [
            *("id", "reference", "title", "description", "kind", "status", "impact", "urgency", "priority"),
            *("category", "assignee", "resolution", "custom", "customer", "opened_by", "held_by"),
            *("created_at", "updated_at", "resolved_at", "closed_at", "last_seq"),
        ]
        read_only_fields = fields


class TicketDetailSerializer(TicketSerializer):
    """A ticket with the organizations that take part in it."""

    parties = serializers.SerializerMethodField()

    class Meta(TicketSerializer.Meta):
        fields = [*TicketSerializer.Meta.fields, "parties"]
        read_only_fields = fields

    def get_parties(self, ticket: Ticket) -> list[dict[str, str]]:
        parties = ticket.parties.select_related("organization").order_by("joined_seq", "id")
        return [{"id": str(party.organization_id), "name": party.organization.name} for party in parties]


class EventSerializer(serializers.ModelSerializer[TicketEvent]):
    """One journal entry. ``origin`` says whether it was done in the portal or came from a party's system.

    Which connection that was is its owner's business, so it is not told.
    """

    party = OrganizationRef(read_only=True, allow_null=True)
    organization = OrganizationRef(read_only=True, allow_null=True)
    origin = serializers.SerializerMethodField()

    class Meta:
        model = TicketEvent
        fields = [
            *("seq", "kind", "changes", "comment", "attachment", "party", "text"),
            *("actor_name", "organization", "origin", "at", "recorded_at"),
        ]
        read_only_fields = fields

    def get_origin(self, event: TicketEvent) -> str:
        return event.origin if event.origin == "portal" else "system"


class CommentSerializer(serializers.ModelSerializer[Comment]):
    organization = OrganizationRef(read_only=True)
    chosen_parties = OrganizationRef(many=True, read_only=True)

    class Meta:
        model = Comment
        fields = ["id", "body", "audience", "chosen_parties", "author_name", "organization", "at"]
        read_only_fields = fields


class AttachmentSerializer(serializers.ModelSerializer[Attachment]):
    organization = OrganizationRef(read_only=True)
    chosen_parties = OrganizationRef(many=True, read_only=True)

    class Meta:
        model = Attachment
        fields = [
            *("id", "file_name", "content_type", "size", "sha256", "comment"),
            *("audience", "chosen_parties", "author_name", "organization", "at"),
        ]
        read_only_fields = fields


class ActingBody(StrictSerializer):
    organization = serializers.UUIDField(
        required=False, help_text="For which of one's own organizations; needed when several could do it."
    )


def _text(longest: int, **rest: Any) -> serializers.CharField:
    return serializers.CharField(max_length=longest, trim_whitespace=False, required=False, **rest)


class EditTicketBody(ActingBody):
    """The plain fields of a ticket. Status, priority, impact and urgency change by their own verbs."""

    title = _text(255)
    description = _text(LONGEST_TEXT, allow_blank=True)
    kind = serializers.ChoiceField(choices=Kind.choices, required=False)
    category = serializers.ChoiceField(choices=Category.choices, required=False, allow_blank=True)
    assignee = _text(200, allow_blank=True)
    resolution = _text(LONGEST_TEXT, allow_blank=True)
    custom = serializers.DictField(
        child=serializers.CharField(max_length=10_000, allow_blank=True, trim_whitespace=False),
        required=False,
        help_text="Further fields by name, such as site.",
    )

    def validate_custom(self, custom: dict[str, str]) -> dict[str, str]:
        if len(custom) > MOST_CUSTOM:
            raise serializers.ValidationError(f"At most {MOST_CUSTOM} further fields fit.")
        unusable = [name for name in custom if not name.isidentifier() or not name.isascii() or len(name) > 60]
        if unusable:
            raise serializers.ValidationError(f"{unusable[0]!r} is no field name: letters, digits and _, at most 60.")
        return custom


class OpenTicketBody(EditTicketBody):
    """A new ticket. Give impact and urgency, and the priority follows; or the priority alone."""

    title = serializers.CharField(max_length=255)
    impact = serializers.IntegerField(min_value=1, max_value=4, required=False)
    urgency = serializers.IntegerField(min_value=1, max_value=4, required=False)
    priority = serializers.ChoiceField(choices=Priority.choices, required=False)


class AssessBody(ActingBody):
    impact = serializers.IntegerField(min_value=1, max_value=4)
    urgency = serializers.IntegerField(min_value=1, max_value=4)


class PrioritizeBody(ActingBody):
    priority = serializers.ChoiceField(choices=Priority.choices)


class MoveBody(ActingBody):
    status = serializers.ChoiceField(choices=Status.choices)
    resolution = _text(LONGEST_TEXT, allow_blank=True)


class ShareBody(ActingBody):
    to = serializers.UUIDField(help_text="The organization that shall take part.")


class HandOverBody(ActingBody):
    to = serializers.UUIDField(help_text="The organization that shall hold the ticket.")
    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True)


class AudienceBody(ActingBody):
    audience = serializers.ChoiceField(choices=Audience.choices, help_text="Who may read it; never widened later.")
    chosen = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=100, help_text="The parties, for the audience chosen."
    )


class CommentBody(AudienceBody):
    body = serializers.CharField(max_length=65_000, trim_whitespace=False, help_text="Markdown.")


class AttachmentBody(AudienceBody):
    file = serializers.FileField(allow_empty_file=True, max_length=255)
