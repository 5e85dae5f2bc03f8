"""Create, read, edit, move along the workflow, and delete issues."""

from typing import Any

from aiohttp import web

from . import seed, shapes, workflow
from .drafts import Draft, read_draft, read_properties
from .errors import NO_SUCH_ISSUE, OFF_SCREEN, Refusal, bad, bad_field, missing_issue
from .issue_shape import edit_meta, issue_json
from .records import CommentDraft, Records
from .site import Call
from .state import FieldSpec, Issue, Project
from .values import BadValue, read_value

MOST_BULK_CREATED = 50
MOST_BULK_FETCHED = 100
CHANGELOG_PAGE = 100


async def get_issue(call: Call) -> web.Response:
    """The issue by id or by any key it ever had, with its present key; 404 when missing or hidden."""
    issue = call.issue()
    fields = call.words("fields") or ["*all"]
    properties = call.words("properties") if "properties" in call.request.query else None
    return web.json_response(issue_json(call.view, issue, fields, call.words("expand"), properties))


async def create_issue(call: Call) -> web.Response:
    """201 with id, key and self only: status and defaults must be read back. 400 keyed by field."""
    return web.json_response(_create(call, await call.json_object()), status=201)


async def create_issues(call: Call) -> web.Response:
    """Up to 50 at once; 201 with those that worked and the errors of the others, 400 when none worked."""
    updates = (await call.json_object()).get("issueUpdates")
    if not isinstance(updates, list) or not updates:
        raise bad("The issueUpdates must be a list that is not empty.")
    if len(updates) > MOST_BULK_CREATED:
        raise bad(f"The maximum number of issues that can be created in one request is {MOST_BULK_CREATED}.")
    made: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for number, update in enumerate(updates):
        try:
            made.append(_create(call, update if isinstance(update, dict) else {}))
        except Refusal as problem:
            element = problem.as_json()
            errors.append({"status": problem.status, "elementErrors": element, "failedElementNumber": number})
    return web.json_response({"issues": made, "errors": errors}, status=201 if made else 400)


def _create(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    author, site = call.user.account_id, call.site
    fields = body.get("fields")
    if not isinstance(fields, dict):
        raise bad_field("project", "Specify a valid project ID or key")
    rest = {name: value for name, value in fields.items() if name != "project"}
    draft = read_draft(
        call,
        body | {"fields": rest},
        lambda spec: workflow.is_on_screen(site, spec) or spec.kind == "comment",
        service=_is_service(call, fields.get("project")),
    )
    project = _read_project(call, fields.get("project"), draft)
    _complete(call, draft)
    if draft.errors or project is None:
        raise Refusal(400, fields=draft.errors)
    properties = read_properties(body.get("properties"))
    issue = Records(site, author).create(project, draft.values, properties)
    for comment in draft.comments:
        Records(site, author).comment(issue, comment)
    answer = {"id": issue.id, "key": issue.key, "self": f"{call.view.api}/issue/{issue.id}"}
    return answer | _first_step(call, issue, body.get("transition"))


def _first_step(call: Call, issue: Issue, told: Any) -> dict[str, Any]:
    """Take the transition that a create asked for. The issue stays when it fails; the answer says so."""
    if not isinstance(told, dict) or not told.get("id"):
        return {}
    status, errors = 204, Refusal(204)
    try:
        _take_step(call, issue, {"transition": told})
    except Refusal as problem:
        status, errors = problem.status, problem
    return {"transition": {"status": status, "errorCollection": errors.as_json()}}


def _is_service(call: Call, raw: Any) -> bool:
    project = _find_project(call, raw)
    return project is not None and call.site.is_service_project(project.key)


def _find_project(call: Call, raw: Any) -> Project | None:
    if not isinstance(raw, dict):
        return None
    project = call.site.store.project(str(raw.get("id") or raw.get("key") or ""))
    return None if project is None or project.key in call.site.settings.forbidden_projects else project


def _read_project(call: Call, raw: Any, draft: Draft) -> Project | None:
    project = _find_project(call, raw)
    if project is None:
        draft.errors["project"] = "Specify a valid project ID or key" if raw else "project is required"
    return project


def _complete(call: Call, draft: Draft) -> None:
    """Fill defaults and name what is required and missing."""
    site = call.site
    draft.values.setdefault("reporter", call.user.account_id)
    if workflow.is_on_screen(site, site.store.fields["priority"]):
        draft.values.setdefault("priority", seed.PRIORITY_MEDIUM)
    told = {"summary": "You must specify a summary of the issue.", "issuetype": "Specify an issue type"}
    for name in ("summary", "issuetype", *site.settings.required_fields):
        if not draft.values.get(name) and name not in draft.errors:
            spec = site.store.fields.get(name)
            draft.errors[name] = told.get(name, f"{spec.name if spec else name} is required.")


async def edit_issue(call: Call) -> web.Response:
    """204 (200 with the issue for ``returnIssue``). Last write wins: there is no version to compare. Status is not
    editable, and a ``transition`` in the body is ignored. 400 for fields that are not on the screen of this status."""
    issue = call.issue()
    person = call.user
    if (call.flag("overrideScreenSecurity") or call.flag("overrideEditableFlag")) and not person.is_admin:
        raise Refusal(403, "You do not have permission to override screen security or the editable flag.")
    body = await call.json_object()
    site = call.site
    override = call.flag("overrideEditableFlag")

    def is_allowed(spec: FieldSpec) -> bool:
        return workflow.is_editable(site, issue, spec) or (override and workflow.is_on_screen(site, spec))

    draft = read_draft(call, body, is_allowed, issue, site.is_service_project(issue.project))
    draft.check()
    properties = read_properties(body.get("properties"))
    _write(call, issue, draft.values, draft.comments, body.get("historyMetadata"))
    for key, value in properties.items():
        Records(site, person.account_id).set_property(issue, key, value)
    if call.flag("returnIssue"):
        return web.json_response(issue_json(call.view, issue, ["*all"], call.words("expand")))
    return web.Response(status=204)


def _write(
    call: Call, issue: Issue, values: dict[str, Any], comments: list[CommentDraft], metadata: Any = None
) -> None:
    check_room(call, issue, len(comments))
    records = Records(call.site, call.user.account_id)
    kept = metadata if isinstance(metadata, dict) else None
    records.change(issue, values, kept, comments[0] if comments else None)
    for comment in comments[1:]:
        records.comment(issue, comment)


def check_room(call: Call, issue: Issue, added: int) -> None:
    """Raise 413 when ``added`` comments would go over the per-issue limit of Cloud."""
    limit = call.site.settings.comment_limit
    if call.site.settings.is_cloud and added and len(issue.comments) + added > limit:
        raise Refusal(413, f"The issue has reached the limit of {limit} comments.")


async def delete_issue(call: Call) -> web.Response:
    """204; there is no bin. Afterwards the issue answers 404."""
    issue = call.issue()
    Records(call.site, call.user.account_id).delete(issue)
    return web.Response(status=204)


async def assign_issue(call: Call) -> web.Response:
    """204; null takes the assignee away, ``-1`` sets the project's default, which is nobody here."""
    issue = call.issue()
    spec = call.site.store.fields["assignee"]
    raw = await call.json_object()
    member = "accountId" if call.site.settings.is_cloud else "name"
    if member not in raw:
        raise bad_field("assignee", f"'{member}' must be given.")
    if not workflow.is_editable(call.site, issue, spec):
        raise bad_field("assignee", OFF_SCREEN.format("assignee"))
    try:
        value = read_value(call.site, call.version, spec, raw)
    except BadValue as problem:
        raise bad_field("assignee", str(problem)) from problem
    _write(call, issue, {"assignee": value}, [])
    return web.Response(status=204)


async def get_transitions(call: Call) -> web.Response:
    """The steps that this issue can take now; none out of the closed status. Ids belong to the workflow."""
    issue = call.issue()
    with_fields = "transitions.fields" in call.words("expand")
    wanted = call.request.query.get("transitionId")
    steps = [step for step in workflow.available(call.site, issue) if wanted in (None, step.id)]
    shown = [shapes.transition(call.view, step, with_fields) for step in steps]
    return web.json_response({"expand": "transitions", "transitions": shown})


async def do_transition(call: Call) -> web.Response:
    """204; 400 for a step that is not available, for a field off the step's screen, and for a missing one."""
    _take_step(call, call.issue(), await call.json_object())
    return web.Response(status=204)


def _take_step(call: Call, issue: Issue, body: dict[str, Any]) -> None:
    told, site = body.get("transition"), call.site
    if not isinstance(told, dict) or told.get("id") in (None, ""):
        raise bad("Missing 'transition' identifier")
    step = next((each for each in workflow.available(site, issue) if each.id == str(told["id"])), None)
    if step is None:
        known = any(each.id == str(told["id"]) for each in site.store.transitions)
        detail = "is not valid for this issue." if known else "does not exist."
        raise bad(f"It seems that you have tried to perform a workflow operation that is not available: {detail}")
    draft = read_draft(
        call,
        body,
        lambda spec: spec.id in step.screen or spec.kind == "comment",
        issue,
        site.is_service_project(issue.project),
    )
    for name in step.required:
        if not draft.values.get(name) and name not in draft.errors:
            draft.errors[name] = f"{site.store.fields[name].name} is required."
    draft.check()
    values = {"status": step.target} | draft.values | dict(step.sets)
    _write(call, issue, values, draft.comments, body.get("historyMetadata"))


async def get_edit_meta(call: Call) -> web.Response:
    return web.json_response(edit_meta(call.view, call.issue()))


async def get_changelog(call: Call) -> web.Response:
    """Cloud: all changes of one issue, the oldest first, at most 100 a page."""
    issue = call.issue()
    page = call.page(issue.changes, CHANGELOG_PAGE, CHANGELOG_PAGE)
    page["values"] = [shapes.change(call.view, change) for change in page["values"]]
    return web.json_response(page)


async def fetch_issues(call: Call) -> web.Response:
    """Up to 100 issues by id or key, straight from the store, by ascending id; the others are named in issueErrors."""
    body = await call.json_object()
    wanted = _names(body.get("issueIdsOrKeys"), MOST_BULK_FETCHED)
    found, errors = {}, []
    for name in wanted:
        issue = call.site.store.find(name)
        if issue is None or not call.may_see(issue):
            errors.append({"id": name, "errorMessage": NO_SUCH_ISSUE})
        else:
            found[int(issue.id)] = issue
    fields = body.get("fields") or ["*navigable"]
    shown = [
        issue_json(call.view, found[number], fields, body.get("expand") or (), body.get("properties"))
        for number in sorted(found)
    ]
    return web.json_response({"issues": shown, "issueErrors": errors})


async def fetch_changelogs(call: Call) -> web.Response:
    """Changes of many issues, of chosen fields where ``fieldIds`` says so. All come in one page here."""
    body = await call.json_object()
    wanted = _names(body.get("issueIdsOrKeys"), 1000)
    fields = set(body.get("fieldIds") or ())
    logs = []
    for name in wanted:
        issue = call.site.store.find(name)
        if issue is None or not call.may_see(issue):
            continue
        kept = [
            change for change in issue.changes if not fields or any(item.field_id in fields for item in change.items)
        ]
        histories = [shapes.change(call.view, change) for change in kept]
        logs.append({"issueId": issue.id, "changeHistories": histories})
    return web.json_response({"issueChangeLogs": logs})


def _names(raw: Any, most: int) -> list[str]:
    if not isinstance(raw, list) or not raw:
        raise bad("issueIdsOrKeys must be a list that is not empty.")
    if len(raw) > most:
        raise bad(f"The maximum number of issues that can be asked for is {most}.")
    return [str(name) for name in raw]


async def archive_issue(call: Call) -> web.Response:
    """Data Center: an archived issue leaves the search and takes no edits; it can still be read."""
    issue = call.issue()
    if not call.user.is_admin:
        raise Refusal(403, "You do not have permission to archive issues.")
    Records(call.site, call.user.account_id).archive(issue, True)
    return web.Response(status=204)


async def restore_issue(call: Call) -> web.Response:
    issue = call.issue()
    if not issue.is_archived:
        raise missing_issue()
    Records(call.site, call.user.account_id).archive(issue, False)
    return web.Response(status=204)
