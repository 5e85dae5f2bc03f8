"""Creating, reading, editing and deleting issues, and everything that is refused on the way."""

import pytest

from apps.sandbox.jira import seed

from .site import ELAINE, JiraSite, paragraph, play


def test_a_created_issue_is_answered_without_fields_and_read_back_with_defaults():
    async def story(jira: JiraSite) -> None:
        made = await jira.create("  VPN drops  ", description=paragraph("Client 5.1"), labels=["vpn", "eu"])
        assert set(made) == {"id", "key", "self"}
        fields = await jira.fields(made["key"])
        assert fields["summary"] == "VPN drops"
        assert fields["status"]["statusCategory"]["key"] == "new"
        assert fields["priority"]["name"] == "Medium"
        assert fields["reporter"]["accountId"] == seed.SYNC_ACCOUNT
        assert fields["description"] == paragraph("Client 5.1")
        assert fields["labels"] == ["eu", "vpn"]
        assert fields["assignee"] is None
        assert fields["resolution"] is None
        assert fields["issuelinks"] == []

    play(story)


def test_times_carry_milliseconds_and_the_zone_of_the_reader_without_a_colon():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        assert (await jira.fields(key))["created"] == "2026-11-20T10:15:02.123+0100"

    play(story)


@pytest.mark.parametrize(
    ("fields", "culprit", "message"),
    [
        ({"summary": " "}, "summary", "You must specify a summary of the issue."),
        ({"summary": "a\nb"}, "summary", "The summary is invalid because it contains newline characters."),
        ({"summary": "x" * 256}, "summary", "Summary can't exceed 255 characters."),
        ({"priority": {"name": "Urgent"}}, "priority", "Priority name 'Urgent' is not valid"),
        ({"priority": None}, "priority", "The priority selected is invalid."),
        ({"labels": ["a b"]}, "labels", "The label 'a b' contains spaces which is invalid."),
        ({"issuetype": {"name": "Epic"}}, "issuetype", "Issue type name 'Epic' is not valid"),
        ({"project": {"key": "NOPE"}}, "project", "Specify a valid project ID or key"),
        ({"duedate": "1.12.2026"}, "duedate", "Error parsing date string: 1.12.2026"),
        ({"assignee": {"accountId": "5f0c-x"}}, "assignee", "User '5f0c-x' cannot be assigned issues."),
        ({"assignee": {"name": "elaine"}}, "assignee", "User 'None' cannot be assigned issues."),
        ({seed.SITE: {"value": "Rome"}}, seed.SITE, "Option value 'Rome' is not valid"),
        ({seed.HUB_REFERENCE: 7}, seed.HUB_REFERENCE, "Operation value must be a string"),
        (
            {"status": {"id": "3"}},
            "status",
            "Field 'status' cannot be set. It is not on the appropriate screen, or unknown.",
        ),
        (
            {"resolution": {"id": "10000"}},
            "resolution",
            "Field 'resolution' cannot be set. It is not on the appropriate screen, or unknown.",
        ),
        (
            {"customfield_999": "x"},
            "customfield_999",
            "Field 'customfield_999' cannot be set. It is not on the appropriate screen, or unknown.",
        ),
    ],
)
def test_a_create_is_refused_with_the_field_that_is_wrong(fields, culprit, message):
    async def story(jira: JiraSite) -> None:
        body = {"project": {"key": "OPS"}, "issuetype": {"id": seed.BUG}, "summary": "VPN drops"} | fields
        answer = await jira("POST", "/issue", {"fields": body})
        assert answer.status == 400
        assert answer.body == {"errorMessages": [], "errors": {culprit: message}}
        assert jira.sandbox.true_state()["tickets"] == []

    play(story)


def test_all_wrong_fields_are_told_at_once():
    async def story(jira: JiraSite) -> None:
        answer = await jira("POST", "/issue", {"fields": {"labels": ["a b"], "nonsense": 1}})
        assert set(answer.body["errors"]) == {"project", "issuetype", "summary", "labels", "nonsense"}

    play(story)


def test_a_description_over_the_limit_is_refused_by_its_serialized_length():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        long = paragraph("x" * 32_700)
        answer = await jira("PUT", f"/issue/{key}", {"fields": {"description": long}})
        assert answer.status == 400
        told = "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
        assert answer.body["errors"] == {"description": told}
        as_wiki = await jira("PUT", f"/rest/api/2/issue/{key}", {"fields": {"description": "x" * 32_700}})
        assert as_wiki.status == 204

    play(story)


def test_a_field_taken_off_the_screens_can_neither_be_set_nor_is_it_offered():
    async def story(jira: JiraSite) -> None:
        body = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "x", "priority": {"id": "1"}}
        assert "priority" in (await jira("POST", "/issue", {"fields": body})).body["errors"]
        path = f"/issue/createmeta/OPS/issuetypes/{seed.BUG}"
        assert "priority" not in [each["fieldId"] for each in (await jira("GET", path)).body["fields"]]

    play(story, hidden_fields=["priority"])


def test_a_required_custom_field_must_be_given():
    async def story(jira: JiraSite) -> None:
        body = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "x"}
        answer = await jira("POST", "/issue", {"fields": body})
        assert answer.body["errors"] == {seed.SITE: "Site is required."}
        assert (await jira("POST", "/issue", {"fields": body | {seed.SITE: {"value": "Paris"}}})).status == 201

    play(story, required_fields=[seed.SITE])


def test_an_edit_writes_fields_and_operations_and_one_change_log_entry():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create(labels=["vpn"]))["key"]
        jira.wait(60)
        metadata = {"type": "siam", "description": "by the hub", "actor": {"id": "hub", "displayName": "Hub"}}
        body = {
            "fields": {"priority": {"id": "1"}, seed.SITE: {"id": "10200"}},
            "update": {"labels": [{"add": "eu"}, {"remove": "vpn"}]},
            "historyMetadata": metadata,
        }
        answer = await jira("PUT", f"/issue/{key}", body)
        assert (answer.status, answer.raw) == (204, b"")
        log = (await jira("GET", f"/issue/{key}/changelog")).body
        assert (log["total"], log["isLast"]) == (1, True)
        entry = log["values"][0]
        assert entry["historyMetadata"] == metadata
        items = {item["fieldId"]: item for item in entry["items"]}
        assert (items["priority"]["fromString"], items["priority"]["toString"]) == ("Medium", "Highest")
        assert (items["labels"]["fromString"], items["labels"]["toString"]) == ("vpn", "eu")
        assert (items[seed.SITE]["field"], items[seed.SITE]["fieldtype"]) == ("Site", "custom")
        assert (await jira.fields(key))["updated"] == "2026-11-20T10:16:02.123+0100"

    play(story)


def test_an_edit_that_changes_nothing_leaves_no_trace():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        before = (await jira.fields(key))["updated"]
        jira.wait(60)
        assert (await jira("PUT", f"/issue/{key}", {"fields": {"summary": "VPN drops"}})).status == 204
        assert (await jira.fields(key))["updated"] == before
        assert (await jira("GET", f"/issue/{key}/changelog")).body["values"] == []

    play(story)


def test_the_last_write_wins_because_there_is_no_version_to_compare():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        await jira("PUT", f"/issue/{key}", {"fields": {"summary": "one"}}, who=ELAINE)
        await jira("PUT", f"/issue/{key}", {"fields": {"summary": "two"}})
        assert (await jira.fields(key))["summary"] == "two"
        entries = jira.ticket(key)["log"]
        assert [(each["by"], each["from"], each["to"]) for each in entries] == [
            ("Elaine", "VPN drops", "one"),
            ("SIAM sync", "one", "two"),
        ]

    play(story)


def test_a_field_in_both_fields_and_update_is_refused():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        body = {"fields": {"labels": ["a"]}, "update": {"labels": [{"add": "b"}]}}
        answer = await jira("PUT", f"/issue/{key}", body)
        assert (answer.status, list(answer.body["errors"])) == (400, ["labels"])

    play(story)


def test_a_transition_in_an_edit_is_ignored():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        assert (await jira("PUT", f"/issue/{key}", {"fields": {}, "transition": {"id": "11"}})).status == 204
        assert (await jira.fields(key))["status"]["name"] == "To Do"

    play(story)


def test_fields_are_cleared_with_null():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create(description=paragraph("x"), duedate="2026-12-01"))["key"]
        body = {"fields": {"description": None, "duedate": None, "labels": []}}
        assert (await jira("PUT", f"/issue/{key}", body)).status == 204
        fields = await jira.fields(key)
        assert (fields["description"], fields["duedate"], fields["labels"]) == (None, None, [])

    play(story)


def test_only_administrators_override_the_editable_flag():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        path, body = f"/issue/{key}?overrideEditableFlag=true", {"fields": {"summary": "x"}}
        assert (await jira("PUT", path, body, who=ELAINE)).status == 403
        assert (await jira("PUT", path, body)).status == 204

    play(story)


def test_bodies_that_are_not_json_are_refused():
    async def story(jira: JiraSite) -> None:
        headers = {"Content-Type": "application/json"}
        for body in (b"{", b'{"fields": NaN}', b"[" * 100_000, b"\xff"):
            assert (await jira("POST", "/issue", headers=headers, data=body)).status == 400
        assert (await jira("POST", "/issue", data=b"{}", headers={"Content-Type": "text/plain"})).status == 415
        assert (await jira("POST", "/issue", [1])).status == 400

    play(story)


def test_bulk_create_takes_fifty_and_tells_which_element_failed():
    async def story(jira: JiraSite) -> None:
        good = {"fields": {"project": {"key": "OPS"}, "issuetype": {"name": "Task"}, "summary": "x"}}
        mixed = await jira("POST", "/issue/bulk", {"issueUpdates": [good, {"fields": {}}]})
        assert mixed.status == 201
        assert [each["key"] for each in mixed.body["issues"]] == ["OPS-1"]
        assert mixed.body["errors"][0]["failedElementNumber"] == 1
        assert (await jira("POST", "/issue/bulk", {"issueUpdates": [{"fields": {}}]})).status == 400
        assert (await jira("POST", "/issue/bulk", {"issueUpdates": [good] * 51})).status == 400

    play(story)


def test_a_moved_issue_keeps_its_id_and_answers_to_its_old_key_in_any_case():
    async def story(jira: JiraSite) -> None:
        made = await jira.create()
        moved = await jira("POST", f"/_control/tickets/{made['key']}/move", {"project": "ARCH"})
        assert moved.body == {"id": made["id"], "key": "ARCH-1"}
        seen = await jira("GET", "/issue/ops-1")
        assert (seen.status, seen.body["id"], seen.body["key"]) == (200, made["id"], "ARCH-1")
        items = (await jira("GET", "/issue/OPS-1/changelog")).body["values"][0]["items"]
        assert [item["field"] for item in items] == ["project", "Key"]

    play(story)


def test_deleted_and_forbidden_and_missing_issues_answer_alike():
    async def story(jira: JiraSite) -> None:
        gone, hidden = (await jira.create())["key"], (await jira.create(project="ARCH"))["key"]
        assert (await jira("DELETE", f"/issue/{gone}")).status == 204
        jira.settings.forbidden_projects = ["ARCH"]
        answers = [await jira("GET", f"/issue/{key}") for key in (gone, hidden, "OPS-999")]
        assert [answer.status for answer in answers] == [404, 404, 404]
        assert answers[0].raw == answers[1].raw == answers[2].raw
        assert jira.ticket(gone)["deleted"] is True

    play(story)


def test_a_bulk_fetch_reads_the_store_in_order_of_ids_and_names_what_is_missing():
    async def story(jira: JiraSite) -> None:
        first, second = await jira.create("one"), await jira.create("two")
        body = {"issueIdsOrKeys": [second["key"], first["id"], "OPS-99"], "fields": ["summary"]}
        answer = await jira("POST", "/issue/bulkfetch", body)
        assert [issue["fields"] for issue in answer.body["issues"]] == [{"summary": "one"}, {"summary": "two"}]
        assert [error["id"] for error in answer.body["issueErrors"]] == ["OPS-99"]
        assert (await jira("POST", "/issue/bulkfetch", {"issueIdsOrKeys": ["1"] * 101})).status == 400

    play(story)


def test_the_reporter_cannot_be_set_without_the_permission():
    async def story(jira: JiraSite) -> None:
        reporter = {"reporter": {"accountId": seed.ELAINE_ACCOUNT}}
        body = {"project": {"key": "OPS"}, "issuetype": {"name": "Bug"}, "summary": "x"} | reporter
        assert list((await jira("POST", "/issue", {"fields": body})).body["errors"]) == ["reporter"]

    play(story, reporter_may_be_set=False)


def test_assigning_takes_an_account_and_null_takes_it_away():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        path = f"/issue/{key}/assignee"
        assert (await jira("PUT", path, {"accountId": seed.JOHN_ACCOUNT})).status == 204
        assignee = (await jira.fields(key))["assignee"]
        assert (assignee["displayName"], "emailAddress" in assignee) == ("John", False)
        assert (await jira("PUT", path, {"accountId": None})).status == 204
        assert (await jira.fields(key))["assignee"] is None
        assert (await jira("PUT", path, {"accountId": "nobody"})).status == 400

    play(story)
