"""Hearing that something changed in a system: by webhook or by asking. Both only say where to look (design 3.1)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from ..crashpoints import reached
from .deciding import CREATION_SECONDS
from .ports import ConnectionRow, LinkRow, LinkState, Store
from .snapshot import Changed, ChangedPage, ExternalRef, NoticeHint


def accept_changed(store: Store, connection: ConnectionRow, changed: Iterable[Changed], *, now: datetime) -> int:
    """Mark what is to be read because its version is not the one we know; how many that are."""
    wanted = list(changed)
    known = store.of_external(connection, [one.ref.id for one in wanted])
    marked = 0
    for one in wanted:
        link = known.get(one.ref.id)
        if link is None:
            marked += not one.is_deleted and _sight(store, connection, one.ref, now)
        elif link.state == LinkState.FORMER:
            continue
        elif link.state != LinkState.DETACHED if one.is_deleted else link.version != one.version:
            # An overlapping cursor tells of a deletion again and again; who is told once is told.
            # With its version: a look that is under way may have read just that. A deletion changes none.
            store.want_look(link, "" if one.is_deleted else one.version)
            marked += 1
    return marked


def accept_page(store: Store, connection: ConnectionRow, page: ChangedPage, *, now: datetime) -> int:
    """Mark what a page names. The cursor moves in the same transaction (INV-3)."""
    with store.atomic():
        marked = accept_changed(store, connection, page.tickets, now=now)
        reached("page accepted")
        store.keep_cursor(connection, page.cursor, now=now)
        if page.is_last:
            store.end_catching_up(connection, now=now)
    return marked


def accept_notice(store: Store, connection: ConnectionRow, hint: NoticeHint, *, now: datetime) -> bool:
    """Store a verified webhook and what it points at, in one transaction: only then may it be answered (INV-1).
    Whether it is new."""
    with store.atomic():
        if not store.keep_notice(connection, hint, now=now):
            # What it points at was marked in the transaction that stored it.
            return False
        known = store.of_external(connection, [ref.id for ref in hint.refs])
        news = [
            _mark(store, connection, known.get(ref.id), ref, hint.versions.get(ref.id, ""), now) for ref in hint.refs
        ]
        if any(news):
            store.ring(connection)
    return True


def _mark(
    store: Store, connection: ConnectionRow, link: LinkRow | None, ref: ExternalRef, version: str, now: datetime
) -> bool:
    """Mark what a notice names; whether there is something to look at."""
    if link is None:
        return _sight(store, connection, ref, now)
    if link.state == LinkState.FORMER or (is_at(link, version) and link.look_wanted == link.look_done):
        return False
    store.want_look(link, version)
    return True


def _sight(store: Store, connection: ConnectionRow, ref: ExternalRef, now: datetime) -> bool:
    """Make a link for a ticket that is not known. It may be one that we are just creating: then the answer to that is
    waited for, or the ticket would be read only to find our own mark on it."""
    rest = CREATION_SECONDS if store.is_creating(connection, now) else 0.0
    return store.sight(connection, ref, now, due_at=now + timedelta(seconds=rest))


def is_at(link: LinkRow, version: str) -> bool:
    """Whether a link that is in step knows its ticket at ``version``: it was read then, or left so by our own write."""
    return link.state == LinkState.LINKED and version != "" and link.version == version
