"""The JSON of an issue: chosen fields, and what ``expand`` and ``properties`` add."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from . import shapes, workflow
from .state import Comment, FieldSpec, Issue
from .texts import as_html
from .values import render

if TYPE_CHECKING:
    from .site import View

EXPANDABLE = "operations,versionedRepresentations,editmeta,changelog,renderedFields"
CLOUD_HISTORIES = 40
ALWAYS_EMPTY: dict[str, Any] = {
    "components": [],
    "fixVersions": [],
    "versions": [],
    "timespent": None,
    "timeestimate": None,
    "timeoriginalestimate": None,
    "workratio": -1,
    "lastViewed": None,
    "security": None,
    "progress": {"progress": 0, "total": 0},
    "aggregateprogress": {"progress": 0, "total": 0},
    "timetracking": {},
    "worklog": {"startAt": 0, "maxResults": 20, "total": 0, "worklogs": []},
}


def visible_comments(view: "View", issue: Issue) -> list[Comment]:
    """Comments that the reader may see: one restricted to a role or group is for administrators here."""
    is_admin = view.reader is not None and view.reader.is_admin
    return [comment for comment in issue.comments if comment.visibility is None or is_admin]


def chosen_fields(view: "View", wanted: Sequence[str]) -> list[str]:
    """Field ids for a ``fields`` parameter: ``*all``, ``*navigable``, ids, and ids taken away with a minus."""
    specs = view.site.store.fields
    extra = [*ALWAYS_EMPTY, "votes", "watches"]
    chosen: dict[str, None] = {}
    for name in wanted:
        if name == "*all":
            chosen |= dict.fromkeys([*specs, *extra])
        elif name == "*navigable":
            chosen |= dict.fromkeys([spec.id for spec in specs.values() if spec.navigable])
        elif name.startswith("-"):
            chosen.pop(name[1:], None)
        elif name in specs or name in extra:
            chosen[name] = None
    if wanted and all(name.startswith("-") for name in wanted):
        kept = set(wanted)
        return [name for name in (*specs, *extra) if f"-{name}" not in kept]
    return list(chosen)


def issue_json(
    view: "View",
    issue: Issue,
    fields: Sequence[str],
    expand: Collection[str] = (),
    properties: Sequence[str] | None = None,
) -> dict[str, Any]:
    """``issue`` as an answer. ``fields`` is what the caller asked for, in the words of the ``fields`` parameter."""
    chosen = chosen_fields(view, fields)
    shape: dict[str, Any] = {
        "expand": EXPANDABLE,
        "id": issue.id,
        "self": f"{view.api}/issue/{issue.id}",
        "key": issue.key,
        "fields": {name: _field(view, issue, name) for name in chosen},
    }
    specs = [view.site.store.fields[name] for name in chosen if name in view.site.store.fields]
    if "renderedFields" in expand:
        shape["renderedFields"] = {spec.id: _rendered(view, issue, spec) for spec in specs}
    if "names" in expand:
        shape["names"] = {spec.id: spec.name for spec in specs}
    if "schema" in expand:
        shape["schema"] = {spec.id: shapes.field_schema(spec) for spec in specs}
    if "transitions" in expand:
        available = workflow.available(view.site, issue)
        shape["transitions"] = [shapes.transition(view, step, "transitions.fields" in expand) for step in available]
    if "editmeta" in expand:
        shape["editmeta"] = edit_meta(view, issue)
    if "changelog" in expand:
        shape["changelog"] = _histories(view, issue)
    if properties is not None:
        wanted = issue.properties if "*all" in properties else properties
        shape["properties"] = {key: issue.properties[key] for key in wanted if key in issue.properties}
    return shape


def edit_meta(view: "View", issue: Issue) -> dict[str, Any]:
    """The fields that may be edited now; none in a status that is closed to edits."""
    site = view.site
    specs = [spec for spec in site.store.fields.values() if workflow.is_editable(site, issue, spec)]
    return {"fields": {spec.id: shapes.field_meta(view, spec, spec.id in ("summary", "issuetype")) for spec in specs}}


def _field(view: "View", issue: Issue, name: str) -> Any:
    own = f"{view.api}/issue/{issue.key}"
    match name:
        case "project":
            return shapes.project(view, view.site.store.projects[issue.project])
        case "created" | "updated":
            return view.stamp(getattr(issue, name))
        case "creator":
            return shapes.user(view, issue.creator)
        case "statuscategorychangedate":
            return view.stamp(issue.status_changed)
        case "comment":
            shown = [shapes.comment(view, issue, comment) for comment in visible_comments(view, issue)]
            page = {"comments": shown, "maxResults": len(shown), "total": len(shown), "startAt": 0}
            return page | {"self": f"{view.api}/issue/{issue.id}/comment"}
        case "attachment":
            return [shapes.attachment(view, entry) for entry in issue.attachments]
        case "issuelinks":
            return shapes.issue_links(view, issue)
        case "subtasks":
            return []
        case "votes":
            return {"self": f"{own}/votes", "votes": 0, "hasVoted": False}
        case "watches":
            return {"self": f"{own}/watchers", "watchCount": 1, "isWatching": False}
    if name in ALWAYS_EMPTY:
        return ALWAYS_EMPTY[name]
    return render(view, view.site.store.fields[name], issue)


def _rendered(view: "View", issue: Issue, spec: FieldSpec) -> Any:
    if spec.kind == "text":
        return as_html(issue.values.get(spec.id))
    if spec.kind == "comment":
        expand = frozenset({"renderedBody"})
        shown = [shapes.comment(view, issue, comment, expand) for comment in visible_comments(view, issue)]
        return {"comments": [shape | {"body": shape.pop("renderedBody")} for shape in shown]}
    return None


def _histories(view: "View", issue: Issue) -> dict[str, Any]:
    """Cloud shows the latest changes first and only some of them; Data Center shows all, the oldest first."""
    histories = [shapes.change(view, change) for change in issue.changes]
    if view.is_cloud:
        histories = histories[::-1][:CLOUD_HISTORIES]
    total = len(issue.changes)
    return {"startAt": 0, "maxResults": len(histories), "total": total, "histories": histories}
