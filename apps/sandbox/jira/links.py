"""What hangs on an issue besides fields: entity properties, remote links and links to other issues."""

from typing import Any

from aiohttp import web

from .drafts import check_property, read_comment
from .errors import Refusal, bad
from .records import Records
from .site import Call
from .state import Issue, IssueLink, RemoteLink

GLOBAL_ID_LIMIT = 255


async def list_properties(call: Call) -> web.Response:
    issue = call.issue()
    own = f"{call.view.api}/issue/{issue.key}/properties/"
    return web.json_response({"keys": [{"self": own + key, "key": key} for key in issue.properties]})


async def get_property(call: Call) -> web.Response:
    issue, key = call.issue(), call.part("key")
    if key not in issue.properties:
        raise Refusal(404, f"The property with key '{key}' does not exist.")
    return web.json_response({"key": key, "value": issue.properties[key]})


async def set_property(call: Call) -> web.Response:
    """201 new, 200 replaced; the body is the bare JSON value."""
    issue, key = call.issue(), call.part("key")
    value = await call.json()
    check_property(key, value)
    is_new = key not in issue.properties
    Records(call.site, call.user.account_id).set_property(issue, key, value)
    return web.Response(status=201 if is_new else 200)


async def delete_property(call: Call) -> web.Response:
    issue, key = call.issue(), call.part("key")
    if key not in issue.properties:
        raise Refusal(404, f"The property with key '{key}' does not exist.")
    Records(call.site, call.user.account_id).delete_property(issue, key)
    return web.Response(status=204)


def _remote_shape(call: Call, issue: Issue, link: RemoteLink) -> dict[str, Any]:
    shape: dict[str, Any] = {"id": link.id, "self": _remote_self(call, issue, link)}
    if link.global_id is not None:
        shape["globalId"] = link.global_id
    return shape | {"application": {}} | link.body


def _remote_self(call: Call, issue: Issue, link: RemoteLink) -> str:
    return f"{call.view.api}/issue/{issue.key}/remotelink/{link.id}"


async def list_remote_links(call: Call) -> web.Response:
    """All remote links, or the one with the given ``globalId``; 404 when there is none with it."""
    issue, wanted = call.issue(), call.request.query.get("globalId")
    if wanted is None:
        return web.json_response([_remote_shape(call, issue, link) for link in issue.remote_links])
    found = next((link for link in issue.remote_links if link.global_id == wanted), None)
    if found is None:
        raise Refusal(404, f"No remote link was found for the global id '{wanted}'.")
    return web.json_response(_remote_shape(call, issue, found))


async def set_remote_link(call: Call) -> web.Response:
    """Upsert by ``globalId``: 201 for a new link, 200 for a known one; 413 over the per-issue limit of Cloud."""
    issue = call.issue()
    body = await call.json_object()
    target, global_id = body.get("object"), body.get("globalId")
    errors = {}
    for name in ("url", "title"):
        value = target.get(name) if isinstance(target, dict) else None
        if not isinstance(value, str) or not value.strip():
            errors[name] = f"'{name}' is required."
    if global_id is not None and (not isinstance(global_id, str) or len(global_id) > GLOBAL_ID_LIMIT):
        errors["globalId"] = f"'globalId' must be at most {GLOBAL_ID_LIMIT} characters long."
    if errors:
        raise Refusal(400, fields=errors)
    kept = {name: body[name] for name in ("application", "relationship", "object") if body.get(name) is not None}
    known = next((at for at, link in enumerate(issue.remote_links) if global_id and link.global_id == global_id), None)
    if known is not None:
        link = RemoteLink(issue.remote_links[known].id, global_id, kept)
        issue.remote_links[known] = link
    else:
        limit = call.site.settings.remote_link_limit
        if call.site.settings.is_cloud and len(issue.remote_links) >= limit:
            raise Refusal(413, f"The issue has reached the limit of {limit} remote links.")
        link = RemoteLink(call.site.store.number("remote"), global_id, kept)
        issue.remote_links.append(link)
    answer = {"id": link.id, "self": _remote_self(call, issue, link)}
    return web.json_response(answer, status=201 if known is None else 200)


def _remote_link(call: Call, issue: Issue) -> RemoteLink:
    found = next((link for link in issue.remote_links if str(link.id) == call.part("link")), None)
    if found is None:
        raise Refusal(404, f"The remote link with id '{call.part('link')}' does not exist.")
    return found


async def get_remote_link(call: Call) -> web.Response:
    issue = call.issue()
    return web.json_response(_remote_shape(call, issue, _remote_link(call, issue)))


async def delete_remote_link(call: Call) -> web.Response:
    issue = call.issue()
    issue.remote_links.remove(_remote_link(call, issue))
    return web.Response(status=204)


def _side(call: Call, body: dict[str, Any], name: str) -> Issue:
    told = body.get(name)
    wanted = str(told.get("id") or told.get("key") or "") if isinstance(told, dict) else ""
    issue = call.site.store.find(wanted)
    if issue is None or not call.may_see(issue):
        raise Refusal(404, f"Issue does not exist or you do not have permission to see it: {name}")
    return issue


async def link_issues(call: Call) -> web.Response:
    """201 with no body. The change shows in both change logs and leaves ``updated`` alone by default."""
    author = call.user.account_id
    body = await call.json_object()
    told = body.get("type")
    names = told if isinstance(told, dict) else {}
    kinds = call.site.store.link_types.values()
    kind = next((each for each in kinds if each.name == names.get("name") or each.id == names.get("id")), None)
    if kind is None:
        raise Refusal(404, f"No issue link type with name '{names.get('name')}' found.")
    inward, outward = _side(call, body, "inwardIssue"), _side(call, body, "outwardIssue")
    if inward is outward:
        raise bad("You cannot link an issue to itself.")
    comment = body.get("comment")
    draft = read_comment(call, comment, False) if isinstance(comment, dict) else None
    records = Records(call.site, author)
    records.link(inward, outward, IssueLink(str(call.site.store.number("link")), kind.id, inward.id, outward.id))
    if draft is not None:
        records.comment(inward, draft)
    return web.Response(status=201)


async def unlink_issues(call: Call) -> web.Response:
    author, wanted = call.user.account_id, call.part("link")
    issues = [issue for issue in call.site.store.living() if any(link.id == wanted for link in issue.links)]
    if not issues:
        raise Refusal(404, f"No issue link with id '{wanted}' exists.")
    link = next(link for link in issues[0].links if link.id == wanted)
    Records(call.site, author).unlink(issues, link)
    return web.Response(status=204)
