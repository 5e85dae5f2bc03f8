"""What an administrator sets for a Jira connection, and the secrets it signs in with."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class JiraSettings(BaseModel):
    """One project of one Jira site. The address of the site is the connection's base address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str = Field(
        min_length=1, max_length=255, description="Key of the project whose tickets take part, as OPS."
    )
    flavour: Literal["detect", "cloud", "server"] = Field(
        default="detect",
        description="Cloud speaks REST v3 and ADF, server (Data Center) REST v2 and wiki markup; detect asks.",
    )
    types: tuple[str, ...] = Field(
        default=(), description="Names of the issue types that take part; empty for all of the project."
    )
    jql: str = Field(
        default="", max_length=2000, description="A further restriction of the poll in Jira's query language."
    )
    overlap_seconds: float = Field(
        default=180.0,
        ge=0,
        le=86_400,
        description="How far a poll reads back; more than search lag and clock difference.",
    )
    index_lag_seconds: float = Field(
        default=15.0, ge=0, le=3600, description="How long the search may miss what was just written."
    )
    page_size: int = Field(default=100, ge=1, le=1000, description="Tickets per page of a poll.")
    deadline_seconds: float = Field(default=60.0, gt=0, le=600, description="The longest that one call may take.")
    service_project: bool | None = Field(
        default=None,
        description="Whether the project is a service project with internal comments; empty asks the system.",
    )
    internal_role: str = Field(
        default="",
        description="Outside service projects: the project role that alone reads internal comments; empty for none.",
    )
    markers: Literal["detect", "properties", "text"] = Field(
        default="detect",
        description="Where our marks go: entity properties, or a last line of text for a system that has none.",
    )
    token_url: str = Field(
        default="https://auth.atlassian.com/oauth/token", description="Where an OAuth grant is renewed."
    )

    @field_validator("flavour", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class JiraSecrets(BaseModel):
    """Exactly one way to sign in: e-mail and API token, OAuth grant, personal access token, or name and password."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: SecretStr = Field(default=SecretStr(""), description="Cloud: the e-mail address of the account.")
    api_token: SecretStr = Field(default=SecretStr(""), description="Cloud: its API token.")
    client_id: SecretStr = Field(default=SecretStr(""), description="Cloud, OAuth 2.0 (3LO): client id of the app.")
    client_secret: SecretStr = Field(default=SecretStr(""), description="Cloud, OAuth: client secret of the app.")
    access_token: SecretStr = Field(
        default=SecretStr(""), description="Cloud, OAuth: the current token, renewed by us."
    )
    refresh_token: SecretStr = Field(default=SecretStr(""), description="Cloud, OAuth: rotates at each renewal.")
    personal_token: SecretStr = Field(default=SecretStr(""), description="Data Center: personal access token.")
    username: SecretStr = Field(default=SecretStr(""), description="Data Center before 11.0: name of the account.")
    password: SecretStr = Field(default=SecretStr(""), description="Data Center before 11.0: its password.")

    @model_validator(mode="after")
    def _one_way_to_sign_in(self) -> Self:
        ways = {
            "email and api_token": (self.email, self.api_token),
            "client_id, client_secret and refresh_token": (self.client_id, self.client_secret, self.refresh_token),
            "personal_token": (self.personal_token,),
            "username and password": (self.username, self.password),
        }
        begun = [name for name, parts in ways.items() if any(part.get_secret_value() for part in parts)]
        if len(begun) != 1 or not all(part.get_secret_value() for part in ways[begun[0]]):
            raise ValueError("give exactly one of: " + "; ".join(ways))
        return self
