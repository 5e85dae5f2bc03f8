"""The true state behind the control door, and the way back to a fresh start."""

import hashlib

from .rig import INCIDENT, Caller, on_sandbox


@on_sandbox()
async def test_the_log_tells_everything_that_happened_in_its_order(caller: Caller) -> None:
    row = await caller.create(short_description="VPN drops", impact="2", urgency="2", comments="first")
    caller.clock.advance(60)
    await caller.as_user("john").patch(row["sys_id"], urgency="1", work_notes="second")
    caller.clock.advance(60)
    parameters = {"table_name": "incident", "table_sys_id": row["sys_id"], "file_name": "log.txt"}
    headers = {"Content-Type": "text/plain"}
    await caller.send("POST", "/api/now/attachment/file", headers, params=parameters, data=b"line")
    state = (await caller.get("/_control/state")).content
    assert state["system"] == "servicenow"
    (ticket,) = state["tickets"]
    assert (ticket["id"], ticket["key"], ticket["type"]) == (row["sys_id"], "INC0010001", "incident")
    assert (ticket["created_at"], ticket["deleted"]) == ("2026-11-20T09:15:02Z", False)
    assert (ticket["fields"]["short_description"], ticket["fields"]["priority"]) == ("VPN drops", "2")
    first, second = ticket["comments"]
    assert (first["author"], first["text"], first["public"]) == ("siam.sync", "first", True)
    assert (second["author"], second["text"], second["public"]) == ("john", "second", False)
    (file,) = ticket["attachments"]
    assert (file["name"], file["size"], file["sha256"]) == ("log.txt", 4, hashlib.sha256(b"line").hexdigest())
    assert [
        (entry["at"][-6:-1], entry["by"], entry["field"], entry["from"], entry["to"]) for entry in ticket["log"]
    ] == [
        ("15:02", "siam.sync", "comment", "", first["id"]),
        ("16:02", "john", "urgency", "2", "1"),
        ("16:02", "john", "priority", "3", "2"),
        ("16:02", "john", "comment", "", second["id"]),
        ("17:02", "siam.sync", "attachment", "", file["id"]),
    ]


@on_sandbox()
async def test_a_deleted_ticket_stays_in_the_true_state(caller: Caller) -> None:
    row = await caller.create(short_description="VPN", comments="kept")
    await caller.as_user("admin").send("DELETE", f"{INCIDENT}/{row['sys_id']}")
    (ticket,) = caller.sandbox.true_state()["tickets"]
    assert (ticket["deleted"], ticket["fields"]["short_description"]) == (True, "VPN")
    assert [comment["text"] for comment in ticket["comments"]] == ["kept"]


@on_sandbox()
async def test_a_reset_brings_back_accounts_settings_and_numbers(caller: Caller) -> None:
    john = await caller.find("user_name=john", "sys_user")
    await caller.create(short_description="VPN")
    caller.sandbox.settings.audit_readable = False
    assert (await caller.send("POST", "/_control/reset")).status == 204
    assert await caller.find("") == []
    assert await caller.find("user_name=john", "sys_user") == john
    assert caller.sandbox.settings.audit_readable
    assert (await caller.create(short_description="again"))["number"] == "INC0010001"


@on_sandbox()
async def test_exchanges_are_logged_as_they_went_over_the_wire(caller: Caller) -> None:
    await caller.create(short_description="VPN")
    (exchange,) = (await caller.get("/_control/exchanges")).content
    assert (exchange["method"], exchange["path"], exchange["status"]) == ("POST", INCIDENT, 201)
    assert exchange["body"] == '{"short_description": "VPN"}'
