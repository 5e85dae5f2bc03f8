"""The reporting feeds: append-only logs of revisions and links, read with a token that stays good."""

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from . import locations
from .calls import TRUE, Answer, Call
from .errors import BindingFault, invalid_argument
from .fields import DELETED, FIELDS, HISTORY, TYPE
from .instants import stamp
from .people import Person
from .routes import JSON_TYPE, Route
from .store import FeedEntry
from .views import Choice, fields_json
from .workitems import Item, Revision

PAGE, LARGEST_PAGE = 200, 1000
TOKEN = re.compile(r"(\d+);(\d+)(;.*)?")


@dataclass(frozen=True, slots=True)
class Filter:
    """What of the feed the client wants; ``fields`` None stands for all but long text."""

    fields: list[str] | None
    types: list[str]
    with_people: bool
    with_deleted: bool
    latest_only: bool
    long_text: bool
    discussion_only: bool = False

    def wants(self, call: Call, item: Item, revision: Revision) -> bool:
        is_latest = revision is item.latest
        return (
            (call.project is None or item.project is call.project)
            and (not self.types or str(revision.fields[TYPE]).casefold() in self.types)
            and (self.with_deleted or not item.is_deleted)
            and (is_latest or not self.latest_only)
            and (HISTORY in revision.fields or not self.discussion_only)
        )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _filter(call: Call, given: dict[str, Any]) -> Filter:
    for name in ("fields", "types"):
        if not isinstance(given.get(name) or [], list):
            raise invalid_argument(f"The parameter {name} must be a list.")

    def truth(name: str) -> bool:
        return str(given.get(name, "")).casefold() in TRUE

    return Filter(
        [str(name) for name in given.get("fields") or []] or None,
        [str(name).casefold() for name in given.get("types") or []],
        truth("includeIdentityRef"),
        truth("includeDeleted"),
        truth("includeLatestOnly"),
        call.query("$expand").casefold() == "fields",
        truth("includeDiscussionChangesOnly"),
    )


def _position(call: Call) -> tuple[int, datetime | None]:
    token, start = call.query("continuationToken"), call.time("startDateTime")
    if token and start:
        raise invalid_argument("The parameters startDateTime and continuationToken cannot be used together.")
    found = TOKEN.fullmatch(token) if token else None
    if token and found is None:
        raise BindingFault(f"The continuationToken '{token}' is not valid.")
    return (int(found[1]) if found else 0), start


def _revision_json(call: Call, item: Item, revision: Revision, wanted: Filter) -> dict[str, Any]:
    names = wanted.fields
    if names is None and not wanted.long_text:
        names = [field.reference for field in FIELDS.values() if not field.is_long or field.reference == HISTORY]
    choice = Choice(names, "fields", flat_people=not wanted.with_people)
    fields = fields_json(call.store, item, revision, choice)
    if revision.fields.get(DELETED) or (item.is_deleted and names is None):
        fields[DELETED] = bool(revision.fields.get(DELETED))
    return {"id": item.id, "rev": revision.rev, "fields": fields}


def _seen(call: Call, after: int, start: datetime | None, wanted: Filter) -> Iterable[tuple[FeedEntry, Item, Revision]]:
    until = call.store.now() - timedelta(seconds=call.store.settings.feed_lag_seconds)
    first = bisect_right(call.store.feed, after, key=lambda one: one.watermark)
    for entry in call.store.feed[first:]:
        item = call.store.items.get(entry.item_id)
        if item is None or entry.recorded_at > until:
            continue
        revision = item.revisions[entry.rev - 1]
        if (start is None or entry.recorded_at >= start) and wanted.wants(call, item, revision):
            yield entry, item, revision


def _batch(call: Call, wanted: Filter, size: int) -> Answer:
    after, start = _position(call)
    found = list(_seen(call, after, start, wanted))
    page = found[:size]
    last = (page[-1][0].watermark, page[-1][1].id, page[-1][2].rev) if page else (after, 0, 0)
    token = ";".join(map(str, last))
    kept = [
        (key, value)
        for key, value in call.request.query.items()
        if key.casefold() not in ("startdatetime", "continuationtoken")
    ]
    address = f"{call.base}/_apis/wit/reporting/workItemRevisions?{urlencode([*kept, ('continuationToken', token)])}"
    return Answer(
        {
            "values": [_revision_json(call, item, revision, wanted) for _, item, revision in page],
            "nextLink": address,
            "continuationToken": token,
            "isLastBatch": len(found) <= size,
        }
    )


def read_revisions(call: Call) -> Answer:
    given: dict[str, Any] = dict(call.request.query)
    given["fields"], given["types"] = _names(call.query("fields")), _names(call.query("types"))
    size = call.whole("$maxPageSize", PAGE, most=LARGEST_PAGE) or PAGE
    return _batch(call, _filter(call, given), size)


def read_revisions_filtered(call: Call) -> Answer:
    size = call.whole("$maxPageSize", PAGE, most=LARGEST_PAGE) or PAGE
    return _batch(call, _filter(call, call.json_object()), size)


def read_discussions(call: Call) -> Answer:
    wanted = Filter([HISTORY], [], True, False, False, True, discussion_only=True)
    return _batch(call, wanted, call.whole("$maxPageSize", PAGE, most=LARGEST_PAGE) or PAGE)


def _flat(person: Person, base: str) -> dict[str, Any]:
    return {
        "id": person.id,
        "displayName": person.name,
        "uniqueName": person.mail,
        "url": f"{base}/_apis/Identities/{person.id}",
    }


def read_links(call: Call) -> Answer:
    after, start = _position(call)
    kinds = _names(call.query("linkTypes"))
    found = [
        one
        for one in call.store.link_feed
        if one.watermark > after
        and (start is None or one.at >= start)
        and (call.project is None or one.source.project is call.project)
        and (not kinds or one.relation.rel in kinds)
    ]
    page = found[:PAGE]
    values = [
        {
            "rel": one.relation.rel,
            "attributes": {
                "isActive": one.is_active,
                "changedDate": stamp(one.at),
                "changedBy": _flat(one.by, call.store.base),
                "changedOperation": "create" if one.is_active else "remove",
                "comment": one.relation.comment,
                "sourceId": one.source.id,
                "targetId": int(one.relation.target),
                "sourceProjectId": one.source.project.id,
            },
        }
        for one in page
    ]
    token = f"{page[-1].watermark if page else after};0"
    address = f"{call.base}/_apis/wit/reporting/workItemLinks?{urlencode({'continuationToken': token})}"
    return Answer(
        {"values": values, "nextLink": address, "continuationToken": token, "isLastBatch": len(found) <= PAGE}
    )


FEED = "wit/reporting/workitemrevisions"
ROUTES = [
    Route("GET", FEED, read_revisions, locations.REVISION_FEED),
    Route("POST", FEED, read_revisions_filtered, locations.REVISION_FEED, "optional", JSON_TYPE),
    Route("GET", FEED + "/discussions", read_discussions, locations.DISCUSSION_FEED),
    Route("GET", "wit/reporting/workitemlinks", read_links, locations.LINK_FEED),
]
