"""A ticket's way through the store: opened in one system, created in the others, kept in step."""

import io

from django.db.models import F

from apps.sync import services as sync
from apps.sync.engine.snapshot import Visibility
from apps.sync.models import Intent, Pairing, TicketLink
from apps.tickets.models import Attachment, Ticket

from .stage import Stage, journal, writes

A, B = "infinity-architecture", "infinity-projects"


def test_a_ticket_is_opened_as_it_was_and_followed_in_its_order(stage: Stage) -> None:
    """What happened in the system before the first look enters the journal in the original order (T89)."""
    system = stage.connect(A)
    remote = stage.person_opens(A, priority="low")
    system.edit(remote.ref, {"priority": "high"}, by="Elaine")
    system.comment(remote.ref, "Seen by three kiosks", Visibility.PUBLIC, by="Elaine")
    system.edit(remote.ref, {"status": "in progress"}, by="Elaine")
    stage.rest()
    ticket = Ticket.objects.get()
    told = [(event.kind, event.changes.get("priority") or event.changes.get("status")) for event in journal(ticket)]
    assert told[0] == ("opened", [None, "low"])
    assert [kind for kind, _what in told[1:]] == ["changed", "commented", "changed"]
    assert told[1][1] == ["low", "high"]
    assert told[3][1] == ["new", "in_progress"]
    assert {event.actor_name for event in journal(ticket)[1:]} == {"Elaine"}


def test_a_ticket_of_one_system_is_created_in_the_other(stage: Stage) -> None:
    stage.connect(A)
    stage.connect(B)
    stage.person_opens(A, priority="high", description="It **hangs**")
    stage.rest()
    ticket = Ticket.objects.get()
    stage.share(ticket, B)
    stage.rest()
    remote = stage.remote(B, ticket)
    assert (remote.fields["title"], remote.fields["priority"]) == ("Kiosk is slow", "high")
    assert len(stage.systems[B].tickets) == 1
    assert len(stage.systems[A].tickets) == 1


def test_a_creation_is_as_of_the_moment_the_party_joined_and_the_rest_follows_in_order(stage: Stage) -> None:
    stage.connect(B)
    ticket = stage.open(A, priority="low")
    stage.say(ticket, A, "first")
    stage.share(ticket, B)
    stage.rest()
    stage.edit(ticket, A, title="Shop is slow")
    stage.say(ticket, A, "second")
    stage.edit(ticket, A, title="Shop is fine")
    stage.rest()
    remote = stage.remote(B, ticket)
    seen = [
        change.fields.get("title", (None, None))[1] or (change.comment and change.comment.body) for change in remote.log
    ]
    assert [one for one in seen if one] == ["first", "Shop is slow", "second", "Shop is fine"]


def test_comments_and_files_are_on_both_sides_exactly_once(stage: Stage) -> None:
    system = stage.connect(A)
    stage.connect(B)
    ticket = stage.open(A, B)
    stage.rest()
    stage.say(ticket, A, "from here")
    stage.person_says(A, ticket, "from there")
    stage.attach(ticket, A, "log.txt", b"line")
    system.attach(stage.remote(A, ticket).ref, "shot.txt", b"pixels", by="Elaine")
    for _ in range(3):
        stage.rest()
    for slug in (A, B):
        remote = stage.remote(slug, ticket)
        assert sorted(said.body for said in remote.comments) == ["from here", "from there"]
        assert sorted(file.file_name for file in remote.attachments) == ["log.txt", "shot.txt"]
    assert Attachment.objects.count() == 2
    assert Pairing.objects.count() == 8


def test_a_quiet_world_stays_quiet(stage: Stage) -> None:
    """Polls, looks and a sweep over everything write nothing anywhere (INV-24)."""
    stage.connect(A)
    stage.connect(B)
    ticket = stage.open(A, B, priority="high", description="It hangs ")
    stage.rest()
    stage.person_edits(B, ticket, title="  Shop   is slow ")
    stage.rest()
    before = len(journal(ticket)), Intent.objects.count(), [len(stage.remote(slug, ticket).log) for slug in (A, B)]
    stage.sweep()
    stage.rest()
    stage.sweep()
    after = len(journal(ticket)), Intent.objects.count(), [len(stage.remote(slug, ticket).log) for slug in (A, B)]
    assert after == before


def test_a_number_of_a_system_does_not_come_back_as_text(stage: Stage) -> None:
    """A custom field keeps text; the agreement must know it as the hub keeps it, or every sweep would write it."""
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.person_edits(A, ticket, effort=3)
    stage.rest()
    ticket.refresh_from_db()
    assert ticket.custom == {"effort": "3"}
    before = len(writes(stage.remote(A, ticket)))
    stage.sweep()
    assert len(writes(stage.remote(A, ticket))) == before


def test_a_field_that_was_empty_is_taken_in_from_a_system_without_a_change_log(stage: Stage) -> None:
    stage.connect(A, has_change_log=False)
    ticket = stage.open(A)
    stage.rest()
    stage.person_edits(A, ticket, reference="Utrecht", priority="high")
    stage.person_says(A, ticket, "on site now")
    stage.rest()
    ticket.refresh_from_db()
    assert (ticket.custom, ticket.priority) == ({"site": "Utrecht"}, "high")
    assert ticket.comments.get().body == "on site now"


def test_a_field_that_only_goes_in_is_written_at_once_to_a_ticket_that_came_from_there(stage: Stage) -> None:
    rules = {"hub": "status", "system": "reference", "direction": "inbound"}
    from .stage import document

    made = document()
    made["fields"] = [entry for entry in made["fields"] if entry["hub"] != "custom.site"] + [rules]
    stage.connect(A, made)
    stage.person_opens(A)
    stage.rest()
    assert stage.remote(A, Ticket.objects.get()).fields["reference"] == "new"


def test_a_comment_and_a_file_with_the_same_number_are_two_things(stage: Stage) -> None:
    """Systems count comments and files apart; a known comment must not hide a new file."""
    system = stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.person_says(A, ticket, "see the file")
    stage.rest()
    number = stage.remote(A, ticket).comments[0].id
    system.attach(stage.remote(A, ticket).ref, "log.txt", b"line", by="Elaine")
    remote = stage.remote(A, ticket)
    _renumber_file(remote, number)
    stage.rest()
    assert Attachment.objects.get().file_name == "log.txt"


def _renumber_file(remote: object, number: str) -> None:
    from dataclasses import replace

    old = remote.attachments[0].id  # type: ignore[attr-defined]
    remote.attachments[0] = replace(remote.attachments[0], id=number)  # type: ignore[attr-defined]
    remote.contents[number] = remote.contents.pop(old)  # type: ignore[attr-defined]
    remote.log[-1] = replace(remote.log[-1], attachment=remote.attachments[0])  # type: ignore[attr-defined]


def test_remarks_of_the_portal_are_passed_over_without_a_call(stage: Stage) -> None:
    """A noted entry grows every lane of the ticket and asks nothing of any system."""
    from apps.tickets.services import note

    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    before, intents = len(stage.remote(A, ticket).log), Intent.objects.count()
    for _ in range(5):
        note(ticket=ticket, text="a remark", actor=stage.actor(A), at=stage.now)
    stage.rest(polls=False)
    link = stage.link(A, ticket)
    assert link.applied_seq == link.ticket.last_seq
    assert (len(stage.remote(A, ticket).log), Intent.objects.count()) == (before, intents)


def test_what_a_look_brings_asks_for_no_round_of_its_own(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.person_edits(A, ticket, title="Shop is slow")
    stage.person_says(A, ticket, "all of it")
    stage.poll()
    assert stage.round(A).worked == 1
    link = stage.link(A, ticket)
    assert [event.kind for event in journal(ticket)][-2:] == ["changed", "commented"]
    assert link.applied_seq == link.ticket.last_seq
    assert link.wanted_at is None


def test_nor_does_what_a_creation_holds_already(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.edit(ticket, A, title="Shop is slow")
    sync.link_ticket(ticket, now=stage.now)
    assert stage.round(A).worked == 1
    link = stage.link(A, ticket)
    assert (link.start_seq, link.applied_seq, link.wanted_at) == (2, 2, None)


def test_what_waits_before_it_is_not_passed_over_with_it(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.edit(ticket, A, title="Shop is slow")
    stage.person_edits(A, ticket, priority="high")
    TicketLink.objects.update(look_wanted=F("look_wanted") + 1)
    assert stage.round(A).worked == 1
    link = stage.link(A, ticket)
    assert link.applied_seq == link.ticket.last_seq - 2
    stage.rest()
    assert stage.remote(A, ticket).fields["title"] == "Shop is slow"


def test_a_mended_field_waits_until_the_lane_is_empty_and_is_mended_then(stage: Stage) -> None:
    """What a sweep found missing was lost when an entry still waited, and a mapped field broke the whole round."""
    stage.connect(A)
    ticket = stage.open(A, priority="high")
    stage.rest()
    link = stage.link(A, ticket)
    stage.systems[A].edit(stage.remote(A, ticket).ref, {"priority": "low"}, by="Elaine")
    TicketLink.objects.filter(pk=link.pk).update(
        repair=["priority=priority"],
        change_cursor=stage.remote(A, ticket).log[-1].id,
        version=str(stage.remote(A, ticket).version),
    )
    stage.say(ticket, A, "an entry that waits")
    stage.rest(polls=False)
    assert stage.remote(A, ticket).fields["priority"] == "high"
    assert stage.link(A, ticket).repair == []


def test_a_file_of_a_party_reaches_the_other_whole(stage: Stage) -> None:
    stage.connect(A)
    system = stage.connect(B)
    ticket = stage.open(A, B)
    stage.attach(ticket, A, "log.txt", b"x" * 300_000)
    stage.rest()
    remote = stage.remote(B, ticket)
    assert remote.contents[remote.attachments[0].id] == b"x" * 300_000
    assert io.BytesIO(system.tickets[remote.ref.id].contents[remote.attachments[0].id]).read(3) == b"xxx"


def test_a_system_that_begins_with_the_wanted_status_gets_no_second_call(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    (_link,) = sync.link_ticket(ticket, now=stage.now)
    assert stage.round(A).worked == 1
    ticket.refresh_from_db()
    made = stage.link(A, ticket)
    assert [intent.slot for intent in made.intents.all()] == ["create"]
    assert made.applied_seq == ticket.last_seq
    assert "status=status" in made.base


def test_another_status_is_set_right_after_the_creation(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A, status="in_progress")
    stage.rest()
    assert [intent.slot for intent in stage.link(A, ticket).intents.order_by("pk")] == ["create", "update"]
    assert stage.remote(A, ticket).fields["status"] == "in progress"
