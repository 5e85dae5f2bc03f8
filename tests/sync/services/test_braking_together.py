"""Workers that meet grave acts at the same moment: together they let no more through than one alone (INV-7, INV-26)."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any
from uuid import UUID

import pytest
from django.db import connections, transaction

from apps.sync.engine.braking import Braked, brake, note
from apps.sync.engine.grave import Grave, GraveAct, Side
from apps.sync.models import Brake, Connection, TicketLink
from apps.sync.models import GraveAct as Listed
from apps.sync.store import store
from tests.sample import add_link, build_sample, open_for

SLUG = "infinity-projects"
MANY, WORKERS, HANDFUL = 40, 8, 5
EMPTIED = GraveAct(Grave.BLANK, Side.HUB, "custom.site=site", "custom.site", "Berlin", "", "Berlin")


@pytest.mark.django_db(transaction=True)
def test_workers_side_by_side_stop_after_one_handful(settings: Any, tmp_path: Any) -> None:
    settings.SIAM_UPLOADS = tmp_path
    sample = build_sample(password=None)
    Connection.objects.update(brake_handful=HANDFUL)
    tickets = [open_for(sample, "elaine", SLUG, f"Ticket {number}") for number in range(MANY)]
    links = [add_link(sample, ticket, SLUG, f"T{number}").pk for number, ticket in enumerate(tickets)]

    def meet(chosen: list[UUID]) -> int:
        passed = 0
        try:
            for pk in chosen:
                link: Any = TicketLink.objects.select_related("connection__organization").get(pk=pk)
                with transaction.atomic():
                    try:
                        brake(store, link, [EMPTIED], now=sample.now)
                    except Braked:
                        continue
                    note(store, link, [EMPTIED], now=sample.now)
                    passed += 1
        finally:
            connections.close_all()
        return passed

    with ThreadPoolExecutor(WORKERS) as pool:
        passed = sum(pool.map(meet, [list(islice(links, start, None, WORKERS)) for start in range(WORKERS)]))
    assert passed == HANDFUL
    assert Brake.objects.get().state == "tripped"
    standings = list(Listed.objects.values_list("standing", flat=True))
    assert (standings.count("carried_out"), standings.count("stopped")) == (HANDFUL, MANY - HANDFUL)
