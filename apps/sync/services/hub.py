"""The hub's side of a link, as the engine reads it: fields, journal entries, and what is pending for one system."""

from collections.abc import Mapping
from typing import Any

from apps.ecosystem.models import Organization
from apps.tickets.models import Attachment, Comment, Ticket, TicketEvent
from apps.tickets.selectors import read_fields
from apps.tickets.vocabulary import Audience, EventKind

from ..bases import as_value
from ..engine.deliver import HubAttachment, HubComment, HubEvent
from ..engine.intake import Pending
from ..engine.merge import NEVER, MergeBase
from ..engine.rules import SyncRules, View
from ..models import TicketLink


def view_of(ticket: Ticket) -> View:
    """What an expression of the rules may look at: the variable ``ticket``."""
    fields = {field: value for field, value in read_fields(ticket).items() if "." not in field}
    return fields | {
        "custom": dict(ticket.custom),
        "reference": ticket.reference,
        "opened_by": ticket.opened_by.slug,
        "held_by": ticket.held_by.slug,
        "parties": sorted(party.organization.slug for party in ticket.parties.select_related("organization")),
    }


def events_after(link: TicketLink, seq: int, most: int | None = None) -> list[HubEvent]:
    """Journal entries of the link's ticket after ``seq``, oldest first, as its organization may see them."""
    rows = (
        TicketEvent.objects.filter(ticket=link.ticket, seq__gt=seq)
        .order_by("seq")
        .select_related("comment__organization", "attachment")
        .prefetch_related("comment__chosen_parties", "attachment__chosen_parties")
    )
    events = list(rows[:most] if most else rows)
    paired: dict[Any, None] = {}
    if any(event.comment_id or event.attachment_id for event in events):
        paired = dict.fromkeys(key for pair in link.pairings.values_list("comment_id", "attachment_id") for key in pair)
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
        comment=comment,
        attachment=attachment,
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


def pending_for(link: TicketLink, base: MergeBase, rules: SyncRules) -> dict[str, Pending]:
    """Rule key → what the system has not got yet of a field, from the part of the journal still in the lane."""
    pending: dict[str, Pending] = {}
    for event in events_after(link, max(link.applied_seq, link.start_seq)):
        for name, (_before, after) in event.changes.items():
            for rule in rules.of_hub(name):
                if event.seq > base.get(rule.key, NEVER).seq:
                    pending[rule.key] = Pending(after, event.at)
    return pending
