"""Columns, choices, tables, accounts and properties, and what happens when an administrator changes them."""

from .rig import Caller, group_id, on_sandbox, user_id

COLUMNS = "nameINincident,task^internal_type!=collection^elementISNOTEMPTY"


@on_sandbox()
async def test_the_dictionary_lists_the_columns_of_a_table_and_its_parent(caller: Caller) -> None:
    columns = {(row["name"], row["element"]): row for row in await caller.find(COLUMNS, "sys_dictionary")}
    assert columns["task", "short_description"]["max_length"] == "160"
    assert columns["incident", "caller_id"]["reference"] == "sys_user"
    assert columns["incident", "close_notes"]["column_label"] == "Resolution notes"
    assert columns["task", "u_deployment_stage"]["max_length"] == "40"
    assert columns["task", "comments"]["internal_type"] == "journal_input"
    assert columns["task", "state"]["choice"] == "3"


@on_sandbox()
async def test_the_hierarchy_of_tables_can_be_walked(caller: Caller) -> None:
    found = await caller.find("name=incident", "sys_db_object", sysparm_fields="name,super_class.name")
    assert found == [{"name": "incident", "super_class.name": "task"}]


@on_sandbox()
async def test_choices_are_listed_in_their_sequence_with_what_they_depend_on(caller: Caller) -> None:
    query = "name=incident^element=state^inactive=false^language=en^ORDERBYsequence"
    states = [(row["value"], row["label"]) for row in await caller.find(query, "sys_choice")]
    assert states[0] == ("1", "New")
    assert states[-1] == ("8", "Canceled")
    vpn = await caller.find("name=incident^element=subcategory^value=vpn", "sys_choice")
    assert vpn[0]["dependent_value"] == "network"
    sites = await caller.find("name=task^element=u_site", "sys_choice")
    assert {row["value"] for row in sites} == {"berlin", "paris", "london"}


@on_sandbox()
async def test_a_service_desk_account_reads_no_metadata(caller: Caller) -> None:
    john = caller.as_user("john")
    for table in ("sys_dictionary", "sys_choice", "sys_db_object", "sys_properties"):
        assert await john.find("", table) == []


@on_sandbox()
async def test_a_retired_choice_is_no_longer_taken_and_shows_its_bare_value(caller: Caller) -> None:
    old = await caller.create(u_site="paris")
    admin = caller.as_user("admin")
    choice = (await caller.find("name=task^element=u_site^value=paris", "sys_choice"))[0]
    await admin.patch(choice["sys_id"], "sys_choice", inactive=True)
    assert (await caller.create(u_site="paris"))["u_site"] == ""
    shown = await caller.get(f"/api/now/table/incident/{old['sys_id']}", sysparm_display_value="all")
    assert shown.result["u_site"] == {"display_value": "paris", "value": "paris"}


@on_sandbox()
async def test_an_added_column_can_be_used_at_once_and_a_dropped_one_is_gone(caller: Caller) -> None:
    admin = caller.as_user("admin")
    await admin.create("sys_dictionary", name="incident", element="u_new", column_label="New", max_length="5")
    row = await caller.create(u_new="1234567")
    assert row["u_new"] == "12345"
    entry = (await caller.find("name=task^element=u_hub_reference", "sys_dictionary"))[0]
    assert (await admin.send("DELETE", f"/api/now/table/sys_dictionary/{entry['sys_id']}")).status == 204
    assert "u_hub_reference" not in await caller.read(row["sys_id"])


@on_sandbox()
async def test_people_and_groups_are_found_and_joined(caller: Caller) -> None:
    people = await caller.find("email=john@infinity-projects.example^active=true", "sys_user")
    assert [(row["sys_id"], row["name"]) for row in people] == [(user_id("john"), "John")]
    members = await caller.find(
        f"group={group_id('Service Desk')}", "sys_user_grmember", sysparm_fields="user.user_name"
    )
    assert members == [{"user.user_name": "elaine"}]


@on_sandbox()
async def test_the_version_is_read_from_properties_where_they_are_readable(caller: Caller) -> None:
    query = "nameINglide.war,instance_name^ORDERBYname"
    found = await caller.find(query, "sys_properties", sysparm_fields="name,value")
    assert [row["name"] for row in found] == ["glide.war", "instance_name"]
    assert found[0]["value"].startswith("glide-australia-")
    caller.sandbox.settings.properties_readable = False
    assert await caller.find(query, "sys_properties") == []


@on_sandbox()
async def test_the_priority_matrix_can_be_changed_by_its_owner(caller: Caller) -> None:
    cell = (await caller.find("impact=1^urgency=1", "dl_u_priority"))[0]
    await caller.as_user("admin").patch(cell["sys_id"], "dl_u_priority", priority="3")
    assert (await caller.create(impact="1", urgency="1"))["priority"] == "3"
