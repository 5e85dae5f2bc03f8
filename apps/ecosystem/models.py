"""Who exists: the organizations of a SIAM ecosystem in their three layers, and their people."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords


class Organization(models.Model):
    """A party of the ecosystem (G1): the customer organization, the service integrator, or a service provider.

    The integrator is an organization of its own even when it is internal, so that its role and the customer's stay
    apart (T5). Each customer has one integrator (G3). The contract of an external party is owned by the customer (G4).
    """

    class Layer(models.TextChoices):
        CUSTOMER = "customer", "customer organization"
        INTEGRATOR = "integrator", "service integrator"
        PROVIDER = "provider", "service provider"

    class Nature(models.TextChoices):
        INTERNAL = "internal", "internal"
        EXTERNAL = "external", "external"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    layer = models.CharField(max_length=10, choices=Layer.choices)
    nature = models.CharField(max_length=10, choices=Nature.choices, default=Nature.INTERNAL)
    customer = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="ecosystem",
        help_text="The customer organization whose ecosystem this is part of; empty for a customer itself.",
    )
    contract_owner = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="owned_contracts_with",
        help_text="Who holds the contract. For an external party this is the customer organization.",
    )
    description = models.TextField(blank=True)

    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(layer="customer", customer__isnull=True)
                | (~Q(layer="customer") & Q(customer__isnull=False)),
                name="only_a_customer_has_no_customer",
            ),
            models.CheckConstraint(
                # A comparison with NULL is neither true nor false, and a check lets that pass.
                condition=~Q(nature="external") | Q(contract_owner__isnull=False, contract_owner=F("customer")),
                name="external_contracts_are_owned_by_the_customer",
            ),
            models.UniqueConstraint(
                fields=["customer"], condition=Q(layer="integrator"), name="one_integrator_per_customer"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ecosystem_id(self) -> uuid.UUID:
        """The customer organization that stands for the whole ecosystem."""
        return self.customer_id or self.id


class Unit(models.Model):
    """A business unit of an organization (G5): finance, human resources, sales, marketing, internal IT, …"""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="units")
    name = models.CharField(max_length=120)

    history = HistoricalRecords()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="unit_names_are_unique")]

    def __str__(self) -> str:
        return self.name


class EndCustomer(models.Model):
    """A customer of the customer organization (G6): who in the end buys its products and services."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="end_customers")
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)

    history = HistoricalRecords()

    def __str__(self) -> str:
        return self.name


class Person(models.Model):
    """Somebody who works in the ecosystem, with or without an account in this portal."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    email = models.EmailField("e-mail", blank=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="person"
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "people"

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a member does for an organization, as far as the Identity Access Matrix asks."""

    GOVERNANCE_LEAD = "governance_lead", "SIAM governance lead"
    EXECUTIVE = "executive", "executive"
    INTEGRATOR_LEAD = "integrator_lead", "integrator lead"
    INTEGRATOR_ANALYST = "integrator_analyst", "integrator analyst"
    PROVIDER_MANAGER = "provider_manager", "provider manager"
    PROVIDER_AGENT = "provider_agent", "provider agent"
    AUDITOR = "auditor", "auditor"
    MACHINE = "machine", "machine account"


class Membership(models.Model):
    """A person (or a connection's machine account) holds a role in an organization (T63). Ended, never deleted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    unit = models.ForeignKey(Unit, on_delete=models.SET_NULL, null=True, blank=True)
    role = models.CharField(max_length=30, choices=Role.choices)
    job_title = models.CharField(max_length=120, blank=True)
    from_date = models.DateField()
    to_date = models.DateField(null=True, blank=True)

    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "organization", "role"],
                condition=Q(to_date__isnull=True),
                name="one_current_membership",
            )
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.get_role_display()} at {self.organization}"
