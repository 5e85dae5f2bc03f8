"""Work items, updates and comments in the vendor's JSON."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from .fields import CHANGED_AT, CHANGED_BY, FIELDS, STATE, Value
from .instants import FOREVER, stamp
from .markup import rendered
from .people import Person
from .process import TYPES
from .store import Store
from .workitems import ATTACHED, HYPERLINK, Comment, Item, Relation, Revision, Update


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a work item the client wants to see. ``fields`` None stands for all that are not hidden."""

    fields: Collection[str] | None = None
    expand: str = "none"
    with_links: bool = True
    with_project: bool = True
    flat_people: bool = False

    @property
    def wants_relations(self) -> bool:
        return self.expand in ("relations", "all")


def shown_value(store: Store, value: Value, flat_people: bool = False) -> Any:
    if isinstance(value, Person):
        return value.combined if flat_people else value.reference(store.base)
    return stamp(value) if isinstance(value, datetime) else value


def computed_fields(item: Item, revision: Revision) -> dict[str, Value]:
    """The fields that the service works out instead of storing them."""
    fields = revision.fields
    area = item.project.areas.find(str(fields["System.AreaPath"])) or item.project.areas
    iteration = item.project.iterations.find(str(fields["System.IterationPath"])) or item.project.iterations
    kinds = [one.rel for one in revision.relations]
    computed: dict[str, Value] = {
        "System.Id": item.id,
        "System.AreaId": area.id,
        "System.NodeName": area.name,
        "System.AreaLevel1": item.project.name,
        "System.Rev": revision.rev,
        "System.AuthorizedDate": revision.recorded_at,
        "System.RevisedDate": _revised_at(item, revision),
        "System.IterationId": iteration.id,
        "System.IterationLevel1": item.project.name,
        "System.AuthorizedAs": revision.authorized_as,
        "System.PersonId": int(revision.authorized_as.id[:7], 16),
        "System.Watermark": revision.watermark,
    }
    counts = {"AttachedFile": kinds.count(ATTACHED), "HyperLink": kinds.count(HYPERLINK)}
    counts["RelatedLink"] = sum(one.is_link for one in revision.relations)
    computed |= {f"System.{name}Count": count for name, count in counts.items() if count}
    if TYPES[str(fields["System.WorkItemType"])].on_board:
        computed |= {
            "System.BoardColumn": fields[STATE],
            "System.BoardColumnDone": False,
        }
    if item.latest is revision and item.parent():
        computed["System.Parent"] = item.parent() or 0
    return computed


def _revised_at(item: Item, revision: Revision) -> str:
    return stamp(item.revisions[revision.rev].at) if revision.rev < len(item.revisions) else FOREVER


def fields_json(store: Store, item: Item, revision: Revision, choice: Choice) -> dict[str, Any]:
    values = {**revision.fields, **computed_fields(item, revision)}
    with_hidden = choice.expand in ("fields", "all")
    wanted = None if choice.fields is None else {name.casefold() for name in choice.fields}
    return {
        name: shown_value(store, values[name], choice.flat_people)
        for name, field in FIELDS.items()
        if name in values and (name.casefold() in wanted if wanted is not None else with_hidden or not field.is_hidden)
    }


def item_address(store: Store, item: Item, with_project: bool = True) -> str:
    return f"{store.base_of(item.project if with_project else None)}/_apis/wit/workItems/{item.id}"


def links_json(store: Store, item: Item) -> dict[str, Any]:
    base, own = store.base_of(item.project), item_address(store, item)
    addresses = {
        "self": own,
        "workItemUpdates": f"{own}/updates",
        "workItemRevisions": f"{own}/revisions",
        "workItemComments": f"{own}/comments",
        "html": f"{base}/_workitems/edit/{item.id}",
        "workItemType": f"{base}/_apis/wit/workItemTypes/{quote(item.type)}",
        "fields": f"{base}/_apis/wit/fields",
    }
    return {name: {"href": href} for name, href in addresses.items()}


def relation_json(relation: Relation) -> dict[str, Any]:
    return {
        "rel": relation.rel,
        "url": relation.url,
        "attributes": relation.attributes(),
    }


def item_json(store: Store, item: Item, choice: Choice, revision: Revision | None = None) -> dict[str, Any]:
    revision = revision or item.latest
    shown: dict[str, Any] = {
        "id": item.id,
        "rev": revision.rev,
        "fields": fields_json(store, item, revision, choice),
        "multilineFieldsFormat": dict(revision.formats),
    }
    if choice.wants_relations and revision.relations:
        shown["relations"] = [relation_json(one) for one in revision.relations]
    if revision.comment_id:
        shown["commentVersionRef"] = {
            "commentId": revision.comment_id,
            "version": revision.comment_version,
            "url": f"{item_address(store, item)}/comments/{revision.comment_id}/versions/{revision.comment_version}",
        }
    if choice.with_links:
        shown["_links"] = links_json(store, item)
    own = item_address(store, item, choice.with_project)
    shown["url"] = own if revision is item.latest else f"{own}/revisions/{revision.rev}"
    return shown


def update_json(store: Store, item: Item, update: Update, flat_people: bool = False) -> dict[str, Any]:
    following = item.updates[update.number] if update.number < len(item.updates) else None
    shown: dict[str, Any] = {
        "id": update.number,
        "workItemId": item.id,
        "rev": update.rev,
        "revisedBy": {**update.by.reference(store.base), "name": update.by.combined},
        "revisedDate": stamp(following.at) if following else FOREVER,
    }
    if update.fields or update.number == 1:
        shown["fields"] = _changes_json(store, item, update, flat_people)
    relations = {
        "added": update.added,
        "removed": update.removed,
        "updated": update.updated,
    }
    if any(relations.values()):
        shown["relations"] = {name: [relation_json(one) for one in many] for name, many in relations.items() if many}
    shown["url"] = f"{item_address(store, item)}/updates/{update.number}"
    return shown


def _changes_json(store: Store, item: Item, update: Update, flat_people: bool) -> dict[str, Any]:
    revision = item.revisions[update.rev - 1]
    last = item.revisions[update.rev - 2] if update.rev > 1 else None
    now = computed_fields(item, revision)
    then = computed_fields(item, last) if last else {}
    changes: dict[str, tuple[Any, Any]] = {
        name: (then.get(name), now[name])
        for name in (
            "System.Id",
            "System.Rev",
            "System.AuthorizedDate",
            "System.RevisedDate",
            "System.Watermark",
        )
        if then.get(name) != now[name]
    }
    changes[CHANGED_AT] = (last.at if last else None, revision.at)
    if last is None or last.by != revision.by:
        changes[CHANGED_BY] = (last.by if last else None, revision.by)
    changes |= update.fields
    return {
        name: {
            key: shown_value(store, value, flat_people)
            for key, value in (("oldValue", old), ("newValue", new))
            if value is not None
        }
        for name, (old, new) in changes.items()
    }


def comment_json(store: Store, item: Item, comment: Comment, with_rendered: bool) -> dict[str, Any]:
    address = f"{store.base_of(item.project)}/_apis/wit/workItems/{item.id}/comments/{comment.id}"
    shown: dict[str, Any] = {
        "mentions": [],
        "workItemId": item.id,
        "id": comment.id,
        "commentId": comment.id,
        "version": comment.version,
        "text": comment.text,
        "createdBy": comment.author.reference(store.base),
        "createdDate": stamp(comment.at),
        "modifiedBy": (comment.edited_by or comment.author).reference(store.base),
        "modifiedDate": stamp(comment.edited_at or comment.at),
        "format": comment.form,
        "isDeleted": comment.is_deleted,
        "url": address,
    }
    if with_rendered:
        shown["renderedText"] = rendered(comment.text, comment.form)
    return shown
