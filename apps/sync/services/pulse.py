"""Whether a connection may be called at all."""

from datetime import datetime, timedelta

from django.db.models import Q

from ..models import Connection

SAT_OUT = timedelta(seconds=1)
"""A wait that the system asked for and that is no longer than this is sat out at the gate, and costs no round."""


def waits_now(now: datetime) -> Q:
    """Connections whose lanes wait for a moment that is known: the system rests, asked so, or has no calls left."""
    return Q(pulse__resting_until__gt=now) | Q(pulse__limited_until__gt=now) | Q(pulse__spent_until__gt=now)


def is_callable_now(connection: Connection, *, now: datetime) -> bool:
    """Whether a worker may call the system at this moment: active, not resting, not asked to wait for long."""
    if connection.state != Connection.State.ACTIVE:
        return False
    pulse = connection.pulse
    is_resting = pulse.resting_until is not None and pulse.resting_until > now
    return not is_resting and (pulse.limited_until is None or pulse.limited_until <= now + SAT_OUT)
