"""Background work. A task means "look now": what there is to do is read from the rows (design 3.6)."""

import time

from celery import shared_task
from django.utils import timezone

from apps.tickets import storage

from . import services
from .services import alerting, braking, exchanges, health, operating, sending
from .services.turns import Turns

SECONDS_A_TASK = 2.0
"""A connection with much to do stands in line again after this, so that polls and other connections get their turn."""
_turns = Turns()


@shared_task(name="wake.journal")
def look_at_journals(*ticket_ids: str) -> None:
    """The journals of tickets grew: make the links they lack and bring their systems up to date."""
    look_at_connections(*services.link_tickets(ticket_ids, now=timezone.now()))


@shared_task(name="wake.connection")
def look_at_connections(*connection_ids: str) -> None:
    """Something is to be done for these connections: the first here and now, the others beside it."""
    for connection_id in connection_ids[1:]:
        work_connection.delay(connection_id)
    for connection_id in connection_ids[:1]:
        work_connection(connection_id)


@shared_task(name="sync.work_connection")
def work_connection(connection_id: str) -> None:
    """Round after round of one connection, until nothing is due or others have waited long enough (INV-9)."""
    if not _turns.take(connection_id):
        return
    end = time.monotonic() + SECONDS_A_TASK
    try:
        while time.monotonic() < end:
            connection = services.active_connection(connection_id)
            if connection is None:
                return
            # A call that slips in between this and the end of the turn is found by the next sweep.
            if not services.run_round(connection).worked and not _turns.is_called_again(connection_id):
                return
    finally:
        _turns.leave(connection_id)
    work_connection.delay(connection_id)


@shared_task(name="sync.work_lanes")
def work_lanes() -> None:
    """The sweep under lost wake-ups: every connection with something due gets its turn."""
    services.hear_missed(now=timezone.now())
    for connection_id in services.connections_with_work(timezone.now()):
        work_connection.delay(connection_id)


@shared_task(name="sync.poll_connections")
def poll_connections() -> None:
    """Every connection whose turn to be asked has come."""
    for connection in services.active_connections():
        if services.is_poll_due(connection, now=timezone.now()):
            poll_connection.delay(str(connection.pk))


@shared_task(name="sync.poll_connection")
def poll_connection(connection_id: str) -> None:
    """Ask one system for changes and read them."""
    connection = services.active_connection(connection_id)
    if connection is None:
        return
    services.link_missed(connection, now=timezone.now())
    if services.poll(connection):
        work_connection(connection_id)


@shared_task(name="sync.compare_whole_tickets")
def compare_whole_tickets() -> None:
    for connection in services.active_connections():
        services.sweep(connection)


@shared_task(name="sync.take_samples")
def take_samples() -> None:
    """Sum up the last five minutes of every connection."""
    health.take_samples(now=timezone.now())


@shared_task(name="sync.look_for_alerts")
def look_for_alerts() -> None:
    """Raise what is to be told and note what is over; what is due is sent apart, so that it cannot stop the looking."""
    operating.end_charges()
    braking.tend_brakes(now=timezone.now())
    alerting.look_for_alerts(now=timezone.now())
    send_alerts.delay()


@shared_task(name="sync.send_alerts")
def send_alerts() -> None:
    """Mails and webhooks; a mail server that is down keeps alerts waiting and nothing else (F64)."""
    sending.send_alerts(now=timezone.now())


@shared_task(name="sync.prune")
def prune() -> None:
    """Remove what is kept for a while only: calls, samples, alerts that are over, grave acts, halves of files."""
    exchanges.prune_exchanges(now=timezone.now())
    health.prune_samples(now=timezone.now())
    alerting.prune_alerts(now=timezone.now())
    braking.prune_grave_acts(now=timezone.now())
    storage.remove_unfinished(now=timezone.now())
