"""Hearing that something changed in a system: by webhook or by asking. Both only say where to look (design 3.1)."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from ..crashpoints import reached
from .deciding import CREATION_SECONDS
from .ports import ConnectionRow, LinkRow, LinkState, Store
from .snapshot import Changed, ChangedPage, ExternalRef, NoticeHint


def accept_changed(store: Store, connection: ConnectionRow, changed: Iterable[Changed], *, now: datetime) -> int:
    """Mark what is to be read because its version is not the one we know; how many that are."""
    wanted = list(changed)
    known = store.of_external(connection, [one.ref.id for one in wanted])
    new: dict[str, ExternalRef] = {}
    looks: dict[str, tuple[LinkRow, str]] = {}
    for one in wanted:
        link = known.get(one.ref.id)
        if link is None:
            if not one.is_deleted:
                new.setdefault(one.ref.id, one.ref)
        elif link.state == LinkState.FORMER:
            continue
        elif link.state != LinkState.DETACHED if one.is_deleted else link.version != one.version:
            # An overlapping cursor tells of a deletion again and again; who is told once is told.
            # With its version: a look that is under way may have read just that. A deletion changes none.
            looks[one.ref.id] = (link, "" if one.is_deleted else one.version)
    _mark(store, connection, new.values(), list(looks.values()), now)
    return len(new) + len(looks)


def accept_page(store: Store, connection: ConnectionRow, page: ChangedPage, *, now: datetime) -> int:
    """Mark what a page names. The cursor moves in the same transaction (INV-3)."""
    with store.atomic():
        marked = accept_changed(store, connection, page.tickets, now=now)
        reached("page accepted")
        store.keep_cursor(connection, page.cursor, now=now)
        if page.is_last:
            store.end_catching_up(connection, now=now)
    return marked


def accept_notices(
    store: Store, connection: ConnectionRow, hints: Sequence[NoticeHint], *, now: datetime
) -> list[bool]:
    """Store verified webhooks and what they point at, in one transaction: only then may they be answered (INV-1).
    Of each whether it is new."""
    with store.atomic():
        are_new = store.keep_notices(connection, hints, now=now)
        # What the others point at was marked in the transaction that stored them.
        told = [hint for hint, is_new in zip(hints, are_new, strict=True) if is_new]
        if _accept_told(store, connection, told, now):
            store.ring(connection)
    return are_new


def _accept_told(store: Store, connection: ConnectionRow, told: Sequence[NoticeHint], now: datetime) -> bool:
    """Mark what new notices point at; whether there is something to look at."""
    refs = {ref.id: ref for hint in told for ref in hint.refs}
    if not refs:
        return False
    known = store.of_external(connection, list(refs))
    looks = []
    for key, link in known.items():
        named = [hint.versions.get(key, "") for hint in told if any(ref.id == key for ref in hint.refs)]
        is_idle = link.look_wanted == link.look_done
        news = [version for version in named if not (is_idle and is_at(link, version))]
        if link.state != LinkState.FORMER and news:
            # Of several versions none is the one that is there now.
            looks.append((link, news[0] if len(news) == 1 else ""))
    new = [ref for key, ref in refs.items() if key not in known]
    _mark(store, connection, new, looks, now)
    return bool(new or looks)


def _mark(
    store: Store,
    connection: ConnectionRow,
    new: Iterable[ExternalRef],
    looks: Sequence[tuple[LinkRow, str]],
    now: datetime,
) -> None:
    """Make links for tickets that are not known, and have those that are looked at.

    What is new may be what we are just creating: then the answer to that is waited for, or the ticket would be read
    only to find our own mark on it.
    """
    sighted = list(new)
    if sighted:
        rest = CREATION_SECONDS if store.is_creating(connection, now) else 0.0
        store.sight(connection, sighted, now, due_at=now + timedelta(seconds=rest))
    if looks:
        store.want_looks(looks)


def is_at(link: LinkRow, version: str) -> bool:
    """Whether a link that is in step knows its ticket at ``version``: it was read then, or left so by our own write."""
    return link.state == LinkState.LINKED and version != "" and link.version == version
