"""Links, intents, pairings and conflicts as rows."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from django.db import connection as database
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When

from apps.ecosystem.selectors import integrator_of
from apps.foundation.outages import OUTAGES
from apps.tickets.models import Ticket

from ..connectors.catalog import CONNECTORS
from ..engine.merge import MergeBase
from ..engine.plan import CREATIONS
from ..engine.plan import Conflict as FoundConflict
from ..engine.ports import Finding, IntentState, Manners, Parties, StoreFailed
from ..engine.snapshot import ExternalRef, Fields
from ..models import (
    Conflict,
    Connection,
    ConnectionPulse,
    Divergence,
    Intent,
    LaneAct,
    LaneCharge,
    Pairing,
    Restoration,
    TicketLink,
)
from .ahead import files_ahead, intents_ahead, known_of, unseen

_COLUMNS = {"base": "merge_base"}
_KEPT_ELSEWHERE = ("id", "connection_id", "claimed_by", "claimed_until", "swept_at", "created_at")
_SAVED = [one.attname for one in TicketLink._meta.concrete_fields if one.attname not in _KEPT_ELSEWHERE]
"""Columns that a worker's copy writes back. Claims are given and taken by verbs of their own: another worker may hold
the link of which this one has a copy."""


class DatabaseFailed(StoreFailed, OperationalError):
    """What the engine knows as a failed store, and everybody else as an outage of the database."""


class LaneRows:
    """What is kept of each lane."""

    @contextmanager
    def atomic(self) -> Iterator[None]:
        try:
            with transaction.atomic():
                yield
        except OUTAGES as problem:
            raise DatabaseFailed(*problem.args) from problem

    # --- Links --------------------------------------------------------------------------------------------------------

    def save(self, link: TicketLink, *names: str) -> None:
        columns = [_COLUMNS.get(name, name) for name in names] or _SAVED
        TicketLink.objects.filter(pk=link.pk).update(**{name: getattr(link, name) for name in columns})

    def delete(self, link: TicketLink) -> None:
        # Not through the object, whose key the caller still needs.
        row = TicketLink.objects.filter(pk=link.pk)
        if not _delete_untouched(row):
            row.delete()

    def of_external(self, connection: Connection, ids: Collection[str]) -> Mapping[str, TicketLink]:
        found = TicketLink.objects.filter(connection=connection, external_id__in=ids)
        return {link.external_id: link for link in found}

    def add_link(self, connection: Connection, ticket: Ticket, *, now: datetime) -> TicketLink | None:
        try:
            with transaction.atomic():
                fresh = Ticket.objects.select_for_update(no_key=True).get(pk=ticket.pk)
                return TicketLink.objects.create(
                    connection=connection,
                    ticket=fresh,
                    state=TicketLink.State.CREATING,
                    start_seq=fresh.last_seq,
                    heard_seq=fresh.last_seq,
                    is_behind=fresh.is_restored,
                    due_at=now,
                    swept_at=now,
                    created_at=now,
                )
        except IntegrityError:
            return None

    def is_creating(self, connection: Connection, since: datetime) -> bool:
        creations = Intent.objects.filter(state=Intent.State.OPEN, slot__in=CREATIONS, created_at__lte=since)
        return creations.filter(link__connection=connection).exists()

    def sight(self, connection: Connection, refs: Sequence[ExternalRef], now: datetime, *, due_at: datetime) -> None:
        is_behind = ConnectionPulse.objects.filter(connection=connection).exclude(behind_until=None).exists()
        sighted = [
            TicketLink(
                connection=connection,
                state=TicketLink.State.SIGHTED,
                external_id=ref.id,
                key=ref.key,
                url=ref.url,
                look_wanted=1,
                is_behind=is_behind,
                due_at=due_at,
                swept_at=now,
                created_at=now,
            )
            for ref in refs
        ]
        TicketLink.objects.bulk_create(sighted, ignore_conflicts=True)

    def want_looks(self, wanted: Sequence[tuple[TicketLink, str]]) -> None:
        versions = [When(pk=link.pk, then=Value(version[:200])) for link, version in wanted if version]
        named = Case(*versions, default=Value("")) if versions else Value("")
        count = F("look_wanted") + 1
        links = TicketLink.objects.filter(pk__in=[link.pk for link, _version in wanted])
        if len(wanted) > 1 and database.features.has_select_for_update:
            # Of two who mark the same tickets neither waits for one who waits for him.
            list(links.order_by("pk").select_for_update(no_key=True).values_list("pk"))
        links.update(look_wanted=count, hint_count=count, hint_version=named)

    # --- Intents ------------------------------------------------------------------------------------------------------

    def open_intent(self, link: TicketLink) -> Intent | None:
        return next((one for one in intents_ahead(link) if one.state == Intent.State.OPEN), None)

    def intent(self, link: TicketLink, pk: int) -> Intent:
        known = known_of(link)
        return known.intents[pk] if known is not None and pk in known.intents else Intent.objects.get(pk=pk)

    def add_intent(
        self,
        link: TicketLink,
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
    ) -> Intent:
        intent = Intent(
            link=link,
            seq=seq,
            slot=slot,
            correlation=correlation,
            fields=dict(fields or {}),
            rules_number=rules_number,
            state=state,
            note=note,
            created_at=now,
            settled_at=None if state is IntentState.OPEN else now,
        )
        intent.agreed = agreed or {}
        intent.save()
        return intent

    def save_intent(self, intent: Intent) -> None:
        intent.save()

    def applied_marks(self, link: TicketLink, seq: int) -> Collection[str]:
        return {one.correlation for one in intents_ahead(link) if (one.seq, one.state) == (seq, Intent.State.APPLIED)}

    def unseen_writes(self, link: TicketLink, marks: Collection[str]) -> Sequence[Intent]:
        known = known_of(link)
        if known is not None and not marks:
            return known.unseen
        return list(Intent.objects.filter(Q(correlation__in=marks) | unseen(), link=link).order_by("pk"))

    def marks_among(self, link: TicketLink, marks: Collection[str]) -> Collection[str]:
        return set(Intent.objects.filter(link=link, correlation__in=marks).values_list("correlation", flat=True))

    def mark_seen(self, link: TicketLink, marks: Collection[str], before: datetime) -> None:
        known = known_of(link)
        if known is not None and not known.unseen:
            return
        come = Q(correlation__in=marks) | Q(settled_at__lt=before)
        Intent.objects.filter(link=link, is_seen=False).filter(come).update(is_seen=True)

    def link_beside(self, link: TicketLink, ticket: Ticket) -> TicketLink | None:
        return TicketLink.objects.filter(connection=link.connection, ticket=ticket).exclude(pk=link.pk).first()

    def add_finding(self, link: TicketLink, kind: Finding, text: str, *, now: datetime) -> None:
        restoration = Restoration.objects.order_by("-at").first()
        if restoration is None:
            return
        Divergence.objects.create(
            restoration=restoration,
            connection=link.connection,
            ticket=link.ticket,
            key=link.key or link.external_id,
            kind=kind,
            text=text[:300],
            at=now,
        )

    # --- Pairings and conflicts ---------------------------------------------------------------------------------------

    def paired_comments(self, link: TicketLink) -> Collection[str]:
        held = known_of(link)
        if held is not None:
            return held.comments
        return set(link.pairings.exclude(comment=None).values_list("external_id", flat=True))

    def paired_files(self, link: TicketLink) -> Collection[str]:
        held = known_of(link)
        known = held.files if held is not None else files_ahead(link)
        if known is not None:
            return known
        return set(link.pairings.exclude(attachment=None).values_list("external_id", flat=True))

    def pair_comment(self, link: TicketLink, comment_id: Any, external_id: str) -> None:
        Pairing.objects.get_or_create(link=link, comment_id=comment_id, defaults={"external_id": external_id})

    def pair_file(self, link: TicketLink, attachment_id: Any, external_id: str) -> None:
        Pairing.objects.get_or_create(link=link, attachment_id=attachment_id, defaults={"external_id": external_id})

    def add_conflict(self, link: TicketLink, found: FoundConflict, *, now: datetime, is_open: bool) -> None:
        known = known_of(link)
        if known is not None:
            known.has_questions = known.has_questions or is_open
        Conflict.objects.create(
            link=link,
            rule_key=found.key,
            hub_value=found.hub_value,
            system_value=found.system_value,
            verdict=found.verdict,
            author=found.author,
            at=found.at,
            recorded_at=now,
            is_open=is_open,
        )

    def close_questions(self, link: TicketLink, keys: Collection[str], now: datetime) -> bool:
        known = known_of(link)
        if known is not None and not known.has_questions:
            return False
        asked = Conflict.objects.filter(link=link, is_open=True)
        closed = asked.filter(rule_key__in=keys).update(is_open=False, settled_at=now)
        return bool(closed) and not asked.exists()

    # --- What is known of the system ----------------------------------------------------------------------------------

    def manners(self, link: TicketLink) -> Manners:
        capabilities = CONNECTORS[link.connection.connector].capabilities
        return Manners(capabilities.index_lag_seconds, capabilities.has_atomic_precondition)

    def parties(self, link: TicketLink) -> Parties:
        owner = link.connection.organization
        integrator = integrator_of(owner.customer or owner)
        system = CONNECTORS[link.connection.connector].title
        return Parties(owner.name, integrator.name if integrator else owner.name, system)


def _delete_untouched(row: QuerySet[TicketLink]) -> bool:
    """Remove a link that nothing can hang on yet, without asking seven tables for what does; whether it was one.

    Most sightings are such: they turn out to be our own creations, told by a webhook, before anybody looks at them.
    """
    acts = LaneAct.objects.filter(link=OuterRef("pk"))
    charges = LaneCharge.objects.filter(link=OuterRef("pk"))
    untouched = row.filter(ticket=None, looked_at=None, attempts=0, claimed_by="")
    return bool(untouched.exclude(Exists(acts) | Exists(charges))._raw_delete(row.db))
