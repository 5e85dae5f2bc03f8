"""Links, their intents, pairings and questions."""

from typing import Any

import pytest
from django.db import IntegrityError

from apps.sync.engine.merge import Agreement, Verdict
from apps.sync.engine.plan import Conflict
from apps.sync.engine.ports import IntentState, LinkState
from apps.sync.engine.snapshot import ExternalRef

from .case import JIRA, NOW, SECOND, ZENDESK, StoreCase

TITLE = "title=subject"
ODD = (None, "", "two  blanks ", "\u00a0é\U0001f469\u200d\U0001f4bb", ("b", "a"), 0, 1.5, True)


class Links(StoreCase):
    def test_a_worker_s_copy_is_not_the_row(self, store: Any) -> None:
        link = self.link(store)
        link.key = "OPS-1"
        assert self.row(store, link).key == ""
        store.save(link, "key")
        assert self.row(store, link).key == "OPS-1"

    def test_only_the_named_columns_are_kept(self, store: Any) -> None:
        link = self.link(store)
        link.key, link.url = "OPS-1", "http://x"
        store.save(link, "key")
        assert (self.row(store, link).key, self.row(store, link).url) == ("OPS-1", "")

    @pytest.mark.parametrize("value", ODD)
    def test_a_base_is_kept_as_it_is(self, store: Any, value: Any) -> None:
        base = {TITLE: Agreement(value, value, 3), "status=status": Agreement("new", 1, -1)}
        link = self.link(store, base=base)
        assert self.row(store, link).base == base
        assert self.claim(store)[0].base == base

    def test_lists_and_holds_are_kept_as_they_are(self, store: Any) -> None:
        hold = {"cause": "rules", "text": "no \u00a0", "field": "title", "value": None, "since": NOW.isoformat()}
        former = [{"id": "5", "key": "OPS-5", "url": ""}]
        link = self.link(store, delivery_hold=hold, intake_hold=hold, repair=[TITLE], former=former, looked_at=NOW)
        row = self.row(store, link)
        assert (row.delivery_hold, row.intake_hold, row.repair) == (hold, hold, [TITLE])
        assert (list(row.former), row.looked_at) == (former, NOW)

    def test_a_ticket_has_one_link_in_a_connection(self, store: Any) -> None:
        ticket = self.ticket(store)
        self.link(store, ticket)
        assert store.add_link(self.connection(store), store.handed(ticket), now=NOW) is None
        assert store.add_link(self.connection(store, JIRA), store.handed(ticket), now=NOW) is not None

    def test_a_new_lane_starts_at_the_journal_s_present_end(self, store: Any) -> None:
        ticket = self.ticket(store)
        self.say(store, ticket)
        link = self.row(store, self.link(store, ticket))
        assert (link.start_seq, link.applied_seq, link.due_at, link.state) == (2, 0, NOW, LinkState.CREATING)
        assert not link.is_behind

    def test_a_ticket_is_sighted_once_and_the_transaction_goes_on(self, store: Any) -> None:
        connection = self.connection(store)
        with store.atomic():
            store.sight(connection, [ExternalRef("7", "OPS-7", "http://x")], NOW, due_at=NOW + SECOND)
            store.sight(connection, [ExternalRef("8"), ExternalRef("7", "OPS-8")], NOW, due_at=NOW)
            store.sight(self.connection(store, JIRA), [ExternalRef("7")], NOW, due_at=NOW)
        known = store.of_external(connection, ["7", "8", "9"])
        assert sorted(known) == ["7", "8"]
        row = store.links[known["7"].pk]
        assert (row.key, row.url, row.look_wanted, row.due_at) == ("OPS-7", "http://x", 1, NOW + SECOND)
        assert (row.state, row.ticket_id) == (LinkState.SIGHTED, None)

    def test_links_are_found_by_the_ids_that_are_known(self, store: Any) -> None:
        mine = self.sighted(store, "7")
        self.sighted(store, "8")
        self.sighted(store, "9", JIRA)
        found = store.of_external(self.connection(store), ["7", "9", "10"])
        assert {key: one.pk for key, one in found.items()} == {"7": mine.pk}
        assert store.of_external(self.connection(store), []) == {}

    def test_a_deleted_link_leaves_ticket_and_id_free(self, store: Any) -> None:
        ticket = self.ticket(store)
        link = self.linked(store, ticket)
        store.delete(link)
        assert link.pk is not None
        assert link.pk not in store.links
        assert self.linked(store, ticket).pk != link.pk

    def test_two_links_cannot_have_one_external_ticket(self, store: Any) -> None:
        self.linked(store)
        other = self.link(store)
        other.external_id = "7"
        with pytest.raises((ValueError, IntegrityError)), store.atomic():
            store.save(other, "external_id")
        assert self.row(store, other).external_id == ""

    def test_hints_are_counted_on_the_row_and_not_on_a_copy(self, store: Any) -> None:
        link = self.sighted(store)
        store.want_looks([(link, "")])
        store.want_looks([(link, "")])
        assert (link.look_wanted, self.row(store, link).look_wanted) == (1, 3)

    def test_the_version_that_is_kept_is_the_last_hint_s(self, store: Any) -> None:
        link = self.linked(store, look_wanted=4, look_done=4)
        store.want_looks([(link, "v1")])
        row = self.row(store, link)
        assert (row.look_wanted, row.hint_count, row.hint_version) == (5, 5, "v1")
        store.want_looks([(link, "v2")])
        row = self.row(store, link)
        assert (row.look_wanted, row.hint_count, row.hint_version) == (6, 6, "v2")
        store.want_looks([(link, "")])
        row = self.row(store, link)
        assert (row.look_wanted, row.hint_count, row.hint_version) == (7, 7, "")

    def test_several_links_are_hinted_at_once_each_with_its_version(self, store: Any) -> None:
        one, other = (self.linked(store, external_id=ref, look_wanted=4, look_done=4) for ref in ("7", "8"))
        busy = self.linked(store, external_id="9", look_wanted=5, look_done=4)
        store.want_looks([(one, "v1"), (other, ""), (busy, "v3")])
        rows = [self.row(store, link) for link in (one, other, busy)]
        assert [(row.look_wanted, row.hint_count, row.hint_version) for row in rows] == [
            (5, 5, "v1"),
            (5, 5, ""),
            (6, 6, "v3"),
        ]

    def test_the_link_beside_is_another_one_to_the_ticket_in_the_same_connection(self, store: Any) -> None:
        ticket = self.ticket(store)
        link = self.link(store, ticket)
        self.link(store, ticket, JIRA)
        sighting = self.sighted(store)
        offered = store.handed(ticket)
        assert store.link_beside(sighting, offered).pk == link.pk
        assert store.link_beside(link, offered) is None

    def test_manners_and_parties_are_those_of_the_connection(self, store: Any) -> None:
        link = self.link(store)
        assert store.parties(link).owner == ZENDESK
        assert store.manners(link) == store.connections[ZENDESK].manners


class Transactions(StoreCase):
    def test_everything_is_taken_back_when_a_block_fails(self, store: Any) -> None:
        ticket = self.ticket(store)
        link = self.link(store, ticket)

        def fail() -> None:
            with store.atomic():
                store.change(ticket.pk, {"title": "#2#"}, at=NOW, origin="")
                store.add_intent(link, seq=1, slot="create", correlation="siam-1", now=NOW)
                store.want_looks([(link, "")])
                store.keep_cursor(self.connection(store), "c9", now=NOW)
                raise LookupError

        with pytest.raises(LookupError):
            fail()
        found = store.tickets[ticket.pk]
        assert (found.fields["title"], found.last_seq, len(found.journal)) == ("#1#", 1, 1)
        assert store.open_intent(link) is None
        assert self.row(store, link).look_wanted == 0
        assert store.cursor(self.connection(store)) != "c9"

    def test_a_block_inside_is_taken_back_alone(self, store: Any) -> None:
        ticket = self.ticket(store)

        def fail() -> None:
            with store.atomic():
                store.change(ticket.pk, {"title": "#3#"}, at=NOW, origin="")
                raise LookupError

        with store.atomic():
            store.change(ticket.pk, {"title": "#2#"}, at=NOW, origin="")
            with pytest.raises(LookupError):
                fail()
        assert store.tickets[ticket.pk].fields["title"] == "#2#"

    def test_a_deletion_taken_back_leaves_the_order_as_it_was(self, store: Any) -> None:
        links = [self.link(store, self.ticket(store)) for _ in range(3)]

        def fail() -> None:
            with store.atomic():
                store.delete(links[0])
                raise LookupError

        with pytest.raises(LookupError):
            fail()
        assert [one.pk for one in self.claim(store)] == [one.pk for one in links]


class Intents(StoreCase):
    def intend(self, store: Any, link: Any, mark: str, state: IntentState = IntentState.OPEN, seq: int = 1) -> Any:
        return store.add_intent(link, seq=seq, slot="update", correlation=mark, state=state, now=NOW)

    def settle(self, store: Any, intent: Any, state: IntentState, *change_ids: str) -> None:
        intent.state, intent.settled_at, intent.change_ids = state, NOW, list(change_ids)
        store.save_intent(intent)

    def test_one_intent_is_open_at_a_time(self, store: Any) -> None:
        link = self.link(store)
        intent = self.intend(store, link, "siam-1")
        with pytest.raises((ValueError, IntegrityError)), store.atomic():
            self.intend(store, link, "siam-2")
        assert store.open_intent(link).correlation == "siam-1"
        self.settle(store, intent, IntentState.ABSENT)
        assert store.open_intent(link) is None
        assert store.intent(link, intent.pk).state == IntentState.ABSENT

    @pytest.mark.parametrize("value", ODD)
    def test_what_is_written_and_agreed_is_kept_as_it_is(self, store: Any, value: Any) -> None:
        link = self.link(store)
        agreed = {TITLE: Agreement(value, value, 1)}
        made = store.add_intent(
            link, seq=1, slot="update", correlation="m", now=NOW, fields={"x": value}, agreed=agreed
        )
        kept = store.intents[made.pk]
        assert dict(kept.fields) == {"x": value}
        assert dict(kept.agreed) == agreed
        assert store.intent(link, made.pk).agreed == agreed

    def test_what_is_over_from_the_start_is_settled(self, store: Any) -> None:
        link = self.link(store)
        made = self.intend(store, link, "", IntentState.WITHHELD)
        assert made.settled_at == NOW
        assert store.open_intent(link) is None
        assert self.intend(store, link, "siam-1").settled_at is None

    def test_a_step_is_done_for_its_entry_once_it_is_applied(self, store: Any) -> None:
        link = self.link(store)
        self.settle(store, self.intend(store, link, "siam-1"), IntentState.APPLIED)
        self.settle(store, self.intend(store, link, "siam-2"), IntentState.REFUSED)
        self.settle(store, self.intend(store, link, "siam-3", seq=2), IntentState.APPLIED)
        self.intend(store, link, "siam-4")
        assert set(store.applied_marks(link, 1)) == {"siam-1"}
        assert set(store.applied_marks(link, 2)) == {"siam-3"}

    def test_writes_may_come_back_that_took_effect_or_may_have(self, store: Any) -> None:
        link, other = self.linked(store), self.link(store)
        for mark in ("siam-1", "siam-2"):
            self.settle(store, self.intend(store, link, mark), IntentState.APPLIED)
        self.settle(store, self.intend(store, link, "siam-3"), IntentState.REFUSED)
        self.settle(store, self.intend(store, link, "siam-4"), IntentState.REFUSED, "c4")
        self.settle(store, self.intend(store, other, "siam-5"), IntentState.APPLIED)
        assert self.unseen(store, link) == ["siam-1", "siam-2", "siam-4"]

        store.mark_seen(link, {"siam-1", "siam-5"}, NOW)

        assert self.unseen(store, link) == ["siam-2", "siam-4"]
        assert self.unseen(store, link, "siam-1", "siam-3", "siam-9") == ["siam-1", "siam-2", "siam-3", "siam-4"]
        assert self.unseen(store, other) == ["siam-5"]

    def unseen(self, store: Any, link: Any, *marks: str) -> list[str]:
        return [one.correlation for one in store.unseen_writes(link, frozenset(marks))]

    def test_a_write_is_waited_for_only_so_long(self, store: Any) -> None:
        link = self.linked(store)
        self.settle(store, self.intend(store, link, "siam-1"), IntentState.APPLIED)
        store.mark_seen(link, set(), NOW)
        assert self.unseen(store, link) == ["siam-1"]
        store.mark_seen(link, set(), NOW + SECOND)
        assert self.unseen(store, link) == []

    def test_a_link_knows_its_own_marks(self, store: Any) -> None:
        link, other = self.linked(store), self.link(store)
        self.intend(store, link, "siam-1")
        self.intend(store, other, "siam-2")
        assert set(store.marks_among(link, {"siam-1", "siam-2", "siam-3"})) == {"siam-1"}

    @pytest.mark.parametrize(("slot", "is_creation"), [("create", True), ("follow-up", True), ("update", False)])
    def test_a_creation_whose_outcome_is_not_settled_is_under_way(
        self, store: Any, slot: str, is_creation: bool
    ) -> None:
        link = self.link(store)
        made = store.add_intent(link, seq=1, slot=slot, correlation="siam-1", now=NOW)
        assert store.is_creating(self.connection(store), NOW) == is_creation
        assert not store.is_creating(self.connection(store), NOW - SECOND)
        assert not store.is_creating(self.connection(store, JIRA), NOW)
        self.settle(store, made, IntentState.APPLIED)
        assert not store.is_creating(self.connection(store), NOW)


class Pairs(StoreCase):
    def test_comments_and_files_are_paired_apart_and_once(self, store: Any) -> None:
        ticket = self.ticket(store)
        self.say(store, ticket)
        link = self.linked(store, ticket)
        (event,) = store.events_after(link, 1)
        store.pair_comment(link, event.comment.id, "c1")
        store.pair_comment(link, event.comment.id, "c2")
        assert set(store.paired_comments(link)) == {"c1"}
        assert set(store.paired_files(link)) == set()

    def found(self, key: str, verdict: Verdict) -> Conflict:
        return Conflict(key, "here", ("a", "b"), Agreement(None, None, 0), verdict, NOW, "Ana")

    def test_questions_are_closed_by_their_rules(self, store: Any) -> None:
        link, other = self.linked(store), self.link(store)
        for key in (TITLE, "status=state"):
            store.add_conflict(link, self.found(key, Verdict.ASK), now=NOW, is_open=True)
        store.add_conflict(link, self.found("site=site", Verdict.TO_HUB), now=NOW, is_open=False)
        store.add_conflict(other, self.found(TITLE, Verdict.ASK), now=NOW, is_open=True)

        assert not store.close_questions(link, {"site=site"}, NOW)
        assert not store.close_questions(link, {TITLE}, NOW), "one is left"
        assert not store.close_questions(link, {TITLE}, NOW), "it was closed before"
        assert store.close_questions(link, {"status=state"}, NOW)
        assert len(store.asked[other.pk]) == 1
        assert [one.is_open for one in store.conflicts.values() if one.link_pk == link.pk] == [False] * 3

    def test_both_values_of_a_conflict_are_kept(self, store: Any) -> None:
        link = self.linked(store)
        store.add_conflict(link, self.found(TITLE, Verdict.TO_SYSTEM), now=NOW, is_open=False)
        (kept,) = store.conflicts.values()
        assert (kept.hub_value, kept.system_value, kept.verdict) == ("here", ("a", "b"), Verdict.TO_SYSTEM)
