"""Whether a connection may be called at all."""

from datetime import datetime

from ..models import Connection


def is_callable_now(connection: Connection, *, now: datetime) -> bool:
    """Whether a worker may call the system at this moment: active, not resting, not asked to wait."""
    if connection.state != Connection.State.ACTIVE:
        return False
    pulse = connection.pulse
    limits = (pulse.resting_until, pulse.limited_until)
    return all(until is None or until <= now for until in limits)
