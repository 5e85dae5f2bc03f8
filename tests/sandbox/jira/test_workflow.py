"""Transitions: what is offered, what is refused, and what they set by themselves."""

from apps.sandbox.jira import seed

from .site import JiraSite, paragraph, play

RESOLVED = {"fields": {"resolution": {"name": "Done"}}}


async def names(jira: JiraSite, key: str) -> list[str]:
    return [each["to"]["name"] for each in (await jira("GET", f"/issue/{key}/transitions")).body["transitions"]]


def test_only_the_next_steps_of_the_classic_workflow_are_offered():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        assert await names(jira, key) == ["In Progress"]
        assert (await jira.step(key, "11")).status == 204
        assert await names(jira, key) == ["Waiting for customer", "Done", "In Review"]
        assert (await jira.step(key, "21")).status == 204
        assert await names(jira, key) == ["In Progress"]

    play(story)


def test_a_new_ticket_cannot_jump_to_done():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        assert (await jira.step(key, "31", **RESOLVED)).status == 400
        assert (await jira.step(key, "999")).status == 400
        assert (await jira("POST", f"/issue/{key}/transitions", {"transition": {}})).status == 400
        assert (await jira.fields(key))["status"]["name"] == "To Do"

    play(story)


def test_a_step_with_a_screen_says_what_it_needs_and_is_refused_without_it():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        await jira.step(key, "11")
        shown = (await jira("GET", f"/issue/{key}/transitions?expand=transitions.fields")).body["transitions"]
        done = next(each for each in shown if each["id"] == "31")
        assert done["hasScreen"] is True
        assert done["fields"]["resolution"]["required"] is True
        assert {"Done", "Duplicate"} <= {each["name"] for each in done["fields"]["resolution"]["allowedValues"]}
        refused = await jira.step(key, "31")
        assert (refused.status, refused.body["errors"]) == (400, {"resolution": "Resolution is required."})
        off_screen = await jira.step(key, "31", fields={"resolution": {"id": "10000"}, "summary": "x"})
        assert list(off_screen.body["errors"]) == ["summary"]
        assert (await jira.fields(key))["status"]["name"] == "In Progress"

    play(story)


def test_done_carries_resolution_comment_and_metadata_in_one_step():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        await jira.step(key, "11")
        update = {"comment": [{"add": {"body": paragraph("Fixed")}}]}
        answer = await jira.step(key, "31", **RESOLVED, update=update, historyMetadata={"type": "siam"})
        assert answer.status == 204
        fields = await jira.fields(key)
        assert (fields["status"]["name"], fields["resolution"]["name"]) == ("Done", "Done")
        assert fields["resolutiondate"] is not None
        assert fields["comment"]["comments"][0]["body"] == paragraph("Fixed")
        entry = (await jira("GET", f"/issue/{key}/changelog")).body["values"][-1]
        assert [item["field"] for item in entry["items"]] == ["status", "resolution"]
        assert entry["historyMetadata"] == {"type": "siam"}

    play(story)


def test_reopening_clears_the_resolution():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        for step in ("11", "41", "51"):
            assert (await jira.step(key, step)).status == 204
        assert (await jira.fields(key))["resolution"]["name"] == "Done"
        assert (await jira.step(key, "61")).status == 204
        fields = await jira.fields(key)
        assert (fields["resolution"], fields["resolutiondate"]) == (None, None)

    play(story)


async def close(jira: JiraSite) -> str:
    key: str = (await jira.create())["key"]
    await jira.step(key, "11")
    await jira.step(key, "31", **RESOLVED)
    assert (await jira.step(key, "71")).status == 204
    return key


def test_a_closed_ticket_has_no_way_out_and_takes_no_edits_but_comments():
    async def story(jira: JiraSite) -> None:
        key = await close(jira)
        assert await names(jira, key) == []
        edit = await jira("PUT", f"/issue/{key}", {"fields": {"summary": "x"}})
        assert edit.status == 400
        assert edit.body["errors"]["summary"].startswith("Field 'summary' cannot be set.")
        assert list((await jira("GET", f"/issue/{key}/editmeta")).body["fields"]) == ["comment"]
        assert (await jira("POST", f"/issue/{key}/comment", {"body": paragraph("late")})).status == 201

    play(story)


def test_a_site_may_refuse_comments_on_closed_tickets_or_allow_edits():
    async def story(jira: JiraSite) -> None:
        key = await close(jira)
        jira.settings.closed_takes_comments = False
        refused = await jira("POST", f"/issue/{key}/comment", {"body": paragraph("late")})
        assert (refused.status, list(refused.body["errors"])) == (400, ["comment"])
        jira.settings.closed_is_editable = True
        assert (await jira("PUT", f"/issue/{key}", {"fields": {"summary": "x"}})).status == 204

    play(story)


def test_a_simplified_project_reaches_every_status_at_once():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create(project="ARCH"))["key"]
        steps = (await jira("GET", f"/issue/{key}/transitions")).body["transitions"]
        assert len(steps) == 6
        assert all(step["isGlobal"] for step in steps)
        done = next(step["id"] for step in steps if step["to"]["id"] == seed.DONE)
        assert (await jira.step(key, done)).status == 204
        assert (await jira.fields(key))["status"]["name"] == "Done"

    play(story, simplified_projects=["ARCH"])


def test_a_create_may_ask_for_a_first_step_and_keeps_the_issue_when_it_fails():
    async def story(jira: JiraSite) -> None:
        fields = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "x"}
        good = await jira("POST", "/issue", {"fields": fields, "transition": {"id": "11"}})
        assert (good.status, good.body["transition"]["status"]) == (201, 204)
        bad = await jira("POST", "/issue", {"fields": fields, "transition": {"id": "71"}})
        assert (bad.status, bad.body["transition"]["status"]) == (201, 400)
        states = {each["key"]: each["fields"]["status"] for each in jira.sandbox.true_state()["tickets"]}
        assert states == {"OPS-1": "In Progress", "OPS-2": "To Do"}

    play(story)
