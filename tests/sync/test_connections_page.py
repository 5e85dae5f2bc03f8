import re
from datetime import timedelta
from typing import Any

from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from apps.sync.models import Connection, ConnectionPulse, Exchange, RulesVersion, TicketLink
from tests.access_cases import HTMX, PageAccessCases, SampleTestCase, queries_for
from tests.sample import add_connection


class TestConnectionList(PageAccessCases, SampleTestCase):
    seen_by = ("integrator", "elaine", "agent", "governance")

    def path(self) -> str:
        return reverse("connection-list")

    def test_shows_a_provider_only_its_own(self) -> None:
        page = self.text("agent", self.path())
        assert "Mercuri Zendesk" in page
        assert "Architecture Jira" not in page

    def test_names_each_state_in_words(self) -> None:
        page = self.text("integrator", self.path())
        for word in ("Healthy", "On hold", "Asked to wait", "Waits for a person"):
            assert word in page, word

    def test_keeps_calls_to_the_owner(self) -> None:
        assert 'class="spark"' in self.text("elaine", self.path())
        assert 'class="spark"' not in self.text("integrator", self.path())

    def test_offers_new_ones_only_to_those_who_may_set_them_up(self) -> None:
        assert reverse("connection-new") in self.text("elaine", self.path())
        assert reverse("connection-new") not in self.text("agent", self.path())

    def test_costs_the_same_for_many_connections(self) -> None:
        client = self.client_of("integrator")
        before = queries_for(client, self.path())
        for index in range(27):
            add_connection(self.sample, "global", name=f"Board {index}")
        assert queries_for(client, self.path()) == before
        assert before <= 15


class TestConnectionPage(PageAccessCases, SampleTestCase):
    seen_by = ("elaine", "integrator", "executive")
    hidden_from = ("agent", "john", "david")

    def path(self) -> str:
        return self.connection_path("infinity-projects")

    def absent_path(self) -> str:
        return reverse("connection", args=[self.sample.user("john").pk])

    def test_groups_lanes_by_cause_with_who_must_act(self) -> None:
        page = self.text("elaine", self.path())
        assert "The rules do not cover this" in page
        assert "2 lanes" in page
        assert "Infinity Projects</span> must act" in page

    def test_never_shows_a_secret(self) -> None:
        Connection.objects.filter(pk=self.sample.connections["infinity-projects"].pk).update(
            secrets={"api_token": "very-secret-token", "notice_secret": "very-secret-notice"}
        )
        for path in (self.path(), self.connection_path("infinity-projects", "connection-edit")):
            page = self.text("elaine", path)
            assert "very-secret" not in page
        assert "api token" in self.text("elaine", self.path())

    def test_keeps_settings_rules_and_calls_from_those_who_watch(self) -> None:
        page = self.text("integrator", self.path())
        notice_key = self.sample.connections["infinity-projects"].notice_key
        assert notice_key in self.text("elaine", self.path())
        for own in (
            notice_key,
            "Last calls to the system",
            reverse("rules-list", args=[self.sample.connections["infinity-projects"].pk]),
        ):
            assert own not in page, own

    def test_shows_both_values_of_a_conflict(self) -> None:
        page = self.text("elaine", self.path())
        assert "3 - Moderate" in page
        assert "This value holds" in page
        assert "This value holds" not in self.text("executive", self.path())

    def test_answers_nothing_new_when_nothing_moved(self) -> None:
        live = self.connection_path("infinity-projects", "connection-live")
        first = self.text("executive", live)
        seen = re.search(r"seen=(\w+)", first).group(1)
        assert self.get("executive", f"{live}?seen={seen}").status_code == 204
        assert self.get("executive", f"{live}?seen=0123456789abcdef").status_code == 200

    def test_costs_the_same_for_many_lanes(self) -> None:
        client = self.client_of("elaine")
        before = queries_for(client, self.path())
        for index in range(27):
            ticket = self.sample.tickets["kiosk"]
            connection = self.sample.connections["infinity-projects"]
            type(ticket).objects.filter(pk=ticket.pk).update(title="Payment at the kiosks")
            connection.links.create(
                state="linked",
                external_id=f"more-{index}",
                key=f"INC{index}",
                due_at=timezone.now(),
                created_at=timezone.now(),
                delivery_hold={
                    "cause": "rules",
                    "text": "x",
                    "party": "Infinity Projects",
                    "remedy": "y",
                    "since": "2026-11-01T10:00:00+00:00",
                },
            )
        assert queries_for(client, self.path()) == before
        assert before <= 30


class TestActs(SampleTestCase):
    def connection(self, slug: str = "infinity-projects") -> Connection:
        return Connection.objects.get(pk=self.sample.connections[slug].pk)

    def post(self, who: str, path: str, data: dict[str, object] | None = None, **headers: str) -> object:
        return self.client_of(who).post(path, data or {}, headers=headers)

    def test_pause_and_resume(self) -> None:
        self.post(
            "elaine", self.connection_path("infinity-projects", "connection-pause"), {"reason": "Upgrade tonight"}
        )
        assert self.connection().state == "paused"
        assert "Upgrade tonight" in self.text("elaine", self.connection_path("infinity-projects"))
        answer = self.post("elaine", self.connection_path("infinity-projects", "connection-resume"), {}, **HTMX)
        assert answer.status_code == 204
        assert self.connection().state == "active"

    def test_resume_is_refused_without_rules_in_words(self) -> None:
        RulesVersion.objects.filter(connection=self.connection()).update(state="retired")
        answer = self.post("elaine", self.connection_path("infinity-projects", "connection-resume"), {}, **HTMX)
        assert answer.status_code == 422
        assert "publish a version first" in answer.content.decode()

    def test_are_refused_to_those_who_only_watch(self) -> None:
        path = self.connection_path("infinity-projects", "connection-pause")
        assert self.post("executive", path).status_code == 403
        assert self.post("agent", path).status_code == 404
        assert self.connection().state == "active"

    def test_let_the_integrator_act_on_lanes_of_others(self) -> None:
        link = self.connection().links.get(key="INC0010023")
        self.post("integrator", reverse("lane-retry", args=[link.pk]), {}, **HTMX)
        link.refresh_from_db()
        assert link.delivery_hold is None
        assert [(act.verb, act.actor.email if act.actor else "") for act in link.acts.all()] == [
            ("retried", "integrator@infinity.example")
        ]

    def test_skip_an_entry_only_with_a_reason(self) -> None:
        link = self.connection().links.get(key="INC0010023")
        path, before = reverse("lane-skip", args=[link.pk]), link.applied_seq
        assert self.post("elaine", path, {"reason": ""}).status_code == 422
        self.post("elaine", path, {"reason": "The site is wrong there"})
        link.refresh_from_db()
        assert link.applied_seq == before + 1
        assert [(act.verb, act.note) for act in link.acts.all()] == [("skipped", "The site is wrong there")]
        assert "The site is wrong there" in self.text("integrator", self.connection_path("infinity-projects"))
        journal = self.text("agent", self.kiosk_path())
        assert "left out for the system of Infinity Projects" in journal
        assert "The site is wrong there" not in journal

    def test_settle_a_conflict(self) -> None:
        conflict = self.connection().links.get(key="CHG0030001").conflicts.get()
        assert self.post("agent", reverse("conflict-settle", args=[conflict.pk]), {"choice": "hub"}).status_code == 404
        assert (
            self.post("elaine", reverse("conflict-settle", args=[conflict.pk]), {"choice": "both"}).status_code == 403
        )
        self.post("elaine", reverse("conflict-settle", args=[conflict.pk]), {"choice": "hub"})
        conflict.refresh_from_db()
        assert not conflict.is_open

    def test_check_tells_beside_the_button_why_it_failed(self) -> None:
        with override_settings(SIAM_OUTBOUND_ALLOW=[]):
            Connection.objects.filter(pk=self.connection().pk).update(base_url="https://127.0.0.1:9")
            answer = self.post("elaine", self.connection_path("infinity-projects", "connection-check"), {}, **HTMX)
        assert answer.status_code == 200
        assert "The check failed" in answer.content.decode()

    def test_show_a_new_webhook_secret_once(self) -> None:
        path = self.connection_path("infinity-projects", "connection-notice-secret")
        assert self.post("integrator", path).status_code in (403, 404)
        page = self.post("elaine", path, {}, **HTMX).content.decode()
        secret = self.connection().secrets["notice_secret"]
        assert secret in page
        assert secret not in self.text("elaine", self.connection_path("infinity-projects"))


class TestSettingUp(PageAccessCases, SampleTestCase):
    seen_by = ("elaine", "manager")

    def path(self) -> str:
        return reverse("connection-new-of", args=["jira"])

    def test_tells_otto_nothing(self) -> None:
        assert self.get("otto", self.path()).status_code == 403
        assert self.get("agent", self.path()).status_code == 403

    def data(self, **more: str) -> dict[str, str]:
        return {
            "organization": str(self.sample.organization("infinity-projects").pk),
            "name": "Second desk",
            "poll_seconds": "60",
            "base_url": "https://desk.example.com",
            "setting_project": "DESK",
            "setting_flavour": "detect",
            "setting_overlap_seconds": "180",
            "setting_index_lag_seconds": "15",
            "setting_page_size": "100",
            "setting_deadline_seconds": "60",
            "setting_markers": "detect",
            "setting_token_url": "https://auth.atlassian.com/oauth/token",
            "secret_email": "siam@example.com",
            "secret_api_token": "k-1",
            **more,
        }

    def test_stores_only_what_differs_from_the_defaults(self) -> None:
        self.client_of("elaine").post(self.path(), self.data(setting_types="Bug, Task"))
        made = Connection.objects.get(name="Second desk")
        assert made.settings == {"project": "DESK", "types": ["Bug", "Task"]}
        assert made.state == "draft"
        assert made.secrets["api_token"] == "k-1"

    def test_puts_a_refusal_beside_its_field(self) -> None:
        answer = self.client_of("elaine").post(self.path(), self.data(base_url="https://127.0.0.1/"))
        assert answer.status_code == 422
        assert "not a public address" in answer.content.decode()

    def test_keeps_stored_secrets_when_they_are_left_empty(self) -> None:
        self.client_of("elaine").post(self.path(), self.data())
        made = Connection.objects.get(name="Second desk")
        edit = reverse("connection-edit", args=[made.pk])
        assert "k-1" not in self.text("elaine", edit)
        self.client_of("elaine").post(edit, self.data(name="Third desk", secret_email="", secret_api_token=""))
        made.refresh_from_db()
        assert (made.name, made.secrets["api_token"]) == ("Third desk", "k-1")

    def test_the_owner_sets_the_allowance_of_calls(self) -> None:
        self.client_of("elaine").post(self.path(), self.data())
        made = Connection.objects.get(name="Second desk")
        edit = reverse("connection-edit", args=[made.pk])
        assert "At most … calls in a minute" in self.text("elaine", edit)
        for calls, status, kept in (("5", 422, None), ("90", 302, 90), ("", 302, None)):
            answer = self.client_of("elaine").post(edit, self.data(calls_per_minute=calls))
            assert answer.status_code == status, calls
            made.refresh_from_db()
            assert made.calls_per_minute == kept

    def test_shows_each_setting_as_it_is_stored(self) -> None:
        connection = self.sample.connections["infinity-projects"]
        edit = reverse("connection-edit", args=[connection.pk])
        for stored, shown in ((True, True), (False, False)):
            Connection.objects.filter(pk=connection.pk).update(settings={"table": "problem", "mark_file_names": stored})
            page = self.text("elaine", edit)
            tags = [part.split(">")[0] for part in page.split("<input")]
            tag = next(tag for tag in tags if 'name="setting_mark_file_names"' in tag)
            assert ("checked" in tag) == shown
            assert 'value="problem"' in page

    def test_offers_every_connector_with_its_settings(self) -> None:
        for connector in ("jira", "servicenow", "azure_devops", "zendesk"):
            assert 'type="password"' in self.text("elaine", reverse("connection-new-of", args=[connector]))
        assert self.get("elaine", reverse("connection-new-of", args=["other"])).status_code == 404


class TestRules(PageAccessCases, SampleTestCase):
    seen_by = ("elaine",)
    hidden_from = ("integrator", "agent", "governance", "john")

    def path(self) -> str:
        return self.connection_path("infinity-projects", "rules-version", 1)

    def absent_path(self) -> str:
        return self.connection_path("infinity-projects", "rules-version", 99)

    def test_list_is_the_owners_alone(self) -> None:
        path = self.connection_path("infinity-projects", "rules-list")
        assert "words for the site" in self.text("elaine", path)
        assert self.get("integrator", path).status_code == 404

    def test_start_from_the_template(self) -> None:
        page = self.text("elaine", self.connection_path("infinity-projects", "rules-new"))
        assert "short_description" in page

    def test_are_drafted_from_pasted_text(self) -> None:
        document = '{"types": {"incident": "incident"}, "fields": [{"hub": "title", "system": "short_description"}]}'
        path = self.connection_path("infinity-projects", "rules-new")
        answer = self.client_of("elaine").post(path, {"text": document, "note": "smaller"})
        assert answer["Location"] == self.connection_path("infinity-projects", "rules-version", 3)

    def test_are_refused_with_the_place_that_is_wrong(self) -> None:
        path = self.connection_path("infinity-projects", "rules-new")
        for text, told in (
            ("{", "This is not JSON"),
            ("", "Paste a rules document"),
            ('{"types": {}, "fields": []}', "types"),
            ("[" * 90000, "JSON"),
        ):
            answer = self.client_of("elaine").post(path, {"text": text})
            assert answer.status_code == 422, text[:20]
            assert told in answer.content.decode() or "nested too deeply" in answer.content.decode()

    def test_cannot_be_published_untested(self) -> None:
        path = self.connection_path("infinity-projects", "rules-publish", 2)
        answer = self.client_of("elaine").post(path, follow=True)
        assert "test it without errors first" in answer.content.decode()

    def test_are_published_by_their_owner(self) -> None:
        RulesVersion.objects.filter(number=2).update(state="tested")
        path = self.connection_path("infinity-projects", "rules-publish", 2)
        assert self.client_of("integrator").post(path).status_code == 404
        self.client_of("elaine").post(path)
        assert RulesVersion.objects.get(number=2).state == "published"


class TestWhereItIsNow(PageAccessCases, SampleTestCase):
    seen_by = ("integrator", "agent", "elaine")
    hidden_from = ()

    def path(self) -> str:
        return self.kiosk_path("ticket-systems")

    def absent_path(self) -> str:
        return reverse("ticket-systems", args=["T-XXXXXXXX"])

    def test_shows_the_integrator_every_system(self) -> None:
        page = self.text("integrator", self.path())
        for key in ("OPS-7", "4711", "35436", "INC0010023"):
            assert key in page, key
        assert "Infinity Projects</span> must act" in page

    def test_shows_a_provider_its_own_system_and_who_else_takes_part(self) -> None:
        page = self.text("agent", self.path())
        assert "35436" in page
        assert "Global Pvt Ltd" in page
        for key in ("OPS-7", "4711", "INC0010023"):
            assert key not in page, key

    def test_links_only_to_web_addresses(self) -> None:
        self.sample.connections["mercuri"].links.filter(key="35436").update(url="javascript:alert(1)")
        page = self.text("agent", self.path())
        assert "javascript:" not in page
        assert "35436" in page

    def test_offers_a_retry_only_to_those_who_may(self) -> None:
        assert "lanes/" in self.text("elaine", self.path())
        assert "/retry/" not in self.text("executive", self.path())


class TestReach(PageAccessCases, SampleTestCase):
    seen_by = ("integrator", "agent")
    hidden_from = ()

    def path(self) -> str:
        return self.kiosk_path("ticket-reach")

    def absent_path(self) -> str:
        return reverse("ticket-reach", args=["T-XXXXXXXX"])

    def test_names_every_party_and_how_it_lands_there(self) -> None:
        page = self.text("integrator", self.path() + "?audience=public")
        assert "6 parties will see it" in page
        assert "Architecture Jira: as a public comment" in page

    def test_promises_that_an_internal_comment_stays(self) -> None:
        page = self.text("agent", self.path() + "?audience=internal")
        assert "Only Mercuri Inc will see it." in page
        assert "Global" not in page

    def test_follows_the_choice_of_parties(self) -> None:
        chosen = self.sample.organization("infinity-integration").pk
        page = self.text("agent", f"{self.path()}?audience=chosen&chosen={chosen}")
        assert "2 parties will see it" in page
        assert "Choose at least one party" in self.text("agent", self.path() + "?audience=chosen")

    def test_tells_a_provider_nothing_of_systems_that_are_not_its_own(self) -> None:
        page = self.text("agent", self.path() + "?audience=public")
        assert "Architecture Jira" not in page
        assert "by its own rules" in page


class TestHomePanels(SampleTestCase):
    def test_name_lanes_that_the_own_organization_must_mend(self) -> None:
        page = self.text("elaine", reverse("home-lanes"))
        assert "INC0010023" in page
        assert "INC0010023" not in self.text("john", reverse("home-lanes"))

    def test_name_connections_that_were_stopped(self) -> None:
        assert "refuses our sign-in" in self.text("manager", reverse("home-lanes"))

    def test_show_a_strip_of_health(self) -> None:
        page = self.text("integrator", reverse("home-connections"))
        assert page.count("pill-card") == 4
        assert self.text("agent", reverse("home-connections")).count("pill-card") == 1


class TestAllowance(SampleTestCase):
    def path(self) -> str:
        return self.connection_path("infinity-projects")

    def spend(self, **pulse: Any) -> None:
        ConnectionPulse.objects.filter(connection=self.sample.connections["infinity-projects"]).update(**pulse)

    def test_says_when_no_limit_is_known(self) -> None:
        assert "no limit on calls is known" in self.text("integrator", self.path())

    def test_shows_the_limit_what_is_used_and_when_it_is_released(self) -> None:
        until = timezone.now() + timedelta(minutes=7)
        self.spend(told_per_hour=400, spent_until=until)
        page = self.text("integrator", self.path())
        used = Exchange.objects.filter(
            connection=self.sample.connections["infinity-projects"], at__gt=timezone.now() - timedelta(hours=1)
        ).count()
        assert f"{used} of 400 calls in the last hour" in page
        assert "as the system says" in page
        assert "Calls used up" in page
        assert f'datetime="{until.isoformat()[:16]}' in page

    def test_lanes_that_wait_for_it_are_one_group_with_the_time_of_release(self) -> None:
        self.spend(told_per_hour=400, spent_until=timezone.now() + timedelta(minutes=7))
        TicketLink.objects.filter(connection=self.sample.connections["infinity-projects"]).update(
            delivery_hold=None, intake_hold=None, look_wanted=3, look_done=1
        )
        page = self.text("elaine", reverse("lane-list"))
        assert "The allowance of calls is used up" in page
        assert "Nobody must act: the portal goes on by itself, <strong>released at" in page
