"""Who is calling: API tokens, bearer tokens, their scopes, and acting on behalf of an end user."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from .account import Account
from .errors import INVALID_TOKEN, NOT_SIGNED_IN, Refusal, forbidden
from .records import User

RANKS = {"end-user": 0, "agent": 1, "admin": 2}


@dataclass(frozen=True, slots=True)
class Caller:
    user: User
    scopes: frozenset[str]

    def may(self, method: str, resource: str, role: str) -> bool:
        kind = "read" if method == "GET" else "write"
        in_scope = kind in self.scopes or f"{resource}:{kind}" in self.scopes
        return in_scope and RANKS[self.user.role] >= RANKS[role]


def identify(account: Account, headers: Mapping[str, str]) -> Caller:
    """The caller of a request. Raises 401 for missing or bad credentials, 403 for suspended users."""
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        caller = _by_bearer(account, value.strip())
    elif scheme.lower() == "basic":
        caller = _by_api_token(account, value.strip())
    else:
        raise Refusal(401, NOT_SIGNED_IN)
    if caller.user.suspended or not caller.user.active:
        raise forbidden()
    other = headers.get("X-On-Behalf-Of")
    return _impersonate(account, caller, other) if other else caller


def _by_bearer(account: Account, access: str) -> Caller:
    token = account.oauth_tokens.get(access)
    if token is None or account.clock() >= token.expires_at:
        raise Refusal(401, INVALID_TOKEN)
    return Caller(account.users[token.user_id], token.scopes)


def _by_api_token(account: Account, value: str) -> Caller:
    try:
        name, _, token = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refusal(401, NOT_SIGNED_IN) from None
    email, _, kind = name.rpartition("/")
    user = account.user_by_email(email)
    if kind != "token" or user is None or account.settings.tokens_retired or account.api_tokens.get(token) != user.id:
        raise Refusal(401, NOT_SIGNED_IN)
    return Caller(user, frozenset({"read", "write", "impersonate"}))


def _impersonate(account: Account, caller: Caller, email: str) -> Caller:
    user = account.user_by_email(email)
    if "impersonate" not in caller.scopes or caller.user.role != "admin" or user is None or user.is_staff:
        raise forbidden()
    return Caller(user, caller.scopes)
