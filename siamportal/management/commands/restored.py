"""``restored``: the database was put back to an earlier moment; and how far the systems were read again since."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from apps.sync.selectors import progress_of
from apps.sync.services.restoring import declare_restored


class Command(BaseCommand):
    """To be run once after a backup was put back, before the portal starts; with ``--status`` at any time later."""

    help = "Say that the database was put back to an earlier moment, so that nothing is created or written twice."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--status", action="store_true", help="Only show what came of the last time.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["status"]:
            made = declare_restored(now=timezone.now())
            self.stdout.write(f"{made.links} tickets of systems are read again before anything is written to them")
        progress = progress_of()
        if progress is None:
            self.stdout.write("The database was never said to be put back.")
            return
        self.stdout.write(f"{progress.unread} of them still to be read, {progress.waiting} of these wait for a person")
        for words, number in progress.found:
            self.stdout.write(f"{number:>8}  {words}")
