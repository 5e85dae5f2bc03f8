"""One round of one connection: load many lanes, carry out their next steps at once, settle them (design 3.6)."""

import logging
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import F
from django.utils import timezone

from ..connectors.base import Connector, ConnectorError
from ..connectors.http import ExchangeRecord
from ..engine.recovery import Failure, FailureKind, backoff
from ..engine.rules import SyncRules
from ..models import Connection, Exchange, TicketLink
from ..work import Failed, Result, Work
from .calling import call
from .carrying import carry_out_all, read_failure
from .claims import Lease, claim_links, lease_on, release
from .loading import decide_work
from .pulse import is_callable_now
from .ruling import published_rules
from .settling import settle

log = logging.getLogger(__name__)
LANES_AT_ONCE = 32
FIRST_RETRY = 5.0


class Round(NamedTuple):
    """``worked``: links with a call in this round; ``failed`` of them without success."""

    worked: int
    failed: int


IDLE = Round(0, 0)


def run_round(connection: Connection, *, now: datetime | None = None) -> Round:
    """Take every due lane of the connection one step further."""
    now = now or timezone.now()
    if not is_callable_now(connection, now=now):
        return IDLE
    rules = published_rules(connection)
    if rules is None:
        return IDLE
    pulse = connection.pulse
    # After the breaker's rest one lane is the probe; if it fails the breaker opens again, for longer.
    most = 1 if pulse.resting_until is not None else LANES_AT_ONCE
    links = claim_links(connection, now=now, most=most)
    if not links:
        return IDLE
    lease = lease_on(links)
    decided = decide_work(links, rules, now=now, may_go_on=lease.keep)
    if not decided:
        return Round(len(links), 0)
    records: list[ExchangeRecord] = []
    results = _carry_out(connection, [work for _link, work in decided], lease, records)
    settled_at = timezone.now()
    for (link, work), result in zip(decided, results, strict=True):
        lease.keep()
        _settle_safely(link, work, result, connection, rules, settled_at)
    _keep_exchanges(connection, records)
    return Round(len(decided), sum(isinstance(result, Failed) for result in results))


def _carry_out(
    connection: Connection, works: Sequence[Work], lease: Lease, records: list[ExchangeRecord]
) -> list[Result]:
    async def carry_out(connector: Connector) -> list[Result]:
        return await carry_out_all(connector, works, may_write=lease.is_held)

    try:
        return call(connection, carry_out, records, meanwhile=lease.keep)
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


def _settle_safely(
    link: TicketLink, work: Work, result: Result, connection: Connection, rules: SyncRules, now: datetime
) -> None:
    link.connection = connection
    try:
        settle(link, work, result, rules=rules, now=now)
    except Exception:
        # One ticket that cannot be settled must not take the others' receipts with it; its claim lapses and its
        # intent, still open, is looked at again.
        log.exception("link %s of %s could not be settled", link.pk, connection)
        release(link)
        wait = timedelta(seconds=backoff(link.attempts, 0.0, FIRST_RETRY))
        TicketLink.objects.filter(pk=link.pk).update(
            due_at=now + wait, attempts=F("attempts") + 1, last_failure=traceback.format_exc()[-2000:]
        )


def _keep_exchanges(connection: Connection, records: Sequence[ExchangeRecord]) -> None:
    Exchange.objects.bulk_create(
        Exchange(
            connection=connection,
            at=record.at,
            method=record.method,
            url=record.url[:2000],
            request=record.request,
            status=record.status,
            answer=record.answer,
            seconds=record.seconds,
        )
        for record in records
    )


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
