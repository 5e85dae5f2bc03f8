import uuid

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Case, F, Q, When

from apps.tickets.models import Attachment, Comment, Ticket

from ..bases import read_base, write_base
from ..engine.merge import MergeBase
from ..engine.ports import DELIVERS, LinkState
from .connection import Connection

_LOOKS = Q(look_wanted__gt=F("look_done"), intake_hold__isnull=True) & ~Q(external_id="")
_OWES = Q(delivery_hold__isnull=True, state__in=[str(one) for one in DELIVERS]) & (
    Q(heard_seq__gt=F("applied_seq")) | ~Q(repair=[])
)
# What its system got before the database was put back is not known until the ticket was read.
_MAY_SEND = Q(is_behind=False) | Q(external_id="")
# What a ticket that is gone owes an answer for can only be found out once it is seen again.
_UNSETTLED = (Q(is_unsettled=True) | ~Q(claimed_by="")) & ~Q(state=str(LinkState.DETACHED))


class TicketLink(models.Model):
    """One ticket's pairing with one ticket in one connection's system.

    What the link still owes the system is the journal beyond ``applied_seq``: its *lane*. ``change_cursor`` is how far
    the system's own change log was taken in. ``merge_base``: rule key → [hub value, system value, seq].
    """

    class State(models.TextChoices):
        SIGHTED = "sighted", "seen, not yet read"
        CREATING = "creating", "to be created in the system"
        LINKED = "linked", "linked"
        OUT_OF_SCOPE = "out_of_scope", "not sent by the rules"
        DETACHED = "detached", "detached"
        FORMER = "former", "followed up by another"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="links")
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, null=True, related_name="links")
    state = models.CharField(max_length=12, choices=State.choices)
    external_id = models.CharField(max_length=100, blank=True)
    key = models.CharField(max_length=100, blank=True)
    url = models.CharField(max_length=1000, blank=True)
    former = models.JSONField(default=list, help_text="Earlier tickets in the system that this one follows up.")
    version = models.CharField(max_length=200, blank=True)
    is_closed = models.BooleanField(default=False, help_text="Closed for good in the system.")

    start_seq = models.PositiveIntegerField(default=0)
    applied_seq = models.PositiveIntegerField(default=0)
    heard_seq = models.PositiveIntegerField(default=0, help_text="The journal's end when the lane last heard of it.")
    merge_base = models.JSONField(default=dict, encoder=DjangoJSONEncoder)

    look_wanted = models.PositiveIntegerField(default=0, help_text="Counts hints that the system's ticket changed.")
    look_done = models.PositiveIntegerField(default=0, help_text="The count of hints that the last look covers.")
    hint_count = models.PositiveIntegerField(default=0, help_text="The count at which one notice named a version.")
    hint_version = models.CharField(max_length=200, blank=True, help_text="The version that it named.")
    change_cursor = models.CharField(max_length=200, blank=True)
    looked_at = models.DateTimeField(null=True)
    swept_at = models.DateTimeField(null=True, help_text="When it was last compared as a whole, or made.")
    compare_wanted = models.BooleanField(default=False, help_text="The next look compares the whole ticket.")
    repair = models.JSONField(default=list, help_text="Rules whose field the system must get again.")

    delivery_hold = models.JSONField(null=True, help_text="Why news for the system waits, and who must act.")
    intake_hold = models.JSONField(null=True, help_text="Why news from the system waits, and who must act.")
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    wanted_at = models.GeneratedField(
        expression=Case(When(_LOOKS | (_OWES & _MAY_SEND) | _UNSETTLED, then=F("due_at"))),
        output_field=models.DateTimeField(null=True),
        db_persist=True,
        help_text="When a worker may take it, if there is something to read, to write or to find out.",
    )
    is_unsettled = models.BooleanField(default=False, help_text="What became of a write is to be found out.")
    last_failure = models.TextField(blank=True)
    claimed_by = models.CharField(max_length=40, blank=True)
    claimed_until = models.DateTimeField(null=True)
    is_behind = models.BooleanField(default=False, help_text="Not read since the database was put back.")
    looked_for = models.CharField(max_length=40, blank=True, help_text="The write last looked for and not found.")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "external_id"], condition=~Q(external_id=""), name="one_link_per_external_ticket"
            ),
            models.UniqueConstraint(
                fields=["connection", "ticket"], condition=Q(ticket__isnull=False), name="one_link_per_ticket"
            ),
        ]
        indexes = [
            models.Index(fields=["connection", "wanted_at"]),
            models.Index(fields=["connection", "external_id"]),
            models.Index(fields=["connection", "swept_at"]),
            models.Index(fields=["claimed_by"], condition=Q(claimed_until__isnull=False), name="claimed_links"),
            models.Index(fields=["ticket"]),
        ]

    def __str__(self) -> str:
        return self.key or self.external_id or f"{self.connection} (not yet created)"

    @property
    def base(self) -> MergeBase:
        """What both sides agreed on last, rule by rule."""
        return read_base(self.merge_base)

    @base.setter
    def base(self, agreed: MergeBase) -> None:
        self.merge_base = write_base(agreed)


class Pairing(models.Model):
    """One comment or attachment of the hub and the same one in the system. Comments pair by id, never by text."""

    id = models.BigAutoField(primary_key=True)
    link = models.ForeignKey(TicketLink, on_delete=models.CASCADE, related_name="pairings")
    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, null=True, related_name="pairings")
    attachment = models.ForeignKey(Attachment, on_delete=models.CASCADE, null=True, related_name="pairings")
    external_id = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["link", "comment"], condition=Q(comment__isnull=False), name="pair_comments"
            ),
            models.UniqueConstraint(
                fields=["link", "attachment"], condition=Q(attachment__isnull=False), name="pair_attachments"
            ),
        ]

    def __str__(self) -> str:
        return self.external_id


class Intent(models.Model):
    """A committed "I am about to do this" before any call that writes (INV-12), and what became of it."""

    class State(models.TextChoices):
        OPEN = "open", "open"
        APPLIED = "applied", "applied"
        ABSENT = "absent", "did not take effect"
        REFUSED = "refused", "refused"
        WITHHELD = "withheld", "withheld by the rules"

    id = models.BigAutoField(primary_key=True)
    link = models.ForeignKey(TicketLink, on_delete=models.CASCADE, related_name="intents")
    seq = models.PositiveIntegerField()
    slot = models.CharField(max_length=60, help_text="What it does within its journal entry.")
    correlation = models.CharField(max_length=40, db_index=True)
    fields = models.JSONField(
        default=dict, encoder=DjangoJSONEncoder, help_text="What is written, in the system's words."
    )
    agreements = models.JSONField(default=dict, encoder=DjangoJSONEncoder, help_text="What is agreed once it is done.")
    rules_number = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    is_unknown = models.BooleanField(default=False, help_text="The call was made and its outcome is not known.")
    doubted_at = models.DateTimeField(null=True, help_text="When its outcome was first asked for, its call being over.")
    change_ids = models.JSONField(default=list)
    is_seen = models.BooleanField(default=False, help_text="It came back in the system's change log.")
    note = models.TextField(blank=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["link"], condition=Q(state="open"), name="one_open_intent_per_link")
        ]
        indexes = [models.Index(fields=["link", "is_seen"])]

    def __str__(self) -> str:
        return f"{self.slot} {self.correlation}"

    @property
    def agreed(self) -> MergeBase:
        """What holds once it is done."""
        return read_base(self.agreements)

    @agreed.setter
    def agreed(self, agreements: MergeBase) -> None:
        self.agreements = write_base(agreements)


class Conflict(models.Model):
    """Both sides changed a field. The value that lost is kept with its author and can be put back (INV-23)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    link = models.ForeignKey(TicketLink, on_delete=models.CASCADE, related_name="conflicts")
    rule_key = models.CharField(max_length=200)
    hub_value = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    system_value = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    verdict = models.CharField(max_length=12)
    author = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    is_open = models.BooleanField(default=False)
    settled_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.rule_key}: {self.verdict}"


class Notice(models.Model):
    """A verified webhook, stored once. It is only a hint to look (INV-1, INV-4)."""

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="notices")
    delivery_id = models.CharField(max_length=200)
    refs = models.JSONField(default=list)
    summary = models.CharField(max_length=300, blank=True)
    received_at = models.DateTimeField()
    repeats = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "delivery_id"], name="one_notice_per_delivery")]
        indexes = [models.Index(fields=["connection", "-received_at"])]

    def __str__(self) -> str:
        return self.delivery_id


class Exchange(models.Model):
    """One call to a system as the operator may see it: redacted (T12), and kept for a while only.

    ``link`` and ``intent`` say for which lane and which write it was made; a call for the whole connection has neither.
    """

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="exchanges")
    link = models.ForeignKey(TicketLink, on_delete=models.CASCADE, null=True, related_name="exchanges")
    intent = models.ForeignKey(Intent, on_delete=models.SET_NULL, null=True, related_name="exchanges")
    at = models.DateTimeField()
    method = models.CharField(max_length=10)
    url = models.CharField(max_length=2000)
    request = models.TextField(blank=True)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(blank=True)
    seconds = models.FloatField()

    class Meta:
        indexes = [
            models.Index(fields=["connection", "-at"]),
            models.Index(fields=["link", "-at"]),
            models.Index(fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.url}"
