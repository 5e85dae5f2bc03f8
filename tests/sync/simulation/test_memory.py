"""The store in memory: transactions that undo everything, copies instead of rows, and one link per ticket."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.sync.engine.ports import IntentState, LinkState
from apps.sync.engine.snapshot import ExternalRef
from apps.sync.simulation.faults import Coverage
from apps.sync.simulation.memory import Killed, StoreDown
from apps.sync.simulation.store import MemoryStore
from apps.sync.simulation.world import World

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def store() -> MemoryStore:
    made = World("memory", Coverage(), kinds=("jira", "zendesk", "azure_devops")).store
    made.add_ticket("T1", "jira0", {"title": "#1#"}, NOW)
    return made


def link_in(store: MemoryStore):
    link = store.add_link(store.connections["jira0"], "T1", now=NOW)
    assert link is not None
    return link


class TestTransactions:
    def test_everything_is_taken_back_when_a_block_fails(self, store: MemoryStore) -> None:
        link = link_in(store)

        def fail() -> None:
            with store.atomic():
                store.change("T1", {"title": "#2#"}, at=NOW, origin="")
                store.add_intent(link, seq=1, slot="create", correlation="siam-1", now=NOW)
                store.want_look(link)
                raise StoreDown

        with pytest.raises(StoreDown):
            fail()
        assert store.tickets["T1"].fields["title"] == "#1#"
        assert len(store.tickets["T1"].journal) == store.tickets["T1"].last_seq == 1
        assert store.open_intent(link) is None
        assert store.links[link.pk].look_wanted == 0

    def test_a_block_inside_is_taken_back_alone(self, store: MemoryStore) -> None:
        def fail() -> None:
            with store.atomic():
                store.change("T1", {"title": "#3#"}, at=NOW, origin="")
                raise StoreDown

        with store.atomic():
            store.change("T1", {"title": "#2#"}, at=NOW, origin="")
            with pytest.raises(StoreDown):
                fail()

        assert store.tickets["T1"].fields["title"] == "#2#"

    def test_a_fuse_kills_between_two_statements(self, store: MemoryStore) -> None:
        store.fuse = 2
        with pytest.raises(Killed), store.atomic():
            store.change("T1", {"title": "#2#"}, at=NOW, origin="")

        assert store.tickets["T1"].fields["title"] == "#1#"
        assert store.tickets["T1"].last_seq == 1

    def test_nothing_is_written_while_it_is_read_only(self, store: MemoryStore) -> None:
        store.is_read_only = True

        with pytest.raises(StoreDown):
            store.change("T1", {"title": "#2#"}, at=NOW, origin="")


class TestLinks:
    def test_a_worker_s_copy_is_not_the_row(self, store: MemoryStore) -> None:
        link = link_in(store)
        link.key = "OPS-1"
        assert store.links[link.pk].key == ""
        store.save(link, "key")
        assert store.links[link.pk].key == "OPS-1"

    def test_a_ticket_is_sighted_once(self, store: MemoryStore) -> None:
        connection = store.connections["jira0"]
        assert store.sight(connection, ExternalRef("7"), NOW, due_at=NOW)
        assert not store.sight(connection, ExternalRef("7"), NOW, due_at=NOW)

    def test_a_claimed_lane_is_nobody_else_s_until_the_claim_lapses(self, store: MemoryStore) -> None:
        link_in(store)
        connection = store.connections["jira0"]
        (mine,) = store.claim(connection, now=NOW, most=9)
        assert store.claim(connection, now=NOW, most=9) == []
        (theirs,) = store.claim(connection, now=NOW + timedelta(seconds=16), most=9)
        assert store.still_held(mine) is None
        assert store.still_held(theirs) is not None

    def test_one_intent_is_open_at_a_time(self, store: MemoryStore) -> None:
        link = link_in(store)
        intent = store.add_intent(link, seq=1, slot="create", correlation="siam-1", now=NOW)
        with pytest.raises(ValueError, match="one open intent"):
            store.add_intent(link, seq=1, slot="update", correlation="siam-2", now=NOW)
        intent.state = IntentState.APPLIED
        store.save_intent(intent)
        assert store.open_intent(link) is None
        assert store.applied_marks(link, 1) == {"siam-1"}
        assert [one.correlation for one in store.unseen_writes(link, ())] == ["siam-1"]
        store.mark_seen(link, {"siam-1"}, NOW)
        assert store.unseen_writes(link, ()) == []

    def test_a_deleted_link_leaves_its_ticket_free(self, store: MemoryStore) -> None:
        link = link_in(store)
        store.delete(link)
        assert link.pk not in store.links
        assert link_in(store).state is LinkState.CREATING
