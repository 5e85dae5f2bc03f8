"""Short runs of the kill commands: real processes, four systems. The long ones stand in docs/operations.md."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

from .cluster import binaries

pytestmark = pytest.mark.skipif("SIAM_KILLS" not in os.environ, reason="starts real processes; set SIAM_KILLS")

RUNS = {
    "kills": ("kill", "--kills", "10", "--a-run", "10"),
    "kills of workers and of one of two schedulers": (
        *("kill", "--kills", "10", "--a-run", "10", "--setup", "workers"),
        *("--schedulers", "2"),
    ),
    "frozen workers": ("kill", "--kills", "2", "--freeze", "--setup", "workers"),
    "deaths at a boundary": ("crash", "--each", "2", "--only", "answered × c"),
    "database crashes": ("database", "--crashes", "3"),
}


@pytest.mark.parametrize("name", RUNS)
def test_nothing_is_lost_and_nothing_doubled(name: str) -> None:
    module, *options = RUNS[name]
    if module == "database" and binaries() is None:
        pytest.skip("no PostgreSQL server is installed here")
    command = [sys.executable, "-m", f"tests.processes.{module}", *options]
    run = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=900, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "compared 0 comments" not in run.stdout
