"""One round of one connection: load many lanes, carry out their next steps at once, settle them (design 3.6)."""

import logging
import random
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, cast

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from apps.foundation.outages import OUTAGES

from ..connectors.base import Connector, ConnectorError
from ..crashpoints import during, reached
from ..engine.claims import Lease
from ..engine.deciding import decide_work
from ..engine.ports import LinkRow
from ..engine.recovery import Failure, FailureKind, backoff
from ..engine.rules import SyncRules
from ..engine.settling import settle
from ..engine.work import Failed, Look, Looked, Result, Work
from ..models import Connection, Exchange, TicketLink
from ..store import store
from ..store.ahead import read_held, take_held
from .calling import Call, begin, until_answered
from .carrying import carry_out_all, operation_of, read_failure
from .claims import keep_leases, lease_on, under_way
from .gates import CALLS_A_LANE, FOR_POLLS, gate_for, room_for_lanes
from .patience import OTHERS_TURN, Waiting, carry_on
from .pulse import is_callable_now
from .turns import Places

log = logging.getLogger(__name__)
LANES_AT_ONCE = 32
LANES_A_TRANSACTION = 16
"""Few enough that a webhook which waits for SQLite's one writer is answered soon."""
FIRST_RETRY = 5.0
_places = Places(2 * LANES_AT_ONCE)


class Round(NamedTuple):
    """``worked``: links with a call in this round; ``failed`` of them without success, as far as that is known."""

    worked: int
    failed: int


IDLE = Round(0, 0)


class Errand(NamedTuple):
    """One lane's work in this round, and what came of it."""

    link: TicketLink
    work: Work
    result: Result

    @property
    def intent_id(self) -> int | None:
        return None if isinstance(self.work, Look) else self.work.intent_id


def run_round(connection: Connection, *, now: datetime | None = None) -> Round:
    """Take every due lane of the connection one step further."""
    now = now or timezone.now()
    if not is_callable_now(connection, now=now):
        return IDLE
    rules = store.rules(connection)
    if rules is None:
        return IDLE
    room = room_for_lanes(connection, now=now)
    if room == 0:
        return IDLE
    key = str(connection.pk)
    most = min(LANES_AT_ONCE, room or LANES_AT_ONCE, _places.free(key))
    if most == 0:
        return IDLE
    # After the breaker's rest one lane is the probe; if it fails the breaker opens again, for longer.
    is_probe = connection.pulse.resting_until is not None
    # On a machine that is too slow to renew them, this process must not take its own lanes away from itself: every call
    # would be made again, and what came of it would never be settled.
    taken = _places.taken(key)
    if is_probe:
        links = store.claim_probe(connection, now=now, without=taken)
    else:
        links = store.claim(connection, now=now, most=most, without=taken)
    if not links:
        return IDLE
    lanes, decided = {str(link.pk) for link in links}, list[tuple[LinkRow, Work]]()
    _places.take(key, lanes)
    try:
        reached("claimed")
        lease = lease_on(links)
        with store.atomic():
            decided = decide_work(store, links, rules, now=now, may_go_on=lease.keep)
    finally:
        _places.leave(key, lanes - {work.link_id for _link, work in decided})
    if not decided:
        return Round(len(links), 0)
    trip = _Trip(connection, rules, lease, decided)
    carry_on(trip.go())
    return Round(len(decided), trip.failed)


class _Trip:
    """The calls of a round, and the settling of whatever comes of them, by whoever waits for it."""

    def __init__(
        self, connection: Connection, rules: SyncRules, lease: Lease, decided: Sequence[tuple[LinkRow, Work]]
    ) -> None:
        self._connection, self._rules, self._lease = connection, rules, lease
        self._key = str(connection.pk)
        self._left = {work.link_id: cast(TicketLink, link) for link, work in decided}
        self._works = [work for _link, work in decided]
        self._come: deque[tuple[Work, Result]] = deque()
        self._calls: list[Call] = []
        self.failed = 0

    def go(self) -> Waiting:
        """Make the calls, and settle them as they come."""
        try:
            with under_way(self._lease):
                yield from self._call_and_settle()
        finally:
            _places.leave(self._key, self._left)

    def _call_and_settle(self) -> Waiting:
        want = len(self._works) * CALLS_A_LANE
        answer = begin(self._connection, self._carry_out, self._calls, want=want, leave=FOR_POLLS)
        try:
            yield from until_answered(self._connection, answer, self._attend)
        except ConnectorError as problem:
            # The system could not even be opened; nothing was written.
            refused = Failed(_as_connection_wide(read_failure(problem)))
            self._come.extend((work, refused) for work in self._works)
        while self._attend():
            yield OTHERS_TURN

    async def _carry_out(self, connector: Connector) -> list[Result]:
        def come(work: Work, result: Result) -> None:
            self._come.append((work, result))

        heard = gate_for(self._connection).heard
        return await carry_out_all(connector, self._works, may_write=self._lease.is_held, heard=heard, came=come)

    def _attend(self) -> bool:
        """Keep the claims of all rounds, and settle some of what came; whether there is more."""
        keep_leases()
        if self._come:
            self._settle()
        return bool(self._come)

    def _settle(self) -> None:
        come = [self._come.popleft() for _ in range(min(len(self._come), LANES_A_TRANSACTION))]
        done = [Errand(self._left.pop(work.link_id), work, result) for work, result in come]
        self.failed += sum(isinstance(errand.result, Failed) for errand in done)
        try:
            _settle_all(done, self._connection, self._rules, timezone.now())
        finally:
            _places.leave(self._key, [errand.work.link_id for errand in done])
        calls = [self._calls.pop(0) for _ in range(len(self._calls))]
        keep_exchanges(self._connection, calls)


def _as_connection_wide(failure: Failure) -> Failure:
    """What kept the system from being opened says nothing about any one ticket: none is parked or detached for it."""
    if failure.kind is FailureKind.ACCESS_REFUSED:
        return replace(failure, kind=FailureKind.SIGN_IN_FAILED, is_unknown=False)
    if failure.kind in (FailureKind.RATE_LIMITED, FailureKind.SIGN_IN_FAILED, FailureKind.VENDOR_FAULT):
        return replace(failure, is_unknown=False, is_connection_wide=True)
    return replace(failure, kind=FailureKind.UNREACHABLE, is_unknown=False)


def _settle_all(done: list[Errand], connection: Connection, rules: SyncRules, now: datetime) -> None:
    """Settle what can be together, and then the others one by one."""
    # All who lock several tickets do it in this order, so that none waits for one who waits for him.
    # What is seen for the first time comes last: a ticket may just have been merged into it.
    done.sort(key=lambda errand: (errand.link.ticket_id is None, str(errand.link.ticket_id)))
    try:
        for errand in _settle_together(done, connection, rules, now):
            take_held(errand.link)
            _settle_alone(errand, connection, rules, now)
        for errand in done:
            with during(operation_of(errand.work)):
                reached("settled")
    finally:
        for errand in done:
            for place in errand.result.files.values() if isinstance(errand.result, Looked) else ():
                place.unlink(missing_ok=True)


def _settle_together(done: list[Errand], connection: Connection, rules: SyncRules, now: datetime) -> list[Errand]:
    """One transaction for many lanes; those that are to be settled alone. These are lanes that somebody else has
    locked, for nobody waits for one of them with all the others in hand; those that could not be settled, and where the
    transaction fails as a whole, all."""
    try:
        with store.atomic():
            held = read_held([errand.link for errand in done], [one.intent_id for one in done if one.intent_id])
            return [errand for errand in done if errand.link not in held or not _is_settled(errand, rules, now)]
    except OUTAGES:
        log.warning("%d lanes of %s are settled one by one", len(done), connection, exc_info=True)
        return done


def _is_settled(errand: Errand, rules: SyncRules, now: datetime) -> bool:
    try:
        _settle(errand, rules, now)
    except OUTAGES:
        raise
    except Exception:  # noqa: BLE001  it is settled once more, and then told
        # Somebody was quicker to make the same known, perhaps: a webhook told of the ticket that was just created,
        # after we looked for that. Now it can be seen.
        return False
    return True


def _settle_alone(errand: Errand, connection: Connection, rules: SyncRules, now: datetime) -> None:
    link = errand.link
    try:
        _settle(errand, rules, now)
    except Exception:
        # One ticket that cannot be settled must not take the others' receipts with it; its claim lapses and its
        # intent, still open, is looked at again.
        log.exception("link %s of %s could not be settled", link.pk, connection)
        store.release(link)
        wait = timedelta(seconds=backoff(link.attempts, 0.0, FIRST_RETRY))
        TicketLink.objects.filter(pk=link.pk).update(
            due_at=now + wait, attempts=F("attempts") + 1, last_failure=traceback.format_exc()[-2000:]
        )


def _settle(errand: Errand, rules: SyncRules, now: datetime) -> None:
    with during(operation_of(errand.work)):
        settle(store, errand.link, errand.work, errand.result, rules=rules, now=now, dice=random.random)


def keep_exchanges(connection: Connection, calls: Sequence[Call]) -> None:
    """Keep what was said to a system and answered, redacted, for the operator."""
    if not calls:
        # An empty transaction waits for SQLite's one write lock like any other.
        return
    rows = [
        Exchange(
            connection=connection,
            link_id=call.link_id,
            intent_id=call.intent_id,
            at=call.record.at,
            method=call.record.method,
            url=call.record.url[:2000],
            request=call.record.request,
            status=call.record.status,
            answer=call.record.answer,
            seconds=call.record.seconds,
        )
        for call in calls
    ]
    try:
        with transaction.atomic():
            Exchange.objects.bulk_create(rows)
    except IntegrityError:
        # A link that was but a sighting of our own creation is gone by now; what was said stays.
        for row in rows:
            row.pk = row.link_id = row.intent_id = None
        Exchange.objects.bulk_create(rows)


def refresh(connection: Connection) -> Connection:
    """The connection as it is now, with its pulse."""
    return Connection.objects.select_related("organization", "pulse", "machine").get(pk=connection.pk)


def active_connection(connection_id: str) -> Connection | None:
    """One of them, as it is now; None when it does not exchange at present."""
    return (
        Connection.objects.filter(pk=connection_id, state=Connection.State.ACTIVE)
        .select_related("organization", "pulse", "machine")
        .first()
    )


def active_connections() -> list[Connection]:
    """The connections that exchange at present, with what a round needs of each."""
    return list(
        Connection.objects.filter(state=Connection.State.ACTIVE).select_related("organization", "pulse", "machine")
    )
