"""What every page must hold: anonymous visitors go to the sign-in page, and foreign looks like absent."""

import tempfile

from django.db import connection
from django.http import HttpResponse
from django.test import Client, TestCase, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.sample import Sample, build_sample

HTMX = {"HX-Request": "true"}
NAMES_OF_OTHERS = ("Infinity", "Mercuri Inc", "Global Pvt Ltd", "INC0010023", "Payment at the kiosks", "Elaine")


class SampleTestCase(TestCase):
    """Tests of pages over one sample, built once a class; uploads go to a folder of their own."""

    sample: Sample

    @classmethod
    def setUpClass(cls) -> None:
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.enterClassContext(override_settings(SIAM_UPLOADS=folder))
        super().setUpClass()

    @classmethod
    def setUpTestData(cls) -> None:
        cls.sample = build_sample(password=None)

    def client_of(self, who: str) -> Client:
        client = Client()
        client.force_login(self.sample.user(who))
        return client

    def get(self, who: str, path: str, **headers: str) -> HttpResponse:
        return self.client_of(who).get(path, headers=headers)

    def text(self, who: str, path: str, **headers: str) -> str:
        answer = self.get(who, path, **headers)
        assert answer.status_code == 200, f"{path} answered {answer.status_code}"
        return answer.content.decode()

    def kiosk_path(self, name: str = "ticket", *args: object) -> str:
        return reverse(name, args=[self.sample.tickets["kiosk"].reference, *args])

    def connection_path(self, slug: str, name: str = "connection", *args: object) -> str:
        return reverse(name, args=[self.sample.connections[slug].pk, *args])


class PageAccessCases:
    """Inherited by the tests of each page.

    ``seen_by`` and ``hidden_from`` name people of the cast; ``path`` is the page, ``absent_path`` the same page about
    something that does not exist (empty: the page exists for everybody, and Otto finds nothing of others on it).
    """

    seen_by: tuple[str, ...] = ()
    hidden_from: tuple[str, ...] = ()

    def path(self) -> str:
        raise NotImplementedError

    def absent_path(self) -> str:
        return ""

    def test_sends_anonymous_visitors_to_the_sign_in_page(self) -> None:
        answer = Client().get(self.path())
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("sign-in") + "?next=/")

    def test_takes_the_whole_page_to_the_sign_in_page_when_a_fragment_is_asked_for(self) -> None:
        answer = Client().get(self.path(), headers=HTMX)
        assert answer.status_code == 204
        assert answer["HX-Redirect"].startswith(reverse("sign-in"))

    def test_is_shown_to_those_whom_it_concerns(self) -> None:
        for who in self.seen_by:
            assert self.get(who, self.path()).status_code == 200, who

    def test_looks_absent_to_those_whom_it_does_not_concern(self) -> None:
        for who in self.hidden_from:
            foreign, absent = self.get(who, self.path()), self.get(who, self.absent_path())
            assert foreign.status_code == absent.status_code == 404, who
            assert foreign.content == absent.content, who

    def test_tells_otto_nothing(self) -> None:
        answer = self.get("otto", self.path())
        expected = 404 if self.absent_path() else 200
        assert answer.status_code == expected
        page = body_of(answer)
        assert [name for name in NAMES_OF_OTHERS if name in page] == []

    def test_has_no_inline_script_or_style(self) -> None:
        page = body_of(self.get(self.seen_by[0], self.path()))
        assert " style=" not in page
        assert "<script>" not in page
        assert " onclick=" not in page


def body_of(answer: HttpResponse) -> str:
    whole = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return whole.decode("utf-8", "replace")


def queries_for(client: Client, path: str) -> int:
    """How many queries one visit costs, sign-in and session included."""
    client.get(path)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return len(queries)
