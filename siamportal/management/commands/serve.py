"""Run the portal: embedded without settings; with ``BROKER_URL`` only the web server (workers run beside it)."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from siamportal.embedded import serve


class Command(BaseCommand):
    help = "Run the portal. Without BROKER_URL, web server, worker and scheduler run in this one process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 takes a free one")
        parser.add_argument("--no-migrate", action="store_true", help="do not bring the database up to date first")

    def handle(self, *, host: str, port: int, no_migrate: bool, **_options: Any) -> None:
        if not no_migrate:
            call_command("migrate", verbosity=0)
        serve(host, port, ready=self._ready, with_workers=settings.SIAM_IS_EMBEDDED)

    def _ready(self, address: str) -> None:
        mode = "embedded" if settings.SIAM_IS_EMBEDDED else "web only; run celery workers beside it"
        self.stdout.write(f"siamportal listens on {address} ({mode}). Ctrl-C stops it.")
        self.stdout.flush()
