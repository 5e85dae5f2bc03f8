"""What people do from beginning to end, in a real browser."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.sync.models import Connection, Exchange, Intent, TicketLink
from apps.tickets import services
from apps.tickets.models import Comment, Ticket
from tests.sample import Sample

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True, serialized_rollback=True)]


def test_an_agent_signs_in_finds_a_ticket_and_comments_with_a_file(
    open_page: Any, sample: Sample, tmp_path: Path
) -> None:
    user = sample.user("agent")
    user.set_password("one-long-password")
    user.save()
    file = tmp_path / "receipt.txt"
    file.write_text("terminal 4: declined")
    page = open_page("", reverse("ticket-list"))
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill("one-long-password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("searchbox", name="Search").fill("kiosks")
    page.wait_for_url(re.compile("q=kiosks"))
    page.get_by_role("link", name=re.compile("Payment at the kiosks")).click()
    page.get_by_label("Comment", exact=True).fill("The customer sent **this**.")
    page.get_by_text("Only us", exact=True).click()
    page.get_by_text("Only Mercuri Inc will see it.").wait_for()
    page.get_by_text("All parties", exact=True).click()
    page.get_by_label("Attach files").set_input_files(file)
    page.get_by_role("button", name="Comment").click()
    page.locator("#timeline .bubble strong", has_text="this").wait_for()
    page.locator("#timeline").get_by_text("receipt.txt").wait_for()
    assert page.get_by_label("Comment", exact=True).input_value() == ""
    assert Comment.objects.get(body="The customer sent **this**.").audience == "public"


def test_what_another_party_does_appears_without_reloading(open_page: Any, sample: Sample) -> None:
    ticket = sample.tickets["kiosk"]
    page = open_page("john", reverse("ticket", args=[ticket.reference]))
    page.evaluate("window.isTheSamePage = true")
    services.comment(
        ticket=ticket,
        body="All kiosks take cards again.",
        audience="public",
        actor=sample.actor("david", "global"),
        at=sample.now,
    )
    services.move(
        ticket=Ticket.objects.get(pk=ticket.pk), status="resolved", actor=sample.actor("david", "global"), at=sample.now
    )
    page.locator("#timeline").get_by_text("All kiosks take cards again.").wait_for(timeout=15000)
    page.locator("#ticket-head").get_by_text("Resolved").wait_for()
    assert page.evaluate("window.isTheSamePage") is True


def test_a_ticket_is_moved_in_a_dialog(open_page: Any, sample: Sample) -> None:
    page = open_page("david", reverse("ticket", args=[sample.tickets["kiosk"].reference]))
    page.get_by_role("link", name="Move").click()
    page.get_by_role("radio", name="Pending").check()
    page.locator("#sheet").get_by_role("button", name="Move").click()
    page.locator("#ticket-head").get_by_text("Pending").wait_for()
    page.locator("#sheet").wait_for(state="hidden")
    assert Ticket.objects.get(pk=sample.tickets["kiosk"].pk).status == "pending"


def test_a_ticket_is_opened_with_its_priority_in_view(open_page: Any, sample: Sample) -> None:
    page = open_page("agent", reverse("ticket-new"))
    page.get_by_label("What is the matter?").fill("Voucher codes are refused")
    page.get_by_role("radio", name="1 · the whole organization").check()
    page.get_by_role("radio", name="4 · it can wait").check()
    page.locator("#preview .priority.low").wait_for()
    page.get_by_role("button", name="Open the ticket").click()
    page.get_by_role("heading", name="Voucher codes are refused").wait_for()
    assert Ticket.objects.get(title="Voucher codes are refused").priority == "low"


def test_an_owner_pauses_and_resumes_a_connection(open_page: Any, sample: Sample) -> None:
    connection = sample.connections["infinity-projects"]
    page = open_page("elaine", reverse("connection", args=[connection.pk]))
    page.get_by_role("link", name="Pause").click()
    page.get_by_label(re.compile("Why")).fill("Upgrade tonight")
    page.get_by_role("button", name="Pause it").click()
    page.locator("#live").get_by_text("Upgrade tonight").wait_for()
    assert Connection.objects.get(pk=connection.pk).state == "paused"
    page.get_by_role("link", name="Resume").click()
    page.get_by_role("button", name="Resume it").click()
    page.get_by_role("link", name="Pause").wait_for()
    assert Connection.objects.get(pk=connection.pk).state == "active"


def test_the_keyboard_is_enough_to_find_and_open_a_ticket(open_page: Any, sample: Sample) -> None:
    page = open_page("integrator", reverse("home"))
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Find").fill("OPS-7")
    page.locator("#palette [role=option][aria-selected=true]", has_text="Payment at the kiosks").wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=re.compile("Payment at the kiosks")).wait_for()
    page.goto(reverse("ticket-list"))
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent").startswith("Payment at the kiosks")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"


def test_colors_are_kept_from_page_to_page(open_page: Any, sample: Sample) -> None:
    page = open_page("integrator", reverse("home"))
    page.locator(".sidebar-foot summary").click()
    page.locator(".sidebar-foot").get_by_role("button", name="Dark").click()
    page.goto(reverse("ticket-list"))
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_the_way_to_a_ticket_works_without_scripts(browser: Any, live_server: Any, sample: Sample) -> None:
    user = sample.user("david")
    user.set_password("one-long-password")
    user.save()
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(reverse("ticket-move", args=[sample.tickets["kiosk"].reference]))
    page.locator("[name=username]").fill(user.email)
    page.locator("[name=password]").fill("one-long-password")
    page.locator("button[type=submit]").click()
    page.locator("input[value=pending]").check()
    page.locator("main button[type=submit]").click()
    assert page.locator("#ticket-head").get_by_text("Pending").is_visible()
    context.close()


def test_the_operator_ticks_lanes_and_skips_them_with_a_reason(open_page: Any, sample: Sample) -> None:
    page = open_page("elaine", reverse("lane-list"))
    page.evaluate("window.isTheSamePage = true")
    page.get_by_label("Choose INC0010023").check()
    page.get_by_text("1 chosen").wait_for()
    page.get_by_role("region", name="What to do with the chosen lanes").get_by_role("button", name="Skip…").click()
    page.get_by_role("heading", name="Skip the waiting entry of 1 lane?").wait_for()
    page.get_by_label("Why?").fill("Told them by phone.")
    page.get_by_role("button", name="Skip 1 entry").click()
    page.get_by_text("1 entry is left out").wait_for()
    assert page.evaluate("window.isTheSamePage")
    assert Intent.objects.get(slot="skipped").note == "Elaine: Told them by phone."


def test_the_operator_hands_a_whole_group_to_a_person(open_page: Any, sample: Sample) -> None:
    page = open_page("integrator", reverse("lane-list"))
    group = page.get_by_role(
        "region", name=re.compile("The rules do not cover this: Projects ServiceNow, to the system")
    )
    group.get_by_role("button", name="Hand to…").click()
    page.get_by_label("To whom?").select_option(label="Elaine")
    page.get_by_role("button", name="Hand it on").click()
    page.get_by_text("in the hands of Elaine").first.wait_for()
    page = open_page("elaine", reverse("home"))
    page.get_by_text("Handed to you").wait_for()


def test_lanes_are_retried_without_scripts(browser: Any, live_server: Any, sample: Sample) -> None:
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    client = Client()
    client.force_login(sample.user("elaine"))
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    page.goto(reverse("lane-list") + "?by=lane")
    page.get_by_label("Choose INC0010023").check()
    page.get_by_role("button", name="Skip…").click()
    page.get_by_role("heading", name="Skip the waiting entry of 1 lane?").wait_for()
    assert "csrf" not in page.url
    page.go_back()
    page.get_by_label("Choose INC0010023").check()
    page.get_by_role("button", name="Retry").click()
    page.get_by_text("1 lane is tried again now.").wait_for()
    page.get_by_role("link", name=re.compile("INC0010023")).click()
    page.get_by_role("heading", name=re.compile("Payment at the kiosks")).wait_for()
    page.get_by_text("retried").wait_for()
    context.close()


def test_a_call_is_copied_as_it_was_made(open_page: Any, sample: Sample) -> None:
    link = TicketLink.objects.get(key="INC0010023")
    Exchange.objects.filter(connection=link.connection).delete()
    Exchange.objects.create(
        connection=link.connection,
        link=link,
        at=sample.now,
        method="PATCH",
        url="https://projects.example.com/api/now/table/incident/1",
        request='{"u_site": "berlin"}',
        status=400,
        answer='{"error": "Invalid choice"}',
        seconds=0.2,
    )
    page = open_page("elaine", reverse("lane", args=[link.pk]))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("details.exchange summary").click()
    page.get_by_role("button", name="Copy all of it").click()
    page.get_by_text("Copied.").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert '{"u_site": "berlin"}' in copied
    assert "Invalid choice" in copied


def test_the_picture_changes_its_period_in_place(open_page: Any, sample: Sample) -> None:
    page = open_page("elaine", reverse("connection", args=[sample.connections["infinity-projects"].pk]))
    picture = page.locator("#picture")
    picture.get_by_role("link", name="Week").click()
    page.locator("#picture a[aria-current=true]", has_text="Week").wait_for()
    assert picture.locator("svg[role=img]").count() == 4
    assert "last week" in (picture.locator("svg[role=img]").first.get_attribute("aria-label") or "")
