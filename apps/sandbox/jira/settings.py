"""The switches of the Jira sandbox: what differs between sites, editions and moods of the vendor."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


class BadSetting(ValueError):
    """A setting that does not exist, or a value of the wrong type."""


@dataclass(slots=True)
class JiraSettings:
    """One site's configuration. Lists hold project keys, field ids or tokens; 0 switches a limit off.

    ``deployment`` is what ``serverInfo`` answers: *Cloud* (REST v3 and v2, API tokens, token-paged search) or
    *Server* (Data Center: REST v2 only, personal access tokens and passwords, offset-paged search).
    """

    deployment: str = "Cloud"
    dc_version: str = "10.3.24"

    index_lag_seconds: float = 1.0
    search_page_cap: int = 100
    dc_search_page_cap: int = 1000
    page_token_seconds: float = 3600.0

    wrong_basic_is_anonymous: bool = True
    retired_tokens: list[str] = field(default_factory=list)
    captcha_after_failures: int = 0
    oauth_access_seconds: float = 3600.0

    service_projects: list[str] = field(default_factory=lambda: ["OPS"])
    simplified_projects: list[str] = field(default_factory=list)
    forbidden_projects: list[str] = field(default_factory=list)
    internal_by_property: bool = True
    hidden_fields: list[str] = field(default_factory=list)
    required_fields: list[str] = field(default_factory=list)
    reporter_may_be_set: bool = True
    closed_is_editable: bool = False
    closed_takes_comments: bool = True
    show_emails: bool = False
    email_search: bool = True
    links_bump_updated: bool = False

    text_limit: int = 32_767
    comment_limit: int = 5_000
    attachment_limit: int = 2_000
    remote_link_limit: int = 2_000
    attachments_enabled: bool = True
    upload_limit: int = 10_485_760
    media_link_seconds: float = 600.0

    burst_per_second: int = 100
    issue_writes_per_2s: int = 20
    issue_writes_per_30s: int = 100
    points_per_hour: int = 65_000
    dc_bucket_size: int = 0
    dc_fill_rate: int = 10
    dc_interval_seconds: int = 1
    fault_429_reason: str = "jira-burst-based"

    https_hooks_only: bool = False
    hook_retry_seconds: list[float] = field(default_factory=lambda: [300.0, 300.0, 450.0, 450.0, 600.0])
    hook_patience_seconds: float = 1800.0
    updated_fires_for_comments: bool = True

    @property
    def is_cloud(self) -> bool:
        return self.deployment == "Cloud"

    @property
    def version_numbers(self) -> list[int]:
        return [1001, 0, 0] if self.is_cloud else [int(part) for part in self.dc_version.split(".")]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def patch(self, values: Mapping[str, Any]) -> None:
        """Set several switches at once, or none of them: raises BadSetting for a name or type that does not fit."""
        known = self.as_json()
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise BadSetting(f"there is no setting {name!r}")
            checked[name] = _fitting(name, value, known[name])
        if checked.get("deployment", self.deployment) not in ("Cloud", "Server"):
            raise BadSetting("deployment is Cloud or Server")
        for name, value in checked.items():
            setattr(self, name, value)


def _fitting(name: str, value: Any, present: Any) -> Any:
    if isinstance(present, bool) or isinstance(value, bool):
        fits = isinstance(present, bool) and isinstance(value, bool)
    elif isinstance(present, float):
        fits = isinstance(value, int | float)
    else:
        fits = isinstance(value, type(present))
    if not fits:
        raise BadSetting(f"{name} takes a value like {present!r}")
    return float(value) if isinstance(present, float) else value
