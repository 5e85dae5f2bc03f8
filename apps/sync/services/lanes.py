"""What a person does with one lane that waits: skip an entry, settle a conflict. Whatever is done is noted."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.access.kernel import require
from apps.access.levels import Level
from apps.foundation import wake
from apps.tickets.actor import Actor, Source
from apps.tickets.services import receive_changes

from ..bases import as_value
from ..engine.merge import Agreement, Verdict
from ..engine.rules import into_hub
from ..engine.settle import agree_to_differ
from ..engine.taking import pending_for
from ..models import Conflict, Intent, LaneAct, TicketLink
from ..store import store
from ..store.rules import published_rules


class NothingWaits(Exception):
    """The lane has nothing that could be skipped or settled."""


def note_acts(links: Collection[UUID], verb: LaneAct.Verb, actor: Actor, at: datetime, note: str) -> None:
    """Put down who did what to lanes, and why."""
    LaneAct.objects.bulk_create(
        LaneAct(
            link_id=pk,
            verb=verb,
            actor=actor.user,
            actor_name=actor.name,
            organization=actor.organization,
            note=note,
            at=at,
        )
        for pk in links
    )


def is_asked(link: TicketLink) -> bool:
    """Whether the lane waits for somebody to choose between two values."""
    return Conflict.objects.filter(link=link, is_open=True).exists()


@transaction.atomic
def skip_entry(*, link: TicketLink, actor: Actor, at: datetime, reason: str) -> TicketLink:
    """Leave out the journal entry at the head of the lane. Raises NothingWaits.

    That it was left out stands in the ticket's journal for all parties; the reason is for who watches the connection.
    """
    require(actor.principal, Level.WRITE, link.connection)
    held = TicketLink.objects.select_for_update(of=("self",)).select_related("ticket", "connection").get(pk=link.pk)
    if held.delivery_hold is None or held.ticket is None or held.applied_seq >= held.ticket.last_seq:
        raise NothingWaits("no entry waits at the head of this lane")
    if held.state == TicketLink.State.CREATING:
        raise NothingWaits("the ticket does not exist in the system yet; correct the cause and retry")
    if is_asked(held):
        raise NothingWaits("the lane waits for an answer to a conflict; settle that")
    held.applied_seq += 1
    _agree_to_differ(held)
    held.delivery_hold, held.attempts, held.due_at = None, 0, at
    held.save()
    held.intents.filter(state=Intent.State.OPEN).update(state=Intent.State.ABSENT, settled_at=at)
    Intent.objects.create(
        link=held,
        seq=held.applied_seq,
        slot="skipped",
        state=Intent.State.WITHHELD,
        note=f"{actor.name}: {reason}",
        created_at=at,
        settled_at=at,
    )
    text = f"Entry {held.applied_seq} was left out for the system of {held.connection.organization}."
    store.note(held, text, now=at)
    note_acts([held.pk], LaneAct.Verb.SKIPPED, actor, at, reason)
    return held


def _agree_to_differ(link: TicketLink) -> None:
    """Take the skipped entry's values for known."""
    rules = published_rules(link.connection)
    assert link.ticket is not None
    skipped = link.ticket.events.get(seq=link.applied_seq)
    if rules is not None:
        values = {name: as_value(after) for name, (_before, after) in skipped.changes.items()}
        link.base = agree_to_differ(link.base, values, skipped.seq, rules)


@transaction.atomic
def settle_conflict(*, conflict: Conflict, choice: str, actor: Actor, at: datetime) -> Conflict:
    """Choose which value holds, *hub* or *system*; also puts a value back that lost earlier (INV-23)."""
    link = (
        TicketLink.objects.select_for_update(of=("self",))
        .select_related("connection__organization", "ticket")
        .get(pk=conflict.link_id)
    )
    require(actor.principal, Level.WRITE, link.connection)
    if choice not in ("hub", "system"):
        raise NothingWaits(f"choice: {choice!r} is not one of hub, system")
    if link.ticket is not None:
        _let_it_hold(link, conflict, choice, actor, at)
    conflict.is_open, conflict.settled_at = False, at
    conflict.verdict = Verdict.TO_HUB if choice == "system" else Verdict.TO_SYSTEM
    conflict.save()
    if not Conflict.objects.filter(link=link, is_open=True).exists():
        TicketLink.objects.filter(pk=link.pk, delivery_hold__cause="conflict").update(delivery_hold=None, due_at=at)
    TicketLink.objects.filter(pk=link.pk).update(look_wanted=F("look_wanted") + 1)
    wake.ring("connection", str(link.connection_id))
    return conflict


def _let_it_hold(link: TicketLink, conflict: Conflict, choice: str, actor: Actor, at: datetime) -> None:
    """Make the chosen value the hub's. While the question is open the system still has its own value and needs no
    write, and the hub's waits in the lane or is mended; of a conflict settled earlier the chosen value is news for it
    like any other."""
    rules = published_rules(link.connection)
    rule = next((one for one in rules.fields if one.key == conflict.rule_key), None) if rules else None
    assert link.ticket is not None
    if rules is None or rule is None:
        return
    if choice == "hub" and conflict.is_open:
        if rule.key not in pending_for(store, link, rules):
            link.repair = sorted({*link.repair, rule.key})
            link.save(update_fields=["repair"])
        return
    value = into_hub(rule, as_value(conflict.system_value)) if choice == "system" else as_value(conflict.hub_value)
    receive_changes(ticket=link.ticket, values={rule.hub: value}, actor=actor, at=at, source=Source())
    if conflict.is_open:
        link.ticket.refresh_from_db()
        base = dict(link.base)
        base[rule.key] = Agreement(value, as_value(conflict.system_value), link.ticket.last_seq)
        link.base = base
        link.save(update_fields=["merge_base"])
