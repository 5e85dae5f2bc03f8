"""How a connection is: breaker, limits, holds. Plain updates without history, written by the workers."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet

from apps.foundation import wake

from ..engine.recovery import rest_after
from ..engine.rules import SyncRules
from ..engine.snapshot import NoticeHint
from ..models import Connection, ConnectionPulse, Notice, TicketLink
from .rules import published_rules

SHOWN = 2000
LONGEST_DELIVERY_ID = 200


class PulseRows:
    """What is kept of each connection as a whole."""

    def rules(self, connection: Connection) -> SyncRules | None:
        return published_rules(connection)

    def note_success(self, connection: Connection, *, now: datetime) -> None:
        pulse = connection.pulse
        if (pulse.last_success_at, pulse.failures, pulse.resting_until) == (now, 0, None):
            # Another lane of the same round has said so.
            return
        _pulse(connection).update(last_success_at=now, failures=0, resting_until=None)
        pulse.last_success_at, pulse.failures, pulse.resting_until = now, 0, None

    def note_failure(
        self, connection: Connection, detail: str, *, now: datetime, jitter: float, again: bool = False
    ) -> None:
        pulse = _pulse(connection)
        counted = pulse.exclude(resting_until__gt=now)
        counted = counted.exclude(failures=0) if again else counted
        if not counted.update(failures=F("failures") + 1, last_failure_at=now, last_failure=detail[:SHOWN]):
            return
        connection.pulse.failures += 1
        rest = rest_after(pulse.values_list("failures", flat=True).get(), jitter)
        if rest is not None:
            pulse.update(resting_until=now + timedelta(seconds=rest))

    def wait_until(self, connection: Connection, until: datetime, detail: str, *, now: datetime) -> None:
        sooner = Q(limited_until=None) | Q(limited_until__lt=until)
        _pulse(connection).filter(sooner).update(limited_until=until, last_failure_at=now, last_failure=detail[:SHOWN])

    def put_on_hold(self, connection: Connection, detail: str, *, now: datetime) -> None:
        fresh = Connection.objects.get(pk=connection.pk)
        if fresh.state != Connection.State.ACTIVE:
            return
        fresh.state, fresh.state_since = Connection.State.ON_HOLD, now
        fresh.state_reason = (
            f"The system refuses our sign-in: {detail[:SHOWN]} Renew the credentials, check, then resume."
        )
        fresh.save()

    def cursor(self, connection: Connection) -> str | None:
        return _pulse(connection).values_list("cursor", flat=True).get() or None

    def keep_cursor(self, connection: Connection, cursor: str, *, now: datetime) -> None:
        _pulse(connection).update(cursor=cursor, polled_at=now)

    def is_catching_up(self, connection: Connection) -> bool:
        unread = TicketLink.objects.filter(connection=connection, is_behind=True, state=TicketLink.State.SIGHTED)
        return _pulse(connection).exclude(behind_until=None).exists() or unread.exists()

    def end_catching_up(self, connection: Connection, *, now: datetime) -> None:
        if connection.pulse.behind_until is not None:
            _pulse(connection).filter(behind_until__lte=now).update(behind_until=None)

    def keep_notices(self, connection: Connection, hints: Sequence[NoticeHint], *, now: datetime) -> list[bool]:
        ids = [hint.delivery_id[:LONGEST_DELIVERY_ID] for hint in hints]
        known = Notice.objects.filter(connection=connection, delivery_id__in=ids)
        stored = set(known.values_list("delivery_id", flat=True))
        are_new, new = list[bool](), list[Notice]()
        for delivery_id, hint in zip(ids, hints, strict=True):
            are_new.append(delivery_id not in stored)
            if delivery_id not in stored:
                stored.add(delivery_id)
                refs = [ref.id for ref in hint.refs]
                new.append(
                    Notice(
                        connection=connection,
                        delivery_id=delivery_id,
                        refs=refs,
                        summary=hint.summary[:300],
                        received_at=now,
                    )
                )
        # Another process may store the same at this moment. Then both mark what it points at, and it is read once.
        Notice.objects.bulk_create(new, ignore_conflicts=True)
        for delivery_id, is_new in zip(ids, are_new, strict=True):
            if not is_new:
                Notice.objects.filter(connection=connection, delivery_id=delivery_id).update(repeats=F("repeats") + 1)
        return are_new

    def ring(self, connection: Connection) -> None:
        wake.ring("connection", str(connection.pk))


def _pulse(connection: Connection) -> QuerySet[ConnectionPulse]:
    return ConnectionPulse.objects.filter(connection=connection)
