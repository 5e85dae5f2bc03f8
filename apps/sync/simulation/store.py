"""The whole store in memory: what the simulation lets the engine read and write (see the port ``Store``)."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from ..engine.claims import CLAIM_SECONDS, LONGEST_CLAIM
from ..engine.merge import MergeBase, Verdict
from ..engine.plan import CREATIONS, Conflict
from ..engine.ports import DELIVERS, Finding, IntentState, LinkRow, LinkState, Manners, Parties
from ..engine.recovery import OPENS_AFTER, PROBE_FIRST, PROBE_LONGEST, backoff
from ..engine.rules import SyncRules
from ..engine.snapshot import ExternalRef, Fields, NoticeHint
from .brakes import MemoryBrakes
from .rows import SAVED, SimulatedConflict, SimulatedConnection, SimulatedIntent, SimulatedLink, SimulatedTicket

NONE: Mapping[str, Any] = {}


class MemoryStore(MemoryBrakes):
    """Links, intents, pairings, conflicts and how connections are. Workers get copies of rows, never the rows."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.clock = clock
        self.connections: dict[str, SimulatedConnection] = {}
        self.links: dict[str, SimulatedLink] = {}
        self.links_of: dict[str, dict[str, SimulatedLink]] = {}
        self.external: dict[tuple[str, str], str] = {}
        self.intents: dict[int, SimulatedIntent] = {}
        self.marks: dict[tuple[str, str], list[int]] = {}
        self.at_seq: dict[tuple[str, int], list[int]] = {}
        self.open: dict[str, int] = {}
        self.unseen: dict[str, dict[int, SimulatedIntent]] = {}
        self.conflicts: dict[int, SimulatedConflict] = {}
        self.asked: dict[str, dict[int, SimulatedConflict]] = {}
        self.notices: dict[tuple[str, str], datetime] = {}
        self.findings: list[tuple[Finding, str, str, str]] = []
        self.counts_hints = True
        """False while a process of the version before writes, which knows nothing of versions that notices name."""
        self._numbers = 0
        self._ticket_ids: dict[str, str] = {}

    def _number(self) -> int:
        # Like a database's sequence it is never taken back, not even by a restored backup.
        self._numbers += 1
        return self._numbers

    def ticket_id(self, mark: str) -> str:
        return self._ticket_ids.setdefault(mark, f"T{self._number()}")

    def add_connection(self, connection: SimulatedConnection) -> None:
        connection.id = connection.pk
        self.connections[connection.pk] = connection
        self.links_of[connection.pk] = {}

    # --- Between the world and the engine -----------------------------------------------------------------------------

    def handed(self, row: SimulatedConnection | SimulatedTicket | SimulatedLink) -> Any:
        """A row as the engine is given it."""
        return row.pk if isinstance(row, SimulatedTicket) else row

    def seen(self, link: LinkRow) -> SimulatedLink:
        """A worker's link, with what it has changed, as the world knows links."""
        return cast(SimulatedLink, link)

    # --- Claims -------------------------------------------------------------------------------------------------------

    def due(self, connection: SimulatedConnection, now: datetime) -> Iterator[SimulatedLink]:
        """Links that a worker could take now."""
        for link in self.links_of[connection.pk].values():
            if link.due_at > now or (link.claimed_until is not None and link.claimed_until >= now):
                continue
            looks = link.look_wanted > link.look_done and link.intake_hold is None and link.external_id != ""
            owes = (
                link.delivery_hold is None
                and link.state in DELIVERS
                and link.ticket_id is not None
                and not (link.is_behind and link.external_id)
                and (self.tickets[link.ticket_id].last_seq > link.applied_seq or bool(link.repair))
            )
            if looks or owes or (link.pk in self.open and link.state != LinkState.DETACHED):
                yield link

    def claim(
        self, connection: SimulatedConnection, *, now: datetime, most: int, without: Collection[str] = ()
    ) -> list[SimulatedLink]:
        due = [link for link in self.due(connection, now) if str(link.pk) not in without]
        chosen = sorted(due, key=lambda link: link.due_at)[:most]
        if not chosen:
            return []
        token = f"worker-{self._number()}"
        with self.atomic():
            for link in chosen:
                self.update(link, claimed_by=token, claimed_until=now + timedelta(seconds=CLAIM_SECONDS))
        return [link.copy() for link in chosen]

    def claim_probe(
        self, connection: SimulatedConnection, *, now: datetime, without: Collection[str] = ()
    ) -> list[SimulatedLink]:
        links = self.links_of[connection.pk].values()
        if any(link.claimed_until is not None and now <= link.claimed_until <= now + LONGEST_CLAIM for link in links):
            return []
        return self.claim(connection, now=now, most=1, without=without)

    def renew(self, token: str) -> bool:
        until = self.clock() + timedelta(seconds=CLAIM_SECONDS)
        for link in self.links.values():
            if link.claimed_by == token:
                self.update(link, claimed_until=until)
        return True

    def release(self, *links: LinkRow) -> None:
        for link in links:
            row = self.links.get(link.pk)
            if row is not None and row.claimed_by == link.claimed_by:
                self.update(row, claimed_by="", claimed_until=None)

    def save_and_release(self, link: LinkRow) -> None:
        self.save(link)
        self.release(link)

    def still_held(self, link: LinkRow) -> LinkRow | None:
        row = self.links.get(link.pk)
        return row.copy() if row is not None and row.claimed_by == link.claimed_by else None

    # --- Links --------------------------------------------------------------------------------------------------------

    def save(self, link: LinkRow, *names: str) -> None:
        row = self.links.get(link.pk)
        if row is None:
            return
        held = link.__dict__
        values = {name: held[name] for name in names or SAVED}
        if "external_id" in values and values["external_id"] != row.external_id:
            self._move(row, values["external_id"])
        self.update(row, **values)

    def _move(self, row: SimulatedLink, external_id: str) -> None:
        if self.external.get((row.connection.pk, external_id), row.pk) != row.pk:
            raise ValueError(f"{external_id} has a link already")
        if row.external_id:
            self.drop(self.external, (row.connection.pk, row.external_id))
        self.put(self.external, (row.connection.pk, external_id), row.pk)

    def delete(self, link: LinkRow) -> None:
        row = self.links.get(link.pk)
        if row is None:
            return
        if row.external_id:
            self.drop(self.external, (row.connection.pk, row.external_id))
        for place in (self.links, self.links_of[row.connection.pk], self.open, self.unseen, self.asked, self.paired):
            self.drop(place, row.pk)

    def of_external(self, connection: SimulatedConnection, ids: Collection[str]) -> Mapping[str, LinkRow]:
        found = {}
        for external_id in ids:
            pk = self.external.get((connection.pk, external_id))
            if pk is not None:
                found[external_id] = self.links[pk].copy()
        return found

    def add_link(self, connection: SimulatedConnection, ticket_id: Any, *, now: datetime) -> LinkRow | None:
        if any(link.ticket_id == ticket_id for link in self.links_of[connection.pk].values()):
            return None
        seq = self.tickets[ticket_id].last_seq
        link = SimulatedLink(f"L{self._number()}", connection, ticket_id, LinkState.CREATING, now, now, start_seq=seq)
        link.is_behind = self.tickets[ticket_id].is_restored
        with self.atomic():
            self._add(link)
        return link.copy()

    def _add(self, link: SimulatedLink) -> None:
        self.put(self.links, link.pk, link)
        self.put(self.links_of[link.connection.pk], link.pk, link)
        self.put(self.unseen, link.pk, {})
        self.put(self.asked, link.pk, {})
        self.put(self.paired, link.pk, {})
        if link.external_id:
            self.put(self.external, (link.connection.pk, link.external_id), link.pk)

    def is_creating(self, connection: SimulatedConnection, since: datetime) -> bool:
        open_ = (self.intents[self.open[pk]] for pk in self.links_of[connection.pk] if pk in self.open)
        return any(intent.slot in CREATIONS and intent.created_at <= since for intent in open_)

    def sight(
        self, connection: SimulatedConnection, refs: Sequence[ExternalRef], now: datetime, *, due_at: datetime
    ) -> None:
        with self.atomic():
            for ref in refs:
                if (connection.pk, ref.id) not in self.external:
                    link = SimulatedLink(f"L{self._number()}", connection, None, LinkState.SIGHTED, due_at, now)
                    link.external_id, link.key, link.url, link.look_wanted = ref.id, ref.key, ref.url, 1
                    link.is_behind = connection.pulse.behind_until is not None
                    self._add(link)

    def want_looks(self, wanted: Sequence[tuple[LinkRow, str]]) -> None:
        with self.atomic():
            for link, version in wanted:
                row = self.links[link.pk]
                count = row.look_wanted + 1
                if self.counts_hints:
                    self.update(row, look_wanted=count, hint_count=count, hint_version=version)
                else:
                    self.update(row, look_wanted=count)

    # --- Intents ------------------------------------------------------------------------------------------------------

    def open_intent(self, link: LinkRow) -> SimulatedIntent | None:
        pk = self.open.get(link.pk)
        return None if pk is None else self.intents[pk].copy()

    def intent(self, link: LinkRow, pk: Any) -> SimulatedIntent:
        return self.intents[pk].copy()

    def add_intent(
        self,
        link: LinkRow,
        *,
        seq: int,
        slot: str,
        correlation: str,
        now: datetime,
        fields: Fields | None = None,
        agreed: MergeBase | None = None,
        rules_number: int = 0,
        state: IntentState = IntentState.OPEN,
        note: str = "",
    ) -> SimulatedIntent:
        settled_at = None if state is IntentState.OPEN else now
        made = SimulatedIntent(
            self._number(), link.pk, seq, slot, correlation, fields or NONE, agreed or NONE, rules_number, state, note,
            now, settled_at,
        )  # fmt: skip
        self.put(self.intents, made.pk, made)
        self._index(self.marks, (link.pk, correlation), made.pk)
        self._index(self.at_seq, (link.pk, seq), made.pk)
        if state is IntentState.OPEN:
            if link.pk in self.open:
                raise ValueError("one open intent per link")
            self.put(self.open, link.pk, made.pk)
        return made.copy()

    def _index(self, place: dict[Any, list[int]], key: Any, pk: int) -> None:
        if key not in place:
            self.put(place, key, [])
        self.grow(place[key], pk)

    def save_intent(self, intent: SimulatedIntent) -> None:
        row = self.intents[intent.pk]
        self.update(row, **intent.__dict__)
        if intent.state is not IntentState.OPEN and self.open.get(row.link_pk) == row.pk:
            self.drop(self.open, row.link_pk)
        unseen = self.unseen.get(row.link_pk)
        may_come_back = intent.state is IntentState.APPLIED or intent.change_ids
        if unseen is not None and may_come_back and not intent.is_seen:
            self.put(unseen, row.pk, row)

    def applied_marks(self, link: LinkRow, seq: int) -> Collection[str]:
        found = (self.intents[pk] for pk in self.at_seq.get((link.pk, seq), ()))
        return {one.correlation for one in found if one.state is IntentState.APPLIED}

    def unseen_writes(self, link: LinkRow, marks: Collection[str]) -> list[SimulatedIntent]:
        found = dict(self.unseen[link.pk])
        for mark in marks:
            for pk in self.marks.get((link.pk, mark), ()):
                found[pk] = self.intents[pk]
        return [found[pk].copy() for pk in sorted(found)]

    def marks_among(self, link: LinkRow, marks: Collection[str]) -> Collection[str]:
        return {mark for mark in marks if (link.pk, mark) in self.marks}

    def mark_seen(self, link: LinkRow, marks: Collection[str], before: datetime) -> None:
        for pk, one in list(self.unseen[link.pk].items()):
            if one.correlation in marks or (one.settled_at is not None and one.settled_at < before):
                self.update(one, is_seen=True)
                self.drop(self.unseen[link.pk], pk)

    def close_open_intents(self, link: LinkRow, note: str, now: datetime) -> None:
        pk = self.open.get(link.pk)
        if pk is not None:
            self.update(self.intents[pk], state=IntentState.ABSENT, settled_at=now, note=note)
            self.drop(self.open, link.pk)

    def link_beside(self, link: LinkRow, ticket: Any) -> LinkRow | None:
        others = self.links_of[link.connection.pk].values()
        return next((one.copy() for one in others if one.pk != link.pk and one.ticket_id == ticket), None)

    def add_finding(self, link: LinkRow, kind: Finding, text: str, *, now: datetime) -> None:
        self.grow(self.findings, (kind, link.connection.pk, link.pk, text))

    # --- Pairings and conflicts ---------------------------------------------------------------------------------------

    def paired_comments(self, link: LinkRow) -> Collection[str]:
        return {there for here, there in self.paired[link.pk].items() if self.said[here].size is None}

    def paired_files(self, link: LinkRow) -> Collection[str]:
        return {there for here, there in self.paired[link.pk].items() if self.said[here].size is not None}

    def pair_comment(self, link: LinkRow, comment_id: Any, external_id: str) -> None:
        if comment_id not in self.paired[link.pk]:
            self.put(self.paired[link.pk], comment_id, external_id)

    pair_file = pair_comment

    def add_conflict(self, link: LinkRow, found: Conflict, *, now: datetime, is_open: bool) -> None:
        made = SimulatedConflict(
            self._number(), link.pk, found.key, found.hub_value, found.system_value, found.verdict, is_open
        )
        self.put(self.conflicts, made.pk, made)
        if is_open:
            self.put(self.asked[link.pk], made.pk, made)

    def answer(self, conflict: SimulatedConflict, verdict: Verdict) -> None:
        """A person has chosen; the question is closed."""
        self.update(conflict, is_open=False, verdict=verdict)
        self.drop(self.asked[conflict.link_pk], conflict.pk)

    def close_questions(self, link: LinkRow, keys: Collection[str], now: datetime) -> bool:
        asked = self.asked[link.pk]
        closed = [one for one in asked.values() if one.key in keys]
        for one in closed:
            self.update(one, is_open=False)
            self.drop(asked, one.pk)
        return bool(closed) and not asked

    def manners(self, link: SimulatedLink) -> Manners:
        return link.connection.manners

    def parties(self, link: SimulatedLink) -> Parties:
        return link.connection.parties

    # --- Pulses -------------------------------------------------------------------------------------------------------

    def note_success(self, connection: SimulatedConnection, *, now: datetime) -> None:
        if connection.pulse.failures or connection.pulse.resting_until is not None:
            self.update(connection.pulse, failures=0, resting_until=None)

    def note_failure(
        self, connection: SimulatedConnection, detail: str, *, now: datetime, jitter: float, again: bool = False
    ) -> None:
        pulse = connection.pulse
        is_open = pulse.resting_until is not None and pulse.resting_until > now
        if is_open or (again and not pulse.failures):
            return
        self.update(pulse, failures=pulse.failures + 1)
        if pulse.failures >= OPENS_AFTER:
            rest = backoff(pulse.failures - OPENS_AFTER, jitter, PROBE_FIRST, PROBE_LONGEST)
            self.update(pulse, resting_until=now + timedelta(seconds=rest))

    def wait_until(self, connection: SimulatedConnection, until: datetime, detail: str, *, now: datetime) -> None:
        pulse = connection.pulse
        if pulse.limited_until is None or pulse.limited_until < until:
            self.update(pulse, limited_until=until)

    def put_on_hold(self, connection: SimulatedConnection, detail: str, *, now: datetime) -> None:
        if connection.state == "active":
            self.update(connection, state="on_hold")

    def cursor(self, connection: SimulatedConnection) -> str | None:
        return connection.pulse.cursor

    def keep_cursor(self, connection: SimulatedConnection, cursor: str, *, now: datetime) -> None:
        self.update(connection.pulse, cursor=cursor)

    def is_catching_up(self, connection: SimulatedConnection) -> bool:
        unread = (one.is_behind and one.state == LinkState.SIGHTED for one in self.links_of[connection.pk].values())
        return connection.pulse.behind_until is not None or any(unread)

    def end_catching_up(self, connection: SimulatedConnection, *, now: datetime) -> None:
        until = connection.pulse.behind_until
        if until is not None and until <= now:
            self.update(connection.pulse, behind_until=None)

    def keep_notices(
        self, connection: SimulatedConnection, hints: Sequence[NoticeHint], *, now: datetime
    ) -> list[bool]:
        are_new = []
        with self.atomic():
            for hint in hints:
                key = (connection.pk, hint.delivery_id)
                are_new.append(key not in self.notices)
                if key not in self.notices:
                    self.put(self.notices, key, now)
        return are_new

    def ring(self, connection: SimulatedConnection) -> None:
        """Nobody waits to be woken: the scheduler asks every connection again and again."""

    def rules(self, connection: SimulatedConnection) -> SyncRules | None:
        return connection.rules
