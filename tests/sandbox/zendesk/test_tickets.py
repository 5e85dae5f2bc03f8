"""Tickets: creation, changes, refusals, optimistic locks, tags and fields, closing, deletion."""

import json
from datetime import timedelta

import pytest

from apps.sandbox.zendesk import seed
from apps.sandbox.zendesk.settings import UnknownSetting, ZendeskSettings

from .desk import Desk, at_desk


@at_desk
async def test_a_new_ticket_has_every_key_and_its_first_comment(desk: Desk) -> None:
    body = {
        "ticket": {"subject": "VPN drops", "comment": {"html_body": "<p>Client 5.1</p>"}, "external_id": "jira:10042"}
    }
    reply = await desk.post("tickets", body)
    ticket = reply.body["ticket"]
    assert reply.status == 201
    assert reply.headers["location"] == ticket["url"] == f"{desk.sandbox.origin}/api/v2/tickets/{ticket['id']}.json"
    assert (ticket["status"], ticket["description"], ticket["priority"]) == ("new", "Client 5.1", None)
    assert ticket["created_at"] == "2026-11-20T09:15:02Z"
    assert ticket["via"] == {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}}
    assert [entry["id"] for entry in ticket["custom_fields"]] == [27642, 27643, 27644, 27645]
    kinds = [(event["type"], event.get("field_name")) for event in reply.body["audit"]["events"]]
    assert kinds[0] == ("Comment", None)
    assert ("Create", "subject") in kinds


@at_desk
async def test_a_ticket_without_text_is_refused(desk: Desk) -> None:
    reply = await desk.post("tickets", {"ticket": {"subject": "Empty", "comment": {"body": "  "}}})
    assert (reply.status, reply.body["error"]) == (422, "RecordInvalid")
    assert desk.sandbox.true_state()["tickets"] == []


@at_desk
async def test_values_outside_the_vendors_words_are_refused_together(desk: Desk) -> None:
    wrong = {"status": "done", "priority": "P1", "type": "bug", "comment": {"body": "x"}}
    reply = await desk.post("tickets", {"ticket": wrong})
    assert (reply.status, set(reply.body["details"])) == (422, {"status", "priority", "type"})


@at_desk
async def test_a_named_requester_is_created_once_and_not_at_all_when_the_write_is_refused(desk: Desk) -> None:
    requester = {"name": "Marco", "email": "Marco@global.example"}
    refused = await desk.post(
        "tickets", {"ticket": {"requester": requester, "priority": "P1", "comment": {"body": "x"}}}
    )
    assert refused.status == 422
    assert desk.sandbox.account.user_by_email("marco@global.example") is None
    first = await desk.ticket(requester=requester)
    second = await desk.ticket(requester=requester)
    assert first["requester_id"] == second["requester_id"]
    assert desk.sandbox.account.users[first["requester_id"]].email == "marco@global.example"


@at_desk
async def test_the_same_key_and_body_give_the_first_answer_again(desk: Desk) -> None:
    body, headers = {"ticket": {"subject": "Once", "comment": {"body": "x"}}}, {"Idempotency-Key": "op-7f1c"}
    first = await desk.post("tickets", body, headers=headers)
    await desk.changed(first.body["ticket"]["id"], priority="high")
    second = await desk.post("tickets", body, headers=headers)
    assert (first.headers["x-idempotency-lookup"], second.headers["x-idempotency-lookup"]) == ("miss", "hit")
    assert (second.status, second.body) == (201, first.body)
    assert len(desk.sandbox.true_state()["tickets"]) == 1


@at_desk
async def test_the_same_key_with_another_body_is_refused(desk: Desk) -> None:
    headers = {"Idempotency-Key": "op-7f1c"}
    await desk.post("tickets", {"ticket": {"comment": {"body": "x"}}}, headers=headers)
    reply = await desk.post("tickets", {"ticket": {"comment": {"body": "y"}}}, headers=headers)
    assert (reply.status, reply.body["error"]) == (400, "IdempotentRequestError")


@at_desk
async def test_a_key_is_forgotten_after_two_hours_and_must_not_be_longer_than_255(desk: Desk) -> None:
    body = {"ticket": {"comment": {"body": "x"}}}
    await desk.post("tickets", body, headers={"Idempotency-Key": "k"})
    await desk.wait(7_200)
    late = await desk.post("tickets", body, headers={"Idempotency-Key": "k"})
    assert late.headers["x-idempotency-lookup"] == "miss"
    assert (await desk.post("tickets", body, headers={"Idempotency-Key": "k" * 256})).status == 400
    assert len(desk.sandbox.true_state()["tickets"]) == 2


@at_desk
async def test_tickets_are_found_by_external_id_at_once(desk: Desk) -> None:
    ticket = await desk.ticket(external_id="jira:10042")
    await desk.ticket(external_id="jira:10043")
    found = (await desk.get("tickets?external_id=jira:10042")).body["tickets"]
    assert [entry["id"] for entry in found] == [ticket["id"]]


@at_desk
async def test_an_update_leaves_omitted_members_and_audits_each_change(desk: Desk) -> None:
    ticket = await desk.ticket(priority="low", external_id="jira:1")
    reply = await desk.change(ticket["id"], priority="urgent", metadata={"acme_op": "9a31"})
    audit = reply.body["audit"]
    assert (reply.body["ticket"]["priority"], reply.body["ticket"]["external_id"]) == ("urgent", "jira:1")
    assert audit["metadata"]["custom"] == {"acme_op": "9a31"}
    change = {name: audit["events"][0][name] for name in ("type", "field_name", "value", "previous_value")}
    assert change == {"type": "Change", "field_name": "priority", "value": "urgent", "previous_value": "low"}


@at_desk
async def test_audits_are_complete_and_can_be_read_newest_first(desk: Desk) -> None:
    ticket = await desk.ticket()
    await desk.changed(ticket["id"], priority="high", comment={"body": "Raised", "public": False})
    await desk.wait(1)
    await desk.changed(ticket["id"], subject="VPN is down", metadata={"acme_op": "1"})
    audits = (await desk.get(f"tickets/{ticket['id']}/audits?sort=-created_at&page[size]=2")).body["audits"]
    assert audits[0]["metadata"]["custom"] == {"acme_op": "1"}
    assert [event["type"] for event in audits[1]["events"]] == ["Comment", "Change"]


@at_desk
async def test_a_write_that_changes_nothing_leaves_no_audit_and_the_same_time(desk: Desk) -> None:
    ticket = await desk.ticket(priority="low")
    await desk.wait(5)
    same = await desk.changed(ticket["id"], priority="low")
    assert same["updated_at"] == ticket["updated_at"]
    assert len((await desk.get(f"tickets/{ticket['id']}/audits")).body["audits"]) == 1


@at_desk
async def test_a_safe_update_with_an_old_stamp_conflicts(desk: Desk) -> None:
    ticket = await desk.ticket()
    await desk.wait(1)
    await desk.changed(ticket["id"], priority="low")
    for flag in (True, False):
        reply = await desk.change(ticket["id"], priority="high", safe_update=flag, updated_stamp=ticket["updated_at"])
        assert (reply.status, reply.body["error"]) == (409, "UpdateConflict")
    assert (await desk.changed(ticket["id"], priority="high"))["priority"] == "high"


@at_desk
async def test_two_safe_updates_within_one_second_slip(desk: Desk) -> None:
    ticket = await desk.ticket()
    await desk.changed(ticket["id"], priority="low")
    late = await desk.change(ticket["id"], priority="high", safe_update=True, updated_stamp=ticket["updated_at"])
    assert late.status == 200


@at_desk
async def test_an_account_can_demand_equal_stamps(desk: Desk) -> None:
    desk.sandbox.settings.exact_stamps = True
    ticket = await desk.ticket()
    newer = await desk.change(ticket["id"], priority="low", safe_update=True, updated_stamp="2026-11-20T09:15:03Z")
    assert newer.status == 409


@at_desk
async def test_tags_go_with_option_fields_both_ways(desk: Desk) -> None:
    ticket = await desk.ticket(tags=["VPN now"], custom_fields=[{"id": seed.SITE_FIELD, "value": "berlin"}])
    assert ticket["tags"] == ["berlin", "now", "vpn"]
    moved = await desk.changed(ticket["id"], custom_fields=[{"id": seed.SITE_FIELD, "value": "paris"}])
    assert moved["tags"] == ["now", "paris", "vpn"]
    replaced = await desk.changed(ticket["id"], tags=["vpn"])
    assert replaced["custom_fields"][0] == {"id": seed.SITE_FIELD, "value": None}
    tagged = await desk.changed(ticket["id"], tags=["vpn", "london"])
    assert tagged["custom_fields"][0]["value"] == "london"


@at_desk
async def test_an_unknown_option_is_refused_and_an_unknown_field_is_dropped(desk: Desk) -> None:
    ticket = await desk.ticket()
    reply = await desk.change(ticket["id"], custom_fields=[{"id": seed.SITE_FIELD, "value": "rome"}])
    assert reply.status == 422
    assert reply.body["details"]["base"][0]["ticket_field_id"] == seed.SITE_FIELD
    reply = await desk.change(ticket["id"], custom_fields=[{"id": 1, "value": "x"}], impact="high")
    assert reply.status == 200
    assert "impact" in reply.headers["x-zendesk-api-warn"]


@at_desk
async def test_the_tags_endpoints_set_add_and_remove(desk: Desk) -> None:
    path = f"tickets/{(await desk.ticket(tags=['a']))['id']}/tags"
    assert (await desk.put(path, {"tags": ["b"]})).body == {"tags": ["a", "b"]}
    reply = await desk.post(path, {"tags": ["c", "d"]})
    assert (reply.status, reply.body) == (201, {"tags": ["c", "d"]})
    assert (await desk.delete(path, {"tags": ["c"]})).status == 204
    assert (await desk.get(path)).body == {"tags": ["d"]}


@at_desk
async def test_the_tags_endpoints_are_guarded_only_by_their_own_stamp(desk: Desk) -> None:
    ticket = await desk.ticket()
    await desk.wait(1)
    await desk.changed(ticket["id"], priority="low")
    path, stale = f"tickets/{ticket['id']}/tags", {"updated_stamp": ticket["updated_at"], "safe_update": True}
    assert (await desk.put(path, {"tags": ["x"], **stale})).status == 409
    assert (await desk.put(path, {"tags": ["x"]})).status == 200


@at_desk
async def test_solving_needs_an_assignee_and_each_required_field(desk: Desk) -> None:
    await desk.put(f"ticket_fields/{seed.CATEGORY_FIELD}", {"ticket_field": {"required": True}})
    ticket = await desk.ticket()
    reply = await desk.change(ticket["id"], status="solved")
    entries = reply.body["details"]["base"]
    assert reply.status == 422
    assert [entry["description"] for entry in entries] == [
        "Assignee: is required when solving a ticket",
        "Category: is required when solving a ticket",
    ]
    assert (entries[1]["ticket_field_id"], entries[1]["ticket_field_type"]) == (seed.CATEGORY_FIELD, "FieldTagger")
    members = {"assignee_id": seed.AGENT_ID, "custom_fields": [{"id": seed.CATEGORY_FIELD, "value": "bug"}]}
    assert (await desk.changed(ticket["id"], status="solved", **members))["status"] == "solved"


@at_desk
async def test_a_ticket_never_becomes_new_again_and_closes_only_from_solved(desk: Desk) -> None:
    ticket = await desk.ticket(status="open")
    for status in ("new", "closed"):
        reply = await desk.change(ticket["id"], status=status)
        assert (reply.status, list(reply.body["details"])) == (422, ["status"])


@at_desk
async def test_hold_exists_only_where_it_is_switched_on(desk: Desk) -> None:
    desk.sandbox.settings.hold_enabled = False
    assert (await desk.change((await desk.ticket())["id"], status="hold")).status == 422
    fields = (await desk.get("ticket_fields")).body["ticket_fields"]
    status = next(item for item in fields if item["type"] == "status")
    assert "hold" not in [option["value"] for option in status["system_field_options"]]


@at_desk
async def test_an_assigned_ticket_opens_and_takes_the_agents_group(desk: Desk) -> None:
    ticket = await desk.changed((await desk.ticket())["id"], assignee_id=seed.AGENT_ID)
    assert (ticket["status"], ticket["group_id"]) == ("open", seed.SUPPORT_GROUP_ID)


@at_desk
async def test_only_agents_of_the_group_can_be_assigned(desk: Desk) -> None:
    group = (await desk.post("groups", {"group": {"name": "Network"}})).body["group"]
    ticket = await desk.ticket(assignee_id=seed.AGENT_ID)
    assert (await desk.change(ticket["id"], assignee_id=seed.CUSTOMER_ID)).status == 422
    assert (await desk.change(ticket["id"], assignee_id=seed.AGENT_ID, group_id=group["id"])).status == 422
    moved = await desk.changed(ticket["id"], group_id=group["id"])
    assert (moved["group_id"], moved["assignee_id"]) == (group["id"], None)


@at_desk
async def test_custom_statuses_and_their_categories_move_together(desk: Desk) -> None:
    ticket = await desk.ticket()
    waiting = await desk.changed(ticket["id"], custom_status_id=35_436)
    assert (waiting["status"], waiting["custom_status_id"]) == ("open", 35_436)
    pending = await desk.changed(ticket["id"], status="pending")
    assert pending["custom_status_id"] == 1_903
    desk.sandbox.settings.custom_statuses_enabled = False
    assert (await desk.get("custom_statuses")).body["error"] == "InvalidEndpoint"


@at_desk
async def test_a_closed_ticket_takes_nothing_any_more(desk: Desk) -> None:
    closed = await desk.closed()
    path = f"tickets/{closed['id']}"
    refusals = [
        await desk.change(closed["id"], priority="low"),
        await desk.change(closed["id"], comment={"body": "Late"}),
        await desk.put(f"{path}/tags", {"tags": ["x"]}),
    ]
    for reply in refusals:
        assert (reply.status, reply.body["error"]) == (422, "RecordInvalid")
        assert reply.body["details"]["status"][0]["description"] == "Status closed prevents ticket update"


@at_desk
async def test_a_follow_up_needs_a_closed_source_and_inherits_its_tags(desk: Desk) -> None:
    closed, still_open = await desk.closed(tags=["vpn"]), await desk.ticket()
    wanted = {"via_followup_source_id": still_open["id"], "comment": {"body": "Again"}}
    assert (await desk.post("tickets", {"ticket": wanted})).status == 422
    follow_up = await desk.ticket(via_followup_source_id=closed["id"])
    assert follow_up["tags"] == ["vpn"]
    assert follow_up["via"]["source"]["rel"] == "follow_up"
    assert (await desk.get(f"tickets/{closed['id']}")).body["ticket"]["followup_ids"] == [follow_up["id"]]


@at_desk
async def test_solved_tickets_close_by_themselves_after_four_days(desk: Desk) -> None:
    ticket = await desk.ticket(assignee_id=seed.AGENT_ID)
    await desk.changed(ticket["id"], status="solved")
    await desk.wait(95 * 3600)
    assert (await desk.get(f"tickets/{ticket['id']}")).body["ticket"]["status"] == "solved"
    await desk.wait(3600)
    assert (await desk.get(f"tickets/{ticket['id']}")).body["ticket"]["status"] == "closed"


@at_desk
async def test_solving_a_problem_solves_its_incidents(desk: Desk) -> None:
    problem = await desk.ticket(type="problem", assignee_id=seed.AGENT_ID)
    incident = await desk.ticket(type="incident", problem_id=problem["id"])
    assert (await desk.get(f"tickets/{problem['id']}")).body["ticket"]["has_incidents"] is True
    await desk.changed(problem["id"], status="solved", comment={"body": "Router replaced", "public": True})
    assert (await desk.get(f"tickets/{incident['id']}")).body["ticket"]["status"] == "solved"
    assert desk.truth(incident["id"])["comments"][-1]["text"] == "Router replaced"
    assert (await desk.post("tickets", {"ticket": {"problem_id": incident["id"], "type": "incident",
                                                   "comment": {"body": "x"}}})).status == 422  # fmt: skip


@at_desk
async def test_a_deleted_ticket_is_gone_by_id_and_can_be_restored(desk: Desk) -> None:
    ticket = await desk.ticket()
    assert (await desk.delete(f"tickets/{ticket['id']}", by="agent")).status == 403
    assert (await desk.delete(f"tickets/{ticket['id']}")).status == 204
    gone = await desk.get(f"tickets/{ticket['id']}")
    assert (gone.status, gone.body) == (404, {"error": "RecordNotFound", "description": "Not found"})
    assert (await desk.get("deleted_tickets")).body["deleted_tickets"][0]["previous_state"] == "new"
    assert desk.truth(ticket["id"])["deleted"] is True
    assert (await desk.put(f"deleted_tickets/{ticket['id']}/restore")).status == 200
    assert (await desk.get(f"tickets/{ticket['id']}")).status == 200


@at_desk
async def test_triggers_write_after_the_answer_and_as_the_system(desk: Desk) -> None:
    trigger = {
        "title": "Urgent goes to the network people",
        "conditions": {"all": [{"field": "priority", "operator": "is", "value": "urgent"}]},
        "actions": [{"field": "current_tags", "value": "escalated"}, {"field": "type", "value": "incident"}],
    }
    assert (await desk.post("triggers", {"trigger": trigger})).status == 201
    ticket = await desk.ticket(priority="urgent")
    assert ticket["tags"] == []
    read = (await desk.get(f"tickets/{ticket['id']}")).body["ticket"]
    assert (read["tags"], read["type"]) == (["escalated"], "incident")
    audit = (await desk.get(f"tickets/{ticket['id']}/audits")).body["audits"][-1]
    assert (audit["author_id"], audit["via"]["source"]["rel"]) == (-1, "trigger")


@at_desk
async def test_malformed_requests_are_refused_in_the_vendors_ways(desk: Desk) -> None:
    json_type = {"Content-Type": "application/json"}
    cases = [
        (await desk.post("tickets", b"{", headers=json_type), 400),
        (await desk.post("tickets", b"[]", headers=json_type), 400),
        (await desk.post("tickets", b"ticket=1", headers={"Content-Type": "text/plain"}), 415),
        (await desk.post("tickets", {"subject": "unwrapped"}), 400),
        (await desk.get("tickets/abc"), 400),
        (await desk.get("tickets/999"), 404),
    ]
    assert [reply.status for reply, _ in cases] == [status for _, status in cases]
    assert cases[4][0].body["error"]["title"] == "Invalid attribute"


@at_desk
async def test_members_of_strange_kinds_never_break_the_account(desk: Desk) -> None:
    ticket = await desk.ticket()
    strange = [True, -1, "x", [None], [{"id": {}}], {"id": []}, {"body": 1}, {"body": "x", "author_id": {}}]
    for name in ("requester_id", "assignee_id", "tags", "custom_fields", "comment", "requester", "due_at", "status"):
        for value in strange:
            assert (await desk.change(ticket["id"], **{name: value})).status < 500, (name, value)
            desk.moment += timedelta(minutes=10)
    half = b'{"ticket": {"comment": {"body": "\\ud800"}}}'
    assert (await desk.post("tickets", half, headers={"Content-Type": "application/json"})).status == 400


@at_desk
async def test_unknown_paths_and_methods_do_not_exist(desk: Desk) -> None:
    for reply in (await desk.get("incidents"), await desk.send("PATCH", "/api/v2/tickets/1"), await desk.get("/x")):
        assert (reply.status, reply.body["error"]) == (404, "InvalidEndpoint")


@at_desk
async def test_the_log_tells_everything_in_the_order_it_happened(desk: Desk) -> None:
    ticket = await desk.ticket(assignee_id=seed.AGENT_ID)
    await desk.changed(ticket["id"], status="pending", comment={"body": "Which client?", "public": True})
    await desk.changed(ticket["id"], custom_fields=[{"id": seed.STAGE_FIELD, "value": "test"}])
    truth = desk.truth(ticket["id"])
    comments = [comment["id"] for comment in truth["comments"]]
    steps = [(entry["field"], entry["from"], entry["to"]) for entry in truth["log"]]
    assert steps == [
        ("comment", None, comments[0]),
        ("comment", None, comments[1]),
        ("status", "open", "pending"),
        ("custom_status_id", 1902, 1903),
        (str(seed.STAGE_FIELD), None, "test"),
    ]
    assert truth["fields"]["assignee"] == "Mercuri Agent"
    assert truth["fields"][str(seed.STAGE_FIELD)] == "test"
    assert json.loads(json.dumps(truth)) == truth


@at_desk
async def test_a_reset_brings_back_the_fresh_start(desk: Desk) -> None:
    await desk.ticket()
    desk.sandbox.settings.tokens_retired = True
    await desk.send("POST", "/_control/reset", by=None)
    assert desk.sandbox.true_state() == {"system": "zendesk", "tickets": []}
    assert (await desk.get("users/me")).body["user"]["id"] == seed.SYNC_ID


@at_desk
async def test_settings_are_changed_through_the_control_door(desk: Desk) -> None:
    door = "/_control/settings"
    reply = await desk.send("PATCH", door, {"strict": True, "hold_enabled": False}, by=None)
    assert (reply.body["export_lag_seconds"], reply.body["hold_enabled"]) == (60, False)
    assert (await desk.send("PATCH", door, {"speed": 1}, by=None)).status == 400
    assert (await desk.send("GET", door, by=None)).body["export_lag_seconds"] == 60


def test_a_setting_of_another_kind_is_refused_and_changes_nothing() -> None:
    settings = ZendeskSettings()
    with pytest.raises(UnknownSetting):
        settings.change({"jobs_at_once": 3, "tokens_retired": "yes"})
    assert settings.jobs_at_once == 30
