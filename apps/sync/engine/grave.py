"""Grave acts: what blanks a field, detaches a link, closes or re-opens a ticket, and how many of them are too many.

One of them is everyday business. Hundreds at once are a release gone wrong or a system gone empty (INV-26, M10).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .merge import NEVER, OPEN, Agreement, MergeBase
from .rules import SyncRules
from .snapshot import Fields, Value

STATUS = "status"
OVER = ("resolved", "closed")
"""The hub's statuses in which nobody works on a ticket any more."""
WINDOW_SECONDS = 600
TIMES_USUAL = 5


class Grave(StrEnum):
    BLANK = "blank"
    DETACH = "detach"
    CLOSE = "close"
    REOPEN = "reopen"


class Side(StrEnum):
    """Where an act takes effect."""

    HUB = "hub"
    SYSTEM = "system"


class Standing(StrEnum):
    """What became of a grave act: *allowed* and *refused* are the parties' answers about one that was stopped."""

    CARRIED_OUT = "carried_out"
    STOPPED = "stopped"
    ALLOWED = "allowed"
    REFUSED = "refused"
    PUT_BACK = "put_back"


@dataclass(frozen=True, slots=True)
class GraveAct:
    """One grave act on one link. ``key`` is the rule's, ``field`` the hub's; both are empty for a detachment.

    ``before`` and ``after`` in the words of the side where it takes effect; ``hub_before`` is the value that the hub
    had when both sides last agreed, by which the act is put back.
    """

    kind: Grave
    into: Side
    key: str = ""
    field: str = ""
    before: Value = None
    after: Value = None
    hub_before: Value = None


DETACHMENT = GraveAct(Grave.DETACH, Side.HUB)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many tickets of a connection met an act of one kind: ``recent`` others within the window, ``busiest`` in the
    busiest like window of the last weeks; ``handful`` are never asked about. ``answer`` is what the parties said about
    this very act."""

    recent: int = 0
    busiest: int = 0
    handful: int = 0
    is_braked: bool = False
    answer: Standing | None = None


def is_too_many(tally: Tally) -> bool:
    """Whether one more ticket is one too many: more than a handful, and far more than is usual on this connection."""
    return tally.recent + 1 > max(tally.handful, TIMES_USUAL * tally.busiest)


def is_blank(value: Value) -> bool:
    """Whether a value says nothing."""
    return value is None or value == () or (isinstance(value, str) and not value.strip())


def _blanks(before: Value, after: Value) -> bool:
    return is_blank(after) and not is_blank(before)


def _turn(before: Value, after: Value) -> Grave | None:
    """Whether a ticket is closed or re-opened by going from one of the hub's statuses to another."""
    if (before in OVER) == (after in OVER) or is_blank(before) or is_blank(after):
        return None
    return Grave.CLOSE if after in OVER else Grave.REOPEN


def grave_in_hub(values: Mapping[str, Value], hub: Fields, agreements: MergeBase) -> list[GraveAct]:
    """What is grave about the hub taking over ``values``."""
    found = []
    for field, after in values.items():
        before = hub.get(field, "")
        kind = _turn(before, after) if field == STATUS else None
        if kind is None and _blanks(before, after):
            kind = Grave.BLANK
        if kind is not None:
            key = next((key for key in keys_of(field, agreements)), "")
            found.append(GraveAct(kind, Side.HUB, key, field, before, after, before))
    return found


def keys_of(field: str, agreements: MergeBase) -> list[str]:
    """The rules by which the hub takes over a field."""
    return [key for key, one in agreements.items() if one.seq == OPEN and key.split("=", 1)[0] == field]


def grave_in_system(
    agreements: MergeBase, base: MergeBase, rules: SyncRules, *, is_by_hand: bool = False
) -> list[GraveAct]:
    """What is grave about a system getting what ``agreements`` say.

    What somebody did in the portal ``is_by_hand``: it is meant, and counts only where the rules make more of it than
    was done.
    """
    found = []
    for rule in rules.fields:
        agreed, held = agreements.get(rule.key), base.get(rule.key, NEVER)
        if agreed is None or rule.key not in base or agreed.system == held.system:
            continue
        kind = _into_system(agreed, held, rule.to_hub or {}, is_by_hand) if rule.hub == STATUS else None
        if kind is None and _blanks(held.system, agreed.system) and not (is_by_hand and is_blank(agreed.hub)):
            kind = Grave.BLANK
        if kind is not None:
            found.append(GraveAct(kind, Side.SYSTEM, rule.key, rule.hub, held.system, agreed.system, held.hub))
    return found


def _into_system(agreed: Agreement, held: Agreement, to_hub: Mapping[Value, Value], is_by_hand: bool) -> Grave | None:
    said = _turn(held.hub, agreed.hub)
    # A release that names the statuses wrongly shows only in what the system's word means.
    meant = _turn(held.hub, to_hub.get(agreed.system, agreed.hub))
    return meant if is_by_hand and meant is not said else None if is_by_hand else said or meant


class Undo(StrEnum):
    """How a grave act that took effect is put back."""

    ENTRY = "entry"
    """The hub's old value, as an ordinary journal entry for all."""
    REPAIR = "repair"
    """The hub's present value once more into the system."""
    LOOK = "look"
    """Follow the system's ticket again, if it is there."""
    NOTHING = "nothing"
    """Somebody has written another value since."""


def undo_of(act: GraveAct, present: Value) -> Undo:
    """What puts ``act`` back, given the hub's present value of its field."""
    if act.kind is Grave.DETACH:
        return Undo.LOOK
    is_gone = _turn(act.hub_before, present) is act.kind if act.field == STATUS else _blanks(act.hub_before, present)
    if is_gone:
        return Undo.ENTRY
    return Undo.REPAIR if act.into is Side.SYSTEM else Undo.NOTHING


def in_words(act: GraveAct) -> str:
    """What an act would do, for those who decide about it."""
    if act.kind is Grave.DETACH:
        return "the link would be detached"
    where = "in the portal" if act.into is Side.HUB else "in the system"
    what = {Grave.BLANK: "emptied", Grave.CLOSE: "closed", Grave.REOPEN: "re-opened"}[act.kind]
    return f"{act.field} {act.before!r} → {act.after!r}: it would be {what} {where}"


def why_tripped(tally: Tally, kind: Grave) -> str:
    """Why the brake on acts of this kind trips now."""
    acts = {Grave.BLANK: "emptied", Grave.DETACH: "detached", Grave.CLOSE: "closed", Grave.REOPEN: "re-opened"}
    return (
        f"{tally.recent + 1} tickets would be {acts[kind]} within {WINDOW_SECONDS // 60} minutes; "
        f"at most {tally.busiest} were in any like time of the last two weeks, and {tally.handful} pass unasked"
    )
