"""The switches of this sandbox: what differs between real organizations, servers and days."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

MEGABYTE = 1024 * 1024


class UnknownSetting(ValueError):
    """A setting that does not exist, or a value of the wrong kind."""


@dataclass(slots=True)
class Settings:
    """All lists of accounts hold mail addresses.

    ``flavor`` *services* lives at ``/{organization}``, *server* at ``/tfs/DefaultCollection``.
    ``sign_in_answer`` is what Services say to a GET or POST without valid credentials (203 with a page, or 302).
    ``tstu_limit`` 0 switches throttling off; above four fifths of it answers carry Retry-After, above it they are 429.
    ``retry_pauses`` are the seconds between attempts of a web hook; the vendor waits longer.
    """

    flavor: Literal["services", "server"] = "services"
    latest_version: str = "7.2"
    released_version: str = "7.1"
    sign_in_answer: Literal[203, 302] = 203
    retired_tokens: list[str] = field(default_factory=list)
    bearer_seconds: int = 3599
    query_lag_seconds: float = 0.0
    feed_lag_seconds: float = 0.0
    query_row_limit: int = 20_000
    revision_limit: int = 10_000
    attachment_limit: int = 60 * MEGABYTE
    any_transition: bool = False
    required_fields: dict[str, list[str]] = field(default_factory=dict)
    required_in_state: dict[str, list[str]] = field(default_factory=dict)
    bypass_accounts: list[str] = field(default_factory=list)
    suppress_accounts: list[str] = field(default_factory=list)
    destroy_accounts: list[str] = field(default_factory=list)
    accounts_without_hooks: list[str] = field(default_factory=list)
    departed_accounts: list[str] = field(default_factory=list)
    tstu_limit: float = 0.0
    tstu_per_request: float = 0.1
    tstu_window_seconds: float = 300.0
    retry_pauses: list[float] = field(default_factory=lambda: [0.5, 1.0, 2.0, 4.0, 8.0])
    failures_until_probation: int = 3
    probation_retries: int = 7

    @property
    def is_server(self) -> bool:
        return self.flavor == "server"

    def change(self, values: dict[str, Any]) -> None:
        """Set the switches named in ``values``, all or none. Raises UnknownSetting."""
        kinds = {one.name: type(getattr(self, one.name)) for one in fields(self)}
        for name, value in values.items():
            if name not in kinds:
                raise UnknownSetting(f"unknown setting {name!r}; known are: {', '.join(kinds)}")
            fits = isinstance(value, kinds[name]) or (kinds[name] is float and type(value) is int)
            if not fits:
                raise UnknownSetting(f"setting {name!r} must be of type {kinds[name].__name__}")
        if values.get("flavor", "services") not in ("services", "server"):
            raise UnknownSetting("setting 'flavor' must be services or server")
        for name, value in values.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
