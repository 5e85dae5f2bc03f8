"""The demo: four sandboxes, the portal between them, and a ticket that crosses four companies' systems."""

import signal
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from siamportal.cast import DEMO_PASSWORD, Cast, load_cast
from siamportal.demo.scenario import Play, PlayStopped, Seen
from siamportal.demo.setup import connect
from siamportal.demo.stage import STOPPING, Stage
from siamportal.demo.verdict import compare

WATCHABLE_PAUSE = 4.0
INTERRUPTED = 130


class Command(BaseCommand):
    # The portal that it starts checks itself.
    requires_system_checks: list[str] = []
    help = "Show one ticket crossing Zendesk, Jira, ServiceNow and Azure DevOps, through an outage, in order."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="play as fast as it goes, compare, exit 0 or 1")
        parser.add_argument(
            "--port", type=int, default=8000, help="port of the portal (default 8000; --once: a free one)"
        )
        parser.add_argument("--incidents", metavar="FILE", help="with --once: replay real tickets from an event log")
        parser.add_argument("--limit", type=int, default=100, help="with --incidents: how many tickets")
        parser.add_argument("--corrupt", action="store_true", help="with --once: corrupt one event, to see it found")

    def handle(self, *, once: bool, port: int, incidents: str | None, limit: int, corrupt: bool, **_: Any) -> None:
        if (incidents or corrupt) and not once:
            raise CommandError("--incidents and --corrupt go with --once")
        for number in STOPPING:
            # Started in the background by a shell, the command would ignore SIGINT.
            signal.signal(number, signal.default_int_handler)
        stage = Stage()
        try:
            sandboxes = stage.start_sandboxes()
            call_command("migrate", verbosity=0)
            cast = load_cast()
            stage.meet_sandboxes(sandboxes)
            stage.start_portal(0 if once else port)
            if incidents:
                self._replay(stage, cast, incidents, limit)
            elif once:
                self._play_once(stage, cast, corrupt=corrupt)
            else:
                self._show(stage, cast)
        except KeyboardInterrupt:
            self.stdout.write("\nStopping …")
            raise SystemExit(INTERRUPTED) from None
        finally:
            stage.stop()

    def _play_once(self, stage: Stage, cast: Cast, *, corrupt: bool) -> None:
        started = time.monotonic()
        play = Play(stage, cast, connect(stage, cast, poll_seconds=2), corrupt=corrupt, report=self._row)
        self._head()
        try:
            play.run()
            settle(play)
            for row in compare(play):
                play.rows.append(row)
                self._row(row)
        except PlayStopped as problem:
            raise CommandError(str(problem)) from problem
        wrong = sum(not row.ok for row in play.rows)
        seconds = time.monotonic() - started
        self.stdout.write(f"\n{len(play.rows) - wrong} as expected, {wrong} not, in {seconds:.0f} s")
        if wrong:
            raise CommandError("the systems do not agree")

    def _replay(self, stage: Stage, cast: Cast, incidents: str, limit: int) -> None:
        from siamportal.demo.incidents import replay

        outcome = replay(stage, cast, incidents, limit, say=self.stdout.write)
        self.stdout.write(outcome.as_text())
        if not outcome.is_clean:
            raise CommandError("the systems do not agree")

    def _show(self, stage: Stage, cast: Cast) -> None:
        connections = connect(stage, cast, poll_seconds=5)
        self.stdout.write(
            f"\nThe portal: {stage.portal}/\n\nSign in with any of these; the password is {DEMO_PASSWORD}"
        )
        for person in cast.people.values():
            membership = person.memberships.select_related("organization").first()
            place = membership.organization.name if membership else "nowhere: must see nothing"
            self.stdout.write(f"  {person.email:34} {person.name}, {place}")
        self.stdout.write(
            "\nThe ticket begins to travel; watch it on the portal's ticket page. Ctrl-C stops everything.\n"
        )
        play = Play(stage, cast, connections, pause=WATCHABLE_PAUSE, report=self._row)
        self._head()
        try:
            play.run()
        except PlayStopped as problem:
            self.stderr.write(str(problem))
        self.stdout.write("\nThe ticket has arrived. The portal goes on running; Ctrl-C stops everything.")
        while True:
            stage.check()
            time.sleep(1)

    def _head(self) -> None:
        self.stdout.write(f"{'step':20} {'system':13} {'ok':3} expected → seen")

    def _row(self, row: Seen) -> None:
        seen = "" if row.ok else f" → {row.seen}"
        self.stdout.write(f"{row.step:20} {row.system:13} {'yes' if row.ok else 'NO':3} {row.expected}{seen}")
        self.stdout.flush()


def settle(play: Play, seconds: float = 20.0) -> None:
    """Wait until no lane of the ticket waits for anything."""
    from apps.sync.models import TicketLink
    from siamportal.demo.wire import wait_for

    def is_quiet() -> bool:
        assert play.ticket is not None
        play.ticket.refresh_from_db()
        links = TicketLink.objects.filter(ticket=play.ticket)
        return all(one.applied_seq == play.ticket.last_seq and one.look_done >= one.look_wanted for one in links)

    wait_for(is_quiet, seconds=seconds)
