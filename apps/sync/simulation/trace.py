"""The log of a world: what was asked of the store, of the systems and of the journal, in words that both stores share.

Ids are dealt by each store in its own way; in here a row is called by the place at which it was first spoken of.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from ..engine.merge import Agreement
from ..engine.rules import SyncRules
from .rows import FIELDS, SAVED, Entry, SimulatedTicket

UNTOLD = frozenset({"mark", "place", "now"})
"""Arguments that each store has its own words for, or that the move itself tells."""
TOLD_IN_THE_JOURNAL = frozenset({"open_ticket", "receive", "comment", "attach", "change", "say", "open_here"})


class Trace:
    """A hash over all lines; ``lines`` holds them, too, for whoever wants to read what two worlds differ in."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._names: dict[str, int] = {}
        self.lines: list[str] | None = None
        self.is_kept = True
        """False for stories told again, of which nobody wants the hash."""
        self._words: dict[type, Callable[[Any], Any]] = {
            **dict.fromkeys(PLAIN, _itself),
            datetime: datetime.isoformat,
            Agreement: lambda one: (self.word(one.hub), self.word(one.system), one.seq),
            SyncRules: lambda one: one.version,
        }  # fmt: skip

    def digest(self) -> bytes:
        return self._hash.digest()

    def line(self, *words: object) -> None:
        """Write one line."""
        told = repr(words)
        self._hash.update(told.encode())
        if self.lines is not None:
            self.lines.append(told)

    def name(self, key: object) -> int:
        """What an id, a mark or a correlation is called here; 0 for none."""
        return self._names.setdefault(str(key), len(self._names) + 1) if key not in (None, "") else 0

    def asked(self, verb: str, given: tuple[Any, ...], named: Mapping[str, Any], made: object) -> None:
        """A verb of the store that writes was carried out."""
        if verb in TOLD_IN_THE_JOURNAL or not self.is_kept:
            return
        first, *rest = given
        if verb in COLUMNS:
            self.line(verb, self.name(first.pk), *self.columns(first, given[1:] or SAVED))
            return
        if verb in ABOUT_ROWS:
            # The first of the rest may be dealt twice, where a transaction was taken back and made again, or is an id.
            rest[0] = self.name(getattr(rest[0], "pk", rest[0])) if verb in BY_ID else None
        words = [one if type(one) in PLAIN else self.word(one) for one in rest]
        words += [
            (key, self.name(value) if key in BY_NAME else value if type(value) in PLAIN else self.word(value))
            for key, value in named.items()
            if key not in UNTOLD
        ]
        if verb in TELLING:
            words += [made if isinstance(made, list) else bool(made)]
        self.line(verb, self.word(first), *words)

    def entered(self, ticket: SimulatedTicket, entry: Entry) -> None:
        """The journal of a ticket has grown."""
        if not self.is_kept:
            return
        said = entry.said
        words = () if said is None else (said.body, said.author, said.organization, said.audience, said.sha256)
        chosen = () if said is None else sorted(said.chosen)
        changes = sorted(entry.changes.items())
        self.line("entry", self.name(ticket.pk), entry.seq, entry.kind, entry.origin, entry.ref, self.name(entry.mark),
                  entry.at.isoformat(), changes, *words, *chosen)  # fmt: skip

    def rows(self, store: Any) -> None:
        """All that the store holds at this moment."""
        for connection in store.connections.values():
            pulse = connection.pulse
            times = (pulse.poll_due_at, pulse.resting_until, pulse.limited_until, pulse.behind_until)
            self.line("connection", connection.name, str(connection.state), connection.rules.version, pulse.cursor,
                      pulse.failures, *map(self.word, times))  # fmt: skip
        for link in store.links.values():
            paired = sorted(store.paired[link.pk].values())
            unseen = [self._intent(one) for one in store.unseen_writes(store.handed(link), ())]
            asked = [self._conflict(one) for one in store.asked[link.pk].values()]
            self.line("link", self.name(link.pk), link.connection.name, self.columns(link, SAVED), paired, unseen,
                      link.pk in store.open, asked)  # fmt: skip
        for ticket in store.tickets.values():
            fields = [(name, ticket.fields.get(name, "")) for name in FIELDS]
            self.line("ticket", self.name(ticket.pk), ticket.opened_by, ticket.last_seq, fields)
            for entry in ticket.journal:
                self.entered(ticket, entry)
        for one in store.conflicts.values():
            self.line("conflict", self._conflict(one))

    def _conflict(self, one: Any) -> tuple[Any, ...]:
        told = (one.key, one.hub_value, one.system_value, one.verdict, one.is_open)
        return (self.name(one.link_pk), *map(self.word, told))

    def word(self, value: Any) -> Any:
        """A value in words that do not depend on who keeps it."""
        kind = type(value)
        tell = self._words.get(kind)
        if tell is None:
            tell = self._words[kind] = self._teller(value)
        return tell(value)

    def _teller(self, value: Any) -> Callable[[Any], Any]:
        if isinstance(value, str):
            return str
        if isinstance(value, Mapping):
            return lambda one: sorted((key, self.word(held)) for key, held in one.items())
        if isinstance(value, list | tuple):
            return lambda one: tuple(map(self.word, one))
        if isinstance(value, set | frozenset | type({}.keys())):
            return lambda one: sorted(map(self.name, one))
        if hasattr(value, "correlation") and hasattr(value, "slot"):
            return self._intent
        if hasattr(value, "external_id"):
            return lambda one: self.name(one.pk)
        if hasattr(value, "pulse"):
            return lambda one: one.name
        if hasattr(value, "pk"):
            return lambda one: self.name(one.pk)
        return repr if hasattr(value, "__slots__") else lambda one: type(one).__name__

    def _intent(self, one: Any) -> tuple[Any, ...]:
        told = (one.seq, one.slot, one.fields, one.agreed, one.state, one.is_unknown, one.doubted_at, one.change_ids,
                one.note, one.settled_at)  # fmt: skip
        return (self.name(one.correlation), *map(self.word, told))

    def columns(self, link: Any, names: tuple[str, ...]) -> list[Any]:
        """Columns of a link."""
        if names is SAVED:
            called, told = [self.name(link.ticket_id), self.name(link.looked_for)], _told_columns(link)
        else:
            called = [self.name(getattr(link, name)) for name in names if name in BY_NAME]
            told = tuple(getattr(link, name) for name in names if name not in BY_NAME)
        return [*called, *(one if type(one) in PLAIN else self.word(one) for one in told)]


def _itself(value: Any) -> Any:
    return value


PLAIN: frozenset[type] = frozenset({str, int, bool, float, type(None)})
BY_ID = frozenset({"add_link", "tie"})
ABOUT_ROWS = BY_ID | {"pair_comment", "pair_file"}
"""Verbs whose second argument is another row."""
_told_columns = attrgetter(*(name for name in SAVED if name not in ("ticket_id", "looked_for")))
BY_NAME = frozenset({"ticket_id", "looked_for", "correlation"})
COLUMNS = frozenset({"save", "save_and_release"})
TELLING = frozenset({"add_link", "keep_notices", "close_questions"})
"""Verbs whose answer says whether they did something."""
