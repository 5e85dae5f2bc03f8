"""Start sandboxes on loopback: ``manage.py sandbox jira --port 9001`` or ``sandbox jira=9001 zendesk=9004``."""

import asyncio
import json
import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.sandbox.catalog import SANDBOXES
from apps.sandbox.server import start


class Command(BaseCommand):
    help = "Start stand-ins for Jira, ServiceNow, Azure DevOps and Zendesk on loopback."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("systems", nargs="+", metavar="SYSTEM[=PORT]", help=", ".join(SANDBOXES))
        parser.add_argument("--port", type=int, default=0, help="port of the only system named (0: a free one)")

    def handle(self, *, systems: list[str], port: int, **_options: Any) -> None:
        asyncio.run(self._serve([self._read(system, port) for system in systems]))

    def _read(self, system: str, port: int) -> tuple[str, int]:
        name, _, own_port = system.partition("=")
        if name not in SANDBOXES:
            raise CommandError(f"unknown system {name!r}; known are: {', '.join(SANDBOXES)}")
        if own_port and not own_port.isdigit():
            raise CommandError(f"port {own_port!r} of {name} is not a number; write {name}=9001")
        return name, int(own_port or port)

    async def _serve(self, systems: list[tuple[str, int]]) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        runners = []
        for name, port in systems:
            runner, bound = await start(SANDBOXES[name](), port)
            runners.append(runner)
            self.stdout.write(json.dumps({"system": name, "address": f"http://127.0.0.1:{bound}"}))
            self.stdout.flush()
        await stopped.wait()
        for runner in runners:
            await runner.cleanup()
