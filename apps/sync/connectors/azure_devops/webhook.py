"""Azure DevOps' service hooks. They are not signed: a secret in a header, or as Basic password, is all they bring."""

import base64
import binascii
import hmac
import json
import re
from typing import Any

from apps.sync.connectors.base import NoticeHint, NoticeRefused, NoticeRequest
from apps.sync.engine.snapshot import ExternalRef

_ITEM_IN_ADDRESS = re.compile(r"/work[iI]tems/(\d+)|/recyclebin/(\d+)")


def read_notice(request: NoticeRequest, header: str, base_url: str) -> NoticeHint:
    """The work items that an event is about. Raises NoticeRefused without the secret, or when it cannot be read."""
    if not _brings_secret(request, header):
        raise NoticeRefused("the secret does not match")
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError) as problem:
        raise NoticeRefused("the body is not JSON") from problem
    if not isinstance(body, dict) or not body.get("id") or not body.get("eventType"):
        raise NoticeRefused("the body is not an event")
    number = _read_item_id(str(body["eventType"]), body.get("resource"))
    refs = (ExternalRef(number, key=number, url=f"{base_url}/_workitems/edit/{number}"),) if number else ()
    rev = body.get("resource", {}).get("rev") if number else None
    versions = {number: str(rev)} if isinstance(rev, int) else {}
    return NoticeHint(str(body["id"]), refs, str(body["eventType"]), versions)


def _brings_secret(request: NoticeRequest, header: str) -> bool:
    given = [request.headers.get(header.lower(), ""), _read_password(request.headers.get("authorization", ""))]
    matches = [
        hmac.compare_digest(secret.encode(), candidate.encode("utf-8", "surrogateescape"))
        for secret in request.secrets
        for candidate in given
        if secret
    ]
    return any(matches)


def _read_password(header: str) -> str:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode("utf-8", "replace").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _read_item_id(event: str, resource: Any) -> str:
    """The resource of ``workitem.updated`` is the update, whose id is its number; of the others it is the work item."""
    if not event.startswith("workitem.") or not isinstance(resource, dict):
        return ""
    number = resource.get("workItemId")
    if number is None and event != "workitem.updated":
        number = resource.get("id")
    if number is None:
        found = _ITEM_IN_ADDRESS.search(str(resource.get("url") or ""))
        number = (found.group(1) or found.group(2)) if found else ""
    return str(number) if str(number).isdigit() else ""
