"""The Identity Access Matrix that a new installation starts with; from then on the rows decide."""

from typing import Any

from .levels import Level

NONE, READ, WRITE, FULL = Level.NONE, Level.READ, Level.WRITE, Level.FULL

RESOURCES = ("ticket", "organization", "circle", "route", "connection", "rules", "watch")
MATRIX = {
    "governance_lead": (FULL, FULL, READ, READ, NONE, NONE, READ),
    "executive": (READ, READ, READ, READ, NONE, NONE, READ),
    "integrator_lead": (FULL, READ, READ, FULL, FULL, FULL, WRITE),
    "integrator_analyst": (FULL, READ, READ, READ, READ, NONE, WRITE),
    "provider_manager": (WRITE, FULL, NONE, NONE, FULL, FULL, NONE),
    "provider_agent": (WRITE, READ, NONE, NONE, READ, NONE, NONE),
    "auditor": (READ, READ, READ, READ, READ, NONE, READ),
    "machine": (WRITE, READ, NONE, NONE, NONE, NONE, NONE),
}


def load_matrix(**_migrated: Any) -> None:
    """Fill an empty matrix. Runs after every migration; a matrix with rows is never touched."""
    from .models import MatrixCell

    if MatrixCell.objects.exists():
        return
    MatrixCell.objects.bulk_create(
        MatrixCell(role=role, resource=resource, level=level)
        for role, levels in MATRIX.items()
        for resource, level in zip(RESOURCES, levels, strict=True)
        if level
    )
