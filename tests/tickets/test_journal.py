"""The journal: append only, counted without gaps, one entry for one change (INV-4)."""

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from apps.access.kernel import Forbidden, NotVisible
from apps.tickets import services as tickets
from apps.tickets.actor import Source
from apps.tickets.models import JournalIsAppendOnly, Ticket, TicketEvent
from apps.tickets.services import FieldNotUsable, MoveNotAllowed, NotInThisEcosystem
from apps.tickets.vocabulary import MOVES, Status

from .desk import AT, Desk, journal

FROM_JIRA = Source("connection-1", "OPS-7:17:fields", "Elaine")


def test_entries_count_up_by_one_and_say_from_what_to_what(desk: Desk) -> None:
    ticket = desk.open()
    tickets.edit(ticket=ticket, values={"title": "Kiosk is down"}, actor=desk.elaine, at=AT)
    tickets.comment(ticket=ticket, body="Seen", audience="public", actor=desk.elaine, at=AT)
    assert [event.seq for event in journal(ticket)] == [1, 2, 3]
    assert journal(ticket)[1].changes == {"title": ["Kiosk is slow", "Kiosk is down"]}
    ticket.refresh_from_db()
    assert ticket.last_seq == 3


def test_an_entry_can_be_neither_changed_nor_deleted(desk: Desk) -> None:
    event = journal(desk.open())[0]
    event.text = "rewritten"
    acts = [
        event.save,
        event.delete,
        TicketEvent.objects.all().delete,
        lambda: TicketEvent.objects.update(text="rewritten"),
        lambda: TicketEvent.objects.bulk_update([event], ["text"]),
        lambda: TicketEvent.objects.update_or_create(pk=event.pk, defaults={"text": "rewritten"}),
    ]
    for act in acts:
        with pytest.raises(JournalIsAppendOnly):
            act()
    assert TicketEvent.objects.get(pk=event.pk).text == ""


def test_the_database_itself_refuses_a_second_entry_with_the_same_number(desk: Desk) -> None:
    event = journal(desk.open())[0]
    event.pk, event._state.adding = None, True
    with pytest.raises(IntegrityError), transaction.atomic():
        event.save()


def test_a_change_that_changes_nothing_makes_no_entry(desk: Desk) -> None:
    ticket = desk.open()
    assert tickets.edit(ticket=ticket, values={"title": ticket.title}, actor=desk.elaine, at=AT) is None
    assert len(journal(ticket)) == 1


def test_a_change_that_comes_twice_is_one_entry(desk: Desk) -> None:
    ticket = desk.open()
    for title in ("Kiosk is down", "Told again, altered"):
        tickets.receive_changes(ticket=ticket, values={"title": title}, actor=desk.elaine, at=AT, source=FROM_JIRA)
    for _ in range(2):
        tickets.comment(
            ticket=ticket,
            body="Seen",
            audience="public",
            actor=desk.elaine,
            at=AT,
            source=Source("connection-1", "c1", "Marco"),
        )
    assert [event.kind for event in journal(ticket)] == ["opened", "changed", "commented"]
    assert journal(ticket)[1].actor_name == "Elaine"
    assert journal(ticket)[2].actor_name == "Marco"


def test_the_same_number_from_another_connection_is_another_change(desk: Desk) -> None:
    ticket = desk.open()
    for origin, title in (("connection-1", "one"), ("connection-2", "two")):
        source = Source(origin, "17")
        tickets.receive_changes(ticket=ticket, values={"title": title}, actor=desk.elaine, at=AT, source=source)
    assert len(journal(ticket)) == 3


def test_an_entry_knows_when_it_happened_and_when_we_heard_of_it(desk: Desk) -> None:
    ticket = desk.open()
    early = AT - timedelta(days=2)
    event = tickets.receive_changes(ticket=ticket, values={"title": "x"}, actor=desk.elaine, at=early, source=FROM_JIRA)
    assert event is not None
    assert event.at == early < event.recorded_at
    assert ticket.updated_at == AT


@pytest.mark.parametrize(("start", "goal"), [(a, b) for a in Status.values for b in Status.values if a != b])
def test_a_ticket_moves_only_along_the_legal_moves(desk: Desk, start: str, goal: str) -> None:
    ticket = desk.open(status=start)
    if goal in MOVES[start]:
        tickets.move(ticket=ticket, status=goal, actor=desk.elaine, at=AT)
        assert ticket.status == goal
    else:
        with pytest.raises(MoveNotAllowed, match=f"from {start}"):
            tickets.move(ticket=ticket, status=goal, actor=desk.elaine, at=AT)


def test_what_already_happened_in_a_system_needs_no_legal_move(desk: Desk) -> None:
    ticket = desk.open(status="closed")
    tickets.receive_changes(ticket=ticket, values={"status": "new"}, actor=desk.elaine, at=AT, source=FROM_JIRA)
    assert (ticket.status, ticket.closed_at, ticket.resolved_at) == ("new", None, None)


def test_resolving_and_closing_leave_their_times_and_re_opening_takes_them_back(desk: Desk) -> None:
    ticket = desk.open()
    tickets.move(ticket=ticket, status="resolved", actor=desk.elaine, at=AT, resolution="restarted")
    assert (ticket.resolved_at, ticket.resolution) == (AT, "restarted")
    tickets.move(ticket=ticket, status="closed", actor=desk.elaine, at=AT + timedelta(hours=1))
    assert (ticket.resolved_at, ticket.closed_at) == (AT, AT + timedelta(hours=1))
    tickets.move(ticket=ticket, status="in_progress", actor=desk.elaine, at=AT + timedelta(hours=2))
    assert (ticket.resolved_at, ticket.closed_at) == (None, None)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 256}, "256 characters"),
        ({"kind": "case"}, "'case'"),
        ({"category": "weather"}, "'weather'"),
        ({"impact": 5}, "assess"),
        ({"color": "red"}, "color"),
    ],
)
def test_an_unusable_value_is_refused_by_name(desk: Desk, values: dict[str, object], named: str) -> None:
    ticket = desk.open()
    with pytest.raises(FieldNotUsable, match=named):
        tickets.edit(ticket=ticket, values=values, actor=desk.elaine, at=AT)
    assert len(journal(ticket)) == 1


# --- Parties and hand-over --------------------------------------------------------------------------------------------


def test_opener_customer_and_integrator_take_part_from_the_start(desk: Desk) -> None:
    ticket = desk.open()
    assert {party.organization.slug for party in ticket.parties.all()} == {
        "infinity",
        "infinity-integration",
        "infinity-projects",
    }


def test_a_ticket_of_a_rival_does_not_exist(desk: Desk) -> None:
    ticket = desk.open()
    with pytest.raises(NotVisible):
        tickets.edit(ticket=ticket, values={"title": "x"}, actor=desk.agent, at=AT)
    with pytest.raises(NotVisible):
        tickets.share(ticket=ticket, organization=desk.organization("mercuri"), actor=desk.agent, at=AT)


def test_sharing_and_handing_over_are_the_integrators(desk: Desk) -> None:
    ticket = desk.open()
    with pytest.raises(Forbidden):
        tickets.share(ticket=ticket, organization=desk.organization("global"), actor=desk.elaine, at=AT)
    assert desk.share(ticket, "global") is not None
    assert desk.share(ticket, "global") is None
    event = tickets.hand_over(
        ticket=ticket, organization=desk.organization("mercuri"), actor=desk.lead, at=AT, reason="theirs"
    )
    assert event is not None
    assert event.changes == {"held_by": ["Infinity Projects", "Mercuri Inc"]}
    assert ticket.held_by.slug == "mercuri"
    assert ticket.parties.count() == 5


def test_a_route_hands_over_by_itself_and_leaves_the_change_its_own_entry(desk: Desk) -> None:
    ticket = desk.open()
    tickets.receive_changes(ticket=ticket, values={"category": "network"}, actor=desk.elaine, at=AT, source=FROM_JIRA)
    assert [event.kind for event in journal(ticket)] == ["opened", "changed", "handed_over"]
    assert [event.origin_ref for event in journal(ticket)] == ["", FROM_JIRA.ref, ""]
    assert ticket.held_by.slug == "global"


def test_a_party_from_another_ecosystem_is_refused(desk: Desk) -> None:
    from apps.ecosystem.models import Organization

    stranger = Organization.objects.create(name="Elsewhere", slug="elsewhere", layer="customer")
    with pytest.raises(NotInThisEcosystem):
        tickets.share(ticket=desk.open(), organization=stranger, actor=desk.lead, at=AT)


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_leave_no_gap_and_no_double() -> None:
    """Numbers are given under the ticket's row lock, so whoever reads up to the last one has read all."""
    desk = Desk()
    ticket = desk.open()

    def write(name: int) -> None:
        try:
            for number in range(5):
                tickets.comment(
                    ticket=Ticket.objects.get(pk=ticket.pk),
                    body=f"{name}.{number}",
                    audience="public",
                    actor=desk.elaine,
                    at=AT,
                )
        finally:
            connection.close()

    writers = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [event.seq for event in journal(ticket)] == list(range(1, 22))
