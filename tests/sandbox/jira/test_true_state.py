"""The true state and its log: what really happened, in order, whatever the API shows."""

from .site import ELAINE, JiraSite, paragraph, play


def test_the_log_holds_every_change_comment_and_file_in_the_order_in_which_they_happened():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create(labels=["a"]))["key"]
        await jira("PUT", f"/issue/{key}", {"fields": {"summary": "New"}}, who=ELAINE)
        comment = (await jira("POST", f"/issue/{key}/comment", {"body": paragraph("Looking")})).body["id"]
        await jira.step(key, "11")
        await jira("PUT", f"/issue/{key}", {"update": {"labels": [{"add": "b"}]}})
        await jira.step(key, "31", fields={"resolution": {"name": "Done"}})
        ticket = jira.ticket(key)
        assert [(entry["field"], entry["from"], entry["to"]) for entry in ticket["log"]] == [
            ("summary", "VPN drops", "New"),
            ("comment", None, comment),
            ("status", "To Do", "In Progress"),
            ("labels", ["a"], ["a", "b"]),
            ("status", "In Progress", "Done"),
            ("resolution", None, "Done"),
        ]
        assert ticket["log"][0] == {
            "at": "2026-11-20T09:15:02.123Z", "by": "Elaine", "field": "summary", "from": "VPN drops", "to": "New",
        }  # fmt: skip

    play(story)


def test_the_state_is_in_the_documented_shape():
    async def story(jira: JiraSite) -> None:
        key = (await jira.create(description=paragraph("Client 5.1")))["key"]
        await jira("POST", f"/issue/{key}/comment", {"body": paragraph("Looking")})
        state = (await jira("GET", "/_control/state")).body
        assert state["system"] == "jira"
        ticket = state["tickets"][0]
        assert set(ticket) == {
            "id", "key", "type", "created_at", "deleted", "fields", "comments", "attachments", "log",
        }  # fmt: skip
        assert (ticket["type"], ticket["created_at"], ticket["deleted"]) == ("Bug", "2026-11-20T09:15:02.123Z", False)
        assert ticket["fields"]["status"] == "To Do"
        assert ticket["fields"]["description"] == "Client 5.1"
        assert ticket["comments"][0] == {
            "id": "10500", "author": "SIAM sync", "text": "Looking", "public": True, "at": "2026-11-20T09:15:02.123Z",
        }  # fmt: skip

    play(story)


def test_exchanges_are_logged_with_refusals_too():
    async def story(jira: JiraSite) -> None:
        await jira.create()
        await jira("GET", "/nonsense")
        seen = (await jira("GET", "/_control/exchanges")).body
        assert [(each["method"], each["status"]) for each in seen] == [("POST", 201), ("GET", 404)]

    play(story)
