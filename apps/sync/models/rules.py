import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from .connection import Connection


class RulesVersion(models.Model):
    """One version of a connection's rules (design 3.3): draft, then tested, then published, then retired."""

    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        TESTED = "tested", "tested"
        PUBLISHED = "published", "published"
        RETIRED = "retired", "retired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="rules_versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    document = models.JSONField()
    limits = models.JSONField(default=dict, help_text="System field → longest text, as the system said when tested.")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)

    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "number"], name="rules_versions_count_up"),
            models.UniqueConstraint(
                fields=["connection"], condition=Q(state="published"), name="one_published_version"
            ),
        ]

    def __str__(self) -> str:
        return f"rules {self.number} of {self.connection}"
