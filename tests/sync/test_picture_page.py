"""The health of a connection over time: taken every five minutes, shown as a picture and as a table."""

from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse

from apps.sync.models import Connection, ConnectionPulse, Exchange, Intent, PulseSample, TicketLink
from apps.sync.services.health import prune_samples, start_of_step, take_samples
from apps.sync.views.picture import PERIODS, bins_of, charts_of
from tests.access_cases import HTMX, PageAccessCases, SampleTestCase, queries_for
from tests.api_cases import RouteAccessCases


class OnSamples(SampleTestCase):
    def connection(self, slug: str = "infinity-projects") -> Connection:
        return self.sample.connections[slug]

    def write(self, link: TicketLink, at: datetime, seq: int) -> None:
        Intent.objects.create(
            link=link,
            seq=seq,
            slot="update",
            correlation=f"{link.pk}-{at}"[:40],
            state=Intent.State.APPLIED,
            created_at=at,
            settled_at=at,
        )


class TestSamples(OnSamples):
    def take(self, now: datetime) -> PulseSample:
        take_samples(now=now)
        return PulseSample.objects.get(connection=self.connection(), at=start_of_step(now) - timedelta(minutes=5))

    def test_count_calls_failures_and_limits_of_the_last_five_minutes(self) -> None:
        Exchange.objects.all().delete()
        end = start_of_step(self.sample.now)
        for minutes, status in ((1, 200), (2, 200), (3, 500), (4, None), (4, 429), (6, 500)):
            Exchange.objects.create(
                connection=self.connection(),
                at=end - timedelta(minutes=minutes),
                method="GET",
                url="x",
                status=status,
                seconds=0.1,
            )
        sample = self.take(end + timedelta(seconds=30))
        assert (sample.calls, sample.errors, sample.limits) == (5, 2, 1)

    def test_count_writes_and_the_longest_wait_of_one(self) -> None:
        link = TicketLink.objects.select_related("ticket", "connection").get(key="OPS-7")
        recorded_at = link.ticket.events.latest("seq").recorded_at
        end = start_of_step(recorded_at) + timedelta(minutes=10)
        self.write(link, end - timedelta(minutes=1), link.ticket.events.latest("seq").seq)
        take_samples(now=end)
        sample = PulseSample.objects.get(connection=link.connection, at=end - timedelta(minutes=5))
        assert sample.writes == 1
        waited = end - timedelta(minutes=1) - max(recorded_at, link.created_at)
        assert abs(sample.lag_seconds - waited.total_seconds()) < 1

    def test_tell_what_still_waits_and_that_a_system_rests(self) -> None:
        ConnectionPulse.objects.filter(connection=self.connection()).update(
            resting_until=self.sample.now + timedelta(hours=1)
        )
        end = start_of_step(self.sample.now) + timedelta(minutes=10)
        sample = self.take(end)
        assert (sample.held, sample.is_resting) == (3, True)
        assert sample.lag_seconds > 0

    def test_make_up_for_missed_steps_and_are_taken_once(self) -> None:
        assert take_samples(now=self.sample.now) == 4 * 12
        assert take_samples(now=self.sample.now) == 0
        assert take_samples(now=self.sample.now + timedelta(minutes=5)) == 4

    def test_cost_the_same_for_many_connections_and_calls(self) -> None:
        with self.assertNumQueries(8):
            take_samples(now=self.sample.now)

    def test_are_kept_for_ninety_days(self) -> None:
        for days in (1, 89, 91):
            PulseSample.objects.create(connection=self.connection(), at=self.sample.now - timedelta(days=days))
        assert prune_samples(now=self.sample.now) == 1


class TestPicture(PageAccessCases, OnSamples):
    seen_by = ("elaine", "integrator", "executive")
    hidden_from = ("agent", "john", "david")

    def path(self) -> str:
        return self.connection_path("infinity-projects", "connection-picture")

    def absent_path(self) -> str:
        return reverse("connection-picture", args=[self.sample.user("john").pk])

    def fill(self, hours: int = 30) -> None:
        PulseSample.objects.bulk_create(
            PulseSample(
                connection=self.connection(),
                at=start_of_step(self.sample.now) - timedelta(minutes=5 * index),
                calls=20,
                writes=index % 7,
                errors=index % 5 == 0,
                limits=index == 3,
                lag_seconds=index % 11 * 30,
                is_resting=index == 4,
            )
            for index in range(1, hours * 12)
        )

    def test_draws_four_charts_that_say_in_words_what_they_show(self) -> None:
        self.fill()
        page = self.text("elaine", self.path())
        assert page.count("<svg viewBox") == 4
        assert "Longest wait of a change, last day: at most 5 min" in page
        assert "The system did not answer in 1 of 48 spans" in page
        assert '<th scope="col" class="numeric">Longest wait</th>' in page

    def test_has_a_period_to_choose(self) -> None:
        self.fill()
        for period, bars in (("hour", 12), ("day", 48), ("week", 42), ("month", 60), ("nonsense", 48)):
            answer = self.get("elaine", f"{self.path()}?period={period}", **HTMX)
            assert answer.status_code == 200
            assert answer.content.decode().lstrip().startswith("<section"), "htmx gets the fragment"
            assert len(answer.context["charts"][0].bars) <= bars
            assert len(bins_of([], PERIODS.get(period, PERIODS["day"]), self.sample.now)) == bars

    def test_says_so_while_nothing_is_on_record(self) -> None:
        assert "Nothing is on record for this period yet" in self.text("elaine", self.path())

    def test_costs_the_same_for_a_month(self) -> None:
        client = self.client_of("elaine")
        before = queries_for(client, self.path())
        self.fill(hours=24 * 29)
        assert queries_for(client, self.path() + "?period=month") == before

    def test_no_bar_leaves_its_chart(self) -> None:
        self.fill()
        samples = list(PulseSample.objects.filter(connection=self.connection()).order_by("at"))
        for period in PERIODS.values():
            for chart in charts_of(bins_of(samples, period, self.sample.now), period):
                assert all(0 <= bar.y <= 84 and 0 <= bar.x <= 600 and bar.height <= 84 for bar in chart.bars)


class TestSamplesAccess(RouteAccessCases):
    route = "api-samples"
    shows_mark = False

    def names(self) -> dict[str, Any]:
        return {"connection_id": self.world.mercuri.connection.pk}

    def test_it_tells_numbers_to_those_who_watch(self) -> None:
        PulseSample.objects.create(connection=self.world.mercuri.connection, at="2026-03-02T09:00:00Z", writes=3)
        [row] = self.get("Integrator Lead", self.route, **self.names())["results"]
        assert row["writes"] == 3
        assert self.get("Integrator Lead", self.route, query={"until": "2026-03-01"}, **self.names())["results"] == []
