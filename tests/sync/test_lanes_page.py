"""The operator's screen: what waits, grouped by cause, and what people do about it."""

import io

from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from apps.sync.models import Connection, ConnectionPulse, Exchange, Intent, LaneAct, LaneCharge, TicketLink
from apps.tickets.models import Ticket, TicketEvent
from tests.access_cases import HTMX, PageAccessCases, SampleTestCase, body_of, queries_for
from tests.sample import add_link, hold, open_for

OWN_TO_PROJECTS = ("INC0010023", "INC0010019", "CHG0030001")


class OnLanes(SampleTestCase):
    def link(self, key: str) -> TicketLink:
        return TicketLink.objects.select_related("ticket", "connection").get(key=key)

    def post(self, who: str, path: str, data: dict[str, object] | None = None, **headers: str) -> object:
        return self.client_of(who).post(path, data or {}, headers=headers)

    def more(self, number: int) -> list[TicketLink]:
        """Further lanes of the same cause as the kiosk's."""
        held = self.link("INC0010023").delivery_hold
        links = []
        for index in range(number):
            ticket = open_for(self.sample, "elaine", "infinity-projects", f"Further ticket {index}")
            links.append(
                add_link(self.sample, ticket, "infinity-projects", f"MORE{index}", applied_seq=0, delivery_hold=held)
            )
        return links


class TestLaneList(PageAccessCases, OnLanes):
    seen_by = ("integrator", "elaine", "agent", "governance", "executive")

    def path(self) -> str:
        return reverse("lane-list")

    def test_shows_a_provider_only_its_own(self) -> None:
        page = self.text("elaine", self.path())
        assert all(key in page for key in OWN_TO_PROJECTS)
        page = self.text("agent", self.path() + "?by=lane")
        assert not any(key in page for key in OWN_TO_PROJECTS)
        assert "Projects ServiceNow" not in page

    def test_shows_the_whole_ecosystem_to_those_who_watch_it(self) -> None:
        for who in ("integrator", "governance"):
            page = self.text(who, self.path())
            assert all(key in page for key in OWN_TO_PROJECTS), who
            assert "Global Azure DevOps" in page, who

    def test_groups_by_cause_and_says_who_must_act_and_how(self) -> None:
        self.more(7)
        page = self.text("elaine", self.path())
        assert "8 lanes</a> to" in page
        assert "<code></code>" not in page
        assert "<strong>Infinity Projects</strong> must act: add it to the value map; publish the rules" in page
        assert "All 8 lanes of this cause" in page
        assert page.count("MORE") < 8 * 3, "a group shows its first lanes, not all of them"

    def test_says_what_waits_behind_each(self) -> None:
        page = self.text("elaine", self.path())
        assert "journal entries, 1 of them comment, behind it" in page or "comments, behind it" in page

    def test_says_when_a_limited_connection_is_released(self) -> None:
        page = self.text("david", self.path())
        until = ConnectionPulse.objects.get(connection=self.sample.connections["global"]).limited_until
        assert "The system asked us to wait" in page
        assert f"released at {until:%H:%M}" in page
        assert "Nobody must act" in page

    def test_a_lane_of_a_stopped_connection_waits_for_its_owner(self) -> None:
        Connection.objects.filter(pk=self.sample.connections["global"].pk).update(
            state="paused", state_reason="Move to a new host."
        )
        page = self.text("david", self.path())
        assert "The connection is paused" in page
        assert "Move to a new host." in page
        assert "<strong>Global Pvt Ltd</strong> must act" in page
        assert reverse("connection-resume", args=[self.sample.connections["global"].pk]) in page

    def test_can_be_narrowed_and_searched(self) -> None:
        for query, kept in (
            ("q=INC0010023", {"INC0010023"}),
            ("q=kiosks in Berlin", {"INC0010023"}),
            ("q=berlin%27: the rules", {"INC0010023"}),
            ("cause=conflict", {"CHG0030001"}),
            ("older=240", {"INC0010023"}),
            ("kind=change", {"CHG0030001"}),
            ("priority=critical", {"INC0010023", "INC0010019"}),
            ("ours=on", set(OWN_TO_PROJECTS)),
            ("mine=on", set()),
            (f"connection={self.sample.connections['infinity-projects'].pk}", set(OWN_TO_PROJECTS)),
            (f"connection={self.sample.connections['global'].pk}", set()),
            ("direction=from", {"INC0010019"}),
        ):
            page = self.text("elaine", f"{self.path()}?by=lane&{query}")
            assert {key for key in OWN_TO_PROJECTS if key in page} == kept, query

    def test_sorts_and_pages_by_key_without_losing_or_repeating_a_lane(self) -> None:
        self.more(120)
        for sort in ("since", "-since", "priority", "connection"):
            seen: list[str] = []
            address = f"{self.path()}?by=lane&sort={sort}"
            mark = ""
            while True:
                answer = self.get("elaine", address + mark)
                seen += [str(one.link) for one in answer.context["lanes"]]
                if not answer.context["after"]:
                    break
                mark = f"&after={answer.context['after']}"
            assert len(seen) == len(set(seen)) == 123, sort

    def test_the_mark_of_a_page_may_have_gone_on_since(self) -> None:
        links = self.more(60)
        first = self.get("elaine", f"{self.path()}?by=lane")
        mark, last = first.context["after"], first.context["lanes"][-1].link
        TicketLink.objects.filter(pk=last.pk).update(delivery_hold=None, applied_seq=999)
        rest = self.get("elaine", f"{self.path()}?by=lane&after={mark}").context["lanes"]
        assert len(rest) == len(links) + 3 - 50

    def test_costs_the_same_for_many_lanes(self) -> None:
        client = self.client_of("elaine")
        before = [queries_for(client, self.path()), queries_for(client, self.path() + "?by=lane")]
        self.more(40)
        assert [queries_for(client, self.path()), queries_for(client, self.path() + "?by=lane")] == before
        assert max(before) <= 22

    def test_answers_mangled_addresses_with_a_list(self) -> None:
        for query in ("by=lane&after=nothing", "page=x", "page=99999", "sort=;", "cause=nothing", "q=%00", "value=%00"):
            assert self.get("elaine", f"{self.path()}?{query}").status_code == 200, query

    def test_never_tells_the_title_of_a_ticket_that_the_reader_may_not_see(self) -> None:
        secret = open_for(self.sample, "agent", "mercuri", "Confidential merger of two shops")
        secret.parties.exclude(organization__slug="mercuri").delete()
        add_link(self.sample, secret, "mercuri", "35999", applied_seq=0)
        for query in ("", "?by=lane", "?q=Confidential", "?by=lane&q=Confidential"):
            assert "Confidential merger" not in self.text("governance", self.path() + query)
        assert "35999" in self.text("governance", self.path() + "?by=lane")


class TestExport(OnLanes):
    def test_holds_exactly_what_the_page_shows(self) -> None:
        for who in ("elaine", "agent", "integrator"):
            text = body_of(self.get(who, reverse("lane-export", args=["csv"])))
            shown = self.text(who, reverse("lane-list") + "?by=lane")
            keys = {line.split(",")[2] for line in text.splitlines()[1:]}
            assert all(key in shown for key in keys), who
        assert "Infinity Projects" in body_of(self.get("elaine", reverse("lane-export", args=["csv"])))

    def test_follows_the_filters_and_opens_in_a_spreadsheet(self) -> None:
        answer = self.get("elaine", reverse("lane-export", args=["xlsx"]) + "?cause=conflict")
        rows = list(load_workbook(io.BytesIO(answer.getvalue())).active.iter_rows(values_only=True))
        assert len(rows) == 2
        assert "Both sides changed it" in rows[1]

    def test_knows_two_forms(self) -> None:
        assert self.get("elaine", reverse("lane-export", args=["pdf"])).status_code == 404

    def test_gives_otto_an_empty_file(self) -> None:
        assert len(body_of(self.get("otto", reverse("lane-export", args=["csv"]))).splitlines()) == 1


class TestLanePage(PageAccessCases, OnLanes):
    seen_by = ("elaine", "integrator", "executive")
    hidden_from = ("agent", "john", "david")

    def path(self) -> str:
        return reverse("lane", args=[self.link("INC0010023").pk])

    def absent_path(self) -> str:
        return reverse("lane", args=[self.sample.user("john").pk])

    def test_tells_the_story_of_the_lane_call_by_call(self) -> None:
        self.call("update custom.site", "PATCH-of-the-intent", refused=True)
        page = self.text("elaine", self.path())
        assert "update custom.site" in page
        assert "refused" in page
        assert "PATCH-of-the-intent" in page
        assert "What waits behind it" in page

    def test_keeps_the_calls_and_written_values_to_the_owner(self) -> None:
        self.call("update custom.site", "PATCH-of-the-intent", refused=True)
        page = self.text("integrator", self.path())
        assert "update custom.site" in page
        assert "PATCH-of-the-intent" not in page
        assert "written-there" not in page

    def test_goes_back_in_time_page_by_page(self) -> None:
        for index in range(60):
            self.call(f"step {index:02}", f"call {index:02}")
        first = self.text("elaine", self.path())
        assert "step 59" in first
        assert "step 10" not in first
        before = first.split("?before=")[1].split('"')[0]
        assert "step 10" in self.text("elaine", f"{self.path()}?before={before}")

    def test_says_so_when_nothing_waits(self) -> None:
        link = self.link("OPS-7")
        Ticket.objects.filter(pk=link.ticket_id).update(last_seq=link.applied_seq)
        assert "Nothing waits in this lane" in self.text("john", reverse("lane", args=[link.pk]))

    def test_offers_acts_only_to_those_who_may(self) -> None:
        assert "Retry now" in self.text("elaine", self.path())
        assert "Retry now" not in self.text("executive", self.path())

    def call(self, slot: str, request: str, *, refused: bool = False) -> None:
        link, now = self.link("INC0010023"), timezone.now()
        intent = Intent.objects.create(
            link=link,
            seq=link.applied_seq + 1,
            slot=slot,
            correlation=slot.replace(" ", "-"),
            state=Intent.State.REFUSED if refused else Intent.State.APPLIED,
            fields={"u_site": "written-there"},
            created_at=now,
            settled_at=now,
        )
        Exchange.objects.create(
            connection=link.connection,
            link=link,
            intent=intent,
            at=now,
            method="PATCH",
            url="https://projects.example.com/api/now/table/incident/1",
            request=request,
            status=400 if refused else 200,
            answer="{}",
            seconds=0.1,
        )


class TestActs(OnLanes):
    def test_retry_takes_ticked_lanes(self) -> None:
        links = self.more(3)
        chosen = [str(link.pk) for link in links[:2]]
        answer = self.post("elaine", reverse("lanes-retry"), {"lane": chosen, "back": "by=lane"})
        assert answer["Location"] == reverse("lane-list") + "?by=lane"
        held = TicketLink.objects.filter(key__startswith="MORE", delivery_hold__isnull=False)
        assert [link.key for link in held] == ["MORE2"]
        assert set(LaneAct.objects.values_list("link__key", "verb", "actor_name")) == {
            ("MORE0", "retried", "Elaine"),
            ("MORE1", "retried", "Elaine"),
        }

    def test_retry_takes_a_whole_group_and_nothing_else(self) -> None:
        self.more(3)
        other = self.link("INC0010019")
        group = self.get("elaine", reverse("lane-list")).context["groups"]
        naming = next(naming for found, _address, naming in group if found.number == 4)
        answer = self.post("elaine", reverse("lanes-retry"), {"all": "1", **naming}, **HTMX)
        assert answer.status_code == 204
        assert "4 lanes are tried again now" in answer["HX-Trigger"]
        assert not TicketLink.objects.filter(delivery_hold__cause="rules").exists()
        assert TicketLink.objects.get(pk=other.pk).intake_hold is not None

    def test_retry_leaves_a_question_about_a_conflict_open(self) -> None:
        self.post("elaine", reverse("lanes-retry"), {"lane": str(self.link("CHG0030001").pk)})
        assert self.link("CHG0030001").delivery_hold["cause"] == "conflict"

    def test_skip_asks_for_a_reason_and_says_how_many(self) -> None:
        links = self.more(2)
        chosen = {"lane": [str(link.pk) for link in links]}
        sheet = self.client_of("elaine").get(reverse("lanes-skip"), chosen).content.decode()
        assert "Skip the waiting entry of 2 lanes?" in sheet
        assert self.post("elaine", reverse("lanes-skip"), chosen).status_code == 422
        self.post("elaine", reverse("lanes-skip"), {**chosen, "reason": "told them by phone"})
        for link in links:
            fresh = TicketLink.objects.get(pk=link.pk)
            assert (fresh.delivery_hold, fresh.applied_seq) == (None, 1)
            assert Intent.objects.get(link=link).state == "withheld"
            assert "was left out" in TicketEvent.objects.filter(ticket=link.ticket).last().text
        assert LaneAct.objects.filter(verb="skipped", note="told them by phone").count() == 2

    def test_skip_does_what_it_can_and_says_why_not_the_rest(self) -> None:
        [link] = self.more(1)
        chosen = {"lane": [str(link.pk), str(self.link("CHG0030001").pk)], "reason": "x"}
        answer = self.post("elaine", reverse("lanes-skip"), chosen, **HTMX)
        assert "1 entry is left out" in answer["HX-Trigger"]
        assert "1 stay: no entry waits at the head" in answer["HX-Trigger"]
        alone = {"lane": str(self.link("CHG0030001").pk), "reason": "x"}
        refused = self.post("elaine", reverse("lanes-skip"), alone, **HTMX)
        assert refused.status_code == 422
        assert "Nothing was skipped" in refused.content.decode()

    def test_handing_puts_the_lane_on_somebodys_home(self) -> None:
        link = self.link("INC0010023")
        sheet = self.client_of("integrator").get(reverse("lanes-hand"), {"lane": str(link.pk)}).content.decode()
        assert "Elaine" in sheet
        assert "Marco" not in sheet, "people of a rival are not offered"
        given = {"lane": str(link.pk), "person": str(self.sample.user("elaine").pk), "note": "before noon, please"}
        self.post("integrator", reverse("lanes-hand"), given)
        charge = LaneCharge.objects.get(link=link)
        assert (charge.person.name, charge.given_by) == ("Elaine", "Integrator Lead")
        assert "before noon, please" in self.text("elaine", reverse("home-lanes"))
        assert "in the hands of Elaine" in self.text("integrator", reverse("lane-list"))
        assert "INC0010023" in self.text("elaine", reverse("lane-list") + "?mine=on")

    def test_another_value_is_written_and_frees_the_lane(self) -> None:
        link = self.link("INC0010023")
        TicketLink.objects.filter(pk=link.pk).update(
            delivery_hold={**link.delivery_hold, "field": "custom.site", "value": "berlin"},
            applied_seq=TicketEvent.objects.get(ticket=link.ticket, changes__has_key="custom.site").seq - 1,
        )
        path = reverse("lane-correct", args=[link.pk])
        sheet = self.text("elaine", path)
        assert "New value of custom.site" in sheet
        rules = reverse("rules-new", args=[link.connection_id])
        assert f"{rules}?from=1&amp;field=custom.site&amp;word=berlin&amp;from_hub=1" in sheet
        self.post("elaine", path, {"field": "custom.site", "value": "paris"})
        fresh = self.link("INC0010023")
        assert fresh.ticket.custom["site"] == "paris"
        assert fresh.delivery_hold is None
        assert LaneAct.objects.get(link=link).verb == "corrected"
        assert Intent.objects.get(link=link, slot__startswith="corrected").state == "withheld"

    def test_another_value_is_judged_like_any_other(self) -> None:
        link = self.link("INC0010019")
        TicketLink.objects.filter(pk=link.pk).update(
            intake_hold={**link.intake_hold, "field": "state", "value": "Awaiting Vendor"}
        )
        answer = self.post("elaine", reverse("lane-correct", args=[link.pk]), {"field": "status", "value": "gone"})
        assert answer.status_code == 422

    def test_are_refused_to_those_who_may_only_look(self) -> None:
        link = self.link("INC0010023")
        for name in ("lanes-retry", "lanes-skip", "lanes-hand"):
            assert self.post("executive", reverse(name), {"lane": str(link.pk)}).status_code == 403, name
            assert self.post("agent", reverse(name), {"lane": str(link.pk)}).status_code == 404, name
            assert self.post("otto", reverse(name), {"lane": str(link.pk)}).status_code == 404, name
        assert self.post("executive", reverse("lane-correct", args=[link.pk])).status_code == 403
        assert self.post("agent", reverse("lane-correct", args=[link.pk])).status_code == 404
        assert self.link("INC0010023").delivery_hold is not None

    def test_a_rivals_lane_among_ones_own_is_as_if_it_were_not_there(self) -> None:
        ticket = open_for(self.sample, "david", "global", "Only at Global")
        why = hold("rules", "x", "Global Pvt Ltd", "y", timezone.now())
        rival = add_link(self.sample, ticket, "global", "G-1", applied_seq=0, delivery_hold=why)
        [own] = self.more(1)
        self.post("elaine", reverse("lanes-retry"), {"lane": [str(own.pk), str(rival.pk)]})
        assert TicketLink.objects.get(pk=rival.pk).delivery_hold is not None
        assert TicketLink.objects.get(pk=own.pk).delivery_hold is None

    def test_the_draft_of_the_rules_opens_with_room_for_the_word(self) -> None:
        path = reverse("rules-new", args=[self.sample.connections["infinity-architecture"].pk])
        page = self.text("john", f"{path}?from=1&field=custom.site&word=oslo&from_hub=1")
        assert "&quot;oslo&quot;: &quot;&quot;" in page


class TestGroups(OnLanes):
    def test_a_hold_about_a_field_without_a_value_names_none(self) -> None:
        told = self.link("INC0010023").delivery_hold | {"field": "site", "value": None}
        TicketLink.objects.filter(key="INC0010023").update(delivery_hold=told)
        page = self.text("elaine", reverse("lane-list"))
        assert "<code>site</code>" in page
        assert "null" not in page
