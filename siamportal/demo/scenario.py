"""The scenario of the source document, step 4: one ticket from Zendesk over three systems to Azure DevOps and back.

Who works in which system is configuration, not code: the source contradicts itself on it (T6). Here, as in its step 4,
Elaine gathers what is missing in Jira and John finds the root cause in ServiceNow.
"""

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from apps.sync.models import Connection, TicketLink
from apps.tickets.models import Comment, Ticket
from apps.tickets.services import hand_over

from ..cast import Cast
from .people import AzureDevOpsPerson, JiraPerson, ServiceNowPerson, ZendeskPerson
from .setup import actor_for
from .stage import Stage
from .wire import wait_for

# A one-pixel PNG: what the customer saw.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PATIENCE = 20.0
SITE, STAGE, CATEGORY = 27642, 27643, 27644


@dataclass(frozen=True, slots=True)
class Seen:
    """One row of the table: what a step led us to expect in a system, and what was there."""

    step: str
    system: str
    expected: str
    seen: str
    ok: bool


@dataclass
class Play:
    """The scenario on a stage. ``pause`` seconds are left between steps, so that a person can watch."""

    stage: Stage
    cast: Cast
    connections: dict[str, Connection]
    pause: float = 0.0
    corrupt: bool = False
    report: Callable[[Seen], None] = lambda _seen: None
    rows: list[Seen] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    ticket: Ticket | None = None
    outage: int = 0

    # --- Expecting ---------------------------------------------------------------------------------------------------

    def expect(self, step: str, system: str, wanted: dict[str, Any]) -> None:
        """Wait until ``system`` really holds ``wanted`` (field → value; *comment* and *attachment* are looked for)."""
        self.stage.check()
        found: dict[str, Any] = {}

        def holds() -> bool:
            found.clear()
            found.update(self._read(system, wanted))
            return found == wanted

        ok = bool(wait_for(holds, seconds=PATIENCE))
        row = Seen(step, system, _words(wanted), _words(found), ok)
        self.rows.append(row)
        self.report(row)

    def _read(self, system: str, wanted: dict[str, Any]) -> dict[str, Any]:
        ticket = self._find(system)
        if ticket is None:
            return {"ticket": "none"}
        seen: dict[str, Any] = {}
        for name, value in wanted.items():
            if name in ("comment", "no comment"):
                there = any(value in said["text"] for said in ticket["comments"])
                seen[name] = value if there == (name == "comment") else "…"
            elif name == "attachment":
                seen[name] = value if any(value in file["name"] for file in ticket["attachments"]) else "none"
            else:
                seen[name] = ticket["fields"].get(name)
        return seen

    def _find(self, system: str) -> dict[str, Any] | None:
        if system not in self.ids:
            link = TicketLink.objects.filter(connection=self.connections[system], ticket=self.ticket).first()
            if link is None or not link.external_id:
                return None
            self.ids[system] = link.external_id
        return self.stage.doors[system].ticket(self.ids[system])

    # --- Acting ------------------------------------------------------------------------------------------------------

    def run(self) -> list[Seen]:
        for act in self.acts():
            act()
            time.sleep(self.pause)
        return self.rows

    def acts(self) -> Iterator[Callable[[], None]]:
        yield self.file_in_zendesk
        yield self.ask_what_is_missing
        yield self.answer
        yield self.hand_over_for_root_cause
        yield self.classify
        yield self.begin_outage
        yield self.work_during_outage
        yield self.end_outage
        yield self.go_to_production
        yield self.give_go_ahead
        yield self.close
        yield self.comment_late

    def file_in_zendesk(self) -> None:
        """1. The end user's ticket makes a ticket in the right Jira project by itself (T47)."""
        step = "1 filed in Zendesk"
        agent = ZendeskPerson(self.stage.doors["zendesk"])
        body = "The kiosk in the shop shows *payment failed* for every card.\n\nSee the picture."
        self.ids["zendesk"] = agent.file(
            "Kiosk refuses card payments", body, priority="high", file_name="kiosk.png", content=PICTURE
        )
        link = wait_for(
            lambda: TicketLink.objects.filter(
                connection=self.connections["zendesk"], external_id=self.ids["zendesk"], ticket__isnull=False
            ).first(),
            seconds=PATIENCE,
        )
        if link is None:
            self.rows.append(Seen(step, "portal", "a ticket", "none", False))
            self.report(self.rows[-1])
            raise PlayStopped("the ticket filed in Zendesk did not reach the portal")
        self.ticket = link.ticket
        wanted = {
            "summary": "Kiosk refuses card payments",
            "status": "To Do",
            "priority": "High",
            "attachment": "kiosk",
        }
        self.expect(step, "jira", wanted)

    def ask_what_is_missing(self) -> None:
        """2. What, where, how: asked and answered through comments of both systems (T48, T50)."""
        elaine = JiraPerson(self.stage.doors["jira"], "elaine")
        elaine.move(self.ids["jira"], "In Progress")
        elaine.comment(
            self.ids["jira"], "What does the display say exactly, where does the kiosk stand, how do you pay?"
        )
        elaine.move(self.ids["jira"], "Waiting for customer")
        self.expect("2 asked back", "zendesk", {"status": "pending", "comment": "where does the kiosk stand"})

    def answer(self) -> None:
        agent = ZendeskPerson(self.stage.doors["zendesk"])
        fields = [{"id": SITE, "value": "berlin"}]
        text = "What: error 4711. Where: Berlin, ground floor. How: any card, since this morning."
        agent.comment(self.ids["zendesk"], text, public=True, status="open", custom_fields=fields)
        wanted = {"status": "In Progress", "comment": "error 4711", "customfield_10031": "Berlin"}
        self.expect("3 answered", "jira", wanted)

    def hand_over_for_root_cause(self) -> None:
        """3. The integrator hands it over for the root cause; ServiceNow gets all that was said so far (T90, T99)."""
        assert self.ticket is not None
        integrator = actor_for(self.cast, "Integrator Lead", "infinity-integration")
        to = self.cast.organizations["infinity-projects"]
        reason = "Root-cause analysis: design, network or a bug?"
        hand_over(ticket=self.ticket, organization=to, actor=integrator, at=timezone.now(), reason=reason)
        wanted = {"state": "2", "u_site": "berlin", "attachment": "kiosk", "comment": "error 4711"}
        self.expect("4 to ServiceNow", "servicenow", wanted)

    def classify(self) -> None:
        """4. and 5. A network issue: the route takes it to Global, with everything that is known (T49, T92)."""
        step = "5 to Azure DevOps"
        john = ServiceNowPerson(self.stage.doors["servicenow"], "john")
        john.work_note(self.ids["servicenow"], "Suspect the new firewall of the shop; keep this inside.")
        john.comment(
            self.ids["servicenow"], "Root cause: the terminal cannot reach the payment host, port 8443 is closed."
        )
        john.edit(self.ids["servicenow"], u_category="network", impact="1", urgency="2")
        self.expect(
            step, "azure_devops", {"System.State": "Active", "Custom.Category": "network", "comment": "port 8443"}
        )
        self.expect(step, "azure_devops", {"no comment": "firewall of the shop", "Microsoft.VSTS.Common.Priority": 1})
        self.expect(step, "zendesk", {"priority": "urgent", str(CATEGORY): "network"})
        self.expect(
            step, "jira", {"priority": "Highest", "customfield_10033": "network", "no comment": "firewall of the shop"}
        )

    def begin_outage(self) -> None:
        """Connectivity to Jira is lost in the middle (T89)."""
        self.outage = self.stage.doors["jira"].switch_on(kind="down")

    def work_during_outage(self) -> None:
        """David hands it to Marco; everybody but Jira stays in step."""
        david = AzureDevOpsPerson(self.stage.doors["azure_devops"], "david")
        marco = AzureDevOpsPerson(self.stage.doors["azure_devops"], "marco")
        agent = ZendeskPerson(self.stage.doors["zendesk"])
        work = self.ids["azure_devops"]
        david.comment(work, "Reproduced. This one is for Marco.")
        david.edit(work, **{"System.AssignedTo": "marco@global.example"})
        self.expect("6 Jira is down", "servicenow", {"comment": "This one is for Marco"})
        agent.comment(self.ids["zendesk"], "The customer asks for a date.", public=True)
        self.expect("6 Jira is down", "azure_devops", {"comment": "asks for a date"})
        marco.comment(work, "Port 8443 is open again, testing now.")
        marco.edit(work, **{"Custom.DeploymentStage": "in test"})
        self.expect("6 Jira is down", "servicenow", {"comment": "testing now", "u_deployment_stage": "in test"})
        self.expect("6 Jira is down", "zendesk", {"comment": "testing now", str(STAGE): "in test"})
        if self.corrupt:
            said = Comment.objects.get(ticket=self.ticket, body__contains="This one is for Marco")
            Comment.objects.filter(pk=said.pk).update(body="This text was never written by David.")

    def end_outage(self) -> None:
        """Jira is back: everything arrives, in the order in which it happened, and nobody had to do anything."""
        self.stage.doors["jira"].switch_off(self.outage)
        wanted = {"customfield_10032": "in test", "comment": "testing now"}
        self.expect("7 Jira catches up", "jira", wanted)
        row = self._order_row("7 Jira catches up", ["for Marco", "asks for a date", "testing now"])
        self.rows.append(row)
        self.report(row)

    def _order_row(self, step: str, words: list[str]) -> Seen:
        ticket = self._find("jira") or {"comments": []}
        order = [word for said in ticket["comments"] for word in words if word in said["text"]]
        return Seen(step, "jira", "order: " + ", ".join(words), "order: " + ", ".join(order), order == words)

    def go_to_production(self) -> None:
        """9. The fix goes to production and every tracker says so (T53)."""
        marco = AzureDevOpsPerson(self.stage.doors["azure_devops"], "marco")
        marco.edit(self.ids["azure_devops"], **{"Custom.DeploymentStage": "in production"})
        self.expect("8 in production", "jira", {"customfield_10032": "in production"})
        self.expect("8 in production", "servicenow", {"u_deployment_stage": "in production"})
        self.expect("8 in production", "zendesk", {str(STAGE): "in production", "status": "open"})

    def give_go_ahead(self) -> None:
        """10. Resolved only after the user's go-ahead, and then everywhere (T53)."""
        agent = ZendeskPerson(self.stage.doors["zendesk"])
        text = "The customer says it works again: go ahead and close it."
        agent.comment(self.ids["zendesk"], text, public=True, status="solved", assignee_id=agent.me())
        self.expect("9 go-ahead", "jira", {"status": "Done", "resolution": "Done", "comment": "works again"})
        self.expect("9 go-ahead", "servicenow", {"state": "6", "close_code": "Solution provided"})
        self.expect("9 go-ahead", "azure_devops", {"System.State": "Resolved"})

    def close(self) -> None:
        """Zendesk closes for good; the others follow."""
        ZendeskPerson(self.stage.doors["zendesk"], "sync").update(self.ids["zendesk"], status="closed")
        self.expect("10 closed", "jira", {"status": "Closed"})
        self.expect("10 closed", "servicenow", {"state": "7"})
        self.expect("10 closed", "azure_devops", {"System.State": "Closed"})

    def comment_late(self) -> None:
        """A late comment: Zendesk takes nothing more on a closed ticket, so the rule opens a follow-up there (T41)."""
        step = "11 late comment"
        david = AzureDevOpsPerson(self.stage.doors["azure_devops"], "david")
        david.comment(self.ids["azure_devops"], "For the record: the firewall rule is now in the baseline.")
        self.expect(step, "jira", {"comment": "now in the baseline"})
        closed = self.ids.pop("zendesk")
        link = TicketLink.objects.filter(connection=self.connections["zendesk"], ticket=self.ticket)
        wait_for(lambda: link.exclude(external_id=closed).exists(), seconds=PATIENCE)
        self.expect(step, "zendesk", {"comment": "now in the baseline"})


class PlayStopped(Exception):
    """The scenario cannot go on."""


def _words(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())
