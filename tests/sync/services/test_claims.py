"""Claims and turns: one hand on one lane, for as long as its round runs, and no longer than seconds after a kill."""

import asyncio
from datetime import datetime, timedelta

from django.utils import timezone

from apps.sync import services as sync
from apps.sync.engine import deliver
from apps.sync.engine.claims import CLAIM_SECONDS, RENEW_SECONDS, Lease
from apps.sync.engine.deciding import decide_work
from apps.sync.engine.merge import Agreement
from apps.sync.engine.plan import UpdateRemote
from apps.sync.engine.recovery import FailureKind
from apps.sync.engine.work import Do, Failed
from apps.sync.models import TicketLink
from apps.sync.services.carrying import carry_out_all
from apps.sync.services.claims import keep_leases, under_way
from apps.sync.services.turns import THREADS_A_CONNECTION, Turns
from apps.sync.store import store
from apps.sync.store.rules import published_rules

from ..engine.worlds import make_rules
from .stage import Stage

A = "infinity-architecture"


class Clock:
    """Seconds that pass only when a test says so."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def claimed(stage: Stage) -> tuple[TicketLink, Lease, Clock]:
    """One link, claimed a minute ago by a round that runs until now."""
    stage.connect(A)
    sync.link_ticket(stage.open(A), now=stage.now)
    (link,) = store.claim(stage.connection(A), now=timezone.now() + timedelta(minutes=1), most=32)
    clock = Clock()
    return link, Lease(store, link.claimed_by, clock), clock


def until(link: TicketLink) -> datetime:
    link.refresh_from_db()
    assert link.claimed_until is not None
    return link.claimed_until


def test_a_round_that_takes_long_keeps_its_claims(stage: Stage) -> None:
    link, lease, clock = claimed(stage)
    TicketLink.objects.filter(pk=link.pk).update(claimed_until=timezone.now())
    before = until(link)
    clock.seconds = RENEW_SECONDS + 1
    assert lease.keep()
    assert until(link) > before + timedelta(seconds=CLAIM_SECONDS - 1)


def test_it_keeps_them_while_another_round_of_its_process_has_the_turn(stage: Stage) -> None:
    link, lease, clock = claimed(stage)
    TicketLink.objects.filter(pk=link.pk).update(claimed_until=timezone.now())
    before = until(link)
    clock.seconds = RENEW_SECONDS + 1
    with under_way(lease):
        keep_leases()
    kept = until(link)
    assert kept > before + timedelta(seconds=CLAIM_SECONDS - 1)
    clock.seconds += RENEW_SECONDS + 1
    keep_leases()
    assert until(link) == kept


def test_a_short_round_writes_no_renewal(stage: Stage) -> None:
    link, lease, clock = claimed(stage)
    before = until(link)
    clock.seconds = RENEW_SECONDS - 1
    assert lease.keep()
    assert until(link) == before


def test_a_frozen_worker_does_not_take_its_claims_back(stage: Stage) -> None:
    """It may have been replaced meanwhile, on some of its lanes or on all (F51)."""
    link, lease, clock = claimed(stage)
    before = until(link)
    clock.seconds = CLAIM_SECONDS + 1
    assert not lease.keep()
    assert until(link) == before


def test_a_frozen_worker_decides_nothing_and_writes_nothing(stage: Stage) -> None:
    link, lease, clock = claimed(stage)
    rules = published_rules(stage.connection(A))
    assert rules is not None
    ((_link, work),) = decide_work(store, [link], rules, now=stage.now)
    assert isinstance(work, Do)
    clock.seconds = CLAIM_SECONDS + 1
    connector = sync.connector_for(stage.connection(A))
    (result,) = asyncio.run(carry_out_all(connector, [work], may_write=lease.is_held))
    assert isinstance(result, Failed)
    assert result.failure.kind is FailureKind.STALE_VERSION
    assert not result.failure.is_unknown
    assert stage.systems[A].tickets == {}
    assert decide_work(store, [link], rules, now=stage.now, may_go_on=lease.keep) == []


def test_a_status_that_somebody_set_before_ours_is_not_undone() -> None:
    """The ticket is made, and before its status follows a person moves it: that is news for the hub."""
    fields = {"kind": "incident", "title": "Shop is slow", "status": "new"}
    quicker = {"status=status": Agreement("pending", "pending", 9)}
    rules = make_rules()
    known = {rule.key for rule in rules.fields}
    assert set(quicker) <= known
    assert any(isinstance(step, UpdateRemote) for step in deliver.plan_creation(fields, 7, rules, {}))
    assert not any(isinstance(step, UpdateRemote) for step in deliver.plan_creation(fields, 7, rules, {}, quicker))


def test_a_connection_takes_no_more_than_its_share_of_threads() -> None:
    turns = Turns()
    assert [turns.take("one") for _ in range(THREADS_A_CONNECTION)] == [True] * THREADS_A_CONNECTION
    assert not turns.take("one")
    assert turns.take("another")


def test_who_is_turned_away_leaves_a_call_that_is_heard_once() -> None:
    turns = Turns()
    for _ in range(THREADS_A_CONNECTION):
        turns.take("one")
    assert not turns.is_called_again("one")
    turns.take("one")
    assert turns.is_called_again("one")
    assert not turns.is_called_again("one")


def test_a_turn_that_is_given_back_can_be_taken() -> None:
    turns = Turns()
    for _ in range(THREADS_A_CONNECTION):
        turns.take("one")
    turns.leave("one")
    assert turns.take("one")
