"""What the simulation found in the engine, each as a story of a few lines (the seeds that told it are gone)."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.sync.engine.deciding import decide_work
from apps.sync.engine.hearing import accept_changed, accept_notices
from apps.sync.engine.merge import Agreement
from apps.sync.engine.plan import AddRemoteComment, FollowUp, UpdateRemote, correlation_of
from apps.sync.engine.ports import IntentState, LinkState
from apps.sync.engine.recovery import Failure, FailureKind, Outcome, settle_unknown_write, stored_by
from apps.sync.engine.rules import Closed, Companion, Tiebreak
from apps.sync.engine.settling import settle
from apps.sync.engine.snapshot import (
    Attachment,
    Changed,
    ExternalRef,
    NoticeHint,
    Receipt,
    RemoteChange,
    TicketSnapshot,
    Visibility,
)
from apps.sync.engine.work import Do, Done, Failed, Look, Looked, Recover, Recovered
from apps.sync.simulation.brittle import StoreDown
from apps.sync.simulation.faults import Coverage
from apps.sync.simulation.rows import Said
from apps.sync.simulation.store import MemoryStore
from apps.sync.simulation.world import World

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
CLOSED = ExternalRef("7", "OPS-7")


@pytest.fixture
def store() -> MemoryStore:
    world = World("found", Coverage(), kinds=("zendesk", "jira", "jira"), is_plain=True)
    world.store.watch = None
    world.store.add_ticket("T1", "zendesk0", {"title": "#1#"}, NOW)
    return world.store


def linked(store: MemoryStore, ticket: str = "T1", **columns: Any):
    connection = store.connections["zendesk0"]
    if ticket not in store.tickets:
        store.add_ticket(ticket, "jira1", {"kind": "incident", "title": "#2#"}, NOW)
    link = store.add_link(connection, ticket, now=NOW)
    assert link is not None
    for name, value in {"state": LinkState.LINKED, "external_id": CLOSED.id, "applied_seq": 1, **columns}.items():
        setattr(link, name, value)
    store.save(link)
    return link


def claimed(store: MemoryStore):
    (link,) = store.claim(store.connections["zendesk0"], now=NOW, most=1)
    return link


class TestFormerTickets:
    """A ticket that was followed up is named again by every overlapping page: it is no new one (INV-4)."""

    @pytest.fixture
    def followed_up(self, store: MemoryStore) -> MemoryStore:
        link = linked(store, is_closed=True)
        intent = store.add_intent(link, seq=2, slot="follow-up", correlation="siam-1", now=NOW)
        work = Recover(link.pk, intent.pk, "follow-up", None, "siam-1", {}, None, (), is_settled_by_now=True)
        found = Recovered(Outcome.APPLIED, Receipt(ExternalRef("8", "OPS-8"), "1", "8"))
        rules = link.connection.rules
        settle(store, claimed(store), work, found, rules=rules, now=NOW, dice=lambda: 0.5)
        assert store.links[link.pk].external_id == "8"
        return store

    def test_a_page_does_not_sight_it(self, followed_up: MemoryStore) -> None:
        connection = followed_up.connections["zendesk0"]
        assert accept_changed(followed_up, connection, [Changed(CLOSED, "99")], now=NOW) == 0
        assert [one.state for one in followed_up.links.values()] == [LinkState.LINKED, LinkState.FORMER]

    def test_a_notice_does_not_either(self, followed_up: MemoryStore) -> None:
        accept_notices(followed_up, followed_up.connections["zendesk0"], [NoticeHint("d1", (CLOSED,))], now=NOW)
        former = next(one for one in followed_up.links.values() if one.state == LinkState.FORMER)
        assert former.look_wanted == former.look_done

    def test_a_merge_into_it_does_not_take_it_over(self, followed_up: MemoryStore) -> None:
        """What was said there belongs to the ticket that was followed up, whoever is merged into it later."""
        other = linked(followed_up, ticket="T2", external_id="5", look_wanted=1)
        (held,) = [one for one in followed_up.claim(other.connection, now=NOW, most=9) if one.pk == other.pk]
        merged = Failed(Failure(FailureKind.TICKET_MERGED, "merged", into=CLOSED))
        work = Look(other.pk, ExternalRef("5"), None, 1, frozenset(), takes_files=True, largest_file=400)
        settle(followed_up, held, work, merged, rules=held.connection.rules, now=NOW, dice=lambda: 0.5)

        assert followed_up.links[other.pk].state == LinkState.DETACHED
        assert followed_up.of_external(other.connection, [CLOSED.id])[CLOSED.id].state == LinkState.FORMER


def test_a_follow_up_is_not_told_what_led_to_it(store: MemoryStore) -> None:
    """It is created as the ticket stands now; older entries of its fields stand in it already."""
    link = linked(store, is_closed=True, applied_seq=1)
    rules = replace(link.connection.rules, closed=Closed.FOLLOW_UP)
    store.change("T1", {"kind": "incident"}, at=NOW, origin="")
    said = Said("", "#2#", "Marco", "integrator", "public")
    store.say("T1", said, at=NOW, origin="")
    store.change("T1", {"title": "#3#"}, at=NOW, origin="zendesk0")
    store.change("T1", {"title": "#4#"}, at=NOW, origin="")

    ((_link, work),) = decide_work(store, [claimed(store)], rules, now=NOW)

    assert isinstance(work, Do)
    assert isinstance(work.step, FollowUp)
    assert work.step.fields["subject"] == "#4#"
    assert work.step.agreements["title=subject"].seq == store.last_seq(link)


def test_nothing_is_mended_in_a_ticket_that_is_closed_for_good(store: MemoryStore) -> None:
    linked(store, is_closed=True, repair=["title=subject"])
    link = claimed(store)

    assert decide_work(store, [link], link.connection.rules, now=NOW) == []
    assert store.links[link.pk].repair == []
    assert store.links[link.pk].delivery_hold is None


def test_a_placeholder_for_a_file_does_not_go_back_to_the_system_that_has_the_file(store: MemoryStore) -> None:
    link = linked(store, look_wanted=1)
    file = Attachment("f1", "big.log", "text/plain", 9000, NOW, "Ana", visibility=Visibility.PUBLIC)
    change = RemoteChange("1", NOW, "Ana", attachment=file)
    snapshot = TicketSnapshot(CLOSED, "2", "incident", {}, NOW, NOW)
    looked = Looked(snapshot, (change,), {}, frozenset({"f1"}))
    work = Look(link.pk, CLOSED, None, 1, frozenset(), takes_files=True, largest_file=400)
    settle(store, claimed(store), work, looked, rules=link.connection.rules, now=NOW, dice=lambda: 0.5)

    (event,) = store.events_after(store.links[link.pk], 1)
    assert event.comment is not None
    assert "big.log" in event.comment.body
    assert event.comment.is_paired


@pytest.mark.parametrize(("behind", "wait"), [(0, 5.0), (4, 2.0), (-86_400, 300.0)])
def test_an_outcome_is_asked_for_again_when_it_can_be_told(store: MemoryStore, behind: int, wait: float) -> None:
    """And not every other second of a day by which the clock went back (F56)."""
    link = linked(store)
    intent = store.add_intent(link, seq=2, slot="comment", correlation="siam-1", now=NOW - timedelta(seconds=behind))
    work = Recover(link.pk, intent.pk, "comment", CLOSED, "siam-1", {}, None, (), is_settled_by_now=False)
    (held,) = store.claim(store.connections["zendesk0"], now=NOW, most=1)
    settle(store, held, work, Recovered(None), rules=link.connection.rules, now=NOW, dice=lambda: 0.5)

    assert (store.links[link.pk].due_at - NOW).total_seconds() == wait
    assert store.intent(link, intent.pk).state is IntentState.OPEN


def test_a_write_is_found_absent_only_after_its_last_possible_moment(store: MemoryStore) -> None:
    """A slow worker may send a write long after it was announced, just before its claim lapses (INV-15, F51)."""
    link = linked(store)
    store.add_intent(link, seq=2, slot="comment", correlation="siam-1", now=NOW - timedelta(minutes=2))

    def decided_after(seconds: float) -> Recover:
        now = NOW + timedelta(seconds=seconds)
        (held,) = store.claim(link.connection, now=now, most=1)
        ((_link, work),) = decide_work(store, [held], link.connection.rules, now=now)
        store.release(held)
        assert isinstance(work, Recover)
        return work

    assert not decided_after(0).is_settled_by_now
    assert not decided_after(4).is_settled_by_now
    assert decided_after(6).is_settled_by_now


def test_a_text_that_a_recovered_creation_left_cut_counts_as_cut() -> None:
    wanted = {"title": "word " * 20}

    assert stored_by(wanted, {"title": ("word " * 20)[:60]}, ()) == {"title": ("word " * 20)[:60]}
    assert stored_by(wanted, {"title": "another title"}, ()) == {}


@pytest.mark.parametrize(
    ("found", "outcome"), [(60, Outcome.APPLIED), (100, Outcome.APPLIED), (10, Outcome.ABSENT), (0, Outcome.ABSENT)]
)
def test_an_unanswered_write_that_the_system_cut_is_found(found: int, outcome: Outcome) -> None:
    """Or the cut text would come back as somebody's edit. A short beginning is somebody's edit."""
    text = "word " * 20

    assert settle_unknown_write({"title": text}, {"title": text[:found]}, (), "siam-1") is outcome


def test_a_database_that_fails_for_a_moment_parks_no_lane(store: MemoryStore) -> None:
    link = linked(store, applied_seq=0)
    store.change("T1", {"title": "#2#"}, at=NOW, origin="")
    held = claimed(store)
    store.fuse, store.breaks = 1, StoreDown
    with contextlib.suppress(StoreDown):
        decide_work(store, [held], held.connection.rules, now=NOW)

    assert store.links[link.pk].delivery_hold is None


class TestMergedIntoOurNewTicket:
    """zendesk: a ticket is merged into one that we have just created and not settled yet (F18, F50)."""

    NEW = ExternalRef("8", "OPS-8")

    def follow_the_merge(self, store: MemoryStore):
        follower = linked(store, look_wanted=1)
        merged = Failed(Failure(FailureKind.TICKET_MERGED, "merged", into=self.NEW))
        work = Look(follower.pk, CLOSED, None, 1, frozenset(), takes_files=True, largest_file=400)
        rules = follower.connection.rules
        settle(store, claimed(store), work, merged, rules=rules, now=NOW, dice=lambda: 0.5)
        assert store.links[follower.pk].external_id == self.NEW.id
        return follower

    def test_it_belongs_to_the_ticket_that_it_was_created_for(self, store: MemoryStore) -> None:
        follower = self.follow_the_merge(store)
        store.add_ticket("T2", "jira1", {"kind": "incident", "title": "#2#"}, NOW)
        creator = store.add_link(store.connections["zendesk0"], "T2", now=NOW)
        assert creator is not None
        (held,) = [one for one in store.claim(creator.connection, now=NOW, most=9) if one.pk == creator.pk]
        ((_link, work),) = decide_work(store, [held], creator.connection.rules, now=NOW)
        made = Done(Receipt(self.NEW, "1", self.NEW.id))
        settle(store, held, work, made, rules=creator.connection.rules, now=NOW, dice=lambda: 0.5)

        assert store.links[creator.pk].external_id == self.NEW.id
        assert store.links[follower.pk].external_id == CLOSED.id
        assert store.links[follower.pk].state == LinkState.DETACHED
        assert "belongs to another ticket" in store.tickets["T1"].journal[-1].text

    def test_what_asking_for_changes_named_meanwhile_makes_way(self, store: MemoryStore) -> None:
        follower = self.follow_the_merge(store)
        accept_changed(store, store.connections["zendesk0"], [Changed(CLOSED, "99")], now=NOW)
        creator = linked(store, ticket="T2", state=LinkState.CREATING, external_id="", applied_seq=0)
        intent = store.add_intent(creator, seq=1, slot="create", correlation="siam-9", now=NOW)
        work = Recover(creator.pk, intent.pk, "create", None, "siam-9", {}, None, (), is_settled_by_now=True)
        (held,) = [one for one in store.claim(creator.connection, now=NOW, most=9) if one.pk == creator.pk]
        found = Recovered(Outcome.APPLIED, Receipt(self.NEW, "1", self.NEW.id))
        settle(store, held, work, found, rules=held.connection.rules, now=NOW, dice=lambda: 0.5)

        assert store.links[creator.pk].external_id == self.NEW.id
        assert store.of_external(creator.connection, [CLOSED.id])[CLOSED.id].pk == follower.pk

    def test_a_lost_creation_that_was_merged_into_another_makes_way(self, store: MemoryStore) -> None:
        """Neither was settled yet: the second could not be, for the first one's link had its ticket."""
        rows = []
        for number in (2, 3):
            name, correlation = f"T{number}", f"siam-{number}"
            link = linked(store, ticket=name, state=LinkState.CREATING, external_id="", applied_seq=0)
            intent = store.add_intent(link, seq=1, slot="create", correlation=correlation, now=NOW)
            work = Recover(link.pk, intent.pk, "create", None, correlation, {}, None, (), is_settled_by_now=True)
            merged = Failed(Failure(FailureKind.TICKET_MERGED, "merged", into=self.NEW))
            found = Recovered(Outcome.APPLIED, Receipt(self.NEW, "1", self.NEW.id))
            (held,) = [one for one in store.claim(link.connection, now=NOW, most=9) if one.pk == link.pk]
            result = merged if number == 2 else found
            settle(store, held, work, result, rules=link.connection.rules, now=NOW, dice=lambda: 0.5)
            rows.append(link.pk)

        follower, creator = (store.links[pk] for pk in rows)
        assert (follower.state, follower.external_id) == (LinkState.DETACHED, "")
        assert (creator.state, creator.external_id) == (LinkState.LINKED, self.NEW.id)

    @pytest.mark.parametrize("is_ours", [True, False])
    def test_all_that_was_merged_into_a_sighted_ticket_stays_known(self, store: MemoryStore, is_ours: bool) -> None:
        """Or the cursor passes a ticket that nobody has accepted (INV-3)."""
        connection = store.connections["zendesk0"]
        merged = Failed(Failure(FailureKind.TICKET_MERGED, "merged", into=self.NEW))
        for number in ("5", "6")[: 1 if is_ours else 2]:
            accept_changed(store, connection, [Changed(ExternalRef(number), "1")], now=NOW)
            (link,) = [one for one in store.claim(connection, now=NOW, most=9) if one.external_id == number]
            work = Look(link.pk, ExternalRef(number), None, 1, frozenset(), takes_files=True, largest_file=400)
            settle(store, link, work, merged, rules=connection.rules, now=NOW, dice=lambda: 0.5)
        if is_ours:
            creator = linked(store, ticket="T2", state=LinkState.CREATING, external_id="", applied_seq=0)
            intent = store.add_intent(creator, seq=1, slot="create", correlation="siam-9", now=NOW)
            found = Recover(creator.pk, intent.pk, "create", None, "siam-9", {}, None, (), is_settled_by_now=True)
            (held,) = [one for one in store.claim(connection, now=NOW, most=9) if one.pk == creator.pk]
            made = Recovered(Outcome.APPLIED, Receipt(self.NEW, "1", self.NEW.id))
            settle(store, held, found, made, rules=connection.rules, now=NOW, dice=lambda: 0.5)

        (left,) = store.links.values()
        assert left.external_id == self.NEW.id
        assert [one["id"] for one in left.former] == (["5"] if is_ours else ["5", "6"])

    def test_what_was_read_of_another_ticket_meanwhile_is_left(self, store: MemoryStore) -> None:
        follower = self.follow_the_merge(store)
        (held,) = store.claim(follower.connection, now=NOW, most=9)
        work = Look(follower.pk, CLOSED, None, 2, frozenset(), takes_files=True, largest_file=400)
        seen = Looked(TicketSnapshot(CLOSED, "2", "incident", {"subject": "#9#"}, NOW, NOW), ())
        settle(store, held, work, seen, rules=held.connection.rules, now=NOW, dice=lambda: 0.5)

        row = store.links[follower.pk]
        assert row.intake_hold is None
        assert row.look_wanted > row.look_done


def test_a_field_that_crosses_only_under_later_rules_is_not_lost_with_an_entry_that_was_written_before(
    store: MemoryStore,
) -> None:
    """The site was written, its answer was lost, and then rules came into force by which the title crosses, too."""
    link = linked(store, base={"title=subject": Agreement("#1#", "#1#", 1), "custom.site=site": Agreement("", "", 1)})
    store.change("T1", {"title": "#2#", "custom.site": "#3#"}, at=NOW, origin="")
    link.base = {**link.base, "custom.site=site": Agreement("#3#", "#3#", 2)}
    store.save(link, "base")
    mark = correlation_of(store.tickets["T1"].journal[1].mark, "update", link.connection.pk)
    store.add_intent(link, seq=2, slot="update", correlation=mark, state=IntentState.APPLIED, now=NOW)

    ((_link, work),) = decide_work(store, [claimed(store)], link.connection.rules, now=NOW)

    assert isinstance(work, Do)
    assert isinstance(work.step, UpdateRemote)
    assert work.step.fields == {"subject": "#2#"}
    assert store.links[link.pk].applied_seq == 2


def test_an_entry_does_not_end_with_its_last_step_while_a_field_of_it_is_lacking(store: MemoryStore) -> None:
    """As before, and the title has to be shortened: its full text was told, and the entry was through without it."""
    link = linked(
        store, base={"title=subject": Agreement("#1#", "#1#", 1), "custom.site=site": Agreement("#3#", "#3#", 2)}
    )
    title = "#2# " + "long " * 20
    store.change("T1", {"title": title, "custom.site": "#3#"}, at=NOW, origin="")
    mark = correlation_of(store.tickets["T1"].journal[1].mark, "update", link.connection.pk)
    store.add_intent(link, seq=2, slot="update", correlation=mark, state=IntentState.APPLIED, now=NOW)
    rules = link.connection.rules

    ((_link, told),) = decide_work(store, [claimed(store)], rules, now=NOW)
    store.release(*store.links.values())
    assert isinstance(told, Do) and isinstance(told.step, AddRemoteComment)
    row = settled(store, rules, told, Done(Receipt(CLOSED, "2", "c1")))
    store.update(row, look_done=row.look_wanted)
    ((_link, work),) = decide_work(store, [claimed(store)], rules, now=NOW)

    assert isinstance(work, Do) and isinstance(work.step, UpdateRemote)
    assert title.startswith(str(work.step.fields["subject"]).removesuffix(" […]"))


def settled(store: MemoryStore, rules: Any, work: Any, result: Any):
    """One lane decided long ago gets its result; its row."""
    settle(store, claimed(store), work, result, rules=rules, now=NOW, dice=lambda: 0.5)
    return store.links[work.link_id]


class TestTheStatusThatASystemBeginsWith:
    """Nobody set it there: it is neither news for the hub nor what the hub had agreed on for another ticket."""

    NEW = ExternalRef("8", "OPS-8")

    def decided(self, store: MemoryStore, rules: Any) -> Any:
        (held,) = store.claim(store.connections["zendesk0"], now=NOW, most=9)
        ((_link, work),) = decide_work(store, [held], rules, now=NOW)
        store.release(held)
        return work

    @pytest.mark.parametrize("tiebreak", list(Tiebreak))
    def test_it_is_no_news_before_the_hubs_is_written(self, store: MemoryStore, tiebreak: Tiebreak) -> None:
        """In a system without a log a look fell between a creation and its status: the hub gave way (INV-21)."""
        store.add_ticket("T2", "jira1", {"kind": "incident", "title": "#2#", "status": "resolved"}, NOW)
        link = store.add_link(store.connections["zendesk0"], "T2", now=NOW)
        assert link is not None
        rules = link.connection.rules
        rules = replace(rules, fields=tuple(replace(one, tiebreak=tiebreak) for one in rules.fields))
        create = self.decided(store, rules)
        made = Receipt(self.NEW, "1", self.NEW.id, {"subject": "#2#", "status": "new"})
        settled(store, rules, create, Done(made))
        store.want_looks([(store.links[link.pk], "")])
        look = self.decided(store, rules)
        shown = TicketSnapshot(self.NEW, "1", "incident", {"subject": "#2#", "status": "new"}, NOW, NOW)
        row = settled(store, rules, look, Looked(shown, None))

        assert store.tickets["T2"].fields["status"] == "resolved"
        assert not store.conflicts
        assert row.delivery_hold is None
        assert self.decided(store, rules).step.fields == {"status": "solved"}

    def test_a_follow_up_gets_the_hubs_once_all_is_said(self, store: MemoryStore) -> None:
        """It was re-opened in the hub while its ticket was closed for good there, and that entry was kept back."""
        over = {"status=status": Agreement("closed", "closed", 2), "priority=priority": Agreement("low", "P3", 2)}
        store.change("T1", {"kind": "incident", "status": "in_progress"}, at=NOW, origin="")
        store.say("T1", Said("", "#2#", "Marco", "integrator", "public"), at=NOW, origin="")
        link = linked(store, is_closed=True, base=over, applied_seq=2, repair=["priority=priority"])
        late = store.add_intent(link, seq=2, slot="update", correlation="siam-0", fields={"status": "closed"}, now=NOW)
        late.state, late.settled_at = IntentState.APPLIED, NOW - timedelta(seconds=5)
        store.save_intent(late)
        rules = replace(link.connection.rules, closed=Closed.FOLLOW_UP)
        follow_up = self.decided(store, rules)
        made = Receipt(self.NEW, "1", self.NEW.id, {**follow_up.step.fields, "status": "new"})
        row = settled(store, rules, follow_up, Done(made))

        assert row.base["status=status"] == Agreement(None, "new", store.last_seq(row))
        assert store.unseen_writes(row, ())[0].slot == "follow-up"
        said = self.decided(store, rules)
        settled(store, rules, said, Done(Receipt(self.NEW, "2", "c1", change_ids=("1",))))
        store.update(store.links[row.pk], look_done=1)
        assert self.decided(store, rules).step.fields == {"status": "open"}

    def test_a_status_that_is_mended_takes_along_what_goes_with_it(self, store: MemoryStore) -> None:
        """Or a system that wants a code with it refuses every repair."""
        linked(store, ticket="T2", repair=["status=status"])
        store.change("T2", {"status": "resolved"}, at=NOW, origin="zendesk0")
        store.update(next(iter(store.links.values())), applied_seq=2)
        rules = store.connections["zendesk0"].rules
        rules = replace(rules, companions={"solved": (Companion("code", lambda view: f"done: {view['title']}"),)})

        assert self.decided(store, rules).step.fields == {"status": "solved", "code": "done: #2#"}


def test_a_write_that_changed_nothing_is_not_waited_for(store: MemoryStore) -> None:
    """No log tells of it: somebody who then went away from that value and came back to it was taken for us."""
    agreed = {"title=subject": Agreement("#1#", "#1#", 1)}
    link = linked(store, base=agreed, version="4", repair=["title=subject"])
    rules = link.connection.rules
    ((_link, mend),) = decide_work(store, [claimed(store)], rules, now=NOW)
    store.release(*store.links.values())
    settled(store, rules, mend, Done(Receipt(CLOSED, "4", CLOSED.id, {"subject": "#1#"})))
    for number, (before, after) in enumerate([("#1#", "#2#"), ("#2#", "#1#")], 1):
        store.want_looks([(store.links[link.pk], "")])
        ((_link, look),) = decide_work(store, [claimed(store)], rules, now=NOW)
        store.release(*store.links.values())
        change = RemoteChange(str(number), NOW, "Ana", {"subject": (before, after)})
        shown = TicketSnapshot(CLOSED, f"{4 + number}", "incident", {"subject": after}, NOW, NOW)
        settled(store, rules, look, Looked(shown, (change,)))

        assert store.tickets["T1"].fields["title"] == after


def test_a_ticket_that_was_created_twice_is_told_of_once(store: MemoryStore) -> None:
    """The index lagged longer than its connector says, so looking did not find the first one (F2)."""
    link = linked(store)
    second, connection = ExternalRef("8", "OPS-8"), link.connection
    mark = correlation_of(store.tickets["T1"].journal[0].mark, "create", connection.pk)
    for _ in range(2):
        accept_changed(store, connection, [Changed(second, "2")], now=NOW)
        seen = store.of_external(connection, [second.id])[second.id]
        if seen.look_wanted > seen.look_done:
            work = Look(seen.pk, second, None, seen.look_wanted, frozenset(), takes_files=True, largest_file=400)
            (held,) = [one for one in store.claim(connection, now=NOW, most=9) if one.pk == seen.pk]
            shown = TicketSnapshot(second, "1", "incident", {"subject": "#1#"}, NOW, NOW, correlation=mark)
            settle(store, held, work, Looked(shown, ()), rules=connection.rules, now=NOW, dice=lambda: 0.5)

    told = [one.text for one in store.tickets["T1"].journal if "a second copy" in one.text]
    assert len(told) == 1
    assert "OPS-8" in told[0]
    assert store.links[link.pk].external_id == CLOSED.id


def test_a_clock_that_goes_forward_does_not_shorten_the_wait_for_an_index(store: MemoryStore) -> None:
    """The answer to a creation was lost, and the clock jumped by a day before it was looked for (INV-42, F56)."""
    creator = linked(store, ticket="T2", state=LinkState.CREATING, external_id="", applied_seq=0)
    store.add_intent(creator, seq=1, slot="create", correlation="siam-9", now=NOW)

    def decided_at(now: datetime) -> Recover:
        (held,) = store.claim(creator.connection, now=now, most=9)
        ((_link, work),) = decide_work(store, [held], creator.connection.rules, now=now)
        store.release(held)
        assert isinstance(work, Recover)
        return work

    assert not decided_at(NOW).is_settled_by_now
    tomorrow = NOW + timedelta(days=1)
    assert not decided_at(tomorrow).is_settled_by_now
    store.update(store.links[creator.pk], due_at=tomorrow)
    assert decided_at(tomorrow + timedelta(seconds=21)).is_settled_by_now


def test_what_was_merged_into_our_creation_stays_known_when_its_sighting_gives_way(store: MemoryStore) -> None:
    """A page names it again, and it is no new ticket (INV-3)."""
    creator = linked(store, state=LinkState.CREATING, external_id="", applied_seq=0)
    mark = correlation_of(store.tickets["T1"].journal[0].mark, "create", creator.connection.pk)
    store.sight(creator.connection, [CLOSED], NOW, due_at=NOW)
    seen = store.of_external(creator.connection, [CLOSED.id])[CLOSED.id]
    seen.former = [{"id": "4", "key": "", "url": ""}]
    store.save(seen, "former")
    work = Look(seen.pk, CLOSED, None, 1, frozenset(), takes_files=True, largest_file=400)
    (held,) = [one for one in store.claim(creator.connection, now=NOW, most=9) if one.pk == seen.pk]
    shown = TicketSnapshot(CLOSED, "1", "incident", {"subject": "#1#"}, NOW, NOW, correlation=mark)
    settle(store, held, work, Looked(shown, ()), rules=creator.connection.rules, now=NOW, dice=lambda: 0.5)

    assert [one["id"] for one in store.links[creator.pk].former] == ["4"]


def test_what_a_lost_creation_wrote_by_other_rules_is_no_news(store: MemoryStore) -> None:
    """It was found when rules were in force by which the title does not get there: the title came back (INV-25)."""
    creator = linked(store, state=LinkState.CREATING, external_id="", applied_seq=0)
    agreed = {"priority=priority": Agreement("medium", "P3", 1)}
    intent = store.add_intent(creator, seq=1, slot="create", correlation="siam-9", agreed=agreed, now=NOW)
    work = Recover(creator.pk, intent.pk, "create", None, "siam-9", {}, None, (), is_settled_by_now=True)
    made = Receipt(CLOSED, "1", CLOSED.id, {"subject": "#1#", "priority": "P3"})
    row = settled(store, creator.connection.rules, work, Recovered(Outcome.APPLIED, made))

    assert row.base == {**agreed, "title=subject": Agreement(None, "#1#", 0)}
