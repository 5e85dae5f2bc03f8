"""Lists, queries, pages and the three ways of showing a value."""

import re

import pytest

from .rig import INCIDENT, Caller, group_id, on_sandbox, user_id


async def numbers(caller: Caller, query: str, **parameters: str) -> list[str]:
    return [row["short_description"] for row in await caller.find(query, **parameters)]


async def seed_three(caller: Caller) -> list[str]:
    ids = []
    for title, impact, site in (("alpha VPN", "1", "berlin"), ("beta printer", "2", "paris"), ("gamma vpn", "3", "")):
        row = await caller.create(short_description=title, impact=impact, u_site=site, caller_id=user_id("john"))
        ids.append(row["sys_id"])
        caller.clock.advance(10)
    return ids


QUERIES = [
    ("short_description=ALPHA vpn", {"alpha VPN"}),
    ("short_description!=alpha vpn", {"beta printer", "gamma vpn"}),
    ("impact>1", {"beta printer", "gamma vpn"}),
    ("impact<=2", {"alpha VPN", "beta printer"}),
    ("impactBETWEEN2@3", {"beta printer", "gamma vpn"}),
    ("impactIN1,3", {"alpha VPN", "gamma vpn"}),
    ("impactNOT IN1,3", {"beta printer"}),
    ("short_descriptionLIKEvpn", {"alpha VPN", "gamma vpn"}),
    ("short_descriptionNOT LIKEvpn", {"beta printer"}),
    ("short_descriptionSTARTSWITHbeta", {"beta printer"}),
    ("short_descriptionENDSWITHvpn", {"alpha VPN", "gamma vpn"}),
    ("u_siteISEMPTY", {"gamma vpn"}),
    ("u_siteISNOTEMPTY", {"alpha VPN", "beta printer"}),
    ("sys_created_on>=2026-11-20 09:15:12", {"beta printer", "gamma vpn"}),
    ("caller_id.email=john@infinity-projects.example^impact=1", {"alpha VPN"}),
    ("caller_idLIKEjoh", {"alpha VPN", "beta printer", "gamma vpn"}),
    ("impact=1^ORimpact=2^u_site=paris", {"beta printer"}),
    ("impact=1^NQu_site=paris", {"alpha VPN", "beta printer"}),
    ("sys_class_nameINSTANCEOFtask^impact=3", {"gamma vpn"}),
    ("opened_by=javascript:gs.getUserID()^impact=1", {"alpha VPN"}),
    ("sys_created_on>javascript:gs.dateGenerate('2026-11-20','09:15:20')", {"gamma vpn"}),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES, ids=[query for query, _ in QUERIES])
def test_an_encoded_query_selects(query: str, expected: set[str]) -> None:
    @on_sandbox()
    async def story(caller: Caller) -> None:
        await seed_three(caller)
        assert set(await numbers(caller, query)) == expected

    story()


@on_sandbox()
async def test_several_orders_are_applied_in_turn(caller: Caller) -> None:
    for title, impact in (("b", "2"), ("a", "2"), ("c", "1")):
        await caller.create(short_description=title, impact=impact)
    assert await numbers(caller, "ORDERBYDESCimpact^ORDERBYshort_description") == ["a", "b", "c"]


@on_sandbox()
async def test_an_invalid_condition_widens_the_filter_in_silence(caller: Caller) -> None:
    await seed_three(caller)
    assert len(await numbers(caller, "bogus_column=1")) == 3
    assert await numbers(caller, "impactRESEMBLES2^u_site=paris") == ["beta printer"]
    caller.sandbox.settings.invalid_query_returns_no_rows = True
    assert await numbers(caller, "bogus_column=1") == []


@on_sandbox()
async def test_script_dates_mean_the_time_zone_of_the_account(caller: Caller) -> None:
    await seed_three(caller)
    john = caller.as_user("john")
    query = "sys_created_on>javascript:gs.dateGenerate('2026-11-20','10:15:20')"
    assert await numbers(john, query) == ["gamma vpn"]
    assert await numbers(caller, query) == []


@on_sandbox()
async def test_pages_are_announced_by_total_and_links(caller: Caller) -> None:
    for _ in range(5):
        await caller.create(short_description="one of five")
    page = await caller.get(INCIDENT, sysparm_limit="2", sysparm_offset="2", sysparm_query="ORDERBYnumber")
    assert len(page.result) == 2
    assert page.headers["X-Total-Count"] == "5"
    links = {name: url for url, name in re.findall(r'<([^>]+)>;rel="(\w+)"', page.headers["Link"])}
    assert set(links) == {"first", "prev", "next", "last"}
    assert links["next"].startswith(caller.sandbox.origin + INCIDENT)
    following = await caller.get(links["next"].removeprefix(caller.sandbox.origin))
    assert [row["number"] for row in following.result] == ["INC0010005"]
    assert 'rel="next"' not in following.headers["Link"]


@on_sandbox()
async def test_page_headers_can_be_switched_off(caller: Caller) -> None:
    bare = await caller.get(INCIDENT, sysparm_no_count="true", sysparm_suppress_pagination_header="true")
    assert "X-Total-Count" not in bare.headers
    assert "Link" not in bare.headers


@on_sandbox(hidden_rows={"incident": "short_descriptionLIKEsecret"})
async def test_the_limit_is_applied_before_hidden_rows_are_dropped(caller: Caller) -> None:
    for title in ("secret 1", "secret 2", "open"):
        await caller.create(short_description=title)
    first = await caller.get(INCIDENT, sysparm_limit="2", sysparm_query="ORDERBYnumber")
    assert first.result == []
    assert first.headers["X-Total-Count"] == "3"
    assert 'rel="next"' in first.headers["Link"]


@on_sandbox(query_rules={"incident": "impact=1"})
async def test_a_query_rule_hides_rows_before_they_are_counted(caller: Caller) -> None:
    await seed_three(caller)
    assert (await caller.get(INCIDENT)).headers["X-Total-Count"] == "1"
    assert (await caller.as_user("admin").get(INCIDENT)).headers["X-Total-Count"] == "3"


@on_sandbox()
async def test_a_row_edited_between_two_pages_comes_twice_but_none_is_missed(caller: Caller) -> None:
    ids = await seed_three(caller)
    query = "sys_updated_on>=2026-11-20 09:00:00^ORDERBYsys_updated_on^ORDERBYsys_id"
    first = await caller.find(query, sysparm_limit="2")
    await caller.patch(ids[0], short_description="alpha again")
    rest = await caller.find(query, sysparm_limit="2", sysparm_offset="1")
    assert {row["sys_id"] for row in first + rest} == set(ids)
    assert rest[-1]["sys_id"] == ids[0]


@on_sandbox()
async def test_an_empty_list_is_404_in_version_1_only(caller: Caller) -> None:
    assert (await caller.get("/api/now/v2/table/incident")).result == []
    assert (await caller.get("/api/now/table/incident")).result == []
    old = await caller.get("/api/now/v1/table/incident")
    assert (old.status, old.content["error"]["message"]) == (404, "No Record found")


@on_sandbox()
async def test_values_are_strings_and_references_are_objects_unless_links_are_excluded(caller: Caller) -> None:
    row = await caller.create(short_description="VPN", caller_id=user_id("john"))
    plain = await caller.read(row["sys_id"])
    assert all(isinstance(value, str) for value in plain.values())
    linked = (await caller.get(f"{INCIDENT}/{row['sys_id']}")).result
    link = f"{caller.sandbox.origin}/api/now/table/sys_user/{user_id('john')}"
    assert linked["caller_id"] == {"link": link, "value": user_id("john")}
    assert linked["assigned_to"] == ""


@on_sandbox()
async def test_display_values_follow_labels_names_and_the_callers_time_zone(caller: Caller) -> None:
    row = await caller.create(short_description="VPN", caller_id=user_id("john"), state="2")
    path = f"{INCIDENT}/{row['sys_id']}"
    shown = (await caller.as_user("john").get(path, sysparm_display_value="true")).result
    assert (shown["state"], shown["caller_id"]["display_value"]) == ("In Progress", "John")
    assert shown["sys_created_on"] == "2026-11-20 10:15:02"
    both = (await caller.get(path, sysparm_display_value="all", sysparm_exclude_reference_link="true")).result
    assert both["state"] == {"display_value": "In Progress", "value": "2"}
    assert both["caller_id"] == {"display_value": "John", "value": user_id("john")}


@on_sandbox()
async def test_chosen_fields_may_walk_over_references_and_unknown_ones_are_left_out(caller: Caller) -> None:
    row = await caller.create(assignment_group=group_id("Service Desk"), caller_id=user_id("elaine"))
    fields = "number,assignment_group.name,caller_id.email,bogus,caller_id.bogus"
    found = (await caller.get(f"{INCIDENT}/{row['sys_id']}", sysparm_fields=fields)).result
    assert found == {
        "number": "INC0010001",
        "assignment_group.name": "Service Desk",
        "caller_id.email": "elaine@infinity-projects.example",
    }


@on_sandbox(hidden_fields=("task.description", "sys_user.email"))
async def test_a_field_that_may_not_be_read_is_missing(caller: Caller) -> None:
    row = await caller.create(description="hidden", caller_id=user_id("john"))
    found = (await caller.get(f"{INCIDENT}/{row['sys_id']}")).result
    assert "description" not in found
    walked = await caller.get(f"{INCIDENT}/{row['sys_id']}", sysparm_fields="number,caller_id.email")
    assert set(walked.result) == {"number"}


@on_sandbox()
async def test_a_query_on_task_finds_records_of_the_tables_that_extend_it(caller: Caller) -> None:
    for table in ("incident", "problem", "change_request", "sc_task"):
        await caller.create(table, short_description="one of each")
    rows = await caller.find("ORDERBYsys_class_name", "task")
    assert [row["sys_class_name"] for row in rows] == ["change_request", "incident", "problem", "sc_task"]
    assert "caller_id" not in rows[1]
    assert [row["number"] for row in rows] == ["CHG0030001", "INC0010001", "PRB0040001", "SCTASK0010001"]


@on_sandbox()
async def test_unknown_tables_paths_and_methods_are_refused(caller: Caller) -> None:
    table = await caller.get("/api/now/v2/table/u_nope")
    assert (table.status, table.content["error"]) == (400, {"message": "Invalid table u_nope", "detail": None})
    path = await caller.get("/api/now/v2/nothing")
    assert (path.status, path.content["error"]["message"]) == (400, "Requested URI does not represent any resource")
    assert (await caller.send("DELETE", INCIDENT)).status == 405
    missing = await caller.get(f"{INCIDENT}/{'0' * 32}")
    assert (missing.status, missing.detail) == (404, "Record doesn't exist or ACL restricts the record retrieval")


@on_sandbox()
async def test_answers_other_than_json_are_not_offered(caller: Caller) -> None:
    assert (await caller.send("GET", INCIDENT, {"Accept": "text/csv"})).status == 406


@on_sandbox()
async def test_the_text_transcript_lists_entries_newest_first(caller: Caller) -> None:
    row = await caller.create(comments="We are on it")
    caller.clock.advance(60)
    await caller.as_user("john").patch(row["sys_id"], work_notes="Restarted")
    found = await caller.get(
        f"{INCIDENT}/{row['sys_id']}", sysparm_display_value="true", sysparm_fields="comments_and_work_notes,comments"
    )
    assert found.result["comments"] == "2026-11-20 09:15:02 - SIAM Sync (Additional comments)\nWe are on it\n\n"
    assert found.result["comments_and_work_notes"].startswith("2026-11-20 09:16:02 - John (Work notes)\nRestarted\n\n")


@on_sandbox(cancel_lists_over=2)
async def test_a_list_that_takes_too_long_is_200_with_an_error_inside(caller: Caller) -> None:
    await seed_three(caller)
    cut = await caller.get(INCIDENT)
    assert cut.status == 200
    assert len(cut.result) == 2
    assert "Transaction cancelled" in cut.content["error"]["message"]
