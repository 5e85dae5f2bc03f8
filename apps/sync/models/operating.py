from django.conf import settings
from django.db import models

from apps.ecosystem.models import Organization

from .link import TicketLink


class LaneAct(models.Model):
    """What a person did about a lane that waits, with the reason given; only ever added to."""

    class Verb(models.TextChoices):
        RETRIED = "retried", "retried"
        SKIPPED = "skipped", "skipped an entry"
        CORRECTED = "corrected", "wrote another value"
        HANDED = "handed", "handed it on"

    id = models.BigAutoField(primary_key=True)
    link = models.ForeignKey(TicketLink, on_delete=models.CASCADE, related_name="acts")
    verb = models.CharField(max_length=10, choices=Verb.choices)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    actor_name = models.CharField(max_length=200)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    note = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["link", "-at"])]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.get_verb_display()}"


class LaneCharge(models.Model):
    """The person who has a waiting lane in hand. It ends when the lane goes on."""

    link = models.OneToOneField(TicketLink, on_delete=models.CASCADE, primary_key=True, related_name="charge")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="lane_charges")
    note = models.CharField(max_length=500, blank=True)
    given_by = models.CharField(max_length=200)
    given_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.link_id} with {self.person}"
