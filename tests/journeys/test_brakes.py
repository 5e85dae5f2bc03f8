"""A brake from beginning to end in a real browser: announced, looked at by both parties, refused and put back."""

from typing import Any

import pytest
from django.urls import reverse

from apps.sync.models import Brake
from apps.tickets.models import Ticket
from tests.braked import add_brake
from tests.sample import Sample, add_link, open_for

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True, serialized_rollback=True)]
SLUG = "infinity-projects"
VIEWS = [(1400, "light"), (1400, "dark"), (390, "light"), (390, "dark")]


@pytest.fixture
def brake(sample: Sample) -> Brake:
    links = []
    for number in range(14):
        title = f"Warehouse scanner {number} loses its network twice a day"
        ticket = open_for(sample, "elaine", SLUG, title, **{"custom.site": "Berlin"})
        links.append(add_link(sample, ticket, SLUG, f"INC00200{number:02}"))
    for link in links[10:]:
        Ticket.objects.filter(pk=link.ticket_id).update(custom={"site": ""})
    return add_brake(sample.connections[SLUG], links[:10], links[10:], at=sample.now)


def test_two_parties_look_and_one_puts_back_what_went_through(open_page: Any, sample: Sample, brake: Brake) -> None:
    page = open_page("elaine", reverse("connection", args=[sample.connections[SLUG].pk]))
    page.get_by_role("link", name="The brake is on").click()
    page.get_by_text("10 tickets wait; 4 went through before it stopped").wait_for()
    page.get_by_role("link", name="Let them through").click()
    page.get_by_label("Why?").fill("We thought that was the move to the new site.")
    page.get_by_role("button", name="Let them through").click()
    page.get_by_text("nothing goes on before the other party").wait_for()
    page = open_page("integrator", reverse("brake-list"))
    page.get_by_role("link", name="Projects ServiceNow empties fields").click()
    page.get_by_text("We thought that was the move").wait_for()
    page.get_by_role("link", name="Keep them stopped").click()
    page.get_by_role("button", name="Keep them stopped").click()
    page.get_by_role("link", name="Put back").click()
    page.get_by_role("button", name="Put back 4").click()
    page.get_by_text("4 put back; the rest is judged anew").wait_for()
    assert Ticket.objects.filter(title__startswith="Warehouse scanner", custom__site="Berlin").count() == 14
    assert brake.acts.filter(standing="put_back").count() == 4


@pytest.mark.parametrize(("width", "colors"), VIEWS)
def test_its_pages_are_free_of_violations(
    find_violations: Any, sample: Sample, brake: Brake, width: int, colors: str
) -> None:
    pages = (
        ("elaine", reverse("brake-list")),
        ("elaine", reverse("brake", args=[brake.pk])),
        ("governance", reverse("brake", args=[brake.pk])),
        ("elaine", reverse("brake-answer", args=[brake.pk, "let_through"])),
        ("elaine", reverse("brake-answer", args=[brake.pk, "keep_stopped"])),
        ("elaine", reverse("brake-put-back", args=[brake.pk])),
        ("elaine", reverse("lane-list")),
        ("elaine", reverse("connection", args=[brake.connection_id])),
    )
    assert find_violations(pages, width=width, colors=colors) == {}
