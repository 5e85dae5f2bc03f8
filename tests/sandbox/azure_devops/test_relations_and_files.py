"""Links, hyperlinks and attachments: two steps, indexes, limits."""

import hashlib

from .desk import Desk, add, at_rev, play, relate

BYTES = {"Content-Type": "application/octet-stream"}
PARENT, CHILD = "System.LinkTypes.Hierarchy-Reverse", "System.LinkTypes.Hierarchy-Forward"


def item(desk: Desk, number: int) -> str:
    return f"{desk.base}/_apis/wit/workItems/{number}"


def test_an_attachment_is_uploaded_and_then_related() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        content = bytes(range(256))
        reference = (await desk.upload("log file.bin", content)).json
        assert desk.truth(1)["attachments"] == []
        changed = await desk.change(1, at_rev(1), relate("AttachedFile", reference["url"], comment="from OPS-7"))
        relation = changed.json["relations"][0]
        assert relation["attributes"]["name"] == "log file.bin"
        assert (relation["attributes"]["resourceSize"], relation["attributes"]["comment"]) == (256, "from OPS-7")
        assert changed.json["rev"] == 2
        kept = await desk.get(f"/_apis/wit/attachments/{reference['id']}?fileName=log&download=true")
        assert kept.raw == content
        assert "attachment" in kept.headers["Content-Disposition"]
        truth = desk.truth(1)
        assert truth["attachments"][0]["sha256"] == hashlib.sha256(content).hexdigest()
        assert truth["log"][-1]["field"] == "attachment"

    play(scenario)


def test_a_file_that_was_never_uploaded_cannot_be_related() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        url = f"{desk.base}/_apis/wit/attachments/00000000-0000-4000-8000-000000000000"
        assert (await desk.change(1, relate("AttachedFile", url))).status == 400
        assert (await desk.get("/_apis/wit/attachments/00000000-0000-4000-8000-000000000000")).status == 404

    play(scenario)


def test_a_file_above_the_limit_is_refused() -> None:
    async def scenario(desk: Desk) -> None:
        assert (await desk.upload("ok.bin", b"1234")).status == 200
        refused = await desk.upload("big.bin", b"12345")
        assert (refused.status, refused.json["typeKey"]) == (413, "AttachmentExceedsMaxSizeException")

    play(scenario, attachment_limit=4)


def test_a_big_file_is_uploaded_in_chunks_that_follow_each_other() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        begun = (await desk.upload("big.bin", b"", query="&uploadType=Chunked")).json
        path = f"/Shop/_apis/wit/attachments/{begun['id']}?fileName=big.bin&api-version=7.1"

        async def chunk(span: str, data: bytes) -> int:
            return (await desk.send("PUT", path, data=data, headers={**BYTES, "Content-Range": f"bytes {span}"})).status

        assert await chunk("0-3/8", b"abcd") == 200
        assert (await desk.get(f"/_apis/wit/attachments/{begun['id']}")).status == 404
        assert (await desk.change(1, relate("AttachedFile", begun["url"]))).status == 400
        assert await chunk("0-3/8", b"abcd") == 400
        assert await chunk("4-7/8", b"efgh") == 200
        assert (await desk.get(f"/_apis/wit/attachments/{begun['id']}")).raw == b"abcdefgh"
        assert (await desk.change(1, relate("AttachedFile", begun["url"]))).status == 200

    play(scenario)


def test_relations_are_removed_and_commented_by_their_index() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        for letter in "abc":
            await desk.change(1, relate("Hyperlink", f"https://hub.example/{letter}", comment=letter))
        edit = {"op": "replace", "path": "/relations/2/attributes/comment", "value": "edited"}
        changed = (await desk.change(1, {"op": "remove", "path": "/relations/0"}, edit)).json
        assert [one["attributes"]["comment"] for one in changed["relations"]] == ["b", "edited"]
        twice = await desk.change(1, relate("Hyperlink", "https://hub.example/b"))
        assert twice.json["typeKey"] == "RelationAlreadyExistsException"
        assert (await desk.change(1, {"op": "remove", "path": "/relations/2"})).status == 400

    play(scenario)


def test_a_link_shows_on_both_sides_and_leaves_their_revisions() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        await desk.create()
        linked = (await desk.change(1, relate(CHILD, item(desk, 2)))).json
        assert linked["rev"] == 1
        child = await desk.read(2, "&$expand=relations")
        assert (child["rev"], child["fields"]["System.Parent"]) == (1, 1)
        assert (child["relations"][0]["rel"], child["relations"][0]["attributes"]["name"]) == (PARENT, "Parent")
        updates = (await desk.get("/_apis/wit/workItems/2/updates")).json["value"]
        assert [(one["id"], one["rev"]) for one in updates] == [(1, 1), (2, 1)]
        assert updates[1]["relations"]["added"][0]["rel"] == PARENT
        own = (await desk.get("/_apis/wit/workItems/1/updates/2")).json
        assert (own["rev"], own["relations"]["added"][0]["rel"]) == (1, CHILD)
        assert "fields" not in own
        await desk.change(1, {"op": "remove", "path": "/relations/0"})
        assert "relations" not in await desk.read(2, "&$expand=relations")

    play(scenario)


def test_a_work_item_has_one_parent_at_most() -> None:
    async def scenario(desk: Desk) -> None:
        for _ in range(3):
            await desk.create()
        await desk.change(1, relate(CHILD, item(desk, 3)))
        for refused in (
            await desk.change(2, relate(CHILD, item(desk, 3))),
            await desk.change(3, relate(PARENT, item(desk, 2))),
        ):
            assert refused.status == 400
            assert refused.message.startswith("TF201036")
        assert (await desk.change(1, relate("System.LinkTypes.Related", item(desk, 99)))).status == 404
        assert (await desk.change(1, relate("No.Such.Link", item(desk, 2)))).status == 400

    play(scenario)


def test_a_hundred_attachments_are_the_most() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        urls = [(await desk.upload(f"{number}.txt", b"x")).json["url"] for number in range(101)]
        assert (await desk.change(1, *(relate("AttachedFile", url) for url in urls[:100]))).status == 200
        assert (await desk.change(1, relate("AttachedFile", urls[100]), add("System.Title", "lost"))).status == 400
        assert (await desk.read(1))["fields"]["System.Title"] != "lost"

    play(scenario)
