"""Comments and attachments on a ticket, each with an audience."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from django.conf import settings
from django.db import transaction

from apps.access.kernel import require
from apps.access.levels import Level
from apps.ecosystem.models import Organization

from ..actor import HERE, Actor, Source
from ..models import Attachment, Comment, Ticket, TicketParty
from ..storage import keep
from ..vocabulary import Audience, EventKind
from .journal import append, is_known, lock

LONGEST_COMMENT = 65_000


class CommentNotUsable(Exception):
    """An empty or over-long comment, or an audience that does not take part; the text names the remedy."""


class AttachmentNotUsable(Exception):
    """A file that is too large or has no usable name; the text names file, limit and remedy."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to be attached; ``stream`` is read once."""

    name: str
    content_type: str
    stream: BinaryIO


@transaction.atomic
def comment(
    *,
    ticket: Ticket,
    body: str,
    audience: str,
    actor: Actor,
    at: datetime,
    chosen: Sequence[Organization] = (),
    files: Iterable[File] = (),
    source: Source = HERE,
) -> Comment | None:
    """Say something on a ticket to all its parties, to chosen ones, or inside the own organization.

    Returns None when the change is already in the journal. Raises CommentNotUsable, AttachmentNotUsable.
    """
    require(actor.principal, Level.WRITE, ticket)
    if not body.strip():
        raise CommentNotUsable("comment: write something before you send it")
    if len(body) > LONGEST_COMMENT:
        raise CommentNotUsable(f"comment: {len(body)} characters are too long; attach the text as a file")
    locked = lock(ticket)
    if is_known(locked, source):
        return None
    _check_audience(locked, audience, chosen)
    said = Comment.objects.create(
        ticket=locked,
        body=body.replace("\r\n", "\n"),
        audience=audience,
        author=actor.user,
        author_name=source.author or actor.name,
        organization=actor.organization,
        at=at,
    )
    said.chosen_parties.set(chosen)
    append(locked, EventKind.COMMENTED, actor=actor, at=at, source=source, comment=said)
    for file in files:
        _attach(locked, file, said, audience, chosen, actor, at, HERE)
    return said


@transaction.atomic
def attach(
    *,
    ticket: Ticket,
    file: File,
    audience: str,
    actor: Actor,
    at: datetime,
    chosen: Sequence[Organization] = (),
    source: Source = HERE,
) -> Attachment | None:
    """Put a file on a ticket. Returns None when it is already in the journal. Raises AttachmentNotUsable."""
    require(actor.principal, Level.WRITE, ticket)
    locked = lock(ticket)
    if is_known(locked, source):
        return None
    _check_audience(locked, audience, chosen)
    return _attach(locked, file, None, audience, chosen, actor, at, source)


def _check_audience(ticket: Ticket, audience: str, chosen: Sequence[Organization]) -> None:
    if audience not in Audience.values:
        raise CommentNotUsable(f"audience: {audience!r} is not one of {', '.join(Audience.values)}")
    if (audience == Audience.CHOSEN) != bool(chosen):
        raise CommentNotUsable("audience: name the parties for chosen parties, and only then")
    here = set(TicketParty.objects.filter(ticket=ticket).values_list("organization_id", flat=True))
    outside = [organization.name for organization in chosen if organization.pk not in here]
    if outside:
        raise CommentNotUsable(f"audience: {', '.join(outside)} does not take part in this ticket; share it first")


def _attach(
    ticket: Ticket,
    file: File,
    said: Comment | None,
    audience: str,
    chosen: Sequence[Organization],
    actor: Actor,
    at: datetime,
    source: Source,
) -> Attachment:
    name = file.name.replace("\\", "/").rsplit("/", 1)[-1].replace("\x00", "").strip()[:255]
    if not name:
        raise AttachmentNotUsable("attachment: the file has no name; rename it and try again")
    kept = keep(file.stream, limit=settings.SIAM_LARGEST_ATTACHMENT)
    if kept is None:
        limit = settings.SIAM_LARGEST_ATTACHMENT // (1024 * 1024)
        raise AttachmentNotUsable(f"attachment: {name} is larger than {limit} MB; share it another way and link to it")
    attachment = Attachment.objects.create(
        ticket=ticket,
        comment=said,
        file_name=name,
        content_type=file.content_type[:127] or "application/octet-stream",
        size=kept.size,
        sha256=kept.sha256,
        audience=audience,
        author=actor.user,
        author_name=source.author or actor.name,
        organization=actor.organization,
        at=at,
    )
    attachment.chosen_parties.set(chosen)
    append(ticket, EventKind.ATTACHED, actor=actor, at=at, source=source, attachment=attachment)
    return attachment
