"""Equal seeds give equal logs, whichever store keeps the rows (INV-44)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from apps.ecosystem.models import Organization
from apps.sync.models import TicketLink
from apps.sync.simulation.faults import Coverage
from apps.sync.simulation.running import run
from apps.sync.simulation.store import MemoryStore
from apps.sync.simulation.throwaway import present_database
from apps.sync.simulation.world import StoreKind, World

MOVES = 400
SEED = "stores"


@pytest.fixture
def in_database(db: None) -> Iterator[StoreKind]:
    with present_database() as kind:
        yield kind


def test_the_same_seed_gives_the_same_log_in_memory_and_in_the_database(in_database: StoreKind) -> None:
    here: list[str] = []
    there: list[str] = []
    memory = run(SEED, MOVES, a_world=MOVES // 2, log=here)
    database = run(SEED, MOVES, a_world=MOVES // 2, log=there, store=in_database)

    assert memory.broken is database.broken is None
    differing = next((pair for pair in zip(here, there, strict=False) if pair[0] != pair[1]), None)
    assert differing is None
    assert memory.trace == database.trace
    verbs = {line.split("'")[1] for line in here}
    assert verbs >= {"entry", "add_intent", "save_and_release", "request", "effect", "keep_cursor", "edit_here", "link"}
    assert TicketLink.objects.exists(), "the rows of the last world are there"


def test_a_store_that_differs_is_told_by_the_log(in_database: StoreKind, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = MemoryStore.sight

    def a_second_late(self: Any, connection: Any, refs: Any, now: Any, *, due_at: Any) -> None:
        sound(self, connection, refs, now, due_at=due_at + timedelta(seconds=1))

    monkeypatch.setattr(MemoryStore, "sight", a_second_late)
    assert run(SEED, MOVES // 4).trace != run(SEED, MOVES // 4, store=in_database).trace


def test_a_world_leaves_a_database_alone_that_somebody_uses(in_database: StoreKind) -> None:
    Organization.objects.create(name="Infinity", slug="infinity", layer=Organization.Layer.CUSTOMER)

    with pytest.raises(RuntimeError, match="in use"):
        World("theirs", Coverage(), store=in_database)
    assert Organization.objects.count() == 1
