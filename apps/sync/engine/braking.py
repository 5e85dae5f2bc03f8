"""The blast-radius brake: a mass of grave acts stops after a handful and asks the parties, with the list (M10, INV-26).

Judged before an act takes effect, counted in the transaction in which it does. Nothing is asked about ordinary news.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from .grave import (
    DETACHMENT,
    GraveAct,
    Standing,
    grave_in_hub,
    in_words,
    is_too_many,
    keys_of,
    why_tripped,
)
from .holding import make_hold
from .merge import NEVER, Agreement
from .plan import Intake
from .ports import LinkRow, Store

CAUSE = "brake"


class Braked(Exception):
    """A grave act that is not carried out; ``party`` must answer for it."""

    def __init__(self, act: GraveAct, party: str) -> None:
        super().__init__(f"{in_words(act)}; too many tickets meet the same at once, and the brake has stopped it")
        self.act = act
        self.party = party


def brake(store: Store, link: LinkRow, acts: Sequence[GraveAct], *, now: datetime) -> list[GraveAct]:
    """Let ``acts`` pass, or raise Braked; returns those that the parties refused, which are never carried out."""
    refused = []
    for act in acts:
        tally = store.tally(link, act, now=now)
        if tally is None or tally.answer is Standing.ALLOWED:
            continue
        if tally.answer is Standing.REFUSED:
            refused.append(act)
        elif tally.is_braked or is_too_many(tally):
            if not tally.is_braked:
                store.trip(link, act, why_tripped(tally, act.kind), now=now)
            raise Braked(act, store.stop(link, act, now=now))
    return refused


def note(store: Store, link: LinkRow, acts: Sequence[GraveAct], *, now: datetime) -> None:
    """Count acts that take effect in this transaction."""
    for act in acts:
        store.note_grave(link, act, Standing.CARRIED_OUT, now=now)


def hold_for_brake(store: Store, link: LinkRow, braked: Braked, *, now: datetime, is_intake: bool = False) -> None:
    """The lane waits until the parties have answered; everybody else's goes on."""
    remedy = "look at the list under Brakes and answer there: let them through, or keep them stopped"
    name = "intake_hold" if is_intake else "delivery_hold"
    hold = make_hold(CAUSE, str(braked), party=braked.party, remedy=remedy, now=now, field=braked.act.field)
    setattr(link, name, hold)
    store.save(link, name)


def brake_intake(store: Store, link: LinkRow, intake: Intake, *, now: datetime) -> tuple[Intake, list[GraveAct]]:
    """``intake`` without what the parties refused, and what is grave about the rest. Raises Braked.

    A refused value stays the system's alone; the hub keeps its own, and the system gets that again.
    """
    acts = grave_in_hub(intake.values, store.hub_fields(link), intake.agreements) if intake.values else []
    if not acts:
        return intake, []
    refused = brake(store, link, acts, now=now)
    if not refused:
        return intake, acts
    agreements, mended = dict(intake.agreements), set(link.repair)
    for act in refused:
        store.note_grave(link, act, Standing.PUT_BACK, now=now)
        for key in keys_of(act.field, intake.agreements):
            held = link.base.get(key, NEVER)
            agreements[key] = Agreement(held.hub, intake.agreements[key].system, held.seq)
            mended.add(key)
    link.repair = sorted(mended)
    gone = {act.field for act in refused}
    values = {name: value for name, value in intake.values.items() if name not in gone}
    return replace(intake, values=values, agreements=agreements), [act for act in acts if act not in refused]


def brake_detachment(store: Store, link: LinkRow, *, now: datetime) -> None:
    """Judge and count a link that is about to be detached. Raises Braked."""
    if link.ticket_id is None:
        return
    # The journal's end first, as everywhere: two who wait for each other would be one too many.
    store.lock_ticket(link)
    brake(store, link, [DETACHMENT], now=now)
    note(store, link, [DETACHMENT], now=now)
