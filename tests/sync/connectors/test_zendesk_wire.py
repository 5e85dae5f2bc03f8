"""What the Zendesk connector sends, and what it makes of scripted answers."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from apps.foundation.outbound import OutboundGuard
from apps.sync.connectors.base import (
    ConnectorError,
    Draft,
    NoRoute,
    Note,
    RateLimited,
    Rejected,
    SignInFailed,
    StaleVersion,
    TicketGone,
    TicketMerged,
    VendorFault,
)
from apps.sync.connectors.http import Context
from apps.sync.connectors.zendesk.connector import ZendeskConnector
from apps.sync.engine.snapshot import Attachment, ExternalRef, Visibility

from .vendor_replay import Replay

NOW = datetime(2026, 11, 20, 10, 5, tzinfo=UTC)
SETTINGS = {"sign_in": "api_token", "email": "siam-sync@mercuri.example"}
SECRETS = {"api_token": "token-1"}
REF = ExternalRef("35436")
TICKET: dict[str, Any] = {
    "id": 35436, "status": "open", "subject": "VPN", "priority": "low", "type": "incident", "tags": ["vpn"],
    "created_at": "2026-11-20T09:00:00Z", "updated_at": "2026-11-20T10:00:00Z", "custom_fields": [],
}  # fmt: skip
AUDITS = {"audits": [{"id": 5, "ticket_id": 35436, "created_at": "2026-11-20T09:00:00Z", "author_id": None,
                      "metadata": {}, "events": []}], "meta": {"has_more": False}}  # fmt: skip
TICKET_PATH = "/api/v2/tickets/35436"


def scripted() -> Replay:
    replay = Replay()
    replay.answers("GET", "/api/v2/ticket_fields", {"ticket_fields": []})
    replay.answers("GET", TICKET_PATH, {"ticket": TICKET})
    replay.answers("GET", f"{TICKET_PATH}/audits", AUDITS)
    return replay


def written(**changed: Any) -> dict[str, Any]:
    audit = {**AUDITS["audits"][0], "id": 6, "events": [{"id": 7, "type": "Change", "field_name": "subject"}]}  # type: ignore[index]
    return {"ticket": {**TICKET, **changed}, "audit": audit}


def run(replay: Replay, act: Any, **more: Any) -> Any:
    async def go() -> Any:
        async with replay:
            context = replay.context(
                more.pop("settings", SETTINGS), more.pop("secrets", SECRETS), now=lambda: NOW, **more
            )
            async with ZendeskConnector(context) as connector:
                return await act(connector)

    return asyncio.run(go())


def test_a_create_carries_its_correlation_three_times() -> None:
    replay = scripted()
    replay.answers("POST", "/api/v2/tickets", written(), status=201)
    run(replay, lambda connector: connector.create(Draft("incident", {"subject": "VPN"}), "siam-1a2b"))
    sent = replay.asked_for("POST", "/api/v2/tickets")[0]
    assert sent.headers["idempotency-key"] == "siam-1a2b"
    assert sent.json()["ticket"]["external_id"] == "siam-1a2b"
    assert sent.json()["ticket"]["metadata"] == {"siam_op": "siam-1a2b"}


def test_a_repeated_create_sends_the_same_bytes() -> None:
    replay = scripted()
    replay.answers("POST", "/api/v2/tickets", written(), status=201)
    one = Draft("incident", {"subject": "VPN", "priority": "low", "description": "**b**"})
    other = Draft("incident", {"description": "**b**", "priority": "low", "subject": "VPN"})
    run(replay, lambda connector: connector.create(one, "siam-1a2b"))
    run(replay, lambda connector: connector.create(other, "siam-1a2b"))
    first, second = replay.asked_for("POST", "/api/v2/tickets")
    assert first.body == second.body


def test_the_visibility_of_a_comment_is_always_sent() -> None:
    replay = scripted()
    replay.answers("PUT", TICKET_PATH, written())
    run(replay, lambda connector: connector.add_comment(REF, Note("x", Visibility.INTERNAL), "siam-1a2b"))
    assert replay.asked_for("PUT", TICKET_PATH)[0].json()["ticket"]["comment"]["public"] is False


def test_an_update_sends_status_and_fields_at_once_under_a_safe_update() -> None:
    replay = scripted()
    replay.answers("PUT", TICKET_PATH, written(status="pending", subject="VPN down"))
    fields = {"status": "pending", "subject": "VPN down"}
    expected = "2026-11-20T10:00:00Z|5"
    receipt = run(replay, lambda c: c.update(REF, fields, expected=expected, correlation="siam-1a2b"))
    assert len(replay.asked_for("PUT", TICKET_PATH)) == 1
    ticket = replay.asked_for("PUT", TICKET_PATH)[0].json()["ticket"]
    assert (ticket["safe_update"], ticket["updated_stamp"]) == (True, "2026-11-20T10:00:00Z")
    assert receipt.stored == fields
    assert receipt.version == "2026-11-20T10:00:00Z|6"


def test_a_change_within_the_same_second_is_seen_before_writing() -> None:
    replay = scripted()
    with pytest.raises(StaleVersion):
        run(replay, lambda c: c.update(REF, {"subject": "x"}, expected="2026-11-20T10:00:00Z|4", correlation="siam-1a"))
    assert replay.asked_for("PUT", TICKET_PATH) == []


def test_a_write_that_changes_nothing_is_not_sent() -> None:
    replay = scripted()
    receipt = run(replay, lambda c: c.update(REF, {"subject": "VPN"}, expected=None, correlation="siam-1a2b"))
    assert replay.asked_for("PUT", TICKET_PATH) == []
    assert receipt.stored == {"subject": "VPN"}


def test_a_refused_status_names_what_it_could_be_instead() -> None:
    replay = scripted()
    details = {"status": [{"description": "Status: cannot go back to new"}]}
    replay.answers("PUT", TICKET_PATH, {"error": "RecordInvalid", "details": details}, status=422)
    with pytest.raises(NoRoute, match=r"no way from open to new.*reachable: pending, hold, solved"):
        run(replay, lambda c: c.update(REF, {"status": "new"}, expected=None, correlation="siam-1a2b"))


def test_a_merged_ticket_tells_where_it_went() -> None:
    replay = Replay()
    merged = {"id": 9, "created_at": "2026-11-20T10:00:00Z", "author_id": None, "metadata": {}, "events": [],
              "via": {"channel": "merge", "source": {"to": {"ticket_id": 35500}}}}  # fmt: skip
    replay.answers("GET", "/api/v2/ticket_fields", {"ticket_fields": []})
    replay.answers("GET", TICKET_PATH, {"ticket": {**TICKET, "status": "closed", "tags": ["closed_by_merge"]}})
    replay.answers("GET", f"{TICKET_PATH}/audits", {"audits": [merged]})
    replay.answers("GET", f"{TICKET_PATH}/comments", {"comments": []})
    with pytest.raises(TicketMerged) as found:
        run(replay, lambda connector: connector.fetch(REF))
    assert found.value.into.id == "35500"
    with pytest.raises(TicketMerged):
        run(replay, lambda c: c.update(REF, {"subject": "x"}, expected=None, correlation="siam-1a2b"))


def test_another_ticket_than_asked_for_is_a_fault() -> None:
    replay = Replay()
    replay.answers("GET", "/api/v2/ticket_fields", {"ticket_fields": []})
    replay.answers("GET", f"{TICKET_PATH}/audits", AUDITS)
    replay.answers("GET", TICKET_PATH, {"ticket": {**TICKET, "id": 1}})
    with pytest.raises(VendorFault, match="ticket 1 instead of 35436"):
        run(replay, lambda connector: connector.fetch(REF))


@pytest.mark.parametrize("body", [b"<html>busy</html>", b'{"ticket": {"id": 3', b"[]", b"{}"])
def test_an_unreadable_answer_to_a_write_is_unknown(body: bytes) -> None:
    replay = scripted()
    replay.answers("PUT", TICKET_PATH, body)
    with pytest.raises(ConnectorError) as failure:
        run(replay, lambda c: c.add_comment(REF, Note("x", Visibility.PUBLIC), "siam-1a2b"))
    assert isinstance(failure.value, VendorFault)
    assert failure.value.is_unknown


def test_a_deleted_ticket_is_gone() -> None:
    replay = Replay()
    replay.answers("GET", f"{TICKET_PATH}/audits", {"error": "RecordNotFound"}, status=404)
    with pytest.raises(TicketGone):
        run(replay, lambda connector: connector.changes(REF, None))


def test_the_limit_of_one_ticket_holds_up_that_ticket_only() -> None:
    replay = scripted()
    headers = {"Retry-After": "41", "X-Rate-Limit-Remaining": "600"}
    replay.answers("PUT", TICKET_PATH, {"error": "TooManyRequests"}, status=429, headers=headers)
    with pytest.raises(RateLimited) as limit:
        run(replay, lambda c: c.add_comment(REF, Note("x", Visibility.PUBLIC), "siam-1a2b"))
    assert (limit.value.scope, limit.value.retry_after) == ("ticket", 41.0)


def test_pages_by_number_are_followed_on_our_own_host_only() -> None:
    replay = Replay()
    second = {**AUDITS["audits"][0], "id": 6}  # type: ignore[index]
    replay.answers("GET", "/api/v2/ticket_fields", {"ticket_fields": []})
    replay.answers(
        "GET", f"{TICKET_PATH}/audits", {**AUDITS, "meta": None, "next_page": "https://evil.example/x?page=2"}
    )
    replay.answers("GET", f"{TICKET_PATH}/audits", {"audits": [second], "next_page": None})
    replay.answers("GET", f"{TICKET_PATH}/comments", {"comments": []})
    run(replay, lambda connector: connector.changes(REF, None))
    assert [one.query.get("page") for one in replay.asked_for("GET", f"{TICKET_PATH}/audits")] == [None, "2"]


def test_the_first_cursor_costs_no_call_and_starts_before_the_withheld_minute() -> None:
    replay = Replay()
    page = run(replay, lambda connector: connector.changed_since(None))
    assert page.is_last
    assert json.loads(page.cursor) == {"start_time": int(NOW.timestamp()) - 120}
    assert replay.asked == []


EXPORT = "/api/v2/incremental/tickets/cursor"


def exporting(*pages: dict[str, Any]) -> Replay:
    replay = Replay()
    for page in pages:
        replay.answers("GET", EXPORT, page)
    for number in (1, 2, 3):
        replay.answers("GET", f"/api/v2/tickets/{number}/audits", AUDITS)
    return replay


def exported(*numbers: int, cursor: str | None, is_end: bool) -> dict[str, Any]:
    tickets = [{**TICKET, "id": number, "generated_timestamp": 1, "brand_id": number % 2} for number in numbers]
    return {"tickets": tickets, "after_cursor": cursor, "end_of_stream": is_end}


def test_the_export_is_followed_by_its_cursor() -> None:
    replay = exporting(exported(1, 2, 2, cursor="a", is_end=False), exported(3, cursor="b", is_end=True))

    async def read(connector: ZendeskConnector) -> Any:
        first = await connector.changed_since(json.dumps({"start_time": 5}))
        return first, await connector.changed_since(first.cursor)

    first, second = run(replay, read)
    assert [[row.ref.id for row in page.tickets] for page in (first, second)] == [["1", "2"], ["3"]]
    assert (first.is_last, second.is_last) == (False, True)
    assert [one.query.get("cursor") for one in replay.asked_for("GET", EXPORT)] == [None, "a"]


def test_an_export_that_repeats_its_cursor_ends() -> None:
    replay = exporting(exported(cursor="a", is_end=False))
    page = run(replay, lambda connector: connector.changed_since(json.dumps({"cursor": "a"})))
    assert page.is_last


def test_an_export_without_a_cursor_keeps_the_one_it_had() -> None:
    replay = exporting(exported(cursor=None, is_end=True))
    page = run(replay, lambda connector: connector.changed_since(json.dumps({"cursor": "a"})))
    assert json.loads(page.cursor) == {"cursor": "a"}


def test_only_tickets_of_the_chosen_brands_are_told() -> None:
    replay = exporting(exported(1, 2, 3, cursor="a", is_end=True))
    settings = {**SETTINGS, "brand_ids": (1,)}
    page = run(replay, lambda c: c.changed_since(json.dumps({"cursor": "z"})), settings=settings)
    assert [row.ref.id for row in page.tickets] == ["1", "3"]


def test_a_deleted_ticket_is_told_as_deleted() -> None:
    rows = exported(1, cursor="a", is_end=True)
    rows["tickets"][0]["status"] = "deleted"
    replay = exporting(rows)
    page = run(replay, lambda connector: connector.changed_since(json.dumps({"cursor": "z"})))
    assert [row.is_deleted for row in page.tickets] == [True]


def test_the_version_of_a_changed_ticket_is_that_of_its_snapshot() -> None:
    replay = exporting(exported(1, cursor="a", is_end=True))
    page = run(replay, lambda connector: connector.changed_since(json.dumps({"cursor": "z"})))
    assert page.tickets[0].version == "2026-11-20T10:00:00Z|5"


def test_a_ticket_that_is_gone_since_the_export_is_told_as_deleted() -> None:
    replay = Replay()
    replay.answers("GET", EXPORT, exported(1, cursor="a", is_end=True))
    replay.answers("GET", "/api/v2/tickets/1/audits", {"error": "RecordNotFound"}, status=404)
    page = run(replay, lambda connector: connector.changed_since(json.dumps({"cursor": "z"})))
    assert [row.is_deleted for row in page.tickets] == [True]


def test_a_hit_that_only_looks_like_ours_is_not_found() -> None:
    replay = scripted()
    replay.answers("GET", "/api/v2/tickets", {"tickets": [{**TICKET, "external_id": "siam-other"}]})
    assert run(replay, lambda connector: connector.find("siam-1a2b")) is None


def test_an_anonymous_visitor_is_a_failed_sign_in() -> None:
    replay = Replay()
    replay.answers("GET", "/api/v2/users/me", {"user": {"id": None, "role": "end-user"}})
    with pytest.raises(SignInFailed):
        run(replay, lambda connector: connector.check())


def test_an_agent_is_warned_that_the_export_is_for_administrators() -> None:
    replay = Replay()
    replay.answers("GET", "/api/v2/users/me", {"user": {"id": 7, "role": "agent", "name": "SIAM Sync"}})
    card = run(replay, lambda connector: connector.check())
    assert any("administrator" in warning for warning in card.warnings)


def test_found_malware_is_not_carried_over() -> None:
    replay = Replay()
    file = {"id": 31, "content_url": "http://x/", "malware_scan_result": "malware_found"}
    replay.answers("GET", "/api/v2/attachments/31", {"attachment": file})
    attachment = Attachment("31", "bad.exe", "application/octet-stream", 3, NOW)

    async def read(connector: ZendeskConnector) -> list[bytes]:
        return [chunk async for chunk in connector.read_attachment(REF, attachment)]

    with pytest.raises(Rejected, match="malware"):
        run(replay, read)


REFRESHING = {"sign_in": "refresh_token", "client_id": "siamportal"}
PAIR = {"client_secret": "s", "refresh_token": "refresh-1", "access_token": "old"}


def test_a_rotated_refresh_token_is_stored_before_the_new_access_token_is_used() -> None:
    replay = Replay()
    events: list[str] = []
    replay.answers("GET", "/api/v2/users/me", {"error": "invalid_token"}, status=401)
    replay.answers("GET", "/api/v2/users/me", {"user": {"id": 7, "role": "admin"}})
    replay.answers("POST", "/oauth/tokens", {"access_token": "new", "refresh_token": "refresh-2"})

    async def save(secrets: Mapping[str, str]) -> None:
        events.append(f"{secrets['access_token']} {secrets['refresh_token']} after {len(replay.asked)} calls")

    run(replay, lambda connector: connector.check(), settings=REFRESHING, secrets=PAIR, save_secrets=save)
    assert events == ["new refresh-2 after 2 calls"]
    assert replay.asked_for("POST", "/oauth/tokens")[0].json()["refresh_token"] == "refresh-1"
    assert [one.headers["authorization"] for one in replay.asked_for("GET", "/api/v2/users/me")] == [
        "Bearer old",
        "Bearer new",
    ]


def test_calls_that_meet_the_same_expired_token_renew_it_once() -> None:
    replay = Replay()
    for _ in range(5):
        replay.answers("GET", "/api/v2/users/me", {"error": "invalid_token"}, status=401)
    replay.answers("GET", "/api/v2/users/me", {"user": {"id": 7, "role": "admin"}})
    replay.answers("POST", "/oauth/tokens", {"access_token": "new", "refresh_token": "refresh-2"})

    async def crowd(connector: ZendeskConnector) -> Any:
        return await asyncio.gather(*(connector.check() for _ in range(5)))

    assert len(run(replay, crowd, settings=REFRESHING, secrets=PAIR)) == 5
    assert len(replay.asked_for("POST", "/oauth/tokens")) == 1


def test_a_refused_client_is_a_failed_sign_in_and_nothing_was_written() -> None:
    replay = scripted()
    replay.answers("POST", "/oauth/tokens", {"error": "invalid_client"}, status=401)
    settings = {"client_id": "siamportal"}
    with pytest.raises(SignInFailed) as failure:
        run(
            replay,
            lambda c: c.add_comment(REF, Note("x", Visibility.PUBLIC), "siam-1a2b"),
            settings=settings,
            secrets={"client_secret": "wrong"},
        )
    assert not failure.value.is_unknown
    assert replay.asked_for("PUT", TICKET_PATH) == []


@pytest.mark.parametrize(
    ("settings", "secrets"),
    [
        ({}, {"client_secret": "s"}),
        ({"client_id": "c"}, {}),
        ({"sign_in": "api_token", "email": "e@x.example"}, {}),
        ({"sign_in": "api_token"}, {"api_token": "t"}),
        ({**REFRESHING}, {"client_secret": "s"}),
        ({**SETTINGS, "overlap_seconds": 30}, SECRETS),
        ({**SETTINGS, "misspelled": 1}, SECRETS),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(settings: dict[str, Any], secrets: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ZendeskConnector(Context("https://m.zendesk.example", settings, secrets, OutboundGuard()))
