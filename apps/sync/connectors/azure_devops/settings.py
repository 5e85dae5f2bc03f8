"""What an Azure DevOps connection can be told, and the secrets it needs."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, model_validator

SignInScheme = Literal["pat", "entra", "basic"]

_NEEDED: dict[str, str] = {"pat": "pat", "entra": "client_secret", "basic": "password"}


class Settings(BaseModel):
    """Settings of one Azure DevOps connection.

    The connection's base address is the organization (``https://dev.azure.com/global``) or the collection of a Server
    (``https://host/DefaultCollection``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    flavor: Literal["services", "server"] = Field("services", description="The cloud service, or an own Server.")
    sign_in: SignInScheme = Field(
        "pat", description="Personal access token; Microsoft Entra client credentials (Services); Basic (Server)."
    )
    project: str = Field(min_length=1, description="Name or id of the project whose work items are in scope.")
    types: tuple[str, ...] = Field((), description="Only work items of these types are in scope; empty: all.")
    area_path: str = Field(
        "", description="Only work items in or below this area are in scope; created ones get it unless rules say else."
    )
    tenant_id: str = Field("", description="Directory (tenant) id, for the scheme entra.")
    client_id: str = Field("", description="Application (client) id of the service principal, for the scheme entra.")
    login_url: str = Field("https://login.microsoftonline.com", description="Where Entra tokens come from.")
    user_name: str = Field("", description="User name, for the scheme basic.")
    identity_url: str = Field(
        "",
        description="Where people are looked up; empty: vssps.dev.azure.com for dev.azure.com, else the base address.",
    )
    api_version: str = Field(
        "",
        pattern=r"^(\d+\.\d+)?$",
        description="REST version to speak; empty: 7.1, or what a Server offers up to 7.1.",
    )
    marker_field: str = Field(
        "",
        description="Reference name of a text field that holds our marker of created work items (for example "
        "Custom.HubReference); empty: a tag.",
    )
    change_feed: Literal["revisions", "query"] = Field(
        "revisions",
        description="How changed work items are found: by the reporting feed with its durable token, or by queries "
        "(used by itself where a Server has no reporting feed).",
    )
    page_size: int = Field(200, ge=1, le=200, description="Work items per page of the change feed.")
    overlap_seconds: int = Field(60, ge=0, description="How far a query for changes reads back behind its last time.")
    deadline_seconds: float = Field(60.0, gt=0, le=600, description="Total time allowed for one call.")
    largest_upload: int = Field(
        100 * 1024 * 1024, ge=1, description="Bytes up to which a file is sent in one piece; larger ones go in parts."
    )
    notice_header: str = Field(
        "x-siam-secret",
        pattern=r"^[A-Za-z0-9-]+$",
        description="Header in which service hooks bring the secret; it may come as Basic password instead.",
    )

    @model_validator(mode="after")
    def _names_who_signs_in(self) -> Self:
        if self.sign_in == "entra" and not (self.tenant_id and self.client_id):
            raise ValueError("the scheme entra needs 'tenant_id' and 'client_id'")
        if self.sign_in == "entra" and self.flavor == "server":
            raise ValueError("a Server has no Entra sign-in: use pat or basic")
        if self.sign_in == "basic" and not self.user_name:
            raise ValueError("the scheme basic needs 'user_name'")
        return self


class Secrets(BaseModel):
    """Secrets of one Azure DevOps connection. Which are needed depends on the sign-in scheme.

    Tokens for all organizations of a user stop working on 1 December 2026: make the token for one organization, with
    the scope *Work Items (read, write)*.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    pat: SecretStr = Field(SecretStr(""), description="Personal access token, for the scheme pat.")
    client_secret: SecretStr = Field(
        SecretStr(""), description="Secret of the service principal, for the scheme entra."
    )
    access_token: SecretStr = Field(SecretStr(""), description="Entra token in use; renewed by the connector.")
    password: SecretStr = Field(SecretStr(""), description="Password, for the scheme basic.")

    @model_validator(mode="after")
    def _is_complete(self, info: ValidationInfo) -> Self:
        scheme = (info.context or {}).get("sign_in", "")
        needed = _NEEDED.get(scheme)
        if needed and not getattr(self, needed).get_secret_value():
            raise ValueError(f"the scheme {scheme} needs the secret {needed!r}")
        return self
