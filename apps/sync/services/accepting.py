"""Hearing that something changed in a system: by webhook or by asking. Both only say where to look (design 3.1)."""

from datetime import datetime

from ..engine import hearing
from ..engine.snapshot import ChangedPage, NoticeHint
from ..models import Connection
from ..store import store


def accept_page(connection: Connection, page: ChangedPage, *, now: datetime) -> int:
    """Mark what a page of changes names; how many tickets are to be read."""
    return hearing.accept_page(store, connection, page, now=now)


def accept_notice(connection: Connection, hint: NoticeHint, *, now: datetime) -> bool:
    """Store a verified webhook and mark what it points at; whether it is new."""
    return hearing.accept_notice(store, connection, hint, now=now)
