"""Where one installation keeps its state: database, uploads and key file, all below ``SIAM_HOME``."""

import json
import os
import secrets
from pathlib import Path
from typing import NamedTuple

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured


class Keys(NamedTuple):
    """``signing`` signs sessions; ``ring`` encrypts secrets at rest, newest key first."""

    signing: str
    ring: list[str]


def prepare_home(home: Path) -> Path:
    """Create the folder (readable by its owner only) and return it."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


def read_keys(home: Path) -> Keys:
    """The installation's keys: from ``home/keys.json``, made at the first start and to be backed up apart."""
    path = home / "keys.json"
    if not path.exists():
        fresh = {"signing": secrets.token_urlsafe(64), "ring": [Fernet.generate_key().decode()]}
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(fresh, indent=1))
        try:
            # Two processes that start together must agree on one file: only the first link succeeds.
            os.link(unfinished, path)
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()
    try:
        kept = json.loads(path.read_text())
        return Keys(kept["signing"], kept["ring"])
    except (ValueError, KeyError, TypeError) as problem:
        raise ImproperlyConfigured(
            f"{path} is not a key file: restore it from the backup; without it stored secrets cannot be read"
        ) from problem
