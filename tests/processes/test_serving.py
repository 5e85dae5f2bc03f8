"""The embedded web server: what some systems leave open must not shut out the others."""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings

LEFT_OPEN = 150
"""More than two systems keep alive after a burst of webhooks, and than waitress takes by itself."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "serve", "--port", "0", "--no-migrate"]
    environment = {**os.environ, "SIAM_HOME": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path / 'portal.sqlite3'}"}
    with (tmp_path / "errors").open("w") as errors:
        portal = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        try:
            assert portal.stdout is not None
            yield next(word for word in portal.stdout.readline().split() if word.startswith("http"))
        finally:
            portal.terminate()
            portal.wait(30)


def test_connections_that_are_kept_open_leave_room_for_others(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    with ExitStack() as stack:
        for _ in range(LEFT_OPEN):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=10))
        with urllib.request.urlopen(f"{address}/sign-in/", timeout=10) as answer:
            assert answer.status == 200
