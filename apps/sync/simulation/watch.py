"""Who sees everything that happens in a world, and asks the invariants."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..engine.ports import LinkRow
from ..engine.recovery import OPENS_AFTER, FailureKind
from ..engine.work import Failed
from .invariants import (
    AcceptedBeforeTheCursor,
    AudienceOnlyNarrows,
    Broken,
    IntentFirst,
    Invariant,
    LaneOrder,
    NothingEndsInSilence,
    OneChangeOneEntry,
    OneComment,
    OneHand,
    OneTicket,
    OriginalOrder,
    RightConsequence,
    RulesAtSendTime,
    Written,
)
from .rows import Entry, SimulatedConnection, SimulatedLink, SimulatedTicket
from .values import NoCutText, NothingGoesBack, NothingUnread, NoWordsBack, OvertakenStaysOut, RightWinner

if TYPE_CHECKING:
    from .system import Effect, SimulatedSystem
    from .world import World

SAFETY: tuple[type[Invariant], ...] = (
    NothingUnread,
    AcceptedBeforeTheCursor,
    OneChangeOneEntry,
    OriginalOrder,
    LaneOrder,
    OneHand,
    NothingEndsInSilence,
    IntentFirst,
    OneTicket,
    OneComment,
    NoCutText,
    NoWordsBack,
    NothingGoesBack,
    OvertakenStaysOut,
    RightWinner,
    RulesAtSendTime,
    AudienceOnlyNarrows,
    RightConsequence,
)


HOOKS = ("wrote", "journaled", "saved", "cursor_kept", "disagreed")


class Watch:
    """Who is told of everything that happens, and asks the invariants."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.effects: Counter[str] = Counter()
        self.internal: dict[tuple[str, int], str] = {}
        """(system, number of the text) → an internal comment there."""
        self.misled: set[tuple[str, str]] = set()
        """Tickets for which a foreign answer came (F7)."""
        self.heard: dict[str, int] = {}
        """Link → how much of its ticket's log the accepted webhooks tell of."""
        self.silent: Counter[str] = Counter()
        """Connection → calls in a row that found nobody there."""
        self.limited: dict[str, float] = {}
        """Connection → until when its system asked to be left alone, as the portal knows."""
        self.tightened: set[str] = set()
        """Connections whose rules were stricter for a while."""
        self.told: list[str] | None = None
        """Every request and every write, word for word, for whoever wants to compare worlds."""
        self.written = 0
        self.entered = 0
        made = [one(world) for one in SAFETY]
        self._of: dict[str, list[Any]] = {
            hook: [getattr(one, hook) for one in made if hook in type(one).__dict__] for hook in HOOKS
        }
        self.made: dict[type[Invariant], Any] = {type(one): one for one in made}

    def also(self, one: Invariant) -> None:
        """Ask one more invariant from now on."""
        for hook, asked in self._of.items():
            if hook in type(one).__dict__:
                asked.append(getattr(one, hook))

    def took(self, system: "SimulatedSystem", effect: "Effect") -> None:
        """A write of ours took effect."""
        self.effects[effect.correlation] += 1
        self.written += 1
        world = self.world
        world.trace.line("effect", effect.kind, effect.ticket.id, world.trace.name(effect.correlation),
                         sorted(effect.fields.items()), effect.text)  # fmt: skip
        _worker, errand = world.at_work
        row = world.store.links.get(errand.link.pk)
        found = world.store.marks.get((errand.link.pk, effect.correlation), ())
        if not found or row is None:
            raise Broken(12, "other", f"{effect.correlation} took effect without an intent")
        if self.told is not None:
            said = (effect.kind, effect.ticket.id, effect.correlation, sorted(effect.fields.items()), effect.text)
            self.told.append(f"{world.seconds:.1f} {system.name} {said} {effect.visibility}")
        if effect.ticket.reverting & set(effect.fields):
            world.coverage.hit(22, "update", system.profile.name)
        written = Written(system, effect, row, world.store.intents[found[-1]])
        for ask in self._of["wrote"]:
            ask(written)

    def journal_grew(self, ticket: SimulatedTicket, entry: Entry) -> None:
        self.entered += 1
        self.world.trace.entered(ticket, entry)
        for ask in self._of["journaled"]:
            ask(ticket, entry)

    def at_rest(self) -> None:
        self.made[NoWordsBack].at_rest()

    def renewal_failed(self) -> None:
        self.world.coverage.hit(53, "call")

    # --- Manners (INV-33, INV-34) -------------------------------------------------------------------------------------

    def asked_to_wait(self, connection: SimulatedConnection, wait: float) -> None:
        """The portal has learnt that a system asked it to wait."""
        until = self.world.systems[connection.pk].limits[wait]
        self.limited[connection.pk] = max(until, self.limited.get(connection.pk, 0.0))

    def calls_begin(self, connection: SimulatedConnection) -> None:
        """A worker or a poll sets out to call a system."""
        if self.world.seconds < self.limited.get(connection.pk, 0.0):
            wait = self.limited[connection.pk] - self.world.seconds
            raise Broken(33, "other", f"{connection.pk} is called {wait:.0f} seconds before it wants to be")

    def settled(self, connection: SimulatedConnection, link: LinkRow, result: Any) -> None:
        """What came of a call is written down, by a worker that still held the lane."""
        if not isinstance(result, Failed):
            return
        if result.failure.kind is FailureKind.UNREACHABLE:
            if link.attempts and not self.silent[connection.pk]:
                # A lane that fails again while no other does is no word about its system.
                return
            self.silent[connection.pk] += 1
            if self.silent[connection.pk] >= OPENS_AFTER and connection.pulse.resting_until is None:
                raise Broken(34, "other", f"{connection.pk} was not reached again and again, and is not left to rest")
        elif result.failure.is_connection_wide:
            self.asked_to_wait(connection, result.failure.retry_after)

    # --- Webhooks -----------------------------------------------------------------------------------------------------

    def hinted(self, connection: SimulatedConnection, ticket_id: str, place: int) -> None:
        """A webhook that tells of the first ``place`` entries of a ticket's log was accepted."""
        pk = self.world.store.external.get((connection.pk, ticket_id))
        if pk is not None:
            self.heard[pk] = max(place, self.heard.get(pk, 0))

    # --- The store ----------------------------------------------------------------------------------------------------

    def asked(self, verb: str, given: tuple[Any, ...], named: Mapping[str, Any], made: object) -> None:
        """A verb of the store that writes was carried out."""
        self.world.trace.asked(verb, given, named, made)
        store = self.world.store
        if verb == "note_success":
            self.silent[given[0].name] = 0
        elif verb == "keep_cursor":
            for ask in self._of["cursor_kept"]:
                ask(store.connections[given[0].name], given[1])
        elif verb == "add_conflict":
            for ask in self._of["disagreed"]:
                ask(store.seen(given[0]), given[1])

    def link_saved(self, row: SimulatedLink, link: SimulatedLink, values: Mapping[str, Any]) -> None:
        for ask in self._of["saved"]:
            ask(row, link, values)

    def rules_now(self, link: SimulatedLink) -> Any:
        """The rules of the round that is at work: they were in force when it began."""
        worker, _errand = self.world.at_work
        return worker.rules if worker is not None else link.connection.rules

    def rules_at_work(self, link: SimulatedLink) -> int:
        return int(self.rules_now(link).version)
