"""The reckoning sees what a kill run must never show: it is tried on states with each fault put in."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from .crew import SYSTEMS, Case
from .reckoning import CATEGORY, SITE, STAGE, STATUS, TITLE, reckon

State = dict[str, list[dict[str, Any]]]


class Doors:
    """A stage whose systems hold what the test says."""

    def __init__(self, state: State) -> None:
        self.doors = {name: Door(tickets) for name, tickets in state.items()}


class Door:
    def __init__(self, tickets: list[dict[str, Any]]) -> None:
        self._tickets = tickets

    def tickets(self) -> list[dict[str, Any]]:
        return self._tickets


def ticket(name: str) -> dict[str, Any]:
    words = {"jira": "Waiting for customer", "servicenow": "3", "azure_devops": "Active", "zendesk": "pending"}
    steps = [(None, "K0s0"), ("K0s0", "K0s1"), ("K0s1", "K0s2")]
    log = [{"field": STAGE[name], "from": before, "to": after} for before, after in steps]
    return {
        "id": name,
        "fields": {
            TITLE[name]: "K0t0",
            STAGE[name]: "K0s2",
            SITE[name]: "Berlin" if name == "jira" else "berlin",
            CATEGORY[name]: "bug",
            STATUS.get(name, "status"): words[name],
        },
        "comments": [{"text": "K0c0x"}, {"text": "<p>K0c2x</p>"}],
        "attachments": [{}],
        "log": log,
    }


def case() -> Case:
    said = [("jira", "K0c0x"), ("jira", "K0c2x")]
    made = Case("K0", "zendesk", {name: name for name in SYSTEMS}, said, [("servicenow", "K0c1x")], ["K0t0"])
    made.stages, made.sites, made.statuses = ["K0s0", "K0s1", "K0s2"], ["berlin"], ["pending"]
    return made


def state() -> State:
    return {name: [ticket(name)] for name in SYSTEMS}


def faults_of(change: Callable[[dict[str, Any]], None]) -> set[str]:
    """Which lists are not empty once ``change`` was made to the ticket in Jira."""
    there = state()
    change(there["jira"][0])
    found = reckon(Doors(there), [case()])  # type: ignore[arg-type]
    assert found.cases() == {"K0"}
    return {name for name in ("lost", "doubled", "reordered", "differing", "leaked") if getattr(found, name)}


def test_nothing_is_found_where_all_agree() -> None:
    found = reckon(Doors(state()), [case()])  # type: ignore[arg-type]
    assert found.is_clean, found.as_text()
    assert found.comments == 8


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a comment is missing": (lambda one: one["comments"].pop(), "lost"),
    "a comment stands twice": (lambda one: one["comments"].append({"text": "K0c0x"}), "doubled"),
    "comments changed places": (lambda one: one["comments"].reverse(), "reordered"),
    "a note got out": (lambda one: one["comments"].append({"text": "K0c1x"}), "leaked"),
    "a field differs": (lambda one: one["fields"].update({SITE["jira"]: "Paris"}), "differing"),
    "the category differs": (lambda one: one["fields"].update({CATEGORY["jira"]: "network"}), "differing"),
    "the status differs": (lambda one: one["fields"].update({"status": "To Do"}), "differing"),
    "a value was left out": (lambda one: one["log"].pop(1), "lost"),
    "a value came twice": (lambda one: one["log"].extend(deepcopy(one["log"])), "doubled"),
    "values changed places": (
        lambda one: one["log"].insert(0, {"field": STAGE["jira"], "from": None, "to": "K0s9"}),
        "reordered",
    ),
    "a file stands twice": (lambda one: one["attachments"].append({}), "doubled"),
    "a file is missing": (lambda one: one["attachments"].clear(), "lost"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str) -> None:
    change, wanted = FAULTS[name]
    assert wanted in faults_of(change)


def test_a_second_ticket_is_found() -> None:
    there = state()
    there["jira"].append(ticket("jira") | {"id": "another"})
    assert reckon(Doors(there), [case()]).doubled  # type: ignore[arg-type]


def test_a_ticket_that_never_came_is_found() -> None:
    assert reckon(Doors(state() | {"zendesk": []}), [case()]).lost  # type: ignore[arg-type]
