"""The allowance of a connection: its limits, what of them is used, and when there are calls again (INV-33)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..models import Connection, Exchange
from ..store.allowances import SAID, limits_of


@dataclass(frozen=True, slots=True)
class Used:
    """One limit on calls, how many calls of the last minute or hour count against it, and who set it."""

    calls: int
    length: str
    used: int
    is_told: bool
    """Whether the system said so of itself; else the connection's owner did."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """``release_at``: when there are calls again; None while there are some."""

    limits: list[Used]
    release_at: datetime | None


def allowance_of(connection: Connection, *, now: datetime) -> Allowance:
    """How many calls the connection may make at ``now``."""
    made = Exchange.objects.filter(connection=connection)
    limits = [
        Used(
            limit.calls,
            limit.length,
            made.filter(at__gt=now - timedelta(seconds=limit.seconds)).count(),
            limit.calls == getattr(connection.pulse, SAID[limit.seconds]),
        )
        for limit in limits_of(connection)
    ]
    spent_until = connection.pulse.spent_until
    is_spent = bool(limits) and spent_until is not None and spent_until > now
    return Allowance(limits, spent_until if is_spent else None)
