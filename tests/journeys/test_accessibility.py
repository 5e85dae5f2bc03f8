"""No page may violate the accessibility rules that a machine can check: wide and narrow, light and dark."""

from typing import Any

import pytest
from django.urls import reverse

from tests.sample import Sample

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True, serialized_rollback=True)]
VIEWS = [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")]


def _pages(sample: Sample) -> list[tuple[str, str]]:
    kiosk, connection = sample.tickets["kiosk"].reference, sample.connections["infinity-projects"].pk
    lane = sample.connections["infinity-projects"].links.get(key="INC0010023").pk
    return [
        ("", reverse("sign-in")),
        ("otto", reverse("home")),
        ("elaine", reverse("home")),
        ("integrator", reverse("ticket-list")),
        ("integrator", reverse("ticket", args=[kiosk])),
        ("integrator", reverse("ticket-hand-over", args=[kiosk])),
        ("elaine", reverse("ticket-new")),
        ("integrator", reverse("connection-list")),
        ("elaine", reverse("connection", args=[connection])),
        ("elaine", reverse("connection-picture", args=[connection])),
        ("elaine", reverse("lane-list")),
        ("integrator", reverse("lane-list") + "?by=lane"),
        ("elaine", reverse("lane", args=[lane])),
        ("elaine", reverse("lanes-skip") + f"?lane={lane}"),
        ("elaine", reverse("lanes-hand") + f"?lane={lane}"),
        ("elaine", reverse("lane-correct", args=[lane])),
        ("elaine", reverse("alert-list")),
        ("elaine", reverse("alert-rule-new")),
        ("elaine", reverse("restored")),
        ("elaine", reverse("connection-new")),
        ("elaine", reverse("connection-edit", args=[connection])),
        ("elaine", reverse("rules-list", args=[connection])),
        ("elaine", reverse("rules-new", args=[connection])),
        ("elaine", reverse("rules-version", args=[connection, 2])),
        ("integrator", reverse("organization-list")),
        ("integrator", reverse("organization", args=["infinity"])),
        ("elaine", reverse("account")),
        ("elaine", reverse("token-new")),
    ]


@pytest.mark.parametrize(("width", "colors"), VIEWS)
def test_every_page_is_free_of_violations(find_violations: Any, sample: Sample, width: int, colors: str) -> None:
    assert find_violations(_pages(sample), width=width, colors=colors) == {}


@pytest.mark.parametrize("colors", ["light", "dark"])
def test_dialogs_and_the_palette_are_free_of_violations(open_page: Any, sample: Sample, colors: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page("integrator", reverse("ticket", args=[sample.tickets["kiosk"].reference]), colors=colors)
    page.get_by_role("link", name="Move").click()
    page.get_by_role("heading", name="Move to another status").wait_for()
    assert [rule["id"] for rule in axe.run(page).response["violations"]] == []
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.locator("#palette [role=option]").first.wait_for()
    assert [rule["id"] for rule in axe.run(page).response["violations"]] == []
