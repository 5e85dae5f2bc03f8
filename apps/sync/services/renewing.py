"""One renewal of a connection's tokens at a time, over all processes (INV-36)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.db.models import Q
from django.utils import timezone

from apps.foundation.outages import OUTAGES

from ..models import Connection, ConnectionPulse

LONGEST = timedelta(minutes=2)
"""A renewal takes no longer: its call has a deadline, and so has storing what it brought. Whoever died in one is waited
for that long."""
PAUSE = 0.1


@asynccontextmanager
async def renewal_of(connection: Connection) -> AsyncIterator[Mapping[str, str]]:
    """Wait until nobody else renews; the secrets as they are stored then. A refresh token that rotates is good for one
    renewal: whoever asks with the one before it would be refused, and lose the grant for all."""
    take = sync_to_async(_take)
    while (taken := await take(connection)) is None:  # noqa: ASYNC110  another process cannot wake us
        await asyncio.sleep(PAUSE)
    until, secrets = taken
    try:
        yield secrets
    finally:
        await sync_to_async(_give_back)(connection, until)


def _take(connection: Connection) -> tuple[datetime, Mapping[str, str]] | None:
    close_old_connections()
    now = timezone.now()
    is_free = Q(renewing_until=None) | Q(renewing_until__lt=now) | Q(renewing_until__gt=now + LONGEST)
    try:
        pulse = ConnectionPulse.objects.filter(is_free, pk=connection.pk)
        if not pulse.update(renewing_until=now + LONGEST):
            return None
        return now + LONGEST, Connection.objects.values_list("secrets", flat=True).get(pk=connection.pk)
    except OUTAGES:
        # Without the database a renewed token could not be kept.
        return None


def _give_back(connection: Connection, until: datetime) -> None:
    close_old_connections()
    try:
        ConnectionPulse.objects.filter(pk=connection.pk, renewing_until=until).update(renewing_until=None)
    except OUTAGES:
        # It lapses by itself.
        return
