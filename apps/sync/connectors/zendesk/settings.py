"""What a Zendesk connection can be told, and the secrets it needs."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, model_validator

SignInScheme = Literal["client_credentials", "refresh_token", "api_token"]

_NEEDED: dict[str, tuple[str, ...]] = {
    "client_credentials": ("client_secret",),
    "refresh_token": ("client_secret", "refresh_token"),
    "api_token": ("api_token",),
}


class Settings(BaseModel):
    """Settings of one Zendesk connection; the account's address is the connection's base address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sign_in: SignInScheme = Field(
        "client_credentials",
        description="How to sign in. Zendesk stops accepting API tokens on 30 April 2027; use an OAuth client.",
    )
    client_id: str = Field("", description="The OAuth client's unique identifier (for the two OAuth schemes).")
    email: str = Field("", description="The agent whose API token is used (for the scheme api_token).")
    scope: str = Field("read write", description="OAuth scope to ask for.")
    token_lifetime_seconds: int = Field(
        86_400, gt=300, lt=172_800, description="How long an access token shall live; Zendesk allows less than 2 days."
    )
    brand_ids: tuple[int, ...] = Field((), description="Only tickets of these brands are in scope; empty: all.")
    default_requester: str = Field(
        "", description="E-mail of the requester of created tickets when the rules give none; empty: our own account."
    )
    description_is_public: bool = Field(
        True,
        description="Whether the first comment of a created ticket is public; if not, the whole ticket is private.",
    )
    attribute_authors: bool = Field(
        False,
        description="Write comments in the name of the user whose name or e-mail the rules give. Off: the rules put "
        "the author into the text.",
    )
    attachment_note: str = Field(
        "Attached file: {name}",
        min_length=1,
        description="Zendesk attaches files to comments only; the text of that comment, {name} is the file's name.",
    )
    page_size: int = Field(100, ge=1, le=1000, description="Tickets per page of the export; each costs one more call.")
    overlap_seconds: int = Field(
        120, ge=61, description="How far before now the first cursor starts. Zendesk withholds the latest minute."
    )
    deadline_seconds: float = Field(60.0, gt=0, le=600, description="Total time allowed for one call.")
    notice_window_seconds: int = Field(300, ge=1, description="How old or early a webhook's signed time stamp may be.")

    @model_validator(mode="after")
    def _names_who_signs_in(self) -> Self:
        if self.sign_in == "api_token" and not self.email:
            raise ValueError("the scheme api_token needs the agent's e-mail in 'email'")
        if self.sign_in != "api_token" and not self.client_id:
            raise ValueError(f"the scheme {self.sign_in} needs the OAuth client's identifier in 'client_id'")
        return self


class Secrets(BaseModel):
    """Secrets of one Zendesk connection. Which are needed depends on the sign-in scheme.

    ``access_token`` and, for refresh_token, ``refresh_token`` are renewed by the connector and given back to store.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    client_secret: SecretStr = Field(SecretStr(""), description="Secret of the OAuth client.")
    access_token: SecretStr = Field(
        SecretStr(""), description="The access token in use; empty until the first sign-in."
    )
    refresh_token: SecretStr = Field(SecretStr(""), description="Refresh token of the code flow; rotates.")
    api_token: SecretStr = Field(SecretStr(""), description="API token, for the scheme api_token.")

    @model_validator(mode="after")
    def _is_complete(self, info: ValidationInfo) -> Self:
        scheme = (info.context or {}).get("sign_in", "")
        for name in _NEEDED.get(scheme, ()):
            if not getattr(self, name).get_secret_value():
                raise ValueError(f"the scheme {scheme} needs the secret {name!r}")
        return self
