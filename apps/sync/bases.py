"""The merge base of a link, between its row and the engine."""

from collections.abc import Mapping
from typing import Any

from .engine.merge import Agreement, MergeBase
from .engine.snapshot import Value


def as_value(raw: Any) -> Value:
    """A value as JSON keeps it, comparable again: lists of words are tuples."""
    return tuple(raw) if isinstance(raw, list) else raw


def read_base(raw: Mapping[str, Any]) -> MergeBase:
    return {key: Agreement(as_value(hub), as_value(system), seq) for key, (hub, system, seq) in raw.items()}


def write_base(base: MergeBase) -> dict[str, Any]:
    return {key: [agreement.hub, agreement.system, agreement.seq] for key, agreement in base.items()}
