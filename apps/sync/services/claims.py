"""Which connections have something to do, and the lease under which a round works on its lanes."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from django.db.models import Exists, OuterRef

from ..engine.claims import Lease
from ..engine.ports import LinkRow
from ..models import Connection, TicketLink
from ..store import store
from ..store.claims import due_links
from .pulse import waits_now

_under_way: set[Lease] = set()


def lease_on(links: Sequence[LinkRow]) -> Lease:
    """The lease of a round; its links were claimed together."""
    (token,) = {link.claimed_by for link in links}
    return Lease(store, token, time.monotonic)


@contextmanager
def under_way(lease: Lease) -> Iterator[None]:
    """While this lasts, all who work in this process keep ``lease``: its own round may have to wait for its turn."""
    _under_way.add(lease)
    try:
        yield
    finally:
        _under_way.discard(lease)


def keep_leases() -> None:
    """Renew the claims of this process's rounds that are due for it."""
    for lease in list(_under_way):
        lease.keep()


def connections_with_work(now: datetime) -> list[str]:
    """Connections with at least one link that is due and whose system may be called."""
    due = TicketLink.objects.filter(due_links(now), connection=OuterRef("pk"))
    found = Connection.objects.filter(Exists(due), state=Connection.State.ACTIVE).exclude(waits_now(now))
    return [str(key) for key in found.values_list("pk", flat=True)]
