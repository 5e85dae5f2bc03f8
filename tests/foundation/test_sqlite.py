"""Writers of one process stand in line before SQLite's one write lock (decision 0021)."""

import threading
import time

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from apps.ecosystem.models import Organization
from siamportal.sqlite.base import MOST_FIRST, Line

pytestmark = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL locks rows")


def test_turns_come_in_the_order_of_asking_and_to_the_web_server_first() -> None:
    line, served = Line(), list[int]()
    assert line.enter(1.0)

    def ask(number: int) -> None:
        assert line.enter(10.0, is_first=number >= 3)
        served.append(number)
        line.leave()

    threads = []
    for number in range(5):
        threads.append(threading.Thread(target=ask, args=(number,)))
        threads[-1].start()
        while len(line._waiting) + len(line._first) <= number:
            time.sleep(0.001)
    line.leave()
    for thread in threads:
        thread.join()
    assert served == [3, 4, 0, 1, 2]


def test_those_who_go_first_do_not_keep_the_others_out() -> None:
    line, served = Line(), list[str]()
    assert line.enter(1.0)

    def ask(name: str, times: int, is_first: bool) -> None:
        for _ in range(times):
            assert line.enter(10.0, is_first=is_first)
            served.append(name)
            time.sleep(0.0005)
            line.leave()

    busy = [threading.Thread(target=ask, args=("web", 60, True)) for _ in range(4)]
    worker = threading.Thread(target=ask, args=("worker", 1, False))
    for thread in (*busy, worker):
        thread.start()
    while len(line._waiting) + len(line._first) < 5:
        time.sleep(0.001)
    line.leave()
    for thread in (*busy, worker):
        thread.join()
    assert served.index("worker") == MOST_FIRST


def test_who_waits_too_long_is_sent_away_and_holds_nobody_up() -> None:
    line = Line()
    assert line.enter(1.0)
    assert not line.enter(0.01)
    line.leave()
    assert line.enter(0.01)


@pytest.mark.django_db(transaction=True)
def test_a_thread_of_the_web_server_waits_less_for_another_process() -> None:
    waits = {}

    def ask() -> None:
        with connection.cursor() as cursor:
            waits[threading.current_thread().name] = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        connection.close()

    for name in ("waitress-1", "worker-1"):
        thread = threading.Thread(target=ask, name=name)
        thread.start()
        thread.join()
    assert waits == {"waitress-1": 8000, "worker-1": 30000}


@pytest.mark.django_db(transaction=True)
def test_the_next_is_woken_when_a_transaction_ends_well_or_badly() -> None:
    Organization.objects.create(name="One", slug="one", layer="customer")
    waited = []

    def write() -> None:
        started = time.monotonic()
        Organization.objects.filter(slug="one").update(description="by another thread")
        waited.append(time.monotonic() - started)
        connection.close()

    for is_good in (True, False):
        with pytest.raises(IntegrityError) if not is_good else transaction.atomic(), transaction.atomic():
            Organization.objects.filter(slug="one").update(description="by this one")
            other = threading.Thread(target=write)
            other.start()
            time.sleep(0.3)
            if not is_good:
                Organization.objects.create(name="One", slug="again", layer="customer")
        other.join()
        assert Organization.objects.get(slug="one").description == "by another thread"
    assert all(0.2 < seconds < 0.5 for seconds in waited), waited
