"""One round of one connection: load many lanes, carry out their next steps at once, settle them (design 3.6)."""

import logging
import random
import traceback
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
from ..engine.recovery import Failure, FailureKind, backoff
from ..engine.rules import SyncRules
from ..engine.settling import settle
from ..engine.work import Failed, Look, Looked, Result, Work
from ..models import Connection, Exchange, TicketLink
from ..store import store
from ..store.ahead import read_held, take_held
from .calling import Call, call
from .carrying import carry_out_all, operation_of, read_failure
from .claims import lease_on
from .gates import CALLS_A_LANE, FOR_POLLS, gate_for, room_for_lanes
from .pulse import is_callable_now

log = logging.getLogger(__name__)
LANES_AT_ONCE = 32
LANES_A_TRANSACTION = 16
"""Few enough that a webhook which waits for SQLite's one writer is answered soon."""
FIRST_RETRY = 5.0


class Round(NamedTuple):
    """``worked``: links with a call in this round; ``failed`` of them without success."""

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
    pulse = connection.pulse
    # After the breaker's rest one lane is the probe; if it fails the breaker opens again, for longer.
    most = 1 if pulse.resting_until is not None else LANES_AT_ONCE
    room = room_for_lanes(connection, now=now)
    if room == 0:
        return IDLE
    most = min(most, room or most)
    links = store.claim(connection, now=now, most=most)
    if not links:
        return IDLE
    reached("claimed")
    lease = lease_on(links)
    with store.atomic():
        decided = decide_work(store, links, rules, now=now, may_go_on=lease.keep)
    if not decided:
        return Round(len(links), 0)
    calls: list[Call] = []
    results = _carry_out(connection, [work for _link, work in decided], lease, calls)
    done = [Errand(cast(TicketLink, link), work, result) for (link, work), result in zip(decided, results, strict=True)]
    settled_at = timezone.now()
    for start in range(0, len(done), LANES_A_TRANSACTION):
        lease.keep()
        _settle_all(done[start : start + LANES_A_TRANSACTION], connection, rules, settled_at)
    keep_exchanges(connection, calls)
    return Round(len(decided), sum(isinstance(result, Failed) for result in results))


def _carry_out(connection: Connection, works: Sequence[Work], lease: Lease, calls: list[Call]) -> list[Result]:
    async def carry_out(connector: Connector) -> list[Result]:
        return await carry_out_all(connector, works, may_write=lease.is_held, heard=gate_for(connection).heard)

    want = len(works) * CALLS_A_LANE
    try:
        return call(connection, carry_out, calls, meanwhile=lease.keep, want=want, leave=FOR_POLLS)
    except ConnectorError as problem:
        # The system could not even be opened; nothing was written.
        return [Failed(_as_connection_wide(read_failure(problem)))] * len(works)


def _as_connection_wide(failure: Failure) -> Failure:
    """What kept the system from being opened says nothing about any one ticket: none is parked or detached for it."""
    if failure.kind is FailureKind.ACCESS_REFUSED:
        return replace(failure, kind=FailureKind.SIGN_IN_FAILED, is_unknown=False)
    if failure.kind in (FailureKind.RATE_LIMITED, FailureKind.SIGN_IN_FAILED, FailureKind.VENDOR_FAULT):
        return replace(failure, is_unknown=False, is_connection_wide=True)
    return replace(failure, kind=FailureKind.UNREACHABLE, is_unknown=False)


def _settle_all(done: list[Errand], connection: Connection, rules: SyncRules, now: datetime) -> None:
    """One transaction for many lanes, each of which may fail for itself; where it fails as a whole, one for each."""
    # All who lock several tickets do it in this order, so that none waits for one who waits for him.
    # What is seen for the first time comes last: a ticket may just have been merged into it.
    done.sort(key=lambda errand: (errand.link.ticket_id is None, str(errand.link.ticket_id)))
    try:
        try:
            with store.atomic():
                read_held([errand.link for errand in done], [errand.intent_id for errand in done if errand.intent_id])
                for errand in done:
                    _settle_safely(errand, connection, rules, now)
        except OUTAGES:
            for errand in done:
                take_held(errand.link)
                _settle_safely(errand, connection, rules, now)
        for errand in done:
            with during(operation_of(errand.work)):
                reached("settled")
    finally:
        for errand in done:
            for place in errand.result.files.values() if isinstance(errand.result, Looked) else ():
                place.unlink(missing_ok=True)


def _settle_safely(errand: Errand, connection: Connection, rules: SyncRules, now: datetime) -> None:
    link = errand.link
    try:
        with during(operation_of(errand.work)):
            settle(store, link, errand.work, errand.result, rules=rules, now=now, dice=random.random)
    except Exception:
        # One ticket that cannot be settled must not take the others' receipts with it; its claim lapses and its
        # intent, still open, is looked at again.
        log.exception("link %s of %s could not be settled", link.pk, connection)
        store.release(link)
        wait = timedelta(seconds=backoff(link.attempts, 0.0, FIRST_RETRY))
        TicketLink.objects.filter(pk=link.pk).update(
            due_at=now + wait, attempts=F("attempts") + 1, last_failure=traceback.format_exc()[-2000:]
        )


def keep_exchanges(connection: Connection, calls: Sequence[Call]) -> None:
    """Keep what was said to a system and answered, redacted, for the operator."""
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
