"""JQL, the lagging index, and pages that stay whole while others edit."""

import pytest

from apps.sandbox.jira import seed

from .site import ELAINE, JiraSite, paragraph, play


def test_a_search_sees_a_write_only_after_the_lag_unless_it_reconciles():
    async def story(jira: JiraSite) -> None:
        made = await jira.create()
        assert await jira.found("project = OPS") == []
        assert await jira.found("project = OPS", reconcileIssues=[int(made["id"])]) == ["OPS-1"]
        jira.wait(5)
        assert await jira.found("project = OPS") == ["OPS-1"]
        await jira("PUT", "/issue/OPS-1", {"fields": {"summary": "new"}})
        body = {"jql": "key = OPS-1", "fields": ["summary"]}
        stale = (await jira("POST", "/search/jql", body)).body["issues"][0]
        assert stale["fields"] == {"summary": "VPN drops"}
        await jira("DELETE", "/issue/OPS-1")
        assert await jira.found("project = OPS") == ["OPS-1"]
        jira.wait(5)
        assert await jira.found("project = OPS") == []

    play(story, index_lag_seconds=5.0)


def test_rows_hold_the_id_alone_unless_fields_are_asked_for():
    async def story(jira: JiraSite) -> None:
        made = await jira.create()
        answer = (await jira("POST", "/search/jql", {"jql": "project = OPS"})).body
        assert answer == {"issues": [{"id": made["id"]}], "isLast": True}
        got = (await jira("GET", "/search/jql?jql=project=OPS&fields=summary,status&properties=siam.sync")).body
        assert set(got["issues"][0]["fields"]) == {"summary", "status"}
        assert got["issues"][0]["properties"] == {}

    play(story)


@pytest.mark.parametrize(
    ("jql", "keys"),
    [
        ("project = ops", ["OPS-1", "OPS-2", "OPS-3"]),
        ("project in (OPS, 10001)", ["ARCH-1", "OPS-1", "OPS-2", "OPS-3"]),
        ("key in (OPS-2, ARCH-1)", ["ARCH-1", "OPS-2"]),
        ("id >= 10044", ["ARCH-1", "OPS-3"]),
        ("issuetype = '[System] Incident'", ["OPS-2"]),
        ('status != "To Do"', ["OPS-3"]),
        ("statusCategory = indeterminate OR assignee is not EMPTY", ["OPS-1", "OPS-3"]),
        ('statusCategory = "In Progress"', ["OPS-3"]),
        ("assignee = currentUser()", ["OPS-1"]),
        ("labels = sync-7f1c9b", ["OPS-2"]),
        ("project = OPS AND NOT labels in (sync-7f1c9b, eu)", ["OPS-1", "OPS-3"]),
        ("labels not in (eu)", ["OPS-2"]),
        ("resolution = Unresolved OR resolution is EMPTY", None),
        ("resolution is EMPTY AND project = ARCH", ["ARCH-1"]),
        ('"Hub reference" ~ "SIAM-7"', ["OPS-2"]),
        ("cf[10034] ~ siam", ["OPS-2", "OPS-3"]),
        ("cf[10031] = Berlin", ["OPS-1"]),
        ("(priority = High AND project = OPS) OR key = ARCH-1", ["ARCH-1", "OPS-3"]),
        ("summary ~ vpn", ["OPS-1"]),
    ],
)
def test_the_subset_of_jql_finds(jql, keys):
    async def story(jira: JiraSite) -> None:
        await jira.create("VPN drops", assignee={"accountId": seed.SYNC_ACCOUNT}, **{seed.SITE: {"value": "Berlin"}})
        incident = {"issuetype": {"name": "[System] Incident"}, "labels": ["sync-7f1c9b"]}
        await jira.create("Mail", **incident, **{seed.HUB_REFERENCE: "SIAM-7"})
        await jira.create("Disk", priority={"name": "High"}, **{seed.HUB_REFERENCE: "SIAM-71"})
        await jira.create("Plan", project="ARCH")
        await jira.step("OPS-3", "11")
        if keys is None:
            assert (await jira("POST", "/search/jql", {"jql": jql})).status == 400
        else:
            assert sorted(await jira.found(jql)) == keys

    play(story)


@pytest.mark.parametrize(
    ("jql", "message"),
    [
        ("", "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."),
        (
            "order by updated",
            "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.",
        ),
        ("bogus = 3", "Field 'bogus' does not exist or you do not have permission to view it."),
        ("issue.property[acme.sync].opId = x", "Field 'issue.property[acme.sync].opId' does not exist"),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("key = OPS-99", "An issue with key 'OPS-99' does not exist for field 'key'."),
        ("summary = x", "The operator '=' is not supported by the 'summary' field."),
        ("updated >= 'yesterday'", "Date value 'yesterday' for field 'updated' is invalid."),
        ("updated >= '1763629200000'", "Date value '1763629200000' for field 'updated' is invalid."),
        ("project = OPS AND", "Error in the JQL Query: Expecting a field name but got 'the end of the query'."),
        ("project OPS", "Error in the JQL Query: Expecting operator but got 'ops'."),
        ("labels = a@b", "Error in the JQL Query: The character '@' is a reserved JQL character."),
        ("labels = where", "Error in the JQL Query: 'where' is a reserved JQL word."),
        ("project = OPS order by a,b", "Field 'a' does not exist"),
        ("project = OPS order by id,id,id,id,id,id,id,id", "The maximum number of ORDER BY fields is 7."),
        ("labels = 'open", "Error in the JQL Query: The character ''' was not expected."),
    ],
)
def test_a_query_that_the_vendor_would_not_run_is_refused(jql, message):
    async def story(jira: JiraSite) -> None:
        answer = await jira("POST", "/search/jql", {"jql": jql})
        assert answer.status == 400
        assert answer.body["errorMessages"][0].startswith(message)

    play(story)


def test_epoch_milliseconds_are_exact_and_quoted_times_are_minutes_in_the_callers_zone():
    async def story(jira: JiraSite) -> None:
        await jira.create()
        at = round(jira.sandbox.site.store.issues["10042"].updated.timestamp() * 1000)
        assert await jira.found(f"updated >= {at}") == ["OPS-1"]
        assert await jira.found(f"updated > {at}") == []
        assert await jira.found('updated >= "2026-11-20 10:15"') == ["OPS-1"]
        assert await jira.found('updated >= "2026-11-20 10:16"') == []
        assert await jira.found('updated >= "2026-11-20 09:16" AND updated < "2026/11/20 10:15"') == []
        assert await jira.found('updated >= "-5m"') == ["OPS-1"]

    play(story)


def test_pages_lose_nothing_while_rows_are_edited_and_end_only_with_is_last():
    async def story(jira: JiraSite) -> None:
        keys = [(await jira.create(f"n{number}"))["key"] for number in range(7)]
        jql = "project = OPS AND updated >= 0 ORDER BY updated ASC, key ASC"
        body = {"jql": jql, "fields": ["updated"], "maxResults": 3}
        seen, token, pages = [], None, 0
        while True:
            page = (await jira("POST", "/search/jql", body | {"nextPageToken": token})).body
            seen += [issue["key"] for issue in page["issues"]]
            pages += 1
            if pages == 1:
                jira.wait(1)
                await jira("PUT", f"/issue/{keys[0]}", {"fields": {"summary": "again"}}, who=ELAINE)
                await jira("PUT", f"/issue/{keys[4]}", {"fields": {"summary": "again"}}, who=ELAINE)
            if page["isLast"]:
                assert "nextPageToken" not in page
                break
            token = page["nextPageToken"]
        assert seen == [*keys[:4], *keys[5:], keys[0], keys[4]]

    play(story)


def test_equal_times_are_paged_without_a_repeat_or_a_gap():
    async def story(jira: JiraSite) -> None:
        keys = [(await jira.create())["key"] for _ in range(12)]
        body = {"jql": "project = OPS ORDER BY updated DESC", "fields": ["key"], "maxResults": 5}
        seen, token = [], None
        for _ in range(3):
            page = (await jira("POST", "/search/jql", body | {"nextPageToken": token})).body
            seen += [issue["key"] for issue in page["issues"]]
            token = page.get("nextPageToken")
        assert seen == keys
        assert token is None

    play(story)


def test_a_descending_order_is_paged_to_its_end_and_a_full_last_page_says_so():
    async def story(jira: JiraSite) -> None:
        keys = []
        for _ in range(4):
            keys.append((await jira.create())["key"])
            jira.wait(1)
        body = {"jql": "project = OPS ORDER BY created DESC", "fields": ["key"], "maxResults": 2}
        first = (await jira("POST", "/search/jql", body)).body
        second = (await jira("POST", "/search/jql", body | {"nextPageToken": first["nextPageToken"]})).body
        assert [issue["key"] for issue in (*first["issues"], *second["issues"])] == keys[::-1]
        assert (first["isLast"], second["isLast"]) == (False, True)

    play(story)


def test_the_server_gives_fewer_rows_than_asked_when_fields_are_wanted():
    async def story(jira: JiraSite) -> None:
        for _ in range(5):
            await jira.create()
        wide = (await jira("POST", "/search/jql", {"jql": "project = OPS", "fields": ["*all"], "maxResults": 50})).body
        assert (len(wide["issues"]), wide["isLast"]) == (2, False)
        slim = (await jira("POST", "/search/jql", {"jql": "project = OPS", "maxResults": 50})).body
        assert (len(slim["issues"]), slim["isLast"]) == (5, True)

    play(story, search_page_cap=2)


def test_a_token_is_bound_to_its_query_and_lapses():
    async def story(jira: JiraSite) -> None:
        for _ in range(3):
            await jira.create()
        body = {"jql": "project = OPS", "maxResults": 2}
        token = (await jira("POST", "/search/jql", body)).body["nextPageToken"]
        assert (await jira("POST", "/search/jql", {"jql": "project = ARCH", "nextPageToken": token})).status == 400
        assert (await jira("POST", "/search/jql", body | {"nextPageToken": "spoiled"})).status == 400
        assert (await jira("POST", "/search/jql", body | {"nextPageToken": token})).status == 200
        jira.wait(3600)
        assert (await jira("POST", "/search/jql", body | {"nextPageToken": token})).status == 400

    play(story)


def test_limits_of_the_search_request_are_kept():
    async def story(jira: JiraSite) -> None:
        await jira.create(description=paragraph("x"))
        for wrong in (
            {"reconcileIssues": list(range(51))},
            {"properties": ["a", "b", "c", "d", "e", "f"]},
            {"maxResults": 0},
            {"expand": ["names"]},
            {"fields": "summary"},
        ):
            assert (await jira("POST", "/search/jql", {"jql": "project = OPS"} | wrong)).status == 400
        assert (await jira("POST", "/search/approximate-count", {"jql": "project = OPS"})).body == {"count": 1}

    play(story)


def test_the_old_search_is_gone_from_cloud():
    async def story(jira: JiraSite) -> None:
        for version in ("2", "3"):
            answer = await jira("GET", f"/rest/api/{version}/search?jql=project=OPS")
            assert answer.status == 410
            assert answer.body["errorMessages"][0].startswith("The requested API has been removed.")

    play(story)
