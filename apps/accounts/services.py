"""Accounts and API tokens."""

from datetime import datetime, timedelta

from django.contrib.auth import authenticate

from .models import ApiToken, User

LONGEST_TOKEN_LIFE = timedelta(days=365)
DEFAULT_TOKEN_LIFE = timedelta(days=90)


class SignInRefused(Exception):
    """E-mail and password do not belong together, or the account is closed; which of it is never told."""


class TokenRefused(Exception):
    """A token cannot be made as asked; the text names the field and the limit."""


def make_token(*, user: User, name: str, at: datetime, life: timedelta = DEFAULT_TOKEN_LIFE) -> tuple[ApiToken, str]:
    """A new API token that acts as ``user``. The key is returned this once and never again."""
    if not timedelta(0) < life <= LONGEST_TOKEN_LIFE:
        raise TokenRefused(f"expires: a token lives between 1 and {LONGEST_TOKEN_LIFE.days} days")
    key = ApiToken.make_key()
    token = ApiToken.objects.create(
        user=user, name=name, digest=ApiToken.digest_of(key), hint=key[:9], expires_at=at + life
    )
    return token, key


def make_token_for_password(*, email: str, password: str, name: str, at: datetime) -> tuple[ApiToken, str]:
    """A new token for whoever knows the password. Raises SignInRefused."""
    user = authenticate(username=email.lower(), password=password)
    if not isinstance(user, User) or user.kind != User.Kind.PERSON:
        raise SignInRefused("e-mail and password do not match an account")
    return make_token(user=user, name=name, at=at)


def revoke_token(token: ApiToken) -> None:
    """End a token; the next call with it is refused."""
    token.delete()


def make_machine_account(*, name: str, email: str) -> User:
    """An account that cannot sign in with a password: the hand of a connection in journal and history."""
    return User.objects.create_user(email, None, name=name, kind=User.Kind.MACHINE)
