"""What a backlog takes, and whether that grows with what is stored: ``python -m tests.benchmarks.backlog``.

So many tickets are stored and linked that nothing is to be done for. A connection is paused while so many edits of
some of its tickets gather; then it goes on. Prints JSON: how fast they are written, CPU time and database queries for
each (less what the portal takes at rest in that time: its sweeps), the most memory that the portal's process held, and
in how many tickets the system's own log shows other edits, or another order, than were made. ``DATABASE_URL`` names a
PostgreSQL database instead of SQLite.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apps.tickets.models import Ticket

    from .crossing import Crossing

SYSTEM = "azure_devops"
TITLE = "System.Title"
MOST_MEMORY_MIB = 512
LONGEST = 6 * 3600.0
REST_SECONDS = 65.0
"""The sweeps of a minute, at rest: what they take is no event's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when everything arrived in order and memory stayed within its bound."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="siam-benchmark-") as home:
        os.environ |= {"SIAM_HOME": home, "DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings"}
        import django

        django.setup()
        from .crossing import Crossing

        with Crossing() as crossing:
            result = _measure(crossing, Path(home), options)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0 if result["is_in_order"] and result["peak_memory_mib"] < MOST_MEMORY_MIB else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.backlog", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--stored", type=int, default=1000, help="tickets stored besides")
    parser.add_argument("--lanes", type=int, default=250, help="tickets that the edits are for")
    parser.add_argument("--json", action="store_true", help="print JSON; there is no other form")
    return parser.parse_args(arguments)


def _measure(crossing: "Crossing", home: Path, options: argparse.Namespace) -> dict[str, Any]:
    from .counting import queries
    from .flood import entries_left, open_tickets, pour
    from .processes import cpu_of
    from .stored import store

    each = options.events // options.lanes
    opened = open_tickets(crossing, SYSTEM, options.lanes)
    store(crossing, SYSTEM, opened[0], options.stored)
    crossing.wait_for("rest", lambda: entries_left(crossing, SYSTEM) == 0)

    def used() -> dict[str, float]:
        return {"cpu_ms": cpu_of([crossing.portal.pid]) * 1000, "queries": queries(home), "s": time.monotonic()}

    begun = used()
    time.sleep(REST_SECONDS)
    at_rest = _less(used(), begun)
    events = pour(crossing, SYSTEM, opened, each)
    begun = used()
    crossing.wait_for("the backlog", lambda: _is_through(crossing, opened), pause=1.0, longest=LONGEST)
    drained = _less(used(), begun)
    seconds = drained["s"]
    wrong = _out_of_order(crossing, opened, each)
    return {
        "events": events,
        "lanes": options.lanes,
        "stored": options.stored,
        "seconds": round(seconds, 1),
        "events_per_second": round(events / seconds, 1),
        "at_rest_per_second": {name: round(value / at_rest["s"], 2) for name, value in at_rest.items() if name != "s"},
        "for_each_event": {
            name: round((value - at_rest[name] / at_rest["s"] * seconds) / events, 2)
            for name, value in drained.items()
            if name != "s"
        },
        "peak_memory_mib": crossing.peak_memory(),
        "tickets_out_of_order": len(wrong),
        "is_in_order": not wrong,
    }


def _less(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    return {name: value - before[name] for name, value in after.items()}


def _is_through(crossing: "Crossing", opened: "Sequence[Ticket]") -> bool:
    from django.db.models import F

    from apps.sync.models import TicketLink

    links = TicketLink.objects.filter(connection=crossing.connections[SYSTEM], ticket__in=[one.pk for one in opened])
    return not links.exclude(applied_seq=F("ticket__last_seq")).exists()


def _out_of_order(crossing: "Crossing", opened: "Sequence[Ticket]", each: int) -> list[str]:
    """Tickets whose log in the system does not show every edit once, in the order in which they were made."""
    from apps.sync.models import TicketLink

    links = TicketLink.objects.filter(connection=crossing.connections[SYSTEM], ticket__in=[one.pk for one in opened])
    of_ticket = {str(link.ticket_id): link.external_id for link in links}
    there = {str(ticket["id"]): ticket for ticket in crossing.stage.doors[SYSTEM].tickets()}
    wanted = [str(number) for number in range(1, each + 1)]
    wrong = []
    for ticket in opened:
        log = there[of_ticket[str(ticket.pk)]]["log"]
        found = [str(entry["to"]).split()[-1] for entry in log if entry["field"] == TITLE and entry["from"]]
        if found != wanted:
            wrong.append(of_ticket[str(ticket.pk)])
    return wrong


if __name__ == "__main__":
    sys.exit(main())
