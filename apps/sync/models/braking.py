import uuid

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from apps.ecosystem.models import Organization
from apps.ecosystem.selectors import integrator_of

from ..engine import grave
from .connection import Connection
from .link import TicketLink


class Kind(models.TextChoices):
    BLANK = grave.Grave.BLANK, "empties fields"
    DETACH = grave.Grave.DETACH, "detaches links"
    CLOSE = grave.Grave.CLOSE, "closes tickets"
    REOPEN = grave.Grave.REOPEN, "re-opens tickets"


class Into(models.TextChoices):
    HUB = grave.Side.HUB, "in the portal"
    SYSTEM = grave.Side.SYSTEM, "in the system"


class Brake(models.Model):
    """A mass of grave acts of one kind on one connection was stopped, and its parties are asked (M10, INV-26).

    In force until both let the acts through, or until nothing waits behind a brake that one of them keeps on.
    """

    class State(models.TextChoices):
        TRIPPED = "tripped", "waits for answers"
        REFUSED = "refused", "kept stopped"
        RELEASED = "released", "let through"
        OVER = "over", "over"

    IN_FORCE = (State.TRIPPED, State.REFUSED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="brakes")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    into = models.CharField(max_length=10, choices=Into.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.TRIPPED)
    reason = models.TextField()
    tripped_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "kind", "into"],
                condition=Q(state__in=["tripped", "refused"]),
                name="one_brake_in_force",
            )
        ]
        indexes = [models.Index(fields=["connection", "-tripped_at"]), models.Index(fields=["state"])]

    def __str__(self) -> str:
        return f"{self.connection} {self.get_kind_display()} {self.get_into_display()}"

    @property
    def is_in_force(self) -> bool:
        return self.state in self.IN_FORCE

    @property
    def asked(self) -> list[Organization]:
        """Who must agree: the connection's owner, and the integrator, or the customer where there is none."""
        owner = self.connection.organization
        customer = owner.customer or owner
        integrator = integrator_of(customer)
        other = customer if integrator is None or integrator == owner else integrator
        return [owner] if other == owner else [owner, other]


class BrakeAnswer(models.Model):
    """What one party said about a brake; the other sees it."""

    class Choice(models.TextChoices):
        LET_THROUGH = "let_through", "let them through"
        KEEP_STOPPED = "keep_stopped", "keep them stopped"

    id = models.BigAutoField(primary_key=True)
    brake = models.ForeignKey(Brake, on_delete=models.CASCADE, related_name="answers")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    choice = models.CharField(max_length=12, choices=Choice.choices)
    note = models.TextField(blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    actor_name = models.CharField(max_length=200)
    at = models.DateTimeField()

    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["brake", "organization"], name="one_answer_of_each_party_to_a_brake")
        ]

    def __str__(self) -> str:
        return f"{self.organization}: {self.get_choice_display()}"


class GraveAct(models.Model):
    """One ticket's field that was, or would be, blanked, its link detached, the ticket closed or re-opened.

    Those without a brake are kept for a day, to be put back should they turn out to be the first of many.
    """

    class Standing(models.TextChoices):
        CARRIED_OUT = grave.Standing.CARRIED_OUT, "carried out"
        STOPPED = grave.Standing.STOPPED, "stopped"
        ALLOWED = grave.Standing.ALLOWED, "let through"
        REFUSED = grave.Standing.REFUSED, "refused"
        PUT_BACK = grave.Standing.PUT_BACK, "put back"

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="grave_acts")
    link = models.ForeignKey(TicketLink, on_delete=models.CASCADE, related_name="grave_acts")
    brake = models.ForeignKey(Brake, on_delete=models.CASCADE, null=True, related_name="acts")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    into = models.CharField(max_length=10, choices=Into.choices)
    key = models.CharField(max_length=200, blank=True, help_text="The rule by which it happens.")
    field = models.CharField(max_length=100, blank=True)
    before = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    hub_before = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    standing = models.CharField(max_length=12, choices=Standing.choices)
    at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["connection", "kind", "into", "at"]),
            models.Index(fields=["brake", "standing"]),
            models.Index(fields=["link", "kind"]),
        ]

    def __str__(self) -> str:
        return f"{self.link} {self.field}: {self.before!r} → {self.after!r}"


class GraveCount(models.Model):
    """How many tickets met grave acts of one kind within ten minutes, kept for two weeks: what is usual."""

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="grave_counts")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    into = models.CharField(max_length=10, choices=Into.choices)
    window = models.PositiveBigIntegerField()
    number = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "kind", "into", "window"], name="one_grave_count_a_window")
        ]

    def __str__(self) -> str:
        return f"{self.number} in window {self.window}"
