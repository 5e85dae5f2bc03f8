"""Counting the queries of processes that are measured: each keeps its count in a file that is mapped into memory."""

import mmap
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.backends.signals import connection_created

FOLDER = "queries"
_COUNT = struct.Struct("<Q")


class _Count:
    """The count of this process, begun anew after a fork."""

    def __init__(self) -> None:
        self._process = 0

    def add(self) -> None:
        if self._process != os.getpid():
            self._process = os.getpid()
            place = settings.SIAM_HOME / FOLDER / str(self._process)
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(bytes(_COUNT.size))
            with place.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), _COUNT.size)
        # Two threads may come to the same number now and then: one in thousands is not counted.
        _COUNT.pack_into(self._map, 0, _COUNT.unpack_from(self._map)[0] + 1)


_count = _Count()


def _counted(execute: Callable[..., Any], *rest: Any) -> Any:
    _count.add()
    return execute(*rest)


def _watch(connection: Any, **_rest: object) -> None:
    if _counted not in connection.execute_wrappers:
        connection.execute_wrappers.append(_counted)


def queries(home: Path) -> int:
    """What all processes of the portal whose state is in ``home`` have asked so far."""
    return sum(int(_COUNT.unpack(one.read_bytes())[0]) for one in (home / FOLDER).glob("*"))


class CountingConfig(AppConfig):
    """Watches every connection to the database that is opened from now on."""

    name = "tests.benchmarks"

    def ready(self) -> None:
        connection_created.connect(_watch)
