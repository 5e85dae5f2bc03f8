"""After a step: the new merge base, and whether the system really holds what was written (INV-19)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .merge import NEVER, OPEN, Agreement, MergeBase
from .rules import SyncRules
from .snapshot import Fields, Receipt, Value, reads_same

SHORTEST_CUT = 40
"""No system cuts a text to fewer characters: what is shorter and begins alike was written by somebody else."""


@dataclass(frozen=True, slots=True)
class NotSticking:
    """The system did not keep what was written: a rule of its own put the old value back, or the text was cut without
    a word. Not a success, and not to be tried in a loop (F22, INV-27)."""

    key: str
    wanted: Value
    found: Value
    is_cut: bool = False


def is_cut(wanted: Value, stored: Value) -> bool:
    """Whether ``stored`` is the beginning of ``wanted`` and not just its tidied form."""
    if not isinstance(wanted, str) or not isinstance(stored, str):
        return False
    wanted, stored = " ".join(wanted.split()), " ".join(stored.split())
    return bool(stored) and len(stored) < len(wanted) and wanted.startswith(stored)


def is_left_of(wanted: Value, found: Value) -> bool:
    """Whether the system may have made ``found`` of what we wrote: tidied it, or cut it without a word (INV-27)."""
    return reads_same(wanted, found) or (is_cut(wanted, found) and len(str(found).strip()) >= SHORTEST_CUT)


def leaves_no_trace(base: MergeBase, written: Fields, agreements: Mapping[str, Agreement], receipt: Receipt) -> bool:
    """Whether the system, tidied as it is, held all that was written before: then its log will not tell of the write,
    and the same values in it later are somebody else's."""
    if receipt.change_ids:
        return False
    known = {key.split("=", 1)[1]: base[key].system for key in agreements if key in base}
    return all(name in known and known[name] == receipt.stored.get(name, value) for name, value in written.items())


def settle_write(
    base: MergeBase, written: Fields, agreements: Mapping[str, Agreement], receipt: Receipt
) -> tuple[dict[str, Agreement], tuple[NotSticking, ...]]:
    """The merge base after ``written`` was carried out.

    What the system stored is what was agreed on, even where it tidied it: a known difference is not a change. A value
    that is still the old one, or is cut, did not stick.
    """
    after = dict(base)
    not_sticking: list[NotSticking] = []
    for key, agreement in agreements.items():
        name = key.split("=", 1)[1]
        wanted = written.get(name, agreement.system)
        stored = receipt.stored.get(name, wanted)
        before = base.get(key, NEVER)
        if not reads_same(stored, wanted) and key in base and stored == before.system:
            not_sticking.append(NotSticking(key, wanted, stored))
        elif is_cut(wanted, stored):
            not_sticking.append(NotSticking(key, wanted, stored, is_cut=True))
        after[key] = replace(agreement, system=stored)
    return after, tuple(not_sticking)


def agree_to_differ(base: MergeBase, changes: Fields, seq: int, rules: SyncRules) -> dict[str, Agreement]:
    """The merge base when the hub's ``changes`` of journal entry ``seq`` are kept from the system: taken for known, or
    the next comparison of the whole ticket would write them after all."""
    after = dict(base)
    for name, value in changes.items():
        for rule in rules.of_hub(name):
            known = after.get(rule.key, NEVER)
            if seq > known.seq:
                after[rule.key] = Agreement(value, known.system, seq)
    return after


def settle_intake(base: MergeBase, agreements: Mapping[str, Agreement], seq: int) -> dict[str, Agreement]:
    """The merge base after the hub took a change over in journal entry ``seq``."""
    return dict(base) | {
        key: replace(agreement, seq=max(seq, base.get(key, NEVER).seq)) if agreement.seq == OPEN else agreement
        for key, agreement in agreements.items()
    }
