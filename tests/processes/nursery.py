"""The process that the portal's processes are forked from: ``python -m tests.processes.nursery``, told what on stdin.

Everything is imported here once, so that a whole process of the portal stands a tenth of a second after the last died.
A child runs what its command runs in production; it has a trap at the crash points.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


def run_web(port: int) -> None:
    """What ``manage.py serve`` runs: with worker and scheduler inside where there is no broker."""
    from django.conf import settings

    from siamportal.embedded import serve

    serve("127.0.0.1", port, ready=lambda _address: None, with_workers=settings.SIAM_IS_EMBEDDED)


def run_worker(processes: int) -> None:
    """What ``celery worker`` runs, without asking other workers first."""
    from siamportal.celery import app

    quick = ["--without-mingle", "--without-gossip", "--without-heartbeat"]
    app.worker_main(["worker", "--concurrency", str(processes), "--loglevel", "WARNING", *quick])


def run_beat(schedule: str) -> None:
    """What ``celery beat`` runs."""
    from siamportal.celery import app

    app.start(["beat", "--schedule", schedule, "--pidfile="])


RUNS: dict[str, Callable[..., None]] = {"web": run_web, "worker": run_worker, "beat": run_beat}


def _become(name: str, arguments: dict[str, Any], home: Path, claim_seconds: float) -> None:
    """In the child: from here on it is that process."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(home / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(log, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = [name]
    from apps.sync import crashpoints
    from apps.sync.engine import claims
    from apps.sync.store import claims as kept

    from .trap import Trap

    crashpoints.install(Trap(home))
    claims.CLAIM_SECONDS, claims.RENEW_SECONDS = claim_seconds, claim_seconds / 4
    kept.CLAIM_SECONDS = claim_seconds
    RUNS[name](**arguments)


def main() -> None:
    """Import all, then fork as told: one line of JSON each, answered by the child's number."""
    import django

    django.setup()
    import celery.apps.beat
    import celery.apps.worker
    import celery.bin.celery
    import celery.concurrency.prefork
    import celery.concurrency.thread
    import celery.worker.autoscale
    import celery.worker.components
    import celery.worker.consumer
    import celery.worker.pidbox
    import celery.worker.strategy
    import kombu.transport.memory
    from django.conf import settings
    from django.template import engines
    from django.urls import get_resolver

    from siamportal.embedded import app

    _ = get_resolver().url_patterns, engines.all(), app.tasks, celery, kombu
    # Nobody here waits for them, and a killed one must not stay as a zombie.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        told = json.loads(line)
        child = os.fork()
        if not child:
            code = 1
            try:
                _become(told["name"], told["arguments"], settings.SIAM_HOME, told["claim_seconds"])
                code = 0
            except BaseException:
                traceback.print_exc()
                raise
            finally:
                os._exit(code)
        print(child, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
