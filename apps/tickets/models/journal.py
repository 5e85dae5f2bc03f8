from typing import Any, NoReturn

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from apps.ecosystem.models import Organization

from ..vocabulary import EventKind
from .conversation import Attachment, Comment
from .ticket import Ticket


class JournalIsAppendOnly(Exception):
    """An entry of the ticket journal was about to be changed or deleted; add a new entry instead."""


class _AppendOnly(models.QuerySet["TicketEvent"]):
    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise JournalIsAppendOnly("journal entries are never changed or deleted; append a new one")

    update = bulk_update = delete = update_or_create = _refuse  # type: ignore[assignment]


class TicketEvent(models.Model):
    """One entry of a ticket's journal: what happened, who did it, where, and when.

    ``seq`` counts up by one per ticket and is given under the ticket's row lock. ``at`` is when it happened,
    ``recorded_at`` when we heard of it. ``origin`` is *portal*, or the id of the connection it came in by, and
    ``origin_ref`` that system's own id of the change: the pair is unique, so that one change is one entry (INV-4).
    ``mark`` names the entry in every system that gets it, and is the same when the same change is taken in again
    (INV-40).
    """

    id = models.BigAutoField(primary_key=True)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=EventKind.choices)
    changes = models.JSONField(default=dict, encoder=DjangoJSONEncoder, help_text="Field → [from, to].")
    comment = models.OneToOneField(Comment, on_delete=models.PROTECT, null=True, related_name="event")
    attachment = models.OneToOneField(Attachment, on_delete=models.PROTECT, null=True, related_name="event")
    party = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, related_name="+")
    text = models.TextField(blank=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    actor_name = models.CharField(max_length=200)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, related_name="+")
    origin = models.CharField(max_length=40, default="portal")
    origin_ref = models.CharField(max_length=200, blank=True)
    mark = models.CharField(max_length=20, help_text="What its copies in systems are known by, for ever.")
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    objects = _AppendOnly.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ticket", "seq"], name="one_event_per_seq"),
            models.UniqueConstraint(
                fields=["ticket", "origin", "origin_ref"], condition=~Q(origin_ref=""), name="one_event_per_change"
            ),
            models.UniqueConstraint(fields=["mark", "ticket"], name="one_event_per_mark"),
        ]

    def __str__(self) -> str:
        return f"{self.ticket_id} #{self.seq} {self.kind}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise JournalIsAppendOnly("journal entries are never changed; append a new one")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise JournalIsAppendOnly("journal entries are never deleted")
