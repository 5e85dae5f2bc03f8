"""Zendesk's webhooks: signed over time stamp and raw body, within a window."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.sync.connectors.base import NoticeRefused, NoticeRequest
from apps.sync.connectors.zendesk.webhook import read_notice

NOW = datetime(2026, 11, 20, 10, 2, 46, tzinfo=UTC)
EVENT = {
    "type": "zen:event-type:ticket.comment_added",
    "id": "2b24ef10-19d2-4740-93cf-3f98ec4776c0",
    "subject": "zen:ticket:35436",
    "detail": {"id": "35436", "status": "OPEN"},
    "event": {"comment": {"id": "1274"}},
}


def signed(body: Any, *, secret: str = "new", stamp: str = "2026-11-20T10:02:45Z", **changed: Any) -> NoticeRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    digest = hmac.new(secret.encode(), stamp.encode() + raw, hashlib.sha256).digest()
    headers = {
        "x-zendesk-webhook-signature": base64.b64encode(digest).decode(),
        "x-zendesk-webhook-signature-timestamp": stamp,
        "x-zendesk-webhook-invocation-id": "01JD3K",
    }
    return replace(NoticeRequest(headers, raw, NOW, ("new", "old")), **changed)


def read(request: NoticeRequest) -> tuple[str, list[str]]:
    hint = read_notice(request, 300, "https://mercuri.zendesk.example")
    return hint.delivery_id, [ref.id for ref in hint.refs]


def test_an_event_names_its_ticket_and_its_delivery() -> None:
    assert read(signed(EVENT)) == ("01JD3K", ["35436"])


def test_the_address_is_for_a_browser() -> None:
    hint = read_notice(signed(EVENT), 300, "https://mercuri.zendesk.example")
    assert hint.refs[0].url == "https://mercuri.zendesk.example/agent/tickets/35436"


def test_both_secrets_count_during_rotation() -> None:
    assert read(signed(EVENT, secret="old"))[1] == ["35436"]


def test_a_merge_names_both_tickets() -> None:
    event = {**EVENT, "type": "zen:event-type:ticket.merged", "event": {"target_ticket_id": "35500"}}
    assert read(signed(event))[1] == ["35436", "35500"]


@pytest.mark.parametrize("body", [{"ticket_id": 7}, {"id": "7"}, {"ticket": {"id": "7"}}])
def test_the_body_of_a_trigger_may_name_the_ticket_in_several_ways(body: dict[str, Any]) -> None:
    assert read(signed(body))[1] == ["7"]


def test_an_event_about_something_else_names_no_ticket() -> None:
    event = {**EVENT, "type": "zen:event-type:user.created", "subject": "zen:user:7", "detail": {"id": "7"}}
    assert read(signed(event))[1] == []


def without_signature(request: NoticeRequest) -> NoticeRequest:
    return replace(request, headers={})


def with_other_body(request: NoticeRequest) -> NoticeRequest:
    return replace(request, body=request.body.replace(b"35436", b"35437"))


def with_other_stamp(request: NoticeRequest) -> NoticeRequest:
    return replace(
        request, headers={**request.headers, "x-zendesk-webhook-signature-timestamp": "2026-11-20T10:02:46Z"}
    )


def with_crooked_signature(request: NoticeRequest) -> NoticeRequest:
    return replace(request, headers={**request.headers, "x-zendesk-webhook-signature": "ü not base64"})


def without_secrets(request: NoticeRequest) -> NoticeRequest:
    return replace(request, secrets=())


@pytest.mark.parametrize(
    "spoil", [without_signature, with_other_body, with_other_stamp, with_crooked_signature, without_secrets]
)
def test_what_does_not_prove_its_origin_is_refused(spoil: Callable[[NoticeRequest], NoticeRequest]) -> None:
    with pytest.raises(NoticeRefused):
        read(spoil(signed(EVENT)))


def test_a_foreign_secret_is_refused() -> None:
    with pytest.raises(NoticeRefused):
        read(signed(EVENT, secret="foreign"))


@pytest.mark.parametrize("late", [timedelta(minutes=6), timedelta(days=7), timedelta(minutes=-6)])
def test_a_replay_outside_the_window_is_refused(late: timedelta) -> None:
    with pytest.raises(NoticeRefused):
        read(signed(EVENT, received_at=NOW + late))


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"text"', b"\xff\xfe", b"[" * 100_000])
def test_a_signed_body_that_is_not_an_object_is_refused(body: bytes) -> None:
    with pytest.raises(NoticeRefused):
        read(signed(body))


def test_a_signed_stamp_that_is_not_a_time_is_refused() -> None:
    with pytest.raises(NoticeRefused):
        read(signed(EVENT, stamp="yesterday"))


def test_a_stamp_that_is_no_text_is_refused_and_does_no_harm() -> None:
    request = signed(EVENT)
    with pytest.raises(NoticeRefused):
        read(replace(request, headers={**request.headers, "x-zendesk-webhook-signature-timestamp": "\udcff"}))
