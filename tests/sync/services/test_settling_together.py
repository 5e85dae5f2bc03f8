"""Rounds that settle while somebody else writes to several of the same lanes (INV-7)."""

import threading
from typing import Any

import pytest
from django.db import connection as database
from django.db import connections

from apps.sync import services as sync
from apps.sync.models import TicketLink
from apps.sync.services import rounds
from apps.sync.store import store

from .stage import ADDRESS, Stage

A = "infinity-architecture"
LONGEST = 20.0


@pytest.mark.skipif(not database.features.has_select_for_update, reason="SQLite locks all rows at once")
@pytest.mark.django_db(transaction=True)
def test_a_round_and_a_page_of_changes_do_not_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Any, caplog: Any
) -> None:
    """The page has the second lane locked and comes to the first, which the round has in hand."""
    settings.SIAM_OUTBOUND_ALLOW, settings.SIAM_UPLOADS = [ADDRESS], tmp_path
    stage = Stage(monkeypatch)
    stage.connect(A)
    for ticket in (stage.open(A), stage.open(A)):
        sync.link_ticket(ticket, now=stage.now)
    first, second = TicketLink.objects.order_by("ticket")
    is_locked, is_settling = threading.Event(), threading.Event()
    trouble: list[Exception] = []

    def mark_a_page() -> None:
        try:
            with store.atomic():
                store.want_looks([(second, "")])
                is_locked.set()
                assert is_settling.wait(LONGEST)
                store.want_looks([(first, "")])
        except Exception as problem:  # noqa: BLE001  told by the test's own thread
            trouble.append(problem)
        finally:
            connections.close_all()

    page = threading.Thread(target=mark_a_page)

    def settle_all(*given: Any) -> None:
        page.start()
        assert is_locked.wait(LONGEST)
        really(*given)

    def settle(errand: Any, *given: Any) -> None:
        really_one(errand, *given)
        is_settling.set()
        if errand.link == first:
            # Let the page come to this lane, too.
            page.join(0.5)

    really, really_one = rounds._settle_all, rounds._settle
    monkeypatch.setattr(rounds, "_settle_all", settle_all)
    monkeypatch.setattr(rounds, "_settle", settle)
    assert stage.round(A).worked == 2
    page.join(LONGEST)
    assert not trouble
    assert "one by one" not in caplog.text
    for link in TicketLink.objects.all():
        assert (link.state, link.look_wanted, link.attempts) == (TicketLink.State.LINKED, 1, 0)
