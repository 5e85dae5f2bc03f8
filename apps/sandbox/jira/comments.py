"""Comments and their properties, through the platform's and the service desk's interface."""

from typing import Any

from aiohttp import web

from . import shapes, workflow
from .drafts import check_property, read_comment, read_comment_body, read_visibility
from .errors import Refusal, bad, bad_field
from .issue_shape import visible_comments
from .issues import check_room
from .records import CommentDraft, Records
from .site import Call
from .state import Comment, Issue
from .texts import as_wiki

MOST_LISTED = 1000


def _comment(call: Call, issue: Issue) -> Comment:
    wanted = call.part("comment")
    found = next((entry for entry in visible_comments(call.view, issue) if entry.id == wanted), None)
    if found is None:
        raise Refusal(404, f"Can not find a comment for the id: {wanted}.")
    return found


def _check_open(call: Call, issue: Issue) -> None:
    if issue.is_archived or (workflow.is_closed(issue) and not call.site.settings.closed_takes_comments):
        raise bad_field("comment", "You do not have the permission to comment on this issue.")


async def list_comments(call: Call) -> web.Response:
    issue = call.issue()
    entries = sorted(visible_comments(call.view, issue), key=lambda entry: (entry.created, int(entry.id)))
    order = call.request.query.get("orderBy", "created")
    if order.lstrip("+-") != "created":
        raise bad(f"Ordering by '{order}' is not supported.")
    if order.startswith("-"):
        entries.reverse()
    page = call.page(entries, 5000, 100)
    expand = frozenset(call.words("expand"))
    shown = [shapes.comment(call.view, issue, entry, expand) for entry in page["values"]]
    answer = {"startAt": page["startAt"], "maxResults": page["maxResults"], "total": page["total"], "comments": shown}
    return web.json_response(answer)


async def add_comment(call: Call) -> web.Response:
    """201 with the comment. The author is always the caller; 413 over the per-issue limit."""
    issue = call.issue()
    author = call.user.account_id
    body = await call.json_object()
    _check_open(call, issue)
    draft = read_comment(call, body, call.site.is_service_project(issue.project))
    check_room(call, issue, 1)
    entry = Records(call.site, author).comment(issue, draft)
    shape = shapes.comment(call.view, issue, entry, frozenset(call.words("expand")))
    return web.json_response(shape, status=201)


async def get_comment(call: Call) -> web.Response:
    issue = call.issue()
    expand = frozenset(call.words("expand"))
    return web.json_response(shapes.comment(call.view, issue, _comment(call, issue), expand))


async def edit_comment(call: Call) -> web.Response:
    """200 with the comment. Only its author or an administrator edits it; public or internal cannot be changed."""
    issue = call.issue()
    entry = _own_comment(call, issue, "edit")
    body = await call.json_object()
    _check_open(call, issue)
    text = read_comment_body(call, body.get("body"))
    visibility = read_visibility(body["visibility"]) if "visibility" in body else entry.visibility
    Records(call.site, call.user.account_id).edit_comment(issue, entry, text, visibility)
    return web.json_response(shapes.comment(call.view, issue, entry, frozenset(call.words("expand"))))


async def delete_comment(call: Call) -> web.Response:
    issue = call.issue()
    entry = _own_comment(call, issue, "delete")
    Records(call.site, call.user.account_id).delete_comment(issue, entry)
    return web.Response(status=204)


def _own_comment(call: Call, issue: Issue, verb: str) -> Comment:
    person, entry = call.user, _comment(call, issue)
    if entry.author != person.account_id and not person.is_admin:
        raise bad(f"You do not have the permission to {verb} this comment.")
    return entry


async def list_by_ids(call: Call) -> web.Response:
    """Cloud: up to 1,000 comments by id; ids that are missing or hidden are left out without a word."""
    wanted = (await call.json_object()).get("ids")
    if not isinstance(wanted, list) or not 0 < len(wanted) <= MOST_LISTED:
        raise bad(f"Between 1 and {MOST_LISTED} comment ids must be given.")
    names = {str(name) for name in wanted}
    expand = frozenset(call.words("expand"))
    shown = [
        shapes.comment(call.view, issue, entry, expand)
        for issue in call.site.store.living()
        if call.may_see(issue)
        for entry in visible_comments(call.view, issue)
        if entry.id in names
    ]
    return web.json_response(call.page(shown, MOST_LISTED, MOST_LISTED))


def _anywhere(call: Call) -> Comment:
    wanted = call.part("comment")
    for issue in call.site.store.living():
        if call.may_see(issue):
            for entry in visible_comments(call.view, issue):
                if entry.id == wanted:
                    return entry
    raise Refusal(404, f"Can not find a comment for the id: {wanted}.")


async def list_properties(call: Call) -> web.Response:
    entry = _anywhere(call)
    own = f"{call.view.api}/comment/{entry.id}/properties/"
    return web.json_response({"keys": [{"self": own + key, "key": key} for key in entry.properties]})


async def get_property(call: Call) -> web.Response:
    entry, key = _anywhere(call), call.part("key")
    if key not in entry.properties:
        raise Refusal(404, f"The property with key '{key}' does not exist.")
    return web.json_response({"key": key, "value": entry.properties[key]})


async def set_property(call: Call) -> web.Response:
    """201 new, 200 replaced. Writing ``sd.public.comment`` later does not change who sees the comment."""
    entry, key = _anywhere(call), call.part("key")
    value = await call.json()
    check_property(key, value)
    is_new = key not in entry.properties
    entry.properties[key] = value
    return web.Response(status=201 if is_new else 200)


async def delete_property(call: Call) -> web.Response:
    entry, key = _anywhere(call), call.part("key")
    if key not in entry.properties:
        raise Refusal(404, f"The property with key '{key}' does not exist.")
    del entry.properties[key]
    return web.Response(status=204)


def _service_issue(call: Call) -> Issue:
    issue = call.issue()
    if not call.site.is_service_project(issue.project):
        raise Refusal(404, "The request does not exist or you do not have permission to see it.")
    return issue


def _service_shape(call: Call, issue: Issue, entry: Comment) -> dict[str, Any]:
    at = call.view.stamp(entry.created)
    friendly = entry.created.strftime("%d/%b/%y %I:%M %p")
    made = {"iso8601": at, "jira": at, "friendly": friendly, "epochMillis": round(entry.created.timestamp() * 1000)}
    links = {"self": f"{call.site.origin}/rest/servicedeskapi/request/{issue.id}/comment/{entry.id}"}
    author = shapes.user(call.view, entry.author)
    body = as_wiki(entry.body)
    return {"id": entry.id, "body": body, "public": entry.is_public, "author": author, "created": made, "_links": links}


async def add_service_comment(call: Call) -> web.Response:
    """201; ``public`` false makes the comment internal. 404 when the issue is in no service project."""
    issue = _service_issue(call)
    author = call.user.account_id
    body = await call.json_object()
    is_public = body.get("public", True)
    if not isinstance(is_public, bool):
        raise bad("public must be a boolean.")
    _check_open(call, issue)
    text = read_comment_body(call, body.get("body"))
    check_room(call, issue, 1)
    entry = Records(call.site, author).comment(issue, CommentDraft(text, is_public))
    return web.json_response(_service_shape(call, issue, entry), status=201)


async def list_service_comments(call: Call) -> web.Response:
    """A page with start, limit and size; ``public`` and ``internal`` choose which comments are shown."""
    issue = _service_issue(call)
    start, limit = call.number("start", 0), call.number("limit", 50, 100)
    kept = [
        entry
        for entry in visible_comments(call.view, issue)
        if (call.flag("public", True) and entry.is_public) or (call.flag("internal", True) and not entry.is_public)
    ]
    values = [_service_shape(call, issue, entry) for entry in kept[start : start + limit]]
    is_last = start + len(values) >= len(kept)
    page = {"size": len(values), "start": start, "limit": limit, "isLastPage": is_last, "values": values}
    return web.json_response(page)
