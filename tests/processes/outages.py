"""Ways in which the database cannot be had, each begun and ended in the test's own process."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection


@contextmanager
def _replaced(**changed: Any) -> Iterator[None]:
    """The connection opened anew with other settings, and put back afterwards."""
    former = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update(changed)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(former)


@contextmanager
def _set(begin: str, end: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(begin)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(end)


@contextmanager
def _read_only_file() -> Iterator[None]:
    with _replaced(NAME=f"file:{connection.settings_dict['NAME']}?mode=ro"):
        yield


@contextmanager
def _full_disk() -> Iterator[None]:
    """Not one page more than there are now, as on a disk without room."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA page_count")
        (pages,) = cursor.fetchone()
    with _set(f"PRAGMA max_page_count = {pages}", f"PRAGMA max_page_count = {2**30}"):
        yield


@contextmanager
def _locked() -> Iterator[None]:
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with _set("PRAGMA busy_timeout = 50", "PRAGMA busy_timeout = 30000"):
            yield
    finally:
        other.rollback()
        other.close()


@contextmanager
def _gone() -> Iterator[None]:
    changed = {"PORT": "9"} if connection.vendor == "postgresql" else {"NAME": "/nowhere/portal.sqlite3"}
    with _replaced(**changed):
        yield


@contextmanager
def _read_only_server() -> Iterator[None]:
    options = {**connection.settings_dict["OPTIONS"], "options": "-c default_transaction_read_only=on"}
    with _replaced(OPTIONS=options):
        yield


OUTAGES: dict[str, tuple[str, Callable[[], Any]]] = {
    "a read-only file": ("sqlite", _read_only_file),
    "a full disk": ("sqlite", _full_disk),
    "a locked file": ("sqlite", _locked),
    "no file": ("sqlite", _gone),
    "a read-only server": ("postgresql", _read_only_server),
    "no server": ("postgresql", _gone),
}


@contextmanager
def outage(name: str) -> Iterator[None]:
    vendor, begin = OUTAGES[name]
    if vendor != connection.vendor:
        pytest.skip(f"shown on {vendor}")
    with begin():
        yield
