"""Model fields that every app shares."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class SecretUnreadable(Exception):
    """A stored secret was written with a key that is not in the installation's key ring."""


@lru_cache(maxsize=4)
def _box(ring: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in ring])


def key_box() -> MultiFernet:
    """Encrypts with the newest key of the ring, decrypts with any of them."""
    return _box(tuple(settings.SIAM_KEY_RING))


class Secrets(dict[str, str]):
    """Named secrets in memory. Never shown: neither by ``repr`` nor by ``str``."""

    def __repr__(self) -> str:
        return f"<{len(self)} secrets: {', '.join(sorted(self))}>"

    __str__ = __repr__


class SecretsField(models.TextField):
    """Named secrets (a flat mapping of text), encrypted at rest. Exclude it from history; it is not searchable."""

    _pyi_private_set_type: Mapping[str, str]  # type: ignore[assignment]
    _pyi_private_get_type: Secrets  # type: ignore[assignment]

    def get_prep_value(self, value: Any) -> str:
        return key_box().encrypt(json.dumps(dict(value or {})).encode()).decode()

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> Secrets:
        if not value:
            return Secrets()
        try:
            return Secrets(json.loads(key_box().decrypt(value.encode())))
        except InvalidToken as problem:
            raise SecretUnreadable(
                "a stored secret does not open with any key of the key ring; put the key back that it was written with"
            ) from problem

    def to_python(self, value: Any) -> Any:
        return Secrets(value) if isinstance(value, dict) else value

    def value_to_string(self, obj: models.Model) -> str:
        raise TypeError("secrets are not serialized")
