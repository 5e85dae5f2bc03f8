"""Hearing that something changed in a system: by webhook or by asking. Both only say where to look (design 3.1)."""

from collections.abc import Iterable
from datetime import datetime

from ..crashpoints import reached
from .ports import ConnectionRow, LinkState, Store
from .snapshot import Changed, ChangedPage, NoticeHint


def accept_changed(store: Store, connection: ConnectionRow, changed: Iterable[Changed], *, now: datetime) -> int:
    """Mark what is to be read because its version is not the one we know; how many that are."""
    wanted = list(changed)
    known = store.of_external(connection, [one.ref.id for one in wanted])
    marked = 0
    for one in wanted:
        link = known.get(one.ref.id)
        if link is None:
            marked += not one.is_deleted and store.sight(connection, one.ref, now)
        elif link.state == LinkState.FORMER:
            continue
        elif link.state != LinkState.DETACHED if one.is_deleted else link.version != one.version:
            # An overlapping cursor tells of a deletion again and again; who is told once is told.
            store.want_look(link)
            marked += 1
    return marked


def accept_page(store: Store, connection: ConnectionRow, page: ChangedPage, *, now: datetime) -> int:
    """Mark what a page names. The cursor moves in the same transaction (INV-3)."""
    with store.atomic():
        marked = accept_changed(store, connection, page.tickets, now=now)
        reached("page accepted")
        store.keep_cursor(connection, page.cursor, now=now)
    return marked


def accept_notice(store: Store, connection: ConnectionRow, hint: NoticeHint, *, now: datetime) -> bool:
    """Store a verified webhook and what it points at, in one transaction: only then may it be answered (INV-1).
    Whether it is new."""
    with store.atomic():
        if not store.keep_notice(connection, hint, now=now):
            # What it points at was marked in the transaction that stored it.
            return False
        known = store.of_external(connection, [ref.id for ref in hint.refs])
        for ref in hint.refs:
            link = known.get(ref.id)
            if link is None:
                store.sight(connection, ref, now)
            elif link.state != LinkState.FORMER:
                store.want_look(link, hint.versions.get(ref.id, ""))
        store.ring(connection)
    return True
