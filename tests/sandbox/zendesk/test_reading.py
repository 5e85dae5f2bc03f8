"""Reading many: paging under concurrent edits, incremental exports, search with its lag, people and limits."""

from apps.sandbox.zendesk import seed

from .desk import MORNING, Desk, at_desk

START = int(MORNING.timestamp())
EXPORT = "incremental/tickets/cursor"


@at_desk
async def test_cursor_pages_neither_lose_nor_repeat_rows_when_tickets_go_and_come(desk: Desk) -> None:
    made = [(await desk.ticket())["id"] for _ in range(5)]
    first = (await desk.get("tickets?page[size]=2")).body
    await desk.delete(f"tickets/{made[0]}")
    late = (await desk.ticket())["id"]
    seen, page = [entry["id"] for entry in first["tickets"]], first
    while page["meta"]["has_more"]:
        page = (await desk.get(page["links"]["next"])).body
        seen += [entry["id"] for entry in page["tickets"]]
    assert seen == [*made, late]


@at_desk
async def test_offset_pages_shift_when_rows_disappear(desk: Desk) -> None:
    made = [(await desk.ticket())["id"] for _ in range(4)]
    first = (await desk.get("tickets?per_page=2")).body
    assert (first["count"], first["previous_page"]) == (4, None)
    await desk.delete(f"tickets/{made[0]}")
    second = (await desk.get(first["next_page"])).body
    assert [entry["id"] for entry in second["tickets"]] == [made[3]]


@at_desk
async def test_paging_members_that_are_wrong_are_refused(desk: Desk) -> None:
    for query in ("page[size]=101", "page[size]=0", "page[after]=nonsense", "page=0", "page=101"):
        reply = await desk.get(f"tickets?{query}")
        assert reply.status == 400, query
        assert reply.body["error"].startswith("InvalidPagination")


@at_desk
async def test_show_many_leaves_out_missing_tickets_and_takes_at_most_a_hundred(desk: Desk) -> None:
    ticket = await desk.ticket()
    found = (await desk.get(f"tickets/show_many?ids={ticket['id']},999999")).body["tickets"]
    assert [entry["id"] for entry in found] == [ticket["id"]]
    ids = ",".join(str(number) for number in range(101))
    assert (await desk.get(f"tickets/show_many?ids={ids}")).status == 400


@at_desk
async def test_side_loads_bring_users_and_counts(desk: Desk) -> None:
    ticket = await desk.ticket(requester_id=seed.CUSTOMER_ID)
    body = (await desk.get(f"tickets/{ticket['id']}?include=users,comment_count,organizations")).body
    assert body["ticket"]["comment_count"] == 1
    assert seed.CUSTOMER_ID in [user["id"] for user in body["users"]]
    assert [item["id"] for item in body["organizations"]] == [seed.SHOP_ID]


@at_desk
async def test_the_export_withholds_the_newest_changes_and_then_shows_them(desk: Desk) -> None:
    desk.sandbox.settings.make_strict()
    ticket = await desk.ticket()
    await desk.wait(59)
    empty = (await desk.get(f"{EXPORT}?start_time={START - 60}")).body
    assert (empty["tickets"], empty["end_of_stream"]) == ([], True)
    await desk.wait(1)
    later = (await desk.get(f"{EXPORT}?cursor={empty['after_cursor']}")).body
    assert [entry["id"] for entry in later["tickets"]] == [ticket["id"]]
    assert (await desk.get(later["after_url"])).body["tickets"] == []


@at_desk
async def test_an_export_cannot_start_in_its_lag_nor_without_a_start(desk: Desk) -> None:
    desk.sandbox.settings.make_strict()
    assert (await desk.get(f"{EXPORT}?start_time={START - 59}")).status == 422
    assert (await desk.get(EXPORT)).status == 400
    assert (await desk.get(f"{EXPORT}?cursor=nonsense")).status == 400


@at_desk
async def test_a_ticket_changed_between_pages_comes_again_at_the_end(desk: Desk) -> None:
    made = [(await desk.ticket())["id"] for _ in range(3)]
    await desk.wait(10)
    page = (await desk.get(f"{EXPORT}?start_time={START}&per_page=2")).body
    assert ([entry["id"] for entry in page["tickets"]], page["end_of_stream"]) == (made[:2], False)
    await desk.changed(made[0], priority="high")
    await desk.wait(10)
    rest = (await desk.get(page["after_url"])).body
    assert [entry["id"] for entry in rest["tickets"]] == [made[2], made[0]]
    assert rest["tickets"][1]["generated_timestamp"] == START + 10


@at_desk
async def test_a_system_change_moves_the_export_but_not_the_update_time(desk: Desk) -> None:
    problem = await desk.ticket(type="problem")
    await desk.wait(30)
    await desk.ticket(type="incident", problem_id=problem["id"])
    now = (await desk.get(f"tickets/{problem['id']}")).body["ticket"]
    assert now["updated_at"] == problem["updated_at"]
    assert now["generated_timestamp"] == problem["generated_timestamp"] + 30


@at_desk
async def test_deleted_and_scrubbed_tickets_stay_in_the_export(desk: Desk) -> None:
    ticket = await desk.ticket()
    await desk.delete(f"tickets/{ticket['id']}")
    await desk.wait(10)
    shown = (await desk.get(f"{EXPORT}?start_time={START}")).body["tickets"]
    assert [(entry["id"], entry["status"]) for entry in shown] == [(ticket["id"], "deleted")]
    assert (await desk.get(f"{EXPORT}?start_time={START}&exclude_deleted=true")).body["tickets"] == []
    await desk.job(await desk.delete(f"deleted_tickets/{ticket['id']}"))
    await desk.wait(10)
    scrubbed = (await desk.get(f"{EXPORT}?start_time={START}")).body["tickets"][0]
    assert (scrubbed["subject"], scrubbed["description"]) == ("SCRUBBED", "SCRUBBED")


@at_desk
async def test_exports_have_ten_requests_a_minute_over_all_kinds(desk: Desk) -> None:
    for number in range(10):
        path = EXPORT if number % 2 else "incremental/users/cursor"
        assert (await desk.get(f"{path}?start_time=1")).status == 200
    reply = await desk.get(f"{EXPORT}?start_time=1")
    assert (reply.status, reply.headers["retry-after"]) == (429, "60")
    await desk.wait(60)
    assert (await desk.get(f"{EXPORT}?start_time=1")).status == 200


@at_desk
async def test_ticket_events_bring_comments_on_request(desk: Desk) -> None:
    ticket = await desk.ticket()
    await desk.changed(ticket["id"], status="open")
    await desk.wait(10)
    path = f"incremental/ticket_events?start_time={START}"
    with_text = (await desk.get(f"{path}&include=comment_events")).body["ticket_events"]
    assert with_text[0]["child_events"][0]["body"] == "Client 5.1"
    assert with_text[1]["child_events"][0] | {"id": 0} == {
        "id": 0, "event_type": "Change", "status": "open", "previous_value": "new",
    }  # fmt: skip
    without = (await desk.get(path)).body["ticket_events"][0]["child_events"][0]
    assert "body" not in without


@at_desk
async def test_the_older_export_repeats_the_boundary_second(desk: Desk) -> None:
    ticket = await desk.ticket()
    await desk.wait(10)
    page = (await desk.get(f"incremental/tickets?start_time={START - 60}")).body
    assert (page["end_time"], page["count"]) == (START, 1)
    again = (await desk.get(page["next_page"])).body
    assert [entry["id"] for entry in again["tickets"]] == [ticket["id"]]


@at_desk
async def test_search_sees_only_what_the_index_has_caught_up_with(desk: Desk) -> None:
    ticket = await desk.ticket(tags=["vpn"])
    assert (await desk.get("search?query=type:ticket tags:vpn")).body["count"] == 0
    await desk.wait(2)
    assert (await desk.get("search?query=type:ticket tags:vpn")).body["count"] == 1
    await desk.changed(ticket["id"], tags=[])
    stale = (await desk.get("search?query=type:ticket tags:vpn")).body
    assert (stale["count"], stale["results"][0]["tags"]) == (1, [])
    await desk.wait(2)
    assert (await desk.get("search?query=type:ticket tags:vpn")).body["count"] == 0


@at_desk
async def test_search_understands_the_vendors_terms(desk: Desk) -> None:
    ticket = await desk.ticket(
        requester_id=seed.CUSTOMER_ID, priority="high", external_id="jira:7",
        custom_fields=[{"id": seed.SITE_FIELD, "value": "berlin"}],
    )  # fmt: skip
    await desk.ticket(subject="Printer", priority="low")
    await desk.wait(5)
    for terms in (
        "status<open priority>normal",
        "external_id:jira:7",
        "requester:customer@shop.example",
        "vpn -printer",
        "custom_field_27642:berlin",
        "created>=2026-11-20T09:15:00Z -priority:low",
        'subject:"VPN drops"',
    ):
        found = (await desk.get(f"search?query=type:ticket {terms}")).body["results"]
        assert [entry["id"] for entry in found] == [ticket["id"]], terms
    assert (await desk.get("search?query=created>soon")).status == 422
    assert (await desk.get("search")).status == 400


@at_desk
async def test_search_ends_at_a_thousand_and_the_search_export_does_not(desk: Desk) -> None:
    for _ in range(3):
        await desk.ticket()
    await desk.wait(5)
    reply = await desk.get("search?query=type:ticket&page=11")
    assert (reply.status, reply.body["error"]) == (422, "invalid")
    first = (await desk.get("search/export?query=vpn&filter[type]=ticket&page[size]=2")).body
    assert (len(first["results"]), first["meta"]["has_more"]) == (2, True)
    assert len((await desk.get(first["links"]["next"])).body["results"]) == 1
    await desk.wait(3_601)
    assert (await desk.get(first["links"]["next"])).status == 400


@at_desk
async def test_users_are_upserted_by_external_id_and_searched_with_a_lag(desk: Desk) -> None:
    ana = {"name": "Ana Lee", "email": "Ana@Example.com", "external_id": "jira:5f0c-1"}
    first = await desk.post("users/create_or_update", {"user": ana})
    assert (first.status, first.body["user"]["email"]) == (201, "ana@example.com")
    await desk.wait(1)
    assert (await desk.get("users/search?query=email:ana@example.com")).body["users"] == []
    second = await desk.post("users/create_or_update", {"user": {**ana, "name": "Ana M. Lee"}})
    assert (second.status, second.body["user"]["id"]) == (200, first.body["user"]["id"])
    await desk.wait(2)
    found = (await desk.get("users/search?query=email:ana@example.com")).body["users"]
    assert [user["name"] for user in found] == ["Ana M. Lee"]
    assert (await desk.get("users/search?external_id=jira:5f0c-1")).body["count"] == 1


@at_desk
async def test_upserts_are_limited_to_one_a_second(desk: Desk) -> None:
    body = {"user": {"name": "Ana Lee", "email": "ana@example.com"}}
    assert (await desk.post("users/create_or_update", body)).status == 201
    reply = await desk.post("users/create_or_update", body)
    assert (reply.status, reply.headers["retry-after"]) == (429, "1")


@at_desk
async def test_a_taken_address_is_refused_and_identities_are_listed(desk: Desk) -> None:
    reply = await desk.post("users", {"user": {"name": "Twin", "email": seed.CUSTOMER_EMAIL}})
    assert reply.body["details"]["email"][0]["error"] == "DuplicateValue"
    held = (await desk.get(f"users/{seed.CUSTOMER_ID}/identities")).body["identities"]
    assert [item["value"] for item in held] == [seed.CUSTOMER_EMAIL]


@at_desk
async def test_the_schema_tells_fields_forms_brands_and_features(desk: Desk) -> None:
    fields = {item["id"]: item for item in (await desk.get("ticket_fields?page[size]=100")).body["ticket_fields"]}
    assert [option["value"] for option in fields[seed.SITE_FIELD]["custom_field_options"]] == [
        "berlin",
        "paris",
        "london",
    ]
    assert (await desk.get("ticket_forms")).body["ticket_forms"][0]["default"] is True
    assert (await desk.get("brands")).body["brands"][0]["subdomain"] == "mercuri"
    assert (await desk.get("account/settings")).body["settings"]["tickets"]["custom_statuses_enabled"] is True
    assert [group["name"] for group in (await desk.get("groups")).body["groups"]] == ["Support"]
    statuses = (await desk.get("custom_statuses")).body["custom_statuses"]
    assert "Waiting on vendor" in [status["agent_label"] for status in statuses]


@at_desk
async def test_every_answer_carries_the_budget_and_an_empty_one_is_refused(desk: Desk) -> None:
    desk.sandbox.settings.requests_per_minute = 2
    first = await desk.get("tickets")
    assert (first.headers["x-rate-limit"], first.headers["x-rate-limit-remaining"]) == ("2", "1")
    await desk.wait(20)
    await desk.get("tickets")
    refused = await desk.get("tickets")
    assert (refused.status, refused.headers["retry-after"]) == (429, "40")
    await desk.wait(40)
    assert (await desk.get("tickets")).status == 200


@at_desk
async def test_one_user_updates_one_ticket_thirty_times_in_ten_minutes(desk: Desk) -> None:
    ticket, other = await desk.ticket(), await desk.ticket()
    for number in range(30):
        await desk.changed(ticket["id"], subject=f"Try {number}")
    reply = await desk.change(ticket["id"], subject="One more")
    assert (reply.status, reply.headers["retry-after"]) == (429, "600")
    assert (await desk.change(other["id"], subject="Another ticket")).status == 200
    by_agent = await desk.put(f"tickets/{ticket['id']}", {"ticket": {"subject": "Another user"}}, by="agent")
    assert by_agent.status == 200
