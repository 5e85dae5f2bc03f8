"""A worker meets a database that cannot be had: it ends, leaves nothing half done, and the next goes on (F53, F55)."""

from collections.abc import Callable

import pytest
from django.db import OperationalError, connection

from apps.foundation.outages import OUTAGES as DATABASE_ERRORS
from apps.sync import services as sync
from apps.sync.models import Intent, Pairing, TicketLink
from apps.sync.services import making
from apps.tickets.models import Ticket
from tests.sync.services.stage import Stage

from .outages import OUTAGES, outage

pytestmark = pytest.mark.django_db(transaction=True)
A = "infinity-architecture"
TABLES = [model._meta.db_table for model in (Intent, Pairing, TicketLink)]


def rounds_of(stage: Stage, slug: str) -> None:
    """What a task does: round after round; an outage ends it."""
    try:
        while stage.round(slug).worked:
            continue
    except DATABASE_ERRORS:
        return


def fill_up(stage: Stage, ticket: Ticket) -> None:
    """Use up what room intents have left; as others do while the disk fills."""
    link = stage.link(A, ticket)
    try:
        for number in range(5000):
            kept = {"state": Intent.State.WITHHELD, "created_at": stage.now, "rules_number": 1}
            Intent.objects.create(link=link, seq=0, slot=f"filling {number}", correlation=f"siam-{number:016}", **kept)
    except DATABASE_ERRORS:
        return


@pytest.mark.parametrize("name", OUTAGES)
def test_nothing_is_written_without_an_intent_and_all_goes_on_unaided(stage: Stage, name: str) -> None:
    system = stage.connect(A)
    ticket = stage.open(A)
    sync.link_ticket(ticket, now=stage.now)
    with outage(name):
        if name == "a full disk":
            fill_up(stage, ticket)
        rounds_of(stage, A)
        assert not system.tickets
    stage.say(ticket, A, "hello")
    held = TicketLink.objects.exclude(delivery_hold=None, intake_hold=None)
    assert not held.exists(), held.get().delivery_hold
    stage.rest()
    assert [said.body for said in stage.remote(A, ticket).comments] == ["hello"]
    assert len(system.tickets) == 1
    assert not Intent.objects.filter(state=Intent.State.OPEN).exists()


class Failing:
    """Statements that write to a table fail: the first alone, as in a deadlock, or all from then on."""

    def __init__(self, table: str, *, is_lasting: bool) -> None:
        self._table, self._is_lasting, self.hits = table, is_lasting, 0

    def __call__(self, execute: Callable[..., object], sql: str, *rest: object) -> object:
        is_meant = sql.startswith(("INSERT", "UPDATE")) and f'"{self._table}"' in sql
        if (is_meant and not self.hits) or (self.hits and self._is_lasting):
            self.hits += 1
            raise OperationalError("deadlock detected")
        return execute(sql, *rest)


@pytest.mark.parametrize("is_lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("table", TABLES)
def test_a_failure_in_the_middle_parks_no_lane(stage: Stage, table: str, is_lasting: bool) -> None:
    """A person would have to resume it, although nothing is wrong with it."""
    system = stage.connect(A)
    ticket = stage.open(A)
    sync.link_ticket(ticket, now=stage.now)
    stage.say(ticket, A, "hello")
    failure = Failing(table, is_lasting=is_lasting)
    with connection.execute_wrapper(failure):
        for _ in range(4):
            rounds_of(stage, A)
    assert failure.hits
    held = TicketLink.objects.exclude(delivery_hold=None, intake_hold=None)
    assert not held.exists(), held.get().delivery_hold
    stage.rest()
    assert [said.body for said in stage.remote(A, ticket).comments] == ["hello"]
    assert len(system.tickets) == 1


@pytest.mark.parametrize("tries", [1, 3])
def test_a_renewed_token_is_kept_although_the_database_is_away_for_a_moment(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    """The former token is void by then (INV-36)."""
    stage.connect(A)
    monkeypatch.setattr(making, "KEEPING_PAUSES", (0.01,) * 3)
    failures = [OperationalError("the server closed the connection")] * tries

    def fail(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if failures and sql.startswith("UPDATE"):
            raise failures.pop()
        return execute(sql, *rest)

    with connection.execute_wrapper(fail):
        making._keep_secrets(stage.connection(A), {"refresh_token": "rotated"})
    assert stage.connection(A).secrets["refresh_token"] == "rotated"
