"""The cast at work in their own systems: each acts through the vendor's interface with a person's credentials."""

import base64
from typing import Any

from .wire import Caller, Door, basic


def _adf(text: str) -> dict[str, Any]:
    paragraphs = [{"type": "paragraph", "content": [{"type": "text", "text": part}]} for part in text.split("\n\n")]
    return {"type": "doc", "version": 1, "content": paragraphs}


class JiraPerson:
    """Somebody at Infinity who works in Jira."""

    def __init__(self, door: Door, name: str) -> None:
        self._caller = Caller(door.address, basic(f"{name}@infinity.example", f"jira-{name}-token"))

    def comment(self, ticket: str, text: str) -> None:
        self._caller.call("POST", f"/rest/api/3/issue/{ticket}/comment", {"body": _adf(text)})

    def move(self, ticket: str, status: str) -> None:
        found = self._caller.call("GET", f"/rest/api/3/issue/{ticket}/transitions")
        move = next(one for one in found["transitions"] if one["to"]["name"] == status)
        self._caller.call("POST", f"/rest/api/3/issue/{ticket}/transitions", {"transition": {"id": move["id"]}})

    def edit(self, ticket: str, **fields: Any) -> None:
        self._caller.call("PUT", f"/rest/api/3/issue/{ticket}", {"fields": fields})


class ServiceNowPerson:
    """Somebody at Infinity who works in ServiceNow."""

    def __init__(self, door: Door, name: str) -> None:
        self._caller = Caller(door.address, basic(name, f"snow-{name}-password"))

    def edit(self, ticket: str, **fields: str) -> None:
        self._caller.call("PATCH", f"/api/now/v2/table/incident/{ticket}", fields)

    def create(self, **fields: str) -> str:
        made = self._caller.call("POST", "/api/now/v2/table/incident", fields)
        return str(made["result"]["sys_id"])

    def comment(self, ticket: str, text: str) -> None:
        self.edit(ticket, comments=text)

    def work_note(self, ticket: str, text: str) -> None:
        self.edit(ticket, work_notes=text)


class AzureDevOpsPerson:
    """Somebody at Global who works in Azure DevOps."""

    def __init__(self, door: Door, name: str) -> None:
        self._caller = Caller(door.address + "/global", basic("", f"ado-{name}-pat"))

    def edit(self, ticket: str, **fields: Any) -> None:
        document = [{"op": "add", "path": f"/fields/{name}", "value": value} for name, value in fields.items()]
        self._caller.call(
            "PATCH",
            f"/_apis/wit/workitems/{ticket}?api-version=7.1",
            document,
            headers={"Content-Type": "application/json-patch+json"},
        )

    def comment(self, ticket: str, text: str) -> None:
        path = f"/Shop/_apis/wit/workItems/{ticket}/comments?api-version=7.1-preview.4"
        self._caller.call("POST", path, {"text": f"<p>{text}</p>"})


class ZendeskPerson:
    """Mercuri's agent, who also puts in what the shop's customer says."""

    CUSTOMER = 20_978_392

    def __init__(self, door: Door, name: str = "agent") -> None:
        email = "agent@mercuri.example" if name == "agent" else "siam-sync@mercuri.example"
        self._caller = Caller(door.address, basic(f"{email}/token", f"zendesk-{name}-token"))

    def file(self, subject: str, body: str, *, priority: str, file_name: str, content: bytes) -> str:
        sent = self._caller.call(
            "POST", f"/api/v2/uploads.json?filename={file_name}", raw=content, headers={"Content-Type": "image/png"}
        )
        comment = {"body": body, "public": True, "uploads": [sent["upload"]["token"]]}
        ticket = {
            "subject": subject,
            "comment": comment,
            "priority": priority,
            "type": "incident",
            "requester_id": self.CUSTOMER,
        }
        made = self._caller.call("POST", "/api/v2/tickets.json", {"ticket": ticket})
        return str(made["ticket"]["id"])

    def update(self, ticket: str, **fields: Any) -> None:
        self._caller.call("PUT", f"/api/v2/tickets/{ticket}.json", {"ticket": fields})

    def comment(self, ticket: str, text: str, *, public: bool = True, **fields: Any) -> None:
        self.update(ticket, comment={"body": text, "public": public}, **fields)

    def me(self) -> int:
        found = self._caller.call("GET", "/api/v2/users/me.json")
        return int(found["user"]["id"])


def subscribe(doors: dict[str, Door], addresses: dict[str, str], secrets: dict[str, str]) -> dict[str, str]:
    """Tell each system, by its own interface, where to send its webhooks. Returns the secrets that systems chose."""
    jira = Caller(doors["jira"].address, basic("siam-sync@infinity.example", "jira-sync-token"))
    events = ["jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created", "comment_updated"]
    jira.call(
        "POST",
        "/rest/webhooks/1.0/webhook",
        {
            "name": "siamportal",
            "url": addresses["jira"],
            "events": events,
            "secret": secrets["jira"],
            "excludeBody": False,
        },
    )
    snow = Caller(doors["servicenow"].address, basic("siam.sync", "snow-sync-password"))
    secret = base64.b64encode(secrets["servicenow"].encode()).decode()
    target = {"url": addresses["servicenow"], "secret": secret, "table": "incident"}
    snow.call("POST", "/api/now/v2/table/x_siam_notice_target", target)
    ado = Caller(doors["azure_devops"].address + "/global", basic("", "ado-sync-pat"))
    for event in ("created", "updated", "deleted", "restored", "commented"):
        hook = {
            "publisherId": "tfs",
            "eventType": f"workitem.{event}",
            "resourceVersion": "1.0",
            "consumerId": "webHooks",
            "consumerActionId": "httpRequest",
            "publisherInputs": {"projectId": _project_id(ado)},
            "consumerInputs": {
                "url": addresses["azure_devops"],
                "httpHeaders": f"X-Siam-Secret:{secrets['azure_devops']}",
                "resourceDetailsToSend": "all",
            },
        }
        ado.call("POST", "/_apis/hooks/subscriptions?api-version=7.1", hook)
    return {"zendesk": _subscribe_zendesk(doors["zendesk"], addresses["zendesk"])}


def _project_id(ado: Caller) -> str:
    found = ado.call("GET", "/_apis/projects?api-version=7.1")
    return next(str(project["id"]) for project in found["value"] if project["name"] == "Shop")


def _subscribe_zendesk(door: Door, address: str) -> str:
    """Zendesk chooses the signing secret itself."""
    admin = Caller(door.address, basic("siam-sync@mercuri.example/token", "zendesk-sync-token"))
    events = [
        "created",
        "subject_changed",
        "status_changed",
        "priority_changed",
        "custom_field_changed",
        "comment_added",
    ]
    webhook = {
        "name": "siamportal",
        "endpoint": address,
        "http_method": "POST",
        "request_format": "json",
        "status": "active",
        "subscriptions": [f"zen:event-type:ticket.{event}" for event in events],
    }
    made = admin.call("POST", "/api/v2/webhooks", {"webhook": webhook})
    secret = admin.call("GET", f"/api/v2/webhooks/{made['webhook']['id']}/signing_secret")
    return str(secret["signing_secret"]["secret"])
