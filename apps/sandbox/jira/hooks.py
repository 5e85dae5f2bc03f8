"""Webhooks: signed ones that an administrator registers, and those that an app registers for itself."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from apps.sandbox.deliveries import Deliveries, Delivery

from . import seed
from .errors import Refusal
from .state import Attachment, Change, Comment, Issue, IssueLink

if TYPE_CHECKING:
    from .site import Site

DYNAMIC_EVENTS = frozenset(
    {"jira:issue_created", "jira:issue_updated", "jira:issue_deleted"}
    | {"comment_created", "comment_updated", "comment_deleted", "issue_property_set", "issue_property_deleted"}
)
ADMIN_EVENTS = DYNAMIC_EVENTS | {
    "issuelink_created",
    "issuelink_deleted",
    "attachment_created",
    "attachment_deleted",
    "worklog_created",
    "worklog_updated",
    "worklog_deleted",
}
RETRIED = frozenset({408, 409, 425, 429})
DYNAMIC_LIFETIME = timedelta(days=30)
FAILED_KEPT = timedelta(hours=72)
USER_AGENT = "Atlassian Webhook HTTP Client"


def is_retried(status: int | None) -> bool:
    """No connection, a server's fault, and four other codes are tried again; every other refusal is final."""
    return status is None or status in RETRIED or status >= 500


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an issue and that a webhook may tell."""

    name: str
    issue: Issue
    actor: str
    kind: str = ""
    change: Change | None = None
    comment: Comment | None = None
    attachment: Attachment | None = None
    link: IssueLink | None = None
    property_key: str = ""


@dataclass(slots=True)
class Hook:
    """A registered webhook; ``expires`` is set for those of an app only."""

    id: int
    url: str
    events: list[str]
    name: str = ""
    jql: str = ""
    secret: str = ""
    exclude_body: bool = False
    is_enabled: bool = True
    owner: str = ""
    changed: datetime = field(default_factory=lambda: datetime.fromtimestamp(0, UTC))
    expires: datetime | None = None
    field_ids: list[str] = field(default_factory=list)
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    id: str
    url: str
    body: str
    at: datetime


class HookRegistry:
    """All webhooks of a site, and the deliveries that an app's webhooks lost."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self.admin: dict[int, Hook] = {}
        self.dynamic: dict[int, Hook] = {}
        self.failed: list[FailedDelivery] = []
        self._next = {"admin": 1, "dynamic": 1000}

    def number(self, kind: str) -> int:
        given = self._next[kind]
        self._next[kind] = given + 1
        return given

    def fire(self, site: "Site", event: Event) -> None:
        """Send ``event`` to every webhook that wants it. Each retry carries the identifier of the first attempt."""
        now = site.now()
        dynamic = [hook for hook in self.dynamic.values() if hook.expires is None or hook.expires > now]
        for hook in [*self.admin.values(), *dynamic]:
            if hook.is_enabled and event.name in hook.events and _wants(site, hook, event):
                self._deliver(site, hook, event)

    def _deliver(self, site: "Site", hook: Hook, event: Event) -> None:
        from .hook_payload import payload

        body = b"" if hook.exclude_body else json.dumps(payload(site, hook, event)).encode()
        url = hook.url.replace("${issue.key}", event.issue.key).replace("${issue.id}", event.issue.id)
        identifier = str(uuid.uuid4())

        def headers(attempt: int) -> Mapping[str, str]:
            retry = {"X-Atlassian-Webhook-Retry": str(attempt)} if attempt else {}
            return _headers(site, hook, identifier, body) | retry

        def finished(status: int | None) -> None:
            self._note_outcome(site, hook, identifier, body, status)

        patience = timedelta(seconds=site.settings.hook_patience_seconds)
        is_degraded = hook.failing_since is not None and site.now() - hook.failing_since >= patience
        pauses = () if is_degraded else tuple(site.settings.hook_retry_seconds)
        self._deliveries.send(Delivery(url, body, headers, pauses, is_retried, finished))

    def _note_outcome(self, site: "Site", hook: Hook, identifier: str, body: bytes, status: int | None) -> None:
        if status is not None and status < 300:
            hook.failing_since = None
            return
        hook.failing_since = hook.failing_since or site.now()
        if hook.expires is not None:
            self.failed.append(FailedDelivery(identifier, hook.url, body.decode(), site.now()))

    def recent_failures(self, now: datetime) -> list[FailedDelivery]:
        self.failed = [failure for failure in self.failed if now - failure.at < FAILED_KEPT]
        return self.failed


def _wants(site: "Site", hook: Hook, event: Event) -> bool:
    from . import jql
    from .jql_clauses import Scope

    changed = {item.field_id for item in event.change.items} if event.change else set(hook.field_ids)
    if hook.field_ids and not changed & set(hook.field_ids):
        return False
    if not hook.jql:
        return True
    scope = Scope(site, hook.owner, site.store.users[hook.owner].zone)
    try:
        return jql.parse(hook.jql, scope).matches(event.issue)
    except Refusal:
        # A filter can name a project or key that was taken away after it was saved; then it matches nothing.
        return False


def _headers(site: "Site", hook: Hook, identifier: str, body: bytes) -> dict[str, str]:
    headers = {
        "User-Agent": USER_AGENT,
        "Content-Type": "application/json; charset=UTF-8",
        "X-Atlassian-Webhook-Identifier": identifier,
        "X-Atlassian-Webhook-Flow": "Primary",
    }
    if hook.expires is not None:
        headers["Authorization"] = f"Bearer {app_token(site.now())}"
    elif hook.secret:
        digest = hmac.new(hook.secret.encode(), body, hashlib.sha256).hexdigest()
        headers["X-Hub-Signature"] = f"sha256={digest}"
    return headers


def app_token(now: datetime) -> str:
    """A JWT (HS256 with the client secret): how an app knows its own webhooks."""
    issued = int(now.timestamp())
    claims: dict[str, Any] = {"iss": seed.CLIENT_ID, "sub": seed.CLOUD_ID, "iat": issued, "exp": issued + 180}
    parts = [_encoded(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signed = ".".join(parts)
    digest = hmac.new(seed.CLIENT_SECRET.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_encoded(digest)}"


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
