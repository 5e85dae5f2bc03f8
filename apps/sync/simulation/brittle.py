"""A store that may break: a process dies, or the database fails, before any verb that writes and right after a commit.

Whatever it does is told to whoever watches. What is beneath keeps the rows: memory, or a database.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from operator import attrgetter
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..engine.ports import LinkRow, StoreFailed
from .rows import SAVED
from .store import MemoryStore

if TYPE_CHECKING:
    from .watch import Watch


class StoreDown(StoreFailed):
    """The database does not take this statement; the transaction around it is lost (F53, F55)."""


class Killed(BaseException):
    """The process is gone in the middle of what it did (F50)."""


_MISSING = object()


class Brittle(MemoryStore if TYPE_CHECKING else object):  # type: ignore[misc]
    """Laid over a store. A verb called by another verb is a part of that one, and breaks and is told with it."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.fuse = 0
        """Verbs until ``breaks`` is raised; 0: never."""
        self.breaks: Callable[[], BaseException] = Killed
        self.is_read_only = False
        self.dies_after_commit = False
        self.died_after_commit = False
        self.failing_renewals = 0
        """How many of the next renewals of a claim the database refuses."""
        self.watch: Watch | None = None
        self._is_inside = False
        self._blocks = 0
        self._notes: list[tuple[Any, Any, Any]] = []

    # --- Transactions -------------------------------------------------------------------------------------------------

    def atomic(self) -> Any:
        return super().atomic() if self._is_inside else _Block(self, super().atomic())

    def begin(self) -> int:
        """A transaction, or one inside another, begins; where to go back to."""
        self._blocks += 1
        return len(self._notes)

    def end(self, mark: int, *, is_good: bool) -> None:
        """It is over."""
        self._blocks -= 1
        if not is_good:
            self._forget(mark)
        elif not self._blocks:
            self._notes.clear()
            self._committed()

    def remember(self, place: Any, key: Any, value: Any) -> None:
        """Note something beside the store that must not outlive its transaction."""
        if self._blocks:
            self._notes.append((place, key, place.get(key, _MISSING)))
        place[key] = value

    def _forget(self, mark: int) -> None:
        while len(self._notes) > mark:
            place, key, before = self._notes.pop()
            if before is _MISSING:
                del place[key]
            else:
                place[key] = before

    def _committed(self) -> None:
        if self.dies_after_commit:
            self.dies_after_commit, self.died_after_commit = False, True
            raise self.breaks()

    def _burn(self) -> None:
        if self.is_read_only:
            raise StoreDown("the database is read-only")
        if self.fuse:
            self.fuse -= 1
            if not self.fuse:
                raise self.breaks()

    # --- Verbs that are more than told --------------------------------------------------------------------------------

    def renew(self, token: str) -> bool:
        if self.failing_renewals and self.watch is not None:
            self.watch.renewal_failed()
        if self.is_read_only or self.failing_renewals:
            self.failing_renewals = max(0, self.failing_renewals - 1)
            return False
        return bool(self._carried_out(super().renew, token))

    def carry_out(self, verb: str, act: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """One verb: it breaks before it has begun, or is carried out whole."""
        self._burn()
        watch = self.watch
        before = self._end_of(given[0]) if verb in JOURNAL and verb != "open_here" else 0
        if verb in SAVES and watch is not None:
            self._tell_saved(watch, given[0], given[1:] or SAVED)
        made = self._carried_out(act, *given, **named)
        if watch is not None:
            watch.asked(verb, given, named, made)
            if verb in JOURNAL:
                self._tell_grown(watch, made.pk if verb == "open_here" else given[0], before)
        if not self._blocks:
            self._committed()
        return made

    def _carried_out(self, act: Callable[..., Any], *given: Any, **named: Any) -> Any:
        self._is_inside = True
        try:
            return act(*given, **named)
        finally:
            self._is_inside = False
            self.written()

    def written(self) -> None:
        """Something may be different from now on."""

    def _tell_saved(self, watch: "Watch", link: LinkRow, names: tuple[str, ...]) -> None:
        row = self.links.get(link.pk)
        if row is not None:
            held = self.seen(link)
            values = _columns(held) if names is SAVED else [getattr(held, name) for name in names]
            watch.link_saved(row, held, dict(zip(names, values, strict=True)))

    def _end_of(self, place: Any) -> int:
        ticket = self.tickets.get(_ticket_of(place))
        return 0 if ticket is None else ticket.last_seq

    def _tell_grown(self, watch: "Watch", place: Any, before: int) -> None:
        ticket = self.tickets.get(_ticket_of(place))
        for entry in ticket.journal[before:] if ticket is not None else ():
            watch.journal_grew(ticket, entry)


def _ticket_of(place: Any) -> Any:
    """Whose journal a verb writes to: that of a link's ticket, or of a ticket."""
    return getattr(place, "ticket_id", place)


_columns = attrgetter(*SAVED)


def _verb(name: str) -> Callable[..., Any]:
    def verb(self: Brittle, *given: Any, **named: Any) -> Any:
        act = getattr(super(Brittle, self), name)
        return act(*given, **named) if self._is_inside else self.carry_out(name, act, given, named)

    return verb


JOURNAL = frozenset({"open_ticket", "receive", "comment", "attach", "note", "open_here", "change", "say"})
SAVES = frozenset({"save", "save_and_release"})
VERBS = JOURNAL | SAVES | {
    "claim", "release", "delete", "add_link", "sight", "want_looks", "add_intent", "save_intent", "mark_seen",
    "add_finding", "pair_comment", "pair_file", "add_conflict", "close_questions", "note_success", "note_failure",
    "wait_until", "put_on_hold", "keep_cursor", "end_catching_up", "keep_notices", "note_grave", "trip", "stop", "tie",
    "update", "answer", "close_open_intents", "let_through", "put_all_back",
}  # fmt: skip
for _name in VERBS:
    setattr(Brittle, _name, _verb(_name))


class _Block:
    """A transaction of the store beneath, and of what was noted beside it."""

    __slots__ = ("_beneath", "_mark", "_store")

    def __init__(self, store: Brittle, beneath: AbstractContextManager[Any]) -> None:
        self._store, self._beneath = store, beneath

    def __enter__(self) -> None:
        self._mark = self._store.begin()
        self._beneath.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._beneath.__exit__(kind, problem, trace)
        except BaseException:
            self._store.end(self._mark, is_good=False)
            raise
        self._store.end(self._mark, is_good=kind is None)


class BrittleMemory(Brittle, MemoryStore):
    """The store in memory as the worlds use it."""
