"""What a failure leads to, and how an unknown outcome is settled. Decided here, shown in the operator's words."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .settle import is_left_of
from .snapshot import ExternalRef, Fields, RemoteChange, Value


class FailureKind(StrEnum):
    """The closed family of failures, as the connectors raise them."""

    UNREACHABLE = "unreachable"
    VENDOR_FAULT = "vendor_fault"
    RATE_LIMITED = "rate_limited"
    STALE_VERSION = "stale_version"
    SIGN_IN_FAILED = "sign_in_failed"
    ACCESS_REFUSED = "access_refused"
    TICKET_GONE = "ticket_gone"
    TICKET_MERGED = "ticket_merged"
    TICKET_CLOSED = "ticket_closed"
    REJECTED = "rejected"
    RULE_GAP = "rule_gap"
    OUR_FAULT = "our_fault"


@dataclass(frozen=True, slots=True)
class Failure:
    kind: FailureKind
    detail: str
    is_unknown: bool = False
    retry_after: float = 0.0
    is_connection_wide: bool = False
    field: str = ""
    value: Value = None
    into: ExternalRef | None = None
    change_ids: tuple[str, ...] = ()
    """Entries of the change log that the part of a write made which took effect."""


class Action(StrEnum):
    RETRY = "retry"
    WAIT = "wait"
    LOOK = "look"
    PAUSE_CONNECTION = "pause_connection"
    PARK = "park"
    DETACH = "detach"
    FOLLOW = "follow"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Consequence:
    """``delay`` in seconds. ``counts`` says whether the attempt counts towards the breaker of the connection."""

    action: Action
    delay: float = 0.0
    counts_against_connection: bool = False


FIRST_DELAY = 0.25
LONGEST_DELAY = 300.0
UNTOLD_WAIT = 10.0
"""For how long one lane waits where its system does not say it; for whole connections their gates know better."""
SAME_FAULT_LIMIT = 14
STALE_LIMIT = 3
OPENS_AFTER = 5
PROBE_FIRST = 5.0
PROBE_LONGEST = 60.0


def backoff(attempts: int, jitter: float, first: float = FIRST_DELAY, longest: float = LONGEST_DELAY) -> float:
    """Growing delay in seconds; ``jitter`` in [0, 1) spreads it over the upper half."""
    full = min(longest, first * 2.0 ** min(attempts, 20))
    return full * (0.5 + jitter / 2)


def rest_after(failures: int, jitter: float) -> float | None:
    """How long the breaker keeps a system from being called after so many failures in a row; None: not at all."""
    if failures < OPENS_AFTER:
        return None
    return backoff(failures - OPENS_AFTER, jitter, PROBE_FIRST, PROBE_LONGEST)


def decide(failure: Failure, attempts: int, jitter: float) -> Consequence:
    """What follows from a failure of a lane that already failed ``attempts`` times in a row."""
    kind = failure.kind
    if kind is FailureKind.RATE_LIMITED:
        wait = failure.retry_after or UNTOLD_WAIT
        return Consequence(Action.WAIT, wait + jitter * min(1.0, wait))
    if kind is FailureKind.UNREACHABLE:
        return Consequence(Action.RETRY, backoff(attempts, jitter), counts_against_connection=True)
    if kind is FailureKind.VENDOR_FAULT:
        # A 5xx that comes back for this ticket for ever while others are fine is a fault of the ticket (F12).
        if attempts >= SAME_FAULT_LIMIT:
            return Consequence(Action.PARK)
        return Consequence(Action.RETRY, backoff(attempts, jitter), counts_against_connection=True)
    if kind is FailureKind.STALE_VERSION:
        return Consequence(Action.LOOK, 0.0 if attempts < STALE_LIMIT else backoff(attempts, jitter))
    if kind is FailureKind.SIGN_IN_FAILED:
        return Consequence(Action.PAUSE_CONNECTION)
    simple = {
        FailureKind.TICKET_GONE: Action.DETACH,
        FailureKind.TICKET_MERGED: Action.FOLLOW,
        FailureKind.TICKET_CLOSED: Action.CLOSED,
    }
    return Consequence(simple.get(kind, Action.PARK))


class Outcome(StrEnum):
    """What became of a write whose answer was lost."""

    APPLIED = "applied"
    ABSENT = "absent"


def known_as_ours(since: Sequence[RemoteChange], correlation: str, told: Collection[str]) -> list[RemoteChange]:
    """The entries of a change log that one write made: by its mark, or by the ids that its system tells."""
    return [change for change in since if change.correlation == correlation or change.id in told]


def settle_unknown_write(
    written: Fields,
    now: Fields,
    since: Sequence[RemoteChange],
    correlation: str,
    *,
    told: Collection[str] = (),
    is_found: bool = False,
    stepwise: Collection[str] = (),
) -> Outcome:
    """Whether a field write took effect, whole: each field by sight, by a logged change to its value, or by an entry
    that is known as ours by its mark or by an id in ``told``; or the system itself says so, ``is_found``.

    ``since`` holds no change that an earlier write of ours made. A person may have edited afterwards (F4): then the log
    shows our value in between, and the write counts as applied. ``stepwise``: fields that go through several values
    on their way, of which an entry of ours proves only that the way was begun, and says nothing of the other fields.
    """
    ours = known_as_ours(since, correlation, told)
    if (ours or is_found) and not set(written) & set(stepwise):
        return Outcome.APPLIED

    def is_there(name: str, value: Value) -> bool:
        if name not in stepwise and any(name in change.fields for change in ours):
            return True
        shown = [now.get(name), *(change.fields[name][1] for change in since if name in change.fields)]
        return any(is_left_of(value, one) for one in shown)

    return Outcome.APPLIED if all(is_there(name, value) for name, value in written.items()) else Outcome.ABSENT


def begun_by(written: Fields, since: Sequence[RemoteChange], stepwise: Collection[str]) -> list[RemoteChange]:
    """The entry of a write that got no further than one of its steps, where neither mark nor id tells: beside the step
    it holds values that we wrote, and contradicts none. A step alone may be anybody's."""

    def is_ours(change: RemoteChange) -> bool:
        common = [name for name in change.fields if name in written and name not in stepwise]
        return bool(common) and all(is_left_of(written[name], change.fields[name][1]) for name in common)

    return [change for change in since if set(stepwise) & set(written) and is_ours(change)][:1]


def stored_by(written: Fields, now: Fields, ours: Sequence[RemoteChange]) -> dict[str, Value]:
    """What a write that was found to be applied left in the system: as its own log entries say, else as it stands now.

    A field that somebody changed since is not named where no log tells, so that their value still counts as news.
    """
    stored = {name: now[name] for name, value in written.items() if name in now and is_left_of(value, now[name])}
    logged = {name: after for change in ours for name, (_before, after) in change.fields.items() if name in written}
    return stored | logged
