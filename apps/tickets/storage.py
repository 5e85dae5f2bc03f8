"""The bytes of attachments: content-addressed files below ``SIAM_HOME/uploads``, named by their SHA-256."""

import hashlib
import os
import tempfile
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple

from django.conf import settings

CHUNK = 256 * 1024
UNFINISHED = "unfinished-"
LONGEST_UNFINISHED = timedelta(days=1)


class FileDamaged(Exception):
    """The stored bytes no longer have the hash they were stored under; restore the file from the backup."""


class Kept(NamedTuple):
    sha256: str
    size: int


def place_of(sha256: str) -> Path:
    return Path(settings.SIAM_UPLOADS) / sha256[:2] / sha256[2:4] / sha256


def keep(stream: BinaryIO, *, limit: int) -> Kept | None:
    """Store what ``stream`` gives; None when it is longer than ``limit`` bytes. Equal content is stored once."""
    digest, size = hashlib.sha256(), 0
    handle, unfinished = begin_file()
    try:
        with os.fdopen(handle, "wb") as out:
            while chunk := stream.read(CHUNK):
                size += len(chunk)
                if size > limit:
                    return None
                digest.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        place = place_of(digest.hexdigest())
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.replace(unfinished, place)
        return Kept(digest.hexdigest(), size)
    finally:
        unfinished.unlink(missing_ok=True)


def begin_file() -> tuple[int, Path]:
    """An open file and its place, on the disk that has room for uploads; its maker deletes it."""
    folder = Path(settings.SIAM_UPLOADS)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=UNFINISHED)
    return handle, Path(name)


def remove_unfinished(*, now: datetime) -> int:
    """Remove the files whose makers were killed before they could; how many."""
    eldest, number = (now - LONGEST_UNFINISHED).timestamp(), 0
    for place in Path(settings.SIAM_UPLOADS).glob(f"{UNFINISHED}*"):
        # Another may finish it at this moment.
        with suppress(FileNotFoundError):
            if place.stat().st_mtime < eldest:
                place.unlink()
                number += 1
    return number


def open_checked(sha256: str) -> BinaryIO:
    """The stored bytes, after their hash was checked. Raises FileDamaged."""
    place = place_of(sha256)
    try:
        stream = place.open("rb")
    except OSError as problem:
        raise FileDamaged(f"the file {sha256} is missing below {settings.SIAM_UPLOADS}") from problem
    if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
        stream.close()
        raise FileDamaged(f"the file {place} no longer has the hash it was stored under")
    stream.seek(0)
    return stream
