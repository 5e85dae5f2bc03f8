"""The processes of the demo: sandboxes and portal, started as one group and stopped together."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings

from apps.sandbox.catalog import SANDBOXES

from .wire import Door

START_SECONDS = 60
STOP_SECONDS = 10
STOPPING = (signal.SIGINT, signal.SIGTERM)


class StageBroken(Exception):
    """A process of the demo did not start or has ended; the text holds what it said last."""


@dataclass
class Stage:
    """What runs: the sandboxes by name, the portal's address, and every process to be stopped."""

    doors: dict[str, Door] = field(default_factory=dict)
    portal: str = ""
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start_sandboxes(self) -> subprocess.Popen[str]:
        """Start them; they get ready on their own, and ``meet_sandboxes`` waits for that."""
        return self._start(["sandbox", *(f"{name}=0" for name in SANDBOXES)])

    def meet_sandboxes(self, process: subprocess.Popen[str]) -> None:
        for _ in SANDBOXES:
            told = json.loads(_read_line(process))
            self.doors[told["system"]] = Door(told["system"], told["address"])

    def start_portal(self, port: int) -> subprocess.Popen[str]:
        """Start the portal; the demo's own sandboxes are the only private addresses it may call."""
        process = self._start(["serve", "--port", str(port), "--no-migrate"], {"SIAM_OUTBOUND_ALLOW": self.allowed})
        line = _read_line(process)
        self.portal = next(word for word in line.split() if word.startswith("http"))
        return process

    @property
    def allowed(self) -> str:
        return ",".join(door.address.removeprefix("http://") for door in self.doors.values())

    def _start(self, arguments: list[str], environment: Mapping[str, str] = {}) -> subprocess.Popen[str]:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
        errors = (settings.SIAM_HOME / f"{arguments[0]}.log").open("a")
        with _signals_held_back():
            process = subprocess.Popen(  # noqa: S603  our own commands
                command,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "SIAM_HOME": str(settings.SIAM_HOME), **environment},
                # A group of its own: Ctrl-C reaches the demo alone, which then stops the others in order.
                start_new_session=True,
            )
            self.processes.append(process)
        return process

    def check(self) -> None:
        for process in self.processes:
            if process.poll() is not None:
                raise StageBroken(f"{process.args!r} ended with {process.returncode}; see {settings.SIAM_HOME}")

    def stop(self) -> None:
        """Stop everything that was started; a further Ctrl-C meanwhile leaves nobody behind either."""
        with _signals_held_back(is_ending=True):
            self._stop()

    def _stop(self) -> None:
        for process in reversed(self.processes):
            # Not SIGINT: a process that is still starting may have inherited that as ignored.
            process.terminate()
        end = time.monotonic() + STOP_SECONDS
        for process in reversed(self.processes):
            try:
                process.wait(timeout=max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _signals_held_back(*, is_ending: bool = False) -> Iterator[None]:
    """Ctrl-C waits: between the start of a process and our note of it, nobody would know whom to stop.

    ``is_ending``: what it asks for is under way, and it is not heard again; a launcher passes on what the terminal
    sends to both.
    """
    came: list[int] = []
    former = {number: signal.signal(number, lambda caught, _frame: came.append(caught)) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if came and not is_ending:
        raise KeyboardInterrupt


def _read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    # Waiting with select would hang on a second line that the first reading has already taken into the buffer.
    too_late = threading.Timer(START_SECONDS, process.kill)
    too_late.start()
    try:
        line = process.stdout.readline()
    finally:
        too_late.cancel()
    if not line:
        raise StageBroken(f"{process.args!r} did not start; see the logs in {settings.SIAM_HOME}")
    return line
