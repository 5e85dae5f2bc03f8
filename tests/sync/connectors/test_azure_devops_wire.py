"""What the Azure DevOps connector sends, and what it makes of scripted answers."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from apps.foundation.outbound import OutboundGuard
from apps.sync.connectors.azure_devops.connector import AzureDevOpsConnector
from apps.sync.connectors.base import (
    ConnectorError,
    Draft,
    NoRoute,
    Note,
    Rejected,
    SignInFailed,
    StaleVersion,
    TicketGone,
    Upload,
    VendorFault,
)
from apps.sync.connectors.http import Context
from apps.sync.engine.snapshot import ExternalRef, Visibility

from .vendor_replay import RecordingGate, Replay

NOW = datetime(2026, 11, 20, 10, 5, tzinfo=UTC)
SETTINGS = {"project": "Shop"}
SECRETS = {"pat": "token-1"}
REF = ExternalRef("12")
ITEM_PATH = "/global/_apis/wit/workitems/12"
CREATE_PATH = "/global/Shop/_apis/wit/workitems/$Bug"
QUERY_PATH = "/global/Shop/_apis/wit/wiql"
FEED_PATH = "/global/Shop/_apis/wit/reporting/workitemrevisions"
BATCH_PATH = "/global/_apis/wit/workitemsbatch"
GUID = "5e7b1f44-5a60-6c0d-9a1c-8e4f7b3d2a02"
RULE = {"customProperties": {"FieldReferenceName": "System.State"}, "message": "TF401320: Rule Error for field State."}
FIELDS: dict[str, dict[str, Any]] = {
    "System.Title": {"type": "string"},
    "System.State": {"type": "string"},
    "System.Reason": {"type": "string"},
    "System.Tags": {"type": "plainText"},
    "System.Description": {"type": "html"},
    "System.AssignedTo": {"type": "string", "isIdentity": True},
    "System.AreaPath": {"type": "treePath"},
    "System.CreatedBy": {"type": "string", "isIdentity": True, "readOnly": True},
    "Custom.Site": {"type": "string"},
    "Custom.HubReference": {"type": "string"},
}
BUG = {
    "name": "Bug",
    "fields": [{"referenceName": name} for name in FIELDS],
    "states": [{"name": name} for name in ("New", "Active", "Resolved", "Removed")],
    "transitions": {"New": [{"to": "Active"}], "Active": [{"to": "Resolved"}], "Resolved": []},
}


def item(rev: int = 7, **fields: Any) -> dict[str, Any]:
    members = {name.replace("_", "."): value for name, value in fields.items()}
    base = {"System.WorkItemType": "Bug", "System.State": "New", "System.Title": "VPN", "System.TeamProject": "Shop",
            "System.CreatedDate": "2026-11-20T09:00:00Z", "System.ChangedDate": "2026-11-20T10:00:00Z",
            "Custom.Site": "berlin", "System.Tags": "eu; siam-1a2b"}  # fmt: skip
    return {"id": 12, "rev": rev, "fields": {**base, **members}, "relations": []}


def scripted() -> Replay:
    replay = Replay()
    rows = [{"referenceName": name, "name": name, **more} for name, more in FIELDS.items()]
    replay.answers("GET", "/global/_apis/wit/fields", {"value": rows})
    replay.answers("GET", "/global/Shop/_apis/wit/workitemtypes/Bug", BUG)
    replay.answers("GET", ITEM_PATH, item())
    return replay


def run(replay: Replay, act: Any, **more: Any) -> Any:
    async def go() -> Any:
        async with replay:
            settings = {**SETTINGS, **more.pop("settings", {})}
            if settings.get("sign_in") == "entra":
                settings["login_url"] = replay.origin
            secrets = more.pop("secrets", SECRETS)
            context = replay.context(settings, secrets, path="/global", now=lambda: NOW, **more)
            async with AzureDevOpsConnector(context) as connector:
                return await act(connector)

    return asyncio.run(go())


def update(fields: dict[str, Any], expected: str | None = None) -> Any:
    return lambda connector: connector.update(REF, fields, expected=expected, correlation="siam-3c4d")


def patches(replay: Replay) -> list[Any]:
    return [one.json() for one in replay.asked_for("PATCH", ITEM_PATH)]


def test_every_call_says_its_version_and_asks_not_to_be_sent_to_a_sign_in_page() -> None:
    replay = scripted()
    replay.answers("PATCH", ITEM_PATH, item(8))
    run(replay, update({"Custom.Site": "paris"}))
    assert {one.query["api-version"] for one in replay.asked} == {"7.1"}
    assert {one.headers["x-tfs-fedauthredirect"] for one in replay.asked} == {"Suppress"}
    assert replay.asked_for("PATCH", ITEM_PATH)[0].headers["content-type"] == "application/json-patch+json"


def test_a_create_is_marked_by_a_tag() -> None:
    replay = scripted()
    replay.answers("POST", CREATE_PATH, item(1))
    draft = Draft("Bug", {"System.Title": "VPN", "System.Tags": ("eu", "vpn"), "Custom.Site": None})
    run(replay, lambda connector: connector.create(draft, "siam-1a2b"))
    sent = {entry["path"]: entry["value"] for entry in replay.asked_for("POST", CREATE_PATH)[0].json()}
    assert sent == {"/fields/System.Title": "VPN", "/fields/System.Tags": "eu; vpn; siam-1a2b"}


def test_a_create_may_be_marked_in_a_field_instead() -> None:
    replay = scripted()
    replay.answers("POST", CREATE_PATH, item(1))
    settings = {"marker_field": "Custom.HubReference", "area_path": "Shop\\Storefront"}
    run(replay, lambda c: c.create(Draft("Bug", {"System.Title": "VPN"}), "siam-1a2b"), settings=settings)
    sent = {entry["path"]: entry["value"] for entry in replay.asked_for("POST", CREATE_PATH)[0].json()}
    assert sent["/fields/Custom.HubReference"] == "siam-1a2b"
    assert sent["/fields/System.AreaPath"] == "Shop\\Storefront"
    assert "/fields/System.Tags" not in sent


def test_a_follow_up_is_related_to_what_it_follows() -> None:
    replay = scripted()
    replay.answers("POST", CREATE_PATH, item(13))
    draft = Draft("Bug", {"System.Title": "VPN again"}, follow_up_of=REF)
    run(replay, lambda connector: connector.create(draft, "siam-1a2b"))
    relation = replay.asked_for("POST", CREATE_PATH)[0].json()[-1]["value"]
    assert relation["rel"] == "System.LinkTypes.Related"
    assert relation["url"].endswith("/global/_apis/wit/workItems/12")


def test_a_guarded_write_tests_the_revision_first() -> None:
    replay = scripted()
    replay.answers("PATCH", ITEM_PATH, item(8, Custom_Site="paris"))
    receipt = run(replay, update({"Custom.Site": "paris"}, expected="7"))
    assert patches(replay)[0][0] == {"op": "test", "path": "/rev", "value": 7}
    assert (receipt.version, receipt.change_ids, receipt.stored) == ("8", ("8",), {"Custom.Site": "paris"})


def test_a_revision_that_moved_on_is_seen_before_and_while_writing() -> None:
    replay = scripted()
    replay.answers("PATCH", ITEM_PATH, {"message": "VS403351: Test Operation for path /rev failed"}, status=412)
    with pytest.raises(StaleVersion):
        run(replay, update({"Custom.Site": "paris"}, expected="6"))
    assert patches(replay) == []
    with pytest.raises(StaleVersion):
        run(replay, update({"Custom.Site": "paris"}, expected="7"))


def test_a_state_two_steps_away_is_walked_to_with_the_fields_first_and_the_reason_last() -> None:
    replay = scripted()
    replay.answers("PATCH", ITEM_PATH, item(8, System_State="Active"))
    replay.answers("PATCH", ITEM_PATH, item(9, System_State="Resolved"))
    fields = {"System.State": "Resolved", "System.Reason": "Fixed", "Custom.Site": "paris"}
    receipt = run(replay, update(fields, expected="7"))
    first, second = patches(replay)
    assert [entry["value"] for entry in first] == [7, "Active", "paris"]
    assert [entry["value"] for entry in second] == [8, "Resolved", "Fixed"]
    assert receipt.change_ids == ("8", "9")


def test_no_way_is_told_without_a_write() -> None:
    replay = scripted()
    with pytest.raises(NoRoute, match="reachable: Active, Resolved"):
        run(replay, update({"System.State": "Removed"}))
    assert patches(replay) == []


def test_a_state_that_the_service_refuses_is_no_route() -> None:
    replay = scripted()
    replay.answers("PATCH", ITEM_PATH, RULE, status=400)
    with pytest.raises(NoRoute, match="no way from New to Active") as refusal:
        run(replay, update({"System.State": "Active"}))
    assert (refusal.value.field, refusal.value.value) == ("System.State", "Active")


def test_a_refused_field_is_named_with_its_value() -> None:
    replay = scripted()
    body = {**RULE, "customProperties": {"FieldReferenceName": "Custom.Site"}}
    replay.answers("PATCH", ITEM_PATH, body, status=400)
    with pytest.raises(Rejected) as refusal:
        run(replay, update({"Custom.Site": "rome", "System.State": "Active"}))
    assert (refusal.value.field, refusal.value.value) == ("Custom.Site", "rome")


def test_what_is_already_so_is_not_written() -> None:
    replay = scripted()
    fields = {"Custom.Site": "berlin", "System.Tags": ("eu",), "System.Description": None, "System.State": "New"}
    receipt = run(replay, update(fields, expected="7"))
    assert patches(replay) == []
    assert (receipt.version, receipt.stored) == ("7", fields)


def test_written_tags_replace_the_others_and_keep_our_marker() -> None:
    replay = scripted()
    replay.answers("PATCH", ITEM_PATH, item(8))
    run(replay, update({"System.Tags": ("vpn",)}))
    assert patches(replay) == [[{"op": "replace", "path": "/fields/System.Tags", "value": "vpn; siam-1a2b"}]]


def test_a_cleared_field_is_removed() -> None:
    replay = scripted()
    replay.answers("PATCH", ITEM_PATH, item(8))
    run(replay, update({"Custom.Site": None}))
    assert patches(replay) == [[{"op": "remove", "path": "/fields/Custom.Site"}]]


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"Custom.Nothing": "x"}, "Custom.Nothing"), ({"System.CreatedBy": "David"}, "System.CreatedBy"),
     ({"Custom.Site": ("a", "b")}, "Custom.Site")],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_naming_it(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Rejected) as refusal:
        run(scripted(), update(fields))
    assert refusal.value.field == field


def test_a_work_item_at_its_last_revision_takes_no_more_writes() -> None:
    replay = Replay()
    replay.answers("GET", "/global/_apis/wit/fields", {"value": [{"referenceName": "Custom.Site", "type": "string"}]})
    replay.answers("GET", "/global/Shop/_apis/wit/workitemtypes/Bug", BUG)
    replay.answers("GET", ITEM_PATH, item(10_000))
    with pytest.raises(Rejected, match="10000 revisions"):
        run(replay, update({"Custom.Site": "paris"}))


IDENTITIES = "/global/_apis/identities"


def identity(name: str, mail: str) -> dict[str, Any]:
    return {"id": mail, "isActive": True, "providerDisplayName": name, "properties": {"Account": {"$value": mail}}}


@pytest.mark.parametrize("text", ["David", "david@global.example", "David <david@global.example>"])
def test_a_person_is_written_by_account_name(text: str) -> None:
    replay = scripted()
    replay.answers(
        "GET", IDENTITIES, {"value": [identity("David", "david@global.example"), identity("Davida", "da@x")]}
    )
    replay.answers("PATCH", ITEM_PATH, item(8))
    run(replay, update({"System.AssignedTo": text}))
    assert patches(replay)[0][0]["value"] == "david@global.example"


@pytest.mark.parametrize("found", [[], [identity("David", "a@x.example"), identity("David", "b@x.example")]])
def test_nobody_or_several_people_are_refused(found: list[dict[str, Any]]) -> None:
    replay = scripted()
    replay.answers("GET", IDENTITIES, {"value": found})
    with pytest.raises(Rejected) as refusal:
        run(replay, update({"System.AssignedTo": "David"}))
    assert (refusal.value.field, refusal.value.value) == ("System.AssignedTo", "David")


def test_an_internal_comment_is_refused_rather_than_shown_to_everybody() -> None:
    replay = scripted()
    with pytest.raises(Rejected) as refusal:
        run(replay, lambda c: c.add_comment(REF, Note("secret", Visibility.INTERNAL), "siam-1a2b"))
    assert refusal.value.field == "visibility"
    assert replay.asked == []


def test_a_read_that_fails_after_a_comment_was_written_leaves_it_unknown() -> None:
    replay = scripted()
    replay.answers("GET", ITEM_PATH, {"message": "TF10216"}, status=503)
    replay.answers("POST", "/global/Shop/_apis/wit/workItems/12/comments", {"id": 81})
    with pytest.raises(ConnectorError) as failure:
        run(replay, lambda c: c.add_comment(REF, Note("x", Visibility.PUBLIC), "siam-1a2b"))
    assert failure.value.is_unknown


@pytest.mark.parametrize("body", [b"<html>The gateway is busy</html>", b'{"id": 12, "rev"', b"[]", b"", b'{"id": 13}'])
def test_an_unreadable_answer_to_a_write_is_unknown(body: bytes) -> None:
    replay = scripted()
    replay.answers("PATCH", ITEM_PATH, body)
    with pytest.raises(VendorFault) as failure:
        run(replay, update({"Custom.Site": "paris"}))
    assert failure.value.is_unknown


def test_a_sign_in_page_is_a_failed_sign_in() -> None:
    replay = Replay()
    replay.answers("GET", ITEM_PATH, b"<html><title>Sign In</title></html>", status=203)
    with pytest.raises(SignInFailed):
        run(replay, lambda connector: connector.fetch(REF))


def test_an_anonymous_visitor_is_a_failed_sign_in() -> None:
    replay = Replay()
    user = {"id": "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "providerDisplayName": "Anonymous"}
    replay.answers("GET", "/global/_apis/connectionData", {"authenticatedUser": user})
    with pytest.raises(SignInFailed):
        run(replay, lambda connector: connector.check())


def test_a_missing_project_is_refused_by_name() -> None:
    replay = Replay()
    replay.answers("GET", "/global/_apis/connectionData", {"authenticatedUser": {"id": "77aa"}})
    replay.answers("GET", "/global/_apis/projects/Shop", {"message": "TF200016"}, status=404)
    with pytest.raises(Rejected) as refusal:
        run(replay, lambda connector: connector.check())
    assert (refusal.value.field, refusal.value.value) == ("project", "Shop")


def test_a_deleted_work_item_is_gone() -> None:
    replay = Replay()
    replay.answers("GET", ITEM_PATH, {"message": "TF401232: Work item 12 does not exist"}, status=404)
    with pytest.raises(TicketGone):
        run(replay, lambda connector: connector.fetch(REF))


def test_advice_to_wait_on_a_good_answer_closes_the_gate() -> None:
    replay = scripted()
    replay.answers("POST", QUERY_PATH, {"workItems": []}, headers={"Retry-After": "12"})
    gate = RecordingGate()
    run(replay, lambda connector: connector.find("siam-1a2b"), gate=gate)
    assert gate.closed == [12.0]


def test_a_hit_whose_tag_only_begins_like_ours_is_not_found() -> None:
    replay = scripted()
    replay.answers("POST", QUERY_PATH, {"workItems": [{"id": 12}]})
    replay.answers("GET", "/global/Shop/_apis/wit/workItems/12/comments", {"comments": []})
    assert run(replay, lambda connector: connector.find("siam-1a2b99")) is None
    assert run(replay, lambda connector: connector.find("siam-1a2b")).id == "12"


def feed(*rows: tuple[int, int], token: str | None, is_last: bool) -> dict[str, Any]:
    values = [{"id": number, "rev": rev, "fields": {"System.WorkItemType": "Bug"}} for number, rev in rows]
    return {"values": values, "continuationToken": token, "isLastBatch": is_last}


def test_the_feed_is_followed_by_its_token_from_now_on() -> None:
    replay = Replay()
    replay.answers("GET", FEED_PATH, feed((12, 7), (13, 1), (12, 8), token="a", is_last=False))
    replay.answers("GET", FEED_PATH, feed(token="b", is_last=True))

    async def read(connector: AzureDevOpsConnector) -> Any:
        start = await connector.changed_since(None)
        first = await connector.changed_since(start.cursor)
        return first, await connector.changed_since(first.cursor)

    first, second = run(replay, read)
    assert [(row.ref.id, row.version) for row in first.tickets] == [("13", "1"), ("12", "8")]
    assert (first.is_last, second.is_last, second.tickets) == (False, True, ())
    assert [one.query.get("startDateTime") for one in replay.asked] == ["2026-11-20T10:04:00.000Z", None]
    assert [one.query.get("continuationToken") for one in replay.asked] == [None, "a"]


def test_a_feed_that_repeats_its_token_ends() -> None:
    replay = Replay()
    replay.answers("GET", FEED_PATH, feed((12, 7), token="a", is_last=False))
    assert run(replay, lambda connector: connector.changed_since('{"token": "a"}')).is_last


def test_a_deleted_work_item_is_told_as_deleted() -> None:
    replay = Replay()
    page = feed((12, 9), token="a", is_last=True)
    page["values"][0]["fields"]["System.IsDeleted"] = True
    replay.answers("GET", FEED_PATH, page)
    found = run(replay, lambda connector: connector.changed_since('{"token": "z"}'))
    assert [row.is_deleted for row in found.tickets] == [True]


def test_only_types_and_areas_in_scope_are_told() -> None:
    replay = Replay()
    page = feed((1, 1), (2, 1), (3, 1), (4, 1), token="a", is_last=True)
    areas = ["Shop\\Storefront", "Shop\\Storefront\\Web", "Shop\\Storefronts", "Shop\\Storefront"]
    for row, area in zip(page["values"], areas, strict=True):
        row["fields"]["System.AreaPath"] = area
    page["values"][3]["fields"]["System.WorkItemType"] = "Epic"
    replay.answers("GET", FEED_PATH, page)
    settings = {"area_path": "Shop\\Storefront", "types": ("Bug",)}
    found = run(replay, lambda connector: connector.changed_since('{"token": "z"}'), settings=settings)
    assert [row.ref.id for row in found.tickets] == ["1", "2"]


def test_a_server_without_the_feed_is_asked_by_query() -> None:
    replay = Replay()
    replay.answers("GET", FEED_PATH, {"message": "not found"}, status=404)
    replay.answers("POST", QUERY_PATH, {"asOf": "2026-11-20T10:06:00Z", "workItems": [{"id": n} for n in (3, 1, 2)]})
    rows = {n: {"id": n, "rev": n, "fields": {"System.ChangedDate": "2026-11-20T10:05:30Z"}} for n in (1, 2, 3)}
    replay.answers("POST", BATCH_PATH, {"value": [rows[3], None]})
    replay.answers("POST", BATCH_PATH, {"value": [rows[2]]})

    async def read(connector: AzureDevOpsConnector) -> Any:
        first = await connector.changed_since('{"start": "2026-11-20T10:04:00.000Z"}')
        return first, await connector.changed_since(first.cursor)

    first, second = run(replay, read, settings={"page_size": 2})
    assert [row.ref.id for row in (*first.tickets, *second.tickets)] == ["3", "2"]
    assert [one.json()["ids"] for one in replay.asked_for("POST", BATCH_PATH)] == [[3, 1], [2]]
    assert (first.is_last, second.is_last) == (False, True)
    assert json.loads(second.cursor) == {"from": "2026-11-20T10:06:00Z"}
    query = replay.asked_for("POST", QUERY_PATH)
    assert len(query) == 1
    assert "[System.ChangedDate] >= '2026-11-20T10:03:00.000Z'" in query[0].json()["query"]
    assert query[0].query["timePrecision"] == "true"


OFFERED = {"value": [{"resourceName": "workItems", "releasedVersion": "7.0", "maxVersion": "7.1"}]}


@pytest.mark.parametrize(
    ("offered", "version"),
    [(OFFERED, "7.0"), ({"value": [{"resourceName": "workItems", "releasedVersion": "7.2"}]}, "7.1"), ({}, "6.0")],
)
def test_a_server_is_asked_which_version_it_speaks(offered: dict[str, Any], version: str) -> None:
    replay = scripted()
    replay.answers("OPTIONS", "/global/_apis/wit", offered)
    replay.answers("POST", QUERY_PATH, {"workItems": []})
    run(replay, lambda connector: connector.find("siam-1a2b"), settings={"flavor": "server"})
    assert replay.asked_for("POST", QUERY_PATH)[0].query["api-version"] == version


def test_an_expired_entra_token_is_renewed_and_stored_before_use() -> None:
    replay = scripted()
    saved: list[str] = []
    replay.answers("POST", QUERY_PATH, {"message": "expired"}, status=401)
    replay.answers("POST", QUERY_PATH, {"workItems": []})
    replay.answers("POST", "/tenant-1/oauth2/v2.0/token", {"access_token": "new", "expires_in": 3599})

    async def save(secrets: Mapping[str, str]) -> None:
        saved.append(secrets["access_token"])

    settings = {"sign_in": "entra", "tenant_id": "tenant-1", "client_id": "app-1"}
    secrets = {"client_secret": "s", "access_token": "old"}
    run(replay, lambda c: c.find("siam-1a2b"), settings=settings, secrets=secrets, save_secrets=save)
    assert saved == ["new"]
    assert [one.headers["authorization"] for one in replay.asked_for("POST", QUERY_PATH)] == [
        "Bearer old",
        "Bearer new",
    ]
    form = replay.asked_for("POST", "/tenant-1/oauth2/v2.0/token")[0].body.decode()
    assert "scope=499b84ac-1321-427f-aa17-267ca6975798" in form


def test_a_file_too_large_for_one_piece_goes_in_parts(tmp_path: Path) -> None:
    replay = scripted()
    content = bytes(range(256)) * 40
    path = tmp_path / "log.bin"
    path.write_bytes(content)
    address = f"http://x/_apis/wit/attachments/{GUID}?fileName=log.bin"
    replay.answers("POST", "/global/Shop/_apis/wit/attachments", {"id": GUID, "url": address}, status=201)
    replay.answers("PUT", f"/global/Shop/_apis/wit/attachments/{GUID}", {})
    replay.answers("PATCH", ITEM_PATH, {**item(8), "relations": [{"rel": "AttachedFile", "url": address}]})
    upload = Upload("log.bin", "application/octet-stream", len(content), hashlib.sha256(content).hexdigest(), path)
    settings = {"largest_upload": 1000}
    receipt = run(replay, lambda c: c.add_attachment(REF, upload, "siam-1a2b"), settings=settings)
    parts = replay.asked_for("PUT", f"/global/Shop/_apis/wit/attachments/{GUID}")
    assert b"".join(part.body for part in parts) == content
    assert parts[0].headers["content-range"] == f"bytes 0-{len(content) - 1}/{len(content)}"
    assert patches(replay)[0][0]["value"]["attributes"] == {"comment": "[siam-1a2b]"}
    assert (receipt.id, receipt.change_ids) == (GUID, (f"8/{GUID}",))


def test_a_file_larger_than_the_service_takes_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    replay = scripted()
    upload = Upload("big.bin", "application/octet-stream", 61 * 1024 * 1024, "", tmp_path / "big.bin")
    with pytest.raises(Rejected) as refusal:
        run(replay, lambda connector: connector.add_attachment(REF, upload, "siam-1a2b"))
    assert refusal.value.field == "attachment"
    assert replay.asked == []


@pytest.mark.parametrize(
    ("settings", "secrets"),
    [
        ({}, SECRETS),
        (SETTINGS, {}),
        ({**SETTINGS, "sign_in": "entra"}, {"client_secret": "s"}),
        ({**SETTINGS, "sign_in": "basic"}, {"password": "p"}),
        (
            {**SETTINGS, "sign_in": "entra", "tenant_id": "t", "client_id": "c", "flavor": "server"},
            {"client_secret": "s"},
        ),
        ({**SETTINGS, "page_size": 500}, SECRETS),
        ({**SETTINGS, "misspelled": 1}, SECRETS),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(settings: dict[str, Any], secrets: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        AzureDevOpsConnector(Context("https://dev.azure.com/global", settings, secrets, OutboundGuard()))
