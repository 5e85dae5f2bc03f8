"""Jira's webhooks: who sent them is proved over the raw bytes, and they only say which tickets to look at."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from apps.sync.connectors.base import NoticeHint, NoticeRefused, NoticeRequest
from apps.sync.connectors.jira.webhook import read_notice

SECRET = "It's a Secret to Everybody"
NOW = datetime(2026, 11, 20, 10, 3, 20, tzinfo=UTC)
BODY = json.dumps(
    {
        "timestamp": 1763633000123,
        "webhookEvent": "jira:issue_updated",
        "issue": {"id": "10042", "key": "OPS-7", "fields": {"summary": "VPN drops"}},
    }
).encode()
JSON_SUITE = Path(__file__).resolve().parents[4] / "shared" / "vectors" / "json-test-suite"


def signature(body: bytes, secret: str = SECRET, method: str = "sha256") -> str:
    return f"{method}={hmac.new(secret.encode(), body, method).hexdigest()}"


def read(body: bytes = BODY, *, secrets: tuple[str, ...] = (SECRET,), **headers: str) -> NoticeHint:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_notice(NoticeRequest(named, body, NOW, secrets), "https://acme.example")


def token(claims: dict[str, Any], secret: str = SECRET, alg: str = "HS256") -> str:
    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    head = f"{part(json.dumps({'alg': alg, 'typ': 'JWT'}).encode())}.{part(json.dumps(claims).encode())}"
    return f"{head}.{part(hmac.new(secret.encode(), head.encode(), hashlib.sha256).digest())}"


def test_the_published_signature_is_accepted_over_its_bytes() -> None:
    published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature(b"Hello, World!") == published
    with pytest.raises(NoticeRefused, match="not JSON"):
        read(b"Hello, World!", x_hub_signature=published)


def test_a_signed_notice_names_its_ticket_and_delivery() -> None:
    hint = read(x_hub_signature=signature(BODY), x_atlassian_webhook_identifier="d-1")
    assert hint.delivery_id == "d-1"
    assert [(ref.id, ref.key, ref.url) for ref in hint.refs] == [
        ("10042", "OPS-7", "https://acme.example/browse/OPS-7")
    ]
    assert hint.summary == "jira:issue_updated"


def test_a_delivery_without_identifier_is_known_by_its_content() -> None:
    first, second = read(x_hub_signature=signature(BODY)), read(x_hub_signature=signature(BODY))
    assert first.delivery_id == second.delivery_id != ""


def test_both_secrets_count_during_rotation() -> None:
    for secret in ("new", "old"):
        assert read(secrets=("new", "old"), x_hub_signature=signature(BODY, secret)).refs


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_hub_signature": ""},
        {"x_hub_signature": signature(BODY, "wrong")},
        {"x_hub_signature": signature(BODY + b" ")},
        {"x_hub_signature": signature(BODY).removeprefix("sha256=")},
        {"x_hub_signature": "md5=" + hmac.new(SECRET.encode(), BODY, "md5").hexdigest()},
        {"x_hub_signature": "sha256=\u00e9"},
        {"authorization": "Bearer " + token({"exp": NOW.timestamp() + 60}, "wrong")},
        {"authorization": "Bearer " + token({"exp": NOW.timestamp() - 3600})},
        {"authorization": "Bearer " + token({"exp": NOW.timestamp() + 60}, alg="none")},
        {"authorization": "Bearer " + token({})},
        {"authorization": "Bearer a.b"},
        {"authorization": "Basic " + token({"exp": NOW.timestamp() + 60})},
    ],
)
def test_an_unproved_notice_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(NoticeRefused):
        read(**headers)


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_nothing_is_proved_by_an_empty_secret(secrets: tuple[str, ...]) -> None:
    with pytest.raises(NoticeRefused):
        read(secrets=secrets, x_hub_signature=signature(BODY, ""))


def test_a_dynamic_webhook_is_proved_by_its_token() -> None:
    assert read(authorization="Bearer " + token({"exp": NOW.timestamp() + 60})).refs[0].id == "10042"


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b'{"webhookEvent": 3}', b"\xff\xfe", b"[" * 100_000, b""])
def test_a_signed_body_that_is_not_jiras_is_refused(body: bytes) -> None:
    with pytest.raises(NoticeRefused):
        read(body, x_hub_signature=signature(body))


def test_any_json_text_is_refused_or_read_and_never_fails_otherwise() -> None:
    files = sorted(JSON_SUITE.rglob("*.json"))
    if not files:
        pytest.skip("the JSON suite is not beside the project")
    for file in files:
        body = file.read_bytes()
        with pytest.raises(NoticeRefused):
            read(body, x_hub_signature=signature(body))


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (
            {"webhookEvent": "comment_created", "comment": {"self": "https://x/rest/api/2/issue/10042/comment/1"}},
            ["10042"],
        ),
        ({"webhookEvent": "issuelink_created", "issueLink": {"sourceIssueId": 1, "destinationIssueId": 2}}, ["1", "2"]),
        ({"webhookEvent": "attachment_created", "attachment": {"id": "1"}}, []),
        ({"webhookEvent": "jira:issue_deleted", "issue": "odd"}, []),
    ],
)
def test_the_ticket_is_found_in_every_kind_of_event(body: dict[str, Any], ids: list[str]) -> None:
    raw = json.dumps(body).encode()
    assert [ref.id for ref in read(raw, x_hub_signature=signature(raw)).refs] == ids
