"""API tokens: shown once, kept as a hash, and dead with their time, their account or a word."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.test import APIRequestFactory

from apps.accounts.api import TokenAuthentication
from apps.accounts.models import ApiToken, User
from apps.accounts.services import (
    LONGEST_TOKEN_LIFE,
    SignInRefused,
    TokenRefused,
    make_machine_account,
    make_token,
    make_token_for_password,
    revoke_token,
)

PASSWORD = "a long pass phrase"


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("elaine@infinity.example", PASSWORD, name="Elaine")


def ask(key: str) -> User:
    request = APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {key}")
    request.META.setdefault("user", None)
    found = TokenAuthentication().authenticate(_wrapped(request))
    assert found is not None
    return found[0]


def _wrapped(request: object) -> object:
    from rest_framework.request import Request

    return Request(request)  # type: ignore[arg-type]


def test_a_token_acts_as_its_owner_and_is_kept_only_as_a_hash(user: User) -> None:
    token, key = make_token(user=user, name="script", at=timezone.now())
    assert ask(key) == user
    assert key.startswith(ApiToken.PREFIX)
    assert key not in {str(value) for value in ApiToken.objects.values_list("digest", "hint", "name").get()}
    token.refresh_from_db()
    assert token.last_used_at is not None


def test_two_tokens_are_never_alike(user: User) -> None:
    keys = {make_token(user=user, name="script", at=timezone.now())[1] for _ in range(20)}
    assert len(keys) == 20
    assert min(len(key) for key in keys) >= 45


def test_wrong_expired_revoked_and_orphaned_tokens_answer_alike(user: User) -> None:
    now = timezone.now()
    _expired, old = make_token(user=user, name="old", at=now - timedelta(days=100))
    revoked, gone = make_token(user=user, name="gone", at=now)
    revoke_token(revoked)
    _live, orphan = make_token(user=user, name="orphan", at=now)
    answers = set()
    for key in (old, gone, "siam_guessed", ""):
        with pytest.raises(AuthenticationFailed) as refused:
            ask(key)
        answers.add(str(refused.value))
    assert ask(orphan) == user
    user.is_active = False
    user.save()
    with pytest.raises(AuthenticationFailed) as refused:
        ask(orphan)
    assert answers | {str(refused.value)} == answers
    assert len(answers) == 1


@pytest.mark.parametrize("life", [timedelta(0), timedelta(days=-1), LONGEST_TOKEN_LIFE + timedelta(seconds=1)])
def test_a_token_that_lives_too_long_or_not_at_all_is_refused(user: User, life: timedelta) -> None:
    with pytest.raises(TokenRefused, match="365 days"):
        make_token(user=user, name="script", at=timezone.now(), life=life)
    assert not ApiToken.objects.exists()


def test_a_password_gives_a_token_and_a_wrong_one_tells_nothing(user: User) -> None:
    _token, key = make_token_for_password(
        email="Elaine@Infinity.example", password=PASSWORD, name="cli", at=timezone.now()
    )
    assert ask(key) == user
    texts = set()
    for email, password in (("elaine@infinity.example", "wrong"), ("nobody@infinity.example", PASSWORD)):
        with pytest.raises(SignInRefused) as refused:
            make_token_for_password(email=email, password=password, name="cli", at=timezone.now())
        texts.add(str(refused.value))
    assert len(texts) == 1


def test_a_machine_account_cannot_sign_in(db: None) -> None:
    machine = make_machine_account(name="Jira", email="x@connections.invalid")
    assert not machine.has_usable_password()
    machine.set_password(PASSWORD)
    machine.save()
    with pytest.raises(SignInRefused):
        make_token_for_password(email="x@connections.invalid", password=PASSWORD, name="cli", at=timezone.now())
