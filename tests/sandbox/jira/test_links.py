"""Entity properties, remote links, links between issues, and where each can be found again."""

from .site import JiraSite, play


def test_a_marker_given_in_the_create_call_is_read_back_as_a_property():
    async def story(jira: JiraSite) -> None:
        fields = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "x", "labels": ["sync-7f1c"]}
        marker = {"key": "siam.sync", "value": {"opId": "7f1c"}}
        made = (await jira("POST", "/issue", {"fields": fields, "properties": [marker]})).body
        seen = (await jira("GET", f"/issue/{made['id']}?properties=siam.sync&fields=labels")).body
        assert seen["properties"] == {"siam.sync": {"opId": "7f1c"}}
        assert await jira.found("labels = sync-7f1c") == [made["key"]]

    play(story)


def test_a_property_is_new_with_201_replaced_with_200_and_leaves_updated_alone():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        before = (await jira.fields(key))["updated"]
        jira.wait(60)
        path = f"/issue/{key}/properties/siam.sync"
        assert [(await jira("PUT", path, {"rev": n})).status for n in (1, 2)] == [201, 200]
        assert (await jira("GET", f"/issue/{key}/properties")).body["keys"][0]["key"] == "siam.sync"
        assert (await jira.fields(key))["updated"] == before
        assert (await jira("DELETE", path)).status == 204
        assert (await jira("GET", path)).status == 404

    play(story)


def test_properties_over_the_limit_are_refused():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        assert (await jira("PUT", f"/issue/{key}/properties/siam", "x" * 32_766)).status == 201
        assert (await jira("PUT", f"/issue/{key}/properties/siam", "x" * 32_767)).status == 400
        assert (await jira("PUT", f"/issue/{key}/properties/{'k' * 256}", 1)).status == 400

    play(story)


def test_a_remote_link_is_written_once_per_global_id():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        path = f"/issue/{key}/remotelink"
        body = {"globalId": "system=hub&id=7", "object": {"url": "https://hub.example/7", "title": "SIAM-7"}}
        first = await jira("POST", path, body)
        second = await jira(
            "POST", path, body | {"object": {"url": "https://hub.example/7", "title": "SIAM-7 (closed)"}}
        )
        assert (first.status, second.status) == (201, 200)
        assert first.body["id"] == second.body["id"]
        listed = (await jira("GET", path)).body
        assert [each["object"]["title"] for each in listed] == ["SIAM-7 (closed)"]
        found = await jira("GET", path, params={"globalId": "system=hub&id=7"})
        assert found.body["id"] == first.body["id"]
        assert (await jira("POST", path, {"object": {"url": "x"}})).body["errors"] == {"title": "'title' is required."}
        assert (await jira("DELETE", f"{path}/{first.body['id']}")).status == 204
        assert (await jira("GET", path)).body == []

    play(story)


def test_linked_issues_show_each_other_and_keep_their_time():
    async def story(jira: JiraSite) -> None:
        one, two = (await jira.create("one"))["key"], (await jira.create("two"))["key"]
        before = (await jira.fields(one))["updated"]
        jira.wait(60)
        body = {"type": {"name": "Blocks"}, "inwardIssue": {"key": one}, "outwardIssue": {"key": two}}
        assert (await jira("POST", "/issueLink", body)).status == 201
        seen = await jira.fields(one)
        assert seen["issuelinks"][0]["outwardIssue"]["key"] == two
        assert seen["updated"] == before
        assert (await jira.fields(two))["issuelinks"][0]["inwardIssue"]["key"] == one
        assert (await jira("POST", "/issueLink", body | {"outwardIssue": {"key": one}})).status == 400
        assert (await jira("POST", "/issueLink", body | {"type": {"name": "Nope"}})).status == 404
        assert (await jira("DELETE", f"/issueLink/{seen['issuelinks'][0]['id']}")).status == 204
        assert (await jira.fields(two))["issuelinks"] == []

    play(story)
