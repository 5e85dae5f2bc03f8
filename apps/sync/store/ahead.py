"""Reading for a whole round at once what each of its links is about to ask for (design 3.6).

What is read ahead is used once. Nobody else writes to the lane while it is claimed, but for a person who skips an
entry; then the worker meets what it would have met had it been a little quicker.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.db import connection as database
from django.db.models import F, Q

from apps.tickets.models import TicketEvent

from ..models import Conflict, Intent, Pairing, TicketLink

EVENTS = 3
"""Journal entries beyond what is applied; most rounds need one and look for a next."""


class Ahead:
    """What was read for one link: intents that matter to the next step, and the next journal entries."""

    __slots__ = ("events", "files", "intents")

    def __init__(self) -> None:
        self.intents: list[Intent] = []
        self.events: list[TicketEvent] = []
        self.files: set[str] = set()


def read_ahead(links: Sequence[TicketLink]) -> None:
    """Three queries for all of ``links``, whatever their number."""
    ahead = {link.pk: Ahead() for link in links}
    open_or_under_way = Q(state=Intent.State.OPEN) | Q(state=Intent.State.APPLIED, seq__gt=F("link__applied_seq"))
    for intent in Intent.objects.filter(open_or_under_way, link__in=ahead).order_by("pk"):
        ahead[intent.link_id].intents.append(intent)
    for event, link_id in _next_events(ahead):
        ahead[link_id].events.append(event)
    paired = Pairing.objects.filter(link__in=ahead).exclude(attachment=None).values_list("link", "external_id")
    for link_id, external_id in paired:
        ahead[link_id].files.add(external_id)
    for link in links:
        link.ahead = ahead[link.pk]  # type: ignore[attr-defined]


def _next_events(links: Iterable[Any]) -> list[tuple[TicketEvent, Any]]:
    applied = F("ticket__links__applied_seq")
    rows = (
        TicketEvent.objects.filter(ticket__links__in=list(links), seq__gt=applied, seq__lte=applied + EVENTS)
        .annotate(of_link=F("ticket__links"))
        .order_by("seq")
        .select_related("comment__organization", "attachment")
        .prefetch_related("comment__chosen_parties", "attachment__chosen_parties")
    )
    return [(event, event.of_link) for event in rows]


def intents_ahead(link: TicketLink) -> list[Intent]:
    """Open intents, and those applied for entries that are not through."""
    ahead: Ahead | None = getattr(link, "ahead", None)
    if ahead is not None:
        return ahead.intents
    open_or_under_way = Q(state=Intent.State.OPEN) | Q(state=Intent.State.APPLIED, seq__gt=link.applied_seq)
    return list(Intent.objects.filter(open_or_under_way, link=link).order_by("pk"))


def files_ahead(link: TicketLink) -> set[str] | None:
    """Ids, in the system, of files that the hub has; None when they were not read ahead."""
    ahead: Ahead | None = getattr(link, "ahead", None)
    return None if ahead is None else ahead.files


def events_ahead(link: TicketLink, seq: int, most: int | None) -> list[TicketEvent] | None:
    """The journal after ``seq`` as far as it was read ahead; None when that may not be all that is asked for."""
    ahead: Ahead | None = getattr(link, "ahead", None)
    if ahead is None:
        return None
    found = [event for event in ahead.events if event.seq > seq]
    is_whole = len(ahead.events) < EVENTS
    if is_whole or (most is not None and len(found) >= most):
        return found[:most]
    return None


# --- For settling -------------------------------------------------------------------------------------------------


class Held:
    """What was read of a link together with it; nobody else writes it while the link is locked.

    Only links with a ticket have one: whatever is paired or asked while a ticket is opened, the reader meets.
    """

    __slots__ = ("comments", "files", "has_questions", "intents", "unseen")

    def __init__(self) -> None:
        self.intents: dict[int, Intent] = {}
        self.unseen: list[Intent] = []
        self.comments: set[str] = set()
        self.files: set[str] = set()
        self.has_questions = False


def read_held(links: Sequence[TicketLink], intents: Collection[int]) -> set[TicketLink]:
    """Lock and read ``links`` as they are now, with what their settling asks for, in this transaction; those that are
    still held.

    Who finds one locked does not wait for it here: whoever holds many locks and waits for one more may wait for
    somebody who waits for him.
    """
    rows = TicketLink.objects.filter(pk__in=[link.pk for link in links])
    if database.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, no_key=True)
    locked = {row.pk: row for row in rows}
    held = {row.pk: Held() for row in locked.values() if row.ticket_id is not None}
    for intent in Intent.objects.filter(unseen() | Q(pk__in=intents), link__in=held).order_by("pk"):
        if intent.pk in intents:
            held[intent.link_id].intents[intent.pk] = intent
        if not intent.is_seen and (intent.state == Intent.State.APPLIED or intent.change_ids):
            held[intent.link_id].unseen.append(intent)
    for pairing in Pairing.objects.filter(link__in=held):
        known = held[pairing.link_id]
        (known.comments if pairing.comment_id is not None else known.files).add(pairing.external_id)
    for link_id in Conflict.objects.filter(link__in=held, is_open=True).values_list("link", flat=True):
        held[link_id].has_questions = True
    ours = [(link, locked[link.pk]) for link in links if link.pk in locked]
    ours = [(link, row) for link, row in ours if row.claimed_by == link.claimed_by]
    for link, row in ours:
        row.known = held.get(row.pk)  # type: ignore[attr-defined]
        link.held = row  # type: ignore[attr-defined]
    return {link for link, _row in ours}


def unseen() -> Q:
    """Writes that may still come back in the system's log."""
    return Q(is_seen=False) & (Q(state=Intent.State.APPLIED) | ~Q(change_ids=[]))


def take_held(link: TicketLink) -> TicketLink | None:
    """The link as it was read for this transaction, once; None when it was not."""
    held: TicketLink | None = link.__dict__.pop("held", None)
    return held


def known_of(link: TicketLink) -> Held | None:
    """What was read of a link together with it; None when it was not."""
    return getattr(link, "known", None)
