"""Create, update and delete: what is taken, cut, ignored and refused, and what rules make of it."""

import pytest

from apps.sandbox.servicenow.settings import HOLD_POLICY, RESOLVE_POLICY, DataPolicy

from .rig import INCIDENT, Caller, group_id, on_sandbox, user_id

RESOLVE = {"state": "6", "close_code": "Solution provided", "close_notes": "Restarted the concentrator"}


@on_sandbox()
async def test_a_created_record_comes_back_whole_with_its_address(caller: Caller) -> None:
    made = await caller.send("POST", INCIDENT, json={"short_description": "VPN drops", "urgency": 1, "knowledge": True})
    assert made.status == 201
    record = made.result
    assert made.headers["Location"] == f"{caller.sandbox.origin}{INCIDENT}/{record['sys_id']}"
    assert len(record["sys_id"]) == 32
    assert (record["number"], record["state"], record["urgency"]) == ("INC0010001", "1", "1")
    assert (record["knowledge"], record["sys_mod_count"], record["sys_created_by"]) == ("true", "0", "siam.sync")
    assert record["sys_created_on"] == record["opened_at"] == "2026-11-20 09:15:02"


MATRIX = (
    ["11", "1"],
    ["12", "2"],
    ["13", "3"],
    ["21", "2"],
    ["22", "3"],
    ["23", "4"],
    ["31", "3"],
    ["32", "4"],
    ["33", "5"],
)


@pytest.mark.parametrize(("pair", "priority"), MATRIX)
def test_priority_follows_from_impact_and_urgency_whatever_is_sent(pair: str, priority: str) -> None:
    @on_sandbox()
    async def story(caller: Caller) -> None:
        row = await caller.create(impact=pair[0], urgency=pair[1], priority="1")
        assert row["priority"] == priority

    story()


@on_sandbox()
async def test_over_long_text_is_cut_in_silence(caller: Caller) -> None:
    row = await caller.create(short_description="x" * 200, u_hub_reference="y" * 50, correlation_id="z" * 101)
    assert [len(row[name]) for name in ("short_description", "u_hub_reference", "correlation_id")] == [160, 40, 100]


@on_sandbox()
async def test_unknown_and_system_columns_are_ignored(caller: Caller) -> None:
    row = await caller.create(sys_id="a" * 32, sys_created_by="john", bogus="1", short_description="VPN")
    assert row["sys_id"] != "a" * 32
    assert row["sys_created_by"] == "siam.sync"
    assert "bogus" not in row


@on_sandbox()
async def test_choices_that_do_not_exist_are_ignored_unless_allowed(caller: Caller) -> None:
    row = await caller.create(u_site="madrid", state="99")
    assert (row["u_site"], row["state"]) == ("", "1")
    caller.sandbox.settings.allow_unknown_choices = True
    assert (await caller.create(u_site="madrid"))["u_site"] == "madrid"


@on_sandbox()
async def test_a_mandatory_choice_cannot_be_cleared_but_other_columns_can(caller: Caller) -> None:
    row = await caller.create(state="2", u_site="paris", description="text")
    cleared = (await caller.patch(row["sys_id"], state="", u_site="", description="")).result
    assert (cleared["state"], cleared["u_site"], cleared["description"]) == ("2", "", "")


@on_sandbox()
async def test_a_reference_that_matches_nothing_is_dropped_or_stored_without_an_error(caller: Caller) -> None:
    row = await caller.create(caller_id="John", assigned_to="f" * 32)
    assert (row["caller_id"], row["assigned_to"]) == ("", "f" * 32)


@on_sandbox()
async def test_display_input_takes_names_labels_and_local_times(caller: Caller) -> None:
    made = await caller.as_user("john").send(
        "POST",
        INCIDENT,
        params={"sysparm_input_display_value": "true", "sysparm_exclude_reference_link": "true"},
        json={"caller_id": "Elaine", "state": "In Progress", "due_date": "2026-11-21 10:00:00"},
    )
    assert made.result["caller_id"] == user_id("elaine")
    assert (made.result["state"], made.result["due_date"]) == ("2", "2026-11-21 09:00:00")


@on_sandbox()
async def test_patch_and_put_both_merge_and_count_the_update(caller: Caller) -> None:
    row = await caller.create(short_description="VPN", description="text")
    caller.clock.advance(5)
    patched = (await caller.as_user("john").patch(row["sys_id"], urgency="1")).result
    assert (patched["description"], patched["sys_mod_count"], patched["sys_updated_by"]) == ("text", "1", "john")
    assert patched["sys_updated_on"] == "2026-11-20 09:15:07"
    put = await caller.send("PUT", f"{INCIDENT}/{row['sys_id']}", json={"description": "new"})
    assert (put.result["short_description"], put.result["sys_mod_count"]) == ("VPN", "2")


@on_sandbox()
async def test_writing_equal_values_moves_nothing(caller: Caller) -> None:
    row = await caller.create(short_description="VPN", urgency="2")
    caller.clock.advance(60)
    same = (await caller.patch(row["sys_id"], short_description="VPN", urgency=2)).result
    assert (same["sys_updated_on"], same["sys_mod_count"]) == (row["sys_updated_on"], "0")
    assert caller.sandbox.true_state()["tickets"][0]["log"] == []


@on_sandbox(auto_system_fields=False)
async def test_a_script_may_change_data_without_moving_the_time_of_update(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    caller.clock.advance(60)
    changed = (await caller.patch(row["sys_id"], short_description="changed")).result
    assert changed["short_description"] == "changed"
    assert (changed["sys_updated_on"], changed["sys_mod_count"]) == (row["sys_updated_on"], "0")


@on_sandbox()
async def test_a_write_can_answer_without_a_body_and_override_its_method(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    headers = {"X-no-response-body": "true", "X-HTTP-Method-Override": "PATCH"}
    quiet = await caller.send("POST", f"{INCIDENT}/{row['sys_id']}", headers, json={"description": "new"})
    assert (quiet.status, quiet.body) == (200, b"")
    assert (await caller.read(row["sys_id"]))["description"] == "new"


@on_sandbox()
async def test_resolving_needs_code_and_notes_in_one_call(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    refused = await caller.patch(row["sys_id"], state="6")
    assert refused.status == 403
    assert refused.content["error"]["message"] == "Operation Failed"
    policy = "Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes"
    assert refused.detail == policy
    assert (await caller.read(row["sys_id"]))["state"] == "1"
    resolved = (await caller.patch(row["sys_id"], **RESOLVE)).result
    assert (resolved["incident_state"], resolved["active"]) == ("6", "true")
    assert (resolved["resolved_at"], resolved["resolved_by"]) == ("2026-11-20 09:15:02", user_id("siam.sync"))


@on_sandbox(data_policies_on=False)
async def test_without_data_policies_resolving_needs_nothing(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    assert (await caller.patch(row["sys_id"], state="6")).status == 200


@on_sandbox()
async def test_on_hold_needs_a_reason_only_where_a_data_policy_says_so(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    assert (await caller.patch(row["sys_id"], state="3")).status == 200
    await caller.patch(row["sys_id"], state="2")
    caller.sandbox.settings.data_policies = (RESOLVE_POLICY, HOLD_POLICY)
    assert "On hold reason" in (await caller.patch(row["sys_id"], state="3")).detail
    held = (await caller.patch(row["sys_id"], state="3", hold_reason="4")).result
    assert held["hold_reason"] == "4"
    assert (await caller.patch(row["sys_id"], state="2")).result["hold_reason"] == ""


@on_sandbox(data_policies=(DataPolicy("incident", "state=2", read_only=("short_description",)),))
async def test_a_data_policy_can_make_columns_read_only(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    await caller.patch(row["sys_id"], state="2")
    refused = await caller.patch(row["sys_id"], short_description="changed")
    assert (refused.status, "Short description" in refused.detail) == (403, True)
    assert (await caller.patch(row["sys_id"], description="free")).status == 200


@on_sandbox()
async def test_a_comment_of_the_caller_ends_the_waiting_for_them(caller: Caller) -> None:
    row = await caller.create(caller_id=user_id("john"), state="3", hold_reason="1")
    await caller.patch(row["sys_id"], comments="please answer")
    assert (await caller.read(row["sys_id"]))["state"] == "3"
    await caller.as_user("john").patch(row["sys_id"], comments="here you are")
    after = await caller.read(row["sys_id"])
    assert (after["state"], after["incident_state"], after["hold_reason"]) == ("2", "2", "")


@on_sandbox()
async def test_a_resolved_ticket_is_reopened_and_counted(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    await caller.patch(row["sys_id"], **RESOLVE)
    reopened = (await caller.patch(row["sys_id"], state="2")).result
    assert (reopened["reopen_count"], reopened["resolved_at"], reopened["resolved_by"]) == ("1", "", "")


@pytest.mark.parametrize("final", ["7", "8"])
def test_a_closed_or_canceled_ticket_is_read_only(final: str) -> None:
    @on_sandbox()
    async def story(caller: Caller) -> None:
        row = await caller.create(short_description="VPN")
        closed = (await caller.patch(row["sys_id"], **{**RESOLVE, "state": final})).result
        assert (closed["active"], closed["closed_at"]) == ("false", "2026-11-20 09:15:02")
        for fields in ({"state": "2"}, {"comments": "late"}, {"short_description": "late"}):
            refused = await caller.patch(row["sys_id"], **fields)
            assert (refused.status, refused.detail) == (403, "ACL Exception Update Failed due to security constraints")

    story()


@on_sandbox(closing_needs_itil_admin=True)
async def test_closing_can_be_kept_for_administrators(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    refused = await caller.patch(row["sys_id"], **{**RESOLVE, "state": "7"})
    assert "aborted by Business Rule" in refused.detail
    assert (await caller.as_user("admin").patch(row["sys_id"], **{**RESOLVE, "state": "7"})).status == 200


@on_sandbox()
async def test_a_change_follows_its_state_model(caller: Caller) -> None:
    row = await caller.create("change_request", short_description="New router")
    refused = await caller.patch(row["sys_id"], "change_request", state="3")
    assert refused.status == 403
    assert refused.detail.startswith(
        "Operation against file 'change_request' was aborted by Business Rule 'Change Model"
    )
    for state in ("-4", "-3", "-2", "-1", "0", "3"):
        assert (await caller.patch(row["sys_id"], "change_request", state=state)).result["state"] == state
    assert (await caller.read(row["sys_id"], "change_request"))["active"] == "false"


@on_sandbox(abort_rules={"incident": "short_descriptionLIKEforbidden"})
async def test_a_business_rule_can_abort_a_write(caller: Caller) -> None:
    refused = await caller.send("POST", INCIDENT, json={"short_description": "a forbidden word"})
    assert (refused.status, "aborted by Business Rule" in refused.detail) == (403, True)
    assert await caller.find("") == []


@on_sandbox(frozen_fields=("incident.assignment_group",))
async def test_a_business_rule_can_put_a_value_back_in_silence(caller: Caller) -> None:
    row = await caller.create(assignment_group=group_id("Service Desk"))
    answer = await caller.patch(row["sys_id"], assignment_group=group_id("Solution Architecture"))
    assert (answer.status, answer.result["assignment_group"]) == (200, group_id("Service Desk"))
    assert answer.result["sys_mod_count"] == "0"


@on_sandbox(unwritable_fields=("task.description",))
async def test_a_field_that_may_not_be_written_is_left_out(caller: Caller) -> None:
    assert (await caller.create(description="text"))["description"] == ""


@on_sandbox()
async def test_changing_hands_between_groups_is_counted(caller: Caller) -> None:
    row = await caller.create(assignment_group=group_id("Service Desk"))
    moved = await caller.patch(row["sys_id"], assignment_group=group_id("Solution Architecture"))
    assert moved.result["reassignment_count"] == "1"


@on_sandbox()
async def test_only_administrators_delete_and_the_deletion_is_listed(caller: Caller) -> None:
    row = await caller.create(short_description="VPN")
    path = f"{INCIDENT}/{row['sys_id']}"
    refused = await caller.send("DELETE", path)
    assert (refused.status, refused.detail) == (403, "ACL Exception Delete Failed due to security constraints")
    gone = await caller.as_user("admin").send("DELETE", path)
    assert (gone.status, gone.body) == (204, b"")
    assert (await caller.get(path)).status == 404
    traces = await caller.find(f"documentkey={row['sys_id']}", "sys_audit_delete")
    assert [(trace["tablename"], trace["user"]) for trace in traces] == [("incident", "admin")]
    caller.sandbox.settings.deletions_readable = False
    assert await caller.find("", "sys_audit_delete") == []


@on_sandbox(denied_tables=("incident",))
async def test_a_table_can_be_closed_for_the_interface(caller: Caller) -> None:
    refused = await caller.get(INCIDENT)
    assert (refused.status, refused.detail) == (403, "Failed API level ACL Validation")


@on_sandbox()
async def test_accounts_are_not_written_by_the_service_desk(caller: Caller) -> None:
    refused = await caller.send("POST", "/api/now/v2/table/sys_user", json={"user_name": "otto"})
    assert (refused.status, refused.detail) == (403, "ACL Exception Insert Failed due to security constraints")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_400(body: bytes) -> None:
    @on_sandbox()
    async def story(caller: Caller) -> None:
        refused = await caller.send("POST", INCIDENT, {"Content-Type": "application/json"}, data=body)
        assert (refused.status, refused.content["error"]["message"]) == (400, "Exception while reading request")

    story()


@on_sandbox()
async def test_a_body_in_another_content_type_is_415(caller: Caller) -> None:
    assert (await caller.send("POST", INCIDENT, {"Content-Type": "text/plain"}, data=b"{}")).status == 415


@on_sandbox()
async def test_text_of_any_script_comes_back_as_it_was_sent(caller: Caller) -> None:
    text = "Ошибка 👩‍👩‍👧‍👦 \u202eabc\u00a0\r\nline"
    assert (await caller.create(description=text))["description"] == text
    broken = await caller.send(
        "POST", INCIDENT, {"Content-Type": "application/json"}, data=b'{"description":"\\ud83d"}'
    )
    assert broken.result["description"] == "?"
