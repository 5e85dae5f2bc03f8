"""The Attachment API: upload raw or as a form, list, read, rename and delete. An upload does not touch its record."""

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp.multipart import content_disposition_filename, parse_content_disposition

from .access import Viewer, writes_table
from .errors import FAILED, Refusal, api_forbidden, forbidden, missing_parameter, unreadable
from .instance import Instance, Row, new_id
from .notices import notify
from .paging import Page
from .queries import select
from .rendering import Rendering
from .table_api import body_of, reads_row, visible_row
from .wire import Answer, Call, json_answer

ATTACHMENTS = "sys_attachment"
DEFAULT_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way to a record."""

    table: str
    record: str
    name: str
    content_type: str
    content: bytes


def list_attachments(instance: Instance, viewer: Viewer, call: Call, _target: Mapping[str, str]) -> Answer:
    found = select(instance, viewer, ATTACHMENTS, call.query.get("sysparm_query", ""))
    page = Page(call, found, DEFAULT_LIMIT)
    visible = [row for row in page.rows if reads_row(instance, viewer, ATTACHMENTS, row)]
    content = {"result": [_facts(instance, viewer, row) for row in visible]}
    return json_answer(200, content, page.headers(instance.origin))


def read_attachment(instance: Instance, viewer: Viewer, _call: Call, target: Mapping[str, str]) -> Answer:
    row = visible_row(instance, viewer, ATTACHMENTS, target["sys_id"])
    return json_answer(200, {"result": _facts(instance, viewer, row)})


def read_content(instance: Instance, viewer: Viewer, _call: Call, target: Mapping[str, str]) -> Answer:
    row = visible_row(instance, viewer, ATTACHMENTS, target["sys_id"])
    headers = {
        "Content-Type": row["content_type"] or "application/octet-stream",
        "X-Attachment-Metadata": json.dumps(_facts(instance, viewer, row)),
    }
    return Answer(200, instance.content[row["sys_id"]], headers)


def upload_raw(instance: Instance, viewer: Viewer, call: Call, _target: Mapping[str, str]) -> Answer:
    """The body is the file; the record and the file name are parameters, and the content type is mandatory."""
    for name in ("table_name", "table_sys_id", "file_name"):
        if not call.query.get(name):
            raise missing_parameter(name)
    upload = Upload(
        call.query["table_name"],
        call.query["table_sys_id"],
        call.query["file_name"],
        call.content_type,
        call.body,
    )
    return _store(instance, viewer, call, upload)


def upload_form(instance: Instance, viewer: Viewer, call: Call, _target: Mapping[str, str]) -> Answer:
    """A form with ``table_name``, ``table_sys_id`` and then the file: parts after the file are not read any more."""
    fields: dict[str, str] = {}
    for part in _parts(call):
        _, parameters = parse_content_disposition(part.headers.get("content-disposition", ""))
        file_name = content_disposition_filename(parameters)
        if file_name is None:
            fields[parameters.get("name", "")] = part.content.decode(errors="replace")
            continue
        for name in ("table_name", "table_sys_id"):
            if not fields.get(name):
                raise missing_parameter(name)
        content_type = part.headers.get("content-type", "application/octet-stream")
        upload = Upload(fields["table_name"], fields["table_sys_id"], file_name, content_type, part.content)
        return _store(instance, viewer, call, upload)
    raise missing_parameter("uploadFile")


def rename(instance: Instance, viewer: Viewer, call: Call, target: Mapping[str, str]) -> Answer:
    """Give an attachment another ``file_name``; nothing else of it can be changed."""
    row = visible_row(instance, viewer, ATTACHMENTS, target["sys_id"])
    _parent(instance, viewer, row["table_name"], row["table_sys_id"], "Update")
    name = body_of(call).get("file_name")
    if not isinstance(name, str) or not name:
        raise missing_parameter("file_name")
    if name != row["file_name"]:
        values = {
            "file_name": name,
            "sys_updated_on": instance.now(),
            "sys_updated_by": viewer.name,
            "sys_mod_count": str(int(row["sys_mod_count"]) + 1),
        }
        instance.shelves[ATTACHMENTS].change(row, values)
        notify(instance, viewer, ATTACHMENTS, row, operation="update", changed=["file_name"])
    return json_answer(200, {"result": _facts(instance, viewer, row)})


def delete_attachment(instance: Instance, viewer: Viewer, _call: Call, target: Mapping[str, str]) -> Answer:
    row = visible_row(instance, viewer, ATTACHMENTS, target["sys_id"])
    _parent(instance, viewer, row["table_name"], row["table_sys_id"], "Delete")
    instance.shelves[ATTACHMENTS].drop(row)
    del instance.content[row["sys_id"]]
    instance.log(row["table_sys_id"], by=viewer.name, field="attachment", **{"from": row["sys_id"], "to": ""})
    notify(instance, viewer, ATTACHMENTS, row, operation="delete", changed=[])
    return Answer(204)


def _store(instance: Instance, viewer: Viewer, call: Call, upload: Upload) -> Answer:
    settings = instance.settings
    _parent(instance, viewer, upload.table, upload.record, "Insert")
    if len(upload.content) > settings.attachment_max_bytes:
        raise Refusal(413, FAILED, f"File size exceeds the limit of {settings.attachment_max_bytes} bytes")
    extension = upload.name.rpartition(".")[2].lower()
    if settings.attachment_extensions and extension not in settings.attachment_extensions:
        raise Refusal(403, FAILED, f"File type is not allowed: {extension}")
    row = {name: column.default for name, column in instance.schema.columns(ATTACHMENTS).items()}
    now = instance.now()
    row |= {
        "sys_id": new_id(),
        "file_name": upload.name[:100],
        "table_name": upload.table,
        "table_sys_id": upload.record,
        "content_type": upload.content_type,
        "size_bytes": str(len(upload.content)),
        "size_compressed": str(len(zlib.compress(upload.content, 1))),
        "hash": hashlib.sha256(upload.content).hexdigest(),
        "sys_created_on": now,
        "sys_created_by": viewer.name,
        "sys_updated_on": now,
        "sys_updated_by": viewer.name,
        "sys_mod_count": "0",
    }
    instance.shelves[ATTACHMENTS].add(row)
    instance.content[row["sys_id"]] = upload.content
    instance.log(upload.record, by=viewer.name, field="attachment", **{"from": "", "to": row["sys_id"]})
    notify(instance, viewer, ATTACHMENTS, row, operation="insert", changed=[])
    base = call.path[: call.path.index("/attachment") + len("/attachment")]
    location = {"Location": f"{instance.origin}{base}/{row['sys_id']}"}
    return json_answer(201, {"result": _facts(instance, viewer, row)}, location)


def _parent(instance: Instance, viewer: Viewer, table_name: str, sys_id: str, operation: str) -> Row:
    """The record that a file belongs to; only who may write it may add, rename or remove its files."""
    table = table_name.removeprefix("ZZ_YY")
    if table not in instance.schema.tables:
        raise Refusal(400, f"Invalid table {table_name}")
    if table in instance.settings.denied_tables and not viewer.is_admin:
        raise api_forbidden()
    row = visible_row(instance, viewer, table, sys_id)
    if not writes_table(instance, viewer, instance.table_of(table, row)):
        raise forbidden(operation)
    return row


def _facts(instance: Instance, viewer: Viewer, row: Row) -> dict[str, str]:
    record = Rendering(instance, viewer, ATTACHMENTS, {}).record(row)
    return {**record, "download_link": f"{instance.origin}/api/now/attachment/{row['sys_id']}/file"}


@dataclass(frozen=True, slots=True)
class Part:
    headers: dict[str, str]
    content: bytes


def _parts(call: Call) -> list[Part]:
    _, parameters = parse_content_disposition(_as_disposition(call.header("content-type")))
    boundary = parameters.get("boundary", "")
    if not boundary:
        raise unreadable("The form has no boundary")
    pieces = (b"\r\n" + call.body).split(b"\r\n--" + boundary.encode())
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise unreadable("The form is not complete")
    parts = []
    for piece in pieces[1:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = (line.partition(":") for line in head.decode(errors="replace").split("\r\n"))
        parts.append(Part({name.strip().lower(): value.strip() for name, _, value in headers}, content))
    return parts


def _as_disposition(content_type: str) -> str:
    """Parameters of a content type have the grammar of a content disposition, whose reader knows quoting."""
    return "form-data;" + content_type.partition(";")[2]
