"""What the parties say about a brake, and putting back what went through before it tripped (M10, INV-26)."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from apps.access.kernel import Forbidden, require
from apps.access.levels import Level
from apps.ecosystem.selectors import principal_of
from apps.foundation import wake
from apps.tickets import services as tickets
from apps.tickets.actor import Actor, Source
from apps.tickets.selectors import read_fields
from apps.tickets.services import FieldNotUsable

from ..bases import as_value
from ..engine import grave
from ..engine.braking import CAUSE
from ..engine.grave import Grave, Side, Undo, grave_in_system, undo_of
from ..engine.merge import Agreement
from ..engine.ports import DELIVERS
from ..engine.rules import ExpressionFailed, RuleGap, SyncRules, into_system
from ..models import Brake, BrakeAnswer, GraveAct, GraveCount, TicketLink
from ..selectors.braking import parties_answered_by
from ..store.braking import REMEMBERED, WithParty, keep_count, who_must_answer
from .lanes import NothingWaits
from .operating import Done
from .ruling import published_rules

KEPT = timedelta(days=1)
LISTS_KEPT = timedelta(days=90)
_Standing = GraveAct.Standing


def answer_brake(*, brake: Brake, choice: str, actor: Actor, at: datetime, note: str = "") -> Brake:
    """Say for one's organization whether the stopped acts may go on; with both parties' word they do.

    One party alone keeps them stopped. Raises NothingWaits once the brake is released or over, Forbidden for anybody
    who may not answer for a party of it.
    """
    with transaction.atomic():
        held = _answer(brake, choice, actor, at, note)
    # Apart: whoever counts holds a link first, and nobody may wait for it with the count in hand.
    if held.state == Brake.State.RELEASED:
        _resume(held, held.acts.filter(standing=_Standing.ALLOWED), at)
    else:
        _name_party(held)
    return held


def _answer(brake: Brake, choice: str, actor: Actor, at: datetime, note: str) -> Brake:
    # Who is about to stop an act is through before, and nobody stops one behind a brake that is released meanwhile.
    keep_count(brake.connection)
    held = _read(brake)
    _require_party(held, actor)
    if choice not in BrakeAnswer.Choice.values:
        raise NothingWaits(f"choice: {choice!r} is not one of {', '.join(BrakeAnswer.Choice.values)}")
    if not held.is_in_force:
        raise NothingWaits(f"this brake is {held.get_state_display()}; nothing waits behind it any more")
    BrakeAnswer.objects.update_or_create(
        brake=held,
        organization=actor.organization,
        defaults={"choice": choice, "note": note, "actor": actor.user, "actor_name": actor.name, "at": at},
    )
    _decide(held, at)
    return held


def _read(brake: Brake) -> Brake:
    return Brake.objects.select_related("connection__organization").get(pk=brake.pk)


def _require_party(brake: Brake, actor: Actor) -> None:
    require(actor.principal, Level.READ, brake)
    if actor.organization not in parties_answered_by(actor.principal, brake):
        names = " and ".join(party.name for party in brake.asked)
        raise Forbidden(f"{names} answer for this brake, by people who may act on its lanes")


def _decide(brake: Brake, at: datetime) -> None:
    said = dict(brake.answers.values_list("organization", "choice"))
    asked = [said.get(party.pk) for party in brake.asked]
    if BrakeAnswer.Choice.KEEP_STOPPED in asked:
        brake.state = Brake.State.REFUSED
    elif all(choice == BrakeAnswer.Choice.LET_THROUGH for choice in asked):
        brake.state = Brake.State.RELEASED
    else:
        brake.state = Brake.State.TRIPPED
    brake.decided_at = None if brake.state == Brake.State.TRIPPED else at
    brake.save()
    if brake.state == Brake.State.RELEASED:
        stopped = brake.acts.filter(standing__in=[_Standing.STOPPED, _Standing.REFUSED])
        stopped.update(standing=_Standing.ALLOWED, settled_at=at)


def _resume(brake: Brake, acts: QuerySet[GraveAct], at: datetime) -> None:
    """Let the lanes of ``acts`` be judged again: what is still too much is held again."""
    rows = TicketLink.objects.filter(Exists(acts.filter(link=OuterRef("pk"))), connection=brake.connection_id)
    sent = rows.filter(delivery_hold__cause=CAUSE).update(delivery_hold=None, attempts=0, due_at=at)
    looks = {"intake_hold": None, "look_wanted": F("look_wanted") + 1, "attempts": 0, "due_at": at}
    if sent + rows.filter(intake_hold__cause=CAUSE).update(**looks):
        wake.ring("connection", str(brake.connection_id))


def _name_party(brake: Brake) -> None:
    """The lanes name the party whose word is missing."""
    party = who_must_answer(brake)
    stopped = brake.acts.filter(link=OuterRef("pk"), standing=_Standing.STOPPED)
    rows = TicketLink.objects.filter(Exists(stopped), connection=brake.connection_id)
    for name in ("delivery_hold", "intake_hold"):
        rows.filter(**{f"{name}__cause": CAUSE}).update(**{name: WithParty(name, party)})


# --- Putting back -----------------------------------------------------------------------------------------------------


def put_back(*, brake: Brake, actor: Actor, at: datetime) -> Done:
    """It was a fault. What went through before the brake tripped is undone: the hub's old values are ordinary journal
    entries again, a system gets its value once more, a detached ticket is followed again. What a system lost is given
    back to it; everything else that was stopped is judged anew.

    Raises NothingWaits unless a party keeps the acts stopped. What cannot be put back stays and says why.
    """
    held = _read(brake)
    _require_party(held, actor)
    if held.state != Brake.State.REFUSED:
        raise NothingWaits("say first that the acts are to be kept stopped; then what went through can be put back")
    rules = published_rules(held.connection)
    refused: dict[UUID, str] = {}
    number = 0
    for act in held.acts.filter(standing=_Standing.CARRIED_OUT).order_by("-pk"):
        try:
            with transaction.atomic():
                _undo(act, rules, actor, at)
        except (NothingWaits, FieldNotUsable, Forbidden, RuleGap, ExpressionFailed) as problem:
            refused[act.link_id] = str(problem)
        else:
            number += 1
    stopped = held.acts.filter(standing=_Standing.STOPPED)
    with transaction.atomic():
        _resume(held, stopped, at)
        stopped.filter(into=Side.HUB).exclude(kind=Grave.DETACH).update(standing=_Standing.REFUSED, settled_at=at)
    return Done(number, refused)


def _undo(act: GraveAct, rules: SyncRules | None, actor: Actor, at: datetime) -> None:
    whole = TicketLink.objects.select_related("ticket", "connection__machine", "connection__organization")
    link = whole.select_for_update(of=("self",)).get(pk=act.link_id)
    assert link.ticket is not None
    done = as_engine_act(act)
    undo = undo_of(done, as_value(read_fields(link.ticket).get(act.field, "")))
    if undo is Undo.NOTHING:
        raise NothingWaits("somebody has written another value since")
    if undo is Undo.ENTRY:
        # The connection did it and its right undoes it; the journal names the person.
        by = replace(actor, principal=principal_of(link.connection.machine))
        values = {act.field: act.hub_before}
        tickets.receive_changes(ticket=link.ticket, values=values, actor=by, at=at, source=Source())
    elif undo is Undo.REPAIR:
        _repair(link, act, rules)
    elif link.state == TicketLink.State.DETACHED:
        link.state, link.look_wanted, link.compare_wanted = TicketLink.State.LINKED, link.look_wanted + 1, True
    link.due_at = at
    link.save(update_fields=["repair", "state", "look_wanted", "compare_wanted", "due_at"])
    if not GraveAct.objects.filter(pk=act.pk, standing=act.standing).update(standing=_Standing.PUT_BACK, settled_at=at):
        raise NothingWaits("somebody else has put it back at the same moment")


def _repair(link: TicketLink, act: GraveAct, rules: SyncRules | None) -> None:
    rule = next((one for one in rules.fields if one.key == act.key and one.goes_in), None) if rules else None
    if rules is None or rule is None:
        raise NothingWaits("the rules in force do not bring this field into the system; publish rules that do")
    here = as_value(read_fields(link.ticket).get(rule.hub, "")) if link.ticket else ""
    would = {rule.key: Agreement(here, into_system(rule, here).value, link.applied_seq)}
    was = {rule.key: Agreement(as_value(act.hub_before), as_value(act.before), 0)}
    if grave_in_system(would, was, rules):
        raise NothingWaits("the rules in force would do the same again; correct and publish them, then put back")
    link.repair = sorted({*link.repair, rule.key})


def as_engine_act(act: GraveAct) -> grave.GraveAct:
    """The row as the engine judges it."""
    return grave.GraveAct(
        Grave(act.kind),
        Side(act.into),
        act.key,
        act.field,
        as_value(act.before),
        as_value(act.after),
        as_value(act.hub_before),
    )


# --- By itself --------------------------------------------------------------------------------------------------------


def tend_brakes(*, now: datetime) -> int:
    """End the brakes that a party keeps on and behind which nothing waits any more; how many. Lanes that a released one
    still holds, because its release was cut short, go on."""
    for brake in Brake.objects.filter(state=Brake.State.RELEASED, decided_at__gt=now - KEPT):
        other = GraveAct.objects.filter(link=OuterRef("link"), standing=_Standing.STOPPED)
        _resume(brake, brake.acts.filter(~Exists(other), standing=_Standing.ALLOWED), now)
    waits = Q(link__delivery_hold__cause=CAUSE) | Q(link__intake_hold__cause=CAUSE)
    waits |= Q(link__look_wanted__gt=F("link__look_done")) | ~Q(link__repair=[])
    waits |= Q(link__state__in=DELIVERS, link__ticket__last_seq__gt=F("link__applied_seq"))
    open_acts = GraveAct.objects.filter(waits, standing__in=[_Standing.STOPPED, _Standing.REFUSED])
    ended = 0
    for brake in Brake.objects.filter(state=Brake.State.REFUSED).select_related("connection"):
        with transaction.atomic():
            keep_count(brake.connection)
            brake.refresh_from_db(fields=["state"])
            if brake.state == Brake.State.REFUSED and not open_acts.filter(brake=brake).exists():
                brake.state = Brake.State.OVER
                brake.save()
                ended += 1
    return ended


def prune_grave_acts(*, now: datetime) -> int:
    """Remove acts on no brake's list after a day, lists of what was decided after ninety, counts after two weeks; how
    many acts."""
    window = int((now - REMEMBERED).timestamp()) // grave.WINDOW_SECONDS
    GraveCount.objects.filter(window__lt=window).delete()
    decided = Q(brake__decided_at__lt=now - LISTS_KEPT) & ~Q(brake__state__in=Brake.IN_FORCE)
    return GraveAct.objects.filter(decided | Q(brake=None, at__lt=now - KEPT)).delete()[0]
