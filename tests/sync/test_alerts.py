"""Alerts: found as the kernel allows, told once, held back in quiet hours, and never in the way of the sync."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.test import override_settings
from django.urls import reverse

from apps.accounts.models import User
from apps.ecosystem.models import Membership
from apps.ecosystem.selectors import principal_of
from apps.ecosystem.services import end_membership
from apps.sync import tasks
from apps.sync.models import Alert, AlertRule, Connection, ConnectionPulse, LaneCharge, TicketLink
from apps.sync.services.alerting import (
    MOST_RULES,
    AlertRuleRefused,
    due_for,
    look_for_alerts,
    prune_alerts,
    save_alert_rule,
)
from apps.sync.services.sending import SIGNATURE, send_alerts
from tests.access_cases import SampleTestCase
from tests.sample import add_link, hold, open_for


class DownBackend(BaseEmailBackend):
    """A mail server that does not answer."""

    def send_messages(self, _messages: Any) -> int:
        raise ConnectionRefusedError("nobody listens")


DOWN = f"{__name__}.DownBackend"


class OnAlerts(SampleTestCase):
    def rule(self, who: str = "elaine", **values: Any) -> AlertRule:
        user = self.sample.user(who)
        given = {"name": values.pop("name", "mine"), "kinds": ["mine"], **values}
        chosen = given.pop("chosen", None)
        return save_alert_rule(user=user, principal=principal_of(user), values=given, chosen=chosen, at=self.sample.now)

    def look(self, **later: float) -> int:
        return look_for_alerts(now=self.sample.now + timedelta(**later))

    def send(self, **later: float) -> int:
        return send_alerts(now=self.sample.now + timedelta(**later))

    def subjects(self) -> list[str]:
        return sorted(Alert.objects.filter(over_at=None).values_list("subject", flat=True))


class TestWhatIsFound(OnAlerts):
    def test_lanes_that_wait_for_me_once_a_cause(self) -> None:
        self.rule()
        assert self.look() == 3
        assert any("INC" not in subject and "1 lane waits" in subject for subject in self.subjects())
        assert self.look(minutes=1) == 0, "an alert lasts; it is not raised again"

    def test_a_lane_that_was_handed_to_me(self) -> None:
        self.rule("integrator")
        assert self.look() == 0
        LaneCharge.objects.create(
            link=TicketLink.objects.get(key="INC0010023"),
            person=self.sample.user("integrator"),
            given_by="Elaine",
            given_at=self.sample.now,
        )
        assert self.look() == 1

    def test_a_lane_that_waits_long_for_whomever(self) -> None:
        self.rule("integrator", kinds=["long_wait"], after_minutes=120)
        self.look()
        assert len(self.subjects()) >= 2
        assert not any("Both sides" in subject for subject in self.subjects()), "that one waits for an hour only"

    def test_a_connection_on_hold(self) -> None:
        self.rule("manager", kinds=["on_hold"])
        self.look()
        assert self.subjects() == ["Mercuri Zendesk is on hold"]
        assert "401" in Alert.objects.get().text

    def test_a_system_that_does_not_answer_and_one_that_is_silent(self) -> None:
        ConnectionPulse.objects.filter(connection=self.sample.connections["global"]).update(
            resting_until=self.sample.now + timedelta(minutes=5), failures=4, last_failure="no answer"
        )
        ConnectionPulse.objects.filter(connection=self.sample.connections["infinity-projects"]).update(
            last_success_at=self.sample.now - timedelta(hours=2)
        )
        self.rule("integrator", kinds=["unreachable", "silence"])
        self.look()
        assert self.subjects() == ["Global Azure DevOps does not answer", "Projects ServiceNow has not been heard of"]

    def test_only_of_the_chosen_connections_and_priorities(self) -> None:
        self.rule("integrator", kinds=["long_wait"], chosen=[self.sample.connections["infinity-projects"].pk])
        rule = self.rule(name="other", priority="critical")
        self.look()
        assert {alert.connection.name for alert in Alert.objects.all()} == {"Projects ServiceNow"}
        assert Alert.objects.filter(rule=rule).count() == 2

    def test_nothing_of_a_rival(self) -> None:
        why = hold("rules", "Mercuri secret", "Mercuri Inc", "mend it", self.sample.now)
        add_link(
            self.sample,
            open_for(self.sample, "agent", "mercuri", "Only Mercuri's"),
            "mercuri",
            "M-1",
            applied_seq=0,
            delivery_hold=why,
        )
        self.rule("david", kinds=["mine", "long_wait", "on_hold", "unreachable", "silence"], after_minutes=1)
        self.look()
        told = " ".join(f"{alert.subject} {alert.text} {alert.party}" for alert in Alert.objects.all())
        assert "Mercuri" not in told
        assert "Projects" not in told

    def test_many_lanes_of_one_cause_are_one_alert(self) -> None:
        held = TicketLink.objects.get(key="INC0010023").delivery_hold
        for index in range(12):
            ticket = open_for(self.sample, "elaine", "infinity-projects", f"T {index}")
            add_link(self.sample, ticket, "infinity-projects", f"M{index}", applied_seq=0, delivery_hold=held)
        self.rule()
        assert self.look() == 3
        assert any("13 lanes wait" in subject for subject in self.subjects())


class TestRules(OnAlerts):
    def test_are_refused_with_the_field_and_the_remedy(self) -> None:
        self.rule()
        for values, field in (
            ({"name": "mine"}, "name"),
            ({"name": "b", "kinds": []}, "kinds"),
            ({"name": "b", "kinds": ["nothing"]}, "kinds"),
            ({"name": "b", "channel": "webhook", "address": "http://127.0.0.1/"}, "address"),
            ({"name": "b", "channel": "webhook", "address": "https://169.254.169.254/latest"}, "address"),
            ({"name": "b", "quiet_from": time(22)}, "quiet_until"),
            ({"name": "b", "digest": "daily"}, "daily_at"),
        ):
            with pytest.raises(AlertRuleRefused) as refused:
                self.rule(**values)
            assert field in refused.value.problems, values
        for index in range(MOST_RULES - 1):
            self.rule(name=f"rule {index}")
        with pytest.raises(AlertRuleRefused):
            self.rule(name="one too many")

    def test_take_no_connection_that_the_person_may_not_see(self) -> None:
        with pytest.raises(AlertRuleRefused, match="connections"):
            self.rule(chosen=[self.sample.connections["mercuri"].pk])


class TestWhen(OnAlerts):
    def at(self, text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    def due(self, now: str, zone: str = "Europe/Berlin", **values: Any) -> str:
        rule = AlertRule(user=User(time_zone=zone), **values)
        return f"{due_for(rule, self.at(now)):%m-%d %H:%M}"

    def test_quiet_hours_are_the_persons_own_and_pass_midnight(self) -> None:
        night = {"quiet_from": time(22), "quiet_until": time(7)}
        assert self.due("2026-07-01T12:00", **night) == "07-01 12:00"
        assert self.due("2026-07-01T20:30", **night) == "07-02 05:00", "22:30 in Berlin"
        assert self.due("2026-07-02T04:59", **night) == "07-02 05:00"
        assert self.due("2026-07-02T05:00", **night) == "07-02 05:00"
        assert self.due("2026-01-01T20:30", **night) == "01-01 20:30", "21:30 in winter"
        assert self.due("2026-07-01T20:30", zone="nowhere", **night) == "07-01 20:30", "UTC where no zone is known"
        lunch = {"quiet_from": time(12), "quiet_until": time(13)}
        assert self.due("2026-07-01T10:15", **lunch) == "07-01 11:00"

    def test_digests_wait_for_their_hour(self) -> None:
        assert self.due("2026-07-01T10:15", digest="hourly") == "07-01 11:00"
        daily = {"digest": "daily", "daily_at": time(8)}
        assert self.due("2026-07-01T05:00", **daily) == "07-01 06:00"
        assert self.due("2026-07-01T06:00", **daily) == "07-02 06:00"
        both = {**daily, "quiet_from": time(22), "quiet_until": time(9)}
        assert self.due("2026-07-01T05:00", **both) == "07-01 07:00"

    def test_the_clock_may_be_put_back(self) -> None:
        night = {"quiet_from": time(22), "quiet_until": time(7)}
        assert self.due("2026-10-24T23:00", **night) == "10-25 06:00", "the night in which summer time ends"


@override_settings(SIAM_PUBLIC_ADDRESS="https://portal.example/")
class TestMail(OnAlerts):
    def test_says_cause_party_remedy_and_where_to_look_once(self) -> None:
        self.rule()
        self.look()
        assert self.send() == 1
        [message] = mail.outbox
        assert message.to == ["elaine@infinity.example"]
        assert message.subject == "[siamportal] 3 alerts"
        for words in (
            "the rules have no word for this value",
            "Who must act: Infinity Projects",
            "How: add it to the value map",
            "Look: https://portal.example/lanes/?connection=",
            "rule 'mine'",
        ):
            assert words in message.body, words
        assert self.send(minutes=1) == 0

    def test_says_when_it_is_over_and_only_if_it_was_told(self) -> None:
        self.rule("manager", kinds=["on_hold"])
        self.look()
        self.send()
        Connection.objects.filter(pk=self.sample.connections["mercuri"].pk).update(state="active")
        self.look(minutes=5)
        assert self.send(minutes=5) == 1
        assert mail.outbox[-1].subject == "[siamportal] Over: Mercuri Zendesk is on hold"
        Connection.objects.filter(pk=self.sample.connections["mercuri"].pk).update(state="on_hold")
        self.look(minutes=6)
        Connection.objects.filter(pk=self.sample.connections["mercuri"].pk).update(state="active")
        self.look(minutes=7)
        assert self.send(minutes=8) == 0, "over before it was told"

    def test_a_server_that_is_down_keeps_alerts_and_nothing_else(self) -> None:
        self.rule()
        self.rule("manager", kinds=["on_hold"])
        self.look()
        with override_settings(EMAIL_BACKEND=DOWN):
            assert self.send() == 0
        failed = Alert.objects.filter(attempts=1)
        assert len({alert.rule for alert in failed}) == 1, "the others are not even tried"
        assert "nobody listens" in failed[0].last_failure
        assert self.send() == 1, "the other rule's mail leaves as soon as the server is back"
        assert self.send(minutes=2) == 1
        assert Alert.objects.filter(told_at=None).count() == 0

    def test_waits_longer_after_each_failure(self) -> None:
        self.rule("manager", kinds=["on_hold"])
        self.look()
        with override_settings(EMAIL_BACKEND=DOWN):
            for minutes in (0, 2, 6, 20):
                self.send(minutes=minutes)
        alert = Alert.objects.get()
        assert alert.attempts == 4
        assert alert.due_at == self.sample.now + timedelta(minutes=28)

    def test_a_right_that_was_withdrawn_ends_it_without_a_word(self) -> None:
        self.rule("manager", kinds=["on_hold"])
        self.look()
        for membership in Membership.objects.filter(person__user=self.sample.user("manager")):
            end_membership(membership=membership, to_date=self.sample.now.date(), actor=None)
        assert self.send() == 0
        self.look(minutes=1)
        assert self.send(minutes=2) == 0
        assert mail.outbox == []
        assert "Mercuri Zendesk" not in self.text("manager", reverse("alert-list"))

    def test_two_workers_send_one_mail(self) -> None:
        rule = self.rule()
        self.look()
        AlertRule.objects.filter(pk=rule.pk).update(claimed_until=self.sample.now + timedelta(minutes=5))
        assert self.send() == 0
        assert self.send(minutes=6) == 1, "a worker that died gives its claim up"

    def test_a_rule_out_of_use_ends_what_it_raised(self) -> None:
        rule = self.rule()
        self.look()
        AlertRule.objects.filter(pk=rule.pk).update(is_active=False)
        assert self.send() == 0
        self.look(minutes=1)
        assert Alert.objects.filter(over_at=None).count() == 0
        assert prune_alerts(now=self.sample.now + timedelta(days=92)) == 3


class TestTasks(OnAlerts):
    @override_settings(CELERY_TASK_ALWAYS_EAGER=True)
    def test_look_end_charges_and_prune(self) -> None:
        LaneCharge.objects.create(
            link=TicketLink.objects.get(key="OPS-7"),
            person=self.sample.user("john"),
            given_by="Elaine",
            given_at=self.sample.now,
        )
        self.rule()
        tasks.look_for_alerts()
        tasks.send_alerts()
        tasks.take_samples()
        tasks.prune()
        assert len(mail.outbox) == 1
        assert not LaneCharge.objects.exists(), "that lane waits for nobody"
        assert Alert.objects.exclude(told_at=None).count() == 3


class TestWebhook(OnAlerts):
    @contextmanager
    def receiver(self, status: int = 204) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
        received: list[tuple[dict[str, str], bytes]] = []

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((dict(self.headers), body))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_port}"
        try:
            with override_settings(SIAM_OUTBOUND_ALLOW=[host]):
                yield f"http://{host}/alerts", received
        finally:
            server.shutdown()
            server.server_close()

    def test_gets_signed_json(self) -> None:
        with self.receiver() as (address, received):
            rule = self.rule("manager", kinds=["on_hold"], channel="webhook", address=address)
            self.look()
            assert self.send() == 1
        [(headers, body)] = received
        secret = rule.secrets["signing"].encode()
        assert headers[SIGNATURE] == "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
        [told] = json.loads(body)["alerts"]
        assert (told["state"], told["connection"]["name"], told["party"]) == (
            "raised",
            "Mercuri Zendesk",
            "Mercuri Inc",
        )

    def test_that_refuses_is_tried_again(self) -> None:
        with self.receiver(500) as (address, received):
            self.rule("manager", kinds=["on_hold"], channel="webhook", address=address)
            self.look()
            assert self.send() == 0
            assert self.send(minutes=2) == 0
        assert len(received) == 2
        assert "answered 500" in Alert.objects.get().last_failure

    def test_to_an_inner_address_is_refused_even_if_the_rule_is_older(self) -> None:
        with self.receiver() as (address, received):
            self.rule("manager", kinds=["on_hold"], channel="webhook", address=address)
            self.look()
            with override_settings(SIAM_OUTBOUND_ALLOW=[]):
                assert self.send() == 0
        assert received == []
        assert "is not https" in Alert.objects.get().last_failure
