import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from apps.foundation.fields import SecretsField
from apps.tickets.vocabulary import Priority

from .connection import Connection


class AlertKind(models.TextChoices):
    MINE = "mine", "a lane waits for me or my organization"
    LONG_WAIT = "long_wait", "a lane waits long, for whomever"
    ON_HOLD = "on_hold", "a connection is on hold"
    UNREACHABLE = "unreachable", "a system does not answer"
    BRAKE = "brake", "a brake stopped many changes at once"
    SILENCE = "silence", "nothing is heard of a system"


class AlertRule(models.Model):
    """What one person wants to be told of, by which way, and when (M11). No connection chosen: all that one may see."""

    class Channel(models.TextChoices):
        MAIL = "mail", "mail"
        WEBHOOK = "webhook", "webhook"

    class Digest(models.TextChoices):
        AT_ONCE = "at_once", "at once"
        HOURLY = "hourly", "together, every hour"
        DAILY = "daily", "together, once a day"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="alert_rules")
    name = models.CharField(max_length=80)
    kinds = models.JSONField(default=list)
    connections = models.ManyToManyField(Connection, blank=True, related_name="alert_rules")
    priority = models.CharField(
        max_length=10, choices=Priority.choices, blank=True, help_text="Only lanes of tickets at least this urgent."
    )
    after_minutes = models.PositiveIntegerField(default=30, help_text="How long is a long wait, or silence.")
    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.MAIL)
    address = models.CharField(max_length=500, blank=True, help_text="Where the webhook goes.")
    secrets = SecretsField(blank=True, default=dict)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    digest = models.CharField(max_length=10, choices=Digest.choices, default=Digest.AT_ONCE)
    daily_at = models.TimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    claimed_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField()

    history = HistoricalRecords(excluded_fields=["secrets", "claimed_until"])

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="alert_rule_names_are_unique")]

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """One thing that a rule tells of: once while it lasts, and once more when it is over.

    ``key`` names the thing, ``due_at`` when the next message about it may leave; None when all is said.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="alerts")
    kind = models.CharField(max_length=12, choices=AlertKind.choices)
    key = models.CharField(max_length=64)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="alerts")
    subject = models.CharField(max_length=300)
    text = models.TextField(blank=True)
    party = models.CharField(max_length=200, blank=True)
    remedy = models.TextField(blank=True)
    path = models.CharField(max_length=1000, blank=True, help_text="Where the portal shows it.")
    raised_at = models.DateTimeField()
    over_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    last_failure = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule", "key"], condition=Q(over_at=None), name="one_alert_while_it_lasts")
        ]
        indexes = [models.Index(fields=["rule", "-raised_at"]), models.Index(fields=["due_at"])]

    def __str__(self) -> str:
        return self.subject
