"""How far a listing of changes is that goes by time, and from where the next one must begin to lose nothing (INV-3)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Time = TypeVar("Time", bound=Any)


@dataclass(frozen=True, slots=True)
class Place(Generic[Time]):
    """A place in listings that go oldest first, by the system's own times, and each begin an overlap earlier.

    What an index or a late commit shows behind a listing under way is for the next one to find. So that one must not
    begin later than this one did, less the overlap, however long this one took or was left lying. When it began is a
    matter of the system's clock, which nobody tells us; but what had been told when its first page was there is no
    later. Thus a listing of one page is followed by one from its end, and of a longer one only the first page counts,
    with what was told before it: its other pages are told a second time.
    """

    at: Time
    """When the row ``id`` changed; at rest, where the next listing begins, less the overlap."""
    heard: Time
    """The newest time told before the listing or by its first page; at rest, the newest ever told."""
    id: str = ""
    """The row that was told last; empty at rest."""

    def after(self, told: tuple[Time, str] | None, *, is_last: bool) -> "Place[Time]":
        """The place after one more page, with what it told last (time and id), if anything."""
        newest = max(self.heard, told[0]) if told else self.heard
        begun = self.heard if self.id else newest
        if is_last:
            return Place(begun, newest)
        return Place(told[0], begun, told[1]) if told else self

    def told_until(self, earlier: Callable[[Time], Time]) -> Time:
        """Before when everything was told that can be known by now; ``earlier`` takes the overlap off."""
        return min(self.at, earlier(self.heard)) if self.id else earlier(self.at)
