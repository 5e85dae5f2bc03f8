"""Comments, work notes and the audit of field changes."""

from .rig import INCIDENT, Caller, on_sandbox, user_id

ENTRY = "sys_id,element,element_id,name,value,sys_created_on,sys_created_by"


@on_sandbox()
async def test_comments_and_work_notes_become_entries_of_their_author(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    caller.clock.advance(60)
    answer = await caller.as_user("john").patch(row["sys_id"], comments="We are on it", work_notes="see OPS-7")
    assert (answer.result["comments"], answer.result["work_notes"]) == ("", "")
    query = f"name=incident^element_id={row['sys_id']}^elementINcomments,work_notes^ORDERBYelement"
    comment, note = await caller.find(query, "sys_journal_field", sysparm_fields=ENTRY)
    assert comment.pop("sys_id") != note.pop("sys_id")
    assert comment == {
        "element": "comments",
        "element_id": row["sys_id"],
        "name": "incident",
        "value": "We are on it",
        "sys_created_on": "2026-11-20 09:16:02",
        "sys_created_by": "john",
    }
    assert (note["element"], note["value"]) == ("work_notes", "see OPS-7")


@on_sandbox()
async def test_an_entry_counts_as_an_update_of_its_ticket_even_when_repeated(caller: Caller) -> None:
    row = await caller.create(short_description="VPN", work_notes="Created from OPS-7")
    assert row["sys_mod_count"] == "0"
    for expected in ("1", "2"):
        caller.clock.advance(60)
        after = (await caller.patch(row["sys_id"], comments="same words")).result
        assert after["sys_mod_count"] == expected
    assert after["sys_updated_on"] == "2026-11-20 09:17:02"
    assert len(await caller.find(f"element_id={row['sys_id']}", "sys_journal_field")) == 3


@on_sandbox()
async def test_a_plain_service_desk_account_reads_no_entries_and_no_audit_and_sees_no_error(caller: Caller) -> None:
    row = await caller.create(comments="hello")
    await caller.patch(row["sys_id"], urgency="1")
    john = caller.as_user("john")
    for table in ("sys_journal_field", "sys_audit"):
        assert await caller.find("", table) != []
        assert await john.find("", table) == []


@on_sandbox()
async def test_entries_are_neither_changed_nor_removed_nor_made_directly(caller: Caller) -> None:
    await caller.create(comments="hello")
    admin = caller.as_user("admin")
    entry = (await admin.find("", "sys_journal_field"))[0]
    path = f"/api/now/v2/table/sys_journal_field/{entry['sys_id']}"
    assert (await admin.send("PATCH", path, json={"value": "changed"})).status == 403
    assert (await admin.send("DELETE", path)).status == 403
    assert (await admin.send("POST", "/api/now/v2/table/sys_journal_field", json={"value": "forged"})).status == 403


@on_sandbox()
async def test_every_field_change_is_audited_with_the_count_of_updates(caller: Caller) -> None:
    row = await caller.create(short_description="VPN", impact="2", urgency="2")
    caller.clock.advance(60)
    await caller.as_user("john").patch(row["sys_id"], urgency="1", short_description="VPN drops")
    await caller.patch(row["sys_id"], assigned_to=user_id("elaine"))
    found = await caller.find(f"tablename=incident^documentkey={row['sys_id']}^ORDERBYrecord_checkpoint", "sys_audit")
    changes = {
        (entry["record_checkpoint"], entry["fieldname"], entry["oldvalue"], entry["newvalue"], entry["user"])
        for entry in found
    }
    assert changes == {
        ("1", "urgency", "2", "1", "john"),
        ("1", "short_description", "VPN", "VPN drops", "john"),
        ("1", "priority", "3", "2", "john"),
        ("2", "assigned_to", "", user_id("elaine"), "siam.sync"),
    }
    assert {entry["sys_created_on"] for entry in found} == {"2026-11-20 09:16:02"}


@on_sandbox(audit_readable=False, journals_readable=False)
async def test_switched_off_audit_and_entries_read_as_empty(caller: Caller) -> None:
    row = await caller.create(comments="hello")
    await caller.patch(row["sys_id"], urgency="1")
    assert await caller.find("", "sys_audit") == []
    assert await caller.find("", "sys_journal_field") == []
    assert len(await caller.as_user("admin").find("", "sys_audit")) == 2


@on_sandbox()
async def test_code_tags_are_stored_as_they_are(caller: Caller) -> None:
    text = "see [code]<b>this</b>[/code]\r\n[sync:9a31]"
    row = await caller.create(comments=text)
    found = await caller.find(f"element_id={row['sys_id']}", "sys_journal_field")
    assert found[0]["value"] == text
    assert (await caller.get(f"{INCIDENT}/{row['sys_id']}")).result["comments"] == ""
