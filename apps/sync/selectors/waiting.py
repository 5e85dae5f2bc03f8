"""Lanes that wait: which, since when, for what cause, and what waits behind each (M11, T44, T100).

The cause is worked out by the database, so that a list of a hundred thousand lanes is grouped, sorted and paged there;
the words are put to the few rows that somebody looks at.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import (
    Case,
    CharField,
    Count,
    DateTimeField,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models import IntegerField as Whole
from django.db.models import TextField as Text
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, NullIf, TruncSecond

from apps.access.kernel import visible_to
from apps.access.principal import Principal
from apps.tickets.models import Ticket, TicketEvent
from apps.tickets.selectors import PRIORITY_RANK, tickets
from apps.tickets.vocabulary import Priority

from ..models import Connection, Intent, LaneCharge, TicketLink

_State = TicketLink.State
WAITS = (
    Q(delivery_hold__isnull=False)
    | Q(intake_hold__isnull=False)
    | Q(state__in=[_State.CREATING, _State.SIGHTED])
    | Q(state=_State.LINKED, ticket__last_seq__gt=F("applied_seq"))
    | Q(state=_State.LINKED, look_wanted__gt=F("look_done"))
)


def asked_of(names: Iterable[str]) -> Q:
    """Held lanes that one of the parties with these names must mend; the delivery's hold speaks first."""
    known = list(names)
    return Q(delivery_hold__party__in=known) | Q(delivery_hold__isnull=True, intake_hold__party__in=known)


UNRANKED = len(Priority.values)
"""The rank of a ticket that the viewer may not know."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why lanes wait, in words. ``tone`` and ``icon``: how a page shows it. ``needs``: whether a person must act."""

    title: str
    tone: str
    icon: str
    needs: bool = True


CAUSES: Mapping[str, Cause] = {
    "rules": Cause("The rules do not cover this", "warn", "scroll-text"),
    "brake": Cause("The brake has stopped it", "bad", "octagon-pause"),
    "conflict": Cause("Both sides changed it", "warn", "git-merge"),
    "not sticking": Cause("The system does not keep it", "warn", "undo-2"),
    "file missing": Cause("A file is missing", "bad", "file-x"),
    "rejected": Cause("The system refuses it", "warn", "ban"),
    "access_refused": Cause("A right is missing", "warn", "lock"),
    "ticket_closed": Cause("Closed there for good", "warn", "archive"),
    "vendor_fault": Cause("The system fails for it", "bad", "server-crash"),
    "our_fault": Cause("A fault of the portal", "bad", "triangle-alert"),
    "on_hold": Cause("The connection is on hold", "bad", "octagon-alert"),
    "paused": Cause("The connection is paused", "warn", "circle-pause"),
    "draft": Cause("The connection is not yet in use", "", "circle-dashed"),
    "resting": Cause("The system does not answer", "bad", "unplug", needs=False),
    "limited": Cause("The system asked us to wait", "warn", "hourglass", needs=False),
    "spent": Cause("The allowance of calls is used up", "calm", "gauge", needs=False),
    "retrying": Cause("Tried, and tried again by itself", "calm", "rotate-cw", needs=False),
    "turn": Cause("On its way", "calm", "loader", needs=False),
}


def cause_of(code: str) -> Cause:
    """The words for a cause; one that a newer engine names speaks for itself."""
    return CAUSES.get(code) or Cause(code.replace("_", " ").capitalize(), "warn", "hand")


_NOTHING = Value("", Text())
_MOMENT: "DateTimeField[Any, Any]" = DateTimeField()


def _of_hold(name: str) -> Case:
    """A part of the hold that stops the lane: of the delivery's, else of the intake's."""
    return Case(
        When(delivery_hold__isnull=False, then=Cast(KeyTextTransform(name, "delivery_hold"), Text())),
        When(intake_hold__isnull=False, then=Cast(KeyTextTransform(name, "intake_hold"), Text())),
        default=_NOTHING,
        output_field=Text(),
    )


def _cause(now: datetime) -> Case:
    return Case(
        When(delivery_hold__isnull=False, then=Cast(KeyTextTransform("cause", "delivery_hold"), Text())),
        When(intake_hold__isnull=False, then=Cast(KeyTextTransform("cause", "intake_hold"), Text())),
        When(~Q(connection__state=Connection.State.ACTIVE), then=Cast(F("connection__state"), Text())),
        When(connection__pulse__resting_until__gt=now, then=Value("resting", Text())),
        When(connection__pulse__limited_until__gt=now, then=Value("limited", Text())),
        When(connection__pulse__spent_until__gt=now, then=Value("spent", Text())),
        When(attempts__gt=0, then=Value("retrying", Text())),
        default=Value("turn", Text()),
        output_field=Text(),
    )


def _since() -> Case:
    """Since when: the hold's own word, else when the first entry that the lane owes was written down."""
    first = TicketEvent.objects.filter(ticket=OuterRef("ticket"), seq=OuterRef("applied_seq") + 1)
    return Case(
        When(delivery_hold__isnull=False, then=Cast(Cast(KeyTextTransform("since", "delivery_hold"), Text()), _MOMENT)),
        When(intake_hold__isnull=False, then=Cast(Cast(KeyTextTransform("since", "intake_hold"), Text()), _MOMENT)),
        When(state__in=[_State.CREATING, _State.SIGHTED], then=F("created_at")),
        default=Coalesce(Subquery(first.values("recorded_at")[:1]), F("looked_at"), F("created_at")),
        output_field=_MOMENT,
    )


def waiting_lanes(*, seen_by: Principal, now: datetime, all_links: bool = False) -> QuerySet[TicketLink]:
    """Lanes that wait, each with ``cause``, ``cause_field``, ``cause_value``, ``direction``, ``since`` and ``rank`` (of
    its ticket's priority, as far as the viewer may know the ticket).

    ``all_links``: the others too, for finding the place of a lane that waits no more.
    """
    known = visible_to(Ticket.objects.filter(pk=OuterRef("ticket")), seen_by).annotate(weight=PRIORITY_RANK)
    rows = visible_to(TicketLink.objects.all(), seen_by)
    return (rows if all_links else rows.filter(WAITS)).annotate(
        cause=_cause(now),
        cause_field=Coalesce(_of_hold("field"), _NOTHING),
        # What holds none is a word on SQLite.
        cause_value=Coalesce(NullIf(_of_hold("value"), Value("null", Text())), _NOTHING),
        direction=Case(
            When(Q(delivery_hold__isnull=True, intake_hold__isnull=False), then=Value("from")),
            default=Value("to"),
            output_field=CharField(),
        ),
        since=TruncSecond(_since(), tzinfo=UTC),
        rank=Coalesce(Subquery(known.values("weight")[:1]), Value(UNRANKED), output_field=Whole()),
    )


STANDS_STILL = (Connection.State.ON_HOLD, Connection.State.PAUSED, Connection.State.DRAFT)


# --- Groups ---------------------------------------------------------------------------------------------------------

GROUPED_BY = ("connection", "cause", "cause_field", "cause_value", "direction")


@dataclass(frozen=True, slots=True)
class Group:
    """Lanes of one connection that wait for the same reason; ``first`` are the ones that a page shows at once."""

    connection: Connection
    code: str
    field: str
    value: str
    direction: str
    number: int
    oldest: datetime
    priority: str
    first: "Sequence[Waiting]" = ()

    @property
    def cause(self) -> Cause:
        return cause_of(self.code)

    @property
    def can_retry(self) -> bool:
        """Whether trying now could change anything: not while the connection stands still or was asked to wait."""
        return self.code not in STANDS_STILL and self.code not in ("conflict", "resting", "limited", "spent", "turn")

    @property
    def can_skip(self) -> bool:
        """Whether there are entries that can be left out."""
        return self.direction == "to" and self.can_retry and self.cause.needs

    @property
    def can_act(self) -> bool:
        return self.can_retry or self.cause.needs

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.connection.pk, self.code, self.field, self.value, self.direction)


def groups_of(rows: QuerySet[TicketLink], *, start: int = 0, most: int) -> list[Group]:
    """``rows`` (of :func:`waiting_lanes`) by cause, those that need a person first, then the oldest."""
    resting = [code for code, cause in CAUSES.items() if not cause.needs]
    counted = (
        rows.order_by()
        .values(*GROUPED_BY)
        .annotate(number=Count("pk"), oldest=Min("since"), weight=Min("rank"))
        .annotate(rests=Case(When(cause__in=resting, then=Value(1)), default=Value(0), output_field=Whole()))
        .order_by("rests", "oldest", *GROUPED_BY)[start : start + most]
    )
    found = list(counted)
    wanted = {row["connection"] for row in found}
    known = Connection.objects.select_related("organization", "pulse").in_bulk(wanted)
    return [
        Group(
            known[row["connection"]],
            row["cause"],
            row["cause_field"],
            row["cause_value"],
            row["direction"],
            row["number"],
            # The least of truncated moments comes back from PostgreSQL without its zone, which is UTC.
            row["oldest"].replace(tzinfo=UTC),
            priority_at(row["weight"]),
        )
        for row in found
    ]


def priority_at(rank: int) -> str:
    """The priority of a rank; nothing for a ticket that the viewer may not know."""
    return Priority.values[rank] if rank < UNRANKED else ""


# --- In words -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Why:
    """What happened, who must act and how. ``party`` and ``remedy`` are None while the portal goes on by itself, at
    ``release_at`` where that is known."""

    code: str
    text: str
    party: str | None = None
    remedy: str | None = None
    release_at: datetime | None = None

    @property
    def cause(self) -> Cause:
        return cause_of(self.code)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One lane that waits, told: ``ticket`` only if the viewer may see it; ``entries`` and ``comments`` wait behind."""

    link: TicketLink
    ticket: Ticket | None
    why: Why
    further: Why | None
    since: datetime
    tried_at: datetime | None
    entries: int
    comments: int
    oldest_at: datetime | None
    charge: LaneCharge | None

    @property
    def can_skip(self) -> bool:
        """Whether there is an entry at the head that can be left out without deciding something else first."""
        link = self.link
        return link.delivery_hold is not None and self.why.code != "conflict" and link.state != _State.CREATING

    @property
    def next_at(self) -> datetime | None:
        """When the portal tries by itself; None while it waits for a person."""
        return None if self.why.party else self.why.release_at or self.link.due_at


def why_it_waits(link: TicketLink, *, now: datetime) -> Why:
    """Why a lane waits, from its row and its connection's."""
    hold = link.delivery_hold or link.intake_hold
    if hold is not None:
        return _of(hold)
    connection, pulse = link.connection, getattr(link.connection, "pulse", None)
    if connection.state != Connection.State.ACTIVE:
        text = connection.state_reason or f"The connection is {connection.get_state_display()}."
        remedy = "correct the cause, then resume the connection"
        return Why(connection.state, text, connection.organization.name, remedy)
    if pulse is not None and pulse.resting_until is not None and pulse.resting_until > now:
        return Why("resting", pulse.last_failure or "The system does not answer.", release_at=pulse.resting_until)
    if pulse is not None and pulse.limited_until is not None and pulse.limited_until > now:
        return Why("limited", pulse.last_failure or "The system asked us to wait.", release_at=pulse.limited_until)
    if pulse is not None and pulse.spent_until is not None and pulse.spent_until > now:
        return Why("spent", "The connection made as many calls as it may for now.", release_at=pulse.spent_until)
    if link.attempts:
        return Why("retrying", link.last_failure, release_at=link.due_at)
    return Why("turn", "Its turn comes with the next round.")


def _of(hold: Mapping[str, Any]) -> Why:
    return Why(hold.get("cause", ""), hold.get("text", ""), hold.get("party", ""), hold.get("remedy", ""))


def tell(links: Iterable[TicketLink], *, seen_by: Principal, now: datetime) -> list[Waiting]:
    """``links`` (of :func:`waiting_lanes`, with their connections) in words, with a fixed number of queries."""
    rows: list[Any] = list(links)
    ids = [link.pk for link in rows]
    wanted = [link.ticket_id for link in rows if link.ticket_id]
    known = {ticket.pk: ticket for ticket in tickets(seen_by=seen_by).filter(pk__in=wanted)}
    tried = dict(Intent.objects.filter(link__in=ids).order_by().values_list("link").annotate(at=Max("created_at")))
    charges = LaneCharge.objects.select_related("person").in_bulk(ids)
    behind = _behind(ids, seen_by)
    return [
        Waiting(
            link=link,
            ticket=known.get(link.ticket_id) if link.ticket_id else None,
            why=why_it_waits(link, now=now),
            further=_of(link.intake_hold) if link.delivery_hold is not None and link.intake_hold is not None else None,
            since=link.since,
            tried_at=_latest(tried.get(link.pk), link.looked_at if link.intake_hold or link.attempts else None),
            entries=behind.get(link.pk, (0, 0, None))[0],
            comments=behind.get(link.pk, (0, 0, None))[1],
            oldest_at=behind.get(link.pk, (0, 0, None))[2],
            charge=charges.get(link.pk),
        )
        for link in rows
    ]


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


def _behind(ids: Sequence[UUID], seen_by: Principal) -> dict[UUID, tuple[int, int, datetime | None]]:
    """Link → journal entries and comments beyond what was applied, as far as the viewer may read them; the oldest."""
    owed = visible_to(TicketEvent.objects.all(), seen_by).filter(
        Q(ticket__links__state=_State.CREATING, seq__gte=F("ticket__links__start_seq"))
        | Q(ticket__links__state=_State.LINKED, seq__gt=F("ticket__links__applied_seq")),
        ticket__links__in=ids,
    )
    counted = owed.order_by().values_list("ticket__links")
    return {
        pk: (entries, comments, oldest)
        for pk, entries, comments, oldest in counted.annotate(
            entries=Count("pk"), comments=Count("comment"), oldest=Min("recorded_at")
        )
    }
