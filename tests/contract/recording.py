"""Keeps what went over the wire in a test run: ``python -m pytest -p tests.contract.recording --record-exchanges DIR``.

One file for each sandbox that was stopped, named for its system (Jira Data Center: ``jira_dc``), for ``check_traffic``.
"""

import itertools
import json
from pathlib import Path

import pytest
from aiohttp import web


def system_of(sandbox: object) -> str:
    """The name of the contract that a sandbox is judged by."""
    settings = getattr(sandbox, "settings", None)
    name = str(getattr(sandbox, "name", ""))
    return f"{name}_dc" if getattr(settings, "deployment", "Cloud") not in ("Cloud", "") and name == "jira" else name


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-exchanges", metavar="DIR", default="", help="keep the exchanges of every sandbox here")


def pytest_configure(config: pytest.Config) -> None:
    folder = config.getoption("--record-exchanges")
    if not folder:
        return
    from apps.sandbox.server import Sandbox

    Path(folder).mkdir(parents=True, exist_ok=True)
    numbers = itertools.count(1)
    close = Sandbox._close

    async def keep(self: Sandbox, app: web.Application) -> None:
        told = [exchange.as_json() for exchange in self.exchanges]
        (Path(folder) / f"{system_of(self)}-{next(numbers)}.json").write_text(json.dumps(told))
        await close(self, app)

    Sandbox._close = keep  # type: ignore[method-assign]
