"""Hearing that something changed in a system: by webhook or by asking. Both only say where to look (design 3.1)."""

import threading
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from ..engine import hearing
from ..engine.snapshot import ChangedPage, NoticeHint
from ..models import Connection
from ..store import store
from .together import Together


def accept_page(connection: Connection, page: ChangedPage, *, now: datetime) -> int:
    """Mark what a page of changes names; how many tickets are to be read."""
    return hearing.accept_page(store, connection, page, now=now)


def accept_notice(connection: Connection, hint: NoticeHint, *, now: datetime) -> bool:
    """Store a verified webhook and mark what it points at; whether it is new. Those that a connection gets at once
    share a transaction: after a mass change in a system they are most of what there is to do."""
    with _lock:
        together = _doors.setdefault(str(connection.pk), Together())
    return together.do(hint, partial(_accept, connection, now))


def _accept(connection: Connection, now: datetime, hints: Sequence[NoticeHint]) -> list[bool]:
    return hearing.accept_notices(store, connection, hints, now=now)


_lock = threading.Lock()
_doors: dict[str, Together[NoticeHint, bool]] = {}
