"""Work is found by an index that the database keeps itself, however many tickets are stored (design 3.6)."""

import re
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection as database
from django.db.models import Q
from django.utils import timezone

from apps.sync import services as sync
from apps.sync.engine.ports import DELIVERS, LinkState
from apps.sync.engine.snapshot import ExternalRef, NoticeHint
from apps.sync.models import Intent, TicketLink
from apps.sync.services import linking
from apps.sync.store import store
from apps.sync.store.claims import hear_journals

from .stage import AT, Stage

A, B = "infinity-architecture", "infinity-projects"
HOLD = {"cause": "rules"}
BIG = (
    "sync_ticketlink",
    "tickets_ticket",
    "tickets_ticketparty",
    "tickets_ticketevent",
    "sync_intent",
    "sync_pairing",
    "sync_notice",
)


def test_the_database_knows_of_each_row_whether_it_is_wanted(stage: Stage) -> None:
    stage.connect(A)
    flags = list(product([False, True], repeat=8))
    rows = [
        TicketLink(
            connection=stage.connections[A],
            state=state,
            external_id=f"{state} {number}" if exists else "",
            look_wanted=int(looks),
            heard_seq=int(owes),
            intake_hold=HOLD if not_in else None,
            delivery_hold=HOLD if not_out else None,
            repair=["title=title"] if mends else [],
            is_behind=behind,
            is_unsettled=doubts,
            due_at=AT,
            created_at=AT,
        )
        for state in LinkState
        for number, (exists, looks, owes, not_in, not_out, mends, behind, doubts) in enumerate(flags)
    ]
    TicketLink.objects.bulk_create(rows)
    for row in TicketLink.objects.all():
        looks = row.look_wanted > row.look_done and row.intake_hold is None and row.external_id != ""
        owes = row.state in DELIVERS and row.delivery_hold is None and (row.heard_seq > 0 or row.repair)
        may_send = not (row.is_behind and row.external_id)
        doubts = row.is_unsettled and row.state != LinkState.DETACHED
        assert (row.wanted_at == AT) is bool(looks or (owes and may_send) or doubts), vars(row)
        assert row.wanted_at in (AT, None)


def test_what_was_written_while_a_lane_was_claimed_is_heard_when_it_is_given_back(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.edit(ticket, A, title="first")
    hear_journals(Q())
    (claimed,) = store.claim(stage.connection(A), now=stage.now + timedelta(hours=1), most=9)
    stage.edit(ticket, A, title="second")
    ticket.refresh_from_db()
    hear_journals(Q())
    assert stage.link(A, ticket).heard_seq == ticket.last_seq - 1
    store.release(claimed)
    assert stage.link(A, ticket).heard_seq == ticket.last_seq


def test_a_lost_wake_up_is_made_up_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    monkeypatch.setattr(linking, "_heard_until", None)
    for since in (None, timezone.now()):
        monkeypatch.setattr(linking, "_heard_until", since)
        stage.edit(ticket, A, title=f"since {since}")
        assert str(stage.connections[A].pk) not in sync.connections_with_work(stage.now)
        sync.hear_missed(now=timezone.now())
        assert str(stage.connections[A].pk) in sync.connections_with_work(stage.now)
        stage.rest()


def test_only_connections_with_something_to_do_are_woken(stage: Stage) -> None:
    stage.connect(A)
    stage.connect(B)
    ticket = stage.open(A, B)
    stage.rest()
    assert sync.link_tickets([str(ticket.pk)], now=stage.now) == []
    stage.person_edits(A, ticket, title="Shop is slow")
    stage.poll()
    stage.round(A)
    assert sync.link_tickets([str(ticket.pk)], now=stage.now) == [str(stage.connections[B].pk)]


def test_a_write_in_doubt_keeps_a_held_lane_wanted(stage: Stage) -> None:
    stage.connect(A)
    ticket = stage.open(A)
    stage.rest()
    stage.fault(A, "down", on="update", times=1)
    stage.edit(ticket, A, title="in doubt")
    stage.round(A)
    TicketLink.objects.update(delivery_hold=HOLD)
    assert Intent.objects.filter(state=Intent.State.OPEN).exists()
    assert stage.round(A).worked == 1
    assert not Intent.objects.filter(state=Intent.State.OPEN).exists()


@pytest.mark.skipif(database.vendor != "sqlite", reason="another planner looks at how much is stored")
def test_nothing_that_is_asked_for_an_entry_scans_a_table(stage: Stage) -> None:
    stage.connect(A)
    stage.connect(B)
    ticket = stage.open(A, B)
    stage.rest()
    for slug in (A, B):
        # The first time a connection is offered every ticket there is.
        sync.link_missed(stage.connection(slug), now=stage.now)
    said: list[tuple[str, Any]] = []

    def keep(execute: Any, sql: str, params: Any, *rest: Any) -> Any:
        said.append((sql, params))
        return execute(sql, params, *rest)

    with database.execute_wrapper(keep):
        stage.person_edits(A, ticket, title="by webhook")
        hint = NoticeHint("delivery-1", (ExternalRef(stage.link(A, ticket).external_id),))
        sync.accept_notice(stage.connection(A), hint, now=stage.now)
        sync.link_tickets([str(ticket.pk)], now=stage.now)
        for slug in (A, B):
            sync.link_missed(stage.connection(slug), now=stage.now)
            sync.sweep(stage.connection(slug), now=stage.now)
        for slug in (A, B, A, B):
            sync.connections_with_work(stage.now)
            stage.now += timedelta(minutes=1)
            sync.run_round(stage.connection(slug), now=stage.now)
            sync.link_tickets([str(ticket.pk)], now=stage.now)
    assert stage.remote(B, ticket).fields["title"] == "by webhook"
    assert len(said) > 50
    assert scans(said) == []


def scans(statements: list[tuple[str, Any]]) -> list[str]:
    """Steps of the statements that read a whole table which grows with what is stored."""
    found = []
    for sql, params in statements:
        if not sql.startswith(("SELECT", "UPDATE", "DELETE")):
            continue
        with database.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
            steps = [row[3] for row in cursor.fetchall()]
        found += [f"{step}: {sql}" for step in steps if reads_all(step, sql)]
    return found


def reads_all(step: str, sql: str) -> bool:
    """Whether a step reads all of a table that grows, or all that belongs to a connection or an organization."""
    kind, name, *_rest = [*step.split(), "", ""]
    known = {alias: table for table, alias in re.findall(r'"(\w+)" ([A-Z]\d+)\b', sql)}
    is_wide = kind == "SCAN" or step.endswith(("(connection_id=?)", "(organization_id=?)"))
    return is_wide and known.get(name, name) in BIG
