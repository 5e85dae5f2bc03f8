"""Writing work items: create, change, many at once, delete, restore."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

from . import locations
from .calls import TRUE, Answer, Call, collection
from .commits import Writer, delete, destroy, instant_after, restore, save
from .document import Operation, json_value, parse_document
from .drafts import Draft
from .errors import Refusal, forbidden, invalid_argument, missing_item
from .fields import CHANGED_AT, CHANGED_BY, HISTORY
from .instants import stamp
from .places import Project
from .process import ItemType
from .reading import choice_of
from .routes import JSON_TYPE, PATCH_TYPE, Route
from .rules import settle
from .store import Store
from .views import item_json
from .workitems import Item, Revision

MOST_IN_BATCH = 200
FORMATS_SINCE = 7.2
IN_BATCH = re.compile(
    r"(?:/(?P<project>[^/]+))?/_apis/wit/workitems/(?:\$(?P<type>[^?]+)|(?P<id>\d+))(?:\?(?P<query>.*))?", re.I
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a write is meant: rules bypassed, only checked, without notices, with or without 7.2 members."""

    bypass: bool = False
    validate_only: bool = False
    quietly: bool = False
    takes_formats: bool = False


def _manner(call: Call, query: Callable[[str], bool]) -> Manner:
    """Raises 403 for what the person may not do."""
    settings, person = call.store.settings, call.person
    manner = Manner(
        query("bypassRules"),
        query("validateOnly"),
        query("suppressNotifications"),
        call.version.number >= FORMATS_SINCE,
    )
    if manner.bypass and person.mail not in settings.bypass_accounts:
        raise forbidden(person.name, "Bypass rules on work item updates")
    if manner.quietly and person.mail not in settings.suppress_accounts:
        raise forbidden(person.name, "Suppress notifications for work item updates")
    return manner


def _draft(call: Call, item: Item | None, project: Project, kind: ItemType, manner: Manner) -> Draft:
    store, at = call.store, instant_after(call.store, item)
    draft = Draft(store, item, project, kind, call.person, at, manner.bypass, manner.takes_formats)
    if item:
        kept = item.latest.fields
        draft.fields = {name: value for name, value in kept.items() if name != HISTORY}
        draft.formats = dict(item.latest.formats)
        draft.relations = list(item.relations)
    return draft


def _as_it_would_be(draft: Draft) -> tuple[Item, Revision]:
    settle(draft)
    fields = {**draft.fields, CHANGED_AT: draft.at, CHANGED_BY: draft.by}
    earlier = draft.item.revisions if draft.item else []
    relations = tuple(draft.relations)
    revision = Revision(len(earlier) + 1, fields, draft.formats, relations, 0, draft.at, draft.by)
    return Item(draft.id, draft.project, [*earlier, revision]), revision


def _written(draft: Draft, operations: list[Operation], manner: Manner, expand: str) -> dict[str, Any]:
    choice = choice_of(expand, None)
    if choice.expand == "none":
        choice = replace(choice, expand="relations")
    draft.apply(operations)
    if manner.validate_only:
        item, revision = _as_it_would_be(draft)
        shown = item_json(draft.store, item, choice, revision)
        return (
            shown
            if draft.item
            else {name: value for name, value in shown.items() if name not in ("id", "url", "_links")}
        )
    item = save(draft, Writer(draft.by, manner.quietly))
    return item_json(draft.store, item, choice)


def create_item(call: Call) -> Answer:
    manner = _manner(call, call.flag)
    kind = call.store.item_type(unquote(call.places["type"]), call.here)
    draft = _draft(call, None, call.here, kind, manner)
    return Answer(_written(draft, parse_document(call.body), manner, call.query("$expand")))


def template(call: Call) -> Answer:
    kind = call.store.item_type(unquote(call.places["type"]), call.here)
    draft = _draft(call, None, call.here, kind, Manner(bypass=True))
    item, revision = _as_it_would_be(draft)
    shown = item_json(call.store, item, choice_of(call.query("$expand"), None, with_links=False), revision)
    return Answer({"fields": shown["fields"], "url": f"{call.base}/_apis/wit/workItems/${kind.name}"})


def change_item(call: Call) -> Answer:
    manner = _manner(call, call.flag)
    operations = parse_document(call.body)
    item = call.store.item(call.place_id(), call.project)
    kind = call.store.item_type(item.type, item.project)
    draft = _draft(call, item, item.project, kind, manner)
    return Answer(_written(draft, operations, manner, call.query("$expand")))


def write_batch(call: Call) -> Answer:
    """Each request stands for itself: one that is refused leaves the others as they are."""
    requests = json_value(call.body)
    if not isinstance(requests, list) or not requests:
        raise invalid_argument("Value cannot be null. Parameter name: requests")
    if len(requests) > MOST_IN_BATCH:
        raise invalid_argument(f"The batch has {len(requests)} requests, {MOST_IN_BATCH} are allowed.")
    results = []
    for entry in requests:
        try:
            code, body = 200, _write_one(call, entry)
        except Refusal as refusal:
            code, body = refusal.status, refusal.body()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        results.append({"code": code, "headers": headers, "body": json.dumps(body)})
    return collection(results)


def _has_headers(entry: dict[str, Any]) -> bool:
    return isinstance(entry.get("headers"), dict)


def _write_one(call: Call, entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict) or str(entry.get("method")).upper() != "PATCH" or not _has_headers(entry):
        raise invalid_argument("Only PATCH requests on work items can be sent in a batch.")
    found = IN_BATCH.fullmatch(str(entry.get("uri")))
    media = {str(name).casefold(): value for name, value in entry["headers"].items()}.get("content-type", "")
    if found is None or not str(media).startswith(PATCH_TYPE):
        raise invalid_argument(f"The request {entry.get('uri')} cannot be sent in a batch.")
    query = {name.casefold(): value for name, value in parse_qsl(found["query"] or "")}
    if "api-version" not in query:
        raise invalid_argument("Every request of a batch needs its own api-version.")
    manner = _manner(call, lambda name: query.get(name.casefold(), "").casefold() in TRUE)
    operations = parse_document(json.dumps(entry.get("body")).encode())
    project = call.store.project(unquote(found["project"])) if found["project"] else None
    if found["id"]:
        item = call.store.item(int(found["id"]), project)
        project, kind = item.project, call.store.item_type(item.type, item.project)
        draft = _draft(call, item, item.project, kind, manner)
    elif project is None:
        raise invalid_argument("A work item can only be created inside a project.")
    else:
        kind = call.store.item_type(unquote(found["type"]), project)
        draft = _draft(call, None, project, kind, manner)
    return _written(draft, operations, manner, query.get("$expand", ""))


def deleted_json(store: Store, item: Item, with_resource: bool = True) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": item.id,
        "type": item.type,
        "name": item.latest.fields["System.Title"],
        "project": item.project.name,
        "deletedDate": stamp(item.latest.at),
        "deletedBy": item.latest.by.combined,
        "code": 200,
        "url": f"{store.base_of(item.project)}/_apis/wit/recyclebin/{item.id}",
    }
    if with_resource:
        shown["resource"] = item_json(store, item, choice_of("none", None))
    return shown


def _remove(call: Call, item: Item, for_good: bool, quietly: bool = False) -> dict[str, Any]:
    settings = call.store.settings
    if for_good and call.person.mail not in settings.destroy_accounts:
        raise forbidden(call.person.name, "Permanently delete work items")
    if not item.is_deleted:
        delete(call.store, item, Writer(call.person, quietly))
    shown = deleted_json(call.store, item)
    if for_good:
        destroy(call.store, item)
    return shown


def delete_item(call: Call) -> Answer:
    return Answer(_remove(call, call.store.item(call.place_id(), call.project), call.flag("destroy")))


def delete_items(call: Call) -> Answer:
    body = call.json_object()
    ids = body.get("ids")
    if not isinstance(ids, list) or not ids or not all(type(one) is int for one in ids):
        raise invalid_argument("Value cannot be null. Parameter name: ids")
    results: list[dict[str, Any]] = []
    for item_id in ids:
        try:
            item = call.store.item(item_id, call.project)
            results.append(_remove(call, item, bool(body.get("destroy")), bool(body.get("skipNotifications"))))
        except Refusal as refusal:
            results.append({"id": item_id, "code": refusal.status, "message": refusal.message})
    return Answer({"results": results})


def _thrown_away(call: Call) -> Item:
    item = call.store.items.get(call.place_id())
    if item is None or not item.is_deleted or (call.project and item.project is not call.project):
        raise missing_item(call.place_id())
    return item


def read_bin(call: Call) -> Answer:
    thrown = [one for one in call.store.items.values() if one.is_deleted and call.project in (None, one.project)]
    wanted = call.query("ids")
    if wanted:
        ids = {int(text) for text in wanted.split(",") if text.strip().isdecimal()}
        return collection([deleted_json(call.store, one, with_resource=False) for one in thrown if one.id in ids])
    base = call.store.base_of
    return collection([{"id": one.id, "url": f"{base(one.project)}/_apis/wit/recyclebin/{one.id}"} for one in thrown])


def read_thrown_away(call: Call) -> Answer:
    return Answer(deleted_json(call.store, _thrown_away(call)))


def restore_item(call: Call) -> Answer:
    item = _thrown_away(call)
    if call.json_object().get("isDeleted") is not False:
        raise invalid_argument("Only isDeleted false can be written to the recycle bin.")
    restore(call.store, item, Writer(call.person))
    return Answer(deleted_json(call.store, item))


def destroy_item(call: Call) -> Answer:
    _remove(call, _thrown_away(call), for_good=True)
    return Answer(status=204)


ROUTES = [
    Route("POST", "wit/workitems/${type}", create_item, locations.NEW_ITEM, "required", PATCH_TYPE),
    Route("GET", "wit/workitems/${type}", template, locations.NEW_ITEM, "required"),
    Route("PATCH", "wit/workitems/{id:int}", change_item, locations.WORK_ITEM, "optional", PATCH_TYPE),
    Route("DELETE", "wit/workitems/{id:int}", delete_item, locations.WORK_ITEM),
    Route("PATCH", "wit/$batch", write_batch, locations.BATCH, "none", JSON_TYPE),
    Route("POST", "wit/$batch", write_batch, locations.BATCH, "none", JSON_TYPE),
    Route("POST", "wit/workitemsdelete", delete_items, locations.ITEMS_DELETE, "optional", JSON_TYPE),
    Route("GET", "wit/recyclebin", read_bin, locations.RECYCLE_BIN),
    Route("GET", "wit/recyclebin/{id:int}", read_thrown_away, locations.RECYCLE_BIN),
    Route("PATCH", "wit/recyclebin/{id:int}", restore_item, locations.RECYCLE_BIN, "optional", JSON_TYPE),
    Route("DELETE", "wit/recyclebin/{id:int}", destroy_item, locations.RECYCLE_BIN),
]
