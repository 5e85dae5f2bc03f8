"""Asking systems for changes: an overlapping cursor under the webhooks, and a rolling comparison of whole tickets."""

import uuid
from collections.abc import Generator
from concurrent.futures import Future
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from ..connectors.base import CallsSpent, ChangedPage, ConnectorError
from ..crashpoints import during, reached
from ..engine.recovery import Action, decide
from ..models import Connection, ConnectionPulse, TicketLink
from ..store import store
from .accepting import accept_page
from .calling import Call, begin, until_answered
from .carrying import read_failure
from .patience import Waiting, carry_on
from .pulse import is_callable_now
from .rounds import keep_exchanges

MOST_PAGES = 50
SWEPT_AT_ONCE = 100
SHORTEST_TURN = 5


def poll(connection: Connection, *, now: datetime | None = None) -> int:
    """Ask one system what changed, if it is its turn; how many tickets are to be read, as far as it said at once."""
    now = now or timezone.now()
    if not is_callable_now(connection, now=now) or not _take_turn(connection, now):
        return 0
    marked: list[int] = []
    carry_on(_ask_for_changes(connection, now, marked))
    return sum(marked)


def _ask_for_changes(connection: Connection, now: datetime, marked: list[int]) -> Waiting:
    calls: list[Call] = []
    cursor = connection.pulse.cursor or None
    try:
        for _ in range(MOST_PAGES):
            page = yield from _ask(connection, cursor, calls)
            marked.append(accept_page(connection, page, now=now))
            reached("cursor moved")
            if page.is_last or page.cursor == cursor:
                break
            cursor = page.cursor
        store.note_success(connection, now=now)
    except ConnectorError as problem:
        _settle_failure(connection, problem, now)
    finally:
        keep_exchanges(connection, calls)


def is_poll_due(connection: Connection, *, now: datetime) -> bool:
    """Whether it is the connection's turn to be asked what changed."""
    due_at = connection.pulse.poll_due_at
    return due_at is None or due_at <= now


def _take_turn(connection: Connection, now: datetime) -> bool:
    """Move the due time on, atomically: of two schedulers only one asks (F52)."""
    due = Q(poll_due_at=None) | Q(poll_due_at__lte=now)
    return bool(
        ConnectionPulse.objects.filter(due, connection=connection).update(
            poll_due_at=now + timedelta(seconds=connection.poll_seconds)
        )
    )


def _ask(
    connection: Connection, cursor: str | None, calls: list[Call]
) -> "Generator[Future[ChangedPage], None, ChangedPage]":
    with during("poll"):
        answer = begin(connection, lambda connector: connector.changed_since(cursor), calls)
    return (yield from until_answered(connection, answer, lambda: _keep_turn(connection)))


def _keep_turn(connection: Connection) -> None:
    """Nobody else asks a system that still is to answer."""
    now = timezone.now()
    turn = timedelta(seconds=max(connection.poll_seconds, SHORTEST_TURN))
    ConnectionPulse.objects.filter(connection=connection, poll_due_at__lt=now + turn / 2).update(poll_due_at=now + turn)


def _settle_failure(connection: Connection, problem: ConnectorError, now: datetime) -> None:
    failure = read_failure(problem)
    consequence = decide(failure, connection.pulse.failures, jitter=_jitter())
    if consequence.action is Action.PAUSE_CONNECTION:
        store.put_on_hold(connection, failure.detail, now=now)
    elif isinstance(problem, CallsSpent):
        pass  # no failure of the system: the gate noted until when the allowance is used up
    elif consequence.action is Action.WAIT and not failure.is_connection_wide:
        # Only asking for changes is limited; tickets can still be read and written.
        ConnectionPulse.objects.filter(connection=connection).update(
            last_failure=failure.detail[:2000], last_failure_at=now
        )
    elif consequence.action is Action.WAIT:
        store.wait_until(connection, now + timedelta(seconds=consequence.delay), failure.detail, now=now)
    else:
        store.note_failure(connection, failure.detail, now=now, jitter=_jitter())
    # Ask again as soon as the system can be called, not only when the next regular turn comes.
    ConnectionPulse.objects.filter(connection=connection).update(poll_due_at=now + timedelta(seconds=consequence.delay))


def _jitter() -> float:
    return uuid.uuid4().int % 1000 / 1000


def sweep(connection: Connection, *, now: datetime | None = None) -> int:
    """Mark the links that were not compared as a whole for longest; how many that are."""
    now = now or timezone.now()
    before = now - timedelta(seconds=connection.sweep_seconds)
    linked = TicketLink.objects.filter(connection=connection, state=TicketLink.State.LINKED, intake_hold__isnull=True)
    old = linked.filter(swept_at__lt=before).order_by("swept_at").values_list("pk", flat=True)[:SWEPT_AT_ONCE]
    return TicketLink.objects.filter(pk__in=list(old)).update(
        look_wanted=F("look_wanted") + 1, compare_wanted=True, swept_at=now
    )
