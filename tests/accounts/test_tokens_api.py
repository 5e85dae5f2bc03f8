"""Tokens through the API: made with a password or with a token, shown once, revoked."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from django.core.cache import cache
from django.test import override_settings
from django.urls import reverse
from rest_framework.throttling import SimpleRateThrottle

from apps.accounts.models import ApiToken, User
from apps.accounts.services import make_token
from tests.api_cases import ApiTestCase, RouteAccessCases, UnsafeAccessCases, assert_problem

PASSWORD = "a-long-quiet-harbor"


class TestListAccess(RouteAccessCases):
    route = "api-my-tokens"
    shows_mark = False

    def test_it_shows_otto_nothing(self) -> None:
        make_token(user=self.world.user("Mercuri Manager"), name="canary-mercuri", at=datetime.now(UTC))
        [own] = self.ask("Otto").json()["results"]
        assert own["name"] == "test"


class TestMakeAccess(UnsafeAccessCases):
    route = "api-my-tokens"
    success = 201

    def body(self) -> dict[str, Any]:
        return {"name": "night report"}

    def test_it_shows_otto_nothing(self) -> None:
        assert "canary" not in self.ask("Otto").content.decode()

    def test_everybody_makes_them_for_oneself(self) -> None:
        made = self.ask("Mercuri Agent").json()
        assert ApiToken.objects.get(pk=made["id"]).user == self.world.user("Mercuri Agent")


class TestRevokeAccess(UnsafeAccessCases):
    route = "api-my-token"
    method = "delete"
    success = 204

    def names(self) -> dict[str, Any]:
        user = self.world.user("Mercuri Manager")
        token = ApiToken.objects.filter(user=user, name="to be revoked").first()
        return {"token_id": (token or make_token(user=user, name="to be revoked", at=datetime.now(UTC))[0]).pk}

    def test_not_even_a_colleague_knows_of_it(self) -> None:
        assert_problem(self.ask("Mercuri Agent"), 404)

    def test_what_is_revoked_is_refused_from_then_on(self) -> None:
        key = self.world.key("Mercuri Manager")
        token = ApiToken.objects.get(digest=ApiToken.digest_of(key))
        assert self.ask(None, self.address({"token_id": token.pk}), token=key).status_code == 204
        assert_problem(self.call(None, "get", reverse("api-me"), token=key), 401)


@override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"])
class TestSignIn(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        # The clock of the throttle stands still: how long the tries take must not matter.
        stopped = mock.patch.object(SimpleRateThrottle, "timer", return_value=1000.0)
        stopped.start()
        self.addCleanup(stopped.stop)
        self.agent = self.world.user("Mercuri Agent")
        self.agent.set_password(PASSWORD)
        self.agent.save()

    def sign_in(self, **changed: Any) -> Any:
        body = {"email": self.agent.email, "password": PASSWORD, "name": "script"} | changed
        return self.call(None, "post", reverse("api-sign-in"), body)

    def test_gives_a_key_that_works_and_is_never_shown_again(self) -> None:
        made = self.sign_in(email=self.agent.email.upper())
        assert made.status_code == 201
        key = made.json()["key"]
        listed = self.call(None, "get", reverse("api-my-tokens"), token=key)
        assert [row["name"] for row in listed.json()["results"]] == ["script"]
        assert key not in listed.content.decode()
        assert not ApiToken.objects.filter(digest=key).exists()

    def test_keeps_to_the_days_that_are_asked_for(self) -> None:
        made = self.sign_in(days=3).json()
        assert datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"]) == timedelta(3)

    def test_wrong_password_unknown_account_and_machine_answer_alike(self) -> None:
        machine = self.world.mercuri.connection.machine
        machine.set_password(PASSWORD)
        machine.save()
        answers = [
            self.sign_in(password="wrong"),
            self.sign_in(email="nobody@mercuri.example"),
            self.sign_in(email=machine.email),
        ]
        assert {(answer.status_code, answer.content) for answer in answers} == {(401, answers[0].content)}
        assert_problem(answers[0], 401)

    def test_refuses_a_closed_account_like_a_wrong_password(self) -> None:
        wrong = self.sign_in(password="wrong")
        User.objects.filter(pk=self.agent.pk).update(is_active=False)
        assert self.sign_in().content == wrong.content

    def test_ends_after_five_tries_for_an_account_even_if_one_of_them_works(self) -> None:
        for number in range(5):
            assert self.sign_in(password=PASSWORD if number == 2 else "wrong").status_code in (201, 401)
        answer = self.sign_in()
        assert_problem(answer, 429)
        assert int(answer["Retry-After"]) > 0

    def test_ends_after_twenty_tries_from_an_address_whatever_it_says_it_forwards(self) -> None:
        address = reverse("api-sign-in")
        for number in range(20):
            body = {"email": f"person{number}@mercuri.example", "password": "wrong", "name": "x"}
            assert (
                self.client.post(
                    address, body, content_type="application/json", headers={"X-Forwarded-For": f"203.0.113.{number}"}
                ).status_code
                == 401
            )
        assert_problem(self.sign_in(), 429)
        cache.clear()
        assert self.sign_in().status_code == 201

    def test_names_each_member_that_is_missing(self) -> None:
        answer = self.call(None, "post", reverse("api-sign-in"), {"email": "no address"})
        assert set(assert_problem(answer, 400)["errors"]) == {"email", "password", "name"}


class TestMakingTokens(ApiTestCase):
    def test_one_that_is_made_with_a_token_does_not_outlive_it(self) -> None:
        user = self.world.user("Mercuri Agent")
        token, key = make_token(user=user, name="short", at=datetime.now(UTC), life=timedelta(days=2))
        made = self.call(None, "post", reverse("api-my-tokens"), {"name": "child"}, token=key).json()
        assert datetime.fromisoformat(made["expires_at"]) <= token.expires_at
        answer = self.call(None, "post", reverse("api-my-tokens"), {"name": "child", "days": 30}, token=key)
        assert list(assert_problem(answer, 422)["errors"]) == ["days"]

    def test_a_session_makes_one_with_the_csrf_token(self) -> None:
        from django.test import Client

        client = Client(enforce_csrf_checks=True)
        client.force_login(self.world.user("Mercuri Agent"), backend="django.contrib.auth.backends.ModelBackend")
        client.cookies["csrftoken"] = "a" * 32
        made = client.post(
            reverse("api-my-tokens"), {"name": "from a page"}, "application/json", headers={"X-CSRFToken": "a" * 32}
        )
        assert made.status_code == 201, made.content

    def test_a_token_is_no_session_and_needs_the_word_bearer(self) -> None:
        key = self.world.key("Mercuri Agent")
        for header in (key, f"Token {key}", "Bearer", f"Bearer {key} x", "Bearer \xff\xfe"):
            assert_problem(self.client.get(reverse("api-me"), headers={"Authorization": header}), 401)
