"""Claims on lanes: at most one worker acts on each, and one that died is replaced soon (INV-7, design 3.6).

A claim is short and is renewed for as long as its round runs, so that lanes of a killed worker rest for seconds, not
for as long as the slowest call may take.
"""

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django.db import connection as database
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from ..models import Connection, Intent, TicketLink

log = logging.getLogger(__name__)
CLAIM_SECONDS = 15.0
RENEW_SECONDS = 4.0
DELIVERS = (TicketLink.State.CREATING, TicketLink.State.LINKED)


class Lease:
    """The claims of one round, kept for as long as it is told to. ``clock`` counts seconds and never goes back."""

    def __init__(self, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._token, self._clock = token, clock
        self._renewed = clock()

    def keep(self) -> bool:
        """Renew the claims, if it is time to; whether they are held. Once lapsed they stay so: others may have some."""
        if self._clock() - self._renewed < RENEW_SECONDS or not self.is_held():
            return self.is_held()
        asked = self._clock()
        until = timezone.now() + timedelta(seconds=CLAIM_SECONDS)
        try:
            TicketLink.objects.filter(claimed_by=self._token).update(claimed_until=until)
        except DatabaseError:
            log.warning("claims could not be renewed", exc_info=True)
        else:
            self._renewed = asked
        return self.is_held()

    def is_held(self) -> bool:
        """Whether work may still begin: a worker that was frozen past its claim may have been replaced (F51)."""
        return self._clock() - self._renewed < CLAIM_SECONDS


def due_links(now: datetime) -> Q:
    """What a worker could take now: something to read, to write or to find out, and nobody at it."""
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    waits = Q(look_wanted__gt=F("look_done"), intake_hold__isnull=True) & ~Q(external_id="")
    owes = Q(delivery_hold__isnull=True, state__in=DELIVERS) & (
        Q(ticket__last_seq__gt=F("applied_seq")) | ~Q(repair=[])
    )
    unsettled = Exists(Intent.objects.filter(link=OuterRef("pk"), state=Intent.State.OPEN))
    return free & (waits | owes | Q(unsettled)) & Q(due_at__lte=now)


def claim_links(connection: Connection, *, now: datetime, most: int) -> list[TicketLink]:
    """Claim links that are due, so that at most one worker acts on each lane. A claim lapses when its worker dies."""
    # Read first: a round that finds nothing must not take SQLite's one write lock.
    mine = TicketLink.objects.filter(connection=connection)
    due = list(mine.filter(due_links(now)).order_by("due_at").values_list("pk", flat=True)[:most])
    if not due:
        return []
    token = uuid.uuid4().hex
    with transaction.atomic():
        rows = mine.filter(due_links(now), pk__in=due)
        if database.features.has_select_for_update_skip_locked:
            rows = rows.select_for_update(skip_locked=True, of=("self",))
        chosen = [row.pk for row in rows]
        # Waiting for the lock took time, too.
        until = max(now, timezone.now()) + timedelta(seconds=CLAIM_SECONDS)
        TicketLink.objects.filter(pk__in=chosen).update(claimed_by=token, claimed_until=until)
    return list(
        TicketLink.objects.filter(claimed_by=token)
        .order_by("due_at")
        .select_related("connection__organization", "ticket__opened_by", "ticket__held_by")
    )


def lease_on(links: Iterable[TicketLink]) -> Lease:
    """The lease of a round; its links were claimed together."""
    (token,) = {link.claimed_by for link in links}
    return Lease(token)


def release(link: TicketLink) -> None:
    """Give the claim back, if it is still ours."""
    TicketLink.objects.filter(pk=link.pk, claimed_by=link.claimed_by).update(claimed_by="", claimed_until=None)


def connections_with_work(now: datetime) -> list[str]:
    """Active connections with at least one link that is due."""
    due = TicketLink.objects.filter(due_links(now), connection=OuterRef("pk"))
    found = Connection.objects.filter(Exists(due), state=Connection.State.ACTIVE)
    return [str(key) for key in found.values_list("pk", flat=True)]
