"""Whether a limit holds over processes: ``python -m tests.benchmarks.limits``.

Two whole portals (web, workers, scheduler each) on one database serve one Zendesk that takes few calls a minute; people
keep asking it through both of them besides. The system counts for itself: an answer 429 is a violation. Prints JSON:
calls by minute, violations, and how much of the limit was used; ends with 1 on a violation.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

SYSTEM = "zendesk"
FREE = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 when the system refused no call."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="siam-benchmark-") as home:
        os.environ |= {"SIAM_HOME": home, "DJANGO_SETTINGS_MODULE": "siamportal.settings"}
        import django

        django.setup()
        result = _play(Path(home), options)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 1 if result["violations"] else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.limits", description=__doc__)
    parser.add_argument("--limit", type=int, default=120, help="calls a minute that the system takes")
    parser.add_argument("--seconds", type=float, default=200.0)
    parser.add_argument("--tickets", type=int, default=400)
    return parser.parse_args(arguments)


def _play(home: Path, options: argparse.Namespace) -> dict[str, Any]:
    from django.core.management import call_command

    from siamportal.cast import load_cast
    from siamportal.demo.setup import connect
    from siamportal.demo.stage import Stage

    stage = Stage()
    try:
        sandboxes = stage.start_sandboxes()
        call_command("migrate", verbosity=0)
        cast = load_cast()
        stage.meet_sandboxes(sandboxes)
        # The limit of the account alone: those of single endpoints are another matter.
        free = {"incremental_per_minute": FREE, "account_updates_per_minute": FREE}
        stage.doors[SYSTEM].set(requests_per_minute=options.limit, **free)
        for _ in range(2):
            stage.start_portal(0)
        connection = connect(stage, cast, poll_seconds=5)[SYSTEM]
        started = time.monotonic()
        _give_work(connection, cast, options.tickets)
        while time.monotonic() - started < options.seconds:
            stage.check()
            _ask(connection, cast)
            time.sleep(5.0)
        return _reckon(stage.doors[SYSTEM], connection, options)
    finally:
        stage.stop()


def _give_work(connection: Any, cast: Any, number: int) -> None:
    """Tickets opened in the portal that the system is to get."""
    from django.utils import timezone

    from apps.tickets import services as tickets
    from siamportal.demo.setup import SYSTEMS, actor_for

    actor = actor_for(cast, SYSTEMS[SYSTEM]["manager"], SYSTEMS[SYSTEM]["organization"])
    for index in range(number):
        tickets.open_ticket(values={"title": f"ticket {index}"}, actor=actor, at=timezone.now())


def _ask(connection: Any, cast: Any) -> None:
    """A person presses the button that asks the system who it is; without calls left they are told so."""
    from django.utils import timezone

    from apps.sync import services
    from apps.sync.connectors.base import CallsSpent
    from siamportal.demo.setup import SYSTEMS, actor_for

    actor = actor_for(cast, SYSTEMS[SYSTEM]["manager"], SYSTEMS[SYSTEM]["organization"])
    with suppress(CallsSpent):
        services.check_connection(connection=services.refresh(connection), actor=actor, at=timezone.now())


def _reckon(door: Any, connection: Any, options: argparse.Namespace) -> dict[str, Any]:
    from apps.sync.models import ConnectionPulse, TicketLink

    went = [one for one in door.exchanges() if not one["path"].startswith("/_control")]
    by_minute = Counter(one["at"][:16] for one in went)
    whole = sorted(by_minute)[1:-1]
    links = TicketLink.objects.filter(connection=connection)
    return {
        "limit": options.limit,
        "learnt": ConnectionPulse.objects.get(connection=connection).told_per_minute,
        "calls": len(went),
        "violations": sum(one["status"] == 429 for one in went),
        "calls_by_whole_minute": {minute: by_minute[minute] for minute in whole},
        "used": round(sum(by_minute[minute] for minute in whole) / (options.limit * len(whole)), 2) if whole else None,
        "created": links.filter(state=TicketLink.State.LINKED).count(),
        "waiting": links.exclude(state=TicketLink.State.LINKED).count(),
    }


if __name__ == "__main__":
    sys.exit(main())
