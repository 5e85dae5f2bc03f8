import hashlib
import secrets
import uuid

from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from apps.ecosystem.models import Organization

from ..vocabulary import Category, Kind, Priority, Status

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_TICKETS = uuid.UUID("5f0a7c0e-8a0d-4f53-9c55-0d6a3f1f2b77")


def make_reference() -> str:
    """A reference, such as T-7KQ2M9XA. Random: a running number would tell each party how much the others have."""
    return reference_of(secrets.token_hex(8))


def reference_of(mark: str) -> str:
    """The reference of the ticket whose journal begins with ``mark``: taken in again, it keeps its name."""
    number = int.from_bytes(hashlib.sha256(mark.encode()).digest()[:16])
    places = [number // len(_ALPHABET) ** place % len(_ALPHABET) for place in range(8)]
    return "T-" + "".join(_ALPHABET[place] for place in places)


def id_of(mark: str) -> uuid.UUID:
    """The id of that ticket."""
    return uuid.uuid5(_TICKETS, mark)


class Ticket(models.Model):
    """A matter that crosses companies: an incident, a service request, a problem or a change.

    Its history is the journal (:class:`TicketEvent`); this row is the sum of it. It changes only through
    ``tickets.services``, which append to the journal in the same transaction.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(max_length=12, unique=True, default=make_reference, editable=False)
    customer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="tickets_as_customer")
    opened_by = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="opened_tickets")
    held_by = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="held_tickets")
    follows = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="followed_by")

    title = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.INCIDENT)
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.NEW)
    impact = models.PositiveSmallIntegerField(default=3)
    urgency = models.PositiveSmallIntegerField(default=3)
    priority = models.CharField(max_length=10, choices=Priority.choices)
    category = models.CharField(max_length=20, choices=Category.choices, blank=True)
    assignee = models.CharField(max_length=200, blank=True, help_text="Who works on it at the party that holds it.")
    resolution = models.TextField(blank=True)
    custom = models.JSONField(default=dict, blank=True, help_text="Further fields by name; values are text.")

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    touched_at = models.DateTimeField(
        auto_now=True, help_text="When the portal last wrote; updated_at is when it happened."
    )
    resolved_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    last_seq = models.PositiveIntegerField(default=0, editable=False)
    is_restored = models.BooleanField(
        default=False, help_text="Systems may know more of it: the database was put back to an earlier moment."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(impact__range=(1, 4)), name="impact_is_1_to_4"),
            models.CheckConstraint(condition=Q(urgency__range=(1, 4)), name="urgency_is_1_to_4"),
        ]
        indexes = [
            models.Index(fields=["customer", "-updated_at", "id"]),
            models.Index(fields=["held_by", "-updated_at", "id"]),
            models.Index(fields=["-updated_at", "id"]),
            models.Index(fields=["touched_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.title}"

    @property
    def is_open(self) -> bool:
        return self.status not in (Status.RESOLVED, Status.CLOSED)


class TicketParty(models.Model):
    """An organization that takes part in a ticket: it sees the ticket, and its system may get a copy."""

    id = models.BigAutoField(primary_key=True)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="parties")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="ticket_parties")
    joined_at = models.DateTimeField()
    joined_seq = models.PositiveIntegerField(help_text="The journal entry that made it a party.")

    class Meta:
        verbose_name_plural = "ticket parties"
        constraints = [models.UniqueConstraint(fields=["ticket", "organization"], name="one_party_per_organization")]
        indexes = [models.Index(fields=["organization", "ticket"])]

    def __str__(self) -> str:
        return f"{self.organization} in {self.ticket_id}"


class Route(models.Model):
    """Where tickets go by themselves (T49, T72): the first route of the ecosystem that fits shares and hands over.

    Routes belong to the integrator, because hand-over runs through it (T99). An empty condition fits everything.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    customer = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="routes")
    position = models.PositiveSmallIntegerField()
    from_organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="routes_from"
    )
    kind = models.CharField(max_length=20, choices=Kind.choices, blank=True)
    category = models.CharField(max_length=20, choices=Category.choices, blank=True)
    to_organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="routes_to")

    history = HistoricalRecords()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["customer", "position"], name="routes_have_an_order")]

    def __str__(self) -> str:
        return f"route {self.position} to {self.to_organization}"
