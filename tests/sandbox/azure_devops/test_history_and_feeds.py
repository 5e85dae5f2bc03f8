"""What changed: updates, revisions, the reporting feed, queries."""

import pytest

from apps.sandbox.azure_devops.seed import DAVID, DAVID_PAT

from .desk import HISTORY, STATE, TAGS, TITLE, Desk, SteppedClock, add, play

FEED = "/_apis/wit/reporting/workitemrevisions?api-version=7.1"


def test_updates_tell_old_and_new_in_order() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create(add(TITLE, "first"))
        await desk.change(1, add(TITLE, "second"), pat=DAVID_PAT)
        await desk.change(1, add(STATE, "Active"), add(HISTORY, "started"))
        updates = (await desk.get("/_apis/wit/workItems/1/updates?api-version=7.1")).json["value"]
        assert [one["rev"] for one in updates] == [1, 2, 3]
        assert updates[1]["fields"][TITLE] == {"oldValue": "first", "newValue": "second"}
        assert updates[1]["revisedBy"]["id"] == DAVID.id
        assert updates[2]["fields"][STATE] == {"oldValue": "New", "newValue": "Active"}
        assert updates[2]["fields"][HISTORY] == {"newValue": "started"}
        assert updates[2]["revisedDate"] == "9999-01-01T00:00:00Z"
        assert updates[1]["revisedDate"] == updates[2]["fields"]["System.ChangedDate"]["newValue"]
        page = (await desk.get("/_apis/wit/workItems/1/updates?$top=1&$skip=1")).json["value"]
        assert page == [updates[1]]
        assert (await desk.get("/_apis/wit/workItems/1/updates/4")).status == 404

    play(scenario)


def test_revisions_are_whole_snapshots() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create(add(TITLE, "first"))
        await desk.change(1, add(TITLE, "second"))
        revisions = (await desk.get("/_apis/wit/workItems/1/revisions")).json["value"]
        assert [one["fields"][TITLE] for one in revisions] == ["first", "second"]
        one = (await desk.get("/_apis/wit/workItems/1/revisions/1")).json
        assert one["url"].endswith("/workItems/1/revisions/1")

    play(scenario)


def test_the_feed_gives_every_revision_once_and_its_token_stays_good() -> None:
    async def scenario(desk: Desk) -> None:
        for number in range(3):
            await desk.create(add(TITLE, f"Bug {number}"))
        first = (await desk.get(FEED + "&$maxPageSize=2")).json
        assert (len(first["values"]), first["isLastBatch"]) == (2, False)
        await desk.change(1, add(TITLE, "changed while paging"))
        second = (await desk.get(f"{FEED}&continuationToken={first['continuationToken']}")).json
        assert [(one["id"], one["rev"]) for one in second["values"]] == [(3, 1), (1, 2)]
        assert second["isLastBatch"] is True
        assert (await desk.get(second["nextLink"])).json["values"] == []
        token = second["continuationToken"]
        assert (await desk.get(f"{FEED}&continuationToken={token}")).json["continuationToken"].split(";")[
            0
        ] == token.split(";")[0]
        await desk.comment(2, "later")
        later = (await desk.get(f"{FEED}&continuationToken={token}")).json["values"]
        assert [(one["id"], one["rev"], one["fields"][HISTORY]) for one in later] == [(2, 2, "later")]

    play(scenario)


def test_the_feed_is_shaped_by_its_switches() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create(add(TITLE, "Bug"), add("Microsoft.VSTS.TCM.ReproSteps", "<b>steps</b>"))
        await desk.change(1, add(TITLE, "Bug again"))
        await desk.create(kind="Task")
        plain = (await desk.get(FEED + "&types=Bug")).json["values"]
        assert [one["rev"] for one in plain] == [1, 2]
        assert plain[0]["fields"]["System.CreatedBy"] == "SIAM Sync <siam-sync@global.example>"
        assert "Microsoft.VSTS.TCM.ReproSteps" not in plain[0]["fields"]
        query = "&types=Bug&includeIdentityRef=true&includeLatestOnly=true&$expand=fields"
        rich = (await desk.get(FEED + query)).json["values"]
        assert [one["rev"] for one in rich] == [2]
        assert rich[0]["fields"]["System.CreatedBy"]["uniqueName"] == "siam-sync@global.example"
        assert rich[0]["fields"]["Microsoft.VSTS.TCM.ReproSteps"] == "<b>steps</b>"
        posted = await desk.send("POST", FEED, json={"fields": ["System.Id"], "types": ["Task"]})
        assert posted.json["values"] == [{"id": 2, "rev": 1, "fields": {"System.Id": 2}}]
        assert (await desk.get(FEED + "&startDateTime=2026-01-01T00:00:00Z&continuationToken=1;1")).status == 400
        assert (await desk.get(FEED + "&continuationToken=rubbish")).status == 400

    play(scenario)


def test_deleted_work_items_come_through_the_feed_only_when_asked_for() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        await desk.send("DELETE", "/_apis/wit/workitems/1?api-version=7.1")
        assert (await desk.get(FEED)).json["values"] == []
        last = (await desk.get(FEED + "&includeDeleted=true")).json["values"][-1]
        assert (last["rev"], last["fields"]["System.IsDeleted"]) == (2, True)

    play(scenario)


def test_the_feed_of_links_tells_what_was_linked_and_unlinked() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        await desk.create()
        relation = {"rel": "System.LinkTypes.Related", "url": f"{desk.base}/_apis/wit/workItems/2"}
        await desk.change(1, {"op": "add", "path": "/relations/-", "value": relation})
        await desk.change(1, {"op": "remove", "path": "/relations/0"})
        links = (await desk.get("/_apis/wit/reporting/workitemlinks?api-version=7.1")).json["values"]
        assert [one["attributes"]["isActive"] for one in links] == [True, False]
        assert (links[0]["attributes"]["sourceId"], links[0]["attributes"]["targetId"]) == (1, 2)

    play(scenario)


def test_feed_and_query_can_lag_behind_while_reading_by_id_does_not() -> None:
    async def scenario(desk: Desk) -> None:
        clock = desk.sandbox.clock = SteppedClock()
        await desk.create(add(TITLE, "VPN"), add(TAGS, "sync-7f1c9b"))
        marker = "[System.Tags] CONTAINS 'sync-7f1c9b'"
        assert (await desk.read(1))["fields"][TITLE] == "VPN"
        assert await desk.found(marker) == []
        assert (await desk.get(FEED)).json["values"] == []
        clock.go_on(5)
        assert await desk.found(marker) == [1]
        assert (await desk.get(FEED)).json["values"] == []
        clock.go_on(5)
        assert len((await desk.get(FEED)).json["values"]) == 1

    play(scenario, query_lag_seconds=5, feed_lag_seconds=10)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("[System.TeamProject] = @project AND [System.WorkItemType] = 'bug' ORDER BY [System.Id] DESC", [3, 1]),
        ("[System.AssignedTo] = @me", [1]),
        ("[System.AssignedTo] = 'David'", [3]),
        ("[System.AssignedTo] = ''", [2]),
        ("[System.CreatedBy] = @Me AND [System.Tags] CONTAINS 'sync-1'", [1]),
        ("[System.Tags] CONTAINS 'sync'", []),
        ("[System.Title] CONTAINS 'it''s'", [2]),
        ("[System.Title] NOT CONTAINS 'it''s'", [1, 3]),
        ("[System.Id] IN (1, 3)", [1, 3]),
        ("[System.Id] NOT IN (1, 3) OR [Priority] < 2", [2, 3]),
        ("([System.Id] > 1 AND [System.Id] <= 3) AND [System.State] <> 'Active'", [2]),
        ("[System.AreaPath] UNDER 'Shop\\Infrastructure'", [3]),
        ("[System.ChangedDate] >= @today", [1, 2, 3]),
        ("[System.ChangedDate] < @today - 1", []),
        ("[Custom.Site] IS NOT EMPTY", [2]),
        ("[System.State] = 'Active' ORDER BY [Microsoft.VSTS.Common.Priority] ASC, [System.Id] ASC", [3]),
    ],
)
def test_flat_queries_find_what_they_say(where: str, expected: list[int]) -> None:
    async def scenario(desk: Desk) -> None:
        me = "siam-sync@global.example"
        await desk.create(add(TITLE, "VPN"), add(TAGS, "sync-1; vpn"), add("System.AssignedTo", me))
        await desk.create(add(TITLE, "Now it's slow"), add("Custom.Site", "paris"), kind="Task")
        area = add("System.AreaPath", "Shop\\Infrastructure")
        priority = add("Microsoft.VSTS.Common.Priority", 1)
        await desk.create(add(TITLE, "Cable"), area, priority, add("System.AssignedTo", DAVID.mail))
        await desk.change(3, add(STATE, "Active"))
        assert await desk.found(where) == expected

    play(scenario)


def test_time_of_day_needs_time_precision() -> None:
    async def scenario(desk: Desk) -> None:
        clock = desk.sandbox.clock = SteppedClock()
        await desk.create()
        clock.go_on(60)
        second = (await desk.create()).json["fields"]["System.ChangedDate"]
        where = f"[System.ChangedDate] >= '{second}'"
        assert await desk.found(where) == [2]
        refused = await desk.ask(where, query="")
        assert refused.status == 400
        assert refused.message.startswith("You cannot supply a time with the date")
        assert await desk.found(f"[System.ChangedDate] >= '{second[:10]}'", query="") == [1, 2]

    play(scenario)


def test_a_query_answers_ids_with_the_time_at_which_they_were_true() -> None:
    async def scenario(desk: Desk) -> None:
        desk.sandbox.clock = SteppedClock()
        await desk.create()
        reply = (await desk.ask("[System.Id] > 0 ORDER BY [System.ChangedDate] ASC")).json
        assert (reply["queryType"], reply["queryResultType"]) == ("flat", "workItem")
        assert reply["asOf"] == "2026-11-20T09:00:00Z"
        assert reply["columns"][0]["referenceName"] == "System.Id"
        assert reply["sortColumns"][0]["descending"] is False
        assert list(reply["workItems"][0]) == ["id", "url"]

    play(scenario)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "SELECT",
        "SELECT [System.Id] FROM WorkItemLinks",
        "SELECT [System.Id] FROM WorkItems WHERE [Custom.Nothing] = 1",
        "SELECT [System.Id] FROM WorkItems WHERE [System.Title] LIKE 'x'",
        "SELECT [System.Id] FROM WorkItems WHERE [System.Title] = 'it's'",
        "SELECT [System.Id] FROM WorkItems WHERE [System.ChangedDate] > 'yesterday'",
        "SELECT [System.Id] FROM WorkItems WHERE ([System.Id] = 1",
        "SELECT [System.Id] FROM WorkItems WHERE [System.Id] = 1 LIMIT 5",
        "SELECT [System.Id] FROM WorkItems WHERE [System.Title] = 'x' -- " + "x" * 32_000,
    ],
)
def test_a_query_that_cannot_be_read_is_400(query: str) -> None:
    async def scenario(desk: Desk) -> None:
        path = "/Shop/_apis/wit/wiql?api-version=7.1&timePrecision=true"
        reply = await desk.send("POST", path, json={"query": query})
        assert (reply.status, reply.json["typeKey"]) == (400, "VssPropertyValidationException")

    play(scenario)


def test_a_query_with_too_many_rows_is_refused_unless_it_asks_for_the_top() -> None:
    async def scenario(desk: Desk) -> None:
        for _ in range(3):
            await desk.create()
        refused = await desk.ask("[System.Id] > 0")
        assert refused.json["typeKey"] == "WorkItemTrackingQueryResultSizeLimitExceededException"
        assert refused.message.startswith("VS402337")
        assert await desk.found("[System.Id] > 0", query="&$top=2") == [1, 2]
        assert await desk.found("[System.Id] > 1") == [2, 3]

    play(scenario, query_row_limit=2)
