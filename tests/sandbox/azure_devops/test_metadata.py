"""Types, states, fields, nodes, tags, projects, people, locations."""

from apps.sandbox.azure_devops.seed import DAVID, MARCO

from .desk import TAGS, TITLE, Desk, add, play


def test_types_tell_their_states_and_transitions() -> None:
    async def scenario(desk: Desk) -> None:
        types = (await desk.get("/Shop/_apis/wit/workitemtypes?api-version=7.1")).json["value"]
        assert [one["name"] for one in types] == ["Bug", "Task", "User Story", "Issue"]
        story = (await desk.get("/Shop/_apis/wit/workitemtypes/User%20Story")).json
        assert story["transitions"][""] == [{"to": "New", "actions": None}]
        assert {one["to"] for one in story["transitions"]["New"]} == {"Active", "Removed"}
        states = (await desk.get("/Shop/_apis/wit/workitemtypes/Bug/states")).json["value"]
        assert [(one["name"], one["category"]) for one in states] == [
            ("New", "Proposed"),
            ("Active", "InProgress"),
            ("Resolved", "Resolved"),
            ("Closed", "Completed"),
        ]
        assert (await desk.get("/Shop/_apis/wit/workitemtypes/Epic")).status == 404

    play(scenario)


def test_fields_tell_type_values_and_whether_they_are_required() -> None:
    async def scenario(desk: Desk) -> None:
        fields = (await desk.get("/_apis/wit/fields?api-version=7.1")).json["value"]
        site = next(one for one in fields if one["referenceName"] == "Custom.Site")
        assert (site["type"], site["isPicklist"], site["readOnly"]) == ("string", True, False)
        path = "/Shop/_apis/wit/workitemtypes/Bug/fields"
        one = (await desk.get(path + "/Custom.Site?$expand=all")).json
        assert one["allowedValues"] == ["berlin", "paris", "london"]
        required = {one["referenceName"] for one in (await desk.get(path)).json["value"] if one["alwaysRequired"]}
        assert {TITLE, "Custom.Category"} <= required
        assert (await desk.get(path + "/Custom.Nothing")).status == 404

    play(scenario, required_fields={"Bug": ["Custom.Category"]})


def test_the_template_of_a_type_holds_its_defaults() -> None:
    async def scenario(desk: Desk) -> None:
        template = (await desk.get("/Shop/_apis/wit/workitems/$Bug?api-version=7.1")).json
        assert template["fields"]["Microsoft.VSTS.Common.Severity"] == "3 - Medium"
        assert desk.sandbox.true_state()["tickets"] == []

    play(scenario)


def test_areas_and_iterations_are_trees_that_can_grow() -> None:
    async def scenario(desk: Desk) -> None:
        root = "/Shop/_apis/wit/classificationnodes"
        shallow = (await desk.get(root + "?api-version=7.1")).json["value"]
        assert [(one["path"], one["hasChildren"], "children" in one) for one in shallow] == [
            ("\\Shop\\Area", True, False),
            ("\\Shop\\Iteration", True, False),
        ]
        made = await desk.send("POST", root + "/Areas/Infrastructure?api-version=7.1", json={"name": "Network"})
        assert (made.status, made.json["path"]) == (201, "\\Shop\\Area\\Infrastructure\\Network")
        again = await desk.send("POST", root + "/Areas/Infrastructure?api-version=7.1", json={"name": "network"})
        assert again.status == 409
        deep = (await desk.get(root + "/areas?$depth=10")).json
        assert deep["children"][1]["children"][0]["name"] == "Network"
        area = add("System.AreaPath", "shop\\infrastructure\\network")
        assert (await desk.create(add(TITLE, "x"), area)).json["fields"][
            "System.AreaPath"
        ] == "Shop\\Infrastructure\\Network"

    play(scenario)


def test_a_tag_keeps_the_case_in_which_the_project_first_saw_it() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create(add(TITLE, "x"), add(TAGS, "Network"))
        second = (await desk.create(add(TITLE, "y"), add(TAGS, "NETWORK"))).json
        assert second["fields"][TAGS] == "Network"
        assert [one["name"] for one in (await desk.get("/Shop/_apis/wit/tags")).json["value"]] == ["Network"]
        assert (await desk.get("/Shop/_apis/wit/tags/network")).status == 200

    play(scenario)


def test_projects_are_listed_in_pages_and_tell_their_process() -> None:
    async def scenario(desk: Desk) -> None:
        first = await desk.get("/_apis/projects?$top=1&api-version=7.1")
        assert [one["name"] for one in first.json["value"]] == ["Shop"]
        assert first.headers["X-MS-ContinuationToken"] == "1"
        shop = (await desk.get("/_apis/projects/shop?includeCapabilities=true")).json
        assert shop["capabilities"]["processTemplate"]["templateName"] == "Agile"
        assert "capabilities" not in (await desk.get(f"/_apis/projects/{shop['id']}")).json

    play(scenario)


def test_people_are_found_by_mail_and_listed_in_the_graph() -> None:
    async def scenario(desk: Desk) -> None:
        query = f"/_apis/identities?searchFilter=General&filterValue={DAVID.mail}&api-version=7.1"
        for home in ("", "/vssps"):
            found = (await desk.get(desk.sandbox.origin + home + "/global" + query)).json["value"]
            assert [one["id"] for one in found] == [DAVID.id]
        users = (await desk.get("/_apis/graph/users?api-version=7.1-preview.1")).json["value"]
        assert MARCO.mail in [one["mailAddress"] for one in users]
        nobody = (await desk.get("/_apis/identities?searchFilter=MailAddress&filterValue=nobody@global.example")).json
        assert nobody == {"count": 0, "value": []}

    play(scenario)


def test_a_person_who_left_cannot_be_assigned_but_stays_in_the_past() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create(add(TITLE, "x"), add("System.AssignedTo", DAVID.mail))
        desk.sandbox.settings.departed_accounts = [DAVID.mail]
        assert (await desk.create(add(TITLE, "y"), add("System.AssignedTo", DAVID.mail))).status == 400
        assert (await desk.read(1))["fields"]["System.AssignedTo"]["id"] == DAVID.id

    play(scenario)


def test_locations_are_discovered_with_options() -> None:
    async def scenario(desk: Desk) -> None:
        rows = (await desk.send("OPTIONS", "/_apis")).json["value"]
        work_items = next(one for one in rows if one["id"] == "72c7ddf8-2cdc-4f60-90cd-ab71c14a399b")
        assert work_items == {
            "id": "72c7ddf8-2cdc-4f60-90cd-ab71c14a399b",
            "area": "wit",
            "resourceName": "workItems",
            "routeTemplate": "{project}/_apis/{area}/{resource}/{id}",
            "resourceVersion": 3,
            "minVersion": "1.0",
            "maxVersion": "7.2",
            "releasedVersion": "7.1",
        }
        assert {one["area"] for one in (await desk.send("OPTIONS", "/_apis/wit")).json["value"]} == {"wit"}
        comments = next(one for one in rows if one["resourceName"] == "comments")
        assert comments["releasedVersion"] == "0.0"

    play(scenario)
