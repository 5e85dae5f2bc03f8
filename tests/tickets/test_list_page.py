import csv
import io

from django.urls import reverse
from openpyxl import load_workbook

from apps.foundation.export import guarded
from tests.access_cases import HTMX, PageAccessCases, SampleTestCase, queries_for
from tests.sample import open_for


class TestTicketList(PageAccessCases, SampleTestCase):
    seen_by = ("integrator", "agent", "auditor")

    def path(self) -> str:
        return reverse("ticket-list")

    def titles(self, who: str, query: str = "") -> list[str]:
        page = self.text(who, self.path() + query, **HTMX)
        return [part.split("<")[0].split(">")[1] for part in page.split('class="row-link"')[1:]]

    def test_shows_a_provider_only_tickets_that_it_takes_part_in(self) -> None:
        assert len(self.titles("integrator")) == 9
        assert len(self.titles("agent")) == 2

    def test_gives_a_fragment_to_htmx_and_the_page_to_everybody_else(self) -> None:
        assert "<html" not in self.text("agent", self.path(), **HTMX)
        assert "<html" in self.text("agent", self.path())
        assert "<html" in self.text("agent", self.path(), **HTMX, **{"HX-History-Restore-Request": "true"})

    def test_filters_by_several_priorities_at_once(self) -> None:
        both = self.titles("integrator", "?priority=critical&priority=low")
        assert len(both) == 4
        assert len(self.titles("integrator", "?priority=low")) == 1

    def test_filters_by_status_and_holder(self) -> None:
        assert self.titles("integrator", "?status=resolved") == ["Order export misses the time zone of the shop"]
        assert len(self.titles("david", "?mine=on&open=on")) == 4

    def test_ignores_a_holder_that_the_reader_must_not_know(self) -> None:
        stranger = self.sample.organization("global").pk
        assert str(stranger) not in self.text("agent", self.path())
        assert len(self.titles("agent", f"?held_by={stranger}")) == 2

    def test_searches_title_description_reference_and_keys(self) -> None:
        reference = self.sample.tickets["kiosk"].reference
        for words in ("kiosks", "queue", "Payment not possible", reference, "OPS-7"):
            found = self.titles("integrator", f"?q={words}")
            expected = words not in ("queue",)
            assert ("Payment at the kiosks in Berlin fails after the card is read" in found) == expected, words

    def test_sorts_critical_before_low(self) -> None:
        ordered = self.titles("integrator", "?sort=priority")
        assert ordered[-1].startswith("Monthly report")
        assert self.titles("integrator", "?sort=-priority")[0].startswith("Monthly report")

    def test_takes_an_unknown_order_or_page_for_the_first(self) -> None:
        assert self.titles("integrator", "?sort=password&page=many") == self.titles("integrator")

    def test_goes_on_page_by_page_without_losing_the_filter(self) -> None:
        for index in range(55):
            open_for(self.sample, "agent", "mercuri", f"Voucher {index:02}")
        first = self.text("agent", self.path() + "?q=Voucher&sort=title")
        assert "?q=Voucher&amp;sort=title&amp;page=2" in first
        assert len(self.titles("agent", "?q=Voucher&sort=title&page=2")) == 5

    def test_teaches_when_it_is_empty(self) -> None:
        assert "No ticket fits" in self.text("integrator", self.path() + "?q=zzz")
        assert "No tickets yet" in self.text("otto", self.path())

    def test_costs_the_same_for_many_tickets(self) -> None:
        client = self.client_of("agent")
        before = queries_for(client, self.path())
        for index in range(27):
            open_for(self.sample, "agent", "mercuri", f"One more {index}")
        assert queries_for(client, self.path()) == before
        assert before <= 14


class TestExport(PageAccessCases, SampleTestCase):
    seen_by = ("integrator", "agent")

    def path(self) -> str:
        return reverse("ticket-export", args=["csv"])

    def lines(self, who: str, query: str = "") -> list[list[str]]:
        answer = self.get(who, self.path() + query)
        assert answer["Content-Disposition"] == 'attachment; filename="tickets.csv"'
        return list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))

    def test_holds_exactly_what_the_filtered_list_shows(self) -> None:
        assert len(self.lines("integrator")) == 10
        assert [row[1] for row in self.lines("agent", "?q=kiosks")[1:]] == [
            "Payment at the kiosks in Berlin fails after the card is read"
        ]

    def test_is_a_spreadsheet_with_dates_on_request(self) -> None:
        answer = self.get("integrator", reverse("ticket-export", args=["xlsx"]) + "?sort=title")
        sheet = load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active
        rows = list(sheet.iter_rows(values_only=True))
        assert rows[0][:2] == ("Reference", "Title")
        assert len(rows) == 10
        assert sheet.cell(row=2, column=13).is_date

    def test_never_carries_a_formula(self) -> None:
        open_for(self.sample, "agent", "mercuri", '=HYPERLINK("https://elsewhere.example","Open")')
        assert self.lines("agent", "?q=HYPERLINK")[1][1].startswith("'=")
        answer = self.get("agent", reverse("ticket-export", args=["xlsx"]) + "?q=HYPERLINK")
        sheet = load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active
        assert sheet.cell(row=2, column=2).data_type == "s"

    def test_knows_no_other_form(self) -> None:
        assert self.get("agent", reverse("ticket-export", args=["exe"])).status_code == 404


def test_guard_spots_every_beginning_of_a_formula() -> None:
    for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "|calc", "%x"):
        assert guarded(text).startswith("'"), text
    assert guarded("Kiosk 4") == "Kiosk 4"
    assert guarded("a\x00b") == "ab"
