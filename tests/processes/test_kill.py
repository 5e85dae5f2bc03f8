"""A short kill run with real processes; the long one is ``python -m tests.processes.kill --kills 200``."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

pytestmark = pytest.mark.skipif("SIAM_KILLS" not in os.environ, reason="starts real processes; set SIAM_KILLS")


def test_killed_workers_lose_nothing_and_double_nothing() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.processes.kill",
        "--kills",
        "4",
        "--a-run",
        "4",
        "--cases",
        "2",
        "--life",
        "6",
    ]
    run = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "kills 4" in run.stdout
    assert "compared 0 comments" not in run.stdout
