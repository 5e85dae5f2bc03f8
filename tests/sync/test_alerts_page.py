"""Alerts on their pages and through the API: one's own, and nobody else's."""

from datetime import time
from typing import Any

from django.core import mail
from django.test import override_settings
from django.urls import reverse

from apps.sync.models import Alert, AlertRule
from tests.access_cases import HTMX, PageAccessCases
from tests.api_cases import NOW, RouteAccessCases, UnsafeAccessCases, assert_problem
from tests.sync.test_alerts import DOWN, OnAlerts


class TestAlertList(PageAccessCases, OnAlerts):
    seen_by = ("elaine", "agent", "executive")

    def path(self) -> str:
        return reverse("alert-list")

    def test_shows_ones_own_alone(self) -> None:
        self.rule()
        self.look()
        assert "The rules do not cover this" in self.text("elaine", self.path())
        assert "The rules do not cover this" not in self.text("integrator", self.path())

    @override_settings(EMAIL_BACKEND="django.core.mail.backends.filebased.EmailBackend")
    def test_says_where_mails_go_while_no_server_is_set(self) -> None:
        self.rule()
        assert "No mail server is set" in self.text("elaine", self.path())


class TestAlertRulePage(PageAccessCases, OnAlerts):
    seen_by = ("elaine",)
    hidden_from = ("integrator", "agent")

    def setUp(self) -> None:
        self.own = self.rule(name="for the page")

    def path(self) -> str:
        return reverse("alert-rule", args=[self.own.pk])

    def absent_path(self) -> str:
        return reverse("alert-rule", args=[self.sample.user("john").pk])

    def given(self, **changed: Any) -> dict[str, Any]:
        return {
            "name": "Night watch",
            "kinds": ["mine", "silence"],
            "after_minutes": "45",
            "channel": "mail",
            "digest": "daily",
            "daily_at": "08:00",
            "is_active": "on",
            **changed,
        }

    def post(self, path: str, data: dict[str, Any] | None = None, who: str = "elaine", **headers: str) -> Any:
        return self.client_of(who).post(path, data or {}, headers=headers)

    def test_makes_changes_and_deletes_a_rule(self) -> None:
        assert self.post(reverse("alert-rule-new"), self.given()).status_code == 302
        rule = AlertRule.objects.get(name="Night watch")
        assert (rule.after_minutes, rule.daily_at, rule.kinds) == (45, time(8), ["mine", "silence"])
        self.post(reverse("alert-rule", args=[rule.pk]), self.given(name="Day watch", digest="at_once"))
        assert AlertRule.objects.get(pk=rule.pk).name == "Day watch"
        assert self.post(reverse("alert-rule-delete", args=[rule.pk]), **HTMX).status_code == 204
        assert not AlertRule.objects.filter(pk=rule.pk).exists()

    def test_says_what_is_wrong_beside_the_field(self) -> None:
        for changed, words in (
            ({"name": "for the page"}, "you have a rule"),
            ({"kinds": []}, "required"),
            ({"channel": "webhook", "address": "http://10.0.0.1/"}, "is not https"),
            ({"daily_at": ""}, "at what time of the day"),
            ({"after_minutes": "0"}, "greater than or equal to 1"),
        ):
            answer = self.post(reverse("alert-rule-new"), self.given(**changed))
            assert answer.status_code == 422, changed
            assert words in answer.content.decode(), changed

    def test_sends_a_sample(self) -> None:
        assert self.post(reverse("alert-rule-try", args=[self.own.pk])).status_code == 302
        assert "This is how an alert looks" in mail.outbox[0].subject
        with override_settings(EMAIL_BACKEND=DOWN):
            answer = self.client_of("elaine").post(reverse("alert-rule-try", args=[self.own.pk]), follow=True)
        assert "nobody listens" in answer.content.decode()

    def test_nobody_touches_the_rule_of_another(self) -> None:
        for name in ("alert-rule", "alert-rule-try", "alert-rule-delete"):
            assert self.post(reverse(name, args=[self.own.pk]), who="integrator").status_code == 404, name
        assert AlertRule.objects.filter(pk=self.own.pk).exists()


class OnMercurisRule(RouteAccessCases):
    def setUp(self) -> None:
        super().setUp()
        user = self.world.user("Mercuri Manager")
        self.rule = AlertRule.objects.create(
            user=user, name="canary-mercuri", kinds=["mine"], channel="mail", created_at=NOW
        )
        Alert.objects.create(
            rule=self.rule,
            kind="mine",
            key="k",
            connection=self.world.mercuri.connection,
            subject="canary-mercuri waits",
            raised_at=NOW,
        )

    def names(self) -> dict[str, Any]:
        return {"rule_id": self.rule.pk}


class TestReadRuleAccess(OnMercurisRule):
    route = "api-alert-rule"


class TestChangeRuleAccess(OnMercurisRule, UnsafeAccessCases):
    route = "api-alert-rule"
    method = "patch"

    def body(self) -> dict[str, Any]:
        return {"name": "canary-mercuri renamed"}

    def test_it_names_a_member_that_it_does_not_know(self) -> None:
        answer = self.call(self.asker, self.method, self.address(), {"surprise": 1})
        assert "surprise" in assert_problem(answer, 400)["errors"]

    def test_it_refuses_what_the_page_refuses(self) -> None:
        answer = self.call(
            self.asker, self.method, self.address(), {"channel": "webhook", "address": "http://10.0.0.1"}
        )
        assert "address" in assert_problem(answer, 422)["errors"]
        rival = str(self.world.rival.connection.pk)
        answer = self.call(self.asker, self.method, self.address(), {"connections": [rival]})
        assert "connections" in assert_problem(answer, 422)["errors"]


class TestDeleteRuleAccess(OnMercurisRule, UnsafeAccessCases):
    route = "api-alert-rule"
    method = "delete"
    success = 204


class TestRulesAccess(OnMercurisRule):
    route = "api-alert-rules"

    def names(self) -> dict[str, Any]:
        return {}


class TestNewRuleAccess(UnsafeAccessCases):
    route = "api-alert-rules"
    success = 201
    asker = "Mercuri Agent"

    def body(self) -> dict[str, Any]:
        return {"name": "mine", "kinds": ["mine"]}

    def test_it_shows_otto_nothing(self) -> None:
        """Anybody may have rules; Otto's find nothing."""
        assert self.ask("Otto").json()["connections"] == []


class TestAlertsAccess(OnMercurisRule):
    route = "api-alerts"

    def names(self) -> dict[str, Any]:
        return {}
