"""Comments and their versions: preview only, always inside a project."""

from . import locations
from .calls import Answer, Call, collection
from .commits import Writer, add_comment, delete_comment, edit_comment
from .errors import BindingFault, Refusal
from .markup import Format
from .routes import JSON_TYPE, Route
from .views import comment_json
from .workitems import Comment, Item

MOST = 200
RENDERING = ("renderedtext", "all")


def _item(call: Call) -> Item:
    return call.store.item(call.place_id(), call.project)


def _missing(comment_id: int) -> Refusal:
    text = f"VS403330: Comment {comment_id} does not exist."
    return Refusal(404, text, "WorkItemCommentNotFoundException")


def _comment(call: Call, item: Item) -> Comment:
    comment = item.comment(call.place_id("comment"))
    if comment is None or (comment.is_deleted and not call.flag("includeDeleted")):
        raise _missing(call.place_id("comment"))
    return comment


def _format(call: Call, default: Format) -> Format:
    written = call.query("format").casefold()
    match written:
        case "":
            return default
        case "markdown" | "html":
            return written
    raise BindingFault(f"The value '{written}' is not valid for format.")


def _with_rendered(call: Call) -> bool:
    return call.query("$expand").casefold() in RENDERING


def list_comments(call: Call) -> Answer:
    item = _item(call)
    kept = [one for one in item.comments if call.flag("includeDeleted") or not one.is_deleted]
    descending = call.query("order", "desc").casefold() != "asc"
    page = sorted(kept, key=lambda one: one.id, reverse=descending)
    if ids := call.query("ids"):
        wanted = {int(text) for text in ids.split(",") if text.strip().isdecimal()}
        page = [one for one in page if one.id in wanted]
    if token := call.query("continuationToken"):
        if not token.isdecimal():
            raise BindingFault(f"The continuationToken '{token}' is not valid.")
        page = [one for one in page if (one.id < int(token) if descending else one.id > int(token))]
    top = call.whole("$top", MOST, most=MOST)
    address = f"{call.base}/_apis/wit/workItems/{item.id}/comments"
    shown = {
        "totalCount": len(kept),
        "count": len(page[:top]),
        "comments": [comment_json(call.store, item, one, _with_rendered(call)) for one in page[:top]],
        "url": address,
    }
    if len(page) > top > 0:
        last = page[top - 1].id
        order = "desc" if descending else "asc"
        shown["continuationToken"] = str(last)
        shown["nextPage"] = f"{address}?$top={top}&order={order}&continuationToken={last}"
    return Answer(shown)


def read_comment(call: Call) -> Answer:
    item = _item(call)
    return Answer(comment_json(call.store, item, _comment(call, item), _with_rendered(call)))


def create_comment(call: Call) -> Answer:
    item = _item(call)
    form = _format(call, "html")
    comment = add_comment(call.store, item, Writer(call.person), call.json_object().get("text"), form)
    return Answer(comment_json(call.store, item, comment, True))


def change_comment(call: Call) -> Answer:
    item = _item(call)
    old = _comment(call, item)
    text = call.json_object().get("text")
    new = edit_comment(call.store, item, Writer(call.person), old, text=text, form=_format(call, old.form))
    return Answer(comment_json(call.store, item, new, True))


def remove_comment(call: Call) -> Answer:
    item = _item(call)
    delete_comment(call.store, item, Writer(call.person), _comment(call, item))
    return Answer(status=204)


def list_versions(call: Call) -> Answer:
    item = _item(call)
    versions = item.versions.get(call.place_id("comment"))
    if versions is None:
        raise _missing(call.place_id("comment"))
    return collection([comment_json(call.store, item, one, True) for one in versions])


def read_version(call: Call) -> Answer:
    item = _item(call)
    versions = item.versions.get(call.place_id("comment"), [])
    found = next((one for one in versions if one.version == call.place_id("version")), None)
    if found is None:
        raise _missing(call.place_id("comment"))
    return Answer(comment_json(call.store, item, found, True))


ALL = "wit/workitems/{id:int}/comments"
ONE = ALL + "/{comment:int}"
ROUTES = [
    Route("GET", ALL, list_comments, locations.COMMENTS, "required"),
    Route("POST", ALL, create_comment, locations.COMMENTS, "required", JSON_TYPE),
    Route("GET", ONE, read_comment, locations.COMMENTS, "required"),
    Route("PATCH", ONE, change_comment, locations.COMMENTS, "required", JSON_TYPE),
    Route("DELETE", ONE, remove_comment, locations.COMMENTS, "required"),
    Route("GET", ONE + "/versions", list_versions, locations.COMMENT_VERSIONS, "required"),
    Route("GET", ONE + "/versions/{version:int}", read_version, locations.COMMENT_VERSIONS, "required"),
]
