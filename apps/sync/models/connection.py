import secrets
import uuid

from django.conf import settings as django_settings
from django.core.validators import MinValueValidator
from django.db import models
from simple_history.models import HistoricalRecords

from apps.ecosystem.models import Organization
from apps.foundation.fields import SecretsField


def make_notice_key() -> str:
    """The part of the webhook address that tells connections apart; long enough not to be guessed."""
    return secrets.token_urlsafe(24)


class Connection(models.Model):
    """One configured system of one organization: an instance of Jira, ServiceNow, Azure DevOps or Zendesk.

    It belongs to that organization alone, which decides what leaves its system and what it accepts (T13, T17).
    """

    class State(models.TextChoices):
        DRAFT = "draft", "not yet in use"
        ACTIVE = "active", "active"
        PAUSED = "paused", "paused"
        ON_HOLD = "on_hold", "on hold"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="connections")
    name = models.CharField(max_length=120)
    connector = models.CharField(max_length=40)
    base_url = models.URLField("address", max_length=500)
    settings = models.JSONField(default=dict, blank=True)
    secrets = SecretsField(blank=True, default=dict)
    notice_key = models.CharField(max_length=64, unique=True, default=make_notice_key, editable=False)
    machine = models.OneToOneField(
        django_settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="connection", editable=False
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    state_reason = models.TextField(blank=True)
    state_since = models.DateTimeField()
    poll_seconds = models.PositiveIntegerField(default=60, help_text="How often the system is asked for changes.")
    sweep_seconds = models.PositiveIntegerField(default=3600, help_text="How often each ticket is compared as a whole.")
    brake_handful = models.PositiveIntegerField(
        "handful",
        default=10,
        validators=[MinValueValidator(1)],
        help_text="So many tickets may be emptied, detached, closed or re-opened within ten minutes unasked.",
    )
    calls_per_minute = models.PositiveIntegerField(
        null=True, blank=True, help_text="The most calls in any minute; empty: what the system says of itself."
    )
    calls_per_hour = models.PositiveIntegerField(
        null=True, blank=True, help_text="The most calls in any hour; empty: what the system says of itself."
    )
    created_at = models.DateTimeField()

    history = HistoricalRecords(excluded_fields=["secrets"])

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="connection_names_are_unique")]

    def __str__(self) -> str:
        return self.name


class ConnectionPulse(models.Model):
    """How a connection is right now: cursor, failures, limits. Written by the workers, without history."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, primary_key=True, related_name="pulse")
    cursor = models.TextField(blank=True)
    poll_due_at = models.DateTimeField(null=True)
    polled_at = models.DateTimeField(null=True)
    behind_until = models.DateTimeField(
        null=True, help_text="Until then the system may tell of changes older than the restored database knows."
    )
    linked_until = models.DateTimeField(null=True, help_text="Tickets touched before then were offered to the rules.")
    failures = models.PositiveIntegerField(default=0, help_text="Failures in a row that count against the system.")
    resting_until = models.DateTimeField(null=True, help_text="The breaker is open until then; one probe follows.")
    limited_until = models.DateTimeField(null=True, help_text="The system asked us to wait until then.")
    told_per_minute = models.PositiveIntegerField(null=True, help_text="Calls in a minute that the system allows us.")
    told_per_hour = models.PositiveIntegerField(null=True, help_text="Calls in an hour that the system allows us.")
    minute_full_at = models.DateTimeField(null=True, help_text="When all calls of a minute can be taken again.")
    hour_full_at = models.DateTimeField(null=True, help_text="When all calls of an hour can be taken again.")
    spent_until = models.DateTimeField(null=True, help_text="The allowance of calls is used up until then.")
    renewing_until = models.DateTimeField(null=True, help_text="Somebody renews the tokens, until then at most.")
    last_success_at = models.DateTimeField(null=True)
    last_failure_at = models.DateTimeField(null=True)
    last_failure = models.TextField(blank=True)
    notices_refused = models.PositiveIntegerField(
        default=0, help_text="Webhooks that did not prove where they came from."
    )
    notice_refused_at = models.DateTimeField(null=True)
    product = models.CharField(max_length=120, blank=True)
    version = models.CharField(max_length=120, blank=True)
    account_name = models.CharField(max_length=200, blank=True)
    warnings = models.JSONField(default=list)
    checked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"pulse of {self.connection_id}"
