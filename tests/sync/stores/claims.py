"""Who acts on which lane, and whose lane has something to do (INV-7)."""

from datetime import timedelta
from typing import Any

import pytest

from apps.sync.engine.claims import CLAIM_SECONDS
from apps.sync.engine.ports import LinkState

from .case import NOW, SECOND, StoreCase

LAPSED = NOW + timedelta(seconds=CLAIM_SECONDS + 1)
HOLD = {"cause": "rejected", "text": "no", "since": "2026"}


class Claims(StoreCase):
    def test_a_lane_that_owes_is_claimed_once(self, store: Any) -> None:
        link = self.link(store)

        (mine,) = self.claim(store)

        assert (mine.pk, mine.ticket_id, mine.state) == (link.pk, link.ticket_id, LinkState.CREATING)
        assert self.row(store, link).claimed_by == mine.claimed_by != ""
        assert self.claim(store) == []

    def test_another_connection_s_lanes_are_not_claimed(self, store: Any) -> None:
        self.link(store)
        assert self.claim(store, "azure_devops2") == []

    def test_those_are_claimed_first_that_were_due_first_and_made_first(self, store: Any) -> None:
        links = [self.link(store, self.ticket(store), due_at=NOW - at * SECOND) for at in (1, 3, 3, 2)]
        first, second, third, fourth = links

        assert [one.pk for one in self.claim(store, most=3)] == [second.pk, third.pk, fourth.pk]
        assert [one.pk for one in self.claim(store)] == [first.pk]

    def test_a_lane_that_the_caller_is_still_at_is_left_out_though_its_claim_has_lapsed(self, store: Any) -> None:
        slow, other = self.link(store), self.link(store, self.ticket(store))
        store.release(*[one for one in self.claim(store) if one.pk == other.pk])
        connection = self.connection(store)
        lapsed = store.claim(connection, now=LAPSED, most=9, without={str(slow.pk)})
        assert [one.pk for one in lapsed] == [other.pk]

    def test_a_lane_is_not_claimed_before_it_is_due(self, store: Any) -> None:
        self.link(store, due_at=NOW + SECOND)
        assert self.claim(store) == []
        assert len(self.claim(store, at=NOW + SECOND)) == 1

    def test_a_claim_lapses_and_its_holder_is_not_mistaken_for_the_next(self, store: Any) -> None:
        self.link(store)
        (mine,) = self.claim(store)
        (theirs,) = self.claim(store, at=LAPSED)

        with store.atomic():
            assert store.still_held(mine) is None
        store.release(mine)
        with store.atomic():
            assert store.still_held(theirs).pk == theirs.pk

    def test_a_claim_given_back_is_free(self, store: Any) -> None:
        self.link(store)
        store.release(*self.claim(store))
        assert len(self.claim(store)) == 1

    def test_a_claim_is_renewed_from_now_on(self, world: Any, store: Any) -> None:
        self.link(store)
        (mine,) = self.claim(store, at=world.now)
        world.pass_time(CLAIM_SECONDS - 1)
        assert store.renew(mine.claimed_by)
        world.pass_time(CLAIM_SECONDS - 1)
        assert self.claim(store, at=world.now) == []
        world.pass_time(2.0)
        assert len(self.claim(store, at=world.now)) == 1

    def test_what_is_held_is_the_link_as_it_is_now(self, store: Any) -> None:
        self.linked(store, look_wanted=1)
        (mine,) = self.claim(store)
        store.want_looks([(mine, "")])
        mine.key = "OPS-9"
        with store.atomic():
            held = store.still_held(mine)
        assert (held.look_wanted, held.key) == (2, "")

    def test_all_columns_are_kept_and_the_claim_given_back(self, store: Any) -> None:
        link = self.linked(store, look_wanted=1)
        with store.atomic():
            held = self.held(store, link)
            held.key, held.look_done = "OPS-9", 1
            store.save_and_release(held)
        row = self.row(store, link)
        assert (row.key, row.look_done, row.claimed_by, row.claimed_until) == ("OPS-9", 1, "", None)

    def test_a_link_that_was_deleted_meanwhile_is_not_made_again(self, store: Any) -> None:
        link = self.linked(store, look_wanted=1)
        (mine,) = self.claim(store)
        store.delete(mine)
        with store.atomic():
            assert store.still_held(mine) is None
        store.save_and_release(mine)
        store.save(mine)
        store.release(mine)
        assert link.pk not in store.links

    def test_saving_a_copy_leaves_the_claim_alone(self, store: Any) -> None:
        """A round may change a link that another one holds: a ticket was merged into one of its own."""
        link = self.linked(store, look_wanted=1)
        (mine,) = self.claim(store)
        link.key = "OPS-9"
        store.save(link)
        row = self.row(store, link)
        assert (row.key, row.claimed_by) == ("OPS-9", mine.claimed_by)

    @pytest.mark.parametrize(
        ("columns", "is_due"),
        [
            ({}, False),
            ({"look_wanted": 1}, True),
            ({"look_wanted": 1, "intake_hold": HOLD}, False),
            ({"look_wanted": 1, "delivery_hold": HOLD}, True),
            ({"look_wanted": 1, "state": LinkState.DETACHED}, True),
            ({"look_wanted": 1, "external_id": ""}, False),
            ({"applied_seq": 0}, True),
            ({"applied_seq": 0, "delivery_hold": HOLD}, False),
            ({"applied_seq": 0, "intake_hold": HOLD}, True),
            ({"applied_seq": 0, "state": LinkState.OUT_OF_SCOPE}, False),
            ({"applied_seq": 0, "state": LinkState.DETACHED}, False),
            ({"applied_seq": 0, "is_behind": True}, False),
            ({"applied_seq": 0, "is_behind": True, "external_id": "", "state": LinkState.CREATING}, True),
            ({"repair": ["title=subject"]}, True),
            ({"repair": ["title=subject"], "delivery_hold": HOLD}, False),
        ],
    )
    def test_what_is_due(self, store: Any, columns: dict[str, Any], is_due: bool) -> None:
        self.linked(store, **columns)
        assert bool(self.claim(store)) == is_due

    @pytest.mark.parametrize(
        ("columns", "is_due"),
        [({}, True), ({"delivery_hold": HOLD, "intake_hold": HOLD}, True), ({"state": LinkState.DETACHED}, False)],
    )
    def test_an_outcome_that_is_not_known_is_due_even_in_a_lane_that_is_held(
        self, store: Any, columns: dict[str, Any], is_due: bool
    ) -> None:
        link = self.linked(store, look_wanted=1)
        with store.atomic():
            held = self.held(store, link)
            store.add_intent(held, seq=1, slot="update", correlation="siam-1", now=NOW)
            for column, value in {"look_done": 1, **columns}.items():
                setattr(held, column, value)
            store.save_and_release(held)
        assert bool(self.claim(store)) == is_due
