"""Hearing that something changed in a system: by webhook or by asking. Both only say where to look (design 3.1)."""

from collections.abc import Iterable
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F

from apps.foundation import wake

from ..connectors.base import Changed, NoticeHint
from ..engine.snapshot import ExternalRef
from ..models import Connection, Notice, TicketLink


def accept_changed(connection: Connection, tickets: Iterable[Changed], *, now: datetime) -> int:
    """Mark what is to be read because its version is not the one we know; how many that are."""
    wanted = list(tickets)
    known = {
        link.external_id: link
        for link in TicketLink.objects.filter(connection=connection, external_id__in=[one.ref.id for one in wanted])
    }
    marked = 0
    for one in wanted:
        link = known.get(one.ref.id)
        if link is None:
            marked += not one.is_deleted and _sight(connection, one.ref, now)
        elif one.is_deleted:
            # An overlapping cursor tells of a deletion again and again; who is told once is told.
            marked += link.state != TicketLink.State.DETACHED and _want_look(link)
        elif link.version != one.version:
            marked += _want_look(link)
    return marked


@transaction.atomic
def accept_notice(connection: Connection, hint: NoticeHint, *, now: datetime) -> Notice:
    """Store a verified webhook and what it points at, in one transaction: only then may it be answered (INV-1)."""
    notice, is_new = Notice.objects.get_or_create(
        connection=connection,
        delivery_id=hint.delivery_id[:200],
        defaults={
            "refs": [ref.id for ref in hint.refs],
            "summary": hint.summary[:300],
            "received_at": now,
        },
    )
    if not is_new:
        # What it points at was marked in the transaction that stored it.
        Notice.objects.filter(pk=notice.pk).update(repeats=F("repeats") + 1)
        return notice
    known = {
        link.external_id: link
        for link in TicketLink.objects.filter(connection=connection, external_id__in=[ref.id for ref in hint.refs])
    }
    for ref in hint.refs:
        link = known.get(ref.id)
        if link is None:
            _sight(connection, ref, now)
        else:
            _want_look(link)
    wake.ring("connection", str(connection.pk))
    return notice


def _want_look(link: TicketLink) -> int:
    return TicketLink.objects.filter(pk=link.pk).update(look_wanted=F("look_wanted") + 1)


def _sight(connection: Connection, ref: ExternalRef, now: datetime) -> bool:
    """A ticket of the system that we do not know yet. Two who sight it at once make one link (F61)."""
    try:
        with transaction.atomic():
            TicketLink.objects.create(
                connection=connection,
                state=TicketLink.State.SIGHTED,
                external_id=ref.id,
                key=ref.key,
                url=ref.url,
                look_wanted=1,
                due_at=now,
                created_at=now,
            )
    except IntegrityError:
        return False
    return True
