"""Claims on links, by compare-and-swap and, where there is one, ``SKIP LOCKED`` (INV-7)."""

import logging
import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction
from django.db import connection as database
from django.db.models import F, Q
from django.db.models.expressions import RawSQL
from django.utils import timezone

from ..engine.claims import CLAIM_SECONDS, LONGEST_CLAIM
from ..models import Connection, ConnectionPulse, Intent, TicketLink
from .ahead import read_ahead, take_held

log = logging.getLogger(__name__)
_COLUMNS = tuple(
    field.attname for field in TicketLink._meta.concrete_fields if not (field.primary_key or field.generated)
)


# In SQL: every link is given back four times a ticket, and Django took three times as long to put these together as for
# all the rest of the statement.
_HEARD = "(SELECT last_seq FROM tickets_ticket WHERE tickets_ticket.id = sync_ticketlink.ticket_id)"
_OPEN = "SELECT 1 FROM sync_intent WHERE sync_intent.link_id = sync_ticketlink.id AND sync_intent.state = %s"
_FREED = {
    "claimed_by": "",
    "claimed_until": None,
    # Entries that were written while the lane was claimed, and a write that may have been made.
    "heard_seq": RawSQL(f"COALESCE({_HEARD}, sync_ticketlink.heard_seq)", ()),  # noqa: S611  nothing from outside
    "is_unsettled": RawSQL(f"EXISTS ({_OPEN})", [Intent.State.OPEN]),  # noqa: S611
}


def due_links(now: datetime) -> Q:
    """What a worker could take now: something to read, to write or to find out, and nobody at it."""
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    return free & Q(wanted_at__lte=now)


def hear_journals(which: Q) -> None:
    """Tell ``which`` lanes how far their journals have grown. One that is claimed is told when it is given back, and so
    is one that is locked: whoever holds many locks must not wait for who waits for him."""
    grown = TicketLink.objects.filter(which, claimed_by="", ticket__last_seq__gt=F("heard_seq"))
    keys = list(grown.values_list("pk", flat=True))
    if not keys:
        return
    with transaction.atomic():
        free = TicketLink.objects.filter(pk__in=keys)
        if database.features.has_select_for_update_skip_locked:
            locked = free.select_for_update(skip_locked=True, no_key=True)
            free = TicketLink.objects.filter(pk__in=list(locked.values_list("pk", flat=True)))
        free.update(heard_seq=RawSQL(_HEARD, ()))  # noqa: S611


class ClaimRows:
    """Who acts on which lane. A claim lapses when its worker dies."""

    clock = staticmethod(timezone.now)

    def claim_probe(self, connection: Connection, *, now: datetime, without: Collection[str] = ()) -> list[TicketLink]:
        if not TicketLink.objects.filter(due_links(now), connection=connection).exists():
            return []
        with transaction.atomic():
            # Who probes is found out one at a time.
            ConnectionPulse.objects.select_for_update().get(connection=connection)
            until = (now, now + LONGEST_CLAIM)
            if TicketLink.objects.filter(connection=connection, claimed_until__range=until).exists():
                return []
            return self.claim(connection, now=now, most=1, without=without)

    def claim(
        self, connection: Connection, *, now: datetime, most: int, without: Collection[str] = ()
    ) -> list[TicketLink]:
        # Read first: a round that finds nothing must not take SQLite's one write lock.
        mine = TicketLink.objects.filter(connection=connection).exclude(pk__in=without)
        due = list(mine.filter(due_links(now)).order_by("wanted_at", "pk").values_list("pk", flat=True)[:most])
        if not due:
            return []
        token = uuid.uuid4().hex
        with transaction.atomic():
            rows = mine.filter(due_links(now), pk__in=due)
            if database.features.has_select_for_update_skip_locked:
                rows = rows.select_for_update(skip_locked=True, no_key=True)
            chosen = list(rows.values_list("pk", flat=True))
            # Waiting for the lock took time, too.
            until = max(now, self.clock()) + timedelta(seconds=CLAIM_SECONDS)
            TicketLink.objects.filter(pk__in=chosen).update(claimed_by=token, claimed_until=until)
        links = list(
            TicketLink.objects.filter(pk__in=chosen)
            .order_by("due_at", "pk")
            .select_related("ticket__opened_by", "ticket__held_by")
        )
        for link in links:
            link.connection = connection
        read_ahead(links)
        return links

    def renew(self, token: str) -> bool:
        until = self.clock() + timedelta(seconds=CLAIM_SECONDS)
        try:
            TicketLink.objects.filter(claimed_by=token, claimed_until__isnull=False).update(claimed_until=until)
        except DatabaseError:
            log.warning("claims could not be renewed", exc_info=True)
            return False
        return True

    def release(self, *links: TicketLink) -> None:
        ours = TicketLink.objects.filter(pk__in=[link.pk for link in links], claimed_by=links[0].claimed_by)
        ours.update(**_FREED)

    def save_and_release(self, link: TicketLink) -> None:
        columns = {name: getattr(link, name) for name in _COLUMNS}
        TicketLink.objects.filter(pk=link.pk).update(**columns | _FREED)

    def still_held(self, link: TicketLink) -> TicketLink | None:
        held = take_held(link)
        if held is None:
            held = (
                TicketLink.objects.select_for_update(no_key=True).filter(pk=link.pk, claimed_by=link.claimed_by).first()
            )
        if held is not None:
            held.connection = link.connection
        return held
