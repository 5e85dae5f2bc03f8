"""One world: a portal with its store and processes, three to five systems, and time, all drawn from one seed."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from ..connectors import base
from ..engine.ports import Manners, Parties, Store
from ..engine.rules import (
    AttachmentRule,
    Closed,
    Companion,
    ConversationRule,
    Direction,
    FieldRule,
    SyncRules,
    Tiebreak,
    TooLong,
)
from ..engine.snapshot import TicketSnapshot, Value
from .brittle import BrittleMemory
from .connector import Session, SimulatedConnector
from .faults import Coverage, Fault, wire_faults
from .invariants import Broken
from .profiles import PRIORITY_HERE, PRIORITY_THERE, PROFILES, Profile, with_slow_index, without_log
from .rows import SimulatedConnection
from .system import Effect, RemoteTicket, SimulatedSystem
from .trace import Trace
from .watch import Watch
from .wire import Call
from .workers import Poll, Worker

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
HEARTBEAT = 3.0
LONGEST_ANSWER = 120.0
RATES = (0, 12, 40, 90)
"""Of 1024 requests so many meet a fault; drawn once for each world."""
PACES = (0.005, 0.03, 0.1, 0.1)
"""Seconds for which a move takes up to fifteen times; drawn once for each world: in some all happens within seconds."""
CROWDS = (1, 2, 4, 4, 6)
"""How many tickets people open in a world."""
DEAF = 0.25
"""The share of systems that send no webhooks: only asking finds what changed there."""
SLOW = 0.5
"""The share of indexes that are slow: they still hide a ticket when somebody looks for it or goes on listing."""

_FAULTS = wire_faults()
StoreKind = Callable[[Callable[[], datetime]], BrittleMemory]


class Notice:
    """A webhook on its way."""

    __slots__ = ("attempts", "connection", "delivery_id", "place", "ref", "version")

    def __init__(
        self, connection: SimulatedConnection, delivery_id: str, ref: Any, version: str, place: int = 0
    ) -> None:
        self.connection, self.delivery_id, self.ref, self.version = connection, delivery_id, ref, version
        self.place = place
        """Of how many entries of the ticket's log it tells."""
        self.attempts = 0


class World:
    """Everything there is. Moves act on it; nothing happens in it between two moves."""

    def __init__(
        self, seed: str, coverage: Coverage, kinds: tuple[str, ...] = (), *, is_plain: bool = False,
        store: StoreKind = BrittleMemory,
    ) -> None:  # fmt: skip
        """``is_plain``: no faults, and rules under which nobody is ever asked. ``store``: where its rows are kept."""
        dice = random.Random(seed)
        self.seconds = 0.0
        self.now = START
        self.clock_error = 0.0
        self.coverage = coverage
        self.is_calm = False
        """No faults any more: the end of a world, when everything must come to rest."""
        self.rate = 0 if is_plain else dice.choice(RATES)
        self.is_plain = is_plain
        self.pace = PACES[-1] if is_plain else dice.choice(PACES)
        self.most_tickets = max(CROWDS) if is_plain else dice.choice(CROWDS)
        self.has_old_portal = not is_plain and dice.random() < 0.3
        """Processes of the version before work beside those of this one (F60)."""
        self.deaf: set[str] = set()
        self.imported_into: SimulatedSystem | None = None
        self.kept_from, self.secret, self.secrets = "", "", 0
        """A system from which texts are kept, what its world's twin has more in them, and how many there were."""
        self.trace = Trace()
        self.store = store(self.portal_now)
        # Its rows are the simulated ones, where the contract speaks of whatever has their attributes.
        self.port = cast(Store, self.store)
        self.systems: dict[str, SimulatedSystem] = {}
        self.connectors: dict[str, Any] = {}
        self.plain_rules: dict[str, SyncRules] = {}
        self.skews: dict[str, float] = {}
        self.workers: list[Worker] = []
        self.polls: list[Poll] = []
        self.notices: list[Notice] = []
        self.delivered: list[Notice] = []
        self.unsubscribed: dict[str, int] = {}
        self.at_work: tuple[Worker | None, Any] = (None, None)
        self.edits = 0
        self.texts = 0
        self._deliveries = 0
        self.watch = Watch(self)
        self.store.watch = self.watch
        kinds = kinds or tuple(dice.choice(tuple(PROFILES)) for _ in range(dice.randint(3, 5)))
        for number, kind in enumerate(kinds):
            self._connect(f"{kind}{number}", PROFILES[kind], dice)

    def _connect(self, name: str, profile: Profile, dice: random.Random) -> None:
        if dice.random() < 0.2 and not profile.index_lag and not self.is_plain:
            profile = without_log(profile)
        if profile.index_lag and not self.is_plain and dice.random() < SLOW:
            profile = with_slow_index(profile)
        system = SimulatedSystem(name, profile, lambda: self.now)
        lags, longest = random.Random(dice.random()), profile.index_lag
        if not self.is_plain and dice.random() < DEAF:
            self.deaf.add(name)
        system.lag = lambda: 0.0 if self.is_calm else longest * lags.choice((0.0, 0.1, 0.5, 1.0))
        system.told = lambda ticket: self._notify(name, ticket)
        system.took = self.watch.took
        rules = draw_rules(profile, dice)
        if self.is_plain:
            rules = without_questions(rules, profile)
        able = profile.capabilities
        connection = SimulatedConnection(
            name,
            name,
            name,
            rules,
            Manners(able.index_lag_seconds, able.has_atomic_precondition),
            Parties(name, "integrator", profile.name),
        )
        self.skews[name] = system.skew = dice.choice((0.0, 0.0, -300.0, -7.0, 7.0, 300.0))
        self.systems[name], self.plain_rules[name] = system, rules
        self.connectors[name] = SimulatedConnector(system, Session())
        connection.pulse.cursor = self.connectors[name].begin()
        self.store.add_connection(connection)

    # --- Time ---------------------------------------------------------------------------------------------------------

    def portal_now(self) -> datetime:
        return self.now + timedelta(seconds=self.clock_error) if self.clock_error else self.now

    def set_clock(self, error: float) -> None:
        """The portal's clock is this many seconds off from now on; what it waits for comes sooner or later (F56)."""
        self.clock_error = error
        self.watch.limited.clear()

    def monotonic(self) -> float:
        return self.seconds

    def pass_time(self, seconds: float) -> None:
        """Time goes by; whoever is at work and not frozen keeps its claims meanwhile."""
        while seconds > 0:
            step = min(seconds, HEARTBEAT) if self.workers else seconds
            self.seconds += step
            self.now = START + timedelta(seconds=self.seconds)
            seconds -= step
            for worker in self.workers:
                if not worker.frozen:
                    worker.lease.keep()

    # --- Webhooks -----------------------------------------------------------------------------------------------------

    def _notify(self, name: str, ticket: RemoteTicket) -> None:
        if name not in self.deaf and self.unsubscribed.get(name, 0) < UNSUBSCRIBED_AFTER:
            self._deliveries += 1
            system = self.systems[name]
            version = system.version_of(ticket) if system.profile.tells_versions else ""
            told = f"d{self._deliveries}"
            self.notices.append(Notice(self.store.connections[name], told, ticket.ref, version, len(ticket.log)))

    # --- The wire -----------------------------------------------------------------------------------------------------

    def serve(self, connection: SimulatedConnection, call: Call, bits: int) -> tuple[Any, Exception | None]:
        """Let a request arrive, or not; its answer and its failure as the connector gets them."""
        answer, problem = self._serve(self.systems[connection.pk], call, bits)
        failed = "" if problem is None else type(problem).__name__
        self.trace.line("request", connection.pk, call.operation, call.about, failed)
        return answer, problem

    def _serve(self, system: SimulatedSystem, call: Call, bits: int) -> tuple[Any, Exception | None]:
        name = system.profile.name
        hit = self.coverage.hit
        if self.watch.told is not None:
            self.watch.told.append(f"{self.seconds:.1f} {system.name} {call.operation} {call.about}")
        if system.is_down:
            return None, base.Unreachable("connection refused")
        if system.failing_until is not None and self.now < system.failing_until:
            hit(11, call.operation, name)
            return None, base.VendorFault("answered 503")
        if system.is_overrun and self.rate and not self.is_calm and call.operation == "changed_since":
            system.is_overrun = False
            return None, self._limited(system, call, OVERRUN)
        fault = None
        if not self.is_calm and (bits & 1023) < self.rate * RARE.get(call.operation, 1):
            options = _FAULTS.get(call.operation, ())
            fault = options[(bits >> 10) % len(options)] if options else None
        if call.writes and self.at_work[0] is not None and not self.at_work[0].lease.is_held():
            return None, base.StaleVersion("the claim on this lane has lapsed; nothing was sent")
        if fault is not None:
            return self._spoil(fault, system, call, bits)
        return self._arrive(system, call)

    def _arrive(self, system: SimulatedSystem, call: Call) -> tuple[Any, Exception | None]:
        try:
            answer = call.act()
        except base.ConnectorError as problem:
            self._count_refusal(system, call, problem)
            return None, problem
        self._count_answer(system, call, answer)
        return answer, None

    def _count_refusal(self, system: SimulatedSystem, call: Call, problem: base.ConnectorError) -> None:
        name = system.profile.name
        number = next((n for kind, n in REFUSALS if isinstance(problem, kind)), 0)
        if isinstance(problem, base.SignInFailed):
            number = 14 if call.operation == "sign_in" else 13
        elif isinstance(problem, base.Rejected) and problem.field == system.profile.fields["title"]:
            number = 38
        elif isinstance(problem, base.VendorFault):
            number = 12
        if number:
            self.coverage.hit(number, call.operation, name)

    def _count_answer(self, system: SimulatedSystem, call: Call, answer: Any) -> None:
        if call.operation == "changed_since":
            if system.skew:
                self.coverage.hit(33, "changed_since", system.profile.name)
            is_import = any(one.ref.id in system.imported for one in answer.tickets)
            if is_import and not answer.is_last and system.is_overrun is None:
                system.is_overrun = True
        if call.operation == "fetch" and isinstance(answer, TicketSnapshot):
            ticket = system.tickets[answer.ref.id]
            for number in ticket.odd:
                self.coverage.hit(number, "fetch", system.profile.name)
            ticket.odd.clear()

    def _spoil(self, fault: Fault, system: SimulatedSystem, call: Call, bits: int) -> tuple[Any, Exception | None]:
        """One request under one fault."""
        number, more = fault.number, bits >> 16
        if number == 7 and len(system.tickets) < 2:
            return self._arrive(system, call)
        if number in ANSWERED_LATE:
            return self._spoil_answer(number, system, call, more)
        if number == 8:
            return None, self._limited(system, call, (1.0, 5.0, 30.0, 600.0)[more % 4])
        self.coverage.hit(number, call.operation, system.profile.name)
        if number == 10:
            wait = 3600.0 - self.seconds % 3600.0
            return None, base.RateLimited("answered 429", retry_after=system.limit(max(1.0, wait), self.seconds))
        if number == 9:
            return None, base.RateLimited("answered 429", retry_after=5.0, scope="ticket")
        if number == 11:
            system.failing_until = self.now + timedelta(seconds=5 + more % 40)
            return None, base.VendorFault("answered 503")
        if number == 5:
            return None, base.Unreachable("no answer", is_unknown=True)
        if number == 47:
            return None, base.Unreachable("the address has expired")
        if number == 48:
            return None, base.Unreachable("the name is not known")
        # The cursor it was asked with comes back: it may repeat (F34), and it may not move over an empty list (F36).
        # While all that happened is asked for, it would hide what only it can tell (INV-40): it is not the last.
        is_catching_up = self.store.connections[system.name].pulse.behind_until is not None
        return base.ChangedPage((), call.about, number == 36 and not is_catching_up), None

    def _limited(self, system: SimulatedSystem, call: Call, wait: float) -> Exception:
        self.coverage.hit(8, call.operation, system.profile.name)
        return base.RateLimited("answered 429", retry_after=system.limit(wait, self.seconds))

    def _spoil_answer(
        self, number: int, system: SimulatedSystem, call: Call, more: int
    ) -> tuple[Any, Exception | None]:
        """The request arrives; what becomes of its answer is another matter."""
        slow = 20.0 + more % 110 if number == 49 else 0.0
        if number == 49:
            self.pass_time(min(slow, LONGEST_ANSWER))
        answer, problem = self._arrive(system, call)
        if problem is not None:
            return answer, problem
        if number == 7:
            if not isinstance(answer, TicketSnapshot):
                return answer, None
            others = [one for one in system.tickets.values() if one.id != answer.ref.id]
            other = others[more % len(others)]
            self.watch.misled.add((system.name, answer.ref.id))
            answer = system.snapshot(other, system.version_of(other))
        elif number == 46:
            if len(answer) < 2:
                return answer, None
            answer = answer[:-1]
        elif number == 49:
            if slow > LONGEST_ANSWER:
                problem = base.Unreachable("no answer within two minutes", is_unknown=call.writes)
        elif number == 6:
            problem = base.VendorFault("answered with something else", is_unknown=True)
        else:
            problem = base.Unreachable("the answer was lost", is_unknown=True)
        self.coverage.hit(number, call.operation, system.profile.name)
        return answer, problem


RARE = {"create": 6, "attachment": 8, "download": 4, "comment": 4, "find": 3, "update": 3, "changed_since": 2}
"""Operations that are seldom meet more faults, or a million moves would not be enough for every cell."""
UNSUBSCRIBED_AFTER = 5
OVERRUN = 600.0
"""For how long a system wants to be left alone by whoever lists what was imported in bulk."""
ANSWERED_LATE = frozenset({1, 3, 4, 6, 7, 46, 49})
REFUSALS: tuple[tuple[type[base.ConnectorError], int], ...] = (
    (base.AccessRefused, 15),
    (base.TicketGone, 16),
    (base.TicketMerged, 18),
    (base.TicketClosed, 19),
    (base.NoRoute, 20),
)


def draw_rules(profile: Profile, dice: random.Random) -> SyncRules:
    """Rules that fit the system, different in every world."""
    names, ties = profile.fields, tuple(Tiebreak)
    # Of a system that cuts without a word, few know how much it takes.
    limit = profile.title_limit if dice.random() < (0.25 if profile.cuts else 0.7) else None
    too_long = dice.choice(tuple(TooLong))
    status: dict[Value, Value] = dict(profile.to_system)
    fields = (
        FieldRule("title", names["title"], tiebreak=dice.choice(ties), max_length=limit, too_long=too_long),
        FieldRule("status", names["status"], tiebreak=dice.choice(ties), to_system=status, to_hub=dict(profile.to_hub)),
        FieldRule(
            "priority",
            names["priority"],
            tiebreak=dice.choice(ties),
            to_system=PRIORITY_THERE,
            to_hub=PRIORITY_HERE,
        ),
        FieldRule("assignee", names["assignee"], tiebreak=dice.choice(ties)),
        FieldRule(
            "custom.site", names["custom.site"], tiebreak=dice.choice(ties), direction=dice.choice(tuple(Direction))
        ),
    )
    needed: dict[Value, tuple[Companion, ...]] = {}
    if profile.needed:
        needed[profile.solved] = (Companion(profile.needed, lambda _view: "fixed"),)
    hidden = profile.capabilities.has_internal_comments
    return SyncRules(
        version=1,
        fields=fields,
        type_of_kind={"incident": "incident"},
        kind_of_type={"incident": "incident"},
        creates_inbound=dice.random() < 0.9,
        conversation=ConversationRule(
            in_chosen="internal" if hidden else None, out_internal="internal" if dice.random() < 0.5 else None
        ),
        attachments=AttachmentRule(largest_bytes=profile.largest_file if dice.random() < 0.7 else None),
        closed=dice.choice(tuple(Closed)),
        companions=needed,
        is_ordered=dice.random() < 0.8,
    )


def without_questions(rules: SyncRules, profile: Profile) -> SyncRules:
    """Rules that ask nobody: a tie is broken, a long text shortened, a closed ticket left alone."""
    fields = tuple(
        replace(one, tiebreak=Tiebreak.LATEST, direction=Direction.BOTH, too_long=TooLong.SHORTEN)
        for one in rules.fields
    )
    title = replace(fields[0], max_length=profile.title_limit)
    files = replace(rules.attachments, largest_bytes=profile.largest_file)
    return replace(rules, fields=(title, *fields[1:]), creates_inbound=True, closed=Closed.WITHHOLD, attachments=files)


def tightened(rules: SyncRules, choice: int) -> SyncRules:
    """Stricter rules of a later version: less of a ticket lands in the system (F58)."""
    if choice % 2:
        fields = tuple(
            replace(one, direction=Direction.OUTBOUND) if one.hub == "title" else one for one in rules.fields
        )
        return replace(rules, version=rules.version + 1, fields=fields)
    talk = replace(rules.conversation, in_public=None, in_chosen=None)
    return replace(rules, version=rules.version + 1, conversation=talk)


def loosened(rules: SyncRules, plain: SyncRules) -> SyncRules:
    """The plain rules again, as a later version."""
    return replace(plain, version=rules.version + 1)


Move = tuple[str, int, int, int]
Act = Callable[[World, int, int, int], str | None]
__all__ = ["Act", "Broken", "Effect", "Move", "Notice", "World", "draw_rules", "loosened", "tightened"]
