"""A notice is believed when our business rule signed it lately, and only then."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.sync.connectors.base import NoticeRefused, NoticeRequest
from apps.sync.connectors.servicenow.settings import ServiceNowSettings
from apps.sync.connectors.servicenow.webhook import business_rule, read_notice
from apps.sync.engine.snapshot import ExternalRef

NOW = 1_795_000_000
SYS_ID = "9d385017c611228701d22104cc95c371"
BODY: dict[str, Any] = {
    "event": "incident.update",
    "instance": "infinityprojects",
    "table": "incident",
    "sys_id": SYS_ID,
    "number": "INC0010023",
    "sys_mod_count": 5,
    "sys_updated_by": "elaine",
    "changed": ["state"],
    "operation": "update",
}


def signature(secret: str, timestamp: str, body: bytes) -> str:
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def notice(
    body: bytes | None = None, *, secret: str = "new", timestamp: str = str(NOW), headers: dict[str, str] | None = None
) -> NoticeRequest:
    raw = json.dumps(BODY).encode() if body is None else body
    signed = {
        "x-siam-event-id": "e1",
        "x-siam-timestamp": timestamp,
        "x-siam-signature": signature(secret, timestamp, raw),
    }
    return NoticeRequest(signed | (headers or {}), raw, datetime.fromtimestamp(NOW, UTC), ("new", "old"))


def read(request: NoticeRequest) -> Any:
    return read_notice(request, ServiceNowSettings())


def test_a_signed_notice_names_its_ticket() -> None:
    hint = read(notice())
    assert hint.delivery_id == "e1"
    assert hint.refs == (ExternalRef(SYS_ID, "INC0010023"),)


def test_the_older_secret_still_holds_during_rotation() -> None:
    assert read(notice(secret="old")).delivery_id == "e1"


def test_a_notice_near_the_edge_of_the_window_is_accepted() -> None:
    assert read(notice(timestamp=str(NOW - 300))).delivery_id == "e1"


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(notice(secret="forged"), id="forged"),
        pytest.param(notice(headers={"x-siam-signature": ""}), id="unsigned"),
        pytest.param(notice(headers={"x-siam-signature": "ünsigned"}), id="not ASCII"),
        pytest.param(notice(headers={"x-siam-timestamp": str(NOW + 1)}), id="timestamp altered"),
        pytest.param(notice(timestamp=str(NOW - 301)), id="replayed later"),
        pytest.param(notice(timestamp=str(NOW + 301)), id="from the future"),
        pytest.param(notice(timestamp="yesterday"), id="timestamp no number"),
        pytest.param(notice(timestamp="9" * 40), id="timestamp absurd"),
        pytest.param(notice(headers={"x-siam-event-id": ""}), id="without event id"),
        pytest.param(notice(b"{"), id="malformed"),
        pytest.param(notice(b"\xff\xfe"), id="not UTF-8"),
        pytest.param(notice(b"[" * 100_000), id="deep"),
        pytest.param(notice(b"[]"), id="no object"),
        pytest.param(notice(json.dumps(BODY | {"table": "problem"}).encode()), id="foreign table"),
        pytest.param(notice(json.dumps(BODY | {"sys_id": "../../x"}).encode()), id="no sys_id"),
        pytest.param(notice(json.dumps(BODY | {"sys_id": 5}).encode()), id="sys_id a number"),
    ],
)
def test_everything_else_is_refused(request_: NoticeRequest) -> None:
    with pytest.raises(NoticeRefused):
        read(request_)


def test_an_altered_body_is_refused() -> None:
    good = notice()
    altered = NoticeRequest(good.headers, good.body.replace(b"9d38", b"9d39"), good.received_at, good.secrets)
    with pytest.raises(NoticeRefused):
        read(altered)


def test_a_connection_without_secrets_believes_nobody() -> None:
    good = notice(secret="")
    with pytest.raises(NoticeRefused):
        read(NoticeRequest(good.headers, good.body, good.received_at, ("",)))


def test_the_business_rule_sends_what_the_connector_reads() -> None:
    script = business_rule()
    for part in ("X-Siam-Event-Id", "X-Siam-Timestamp", "X-Siam-Signature", "HmacSHA256", "timestamp + '.' + body"):
        assert part in script
    for member in BODY:
        assert f"{member}:" in script
