"""The processes of a kill run: sandboxes that stay up, and the portal's, which are killed and started again."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.conf import settings

from siamportal.demo.stage import Stage, StageBroken

from .trap import Trapper, at_work

POOL = 3
CLAIM_SECONDS = 4.0
"""Shorter than in production, or most lanes would rest from the kill before."""
LIVELY = {"SIAM_SWEEP_SECONDS": "0.25", "SIAM_POLL_SECONDS": "0.5"}
"""More often than in production: whoever lives for half a second would meet neither a sweep nor a poll."""


@dataclass
class Fleet(Stage):
    """A portal: in one process on SQLite, or web, beat and worker beside each other on servers."""

    setup: str = "embedded"
    schedulers: int = 1
    claim_seconds: float = CLAIM_SECONDS
    members: dict[str, int] = field(default_factory=dict)
    """The portal's processes by name."""
    _nursery: subprocess.Popen[str] | None = None

    def start(self) -> None:
        sandboxes = self.start_sandboxes()
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.processes.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=settings.BASE_DIR,
            env={**os.environ, "SIAM_OUTBOUND_ALLOW": "127.0.0.1", **LIVELY},
            start_new_session=True,
        )
        self.meet_sandboxes(sandboxes)
        self.port = free_port()
        self.portal = f"http://127.0.0.1:{self.port}"
        self.trapper = Trapper(settings.SIAM_HOME)
        self.heal()
        wait_for(self._answers, 30, "the portal does not answer")

    @property
    def roles(self) -> tuple[str, ...]:
        beats = tuple(f"beat {number}" for number in range(1, self.schedulers + 1))
        return ("web",) if self.setup == "embedded" else ("web", *beats, "worker")

    def heal(self) -> list[str]:
        """Start again whatever is not there; the names."""
        gone = [name for name in self.roles if not is_alive(self.members.get(name, 0))]
        for name in gone:
            self.members[name] = self._bear(name)
        return gone

    def _bear(self, name: str) -> int:
        role = name.split(maxsplit=1)[0]
        schedule = str(settings.SIAM_HOME / name.replace(" ", "-"))
        arguments = {"web": {"port": self.port}, "beat": {"schedule": schedule}, "worker": {"processes": POOL}}[role]
        assert self._nursery is not None and self._nursery.stdin is not None and self._nursery.stdout is not None
        told = {"name": role, "arguments": arguments, "claim_seconds": self.claim_seconds}
        self._nursery.stdin.write(json.dumps(told) + "\n")
        self._nursery.stdin.flush()
        line = self._nursery.stdout.readline()
        if not line:
            raise StageBroken(f"no process can be started any more; see {settings.SIAM_HOME}")
        return int(line)

    def _answers(self) -> bool:
        with socket.socket() as door:
            return door.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self, chance: random.Random) -> str:
        """One of them at random, as a whole or, of a worker, one process of its pool."""
        name = chance.choices(self.roles, [6 if role == "worker" else 1 for role in self.roles])[0]
        pool = self.pool() if name == "worker" else []
        if pool and chance.random() < 0.8:
            # Celery itself puts a new one in its place.
            send(chance.choice(pool), signal.SIGKILL)
            return "a process of the worker's pool"
        self.end(name)
        return "the portal" if self.setup == "embedded" else name

    def pool(self) -> list[int]:
        """The processes that work for the worker."""
        command = ["ps", "-o", "pid=", "--ppid", str(self.members["worker"])]
        return [int(one) for one in subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()]

    def wait_until_staffed(self) -> None:
        """Until the worker, if there is one, has its processes: those of one that is starting are met at nothing."""
        if "worker" in self.roles:
            wait_for(lambda: not self.heal() and len(self.pool()) >= POOL, 30, "the worker does not start")

    def wait_until_at_work(self, seconds: float) -> bool:
        """Until one of those who work on lanes has settled some, if there is anything to do; whether so."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            workers = self.pool() if "worker" in self.roles else [self.members["web"]]
            if any(at_work(settings.SIAM_HOME, one).exists() for one in workers):
                return True
            time.sleep(0.01)
        return False

    def end(self, name: str) -> None:
        """Kill one with all that it started, and wait until it is gone."""
        process = self.members.pop(name, 0)
        if is_alive(process):
            try:
                os.killpg(process, signal.SIGKILL)
            except ProcessLookupError:
                # Newly born, it has no group of its own yet.
                send(process, signal.SIGKILL)
            wait_for(lambda: not is_alive(process), 10, f"{name} does not die")

    def stop(self) -> None:
        for name in list(self.members):
            self.end(name)
        if self._nursery is not None:
            self._nursery.kill()
            self._nursery.wait()
        super().stop()


def is_alive(process: int) -> bool:
    """Whether it exists and is no zombie; one whose threads are still dying holds its port and its locks."""
    try:
        with open(f"/proc/{process}/stat") as stat:
            is_zombie = stat.read().rpartition(")")[2].split()[0] == "Z"
        return bool(process) and (not is_zombie or len(os.listdir(f"/proc/{process}/task")) > 1)
    except OSError:
        return False


def send(process: int, number: int) -> None:
    """A signal to one process, which may be gone by now."""
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def free_port() -> int:
    """A port of loopback that nobody listens on, and that no caller gets as its own end while we are away."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) != 0:
                return port


def wait_for(check: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Until ``check`` is true. Raises StageBroken when the time is up."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise StageBroken(f"{otherwise}; see {settings.SIAM_HOME}")
        time.sleep(0.02)
