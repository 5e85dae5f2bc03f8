"""Attachments: uploaded whole or in chunks, and only then related to a work item."""

import re
import uuid
from dataclasses import replace
from urllib.parse import quote

from . import locations
from .calls import Answer, Call
from .errors import BindingFault, Refusal, missing_thing
from .routes import BYTES_TYPE, Route
from .workitems import Attachment

RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def _reference(call: Call, file: Attachment) -> Answer:
    url = f"{call.base}/_apis/wit/attachments/{file.id}?fileName={quote(file.name)}"
    return Answer({"id": file.id, "url": url})


def _check_size(call: Call, size: int) -> None:
    if size > call.store.settings.attachment_limit:
        message = "TF237082: The file you are trying to upload exceeds the supported file upload size."
        raise Refusal(413, message, "AttachmentExceedsMaxSizeException")


def upload(call: Call) -> Answer:
    kind = call.query("uploadType", "Simple").casefold()
    if kind not in ("simple", "chunked"):
        raise BindingFault(f"The value '{kind}' is not valid for uploadType.")
    if kind == "simple":
        _check_size(call, len(call.body))
    identifier = str(uuid.uuid4())
    name = call.query("fileName") or identifier
    total = len(call.body) if kind == "simple" else -1
    content = call.body if kind == "simple" else b""
    file = Attachment(identifier, name, content, total, call.store.now())
    call.store.attachments[identifier] = file
    return _reference(call, file)


def _find(call: Call) -> Attachment:
    file = call.store.attachments.get(call.places["id"].lower())
    if file is None:
        message = f"VS403500: The attachment {call.places['id']} does not exist."
        raise missing_thing(message, "AttachmentNotFoundException")
    return file


def upload_chunk(call: Call) -> Answer:
    """Chunks come in order: each begins where the last one ended. Raises the vendor's 400 otherwise."""
    file = _find(call)
    found = RANGE.fullmatch(call.request.headers.get("Content-Range", ""))
    if found is None:
        raise BindingFault("A chunk needs a header like 'Content-Range: bytes 0-1023/4096'.")
    first, last, total = int(found[1]), int(found[2]), int(found[3])
    fits = first == len(file.content) and last - first + 1 == len(call.body) and last < total
    if not fits or file.is_complete or file.total not in (-1, total):
        message = f"VS403501: The chunk {first}-{last}/{total} does not follow on {len(file.content)} bytes."
        raise Refusal(400, message, "AttachmentChunkOutOfOrderException")
    _check_size(call, total)
    file = replace(file, content=file.content + call.body, total=total)
    call.store.attachments[file.id] = file
    return _reference(call, file)


def download(call: Call) -> Answer:
    file = _find(call)
    if not file.is_complete:
        raise missing_thing(f"VS403500: The attachment {file.id} does not exist.", "AttachmentNotFoundException")
    name = call.query("fileName") or file.name
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"} if call.flag("download") else {}
    return Answer(file.content, headers=headers, content_type=BYTES_TYPE)


ROUTES = [
    Route("POST", "wit/attachments", upload, locations.ATTACHMENTS, "optional", BYTES_TYPE),
    Route("PUT", "wit/attachments/{id}", upload_chunk, locations.ATTACHMENTS, "optional", BYTES_TYPE),
    Route("GET", "wit/attachments/{id}", download, locations.ATTACHMENTS),
]
