"""The Table API: list, read, create, change and delete the records of a table."""

import json
from collections.abc import Mapping
from typing import Any

from .access import Viewer, deletes_from, reads_table, writes_table
from .errors import api_forbidden, forbidden, invalid_table, no_record, unreadable
from .instance import Instance, Row
from .paging import Page
from .queries import read_query, select
from .rendering import Rendering
from .rules import is_closed
from .wire import Answer, Call, json_answer
from .writes import delete, insert, read_change, update

DEFAULT_LIMIT = 10_000


def list_records(instance: Instance, viewer: Viewer, call: Call, target: Mapping[str, str]) -> Answer:
    """A page of records. Nothing found is an empty list, but 404 in version 1 of the API."""
    table = _checked(instance, viewer, target["table"])
    query = call.query.get("sysparm_query", "")
    found = select(instance, viewer, table, query) if _reads(instance, viewer, table) else []
    page = Page(call, found, DEFAULT_LIMIT)
    visible = [row for row in page.rows if reads_row(instance, viewer, table, row)]
    if not visible and target["version"] == "v1":
        raise no_record()
    rendering = Rendering(instance, viewer, table, call.query)
    records = [rendering.record(row) for row in visible]
    content: dict[str, Any] = {"result": records}
    longest = instance.settings.cancel_lists_over
    if longest and len(records) > longest:
        # The list was already on its way when its time ran out, so the error follows rows under a status of 200.
        error = {"message": "Transaction cancelled: maximum execution time exceeded", "detail": None}
        content = {"result": records[:longest], "error": error, "status": "failure"}
    return json_answer(200, content, page.headers(instance.origin))


def read_record(instance: Instance, viewer: Viewer, call: Call, target: Mapping[str, str]) -> Answer:
    table = _checked(instance, viewer, target["table"])
    row = visible_row(instance, viewer, table, target["sys_id"])
    return json_answer(200, {"result": Rendering(instance, viewer, table, call.query).record(row)})


def create_record(instance: Instance, viewer: Viewer, call: Call, target: Mapping[str, str]) -> Answer:
    table = _checked(instance, viewer, target["table"])
    if not writes_table(instance, viewer, table):
        raise forbidden("Insert")
    by_display = call.is_set("sysparm_input_display_value")
    row = insert(instance, viewer, table, read_change(instance, viewer, table, body_of(call), by_display))
    answer = _written(instance, viewer, call, table, row)
    answer.status = 201
    answer.headers["Location"] = f"{instance.origin}{call.path.rstrip('/')}/{row['sys_id']}"
    return answer


def change_record(instance: Instance, viewer: Viewer, call: Call, target: Mapping[str, str]) -> Answer:
    """PATCH and PUT alike: both merge, so that columns not named stay as they are."""
    table = _checked(instance, viewer, target["table"])
    row = visible_row(instance, viewer, table, target["sys_id"])
    real_table = instance.table_of(table, row)
    locked = instance.settings.closed_is_read_only and not viewer.is_admin and is_closed(instance, real_table, row)
    if locked or not writes_table(instance, viewer, real_table):
        raise forbidden("Update")
    by_display = call.is_set("sysparm_input_display_value")
    update(instance, viewer, table, row, read_change(instance, viewer, real_table, body_of(call), by_display))
    return _written(instance, viewer, call, table, row)


def delete_record(instance: Instance, viewer: Viewer, _call: Call, target: Mapping[str, str]) -> Answer:
    table = _checked(instance, viewer, target["table"])
    row = visible_row(instance, viewer, table, target["sys_id"])
    if not deletes_from(instance, viewer, instance.table_of(table, row)):
        raise forbidden("Delete")
    delete(instance, viewer, table, row)
    return Answer(204)


def visible_row(instance: Instance, viewer: Viewer, table: str, sys_id: str) -> Row:
    """The row, or the vendor's 404, which does not tell a deleted record from one that the viewer may not read."""
    row = instance.find(table, sys_id)
    if row is None or not _reads(instance, viewer, table) or not reads_row(instance, viewer, table, row):
        raise no_record()
    return row


def reads_row(instance: Instance, viewer: Viewer, table: str, row: Row) -> bool:
    """Whether the row rules let ``viewer`` read ``row``; an attachment is as readable as the record it belongs to."""
    if viewer.is_admin:
        return True
    if table == "sys_attachment":
        parent_table = row["table_name"].removeprefix("ZZ_YY")
        parent = instance.find(parent_table, row["table_sys_id"]) if parent_table in instance.schema.tables else None
        return (
            parent is not None
            and _reads(instance, viewer, parent_table)
            and reads_row(instance, viewer, parent_table, parent)
        )
    real_table = instance.table_of(table, row)
    if real_table != table and not reads_table(instance, viewer, real_table):
        return False
    hidden = instance.settings.hidden_rows.get(real_table, "")
    return not hidden or not read_query(instance, viewer, real_table, hidden).matches(row)


def body_of(call: Call) -> dict[str, Any]:
    """The JSON object in the body. Raises a 400 refusal for anything else: one call writes one record."""
    try:
        content = json.loads(call.body)
    except (ValueError, RecursionError) as problem:
        raise unreadable(f"The payload is not valid JSON: {problem}") from problem
    if not isinstance(content, dict):
        raise unreadable("The payload must be a JSON object")
    return content


def _checked(instance: Instance, viewer: Viewer, table: str) -> str:
    if table not in instance.schema.tables:
        raise invalid_table(table)
    if table in instance.settings.denied_tables and not viewer.is_admin:
        raise api_forbidden()
    return table


def _reads(instance: Instance, viewer: Viewer, table: str) -> bool:
    return any(reads_table(instance, viewer, name) for name in instance.schema.family(table))


def _written(instance: Instance, viewer: Viewer, call: Call, table: str, row: Row) -> Answer:
    if call.header("x-no-response-body").lower() == "true":
        return Answer(200)
    return json_answer(200, {"result": Rendering(instance, viewer, table, call.query).record(row)})
