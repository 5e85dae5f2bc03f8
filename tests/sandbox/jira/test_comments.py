"""Comments: public and internal, their properties, and who may change them."""

import pytest

from apps.sandbox.jira import seed

from .site import ELAINE, JiraSite, paragraph, play

INTERNAL = {"key": "sd.public.comment", "value": {"internal": True}}
MARKER = {"key": "siam.sync", "value": {"opId": "9a"}}


def test_a_comment_is_written_with_its_marker_and_found_again_by_it():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        made = await jira("POST", f"/issue/{key}/comment", {"body": paragraph("Looking"), "properties": [MARKER]})
        assert made.status == 201
        assert made.body["author"]["accountId"] == seed.SYNC_ACCOUNT
        assert "properties" not in made.body
        listed = (await jira("GET", f"/issue/{key}/comment?expand=properties")).body
        assert (listed["total"], listed["comments"][0]["properties"]) == (1, [MARKER])

    play(story)


def test_the_property_makes_a_comment_internal_on_a_service_project_only():
    async def story(jira: JiraSite) -> None:
        for project, is_public in (("OPS", False), ("ARCH", True)):
            key = (await jira.create(project=project))["key"]
            body = {"body": paragraph("secret"), "properties": [INTERNAL]}
            assert (await jira("POST", f"/issue/{key}/comment", body)).body["jsdPublic"] is is_public
            assert jira.ticket(key)["comments"][0]["public"] is is_public

    play(story)


def test_the_internal_flag_must_be_a_json_boolean_and_cannot_be_set_later():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        as_text = {"key": "sd.public.comment", "value": {"internal": "true"}}
        made = (await jira("POST", f"/issue/{key}/comment", {"body": paragraph("x"), "properties": [as_text]})).body
        assert made["jsdPublic"] is True
        later = await jira("PUT", f"/comment/{made['id']}/properties/sd.public.comment", {"internal": True})
        assert later.status == 200
        assert (await jira("GET", f"/issue/{key}/comment/{made['id']}")).body["jsdPublic"] is True

    play(story)


def test_the_service_desk_door_writes_internal_comments_and_knows_only_service_projects():
    async def story(jira: JiraSite) -> None:
        ops, arch = (await jira.create())["key"], (await jira.create(project="ARCH"))["key"]
        door = "/rest/servicedeskapi/request/{}/comment"
        made = await jira("POST", door.format(ops), {"body": "Only *us*", "public": False})
        assert (made.status, made.body["public"]) == (201, False)
        assert set(made.body["created"]) == {"iso8601", "jira", "friendly", "epochMillis"}
        assert (await jira("POST", door.format(arch), {"body": "x", "public": False})).status == 404
        assert (await jira("GET", door.format(ops) + "?internal=false")).body["values"] == []

    play(story)


@pytest.mark.parametrize("body", [None, "plain", {"type": "doc", "version": 1, "content": []}, paragraph("  ")])
def test_an_empty_or_unreadable_comment_is_refused(body):
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        assert (await jira("POST", f"/issue/{key}/comment", {"body": body})).status == 400
        assert jira.ticket(key)["comments"] == []

    play(story)


def test_a_comment_over_the_limit_is_refused_under_the_name_comment():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        answer = await jira("POST", f"/issue/{key}/comment", {"body": paragraph("x" * 32_767)})
        told = "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
        assert (answer.status, answer.body["errors"]) == (400, {"comment": told})

    play(story)


def test_a_full_issue_refuses_another_comment_with_413():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        statuses = [(await jira("POST", f"/issue/{key}/comment", {"body": paragraph("x")})).status for _ in range(3)]
        assert statuses == [201, 201, 413]

    play(story, comment_limit=2)


def test_only_the_author_or_an_administrator_edits_a_comment():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        mine = (await jira("POST", f"/issue/{key}/comment", {"body": paragraph("a")})).body["id"]
        path = f"/issue/{key}/comment/{mine}"
        assert (await jira("PUT", path, {"body": paragraph("b")}, who=ELAINE)).status == 400
        jira.wait(60)
        edited = (await jira("PUT", path, {"body": paragraph("b")})).body
        assert edited["body"] == paragraph("b")
        assert (edited["created"], edited["updated"]) == (
            "2026-11-20T10:15:02.123+0100",
            "2026-11-20T10:16:02.123+0100",
        )
        assert (await jira("DELETE", path)).status == 204
        assert (await jira("GET", path)).status == 404

    play(story)


def test_a_comment_restricted_to_administrators_is_hidden_from_others():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        visibility = {"type": "role", "value": "Administrators"}
        await jira("POST", f"/issue/{key}/comment", {"body": paragraph("x"), "visibility": visibility})
        assert (await jira("GET", f"/issue/{key}/comment", who=ELAINE)).body["total"] == 0
        assert (await jira("GET", f"/issue/{key}/comment")).body["total"] == 1
        unknown = {"body": paragraph("x"), "visibility": {"type": "role", "value": "Nobody"}}
        assert (await jira("POST", f"/issue/{key}/comment", unknown)).status == 400

    play(story)


def test_comments_are_paged_and_ordered_and_found_by_id():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        ids = [(await jira("POST", f"/issue/{key}/comment", {"body": paragraph(str(n))})).body["id"] for n in range(5)]
        page = (await jira("GET", f"/issue/{key}/comment?startAt=1&maxResults=2&orderBy=-created")).body
        assert [each["id"] for each in page["comments"]] == [ids[3], ids[2]]
        many = (await jira("POST", "/comment/list", {"ids": [int(ids[0]), 1]})).body
        assert [each["id"] for each in many["values"]] == ids[:1]
        assert (await jira("POST", "/comment/list", {"ids": list(range(1001))})).status == 400

    play(story)


def test_a_comment_property_is_new_with_201_and_replaced_with_200():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create())["key"]
        number = (await jira("POST", f"/issue/{key}/comment", {"body": paragraph("x")})).body["id"]
        path = f"/comment/{number}/properties/siam.sync"
        assert [(await jira("PUT", path, {"rev": n})).status for n in (1, 2)] == [201, 200]
        assert (await jira("GET", path)).body == {"key": "siam.sync", "value": {"rev": 2}}
        assert (await jira("DELETE", path)).status == 204
        assert (await jira("GET", path)).status == 404

    play(story)
