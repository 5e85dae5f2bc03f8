"""The theory, one small function: who changed a field since both sides agreed on it (design 3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .rules import Tiebreak
from .snapshot import Value


@dataclass(frozen=True, slots=True)
class Agreement:
    """How each side of one field looked when they last agreed, one value per side, because systems tidy what we send.

    ``seq`` is the journal entry up to which the hub's value is covered: older entries about this field are superseded.
    """

    hub: Value
    system: Value
    seq: int


OPEN = -1
"""The ``seq`` of an agreement whose journal entry is still to be written. Not 0: that is a field never agreed on."""

MergeBase = Mapping[str, Agreement]
"""Rule key → agreement. A key that is missing was never agreed on."""

NEVER = Agreement(None, None, 0)


class Verdict(StrEnum):
    AGREED = "agreed"
    TO_SYSTEM = "to_system"
    TO_HUB = "to_hub"
    ASK = "ask"


def judge(base: Agreement, hub: Value, system: Value, tiebreak: Tiebreak, *, system_is_later: bool) -> Verdict:
    """Compare one field on both sides with what was agreed.

    Nobody changed it, or both to what the base knows: agreed. One hand is no fight: the other side takes it over. Both
    hands: the rule's tiebreak, which looks at ``system_is_later`` only for *latest*.
    """
    ours, theirs = differs(hub, base.hub), differs(system, base.system)
    if not ours and not theirs:
        return Verdict.AGREED
    if ours and not theirs:
        return Verdict.TO_SYSTEM
    if theirs and not ours:
        return Verdict.TO_HUB
    return break_tie(tiebreak, system_is_later=system_is_later)


def differs(value: Value, agreed: Value) -> bool:
    """Whether a side changed. An empty text and nothing at all are the same; every other difference counts."""
    return value != agreed and not (value in (None, "") and agreed in (None, ""))


def break_tie(tiebreak: Tiebreak, *, system_is_later: bool) -> Verdict:
    if tiebreak is Tiebreak.ASK:
        return Verdict.ASK
    if tiebreak is Tiebreak.LATEST:
        return Verdict.TO_HUB if system_is_later else Verdict.TO_SYSTEM
    return Verdict.TO_HUB if tiebreak is Tiebreak.SYSTEM else Verdict.TO_SYSTEM
