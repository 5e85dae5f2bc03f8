"""The API as a whole: every route is judged, every error is a problem, and its description is valid."""

import json
import os
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import DataError, OperationalError
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

import tests.accounts.test_tokens_api
import tests.ecosystem.test_organizations_api
import tests.sync.test_alerts_page
import tests.sync.test_brakes_api
import tests.sync.test_connections_api
import tests.sync.test_lanes_api
import tests.sync.test_picture_page
import tests.sync.test_restored_page
import tests.tickets.test_conversation_api
import tests.tickets.test_tickets_api  # noqa: F401  the census looks at every case that these declare
from tests.api_cases import ApiTestCase, RouteAccessCases, assert_problem

API = "api/v1/"
METHODS = ("get", "post", "put", "patch", "delete")
JUDGED_ELSEWHERE = {
    ("api-sign-in", "post"): "open to everybody, throttled: tests of tokens",
    ("api-no-such-address", "*"): "every address that no route has: below",
}
SHARED = Path(os.environ.get("SIAM_SHARED") or Path(__file__).resolve().parents[3] / "shared")
VECTORS = sorted((SHARED / "vectors" / "json-test-suite").glob("*.json"))


class TestSchemaAccess(RouteAccessCases):
    route = "api-schema"
    shows_mark = False

    def test_it_shows_otto_nothing(self) -> None:
        """What the API can do is the same for everybody who can sign in."""
        assert self.ask("Otto").content == self.ask("Mercuri Manager").content

    def test_it_takes_no_parameter_that_it_does_not_name(self) -> None:
        assert self.ask(self.asker, self.address() + "?lang=de").content == self.ask(self.asker).content


class TestDocsAccess(RouteAccessCases):
    route = "api-docs"
    shows_mark = False

    def test_it_shows_otto_nothing(self) -> None:
        assert self.ask("Otto").content == self.ask("Mercuri Manager").content

    def test_it_takes_no_parameter_that_it_does_not_name(self) -> None:
        assert b"<script" not in self.ask(self.asker, self.address() + "?lang=<script>").content.split(b"<body>")[0]


def routes(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, prefix + str(pattern.pattern))
        else:
            yield prefix, pattern


def served() -> set[tuple[str, str]]:
    """(name, method) of everything below the API's address."""
    found: set[tuple[str, str]] = set()
    for prefix, pattern in routes(get_resolver().url_patterns):
        if not prefix.startswith(API):
            continue
        if pattern.name == "api-no-such-address":
            found.add((pattern.name, "*"))
            continue
        view = pattern.callback.view_class  # type: ignore[attr-defined]
        found |= {(str(pattern.name), method) for method in METHODS if hasattr(view, method)}
    return found


def judged(cases: type[RouteAccessCases] = RouteAccessCases) -> set[tuple[str, str]]:
    found = {(cases.route, cases.method)} if cases.__test__ else set()
    return found.union(*(judged(kind) for kind in cases.__subclasses__()))


class TestCensus:
    def test_every_route_and_method_has_access_cases(self) -> None:
        assert len(served()) > 40
        assert served() - judged() - set(JUDGED_ELSEWHERE) == set()

    def test_no_case_judges_a_route_that_is_gone(self) -> None:
        assert judged() | set(JUDGED_ELSEWHERE) <= served()

    def test_every_route_denies_by_default(self) -> None:
        from rest_framework.permissions import IsAuthenticated

        opened = {("api-sign-in"), ("api-no-such-address")}
        for prefix, pattern in routes(get_resolver().url_patterns):
            if prefix.startswith(API) and pattern.name not in opened:
                view = pattern.callback.view_class  # type: ignore[attr-defined]
                assert list(view.permission_classes) == [IsAuthenticated], pattern.name


class TestProblems(ApiTestCase):
    def post(self, body: bytes, content_type: str = "application/json", **rest: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        client = Client(raise_request_exception=False, headers=headers)
        return client.generic("POST", reverse("api-tickets"), body, content_type=content_type, **rest)

    def setUp(self) -> None:
        super().setUp()
        self.key = self.world.key("Mercuri Agent")

    def test_an_address_that_does_not_exist_is_one_with_any_method_and_for_anybody(self) -> None:
        for address in (
            "/api/v1/",
            "/api/v1/nothing/",
            "/api/v1/tickets",
            "/api/v1/tickets/T-1/nothing/",
            "/api/v1/%00",
        ):
            for method in ("GET", "POST", "DELETE", "OPTIONS"):
                assert_problem(Client().generic(method, address), 404)

    def test_a_reference_with_odd_characters_is_absent(self) -> None:
        for name in ("T-1%00", "%ED%A0%80", "'%20or%201=1", "T-%F0%9F%98%80", "..%2f..%2f"):
            answer = self.call(None, "get", f"/api/v1/tickets/{name}/", token=self.key)
            assert_problem(answer, 404)

    def test_a_body_that_is_no_json_is_400(self) -> None:
        for body in (
            b"{",
            b"\xff\xfe",
            b"{'a': 1}",
            b'{"title": NaN}',
            b"[" * 100_000,
            b'{"title": 1e999}',
            b"\xef\xbb\xbf{}",
        ):
            assert_problem(self.post(body), 400)

    def test_a_body_that_is_no_object_is_400(self) -> None:
        for body in (b"[]", b'"title"', b"7", b"null", b"true"):
            assert_problem(self.post(body), 400)

    def test_what_a_database_cannot_keep_is_400_wherever_it_stands(self) -> None:
        for title in ("a\x00b", "\ud800", "\udfff tail"):
            assert_problem(self.post(json.dumps({"title": title}).encode()), 400)
            assert_problem(self.post(json.dumps({"title": "x", "custom": {"site": title}}).encode()), 400)
            assert_problem(self.post(json.dumps({"title": "x", title: 1}).encode()), 400)
        assert_problem(self.post(b'{"title": "x", "impact": 99999999999999999999999}'), 400)

    def test_another_content_type_is_415(self) -> None:
        for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/xml", "nonsense"):
            assert_problem(self.post(b"title=x", content_type), 415)

    def test_a_charset_that_is_none_changes_nothing(self) -> None:
        for charset in ("utf-8", "rot13", "base64", "utf-16", "nonsense"):
            answer = self.post(b'{"title": "x"}', f"application/json; charset={charset}")
            assert answer.status_code == 201, charset

    def test_a_body_that_is_too_large_is_413(self) -> None:
        body = json.dumps({"title": "x", "description": "y" * (6 * 1024 * 1024)}).encode()
        assert_problem(self.post(body), 413)

    def test_a_length_that_is_no_number_is_no_fault_of_ours(self) -> None:
        address = reverse("api-attachments", args=[self.world.mercuri.ticket.reference])
        client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {self.key}"})
        answer = client.generic("POST", address, b"x", "multipart/form-data; boundary=b", CONTENT_LENGTH="many")
        assert_problem(answer, 400)

    def test_a_form_with_too_many_parts_or_none_is_400(self) -> None:
        address = reverse("api-attachments", args=[self.world.mercuri.ticket.reference])
        client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {self.key}"})
        assert_problem(client.post(address, {f"f{number}": "x" for number in range(1200)}), 400)
        assert_problem(client.generic("POST", address, b"x", content_type="multipart/form-data"), 400)

    def test_a_format_that_nobody_speaks_is_406(self) -> None:
        answer = Client(headers={"Authorization": f"Bearer {self.key}", "Accept": "text/html"}).get(
            reverse("api-tickets")
        )
        assert_problem(answer, 406)

    def test_a_fault_of_ours_tells_nothing_about_itself(self) -> None:
        with mock.patch("apps.tickets.services.open_ticket", side_effect=RuntimeError("the secret inside")):
            answer = self.post(b'{"title": "x"}')
        assert "secret" not in str(assert_problem(answer, 500))

    def test_a_database_that_fails_asks_to_come_back(self) -> None:
        with mock.patch("apps.tickets.services.open_ticket", side_effect=OperationalError("database is locked")):
            answer = self.post(b'{"title": "x"}')
        assert "locked" not in str(assert_problem(answer, 503))
        assert answer["Retry-After"] == "30"

    def test_a_value_that_the_database_refuses_is_400(self) -> None:
        with mock.patch("apps.tickets.services.open_ticket", side_effect=DataError("value too long")):
            assert_problem(self.post(b'{"title": "x"}'), 400)

    @pytest.mark.skipif(not VECTORS, reason="the JSON parsing vectors are not here")
    def test_no_document_of_the_parsing_suite_is_a_fault_of_ours(self) -> None:
        for vector in VECTORS:
            answer = self.post(vector.read_bytes())
            assert answer.status_code == 400 or (answer.status_code == 201 and vector.name[0] == "y"), vector.name


class TestDescription(ApiTestCase):
    def test_is_a_valid_document_without_any_warning(self) -> None:
        call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO())

    def document(self) -> dict[str, Any]:
        read: dict[str, Any] = self.get("Mercuri Agent", "api-schema")
        return read

    def test_names_every_route_and_nothing_else(self) -> None:
        described = {method for path in self.document()["paths"].values() for method in path}
        assert described <= set(METHODS)
        count = sum(method in METHODS for path in self.document()["paths"].values() for method in path)
        outside = {"api-schema", "api-docs", "api-no-such-address"}
        assert count == len([name for name, _method in served() if name not in outside])

    def test_says_of_every_operation_that_errors_are_problems(self) -> None:
        for path, operations in self.document()["paths"].items():
            for method, operation in operations.items():
                assert list(operation["responses"]["default"]["content"]) == ["application/problem+json"], (
                    path,
                    method,
                )

    def test_has_no_field_in_an_answer_that_holds_a_secret(self) -> None:
        answers = {
            name: schema
            for name, schema in self.document()["components"]["schemas"].items()
            if not name.endswith("Request")
        }
        shown = {f"{name}.{field}" for name, schema in answers.items() for field in schema.get("properties", {})}
        telling = re.compile(r"\.(.*(secret|password|token).*|key)$")
        assert {field for field in shown if telling.search(field)} == {
            "AlertRule.signing_secret",
            "Divergence.key",
            "GraveAct.key",
            "Connection.secrets_held",
            "Connector.secrets_schema",
            "FreshToken.key",
            "Lane.key",
            "Link.key",
            "NoticeSecret.notice_secret",
        }

    def test_its_page_takes_nothing_from_elsewhere_and_runs_nothing_inline(self) -> None:
        page = self.call("Mercuri Agent", "get", reverse("api-docs"))
        text = page.content.decode()
        assert "http://" not in text.replace("http://www.w3.org", "")
        assert "https://" not in text
        assert "<script>" not in text
        assert "script-src 'self'" in page["Content-Security-Policy"]
        assert "unsafe" not in page["Content-Security-Policy"].split("style-src")[0]
