"""The words of a ticket: kinds, statuses and their legal moves, priorities. Plain data, no tables."""

from collections.abc import Mapping

from django.db import models


class Kind(models.TextChoices):
    """What a ticket is about (T92)."""

    INCIDENT = "incident", "incident"
    SERVICE_REQUEST = "service_request", "service request"
    PROBLEM = "problem", "problem"
    CHANGE = "change", "change"


class Status(models.TextChoices):
    NEW = "new", "new"
    IN_PROGRESS = "in_progress", "in progress"
    PENDING = "pending", "pending"
    RESOLVED = "resolved", "resolved"
    CLOSED = "closed", "closed"


OPEN_STATUSES = (Status.NEW, Status.IN_PROGRESS, Status.PENDING)

MOVES: Mapping[str, tuple[str, ...]] = {
    Status.NEW: (Status.IN_PROGRESS, Status.PENDING, Status.RESOLVED),
    Status.IN_PROGRESS: (Status.PENDING, Status.RESOLVED),
    Status.PENDING: (Status.IN_PROGRESS, Status.RESOLVED),
    Status.RESOLVED: (Status.CLOSED, Status.IN_PROGRESS),
    Status.CLOSED: (Status.IN_PROGRESS,),
}
"""Status → statuses that may follow. From resolved or closed back to in progress is a re-opening."""


class Priority(models.TextChoices):
    CRITICAL = "critical", "critical"
    HIGH = "high", "high"
    MEDIUM = "medium", "medium"
    LOW = "low", "low"


class Category(models.TextChoices):
    """What the root-cause analysis found (T49); routes look at it."""

    UNKNOWN = "", "not yet known"
    DESIGN = "design", "design or architecture"
    CHANGE_REQUEST = "change_request", "change or feature request"
    BUG = "bug", "bug or incident"
    NETWORK = "network", "connection or network"


class Audience(models.TextChoices):
    """Who may read a comment or attachment (never widened afterwards, INV-31)."""

    PUBLIC = "public", "all parties of the ticket"
    CHOSEN = "chosen", "chosen parties"
    INTERNAL = "internal", "only the author's organization"


class EventKind(models.TextChoices):
    OPENED = "opened", "opened"
    CHANGED = "changed", "changed"
    COMMENTED = "commented", "commented"
    ATTACHED = "attached", "attached"
    SHARED = "shared", "shared with a party"
    HANDED_OVER = "handed_over", "handed over"
    NOTED = "noted", "noted"
