"""How connections are, what is counted of grave acts, and how a store breaks in a simulated world."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from apps.sync.engine.grave import Grave, GraveAct, Side, Standing, Tally
from apps.sync.engine.recovery import OPENS_AFTER
from apps.sync.engine.snapshot import ExternalRef, NoticeHint
from apps.sync.simulation.brittle import Killed, StoreDown

from .case import JIRA, NOW, SECOND, ZENDESK, StoreCase

BLANKED = GraveAct(Grave.BLANK, Side.HUB, "site=site", "custom.site", "Rome", "", "Rome")


class Pulses(StoreCase):
    def pulse(self, store: Any, name: str = ZENDESK) -> Any:
        return store.connections[name].pulse

    def fail(self, store: Any, times: int, *, again: bool = False, at: datetime = NOW) -> None:
        for _ in range(times):
            store.note_failure(self.connection(store), "answered 503", now=at, jitter=0.5, again=again)

    def test_the_breaker_opens_after_several_failures_and_longer_each_time(self, store: Any) -> None:
        self.fail(store, OPENS_AFTER - 1)
        assert self.pulse(store).resting_until is None
        self.fail(store, 1)
        first = self.pulse(store).resting_until
        # What was under way when it opened is part of the same outage.
        self.fail(store, 3)
        assert (self.pulse(store).failures, self.pulse(store).resting_until) == (OPENS_AFTER, first)
        self.fail(store, 1, at=first)
        assert self.pulse(store).resting_until - first > first - NOW
        assert (self.pulse(store).failures, self.pulse(store, JIRA).failures) == (OPENS_AFTER + 1, 0)

    def test_a_call_that_goes_through_closes_it(self, store: Any) -> None:
        self.fail(store, OPENS_AFTER)
        store.note_success(self.connection(store), now=NOW)
        assert (self.pulse(store).failures, self.pulse(store).resting_until) == (0, None)
        self.fail(store, 1)
        store.note_success(self.connection(store), now=NOW)
        assert self.pulse(store).failures == 0

    def test_a_lane_that_fails_again_says_nothing_of_a_system_that_answers(self, store: Any) -> None:
        self.fail(store, 1, again=True)
        assert self.pulse(store).failures == 0
        self.fail(store, 1)
        self.fail(store, 1, again=True)
        assert self.pulse(store).failures == 2

    def test_the_longest_wait_that_was_asked_for_counts(self, store: Any) -> None:
        for seconds in (20, 5, 30, 10):
            until = NOW + timedelta(seconds=seconds)
            store.wait_until(self.connection(store), until, "answered 429", now=NOW)
        assert self.pulse(store).limited_until == NOW + timedelta(seconds=30)

    def test_a_connection_in_use_is_put_on_hold_and_another_stays_as_it_is(self, store: Any) -> None:
        store.update(store.connections[JIRA], state="paused")
        for name in (ZENDESK, JIRA):
            store.put_on_hold(self.connection(store, name), "answered 401", now=NOW)
        assert [store.connections[name].state for name in (ZENDESK, JIRA)] == ["on_hold", "paused"]

    def test_a_cursor_is_kept_with_its_transaction(self, store: Any) -> None:
        connection = self.connection(store)
        store.keep_cursor(connection, "c1", now=NOW)

        def fail() -> None:
            with store.atomic():
                store.keep_cursor(connection, "c2", now=NOW)
                assert store.cursor(connection) == "c2"
                raise LookupError

        with pytest.raises(LookupError):
            fail()
        assert store.cursor(connection) == self.pulse(store).cursor == "c1"
        assert store.cursor(self.connection(store, JIRA)) != "c1"

    def test_a_notice_is_stored_once(self, store: Any) -> None:
        first, second = (NoticeHint(name, (ExternalRef("7"),)) for name in ("d1", "d2"))
        connection = self.connection(store)
        with store.atomic():
            assert store.keep_notices(connection, [first], now=NOW) == [True]
            assert store.keep_notices(connection, [second, first, second], now=NOW + SECOND) == [True, False, False]
            assert store.keep_notices(self.connection(store, JIRA), [first], now=NOW) == [True]

    def test_a_restored_connection_catches_up_until_all_was_asked_for_and_read(self, store: Any) -> None:
        assert not store.is_catching_up(self.connection(store))
        store.update(self.pulse(store), behind_until=NOW + SECOND)
        link = self.sighted(store)
        assert link.is_behind
        store.end_catching_up(self.connection(store), now=NOW)
        assert store.is_catching_up(self.connection(store))
        store.end_catching_up(self.connection(store), now=NOW + SECOND)
        assert self.pulse(store).behind_until is None
        assert store.is_catching_up(self.connection(store)), "a ticket is not read yet"
        link.is_behind = False
        store.save(link, "is_behind")
        assert not store.is_catching_up(self.connection(store))


class Brakes(StoreCase):
    @pytest.fixture
    def braked(self, store: Any) -> Any:
        for name in (ZENDESK, JIRA):
            store.update(store.connections[name], handful=2)
        return store

    def links(self, store: Any, number: int) -> list[Any]:
        return [self.linked(store, self.ticket(store), external_id=str(one)) for one in range(number)]

    def test_a_connection_without_a_handful_has_no_brake(self, store: Any) -> None:
        link = self.linked(store)
        store.note_grave(link, BLANKED, Standing.CARRIED_OUT, now=NOW)
        assert store.tally(link, BLANKED, now=NOW) is None

    def test_tickets_are_counted_and_not_acts_and_not_one_s_own(self, braked: Any) -> None:
        first, second, third = self.links(braked, 3)
        with braked.atomic():
            for link in (first, first, second):
                braked.note_grave(link, BLANKED, Standing.CARRIED_OUT, now=NOW)
            assert braked.tally(third, BLANKED, now=NOW) == Tally(2, 0, 2)
            assert braked.tally(second, BLANKED, now=NOW) == Tally(1, 0, 2)

    @pytest.mark.parametrize("other", [{"kind": Grave.CLOSE}, {"into": Side.SYSTEM}])
    def test_each_kind_into_each_side_is_counted_for_itself(self, braked: Any, other: dict[str, Any]) -> None:
        first, second = self.links(braked, 2)
        words = {name: getattr(BLANKED, name) for name in GraveAct.__dataclass_fields__}
        with braked.atomic():
            braked.note_grave(first, BLANKED, Standing.CARRIED_OUT, now=NOW)
            assert braked.tally(second, GraveAct(**words | other), now=NOW).recent == 0

    def test_what_is_long_past_does_not_count(self, braked: Any) -> None:
        first, second = self.links(braked, 2)
        with braked.atomic():
            braked.note_grave(first, BLANKED, Standing.CARRIED_OUT, now=NOW)
            assert braked.tally(second, BLANKED, now=NOW + timedelta(minutes=11)).recent == 0
            assert braked.tally(second, BLANKED, now=NOW + timedelta(minutes=9)).recent == 1

    def test_a_brake_stops_all_of_its_kind_in_its_connection(self, braked: Any) -> None:
        first, second = self.links(braked, 2)
        elsewhere = self.linked(braked, name=JIRA)
        with braked.atomic():
            braked.note_grave(first, BLANKED, Standing.CARRIED_OUT, now=NOW)
            braked.trip(second, BLANKED, "too many", now=NOW)
            assert braked.stop(second, BLANKED, now=NOW) == ZENDESK
            assert braked.stop(second, BLANKED, now=NOW + SECOND) == ZENDESK
            assert braked.tally(first, BLANKED, now=NOW).is_braked
            assert not braked.tally(elsewhere, BLANKED, now=NOW).is_braked


class Breaking(StoreCase):
    """A simulated world's store breaks between verbs, whichever keeps its rows."""

    def change(self, store: Any, ticket: Any) -> None:
        with store.atomic():
            store.change(ticket.pk, {"title": "#2#"}, at=NOW, origin="")
            store.change(ticket.pk, {"title": "#3#"}, at=NOW, origin="")

    @pytest.mark.parametrize(("fuse", "problem"), [(1, Killed), (2, StoreDown)])
    def test_whatever_breaks_takes_its_transaction_with_it(self, store: Any, fuse: int, problem: Any) -> None:
        ticket = self.ticket(store)
        store.fuse, store.breaks = fuse, problem
        with pytest.raises(problem):
            self.change(store, ticket)
        assert store.tickets[ticket.pk].fields["title"] == "#1#"
        self.change(store, ticket)
        assert store.tickets[ticket.pk].fields["title"] == "#3#"

    def test_a_commit_may_not_be_learnt_of(self, store: Any) -> None:
        ticket = self.ticket(store)
        store.dies_after_commit = True
        with pytest.raises(Killed):
            self.change(store, ticket)
        assert store.died_after_commit
        assert store.tickets[ticket.pk].fields["title"] == "#3#"

    def test_nothing_is_written_while_it_is_read_only(self, store: Any) -> None:
        ticket = self.ticket(store)
        store.is_read_only = True
        with pytest.raises(StoreDown):
            self.change(store, ticket)
        assert not store.renew("x")
        store.is_read_only = False
        assert store.tickets[ticket.pk].fields["title"] == "#1#"

    def test_what_is_noted_beside_it_goes_back_with_it(self, store: Any) -> None:
        notes: dict[str, int] = {"a": 1}

        def fail() -> None:
            with store.atomic():
                store.remember(notes, "a", 2)
                store.remember(notes, "b", 2)
                raise LookupError

        with pytest.raises(LookupError):
            fail()
        assert notes == {"a": 1}
