"""What kinds of things there are: types, states, fields, relation types, areas and iterations, tags, projects."""

import uuid
from typing import Any
from urllib.parse import quote, unquote

from . import locations
from .calls import Answer, Call, collection
from .errors import Refusal, invalid_argument, missing_thing
from .fields import FIELDS, PRIORITY, STATE, Field, find_field
from .places import Node
from .process import TYPES, ItemType
from .routes import JSON_TYPE, Route
from .workitems import ARTIFACT, ATTACHED, HYPERLINK, LINK_NAMES, opposite

GROUPS = {"areas": "area", "iterations": "iteration"}


def _type(call: Call) -> ItemType:
    return call.store.item_type(unquote(call.places["type"]), call.here)


def _required(call: Call, kind: ItemType, field: Field) -> bool:
    return field.reference in kind.always_required() or field.reference in call.store.settings.required_fields.get(
        kind.name, []
    )


def _instance(call: Call, kind: ItemType, field: Field, with_values: bool, as_text: bool) -> dict[str, Any]:
    default = kind.defaults.get(field.reference)
    shown: dict[str, Any] = {
        "defaultValue": str(default) if default is not None and as_text else default,
        "helpText": field.description or None,
        "alwaysRequired": _required(call, kind, field),
        "dependentFields": [],
        "referenceName": field.reference,
        "name": field.name,
        "url": f"{call.base}/_apis/wit/fields/{field.reference}",
    }
    if with_values:
        values = kind.states if field.reference == STATE else field.values
        shown["allowedValues"] = [str(value) if as_text or field.reference == PRIORITY else value for value in values]
    return shown


def _type_json(call: Call, kind: ItemType) -> dict[str, Any]:
    address = f"{call.base}/_apis/wit/workItemTypes/{quote(kind.name)}"
    fields = [_instance(call, kind, field, with_values=False, as_text=True) for field in kind.fields.values()]
    any_transition = call.store.settings.any_transition
    moves = {
        state: [{"to": to, "actions": None} for to in kind.following(state, any_transition)]
        for state in ("", *kind.states)
    }
    return {
        "name": kind.name,
        "referenceName": kind.reference,
        "description": kind.description,
        "color": kind.color,
        "icon": {
            "id": kind.icon,
            "url": f"{call.store.base}/_apis/wit/workItemIcons/{kind.icon}?color={kind.color}&v=2",
        },
        "isDisabled": False,
        "xmlForm": "<FORM></FORM>",
        "fields": fields,
        "fieldInstances": fields,
        "transitions": moves,
        "states": kind.states_json(),
        "_links": {"self": {"href": address}},
        "url": address,
    }


def list_types(call: Call) -> Answer:
    return collection([_type_json(call, kind) for kind in TYPES.values()])


def read_type(call: Call) -> Answer:
    return Answer(_type_json(call, _type(call)))


def list_states(call: Call) -> Answer:
    return collection(_type(call).states_json())


def _with_values(call: Call) -> bool:
    return call.query("$expand").casefold() in ("allowedvalues", "all")


def list_type_fields(call: Call) -> Answer:
    kind = _type(call)
    return collection([_instance(call, kind, one, _with_values(call), as_text=False) for one in kind.fields.values()])


def _no_field(name: str) -> Refusal:
    return missing_thing(f"TF51535: Cannot find field {name}.", "WorkItemTrackingFieldDefinitionNotFoundException")


def read_type_field(call: Call) -> Answer:
    kind, field = _type(call), find_field(unquote(call.places["field"]))
    if field is None or field.reference not in kind.fields:
        raise _no_field(call.places["field"])
    return Answer(_instance(call, kind, field, _with_values(call), as_text=False))


def _field_json(call: Call, field: Field) -> dict[str, Any]:
    return field.as_json(f"{call.store.base}/_apis/wit/fields/{field.reference}")


def list_fields(call: Call) -> Answer:
    return collection([_field_json(call, field) for field in FIELDS.values()])


def read_field(call: Call) -> Answer:
    field = find_field(unquote(call.places["field"]))
    if field is None:
        raise _no_field(call.places["field"])
    return Answer(_field_json(call, field))


def _relation_type(call: Call, reference: str, name: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {"usage": "resourceLink", "editable": False, "enabled": True}
    if reference in LINK_NAMES:
        attributes = {
            "usage": "workItemLink",
            "editable": False,
            "enabled": True,
            "acyclic": not reference.endswith("Related"),
            "directional": not reference.endswith("Related"),
            "singleTarget": reference.endswith("Hierarchy-Reverse"),
            "topology": "tree"
            if "Hierarchy" in reference
            else "network"
            if reference.endswith("Related")
            else "dependency",
            "remote": False,
            "isForward": reference.endswith("Forward"),
            "oppositeEndReferenceName": opposite(reference),
        }
    url = f"{call.store.base}/_apis/wit/workItemRelationTypes/{reference}"
    return {"attributes": attributes, "referenceName": reference, "name": name, "url": url}


def list_relation_types(call: Call) -> Answer:
    resources = {ATTACHED: "Attached File", HYPERLINK: "Hyperlink", ARTIFACT: "Artifact Link"}
    return collection([_relation_type(call, *pair) for pair in {**LINK_NAMES, **resources}.items()])


def list_roots(call: Call) -> Answer:
    depth, project = call.whole("$depth", 0), call.here
    return collection([tree.as_json(call.base, depth) for tree in (project.areas, project.iterations)])


def _node(call: Call) -> Node:
    group = GROUPS.get(call.places["group"].casefold())
    if group is None:
        raise invalid_argument(f"The value '{call.places['group']}' is not valid for structureGroup.")
    root = call.here.areas if group == "area" else call.here.iterations
    inside = unquote(call.places.get("path", "")).replace("/", "\\").strip("\\")
    node = root.find(f"{root.path}\\{inside}" if inside else root.path)
    if node is None:
        raise missing_thing(f"VS402485: The {group} {inside} does not exist.", "ClassificationNodeNotFoundException")
    return node


def _node_json(call: Call, node: Node, depth: int) -> dict[str, Any]:
    shown = node.as_json(call.base, depth)
    links = {"self": {"href": shown["url"]}}
    if "\\" in node.path:
        links["parent"] = {"href": shown["url"].rpartition("/")[0]}
    return {**shown, "_links": links}


def read_node(call: Call) -> Answer:
    return Answer(_node_json(call, _node(call), call.whole("$depth", 0)))


def create_node(call: Call) -> Answer:
    parent = _node(call)
    body = call.json_object()
    name = str(body.get("name") or "").strip()
    if not name or any(sign in name for sign in '\\/:*?"<>|;#$&+'):
        raise invalid_argument(
            "VS402371: The name of a classification node is empty or has characters that are not allowed."
        )
    if any(child.name.casefold() == name.casefold() for child in parent.children):
        raise Refusal(
            409, f"VS402371: {name} exists already under {parent.path}.", "ClassificationNodeDuplicateNameException"
        )
    attributes = body.get("attributes")
    number = 1000 + call.store.next("node")
    node = Node(
        number,
        str(uuid.uuid4()),
        name,
        parent.group,
        f"{parent.path}\\{name}",
        attributes if isinstance(attributes, dict) else {},
    )
    parent.children.append(node)
    shown = _node_json(call, node, 0)
    return Answer(shown, status=201, headers={"Location": shown["url"]})


def list_tags(call: Call) -> Answer:
    return collection([tag.as_json(call.base) for tag in call.here.tags.values()])


def read_tag(call: Call) -> Answer:
    wanted = unquote(call.places["tag"]).casefold()
    tag = next((one for one in call.here.tags.values() if wanted in (one.id, one.name.casefold())), None)
    if tag is None:
        raise missing_thing(f"VS403502: The tag {wanted} does not exist.", "TagNotFoundException")
    return Answer(tag.as_json(call.base))


def list_projects(call: Call) -> Answer:
    top, skip = call.whole("$top", 100), call.whole("$skip", 0)
    page = call.store.projects[skip : skip + top]
    more = {"x_ms_continuationtoken": str(skip + top)} if skip + top < len(call.store.projects) else {}
    return collection([one.reference(call.store.base) for one in page], **more)


def read_project(call: Call) -> Answer:
    project = call.store.project(unquote(call.places["id"]))
    return Answer(project.as_json(call.store.base, call.flag("includeCapabilities")))


TYPE = "wit/workitemtypes/{type}"
ROUTES = [
    Route("GET", "wit/workitemtypes", list_types, locations.ITEM_TYPES, "required"),
    Route("GET", TYPE, read_type, locations.ITEM_TYPES, "required"),
    Route("GET", TYPE + "/states", list_states, locations.TYPE_STATES, "required"),
    Route("GET", TYPE + "/fields", list_type_fields, locations.TYPE_FIELDS, "required"),
    Route("GET", TYPE + "/fields/{field}", read_type_field, locations.TYPE_FIELDS, "required"),
    Route("GET", "wit/fields", list_fields, locations.FIELDS),
    Route("GET", "wit/fields/{field}", read_field, locations.FIELDS),
    Route("GET", "wit/workitemrelationtypes", list_relation_types, locations.RELATION_TYPES, "none"),
    Route("GET", "wit/classificationnodes", list_roots, locations.ROOT_NODES, "required"),
    Route("GET", "wit/classificationnodes/{group}", read_node, locations.NODES, "required"),
    Route("GET", "wit/classificationnodes/{group}/{path*}", read_node, locations.NODES, "required"),
    Route("POST", "wit/classificationnodes/{group}", create_node, locations.NODES, "required", JSON_TYPE),
    Route("POST", "wit/classificationnodes/{group}/{path*}", create_node, locations.NODES, "required", JSON_TYPE),
    Route("GET", "wit/tags", list_tags, locations.TAGS, "required"),
    Route("GET", "wit/tags/{tag}", read_tag, locations.TAGS, "required"),
    Route("GET", "projects", list_projects, locations.PROJECTS, "none"),
    Route("GET", "projects/{id}", read_project, locations.PROJECTS, "none"),
]
