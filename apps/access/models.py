"""The Identity Access Matrix as data (T64): which role holds which level on which resource."""

from django.db import models
from simple_history.models import HistoricalRecords

from .levels import Level


class MatrixCell(models.Model):
    """One cell of the matrix: a role's level on a resource, within the organization where the role is held.

    A resource whose name begins with ``circle_`` reaches every organization of the same ecosystem.
    """

    role = models.CharField(max_length=40)
    resource = models.CharField(max_length=40)
    level = models.PositiveSmallIntegerField(choices=[(level.value, level.name.lower()) for level in Level])

    history = HistoricalRecords()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["role", "resource"], name="one_level_per_role_and_resource")]

    def __str__(self) -> str:
        return f"{self.role}: {Level(self.level).name.lower()} {self.resource}"
