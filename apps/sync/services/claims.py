"""Which connections have something to do, and the lease under which a round works on its lanes."""

import time
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Exists, OuterRef

from ..engine.claims import Lease
from ..engine.ports import LinkRow
from ..models import Connection, TicketLink
from ..store import store
from ..store.claims import due_links
from .pulse import waits_now


def lease_on(links: Sequence[LinkRow]) -> Lease:
    """The lease of a round; its links were claimed together."""
    (token,) = {link.claimed_by for link in links}
    return Lease(store, token, time.monotonic)


def connections_with_work(now: datetime) -> list[str]:
    """Connections with at least one link that is due and whose system may be called."""
    due = TicketLink.objects.filter(due_links(now), connection=OuterRef("pk"))
    found = Connection.objects.filter(Exists(due), state=Connection.State.ACTIVE).exclude(waits_now(now))
    return [str(key) for key in found.values_list("pk", flat=True)]
