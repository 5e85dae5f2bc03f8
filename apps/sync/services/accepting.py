"""Hearing that something changed in a system: by webhook or by asking. Both only say where to look (design 3.1)."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from django.db.models import F

from ..connectors.base import Connector, NoticeRefused, NoticeRequest
from ..engine import hearing
from ..engine.snapshot import ChangedPage, NoticeHint
from ..models import Connection, ConnectionPulse
from ..store import store
from .connections import notice_secrets
from .making import connector_for
from .together import Together

KNOWN_SECONDS = 1.0
"""So long a connection is taken for what it was when the last webhook came; who would be refused for that is not."""


def accept_page(connection: Connection, page: ChangedPage, *, now: datetime) -> int:
    """Mark what a page of changes names; how many tickets are to be read."""
    return hearing.accept_page(store, connection, page, now=now)


@dataclass(frozen=True, slots=True)
class _Door:
    """Who reads the webhooks of a connection. A connector that only reads them is never opened."""

    connection: Connection
    connector: Connector = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    read_at: float


def read_notice(
    notice_key: str, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> tuple[Connection, NoticeHint]:
    """What a webhook says, and whose it is. Raises NoticeRefused, and pydantic's ValidationError for a connection with
    unusable settings."""
    known = _doors.get(notice_key)
    if known is not None and time.monotonic() - known.read_at < KNOWN_SECONDS:
        try:
            return known.connection, _read(known, headers, body, now)
        except NoticeRefused:
            # Its secret may have been renewed a moment ago.
            pass
    door = _open_door(notice_key)
    try:
        return door.connection, _read(door, headers, body, now)
    except NoticeRefused:
        refused = ConnectionPulse.objects.filter(connection=door.connection)
        refused.update(notices_refused=F("notices_refused") + 1, notice_refused_at=now)
        raise


def _open_door(notice_key: str) -> _Door:
    _doors.pop(notice_key, None)
    connection = Connection.objects.filter(notice_key=notice_key).first()
    if connection is None or connection.state == Connection.State.DRAFT:
        raise NoticeRefused("no such address")
    read_at = time.monotonic()
    door = _Door(connection, connector_for(connection), notice_secrets(connection), read_at)
    _doors[notice_key] = door
    return door


def _read(door: _Door, headers: Mapping[str, str], body: bytes, now: datetime) -> NoticeHint:
    return door.connector.read_notice(NoticeRequest(headers=headers, body=body, received_at=now, secrets=door.secrets))


def accept_notice(connection: Connection, hint: NoticeHint, *, now: datetime) -> bool:
    """Store a verified webhook and mark what it points at; whether it is new. Those that a connection gets at once
    share a transaction: after a mass change in a system they are most of what there is to do."""
    with _lock:
        together = _together.setdefault(str(connection.pk), Together())
    return together.do(hint, partial(_accept, connection, now))


def _accept(connection: Connection, now: datetime, hints: Sequence[NoticeHint]) -> list[bool]:
    return hearing.accept_notices(store, connection, hints, now=now)


_lock = threading.Lock()
_together: dict[str, Together[NoticeHint, bool]] = {}
_doors: dict[str, _Door] = {}
