"""The priority matrix that a new installation starts with, as printed in the source document (T96)."""

from typing import Any

# Urgency by row, impact by column. It is not symmetric.
PRINTED = (
    ("critical", "critical", "high", "high"),
    ("critical", "high", "high", "medium"),
    ("high", "medium", "medium", "medium"),
    ("low", "low", "low", "low"),
)


def load_priorities(**_migrated: Any) -> None:
    """Fill an empty matrix. Runs after every migration; a matrix with rows is never touched."""
    from .models import PriorityCell

    if PriorityCell.objects.exists():
        return
    PriorityCell.objects.bulk_create(
        PriorityCell(urgency=urgency, impact=impact, priority=priority)
        for urgency, row in enumerate(PRINTED, start=1)
        for impact, priority in enumerate(row, start=1)
    )
