"""Files: multipart upload, metadata, and download by way of a signed media address."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from urllib.parse import quote

from aiohttp import web

from . import seed, shapes, workflow
from .errors import Refusal, bad
from .records import Records
from .site import Call
from .state import Attachment, Issue

MOST_FILES = 60
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    filename: str | None
    mime: str
    content: bytes


def read_parts(content_type: str, body: bytes) -> list[Part]:
    """The parts of a ``multipart/form-data`` body; raises ValueError when it is not one."""
    message = Message()
    message["Content-Type"] = content_type
    boundary = message.get_param("boundary")
    if not isinstance(boundary, str) or message.get_content_type() != "multipart/form-data":
        raise ValueError(content_type)
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    parts: list[Part] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return parts
        head, found, content = piece.partition(b"\r\n\r\n")
        if not found:
            break
        parts.append(_read_part(head, content))
    raise ValueError("the body ends before its last boundary")


def _read_part(head: bytes, content: bytes) -> Part:
    message = Message()
    message["Content-Type"] = "application/octet-stream"
    for line in head.decode().strip("\r\n").split("\r\n"):
        name, _, value = line.partition(":")
        del message[name.strip()]
        message[name.strip()] = value.strip()
    part_name = message.get_param("name", header="Content-Disposition")
    return Part(str(part_name), message.get_filename(), message.get_content_type(), content)


def _attachment(call: Call) -> tuple[Issue, Attachment]:
    wanted = call.part("attachment")
    for issue in call.site.store.living():
        if call.may_see(issue):
            for entry in issue.attachments:
                if entry.id == wanted:
                    return issue, entry
    raise Refusal(404, f"The attachment with id '{wanted}' does not exist")


async def upload(call: Call) -> web.Response:
    """200 with a list. Needs the header ``X-Atlassian-Token: no-check`` (else a plain-text 403) and parts named
    ``file``; 413 for more than 60 files, for a file over the site's limit, and over the per-issue limit."""
    if call.request.headers.get("X-Atlassian-Token", "").lower() not in ("no-check", "nocheck"):
        return web.Response(status=403, text="XSRF check failed")
    issue, settings = call.issue(), call.site.settings
    author = call.user.account_id
    if call.request.content_type != "multipart/form-data":
        raise Refusal(415, f"Content type '{call.request.content_type}' is not supported.")
    try:
        parts = read_parts(call.request.headers["Content-Type"], await call.request.read())
    except (ValueError, KeyError) as problem:
        raise bad("The multipart body could not be read.") from problem
    files = [part for part in parts if part.name == "file" and part.filename]
    if not files:
        raise bad("No file was sent in a part named 'file'.")
    if not settings.attachments_enabled or workflow.is_locked(call.site, issue):
        raise Refusal(403, "You do not have permission to create attachments for this issue.")
    if len(files) > MOST_FILES:
        raise Refusal(413, f"The maximum number of files in one request is {MOST_FILES}.")
    for part in files:
        if len(part.content) > settings.upload_limit:
            raise Refusal(413, f"The file '{part.filename}' exceeds the limit of {settings.upload_limit} bytes.")
    if settings.is_cloud and len(issue.attachments) + len(files) > settings.attachment_limit:
        raise Refusal(413, f"The issue has reached the limit of {settings.attachment_limit} attachments.")
    records = Records(call.site, author)
    made = [records.attach(issue, part.filename or "", part.mime, part.content) for part in files]
    return web.json_response([shapes.attachment(call.view, entry) for entry in made])


async def get_settings(call: Call) -> web.Response:
    settings = call.site.settings
    return web.json_response({"enabled": settings.attachments_enabled, "uploadLimit": settings.upload_limit})


async def get_metadata(call: Call) -> web.Response:
    return web.json_response(shapes.attachment(call.view, _attachment(call)[1]))


async def delete(call: Call) -> web.Response:
    issue, entry = _attachment(call)
    person = call.user
    if entry.author != person.account_id and not person.is_admin:
        raise Refusal(403, f"You do not have permission to delete attachment with id: {entry.id}")
    Records(call.site, person.account_id).detach(issue, entry)
    return web.Response(status=204)


async def get_content(call: Call) -> web.Response:
    """Cloud: 303 to a signed media address that needs no sign-in; ``redirect=false`` gives the bytes, or a range."""
    _, entry = _attachment(call)
    if call.request.query.get("redirect", "true").lower() == "false":
        return _bytes(entry, call.request.headers.get("Range", ""))
    until = int((call.site.now() + timedelta(seconds=call.site.settings.media_link_seconds)).timestamp())
    path = f"/media/file/{entry.id}/binary?expires={until}&signature={_signature(entry.id, until)}"
    return web.Response(status=303, headers={"Location": call.site.origin + path})


async def get_file(call: Call) -> web.Response:
    """Data Center: the ``content`` address of an attachment, with the caller's own sign-in."""
    _, entry = _attachment(call)
    return _bytes(entry, call.request.headers.get("Range", ""))


async def get_media(call: Call) -> web.Response:
    """The signed address that Cloud redirects to; 403 when the signature is wrong or has lapsed."""
    query, number = call.request.query, call.part("attachment")
    until = query.get("expires", "")
    is_signed = until.isdigit() and hmac.compare_digest(query.get("signature", ""), _signature(number, int(until)))
    if not is_signed or call.site.now() >= datetime.fromtimestamp(int(until), UTC):
        return web.Response(status=403, text="Request has expired")
    for issue in call.site.store.living():
        for entry in issue.attachments:
            if entry.id == number:
                return _bytes(entry, call.request.headers.get("Range", ""))
    return web.Response(status=404, text="Not found")


def _signature(number: str, until: int) -> str:
    return hmac.new(seed.CLIENT_SECRET.encode(), f"{number}:{until}".encode(), hashlib.sha256).hexdigest()


def _bytes(entry: Attachment, wanted: str) -> web.Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(entry.filename)}", "Accept-Ranges": "bytes"}
    headers["Content-Type"] = entry.mime
    found, size = _RANGE.fullmatch(wanted), len(entry.content)
    if found is None or not (found[1] or found[2]):
        return web.Response(body=entry.content, headers=headers)
    first = int(found[1]) if found[1] else max(0, size - int(found[2]))
    last = min(int(found[2]), size - 1) if found[1] and found[2] else size - 1
    if first >= size or last < first:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return web.Response(status=206, body=entry.content[first : last + 1], headers=headers)
