"""Brakes and their lists, as far as one viewer may see: the values of a ticket only to who may see the ticket."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, F, IntegerField, Q, QuerySet, Value, When

from apps.access.kernel import visible_to
from apps.access.levels import Level
from apps.access.principal import Principal
from apps.ecosystem.models import Organization
from apps.tickets.models import Ticket
from apps.tickets.selectors import field_in_words, tickets

from ..engine.braking import CAUSE
from ..models import Brake, BrakeAnswer, GraveAct
from ..permissions import CONNECTION, WATCH

TICKET = "ticket"


def brakes(*, seen_by: Principal) -> QuerySet[Brake]:
    """Those in force first, then the newest; each with how many tickets wait (``stopped``) and went ``through``."""
    held = Q(acts__link__delivery_hold__cause=CAUSE) | Q(acts__link__intake_hold__cause=CAUSE)
    stopped = held & Q(acts__standing=GraveAct.Standing.STOPPED)
    through = Q(acts__standing=GraveAct.Standing.CARRIED_OUT)
    rests = Case(When(state__in=Brake.IN_FORCE, then=Value(0)), default=Value(1), output_field=IntegerField())
    return (
        visible_to(Brake.objects.all(), seen_by)
        .select_related("connection__organization__customer")
        .annotate(
            stopped=Count("acts__link", filter=stopped, distinct=True),
            through=Count("acts__link", filter=through, distinct=True),
            rests=rests,
        )
        .order_by("rests", "-tripped_at", "id")
    )


def brakes_in_force(*, seen_by: Principal) -> QuerySet[Brake]:
    """Those that stop something at present, the newest first."""
    return brakes(seen_by=seen_by).filter(state__in=Brake.IN_FORCE)


def answers_to(brake: Brake, *, seen_by: Principal) -> list[tuple[Organization, BrakeAnswer | None]]:
    """Each party that is asked, with what it said."""
    rows = visible_to(BrakeAnswer.objects.filter(brake=brake), seen_by)
    said = {answer.organization_id: answer for answer in rows}
    return [(party, said.get(party.pk)) for party in brake.asked]


def parties_answered_by(principal: Principal, brake: Brake) -> list[Organization]:
    """The parties of a brake for which one may answer: for the owner who may act on its connections, for the other who
    watches the ecosystem's links and may write tickets there."""
    owners = principal.where(CONNECTION, Level.WRITE)
    watchers = principal.where(WATCH, Level.READ) & principal.where(TICKET, Level.WRITE)
    owner = brake.connection.organization_id
    return [party for party in brake.asked if party.pk in (owners if party.pk == owner else watchers)]


def acts_behind(brake: Brake, *, seen_by: Principal) -> QuerySet[GraveAct]:
    """The brake's list: what is stopped first, then what went through, in the order in which it was met."""
    rank = Case(
        When(standing=GraveAct.Standing.STOPPED, then=Value(0)),
        When(standing=GraveAct.Standing.CARRIED_OUT, then=Value(1)),
        default=Value(2),
        output_field=IntegerField(),
    )
    rows = visible_to(GraveAct.objects.filter(brake=brake), seen_by).annotate(rank=rank)
    return rows.select_related("link", "link__ticket").order_by("rank", F("at"), "pk")


@dataclass(frozen=True, slots=True)
class Listed:
    """One act of a brake's list; ``ticket`` and the values only for who may see the ticket."""

    act: GraveAct
    ticket: Ticket | None

    @property
    def word(self) -> str:
        """What became of it. A lane that was skipped, or judged anew under better rules, waits no more."""
        holds = (self.act.link.delivery_hold, self.act.link.intake_hold)
        waits = any(hold is not None and hold["cause"] == CAUSE for hold in holds)
        is_stopped = self.act.standing == GraveAct.Standing.STOPPED
        return "no longer waits" if is_stopped and not waits else self.act.get_standing_display()

    @property
    def field(self) -> str:
        return field_in_words(self.act.field).capitalize()

    @property
    def before(self) -> Any:
        return self.act.before if self.ticket is not None else None

    @property
    def after(self) -> Any:
        return self.act.after if self.ticket is not None else None


def told_acts(acts: Iterable[GraveAct], *, seen_by: Principal) -> list[Listed]:
    """``acts`` as the viewer may know them, with one query for their tickets."""
    rows = list(acts)
    wanted = [act.link.ticket_id for act in rows if act.link.ticket_id]
    known = {ticket.pk: ticket for ticket in tickets(seen_by=seen_by).filter(pk__in=wanted)}
    return [Listed(act, known.get(act.link.ticket_id) if act.link.ticket_id else None) for act in rows]
