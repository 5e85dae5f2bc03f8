"""Death at the durable boundaries, in one process: all that was not committed is gone, and the next worker goes on.

Real processes, real kills and all four systems: ``python -m tests.processes.crash --each 20``.
"""

import ast
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from apps.sync import crashpoints
from apps.sync.crashpoints import POINTS
from apps.tickets.models import Ticket
from tests.sync.services.stage import Stage, document

from .trap import Order, Trap, Trapper, at_work

A, B = "infinity-architecture", "infinity-projects"
CALLS = ("create", "follow-up", "update", "comment", "attachment", "recover", "look")
CELLS = [
    *((point, operation) for point in ("settling", "settled") for operation in CALLS),
    *(("intended", operation) for operation in CALLS[:5]),
    *((point, "") for point in ("claimed", "page accepted", "cursor moved", "journal heard", "link made")),
]


class Died(BaseException):
    """No code of the portal catches this, as none catches a SIGKILL."""


class Death:
    """Dies once, at the first time that its point is met during its operation."""

    def __init__(self, point: str, operation: str) -> None:
        self.cell, self.is_over = (point, operation), False

    def __call__(self, point: str, operation: str) -> None:
        if (point, operation) == self.cell and not self.is_over:
            self.is_over = True
            raise Died


@pytest.fixture
def death_at() -> Iterator[Callable[[str, str], Death]]:
    def install(point: str, operation: str) -> Death:
        death = Death(point, operation)
        crashpoints.install(death)
        return death

    yield install
    crashpoints.install(crashpoints._go_on)


def live_on(stage: Stage) -> None:
    """Until all rest; whoever dies over it has a successor."""
    for _ in range(3):
        try:
            stage.rest()
            return
        except Died:
            continue
    raise AssertionError("died more than once")


@pytest.mark.parametrize(("point", "operation"), CELLS)
def test_a_death_there_loses_nothing_and_doubles_nothing(
    stage: Stage, death_at: Callable[[str, str], Death], point: str, operation: str
) -> None:
    rules = document(inbound={"closed": "follow_up"})
    systems = [stage.connect(A, rules), stage.connect(B, rules)]
    death = death_at(point, operation)
    if operation == "recover":
        stage.fault(B, "lost_response", on="comment", times=1)
    stage.person_opens(A)
    live_on(stage)
    ticket = Ticket.objects.get()
    stage.share(ticket, B)
    live_on(stage)
    stage.say(ticket, A, "hello")
    stage.attach(ticket, A, "log.txt", b"line")
    for title in ("Kiosk is dead", "Kiosk is back"):
        stage.edit(ticket, A, title=title)
    live_on(stage)
    here, there = stage.remote(A, ticket), stage.remote(B, ticket)
    stage.person_says(B, ticket, "thanks")
    if operation == "follow-up":
        stage.person_edits(B, ticket, status="in progress")
        stage.person_edits(B, ticket, status="resolved", resolution="fixed")
        stage.person_edits(B, ticket, status="closed")
    live_on(stage)
    stage.say(ticket, A, "late")
    live_on(stage)

    assert death.is_over, "nobody came there"
    tickets = 2 if operation == "follow-up" else 1
    assert [len(system.tickets) for system in systems] == [tickets, tickets]
    for slug, first in ((A, here), (B, there)):
        said = [*first.comments, *(stage.remote(slug, ticket).comments if tickets == 2 else ())]
        assert [one.body for one in said] == ["hello", "thanks", "late"]
    assert [file.file_name for file in there.attachments] == ["log.txt"]
    titles = [change.fields["title"] for change in there.log if "title" in change.fields]
    assert titles == [("Kiosk is slow", "Kiosk is dead"), ("Kiosk is dead", "Kiosk is back")]


def test_every_point_is_in_the_code_and_none_is_met_that_nobody_listed() -> None:
    met = {
        node.args[0].value
        for path in (settings.BASE_DIR / "apps" / "sync").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "reached" and isinstance(node.args[0], ast.Constant)
    }
    assert met == set(POINTS)


VICTIM = """
import sys
from pathlib import Path
from apps.sync import crashpoints
from tests.processes.trap import Trap
crashpoints.install(Trap(Path(sys.argv[1])))
for number in range(5):
    with crashpoints.during("comment"):
        crashpoints.reached("settled")
    crashpoints.reached("claimed")
    print(number, flush=True)
"""


def test_a_trap_kills_a_real_process_at_the_moment_named_and_once(tmp_path: Path) -> None:
    trapper = Trapper(tmp_path)
    trapper.set(Order("settled", "comment", at=3))
    for lives_to in (2, 5):
        command = [sys.executable, "-c", VICTIM, str(tmp_path)]
        done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
        assert len(done.stdout.split()) == lives_to, done.stderr
        assert done.returncode == (-9 if lives_to < 5 else 0)
    assert trapper.sprung_by() is not None


def test_points_cost_next_to_nothing_in_production() -> None:
    begun = time.perf_counter()
    for _ in range(10_000):
        crashpoints.reached("settled")
    assert time.perf_counter() - begun < 0.5


def test_a_trap_tells_who_has_done_some_work(tmp_path: Path) -> None:
    trap, told = Trap(tmp_path), at_work(tmp_path, os.getpid())
    trap("answered", "comment")
    assert not told.exists()
    trap("settled", "comment")
    assert told.exists()
    Trap(tmp_path)
    assert not told.exists(), "another process with the number of one that died"


def test_a_trap_without_an_order_lets_everybody_pass(tmp_path: Path) -> None:
    Trap(tmp_path)("settled", "comment")
