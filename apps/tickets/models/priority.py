from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from apps.ecosystem.models import Organization

from ..vocabulary import Priority


class PriorityCell(models.Model):
    """One cell of the priority matrix (T96): urgency and impact give the priority.

    It is data and not symmetric: impact 1 with urgency 4 is low, impact 4 with urgency 1 is high. Cells without a
    customer are the default; a customer's own cells come first.
    """

    customer = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    urgency = models.PositiveSmallIntegerField()
    impact = models.PositiveSmallIntegerField()
    priority = models.CharField(max_length=10, choices=Priority.choices)

    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "urgency", "impact"], name="one_priority_per_cell"),
            models.UniqueConstraint(
                fields=["urgency", "impact"], condition=Q(customer__isnull=True), name="one_default_priority_per_cell"
            ),
            models.CheckConstraint(condition=Q(urgency__range=(1, 4), impact__range=(1, 4)), name="cells_are_1_to_4"),
        ]

    def __str__(self) -> str:
        return f"urgency {self.urgency}, impact {self.impact}: {self.priority}"
