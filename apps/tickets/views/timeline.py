"""One timeline over all companies: journal entries in the words of a reader."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from apps.ecosystem.models import Organization

from ..actor import PORTAL
from ..models import Attachment, Comment, Ticket, TicketEvent
from ..selectors import field_in_words
from ..vocabulary import Audience, Category, EventKind, Kind, Priority, Status

SHOWN_AT_ONCE = 50
LATE_AFTER = timedelta(minutes=5)
_LONG = 160
_WORDS: Mapping[str, Mapping[str, str]] = {
    "kind": dict(Kind.choices),
    "status": dict(Status.choices),
    "priority": dict(Priority.choices),
    "category": dict(Category.choices),
}
SHOWS: Mapping[str, tuple[str, ...]] = {
    "all": (),
    "comments": (EventKind.COMMENTED,),
    "changes": (EventKind.OPENED, EventKind.CHANGED, EventKind.SHARED, EventKind.HANDED_OVER, EventKind.NOTED),
    "files": (EventKind.ATTACHED,),
}
"""What the chips above the timeline show: name → kinds of entries; none for all."""


@dataclass(frozen=True, slots=True)
class Change:
    field: str
    before: str
    after: str

    @property
    def is_long(self) -> bool:
        return len(self.before) > _LONG or len(self.after) > _LONG or "\n" in self.before + self.after


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as shown. ``is_reported`` when it came by way of the party's own system."""

    anchor: str
    kind: str
    who: str
    organization: Organization | None
    sentence: str
    party: Organization | None
    at: datetime
    recorded_at: datetime
    is_late: bool
    is_reported: bool
    changes: Sequence[Change]
    text: str
    comment: Comment | None
    attachment: Attachment | None
    audience: str
    is_narrow: bool


def narrowed(events: QuerySet[TicketEvent], show: str) -> QuerySet[TicketEvent]:
    kinds = SHOWS.get(show, ())
    return events.filter(kind__in=kinds) if kinds else events


def entries_of(events: Iterable[TicketEvent]) -> list[Entry]:
    return [_entry(event) for event in events]


def _entry(event: TicketEvent) -> Entry:
    said = event.comment or event.attachment
    is_opening = event.kind == EventKind.OPENED
    return Entry(
        anchor=f"said-{said.pk}" if said else "",
        kind=event.kind,
        who=event.actor_name,
        organization=event.organization,
        sentence=_SENTENCES.get(event.kind, ""),
        party=event.party,
        at=event.at,
        recorded_at=event.recorded_at,
        is_late=event.origin != PORTAL and event.recorded_at - event.at > LATE_AFTER,
        is_reported=event.origin != PORTAL,
        changes=() if is_opening else _changes(event),
        text=event.text,
        comment=event.comment,
        attachment=event.attachment,
        audience=_audience(said) if said else "",
        is_narrow=said is not None and said.audience != Audience.PUBLIC,
    )


_SENTENCES: Mapping[str, str] = {
    EventKind.OPENED: "opened the ticket",
    EventKind.CHANGED: "changed",
    EventKind.COMMENTED: "commented",
    EventKind.ATTACHED: "attached a file",
    EventKind.SHARED: "shared the ticket with",
    EventKind.HANDED_OVER: "handed the ticket over to",
    EventKind.NOTED: "",
}


def _changes(event: TicketEvent) -> list[Change]:
    return [
        Change(field_in_words(field), _in_words(field, before), _in_words(field, after))
        for field, (before, after) in event.changes.items()
        if field != "held_by"
    ]


def _in_words(field: str, value: Any) -> str:
    if value in (None, ""):
        return ""
    return _WORDS.get(field, {}).get(str(value), str(value))


def _audience(said: Comment | Attachment) -> str:
    if said.audience == Audience.PUBLIC:
        return "all parties"
    if said.audience == Audience.INTERNAL:
        return f"only {said.organization.name}"
    others = ", ".join(party.name for party in said.chosen_parties.all())
    return f"{said.organization.name} and {others}"


@dataclass(frozen=True, slots=True)
class Stretch:
    """How long one party held the ticket. ``x`` and ``width`` in thousandths of the whole time."""

    organization: Organization
    seconds: float
    is_present: bool
    x: int = 0
    width: int = 0


def custody_of(ticket: Ticket, hand_overs: Iterable[TicketEvent], *, now: datetime) -> list[Stretch]:
    """Who held the ticket for how long, from its opening until now or until it was closed."""
    points = [(ticket.created_at, ticket.opened_by)]
    points += [(event.at, event.party) for event in hand_overs if event.party is not None]
    end = max(ticket.closed_at or now, points[-1][0])
    ends = [at for at, _holder in points[1:]] + [end]
    spans = [(holder, max(0.0, (until - at).total_seconds())) for (at, holder), until in zip(points, ends, strict=True)]
    total = sum(seconds for _holder, seconds in spans) or 1.0
    # The shortest stay must still be seen as a line: each gets a little, and the rest is shared by time.
    least = 12
    free = 1000 - least * len(spans)
    stretches, x = [], 0
    for index, (holder, seconds) in enumerate(spans):
        width = least + int(free * seconds / total)
        stretches.append(Stretch(holder, seconds, index == len(spans) - 1 and ticket.closed_at is None, x, width))
        x += width
    return stretches
