"""Deleting, the recycle bin, and what is gone for good."""

from apps.sandbox.azure_devops.seed import SYNC

from .desk import TITLE, Desk, add, play

ONE = "/_apis/wit/workitems/1?api-version=7.1"
BIN = "/Shop/_apis/wit/recyclebin/1?api-version=7.1"


def test_a_deleted_work_item_is_404_everywhere_but_in_the_bin() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create(add(TITLE, "VPN"))
        gone = (await desk.send("DELETE", ONE)).json
        assert (gone["id"], gone["type"], gone["name"], gone["project"], gone["code"]) == (1, "Bug", "VPN", "Shop", 200)
        lost = await desk.get(ONE)
        assert (lost.status, lost.json["typeKey"], lost.json["eventId"]) == (
            404,
            "WorkItemUnauthorizedAccessException",
            3200,
        )
        assert (await desk.change(1, add(TITLE, "x"))).status == 404
        assert (await desk.comment(1, "x")).status == 404
        assert await desk.found("[System.Id] = 1") == []
        assert (await desk.get(BIN)).json["name"] == "VPN"
        assert (await desk.get("/_apis/wit/recyclebin?api-version=7.1")).json["value"][0]["id"] == 1
        assert desk.truth(1)["deleted"] is True

    play(scenario)


def test_a_restored_work_item_keeps_its_id_and_gets_a_new_revision() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        assert (await desk.send("PATCH", BIN, json={"isDeleted": False})).status == 404
        await desk.send("DELETE", ONE)
        assert (await desk.send("PATCH", BIN, json={"isDeleted": True})).status == 400
        assert (await desk.send("PATCH", BIN, json={"isDeleted": False})).status == 200
        back = await desk.read(1)
        assert back["rev"] == 3
        assert "System.IsDeleted" not in back["fields"]

    play(scenario)


def test_destroying_needs_a_permission_and_leaves_nothing() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        assert (await desk.send("DELETE", ONE + "&destroy=true")).status == 403
        desk.sandbox.settings.destroy_accounts = [SYNC.mail]
        assert (await desk.send("DELETE", ONE + "&destroy=true")).status == 200
        assert (await desk.get(BIN)).status == 404
        assert desk.sandbox.true_state()["tickets"] == []
        assert (await desk.create()).json["id"] == 2

    play(scenario)


def test_many_are_deleted_at_once_with_a_result_each() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.create()
        path = "/Shop/_apis/wit/workitemsdelete?api-version=7.1"
        answer = (await desk.send("POST", path, json={"ids": [1, 9]})).json
        assert [(one["id"], one["code"]) for one in answer["results"]] == [(1, 200), (9, 404)]

    play(scenario)
