"""Whether a connection may be called at all."""

from datetime import datetime

from django.db.models import Q

from ..models import Connection


def waits_now(now: datetime) -> Q:
    """Connections whose lanes wait for a moment that is known: the system rests, asked so, or has no calls left."""
    return Q(pulse__resting_until__gt=now) | Q(pulse__limited_until__gt=now) | Q(pulse__spent_until__gt=now)


def is_callable_now(connection: Connection, *, now: datetime) -> bool:
    """Whether a worker may call the system at this moment: active, not resting, not asked to wait."""
    if connection.state != Connection.State.ACTIVE:
        return False
    pulse = connection.pulse
    limits = (pulse.resting_until, pulse.limited_until)
    return all(until is None or until <= now for until in limits)
