"""What a connector learns about a site before it writes."""

from apps.sandbox.jira import seed

from .site import JiraSite, play


def test_create_screens_say_which_fields_are_required_and_what_they_take():
    async def story(jira: JiraSite) -> None:
        kinds = (await jira("GET", "/issue/createmeta/OPS/issuetypes")).body
        assert kinds["total"] == 7
        assert "[System] Incident" in [each["name"] for each in kinds["issueTypes"]]
        page = (await jira("GET", f"/issue/createmeta/OPS/issuetypes/{seed.BUG}?maxResults=2")).body
        assert (len(page["fields"]), page["maxResults"]) == (2, 2)
        fields = (await jira("GET", f"/issue/createmeta/OPS/issuetypes/{seed.BUG}?maxResults=500")).body
        by_id = {each["fieldId"]: each for each in fields["fields"]}
        assert fields["maxResults"] == 200
        assert by_id["summary"]["required"] is True
        assert next(each["name"] for each in by_id["priority"]["allowedValues"]) == "Highest"
        assert [each["value"] for each in by_id[seed.SITE]["allowedValues"]] == ["Berlin", "Paris", "London"]
        assert by_id["labels"]["operations"] == ["add", "set", "remove"]
        assert "status" not in by_id
        assert "resolution" not in by_id

    play(story)


def test_custom_fields_are_listed_with_their_options():
    async def story(jira: JiraSite) -> None:
        fields = {each["id"]: each for each in (await jira("GET", "/field")).body}
        assert fields[seed.HUB_REFERENCE]["clauseNames"] == ["cf[10034]", "Hub reference"]
        assert fields[seed.SITE]["schema"]["customId"] == 10031
        context = (await jira("GET", f"/field/{seed.CATEGORY}/context")).body["values"][0]["id"]
        options = (await jira("GET", f"/field/{seed.CATEGORY}/context/{context}/option")).body["values"]
        assert [each["value"] for each in options] == ["design", "change request", "bug", "network"]
        assert (await jira("GET", "/field/summary/context")).status == 404

    play(story)


def test_statuses_carry_their_category():
    async def story(jira: JiraSite) -> None:
        kinds = (await jira("GET", "/project/OPS/statuses")).body
        assert {each["name"]: each["statusCategory"]["key"] for each in kinds[0]["statuses"]} == {
            "To Do": "new",
            "In Progress": "indeterminate",
            "Waiting for customer": "indeterminate",
            "In Review": "indeterminate",
            "Done": "done",
            "Closed": "done",
        }

    play(story)


def test_projects_are_found_and_forbidden_ones_are_not():
    async def story(jira: JiraSite) -> None:
        found = (await jira("GET", "/project/search")).body
        assert [each["key"] for each in found["values"]] == ["OPS", "ARCH"]
        assert [each["projectTypeKey"] for each in found["values"]] == ["service_desk", "software"]
        jira.settings.forbidden_projects = ["ARCH"]
        assert (await jira("GET", "/project/search")).body["total"] == 1
        assert (await jira("GET", "/project/ARCH")).status == 404
        assert (await jira("POST", "/search/jql", {"jql": "project = ARCH"})).status == 400

    play(story)


def test_people_are_found_by_name_and_by_e_mail_only_where_it_is_permitted():
    async def story(jira: JiraSite) -> None:
        by_mail = "/user/search?query=elaine@infinity.example"
        assert [each["accountId"] for each in (await jira("GET", by_mail)).body] == [seed.ELAINE_ACCOUNT]
        jira.settings.email_search = False
        assert (await jira("GET", by_mail)).body == []
        assert (await jira("GET", "/user/search?query=john")).body[0]["accountId"] == seed.JOHN_ACCOUNT
        assert (await jira("GET", f"/user?accountId={seed.JOHN_ACCOUNT}")).body["displayName"] == "John"
        assert (await jira("GET", "/user?accountId=nobody")).status == 404
        assert (await jira("GET", "/user?username=john")).status == 400
        many = (await jira("GET", f"/user/bulk?accountId={seed.JOHN_ACCOUNT}&accountId=nobody")).body
        assert many["total"] == 1

    play(story)
