from django.db import models

from .connection import Connection


class PulseSample(models.Model):
    """How a connection was during five minutes: what it carried, what failed, and how long changes waited.

    ``lag_seconds`` is the longest wait of a change that reached the system in these minutes or still waited at their
    end.
    """

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="samples")
    at = models.DateTimeField(help_text="When the five minutes began.")
    calls = models.PositiveIntegerField(default=0)
    writes = models.PositiveIntegerField(default=0, help_text="Changes that reached the system.")
    errors = models.PositiveIntegerField(default=0, help_text="Calls without an answer, or answered with an error.")
    limits = models.PositiveIntegerField(default=0, help_text="Calls answered with: too many requests.")
    lag_seconds = models.FloatField(default=0)
    held = models.PositiveIntegerField(default=0, help_text="Lanes that waited for a person at the end.")
    is_resting = models.BooleanField(default=False, help_text="The system was left alone at the end of the minutes.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "at"], name="one_sample_per_five_minutes")]
        indexes = [models.Index(fields=["at"])]

    def __str__(self) -> str:
        return f"{self.connection_id} at {self.at}"
