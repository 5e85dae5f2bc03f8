"""Random kills of real processes: ``python -m tests.processes.kill --kills 3000 --seed 7 [--setup workers]``.

People work in four systems while the portal's processes are killed with SIGKILL at random moments and started again;
with ``--freeze`` they are stopped past their claims and go on afterwards. Then the true states are compared: nothing
lost, doubled, out of order or where it must not be; else the exit status is 1. ``workers`` needs a PostgreSQL server
and a broker (``--database``, ``--broker``).
"""

import argparse
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .show import Show, add_options, prepared, say

AT_WORK = 0.9
"""The share of kills that wait until somebody has done some work."""
LAZY_SECONDS = 5.0
"""Who has settled nothing in so long has nothing to do."""


@dataclass
class Tally:
    """What was killed, and what it was doing at that moment."""

    kills: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)
    _seen: set[str] = field(default_factory=set)
    """Claims of those who died before: nobody has taken these lanes up again."""
    _doubted: set[Any] = field(default_factory=set)
    """Lanes with a write that was cut before."""

    def as_text(self) -> str:
        kills = ", ".join(f"{count} × {what}" for what, count in self.kills.items())
        moments = ", ".join(f"{what} {count}" for what, count in self.moments.most_common())
        return f"kills {self.kills.total()} ({kills})\nat those moments: {moments}"

    def note(self, what: str) -> None:
        """One more, and what was under way: for each lane that was taken since the kill before."""
        from apps.sync.models import Intent, TicketLink

        self.kills[what] += 1
        claimed = TicketLink.objects.exclude(claimed_by="")
        taken = claimed.exclude(claimed_by__in=self._seen).values_list("pk", flat=True)
        open_ = dict(Intent.objects.filter(state=Intent.State.OPEN).values_list("link", "slot"))
        new = {lane: slot.split(" ")[0] for lane, slot in open_.items() if lane not in self._doubted}
        moments = [new.get(lane, "finding out" if lane in open_ else "look") for lane in taken]
        self.moments.update(moments or ["idle"])
        self._seen = set(claimed.values_list("claimed_by", flat=True))
        self._doubted = set(open_)


def kill_some(show: Show, tally: Tally, kills: int, life: float) -> None:
    """Kill whoever it hits, let live for ``life`` seconds at most, and again.

    Most are killed at their work, some before they came to it: who dies over and over again at the start never works.
    """
    for _ in range(kills):
        show.stage.wait_until_staffed()
        if show.chance.random() < AT_WORK:
            show.stage.wait_until_at_work(LAZY_SECONDS)
        time.sleep(show.chance.uniform(0.0, life))
        what = show.stage.kill(show.chance)
        tally.note(what)
        show.stage.heal()


def freeze_some(show: Show, tally: Tally, freezes: int) -> None:
    """Stop a working process in the middle of a call until its claims have lapsed; then let it go on (F51, INV-7)."""
    from .fleet import is_alive, send, wait_for
    from .trap import Order

    trapper = show.stage.trapper
    for number in range(freezes):
        point = ("sending", "answered", "settling", "intended")[number % 4]
        trapper.set(Order(point, show.chance.choice(("comment", "update")), number=signal.SIGSTOP))
        wait_for(lambda: trapper.sprung_by() is not None, 60, f"nobody came to {point}")
        frozen = trapper.sprung_by()
        assert frozen is not None and frozen != show.stage.members.get("web")
        time.sleep(show.stage.claim_seconds + show.chance.uniform(1.0, 4.0))
        tally.note(f"a worker at {point}")
        assert is_alive(frozen)
        send(frozen, signal.SIGCONT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, set up, run, print; 0 if everything agrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.processes.kill", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--a-run", type=int, default=250, help="kills before each comparison")
    parser.add_argument("--life", type=float, default=0.5, help="most seconds of work before a kill")
    parser.add_argument("--schedulers", type=int, default=1, help="with workers: schedulers at once (F52)")
    parser.add_argument("--freeze", action="store_true", help="with workers: stop past the claim instead of killing")
    add_options(parser)
    chosen = parser.parse_args(arguments)
    if chosen.freeze:
        # Every freeze takes seconds; at the usual pace the lanes would only grow.
        chosen.pause *= 5
    if chosen.freeze and chosen.setup != "workers":
        parser.error("--freeze needs --setup workers: in one process nobody takes over")
    with prepared(chosen, schedulers=chosen.schedulers) as show:
        return play(show, chosen)


def play(show: Show, chosen: argparse.Namespace) -> int:
    """Run after run; a line for each, and the totals."""
    from .reckoning import Reckoning

    started, total, tally = time.monotonic(), Reckoning(), Tally()
    while (left := chosen.kills - tally.kills.total()) > 0:
        with show.people(chosen.cases, chosen.pause):
            if chosen.freeze:
                freeze_some(show, tally, min(left, chosen.a_run))
            else:
                kill_some(show, tally, min(left, chosen.a_run), chosen.life)
        found = show.reckon()
        total.add(found)
        seconds = time.monotonic() - started
        pace = seconds / tally.kills.total()
        say(f"{seconds:.0f} s ({pace:.2f} s each): kills {tally.kills.total()}; {found.as_text()}")
    say(f"\n{chosen.setup}, seed {chosen.seed}, {seconds:.0f} s; people were refused {show.crew.refused} times")
    say(tally.as_text())
    say(total.as_text())
    if chosen.json:
        counts = {"kills": tally.kills.total(), "seconds": round(seconds), "killed": tally.kills}
        say(
            json.dumps(
                {"setup": chosen.setup, "seed": chosen.seed, **counts, "moments": tally.moments, **total.counts()}
            )
        )
    return 0 if total.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
