"""Switches that make the system in memory fail as remote systems do (reliability 3)."""

from dataclasses import dataclass, field

from ..base import AccessRefused, ConnectorError, RateLimited, SignInFailed, StaleVersion, Unreachable, VendorFault
from ..http import Answer, read_failure

WRITES = frozenset({"create", "update", "comment", "attachment"})
KINDS = frozenset(
    {"down", "refused", "lost_response", "status", "html", "expired_token", "forbidden", "rate_limited", "stale"}
)


@dataclass(slots=True)
class Fault:
    """One switch. It lets the first ``skip`` calls of ``on`` (a verb, or empty for all) pass, then acts ``times``
    times, or until cleared.

    ``kind``: *down* (cut before anything was done, which the caller cannot know), *refused* (no connection at all),
    *lost_response* (carried out, then cut), *status* (answers ``status``), *html* (a proxy's page), *expired_token*,
    *forbidden*, *rate_limited* (for ``retry_after`` seconds), *stale* (someone else was just faster). Raises ValueError
    for a kind that is none of these.
    """

    kind: str
    on: str = ""
    times: int | None = None
    status: int = 500
    retry_after: float | None = None
    skip: int = 0
    passed: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known are: {', '.join(sorted(KINDS))}")

    def acts_on(self, verb: str) -> bool:
        return self.on in ("", verb) and (self.times is None or self.hits < self.times)

    def failure(self, verb: str) -> ConnectorError:
        """What a caller of ``verb`` meets."""
        is_write = verb in WRITES
        match self.kind:
            case "refused":
                return Unreachable("connection refused", is_unknown=False)
            case "status":
                headers = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
                return read_failure(Answer(self.status, headers, b""))
            case "html":
                return VendorFault("answered 200 with text/html instead of JSON", is_unknown=True)
            case "expired_token":
                return SignInFailed("the token has expired")
            case "forbidden":
                return AccessRefused("this account may not do that")
            case "rate_limited":
                return RateLimited("too many calls", retry_after=self.retry_after or 30.0)
            case "stale":
                return StaleVersion("the ticket changed at this moment")
        return Unreachable("the connection was cut", is_unknown=is_write)


@dataclass(slots=True)
class FaultBoard:
    """All switches of one system, how often each acted (a fault that never fires proves nothing), and how many calls
    there were."""

    faults: list[Fault] = field(default_factory=list)
    calls: int = 0

    def add(self, fault: Fault) -> Fault:
        self.faults.append(fault)
        return fault

    def clear(self) -> None:
        self.faults.clear()

    def take(self, verb: str) -> Fault | None:
        self.calls += 1
        for fault in self.faults:
            if not fault.acts_on(verb):
                continue
            if fault.passed < fault.skip:
                fault.passed += 1
                continue
            fault.hits += 1
            return fault
        return None
