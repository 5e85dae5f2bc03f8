"""Connections through the API: set up, checked, changed, paused; and what never shows."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

from django.db import connection as database
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.sandbox.jira import seed
from apps.sandbox.jira.sandbox import JiraSandbox
from apps.sandbox.server import start
from apps.sync.connectors.catalog import CONNECTORS
from apps.sync.models import Connection, ConnectionPulse, Exchange, RulesVersion
from tests.api_cases import (
    NOW,
    ApiTestCase,
    RouteAccessCases,
    WriteAccessCases,
    assert_problem,
    make_connection,
)


class OnMercurisConnection(RouteAccessCases):
    def names(self) -> dict[str, Any]:
        return {"connection_id": self.world.mercuri.connection.pk}


class WriteToMercurisConnection(OnMercurisConnection, WriteAccessCases):
    pass


class OnMercurisRules(RouteAccessCases):
    def names(self) -> dict[str, Any]:
        return {"connection_id": self.world.mercuri.connection.pk, "number": 2}


class TestListAccess(RouteAccessCases):
    route = "api-connections"


class TestCreateAccess(WriteAccessCases):
    route = "api-connections"
    success = 201

    def body(self) -> dict[str, Any]:
        return {
            "name": "second desk",
            "connector": "jira",
            "base_url": "https://jira.example",
            "settings": {"project": "OPS"},
            "secrets": {"email": "a@example.com", "api_token": "quiet"},
        }


class TestReadAccess(OnMercurisConnection):
    route = "api-connection"


class TestChangeAccess(WriteToMercurisConnection):
    route = "api-connection"
    method = "patch"

    def body(self) -> dict[str, Any]:
        return {"poll_seconds": 120}


class TestCheckAccess(WriteToMercurisConnection):
    route = "api-connection-check"
    success = 502


class TestPauseAccess(WriteToMercurisConnection):
    route = "api-connection-pause"


class TestResumeAccess(WriteToMercurisConnection):
    route = "api-connection-resume"


class TestRenewNoticeSecretAccess(WriteToMercurisConnection):
    route = "api-connection-renew-notice-secret"


class TestExchangesAccess(OnMercurisConnection):
    route = "api-exchanges"


class TestAllowanceAccess(OnMercurisConnection):
    route = "api-allowance"
    shows_mark = False


class TestNoticesAccess(OnMercurisConnection):
    route = "api-notices"


class TestRulesAccess(OnMercurisConnection):
    route = "api-rules"


class TestDraftRulesAccess(WriteToMercurisConnection):
    route = "api-rules"
    success = 201

    def body(self) -> dict[str, Any]:
        return {"document": {"types": {"incident": "Bug"}, "fields": [{"hub": "title", "system": "summary"}]}}


class TestRulesVersionAccess(OnMercurisRules):
    route = "api-rules-version"


class WriteToMercurisRules(OnMercurisRules, WriteAccessCases):
    """Whoever may see rules at all may change them: a colleague without that right sees none."""

    def test_it_needs_the_level(self) -> None:
        assert_problem(self.ask(self.weak), 404)


class TestTryRulesAccess(WriteToMercurisRules):
    route = "api-rules-try"
    success = 502


class TestPublishRulesAccess(WriteToMercurisRules):
    route = "api-rules-publish"


class TestConnectorsAccess(RouteAccessCases):
    route = "api-connectors"
    shows_mark = False


class TestConnectorAccess(RouteAccessCases):
    route = "api-connector"
    shows_mark = False

    def names(self) -> dict[str, Any]:
        return {"name": "jira"}

    def check_rival(self, key: str) -> None:
        """What kinds of system there are is no secret between members."""
        assert self.ask(None, token=key).json()["name"] == "jira"


class OnConnections(ApiTestCase):
    def read(self, who: str = "Mercuri Manager") -> dict[str, Any]:
        one: dict[str, Any] = self.get(who, "api-connection", connection_id=self.world.mercuri.connection.pk)
        return one

    def post(self, verb: str, who: str = "Mercuri Manager", body: Any = None, **names: Any) -> Any:
        address = reverse(verb, kwargs={"connection_id": self.world.mercuri.connection.pk, **names})
        return self.call(who, "post", address, body)

    def patch(self, **body: Any) -> Any:
        address = reverse("api-connection", args=[self.world.mercuri.connection.pk])
        return self.call("Mercuri Manager", "patch", address, body)


class TestWhatShows(OnConnections):
    def test_no_answer_holds_a_secret(self) -> None:
        held = Connection.objects.get(pk=self.world.mercuri.connection.pk).secrets
        named = {"connection_id": self.world.mercuri.connection.pk}
        for route in ("api-connection", "api-connections", "api-exchanges", "api-notices", "api-rules"):
            address = reverse(route, kwargs={} if route == "api-connections" else named)
            body = self.call("Mercuri Manager", "get", address).content.decode()
            assert not [name for name, value in held.items() if value in body], route

    def test_the_owner_sees_address_settings_and_the_door_for_webhooks(self) -> None:
        seen = self.read()
        key = self.world.mercuri.connection.notice_key
        assert seen["webhook_address"] == f"https://portal.example/hooks/{key}/"
        assert seen["settings"] == {"project": "OPS"}
        assert seen["secrets_held"] == ["api_token", "email"]

    def test_a_colleague_who_may_only_read_does_not_see_the_door(self) -> None:
        seen = self.read("Mercuri Agent")
        assert (seen["webhook_address"], seen["secrets_held"]) == (None, None)
        assert seen["settings"] == {"project": "OPS"}

    def test_who_watches_sees_health_and_nothing_of_the_inside(self) -> None:
        for watcher in ("Integrator Lead", "Executive", "Auditor"):
            seen = self.read(watcher)
            inside = ("base_url", "settings", "secrets_held", "webhook_address")
            assert [seen[name] for name in inside] == [None] * 4
            assert seen["health"]["failures"] == 0
            for route in ("api-exchanges", "api-rules"):
                answer = self.get(watcher, route, connection_id=self.world.mercuri.connection.pk)
                assert answer["results"] == []

    def test_the_integrator_sees_all_connections_and_can_narrow_them(self) -> None:
        rows = self.get("Integrator Lead", "api-connections")["results"]
        assert [row["organization"]["name"] for row in rows] == ["Global Pvt Ltd", "Mercuri Inc"]
        one = self.get(
            "Integrator Lead", "api-connections", query={"organization": str(self.world.mercuri.organization.pk)}
        )
        assert len(one["results"]) == 1

    def test_a_longer_list_costs_no_more_queries(self) -> None:
        def cost(size: int) -> int:
            with CaptureQueriesContext(database) as spent:
                answer = self.call(None, "get", reverse("api-connections"), token=key, page_size=size)
            assert len(answer.json()["results"]) == size
            return len(spent)

        for number in range(30):
            make_connection(f"desk {number}", self.world.mercuri.actor)
        key = self.world.key("Mercuri Manager")
        self.call(None, "get", reverse("api-connections"), token=key)
        assert cost(3) == cost(30) <= 6

    def test_exchanges_come_newest_first(self) -> None:
        from datetime import timedelta

        Exchange.objects.create(
            connection=self.world.mercuri.connection, at=NOW + timedelta(hours=1), method="PUT", url="x", seconds=1
        )
        rows = self.get("Mercuri Manager", "api-exchanges", connection_id=self.world.mercuri.connection.pk)["results"]
        assert [row["method"] for row in rows] == ["PUT", "GET"]


class TestAllowance(OnConnections):
    def allowance(self, who: str = "Mercuri Agent") -> Any:
        return self.get(who, "api-allowance", connection_id=self.world.mercuri.connection.pk)

    def test_it_is_set_and_taken_away_by_its_owner(self) -> None:
        assert self.allowance() == {"limits": [], "release_at": None}
        assert self.patch(calls_per_minute=90, calls_per_hour=1000).json()["calls_per_minute"] == 90
        named = [(one["calls"], one["length"], one["is_told"]) for one in self.allowance("Executive")["limits"]]
        assert named == [(90, "minute", False), (1000, "hour", False)]
        assert self.patch(poll_seconds=90).json()["calls_per_hour"] == 1000
        assert self.patch(calls_per_minute=None, calls_per_hour=None).json()["calls_per_hour"] is None
        assert self.allowance()["limits"] == []

    def test_the_time_of_release_shows(self) -> None:
        until = timezone.now() + timedelta(minutes=3)
        pulse = ConnectionPulse.objects.filter(connection=self.world.mercuri.connection)
        pulse.update(told_per_minute=200, spent_until=until)
        told = self.allowance()
        assert told["release_at"] == until.isoformat().replace("+00:00", "Z")
        assert told["limits"] == [{"calls": 200, "length": "minute", "used": 0, "is_told": True}]

    def test_one_too_small_to_work_is_refused(self) -> None:
        problem = assert_problem(self.patch(calls_per_minute=3), 400)
        assert "calls_per_minute" in problem["errors"]


class TestSettingUp(OnConnections):
    def test_secrets_that_the_way_of_signing_in_needs_are_asked_for(self) -> None:
        problem = assert_problem(self.create(connector="servicenow", settings={"sign_in": "basic"}, secrets={}), 422)
        assert "username" in problem["errors"]["secrets"][0]

    def create(self, **changed: Any) -> Any:
        body = {
            "name": "second desk",
            "connector": "jira",
            "base_url": "https://jira.example",
            "settings": {"project": "OPS"},
            "secrets": {"email": "a@example.com", "api_token": "quiet"},
        }
        return self.call("Mercuri Manager", "post", reverse("api-connections"), body | changed)

    def test_rests_as_a_draft_of_ones_own_organization(self) -> None:
        made = self.create().json()
        assert (made["state"], made["organization"]["name"]) == ("draft", "Mercuri Inc")

    def test_every_wrong_place_is_named_at_once(self) -> None:
        problem = assert_problem(
            self.create(base_url="http://10.0.0.1", settings={"projekt": "OPS"}, secrets={"api_token": "quiet"}), 422
        )
        assert set(problem["errors"]) == {"base_url", "settings.project", "settings.projekt", "secrets"}
        assert "quiet" not in str(problem)

    def test_a_kind_that_does_not_exist_names_those_that_do(self) -> None:
        problem = assert_problem(self.create(connector="bugzilla"), 422)
        assert "jira" in problem["errors"]["connector"][0]

    def test_a_second_one_of_the_same_name_is_refused(self) -> None:
        assert self.create().status_code == 201
        assert list(assert_problem(self.create(), 422)["errors"]) == ["name"]

    def test_the_name_of_a_rivals_connection_is_free(self) -> None:
        assert self.create(name=self.world.rival.connection.name).status_code == 201

    def test_an_address_that_is_none_is_refused(self) -> None:
        for address in ("jira.example", "javascript:alert(1)", "https://a b", "file:///etc/passwd"):
            assert list(assert_problem(self.create(base_url=address), 400)["errors"]) == ["base_url"]


class TestChanging(OnConnections):
    def test_replaces_what_is_named_and_keeps_the_rest(self) -> None:
        changed = self.patch(name="renamed", poll_seconds=30).json()
        assert (changed["name"], changed["poll_seconds"], changed["settings"]) == ("renamed", 30, {"project": "OPS"})

    def test_a_secret_is_replaced_and_not_shown(self) -> None:
        answer = self.patch(secrets={"api_token": "fresh-token"})
        assert "fresh-token" not in answer.content.decode()
        held = Connection.objects.get(pk=self.world.mercuri.connection.pk).secrets
        assert (held["api_token"], held["email"]) == ("fresh-token", "canary-mercuri@example.com")

    def test_to_a_name_that_is_taken_is_refused(self) -> None:
        make_connection("other", self.world.mercuri.actor)
        assert list(assert_problem(self.patch(name="other desk"), 422)["errors"]) == ["name"]

    def test_who_watches_may_pause_and_resume_and_not_change(self) -> None:
        assert self.post("api-connection-pause", "Integrator Lead", {"reason": "maintenance"}).status_code == 200
        assert self.read()["state_reason"] == "maintenance"
        assert self.post("api-connection-resume", "Integrator Lead").json()["state"] == "active"
        address = reverse("api-connection", args=[self.world.mercuri.connection.pk])
        assert_problem(self.call("Integrator Lead", "patch", address, {"name": "mine"}), 403)

    def test_resuming_without_rules_is_refused(self) -> None:
        RulesVersion.objects.filter(connection=self.world.mercuri.connection).delete()
        assert list(assert_problem(self.post("api-connection-resume"), 422)["errors"]) == ["rules"]

    def test_a_renewed_secret_shows_once_and_the_former_one_still_works(self) -> None:
        from apps.sync.services import notice_secrets

        before = notice_secrets(self.world.mercuri.connection)
        fresh = self.post("api-connection-renew-notice-secret").json()
        after = notice_secrets(Connection.objects.get(pk=self.world.mercuri.connection.pk))
        assert after == (fresh["notice_secret"], before[0])
        assert fresh["webhook_address"] == self.read()["webhook_address"]


class TestRules(OnConnections):
    def test_each_wrong_place_of_a_document_is_named(self) -> None:
        document = {"types": {}, "fields": [{"hub": "title"}], "inbound": {"when": "1 +"}, "surprise": 1}
        problem = assert_problem(self.post("api-rules", body={"document": document}), 422)
        assert set(problem["errors"]) == {"types", "fields.0.system", "inbound.when", "surprise"}

    def test_a_draft_cannot_be_published_before_it_was_tried(self) -> None:
        document = {"types": {"incident": "Bug"}, "fields": [{"hub": "title", "system": "summary"}]}
        made = self.post("api-rules", body={"document": document, "note": "third"}).json()
        assert (made["number"], made["state"], made["author"]) == (3, "draft", "Mercuri Manager")
        assert "test it" in assert_problem(self.post("api-rules-publish", number=3), 422)["detail"]

    def test_publishing_retires_the_version_before(self) -> None:
        assert self.post("api-rules-publish", number=2).json()["state"] == "published"
        rows = self.get("Mercuri Manager", "api-rules", connection_id=self.world.mercuri.connection.pk)["results"]
        assert [(row["number"], row["state"]) for row in rows] == [(2, "published"), (1, "retired")]

    def test_a_version_shows_its_document(self) -> None:
        names = {"connection_id": self.world.mercuri.connection.pk, "number": 1}
        assert self.get("Mercuri Manager", "api-rules-version", **names)["document"]["types"]["incident"]


class TestConnectors(ApiTestCase):
    def test_each_kind_tells_what_a_connection_to_it_needs(self) -> None:
        rows = {row["name"]: row for row in self.get("Mercuri Agent", "api-connectors")}
        assert set(rows) == set(CONNECTORS)
        for name, row in rows.items():
            assert row["settings_schema"]["properties"], name
            assert row["secrets_schema"]["properties"], name
            assert row["template_rules"]["fields"], name
            assert row["capabilities"]["has_change_log"] in (True, False)

    def test_a_kind_that_does_not_exist_is_absent(self) -> None:
        assert_problem(self.call("Mercuri Agent", "get", reverse("api-connector", args=["bugzilla"])), 404)


class TestFailures(OnConnections):
    """What a person reads when the system does not do what was asked."""

    def check(self) -> dict[str, Any]:
        return assert_problem(self.post("api-connection-check"), 502)

    def test_no_answer_names_connection_party_and_remedy(self) -> None:
        problem = self.check()
        assert problem["connection"] == {
            "id": str(self.world.mercuri.connection.pk),
            "name": self.world.mercuri.connection.name,
        }
        assert (problem["cause"], problem["party"]) == ("unreachable", "Mercuri Inc")
        assert "address" in problem["remedy"]
        assert self.read()["health"]["last_failure"]

    def test_an_address_that_the_operator_must_allow_names_the_operator(self) -> None:
        with override_settings(SIAM_OUTBOUND_ALLOW=[]):
            problem = self.check()
        assert (problem["cause"], problem["party"]) == ("access_refused", "the operator of this portal")
        assert "SIAM_OUTBOUND_ALLOW" in problem["remedy"]

    def test_wrong_credentials_say_who_must_renew_them(self) -> None:
        with jira_sandbox() as (address, host), override_settings(SIAM_OUTBOUND_ALLOW=[host]):
            self.patch(base_url=address, secrets={"email": seed.SYNC_EMAIL, "api_token": "wrong"})
            problem = self.check()
        assert (problem["cause"], problem["party"]) == ("sign_in_failed", "Mercuri Inc")
        assert "credentials" in problem["remedy"]
        assert "wrong" not in str(problem["detail"])

    def test_a_system_that_is_busy_says_until_when(self) -> None:
        sandbox = JiraSandbox()
        sandbox.faults.add(kind="status", status=429, retry_after=17)
        with jira_sandbox(sandbox) as (address, host), override_settings(SIAM_OUTBOUND_ALLOW=[host]):
            self.patch(base_url=address, secrets={"email": seed.SYNC_EMAIL, "api_token": seed.SYNC_TOKEN})
            answer = self.post("api-connection-check")
        assert assert_problem(answer, 502)["cause"] == "rate_limited"
        assert int(answer["Retry-After"]) == 17

    def test_secrets_that_do_not_fit_the_settings_are_refused(self) -> None:
        """As when a release needs a setting that a connection of the release before does not have."""
        Connection.objects.filter(pk=self.world.mercuri.connection.pk).update(settings={})
        problem = assert_problem(self.post("api-connection-check"), 422)
        assert list(problem["errors"]) == ["project"]

    def test_rules_cannot_be_tried_while_the_system_is_silent(self) -> None:
        problem = assert_problem(self.post("api-rules-try", number=2), 502)
        assert problem["connection"]["name"] == self.world.mercuri.connection.name


@contextmanager
def jira_sandbox(sandbox: JiraSandbox | None = None) -> Iterator[tuple[str, str]]:
    """A sandbox served from a thread of its own; gives its address and its host with port."""
    sandbox = sandbox or JiraSandbox()
    loop = asyncio.new_event_loop()
    runner, port = loop.run_until_complete(start(sandbox))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}", f"127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class TestWholeSetUp(ApiTestCase):
    """Everything that it takes to connect a system, by the API alone."""

    def post(self, address: str, body: Any = None, status: int = 200) -> Any:
        answer = self.call(None, "post", address, body, token=self.key)
        assert answer.status_code == status, answer.content
        return answer.json()

    def test_leads_from_nothing_to_a_connection_at_work_and_back_to_rest(self) -> None:
        with jira_sandbox() as (base_url, host), override_settings(SIAM_OUTBOUND_ALLOW=[host]):
            self.key = self.world.key("John")
            template = self.get("John", "api-connector", name="jira")["template_rules"]
            made = self.post(
                "/api/v1/connections/",
                {
                    "name": "Architecture's Jira",
                    "connector": "jira",
                    "base_url": base_url,
                    "settings": {"project": "OPS"},
                    "secrets": {"email": seed.SYNC_EMAIL, "api_token": seed.SYNC_TOKEN},
                },
                201,
            )
            at = f"/api/v1/connections/{made['id']}/"
            card = self.post(at + "check/")
            assert card["account_name"] == "SIAM sync"
            assert self.post(at + "rules/", {"document": template, "note": "from the template"}, 201)["number"] == 1
            tried = self.post(at + "rules/1/try/")
            assert (tried["state"], [found for found in tried["findings"] if found["is_error"]]) == ("tested", [])
            assert self.post(at + "rules/1/publish/")["state"] == "published"
            with (
                mock.patch("apps.foundation.wake.current_app.send_task") as woken,
                self.captureOnCommitCallbacks(execute=True),
            ):
                assert self.post(at + "resume/")["state"] == "active"
            assert woken.call_args.args == ("wake.connection",)
            seen = self.get("John", "api-connection", connection_id=made["id"])
            assert (seen["state"], seen["health"]["product"]) == ("active", card["product"])
            assert self.post(at + "pause/", {"reason": "until Monday"})["state_reason"] == "until Monday"
