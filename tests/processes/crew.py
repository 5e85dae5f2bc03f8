"""Seeded people in four systems: they file, comment and edit through their own system's interface, whatever happens."""

import random
from dataclasses import dataclass, field
from typing import Any

from siamportal.demo.people import AzureDevOpsPerson, JiraPerson, ServiceNowPerson, ZendeskPerson
from siamportal.demo.scenario import PICTURE
from siamportal.demo.stage import Stage
from siamportal.demo.wire import Caller, CallFailed, basic

SYSTEMS = ("jira", "servicenow", "azure_devops", "zendesk")
SITES = ("berlin", "paris", "london")
MOST_DEEDS = 6
"""So much is done on a ticket before the portal has come up with it: with more a run would only wait for the rest."""
CATEGORIES = ("design", "bug", "network")
SITE_JIRA, CATEGORY_JIRA, CATEGORY_ZENDESK = "customfield_10031", "customfield_10033", "27644"


@dataclass
class Case:
    """One ticket: where it was filed, what it is called in each system, and all that people said and set."""

    name: str
    home: str
    ids: dict[str, str]
    said: list[tuple[str, str]] = field(default_factory=list)
    """(system, words) of every public comment, in the order in which they were written."""
    secrets: list[tuple[str, str]] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    deeds: int = 0
    """What was done since the ticket was last the same everywhere."""
    late: list[str] = field(default_factory=list)
    """Words said in Azure DevOps after Zendesk had closed the ticket for good: they open a follow-up there."""


@dataclass
class Crew:
    """John, Elaine, David and Mercuri's agent. Title, stage, site and status have one author, the category four."""

    stage: Stage
    chance: random.Random
    cases: list[Case] = field(default_factory=list)
    quiet: list[Case] = field(default_factory=list)
    """Tickets that nobody works on unless told so."""
    refused: int = 0
    filed: int = 0

    def file(self, home: str, *, quiet: bool = False) -> Case:
        """File one more ticket in ``home``."""
        name = f"K{self.filed}"
        self.filed += 1
        title = f"{name}t0"
        case = Case(name, home, {home: getattr(self, f"_file_{home}")(title)}, titles=[title])
        (self.quiet if quiet else self.cases).append(case)
        return case

    def close(self, case: Case) -> None:
        """Zendesk closes it for good."""
        door = self.stage.doors["zendesk"]
        agent = ZendeskPerson(door)
        agent.update(case.ids["zendesk"], status="solved", assignee_id=agent.me())
        ZendeskPerson(door, "sync").update(case.ids["zendesk"], status="closed")

    def say_late(self, case: Case) -> None:
        """David has a word on a ticket that is closed."""
        words = f"{case.name}c{len(case.late)}x"
        AzureDevOpsPerson(self.stage.doors["azure_devops"], "david").comment(case.ids["azure_devops"], words)
        case.late.append(words)

    def act(self) -> None:
        """Somebody does something to one of the tickets."""
        ready = [case for case in self.cases if case.deeds < MOST_DEEDS]
        if not ready:
            return
        case = self.chance.choice(ready)
        case.deeds += 1
        system = self.chance.choice([name for name in SYSTEMS if name in case.ids])
        try:
            self.chance.choices([self._say, self._set_own, self._set_category], [5, 4, 1])[0](case, system)
        except CallFailed:
            self.refused += 1

    # --- Filing ------------------------------------------------------------------------------------------------------

    def _file_zendesk(self, title: str) -> str:
        agent = ZendeskPerson(self.stage.doors["zendesk"])
        return agent.file(title, "As said.", priority="high", file_name=f"{title}.png", content=PICTURE)

    def _file_servicenow(self, title: str) -> str:
        john = ServiceNowPerson(self.stage.doors["servicenow"], "john")
        return john.create(short_description=title, impact="2", urgency="2")

    def _file_jira(self, title: str) -> str:
        fields = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": title}
        return str(self._elaine().call("POST", "/rest/api/3/issue", {"fields": fields})["id"])

    def _file_azure_devops(self, title: str) -> str:
        david = Caller(self.stage.doors["azure_devops"].address + "/global", basic("", "ado-david-pat"))
        document = [{"op": "add", "path": "/fields/System.Title", "value": title}]
        headers = {"Content-Type": "application/json-patch+json"}
        made = david.call("POST", "/Shop/_apis/wit/workitems/$Bug?api-version=7.1", document, headers=headers)
        return str(made["id"])

    def _elaine(self) -> Caller:
        return Caller(self.stage.doors["jira"].address, basic("elaine@infinity.example", "jira-elaine-token"))

    # --- Talking -----------------------------------------------------------------------------------------------------

    def _say(self, case: Case, system: str) -> None:
        words = f"{case.name}c{len(case.said) + len(case.secrets)}x"
        if system == "servicenow" and self.chance.random() < 0.2:
            ServiceNowPerson(self.stage.doors[system], "john").work_note(case.ids[system], words)
            case.secrets.append((system, words))
            return
        person: Any = self._person(system)
        person.comment(case.ids[system], words)
        case.said.append((system, words))

    def _person(self, system: str) -> Any:
        door = self.stage.doors[system]
        return {
            "jira": lambda: JiraPerson(door, "elaine"),
            "servicenow": lambda: ServiceNowPerson(door, "john"),
            "azure_devops": lambda: AzureDevOpsPerson(door, "david"),
            "zendesk": lambda: ZendeskPerson(door),
        }[system]()

    # --- Editing -----------------------------------------------------------------------------------------------------

    def _set_own(self, case: Case, system: str) -> None:
        """The field whose only author works in ``system``."""
        person: Any = self._person(system)
        ticket = case.ids[system]
        if system == "jira":
            title = f"{case.name}t{len(case.titles)}"
            person.edit(ticket, summary=title)
            case.titles.append(title)
        elif system == "azure_devops":
            stage = f"{case.name}s{len(case.stages)}"
            person.edit(ticket, **{"Custom.DeploymentStage": stage})
            case.stages.append(stage)
        elif system == "servicenow":
            site = self._another(SITES, case.sites)
            person.edit(ticket, u_site=site)
            case.sites.append(site)
        else:
            status = self._another(("open", "pending"), case.statuses)
            person.update(ticket, status=status)
            case.statuses.append(status)

    def _another(self, values: tuple[str, ...], former: list[str]) -> str:
        return self.chance.choice([value for value in values if value != (former[-1] if former else None)])

    def _set_category(self, case: Case, system: str) -> None:
        """Everybody sets it, so that both sides change it at once now and then."""
        value = self.chance.choice(CATEGORIES)
        person: Any = self._person(system)
        written: dict[str, dict[str, Any]] = {
            "jira": {CATEGORY_JIRA: {"value": value}},
            "servicenow": {"u_category": value},
            "azure_devops": {"Custom.Category": value},
        }
        if system == "zendesk":
            person.update(case.ids[system], custom_fields=[{"id": int(CATEGORY_ZENDESK), "value": value}])
        else:
            person.edit(case.ids[system], **written[system])
