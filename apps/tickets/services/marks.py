"""The mark of a journal entry: what tells it apart from every other, here and in every system that got it."""

import hashlib
import secrets
from functools import lru_cache

from django.conf import settings

from ..actor import Source


@lru_cache(maxsize=1)
def portal_part() -> str:
    """What every mark of this portal begins with, so that two portals on one system never take each other's for theirs.

    Worked out from the signing key, which is kept apart from the database and is put back with it.
    """
    return hashlib.sha256(f"siamportal marks {settings.SECRET_KEY}".encode()).hexdigest()[:4]


def mark_for(source: Source) -> str:
    """The mark of an entry that comes from ``source``. What came from a system gets the same mark whenever it is taken
    in, even after the database was put back to an earlier moment (INV-40); what is done here gets a new one."""
    if source.mark:
        return source.mark
    if not source.ref:
        return portal_part() + secrets.token_hex(8)
    return portal_part() + hashlib.sha256(f"{source.origin}/{source.ref}".encode()).hexdigest()[:16]
