"""The switches and quirks in which one customer's instance differs from the next."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


class UnknownSetting(ValueError):
    """The control door was given a setting that does not exist, or a value of the wrong type."""


@dataclass(frozen=True, slots=True)
class DataPolicy:
    """While ``condition`` (an encoded query) holds for the record to be written, fields are mandatory or read only.

    Data policies hold for REST as well, other than UI policies. Refused with 403, naming labels and not column names.
    """

    table: str
    condition: str
    mandatory: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()


RESOLVE_POLICY = DataPolicy("incident", "stateIN6,7", ("close_code", "close_notes"))
HOLD_POLICY = DataPolicy("incident", "state=3", ("hold_reason",))


@dataclass(slots=True)
class Settings:
    """Switches of one instance; the defaults are those of a fresh one.

    ``hidden_fields`` and ``unwritable_fields`` are field rules as ``table.column``; ``frozen_fields`` are put back by a
    business rule. ``hidden_rows`` (after paging) and ``query_rules`` (before it) are encoded queries by table, as is
    ``abort_rules``: records that match it are refused by a business rule. ``batch_capacity`` stands for the 30 seconds
    that one batch may take; ``cancel_lists_over`` for the time that one list may take (0: no limit).
    """

    instance_name: str = "infinityprojects"
    data_policies: tuple[DataPolicy, ...] = (RESOLVE_POLICY,)
    data_policies_on: bool = True
    state_models_on: bool = True
    closed_is_read_only: bool = True
    closing_needs_itil_admin: bool = False
    allow_unknown_choices: bool = False
    invalid_query_returns_no_rows: bool = False
    plain_dates_in_user_zone: bool = False
    audit_readable: bool = True
    deletions_readable: bool = True
    journals_readable: bool = True
    properties_readable: bool = True
    auto_system_fields: bool = True
    hidden_fields: tuple[str, ...] = ()
    unwritable_fields: tuple[str, ...] = ()
    frozen_fields: tuple[str, ...] = ()
    denied_tables: tuple[str, ...] = ()
    disabled_apis: tuple[str, ...] = ()
    hidden_rows: dict[str, str] = field(default_factory=dict)
    query_rules: dict[str, str] = field(default_factory=dict)
    abort_rules: dict[str, str] = field(default_factory=dict)
    attachment_extensions: tuple[str, ...] = ()
    attachment_max_bytes: int = 1024 * 1024 * 1024
    access_token_seconds: int = 1799
    refresh_token_seconds: int = 8_640_000
    tokens_retired: bool = False
    client_credentials_user: str = "siam.sync"
    api_keys_on: bool = True
    mfa_users: tuple[str, ...] = ()
    notices_skip_user: str = ""
    rate_limit_flush_seconds: float = 30.0
    batch_capacity: int = 0
    cancel_lists_over: int = 0
    hibernating_status: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def change(self, values: Mapping[str, Any]) -> None:
        """Set what ``values`` names; all or nothing. Raises ``UnknownSetting``."""
        known = {entry.name for entry in fields(self)}
        read = {}
        for name, value in values.items():
            if name not in known:
                raise UnknownSetting(f"unknown setting {name!r}; known are: {', '.join(sorted(known))}")
            read[name] = self._read(name, value)
        for name, value in read.items():
            setattr(self, name, value)

    def _read(self, name: str, value: Any) -> Any:
        current = getattr(self, name)
        if name == "data_policies" and isinstance(value, list):
            return tuple(_read_policy(entry) for entry in value)
        if isinstance(current, tuple) and isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            return tuple(value)
        if isinstance(current, float) and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if type(value) is not type(current):
            raise UnknownSetting(f"setting {name!r} must be of type {type(current).__name__}")
        return value


def _read_policy(entry: Any) -> DataPolicy:
    try:
        return DataPolicy(
            str(entry["table"]),
            str(entry["condition"]),
            tuple(entry.get("mandatory", ())),
            tuple(entry.get("read_only", ())),
        )
    except (KeyError, TypeError, AttributeError) as problem:
        raise UnknownSetting("a data policy needs a table and a condition") from problem
