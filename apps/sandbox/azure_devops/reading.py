"""Reading work items: one, many, their updates and revisions."""

from typing import Any

from . import locations
from .calls import Answer, Call, collection
from .errors import BindingFault, Refusal, invalid_argument, missing_item
from .instants import moment
from .routes import JSON_TYPE, Route
from .views import Choice, item_json, update_json
from .workitems import Item

MOST_IDS = 200
EXPANSIONS = ("none", "relations", "fields", "links", "all")


def choice_of(expand: str, fields: list[str] | None, **more: Any) -> Choice:
    """What to show. Raises the vendor's 400 for an unknown expansion and for fields together with one."""
    expand = (expand or "none").casefold()
    if expand not in EXPANSIONS:
        raise BindingFault(f"The value '{expand}' is not valid for $expand.")
    if fields and expand not in ("none", "links"):
        message = "The expand parameter can not be used with the fields parameter."
        raise Refusal(400, message, "ConflictingParametersException")
    return Choice(fields or None, expand, **more)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _shown(call: Call, item: Item, choice: Choice, as_of: str) -> dict[str, Any]:
    if not as_of:
        return item_json(call.store, item, choice)
    try:
        revision = item.revision_as_of(moment(as_of))
    except ValueError:
        raise BindingFault(f"The value '{as_of}' is not valid for asOf.") from None
    if revision is None:
        raise missing_item(item.id)
    return item_json(call.store, item, choice, revision)


def read_item(call: Call) -> Answer:
    choice = choice_of(call.query("$expand"), _names(call.query("fields")))
    item = call.store.item(call.place_id(), call.project)
    return Answer(_shown(call, item, choice, call.query("asOf")))


def _read_many(call: Call, ids: list[int], choice: Choice, as_of: str, policy: str) -> Answer:
    if len(ids) > MOST_IDS:
        message = f"VS403474: You requested {len(ids)} work items which exceeds the limit of {MOST_IDS}."
        raise Refusal(400, message, "WorkItemsLimitExceededException")
    if policy.casefold() not in ("", "fail", "omit"):
        raise BindingFault(f"The value '{policy}' is not valid for errorPolicy.")
    shown: list[dict[str, Any] | None] = []
    for item_id in ids:
        try:
            shown.append(_shown(call, call.store.item(item_id, call.project), choice, as_of))
        except Refusal as refusal:
            if policy.casefold() != "omit" or refusal.status != 404:
                raise
            shown.append(None)
    return collection(shown)


def read_items(call: Call) -> Answer:
    texts = _names(call.query("ids"))
    if not texts or not all(text.isdecimal() for text in texts):
        raise BindingFault("The value of ids must be a list of whole numbers with commas between.")
    expand = call.query("$expand")
    links = expand.casefold() in ("links", "all")
    choice = choice_of(expand, _names(call.query("fields")), with_links=links, with_project=call.project is not None)
    return _read_many(call, [int(text) for text in texts], choice, call.query("asOf"), call.query("errorPolicy"))


def read_batch(call: Call) -> Answer:
    body = call.json_object()
    ids, fields = body.get("ids"), body.get("fields")
    if not isinstance(ids, list) or not ids or not all(type(one) is int for one in ids):
        raise invalid_argument("Value cannot be null. Parameter name: ids")
    if fields is not None and not (isinstance(fields, list) and all(isinstance(one, str) for one in fields)):
        raise invalid_argument("The parameter fields must be a list of field names.")
    expand = str(body.get("$expand") or "none")
    links = expand.casefold() in ("links", "all")
    choice = choice_of(expand, fields, with_links=links, with_project=call.project is not None)
    return _read_many(call, ids, choice, str(body.get("asOf") or ""), str(body.get("errorPolicy") or ""))


def _page(call: Call, many: list[Any]) -> list[Any]:
    skip, top = call.whole("$skip", 0), call.whole("$top", MOST_IDS, most=MOST_IDS)
    return many[skip : skip + top]


def read_updates(call: Call) -> Answer:
    item = call.store.item(call.place_id(), call.project)
    return collection([update_json(call.store, item, one) for one in _page(call, item.updates)])


def read_update(call: Call) -> Answer:
    item = call.store.item(call.place_id(), call.project)
    number = call.place_id("number")
    if number > len(item.updates):
        raise Refusal(
            404, f"VS402324: Update {number} of work item {item.id} does not exist.", "WorkItemNotFoundException"
        )
    return Answer(update_json(call.store, item, item.updates[number - 1]))


def read_revisions(call: Call) -> Answer:
    item = call.store.item(call.place_id(), call.project)
    choice = choice_of(call.query("$expand"), None, with_links=False)
    return collection([item_json(call.store, item, choice, one) for one in _page(call, item.revisions)])


def read_revision(call: Call) -> Answer:
    item = call.store.item(call.place_id(), call.project)
    number = call.place_id("number")
    if number > len(item.revisions):
        raise Refusal(
            404, f"VS402324: Revision {number} of work item {item.id} does not exist.", "WorkItemNotFoundException"
        )
    choice = choice_of(call.query("$expand"), None)
    return Answer(item_json(call.store, item, choice, item.revisions[number - 1]))


ROUTES = [
    Route("GET", "wit/workitems", read_items, locations.WORK_ITEM),
    Route("GET", "wit/workitems/{id:int}", read_item, locations.WORK_ITEM),
    Route("POST", "wit/workitemsbatch", read_batch, locations.ITEMS_BATCH, media=JSON_TYPE),
    Route("GET", "wit/workitems/{id:int}/updates", read_updates, locations.UPDATES),
    Route("GET", "wit/workitems/{id:int}/updates/{number:int}", read_update, locations.UPDATES),
    Route("GET", "wit/workitems/{id:int}/revisions", read_revisions, locations.REVISIONS),
    Route("GET", "wit/workitems/{id:int}/revisions/{number:int}", read_revision, locations.REVISIONS),
]
