"""Saving: a finished draft, a comment, a deletion become a revision, an update, log lines and notices."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .drafts import Draft
from .errors import Refusal, invalid_argument
from .fields import (
    CHANGED_AT,
    CHANGED_BY,
    COMMENT_COUNT,
    CREATED_AT,
    CREATED_BY,
    DELETED,
    HISTORY,
    LONGEST_TEXT,
    Value,
)
from .instants import exact
from .markup import Format, sanitized
from .people import Person
from .rules import settle
from .store import Store
from .workitems import ATTACHED, Comment, Item, Relation, Revision, Update, opposite

UNLOGGED = frozenset({CHANGED_AT, CHANGED_BY, CREATED_AT, CREATED_BY, COMMENT_COUNT, HISTORY, DELETED})
Changes = dict[str, tuple[Value | None, Value | None]]


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, and whether web hooks may hear of it."""

    person: Person
    quietly: bool = False


def instant_after(store: Store, item: Item | None) -> datetime:
    """Now, but later than the item's last change: the service never gives two revisions one date."""
    now = store.now()
    return max(now, item.latest.at + timedelta(milliseconds=1)) if item else now


def save(draft: Draft, writer: Writer) -> Item:
    """Check ``draft`` against the rules and save it; without an effective change the item stays as it is."""
    settle(draft)
    before, after = draft.before, draft.fields
    changes: Changes = {
        name: (before.get(name), after.get(name))
        for name in dict.fromkeys([*before, *after])
        if name not in (HISTORY, CHANGED_AT, CHANGED_BY) and before.get(name) != after.get(name)
    }
    item = draft.item
    files = [one for one in [*draft.added, *draft.removed, *draft.updated] if not one.is_link]
    formats = item.latest.formats if item else {}
    is_new = item is None
    text = str(after.get(HISTORY, ""))
    if item and not (changes or text or files or draft.formats != formats):
        if draft.added or draft.removed or draft.updated:
            _save_links_only(item, draft, writer)
        return item
    if item is None:
        item = Item(draft.store.next("work item"), draft.project)
        draft.store.items[item.id] = item
    item.project = draft.project
    comment = _new_comment(draft.store, item, text, "html", by=draft.by, at=draft.at) if text else None
    _revise(draft, item, changes, comment)
    _log_fields(draft.store, item, changes, draft)
    _mirror_links(item, draft, writer)
    store, by, update = draft.store, writer.person, item.updates[-1]
    store.tell("created" if is_new else "updated", item, by, update, quietly=writer.quietly)
    if comment:
        store.tell("commented", item, by, update, quietly=writer.quietly)
    return item


def _revise(draft: Draft, item: Item, changes: Changes, comment: Comment | None) -> None:
    fields = dict(draft.fields)
    if comment:
        fields[HISTORY] = comment.text
        changes[HISTORY] = (None, comment.text)
    by = fields.get(CHANGED_BY) if CHANGED_BY in draft.written else draft.by
    at = fields.get(CHANGED_AT) if CHANGED_AT in draft.written else draft.at
    assert isinstance(by, Person)
    assert isinstance(at, datetime)
    revision = _append(draft.store, item, fields, by=by, at=at, real=draft.by, seen_at=draft.at, comment=comment)
    item.revisions[-1] = replace(revision, formats=dict(draft.formats), relations=tuple(draft.relations))
    own = (tuple(draft.added), tuple(draft.removed), tuple(draft.updated))
    item.updates.append(Update(len(item.updates) + 1, revision.rev, by, at, changes, *own))


def _append(
    store: Store,
    item: Item,
    fields: dict[str, Value],
    *,
    by: Person,
    at: datetime,
    real: Person,
    seen_at: datetime,
    comment: Comment | None,
) -> Revision:
    """The next revision, of the same formats and relations as the last one."""
    rev = len(item.revisions) + 1
    if rev > store.settings.revision_limit:
        raise Refusal(
            400,
            f"VS403319: Work item {item.id} has too many revisions.",
            "WorkItemRevisionLimitExceededException",
        )
    count = item.comment_count()
    fields = {**fields, CHANGED_AT: at, CHANGED_BY: by, COMMENT_COUNT: count}
    last = item.latest if item.revisions else None
    revision = Revision(
        rev=rev,
        fields=fields,
        formats=last.formats if last else {},
        relations=last.relations if last else (),
        watermark=store.next("watermark"),
        recorded_at=min(seen_at, store.now()),
        authorized_as=real,
        comment_id=comment.id if comment else None,
        comment_version=comment.version if comment else 1,
    )
    item.revisions.append(revision)
    store.record(item)
    return revision


def _new_comment(store: Store, item: Item, text: str, form: Format, *, by: Person, at: datetime) -> Comment:
    comment = Comment(store.next("comment"), text, form, by, at, created_in=len(item.revisions) + 1)
    item.keep_comment(comment)
    return comment


def _log(item: Item, at: datetime, by: Person, field: str, change: tuple[object, object]) -> None:
    item.log.append({"at": exact(at), "by": by.name, "field": field, "from": change[0], "to": change[1]})


def _log_fields(store: Store, item: Item, changes: Changes, draft: Draft) -> None:
    by, at = item.latest.by, item.latest.at
    for name, (old, new) in changes.items():
        if name not in UNLOGGED:
            _log(item, at, by, name, (store.plain(old), store.plain(new)))
    _log_relations(item, draft, at, by)
    if item.latest.comment_id:
        _log(item, at, by, "comment", (None, str(item.latest.comment_id)))


def _log_relations(item: Item, draft: Draft, at: datetime, by: Person) -> None:
    for relation, is_new in [*((one, True) for one in draft.added), *((one, False) for one in draft.removed)]:
        is_file = relation.rel == ATTACHED
        name, value = ("attachment", relation.target) if is_file else (relation.rel, relation.url)
        _log(item, at, by, name, (None, value) if is_new else (value, None))


def _save_links_only(item: Item, draft: Draft, writer: Writer) -> None:
    """Links between items make an update, but no revision: rev, dates and the reporting feed stay as they were."""
    item.replace_relations(tuple(draft.relations))
    own = (tuple(draft.added), tuple(draft.removed), tuple(draft.updated))
    item.updates.append(Update(len(item.updates) + 1, item.latest.rev, draft.by, draft.at, {}, *own))
    _log_relations(item, draft, draft.at, draft.by)
    _mirror_links(item, draft, writer)
    draft.store.tell("updated", item, writer.person, item.updates[-1], quietly=writer.quietly)


def _mirror_links(item: Item, draft: Draft, writer: Writer) -> None:
    for relation, is_active in [
        *((one, True) for one in draft.added),
        *((one, False) for one in draft.removed),
    ]:
        if not relation.is_link:
            continue
        store = draft.store
        store.record_link(item, relation, is_active, draft.at, draft.by)
        other = store.items.get(int(relation.target))
        if other is None:
            continue
        address = f"{store.base_of(item.project)}/_apis/wit/workItems/{item.id}"
        mirror = Relation(opposite(relation.rel), address, 0, str(item.id), relation.comment)
        kept = tuple(one for one in other.relations if (one.rel, one.target) != (mirror.rel, mirror.target))
        other.replace_relations((*kept, mirror) if is_active else kept)
        added, removed = ((mirror,), ()) if is_active else ((), (mirror,))
        other.updates.append(
            Update(
                len(other.updates) + 1,
                other.latest.rev,
                draft.by,
                draft.at,
                {},
                added,
                removed,
            )
        )
        change = (None, address) if is_active else (address, None)
        _log(other, draft.at, draft.by, mirror.rel, change)
        store.tell("updated", other, writer.person, other.updates[-1], quietly=writer.quietly)


def _touch(
    store: Store,
    item: Item,
    writer: Writer,
    fields: dict[str, Value],
    comment: Comment | None,
) -> None:
    """A revision that does not come from a patch: comments, deletion, restoration."""
    at = instant_after(store, item)
    before = item.latest.fields
    kept = {name: value for name, value in before.items() if name not in (HISTORY, DELETED)}
    _append(store, item, {**kept, **fields}, by=writer.person, at=at, real=writer.person, seen_at=at, comment=comment)
    after = item.latest.fields
    changes: Changes = {
        name: (before.get(name), after.get(name))
        for name in (COMMENT_COUNT, HISTORY, DELETED)
        if before.get(name) != after.get(name) and (name != HISTORY or name in after)
    }
    number = len(item.updates) + 1
    item.updates.append(Update(number, item.latest.rev, writer.person, item.latest.at, changes))


def _checked(text: object, form: Format) -> str:
    if not isinstance(text, str) or not text.strip():
        raise invalid_argument("The comment text cannot be empty.")
    if len(text) > LONGEST_TEXT:
        raise invalid_argument("The comment text is too long.")
    return sanitized(text) if form == "html" else text


def add_comment(store: Store, item: Item, writer: Writer, text: object, form: Format) -> Comment:
    at = instant_after(store, item)
    comment = _new_comment(store, item, _checked(text, form), form, by=writer.person, at=at)
    _touch(store, item, writer, {HISTORY: comment.text}, comment)
    _log(item, at, writer.person, "comment", (None, str(comment.id)))
    store.tell("updated", item, writer.person, item.updates[-1], quietly=writer.quietly)
    store.tell("commented", item, writer.person, item.updates[-1], quietly=writer.quietly)
    return comment


def edit_comment(store: Store, item: Item, writer: Writer, old: Comment, *, text: object, form: Format) -> Comment:
    at = instant_after(store, item)
    new = replace(
        old,
        text=_checked(text, form),
        form=form,
        version=old.version + 1,
        edited_by=writer.person,
        edited_at=at,
    )
    item.keep_comment(new)
    _touch(store, item, writer, {HISTORY: new.text}, new)
    _log(item, at, writer.person, "comment edited", (str(old.id), str(old.id)))
    store.tell("updated", item, writer.person, item.updates[-1], quietly=writer.quietly)
    return new


def delete_comment(store: Store, item: Item, writer: Writer, old: Comment) -> None:
    at = instant_after(store, item)
    new = replace(old, text="", version=old.version + 1, is_deleted=True, edited_by=writer.person, edited_at=at)
    item.keep_comment(new)
    _touch(store, item, writer, {}, new)
    _log(item, at, writer.person, "comment deleted", (str(old.id), None))
    store.tell("updated", item, writer.person, item.updates[-1], quietly=writer.quietly)


def delete(store: Store, item: Item, writer: Writer) -> None:
    _touch(store, item, writer, {DELETED: True}, None)
    _log(item, item.latest.at, writer.person, DELETED, (False, True))
    store.tell("deleted", item, writer.person, item.updates[-1], quietly=writer.quietly)


def restore(store: Store, item: Item, writer: Writer) -> None:
    _touch(store, item, writer, {}, None)
    _log(item, item.latest.at, writer.person, DELETED, (True, False))
    store.tell("restored", item, writer.person, item.updates[-1], quietly=writer.quietly)


def destroy(store: Store, item: Item) -> None:
    """Gone for good: links of others to it go with it."""
    del store.items[item.id]
    for other in store.items.values():
        kept = tuple(one for one in other.relations if not (one.is_link and one.target == str(item.id)))
        other.replace_relations(kept)
