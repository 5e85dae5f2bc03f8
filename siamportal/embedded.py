"""The embedded mode: web server, worker and scheduler in one process, with nothing else to install.

Measured elsewhere in this stack: after a kill the in-memory broker loses what it holds. That costs a sweep here and
never a change, because a message only says "look now".
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from celery.beat import EmbeddedService
from waitress.server import create_server

from .celery import app
from .wsgi import application

WEB_THREADS = 8
WORKER_THREADS = 8
STOP_SECONDS = 10
MOST_CONNECTIONS = 1000
"""Systems keep theirs open for a while after a burst of webhooks: of the usual 100 one system alone leaves none."""
SWITCH_SECONDS = 0.001
"""Python lets a thread go on for so long while others wait. A webhook asks the database some ten times and stands in
line anew after each; with Python's usual 5 ms, and workers in line before it, that took seconds."""


def start_worker() -> Callable[[], None]:
    """A Celery worker in threads of this process; returns what stops it."""
    # WorkController leaves signals alone and prints nothing, unlike the worker command.
    worker: Any = app.WorkController(pool="threads", concurrency=WORKER_THREADS, hostname="embedded@localhost")
    thread = threading.Thread(target=worker.start, name="worker", daemon=True)
    thread.start()

    def stop() -> None:
        from celery.worker import state

        state.should_stop = True
        worker.stop()
        thread.join(timeout=STOP_SECONDS)

    return stop


def start_scheduler() -> Callable[[], None]:
    """The scheduler in a thread. The scheduler class is given here because the service ignores the setting for it."""
    service: Any = EmbeddedService(app, thread=True, scheduler_cls="celery.beat:Scheduler", max_interval=1)
    service.daemon = True
    service.start()
    return lambda: service.service.stop(wait=True)


# It warns of each request that waits for a thread: after a mass change in a system that is every webhook for minutes.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def serve(host: str, port: int, *, ready: Callable[[str], None], with_workers: bool) -> None:
    """Serve until SIGINT or SIGTERM. A second signal ends the process at once."""
    sys.setswitchinterval(SWITCH_SECONDS)
    server = create_server(
        application,
        host=host,
        port=port,
        threads=WEB_THREADS,
        connection_limit=MOST_CONNECTIONS,
        asyncore_use_poll=True,
        ident="",
    )
    stops = [start_scheduler(), start_worker()] if with_workers else []
    caught = threading.Event()

    def stop(_number: int, _frame: object) -> None:
        if caught.is_set():
            os._exit(1)
        caught.set()
        # waitress leaves its loop on SystemExit, raised here in the main thread.
        sys.exit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    ready(f"http://{host}:{server.effective_port}")
    try:
        server.run()
    finally:
        caught.set()
        for end in stops:
            end()
        server.close()
