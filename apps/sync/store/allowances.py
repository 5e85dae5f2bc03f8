"""Allowances as rows: what is left of each connection's limits, whichever worker made the other calls (INV-33)."""

from datetime import datetime, timedelta

from ..engine.allowance import Bucket, Limit, give_back, release_at, take
from ..models import Connection, ConnectionPulse

TRIES = 8
MINUTE, HOUR = 60.0, 3600.0
SAID = {MINUTE: "told_per_minute", HOUR: "told_per_hour"}
"""Where the pulse keeps what a system said of itself, by the length in seconds."""
_FULL = {MINUTE: "minute_full_at", HOUR: "hour_full_at"}


def limits_of(connection: Connection) -> list[Limit]:
    """The limits in force: what the owner set or the system said of itself, whichever is lower."""
    pulse = connection.pulse
    said = {
        MINUTE: (connection.calls_per_minute, pulse.told_per_minute),
        HOUR: (connection.calls_per_hour, pulse.told_per_hour),
    }
    return [Limit(min(filter(None, both)), seconds) for seconds, both in said.items() if any(both)]


def buckets_of(connection: Connection) -> list[Bucket]:
    """The limits in force with the state of their buckets, as the pulse was read."""
    return [(limit, getattr(connection.pulse, _FULL[limit.seconds])) for limit in limits_of(connection)]


def take_calls(connection: Connection, *, want: int, leave: int = 0, now: datetime) -> tuple[int, datetime]:
    """Take up to ``want`` calls, with one statement where nobody else takes some at the same moment; how many, and
    when there will be more. The pulse is then as it was read or written last."""
    pulse = connection.pulse
    for _ in range(TRIES):
        buckets = buckets_of(connection)
        names = [_FULL[limit.seconds] for limit, _ in buckets]
        taken, fulls = take(buckets, now, want=want, leave=leave)
        is_ahead = any(full is not None and full > after for (_, full), after in zip(buckets, fulls, strict=True))
        if not taken and not is_ahead:
            return 0, release_at(buckets, now, want=want + leave)
        before = {name: getattr(pulse, name) for name in names}
        after = dict(zip(names, fulls, strict=True))
        if ConnectionPulse.objects.filter(pk=pulse.pk, **before).update(**after):
            for name, full in after.items():
                setattr(pulse, name, full)
            return taken, release_at(buckets_of(connection), now, want=want + leave)
        pulse.refresh_from_db(fields=names)
    return 0, now


def return_calls(connection: Connection, *, calls: int, held: timedelta, now: datetime) -> None:
    """Give back what was taken ``held`` ago and will not be used; if others keep taking meanwhile, it is forfeited."""
    pulse = connection.pulse
    pulse.refresh_from_db(fields=list(_FULL.values()))
    for _ in range(TRIES):
        buckets = buckets_of(connection)
        names = [_FULL[limit.seconds] for limit, _ in buckets]
        before = {name: getattr(pulse, name) for name in names}
        after = dict(zip(names, give_back(buckets, now, calls=calls, held=held), strict=True))
        if not names or ConnectionPulse.objects.filter(pk=pulse.pk, **before).update(**after):
            return
        pulse.refresh_from_db(fields=names)


def note_spent(connection: Connection, until: datetime) -> None:
    """No lane of the connection is worked before then."""
    ConnectionPulse.objects.filter(connection=connection).update(spent_until=until)


def note_told(connection: Connection, seconds: float, calls: int) -> None:
    """What the system said of itself."""
    ConnectionPulse.objects.filter(connection=connection).exclude(**{SAID[seconds]: calls}).update(
        **{SAID[seconds]: calls}
    )
