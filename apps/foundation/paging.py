"""Pages of a list without counting it: one row more than shown tells whether another page follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)

FARTHEST = 10_000


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """One page of rows, as far as a reader wants to know: what is on it, and whether it goes on."""

    rows: Sequence[M]
    number: int
    has_next: bool

    @property
    def has_previous(self) -> bool:
        return self.number > 1


def page_of(rows: QuerySet[M, Any], number: str | None, *, size: int) -> Page[M]:
    """Page ``number`` of ``rows``; what is no number is page 1, so that a mangled address still shows a list."""
    wanted = int(number) if number and number.isdecimal() else 1
    wanted = max(1, min(wanted, FARTHEST))
    start = (wanted - 1) * size
    found = list(rows[start : start + size + 1])
    return Page(found[:size], wanted, len(found) > size)
