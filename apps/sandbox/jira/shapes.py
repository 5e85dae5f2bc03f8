"""The JSON of the smaller resources, with every member that the vendor's answers have."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .state import (
    Attachment,
    Category,
    Change,
    ChangeItem,
    Comment,
    FieldSpec,
    Issue,
    LinkType,
    Named,
    Project,
    RichText,
    Status,
    Transition,
)
from .texts import as_document, as_html, as_wiki

if TYPE_CHECKING:
    from .site import View

Shape = dict[str, Any]
CUSTOM_TYPE = "com.atlassian.jira.plugin.system.customfieldtypes:"


def rich_text(view: "View", text: RichText) -> Any:
    """A document through v3, a wiki string through v2."""
    return as_document(text) if view.version == "3" else as_wiki(text)


def avatars(view: "View", kind: str) -> dict[str, str]:
    base = f"{view.site.origin}/secure/{kind}avatar?avatarId=10335"
    sizes = {"48x48": "", "24x24": "&size=small", "16x16": "&size=xsmall", "32x32": "&size=medium"}
    return {size: base + query for size, query in sizes.items()}


def user(view: "View", account_id: str) -> Shape:
    """A person: by ``accountId`` and mostly without an e-mail on Cloud, by ``name`` and ``key`` on Data Center."""
    person = view.site.store.users[account_id]
    common = {
        "displayName": person.display_name,
        "active": True,
        "timeZone": person.zone,
        "avatarUrls": avatars(view, "user"),
    }
    if not view.is_cloud:
        identity = {"self": f"{view.api}/user?username={person.name}", "name": person.name, "key": person.key}
        return identity | {"emailAddress": person.email} | common
    shape = {"self": f"{view.api}/user?accountId={quote(account_id)}", "accountId": account_id}
    if view.site.settings.show_emails or (view.reader and view.reader.account_id == account_id):
        shape["emailAddress"] = person.email
    return shape | common | {"accountType": "atlassian"}


def category(view: "View", entry: Category) -> Shape:
    own = f"{view.api}/statuscategory/{entry.id}"
    return {"self": own, "id": entry.id, "key": entry.key, "colorName": entry.color, "name": entry.name}


def status(view: "View", entry: Status) -> Shape:
    return {
        "self": f"{view.api}/status/{entry.id}",
        "description": "",
        "iconUrl": f"{view.site.origin}/images/icons/statuses/generic.png",
        "name": entry.name,
        "id": entry.id,
        "statusCategory": category(view, entry.category),
    }


def priority(view: "View", entry: Named) -> Shape:
    icon = f"{view.site.origin}/images/icons/priorities/{entry.name.lower()}.svg"
    return {"self": f"{view.api}/priority/{entry.id}", "iconUrl": icon, "name": entry.name, "id": entry.id}


def resolution(view: "View", entry: Named) -> Shape:
    own = f"{view.api}/resolution/{entry.id}"
    return {"self": own, "id": entry.id, "description": entry.description, "name": entry.name}


def issue_type(view: "View", entry: Named) -> Shape:
    shape = {
        "self": f"{view.api}/issuetype/{entry.id}",
        "id": entry.id,
        "description": entry.description,
        "iconUrl": f"{view.site.origin}/secure/viewavatar?size=xsmall&avatarId=10303&avatarType=issuetype",
        "name": entry.name,
        "subtask": False,
        "avatarId": 10303,
    }
    return shape | {"hierarchyLevel": 0} if view.is_cloud else shape


def option(view: "View", entry: Named) -> Shape:
    return {"self": f"{view.api}/customFieldOption/{entry.id}", "value": entry.name, "id": entry.id}


def project(view: "View", entry: Project) -> Shape:
    shape = {
        "self": f"{view.api}/project/{entry.id}",
        "id": entry.id,
        "key": entry.key,
        "name": entry.name,
        "projectTypeKey": "service_desk" if view.site.is_service_project(entry.key) else "software",
        "avatarUrls": avatars(view, "project"),
    }
    return shape | {"simplified": view.site.is_simplified(entry.key)} if view.is_cloud else shape


def link_type(view: "View", entry: LinkType) -> Shape:
    shape = {"id": entry.id, "name": entry.name, "inward": entry.inward, "outward": entry.outward}
    return shape | {"self": f"{view.api}/issueLinkType/{entry.id}"}


def linked_issue(view: "View", other: Issue) -> Shape:
    store = view.site.store
    fields: Shape = {
        "summary": other.values["summary"],
        "status": status(view, store.statuses[other.values["status"]]),
        "issuetype": issue_type(view, store.issue_types[other.values["issuetype"]]),
    }
    if other.values.get("priority"):
        fields["priority"] = priority(view, store.priorities[other.values["priority"]])
    return {"id": other.id, "key": other.key, "self": f"{view.api}/issue/{other.id}", "fields": fields}


def issue_links(view: "View", issue: Issue) -> list[Shape]:
    store, shown = view.site.store, []
    for link in issue.links:
        is_outward = link.outward != issue.id
        other = store.find(link.outward if is_outward else link.inward)
        if other is not None:
            kind = link_type(view, store.link_types[link.type_id])
            side = {"outwardIssue" if is_outward else "inwardIssue": linked_issue(view, other)}
            shown.append({"id": link.id, "self": f"{view.api}/issueLink/{link.id}", "type": kind} | side)
    return shown


def comment(view: "View", issue: Issue, entry: Comment, expand: frozenset[str] = frozenset()) -> Shape:
    shape: Shape = {
        "self": f"{view.api}/issue/{issue.id}/comment/{entry.id}",
        "id": entry.id,
        "author": user(view, entry.author),
        "body": rich_text(view, entry.body),
        "updateAuthor": user(view, entry.update_author),
        "created": view.stamp(entry.created),
        "updated": view.stamp(entry.updated),
    }
    if view.is_cloud:
        shape["jsdPublic"] = entry.is_public
    if entry.visibility is not None:
        shape["visibility"] = entry.visibility
    if "renderedBody" in expand:
        shape["renderedBody"] = as_html(entry.body)
    if "properties" in expand:
        shape["properties"] = [{"key": key, "value": value} for key, value in entry.properties.items()]
    return shape


def attachment(view: "View", entry: Attachment) -> Shape:
    """An attachment; ``content`` is an API address on Cloud and a plain file address on Data Center."""
    content = f"{view.site.origin}/secure/attachment/{entry.id}/{quote(entry.filename)}"
    shape: Shape = {
        "self": f"{view.api}/attachment/{entry.id}",
        "id": entry.id,
        "filename": entry.filename,
        "author": user(view, entry.author),
        "created": view.stamp(entry.created),
        "size": len(entry.content),
        "mimeType": entry.mime,
        "content": f"{view.api}/attachment/content/{entry.id}" if view.is_cloud else content,
    }
    if entry.mime.startswith("image/"):
        shape["thumbnail"] = f"{view.api}/attachment/thumbnail/{entry.id}"
    return shape


def change_item(view: "View", item: ChangeItem) -> Shape:
    shape: Shape = {"field": item.field, "fieldtype": "custom" if item.is_custom else "jira"}
    if view.is_cloud:
        shape["fieldId"] = item.field_id
    return shape | {
        "from": item.before,
        "fromString": item.before_text,
        "to": item.after,
        "toString": item.after_text,
    }


def change(view: "View", entry: Change) -> Shape:
    shape: Shape = {
        "id": entry.id,
        "author": user(view, entry.author),
        "created": view.stamp(entry.created),
        "items": [change_item(view, item) for item in entry.items],
    }
    return shape if entry.metadata is None else shape | {"historyMetadata": entry.metadata}


def field_schema(spec: FieldSpec) -> Shape:
    kinds = {"text": "string", "labels": "array", "issuelinks": "array", "attachment": "array"}
    shape: Shape = {"type": kinds.get(spec.kind, spec.kind)}
    if spec.kind in ("labels", "issuelinks", "attachment"):
        shape["items"] = "string" if spec.kind == "labels" else spec.kind
    if spec.kind == "comment":
        shape = {"type": "comments-page"}
    if spec.is_custom:
        return shape | {"custom": CUSTOM_TYPE + spec.custom, "customId": int(spec.id.rpartition("_")[2])}
    return shape | {"system": spec.id}


def field(view: "View", spec: FieldSpec) -> Shape:
    clauses = [f"cf[{spec.id.rpartition('_')[2]}]", spec.name] if spec.is_custom else [spec.id]
    shape: Shape = {
        "id": spec.id,
        "name": spec.name,
        "custom": spec.is_custom,
        "orderable": spec.on_screen,
        "navigable": spec.navigable,
        "searchable": True,
        "clauseNames": clauses,
        "schema": field_schema(spec),
    }
    return shape | {"key": spec.id} if view.is_cloud else shape


def field_meta(view: "View", spec: FieldSpec, required: bool) -> Shape:
    """What createmeta, editmeta and a transition's screen say about a field."""
    store = view.site.store
    shape: Shape = {
        "required": required,
        "schema": field_schema(spec),
        "name": spec.name,
        "key": spec.id,
        "hasDefaultValue": spec.id == "priority",
        "operations": list(spec.operations),
    }
    if spec.id == "priority":
        shape["defaultValue"] = priority(view, store.priorities["3"])
        shape["allowedValues"] = [priority(view, entry) for entry in store.priorities.values()]
    if spec.kind == "resolution":
        shape["allowedValues"] = [resolution(view, entry) for entry in store.resolutions.values()]
    if spec.kind == "issuetype":
        shape["allowedValues"] = [issue_type(view, entry) for entry in store.issue_types.values()]
    if spec.kind == "option":
        shape["allowedValues"] = [option(view, entry) for entry in spec.options]
    if spec.kind == "labels":
        shape["autoCompleteUrl"] = f"{view.site.origin}/rest/api/1.0/labels/suggest?query="
    if spec.kind == "user":
        search = "query" if view.is_cloud else "username"
        shape["autoCompleteUrl"] = f"{view.api}/user/search?{search}="
    return shape


def transition(view: "View", entry: Transition, with_fields: bool) -> Shape:
    store = view.site.store
    shape: Shape = {"id": entry.id, "name": entry.name, "to": status(view, store.statuses[entry.target])}
    if view.is_cloud:
        shape |= {"hasScreen": bool(entry.screen), "isGlobal": entry.source is None, "isInitial": False}
        shape |= {"isAvailable": True, "isConditional": False, "looped": False}
    if with_fields:
        screen = {name: field_meta(view, store.fields[name], name in entry.required) for name in entry.screen}
        shape["fields"] = screen
    return shape
