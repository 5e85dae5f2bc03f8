"""What goes wrong in some lanes does not hold up the others (INV-8, INV-9, INV-34)."""

from django.db.models import F

from apps.sync import services as sync
from apps.sync.models import ConnectionPulse, TicketLink
from apps.tickets.models import Ticket

from .stage import Stage

A = "infinity-architecture"
POISONED = 8


def linked(stage: Stage, number: int) -> list[Ticket]:
    made = [stage.open(A, title=f"ticket {at}") for at in range(number)]
    stage.rest()
    return made


def test_lanes_that_fail_again_and_again_do_not_stop_a_system_that_answers_the_others(stage: Stage) -> None:
    stage.connect(A)
    *poisoned, healthy = linked(stage, POISONED + 1)
    for ticket in poisoned:
        stage.edit(ticket, A, title="poison")
    pulse = ConnectionPulse.objects.filter(connection=stage.connections[A])
    again = TicketLink.objects.filter(connection=stage.connections[A], attempts__gt=0)
    for _ in range(2):
        stage.fault(A, "status", status=503, on="update", times=POISONED)
        stage.round(A)
        assert again.count() == POISONED
        # The system answers what it is asked besides.
        pulse.update(resting_until=None, poll_due_at=None)
        stage.poll()
        assert pulse.get().failures == 0
    stage.fault(A, "status", status=503, on="update", times=POISONED)
    assert stage.round(A).failed == POISONED
    assert pulse.get().resting_until is None
    stage.edit(healthy, A, title="well")
    stage.round(A)
    assert stage.remote(A, healthy).fields["title"] == "well"


def test_a_system_that_answers_nobody_is_left_alone_whoever_failed_before(stage: Stage) -> None:
    stage.connect(A)
    for ticket in linked(stage, POISONED):
        stage.edit(ticket, A, title="edited")
    TicketLink.objects.filter(connection=stage.connections[A]).update(attempts=F("attempts") + 1)
    stage.fault(A, "down")
    sync.poll(stage.connection(A), now=stage.now)
    ConnectionPulse.objects.filter(connection=stage.connections[A]).update(poll_due_at=None)
    sync.poll(stage.connection(A), now=stage.now)
    stage.round(A, minutes=0)
    assert ConnectionPulse.objects.get(connection=stage.connections[A]).resting_until is not None
