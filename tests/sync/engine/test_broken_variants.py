"""The laws are worth what they catch: engines that are broken on purpose, each found by a named law.

Several of these faults were in the engine until a law found them. Each variant prints a line: variant, law, examples.
"""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from apps.sync.engine import deliver, intake, recovery, settle
from apps.sync.engine.plan import Delivery, Step, UpdateRemote
from apps.sync.engine.recovery import Outcome
from apps.sync.engine.snapshot import Visibility

from . import chance
from . import test_laws as laws
from . import test_recovery as recovery_laws
from .model import Do, Lane, Portal, Recover

MOST = 1000
LAWS = ("agrees", "is_told_once", "is_in_order", "is_well_told_apart", "is_quiet", "rest")


Patch = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Variant:
    """``law`` None: the world in which everything must agree in the end; else one law by itself."""

    name: str
    patch: Patch
    law: Any = None
    portal: type[Portal] = Portal


# --- Broken engines ---------------------------------------------------------------------------------------------------


def patching(module: Any, name: str, make: Callable[[Any], Any]) -> Patch:
    return lambda monkeypatch: monkeypatch.setattr(module, name, make(getattr(module, name)))


def nothing(_monkeypatch: pytest.MonkeyPatch) -> None:
    pass


def without_own(_real: Any) -> Any:
    return lambda changes, own: intake.Sorted(tuple(changes), (), tuple(changes), frozenset())


def without_spending(real: Any) -> Any:
    return lambda changes, own: replace(real(changes, own), spent=frozenset())


def without_pending(real: Any) -> Any:
    return lambda change, base, hub, pending, rules, **rest: real(change, base, hub, {}, rules, **rest)


def without_seq(real: Any) -> Any:
    def plan(event: Any, base: Any, rules: Any, view: Any) -> Delivery:
        return real(event, {key: replace(one, seq=0) for key, one in base.items()}, rules, view)

    return plan


def with_zero_for_open(real: Any) -> Any:
    """The fault that a law found: 0 stood for *still open* and for *never agreed on*."""

    def settle_intake(base: Any, agreements: Any, seq: int) -> Any:
        opened = {key: replace(one, seq=-1) if one.seq == 0 else one for key, one in agreements.items()}
        return real(base, opened, seq)

    return settle_intake


def without_entries_of_fields(real: Any) -> Any:
    return lambda events: replace(real(events), set_by={})


def without_empty_agreements(real: Any) -> Any:
    def plan(*given: Any) -> tuple[Step, ...]:
        create, *rest = real(*given)
        kept = {key: one for key, one in create.agreements.items() if one.system not in (None, "")}
        return (replace(create, agreements=kept), *rest)

    return plan


def everything_public(_real: Any) -> Any:
    return lambda audience, rules: Visibility.PUBLIC


def regardless_of_pairs(real: Any) -> Any:
    return lambda comment, rules: real(replace(comment, is_paired=False), rules)


def unaware_of_overtaking(_real: Any) -> Any:
    return lambda changes, ours: {}


def believing_late_receipts(_real: Any) -> Any:
    return lambda base, left, rules: dict(base)


def taking_sight_for_stored(_real: Any) -> Any:
    return lambda written, now, ours: {name: now[name] for name in written if name in now}


def never_cut(_real: Any) -> Any:
    return lambda wanted, stored: False


def without_rewinding(_real: Any) -> Any:
    return lambda fields, later: dict(fields)


def forgetting_what_is_known(real: Any) -> Any:
    """The fault that a law found: a look between a write and the end of its entry took the known rest for pending."""

    def plan(event: Any, base: Any, rules: Any, view: Any) -> Delivery:
        made = real(event, base, rules, view)
        steps = tuple(
            replace(step, agreements={key: one for key, one in step.agreements.items() if key not in made.agreements})
            if isinstance(step, UpdateRemote)
            else step
            for step in made.steps
        )
        return replace(made, steps=steps)

    return plan


def without_the_from_value(_real: Any) -> Any:
    return lambda rule, held, before, after: False


def tracing_everything(_real: Any) -> Any:
    return lambda base, written, agreements, receipt: False


def never_an_excerpt(_real: Any) -> Any:
    return lambda rule, full, shortened: False


class RepeatsWithoutLooking(Portal):
    def recover(self, lane: Lane, work: Recover) -> Any:
        return Outcome.ABSENT, None


class AdvancesBeforeTheStep(Portal):
    def intend(self, lane: Lane, seq: int, step: Step, slot: str) -> Do:
        made = super().intend(lane, seq, step, slot)
        lane.applied_seq = max(lane.applied_seq, seq)
        return made


class PassesOverBeforeTheLastStep(Portal):
    def pass_over(self, lane: Lane, seq: int, delivery: Delivery) -> None:
        super().pass_over(lane, min(seq + 1, len(self.journal)), delivery)


class CountsAbsentAsApplied(Portal):
    def recover(self, lane: Lane, work: Recover) -> Any:
        outcome, receipt = super().recover(lane, work)
        return (Outcome.APPLIED, lane.system._receipt({}, ())) if outcome is Outcome.ABSENT else (outcome, receipt)


class AgreesWithoutTheSystem(Portal):
    """Writes down what it wanted instead of what the system stored."""

    def _settle_step(self, lane: Lane, attempt: Any, receipt: Any) -> None:
        super()._settle_step(lane, attempt, replace(receipt, stored={}))


VARIANTS = [
    Variant("no echo check", patching(intake, "set_own_aside", without_own)),
    Variant("own writes looked for after they came back", patching(intake, "set_own_aside", without_spending)),
    Variant(
        "what is pending is not compared",
        patching(intake, "apply", without_pending),
        laws.test_the_loser_of_a_conflict_is_kept,
    ),
    Variant(
        "seq rule dropped",
        patching(deliver, "plan_event", without_seq),
        laws.test_entries_that_an_agreement_covers_write_nothing,
    ),
    Variant("0 for an open seq", patching(settle, "settle_intake", with_zero_for_open)),
    Variant(
        "coalesced entries lose their seq",
        patching(deliver, "coalesce", without_entries_of_fields),
        laws.test_several_entries_as_one_are_the_last_state,
    ),
    Variant("unknown visibility is public", patching(deliver, "_visibility", everything_public)),
    Variant("paired comments are told again", patching(deliver, "_plan_comment", regardless_of_pairs)),
    Variant("an overtaken edit is taken over", patching(intake, "find_overtaken", unaware_of_overtaking)),
    Variant(
        "a late receipt is believed",
        patching(intake, "as_we_left_it", believing_late_receipts),
        laws.test_an_edit_right_after_our_write_is_news_even_if_the_receipt_showed_it,
    ),
    Variant("a person's later value passes for ours", patching(recovery, "stored_by", taking_sight_for_stored)),
    Variant("what is known is agreed on only at the end", patching(deliver, "plan_event", forgetting_what_is_known)),
    Variant(
        "the from value is ignored",
        patching(intake, "_leads_away", without_the_from_value),
        laws.test_a_change_away_from_what_we_wrote_is_news_even_if_the_base_has_it,
    ),
    Variant(
        "a write that changed nothing is waited for",
        patching(settle, "leaves_no_trace", tracing_everything),
        laws.test_only_a_write_that_changed_something_is_waited_for,
    ),
    Variant("repeats without looking", nothing, portal=RepeatsWithoutLooking),
    Variant(
        "looks into the log without knowing earlier writes",
        patching(intake, "set_own_aside", without_own),
        laws.test_an_earlier_write_is_no_proof_of_a_later_one,
    ),
    Variant("advances before the step", nothing, portal=AdvancesBeforeTheStep),
    Variant("passes over one entry too many", nothing, portal=PassesOverBeforeTheLastStep),
    Variant("a lost call counts as done", nothing, portal=CountsAbsentAsApplied),
    Variant("agrees on what it wanted, not on what is stored", nothing, portal=AgreesWithoutTheSystem),
    Variant(
        "empty fields are never agreed on",
        patching(deliver, "plan_creation", without_empty_agreements),
        laws.test_a_creation_agrees_on_every_field_even_on_empty_ones,
    ),
    Variant(
        "a cut text is accepted",
        patching(settle, "is_cut", never_cut),
        laws.test_a_text_that_the_system_cut_does_not_count_as_delivered,
    ),
    Variant(
        "a shortened text replaces the full one",
        patching(intake, "is_excerpt", never_an_excerpt),
        laws.test_a_shortened_text_never_replaces_the_full_one,
    ),
    Variant(
        "nothing is taken back",
        patching(deliver, "rewind", without_rewinding),
        laws.test_rewinding_the_hub_undoes_its_later_entries,
    ),
    Variant(
        "a later value counts as stored",
        patching(recovery_laws, "stored_by", taking_sight_for_stored),
        recovery_laws.test_somebody_else_s_value_never_passes_for_what_we_wrote,
    ),
]


# --- Finding them -----------------------------------------------------------------------------------------------------


def worlds_until_it_breaks(portal: type[Portal]) -> tuple[int, str]:
    """How many worlds until one of the laws at rest breaks, and which. Always the same worlds."""
    for seed in range(MOST):
        try:
            chance.play(seed, portal)
        except AssertionError as broken:
            frames = [frame.name for frame in traceback.extract_tb(broken.__traceback__)]
            return seed + 1, next(name for name in reversed(frames) if name in LAWS)
    raise LookupError(f"not found in {MOST} worlds")


def examples_until_it_breaks(law: Any) -> tuple[int, str]:
    seen = 0
    real = law.hypothesis.inner_test

    def counted(**given: Any) -> None:
        nonlocal seen
        seen += 1
        real(**given)

    law.hypothesis.inner_test = counted
    try:
        with pytest.raises(AssertionError):
            law()
    finally:
        law.hypothesis.inner_test = real
    return seen, law.__name__.removeprefix("test_")


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[tuple[str, str, int]]]:
    rows: list[tuple[str, str, int]] = []
    yield rows
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    reporter.write_line(f"\n{'variant':<52}{'caught by':<66}examples")
    for variant, law, examples in rows:
        reporter.write_line(f"{variant:<52}{law:<66}{examples:>8}")


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_broken_engine_is_caught(
    variant: Variant, table: list[tuple[str, str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    variant.patch(monkeypatch)
    found = worlds_until_it_breaks(variant.portal) if variant.law is None else examples_until_it_breaks(variant.law)
    needed, law = found
    table.append((variant.name, law, needed))
    assert 0 < needed <= MOST
