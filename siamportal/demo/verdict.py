"""The comparison at the end: what really is in each system, against the ticket and against where it came from."""

import re
from collections.abc import Mapping
from html import unescape
from typing import Any

from apps.sync.engine.rules import SyncRules, into_system
from apps.sync.models import Intent, TicketLink
from apps.sync.services import published_rules
from apps.tickets.models import Attachment, Comment, Ticket
from apps.tickets.selectors import read_fields
from apps.tickets.vocabulary import Audience

from .scenario import Play, Seen

STEP = "end"


def compare(play: Play) -> list[Seen]:
    """One row per system and matter: fields, comments (each exactly once, in order), attachments (byte for byte)."""
    ticket = play.ticket
    assert ticket is not None
    ticket.refresh_from_db()
    rows: list[Seen] = []
    for link in TicketLink.objects.filter(ticket=ticket).select_related("connection"):
        name = link.connection.connector
        there = play.stage.doors[name].ticket(link.external_id)
        if there is None:
            rows.append(Seen(STEP, name, "a ticket", "none", False))
            continue
        rules = published_rules(link.connection)
        assert rules is not None
        rows.append(_lane(link, ticket, name))
        if not link.former:
            rows += _fields(ticket, rules, name, there)
            rows.append(_attachments(play, ticket, name, there))
            rows.append(_comments(play, ticket, link, name, there))
    return rows


def _lane(link: TicketLink, ticket: Ticket, name: str) -> Seen:
    ok = link.applied_seq == ticket.last_seq and link.delivery_hold is None and link.intake_hold is None
    waits = link.delivery_hold or link.intake_hold or {}
    seen = f"applied {link.applied_seq} of {ticket.last_seq} {waits.get('text', '')}".strip()
    return Seen(STEP, name, f"applied {ticket.last_seq} of {ticket.last_seq}", seen, ok)


def _fields(ticket: Ticket, rules: SyncRules, name: str, there: Mapping[str, Any]) -> list[Seen]:
    hub = read_fields(ticket)
    rows = []
    for rule in rules.fields:
        if not rule.goes_in or rule.hub not in hub or rule.hub == "description":
            continue
        wanted = into_system(rule, hub[rule.hub]).value
        seen = there["fields"].get(rule.system)
        same = (wanted in (None, "") and seen in (None, "")) or str(wanted) == str(seen)
        rows.append(Seen(STEP, name, f"{rule.system}={wanted}", f"{rule.system}={seen}", same))
    return rows


def _attachments(play: Play, ticket: Ticket, name: str, there: Mapping[str, Any]) -> Seen:
    wanted = sorted(file.sha256[:12] for file in Attachment.objects.filter(ticket=ticket))
    seen = sorted(file["sha256"][:12] for file in there["attachments"])
    return Seen(STEP, name, f"files {wanted}", f"files {seen}", wanted == seen)


def _comments(play: Play, ticket: Ticket, link: TicketLink, name: str, there: Mapping[str, Any]) -> Seen:
    """Each public comment once and in the journal's order, with the words of the system where it was written."""
    withheld = link.intents.filter(state=Intent.State.WITHHELD).values("seq")
    due = Comment.objects.filter(ticket=ticket, audience=Audience.PUBLIC).exclude(event__seq__in=withheld)
    originals = [(said, _original(play, said)) for said in due.order_by("event__seq")]
    texts = [_plain(said["text"]) for said in there["comments"]]
    problems: list[str] = []
    last = -1
    for said, words in originals:
        found = [place for place, text in enumerate(texts) if words in text]
        if len(found) != 1:
            problems.append(f"{len(found)} × {words[:30]!r}")
        elif said.organization_id != link.connection.organization_id:
            if found[0] < last:
                problems.append(f"out of order: {words[:30]!r}")
            last = found[0]
    wanted = f"{len(originals)} comments, each once, in order"
    return Seen(STEP, name, wanted, "; ".join(problems) or wanted, not problems)


def _original(play: Play, said: Comment) -> str:
    """A distinctive part of a comment as its author's own system holds it."""
    pairing = (
        said.pairings.filter(link__connection__organization=said.organization)
        .select_related("link__connection")
        .first()
    )
    if pairing is not None:
        door = play.stage.doors[pairing.link.connection.connector]
        home = door.ticket(pairing.link.external_id) or {"comments": []}
        for one in home["comments"]:
            if one["id"] == pairing.external_id:
                return _plain(one["text"])[:60]
    return _plain(said.body)[:60]


def _plain(text: str) -> str:
    """Words only: systems keep the same sentence as wiki text, HTML, a document or plain text."""
    bare = unescape(re.sub(r"<[^>]+>", " ", text))
    return " ".join(re.sub(r"[*_`\\]", "", bare).split())
