"""Insert, update and delete: what of a body is taken, what follows from it, and the traces that it leaves."""

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from .access import Viewer, unwritable_columns
from .instance import MOMENT, Dossier, Instance, Row, new_id
from .notices import notify
from .rules import abort, check_policies, run_before
from .schema import Column
from .seed import dictionary_entry

SYS_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(slots=True)
class Change:
    """What one body asks of a record: column values, and text to append to its journals."""

    values: Row = field(default_factory=dict)
    journals: Row = field(default_factory=dict)


def read_change(instance: Instance, viewer: Viewer, table: str, body: dict[str, Any], by_display: bool) -> Change:
    """Take from ``body`` what the vendor takes. Unknown and ``sys_`` columns, columns that the viewer may not write and
    choices that do not exist are left out in silence; over-long strings are cut in silence."""
    change = Change()
    columns = instance.schema.columns(table)
    locked = unwritable_columns(instance, viewer, table)
    for name, given in body.items():
        column = columns.get(name)
        if column is None or name.startswith("sys_") or name in locked:
            continue
        text = _text(given, by_display)
        if "journal" in column.kind:
            if text and column.kind == "journal_input":
                change.journals[name] = text
            continue
        value = _stored(instance, viewer, table, column, text=text, by_display=by_display)
        if value is not None:
            change.values[name] = value
    return change


def insert(instance: Instance, viewer: Viewer, table: str, change: Change) -> Row:
    """Create a record. Raises a 403 refusal where a policy or a business rule forbids it."""
    row = {name: column.default for name, column in instance.schema.columns(table).items()}
    now = instance.now()
    row |= change.values
    if instance.schema.is_task(table):
        row["number"] = row["number"] or instance.next_number(table)
        row["task_effective_number"] = row["number"]
        row["opened_at"] = row["opened_at"] or now
        row["opened_by"] = row["opened_by"] or viewer.sys_id
        row["sys_class_name"] = table
    row |= {"sys_id": new_id(), "sys_created_on": now, "sys_created_by": viewer.name, "sys_updated_on": now}
    row |= {"sys_updated_by": viewer.name, "sys_mod_count": "0"}
    check_policies(instance, viewer, table, row, journals=change.journals, changed=change.values)
    run_before(instance, viewer, table, old=None, new=row, journals=change.journals)
    _check_secret(table, row)
    instance.shelves[table].add(row)
    if instance.schema.is_task(table):
        instance.dossiers[row["sys_id"]] = Dossier(table, row)
    _add_journals(instance, viewer, table, row, change.journals)
    _follow_metadata(instance, table, None, row)
    notify(instance, viewer, table, row, operation="insert", changed=[*change.values, *change.journals])
    return row


def update(instance: Instance, viewer: Viewer, table: str, row: Row, change: Change) -> None:
    """Change a record. Equal values are no write at all: neither its time of update nor its count of updates moves."""
    table = instance.table_of(table, row)
    proposed = row | change.values
    asked = [name for name in change.values if proposed[name] != row.get(name, "")]
    if not asked and not change.journals:
        return
    check_policies(instance, viewer, table, proposed, journals=change.journals, changed=asked)
    run_before(instance, viewer, table, old=row, new=proposed, journals=change.journals)
    _check_secret(table, proposed)
    ordered = [*asked, *(name for name in proposed if name not in asked)]
    changed = {name: proposed[name] for name in ordered if proposed[name] != row.get(name, "")}
    if not changed and not change.journals:
        return
    before = dict(row)
    if instance.settings.auto_system_fields:
        proposed["sys_updated_on"] = instance.now()
        proposed["sys_updated_by"] = viewer.name
        proposed["sys_mod_count"] = str(int(row["sys_mod_count"]) + 1)
    instance.shelves[table].change(row, proposed)
    _add_audit(instance, viewer, table, row, before=before, changed=list(changed))
    _add_journals(instance, viewer, table, row, change.journals)
    _follow_metadata(instance, table, before, row)
    notify(instance, viewer, table, row, operation="update", changed=[*changed, *change.journals])


def delete(instance: Instance, viewer: Viewer, table: str, row: Row) -> None:
    """Remove a record for good, with its attachments; a ticket leaves a line in ``sys_audit_delete``."""
    table = instance.table_of(table, row)
    dossier = instance.dossiers.get(row["sys_id"])
    attachments = instance.shelves["sys_attachment"].having("table_sys_id", row["sys_id"]) or []
    journals = instance.shelves["sys_journal_field"].having("element_id", row["sys_id"]) or []
    if dossier is not None:
        dossier.deleted, dossier.row = True, dict(row)
        dossier.comments, dossier.attachments = journals, attachments
    for entry in attachments:
        instance.shelves["sys_attachment"].drop(entry)
        instance.content.pop(entry["sys_id"])
    for entry in journals:
        instance.shelves["sys_journal_field"].drop(entry)
    instance.shelves[table].drop(row)
    if dossier is not None:
        trace = {"tablename": table, "documentkey": row["sys_id"], "display_value": row["number"], "user": viewer.name}
        _add_trace(instance, viewer, "sys_audit_delete", trace)
    _follow_metadata(instance, table, row, None)
    notify(instance, viewer, table, row, operation="delete", changed=[])


def _text(given: Any, by_display: bool) -> str:
    if isinstance(given, dict):
        given = given.get("display_value" if by_display else "value", "")
    if isinstance(given, bool):
        return str(given).lower()
    # Half a surrogate pair is legal in JSON and has no bytes in a database: it is stored as a question mark.
    return "" if given is None else str(given).encode(errors="replace").decode()


def _stored(
    instance: Instance, viewer: Viewer, table: str, column: Column, *, text: str, by_display: bool
) -> str | None:
    """The value that ends up in the column, or None where the vendor leaves the column as it was."""
    if column.has_choices:
        return _stored_choice(instance, table, column, text, by_display)
    if not text:
        return ""
    if column.kind == "reference":
        return _stored_reference(instance, column, text, by_display)
    if column.kind == "boolean":
        return "true" if text.lower() in ("true", "1", "yes") else "false"
    if column.kind == "integer":
        return text if re.fullmatch(r"-?\d+", text) else None
    if column.kind == "glide_date_time":
        return _stored_moment(text, viewer.zone if by_display else ZoneInfo("UTC"))
    return text[: column.length]


def _stored_choice(instance: Instance, table: str, column: Column, text: str, by_display: bool) -> str | None:
    if not text:
        return None if column.mandatory else ""
    choices = instance.choices(table, column.name)
    if by_display:
        text = next((value for value, label in choices.items() if label.casefold() == text.casefold()), text)
    if text in choices or instance.settings.allow_unknown_choices:
        return text[: column.length]
    return None


def _stored_reference(instance: Instance, column: Column, text: str, by_display: bool) -> str | None:
    """A sys_id is stored even when it leads nowhere, as the vendor does; other text that matches nothing is dropped."""
    if by_display:
        shown = instance.schema.tables[column.reference].display
        for row in instance.rows(column.reference):
            if row.get(shown, "").casefold() == text.casefold():
                return row["sys_id"]
    return text if SYS_ID.fullmatch(text) else None


def _stored_moment(text: str, zone: ZoneInfo) -> str | None:
    for form in (MOMENT, "%Y-%m-%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=zone).astimezone(UTC).strftime(MOMENT)
        except ValueError:
            continue
    return None


def _check_secret(table: str, row: Row) -> None:
    if table != "x_siam_notice_target":
        return
    try:
        is_good = bool(base64.b64decode(row["secret"], validate=True))
    except binascii.Error:
        is_good = False
    if not is_good:
        raise abort(table, "Check notice target")


def _add_trace(instance: Instance, viewer: Viewer, table: str, values: Row) -> Row:
    row = dict.fromkeys(instance.schema.columns(table), "")
    row |= {"sys_id": new_id(), "sys_created_on": instance.now(), "sys_created_by": viewer.name, **values}
    instance.shelves[table].add(row)
    return row


def _add_audit(instance: Instance, viewer: Viewer, table: str, row: Row, *, before: Row, changed: list[str]) -> None:
    if not instance.schema.is_task(table):
        return
    for name in changed:
        old, new = before.get(name, ""), row[name]
        trace = {
            "tablename": table,
            "documentkey": row["sys_id"],
            "fieldname": name,
            "oldvalue": old,
            "newvalue": new,
            "record_checkpoint": row["sys_mod_count"],
            "user": viewer.name,
        }
        _add_trace(instance, viewer, "sys_audit", trace)
        instance.log(row["sys_id"], by=viewer.name, field=name, **{"from": old, "to": new})


def _add_journals(instance: Instance, viewer: Viewer, table: str, row: Row, journals: Row) -> None:
    for element, text in journals.items():
        values = {"element": element, "element_id": row["sys_id"], "name": table, "value": text}
        entry = _add_trace(instance, viewer, "sys_journal_field", values)
        instance.log(row["sys_id"], by=viewer.name, field="comment", **{"from": "", "to": entry["sys_id"]})


def _follow_metadata(instance: Instance, table: str, before: Row | None, after: Row | None) -> None:
    """Choices and columns are records themselves: what an administrator changes there holds from now on."""
    if table in ("sys_choice", "sys_dictionary"):
        instance.forget_metadata()
    if table != "sys_dictionary":
        return
    if before is not None and before["element"]:
        instance.schema.drop_column(before["name"], before["element"])
    if after is not None and after["element"] and after["active"] == "true" and after["name"] in instance.schema.tables:
        column = Column(
            after["element"],
            after["column_label"] or after["element"],
            after["internal_type"] or "string",
            int(after["max_length"] or "40"),
            after["reference"],
            bool(after["choice"]),
            after["default_value"],
            after["mandatory"] == "true",
        )
        instance.schema.add_column(after["name"], column)
        after |= dictionary_entry(after["name"], column)
