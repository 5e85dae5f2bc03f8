"""The hub's side of a link as rows: its ticket's fields, journal, comments and files."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.ecosystem.models import Organization
from apps.ecosystem.selectors import principal_of
from apps.tickets import services as tickets
from apps.tickets.actor import PORTAL, Actor, Source
from apps.tickets.models import Attachment, Comment, Ticket, TicketEvent
from apps.tickets.selectors import read_fields
from apps.tickets.services import AttachmentNotUsable, CommentNotUsable, FieldNotUsable, File, NotInThisEcosystem
from apps.tickets.services.changing import check_value
from apps.tickets.services.journal import lock
from apps.tickets.services.marks import mark_for, portal_part
from apps.tickets.storage import place_of
from apps.tickets.vocabulary import Audience, EventKind

from ..bases import as_value
from ..engine import snapshot
from ..engine.deliver import HubAttachment, HubComment, HubEvent
from ..engine.ports import FileMissing, HubRefused
from ..engine.rules import View
from ..engine.snapshot import Fields, Upload, Value
from ..models import TicketLink
from .ahead import events_ahead

LONGEST_REF = 200


class HubRows:
    """The ticket behind a link. What a look brings is written as the connection's machine account."""

    @property
    def largest_attachment(self) -> int:
        return int(settings.SIAM_LARGEST_ATTACHMENT)

    # --- Reading ------------------------------------------------------------------------------------------------------

    def lock_ticket(self, link: TicketLink) -> None:
        link.ticket = lock(Ticket(pk=link.ticket_id))

    def last_seq(self, link: TicketLink) -> int:
        assert link.ticket is not None
        return link.ticket.last_seq

    def hub_fields(self, link: TicketLink) -> Fields:
        assert link.ticket is not None
        return read_fields(link.ticket)

    def view(self, ticket: Ticket) -> View:
        fields = {field: value for field, value in read_fields(ticket).items() if "." not in field}
        return fields | {
            "custom": dict(ticket.custom),
            "reference": ticket.reference,
            "opened_by": ticket.opened_by.slug,
            "held_by": ticket.held_by.slug,
            "parties": sorted(_parties_of(ticket)),
        }

    def events_after(self, link: TicketLink, seq: int, most: int | None = None) -> list[HubEvent]:
        events = events_ahead(link, seq, most)
        if events is None:
            rows = (
                TicketEvent.objects.filter(ticket=link.ticket_id, seq__gt=seq)
                .order_by("seq")
                .select_related("comment__organization", "attachment")
                .prefetch_related("comment__chosen_parties", "attachment__chosen_parties")
            )
            events = list(rows[:most] if most else rows)
        return _as_hub_events(link, events)

    # --- What was once known ------------------------------------------------------------------------------------------

    @property
    def portal_part(self) -> str:
        return portal_part()

    def mark_for(self, link: TicketLink, ref: str) -> str:
        return mark_for(_source(link, ref))

    def entries_marked(self, link: TicketLink, marks: Collection[str]) -> Mapping[str, HubEvent]:
        rows = TicketEvent.objects.filter(ticket=link.ticket_id, mark__in=marks).select_related(
            "comment__organization", "attachment"
        )
        return {event.mark: event for event in _as_hub_events(link, list(rows))}

    def ticket_marked(self, link: TicketLink, marks: Collection[str]) -> Ticket | None:
        # Nearly always there is none; and then a whole ticket need not be asked for.
        keys = list(TicketEvent.objects.filter(mark__in=marks).values_list("ticket", flat=True))
        return Ticket.objects.filter(pk__in=keys).order_by("created_at").first() if keys else None

    def tie(self, link: TicketLink, ticket: Ticket, *, now: datetime) -> None:
        try:
            tickets.rejoin(ticket=ticket, actor=actor_of(link), at=now)
        except NotInThisEcosystem as refused:
            raise HubRefused(str(refused)) from refused
        link.ticket = lock(ticket)

    def is_restored(self, link: TicketLink) -> bool:
        assert link.ticket is not None
        return link.ticket.is_restored

    def as_kept(self, field: str, value: Value) -> Any:
        try:
            return check_value(field, value)
        except FieldNotUsable as refused:
            raise HubRefused(str(refused)) from refused

    def upload(self, attachment_id: str) -> Upload:
        file = Attachment.objects.get(pk=attachment_id)
        place = place_of(file.sha256)
        if not place.is_file():
            raise FileMissing(file.file_name)
        return Upload(file.file_name, file.content_type, file.size, file.sha256, place)

    # --- Writing ------------------------------------------------------------------------------------------------------

    def open_ticket(
        self, link: TicketLink, values: Mapping[str, Any], *, at: datetime, ref: str, mark: str = ""
    ) -> None:
        source = _source(link, ref, mark=mark)
        try:
            link.ticket = tickets.open_ticket(values=values, actor=actor_of(link), at=at, source=source)
        except FieldNotUsable as refused:
            raise HubRefused(str(refused)) from refused
        if link.is_behind:
            link.ticket.is_restored = True
            link.ticket.save(update_fields=["is_restored"])

    def receive(
        self, link: TicketLink, values: Mapping[str, Any], *, at: datetime, ref: str, author: str, mark: str = ""
    ) -> None:
        assert link.ticket is not None
        source = _source(link, ref, author, mark)
        try:
            tickets.receive_changes(ticket=link.ticket, values=values, actor=actor_of(link), at=at, source=source)
        except FieldNotUsable as refused:
            raise HubRefused(str(refused)) from refused

    def comment(
        self, link: TicketLink, body: str, *, audience: str, at: datetime, ref: str, author: str, mark: str = ""
    ) -> Any | None:
        assert link.ticket is not None
        try:
            made = tickets.comment(
                ticket=link.ticket,
                body=body,
                audience=audience,
                actor=actor_of(link),
                at=at,
                source=_source(link, ref, author, mark),
            )
        except CommentNotUsable as refused:
            raise HubRefused(str(refused)) from refused
        return _written(link, made)

    def attach(
        self,
        link: TicketLink,
        file: snapshot.Attachment,
        place: Path,
        *,
        audience: str,
        at: datetime,
        ref: str,
        author: str,
        mark: str = "",
    ) -> Any | None:
        assert link.ticket is not None
        try:
            with place.open("rb") as stream:
                made = tickets.attach(
                    ticket=link.ticket,
                    file=File(file.file_name, file.content_type, stream),
                    audience=audience,
                    actor=actor_of(link),
                    at=at,
                    source=_source(link, ref, author, mark),
                )
        except AttachmentNotUsable as refused:
            raise HubRefused(str(refused)) from refused
        return _written(link, made)

    def note(self, link: TicketLink, text: str, *, now: datetime) -> None:
        if link.ticket is not None:
            tickets.note(ticket=link.ticket, text=text, actor=actor_of(link), at=now)
            _written(link, None)


def actor_of(link: TicketLink) -> Actor:
    """The connection's machine account, acting for the connection's owner; its rights are read once a round."""
    connection = link.connection
    actor: Actor | None = connection.__dict__.get("actor")
    if actor is None:
        machine = connection.machine
        actor = Actor(principal_of(machine), connection.organization, machine, connection.name)
        connection.__dict__["actor"] = actor
    return actor


def _parties_of(ticket: Ticket) -> Iterable[str]:
    if "parties" in getattr(ticket, "_prefetched_objects_cache", ()):
        return [party.organization.slug for party in ticket.parties.all()]
    return ticket.parties.values_list("organization__slug", flat=True)


def _source(link: TicketLink, ref: str, author: str = "", mark: str = "") -> Source:
    return Source(str(link.connection_id), ref[:LONGEST_REF], author, mark)


def _written(link: TicketLink, made: Comment | Attachment | None) -> Any | None:
    """The id of what was written, if it was; the journal's end has moved."""
    assert link.ticket is not None
    link.ticket.refresh_from_db(fields=["last_seq"])
    return made.pk if made is not None else None


def _as_hub_events(link: TicketLink, events: Sequence[TicketEvent]) -> list[HubEvent]:
    """Entries as the link's owner may see them."""
    paired: dict[Any, None] = {}
    if any(event.comment_id or event.attachment_id for event in events):
        pairs = link.pairings.values_list("comment_id", "attachment_id")
        paired = dict.fromkeys(key for pair in pairs for key in pair)
    return [_as_hub_event(event, link.connection.organization, paired) for event in events]


def _as_hub_event(event: TicketEvent, reader: Organization, paired: Mapping[Any, None]) -> HubEvent:
    comment = attachment = None
    if event.comment is not None:
        said = event.comment
        comment = HubComment(
            id=str(said.pk),
            body=said.body,
            author=said.author_name,
            organization=said.organization.name,
            audience=audience_for(said, reader),
            is_paired=said.pk in paired,
        )
    if event.attachment is not None:
        file = event.attachment
        attachment = HubAttachment(
            id=str(file.pk),
            file_name=file.file_name,
            content_type=file.content_type,
            size=file.size,
            audience=audience_for(file, reader),
            is_paired=file.pk in paired,
        )
    return HubEvent(
        seq=event.seq,
        at=event.at,
        changes={name: (as_value(before), as_value(after)) for name, (before, after) in event.changes.items()},
        is_opening=event.kind == EventKind.OPENED,
        is_by_hand=event.origin == PORTAL,
        comment=comment,
        attachment=attachment,
        mark=event.mark,
    )


def audience_for(said: Comment | Attachment, reader: Organization) -> str | None:
    """The audience under which ``reader`` gets a comment or attachment; None if it does not get it (INV-31)."""
    if said.audience == Audience.PUBLIC:
        return Audience.PUBLIC
    if said.organization_id == reader.pk:
        return said.audience
    if said.audience == Audience.CHOSEN and any(party.pk == reader.pk for party in said.chosen_parties.all()):
        return Audience.CHOSEN
    return None
