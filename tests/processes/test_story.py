"""The story of a ticket with a fault holds what is needed to see how it came about."""

from typing import Any

import pytest

from apps.tickets.models import Ticket
from tests.sync.services.stage import Stage

from .crew import Case
from .story import story

A, B = "infinity-architecture", "infinity-projects"


class Doors:
    """A stage whose one system holds what it is given."""

    def __init__(self, name: str, ticket: dict[str, Any]) -> None:
        self.doors, self._ticket = {name: self}, ticket

    def ticket(self, _id: str) -> dict[str, Any]:
        return self._ticket


def test_it_tells_the_journal_the_writes_and_the_logs(stage: Stage) -> None:
    stage.connect(A)
    stage.connect(B)
    stage.person_opens(A, title="Kiosk is slow")
    stage.rest()
    ticket = Ticket.objects.get()
    stage.share(ticket, B)
    stage.rest()
    stage.edit(ticket, A, title="Kiosk is dead")
    stage.rest()
    link = stage.link(A, ticket)
    home = link.connection.connector
    there = {"log": [{"field": "summary", "to": "Kiosk is back"}], "comments": [{"text": "hello"}]}

    filed = Case("K0", home, {home: link.external_id}, titles=["Kiosk is slow"])
    told = story(Doors(home, there), filed)  # type: ignore[arg-type]

    assert "people: titles ['Kiosk is slow']" in told
    assert "{'title': ['Kiosk is slow', 'Kiosk is dead']}" in told
    assert "create: applied" in told
    assert "update: applied" in told
    assert f"log of {home}" in told
    assert f"comment in {home}: {{'text': 'hello'}}" in told


@pytest.mark.django_db
def test_it_says_when_the_portal_never_heard_of_a_ticket() -> None:
    unheard = Case("K0", "jira", {"jira": "1"})
    told = story(Doors("jira", {"log": [], "comments": []}), unheard)  # type: ignore[arg-type]
    assert "the portal has no ticket for it" in told
