"""The body of a webhook: as v2 writes it, so rich text is a wiki string and never a document."""

from typing import TYPE_CHECKING, Any

from . import shapes
from .hooks import Event, Hook
from .issue_shape import issue_json
from .site import View

if TYPE_CHECKING:
    from .site import Site

FEW_FIELDS = ("summary", "issuetype", "project", "assignee", "priority", "status")


def payload(site: "Site", hook: Hook, event: Event) -> dict[str, Any]:
    """What ``hook`` is told about ``event``. Times are written in UTC; people as the edition writes them."""
    view = View(site, "2", None)
    body: dict[str, Any] = {
        "timestamp": round(site.now().timestamp() * 1000),
        "webhookEvent": event.name,
    }
    if event.name.startswith("jira:issue_"):
        body |= {"issue_event_type_name": event.kind, "user": shapes.user(view, event.actor)}
        body["issue"] = issue_json(view, event.issue, ["*all", "-comment", "-worklog"])
    else:
        body["issue"] = issue_json(view, event.issue, FEW_FIELDS)
        del body["issue"]["expand"]
    if event.change is not None:
        items = [shapes.change_item(view, item) for item in event.change.items]
        body["changelog"] = {"id": event.change.id, "items": items}
    if event.comment is not None:
        body["comment"] = shapes.comment(view, event.issue, event.comment)
    if event.attachment is not None:
        body["attachment"] = shapes.attachment(view, event.attachment)
    if event.link is not None:
        link = event.link
        sides = {"sourceIssueId": int(link.inward), "destinationIssueId": int(link.outward)}
        body["issueLink"] = {"id": int(link.id), "issueLinkType": {"id": int(link.type_id)}} | sides
    if event.property_key:
        value = event.issue.properties.get(event.property_key)
        body["property"] = {"key": event.property_key, "value": value}
    if hook.expires is not None:
        body["matchedWebhookIds"] = [hook.id]
    return body
