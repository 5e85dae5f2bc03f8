"""The ticket behind a link, and its journal."""

from pathlib import Path
from typing import Any

import pytest

from apps.sync.engine.ports import HubRefused
from apps.sync.engine.snapshot import Attachment

from .case import JIRA, NOW, SECOND, ZENDESK, StoreCase

OPENING = {"kind": "incident", "title": "#9#", "status": "in_progress", "custom.site": "Rome"}


class Journal(StoreCase):
    def test_entries_come_in_their_order(self, store: Any) -> None:
        ticket = self.ticket(store)
        link = self.linked(store, ticket)
        for number in (2, 3, 4):
            store.change(ticket.pk, {"title": f"#{number}#"}, at=NOW, origin="")
        assert [event.seq for event in store.events_after(link, 0)] == [1, 2, 3, 4]
        assert [event.seq for event in store.events_after(link, 1, 2)] == [2, 3]
        assert [event.is_opening for event in store.events_after(link, 0)] == [True, False, False, False]
        assert store.events_after(link, 4) == []

    def test_what_was_read_ahead_with_a_claim_is_no_other(self, store: Any) -> None:
        ticket = self.ticket(store)
        link = self.linked(store, ticket, applied_seq=0)
        for number in range(2, 8):
            store.change(ticket.pk, {"title": f"#{number}#"}, at=NOW, origin="")
        (mine,) = self.claim(store)
        for seq, most in ((0, 1), (0, 5), (0, None), (2, 1), (3, 3), (6, 2), (7, 1)):
            assert store.events_after(mine, seq, most) == store.events_after(link, seq, most), (seq, most)

    def test_an_entry_says_what_was_and_what_is(self, store: Any) -> None:
        ticket = self.ticket(store)
        link = self.linked(store, ticket)
        store.change(ticket.pk, {"title": "#2#", "custom.site": "Rome", "assignee": ""}, at=NOW + SECOND, origin="")
        (event,) = store.events_after(link, 1)
        assert event.changes == {"title": ("#1#", "#2#"), "custom.site": ("", "Rome")}
        assert (event.at, event.is_by_hand, event.comment, event.attachment) == (NOW + SECOND, True, None, None)

    def test_a_change_that_changes_nothing_is_no_entry(self, store: Any) -> None:
        ticket = self.ticket(store)
        assert not store.change(ticket.pk, {"title": "#1#", "custom.site": ""}, at=NOW, origin="")
        assert store.tickets[ticket.pk].last_seq == 1

    @pytest.mark.parametrize(
        ("audience", "owner", "chosen", "for_zendesk"),
        [
            ("public", JIRA, (), "public"),
            ("internal", JIRA, (), None),
            ("internal", ZENDESK, (), "internal"),
            ("chosen", JIRA, (ZENDESK,), "chosen"),
            ("chosen", JIRA, ("azure_devops2",), None),
            ("chosen", ZENDESK, (JIRA,), "chosen"),
        ],
    )
    def test_a_comment_is_read_by_its_audience(
        self, store: Any, audience: str, owner: str, chosen: tuple[str, ...], for_zendesk: str | None
    ) -> None:
        ticket = self.ticket(store)
        link = self.linked(store, ticket)
        self.say(store, ticket, audience, owner, *chosen)
        (event,) = store.events_after(link, 1)
        said = event.comment
        assert said.audience == for_zendesk
        assert (said.body, said.author, said.organization, said.is_paired) == ("#5#", "Marco", owner, False)

    def test_whoever_has_a_comment_is_told_so(self, store: Any) -> None:
        ticket = self.ticket(store)
        link, other = self.linked(store, ticket), self.link(store, ticket, JIRA)
        self.say(store, ticket)
        (event,) = store.events_after(link, 1)
        store.pair_comment(link, event.comment.id, "c1")
        for one, is_paired in ((link, True), (other, False)):
            (again,) = store.events_after(one, 1)
            assert again.comment.is_paired == is_paired
            assert store.entries_marked(one, {event.mark}) == {event.mark: again}

    def test_a_remark_of_the_portal_stands_in_the_journal(self, store: Any) -> None:
        link = self.linked(store)
        with store.atomic():
            held = store.handed(self.row(store, link))
            store.lock_ticket(held)
            store.note(held, "It is gone.", now=NOW)
            assert store.last_seq(held) == 2
        entry = store.tickets[link.ticket_id].journal[1]
        assert (entry.kind, entry.text, entry.changes) == ("noted", "It is gone.", {})

    def test_a_remark_about_no_ticket_is_none(self, store: Any) -> None:
        store.note(self.sighted(store), "It is gone.", now=NOW)

    def test_every_entry_has_a_mark_of_its_own(self, store: Any) -> None:
        ticket = self.ticket(store)
        link = self.linked(store, ticket)
        self.say(store, ticket)
        marks = [event.mark for event in store.events_after(link, 0)]
        assert len(set(marks)) == 2
        assert all(mark.startswith(store.portal_part) and len(mark) == 20 for mark in marks)
        assert set(store.entries_marked(link, {*marks, "x"})) == set(marks)
        assert store.entries_marked(self.linked(store, self.ticket(store), external_id="8"), set(marks)) == {}
        assert store.ticket_marked(link, {marks[1], "x"}) == store.handed(ticket)
        assert store.ticket_marked(link, {"x"}) is None

    def test_the_rules_look_at_the_ticket_as_it_is(self, store: Any) -> None:
        ticket = self.ticket(store, **{"custom.site": "Rome"})
        view = store.view(store.handed(ticket))
        assert (view["title"], view["status"], view["opened_by"]) == ("#1#", "new", JIRA)
        assert view["custom"] == {"site": "Rome"}
        assert view["reference"]


class Intake(StoreCase):
    """What a look brings. Each is called as in a round: with the ticket locked, in a transaction."""

    def receive(self, store: Any, link: Any, values: dict[str, Any], ref: str = "7:1:fields", mark: str = "") -> int:
        """Take field changes in; the journal's end then."""
        with store.atomic():
            held = store.handed(self.row(store, link))
            store.lock_ticket(held)
            store.receive(held, values, at=NOW, ref=ref, author="Ana", mark=mark)
            assert store.hub_fields(held) == store.hub_fields(store.handed(self.row(store, link)))
            return int(store.last_seq(held))

    def test_a_change_is_taken_in_once(self, store: Any) -> None:
        link = self.linked(store)
        assert self.receive(store, link, {"title": "#2#", "priority": "high"}) == 2
        assert self.receive(store, link, {"title": "#3#"}) == 2
        entry = store.tickets[link.ticket_id].journal[1]
        assert entry.changes == {"title": ("#1#", "#2#"), "priority": ("low", "high")}
        assert (entry.origin, entry.ref, entry.at) == (ZENDESK, "7:1:fields", NOW)
        (event,) = store.events_after(link, 1)
        assert event.mark == store.mark_for(link, "7:1:fields")
        assert not event.is_by_hand

    def test_the_same_reference_of_another_system_is_another_change(self, store: Any) -> None:
        ticket = self.ticket(store)
        self.receive(store, self.linked(store, ticket), {"title": "#2#"})
        assert self.receive(store, self.linked(store, ticket, JIRA), {"title": "#3#"}) == 3

    def test_a_change_that_changes_nothing_is_no_entry(self, store: Any) -> None:
        link = self.linked(store)
        assert self.receive(store, link, {"title": "#1#"}) == 1
        assert self.receive(store, link, {"title": "#2#"}) == 2

    def test_what_came_back_under_its_mark_is_known_by_it(self, store: Any) -> None:
        link = self.linked(store)
        mark = store.portal_part + "0" * 16
        assert self.receive(store, link, {"title": "#2#"}, mark=mark) == 2
        assert self.receive(store, link, {"title": "#3#"}, ref="7:2:fields", mark=mark) == 2
        assert set(store.entries_marked(link, {mark})) == {mark}

    @pytest.mark.parametrize(
        "values",
        [{"status": "odd"}, {"title": " "}, {"title": ""}, {"title": "x" * 256}, {"nothing": "x"}],
        ids=["choice", "blank", "empty", "too long", "unknown"],
    )
    def test_what_the_hub_cannot_hold_is_refused_whole(self, store: Any, values: dict[str, Any]) -> None:
        link = self.linked(store)
        with pytest.raises(HubRefused):
            self.receive(store, link, {"assignee": "Ana", **values})
        ((name, value),) = values.items()
        with pytest.raises(HubRefused):
            store.as_kept(name, value)
        found = store.tickets[link.ticket_id]
        assert (found.last_seq, found.fields["assignee"]) == (1, "")

    @pytest.mark.parametrize(
        ("field", "value", "kept"),
        [("custom.site", 7, "7"), ("custom.site", None, ""), ("assignee", None, ""), ("title", "x ", "x ")],
    )
    def test_a_value_is_kept_as_the_hub_keeps_it(self, store: Any, field: str, value: Any, kept: str) -> None:
        assert store.as_kept(field, value) == kept

    def say_there(self, store: Any, link: Any, body: str, ref: str = "7:c1:comment") -> Any:
        with store.atomic():
            held = store.handed(self.row(store, link))
            store.lock_ticket(held)
            return store.comment(held, body, audience="internal", at=NOW, ref=ref, author="Ana")

    def test_a_comment_is_taken_in_once(self, store: Any) -> None:
        link = self.linked(store)
        made = self.say_there(store, link, "one\r\ntwo ")
        store.pair_comment(link, made, "c1")
        assert self.say_there(store, link, "one\r\ntwo ") is None
        (event,) = store.events_after(link, 1)
        said = event.comment
        assert (said.body, said.author, said.organization) == ("one\ntwo ", "Ana", ZENDESK)
        assert (said.audience, said.is_paired) == ("internal", True)

    @pytest.mark.parametrize("body", [" \n", "x" * 65_001], ids=["blank", "too long"])
    def test_a_comment_that_the_hub_cannot_hold_is_refused(self, store: Any, body: str) -> None:
        with pytest.raises(HubRefused):
            self.say_there(store, self.linked(store), body)

    def attach(self, store: Any, link: Any, place: Path, name: str = "log.txt") -> Any:
        file = Attachment("f1", name, "text/plain", 4, NOW, "Ana")
        place.write_text("#12#")
        with store.atomic():
            held = store.handed(self.row(store, link))
            store.lock_ticket(held)
            return store.attach(held, file, place, audience="public", at=NOW, ref="7:f1:attachment", author="Ana")

    @pytest.mark.parametrize("name", ["log.txt", " log.txt", "over/there/log.txt", "over\\there\\log.txt"])
    def test_a_file_is_taken_in_once_and_can_be_sent_on(self, store: Any, tmp_path: Path, name: str) -> None:
        link = self.linked(store)
        made = self.attach(store, link, tmp_path / "file", name)
        store.pair_file(link, made, "f1")
        assert self.attach(store, link, tmp_path / "file", name) is None
        (event,) = store.events_after(link, 1)
        file = event.attachment
        assert (file.file_name, file.content_type, file.size, file.is_paired) == ("log.txt", "text/plain", 4, True)
        assert (set(store.paired_files(link)), set(store.paired_comments(link))) == ({"f1"}, set())
        upload = store.upload(file.id)
        assert (upload.file_name, upload.size, upload.sha256) == ("log.txt", 4, "#12#")

    @pytest.mark.parametrize("name", ["", " ", "over/there/"])
    def test_a_file_without_a_name_is_refused(self, store: Any, tmp_path: Path, name: str) -> None:
        with pytest.raises(HubRefused):
            self.attach(store, self.linked(store), tmp_path / "file", name)

    def open(self, store: Any, link: Any, values: dict[str, Any], mark: str = "") -> Any:
        with store.atomic():
            held = store.handed(self.row(store, link))
            store.open_ticket(held, values, at=NOW, ref="7:created", mark=mark)
            store.save(held)
            return held

    def test_a_ticket_first_seen_in_a_system_is_opened(self, store: Any) -> None:
        link = self.open(store, self.sighted(store), OPENING)
        ticket = store.tickets[self.row(store, link).ticket_id]
        assert {name: ticket.fields[name] for name in OPENING} == OPENING
        assert (ticket.fields["priority"], ticket.opened_by, ticket.is_restored) == ("medium", ZENDESK, False)
        (entry,) = ticket.journal
        assert (entry.origin, entry.ref, entry.kind) == (ZENDESK, "7:created", "opened")
        assert entry.changes == {name: (None, value) for name, value in (OPENING | {"priority": "medium"}).items()}
        assert store.ticket_marked(link, {store.mark_for(link, "7:created")}) == store.handed(ticket)
        with store.atomic():
            store.lock_ticket(link)
            store.receive(link, {"title": "#10#"}, at=NOW, ref="7:created", author="Ana")
        assert store.tickets[ticket.pk].last_seq == 1

    @pytest.mark.parametrize("values", [{"assignee": "Ana"}, {"title": "x" * 256}, {"title": "#1#", "status": "odd"}])
    def test_a_ticket_that_the_hub_cannot_hold_is_refused(self, store: Any, values: dict[str, Any]) -> None:
        link = self.sighted(store)
        with pytest.raises(HubRefused):
            self.open(store, link, values)
        assert len(store.tickets) == 0
        assert self.row(store, link).ticket_id is None

    def test_a_ticket_taken_in_again_is_the_same_one(self, store: Any) -> None:
        """Whatever a transaction or a whole database forgot of it (INV-40)."""
        link, seen = self.sighted(store), []

        def fail() -> None:
            with store.atomic():
                seen.append(self.open(store, link, OPENING).ticket_id)
                raise LookupError

        with pytest.raises(LookupError):
            fail()
        assert [self.open(store, link, OPENING).ticket_id] == seen

    def test_a_ticket_known_by_a_copy_is_tied(self, store: Any) -> None:
        ticket = self.ticket(store)
        link = self.sighted(store)
        with store.atomic():
            held = store.handed(self.row(store, link))
            store.tie(held, store.handed(ticket), now=NOW)
            assert (held.ticket_id, store.last_seq(held), store.is_restored(held)) == (ticket.pk, 1, False)
            store.save(held)
        assert self.row(store, link).ticket_id == ticket.pk
