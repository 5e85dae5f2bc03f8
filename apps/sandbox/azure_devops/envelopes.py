"""What a web hook says: the envelope, its messages, and the resource in the detail that was ordered."""

from collections.abc import Mapping
from typing import Any

from .fields import AREA, TITLE, TYPE
from .instants import stamp
from .places import INSTANCE_ID
from .store import Happening, Store
from .views import Choice, item_address, item_json, update_json
from .writing import deleted_json

VERBS = {
    "created": "created",
    "updated": "updated",
    "deleted": "deleted",
    "restored": "restored",
    "commented": "commented on",
}


def concerns(happening: Happening, filters: Mapping[str, str]) -> bool:
    """Whether a subscription with these publisher inputs hears of ``happening``."""
    item = happening.item
    fields = item.latest.fields
    project, area = filters.get("projectId", ""), filters.get("areaPath", "").casefold()
    kind, changed, pattern = (
        filters.get("workItemType", ""),
        filters.get("changedFields", ""),
        filters.get("commentPattern", ""),
    )
    path = str(fields[AREA]).casefold()
    if project and not item.project.is_called(project):
        return False
    if area and path != area and not path.startswith(area + "\\"):
        return False
    if kind and kind.casefold() != str(fields[TYPE]).casefold():
        return False
    if happening.kind == "updated" and changed:
        return happening.update is not None and changed in happening.update.fields
    if happening.kind == "commented" and pattern:
        return pattern.casefold() in str(fields.get("System.History", "")).casefold()
    return True


def _resource(store: Store, happening: Happening) -> dict[str, Any]:
    item, update = happening.item, happening.update
    if happening.kind == "deleted":
        shown = deleted_json(store, item)
        fields = _plain_item(store, happening)["fields"]
        return {"id": item.id, "rev": item.latest.rev, "fields": fields, "_links": {}, "url": shown["url"]}
    if happening.kind != "updated" or update is None:
        return _plain_item(store, happening)
    shown = update_json(store, item, update, flat_people=True)
    revision = item.revisions[update.rev - 1]
    shown["revision"] = item_json(store, item, Choice(with_links=False, flat_people=True), revision)
    shown["_links"] = {"self": {"href": shown["url"]}, "parent": {"href": item_address(store, item)}}
    return shown


def _plain_item(store: Store, happening: Happening) -> dict[str, Any]:
    return item_json(store, happening.item, Choice(flat_people=True))


def _messages(store: Store, happening: Happening, wanted: str, is_detailed: bool) -> dict[str, str] | None:
    if wanted == "none":
        return None
    item, verb = happening.item, VERBS[happening.kind]
    url = f"{store.base_of(item.project)}/_workitems/edit/{item.id}"
    title, name = str(item.latest.fields[TITLE]), f"{item.type} #{item.id}"
    more = f"\r\n\r\n- State: {item.latest.fields['System.State']}\r\n" if is_detailed else ""
    texts = {
        "text": f"{name} ({title}) {verb} by {happening.by.name}.\r\n({url}){more}",
        "html": f'<a href="{url}">{name}</a> ({title}) {verb} by {happening.by.name}.{more}',
        "markdown": f"[{name}]({url}) ({title}) {verb} by {happening.by.name}.{more}",
    }
    return texts if wanted in ("", "all") else {wanted: texts[wanted]}


def envelope(store: Store, happening: Happening, event_id: str, inputs: Mapping[str, str]) -> dict[str, Any]:
    """The event as one subscription ordered it; the caller adds subscription and notification ids."""
    detail = inputs.get("resourceDetailsToSend", "") or "all"
    resource: dict[str, Any] | None = _resource(store, happening)
    if detail == "minimal" and resource is not None:
        resource = {key: resource[key] for key in ("id", "workItemId", "url") if key in resource}
    if detail == "none":
        resource = None
    base = store.base + "/"
    return {
        "id": event_id,
        "eventType": f"workitem.{happening.kind}",
        "publisherId": "tfs",
        "message": _messages(store, happening, inputs.get("messagesToSend", ""), is_detailed=False),
        "detailedMessage": _messages(store, happening, inputs.get("detailedMessagesToSend", ""), is_detailed=True),
        "resource": resource,
        "resourceVersion": "1.0",
        "resourceContainers": {
            "collection": {"id": INSTANCE_ID, "baseUrl": base},
            "account": {"id": INSTANCE_ID, "baseUrl": base},
            "project": {"id": happening.item.project.id, "baseUrl": base},
        },
        "createdDate": stamp(store.now()),
    }
