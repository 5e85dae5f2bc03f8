"""The drill of the brake: it passes, and brakes that do not do their part are caught by it (M10, INV-26)."""

from collections.abc import Callable
from typing import Any

import pytest

from apps.sync.engine import braking as engine
from apps.sync.engine import grave
from apps.sync.simulation import brakes
from apps.sync.simulation.braking import FAULTS
from apps.sync.simulation.drills import drill
from apps.sync.simulation.faults import SYSTEMS


def test_every_fault_stops_after_a_handful_and_ends_either_way() -> None:
    outcome = drill("brake", "a")
    assert outcome.broken == ""
    assert len(outcome.parts) == len(FAULTS) * len(SYSTEMS)
    for name, figures in outcome.parts.items():
        assert figures["carried out before it stopped"] <= 10, name
        assert figures["carried out before it stopped"] + figures["stopped"] == 40, name


def never_trips(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engine, "is_too_many", lambda _tally: False)


def forgets_to_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(brakes.MemoryBrakes, "note_grave", lambda *_given, **_named: None)


def lets_everything_through_once_tripped(patch: pytest.MonkeyPatch) -> None:
    real = brakes.MemoryBrakes.tally

    def tally(self: Any, link: Any, act: Any, *, now: Any) -> Any:
        found = real(self, link, act, now=now)
        return grave.Tally(answer=grave.Standing.ALLOWED) if found is not None and found.is_braked else found

    patch.setattr(brakes.MemoryBrakes, "tally", tally)


def judges_the_intake_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("apps.sync.engine.deciding.grave_in_system", lambda *_given, **_named: [])


def judges_the_delivery_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(engine, "grave_in_hub", lambda *_given: [])


def detaches_unasked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("apps.sync.engine.settling.brake_detachment", lambda *_given, **_named: None)


def puts_nothing_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(brakes, "undo_of", lambda *_given: grave.Undo.NOTHING)


def takes_a_refusal_for_a_release(patch: pytest.MonkeyPatch) -> None:
    real = brakes.MemoryBrakes.tally

    def tally(self: Any, link: Any, act: Any, *, now: Any) -> Any:
        found = real(self, link, act, now=now)
        is_refused = found is not None and found.answer is grave.Standing.REFUSED
        return grave.Tally(answer=grave.Standing.ALLOWED) if is_refused else found

    patch.setattr(brakes.MemoryBrakes, "tally", tally)


@pytest.mark.parametrize(
    "defect",
    [
        never_trips,
        forgets_to_count,
        lets_everything_through_once_tripped,
        judges_the_intake_alone,
        judges_the_delivery_alone,
        detaches_unasked,
        puts_nothing_back,
        takes_a_refusal_for_a_release,
    ],
)
def test_a_brake_that_does_not_do_its_part_is_caught(
    defect: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    defect(monkeypatch)
    assert drill("brake", "a").broken != ""
