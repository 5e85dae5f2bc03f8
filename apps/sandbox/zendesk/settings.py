"""The account's switches: what differs between plans, admins and years, and lags small enough for a demo."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any


class UnknownSetting(ValueError):
    """The control door was given a setting that does not exist or a value of another type."""


@dataclass(slots=True)
class ZendeskSettings:
    """All limits are the vendor's own figures; only the two lags are shortened (see :meth:`make_strict`)."""

    export_lag_seconds: float = 2
    index_lag_seconds: float = 2
    requests_per_minute: int = 700
    incremental_per_minute: int = 10
    ticket_updates_per_ten_minutes: int = 30
    account_updates_per_minute: int = 100
    ticket_deletes_per_minute: int = 400
    deleted_lists_per_minute: int = 10
    audits_per_minute: int = 500
    search_exports_per_minute: int = 100
    user_upserts_per_minute: int = 5
    user_upserts_per_second: int = 1
    tokens_retired: bool = False
    anonymous_me: bool = True
    access_token_seconds: int = 86_400
    refresh_token_seconds: int = 2_592_000
    idempotency_seconds: int = 7_200
    upload_seconds: int = 3_600
    job_seconds: float = 0.05
    jobs_at_once: int = 30
    comment_bytes: int = 65_536
    comments_per_ticket: int = 5_000
    attachment_bytes: int = 50 * 1024 * 1024
    refused_extensions: list[str] = field(default_factory=list)
    private_attachments: bool = False
    redirected_attachments: bool = False
    auto_close_hours: float = 96
    custom_statuses_enabled: bool = True
    hold_enabled: bool = True
    type_enabled: bool = True
    agents_may_delete: bool = False
    exact_stamps: bool = False
    webhook_retry_pauses: list[float] = field(default_factory=lambda: [1.0, 2.0, 4.0])
    webhook_breaker: bool = True

    def make_strict(self) -> None:
        """The vendor's real lags: the export withholds the last minute, the search index trails by half of one."""
        self.export_lag_seconds = 60
        self.index_lag_seconds = 30

    def change(self, values: dict[str, Any]) -> None:
        """Apply ``values``; ``{"strict": true}`` sets the vendor's real lags first. Raises ``UnknownSetting``."""
        known = {item.name for item in fields(self)}
        wanted = dict(values)
        strict = wanted.pop("strict", False)
        for name, value in wanted.items():
            if name not in known:
                raise UnknownSetting(f"unknown setting {name!r}; known are: {', '.join(sorted(known))}")
            if not _same_kind(getattr(self, name), value):
                raise UnknownSetting(f"setting {name!r} does not take {value!r}")
        if strict:
            self.make_strict()
        for name, value in wanted.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _same_kind(present: Any, value: Any) -> bool:
    if isinstance(present, bool) or isinstance(value, bool):
        return isinstance(present, bool) and isinstance(value, bool)
    if isinstance(present, (int, float)):
        return isinstance(value, (int, float)) and value >= 0
    return isinstance(value, type(present))
