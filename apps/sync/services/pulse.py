"""How a connection is: breaker, limits, holds. Plain updates without history, written by the workers."""

from datetime import datetime, timedelta

from django.db.models import F, Q

from ..engine.recovery import OPENS_AFTER, PROBE_FIRST, PROBE_LONGEST, backoff
from ..models import Connection, ConnectionPulse

SHOWN = 2000


def note_success(connection: Connection, *, now: datetime) -> None:
    """A call went through: the breaker closes."""
    ConnectionPulse.objects.filter(connection=connection).update(last_success_at=now, failures=0, resting_until=None)


def note_failure(connection: Connection, detail: str, *, now: datetime, jitter: float) -> None:
    """A failure of the system as a whole. After several in a row the breaker opens, longer each time (INV-34)."""
    pulse = ConnectionPulse.objects.filter(connection=connection)
    pulse.update(failures=F("failures") + 1, last_failure_at=now, last_failure=detail[:SHOWN])
    failures = pulse.values_list("failures", flat=True).get()
    if failures >= OPENS_AFTER:
        rest = backoff(failures - OPENS_AFTER, jitter, PROBE_FIRST, PROBE_LONGEST)
        pulse.update(resting_until=now + timedelta(seconds=rest))


def wait_until(connection: Connection, until: datetime, detail: str, *, now: datetime) -> None:
    """The system asked us to wait: no worker calls it before then (INV-33)."""
    ConnectionPulse.objects.filter(connection=connection).filter(
        Q(limited_until=None) | Q(limited_until__lt=until)
    ).update(limited_until=until, last_failure_at=now, last_failure=detail[:SHOWN])


def put_on_hold(connection: Connection, detail: str, *, now: datetime) -> None:
    """Credentials do not work: stop before the account is locked, keep everything, tell the owner (INV-35)."""
    fresh = Connection.objects.get(pk=connection.pk)
    if fresh.state != Connection.State.ACTIVE:
        return
    fresh.state, fresh.state_since = Connection.State.ON_HOLD, now
    fresh.state_reason = f"The system refuses our sign-in: {detail[:SHOWN]} Renew the credentials, check, then resume."
    fresh.save()


def is_callable_now(connection: Connection, *, now: datetime) -> bool:
    """Whether a worker may call the system at all at this moment."""
    if connection.state != Connection.State.ACTIVE:
        return False
    pulse = connection.pulse
    limits = (pulse.resting_until, pulse.limited_until)
    return all(until is None or until <= now for until in limits)
