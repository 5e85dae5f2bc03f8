"""The processes of a kill run: sandboxes that stay up, and a portal whose workers are killed and started again."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import ClassVar

from django.conf import settings

from siamportal.demo.stage import Stage

READY = " ready."


@dataclass
class Embedded(Stage):
    """Web server, worker and scheduler in one process on SQLite: every kill takes all of them."""

    setup: ClassVar[str] = "embedded"
    portal_process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.meet_sandboxes(self.start_sandboxes())
        self.portal_process = self.start_portal(0)

    def kill(self, chance: random.Random) -> str:
        assert self.portal_process is not None
        self.portal_process.kill()
        self.portal_process.wait()
        self.processes.remove(self.portal_process)
        return "the portal"

    def restart(self) -> None:
        """Start again what was killed, at the address that the systems know."""
        self.portal_process = self.start_portal(int(self.portal.rsplit(":", 1)[1]))


@dataclass
class Workers(Stage):
    """Celery worker and beat beside a web process, on a server database: one pool process or all is killed."""

    setup: ClassVar[str] = "workers"
    worker: subprocess.Popen[bytes] | None = None
    beside: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        self.meet_sandboxes(self.start_sandboxes())
        self.start_portal(0)
        self.beside.append(self._celery("beat", "--schedule", str(settings.SIAM_HOME / "beat")))
        self.restart()

    def kill(self, chance: random.Random) -> str:
        assert self.worker is not None
        children = _children(self.worker.pid)
        if children and chance.random() < 0.6:
            # Celery itself puts a new pool process in its place.
            os.kill(chance.choice(children), signal.SIGKILL)
            return "a pool process"
        os.killpg(self.worker.pid, signal.SIGKILL)
        self.worker.wait()
        self.worker = None
        return "the worker"

    def restart(self) -> None:
        """Start the worker again, if it was killed as a whole."""
        if self.worker is None:
            log = settings.SIAM_HOME / "worker.log"
            before = log.read_text().count(READY) if log.exists() else 0
            self.worker = self._celery("worker", "--concurrency", "3", "--loglevel", "INFO")
            while log.read_text().count(READY) == before:
                self.check()
                time.sleep(0.1)

    def _celery(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = (settings.SIAM_HOME / f"{arguments[0]}.log").open("ab")
        return subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "siamportal", *arguments],
            stdout=log,
            stderr=log,
            cwd=settings.BASE_DIR,
            env={**os.environ, "SIAM_OUTBOUND_ALLOW": self.allowed},
            start_new_session=True,
        )

    def stop(self) -> None:
        for process in (self.worker, *self.beside):
            if process is not None and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        super().stop()


def _children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]
