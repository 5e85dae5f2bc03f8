"""What the restore drill found in the engine, each as a story of a few lines: links that are behind (INV-40)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.sync.engine.deciding import correlation_for, decide_work
from apps.sync.engine.deliver import tell_in_full
from apps.sync.engine.intake import reconcile
from apps.sync.engine.merge import Agreement
from apps.sync.engine.plan import AddRemoteComment, CreateRemote, FollowUp, UpdateRemote, correlation_of
from apps.sync.engine.ports import IntentState, LinkState
from apps.sync.engine.recovery import Failure, FailureKind, Outcome
from apps.sync.engine.rules import Closed, Direction, TooLong
from apps.sync.engine.settling import settle
from apps.sync.engine.snapshot import Comment, ExternalRef, Receipt, RemoteChange, TicketSnapshot, Visibility
from apps.sync.engine.work import Do, Done, Failed, Look, Looked, Recover, Recovered
from apps.sync.simulation.faults import Coverage
from apps.sync.simulation.rows import Said
from apps.sync.simulation.store import MemoryStore
from apps.sync.simulation.world import World

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
REF = ExternalRef("7", "OPS-7")
LONG = "#2# long" + " long" * 20
TITLE, STATUS = "title=subject", "status=status"


@pytest.fixture
def store() -> MemoryStore:
    world = World("behind", Coverage(), kinds=("zendesk", "jira"), is_plain=True)
    world.store.watch = world.store.hears = None
    world.store.add_ticket("T1", "jira1", {"kind": "incident", "title": "#1#"}, NOW, is_restored=True)
    return world.store


def linked(store: MemoryStore, **columns: Any):
    link = store.add_link(store.connections["zendesk0"], "T1", now=NOW)
    assert link is not None
    row = {"state": LinkState.LINKED, "external_id": REF.id, "start_seq": 1, "applied_seq": 1, "is_behind": True}
    for name, value in {**row, **columns}.items():
        setattr(link, name, value)
    store.save(link)
    return link


def claim(store: MemoryStore, link: Any, now: datetime = NOW):
    (held,) = [one for one in store.claim(link.connection, now=now, most=9) if one.pk == link.pk]
    return held


def look(store: MemoryStore, link: Any, changes: Any = (), **snapshot: Any):
    """The link's ticket is read; how the link is then, if it is still there."""
    store.update(store.links[link.pk], look_wanted=link.look_wanted + 1)
    held = claim(store, link)
    shown = {"fields": {"subject": "#1#"}, "correlation": None, "comments": (), "ref": REF, **snapshot}
    work = Look(link.pk, shown["ref"], None, held.look_wanted, frozenset(), takes_files=True, largest_file=400)
    looked = Looked(TicketSnapshot(version="5", type="incident", created_at=NOW, updated_at=NOW, **shown), changes)
    settle(store, held, work, looked, rules=held.connection.rules, now=NOW, dice=lambda: 0.5)
    return store.links.get(link.pk)


def next_step(store: MemoryStore, link: Any) -> Any:
    store.update(store.links[link.pk], is_behind=False, look_done=store.links[link.pk].look_wanted)
    ((_link, work),) = decide_work(store, [claim(store, link)], link.connection.rules, now=NOW)
    assert isinstance(work, Do)
    return work.step


def told_in_full(store: MemoryStore, link: Any, text: str) -> tuple[str, str]:
    """What is said beside a title that had to be shortened, and its correlation."""
    said = tell_in_full(link.connection.rules.fields[0], text)
    return said.body, correlation_for(store, link, said)


def mark_of(store: MemoryStore, seq: int, slot: str) -> str:
    return correlation_of(store.tickets["T1"].journal[seq - 1].mark, slot, "zendesk0")


def test_a_comment_of_which_only_a_refused_write_is_noted_is_tied_when_it_is_there(store: MemoryStore) -> None:
    """The note came with the database, from a call that was refused; the one that went through was forgotten."""
    link = linked(store, base={TITLE: Agreement("#1#", "#1#", 1)})
    made = store.say("T1", Said("", "#2#", "Marco", "integrator", "public"), at=NOW, origin="")
    mark = mark_of(store, 2, "comment")
    store.add_intent(link, seq=2, slot="comment", correlation=mark, state=IntentState.REFUSED, now=NOW)

    look(store, link, None, comments=(Comment("c1", "#2#", "siam", NOW, Visibility.PUBLIC, mark),))

    assert store.paired[link.pk] == {made: "c1"}


def test_a_copy_that_stays_out_of_scope_is_no_news_when_it_is_looked_at_again(store: MemoryStore) -> None:
    """A follow-up whose ticket nobody knows any more: somebody comments on it later."""
    store.sight(store.connections["zendesk0"], [REF], NOW, due_at=NOW)
    link = store.of_external(store.connections["zendesk0"], [REF.id])[REF.id]
    store.update(store.links[link.pk], is_behind=True)
    lost = correlation_of(f"{store.portal_part}{'0' * 16}", "follow-up", "zendesk0")

    for _ in range(2):
        look(store, store.links[link.pk], correlation=lost)

    assert store.links[link.pk].state == LinkState.OUT_OF_SCOPE
    assert list(store.tickets) == ["T1"]


class TestShortened:
    """A creation or a text went out before the database was put back, its full text did not (INV-27)."""

    def test_the_lane_begins_with_a_creation_that_is_found(self, store: MemoryStore) -> None:
        store.change("T1", {"title": LONG}, at=NOW, origin="")
        store.update(
            store.tickets["T1"], journal=[replace(store.tickets["T1"].journal[0], changes={"title": ("", LONG)})]
        )
        store.update(store.tickets["T1"], last_seq=1)
        link = linked(store, state=LinkState.CREATING, external_id="", applied_seq=0)
        mark = mark_of(store, 1, "create")
        intent = store.add_intent(link, seq=1, slot="create", correlation=mark, now=NOW)
        work = Recover(link.pk, intent.pk, "create", None, mark, {}, None, (), is_settled_by_now=True)
        found = Recovered(Outcome.APPLIED, Receipt(REF, "1", REF.id))
        settle(store, claim(store, link), work, found, rules=link.connection.rules, now=NOW, dice=lambda: 0.5)

        look(store, store.links[link.pk], (), fields={"subject": f"{LONG[:46]} […]", "status": "new"}, correlation=mark)

        step = next_step(store, link)
        assert isinstance(step, AddRemoteComment)
        assert LONG in step.body

    def test_an_entry_that_the_creation_showed_is_told_in_full(self, store: MemoryStore) -> None:
        store.change("T1", {"title": LONG}, at=NOW, origin="")
        link = linked(store, base={})
        mark = mark_of(store, 1, "create")

        row = look(store, link, (), fields={"subject": f"{LONG[:46]} […]"}, correlation=mark)

        assert row.base[TITLE].hub == LONG
        step = next_step(store, link)
        assert isinstance(step, AddRemoteComment)
        assert LONG in step.body

    def test_unless_it_is_there(self, store: MemoryStore) -> None:
        store.change("T1", {"title": LONG}, at=NOW, origin="")
        link = linked(store, base={})
        mark = mark_of(store, 1, "create")
        body, told = told_in_full(store, link, LONG)
        beside = Comment("c1", body, "siam", NOW, correlation=told)

        row = look(store, link, (), fields={"subject": f"{LONG[:46]} […]"}, correlation=mark, comments=(beside,))

        assert row.base[TITLE].seq == 2


def test_a_text_that_differs_beyond_the_cut_is_told_in_full(store: MemoryStore) -> None:
    link = linked(store, is_behind=False, base={TITLE: Agreement(LONG, f"{LONG[:46]} […]", 1)})
    store.change("T1", {"title": f"{LONG} and more"}, at=NOW, origin="")

    step = next_step(store, link)

    assert isinstance(step, AddRemoteComment)
    assert "and more" in step.body


def test_what_a_followed_up_ticket_said_does_not_go_into_its_follow_up(store: MemoryStore) -> None:
    """The status of the closed ticket stands in the lane; its follow-up, made before the restore, is found."""
    store.change("T1", {"status": "closed"}, at=NOW, origin="zendesk0", ref="7:1:fields")
    link = linked(
        store, is_closed=True, base={STATUS: Agreement("closed", "closed", 2), TITLE: Agreement("#1#", "#1#", 1)}
    )
    mark = correlation_of("51a0", "follow-up", "zendesk0")
    intent = store.add_intent(link, seq=2, slot="follow-up", correlation=mark, now=NOW)
    work = Recover(link.pk, intent.pk, "follow-up", None, mark, {}, None, (), is_settled_by_now=True)
    found = Recovered(Outcome.APPLIED, Receipt(ExternalRef("8"), "1", "8"))
    settle(store, claim(store, link), work, found, rules=link.connection.rules, now=NOW, dice=lambda: 0.5)

    store.update(store.links[link.pk], look_done=store.links[link.pk].look_wanted)
    shown = {"subject": "#1#", "status": "new"}
    row = look(store, store.links[link.pk], (), ref=ExternalRef("8"), fields=shown, correlation=mark)

    assert row.base[STATUS].seq == 2


def test_entries_that_were_written_as_one_are_no_news_under_the_mark_of_the_last(store: MemoryStore) -> None:
    """The title that went out with a later entry's mark is older than what a person set elsewhere since."""
    rules = replace(store.connections["zendesk0"].rules, is_ordered=False)
    store.update(store.connections["zendesk0"], rules=rules)
    base = {TITLE: Agreement("#1#", "#1#", 1), "custom.site=site": Agreement("", "", 1)}
    link = linked(store, base=base)
    store.change("T1", {"title": "#2#"}, at=NOW, origin="")
    store.change("T1", {"custom.site": "#3#"}, at=NOW, origin="")
    store.change("T1", {"title": "#4#"}, at=NOW + timedelta(minutes=1), origin="jira1")
    fields = {"subject": ("#1#", "#2#"), "site": ("", "#3#")}
    written = RemoteChange("1", NOW + timedelta(minutes=9), "siam", fields, correlation=mark_of(store, 3, "update"))

    look(store, link, (written,), fields={"subject": "#2#", "site": "#3#"})

    assert store.tickets["T1"].fields["title"] == "#4#"


def test_a_shortened_text_that_was_written_with_others_is_tied_though_the_log_has_no_marks(store: MemoryStore) -> None:
    """Before it could be tied the rules stopped it from going there, so nothing was pending any more."""
    fields = tuple(
        replace(one, direction=Direction.OUTBOUND) if one.hub == "title" else one
        for one in store.connections["zendesk0"].rules.fields
    )
    rules = replace(store.connections["zendesk0"].rules, is_ordered=False, fields=fields)
    store.update(store.connections["zendesk0"], rules=rules)
    link = linked(store, base={TITLE: Agreement("#1#", "#1#", 1), "custom.site=site": Agreement("", "", 1)})
    store.change("T1", {"title": LONG}, at=NOW, origin="")
    store.change("T1", {"custom.site": "#3#"}, at=NOW, origin="")
    shortened = f"{LONG[:46]} […]"
    change = RemoteChange("1", NOW, "siam", {"subject": ("#1#", shortened), "site": ("", "#3#")})

    row = look(store, link, (change,), fields={"subject": shortened, "site": "#3#"})

    assert store.tickets["T1"].fields["title"] == LONG
    assert row.base[TITLE] == Agreement(LONG, shortened, 2)


def test_a_full_text_whose_entry_comes_back_later_is_not_told_twice(store: MemoryStore) -> None:
    """It stands in the system already when another system, read later, brings the entry back."""
    link = linked(store, base={TITLE: Agreement("#1#", "#1#", 1)})
    mark = f"{store.portal_part}{'1' * 16}"
    body, correlation = told_in_full(store, link, LONG)
    told = Comment("c1", body, "siam", NOW, Visibility.INTERNAL, correlation)
    look(store, link, (RemoteChange("1", NOW, "siam", comment=told),))
    store.change("T1", {"title": LONG}, at=NOW, origin="jira1", ref="9:1:fields", mark=mark)

    assert isinstance(next_step(store, link), UpdateRemote)


def test_a_copy_that_was_hidden_while_the_rest_was_read_comes_back_as_a_copy(store: MemoryStore) -> None:
    store.sight(store.connections["zendesk0"], [REF], NOW, due_at=NOW)
    link = store.of_external(store.connections["zendesk0"], [REF.id])[REF.id]
    mark = f"{store.portal_part}{'2' * 16}"
    shown = {"subject": "#2#", "status": "new", "priority": "P3", "assignee_id": "", "site": ""}

    row = look(store, link, fields=shown, correlation=correlation_of(mark, "create", "zendesk0"))

    assert not link.is_behind
    assert store.tickets[row.ticket_id].journal[0].mark == mark
    assert store.tickets[row.ticket_id].is_restored


def test_a_ticket_that_vanishes_into_a_third_takes_along_what_was_merged_into_it(store: MemoryStore) -> None:
    """Two tickets that nobody knows yet are merged into the same one, one look after the other."""
    connection = store.connections["zendesk0"]
    for name in ("4", "5"):
        store.sight(connection, [ExternalRef(name)], NOW, due_at=NOW)
        link = store.of_external(connection, [name])[name]
        merged = Failed(Failure(FailureKind.TICKET_MERGED, "merged", into=REF))
        work = Look(link.pk, ExternalRef(name), None, 1, frozenset(), takes_files=True, largest_file=400)
        settle(store, claim(store, link), work, merged, rules=connection.rules, now=NOW, dice=lambda: 0.5)

    left = store.of_external(connection, [REF.id])[REF.id]
    assert [one["id"] for one in left.former] == ["4", "5"]


@pytest.mark.parametrize("is_restored", [True, False])
def test_a_creation_that_was_merged_before_it_is_found_is_not_looked_for_for_ever(
    store: MemoryStore, is_restored: bool
) -> None:
    store.update(store.tickets["T1"], is_restored=is_restored)
    link = linked(store, state=LinkState.CREATING, external_id="", applied_seq=0)
    mark = mark_of(store, 1, "create")
    agreed = {TITLE: Agreement("#1#", "#1#", 1)}
    intent = store.add_intent(link, seq=1, slot="create", correlation=mark, agreed=agreed, now=NOW)
    work = Recover(link.pk, intent.pk, "create", None, mark, {}, None, (), is_settled_by_now=True)
    merged = Failed(Failure(FailureKind.TICKET_MERGED, "merged", into=REF))
    settle(store, claim(store, link), work, merged, rules=link.connection.rules, now=NOW, dice=lambda: 0.5)

    row = store.links[link.pk]
    assert (row.state, row.external_id, list(row.former)) == (LinkState.LINKED, REF.id, [])
    assert row.look_wanted > row.look_done
    assert store.open_intent(row) is None


def test_a_long_text_that_came_to_cross_by_later_rules_replaces_another_that_is_shortened(store: MemoryStore) -> None:
    """The system shows a part of the text before it, not of this one."""
    rules = store.connections["zendesk0"].rules
    fields = tuple(
        replace(one, too_long=TooLong.SHORTEN, max_length=50, direction=Direction.BOTH) for one in rules.fields
    )
    shortened = f"#1#{LONG[3:46]} […]"
    base = {TITLE: Agreement(f"#1#{LONG[3:]}", shortened, 1)}
    snapshot = TicketSnapshot(REF, "5", "incident", {"subject": shortened}, NOW, NOW)

    _intake, missing = reconcile(snapshot, base, {"title": LONG}, {}, replace(rules, fields=fields))

    assert missing == (TITLE,)


def test_what_was_older_yields_although_the_rules_keep_the_newer_from_going_there(store: MemoryStore) -> None:
    """The ticket came back from another copy, and the title there is of a day before."""
    rules = store.connections["zendesk0"].rules
    fields = tuple(replace(one, direction=Direction.OUTBOUND) if one.hub == "title" else one for one in rules.fields)
    store.update(store.connections["zendesk0"], rules=replace(rules, fields=fields))
    link = linked(store)
    store.change("T1", {"title": "#4#"}, at=NOW, origin="jira1", ref="9:1:fields")
    older = RemoteChange("1", NOW - timedelta(days=1), "siam", {"subject": ("#2#", "#1#")})

    look(store, link, (older,))

    assert store.tickets["T1"].fields["title"] == "#4#"


def test_a_ticket_that_was_hidden_while_the_rest_was_read_is_known_by_what_was_written_on_it(
    store: MemoryStore,
) -> None:
    """A person opened it there; the title is ours, and the entry that asked for it was forgotten."""
    store.sight(store.connections["zendesk0"], [REF], NOW, due_at=NOW)
    link = store.of_external(store.connections["zendesk0"], [REF.id])[REF.id]
    mark = f"{store.portal_part}{'3' * 16}"
    change = RemoteChange("1", NOW, "siam", {"subject": ("#2#", "#3#")}, None, None,
                          correlation_of(mark, "update", "zendesk0"))  # fmt: skip
    shown = {"subject": "#3#", "status": "new", "priority": "P3", "assignee_id": "", "site": ""}

    row = look(store, link, (change,), fields=shown)

    opened, changed = store.tickets[row.ticket_id].journal
    assert (opened.ref, changed.mark) == (f"{REF.id}:created", mark)
    assert store.tickets[row.ticket_id].is_restored


def test_a_write_of_several_entries_is_known_by_all_that_it_left(store: MemoryStore) -> None:
    """The log has no marks. What the first entry asked for alone would leave the title, older than another, as news."""
    rules = replace(store.connections["zendesk0"].rules, is_ordered=False)
    store.update(store.connections["zendesk0"], rules=rules)
    base = {TITLE: Agreement("#1#", "#1#", 1), "custom.site=site": Agreement("", "", 1)}
    link = linked(store, base=base)
    store.change("T1", {"custom.site": "#3#"}, at=NOW, origin="")
    store.change("T1", {"title": "#2#"}, at=NOW, origin="")
    store.change("T1", {"title": "#4#"}, at=NOW + timedelta(minutes=1), origin="jira1")
    fields = {"subject": ("#1#", "#2#"), "site": ("", "#3#")}

    row = look(store, link, (RemoteChange("1", NOW + timedelta(minutes=9), "siam", fields),),
               fields={"subject": "#2#", "site": "#3#"})  # fmt: skip

    assert store.tickets["T1"].fields["title"] == "#4#"
    assert (row.base[TITLE].seq, row.base["custom.site=site"].seq) == (3, 2)


def test_the_answer_to_a_creation_may_be_one_that_was_made_long_ago(store: MemoryStore) -> None:
    """The copy was hidden when it was looked for, and its system still knew the key."""
    link = linked(store, state=LinkState.CREATING, external_id="", applied_seq=0)
    mark = mark_of(store, 1, "create")
    agreed = {TITLE: Agreement("#1#", "#1#", 1)}
    intent = store.add_intent(link, seq=1, slot="create", correlation=mark, agreed=agreed, now=NOW)
    work = Do(link.pk, intent.pk, CreateRemote("incident", {"subject": "#1#"}, agreed), None, mark)
    made = Done(Receipt(REF, "9", REF.id, {"subject": "#2#"}))
    settle(store, claim(store, link), work, made, rules=link.connection.rules, now=NOW, dice=lambda: 0.5)

    row = store.links[link.pk]
    assert row.is_behind
    assert row.look_wanted > row.look_done
    assert row.base == {}


def test_no_follow_up_is_made_for_what_was_said(store: MemoryStore) -> None:
    """The ticket is itself the follow-up that was made for the comment, and was closed for good since."""
    rules = replace(store.connections["zendesk0"].rules, closed=Closed.FOLLOW_UP)
    store.update(store.connections["zendesk0"], rules=rules)
    link = linked(store, is_behind=False, is_closed=True)
    store.say("T1", Said("", "#2#", "Marco", "integrator", "public"), at=NOW, origin="")
    found = {"correlation": mark_of(store, 2, "comment"), "state": IntentState.APPLIED}
    store.add_intent(link, seq=2, slot="comment", now=NOW, **found)

    assert decide_work(store, [claim(store, link)], rules, now=NOW) == []
    assert store.links[link.pk].applied_seq == 2


def test_what_a_system_cut_of_a_text_that_waits_again_replaces_nothing(store: MemoryStore) -> None:
    """Its log may not be read. The write was forgotten with the database, and comes once more: then it is told of."""
    rules = store.connections["zendesk0"].rules
    fields = tuple(replace(one, max_length=None) for one in rules.fields)
    store.update(store.connections["zendesk0"], rules=replace(rules, fields=fields))
    link = linked(store, base={TITLE: Agreement("#1#", "#1#", 1)})
    store.change("T1", {"title": LONG}, at=NOW - timedelta(days=1), origin="")

    look(store, link, None, fields={"subject": LONG[:60]})

    assert store.tickets["T1"].fields["title"] == LONG
    assert isinstance(next_step(store, link), UpdateRemote)


@pytest.mark.parametrize("is_merged", [True, False])
def test_a_write_to_the_former_ticket_is_not_looked_for_in_the_log_of_another(
    store: MemoryStore, is_merged: bool
) -> None:
    """Systems may number the log of each ticket. The clock was ahead when the write was noted."""
    link = linked(store, is_behind=False, is_closed=True, change_cursor="9", look_wanted=1)
    intent = store.add_intent(link, seq=2, slot="comment", correlation="siam-1", now=NOW + timedelta(days=1))
    intent.state, intent.settled_at, intent.change_ids = IntentState.APPLIED, NOW + timedelta(days=1), ["1"]
    store.save_intent(intent)
    if is_merged:
        work = Look(link.pk, REF, None, 1, frozenset(), takes_files=True, largest_file=400)
        came: Any = Failed(Failure(FailureKind.TICKET_MERGED, "merged", into=ExternalRef("8")))
    else:
        mark = mark_of(store, 1, "follow-up")
        step = FollowUp("incident", {}, {})
        work = Do(
            link.pk, store.add_intent(link, seq=1, slot="follow-up", correlation=mark, now=NOW).pk, step, REF, mark
        )
        came = Done(Receipt(ExternalRef("8"), "1", "8"))
    settle(store, claim(store, link), work, came, rules=link.connection.rules, now=NOW, dice=lambda: 0.5)

    said = Comment("c1", "#3#", "John", NOW, Visibility.PUBLIC)
    look(store, store.links[link.pk], (RemoteChange("1", NOW, "John", comment=said),), ref=ExternalRef("8"))

    assert "#3#" in [one.body for one in store.said.values()]


def test_a_text_that_is_told_beside_a_field_brings_no_follow_up(store: MemoryStore) -> None:
    rules = replace(store.connections["zendesk0"].rules, closed=Closed.FOLLOW_UP)
    store.update(store.connections["zendesk0"], rules=rules)
    link = linked(store, is_behind=False, is_closed=True, base={TITLE: Agreement("#1#", "#1#", 1)})
    store.change("T1", {"title": LONG}, at=NOW, origin="")

    assert decide_work(store, [claim(store, link)], rules, now=NOW) == []
    assert [one.state for one in store.intents.values()] == [IntentState.WITHHELD]


class TestToldInFull:
    """A text that has to be shortened is told in full beside it, once on its ticket (INV-27)."""

    def test_by_a_repair(self, store: MemoryStore) -> None:
        store.change("T1", {"title": LONG}, at=NOW, origin="")
        link = linked(store, applied_seq=2, base={TITLE: Agreement("#1#", "#1#", 2)}, repair=[TITLE])

        assert isinstance(next_step(store, link), AddRemoteComment)
        assert store.links[link.pk].repair == [TITLE]

    def test_after_a_follow_up(self, store: MemoryStore) -> None:
        link = linked(store, is_behind=False, is_closed=True)
        mark, shortened = mark_of(store, 1, "follow-up"), f"{LONG[:46]} […]"
        agreed = {TITLE: Agreement(LONG, shortened, 1), STATUS: Agreement("new", "new", 1)}
        intent = store.add_intent(link, seq=1, slot="follow-up", correlation=mark, agreed=agreed, now=NOW)
        work = Do(link.pk, intent.pk, FollowUp("incident", {"subject": shortened}, agreed), REF, mark)
        made = Done(Receipt(ExternalRef("8"), "1", "8"))
        store.update(store.tickets["T1"], is_restored=False)
        settle(store, claim(store, link), work, made, rules=link.connection.rules, now=NOW, dice=lambda: 0.5)

        assert set(store.links[link.pk].repair) == {TITLE, STATUS}

    def test_once_though_another_entry_joins_the_one_that_brings_it(self, store: MemoryStore) -> None:
        rules = replace(store.connections["zendesk0"].rules, is_ordered=False)
        store.update(store.connections["zendesk0"], rules=rules)
        link = linked(store, is_behind=False, base={TITLE: Agreement("#1#", "#1#", 1)})
        store.change("T1", {"title": LONG}, at=NOW, origin="")
        ((held, work),) = decide_work(store, [claim(store, link)], rules, now=NOW)
        assert isinstance(work, Do) and isinstance(work.step, AddRemoteComment)
        settle(store, held, work, Done(Receipt(REF, "6", "c1")), rules=rules, now=NOW, dice=lambda: 0.5)
        store.change("T1", {"custom.site": "#3#"}, at=NOW, origin="")

        assert isinstance(next_step(store, link), UpdateRemote)


def test_a_creation_that_was_looked_for_in_vain_is_looked_for_again_once_it_is_told_of(store: MemoryStore) -> None:
    """It was made right before the database was put back, and the index did not show it yet."""
    mark = mark_of(store, 1, "create")
    link = linked(store, state=LinkState.CREATING, external_id="", applied_seq=0, looked_for=mark)
    store.sight(store.connections["zendesk0"], [REF], NOW, due_at=NOW)
    sighting = store.of_external(store.connections["zendesk0"], [REF.id])[REF.id]

    look(store, sighting, correlation=mark)

    later = NOW + timedelta(minutes=10)
    ((_link, work),) = decide_work(store, [claim(store, link, later)], link.connection.rules, now=later)
    assert isinstance(work, Recover)
