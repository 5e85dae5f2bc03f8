"""The portal's own store, that of a database, beneath a simulated world (INV-44).

The engine is given the models that production gives it. The world looks at the same rows through this module: as it
knows them from the store in memory, read anew whenever it looks.
"""

import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.apps import apps as registry
from django.core.management.color import no_style
from django.db import connection as database
from django.db.models import F, Q

from apps.accounts.models import User
from apps.accounts.services import make_machine_account
from apps.ecosystem.models import Organization
from apps.ecosystem.selectors import principal_of
from apps.ecosystem.services import grant_machine
from apps.tickets import services as tickets
from apps.tickets.actor import HERE, PORTAL, Actor
from apps.tickets.models import Attachment, Comment, PriorityCell, Ticket, TicketEvent, TicketParty
from apps.tickets.selectors import read_fields
from apps.tickets.services import File
from apps.tickets.storage import place_of
from apps.tickets.vocabulary import EventKind

from ..bases import as_value, write_base
from ..engine.grave import GraveAct, Standing, Tally
from ..engine.merge import Verdict
from ..engine.ports import IntentState, LinkState, Manners, Parties
from ..engine.rules import SyncRules
from ..engine.snapshot import Upload, Value
from ..models import Conflict, Connection, ConnectionPulse, Intent, Pairing, TicketLink
from ..store import DatabaseStore
from ..store.ahead import read_held
from ..store.claims import due_links, hear_journals
from .brittle import Brittle
from .rows import (
    FIELDS,
    SAVED,
    Entry,
    Pulse,
    Said,
    SimulatedConflict,
    SimulatedConnection,
    SimulatedIntent,
    SimulatedLink,
    SimulatedTicket,
)
from .words import PORTAL as BY_HAND

K = TypeVar("K")
V = TypeVar("V")
SIMULATED = "Simulated."
INTEGRATOR = "integrator"
PULSE = ("cursor", "poll_due_at", "behind_until", "failures", "resting_until", "limited_until")
KINDS = {EventKind.COMMENTED: "said", EventKind.ATTACHED: "said"}


class View(Mapping[K, V]):
    """Rows by key, read when they are asked for and good until something is written."""

    def __init__(self, find: Callable[[K], V | None], all_: Callable[[], dict[K, V]] = dict) -> None:
        self._find, self._find_all = find, all_
        self._found: dict[K, V | None] = {}
        self._all: dict[K, V] | None = None

    def forget(self) -> None:
        """What was read may not be so any more."""
        self._found.clear()
        self._all = None

    def all(self) -> dict[K, V]:
        """All rows, in the order in which they were made."""
        if self._all is None:
            self._all = self._find_all()
        return self._all

    def __getitem__(self, key: K) -> V:
        if self._all is not None:
            return self._all[key]
        if key not in self._found:
            self._found[key] = self._find(key)
        found = self._found[key]
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[K]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self.all())

    def values(self) -> Any:
        return self.all().values()


class DatabaseRows(DatabaseStore):
    """One world's rows; whatever world had the database before is gone with the first connection of the next."""

    largest_attachment = 400  # type: ignore[assignment]

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock  # type: ignore[method-assign]
        self.counts_hints = True
        """False while a process of the version before writes, which knows nothing of versions that notices name."""
        self.connections: dict[str, SimulatedConnection] = {}
        self._models: dict[str, Connection] = {}
        self._names: dict[Any, str] = {}
        self._parties: dict[str, Organization] = {}
        self._actors: dict[str, Actor] = {}
        self._machines: dict[str, User] = {}
        self._journals: dict[Any, list[Entry]] = {}
        self.links = View(self._link, self._links)
        self.links_of: View[str, dict[Any, SimulatedLink]] = View(
            lambda name: self._links(connection=self._models[name])
        )
        self.external = View(self._find_external)
        self.intents = View(self._intent, self._intents)
        self.marks: View[tuple[Any, str], list[int]] = View(lambda key: self._numbers(link=key[0], correlation=key[1]))
        self.at_seq: View[tuple[Any, int], list[int]] = View(lambda key: self._numbers(link=key[0], seq=key[1]))
        self.open: View[Any, int] = View(
            lambda pk: _first(Intent.objects.filter(link=pk, state=IntentState.OPEN), "pk")
        )
        self.conflicts = View(lambda pk: self._conflicts(pk=pk).get(pk), self._conflicts)
        self.asked = View(lambda pk: self._conflicts(link=pk, is_open=True), self._all_asked)
        self.paired = View(self._pairs)
        self.tickets = View(self._ticket, self._tickets)
        self._views = [one for one in self.__dict__.values() if isinstance(one, View)]
        clear_away()

    # --- Between the world and the engine -----------------------------------------------------------------------------

    def handed(self, row: SimulatedConnection | SimulatedTicket | SimulatedLink) -> Any:
        """A row as the engine is given it."""
        if isinstance(row, SimulatedConnection):
            return self._models[row.name]
        if isinstance(row, SimulatedTicket):
            return Ticket.objects.get(pk=row.pk)
        link = TicketLink.objects.select_related("ticket").get(pk=row.pk)
        link.connection = self._models[row.connection.name]
        return link

    def seen(self, link: Any) -> SimulatedLink:
        """A worker's link, with what it has changed, as the world knows links."""
        made = SimulatedLink.__new__(SimulatedLink)
        made.__dict__.update({name: getattr(link, name) for name in _LINK})
        made.pk, made.connection = link.pk, self.connections[self._names[link.connection_id]]
        made.state = LinkState(link.state)
        return made

    def add_connection(self, connection: SimulatedConnection) -> None:
        """Set up a system's connection and the organization that owns it."""
        now = self.clock()
        owner = self._join(connection.owner, Organization.Layer.PROVIDER)
        made = Connection.objects.create(
            organization=owner,
            name=connection.name,
            connector="simulated",
            base_url="http://127.0.0.1",
            machine=self._machines[connection.owner],
            state=connection.state,
            state_since=now,
            created_at=now,
        )
        made.pulse = ConnectionPulse.objects.create(connection=made, cursor=connection.pulse.cursor or "")
        connection.id = str(made.pk)
        self.connections[connection.name] = connection
        self._models[connection.name] = made
        self._names[made.pk] = connection.name

    def _join(self, name: str, layer: str) -> Organization:
        if not self._parties:
            customer, _ = Organization.objects.get_or_create(
                name="customer",
                defaults={"slug": "customer", "layer": Organization.Layer.CUSTOMER, "description": SIMULATED},
            )
            self._parties["customer"] = customer
            self._join(INTEGRATOR, Organization.Layer.INTEGRATOR)
        made, is_new = Organization.objects.get_or_create(
            name=name,
            defaults={"slug": name, "layer": layer, "customer": self._parties["customer"], "description": SIMULATED},
        )
        email = f"{name}@connections.invalid"
        machine = make_machine_account(name=name, email=email) if is_new else User.objects.get(email=email)
        if is_new:
            grant_machine(machine, made)
        self._parties[name] = made
        self._machines[name] = machine
        self._actors[name] = Actor(principal_of(machine), made, machine, name)
        return made

    def refresh(self, names: Iterable[str]) -> None:
        """How connections are now, for all who hold them."""
        for name in names:
            row, model = self.connections[name], self._models[name]
            row.state = model.state = _first(Connection.objects.filter(pk=model.pk), "state")
            model.pulse = ConnectionPulse.objects.get(pk=model.pk)
            row.pulse.__dict__.update({column: getattr(model.pulse, column) for column in PULSE})

    def forget(self) -> None:
        """Something was written."""
        for view in self._views:
            view.forget()

    def begin_anew(self) -> None:
        """A transaction was taken back."""
        self.forget()
        self._journals.clear()
        self.refresh(self.connections)

    # --- The engine's verbs, where the world has its own word ---------------------------------------------------------

    def manners(self, link: TicketLink) -> Manners:
        return self.connections[self._names[link.connection_id]].manners

    def parties(self, link: TicketLink) -> Parties:
        return self.connections[self._names[link.connection_id]].parties

    def rules(self, connection: Connection) -> SyncRules | None:
        return self.connections[connection.name].rules

    def claim(
        self, connection: Connection, *, now: datetime, most: int, without: Collection[str] = ()
    ) -> list[TicketLink]:
        self._hear(connection.pk)
        return super().claim(connection, now=now, most=most, without=without)

    def claim_probe(self, connection: Connection, *, now: datetime, without: Collection[str] = ()) -> list[TicketLink]:
        self._hear(connection.pk)
        return super().claim_probe(connection, now=now, without=without)

    def _hear(self, connection_id: Any) -> None:
        """What wake-ups tell lanes in production; nobody wakes anybody in here."""
        hear_journals(Q(connection=connection_id))

    def ring(self, connection: Connection) -> None:
        """Nobody waits to be woken: the scheduler asks every connection again and again."""

    def still_held(self, link: TicketLink) -> TicketLink | None:
        # As a round does it for all its lanes.
        read_held([link], [])
        return super().still_held(link)

    def want_looks(self, wanted: Sequence[tuple[TicketLink, str]]) -> None:
        if self.counts_hints:
            super().want_looks(wanted)
        else:
            keys = [link.pk for link, _version in wanted]
            TicketLink.objects.filter(pk__in=keys).update(look_wanted=F("look_wanted") + 1)

    def tally(self, link: TicketLink, act: GraveAct, *, now: datetime) -> Tally | None:  # type: ignore[override]
        return super().tally(link, act, now=now) if self._has_brake(link) else None

    def note_grave(self, link: TicketLink, act: GraveAct, standing: Standing, *, now: datetime) -> None:
        if self._has_brake(link):
            super().note_grave(link, act, standing, now=now)

    def _has_brake(self, link: TicketLink) -> bool:
        return self.connections[self._names[link.connection_id]].handful is not None

    def upload(self, attachment_id: str) -> Upload:
        # In a world the content of a file stands for its hash.
        found = super().upload(attachment_id)
        return replace(found, sha256=found.path.read_text())

    def open_ticket(self, link: TicketLink, values: Mapping[str, Any], **named: Any) -> None:
        super().open_ticket(link, values, **named)
        self._invite_all(link.ticket)

    def _invite_all(self, ticket: Any) -> None:
        """In a world every organization takes part in every ticket from the start."""
        held = set(ticket.parties.values_list("organization", flat=True))
        TicketParty.objects.bulk_create(
            TicketParty(ticket=ticket, organization=one, joined_at=self.clock(), joined_seq=1)
            for one in self._parties.values()
            if one.pk not in held
        )

    # --- What people do -----------------------------------------------------------------------------------------------

    def open_here(self, owner: str, values: Mapping[str, Any], *, at: datetime) -> SimulatedTicket:
        """Somebody of an organization opens a ticket in the portal."""
        made = tickets.open_ticket(values=values, actor=self._actors[owner], at=at)
        self._invite_all(made)
        return self._tickets(pk=made.pk)[made.pk]

    def change(self, ticket_id: Any, values: Mapping[str, Any], *, at: datetime, origin: str) -> bool:
        """Somebody changes fields in the portal; whether one differs."""
        assert origin == BY_HAND
        ticket = Ticket.objects.get(pk=ticket_id)
        actor = self._actors[INTEGRATOR]
        return tickets.receive_changes(ticket=ticket, values=values, actor=actor, at=at, source=HERE) is not None

    def say(self, ticket_id: Any, said: Said, *, at: datetime, origin: str) -> None:
        """Somebody comments, or puts a file on a ticket, in the portal."""
        assert origin == BY_HAND
        ticket = Ticket.objects.get(pk=ticket_id)
        actor = replace(self._actors[said.organization], name=said.author)
        chosen = [self._parties[name] for name in sorted(said.chosen)]
        words: dict[str, Any] = {
            "ticket": ticket,
            "audience": said.audience,
            "actor": actor,
            "at": at,
            "chosen": chosen,
        }
        if said.size is None:
            tickets.comment(body=said.body, **words)
        else:
            tickets.attach(file=File(said.body, said.content_type, io.BytesIO(said.sha256.encode())), **words)

    def answer(self, conflict: SimulatedConflict, verdict: Verdict) -> None:
        """A person has chosen; the question is closed."""
        Conflict.objects.filter(pk=conflict.pk).update(is_open=False, verdict=verdict)
        conflict.is_open, conflict.verdict = False, verdict

    def close_open_intents(self, link: SimulatedLink, note: str, now: datetime) -> None:
        open_ = Intent.objects.filter(link=link.pk, state=IntentState.OPEN)
        open_.update(state=IntentState.ABSENT, settled_at=now, note=note)

    def update(self, row: Any, **values: Any) -> None:
        """Change columns of a row."""
        if isinstance(row, SimulatedLink):
            columns = {name: value for name, value in values.items() if name != "base"}
            if "base" in values:
                columns["merge_base"] = write_base(values["base"])
            TicketLink.objects.filter(pk=row.pk).update(**columns)
        elif isinstance(row, Pulse):
            name = next(one.name for one in self.connections.values() if one.pulse is row)
            ConnectionPulse.objects.filter(connection=self._models[name]).update(**values)
            self.refresh([name])
        elif "state" in values:
            Connection.objects.filter(pk=row.id).update(state=values["state"])
            self.refresh([row.name])
        elif "handful" in values:
            self._models[row.name].brake_handful = values["handful"]
        row.__dict__.update(values)

    # --- What the world sees ------------------------------------------------------------------------------------------

    def due(self, connection: SimulatedConnection, now: datetime) -> Iterator[SimulatedLink]:
        """Links that a worker could take now."""
        self._hear(self._models[connection.name].pk)
        return iter(self._links(due_links(now), connection=self._models[connection.name]).values())

    def _links(self, *which: Q, **named: Any) -> dict[Any, SimulatedLink]:
        named = named or {"connection__in": self._names}
        found = TicketLink.objects.filter(*which, **named).order_by("pk")
        return {link.pk: self.seen(link) for link in found}

    def _link(self, pk: Any) -> SimulatedLink | None:
        return self._links(pk=pk).get(pk)

    def _find_external(self, key: tuple[str, str]) -> Any:
        connection, external_id = self._models[key[0]], key[1]
        return _first(TicketLink.objects.filter(connection=connection, external_id=external_id), "pk")

    def _intents(self, **named: Any) -> dict[int, SimulatedIntent]:
        named = named or {"link__connection__in": self._names}
        return {one.pk: _seen_intent(one) for one in Intent.objects.filter(**named).order_by("pk")}

    def _intent(self, pk: int) -> SimulatedIntent | None:
        return self._intents(pk=pk).get(pk)

    def _numbers(self, **named: Any) -> list[int] | None:
        return list(Intent.objects.filter(**named).order_by("pk").values_list("pk", flat=True)) or None

    def _conflicts(self, **named: Any) -> dict[Any, SimulatedConflict]:
        named = named or {"link__connection__in": self._names}
        return {
            one.pk: SimulatedConflict(
                one.pk, one.link_id, one.rule_key, as_value(one.hub_value), as_value(one.system_value),
                Verdict(one.verdict), one.is_open,
            )
            for one in Conflict.objects.filter(**named).order_by("pk")
        }  # fmt: skip

    def _all_asked(self) -> dict[Any, dict[Any, SimulatedConflict]]:
        asked: dict[Any, dict[Any, SimulatedConflict]] = {pk: {} for pk in self.links}
        for one in self._conflicts(link__connection__in=self._names, is_open=True).values():
            asked[one.link_pk][one.pk] = one
        return asked

    def _pairs(self, link_pk: Any) -> dict[Any, str]:
        return {one.comment_id or one.attachment_id: one.external_id for one in Pairing.objects.filter(link=link_pk)}

    def _tickets(self, **named: Any) -> dict[Any, SimulatedTicket]:
        rows = Ticket.objects.filter(**named, events__seq=1).order_by("events__pk").select_related("opened_by")
        return {row.pk: self._seen_ticket(row) for row in rows}

    def _ticket(self, pk: Any) -> SimulatedTicket | None:
        return self._tickets(pk=pk).get(pk) if pk is not None else None

    def _seen_ticket(self, row: Ticket) -> SimulatedTicket:
        journal = self._journals.setdefault(row.pk, [])
        if len(journal) < row.last_seq:
            journal += self._entries(row.pk, len(journal))
        fields = {name: value for name, value in read_fields(row).items() if name in FIELDS}
        made = SimulatedTicket(row.pk, row.opened_by.name, fields, row.last_seq, journal)
        made.marks = {entry.mark: entry.seq for entry in journal}
        made.is_restored = row.is_restored
        return made

    def _entries(self, ticket_id: Any, seq: int) -> list[Entry]:
        rows = (
            TicketEvent.objects.filter(ticket=ticket_id, seq__gt=seq)
            .order_by("seq")
            .select_related("comment__organization", "attachment__organization")
            .prefetch_related("comment__chosen_parties", "attachment__chosen_parties")
        )
        return [self._entry(row) for row in rows]

    def _entry(self, row: TicketEvent) -> Entry:
        changes: dict[str, tuple[Value, Value]] = {
            name: (as_value(pair[0]), as_value(pair[1])) for name, pair in row.changes.items() if name in FIELDS
        }
        origin = BY_HAND if row.origin == PORTAL else self._names.get(UUID(row.origin), "")
        said = _seen_said(row.comment or row.attachment)
        kind = KINDS.get(EventKind(row.kind), row.kind)
        return Entry(row.seq, row.at, changes, origin, row.origin_ref, str(kind), said, row.text, None, row.mark)


def _refreshing(name: str) -> Callable[..., None]:
    def verb(self: DatabaseRows, *given: Any, **named: Any) -> None:
        getattr(DatabaseStore, name)(self, *given, **named)
        self.refresh([given[0].name])

    return verb


for _name in ("note_success", "note_failure", "wait_until", "put_on_hold", "keep_cursor", "end_catching_up"):
    setattr(DatabaseRows, _name, _refreshing(_name))


class BrittleDatabase(Brittle, DatabaseRows):  # type: ignore[misc]
    """The store of the database as the worlds use it."""

    def written(self) -> None:
        self.forget()

    def end(self, mark: int, *, is_good: bool) -> None:
        if not is_good:
            self.begin_anew()
        super().end(mark, is_good=is_good)


_LINK = (*SAVED, "created_at", "swept_at", "claimed_by", "claimed_until")


def clear_away() -> None:
    """Take away the rows of the world before. Refuses where anybody else has rows."""
    if Organization.objects.exclude(description=SIMULATED).exists():
        raise RuntimeError("this database is in use; simulated worlds need one of their own")
    apps_ = (registry.get_app_config(name) for name in ("sync", "tickets"))
    tables = [model._meta.db_table for app in apps_ for model in app.get_models(include_auto_created=True)]
    tables = [name for name in tables if name != PriorityCell._meta.db_table]
    # Within a transaction what is to be checked at its end holds the tables.
    database.check_constraints()
    database.ops.execute_sql_flush(database.ops.sql_flush(no_style(), tables))


def _first(rows: Any, column: str) -> Any:
    return rows.values_list(column, flat=True).first()


def _seen_intent(one: Intent) -> SimulatedIntent:
    return SimulatedIntent(
        one.pk, one.link_id, one.seq, one.slot, one.correlation,
        {name: as_value(value) for name, value in one.fields.items()}, one.agreed, one.rules_number,
        IntentState(one.state), one.note, one.created_at, one.settled_at, one.doubted_at, one.is_unknown, one.is_seen,
        one.change_ids,
    )  # fmt: skip


def _seen_said(said: Comment | Attachment | None) -> Said | None:
    if said is None:
        return None
    chosen = frozenset(one.name for one in said.chosen_parties.all())
    who = (said.author_name, said.organization.name, said.audience, chosen)
    if isinstance(said, Comment):
        return Said(said.pk, said.body, *who)
    content = place_of(said.sha256).read_text()
    return Said(said.pk, said.file_name, *who, said.size, content, said.content_type)
