"""What a ServiceNow connection is told: where to look, how to sign in, how to mark what we write."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, model_validator

SignInMethod = Literal["basic", "oauth_password", "oauth_client_credentials", "oauth_refresh", "api_key"]

_COLUMN = r"^[a-z][a-z0-9_]*$"

NEEDED_SECRETS: Mapping[str, tuple[str, ...]] = {
    "basic": ("username", "password"),
    "oauth_password": ("client_id", "client_secret", "username", "password"),
    "oauth_client_credentials": ("client_id", "client_secret"),
    "oauth_refresh": ("client_id", "client_secret", "refresh_token"),
    "api_key": ("api_key",),
}


class ServiceNowSettings(BaseModel):
    """Settings of one connection. Unknown names are refused, so that a typing error is not a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str = Field("incident", pattern=_COLUMN, description="The table whose records are the tickets.")
    query: str = Field("", description="Encoded query that narrows the tickets in scope, for example active=true.")
    sign_in: SignInMethod = Field("basic", description="How the account signs in; decides which secrets are needed.")
    overlap_seconds: float = Field(60.0, ge=0, le=86400, description="How far each poll reads back behind its cursor.")
    settle_seconds: float = Field(
        60.0,
        ge=0,
        le=600,
        description="How long an insert may still run inside the instance after the call was cut off.",
    )
    timeout_seconds: float = Field(60.0, gt=0, le=600, description="Total time for one call.")
    page_size: int = Field(500, ge=1, le=1000, description="Rows in one page.")
    parallel_calls: int = Field(4, ge=1, le=16, description="Calls at once; instances queue only a few per account.")
    correlation_field: str = Field(
        "correlation_id", pattern=_COLUMN, description="Column that carries the correlation id of a create call."
    )
    system_name: str = Field(
        "siam", min_length=1, max_length=100, description="Written to correlation_display beside correlation_id."
    )
    write_mark_field: str = Field(
        "",
        pattern=r"^([a-z][a-z0-9_]*)?$",
        description="Column that takes the correlation id of every field write; empty: field writes carry none.",
    )
    mark_file_names: bool = Field(
        True, description="Add the correlation id to file names, so that an upload without answer is found again."
    )
    comment_format: Literal["plain", "code", "html"] = Field(
        "plain", description="Comments as plain text, as HTML in code tags, or as HTML (journals switched to HTML)."
    )
    comment_length: int | None = Field(
        None, ge=100, description="Longest journal entry; None: what the dictionary tells, else 4000."
    )
    attachment_bytes: int = Field(1024**3, ge=1, description="Largest file (com.glide.attachment.max_size).")
    use_change_log: bool = Field(True, description="Read ordered changes from sys_audit where the account may.")
    watch_attachments: bool = Field(True, description="Poll sys_attachment too: a new file need not touch its ticket.")
    watch_deletions: bool = Field(True, description="Poll sys_audit_delete too, where the account may.")
    closed_states: tuple[str, ...] | None = Field(
        None, description="States in which a ticket takes no more writes; None: the usual ones of the table."
    )
    steps: dict[str, tuple[str, ...]] | None = Field(
        None, description="From each state the states one move away; None: the usual state model of the table."
    )
    language: str = Field(
        "en", pattern=r"^[a-z]{2}(-[A-Za-z]{2})?$", description="Language of the choice list to read."
    )
    instance_name: str = Field(
        "", description="Expected instance_name; a copy of the instance under this address is then refused."
    )
    notice_window_seconds: float = Field(300.0, gt=0, le=3600, description="How old or early a signed notice may be.")


class ServiceNowSecrets(BaseModel):
    """Secrets of one connection; which are needed follows from ``sign_in`` (given as validation context)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    username: SecretStr = Field(SecretStr(""), description="User name of the account (basic, oauth_password).")
    password: SecretStr = Field(SecretStr(""), description="Password of the account (basic, oauth_password).")
    client_id: SecretStr = Field(SecretStr(""), description="Client id from the application registry (OAuth).")
    client_secret: SecretStr = Field(SecretStr(""), description="Client secret from the application registry (OAuth).")
    refresh_token: SecretStr = Field(SecretStr(""), description="Refresh token (OAuth); replaced when it rotates.")
    access_token: SecretStr = Field(SecretStr(""), description="Last access token (OAuth); kept to spare a sign-in.")
    api_key: SecretStr = Field(SecretStr(""), description="Key for the x-sn-apikey header.")

    @model_validator(mode="after")
    def _has_what_sign_in_needs(self, info: ValidationInfo) -> "ServiceNowSecrets":
        method = (info.context or {}).get("sign_in", "")
        missing = [name for name in NEEDED_SECRETS.get(method, ()) if not self.reveal(name)]
        if missing:
            raise ValueError(f"sign_in {method} needs the secrets {', '.join(missing)}")
        return self

    def reveal(self, name: str) -> str:
        """The secret ``name`` in clear, empty when not set."""
        secret: SecretStr = getattr(self, name)
        return secret.get_secret_value()

    def replaced(self, **renewed: str) -> "ServiceNowSecrets":
        return self.model_copy(update={name: SecretStr(text) for name, text in renewed.items()})

    def revealed(self) -> dict[str, str]:
        """All secrets that are set, in clear, for storing."""
        return {name: self.reveal(name) for name in type(self).model_fields if self.reveal(name)}
