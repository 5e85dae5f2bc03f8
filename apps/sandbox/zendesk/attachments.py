"""Uploads and attachments: raw bytes in, a token for the next comment, a link on the account's own origin out."""

import secrets
from datetime import timedelta
from urllib.parse import quote, urlsplit

from .account import Account
from .call import Answer, Call, Route
from .errors import NOT_SIGNED_IN, Json, Refusal, bad_attribute, invalid, not_found
from .present import attachment_json
from .records import Attachment, Upload, stamp
from .sign_in import identify

# the industry's harmless test file for virus scanners
EICAR = b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE"


def upload(call: Call) -> Answer:
    """``POST /uploads?filename=``: a new token, or one more file for ``token``. Raises 413 and 422."""
    account, settings = call.account, call.account.settings
    name = call.query.get("filename", "").strip()
    if not name:
        raise bad_attribute("filename", "Invalid parameter: filename is required")
    if len(call.raw) > settings.attachment_bytes:
        raise Refusal(
            413, {"error": "AttachmentTooLarge", "description": "The file is larger than this account allows"}
        )
    if name.rpartition(".")[2].lower() in settings.refused_extensions:
        raise invalid("attachment", "Attachment: files of this type are not allowed")
    held = _upload_for(call)
    item = Attachment(
        id=account.new_id(),
        token=secrets.token_urlsafe(18),
        file_name=name,
        content_type=call.headers.get("Content-Type", "application/octet-stream"),
        content=call.raw,
        created_at=account.now(),
        scan="malware_found" if EICAR in call.raw else "malware_not_found",
    )
    held.attachments.append(item)
    account.attachments[item.id] = item
    account.attachment_tokens[item.token] = item
    return Answer(201, {"upload": _upload_json(account, held, item)})


def _upload_for(call: Call) -> Upload:
    account = call.account
    token = call.query.get("token")
    if token:
        held = account.uploads.get(token)
        if held is None or account.clock() >= held.expires_at:
            raise invalid("token", "Token: is invalid or expired")
        return held
    expires_at = account.clock() + timedelta(seconds=account.settings.upload_seconds)
    held = Upload(secrets.token_hex(12), expires_at, call.caller.id)
    account.uploads[held.token] = held
    return held


def _upload_json(account: Account, held: Upload, newest: Attachment) -> Json:
    return {
        "token": held.token,
        "expires_at": stamp(held.expires_at),
        "attachment": attachment_json(account, newest),
        "attachments": [attachment_json(account, item) for item in held.attachments],
    }


def discard(call: Call) -> Answer:
    held = call.account.uploads.pop(call.ids["token"], None)
    if held is None:
        raise not_found()
    for item in held.attachments:
        call.account.attachments.pop(item.id, None)
        call.account.attachment_tokens.pop(item.token, None)
    return Answer(204)


def drop_expired(account: Account) -> None:
    """Uploads that no comment used are deleted when their token ends."""
    for token, held in list(account.uploads.items()):
        if account.clock() >= held.expires_at:
            del account.uploads[token]
            for item in held.attachments:
                account.attachments.pop(item.id, None)
                account.attachment_tokens.pop(item.token, None)


def found(call: Call) -> Attachment:
    item = call.account.attachments.get(call.number("id"))
    if item is None:
        raise not_found()
    return item


def show(call: Call) -> Answer:
    return Answer(body={"attachment": attachment_json(call.account, found(call))})


def change(call: Call) -> Answer:
    item, data = found(call), call.wrapped("attachment")
    item.access_override = bool(data.get("malware_access_override", item.access_override))
    return Answer(body={"attachment": attachment_json(call.account, item)})


def download(account: Account, path: str, headers: dict[str, str]) -> Answer:
    """``content_url``: may need signing in on the first hop; may lead to a storage host that takes no credentials."""
    _, _, kind, token = path.rstrip("/").split("/", 3)
    item = account.attachment_tokens.get(token)
    if item is None:
        raise not_found()
    if item.scan == "malware_found" and not item.access_override:
        raise Refusal(403, {"error": "Forbidden", "description": "The attachment was found to hold malware"})
    settings = account.settings
    if kind == "stored":
        if "authorization" in {name.lower() for name in headers}:
            raise Refusal(400, {"error": "InvalidArgument", "description": "Only one way of authentication is allowed"})
    else:
        if settings.private_attachments:
            if "Authorization" not in headers:
                raise Refusal(401, NOT_SIGNED_IN)
            identify(account, headers)
        if settings.redirected_attachments:
            port = urlsplit(account.origin()).port
            return Answer(302, None, {"Location": f"http://localhost:{port}/attachments/stored/{token}"})
    disposition = f"attachment; filename*=UTF-8''{quote(item.file_name)}"
    return Answer(200, item.content, {"Content-Type": item.content_type, "Content-Disposition": disposition})


ROUTES = [
    Route("POST", "uploads", upload, role="end-user", scope="tickets"),
    Route("DELETE", "uploads/{token}", discard, role="end-user", scope="tickets"),
    Route("GET", "attachments/{id}", show, scope="tickets"),
    Route("PUT", "attachments/{id}", change, role="admin", scope="tickets"),
]
