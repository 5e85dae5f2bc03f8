"""Jira's refusals in the connector's family of failures.

The envelope is ``{"errorMessages": [...], "errors": {field: reason}}``; either part may be empty, and bodies that are
not JSON occur (a proxy's page, plain text), so nothing here trusts the body.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from apps.sync.connectors.base import (
    ConnectorError,
    RateLimited,
    Rejected,
    SignInFailed,
    StaleVersion,
    TicketGone,
    VendorFault,
)
from apps.sync.connectors.http import LONGEST_WAIT, Answer, read_count, read_retry_after, redact

_NAMED_FIELD = re.compile(r"[Ff]ield '([^']+)'")
_SCOPES = {"jira-burst-based": "endpoint", "jira-per-issue-on-write": "ticket"}


def read_envelope(answer: Answer) -> tuple[list[str], dict[str, str]]:
    """The messages and the refused fields of an error body; both empty when it is not Jira's."""
    try:
        body: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        return [], {}
    if not isinstance(body, dict):
        return [], {}
    messages, errors = body.get("errorMessages"), body.get("errors")
    return (
        [str(message) for message in messages] if isinstance(messages, list) else [],
        {str(name): str(reason) for name, reason in errors.items()} if isinstance(errors, dict) else {},
    )


def classify(answer: Answer) -> ConnectorError | None:
    """Jira's own sense of a status code; None leaves it to the shared reading."""
    if answer.status in (401, 403) and "DENIED" in answer.headers.get("x-seraph-loginreason", ""):
        return SignInFailed(
            "Jira asks the account to solve a CAPTCHA or refuses its sign-in: sign in once in a browser"
        )
    if answer.status == 404:
        return TicketGone(_said(answer) or "not there, or not visible to the account")
    if answer.status == 409:
        return StaleVersion(_said(answer) or "Jira reports a conflicting update")
    if answer.status == 429:
        return _limited(answer)
    if answer.status in (400, 405, 410, 413, 415, 422):
        return _refusal(answer)
    return None


def _said(answer: Answer) -> str:
    messages, errors = read_envelope(answer)
    return redact("; ".join([*messages, *(f"{name}: {reason}" for name, reason in errors.items())]))


def _refusal(answer: Answer) -> Rejected:
    messages, errors = read_envelope(answer)
    said = _said(answer) or f"answered {answer.status}: {redact(answer.text())}"
    field = next(iter(errors), "")
    if not field and (named := next((_NAMED_FIELD.search(message) for message in messages), None)):
        field = named.group(1)
    return Rejected(said, field=field)


def _limited(answer: Answer) -> RateLimited:
    reason = answer.headers.get("ratelimit-reason", "")
    wait = read_retry_after(answer.headers)
    reset = answer.headers.get("x-ratelimit-reset", "")
    if "retry-after" not in answer.headers and reset:
        wait = _until(reset, answer.headers.get("date", "")) or wait
    return RateLimited(
        f"Jira asks to wait ({reason or 'no reason given'})", retry_after=wait, scope=_SCOPES.get(reason, "connection")
    )


def _until(reset: str, sent: str) -> float | None:
    """Seconds from the answer's own date to ``reset`` (ISO 8601 on Cloud): our clock may differ from Jira's."""
    try:
        then = datetime.fromisoformat(reset.replace("Z", "+00:00"))
        now = datetime.strptime(sent, "%a, %d %b %Y %H:%M:%S %Z").replace(tzinfo=UTC)
        return min(max((then - now).total_seconds(), 1.0), LONGEST_WAIT)
    except (ValueError, TypeError):
        return None


def with_value(problem: Rejected, sent: Mapping[str, Any]) -> Rejected:
    """``problem`` with the value that was refused, when its field is one that we sent."""
    if problem.value is None and problem.field in sent:
        problem.value = sent[problem.field]
    return problem


@contextmanager
def known_shape() -> Iterator[None]:
    """An answer of another shape than documented is the system's fault, never an exception of ours."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as problem:
        raise VendorFault(
            f"answered in a shape that Jira does not document ({type(problem).__name__}: {problem})", is_unknown=True
        ) from problem


def read_limit(headers: Mapping[str, str]) -> tuple[int, float] | None:
    """What Data Center lets our account ask for in a minute; Cloud counts points, which no call knows beforehand."""
    filled = read_count(headers, "x-ratelimit-fillrate")
    seconds = read_count(headers, "x-ratelimit-interval-seconds")
    return (max(1, filled * 60 // seconds), 60.0) if filled and seconds else None
