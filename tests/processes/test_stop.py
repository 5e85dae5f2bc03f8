"""The demo leaves nothing behind, whenever it is stopped. Real processes; set SIAM_KILLS to run them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

STOPS_WITHIN = 15.0
STARTS_WITHIN = 120.0

pytestmark = pytest.mark.skipif("SIAM_KILLS" not in os.environ, reason="starts real processes; set SIAM_KILLS")


def processes_of(home: Path) -> list[int]:
    """Every process that works in ``home``: children inherit it in their environment."""
    mark, found = f"SIAM_HOME={home}".encode(), []
    for place in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in place.read_bytes().split(b"\0"):
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found


def wait_for(check: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not check() and time.monotonic() < end:
        time.sleep(0.05)
    return check()


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "while the tables are made": lambda home: (home / "portal.sqlite3").exists(),
    "while the sandboxes start": lambda home: (home / "sandbox.log").exists(),
    "while the portal starts": lambda home: (home / "serve.log").exists(),
    "while the ticket travels": lambda home: "filed in Zendesk" in (home / "said").read_text(),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stopped_demo_leaves_no_process_behind(tmp_path: Path, moment: str, number: signal.Signals) -> None:
    with (tmp_path / "said").open("wb") as said:
        demo = subprocess.Popen(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "demo", "--once"],
            stdout=said,
            stderr=said,
            env={**os.environ, "SIAM_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        try:
            assert wait_for(lambda: MOMENTS[moment](tmp_path), STARTS_WITHIN), (tmp_path / "said").read_text()
            # A terminal sends it to all, and a launcher passes it on: it comes twice.
            demo.send_signal(number)
            time.sleep(0.3)
            demo.send_signal(number)
            assert wait_for(lambda: demo.poll() is not None, STOPS_WITHIN), "the demo goes on"
            assert demo.returncode != 0
            assert processes_of(tmp_path) == []
            assert "Traceback" not in (tmp_path / "said").read_text()
        finally:
            for pid in processes_of(tmp_path):
                os.kill(pid, signal.SIGKILL)
            demo.wait()
