"""Plain HTTP for the people of the demo: they work in their own systems, with their own credentials."""

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TIMEOUT = 15


class CallFailed(Exception):
    """A system refused what a person of the demo did; the text holds the answer."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody signed in to one system."""

    address: str
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)

    def call(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> Any:
        """One request; JSON in, JSON out. Raises CallFailed."""
        data = raw if raw is not None else (None if body is None else json.dumps(body).encode())
        sent = {"Accept": "application/json", "Content-Type": "application/json", **self.headers, **headers}
        request = urllib.request.Request(self.address + path, data, sent, method=method)  # noqa: S310  loopback sandboxes
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as problem:
            raise CallFailed(
                f"{method} {path}: {problem.code} {problem.read().decode('utf-8', 'replace')[:500]}"
            ) from problem
        return json.loads(text) if text.strip() else None


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@dataclass(frozen=True, slots=True)
class Door:
    """The control door of one sandbox."""

    name: str
    address: str

    def tickets(self) -> list[dict[str, Any]]:
        state: dict[str, list[dict[str, Any]]] = Caller(self.address).call("GET", "/_control/state")
        return [ticket for ticket in state["tickets"] if not ticket["deleted"]]

    def ticket(self, ticket_id: str) -> dict[str, Any] | None:
        return next((one for one in self.tickets() if one["id"] == str(ticket_id)), None)

    def switch_on(self, **fault: Any) -> int:
        made: dict[str, int] = Caller(self.address).call("POST", "/_control/faults", fault)
        return made["id"]

    def switch_off(self, fault_id: int) -> None:
        Caller(self.address).call("DELETE", f"/_control/faults/{fault_id}")

    def set(self, **settings: Any) -> None:
        Caller(self.address).call("PATCH", "/_control/settings", settings)

    def exchanges(self, since: int = 0) -> list[dict[str, Any]]:
        seen: list[dict[str, Any]] = Caller(self.address).call("GET", f"/_control/exchanges?since={since}")
        return seen

    def deliveries_waiting(self) -> int:
        health: dict[str, int] = Caller(self.address).call("GET", "/_control/health")
        return health["deliveries_waiting"]


def wait_for(check: Any, *, seconds: float, pause: float = 0.1) -> Any:
    """What ``check`` returns once it is true, or its last value when the time is up."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found or time.monotonic() > end:
            return found
        time.sleep(pause)
