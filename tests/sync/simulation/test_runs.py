"""The simulated world: clean with fixed seeds, the same again with the same seed, and honest about what it tried."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.sync.simulation.drills import DRILLS, drill
from apps.sync.simulation.faults import CATALOG, Coverage
from apps.sync.simulation.running import run
from apps.sync.simulation.shrinking import breaks, shrink, tell
from apps.sync.simulation.watch import SAFETY

from .defects import DEFECTS, Defect
from .exam import catch, planted

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("seed", ["first", "second", "third"])
def test_twenty_thousand_moves_break_nothing(seed: str) -> None:
    verdict = run(seed, 20_000)

    assert verdict.broken is None, str(verdict.broken)
    assert verdict.moves == 20_000
    assert sum(verdict.coverage.hits.values()) > 200


def test_the_same_seed_gives_the_same_trace() -> None:
    assert run("again", 4_000).trace == run("again", 4_000).trace
    assert run("again", 4_000).trace != run("other", 4_000).trace


def test_the_trace_does_not_depend_on_the_process() -> None:
    def trace(hash_seed: str) -> str:
        code = (
            "import django, logging; django.setup(); logging.disable(logging.CRITICAL);"
            "from apps.sync.simulation.running import run; print(run('process', 3000).trace)"
        )
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "DJANGO_SETTINGS_MODULE": "siamportal.settings"}
        made = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        return made.stdout.strip()

    assert trace("1") == trace("2") != ""


def test_every_fault_has_its_cells() -> None:
    numbers = [fault.number for fault in CATALOG]

    assert len(numbers) == len(set(numbers))
    assert len(Coverage().empty()) == sum(len(one.operations) * len(one.systems) for one in CATALOG)


def test_every_invariant_has_a_number_of_its_own() -> None:
    numbers = [one.number for one in SAFETY]

    assert 0 not in numbers
    assert len(numbers) == len(set(numbers))


def test_a_story_is_made_short_and_told() -> None:
    defect = next(one for one in DEFECTS if one.told == "no echo is recognized")
    with planted(defect):
        verdict = run("short", 20_000)
        assert verdict.broken is not None
        story = shrink(verdict.world, verdict.story, verdict.broken.number, seconds=10.0)
        told, broken = tell(verdict.world, story)

        assert breaks(verdict.world, story, verdict.broken.number)
        assert 0 < len(story) < len(verdict.story)
        assert 0 < len(told) <= len(story)
        assert broken is not None and broken.number == verdict.broken.number


@pytest.mark.parametrize(
    "told",
    [
        "acknowledged before applied",
        "passes over one entry too many",
        "the log is read backwards",
        "everything is taken for an echo",
        "a 500 is final",
        "a stale version is final",
        "a tie is won by nobody",
        "a wait that a system asks for is forgotten",
        "what is kept back leaves its length",
    ],
)
def test_a_planted_defect_is_caught(told: str) -> None:
    assert catch(_defect(told), moves=12_000) is not None


def _defect(told: str) -> Defect:
    return next(one for one in DEFECTS if one.told == told)


def test_there_are_at_least_thirty_defects_to_plant() -> None:
    assert len({one.told for one in DEFECTS}) >= 30


def test_every_defect_is_planted_in_something_that_there_is() -> None:
    assert [one.told for one in DEFECTS if not hasattr(one.place, one.name)] == []


@pytest.mark.parametrize("name", sorted(DRILLS))
def test_a_drill_is_passed(name: str) -> None:
    outcome = drill(name, "drill", size=3, points=6)

    assert outcome.is_passed, outcome.broken
    assert sum(len(part) for part in outcome.parts.values()) >= 3


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("outage", "no answer is final"),
        ("rings", "no echo is recognized"),
        ("ties", "a tie is won by nobody"),
        ("twins", "what is kept back leaves its length"),
    ],
)
def test_a_drill_is_not_passed_by_a_broken_engine(name: str, told: str) -> None:
    with planted(_defect(told)):
        assert not drill(name, "drill", size=3).is_passed
