"""Saying that the database was put back to an earlier moment, before anything runs on it again (INV-40)."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from apps.tickets.models import Ticket

from ..connectors.catalog import CONNECTORS
from ..models import ConnectionPulse, Restoration, TicketLink

MARGIN = timedelta(minutes=2)
"""What systems add to their indices and exports later than they say."""


@transaction.atomic
def declare_restored(*, now: datetime) -> Restoration:
    """From now on no link writes before its system's ticket was read whole, no ticket is created before it was looked
    for, and every system is asked for all that changed since the cursor that came with the database.

    To be said while nothing runs. Said twice, everything is read twice; nothing is done twice.
    """
    links = TicketLink.objects.exclude(state=TicketLink.State.FORMER)
    links.update(
        is_behind=True,
        compare_wanted=True,
        looked_for="",
        hint_version="",
        attempts=0,
        due_at=now,
        claimed_by="",
        claimed_until=None,
    )
    number = links.exclude(external_id="").update(look_wanted=F("look_wanted") + 1)
    Ticket.objects.update(is_restored=True)
    for pulse in ConnectionPulse.objects.select_related("connection"):
        able = CONNECTORS[pulse.connection.connector].capabilities
        late = timedelta(seconds=able.index_lag_seconds + able.overlap_seconds) + MARGIN
        ConnectionPulse.objects.filter(pk=pulse.pk).update(behind_until=now + late, poll_due_at=None)
    return Restoration.objects.create(at=now, links=number)
