"""Faults that a sandbox can be told to show, as the systems of real parties do."""

import re
from dataclasses import asdict, dataclass, field
from typing import Any

REQUEST_FAULTS = frozenset({"down", "slow", "lost_response", "status", "html", "expired_token"})
NOTICE_FAULTS = frozenset({"notice_lost", "notice_duplicated", "notice_delayed"})


class UnknownFault(ValueError):
    """The control door was given a fault that no sandbox knows."""


@dataclass(slots=True)
class Fault:
    """One switch. It lets the first ``skip`` requests (or notices) that match it pass, then acts ``times`` times, or
    until removed.

    ``kind``: *down* (the connection is cut before anything is read), *slow* (answers after ``seconds``),
    *lost_response* (the request is carried out, then the connection is cut), *status* (answers ``status`` with
    the vendor's own error body and, where given, ``retry_after`` seconds), *html* (a proxy's page with status 200),
    *expired_token* (401 in the vendor's words), *notice_lost*, *notice_duplicated*, *notice_delayed* (by ``seconds``).
    ``method`` is an upper-case HTTP method or empty, ``path`` a regular expression searched in the path or empty.
    """

    kind: str
    times: int | None = None
    skip: int = 0
    method: str = ""
    path: str = ""
    status: int = 500
    retry_after: float | None = None
    seconds: float = 0.0
    passed: int = 0
    hits: int = 0
    id: int = 0
    _pattern: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in REQUEST_FAULTS | NOTICE_FAULTS:
            known = ", ".join(sorted(REQUEST_FAULTS | NOTICE_FAULTS))
            raise UnknownFault(f"unknown fault {self.kind!r}; known are: {known}")
        self._pattern = re.compile(self.path)

    def matches(self, method: str, path: str) -> bool:
        if self.times is not None and self.hits >= self.times:
            return False
        return (not self.method or self.method == method) and bool(self._pattern.search(path))

    def as_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if not key.startswith("_")}


class FaultBoard:
    """All switches of one sandbox."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._next_id = 1

    def add(self, **fields: Any) -> Fault:
        fault = Fault(**fields)
        fault.id, self._next_id = self._next_id, self._next_id + 1
        self._faults.append(fault)
        return fault

    def remove(self, fault_id: int) -> bool:
        before = len(self._faults)
        self._faults = [fault for fault in self._faults if fault.id != fault_id]
        return len(self._faults) < before

    def clear(self) -> None:
        self._faults.clear()

    def take(self, kinds: frozenset[str], method: str, path: str) -> Fault | None:
        """The first switch among ``kinds`` that acts on this request or notice; it counts as a hit."""
        for fault in self._faults:
            if fault.kind not in kinds or not fault.matches(method, path):
                continue
            if fault.passed < fault.skip:
                fault.passed += 1
                continue
            fault.hits += 1
            return fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        return [fault.as_json() for fault in self._faults]
