"""Two stores, one contract: what holds for the simulation's memory holds for the database (INV-44)."""

from collections.abc import Iterator

import pytest

from apps.sync.simulation.brittle import BrittleMemory
from apps.sync.simulation.throwaway import present_database
from apps.sync.simulation.world import StoreKind

from . import claims, hub, lanes, pulses


class _InMemory:
    @pytest.fixture
    def kind(self) -> StoreKind:
        return BrittleMemory


class _InTheDatabase:
    @pytest.fixture
    def kind(self, db: None) -> Iterator[StoreKind]:
        with present_database() as kind:
            yield kind


class TestClaimsInMemory(_InMemory, claims.Claims):
    pass


class TestClaimsInTheDatabase(_InTheDatabase, claims.Claims):
    pass


class TestLinksInMemory(_InMemory, lanes.Links):
    pass


class TestLinksInTheDatabase(_InTheDatabase, lanes.Links):
    pass


class TestTransactionsInMemory(_InMemory, lanes.Transactions):
    pass


class TestTransactionsInTheDatabase(_InTheDatabase, lanes.Transactions):
    pass


class TestIntentsInMemory(_InMemory, lanes.Intents):
    pass


class TestIntentsInTheDatabase(_InTheDatabase, lanes.Intents):
    pass


class TestPairsInMemory(_InMemory, lanes.Pairs):
    pass


class TestPairsInTheDatabase(_InTheDatabase, lanes.Pairs):
    pass


class TestJournalInMemory(_InMemory, hub.Journal):
    pass


class TestJournalInTheDatabase(_InTheDatabase, hub.Journal):
    pass


class TestIntakeInMemory(_InMemory, hub.Intake):
    pass


class TestIntakeInTheDatabase(_InTheDatabase, hub.Intake):
    pass


class TestPulsesInMemory(_InMemory, pulses.Pulses):
    pass


class TestPulsesInTheDatabase(_InTheDatabase, pulses.Pulses):
    pass


class TestBrakesInMemory(_InMemory, pulses.Brakes):
    pass


class TestBrakesInTheDatabase(_InTheDatabase, pulses.Brakes):
    pass


class TestBreakingInMemory(_InMemory, pulses.Breaking):
    pass


class TestBreakingInTheDatabase(_InTheDatabase, pulses.Breaking):
    pass
