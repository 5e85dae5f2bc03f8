"""The Batch API: several requests in one, carried out in order and not as a transaction."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .errors import FAILED, Refusal, unreadable
from .instance import Instance
from .table_api import body_of
from .wire import JSON, Answer, Call, json_answer

ITEM_BYTES_IN = 5 * 1024 * 1024
ITEM_BYTES_OUT = 10 * 1024 * 1024


def run_batch(instance: Instance, call: Call, carry_out: Callable[[Call], Answer]) -> Answer:
    """Answer 200 even where items fail: each has its own status. What the time did not suffice for is listed by id."""
    batch = body_of(call)
    requests = batch.get("rest_requests")
    if not isinstance(requests, list) or not all(isinstance(item, dict) and "id" in item for item in requests):
        raise unreadable("rest_requests must be an array of requests with an id")
    capacity = instance.settings.batch_capacity or len(requests)
    content = {
        "batch_request_id": str(batch.get("batch_request_id", "")),
        "serviced_requests": [_serve(item, carry_out) for item in requests[:capacity]],
        "unserviced_requests": [str(item["id"]) for item in requests[capacity:]],
    }
    return json_answer(200, content)


def _serve(item: Mapping[str, Any], carry_out: Callable[[Call], Answer]) -> dict[str, Any]:
    try:
        answer = carry_out(_call_of(item))
        if len(answer.body) > ITEM_BYTES_OUT:
            raise Refusal(400, FAILED, "Response body is too large")
    except Refusal as refusal:
        answer = refusal.answer()
    served: dict[str, Any] = {
        "id": str(item["id"]),
        "status_code": answer.status,
        "status_text": HTTPStatus(answer.status).phrase,
        "body": base64.b64encode(answer.body).decode(),
        "execution_time": 1 + len(answer.body) // 10_000,
        "redirect_url": "",
        "error_message": "",
    }
    if not item.get("exclude_response_headers"):
        served["headers"] = [{"name": name, "value": value} for name, value in answer.headers.items()]
    if answer.status >= 400:
        served["error_message"] = json.loads(answer.body)["error"]["message"]
    return served


def _call_of(item: Mapping[str, Any]) -> Call:
    address = urlsplit(str(item.get("url", "")))
    if address.scheme or address.netloc or not address.path.startswith("/api/"):
        raise Refusal(400, "Invalid URL", "URLs in a batch are relative to the instance")
    if address.path.rstrip("/").endswith("/batch"):
        raise Refusal(400, "Invalid URL", "A batch cannot contain a batch")
    try:
        body = base64.b64decode(item.get("body") or "", validate=True)
        headers = {str(header["name"]).lower(): str(header["value"]) for header in item.get("headers") or []}
    except (binascii.Error, TypeError, KeyError) as problem:
        raise unreadable("The item has no readable body or headers") from problem
    if len(body) > ITEM_BYTES_IN:
        raise Refusal(400, FAILED, "Request body is too large")
    # The vendor's own Python client puts no Accept header on its items: without one an item is answered in JSON.
    headers.setdefault("accept", JSON)
    query = dict(parse_qsl(address.query, keep_blank_values=True))
    return Call(str(item.get("method", "")).upper(), unquote(address.path), query, headers, body)
