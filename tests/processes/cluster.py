"""A PostgreSQL server of our own in a folder that vanishes, to be crashed: loopback only, on a port of its own."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from .fleet import free_port, is_alive, send, wait_for

SERVER_USER = "postgres"
START_SECONDS = 60.0


def binaries() -> Path | None:
    """Where the server's programs are; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
    known = shutil.which("initdb")
    return found[-1].parent if found else Path(known).parent if known else None


class Cluster:
    """A server as it is installed, with all its safety on. It refuses to run as root, so root lends it a user."""

    def __enter__(self) -> "Cluster":
        found = binaries()
        assert found is not None, "no PostgreSQL server is installed here"
        self._programs, self._port = found, free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="siam-cluster-"))
        self._is_root = os.geteuid() == 0
        if self._is_root:
            shutil.chown(self._folder, SERVER_USER)
        assert self._run("initdb", "-A", "trust", "-U", SERVER_USER, "-E", "UTF8", "--locale=C")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(self._folder)

    def url(self, name: str) -> str:
        """The address of one of its databases."""
        return f"postgres://{SERVER_USER}@127.0.0.1:{self._port}/{name}"

    def start(self) -> None:
        """Start it and wait until it has recovered. What a killed server left behind may stand in the way at first."""
        where = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._folder}"
        command = ("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", where, "start")
        wait_for(lambda: self._run(*command), START_SECONDS, f"the server does not start; see {self._folder}")

    def stop(self) -> None:
        """End it without a word to anybody, as a power switch for the server would."""
        assert self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def crash(self, chance: random.Random) -> str:
        """One crash and, where the server is gone, its restart a moment later; which kind it was."""
        kind = chance.choice(("the server stopped at once", "a server process killed", "the server killed"))
        if kind == "a server process killed":
            # The server then resets all its processes and recovers by itself.
            busy = self._children("siam")
            if busy:
                send(chance.choice(busy), signal.SIGKILL)
                return kind
            kind = "the server stopped at once"
        if kind == "the server killed":
            server, children = self._server(), self._children("")
            send(server, signal.SIGKILL)
            wait_for(lambda: not any(is_alive(one) for one in (server, *children)), 30, "the server does not die")
        else:
            self.stop()
        time.sleep(chance.uniform(0.0, 1.0))
        self.start()
        return kind

    def _server(self) -> int:
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    def _children(self, database: str) -> list[int]:
        command = ["ps", "-o", "pid=,args=", "--ppid", str(self._server())]
        lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        return [int(line.split()[0]) for line in lines if database in line]

    def _run(self, program: str, *arguments: str) -> bool:
        lent = ["setpriv", f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--init-groups"] if self._is_root else []
        command = [*lent, str(self._programs / program), "-D", str(self._folder / "data"), *arguments]
        # Not a pipe: the server would inherit it and keep it open.
        with (self._folder / "programs.log").open("ab") as log:
            done = subprocess.run(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self._folder, check=False
            )
        return done.returncode == 0
