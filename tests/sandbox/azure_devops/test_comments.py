"""The discussion of a work item."""

from apps.sandbox.azure_devops.seed import DAVID_PAT

from .desk import Desk, play


def test_a_comment_raises_revision_and_count_and_keeps_its_author() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        made = (await desk.comment(1, "We are <i>on</i> it<script>x()</script>", pat=DAVID_PAT)).json
        assert (made["id"], made["version"], made["format"]) == (81, 1, "html")
        assert made["text"] == made["renderedText"] == "We are <i>on</i> it"
        assert made["createdBy"]["displayName"] == "David"
        after = await desk.read(1)
        assert (after["rev"], after["fields"]["System.CommentCount"]) == (2, 1)
        assert after["fields"]["System.ChangedBy"]["displayName"] == "David"
        assert desk.truth(1)["log"][-1]["to"] == "81"

    play(scenario)


def test_a_markdown_comment_keeps_its_text_and_is_rendered() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        made = (await desk.comment(1, "**now** <script>x()</script>", "&format=Markdown")).json
        assert (made["format"], made["text"]) == ("markdown", "**now** <script>x()</script>")
        assert made["renderedText"] == "<p><strong>now</strong> </p>\n"
        assert (await desk.comment(1, "x", "&format=rtf")).status == 400

    play(scenario)


def test_comments_are_paged_in_either_order() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        for number in range(5):
            await desk.comment(1, f"comment {number}")
        first = await desk.comments(1, "&$top=2&order=asc")
        assert (first["totalCount"], first["count"]) == (5, 2)
        await desk.comment(1, "meanwhile")
        seen = [one["text"] for one in first["comments"]]
        token = first["continuationToken"]
        while token:
            page = await desk.comments(1, f"&$top=2&order=asc&continuationToken={token}")
            seen += [one["text"] for one in page["comments"]]
            token = page.get("continuationToken")
        assert seen == [*(f"comment {number}" for number in range(5)), "meanwhile"]
        assert (await desk.comments(1, "&$top=1"))["comments"][0]["text"] == "meanwhile"

    play(scenario)


def test_an_edit_makes_a_new_version_and_a_deletion_leaves_a_blank() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        await desk.comment(1, "first")
        path = "/Shop/_apis/wit/workItems/1/comments/81"
        version = "?api-version=7.1-preview.4"
        edited = (await desk.send("PATCH", path + version, json={"text": "second"})).json
        assert (edited["version"], edited["text"]) == (2, "second")
        versions = (await desk.get(path + "/versions?api-version=7.1-preview.1")).json["value"]
        assert [one["text"] for one in versions] == ["first", "second"]
        assert (await desk.send("DELETE", path + version)).status == 204
        assert (await desk.get(path + version)).status == 404
        assert (await desk.comments(1))["totalCount"] == 0
        gone = (await desk.comments(1, "&includeDeleted=true"))["comments"][0]
        assert (gone["isDeleted"], gone["text"]) == (True, "")
        assert (await desk.read(1))["fields"]["System.CommentCount"] == 0
        assert [one["field"] for one in desk.truth(1)["log"]][-3:] == ["comment", "comment edited", "comment deleted"]

    play(scenario)


def test_an_empty_comment_and_one_without_a_project_are_refused() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        assert (await desk.comment(1, "  ")).status == 400
        assert (await desk.comment(2, "no such item")).message.startswith("TF401232")
        assert (await desk.get("/_apis/wit/workItems/1/comments?api-version=7.1-preview.4")).status == 404

    play(scenario)
