"""A database for simulated worlds and for nothing else: made for a run, and gone after it."""

import itertools
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

from celery import Celery, current_app
from django.db import connection
from django.test.utils import override_settings

from ..models import Conflict, TicketLink
from .database import BrittleDatabase
from .world import StoreKind


class Nobody(Celery):
    """Whom a world's rows wake: its workers are moved by its scheduler."""

    def send_task(self, *_given: Any, **_named: Any) -> None:
        """Send nothing."""


@contextmanager
def throwaway_database() -> Iterator[StoreKind]:
    """Worlds in a database of their own, on the server that the settings name, or in memory where that is SQLite."""
    settings, creation = connection.settings_dict, connection.creation
    before, former = settings["NAME"], settings["TEST"]["NAME"]
    settings["TEST"]["NAME"] = f"simulated_{secrets.token_hex(4)}" if connection.vendor != "sqlite" else None
    connection.close()
    creation.create_test_db(verbosity=0, serialize=False)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # What is gone after the run need not outlive a power cut.
            cursor.execute("SET synchronous_commit = off")
    try:
        with present_database() as kind:
            yield kind
    finally:
        creation.destroy_test_db(before, verbosity=0)
        settings["TEST"]["NAME"] = former


@contextmanager
def present_database() -> Iterator[StoreKind]:
    """Worlds in the database at hand, which holds nothing else. Rows get ids in the order in which they are made, files
    are kept aside, and nobody is woken."""
    ids, woken = itertools.count(1), current_app._get_current_object()
    # Not by a signal before saving: rows that are made many at once send none.
    keys: list[Any] = [model._meta.pk for model in (TicketLink, Conflict)]
    usual = [key._get_default for key in keys]
    for key in keys:
        key._get_default = lambda: UUID(int=next(ids))
    Nobody("nobody").set_current()
    try:
        with tempfile.TemporaryDirectory() as folder, override_settings(SIAM_UPLOADS=folder):
            yield cast(StoreKind, BrittleDatabase)
    finally:
        woken.set_current()
        for key, default in zip(keys, usual, strict=True):
            key._get_default = default
