from django.db import models

from apps.tickets.models import Ticket

from .connection import Connection


class Restoration(models.Model):
    """The database was put back to an earlier moment, as somebody said at ``at``; the systems had gone on (INV-40)."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    links = models.PositiveIntegerField(help_text="Tickets of systems that were to be read again.")

    class Meta:
        indexes = [models.Index(fields=["-at"])]

    def __str__(self) -> str:
        return f"restored at {self.at:%Y-%m-%d %H:%M}"


class Divergence(models.Model):
    """What a system knew better than the restored database, and what was done about it. Only ever added to."""

    class Kind(models.TextChoices):
        TAKEN_BACK = "taken_back", "came back"
        TIED = "tied", "tied again"
        FOUND = "found", "there already"
        CONFLICT = "conflict", "both changed"
        PERSON = "person", "needs a person"

    id = models.BigAutoField(primary_key=True)
    restoration = models.ForeignKey(Restoration, on_delete=models.CASCADE, related_name="divergences")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="divergences")
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, null=True, related_name="+")
    key = models.CharField(max_length=100, blank=True, help_text="What people call the ticket in the system.")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    text = models.CharField(max_length=300)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["restoration", "kind"]), models.Index(fields=["connection", "-at"])]

    def __str__(self) -> str:
        return f"{self.key}: {self.get_kind_display()}"
